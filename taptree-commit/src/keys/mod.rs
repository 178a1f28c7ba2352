//! One-time keys from one seed: a key per (instance, slot, digit, preceding choice).
//!
//! # Derivation
//!
//! All steps are HMAC-SHA256 with the parent as the key and `len(label) ‖ label ‖ data` as the message, where the
//! data of every label is an injective encoding:
//!
//! ```text
//! instance key = HMAC(seed,         "Tapestry/instance/v1", instance id (32))
//! value root   = HMAC(instance key, "Tapestry/value/v1",    slot ‖ nibbles (u16))
//! choice root  = HMAC(instance key, "Tapestry/choice/v1",   slot ‖ values (u16))
//! chain start  = HMAC(value root,   "Tapestry/wots/chain/v1" ‖ chain (u16))[..20]
//! preimage     = HMAC(choice root,  "Tapestry/choice/preimage/v1", value (u16))
//! slot         = len(path) (u8) ‖ path ‖ 0            without a preceding choice
//!              | len(path) (u8) ‖ path ‖ 1 ‖ choice (u32)
//! ```
//!
//! The number of nibbles is part of the derivation, so that two readings of one slot never share a chain.
//!
//! Seeds and intermediate keys are wiped when dropped, as far as Rust allows: the state inside a running HMAC and what
//! the compiler copies are not.
//!
//! Who calls it: `ocp` names the slots; `bridge` exchanges [`PublicKeySet`]s at set-up. What an attacker tries: a key
//! set that names a slot twice, lacks one, or has other bytes than its digest was taken of (the encoding is
//! canonical, [`PublicKeySet::from_bytes`] refuses all else).

mod set;
#[cfg(test)]
mod tests;

use bitcoin::hashes::{Hash, HashEngine, Hmac, HmacEngine, sha256};
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::choice::{self, ChoiceError, Locks};
use crate::wots::{self, PublicKey, WotsError};

use set::VERSION;
pub use set::{PublicKeySet, SlotPublic};

/// The longest slot path in bytes.
pub const MAX_PATH_BYTES: usize = 64;
/// Why a slot, key or key set was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// A slot path that is empty, too long, or has other characters than `a-z 0-9 / _ - .`.
    #[error("slot path refused: expected 1 to {MAX_PATH_BYTES} of a-z 0-9 / _ - ., got {path:?}")]
    Path {
        /// The path as given (lossy).
        path: String,
    },
    /// A slot that was asked for twice.
    #[error("slot {slot} is named twice")]
    Duplicate {
        /// The slot.
        slot: SlotId,
    },
    /// A slot without a key of the kind asked for.
    #[error("slot {slot} has no {kind} key")]
    Missing {
        /// The slot.
        slot: SlotId,
        /// `value` or `choice`.
        kind: &'static str,
    },
    /// A chain end or lock that occurs elsewhere as well.
    #[error("slot {slot} has a chain end or lock that is used elsewhere")]
    Shared {
        /// The slot.
        slot: SlotId,
    },
    /// A key set of another version.
    #[error("key set version unknown: expected {VERSION}, got {got}")]
    Version {
        /// Version found.
        got: u8,
    },
    /// Bytes that are no canonical key set.
    #[error("key set malformed at byte {offset}: {reason}")]
    Malformed {
        /// Where reading stopped.
        offset: usize,
        /// What was wrong.
        reason: &'static str,
    },
    /// A Winternitz key was refused.
    #[error("slot {slot}: {source}")]
    Wots {
        /// The slot.
        slot: SlotId,
        /// Why.
        source: WotsError,
    },
    /// The locks of a choice were refused.
    #[error("slot {slot}: {source}")]
    Choice {
        /// The slot.
        slot: SlotId,
        /// Why.
        source: ChoiceError,
    },
}

/// One dispute's name: 32 bytes that never repeat (for example the digest of what both sides agreed on).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId(pub [u8; 32]);

impl core::fmt::Display for InstanceId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The place of one value or choice in an instance: a path such as `search/3/5`, and the choice that preceded it
/// where the protocol has a key per preceding choice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotId {
    path: String,
    preceding: Option<u32>,
}

