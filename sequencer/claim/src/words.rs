//! What a claim says, as words; what it may not say, as bytes of the image.

use alloc::vec::Vec;

use alloy_primitives::B256;
use l2_block::{Genesis, Header, blob_root};

/// Words of a claim: post-root, content root, L1 root.
pub const CLAIM_WORDS: usize = 24;

/// Where a batch begins. The set-up writes it into the program's image, so PROGRAM fixes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Blob root of the RLP of the last header before the batch: fixes the state before it, too.
    pub header: B256,
    /// Blob root of the RLP of the genesis file: fixes the chain and its rules.
    pub genesis: B256,
}

impl Checkpoint {
    /// Length of the encoding.
    pub const BYTES: usize = 64;

    /// The checkpoint after a block.
    #[must_use]
    pub fn after(header: &Header, genesis: &Genesis) -> Self {
        Self {
            header: blob_root(&alloy_rlp::encode(header), |_, _| ()),
            genesis: blob_root(&alloy_rlp::encode(genesis), |_, _| ()),
        }
    }

    /// Header ‖ genesis.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..32].copy_from_slice(self.header.as_slice());
        bytes[32..].copy_from_slice(self.genesis.as_slice());
        bytes
    }

    /// Reads the encoding; every 64 bytes are one checkpoint.
    #[must_use]
    pub fn decode(bytes: &[u8; Self::BYTES]) -> Self {
        Self {
            header: B256::from_slice(&bytes[..32]),
            genesis: B256::from_slice(&bytes[32..]),
        }
    }
}

/// What a claimant says of a batch: these are the claim words, which the claimant one-time-signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchClaim {
    /// State root after the batch.
    pub post_root: B256,
    /// Blob root of the RLP list of the batch's blocks: the content root of its commitment on Bitcoin.
    pub content_root: B256,
    /// Blob root of the RLP list of the Bitcoin blocks that the batch sees.
    pub l1_root: B256,
}

impl BatchClaim {
    /// The words, big-endian, in the order of the fields.
    #[must_use]
    pub fn words(&self) -> Vec<u32> {
        [self.post_root, self.content_root, self.l1_root]
            .iter()
            .flat_map(|root| root.chunks_exact(4))
            .map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]))
            .collect()
    }

    /// Reads the words; any 24 are one claim.
    #[must_use]
    pub fn from_words(words: &[u32; CLAIM_WORDS]) -> Self {
        let root = |first: usize| {
            let mut root = B256::ZERO;
            for (bytes, word) in root.chunks_exact_mut(4).zip(&words[first..]) {
                bytes.copy_from_slice(&word.to_be_bytes());
            }
            root
        };
        Self {
            post_root: root(0),
            content_root: root(8),
            l1_root: root(16),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_and_checkpoints_have_one_encoding() {
        let mut words = [0; CLAIM_WORDS];
        for (word, i) in words.iter_mut().zip(1..) {
            *word = i << 24 | i;
        }
        let claim = BatchClaim::from_words(&words);
        assert_eq!(claim.words(), words);
        assert_eq!(claim.content_root[..5], [9, 0, 0, 9, 10]);
        let bytes = core::array::from_fn(|i| i as u8);
        assert_eq!(Checkpoint::decode(&bytes).encode(), bytes);
        assert_eq!(Checkpoint::decode(&bytes).genesis[0], 32);
    }
}
