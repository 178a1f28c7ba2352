//! Counts of blocks as relative locks.
//!
//! Invariant: a lock is at least one block and fits the 16 bits of `BIP-0068`, so a value of this type can always be
//! written into `nSequence` and always enforces something. A lock of zero would let a stranger hang a child on an
//! unconfirmed message (pinning), so it cannot be expressed.

use core::fmt;
use core::num::NonZeroU16;

use bitcoin::Sequence;

/// A number of blocks, 1 to 65535, used as a `BIP-0068` relative lock or as a span between events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Blocks(NonZeroU16);

impl Blocks {
    /// One block: the lock of every input that has no deadline of its own.
    pub const ONE: Blocks = Blocks(NonZeroU16::MIN);

    /// `count` blocks; `None` for zero.
    pub const fn new(count: u16) -> Option<Blocks> {
        match NonZeroU16::new(count) {
            Some(count) => Some(Blocks(count)),
            None => None,
        }
    }

    /// The count.
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    /// The `nSequence` that makes an input wait this long after its output confirmed (`BIP-0068`, height form).
    pub fn sequence(self) -> Sequence {
        Sequence::from_height(self.get())
    }
}

impl fmt::Display for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} blocks", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_blocks_cannot_be_expressed() {
        assert_eq!(Blocks::new(0), None);
    }

    #[test]
    fn every_lock_is_an_enforced_height_lock() {
        for count in [1, 2, 144, 65535] {
            let sequence = Blocks::new(count).expect("count is not zero").sequence();
            assert!(sequence.is_height_locked());
            assert_eq!(sequence.to_consensus_u32(), u32::from(count));
        }
    }
}
