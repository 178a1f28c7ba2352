//! Proofs: that a key has a value, or has none, under a root.
//!
//! A proof holds the siblings on the key's way from the root, and what lies at its end: nothing, or a leaf. If the leaf is of
//! another key, the key is absent, since a subtree of one entry is that leaf. What an attacker tries: another way than the
//! key's (sides come from the key, not from the proof), a leaf passed off as an inner node (a sibling [`TAG`] is refused), a
//! leaf of a key that does not lead there, endless proofs (at most 256 siblings).

use alloc::vec::Vec;

use alloy_primitives::B256;
use alloy_rlp::{BufMut, Decodable, Encodable, Error as RlpError, Header};

use crate::node::{DEPTH, EMPTY_ROOT, TAG, goes_right, share_prefix};
use crate::read::descend;
use crate::{NodeSource, StateError};

/// What lies at the end of a key's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// An empty subtree.
    Empty,
    /// A leaf.
    Leaf {
        /// Its key.
        key: B256,
        /// Its value.
        value: B256,
    },
}

/// A proof. Encoded in RLP as `[[sibling, …], []]` or `[[sibling, …], [key, value]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Siblings on the way, from the root's children down; at most 256.
    pub siblings: Vec<B256>,
    /// What lies at the end.
    pub end: End,
}

/// Why a proof shows nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// More siblings than a key has bits.
    #[error("proof has {got} siblings, expected at most 256")]
    TooLong {
        /// How many.
        got: usize,
    },
    /// No tree has such a way.
    #[error("proof is of no tree: {reason}")]
    Malformed {
        /// What is wrong.
        reason: &'static str,
    },
    /// It is a proof about another tree or another key.
    #[error("proof leads to root {got}, expected {expected}")]
    Root {
        /// Where it leads.
        got: B256,
        /// Where it should lead.
        expected: B256,
    },
}

/// Makes the proof for a key, whether the tree has it or not.
///
/// # Errors
/// If a node is missing or malformed.
pub fn prove<S: NodeSource + ?Sized>(source: &S, root: &B256, key: &B256) -> Result<Proof, StateError> {
    let mut siblings = Vec::new();
    let end = match descend(source, root, key, |sibling| siblings.push(sibling))? {
        None => End::Empty,
        Some((key, value)) => End::Leaf { key, value },
    };
    Ok(Proof { siblings, end })
}

impl Proof {
    /// The value of `key` in the tree with this root, `None` if it has none there.
    ///
    /// # Errors
    /// If the proof does not show either.
    pub fn verify(&self, root: &B256, key: &B256) -> Result<Option<B256>, ProofError> {
        let depth = self.siblings.len();
        if depth > DEPTH {
            return Err(ProofError::TooLong { got: depth });
        }
        if self.siblings.contains(&TAG) {
            return malformed("a leaf on the way");
        }
        let lonely = self.siblings.last().is_some_and(B256::is_zero);
        let (mut digest, value) = match &self.end {
            End::Empty if lonely => return malformed("an inner node without children"),
            End::Empty => (EMPTY_ROOT, None),
            End::Leaf { .. } if lonely => return malformed("a leaf deeper than it need be"),
            End::Leaf { key: found, value } => {
                if !share_prefix(found, key, depth) {
                    return malformed("a leaf where its key does not lead");
                }
                let leaf = l2_block::hash_pair(&TAG, &l2_block::hash_pair(found, value));
                (leaf, (found == key).then_some(*value))
            }
        };
        for (depth, sibling) in self.siblings.iter().enumerate().rev() {
            digest = if goes_right(key, depth) {
                l2_block::hash_pair(sibling, &digest)
            } else {
                l2_block::hash_pair(&digest, sibling)
            };
        }
        if digest == *root {
            Ok(value)
        } else {
            Err(ProofError::Root {
                got: digest,
                expected: *root,
            })
        }
    }

    /// The encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        alloy_rlp::encode(self)
    }

    /// Reads the encoding.
    ///
    /// # Errors
    /// If the bytes are not exactly one proof of at most 256 siblings in its one encoding.
    pub fn decode_exact(mut bytes: &[u8]) -> Result<Self, RlpError> {
        let proof = <Self as Decodable>::decode(&mut bytes)?;
        if bytes.is_empty() {
            Ok(proof)
        } else {
            Err(RlpError::Custom("bytes after a proof"))
        }
    }
}

fn malformed<T>(reason: &'static str) -> Result<T, ProofError> {
    Err(ProofError::Malformed { reason })
}

impl End {
    fn payload_length(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Leaf { key, value } => key.length() + value.length(),
        }
    }

    fn length(&self) -> usize {
        let payload = self.payload_length();
        payload + alloy_rlp::length_of_length(payload)
    }
}

impl Encodable for Proof {
    fn encode(&self, out: &mut dyn BufMut) {
        let list = |payload_length| Header {
            list: true,
            payload_length,
        };
        list(self.siblings.length() + self.end.length()).encode(out);
        self.siblings.encode(out);
        list(self.end.payload_length()).encode(out);
        if let End::Leaf { key, value } = &self.end {
            key.encode(out);
            value.encode(out);
        }
    }

    fn length(&self) -> usize {
        let payload = self.siblings.length() + self.end.length();
        payload + alloy_rlp::length_of_length(payload)
    }
}

impl Decodable for Proof {
    fn decode(buf: &mut &[u8]) -> Result<Self, RlpError> {
        let mut payload = Header::decode_bytes(buf, true)?;
        let mut list = Header::decode_bytes(&mut payload, true)?;
        let mut siblings = Vec::new();
        while !list.is_empty() {
            if siblings.len() == DEPTH {
                return Err(RlpError::Custom("more than 256 siblings"));
            }
            siblings.push(B256::decode(&mut list)?);
        }
        let mut end = Header::decode_bytes(&mut payload, true)?;
        let proof = Self {
            siblings,
            end: if end.is_empty() {
                End::Empty
            } else {
                End::Leaf {
                    key: B256::decode(&mut end)?,
                    value: B256::decode(&mut end)?,
                }
            },
        };
        if end.is_empty() && payload.is_empty() {
            Ok(proof)
        } else {
            Err(RlpError::Custom("bytes in a proof that are no part of it"))
        }
    }
}
