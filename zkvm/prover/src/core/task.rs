//! The second pass as work for a pool: one job a shard.
//!
//! A job names a shard and the run's challenges, those of its pin first; a worker in this process takes what the first pass kept, or makes the
//! shard again from the run. A proof leaves the pool only if it is of the shard that was committed and verifies.

use std::sync::{Arc, OnceLock};

use plonky2::field::extension::FieldExtension;
use plonky2::field::types::{Field, PrimeField64};
use serde::{Deserialize, Serialize};
use zkvm_air::{E, F, Logup, TableId};
use zkvm_verifier::ShardProof;
use zkvm_verifier::core::{ShardVerifiers, table};
use zkvm_verifier::run::{Challenges, PinPoint};

use super::again::Again;
use super::{Committed, Prover};
use crate::pool::Task;
use crate::stark::{Commitment, Shard, ShardProver};

/// One shard to argue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShardJob {
    /// Its place in the proof.
    index: usize,
    /// z0, lambda, beta and gamma, two elements each.
    challenges: [u64; 8],
}

/// What workers share.
pub(super) struct ShardTask<'a> {
    prover: &'a Prover<'a>,
    challenges: Challenges,
    provers: [OnceLock<ShardProver>; TableId::ALL.len()],
    verifiers: ShardVerifiers,
    /// For shards that were dropped.
    again: Again<'a>,
}

impl<'a> ShardTask<'a> {
    pub(super) fn new(prover: &'a Prover<'a>, challenges: Challenges) -> Self {
        ShardTask {
            prover,
            challenges,
            provers: TableId::ALL.map(|_| OnceLock::new()),
            verifiers: ShardVerifiers::new(),
            again: Again::new(prover),
        }
    }

    /// One job for each shard, in order.
    pub(super) fn jobs(&self) -> Vec<ShardJob> {
        let Challenges { pin, logup } = self.challenges;
        let elements: [[F; 2]; 4] =
            [pin.z0, pin.lambda, logup.beta, logup.gamma].map(|e| e.to_basefield_array());
        let elements = elements.as_flattened();
        let challenges = core::array::from_fn(|i| elements[i].to_canonical_u64());
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
            None if shard.table == TableId::Cpu => Arc::new(self.again.columns(job.index)?),
            None => return Err("the shard is proven already".to_owned()),
        };
        let domain = self.prover.domains.of(shard);
        let commitment = commitment.unwrap_or_else(|| Commitment::new(domain, &columns));
        let key = self.prover.key;
        let parts = Shard {
            trace: &columns,
            publics: &shard.publics,
            fixed: (shard.table == TableId::Static).then(|| (key.fixed_columns(), key.fixed())),
            pin: shard.pin,
        };
        let element = |i: usize| {
            let [low, high] = [2 * i, 2 * i + 1].map(|i| F::from_noncanonical_u64(job.challenges[i]));
            E::from_basefield_array([low, high])
        };
        let challenges = Challenges {
            pin: PinPoint {
                z0: element(0),
                lambda: element(1),
            },
            logup: Logup {
                beta: element(2),
                gamma: element(3),
            },
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
            && proof.trace_cap == shard.cap
            && proof.pin == shard.pin;
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
