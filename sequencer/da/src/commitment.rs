//! What a batch says of itself in the clear, before its data.
//!
//! ```text
//! version (1) ‖ index (8) ‖ first (8) ‖ last (8) ‖ pre-root ‖ post-root ‖ data root ‖ content root ‖ hash of the last header
//! ```
//!
//! Numbers are big-endian; 185 bytes in all. The data root is the blob root of the posted bytes, which anyone can rebuild from
//! Bitcoin; the content root is that of the RLP list of whole blocks, which a guest reads (`docs/layer2.md` §7). Both are there
//! because a guest does not decompress. Nothing here is believed: derivation computes every field and compares.

use alloy_primitives::B256;
use l2_block::{Block, blob_root};

use crate::batch::MAX_BLOCKS;

/// The one version.
pub const VERSION: u8 = 1;
/// Most bytes of the RLP list of a batch's blocks: what a guest reads at most (`l2_claim::MAX_CONTENT_BYTES`). A batch of more
/// would be one that nobody can claim, so it is none.
pub const MAX_CONTENT_BYTES: usize = 32 << 20;
/// Bytes of a commitment.
pub const COMMITMENT_BYTES: usize = 1 + 3 * 8 + 5 * 32;

/// What a batch says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// How many batches came before it, empty ones counted.
    pub index: u64,
    /// Number of its first block.
    pub first: u64,
    /// Number of its last block.
    pub last: u64,
    /// State before its first block.
    pub pre_root: B256,
    /// State after its last block.
    pub post_root: B256,
    /// Blob root of the posted bytes.
    pub data_root: B256,
    /// Blob root of the RLP list of its blocks.
    pub content_root: B256,
    /// Hash of its last block's header.
    pub last_hash: B256,
}

/// Why bytes are no commitment, or blocks make none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitmentError {
    /// Not the length of a commitment.
    #[error("expected {COMMITMENT_BYTES} bytes, got {got}")]
    Length {
        /// How many there are.
        got: usize,
    },
    /// An unknown version.
    #[error("expected version {VERSION}, got {got}")]
    Version {
        /// The version.
        got: u8,
    },
    /// No range, or one of too many blocks.
    #[error("expected 1 to {MAX_BLOCKS} blocks, got {first} to {last}")]
    Range {
        /// First block.
        first: u64,
        /// Last block.
        last: u64,
    },
    /// Blocks of more bytes than a guest reads.
    #[error("expected blocks of at most {MAX_CONTENT_BYTES} bytes, got {got}")]
    TooLong {
        /// How many there are.
        got: usize,
    },
}

impl Commitment {
    /// The commitment of a batch of `blocks`, which are consecutive, posted as `data`, after a block whose state is `pre_root`.
    ///
    /// # Errors
    /// [`CommitmentError::Range`] if there is no block, [`CommitmentError::TooLong`].
    pub fn of(index: u64, pre_root: B256, blocks: &[Block], data: &[u8]) -> Result<Self, CommitmentError> {
        let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else {
            return Err(CommitmentError::Range { first: 0, last: 0 });
        };
        let commitment = Commitment {
            index,
            first: first.header.number,
            last: last.header.number,
            pre_root,
            post_root: last.header.state_root,
            data_root: blob_root(data, |_, _| ()),
            content_root: content_root(blocks)?,
            last_hash: last.header.hash(),
        };
        commitment.check_range()?;
        Ok(commitment)
    }

    fn check_range(&self) -> Result<(), CommitmentError> {
        let (first, last) = (self.first, self.last);
        match last.checked_sub(first) {
            Some(more) if more < MAX_BLOCKS as u64 && first > 0 => Ok(()),
            _ => Err(CommitmentError::Range { first, last }),
        }
    }

