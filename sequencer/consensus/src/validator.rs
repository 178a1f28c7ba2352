//! Who agrees: validators by their BIP-0340 keys, all of equal power, in the order of the active set.

use core::fmt;

use alloy_primitives::{Address, B256};
use arc_malachitebft_app_channel::app::types::core::{self as malachite, VotingPower};
use bitcoin::secp256k1::XOnlyPublicKey;

use crate::context::Tapestry;

/// A validator's identity in agreement: its x-only key. Malachite calls this an address; the layer 2 address that earns its
/// fees is another thing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValidatorKey(pub B256);

// In full: Malachite matches validators by this string.
impl fmt::Display for ValidatorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl fmt::Debug for ValidatorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl malachite::Address for ValidatorKey {}

/// Why a set of validators is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValidatorSetError {
    /// Nobody would agree.
    #[error("the set of validators is empty")]
    Empty,
    /// More than a genesis file may name.
    #[error("the set has {got} validators, expected at most {most}")]
    TooMany {
        /// How many.
        got: usize,
        /// How many are allowed.
        most: usize,
    },
    /// Not the x coordinate of a point.
    #[error("validator {got} is no BIP-0340 key")]
    Key {
        /// The key's bytes.
        got: B256,
    },
    /// Two have one key.
    #[error("validator {got} is named twice")]
    Twice {
        /// The key's bytes.
        got: B256,
    },
}

/// A member of the active set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validator {
    key: ValidatorKey,
    public: XOnlyPublicKey,
    address: Address,
}

impl Validator {
    /// A validator that signs with an x-only key and is paid at an address.
    ///
    /// # Errors
    /// If the key is none.
    pub fn new(key: B256, address: Address) -> Result<Self, ValidatorSetError> {
        Ok(Self {
            key: ValidatorKey(key),
            public: XOnlyPublicKey::from_slice(key.as_slice())
                .map_err(|_| ValidatorSetError::Key { got: key })?,
            address,
        })
    }

    /// Its identity.
    #[must_use]
    pub fn key(&self) -> ValidatorKey {
        self.key
    }

    /// Its key, as a point.
    #[must_use]
    pub fn public(&self) -> &XOnlyPublicKey {
        &self.public
    }

    /// Who earns its fees.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }
}

impl malachite::Validator<Tapestry> for Validator {
    fn address(&self) -> &ValidatorKey {
        &self.key
    }

    fn public_key(&self) -> &XOnlyPublicKey {
        &self.public
    }

    fn voting_power(&self) -> VotingPower {
        1
    }
}

/// The active set of a height, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatorSet(Vec<Validator>);

impl ValidatorSet {
    /// As many as a genesis file may name.
    pub const MOST: usize = 100;

    /// A set in the order of the active set.
    ///
    /// # Errors
    /// If it is empty, too large or names a key twice.
    pub fn new(validators: Vec<Validator>) -> Result<Self, ValidatorSetError> {
        if validators.is_empty() {
            return Err(ValidatorSetError::Empty);
        }
        if validators.len() > Self::MOST {
            return Err(ValidatorSetError::TooMany {
                got: validators.len(),
                most: Self::MOST,
            });
        }
        for (i, validator) in validators.iter().enumerate() {
            if validators[..i].iter().any(|other| other.key == validator.key) {
                return Err(ValidatorSetError::Twice { got: validator.key.0 });
            }
        }
        Ok(Self(validators))
    }

    /// Its members in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Validator] {
        &self.0
    }

    /// A member by its key.
    #[must_use]
    pub fn get(&self, key: &ValidatorKey) -> Option<&Validator> {
        self.0.iter().find(|validator| validator.key == *key)
    }

    /// `active[(height + round) mod n]`.
    #[must_use]
    pub fn proposer(&self, height: u64, round: u32) -> &Validator {
        // In 128 bits, so that no height wraps.
        let turn = (u128::from(height) + u128::from(round)) % self.0.len() as u128;
        &self.0[turn as usize]
    }

    /// How many must sign for a quorum: more than two thirds.
    #[must_use]
    pub fn quorum(&self) -> usize {
        self.0.len() * 2 / 3 + 1
    }
}

impl malachite::ValidatorSet<Tapestry> for ValidatorSet {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn total_voting_power(&self) -> VotingPower {
        self.0.len() as VotingPower
    }

    fn get_by_address(&self, address: &ValidatorKey) -> Option<&Validator> {
        self.get(address)
    }

    fn get_by_index(&self, index: usize) -> Option<&Validator> {
        self.0.get(index)
    }
}
