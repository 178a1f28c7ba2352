//! Blocks that are agreed on and in no batch on Bitcoin yet: how much they may be, and what they cost.
//!
//! Bitcoin takes only so many bytes, and a batch counts only if it comes at most `origin_lag` Bitcoin blocks after the block that
//! its own blocks name. Sequencers that agree on more than Bitcoin takes, or go on while nobody posts, promise what nobody can
//! ever derive. So bytes get dearer when they pile up, and from a bound on proposers take nothing from the mempool; well past
//! it, validators accept no block that does. What comes from Bitcoin itself, deposits and forced transactions, is always taken.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use l2_block::{Block, Fees, Header};
use l2_store::{Store, StoreError};

use crate::posting::PostingStatus;

/// Wei of a satoshi.
const WEI_PER_SAT: u64 = 10_000_000_000;
/// Virtual bytes that a byte of a transaction takes on Bitcoin: five eighths of it are left by compression, a quarter of a
/// virtual byte each.
const VBYTES: (u64, u64) = (5, 32);

/// How much may wait for Bitcoin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BacklogLimits {
    /// Bytes of transactions from which on proposers add none.
    pub bytes: u64,
    /// Bitcoin blocks since the one that the oldest waiting block names, from which on proposers add none.
    pub age: u64,
    /// Bytes from which on validators accept none.
    pub most_bytes: u64,
    /// Bitcoin blocks from which on validators accept none.
    pub most_age: u64,
}

impl BacklogLimits {
    /// Of a chain with this `origin_lag`. Validators see Bitcoin at different times and may be configured differently, so they
    /// accept more than they would propose.
    #[must_use]
    pub fn new(bytes: u64, origin_lag: u64) -> Self {
        Self {
            bytes,
            age: origin_lag - origin_lag / 4,
            most_bytes: bytes.saturating_mul(2),
            most_age: origin_lag - origin_lag / 8,
        }
    }
}

/// How full the backlog is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pressure {
    /// Bytes cost what Bitcoin asks.
    #[default]
    Low,
    /// Half full: bytes get dearer from block to block.
    High,
    /// No transactions are taken from the mempool.
    Full,
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
}

impl Entry {
    fn of(block: &Block) -> Self {
        Self {
            number: block.header.number,
            bytes: block.transactions.iter().map(|tx| tx.len() as u64).sum(),
            origin: block.header.origin.height,
        }
    }
}

#[derive(Debug, Default)]
struct Inner {
    entries: VecDeque<Entry>,
    bytes: u64,
    /// Newest block in a batch.
    safe: u64,
    /// Bitcoin's height.
    height: u64,
    /// Satoshis that a virtual byte costs on Bitcoin, once that is known.
    rate: Option<u64>,
    pressure: Pressure,
}

impl Inner {
    fn push(&mut self, entry: Entry) {
        self.bytes += entry.bytes;
        self.entries.push_back(entry);
    }

    fn drop_until(&mut self, safe: u64) {
        while let Some(entry) = self.entries.pop_front_if(|entry| entry.number <= safe) {
            self.bytes -= entry.bytes;
        }
    }

    fn waiting(&self) -> Waiting {
        let oldest = self.entries.front();
        Waiting {
            blocks: self.entries.len() as u64,
            bytes: self.bytes,
            age: oldest.map_or(0, |entry| self.height.saturating_sub(entry.origin)),
        }
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
        let backlog = Self {
            limits,
            inner: Mutex::default(),
        };
        let safe = store.labels()?.safe;
        backlog.lock().read(store, safe)?;
        Ok(backlog)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block was committed.
    pub fn committed(&self, block: &Block) {
        let mut inner = self.lock();
        let last = inner.entries.back().map_or(inner.safe, |entry| entry.number);
        // One that was read from the store meanwhile, or that Bitcoin had before we did.
        if block.header.number > last {
            inner.push(Entry::of(block));
        }
        self.tell(&mut inner);
    }

    /// Where batches stand now. They go back when Bitcoin is reorganised; the blocks then wait again.
    ///
    /// # Errors
    /// If the database fails.
    pub fn posted(&self, status: &PostingStatus, store: &Store) -> Result<(), StoreError> {
        let mut inner = self.lock();
        inner.height = status.height;
        inner.rate = status.rate.or(inner.rate);
        if status.safe < inner.safe {
            inner.read(store, status.safe)?;
        } else {
            inner.safe = status.safe;
            inner.drop_until(status.safe);
        }
        self.tell(&mut inner);
        Ok(())
    }

    /// Says once when it becomes full, and when it no longer is.
    fn tell(&self, inner: &mut Inner) {
        let before = inner.pressure;
        inner.pressure = self.measure(&inner.waiting());
        let Waiting { blocks, bytes, age } = inner.waiting();
        if inner.pressure == Pressure::Full && before != Pressure::Full {
            tracing::warn!(
                blocks,
                bytes,
                age,
                "too much waits for a batch on bitcoin: blocks take no transactions from the mempool until less does"
            );
        } else if inner.pressure != Pressure::Full && before == Pressure::Full {
            tracing::info!(
                blocks,
                bytes,
                age,
                "blocks take transactions from the mempool again"
            );
        }
    }

    fn measure(&self, waiting: &Waiting) -> Pressure {
        let BacklogLimits { bytes, age, .. } = self.limits;
        if waiting.bytes >= bytes || waiting.age >= age {
            Pressure::Full
        } else if waiting.bytes >= bytes / 2 {
            Pressure::High
        } else {
            Pressure::Low
        }
    }

    /// How full it is.
    #[must_use]
    pub fn pressure(&self) -> Pressure {
        self.lock().pressure
    }

    /// What waits.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        self.lock().waiting()
    }

    /// Whether a validator is to accept a proposed block. One that holds nothing from the mempool is always accepted.
    #[must_use]
    pub fn accepts(&self, block: &Block) -> bool {
        let waiting = self.waiting();
        block.transactions.is_empty()
            || (waiting.bytes < self.limits.most_bytes && waiting.age < self.limits.most_age)
    }

    /// Wei that a byte of the block after `parent` is to cost: as near to what it costs on Bitcoin as the rules allow from one
    /// block to the next, and as much as they allow while too much waits.
    #[must_use]
    pub fn data_fee(&self, fees: &Fees, parent: &Header) -> u64 {
        let (least, most) = l2_stf::data_fee_range(fees, parent);
        let inner = self.lock();
        match (inner.pressure, inner.rate) {
            (Pressure::Low, Some(rate)) => (WEI_PER_SAT / VBYTES.1 * VBYTES.0)
                .saturating_mul(rate)
                .clamp(least, most),
            (Pressure::Low, None) => parent.data_fee.clamp(least, most),
            (Pressure::High | Pressure::Full, _) => most,
        }
    }
}

impl Inner {
    /// Begins anew with the blocks after `safe`.
    fn read(&mut self, store: &Store, safe: u64) -> Result<(), StoreError> {
        self.entries.clear();
        (self.bytes, self.safe) = (0, safe);
        for number in safe + 1..=store.labels()?.latest.number {
            if let Some(stored) = store.block(number)? {
                self.push(Entry::of(&stored.block));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