impl SlotId {
    /// A slot that no choice precedes.
    ///
    /// # Errors
    /// [`KeysError::Path`] unless `path` is 1 to 64 characters of `a-z 0-9 / _ - .`.
    pub fn new(path: impl Into<String>) -> Result<Self, KeysError> {
        let path = path.into();
        let good = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"/_-.".contains(&c);
        if path.is_empty() || path.len() > MAX_PATH_BYTES || !path.bytes().all(good) {
            return Err(KeysError::Path { path });
        }
        Ok(Self {
            path,
            preceding: None,
        })
    }

    /// The same path, after `choice`.
    #[must_use]
    pub fn after(self, choice: u32) -> Self {
        Self {
            preceding: Some(choice),
            ..self
        }
    }

    /// The path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The preceding choice.
    pub fn preceding(&self) -> Option<u32> {
        self.preceding
    }

    /// Appends the slot's injective encoding (module documentation).
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::try_from(self.path.len()).expect("a path has at most 64 bytes"));
        out.extend_from_slice(self.path.as_bytes());
        match self.preceding {
            None => out.push(0),
            Some(choice) => {
                out.push(1);
                out.extend_from_slice(&choice.to_be_bytes());
            }
        }
    }

    /// Reads what [`Self::write`] wrote; gives the slot and the bytes after it, or `None` for other bytes.
    pub fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (&length, rest) = bytes.split_first()?;
        let (path, rest) = rest.split_at_checked(usize::from(length))?;
        let slot = Self::new(core::str::from_utf8(path).ok()?).ok()?;
        match rest.split_first()? {
            (0, rest) => Some((slot, rest)),
            (1, rest) => {
                let (choice, rest) = rest.split_first_chunk::<4>()?;
                Some((slot.after(u32::from_be_bytes(*choice)), rest))
            }
            _ => None,
        }
    }
}

impl core::fmt::Display for SlotId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.preceding {
            None => f.write_str(&self.path),
            Some(choice) => write!(f, "{} after {choice}", self.path),
        }
    }
}

/// What a slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlotKind {
    /// A Winternitz value of so many nibbles.
    Value(usize),
    /// A hash-locked choice of so many values.
    Choice(usize),
}

/// A 32-byte seed; every secret of its owner comes from it. Wiped when dropped, neither `Clone` nor printable.
pub struct Seed(Zeroizing<[u8; 32]>);

impl Seed {
    /// Takes 32 bytes from a cryptographic random source.
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The keys of one instance.
    pub fn instance(&self, instance: InstanceId) -> InstanceKeys {
        InstanceKeys {
            key: derive(&self.0, "Tapestry/instance/v1", &instance.0),
            instance,
        }
    }
}

impl core::fmt::Debug for Seed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// Every one-time key of one owner in one instance.
pub struct InstanceKeys {
    key: Zeroizing<[u8; 32]>,
    instance: InstanceId,
}

impl core::fmt::Debug for InstanceKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("InstanceKeys")
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}

impl InstanceKeys {
    /// The instance.
    pub fn instance(&self) -> InstanceId {
        self.instance
    }

    /// The key for a value of `nibbles` nibbles at `slot`.
    ///
    /// # Errors
    /// [`KeysError::Wots`] if no value has that many nibbles.
    pub fn value(&self, slot: &SlotId, nibbles: usize) -> Result<ValueKey, KeysError> {
        let root = self.root("Tapestry/value/v1", slot, nibbles);
        let secret = wots::SecretKey::new(root, nibbles);
        let secret = secret.map_err(|source| KeysError::Wots {
            slot: slot.clone(),
            source,
        })?;
        Ok(ValueKey {
            instance: self.instance,
            slot: slot.clone(),
            secret,
        })
    }

