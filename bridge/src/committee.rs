//! The n-of-n: its members' keys and the aggregated key (`BIP-0327`).
//!
//! Invariant: the aggregated key is a function of the ordered list of distinct member keys. Every transaction of the
//! graph needs all members, so one honest member suffices. A member who announces a key made from the others' (rogue
//! key) gains nothing: the aggregation multiplies each key by a hash of the whole list. Duplicates are refused because
//! they would let one party occupy two seats unseen.

use bitcoin::hashes::Hash;
use bitcoin::{TapNodeHash, TapTweakHash, XOnlyPublicKey};
use secp256k1_musig::musig::KeyAggCache;
use secp256k1_musig::{PublicKey, Scalar};

/// Least number of members: an operator and one watchtower.
pub const MIN_MEMBERS: usize = 2;

/// A member's place in the committee, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seat(pub u16);

impl Seat {
    /// The place as an index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl core::fmt::Display for Seat {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "seat {}", self.0)
    }
}

/// The ordered members of an n-of-n and their aggregated key.
#[derive(Clone, Debug)]
pub struct Committee {
    members: Vec<PublicKey>,
    aggregated: XOnlyPublicKey,
}

impl Committee {
    /// Aggregates `members` in this order.
    ///
    /// # Errors
    ///
    /// [`CommitteeError`] for fewer than [`MIN_MEMBERS`], more than 65535, or two equal keys.
    pub fn new(members: Vec<PublicKey>) -> Result<Self, CommitteeError> {
        if members.len() < MIN_MEMBERS {
            return Err(CommitteeError::TooFew {
                expected: MIN_MEMBERS,
                got: members.len(),
            });
        }
        if members.len() > usize::from(u16::MAX) {
            return Err(CommitteeError::TooMany {
                limit: usize::from(u16::MAX),
                got: members.len(),
            });
        }
        for (index, key) in members.iter().enumerate() {
            // Equal x with another parity is the same party, too.
            let x = key.x_only_public_key().0;
            if let Some(first) = members[..index]
                .iter()
                .position(|other| other.x_only_public_key().0 == x)
            {
                return Err(CommitteeError::Duplicate { first, second: index });
            }
        }
        let aggregated = cache(&members).agg_pk().to_byte_array();
        let aggregated =
            XOnlyPublicKey::from_slice(&aggregated).expect("an aggregated key is a point on the curve");
        Ok(Committee { members, aggregated })
    }

    /// The members' keys, by seat.
    pub fn members(&self) -> &[PublicKey] {
        &self.members
    }

    /// The aggregated key: internal key of outputs, and the key inside leaves.
    pub fn key(&self) -> XOnlyPublicKey {
        self.aggregated
    }

    /// The key of the member in `seat`.
    pub fn member(&self, seat: Seat) -> Option<PublicKey> {
        self.members.get(seat.index()).copied()
    }

    /// Aggregation state for signing under `key`.
    pub(crate) fn key_agg(&self, key: SigningKey) -> KeyAggCache {
        let mut cache = cache(&self.members);
        if let SigningKey::Output(merkle_root) = key {
            let tweak = TapTweakHash::from_key_and_tweak(self.aggregated, merkle_root);
            let tweak = Scalar::from_be_bytes(tweak.to_byte_array())
                .expect("a tagged hash exceeds the curve order with probability 2^-128");
            cache
                .pubkey_xonly_tweak_add(&tweak)
                .expect("a tweak cancels the key with probability 2^-128");
        }
        cache
    }
}

fn cache(members: &[PublicKey]) -> KeyAggCache {
    KeyAggCache::new(&members.iter().collect::<Vec<_>>())
}

/// Which form of the aggregated key a signature is under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SigningKey {
    /// Inside a leaf: the untweaked key.
    Leaf,
    /// Key path: the key tweaked by the output's tree (`BIP-0341`), or by nothing but itself where there is none.
    Output(Option<TapNodeHash>),
}

/// Why a list of members is no committee.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitteeError {
    /// Too few members.
    #[error("expected at least {expected} members, got {got}")]
    TooFew {
        /// The least.
        expected: usize,
        /// The members given.
        got: usize,
    },
    /// Too many members.
    #[error("expected at most {limit} members, got {got}")]
    TooMany {
        /// The most.
        limit: usize,
        /// The members given.
        got: usize,
    },
    /// Two seats with one key.
    #[error("expected distinct keys, got the same in seats {first} and {second}")]
    Duplicate {
        /// The earlier seat.
        first: usize,
        /// The later seat.
        second: usize,
    },
}
