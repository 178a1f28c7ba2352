//! Blocks that are agreed on and in no batch on Bitcoin yet: how much they may be, and what they cost.
//!
//! Bitcoin takes only so many bytes, and a batch counts only if it comes at most `origin_lag` Bitcoin blocks after the block that
//! its own blocks name. Sequencers that agree on more than Bitcoin takes, or go on while nobody posts, promise what nobody can
//! ever derive. So bytes get dearer when they pile up, and from a bound on proposers take nothing from the mempool; past it,
//! validators vote for no block that does. What comes from Bitcoin itself, deposits and forced transactions, is always taken.
//!
//! Each proposer has a share of the bytes: without one, whoever goes on where others stop would have all of the room that
//! Bitcoin makes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use l2_block::{Address, Block, Fees, Header, Windows};
use l2_store::{Store, StoreError};

use crate::posting::{CONFIRM_MARGIN, MAX_BATCH_BYTES, PostingStatus};

/// Wei that a byte of a transaction costs where a virtual byte costs a satoshi: a byte that does not compress takes a quarter of a
/// virtual byte, and there are 10^10 wei in a satoshi.
const WEI_PER_RATE: u64 = 2_500_000_000;
/// What a byte costs when the backlog is full, in multiples of what it costs on Bitcoin.
const DEAREST: u64 = 8;
/// Bitcoin blocks that a block may wait in any case: batches take a few.
const LEAST_AGE: u64 = 12;
/// Bytes of a batch.
const BATCH: u64 = MAX_BATCH_BYTES as u64;
/// Bytes of two: so much more waits for a validator that sees Bitcoin a little later than another.
const SLACK: u64 = 2 * BATCH;
/// Bitcoin blocks that a large batch takes, if nothing else is in its way.
const BATCH_BLOCKS: u64 = 3;
/// Bytes of the longest block.
const BLOCK: u64 = l2_consensus::MAX_BLOCK_BYTES as u64;

/// How much may wait for Bitcoin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BacklogLimits {
    /// Bytes of transactions from which on proposers add none.
    pub bytes: u64,
    /// Bitcoin blocks since the one that the oldest waiting block names, from which on proposers add none.
    pub age: u64,
    /// Bytes from which on validators vote for none.
    pub most_bytes: u64,
    /// Bitcoin blocks from which on validators vote for none.
    pub most_age: u64,
}

impl BacklogLimits {
    /// Of a chain with these windows, whose blocks name Bitcoin blocks that are `depth` deep. Validators see Bitcoin at different
    /// times and may be configured differently, so they accept more than they would propose.
    #[must_use]
    pub fn new(bytes: u64, windows: &Windows, depth: u64) -> Self {
        // Posters that come back to life have the rest of the time to post what waits.
        let quarter = Self::quarter(windows, depth);
        Self {
            bytes,
            age: depth + quarter,
            most_bytes: more(bytes).saturating_add(SLACK),
            most_age: depth + (Self::usable(windows, depth) / 2).max(quarter + 1),
        }
    }

    /// A quarter of the time, and twelve blocks at least, where these are no more than half of it.
    fn quarter(windows: &Windows, depth: u64) -> u64 {
        let usable = Self::usable(windows, depth);
        (usable / 4).max(LEAST_AGE.min(usable / 2))
    }

    /// Bitcoin blocks from when a block is made until no validator signs a batch of it.
    fn usable(windows: &Windows, depth: u64) -> u64 {
        windows
            .origin_lag
            .saturating_sub(CONFIRM_MARGIN.saturating_add(depth))
    }

    /// Most bytes that can be posted in a quarter of the time, by batches that begin `every` blocks after each other.
    #[must_use]
    pub fn greatest(windows: &Windows, depth: u64, every: u64) -> u64 {
        Self::quarter(windows, depth).saturating_mul(BATCH / every.saturating_add(1).max(BATCH_BLOCKS))
    }
}

