//! What a program reads beyond its image: claim words and preimages.
//!
//! Claim words are chosen by the claimant and one-time-signed on Bitcoin at kickoff. Preimages are found by anyone who
//! knows the public data that the program's roots commit to; a run that lacks one stops, it never gets a default.

use std::collections::HashMap;
use std::sync::Arc;

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

/// Known BLAKE3 preimages of 64 bytes, by digest.
#[derive(Clone, Debug, Default)]
pub struct Preimages(HashMap<[u8; 32], [u8; 64]>);

impl Preimages {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a preimage and returns its digest.
    pub fn insert(&mut self, preimage: [u8; 64]) -> [u8; 32] {
        let digest = *blake3::hash(&preimage).as_bytes();
        self.0.insert(digest, preimage);
        digest
    }

    /// The preimage of `digest`, if known.
    pub fn get(&self, digest: &[u8; 32]) -> Option<&[u8; 64]> {
        self.0.get(digest)
    }

    /// Number of known preimages.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
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
}
