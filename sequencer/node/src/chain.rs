//! The chain at its head: makes blocks, judges blocks, commits blocks.
//!
//! One [`Chain`] owns the store's head. Everything here is synchronous and the caller's thread does the work; calls that move the
//! head come from one place (consensus, or derivation), reads from anywhere. What a block does is computed once: the block that is
//! proposed or judged is remembered until its height is decided.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use alloy_consensus::transaction::SignerRecoverable;
use alloy_primitives::{Address, B256, keccak256};
use l2_block::{Block, BlockId, Genesis, Header, L1Block, L1Origin, Validator};
use l2_state::{StateError, Update};
use l2_stf::{ExecuteError, Executed, Invalid, Spec, Template, TxError};
use l2_store::{CommittedBlock, Store, StoreError};
use rayon::prelude::*;

/// Where the Bitcoin blocks come from that a block names.
pub trait L1Blocks: Send + Sync {
    /// The blocks after `after` up to `until`, each the child of the one before, if this node has them and `until` is on its chain.
    fn between(&self, after: &L1Origin, until: &L1Origin) -> Option<Vec<L1Block>>;

    /// The newest block that is deep enough to be named.
    fn newest(&self) -> Option<L1Origin>;

    /// Whether this height is deep enough for a block that is not agreed on yet to name it, to somebody who may have seen a block
    /// less than the proposer.
    fn is_buried(&self, height: u64) -> bool;
}

/// Why a block is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The block is invalid, whoever looks at it.
    #[error("invalid block: {0}")]
    Invalid(#[from] Invalid),
    /// A Bitcoin block that it names is not known here, or not deep enough.
    #[error("bitcoin block {hash} at height {height} is not known here, or not deep enough", height = .0.height, hash = .0.hash)]
    Origin(L1Origin),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state tree could not be read.
    #[error("state tree: {0}")]
    State(#[from] StateError),
}

impl ChainError {
    /// Whether the block is to blame, and not this node.
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        matches!(self, Self::Invalid(_))
    }
}

impl From<ExecuteError<StoreError>> for ChainError {
    fn from(error: ExecuteError<StoreError>) -> Self {
        match error {
            ExecuteError::Invalid(invalid) => Self::Invalid(invalid),
            ExecuteError::State(error) => Self::Store(error),
        }
    }
}

/// A block that was executed over the head.
#[derive(Debug)]
pub struct Candidate {
    /// The block.
    pub block: Block,
    /// What it does.
    pub executed: Executed,
    /// The tree after it.
    pub update: Update,
    /// The Bitcoin blocks that it names first.
    pub l1: Vec<L1Block>,
}

/// What a proposer may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its clock, in milliseconds since 1970.
    pub now_ms: u64,
    /// Round of consensus.
    pub round: u32,
    /// Its address.
    pub proposer: Address,
    /// Most bytes of transactions.
    pub max_bytes: usize,
    /// Wei that a byte is to cost; the rules may allow only to come nearer to it.
    pub data_fee: u64,
}

/// Most candidates that are remembered: those of the rounds of one height.
const CANDIDATES: usize = 16;

/// The chain at its head.
pub struct Chain {
    store: Arc<Store>,
    spec: Spec,
    l1: Arc<dyn L1Blocks>,
    head: Mutex<Arc<Header>>,
    candidates: Mutex<HashMap<B256, Arc<Candidate>>>,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain")
            .field("head", &self.head())
            .finish_non_exhaustive()
    }
}

impl Chain {
    /// The chain of a store.
    ///
    /// # Errors
    /// If the database fails.
    pub fn new(store: Arc<Store>, genesis: &Genesis, l1: Arc<dyn L1Blocks>) -> Result<Self, StoreError> {
        let number = store.labels()?.latest.number;
        let head = store
            .block(number)?
            .ok_or(StoreError::NoBlock { number, head: number })?;
        Ok(Self {
            store,
            spec: Spec::from(genesis),
            l1,
            head: Mutex::new(Arc::new(head.block.header)),
            candidates: Mutex::new(HashMap::new()),
        })
    }

