//! The final check of a folded run (`docs/prover.md` §7).
//!
//! A proof of the fold circuit says that some list of shards, each accepted by its table's circuit, was accounted for in
//! order. Owns the invariant that the account is that of the statement: begun under its header, with the challenges that
//! follow from all shards, from the key's first state to the claimed end, all buses balanced. Which circuits the account
//! was kept by is the [`FoldKey`]'s to say: it belongs to the release, not to the program.
//!
//! What an attacker tries: an accumulator of another circuit that calls itself this one's, a run cut short, another
//! program's Static, challenges that do not follow from the shards, lists of wrong lengths.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use plonky2::field::extension::FieldExtension;
use plonky2::field::types::{Field, PrimeField64};
use plonky2::hash::hash_types::HashOut;
use plonky2::hash::poseidon::PoseidonHash;
use plonky2::plonk::circuit_data::{CircuitConfig, VerifierCircuitData};
use plonky2::plonk::config::Hasher;
use plonky2::plonk::proof::{OpeningSet, Proof, ProofWithPublicInputs};
use plonky2::recursion::cyclic_recursion::check_cyclic_proof_verifier_data;
use plonky2::util::serialization::DefaultGateSerializer;
use zkvm_air::{E, F, TableId};

use crate::Params;
use crate::encoding::{EncodingError, Reader, Writer};
use crate::key::VerifyingKey;
use crate::params::CAP_LEN;
use crate::proof::{Config, D};
use crate::run::{
    Cap, Digest, MAX_CLAIM_WORDS, MAX_SHARDS, ROWS_END, Statement, VERSION, cap_digest, challenges,
    claim_terms, header_hash, is_ground, pin_point, pinned,
};

/// First bytes of an encoded compressed proof.
const MAGIC: u32 = u32::from_le_bytes(*b"tpzp");
/// Most public inputs that a reader takes.
const MAX_PUBLICS: usize = 256;

/// A proof of the fold circuit.
pub type FoldProof = ProofWithPublicInputs<F, Config, D>;

/// What verifies proofs of the fold circuit: the same for all programs. Its parameters are those of the shards that were
/// folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldKey {
    /// plonky2's verifier data.
    pub data: VerifierCircuitData<F, Config, D>,
    /// Parameters of the shards.
    pub params: Params,
}

/// Written by the prover's `the_pinned_key_is_what_the_circuits_give`.
const STANDARD: &[u8] = include_bytes!("fold.bin");

impl FoldKey {
    /// That of this release, for proofs with [`Params::STANDARD`]: a part of the verifier like its code, so that whoever verifies
    /// builds no circuit and trusts no file.
    ///
    /// # Panics
    /// Never, unless the file in the source is damaged, which a test would show.
    pub fn standard() -> Self {
        let data = VerifierCircuitData::from_bytes(STANDARD.to_vec(), &DefaultGateSerializer);
        Self {
            data: data.expect("the release's key is whole"),
            params: Params::STANDARD,
        }
    }

    /// Conjectured bits of the circuits, whatever the shards' parameters give: the fold's by its own data, the leaves' as
    /// they were when this was released ([`LEAF_BITS`]).
    pub fn circuit_bits(&self) -> u32 {
        let common = &self.data.common;
        circuit_bits(&common.config, common.degree_bits()).min(LEAF_BITS)
    }

    /// Names the fold circuit, all leaf circuits (constants in it) and the parameters.
    pub fn digest(&self) -> Digest {
        let only = &self.data.verifier_only;
        let Params {
            queries,
            pow_bits,
            grinding_bits,
        } = self.params;
        let mut input = alloc::vec![
            F::from_canonical_u32(VERSION),
            F::from_canonical_usize(queries),
            F::from_canonical_u32(pow_bits),
            F::from_canonical_u32(grinding_bits),
        ];
        input.extend(only.circuit_digest.elements);
        input.extend(only.constants_sigmas_cap.0.iter().flat_map(|hash| hash.elements));
        PoseidonHash::hash_no_pad(&input)
    }
}

/// Conjectured bits of every leaf circuit; a test of the prover's holds them to it.
pub const LEAF_BITS: u32 = 100;

/// Conjectured bits of a circuit of 2^`degree_bits` gates (`docs/prover-security.md`): its FRI queries with their work, and
/// plonky2's permutation argument, whose challenges are drawn in the base field, so that each gives 64 bits less those of
/// the number of factors. What is drawn in the extension gives more than either.
pub fn circuit_bits(config: &CircuitConfig, degree_bits: usize) -> u32 {
    let fri = &config.fri_config;
    let queries =
        fri.num_query_rounds.saturating_mul(fri.rate_bits) as u64 + u64::from(fri.proof_of_work_bits);
    let factors = config.num_routed_wires.next_power_of_two().ilog2() as u64 + degree_bits as u64;
    let permutation = (config.num_challenges as u64).saturating_mul(64u64.saturating_sub(factors));
    u32::try_from(queries.min(permutation)).unwrap_or(u32::MAX)
}

