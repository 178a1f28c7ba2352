//! What a program reads beyond its image: claim words and preimages.
//!
//! Claim words are chosen by the claimant and one-time-signed on Bitcoin at kickoff. Preimages are found by anyone who
//! knows the public data that the program's roots commit to; a run that lacks one stops, it never gets a default.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::sha256::{self, Link};

/// Most words a claim may have.
pub const MAX_CLAIM_WORDS: usize = 192;

/// Why bytes are not claim words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// The claim is not a whole number of words.
    #[error("claim has {got} bytes, expected a multiple of 4")]
    Length {
        /// Length in bytes.
        got: usize,
    },
    /// The claim is too long.
    #[error("claim has {got} words, expected at most {MAX_CLAIM_WORDS}")]
    TooLong {
        /// Length in words.
        got: usize,
    },
}

/// The claim words of one run; at most [`MAX_CLAIM_WORDS`].
///
/// Cloning is cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ClaimWords(Arc<[u32]>);

impl ClaimWords {
    /// Takes words as they are.
    ///
    /// # Errors
    /// If there are more than [`MAX_CLAIM_WORDS`].
    pub fn new(words: Vec<u32>) -> Result<Self, ClaimError> {
        if words.len() > MAX_CLAIM_WORDS {
            return Err(ClaimError::TooLong { got: words.len() });
        }
        Ok(ClaimWords(words.into()))
    }

    /// Reads big-endian words.
    ///
    /// # Errors
    /// If the length is no multiple of 4 or there are more than [`MAX_CLAIM_WORDS`] words.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ClaimError> {
        if !bytes.len().is_multiple_of(4) {
            return Err(ClaimError::Length { got: bytes.len() });
        }
        Self::new(
            bytes
                .chunks_exact(4)
                .map(|c| u32::from_be_bytes([c[0], c[1], c[2], c[3]]))
                .collect(),
        )
    }

    /// The words.
    pub fn words(&self) -> &[u32] {
        &self.0
    }
}

/// Which of the two hashes a digest is taken as. The same 32 bytes may have a preimage under each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HintHash {
    /// BLAKE3 of 64 bytes.
    Blake3,
    /// SHA-256's compression of a chaining value and a block.
    Sha256,
}

impl fmt::Display for HintHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HintHash::Blake3 => "BLAKE3",
            HintHash::Sha256 => "SHA-256",
        })
    }
}

/// Known preimages, by digest: 64 bytes of BLAKE3, and what SHA-256's compression function maps to a digest.
#[derive(Clone, Debug, Default)]
pub struct Preimages {
    blake3: HashMap<[u8; 32], [u8; 64]>,
    sha256: HashMap<[u8; 32], Link>,
}

impl Preimages {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a BLAKE3 preimage and returns its digest.
    pub fn insert(&mut self, preimage: [u8; 64]) -> [u8; 32] {
        let digest = *blake3::hash(&preimage).as_bytes();
        self.blake3.insert(digest, preimage);
        digest
    }

    /// The BLAKE3 preimage of `digest`, if known.
    pub fn get(&self, digest: &[u8; 32]) -> Option<&[u8; 64]> {
        self.blake3.get(digest)
    }

    /// Adds one link of a SHA-256 chain and returns its digest.
    pub fn insert_sha256(&mut self, link: Link) -> [u8; 32] {
        let digest = link.digest();
        self.sha256.insert(digest, link);
        digest
    }

    /// Adds every block of `message` and its padding; returns the message's SHA-256.
    pub fn insert_sha256_message(&mut self, message: &[u8]) -> [u8; 32] {
        sha256::links(message)
            .into_iter()
            .map(|link| self.insert_sha256(link))
            .last()
            .expect("padding makes at least one block")
    }

    /// What SHA-256's compression function maps to `digest`, if known.
    pub fn get_sha256(&self, digest: &[u8; 32]) -> Option<&Link> {
        self.sha256.get(digest)
    }

    /// The words of a hint as an opened step signs them: eight of chaining value (zero for BLAKE3), sixteen of block.
    pub fn hint(&self, hash: HintHash, digest: &[u8; 32]) -> Option<[u32; 24]> {
        match hash {
            HintHash::Blake3 => self.get(digest).map(|block| {
                Link {
                    cv: [0; 8],
                    block: *block,
                }
                .words()
            }),
            HintHash::Sha256 => self.get_sha256(digest).map(Link::words),
        }
    }

    /// Number of known preimages.
    pub fn len(&self) -> usize {
        self.blake3.len() + self.sha256.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claim_bytes_are_big_endian_words() {
        let claim = ClaimWords::from_bytes(&[1, 2, 3, 4, 0, 0, 0, 5]).unwrap();
        assert_eq!(claim.words(), [0x0102_0304, 5]);
    }

    #[test]
    fn bad_claims_are_refused() {
        assert_eq!(
            ClaimWords::from_bytes(&[0; 5]),
            Err(ClaimError::Length { got: 5 })
        );
        assert_eq!(
            ClaimWords::from_bytes(&[0; 4 * 193]),
            Err(ClaimError::TooLong { got: 193 })
        );
        assert!(ClaimWords::from_bytes(&[0; 4 * 192]).is_ok());
    }

    #[test]
    fn preimages_are_found_by_their_own_digest_only() {
        let mut store = Preimages::new();
        let digest = store.insert([7; 64]);
        assert_eq!(store.get(&digest), Some(&[7; 64]));
        assert_eq!(store.get(&[7; 32]), None);
    }

    #[test]
    fn a_digest_has_a_preimage_under_its_own_hash_only() {
        let mut store = Preimages::new();
        let blake3 = store.insert([7; 64]);
        let link = Link {
            cv: [1; 8],
            block: [7; 64],
        };
        let sha256 = store.insert_sha256(link);
        assert_eq!(store.len(), 2);
        assert_eq!(store.get_sha256(&blake3), None);
        assert_eq!(store.get(&sha256), None);
        assert_eq!(store.get_sha256(&sha256), Some(&link));
        assert_eq!(store.hint(HintHash::Sha256, &blake3), None);
        assert_eq!(store.hint(HintHash::Blake3, &sha256), None);
        assert_eq!(store.hint(HintHash::Sha256, &sha256).unwrap()[..8], [1; 8]);
        assert_eq!(store.hint(HintHash::Blake3, &blake3).unwrap()[..8], [0; 8]);
    }

    #[test]
    fn a_message_is_known_block_by_block() {
        let mut store = Preimages::new();
        let message = [3; 130];
        let mut digest = store.insert_sha256_message(&message);
        let mut blocks = 0;
        while let Some(link) = store.get_sha256(&digest) {
            blocks += 1;
            for (bytes, word) in digest.chunks_exact_mut(4).zip(link.cv) {
                bytes.copy_from_slice(&word.to_be_bytes());
            }
        }
        assert_eq!((blocks, store.len()), (3, 3));
    }
}