    /// The secrets for a choice among `values` at `slot`.
    ///
    /// # Errors
    /// [`KeysError::Choice`] if no choice has that many values.
    pub fn choice(&self, slot: &SlotId, values: usize) -> Result<ChoiceKey, KeysError> {
        let root = self.root("Tapestry/choice/v1", slot, values);
        let preimages = (0..values.min(choice::MAX_VALUES + 1)).map(|value| {
            let value = u16::try_from(value).expect("at most 17");
            derive(&root, "Tapestry/choice/preimage/v1", &value.to_be_bytes())
        });
        let secrets = choice::Secrets::new(preimages.collect());
        let secrets = secrets.map_err(|source| KeysError::Choice {
            slot: slot.clone(),
            source,
        })?;
        Ok(ChoiceKey {
            instance: self.instance,
            slot: slot.clone(),
            secrets,
        })
    }

    /// The public keys of all `slots`, computed on all cores.
    ///
    /// # Errors
    /// [`KeysError::Duplicate`] if a slot occurs twice, and what [`Self::value`] and [`Self::choice`] refuse.
    pub fn public_keys(&self, slots: &[(SlotId, SlotKind)]) -> Result<PublicKeySet, KeysError> {
        let keys = slots
            .par_iter()
            .map(|(slot, kind)| Ok((slot.clone(), self.public_key(slot, *kind)?)));
        let keys: Vec<(SlotId, SlotPublic)> = keys.collect::<Result<_, KeysError>>()?;
        PublicKeySet::new(self.instance, keys)
    }

    fn public_key(&self, slot: &SlotId, kind: SlotKind) -> Result<SlotPublic, KeysError> {
        match kind {
            SlotKind::Value(nibbles) => Ok(SlotPublic::Value(self.value(slot, nibbles)?.public_key())),
            SlotKind::Choice(values) => {
                let locks = self.choice(slot, values)?.secrets.locks();
                locks.map(SlotPublic::Choice).map_err(|source| KeysError::Choice {
                    slot: slot.clone(),
                    source,
                })
            }
        }
    }

    fn root(&self, label: &str, slot: &SlotId, size: usize) -> Zeroizing<[u8; 32]> {
        let mut data = Vec::with_capacity(MAX_PATH_BYTES + 8);
        slot.write(&mut data);
        // Sizes that do not fit are refused by the key that is made from this root.
        data.extend_from_slice(&u16::try_from(size).unwrap_or(u16::MAX).to_be_bytes());
        derive(&self.key, label, &data)
    }
}

/// HMAC-SHA256 under `key` of `len(label) ‖ label ‖ data`.
fn derive(key: &Zeroizing<[u8; 32]>, label: &str, data: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut engine = HmacEngine::<sha256::Hash>::new(key.as_slice());
    engine.input(&[u8::try_from(label.len()).expect("labels are short constants")]);
    engine.input(label.as_bytes());
    engine.input(data);
    Zeroizing::new(Hmac::<sha256::Hash>::from_engine(engine).to_byte_array())
}

/// The secret key of one value slot. It signs through [`crate::guard::SignOnce::sign`].
#[derive(Debug)]
pub struct ValueKey {
    instance: InstanceId,
    slot: SlotId,
    secret: wots::SecretKey,
}

impl ValueKey {
    /// The instance it belongs to.
    pub fn instance(&self) -> InstanceId {
        self.instance
    }

    /// Its slot.
    pub fn slot(&self) -> &SlotId {
        &self.slot
    }

    /// Its public half.
    pub fn public_key(&self) -> PublicKey {
        self.secret.public_key()
    }

    pub(crate) fn secret(&self) -> &wots::SecretKey {
        &self.secret
    }
}

/// The secrets of one choice slot. They are revealed through [`crate::guard::SignOnce::reveal`].
#[derive(Debug)]
pub struct ChoiceKey {
    instance: InstanceId,
    slot: SlotId,
    secrets: choice::Secrets,
}

impl ChoiceKey {
    /// The instance it belongs to.
    pub fn instance(&self) -> InstanceId {
        self.instance
    }

    /// Its slot.
    pub fn slot(&self) -> &SlotId {
        &self.slot
    }

    /// Its locks.
    ///
    /// # Errors
    /// [`ChoiceError::EqualLocks`] if two secrets collide (impossible for derived ones).
    pub fn locks(&self) -> Result<Locks, ChoiceError> {
        self.secrets.locks()
    }

    pub(crate) fn secrets(&self) -> &choice::Secrets {
        &self.secrets
    }
}
