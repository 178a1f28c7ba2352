//! Winternitz one-time signatures that Bitcoin Script can check.
//!
//! # Scheme
//!
//! A [`Value`] is `n` nibbles, most significant first. Every nibble has a hash chain of HASH160; so has every
//! digit of the value's own checksum. The **end** of a chain, 15 hashes from its secret start, is public. The
//! signature of digit `d` is the chain's element `15 - d` hashes before the end, so whoever holds a signature of
//! `d` can make one of any larger digit, never of a smaller one. The checksum is `Σ (15 - d)` in base 16 with a
//! fixed number of digits ([`checksum_digits`]): a larger message digit makes it smaller, so some checksum digit
//! would have to become smaller. Every value has a checksum of its own, therefore any script may read one value
//! without the others.
//!
//! Digits are ordered as the chains are: checksum first (most significant digit first), then the message nibbles
//! (most significant first). The witness carries two items a digit, the digit and above it the chain element, so a
//! value of `n` nibbles takes `2 * (n + checksum_digits(n))` items. See [`script`] for what is left on the stack.
//!
//! # What an attacker tries here
//!
//! - *Advancing a chain* to a larger digit: the checksum then misses.
//! - *A digit outside 0..=15*, negative, negative zero, padded, or five bytes long: the script clamps to 15 and
//!   refuses negative ones, and the number it leaves is always the canonical one.
//! - *A digit that disagrees with its element* in a witness read off chain: [`PublicKey::recover`] never reads the
//!   digit items, it counts hashes to the chain's end.
//! - *Elements longer than 20 bytes*: only the key's owner can make one (as its chain's start). They are valid, yet
//!   no default-policy node relays an item above 80 bytes, so a leaf that carries a message uses
//!   [`ElementSize::Exact`], else the other side could not quote it.
//! - *Signing twice*: see [`crate::guard`]; a signature leaves only through it.
//!
//! Who calls it: `ocp` builds message and disprove leaves from [`script`] and reads messages by
//! [`PublicKey::recover`]. Keys come from [`crate::keys`].

mod public;
pub mod script;
mod secret;
#[cfg(test)]
mod tests;
mod value;

pub use public::{PublicKey, Signature};
pub use script::ElementSize;
pub use secret::SecretKey;
pub use value::{MAX_NIBBLES, Value, checksum_digits};

use bitcoin::hashes::{Hash, hash160};

/// The largest digit, and the number of hashes from a chain's start to its end.
pub const MAX_DIGIT: u8 = 15;
/// Bytes of a chain element: the output of HASH160.
pub const ELEMENT_BYTES: usize = 20;

/// One element of a hash chain.
pub type Element = [u8; ELEMENT_BYTES];

/// One step along a chain: HASH160 of `bytes`.
fn step(bytes: &[u8]) -> Element {
    hash160::Hash::hash(bytes).to_byte_array()
}

/// Why a value, key or signature was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WotsError {
    /// A nibble above 15.
    #[error("nibble {index} out of range: expected at most 15, got {got}")]
    Nibble {
        /// Position in the value, most significant first.
        index: usize,
        /// The nibble found.
        got: u8,
    },
    /// A value with no nibble or more than [`MAX_NIBBLES`].
    #[error("value length out of range: expected 1 to {MAX_NIBBLES} nibbles, got {got}")]
    Length {
        /// Nibbles found.
        got: usize,
    },
    /// A value whose length is not the key's.
    #[error("value does not fit the key: expected {expected} nibbles, got {got}")]
    ValueLength {
        /// Nibbles the key signs.
        expected: usize,
        /// Nibbles given.
        got: usize,
    },
    /// A witness with too many or too few items for the value.
    #[error("wrong number of witness items: expected {expected}, got {got}")]
    WitnessItems {
        /// Items the key needs.
        expected: usize,
        /// Items found.
        got: usize,
    },
    /// A witness element from which no chain end is reached.
    #[error("chain {chain} is not reached from its witness element within 15 hashes")]
    NotOnChain {
        /// Position of the chain, checksum digits first.
        chain: usize,
    },
    /// The checksum digits do not belong to the message digits.
    #[error("checksum mismatch: expected {expected}, got {got}")]
    Checksum {
        /// Checksum of the message digits.
        expected: u32,
        /// Checksum signed.
        got: u32,
    },
    /// The serialised key ended early.
    #[error("public key cut short: expected {expected} bytes, got {got}")]
    KeyBytes {
        /// Bytes that the header announces.
        expected: usize,
        /// Bytes found.
        got: usize,
    },
}
