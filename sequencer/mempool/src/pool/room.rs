//! Who makes room for a newcomer when the pool is full.
//!
//! Transactions with a nonce gap go first, whatever they say they pay: no block can take them, so their fee caps are only words.
//! They make room for each other within their share, and never displace what a block can take.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256};

use super::Pool;
use crate::queue::{Entry, Load};
use crate::{AddError, Pending};

/// Whom a newcomer displaces, and what is left then; nothing is changed yet.
struct Victims {
    all: Load,
    gaps: Load,
    chosen: BTreeSet<B256>,
    order: Vec<B256>,
}

impl Victims {
    fn choose(&mut self, entry: &Entry) {
        if self.chosen.insert(entry.pending.hash) {
            self.order.push(entry.pending.hash);
            self.all.take(&entry.pending);
            if entry.gapped {
                self.gaps.take(&entry.pending);
            }
        }
    }
}

impl Pool {
    /// Whom the newcomer displaces. `missing` is the nonce that is missing before it, if one is; `replaced` is the one of its
    /// sender and nonce.
    pub(super) fn room_for(
        &self,
        pending: &Pending,
        missing: Option<u64>,
        replaced: Option<&Entry>,
    ) -> Result<Vec<B256>, AddError> {
        let mut victims = Victims {
            all: self.all,
            gaps: self.gaps,
            chosen: BTreeSet::new(),
            order: Vec::new(),
        };
        if let Some(old) = replaced {
            victims.all.take(&old.pending);
            if old.gapped {
                victims.gaps.take(&old.pending);
            }
        }
        victims.all.add(pending);
        if missing.is_some() {
            victims.gaps.add(pending);
        }
        self.among_gaps(pending, missing, &mut victims)?;
        if missing.is_none() {
            self.among_ready(pending, &mut victims)?;
        }
        Ok(victims.order)
    }

    fn fits(&self, victims: &Victims) -> bool {
        victims.all.fits(self.limits.count, self.limits.bytes)
    }

    /// Chooses among those with a gap: any for one that has none, cheaper ones for one that has.
    fn among_gaps(
        &self,
        pending: &Pending,
        missing: Option<u64>,
        victims: &mut Victims,
    ) -> Result<(), AddError> {
        let enough = |victims: &Victims| {
            let share = missing.is_none() || victims.gaps.fits(self.limits.gap_count, self.limits.gap_bytes);
            share && self.fits(victims)
        };
        let full = |least, expected| AddError::GapsFull { least, expected };
        for (price, hash) in &self.gaps_by_price {
            if enough(victims) {
                return Ok(());
            }
            if let Some(expected) = missing
                && price.0 >= pending.fee_cap
            {
                return Err(full(price.0, expected));
            }
            let Some((sender, nonce)) = self.by_hash.get(hash) else {
                continue;
            };
            // The newcomer may be what its sender's others wait for.
            if *sender != pending.sender {
                self.choose_from(sender, *nonce, victims);
            }
        }
        match missing {
            Some(expected) if !enough(victims) => Err(full(pending.fee_cap, expected)),
            _ => Ok(()),
        }
    }

    /// Chooses the cheapest among those that a block can take.
    fn among_ready(&self, pending: &Pending, victims: &mut Victims) -> Result<(), AddError> {
        for (price, hash) in &self.by_price {
            if self.fits(victims) {
                return Ok(());
            }
            if victims.chosen.contains(hash) {
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
            self.choose_from(sender, *nonce, victims);
        }
        if self.fits(victims) {
            return Ok(());
        }
        Err(AddError::Full {
            least: pending.fee_cap,
        })
    }

    /// A sender's transaction, and what is queued behind it.
    fn choose_from(&self, sender: &Address, nonce: u64, victims: &mut Victims) {
        let behind = self
            .senders
            .get(sender)
            .into_iter()
            .flat_map(|queue| queue.entries.range(nonce..));
        for (_, entry) in behind {
            victims.choose(entry);
        }
    }
}
