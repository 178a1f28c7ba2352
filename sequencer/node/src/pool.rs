//! The mempool, shared: the wallets' RPC and gossip put in, the proposer takes out, each block clears up.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alloy_primitives::{Address, B256, Bytes};
use l2_mempool::{AddError, Limits, Pending, Pool, SenderState};
use l2_stf::{Executed, StateView, TxError};
use l2_store::StoreError;

use crate::chain::{Chain, recover};

mod offer;
#[cfg(test)]
pub(crate) mod tests;

use offer::Offered;
pub use offer::{Feed, Nothing, Offer};

/// Hashes of transactions that were mined lately, so that gossip does not bring them back.
const REMEMBERED: usize = 50_000;
/// How many blocks' worth of transactions a proposer is offered, should the first be refused.
const BLOCKS_OFFERED: usize = 16;

/// Why a transaction is not taken.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// It is no transaction of this chain.
    #[error(transparent)]
    Transaction(#[from] TxError),
    /// The pool does not want it.
    #[error(transparent)]
    Pool(#[from] AddError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SubmitError {
    /// Whether whoever sent it could have known: no honest node passes it on.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        match self {
            Self::Transaction(_) => true,
            Self::Pool(error) => error.is_malformed(),
            Self::Store(_) => false,
        }
    }
}

struct Inner {
    pool: Pool,
    mined: HashSet<B256>,
    mined_order: VecDeque<B256>,
}

/// The mempool of a node.
pub struct SharedPool {
    chain: Arc<Chain>,
    inner: Mutex<Inner>,
}

impl SharedPool {
    /// An empty pool over a chain.
    #[must_use]
    pub fn new(chain: Arc<Chain>, limits: Limits) -> Self {
        Self {
            chain,
            inner: Mutex::new(Inner {
                pool: Pool::new(limits),
                mined: HashSet::new(),
                mined_order: VecDeque::new(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a transaction from a wallet or a peer; gives its hash.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn submit(&self, bytes: Bytes) -> Result<B256, SubmitError> {
        // What is known is known by its hash: no signature is looked at twice.
        let hash = crate::chain::transaction_hash(&bytes);
        {
            let inner = self.lock();
            if inner.pool.get(&hash).is_some() || inner.mined.contains(&hash) {
                return Err(AddError::AlreadyKnown(hash).into());
            }
        }
        let (tx, sender) = recover(&bytes, self.chain.spec().chain_id)?;
        let pending = Pending::new(&tx, hash, bytes, sender)?;
        let state = self.sender_state(&sender)?;
        let data_fee = self.chain.head().data_fee;
        self.lock().pool.add(pending, state, data_fee)?;
        Ok(hash)
    }

    fn sender_state(&self, sender: &Address) -> Result<SenderState, StoreError> {
        let account = self
            .chain
            .store()
            .latest_state()
            .account(sender)?
            .unwrap_or_default();
        Ok(SenderState {
            nonce: account.nonce,
            balance: account.balance,
        })
    }

    /// Transactions for the next block, in order: several times what a block of so many bytes and so much gas can hold.
    ///
    /// # Errors
    /// If the database fails.
    pub fn best(&self, base_fee: u64, bytes: usize, gas: u64) -> Result<Offer<'_>, StoreError> {
        let inner = self.lock();
        let mut nonces: HashMap<Address, u64> = HashMap::new();
        for pending in inner.pool.iter() {
            if let std::collections::hash_map::Entry::Vacant(entry) = nonces.entry(pending.sender) {
                entry.insert(self.sender_state(&pending.sender)?.nonce);
            }
        }
        // Gas as it is used at least: a gas limit may promise much and use little.
        let (mut some_bytes, mut some_gas) = (0usize, 0u64);
        let (most_bytes, most_gas) = (
            bytes.saturating_mul(BLOCKS_OFFERED),
            gas.saturating_mul(BLOCKS_OFFERED as u64),
        );
        let list = inner
            .pool
            .best(base_fee, |sender| nonces.get(sender).copied())
            .take_while(|pending| {
                let more = some_bytes < most_bytes && some_gas < most_gas;
                some_bytes = some_bytes.saturating_add(pending.bytes.len());
                some_gas = some_gas.saturating_add(pending.least_gas);
                more
            })
            .map(Offered::from)
            .collect();
        drop(inner);
        Ok(Offer::new(self, list))
    }

    /// Drops a transaction that no block can hold.
    fn forget(&self, hash: &B256) {
        self.lock().pool.on_refused(hash);
    }

    /// Clears up after a committed block.
    ///
    /// # Errors
    /// If the database fails.
    pub fn on_block(&self, executed: &Executed) -> Result<(), StoreError> {
        let mut changed = Vec::with_capacity(executed.changes.accounts.len());
        for (address, account) in &executed.changes.accounts {
            let account = account.unwrap_or_default();
            changed.push((
                *address,
                SenderState {
                    nonce: account.nonce,
                    balance: account.balance,
                },
            ));
        }
        let data_fee = self.chain.head().data_fee;
        let mut inner = self.lock();
        for outcome in &executed.transactions {
            if inner.mined.insert(outcome.hash) {
                inner.mined_order.push_back(outcome.hash);
            }
        }
        while inner.mined_order.len() > REMEMBERED {
            if let Some(hash) = inner.mined_order.pop_front() {
                inner.mined.remove(&hash);
            }
        }
        let mined = executed.transactions.iter().map(|outcome| outcome.hash);
        let gone = inner.pool.on_block(mined, changed, data_fee);
        if !gone.is_empty() {
            tracing::debug!(
                count = gone.len(),
                "transactions that can no longer be mined left the pool"
            );
        }
        Ok(())
    }

    /// The nonce that a sender's next transaction should have.
    ///
    /// # Errors
    /// If the database fails.
    pub fn pending_nonce(&self, sender: &Address) -> Result<u64, StoreError> {
        let next = self.sender_state(sender)?.nonce;
        Ok(self.lock().pool.pending_nonce(sender, next))
    }

    /// Chain id, and the base fee of the next block.
    #[must_use]
    pub fn chain_id_and_base_fee(&self) -> (u64, u64) {
        let spec = self.chain.spec();
        (
            spec.chain_id,
            l2_stf::next_base_fee(&spec.fees, &self.chain.head()),
        )
    }

    /// A pending transaction.
    #[must_use]
    pub fn get(&self, hash: &B256) -> Option<Pending> {
        self.lock().pool.get(hash).cloned()
    }

    /// Transactions and bytes.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.pool.len(), inner.pool.bytes())
    }

    /// All pending transactions, for peers that missed them.
    #[must_use]
    pub fn all(&self, most: usize) -> Vec<Bytes> {
        self.lock()
            .pool
            .iter()
            .take(most)
            .map(|pending| pending.bytes.clone())
            .collect()
    }
}