/// What waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Blocks.
    pub blocks: u64,
    /// Bytes of their transactions.
    pub bytes: u64,
    /// Bitcoin blocks since the one that the oldest of them names.
    pub age: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    number: u64,
    bytes: u64,
    origin: u64,
    proposer: Address,
}

impl Entry {
    fn of(block: &Block) -> Self {
        Self {
            number: block.header.number,
            bytes: block.transactions.iter().map(|tx| tx.len() as u64).sum(),
            origin: block.header.origin.height,
            proposer: block.header.proposer,
        }
    }
}

#[derive(Debug, Default)]
struct Inner {
    entries: VecDeque<Entry>,
    bytes: u64,
    /// Newest block in a batch.
    safe: u64,
    /// Bitcoin's height; none until Bitcoin was looked at.
    height: Option<u64>,
    /// Bytes that waited when the node started: they may long be on Bitcoin.
    at_start: u64,
    /// Satoshis that a virtual byte costs on Bitcoin, once that is known.
    rate: Option<u64>,
    /// Whether it was full when somebody last asked.
    full: bool,
}

impl Inner {
    fn push(&mut self, entry: Entry) {
        // One that was read from the store meanwhile, or that Bitcoin had before we did.
        if self.entries.back().map_or(self.safe, |last| last.number) < entry.number {
            self.bytes += entry.bytes;
            self.entries.push_back(entry);
        }
    }

    fn drop_until(&mut self, safe: u64) {
        self.safe = safe;
        while let Some(entry) = self.entries.pop_front_if(|entry| entry.number <= safe) {
            self.bytes -= entry.bytes;
        }
    }

    fn waiting(&self) -> Waiting {
        let oldest = self.entries.front();
        let age = |entry: &Entry| self.height.unwrap_or(0).saturating_sub(entry.origin);
        Waiting {
            blocks: self.entries.len() as u64,
            bytes: self.bytes,
            age: oldest.map_or(0, age),
        }
    }

    /// Bytes that count for votes: until Bitcoin was looked at, not those that waited at the start.
    fn counted(&self) -> u64 {
        match self.height {
            Some(_) => self.bytes,
            None => self.bytes.saturating_sub(self.at_start),
        }
    }

    fn of_proposer(&self, proposer: &Address) -> u64 {
        let its = self.entries.iter().filter(|entry| entry.proposer == *proposer);
        its.map(|entry| entry.bytes).sum()
    }
}

/// The backlog of a node, shared.
#[derive(Debug)]
pub struct Backlog {
    limits: BacklogLimits,
    inner: Mutex<Inner>,
}

