//! The public keys of one owner in one instance, and their one encoding.

use std::collections::{BTreeMap, HashSet};

use bitcoin::hashes::{Hash, sha256};

use super::{InstanceId, KeysError, SlotId, SlotKind};
use crate::choice::Locks;
use crate::wots::PublicKey;

/// First bytes of a serialised [`PublicKeySet`].
const MAGIC: &[u8; 4] = b"TPKS";
/// Version of that encoding.
pub(super) const VERSION: u8 = 1;

/// The public half of one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotPublic {
    /// Of a value.
    Value(PublicKey),
    /// Of a choice.
    Choice(Locks),
}

/// The public keys of one owner in one instance, by slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKeySet {
    instance: InstanceId,
    slots: BTreeMap<SlotId, SlotPublic>,
}

impl PublicKeySet {
    /// A set of the given slots.
    ///
    /// # Errors
    /// [`KeysError::Duplicate`] if a slot occurs twice.
    pub fn new(
        instance: InstanceId,
        keys: impl IntoIterator<Item = (SlotId, SlotPublic)>,
    ) -> Result<Self, KeysError> {
        let mut slots = BTreeMap::new();
        for (slot, key) in keys {
            if slots.insert(slot.clone(), key).is_some() {
                return Err(KeysError::Duplicate { slot });
            }
        }
        Ok(Self { instance, slots })
    }

    /// The instance it belongs to.
    pub fn instance(&self) -> InstanceId {
        self.instance
    }

    /// The slots in order.
    pub fn slots(&self) -> impl ExactSizeIterator<Item = (&SlotId, &SlotPublic)> {
        self.slots.iter()
    }

    /// The key of a value slot.
    ///
    /// # Errors
    /// [`KeysError::Missing`] if the slot is absent or holds a choice.
    pub fn value(&self, slot: &SlotId) -> Result<&PublicKey, KeysError> {
        match self.slots.get(slot) {
            Some(SlotPublic::Value(key)) => Ok(key),
            _ => Err(KeysError::Missing {
                slot: slot.clone(),
                kind: "value",
            }),
        }
    }

    /// The locks of a choice slot.
    ///
    /// # Errors
    /// [`KeysError::Missing`] if the slot is absent or holds a value.
    pub fn choice(&self, slot: &SlotId) -> Result<&Locks, KeysError> {
        match self.slots.get(slot) {
            Some(SlotPublic::Choice(locks)) => Ok(locks),
            _ => Err(KeysError::Missing {
                slot: slot.clone(),
                kind: "choice",
            }),
        }
    }

    /// Checks that the set holds exactly `slots`, each of its kind: what the other side must send.
    ///
    /// # Errors
    /// [`KeysError::Missing`] for an absent slot or another kind or size, [`KeysError::Malformed`] for extra slots.
    pub fn expect(&self, slots: &[(SlotId, SlotKind)]) -> Result<(), KeysError> {
        for (slot, kind) in slots {
            let (kind, fits) = match kind {
                SlotKind::Value(nibbles) => ("value", self.value(slot)?.nibbles() == *nibbles),
                SlotKind::Choice(values) => ("choice", self.choice(slot)?.values() == *values),
            };
            if !fits {
                return Err(KeysError::Missing {
                    slot: slot.clone(),
                    kind,
                });
            }
        }
        if slots.len() != self.slots.len() {
            return Err(KeysError::Malformed {
                offset: 0,
                reason: "slots that nobody asked for",
            });
        }
        Ok(())
    }

    /// Checks that no chain end and no lock occurs twice in `sets`, those of both sides of a dispute.
    ///
    /// Who copies the other side's lock or chain hopes that the other's reveal is taken for its own, or the reverse.
    ///
    /// # Errors
    /// [`KeysError::Shared`] with the second place.
    pub fn check_distinct(sets: &[&Self]) -> Result<(), KeysError> {
        let mut seen = HashSet::new();
        for (slot, key) in sets.iter().flat_map(|set| set.slots()) {
            let hashes = match key {
                SlotPublic::Value(key) => key.ends(),
                SlotPublic::Choice(locks) => locks.as_slice(),
            };
            if hashes.iter().any(|hash| !seen.insert(hash)) {
                return Err(KeysError::Shared { slot: slot.clone() });
            }
        }
        Ok(())
    }

    /// The canonical encoding: `TPKS`, version 1, instance (32), number of slots (u32), then per slot in ascending
    /// order the slot, `0` and a value key or `1` and locks. Integers are big-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
        out.extend_from_slice(&self.instance.0);
        let count = u32::try_from(self.slots.len()).expect("fewer than 2^32 slots");
        out.extend_from_slice(&count.to_be_bytes());
        for (slot, key) in &self.slots {
            slot.write(&mut out);
            match key {
                SlotPublic::Value(key) => {
                    out.push(0);
                    key.write(&mut out);
                }
                SlotPublic::Choice(locks) => {
                    out.push(1);
                    locks.write(&mut out);
                }
            }
        }
        out
    }

    /// SHA-256 of [`Self::to_bytes`].
    pub fn digest(&self) -> [u8; 32] {
        sha256::Hash::hash(&self.to_bytes()).to_byte_array()
    }

    /// Reads [`Self::to_bytes`]. Accepts no other encoding of the same set; never panics.
    ///
    /// # Errors
    /// [`KeysError::Version`], [`KeysError::Malformed`], [`KeysError::Wots`], [`KeysError::Choice`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeysError> {
        let at = |rest: &[u8], reason| KeysError::Malformed {
            offset: bytes.len() - rest.len(),
            reason,
        };
        let rest = bytes
            .strip_prefix(MAGIC)
            .ok_or_else(|| at(bytes, "not a key set"))?;
        let (&version, rest) = rest.split_first().ok_or_else(|| at(rest, "cut short"))?;
        if version != VERSION {
            return Err(KeysError::Version { got: version });
        }
        let (instance, rest) = rest
            .split_first_chunk::<32>()
            .ok_or_else(|| at(rest, "cut short"))?;
        let (count, mut rest) = rest
            .split_first_chunk::<4>()
            .ok_or_else(|| at(rest, "cut short"))?;
        let mut slots = BTreeMap::new();
        for _ in 0..u32::from_be_bytes(*count) {
            let (slot, tail) = SlotId::read(rest).ok_or_else(|| at(rest, "not a slot"))?;
            if slots.last_key_value().is_some_and(|(last, _)| *last >= slot) {
                return Err(at(rest, "slots not in ascending order"));
            }
            let (&kind, tail) = tail.split_first().ok_or_else(|| at(tail, "cut short"))?;
            let (key, tail) = match kind {
                0 => {
                    let read = PublicKey::read(tail);
                    let read = read.map_err(|source| KeysError::Wots {
                        slot: slot.clone(),
                        source,
                    });
                    read.map(|(key, tail)| (SlotPublic::Value(key), tail))?
                }
                1 => {
                    let read = Locks::read(tail);
                    let read = read.map_err(|source| KeysError::Choice {
                        slot: slot.clone(),
                        source,
                    });
                    read.map(|(locks, tail)| (SlotPublic::Choice(locks), tail))?
                }
                _ => return Err(at(tail, "slot kind unknown")),
            };
            slots.insert(slot, key);
            rest = tail;
        }
        if !rest.is_empty() {
            return Err(at(rest, "bytes after the last slot"));
        }
        Ok(Self {
            instance: InstanceId(*instance),
            slots,
        })
    }
}
