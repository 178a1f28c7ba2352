//! The pool: its books, and what puts in, takes out and clears up.

use std::collections::{BTreeSet, BinaryHeap, HashMap};

use alloy_primitives::{Address, B256, U256};

use crate::queue::{Entry, Load, Price, Queue};
use crate::{AddError, FeeThenArrival, Limits, Order, Pending};

mod room;

/// What the state says of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SenderState {
    /// Its next nonce.
    pub nonce: u64,
    /// Its wei.
    pub balance: U256,
}

/// What taking a transaction did.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Added {
    /// The transaction that it replaced.
    pub replaced: Option<B256>,
    /// The transactions that made room for it.
    pub evicted: Vec<B256>,
}

/// Pending transactions.
pub struct Pool {
    limits: Limits,
    senders: HashMap<Address, Queue>,
    by_hash: HashMap<B256, (Address, u64)>,
    /// Those that a block can take when their turn comes.
    by_price: BTreeSet<(Price, B256)>,
    /// Those with a nonce gap before them.
    gaps_by_price: BTreeSet<(Price, B256)>,
    all: Load,
    gaps: Load,
    arrivals: u64,
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            senders: HashMap::new(),
            by_hash: HashMap::new(),
            by_price: BTreeSet::new(),
            gaps_by_price: BTreeSet::new(),
            all: Load::default(),
            gaps: Load::default(),
            arrivals: 0,
        }
    }

    /// Transactions in the pool.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// Bytes of all transactions.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.all.bytes
    }

    /// The transaction with this hash.
    #[must_use]
    pub fn get(&self, hash: &B256) -> Option<&Pending> {
        let (sender, nonce) = self.by_hash.get(hash)?;
        Some(&self.senders.get(sender)?.entries.get(nonce)?.pending)
    }

    /// The nonce after the last one that follows `next` without a gap: what `eth_getTransactionCount` answers for `pending`.
    #[must_use]
    pub fn pending_nonce(&self, sender: &Address, next: u64) -> u64 {
        self.senders
            .get(sender)
            .map_or(next, |queue| queue.first_missing(next))
    }

    /// Takes a transaction, given what the state says of its sender and the next block's wei a byte.
    ///
    /// # Errors
    /// Why it is not taken; the pool is then as it was.
    pub fn add(&mut self, pending: Pending, state: SenderState, data_fee: u64) -> Result<Added, AddError> {
        self.check_alone(&pending, state)?;
        let queue = self.senders.get(&pending.sender);
        let replaced = queue.and_then(|queue| queue.entries.get(&pending.nonce));
        match replaced {
            Some(old) => self.check_replacement(&old.pending, &pending)?,
            None if queue.is_some_and(|queue| queue.entries.len() >= self.limits.per_sender) => {
                return Err(AddError::SenderFull {
                    most: self.limits.per_sender,
                });
            }
            None => {}
        }
        let cost = queue
            .into_iter()
            .flat_map(|queue| &queue.entries)
            .filter(|(nonce, _)| **nonce >= state.nonce && **nonce != pending.nonce)
            .fold(pending.cost(data_fee), |sum, (_, entry)| {
                sum.saturating_add(entry.pending.cost(data_fee))
            });
        if cost > state.balance {
            return Err(AddError::InsufficientFunds {
                balance: state.balance,
                cost,
            });
        }
        let missing = queue.map_or(state.nonce, |queue| queue.first_missing(state.nonce));
        let victims = self.room_for(&pending, (missing < pending.nonce).then_some(missing), replaced)?;
        let replaced = replaced.map(|old| old.pending.hash);
        if let Some(hash) = &replaced {
            self.remove(hash);
        }
        for hash in &victims {
            self.remove(hash);
        }
        let sender = pending.sender;
        self.insert(pending);
        self.settle(&sender, Some(state.nonce));
        Ok(Added {
            replaced,
            evicted: victims,
        })
    }

    /// Forgets what a block has used up or made impossible. `changed` are the accounts that the block changed, as they are now.
    /// Returns the hashes that went without being listed in `mined`.
    pub fn on_block(
        &mut self,
        mined: impl IntoIterator<Item = B256>,
        changed: impl IntoIterator<Item = (Address, SenderState)>,
        data_fee: u64,
    ) -> Vec<B256> {
        for hash in mined {
            self.remove(&hash);
        }
        let mut gone = Vec::new();
        for (sender, state) in changed {
            let Some(queue) = self.senders.get(&sender) else {
                continue;
            };
            let mut cost = U256::ZERO;
            let mut drop = Vec::new();
            for (nonce, entry) in &queue.entries {
                let after = cost.saturating_add(entry.pending.cost(data_fee));
                if *nonce < state.nonce || after > state.balance {
                    drop.push(entry.pending.hash);
                } else {
                    cost = after;
                }
            }
            for hash in &drop {
                self.remove(hash);
            }
            gone.extend(drop);
            self.settle(&sender, Some(state.nonce));
        }
        self.trim_gaps(&mut gone);
        gone
    }

    /// Forgets a transaction that a proposer was refused: no block can hold it. What its sender queued behind it has a gap
    /// before it then. Returns the hashes that went.
    pub fn on_refused(&mut self, hash: &B256) -> Vec<B256> {
        let Some((sender, _)) = self.by_hash.get(hash).copied() else {
            return Vec::new();
        };
        self.remove(hash);
        self.settle(&sender, None);
        let mut gone = vec![*hash];
        self.trim_gaps(&mut gone);
        gone
    }

    /// Transactions in the order in which a block should take them: each sender's from its next nonce on without a gap, the
    /// senders by rank. `next_nonce` tells what the state says; a sender that it does not know is left out.
    pub fn best<'a>(
        &'a self,
        base_fee: u64,
        next_nonce: impl Fn(&Address) -> Option<u64> + 'a,
    ) -> impl Iterator<Item = &'a Pending> + 'a {
        self.best_by(FeeThenArrival, base_fee, next_nonce)
    }

    /// [`Pool::best`] in another order.
    pub fn best_by<'a, O: Order + 'a>(
        &'a self,
        order: O,
        base_fee: u64,
        next_nonce: impl Fn(&Address) -> Option<u64> + 'a,
    ) -> impl Iterator<Item = &'a Pending> + 'a {
        let mut heads = BinaryHeap::with_capacity(self.senders.len());
        let head = move |order: &O, sender: &Address, nonce: u64| {
            let entry = self.senders.get(sender)?.entries.get(&nonce)?;
            let rank = order.rank(&entry.pending, entry.arrival, base_fee)?;
            Some((rank, *sender, nonce))
        };
        for sender in self.senders.keys() {
            if let Some(first) = next_nonce(sender).and_then(|nonce| head(&order, sender, nonce)) {
                heads.push(first);
            }
        }
        std::iter::from_fn(move || {
            let (_, sender, nonce) = heads.pop()?;
            if let Some(next) = nonce
                .checked_add(1)
                .and_then(|nonce| head(&order, &sender, nonce))
            {
                heads.push(next);
            }
            Some(&self.senders.get(&sender)?.entries.get(&nonce)?.pending)
        })
    }

    /// All transactions, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Pending> {
        self.senders
            .values()
            .flat_map(|queue| queue.entries.values())
            .map(|entry| &entry.pending)
    }

    fn check_alone(&self, pending: &Pending, state: SenderState) -> Result<(), AddError> {
        if self.by_hash.contains_key(&pending.hash) {
            return Err(AddError::AlreadyKnown(pending.hash));
        }
        let most = self.limits.transaction_bytes;
        if pending.bytes.len() > most {
            return Err(AddError::Oversized {
                most,
                got: pending.bytes.len(),
            });
        }
        if pending.gas_limit > self.limits.gas {
            return Err(AddError::GasLimit {
                most: self.limits.gas,
                got: pending.gas_limit,
            });
        }
        if pending.tip_cap > pending.fee_cap {
            return Err(AddError::TipAboveFee {
                tip_cap: pending.tip_cap,
                fee_cap: pending.fee_cap,
            });
        }
        if pending.fee_cap < self.limits.base_fee_floor.into() {
            return Err(AddError::BelowFloor {
                least: self.limits.base_fee_floor,
                got: pending.fee_cap,
            });
        }
        if pending.nonce < state.nonce {
            return Err(AddError::NonceTooLow {
                expected: state.nonce,
                got: pending.nonce,
            });
        }
        let most = state.nonce.saturating_add(self.limits.per_sender as u64 - 1);
        // EIP-2681: the greatest nonce is never used.
        let most = most.min(u64::MAX - 1);
        if pending.nonce > most {
            return Err(AddError::NonceTooHigh {
                most,
                got: pending.nonce,
            });
        }
        Ok(())
    }

    fn check_replacement(&self, old: &Pending, new: &Pending) -> Result<(), AddError> {
        let bump = |cap: u128| {
            let more = cap / 100 * u128::from(self.limits.replacement_percent)
                + cap % 100 * u128::from(self.limits.replacement_percent) / 100;
            cap.saturating_add(more.max(1))
        };
        let (fee_cap, tip_cap) = (bump(old.fee_cap), bump(old.tip_cap));
        if new.fee_cap < fee_cap || new.tip_cap < tip_cap {
            return Err(AddError::Underpriced { fee_cap, tip_cap });
        }
        Ok(())
    }

    /// Puts a transaction in, as if no nonce before it was missing; [`Pool::settle`] says whether one is.
    fn insert(&mut self, pending: Pending) {
        let entry = Entry {
            arrival: self.arrivals,
            gapped: false,
            pending,
        };
        self.arrivals += 1;
        self.all.add(&entry.pending);
        let (sender, nonce) = (entry.pending.sender, entry.pending.nonce);
        self.by_hash.insert(entry.pending.hash, (sender, nonce));
        self.by_price.insert((entry.price(), entry.pending.hash));
        self.senders
            .entry(sender)
            .or_default()
            .entries
            .insert(nonce, entry);
    }

    fn remove(&mut self, hash: &B256) {
        let Some((sender, nonce)) = self.by_hash.remove(hash) else {
            return;
        };
        let Some(queue) = self.senders.get_mut(&sender) else {
            return;
        };
        if let Some(entry) = queue.entries.remove(&nonce) {
            self.all.take(&entry.pending);
            let key = (entry.price(), entry.pending.hash);
            if entry.gapped {
                self.gaps.take(&entry.pending);
                self.gaps_by_price.remove(&key);
            } else {
                self.by_price.remove(&key);
            }
        }
        if queue.entries.is_empty() {
            self.senders.remove(&sender);
        }
    }

    /// Finds out anew which of a sender's transactions have a gap before them. `next` is its next nonce if that is news.
    fn settle(&mut self, sender: &Address, next: Option<u64>) {
        let Some(queue) = self.senders.get_mut(sender) else {
            return;
        };
        queue.next = next.unwrap_or(queue.next);
        let missing = queue.first_missing(queue.next);
        for (nonce, entry) in &mut queue.entries {
            let gapped = *nonce > missing;
            if gapped == entry.gapped {
                continue;
            }
            entry.gapped = gapped;
            let key = (entry.price(), entry.pending.hash);
            if gapped {
                self.by_price.remove(&key);
                self.gaps_by_price.insert(key);
                self.gaps.add(&entry.pending);
            } else {
                self.gaps_by_price.remove(&key);
                self.by_price.insert(key);
                self.gaps.take(&entry.pending);
            }
        }
    }

    /// Drops the cheapest of those with a gap until they keep to their share: what was in front of them may have gone.
    fn trim_gaps(&mut self, gone: &mut Vec<B256>) {
        while !self.gaps.fits(self.limits.gap_count, self.limits.gap_bytes) {
            let Some((_, hash)) = self.gaps_by_price.first().copied() else {
                return;
            };
            // What is behind it has a gap as it is.
            self.remove(&hash);
            gone.push(hash);
        }
    }
}

#[cfg(test)]
mod tests;
