//! What a proposer is offered, one transaction at a time, and what it says of those that it is refused.
//!
//! An attacker wants a block to be empty at no cost: by transactions that rank first and that no block can hold. So there is
//! more on offer than a block takes, the block is asked what room it has left before each, and what is refused for good leaves
//! the pool: it costs a block one look, once.

use std::collections::HashSet;

use alloy_primitives::{Address, B256, Bytes};
use l2_mempool::Pending;
use l2_stf::Refused;

use super::SharedPool;

/// Gas below which no transaction fits.
const LEAST_GAS: u64 = 21_000;

/// Where a proposer's transactions come from.
pub trait Feed {
    /// The next one that may fit into so much gas and so many bytes, and who signed it; `None` ends the block.
    fn next(&mut self, gas: u64, bytes: usize) -> Option<(Bytes, Address)>;

    /// The one that came last cannot be in the block.
    fn refused(&mut self, reason: &Refused);
}

/// No transactions at all.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl Feed for Nothing {
    fn next(&mut self, _: u64, _: usize) -> Option<(Bytes, Address)> {
        None
    }

    fn refused(&mut self, _: &Refused) {}
}

/// Whether a transaction that was refused for this reason is better forgotten. A block without room says nothing about it.
fn is_for_good(reason: &Refused) -> bool {
    match reason {
        Refused::BlockGas { .. } | Refused::BlockBytes { .. } => false,
        Refused::Rules(reason) => !l2_mempool::may_pass(reason),
        Refused::Bytes(_) | Refused::Machine(_) => true,
    }
}

/// A transaction on offer.
#[derive(Debug)]
pub(super) struct Offered {
    hash: B256,
    bytes: Bytes,
    sender: Address,
    gas_limit: u64,
}

impl From<&Pending> for Offered {
    fn from(pending: &Pending) -> Self {
        Self {
            hash: pending.hash,
            bytes: pending.bytes.clone(),
            sender: pending.sender,
            gas_limit: pending.gas_limit,
        }
    }
}

/// The pool's best transactions for one block.
pub struct Offer<'a> {
    pool: &'a SharedPool,
    list: std::vec::IntoIter<Offered>,
    /// The one that was given last.
    last: Option<(B256, Address)>,
    /// Senders of which one is not in the block: what follows it cannot be either.
    stopped: HashSet<Address>,
}

impl std::fmt::Debug for Offer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Offer")
            .field("left", &self.list.len())
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

impl<'a> Offer<'a> {
    pub(super) fn new(pool: &'a SharedPool, list: Vec<Offered>) -> Self {
        Self {
            pool,
            list: list.into_iter(),
            last: None,
            stopped: HashSet::new(),
        }
    }
}

impl Feed for Offer<'_> {
    fn next(&mut self, gas: u64, bytes: usize) -> Option<(Bytes, Address)> {
        self.last = None;
        if gas < LEAST_GAS {
            return None;
        }
        for offered in self.list.by_ref() {
            if self.stopped.contains(&offered.sender) {
                continue;
            }
            if offered.gas_limit > gas || offered.bytes.len() > bytes {
                self.stopped.insert(offered.sender);
                continue;
            }
            self.last = Some((offered.hash, offered.sender));
            return Some((offered.bytes, offered.sender));
        }
        None
    }

    fn refused(&mut self, reason: &Refused) {
        let Some((hash, sender)) = self.last.take() else {
            return;
        };
        self.stopped.insert(sender);
        if is_for_good(reason) {
            tracing::debug!(%hash, %sender, %reason, "no block can hold a transaction: it leaves the pool");
            self.pool.forget(&hash);
        }
    }
}