impl Backlog {
    /// What waits in a store.
    ///
    /// # Errors
    /// If the database fails.
    pub fn new(limits: BacklogLimits, store: &Store) -> Result<Self, StoreError> {
        let mut inner = Inner::default();
        inner.drop_until(store.labels()?.safe);
        for entry in entries(store, inner.safe)? {
            inner.push(entry);
        }
        inner.at_start = inner.bytes;
        Ok(Self {
            limits,
            inner: Mutex::new(inner),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block was committed.
    pub fn committed(&self, block: &Block) {
        self.lock().push(Entry::of(block));
    }

    /// Where batches stand now. They go back when Bitcoin is reorganised; the blocks then wait again.
    ///
    /// # Errors
    /// If the database fails.
    pub fn posted(&self, status: &PostingStatus, store: &Store) -> Result<(), StoreError> {
        // Read while nobody waits for the lock: it may be many. There is one caller, so the label stays.
        let again = match status.safe < self.lock().safe {
            true => Some(entries(store, status.safe)?),
            false => None,
        };
        let mut inner = self.lock();
        inner.height = Some(status.height);
        inner.rate = status.rate.or(inner.rate);
        if let Some(again) = again {
            let since = core::mem::take(&mut inner.entries);
            inner.bytes = 0;
            inner.drop_until(status.safe);
            for entry in again.into_iter().chain(since) {
                inner.push(entry);
            }
        } else {
            inner.drop_until(status.safe);
        }
        Ok(())
    }

    /// Whether a proposer whose address is this may take nothing from the mempool now; `seats` validators take turns.
    #[must_use]
    pub fn is_full(&self, proposer: &Address, seats: usize) -> bool {
        let mut inner = self.lock();
        let BacklogLimits { bytes, age, .. } = self.limits;
        let Waiting {
            blocks,
            bytes: waiting,
            age: waited,
        } = inner.waiting();
        let full = waiting >= bytes || waited >= age;
        if full && !inner.full {
            tracing::warn!(
                blocks,
                bytes = waiting,
                age = waited,
                "too much waits for a batch on bitcoin: blocks take no transactions from the mempool until less does"
            );
        } else if !full && inner.full {
            tracing::info!(
                blocks,
                bytes = waiting,
                age = waited,
                "blocks take transactions from the mempool again"
            );
        }
        inner.full = full;
        full || inner.of_proposer(proposer) >= share(bytes, seats)
    }

    /// What waits.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        self.lock().waiting()
    }

    /// Whether what waits has waited so long that somebody should look: half of the time after which it could not be posted
    /// any more is over.
    #[must_use]
    pub fn is_overdue(&self) -> bool {
        self.waiting().age >= self.limits.most_age
    }

    /// Whether a validator is to vote for a block that is proposed now; `seats` validators take turns. One that holds nothing from
    /// the mempool is never refused. Until Bitcoin was looked at, what waited at the start does not count.
    #[must_use]
    pub fn accepts(&self, block: &Block, seats: usize) -> bool {
        let inner = self.lock();
        let limits = &self.limits;
        let bytes = inner.counted();
        if block.transactions.is_empty() {
            true
        } else if inner.height.is_none() {
            bytes < limits.most_bytes
        } else {
            // Its last block may have been one of the longest.
            let share = share(more(limits.bytes), seats);
            let its = inner.of_proposer(&block.header.proposer);
            bytes < limits.most_bytes
                && inner.waiting().age < limits.most_age
                && its < share.saturating_add(BLOCK)
        }
    }

    /// Whether a validator is to vote for a block that was proposed in a round that is over. Others may be bound to it, and how
    /// long something has waited never gets less while nobody posts. How much does, so this alone is asked, and with room.
    #[must_use]
    pub fn accepts_earlier(&self, block: &Block) -> bool {
        let inner = self.lock();
        block.transactions.is_empty() || inner.counted() < self.limits.most_bytes.saturating_mul(2)
    }

    /// Wei that a byte of the block after `parent` is to cost: as near to what it costs on Bitcoin as the rules allow from one
    /// block to the next; more if more than half of what may wait does, up to eight times as much.
    #[must_use]
    pub fn data_fee(&self, fees: &Fees, parent: &Header) -> u64 {
        let (least, most) = l2_stf::data_fee_range(fees, parent);
        let inner = self.lock();
        let Some(rate) = inner.rate else {
            return parent.data_fee.clamp(least, most);
        };
        let cost = WEI_PER_RATE.saturating_mul(rate).max(fees.min_data_fee);
        let half = self.limits.bytes / 2;
        let over = inner.bytes.saturating_sub(half).min(half);
        let dearer = u128::from(cost) * u128::from(DEAREST - 1) * u128::from(over) / u128::from(half.max(1));
        u64::try_from(u128::from(cost) + dearer)
            .unwrap_or(u64::MAX)
            .clamp(least, most)
    }
}

/// A quarter more: validators may be configured differently.
fn more(bytes: u64) -> u64 {
    bytes.saturating_add(bytes / 4)
}

/// What one of `seats` proposers may have waiting: half as much again as when all propose the same; all of it where there is no
/// other.
fn share(bytes: u64, seats: usize) -> u64 {
    let seats = u64::try_from(seats).unwrap_or(u64::MAX).max(1);
    (bytes / seats).saturating_add(bytes / seats / 2).min(bytes)
}

/// The blocks of a store after `safe`.
fn entries(store: &Store, safe: u64) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    for number in safe + 1..=store.labels()?.latest.number {
        if let Some(stored) = store.block(number)? {
            entries.push(Entry::of(&stored.block));
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests;
