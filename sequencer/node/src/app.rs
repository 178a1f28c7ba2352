//! The node's side of consensus: what [`l2_consensus::Application`] asks, answered by the [`Chain`] and the mempool.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alloy_primitives::{Address, B256, Bytes};
use l2_block::{Block, Evidence};
use l2_consensus::{
    Application, Certificate, Failure, Judgement, NextHeight, Standing, Validator, ValidatorSet, async_trait,
};
use tokio::time::Instant;

use crate::backlog::Backlog;
use crate::chain::{Candidate, Chain, ChainError, Choice};
use crate::metrics::Metrics;
use crate::pool::{Nothing, SharedPool};
use crate::sets::Sets;

/// How long an empty mempool is waited for before a block without transactions is made.
const IDLE_WAIT: Duration = Duration::from_millis(200);

/// What is done with each committed block, on the thread that committed it.
pub type OnBlock = Box<dyn Fn(&Candidate) + Send + Sync>;
/// What is done with evidence of a validator that signed two things.
pub type OnEvidence = Box<dyn Fn(Evidence) + Send + Sync>;

/// The application of one node.
pub struct NodeApplication {
    /// The chain.
    pub chain: Arc<Chain>,
    /// The mempool.
    pub pool: Arc<SharedPool>,
    /// The validator's key; none for a node that only follows.
    pub key: Option<B256>,
    /// Most bytes of transactions in a block.
    pub max_bytes: usize,
    /// What waits for a batch on Bitcoin.
    pub backlog: Arc<Backlog>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Milliseconds since 1970.
    pub clock: fn() -> u64,
    /// Told of each committed block.
    pub on_block: Arc<OnBlock>,
    /// Told of evidence.
    pub on_evidence: Arc<OnEvidence>,
}

/// Milliseconds since 1970, as the system has them.
#[must_use]
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Runs what takes a while on a thread for that.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ChainError> + Send + 'static,
) -> Result<Result<T, ChainError>, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(Into::into)
}

impl NodeApplication {
    /// The address that earns what this node proposes next: that of the validator which has its key now.
    fn earner(&self) -> Result<Option<Address>, Failure> {
        let validators = self.chain.validators()?;
        let own = validators
            .iter()
            .find(|validator| Some(validator.key) == self.key);
        Ok(own.map(|validator| validator.address))
    }

    fn next(&self) -> Result<NextHeight, Failure> {
        let head = self.chain.head();
        let validators = self.chain.validators()?;
        let keys: Vec<B256> = validators.iter().map(|validator| validator.key).collect();
        Sets::note(self.chain.store(), head.number, &keys)?;
        let validators = validators
            .into_iter()
            .map(|validator| Validator::new(validator.key, validator.address))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(NextHeight {
            height: head.number + 1,
            validators: ValidatorSet::new(validators)?,
        })
    }
}

#[async_trait]
impl Application for NodeApplication {
    async fn start_height(&mut self) -> Result<NextHeight, Failure> {
        self.next()
    }