    /// The newest committed header.
    #[must_use]
    pub fn head(&self) -> Arc<Header> {
        Arc::clone(&self.head.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The database.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The numbers of the state transition.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The active validators after the head, in order.
    ///
    /// # Errors
    /// If the database fails.
    pub fn validators(&self) -> Result<Vec<Validator>, StoreError> {
        l2_stf::active_validators(&self.store.latest_state())
    }

    /// Makes the next block out of what `feed` gives, in its order. What cannot be in it is left out, and `feed` is told why.
    ///
    /// # Errors
    /// If no block can be made now.
    pub fn propose(
        &self,
        choice: &Choice,
        mut feed: impl crate::pool::Feed,
    ) -> Result<Arc<Candidate>, ChainError> {
        let parent = self.head();
        // No new Bitcoin block, or one that was named before a restart and is gone from view: the origin stays.
        let newest = self
            .l1
            .newest()
            .filter(|newest| newest.height > parent.origin.height);
        let (origin, l1) = newest
            .and_then(|newest| Some((newest, self.l1.between(&parent.origin, &newest)?)))
            .unwrap_or((parent.origin, Vec::new()));
        let least = l1.last().map_or(0, |block| block.time.saturating_mul(1000));
        let (least_fee, most_fee) = l2_stf::data_fee_range(&self.spec.fees, &parent);
        let template = Template {
            timestamp_ms: choice.now_ms.max(parent.timestamp_ms).max(least),
            origin,
            round: choice.round,
            proposer: choice.proposer,
            data_fee: choice.data_fee.clamp(least_fee, most_fee),
            forced: u32::MAX,
            max_bytes: choice.max_bytes,
        };
        let state = self.store.latest_state();
        let mut builder = l2_stf::Builder::new(&self.spec, &state, &parent, &template, &l1)?;
        while let Some((bytes, sender)) = feed.next(builder.gas_left(), builder.bytes_left()) {
            if let Err(reason) = builder.push(bytes, Some(sender))? {
                feed.refused(&reason);
            }
        }
        let built = builder.finish();
        let update = l2_stf::apply(&self.store, &parent.state_root, &built.executed.changes)?;
        let (block, executed) = built.seal(update.root);
        Ok(self.remember(Candidate {
            block,
            executed,
            update,
            l1,
        }))
    }

    /// Whether a proposed block is to be agreed on. One that is agreed on names whatever it names ([`Chain::check`]); before
    /// that, its Bitcoin block must be one that a short reorganisation does not take away, deposits and all.
    ///
    /// # Errors
    /// If the block is invalid, or cannot be judged here and now.
    pub fn judge(&self, block: &Block) -> Result<Arc<Candidate>, ChainError> {
        let origin = block.header.origin;
        if origin.height > self.head().origin.height && !self.l1.is_buried(origin.height) {
            return Err(ChainError::Origin(origin));
        }
        self.check(block)
    }

    /// Executes a block over the head, or finds it executed.
    ///
    /// # Errors
    /// If the block is invalid, or cannot be judged here and now.
    pub fn check(&self, block: &Block) -> Result<Arc<Candidate>, ChainError> {
        let hash = block.header.hash();
        if let Some(candidate) = self.remembered(&hash)
            && candidate.block == *block
        {
            return Ok(candidate);
        }
        let parent = self.head();
        // Not a later one, and not the parent's: rule 1 refuses it, whatever this node knows of Bitcoin.
        let l1 = if block.header.origin.height <= parent.origin.height {
            Vec::new()
        } else {
            self.l1
                .between(&parent.origin, &block.header.origin)
                .ok_or(ChainError::Origin(block.header.origin))?
        };
        let senders = self.senders(block)?;
        let state = self.store.latest_state();
        let executed = l2_stf::execute(&self.spec, &state, &parent, block, &l1, Some(&senders))?;
        let update = l2_stf::apply(&self.store, &parent.state_root, &executed.changes)?;
        l2_stf::check_state_root(&block.header, &update.root)?;
        Ok(self.remember(Candidate {
            block: block.clone(),
            executed,
            update,
            l1,
        }))
    }

    /// Makes a block the head: durable when this returns.
    ///
    /// # Errors
    /// If the block is invalid or the database fails; the head is as before.
    pub fn commit(&self, block: &Block, certificate: &[u8]) -> Result<Arc<Candidate>, ChainError> {
        let candidate = self.check(block)?;
        self.store.commit(&CommittedBlock {
            block: &candidate.block,
            certificate,
            receipts: &candidate.executed.receipts,
            outcomes: &candidate.executed.transactions,
            changes: &candidate.executed.changes,
            update: &candidate.update,
            l1: &candidate.l1,
        })?;
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(block.header.clone());
        self.candidates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        Ok(candidate)
    }

    /// The store was given blocks by another hand: the head is read anew.
    ///
    /// # Errors
    /// If the database fails.
    pub fn moved(&self) -> Result<(), StoreError> {
        let number = self.store.labels()?.latest.number;
        self.set_head(number)
    }

    /// Goes back to an older block: derivation follows Bitcoin's reorganisations.
    ///
    /// # Errors
    /// If the database fails or has pruned the block.
    pub fn rewind(&self, number: u64) -> Result<(), StoreError> {
        self.store.rewind(number)?;
        self.set_head(number)
    }

    fn set_head(&self, number: u64) -> Result<(), StoreError> {
        let head = self
            .store
            .block(number)?
            .ok_or(StoreError::NoBlock { number, head: number })?;
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(head.block.header);
        self.candidates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        Ok(())
    }

    /// Number and hash of the head.
    #[must_use]
    pub fn head_id(&self) -> BlockId {
        let head = self.head();
        BlockId {
            number: head.number,
            hash: head.hash(),
        }
    }

    /// Who signed the block's transactions, on all cores.
    fn senders(&self, block: &Block) -> Result<Vec<Address>, ChainError> {
        let chain_id = self.spec.chain_id;
        let recovered: Vec<Result<Address, TxError>> = block
            .transactions
            .par_iter()
            .map(|bytes| recover(bytes, chain_id).map(|(_, sender)| sender))
            .collect();
        recovered
            .into_iter()
            .enumerate()
            .map(|(index, sender)| {
                sender.map_err(|error| {
                    Invalid::Transaction {
                        index,
                        reason: error.into(),
                    }
                    .into()
                })
            })
            .collect()
    }

    fn remembered(&self, hash: &B256) -> Option<Arc<Candidate>> {
        self.candidates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(hash)
            .map(Arc::clone)
    }

    fn remember(&self, candidate: Candidate) -> Arc<Candidate> {
        let candidate = Arc::new(candidate);
        let mut candidates = self.candidates.lock().unwrap_or_else(PoisonError::into_inner);
        if candidates.len() >= CANDIDATES {
            candidates.clear();
        }
        candidates.insert(candidate.block.header.hash(), Arc::clone(&candidate));
        candidate
    }
}

/// Decodes a transaction and finds who signed it; natively with libsecp256k1.
///
/// # Errors
/// If the bytes are not one signed transaction of this chain.
pub fn recover(bytes: &[u8], chain_id: u64) -> Result<(l2_stf::Transaction, Address), TxError> {
    let tx = l2_stf::decode(bytes, chain_id)?;
    let sender = tx.recover_signer().map_err(|_| TxError::Signature)?;
    Ok((tx, sender))
}

/// Keccak of a transaction's bytes: its hash.
#[must_use]
pub fn transaction_hash(bytes: &[u8]) -> B256 {
    keccak256(bytes)
}

#[cfg(test)]
pub(crate) mod tests;
