//! One sender's transactions by nonce, and which of them have a gap before them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::Pending;

/// Cheapest first; among equals the one that came last goes first.
pub(crate) type Price = (u128, Reverse<u64>);

/// A transaction in the pool.
pub(crate) struct Entry {
    pub(crate) pending: Pending,
    /// Its number among all that ever came.
    pub(crate) arrival: u64,
    /// Whether a nonce before it is missing.
    pub(crate) gapped: bool,
}

impl Entry {
    pub(crate) fn price(&self) -> Price {
        (self.pending.fee_cap, Reverse(self.arrival))
    }
}

/// One sender's transactions.
#[derive(Default)]
pub(crate) struct Queue {
    /// The sender's next nonce, as the state last said.
    pub(crate) next: u64,
    pub(crate) entries: BTreeMap<u64, Entry>,
}

impl Queue {
    /// The first nonce from `next` on that is not here.
    pub(crate) fn first_missing(&self, next: u64) -> u64 {
        let mut missing = next;
        for nonce in self.entries.range(next..).map(|(nonce, _)| *nonce) {
            if nonce != missing {
                break;
            }
            missing = missing.saturating_add(1);
        }
        missing
    }
}

/// How many transactions, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) count: usize,
    pub(crate) bytes: usize,
}

impl Load {
    pub(crate) fn add(&mut self, pending: &Pending) {
        self.count += 1;
        self.bytes += pending.bytes.len();
    }

    pub(crate) fn take(&mut self, pending: &Pending) {
        self.count -= 1;
        self.bytes -= pending.bytes.len();
    }

    pub(crate) fn fits(&self, count: usize, bytes: usize) -> bool {
        self.count <= count && self.bytes <= bytes
    }
}
