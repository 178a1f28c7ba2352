//! The Bitcoin blocks that layer 2 blocks name.
//!
//! A thread looks at bitcoind and keeps what the layer 2 needs of each block of the active chain. A proposer names only blocks
//! that have `depth` blocks on them, so that agreed blocks do not hang on a block that goes away in a reorganisation of that
//! many; a deeper one is told loudly.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use l2_block::{B256, Genesis, L1Block, L1Origin};
use l2_da::scan::{DepositFormat, scan};

use crate::bitcoind::{Bitcoind, BitcoindError, hash_bytes};
use crate::chain::L1Blocks;

/// Bitcoin blocks that a proposer may have seen before us.
const LAG: u64 = 1;
/// Blocks that are kept below the tip, for those who ask.
const KEPT: u64 = 4_500;

#[derive(Debug, Default)]
struct View {
    blocks: BTreeMap<u64, Arc<L1Block>>,
}

/// The active chain as far as it is known here.
#[derive(Debug)]
pub struct L1View {
    start: L1Origin,
    depth: u64,
    view: RwLock<View>,
}

impl L1View {
    /// Nothing but the block on which the chain begins.
    #[must_use]
    pub fn new(genesis: &Genesis, depth: u64) -> Self {
        Self {
            start: genesis.origin,
            depth: depth.max(1),
            view: RwLock::default(),
        }
    }

    /// The newest block.
    #[must_use]
    pub fn tip(&self) -> L1Origin {
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        view.blocks
            .last_key_value()
            .map_or(self.start, |(_, block)| block.origin)
    }

    fn hash_at(&self, height: u64) -> Option<B256> {
        if height == self.start.height {
            return Some(self.start.hash);
        }
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        view.blocks.get(&height).map(|block| block.origin.hash)
    }

    /// Looks at bitcoind once: drops what was reorganised away, takes what is new. Blocks from the height `needed` on, that of the
    /// newest agreed block's origin, are kept, however far behind Bitcoin that is. Returns whether anything changed.
    ///
    /// # Errors
    /// If bitcoind cannot be asked.
    pub fn look(
        &self,
        bitcoind: &Bitcoind,
        format: &impl DepositFormat,
        needed: u64,
    ) -> Result<bool, BitcoindError> {
        let before = self.tip();
        let mut tip = before;
        while tip.height > self.start.height
            && bitcoind.hash_at(tip.height)?.map(|hash| hash_bytes(&hash)) != Some(tip.hash)
        {
            let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
            view.blocks.remove(&tip.height);
            drop(view);
            tip = self.tip();
        }
        if tip != before {
            tracing::warn!(from = before.height, to = tip.height, "bitcoin was reorganised");
        }
        let height = bitcoind.height()?;
        while tip.height < height {
            let Some(block) = bitcoind.block_at(tip.height + 1)? else {
                break;
            };
            let scanned = scan(&block.block, block.height, block.median_time, format);
            if scanned.parent != tip.hash {
                // Reorganised while we read: the next look sorts it out.
                break;
            }
            tip = scanned.origin;
            self.take(scanned, needed);
        }
        Ok(tip != before)
    }

    fn take(&self, block: L1Block, needed: u64) {
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        let height = block.origin.height;
        view.blocks.insert(height, Arc::new(block));
        let oldest = height.saturating_sub(KEPT).min(needed);
        if view
            .blocks
            .first_key_value()
            .is_some_and(|(first, _)| first.saturating_add(500) < oldest)
        {
            view.blocks = view.blocks.split_off(&oldest);
        }
    }
}

impl L1Blocks for L1View {
    fn between(&self, after: &L1Origin, until: &L1Origin) -> Option<Vec<L1Block>> {
        if after == until {
            return Some(Vec::new());
        }
        if until.height <= after.height || self.hash_at(after.height)? != after.hash {
            return None;
        }
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        let blocks: Vec<L1Block> = view
            .blocks
            .range(after.height + 1..=until.height)
            .map(|(_, block)| L1Block::clone(block))
            .collect();
        let whole = blocks.len() as u64 == until.height - after.height;
        let ends = blocks.last().is_some_and(|last| last.origin == *until);
        (whole && ends).then_some(blocks)
    }

    fn newest(&self) -> Option<L1Origin> {
        let tip = self.tip();
        let height = tip.height.checked_sub(self.depth)?;
        if height <= self.start.height {
            return None;
        }
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        view.blocks.get(&height).map(|block| block.origin)
    }

    fn is_buried(&self, height: u64) -> bool {
        height.saturating_add(self.depth) <= self.tip().height.saturating_add(LAG)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(height: u64, fork: u8) -> L1Origin {
        L1Origin {
            height,
            hash: B256::new([height as u8 ^ fork; 32]),
        }
    }

    fn view(heights: std::ops::RangeInclusive<u64>, depth: u64) -> L1View {
        let view = L1View {
            start: origin(10, 0),
            depth,
            view: RwLock::default(),
        };
        for height in heights {
            view.take(block(height), 0);
        }
        view
    }

    fn block(height: u64) -> L1Block {
        L1Block {
            origin: origin(height, 0),
            parent: origin(height - 1, 0).hash,
            time: height,
            messages: Vec::new(),
        }
    }

    /// A node that comes late has blocks to check that name old ones.
    #[test]
    fn what_the_next_block_may_name_is_kept() {
        let late = view(11..=20_000, 6);
        let named = origin(12, 0);
        assert!(late.between(&origin(11, 0), &named).is_some());
        // At the tip, memory is bounded.
        for height in 20_001..=26_000 {
            late.take(block(height), height - 6);
        }
        assert_eq!(late.between(&origin(11, 0), &named), None);
        assert!(late.between(&origin(25_000, 0), &origin(25_001, 0)).is_some());
        assert!(late.view.read().unwrap().blocks.len() as u64 <= KEPT + 501);
    }

    #[test]
    fn a_range_is_whole_and_of_this_chain() {
        let view = view(11..=20, 1);
        let heights = |after, until| {
            view.between(&after, &until)
                .map(|blocks| blocks.iter().map(|block| block.origin.height).collect::<Vec<_>>())
        };
        assert_eq!(heights(origin(10, 0), origin(12, 0)), Some(vec![11, 12]));
        assert_eq!(heights(origin(12, 0), origin(12, 0)), Some(vec![]));
        // Another block at either end, backwards, or past what is known.
        assert_eq!(heights(origin(10, 1), origin(12, 0)), None);
        assert_eq!(heights(origin(10, 0), origin(12, 1)), None);
        assert_eq!(heights(origin(12, 0), origin(11, 0)), None);
        assert_eq!(heights(origin(12, 0), origin(21, 0)), None);
    }

    #[test]
    fn only_buried_blocks_are_named() {
        assert_eq!(view(11..=20, 1).newest(), Some(origin(19, 0)));
        // Six blocks can be replaced, and it is still there.
        assert_eq!(view(11..=20, 6).newest(), Some(origin(14, 0)));
        // None is deep enough, and the start is not named again.
        assert_eq!(view(11..=16, 6).newest(), None);
        assert_eq!(view(11..=17, 6).newest(), Some(origin(11, 0)));
        // Another's block may be younger by one, but no tip is taken: what it mints would go with it.
        let view = view(11..=20, 6);
        assert!(view.is_buried(14) && view.is_buried(15));
        assert!(!view.is_buried(16) && !view.is_buried(20) && !view.is_buried(u64::MAX));
    }
}
