//! The second pass as work for a pool: one job a shard.
//!
//! A job names a shard and the run's challenges; a worker in this process takes what the first pass kept, or makes the
//! shard again from the run. A proof leaves the pool only if it is of the shard that was committed and verifies.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use plonky2::field::extension::FieldExtension;
use plonky2::field::types::{Field, PrimeField64};
use serde::{Deserialize, Serialize};
use zkvm_air::{E, F, Logup, TableId};
use zkvm_verifier::ShardProof;
use zkvm_verifier::core::{ShardVerifiers, table};

use super::{Committed, Prover};
use crate::pool::Task;
use crate::stark::{Commitment, Shard, ShardProver};
use crate::witness::Executor;

/// One shard to argue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShardJob {
    /// Its place in the proof.
    index: usize,
    /// beta and gamma, two elements each.
    challenges: [u64; 4],
}

/// What workers share.
pub(super) struct ShardTask<'a> {
    prover: &'a Prover<'a>,
    challenges: Logup,
    provers: [OnceLock<ShardProver>; TableId::ALL.len()],
    verifiers: ShardVerifiers,
    /// A run for shards that were dropped, and the next segment that it comes to.
    again: Mutex<(Executor, usize)>,
}

impl<'a> ShardTask<'a> {
    pub(super) fn new(prover: &'a Prover<'a>, challenges: Logup) -> Self {
        ShardTask {
            prover,
            challenges,
            provers: TableId::ALL.map(|_| OnceLock::new()),
            verifiers: ShardVerifiers::new(),
            again: Mutex::new((prover.executor(), 0)),
        }
    }

    /// One job for each shard, in order.
    pub(super) fn jobs(&self) -> Vec<ShardJob> {
        let [b, g]: [[F; 2]; 2] =
            [self.challenges.beta, self.challenges.gamma].map(|e| e.to_basefield_array());
        let challenges = [b[0], b[1], g[0], g[1]].map(|element| element.to_canonical_u64());
        (0..self.prover.shards.len())
            .map(|index| ShardJob { index, challenges })
            .collect()
    }

    fn shard(&self, job: &ShardJob) -> Result<&'a Committed, String> {
        let shards = &self.prover.shards;
        shards
            .get(job.index)
            .ok_or_else(|| format!("expected a shard below {}, got {}", shards.len(), job.index))
    }

    /// The columns of a Cpu shard that were dropped.
    fn again(&self, index: usize) -> Result<Vec<Vec<F>>, String> {
        let segment = {
            let mut again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
            if again.1 > index {
                *again = (self.prover.executor(), 0);
            }
            loop {
                let segment = again.0.segment(self.prover.segment_rows());
                let segment = segment.map_err(|error| error.to_string())?;
                again.1 += 1;
                if again.1 > index {
                    break segment;
                }
            }
        };
        Ok(self.prover.fill(&segment, &mut self.prover.no_counts()))
    }
}

impl Task for ShardTask<'_> {
    type Job = ShardJob;
    type Output = Vec<u8>;

    fn work(&self, job: &ShardJob) -> Result<Vec<u8>, String> {
        let shard = self.shard(job)?;
        let (columns, commitment) = {
            let mut kept = shard.kept();
            (kept.columns.clone(), kept.commitment.take())
        };
        let columns = match columns {
            Some(columns) => columns,
            None if shard.table == TableId::Cpu => Arc::new(self.again(job.index)?),
            None => return Err("the shard is proven already".to_owned()),
        };
        let domain = self.prover.domains.of(shard);
        let commitment = commitment.unwrap_or_else(|| Commitment::new(domain, &columns));
        let key = self.prover.key;
        let parts = Shard {
            trace: &columns,
            publics: &shard.publics,
            fixed: (shard.table == TableId::Static).then(|| (key.fixed_columns(), key.fixed())),
        };
        let [b0, b1, g0, g1] = job.challenges.map(F::from_noncanonical_u64);
        let challenges = Logup {
            beta: E::from_basefield_array([b0, b1]),
            gamma: E::from_basefield_array([g0, g1]),
        };
        self.provers[shard.table as usize]
            .get_or_init(|| ShardProver::new(table(shard.table), self.prover.options.params))
            .prove(domain, parts, commitment, challenges)
            .map(|proof| proof.encode())
            .map_err(|error| error.to_string())
    }

    fn check(&self, job: &ShardJob, output: &Vec<u8>) -> Result<(), String> {
        let shard = self.shard(job)?;
        let proof = ShardProof::decode(output).map_err(|error| error.to_string())?;
        let is_committed = proof.table == shard.table
            && proof.log_height == shard.log_height
            && proof.publics == shard.publics
            && proof.trace_cap == shard.cap;
        if !is_committed {
            return Err("the proof is of another shard".to_owned());
        }
        let fixed = &self.prover.key.verifying_key().fixed_cap;
        let fixed = (shard.table == TableId::Static).then_some(fixed);
        self.verifiers
            .get(shard.table)
            .verify(fixed, &proof, self.challenges, &self.prover.options.params)
            .map_err(|error| error.to_string())
    }
}
