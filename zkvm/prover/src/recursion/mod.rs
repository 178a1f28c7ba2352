//! From many shard proofs to one small proof (`docs/prover.md` §7).
//!
//! A leaf circuit per table verifies a shard, a fold circuit takes leaves one after the other and keeps the account of
//! the run. The invariant: what these circuits accept, the native verifier accepts. An attacker looks for a check that
//! the native verifier makes and a circuit does not.

mod cache;
mod circuits;
mod eval;
mod fold;
mod leaf;
#[cfg(test)]
mod padding_test;
#[cfg(test)]
mod reference;
mod shape;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod whole_test;
mod witness;

use std::path::{Path, PathBuf};

use plonky2::plonk::config::PoseidonGoldilocksConfig;
use zkvm_air::TableId;
use zkvm_verifier::Params;
use zkvm_verifier::compressed::{CompressedProof, FoldKey};
use zkvm_verifier::core::{CoreProof, table};
use zkvm_verifier::key::VerifyingKey;
use zkvm_verifier::params::log_heights;
use zkvm_verifier::run::{Statement, header_hash};

use cache::Cache;
use circuits::{CircuitSet, Plan};
use fold::Proof;
use witness::Shard;

/// Degree of the extension E.
pub(crate) const D: usize = 2;
/// Poseidon over Goldilocks, for proofs of circuits as for shards.
pub(crate) type C = PoseidonGoldilocksConfig;

/// Why circuits could not be made or a proof not be folded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecursionError {
    /// A table or circuit does not have the shape that the others need.
    #[error("circuit shape: {reason}")]
    Shape {
        /// What differs.
        reason: String,
    },
    /// The circuit is not satisfied: the proof to be verified in it is wrong.
    #[error("{circuit} circuit is not satisfied: {reason}")]
    Unsatisfied {
        /// Which circuit.
        circuit: &'static str,
        /// plonky2's reason.
        reason: String,
    },
    /// There is nothing to fold.
    #[error("core proof has no shards")]
    Empty,
    /// Circuits cannot be written to disk.
    #[error("circuits in {}: {reason}", folder.display())]
    Cache {
        /// Where to.
        folder: PathBuf,
        /// What the system says.
        reason: String,
    },
}

/// The circuits that fold core proofs of one set of parameters.
pub struct Circuits {
    set: CircuitSet,
    params: Params,
}

impl Circuits {
    /// Builds all circuits; takes the better part of a minute and some 700 MB.
    ///
    /// # Errors
    /// If a table no longer fits its circuit.
    pub fn build(params: Params) -> Result<Self, RecursionError> {
        with_plan(params, CircuitSet::build).map(|set| Self { set, params })
    }

    /// Reads circuits from `folder`; builds and writes them there if they are missing or broken.
    ///
    /// # Errors
    /// If a table no longer fits its circuit, or the folder cannot be written.
    pub fn load_or_build(folder: &Path, params: Params) -> Result<Self, RecursionError> {
        let set = with_plan(params, |plan| {
            let cache = Cache::new(folder, plan);
            if let Some(set) = cache.load(plan) {
                return Ok(set);
            }
            let set = CircuitSet::build(plan)?;
            cache.store(&set)?;
            Ok(set)
        })?;
        Ok(Self { set, params })
    }

    /// What verifies the proofs that these circuits make.
    pub fn fold_key(&self) -> FoldKey {
        FoldKey {
            data: self.set.fold.data().verifier_data(),
            params: self.params,
        }
    }

    /// Folds a core proof of `statement` about the program of `key`; calls `progress` with each number of shards folded.
    /// The core proof has been verified: of a wrong one this may make a proof that the verifier refuses.
    ///
    /// # Errors
    /// If a shard's proof is wrong or shards do not belong together.
    pub fn compress(
        &self,
        key: &VerifyingKey,
        statement: &Statement,
        core: &CoreProof,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<CompressedProof, RecursionError> {
        let header = header_hash(key.digest(), statement, &core.claim_counts, core.shards.len());
        let (_, challenges) = core.transcript(key, statement);
        let leaf = |index: usize| {
            let proof = core.shards.get(index)?;
            let shard = Shard {
                proof,
                fixed_cap: (proof.table == TableId::Static).then_some(&key.fixed_cap),
                challenges,
            };
            Some(self.set.leaves[proof.table as usize].prove(&shard))
        };
        // While one leaf is folded the next is proven: filling in a witness keeps one thread busy only.
        let mut next = leaf(0);
        let mut accumulator: Option<Proof> = None;
        for index in 0..core.shards.len() {
            let current = next.ok_or(RecursionError::Empty)??;
            let (folded, after) = rayon::join(
                || self.set.fold.prove(header, accumulator.as_ref(), &current),
                || leaf(index + 1),
            );
            accumulator = Some(folded?);
            next = after;
            progress(index + 1);
        }
        Ok(CompressedProof {
            claim_counts: core.claim_counts.clone(),
            nonce: core.nonce,
            fold: accumulator.ok_or(RecursionError::Empty)?,
        })
    }
}

/// log2 of the gates of every leaf circuit.
const LEAF_DEGREE_BITS: usize = 14;
/// log2 of the gates of the fold circuit.
const FOLD_DEGREE_BITS: usize = 13;

fn with_plan<T>(params: Params, then: impl FnOnce(&Plan<'_>) -> T) -> T {
    let tables = TableId::ALL.map(table);
    then(&Plan {
        tables: tables.each_ref(),
        heights: TableId::ALL.map(log_heights),
        params,
        leaf_degree_bits: LEAF_DEGREE_BITS,
        fold_degree_bits: FOLD_DEGREE_BITS,
    })
}
