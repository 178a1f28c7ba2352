//! Core proofs: a whole run, shard by shard, in two passes.
//!
//! The first pass executes the run segment by segment, lays out and commits each Cpu shard, then the tables that exist
//! once a run. Then each trace is pinned at a point that is drawn from all commitments. Only then are beta and gamma drawn,
//! from all pins ([`zkvm_verifier::run`]); the second pass argues each shard under them. What does not fit in memory between
//! the passes is dropped and made again, for its pin and for its argument: execution is deterministic, and a shard made
//! anew has the same commitment.
//!
//! Nothing here is trusted: whatever it does, [`zkvm_verifier::core::verify_core`] decides.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plonky2::field::types::Field;
use rayon::prelude::*;
use zkvm_air::{E, F, TableId};
use zkvm_emulator::{Inputs, Status as RunStatus};
use zkvm_verifier::core::CoreProof;
use zkvm_verifier::encoding::EncodingError;
use zkvm_verifier::run::{
    Cap, Challenges, Digest, PinPoint, ROWS_END, Statement, Status, absorb_pin, absorb_shard, challenges,
    header_hash, is_ground, pin_point, pinned,
};
use zkvm_verifier::{Params, ShardProof};

use crate::key::ProvingKey;
use crate::pool::{LocalPool, PoolError, ProofPool};
use crate::stark::{Commitment, Domain, StarkError, pin};
use crate::trace::counts::Counts;
use crate::trace::cpu as cpu_trace;
use crate::trace::hint::HintTraceError;
use crate::witness::{ExecError, Executor, Segment};

use again::Again;
use tables::{SideTables, no_counts};
use task::ShardTask;

mod again;
#[cfg(test)]
mod differential;
#[cfg(test)]
mod liars;
pub(crate) mod tables;
mod task;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

/// Least log2 of the height of a Cpu shard.
pub const LEAST_SEGMENT_LOG_HEIGHT: usize = 7;
/// Greatest log2 of the height of a Cpu shard.
pub const GREATEST_SEGMENT_LOG_HEIGHT: usize = 18;
/// Nonces tried at once.
const NONCES: u64 = 1 << 13;

/// How to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Parameters that the verifier will use, too.
    pub params: Params,
    /// Log2 of the height of Cpu shards but the last, which is as low as its rows allow;
    /// [`LEAST_SEGMENT_LOG_HEIGHT`]..=[`GREATEST_SEGMENT_LOG_HEIGHT`], others are taken as the nearest of these.
    pub segment_log_height: usize,
    /// Bytes of committed shards that may be kept from the first pass to the second. What is above is made twice.
    pub kept_bytes: u64,
}

impl Options {
    /// Standard parameters within `bytes` of memory: the highest segments of which one can be argued in half of it; the
    /// other half keeps what fits between the passes.
    pub fn for_memory(bytes: u64) -> Self {
        let working = |log: usize| WORKING_BYTES_PER_ROW << log;
        let segment_log_height = (LEAST_SEGMENT_LOG_HEIGHT..=GREATEST_SEGMENT_LOG_HEIGHT)
            .rev()
            .find(|log| working(*log) <= bytes / 2)
            .unwrap_or(LEAST_SEGMENT_LOG_HEIGHT);
        Options {
            params: Params::STANDARD,
            segment_log_height,
            kept_bytes: bytes.saturating_sub(working(segment_log_height)),
        }
    }
}

/// Memory per row that arguing a Cpu shard takes: columns, both halves of their extension, auxiliary columns and quotient
/// likewise, and Merkle trees; about 200 cells of 8 bytes, three times.
const WORKING_BYTES_PER_ROW: u64 = 200 * 8 * 3;