/// A proof of a run, of constant size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompressedProof {
    /// How often each claim word is read, then how often their number is.
    pub claim_counts: Vec<F>,
    /// The nonce that took work.
    pub nonce: F,
    /// The last proof of the fold circuit.
    pub fold: FoldProof,
}

/// Why a compressed proof is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompressedError {
    /// The statement names no step, and a run has at least one.
    #[error("steps of the statement: expected at least 1, got 0")]
    NoSteps,
    /// A list has the wrong length.
    #[error("length of {part}: expected {expected}, got {got}")]
    Length {
        /// Which list.
        part: &'static str,
        /// The length that it must have, or the greatest.
        expected: usize,
        /// The proof's.
        got: usize,
    },
    /// The account says something other than the statement and the key demand.
    #[error("{what}: expected {expected}, got {got}")]
    Account {
        /// Which part of the account.
        what: &'static str,
        /// What is demanded.
        expected: F,
        /// What the proof says.
        got: F,
    },
    /// More rows or shards than one proof may have, or too many steps.
    #[error("{what}: expected at most {most}, got {got}")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// The most.
        most: u64,
        /// The number.
        got: u64,
    },
    /// The account ends before Static.
    #[error("account ends with a shard of table {got}, expected Static or a later one")]
    Incomplete {
        /// The last table's number.
        got: F,
    },
    /// The nonce shows too little work.
    #[error("nonce shows less work than 2^{bits} hashes")]
    Grinding {
        /// Expected bits.
        bits: u32,
    },
    /// The point of the pins fell into the base field; this happens to an honest run once in 2^64.
    #[error("the point of the pins lies in the base field")]
    PinPoint,
    /// Buses do not balance.
    #[error("the shards' sums and the claim's terms do not add to 0")]
    Sum,
    /// The accumulator is of another fold circuit.
    #[error("accumulator is of another fold circuit")]
    Circuit,
    /// The proof of the fold circuit is wrong.
    #[error("fold proof: {reason}")]
    Fold {
        /// What plonky2's verifier says.
        reason: String,
    },
}

/// Checks that `proof` proves `statement` about the program of `key`, given the release's fold circuit.
///
/// # Errors
/// If it does not.
pub fn verify_compressed(
    fold: &FoldKey,
    key: &VerifyingKey,
    statement: &Statement,
    proof: &CompressedProof,
) -> Result<(), CompressedError> {
    check_lengths(fold, statement, proof)?;
    check_account(&proof.fold.public_inputs, fold.params, key, statement, proof)?;
    check_cyclic_proof_verifier_data(&proof.fold, &fold.data.verifier_only, &fold.data.common)
        .map_err(|_| CompressedError::Circuit)?;
    fold.data
        .verify(proof.fold.clone())
        .map_err(|error| CompressedError::Fold {
            reason: error.to_string(),
        })
}

/// What plonky2 does not check before it computes with it, and the claim's lengths.
fn check_lengths(
    fold: &FoldKey,
    statement: &Statement,
    proof: &CompressedProof,
) -> Result<(), CompressedError> {
    let exactly = |part, expected, got| match got == expected {
        true => Ok(()),
        false => Err(CompressedError::Length { part, expected, got }),
    };
    let words = statement.claim.len();
    if words > MAX_CLAIM_WORDS {
        return Err(CompressedError::TooMany {
            what: "claim words",
            most: MAX_CLAIM_WORDS as u64,
            got: words as u64,
        });
    }
    exactly("claim counts", words + 1, proof.claim_counts.len())?;
    exactly(
        "public inputs",
        layout::COUNT + 4 + 4 * CAP_LEN,
        proof.fold.public_inputs.len(),
    )?;
    exactly(
        "the fold circuit's public inputs",
        proof.fold.public_inputs.len(),
        fold.data.common.num_public_inputs,
    )?;
    let inner = &proof.fold.proof;
    let caps = [
        &inner.wires_cap,
        &inner.plonk_zs_partial_products_cap,
        &inner.quotient_polys_cap,
    ];
    // plonky2 takes one cap per fold for granted.
    exactly(
        "folds",
        fold.data.common.fri_params.reduction_arity_bits.len(),
        inner.opening_proof.commit_phase_merkle_caps.len(),
    )?;
    for cap in caps
        .into_iter()
        .chain(&inner.opening_proof.commit_phase_merkle_caps)
    {
        exactly("a cap", CAP_LEN, cap.0.len())?;
    }
    Ok(())
}

