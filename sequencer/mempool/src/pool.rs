//! The pool.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

use alloy_primitives::{Address, B256, U256};

use crate::{AddError, FeeThenArrival, Order, Pending};

/// Bounds of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Transactions in all.
    pub count: usize,
    /// Bytes of all transactions.
    pub bytes: usize,
    /// Transactions of one sender; also how far ahead of the state a nonce may be.
    pub per_sender: usize,
    /// Bytes of one transaction.
    pub transaction_bytes: usize,
    /// Gas of one transaction: a block's limit.
    pub gas: u64,
    /// Least base fee that a block can have.
    pub base_fee_floor: u64,
    /// By how many percent both fee caps of a replacement must be higher.
    pub replacement_percent: u32,
}

impl Limits {
    /// Limits that suit a block of so much gas.
    #[must_use]
    pub fn for_blocks(gas: u64, base_fee_floor: u64) -> Self {
        Self {
            count: 100_000,
            bytes: 256 << 20,
            per_sender: 1_024,
            transaction_bytes: 128 << 10,
            gas,
            base_fee_floor,
            replacement_percent: 10,
        }
    }
}

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

struct Entry {
    pending: Pending,
    arrival: u64,
}

/// Cheapest first; among equals the one that came last goes first.
type Price = (u128, std::cmp::Reverse<u64>);

/// Pending transactions.
pub struct Pool {
    limits: Limits,
    senders: HashMap<Address, BTreeMap<u64, Entry>>,
    by_hash: HashMap<B256, (Address, u64)>,
    by_price: BTreeSet<(Price, B256)>,
    bytes: usize,
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
            bytes: 0,
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
        self.bytes
    }

    /// The transaction with this hash.
    #[must_use]
    pub fn get(&self, hash: &B256) -> Option<&Pending> {
        let (sender, nonce) = self.by_hash.get(hash)?;
        Some(&self.senders.get(sender)?.get(nonce)?.pending)
    }

    /// The nonce after the last one that follows `next` without a gap: what `eth_getTransactionCount` answers for `pending`.
    #[must_use]
    pub fn pending_nonce(&self, sender: &Address, next: u64) -> u64 {
        let Some(queue) = self.senders.get(sender) else {
            return next;
        };
        let mut nonce = next;
        for queued in queue.range(next..).map(|(nonce, _)| *nonce) {
            if queued != nonce {
                break;
            }
            nonce = nonce.saturating_add(1);
        }
        nonce
    }

    /// Takes a transaction, given what the state says of its sender and the next block's wei a byte.
    ///
    /// # Errors
    /// Why it is not taken; the pool is then as it was.
    pub fn add(&mut self, pending: Pending, state: SenderState, data_fee: u64) -> Result<Added, AddError> {
        self.check_alone(&pending, state)?;
        let queue = self.senders.get(&pending.sender);
        let replaced = queue.and_then(|queue| queue.get(&pending.nonce));
        match replaced {
            Some(old) => self.check_replacement(&old.pending, &pending)?,
            None if queue.is_some_and(|queue| queue.len() >= self.limits.per_sender) => {
                return Err(AddError::SenderFull {
                    most: self.limits.per_sender,
                });
            }
            None => {}
        }
        let cost = queue
            .into_iter()
            .flatten()
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
        let replaced_bytes = replaced.map(|old| old.pending.bytes.len());
        let victims = self.room_for(&pending, replaced_bytes)?;
        let replaced = replaced.map(|old| old.pending.hash);
        if let Some(hash) = &replaced {
            self.remove(hash);
        }
        for hash in &victims {
            self.remove(hash);
        }
        self.insert(pending);
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
            for (nonce, entry) in queue {
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
        }
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
            let entry = self.senders.get(sender)?.get(&nonce)?;
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
            Some(&self.senders.get(&sender)?.get(&nonce)?.pending)
        })
    }

    /// All transactions, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Pending> {
        self.senders.values().flatten().map(|(_, entry)| &entry.pending)
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

    /// Whom the newcomer displaces; nothing is changed yet.
    fn room_for(&self, pending: &Pending, replaced_bytes: Option<usize>) -> Result<Vec<B256>, AddError> {
        let mut count = self.by_hash.len() + 1 - usize::from(replaced_bytes.is_some());
        let mut bytes = self.bytes + pending.bytes.len() - replaced_bytes.unwrap_or(0);
        let mut victims = Vec::new();
        if count <= self.limits.count && bytes <= self.limits.bytes {
            return Ok(victims);
        }
        let mut chosen = BTreeSet::new();
        for (price, hash) in &self.by_price {
            if chosen.contains(hash) {
                continue;
            }
            let full = AddError::Full { least: price.0 };
            if price.0 >= pending.fee_cap {
                return Err(full);
            }
            let Some((sender, nonce)) = self.by_hash.get(hash) else {
                continue;
            };
            if *sender == pending.sender {
                // To displace what goes before it, or the one that it replaces, would leave the newcomer behind a gap.
                return Err(full);
            }
            for (_, entry) in self
                .senders
                .get(sender)
                .into_iter()
                .flat_map(|q| q.range(nonce..))
            {
                if chosen.insert(entry.pending.hash) {
                    victims.push(entry.pending.hash);
                    count -= 1;
                    bytes -= entry.pending.bytes.len();
                }
            }
            if count <= self.limits.count && bytes <= self.limits.bytes {
                return Ok(victims);
            }
        }
        Err(AddError::Full {
            least: pending.fee_cap,
        })
    }

    fn insert(&mut self, pending: Pending) {
        let arrival = self.arrivals;
        self.arrivals += 1;
        self.bytes += pending.bytes.len();
        self.by_hash.insert(pending.hash, (pending.sender, pending.nonce));
        self.by_price
            .insert(((pending.fee_cap, std::cmp::Reverse(arrival)), pending.hash));
        self.senders
            .entry(pending.sender)
            .or_default()
            .insert(pending.nonce, Entry { pending, arrival });
    }

    fn remove(&mut self, hash: &B256) {
        let Some((sender, nonce)) = self.by_hash.remove(hash) else {
            return;
        };
        let Some(queue) = self.senders.get_mut(&sender) else {
            return;
        };
        if let Some(entry) = queue.remove(&nonce) {
            self.bytes -= entry.pending.bytes.len();
            self.by_price.remove(&(
                (entry.pending.fee_cap, std::cmp::Reverse(entry.arrival)),
                entry.pending.hash,
            ));
        }
        if queue.is_empty() {
            self.senders.remove(&sender);
        }
    }
}

#[cfg(test)]
mod tests;