/// How far a proof is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The first pass has committed one more Cpu shard.
    Committed {
        /// Cpu shards so far.
        shards: usize,
        /// Steps executed so far.
        steps: u64,
    },
    /// The second pass has proven one more shard.
    Proven {
        /// Shards proven.
        done: usize,
        /// All shards.
        of: usize,
    },
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The run cannot be executed, for example because a preimage is missing.
    #[error(transparent)]
    Run(#[from] ExecError),
    /// A hint cannot be laid out.
    #[error(transparent)]
    Hint(#[from] HintTraceError),
    /// A shard cannot be pinned.
    #[error(transparent)]
    Pin(#[from] StarkError),
    /// A dropped shard could not be made again.
    #[error("shard {index} could not be made again: {reason}")]
    Again {
        /// The shard.
        index: usize,
        /// Why.
        reason: String,
    },
    /// Together the shards have too many rows.
    #[error("shards have {got} rows together, expected fewer than {ROWS_END}")]
    TooLong {
        /// Rows.
        got: u64,
    },
    /// A shard was not proven.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// A pool returned what its own check does not take for a proof.
    #[error(transparent)]
    Encoding(#[from] EncodingError),
}

/// A shard after the first pass.
struct Committed {
    table: TableId,
    log_height: usize,
    publics: Vec<F>,
    cap: Cap,
    /// 0 until the shard is pinned.
    pin: E,
    kept: Mutex<Kept>,
}

/// What a committed shard's proof is made from, as long as it is there.
#[derive(Default)]
struct Kept {
    /// Column-major rows; `None` if they were dropped or the shard is proven.
    columns: Option<Arc<Vec<Vec<F>>>>,
    /// The commitment; `None` once an attempt has used it.
    commitment: Option<Commitment>,
}

impl Committed {
    fn new(
        table: TableId,
        log_height: usize,
        publics: Vec<F>,
        commitment: Commitment,
        columns: Option<Vec<Vec<F>>>,
    ) -> Self {
        Committed {
            table,
            log_height,
            publics,
            cap: commitment.cap(),
            pin: E::ZERO,
            kept: Mutex::new(Kept {
                columns: columns.map(Arc::new),
                commitment: Some(commitment),
            }),
        }
    }

    /// Locks what is kept. An attempt that panics leaves nothing half-changed there.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Domains by log height, made when first needed.
#[derive(Default)]
struct Domains(BTreeMap<usize, Domain>);

impl Domains {
    fn get(&mut self, log: usize) -> &Domain {
        self.0.entry(log).or_insert_with(|| Domain::new(log))
    }

    /// The domain of a shard that has been committed.
    fn of(&self, shard: &Committed) -> &Domain {
        self.0.get(&shard.log_height).expect("committing made the domain")
    }
}

/// Proves the run of the key's program on `inputs` in this process: what the proof says, and the proof.
///
/// # Errors
/// If the run cannot be executed or is too long.
pub fn prove_core(
    key: &ProvingKey,
    inputs: &Inputs,
    options: &Options,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(Statement, CoreProof), ProveError> {
    prove_core_in(&LocalPool::default(), key, inputs, options, progress)
}

/// The same, with the shards argued in `pool`, which retries what fails and checks each shard's proof.
///
/// # Errors
/// If the run cannot be executed, is too long, or the pool gives up.
pub fn prove_core_in(
    pool: &impl ProofPool,
    key: &ProvingKey,
    inputs: &Inputs,
    options: &Options,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(Statement, CoreProof), ProveError> {
    let mut prover = Prover {
        key,
        inputs,
        options,
        progress,
        domains: Domains::default(),
        shards: Vec::new(),
    };
    let (statement, claim_counts) = prover.commit()?;
    let proof = prover.finish(pool, &statement, claim_counts)?;
    Ok((statement, proof))
}

/// The least nonce that shows the work.
fn grind(h: Digest, bits: u32) -> F {
    (0..)
        .step_by(NONCES as usize)
        .find_map(|start| {
            (start..start + NONCES)
                .into_par_iter()
                .map(F::from_canonical_u64)
                .find_first(|nonce| is_ground(h, *nonce, bits))
        })
        .expect("2^64 nonces show any work that a verifier asks for")
}

struct Prover<'a> {
    key: &'a ProvingKey,
    inputs: &'a Inputs,
    options: &'a Options,
    progress: &'a (dyn Fn(Progress) + Sync),
    domains: Domains,
    shards: Vec<Committed>,
}

impl Prover<'_> {
    fn executor(&self) -> Executor {
        Executor::new(self.key.program(), self.key.rom(), self.inputs.clone())
    }

    fn segment_rows(&self) -> usize {
        let log = self.options.segment_log_height;
        (1 << log.clamp(LEAST_SEGMENT_LOG_HEIGHT, GREATEST_SEGMENT_LOG_HEIGHT)) - 1
    }

    fn no_counts(&self) -> Counts {
        no_counts(
            self.key.sections(),
            self.key.rom(),
            self.inputs.claim.words().len(),
        )
    }

    fn fill(&self, segment: &Segment, counts: &mut Counts) -> Vec<Vec<F>> {
        let log = cpu_log_height(segment);
        cpu_trace::fill(
            segment,
            self.key.rom().rows(),
            self.key.sections().code_start,
            log,
            counts,
        )
    }

    /// The first pass: what the proof says and how often claim words are read.
    fn commit(&mut self) -> Result<(Statement, Vec<F>), ProveError> {
        self.commit_to(self.executor(), Executor::segment)
    }

    /// The first pass over the run that `executor` makes as `next` takes it from there, so many rows at a time.
    fn commit_to(
        &mut self,
        mut executor: Executor,
        mut next: impl FnMut(&mut Executor, usize) -> Result<Segment, ExecError>,
    ) -> Result<(Statement, Vec<F>), ProveError> {
        let mut counts = self.no_counts();
        let mut kept = 0;
        loop {
            let segment = next(&mut executor, self.segment_rows())?;
            if segment.rows.is_empty() {
                break;
            }
            let columns = self.fill(&segment, &mut counts);
            let log_height = cpu_log_height(&segment);
            let mut commitment = Commitment::new(self.domains.get(log_height), &columns);
            // Columns and both halves of their extension.
            let bytes = (3 * 8 * columns.len() as u64) << log_height;
            let keep = kept + bytes <= self.options.kept_bytes;
            if keep {
                kept += bytes;
            } else {
                commitment.drop_columns();
            }
            self.shards.push(Committed::new(
                TableId::Cpu,
                log_height,
                cpu_trace::publics(&segment),
                commitment,
                keep.then_some(columns),
            ));
            (self.progress)(Progress::Committed {
                shards: self.shards.len(),
                steps: executor.steps(),
            });
        }
        let status = match executor.status() {
            RunStatus::Accepted => Status::Accepted,
            _ => Status::Rejected,
        };
        let side = SideTables::new(
            self.key.sections(),
            &executor,
            &self.inputs.preimages,
            &mut counts,
        )?;
        self.push(TableId::Static, side.static_publics, side.static_columns);
        for chunk in side.memory {
            self.push(TableId::Memory, chunk.publics.to_vec(), chunk.columns);
        }
        for columns in side.hints {
            self.push(TableId::Hint, Vec::new(), columns);
        }
        for columns in side.sha256 {
            self.push(TableId::Sha256, Vec::new(), columns);
        }
        let rows = self.shards.iter().map(|shard| 1u64 << shard.log_height).sum();
        if rows >= ROWS_END {
            return Err(ProveError::TooLong { got: rows });
        }
        let statement = Statement {
            claim: self.inputs.claim.words().to_vec(),
            status,
            steps: executor.steps(),
        };
        let counts = counts.claim.iter().map(|count| F::from_canonical_u64(*count));
        Ok((statement, counts.collect()))
    }

    /// Commits a table that exists once a run.
    fn push(&mut self, table: TableId, publics: Vec<F>, columns: Vec<Vec<F>>) {
        let log_height = columns[0].len().trailing_zeros() as usize;
        let commitment = Commitment::new(self.domains.get(log_height), &columns);
        self.shards.push(Committed::new(
            table,
            log_height,
            publics,
            commitment,
            Some(columns),
        ));
    }

    /// Pins, work, and the second pass.
    fn finish(
        &mut self,
        pool: &impl ProofPool,
        statement: &Statement,
        claim_counts: Vec<F>,
    ) -> Result<CoreProof, ProveError> {
        let key = self.key.verifying_key().digest();
        let header = header_hash(key, statement, &claim_counts, self.shards.len());
        let h = self.shards.iter().fold(header, |h, shard| {
            absorb_shard(h, shard.table, shard.log_height, &shard.publics, &shard.cap)
        });
        let pin = pin_point(h);
        self.pin(pin)?;
        let pins = self
            .shards
            .iter()
            .fold(header, |pins, shard| absorb_pin(pins, shard.pin));
        let h2 = pinned(h, pins);
        let nonce = grind(h2, self.options.params.grinding_bits);
        let challenges = Challenges {
            pin,
            logup: challenges(h2, nonce),
        };
        Ok(CoreProof {
            claim_counts,
            nonce,
            shards: self.argue(pool, challenges)?,
        })
    }

    /// Pins every shard; those that were dropped are made again.
    fn pin(&mut self, at: PinPoint) -> Result<(), ProveError> {
        let again = Again::new(self);
        let mut pins = Vec::with_capacity(self.shards.len());
        for (index, shard) in self.shards.iter().enumerate() {
            let kept = shard.kept().columns.clone();
            let columns = match kept {
                Some(columns) => columns,
                None => again
                    .columns(index)
                    .map(Arc::new)
                    .map_err(|reason| ProveError::Again { index, reason })?,
            };
            pins.push(pin(&columns, at)?);
        }
        drop(again);
        for (shard, pin) in self.shards.iter_mut().zip(pins) {
            shard.pin = pin;
        }
        Ok(())
    }

    /// The second pass.
    fn argue(&self, pool: &impl ProofPool, challenges: Challenges) -> Result<Vec<ShardProof>, ProveError> {
        let task = ShardTask::new(self, challenges);
        let done = AtomicUsize::new(0);
        let proofs = pool.run(&task, &task.jobs(), &|index| {
            *self.shards[index].kept() = Kept::default();
            (self.progress)(Progress::Proven {
                done: done.fetch_add(1, Ordering::Relaxed) + 1,
                of: self.shards.len(),
            });
        })?;
        let decoded = proofs.iter().map(|bytes| ShardProof::decode(bytes));
        Ok(decoded.collect::<Result<_, _>>()?)
    }
}

fn cpu_log_height(segment: &Segment) -> usize {
    cpu_trace::log_height(segment.rows.len()).max(LEAST_SEGMENT_LOG_HEIGHT)
}