    async fn propose(
        &mut self,
        height: u64,
        round: u32,
        deadline: Instant,
    ) -> Result<Option<Bytes>, Failure> {
        let head = self.chain.head();
        if head.number + 1 != height {
            tracing::warn!(height, head = head.number, "asked for a block that is not next");
            return Ok(None);
        }
        let until = (Instant::now() + IDLE_WAIT).min(deadline);
        while self.pool.size().0 == 0 && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let Some(proposer) = self.earner()? else {
            tracing::warn!(
                height,
                "asked for a block, but this node's key is of no active validator"
            );
            return Ok(None);
        };
        let (chain, pool, max_bytes) = (Arc::clone(&self.chain), Arc::clone(&self.pool), self.max_bytes);
        let choice = Choice {
            now_ms: (self.clock)(),
            round,
            proposer,
            max_bytes,
            data_fee: self.backlog.data_fee(&self.chain.spec().fees, &head),
        };
        let full = self.backlog.is_full(&proposer, self.chain.validators()?.len());
        let candidate = blocking(move || {
            if full {
                return chain.propose(&choice, Nothing);
            }
            let base_fee = l2_stf::next_base_fee(&chain.spec().fees, &chain.head());
            let transactions = pool.best(base_fee, max_bytes, chain.spec().fees.gas_limit)?;
            chain.propose(&choice, transactions)
        })
        .await?;
        match candidate {
            Ok(candidate) => Ok(Some(candidate.block.encode().into())),
            Err(error @ (ChainError::Store(_) | ChainError::State(_))) => Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, height, round, "no block can be made now");
                Ok(None)
            }
        }
    }

    async fn check(
        &mut self,
        _proposer: &Validator,
        block: &Block,
        _bytes: &Bytes,
        standing: Standing,
    ) -> Result<Judgement, Failure> {
        // Who has no vote takes what others agree on.
        let wise = self.key.is_none()
            || match standing {
                Standing::Proposed => self.backlog.accepts(block, self.chain.validators()?.len()),
                Standing::Earlier => self.backlog.accepts_earlier(block),
                Standing::Decided => true,
            };
        if !wise {
            tracing::warn!(
                number = block.header.number,
                proposer = %block.header.proposer,
                waiting = ?self.backlog.waiting(),
                "a proposed block adds to what waits for a batch on bitcoin, and that is too much or has waited too long"
            );
            return Ok(Judgement::Unknown);
        }
        let start = Instant::now();
        let (chain, judged) = (Arc::clone(&self.chain), block.clone());
        let judge = move || match standing {
            Standing::Proposed | Standing::Earlier => chain.judge(&judged).map(|_| ()),
            Standing::Decided => chain.check(&judged).map(|_| ()),
        };
        match blocking(judge).await? {
            Ok(()) => {
                self.metrics.check_seconds.observe(start.elapsed().as_secs_f64());
                Ok(Judgement::Valid)
            }
            // Nothing is waited for here, as consensus waits for this answer: it asks again in the next round.
            Err(ChainError::Origin(origin)) => {
                tracing::warn!(
                    height = origin.height,
                    ?standing,
                    "a block names a Bitcoin block that is not known here, or not deep enough"
                );
                Ok(Judgement::Unknown)
            }
            Err(error @ (ChainError::Store(_) | ChainError::State(_))) => Err(error.into()),
            Err(error) => {
                tracing::warn!(number = block.header.number, %error, "a block is refused");
                Ok(Judgement::Invalid)
            }
        }
    }

    async fn commit(&mut self, bytes: &Bytes, certificate: &Certificate) -> Result<NextHeight, Failure> {
        let block = Block::decode_exact(bytes)
            .map_err(|error| format!("a decided block does not decode: {error}"))?;
        let (chain, pool) = (Arc::clone(&self.chain), Arc::clone(&self.pool));
        let (metrics, on_block) = (Arc::clone(&self.metrics), Arc::clone(&self.on_block));
        let certificate = certificate.encode();
        // A quorum agreed on it: a Bitcoin block that it names and we have not seen will come.
        loop {
            let (chain, pool, metrics, on_block) = (
                Arc::clone(&chain),
                Arc::clone(&pool),
                Arc::clone(&metrics),
                Arc::clone(&on_block),
            );
            let (block, certificate) = (block.clone(), certificate.clone());
            let (backlog, clock) = (Arc::clone(&self.backlog), self.clock);
            let done = blocking(move || {
                let candidate = chain.commit(&block, &certificate)?;
                pool.on_block(&candidate.executed)?;
                backlog.committed(&candidate.block);
                metrics.committed(&candidate, clock(), pool.size());
                metrics.waits(backlog.waiting());
                on_block(&candidate);
                Ok(())
            })
            .await?;
            match done {
                Ok(()) => return self.next(),
                Err(ChainError::Origin(origin)) => {
                    tracing::warn!(height = origin.height, hash = %origin.hash, "waiting for bitcoind to have the block that an agreed block names");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn decided(&mut self, height: u64) -> Result<Option<(Bytes, Certificate)>, Failure> {
        let Some(stored) = self.chain.store().block(height)? else {
            return Ok(None);
        };
        if stored.certificate.is_empty() {
            // Block 0, or one that was derived from Bitcoin.
            return Ok(None);
        }
        let certificate = Certificate::decode_exact(&stored.certificate)?;
        Ok(Some((stored.block.encode().into(), certificate)))
    }

    async fn min_height(&mut self) -> Result<u64, Failure> {
        // A snapshot begins at its head; the blocks before it are elsewhere.
        let oldest = self.chain.store().oldest_state()?;
        let has_first = oldest == 0 || self.chain.store().block(1)?.is_some();
        Ok(if has_first { 1 } else { oldest.max(1) })
    }

    async fn evidence(&mut self, evidence: Evidence) -> Result<(), Failure> {
        (self.on_evidence)(evidence);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