    /// How many blocks.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.last - self.first + 1
    }

    /// The one encoding.
    #[must_use]
    pub fn encode(&self) -> [u8; COMMITMENT_BYTES] {
        let mut bytes = [0; COMMITMENT_BYTES];
        bytes[0] = VERSION;
        let numbers = [self.index, self.first, self.last];
        for (place, number) in bytes[1..25].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_be_bytes());
        }
        let hashes = [
            self.pre_root,
            self.post_root,
            self.data_root,
            self.content_root,
            self.last_hash,
        ];
        for (place, hash) in bytes[25..].chunks_exact_mut(32).zip(hashes) {
            place.copy_from_slice(hash.as_slice());
        }
        bytes
    }

    /// Reads the one encoding.
    ///
    /// # Errors
    /// [`CommitmentError`] for what no commitment encodes to.
    pub fn decode(bytes: &[u8]) -> Result<Self, CommitmentError> {
        let got = bytes.len();
        let Ok(bytes) = <&[u8; COMMITMENT_BYTES]>::try_from(bytes) else {
            return Err(CommitmentError::Length { got });
        };
        if bytes[0] != VERSION {
            return Err(CommitmentError::Version { got: bytes[0] });
        }
        let number = |place: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[1 + 8 * place..][..8]);
            u64::from_be_bytes(number)
        };
        let hash = |place: usize| B256::from_slice(&bytes[25 + 32 * place..][..32]);
        let commitment = Commitment {
            index: number(0),
            first: number(1),
            last: number(2),
            pre_root: hash(0),
            post_root: hash(1),
            data_root: hash(2),
            content_root: hash(3),
            last_hash: hash(4),
        };
        commitment.check_range()?;
        Ok(commitment)
    }
}

/// What a guest reads of a batch: the blob root of the RLP list of its blocks.
///
/// # Errors
/// [`CommitmentError::TooLong`].
pub fn content_root(blocks: &[Block]) -> Result<B256, CommitmentError> {
    let mut list = Vec::new();
    alloy_rlp::encode_list(blocks, &mut list);
    let got = list.len();
    if got > MAX_CONTENT_BYTES {
        return Err(CommitmentError::TooLong { got });
    }
    Ok(blob_root(&list, |_, _| ()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Commitment {
        Commitment {
            index: 3,
            first: 10,
            last: 19,
            pre_root: B256::repeat_byte(1),
            post_root: B256::repeat_byte(2),
            data_root: B256::repeat_byte(3),
            content_root: B256::repeat_byte(4),
            last_hash: B256::repeat_byte(5),
        }
    }

    #[test]
    fn every_byte_counts() {
        let bytes = sample().encode();
        assert_eq!(Commitment::decode(&bytes), Ok(sample()));
        for i in 0..bytes.len() {
            let mut other = bytes;
            other[i] ^= 1;
            assert_ne!(Commitment::decode(&other), Ok(sample()));
        }
        for end in 0..bytes.len() {
            assert_eq!(
                Commitment::decode(&bytes[..end]),
                Err(CommitmentError::Length { got: end })
            );
        }
    }

    #[test]
    fn ranges_that_are_none_are_refused() {
        for (first, last) in [(10, 9), (0, 0), (0, 5), (1, 1 << 16 | 1), (1, u64::MAX)] {
            let bytes = Commitment {
                first,
                last,
                ..sample()
            }
            .encode();
            assert_eq!(
                Commitment::decode(&bytes),
                Err(CommitmentError::Range { first, last })
            );
        }
        let most = Commitment {
            first: 1,
            last: 1 << 16,
            ..sample()
        };
        assert_eq!(Commitment::decode(&most.encode()), Ok(most));
        assert!(Commitment::of(0, B256::ZERO, &[], &[]).is_err());
    }

    proptest! {
        #[test]
        fn garbage_is_refused_or_read_the_one_way(bytes in proptest::collection::vec(any::<u8>(), 180..190), version in any::<bool>()) {
            let mut bytes = bytes;
            if version {
                bytes[0] = VERSION;
            }
            if let Ok(commitment) = Commitment::decode(&bytes) {
                prop_assert_eq!(&commitment.encode()[..], &bytes[..]);
            }
        }
    }
}