fn check_account(
    account: &[F],
    params: Params,
    key: &VerifyingKey,
    statement: &Statement,
    proof: &CompressedProof,
) -> Result<(), CompressedError> {
    let equal = |what, expected: &[F], got: &[F]| {
        let differing = expected.iter().zip(got).find(|(expected, got)| expected != got);
        differing.map_or(Ok(()), |(&expected, &got)| {
            Err(CompressedError::Account { what, expected, got })
        })
    };
    let at_most = |what, most, got| match got <= most {
        true => Ok(()),
        false => Err(CompressedError::TooMany { what, most, got }),
    };
    let shards = account[layout::SHARDS].to_canonical_u64();
    at_most("shards", MAX_SHARDS as u64, shards)?;
    at_most("rows", ROWS_END - 1, account[layout::ROWS].to_canonical_u64())?;
    at_most("steps", ROWS_END - 1, statement.steps)?;
    let last_step = statement.last_step().ok_or(CompressedError::NoSteps)?;

    // What came before the challenges, and the challenges.
    let header = header_hash(key.digest(), statement, &proof.claim_counts, shards as usize);
    equal("h of the header", &header.elements, &account[layout::HEADER])?;
    let [hash, pins] = [layout::HASH, layout::PINS].map(|at| HashOut::from_partial(&account[at]));
    let pin = pin_point(hash);
    if !pin.is_outside() {
        return Err(CompressedError::PinPoint);
    }
    let elements = |pair: [E; 2]| pair.map(|e| FieldExtension::<D>::to_basefield_array(&e));
    equal(
        "z0 and lambda",
        elements([pin.z0, pin.lambda]).as_flattened(),
        &account[layout::PIN_POINT],
    )?;
    let hash = pinned(hash, pins);
    if !is_ground(hash, proof.nonce, params.grinding_bits) {
        return Err(CompressedError::Grinding {
            bits: params.grinding_bits,
        });
    }
    let logup = challenges(hash, proof.nonce);
    equal(
        "beta and gamma",
        elements([logup.beta, logup.gamma]).as_flattened(),
        &account[layout::CHALLENGES],
    )?;

    // Buses.
    let [low, high] = [layout::SUM.start, layout::SUM.start + 1].map(|i| account[i]);
    let claim = claim_terms(&statement.claim, &proof.claim_counts, logup).ok_or(CompressedError::Sum)?;
    if E::from_basefield_array([low, high]) + claim != E::ZERO {
        return Err(CompressedError::Sum);
    }

    // States.
    equal("first state", &key.first_state(), &account[layout::START_STATE])?;
    let [_, _, fetch, entry_due, step, _] = core::array::from_fn(|i| account[layout::STATE.start + i]);
    equal(
        "last fetch",
        &[F::from_canonical_u64(statement.status.end_key())],
        &[fetch],
    )?;
    equal("last entry", &[F::ZERO], &[entry_due])?;
    equal("last step", &[last_step], &[step])?;

    // The program.
    equal(
        "fixed columns",
        &cap_digest(&key.fixed_cap).elements,
        &account[layout::FIXED],
    )?;
    let height = F::from_canonical_usize(key.log_height);
    equal(
        "Static's log height",
        &[height],
        &[account[layout::STATIC_HEIGHT]],
    )?;
    match account[layout::LAST_TABLE] {
        got if got == F::from_canonical_u64(TableId::Cpu.number()) => {
            Err(CompressedError::Incomplete { got })
        }
        _ => Ok(()),
    }
}

impl CompressedProof {
    /// The proof's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(MAGIC, VERSION);
        self.write(&mut writer);
        writer.finish()
    }

    /// The proof that has these bytes.
    ///
    /// # Errors
    /// If they are not the encoding of a proof; whether it proves anything is for [`verify_compressed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, EncodingError> {
        let mut reader = Reader::new(bytes, MAGIC, VERSION)?;
        let proof = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(proof)
    }

    /// Appends the proof to an encoding.
    pub fn write(&self, writer: &mut Writer) {
        writer.elements(&self.claim_counts);
        writer.element(self.nonce);
        writer.elements(&self.fold.public_inputs);
        let Proof {
            wires_cap,
            plonk_zs_partial_products_cap,
            quotient_polys_cap,
            openings,
            opening_proof,
        } = &self.fold.proof;
        for cap in [wires_cap, plonk_zs_partial_products_cap, quotient_polys_cap] {
            writer.cap(cap);
        }
        let lists = [
            &openings.constants,
            &openings.plonk_sigmas,
            &openings.wires,
            &openings.plonk_zs,
            &openings.plonk_zs_next,
            &openings.partial_products,
            &openings.quotient_polys,
        ];
        for list in lists {
            writer.extensions(list);
        }
        writer.fri(opening_proof);
    }

    /// Reads what [`Self::write`] appended.
    ///
    /// # Errors
    /// If it did not.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, EncodingError> {
        let claim_counts = reader.elements("claim counts", MAX_CLAIM_WORDS + 1)?;
        let nonce = reader.element()?;
        let public_inputs = reader.elements("public inputs", MAX_PUBLICS)?;
        let caps: [Cap; 3] = [reader.cap()?, reader.cap()?, reader.cap()?];
        let [wires_cap, plonk_zs_partial_products_cap, quotient_polys_cap] = caps;
        // The circuits have no look-ups of plonky2's kind.
        let openings = OpeningSet {
            constants: reader.extensions("constants")?,
            plonk_sigmas: reader.extensions("sigmas")?,
            wires: reader.extensions("wires")?,
            plonk_zs: reader.extensions("permutation")?,
            plonk_zs_next: reader.extensions("next permutation")?,
            partial_products: reader.extensions("partial products")?,
            quotient_polys: reader.extensions("quotient")?,
            lookup_zs: Vec::new(),
            lookup_zs_next: Vec::new(),
        };
        Ok(CompressedProof {
            claim_counts,
            nonce,
            fold: ProofWithPublicInputs {
                proof: Proof {
                    wires_cap,
                    plonk_zs_partial_products_cap,
                    quotient_polys_cap,
                    openings,
                    opening_proof: reader.fri()?,
                },
                public_inputs,
            },
        })
    }
}

/// Where the accumulator's public inputs stand; the fold's own verifier data follow them.
pub mod layout {
    use core::ops::Range;

    /// h of the header.
    pub const HEADER: Range<usize> = 0..4;
    /// h after the shards so far.
    pub const HASH: Range<usize> = 4..8;
    /// Number of shards so far.
    pub const SHARDS: usize = 8;
    /// beta, then gamma.
    pub const CHALLENGES: Range<usize> = 9..13;
    /// Sum of the shards' sums.
    pub const SUM: Range<usize> = 13..15;
    /// State before the first Cpu shard.
    pub const START_STATE: Range<usize> = 15..21;
    /// State after the last Cpu shard.
    pub const STATE: Range<usize> = 21..27;
    /// hash_no_pad of the cap of Static's fixed columns.
    pub const FIXED: Range<usize> = 27..31;
    /// Static's log height.
    pub const STATIC_HEIGHT: usize = 31;
    /// The last shard's table number.
    pub const LAST_TABLE: usize = 32;
    /// Greatest word address of memory that started as zero.
    pub const MEMORY: usize = 33;
    /// Rows of the shards so far.
    pub const ROWS: usize = 34;
    /// The chain of pins after the shards so far.
    pub const PINS: Range<usize> = 35..39;
    /// z0, then lambda.
    pub const PIN_POINT: Range<usize> = 39..43;
    /// All of them.
    pub const COUNT: usize = 43;

    /// Elements of a Cpu state: pc, next_pc, fetch, entry, step, clk.
    pub const STATE_LEN: usize = 6;
    /// The public of Static and Memory that names the greatest address before.
    pub const MEMORY_BEFORE: usize = 0;
    /// The public of Static and Memory that names the greatest address after.
    pub const MEMORY_AFTER: usize = 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_key_is_whole() {
        let key = FoldKey::standard();
        assert_eq!(key.data.to_bytes(&DefaultGateSerializer).unwrap(), STANDARD);
        assert_eq!(key.params, Params::STANDARD);
    }

    #[test]
    fn each_weakness_of_a_circuit_bounds_its_bits() {
        let standard = CircuitConfig::standard_recursion_config();
        // 2 (64 - 7 - 14), where the queries give 100.
        assert_eq!(circuit_bits(&standard, 14), 86);
        let with = |num_challenges, queries| {
            let mut config = standard.clone();
            config.num_challenges = num_challenges;
            config.fri_config.num_query_rounds = queries;
            circuit_bits(&config, 14)
        };
        assert_eq!(with(3, 28), 100);
        assert_eq!(with(3, 20), 76);
        assert_eq!(with(3, 1000), 129);
        assert_eq!(FoldKey::standard().circuit_bits(), 100);
    }
}
