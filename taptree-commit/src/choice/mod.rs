//! Hash-locked choices: one of `n` values, made by revealing that value's preimage.
//!
//! A choice has one secret of 32 bytes a value and publishes their HASH160. Revealing a secret makes the choice;
//! whoever reveals two secrets of one choice has equivocated, and [`Locks::equivocation_script`] proves it. Revealing
//! goes through [`crate::guard`], like signing.
//!
//! # What an attacker tries here
//!
//! - *A preimage that is not 32 bytes*, too long for others to quote in a transaction that nodes relay: every
//!   fragment checks the size.
//! - *Two values behind one lock*, so that one reveal is both choices: [`Locks::new`] refuses equal locks.
//! - *One preimage shown twice* as if it were two choices: the equivocation script counts values, not items.
//! - *An index outside the choice*: clamped, and the lock picked by it must match.
//!
//! HASH160 is enough although its collisions cost only 2^80: a collision found by the owner of the locks is two
//! preimages of *one* value, or equal locks, which are refused.

#[cfg(test)]
mod tests;

use bitcoin::hashes::{Hash, hash160};
use bitcoin::opcodes::all::{
    OP_2DROP, OP_ADD, OP_DROP, OP_DUP, OP_EQUAL, OP_EQUALVERIFY, OP_FROMALTSTACK, OP_GREATERTHANOREQUAL,
    OP_HASH160, OP_MIN, OP_PICK, OP_ROLL, OP_SIZE, OP_SWAP, OP_TOALTSTACK, OP_VERIFY,
};
use bitcoin::script::{Builder, ScriptBuf};
use zeroize::Zeroizing;

/// Bytes of a preimage.
pub const PREIMAGE_BYTES: usize = 32;
/// The largest number of values of one choice.
pub const MAX_VALUES: usize = 16;

/// A revealed secret.
pub type Preimage = [u8; PREIMAGE_BYTES];
/// HASH160 of a preimage.
pub type Lock = [u8; 20];

/// Why locks or a revealed preimage were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChoiceError {
    /// A choice with fewer than two or more than [`MAX_VALUES`] values.
    #[error("number of values out of range: expected 2 to {MAX_VALUES}, got {got}")]
    Values {
        /// Values given.
        got: usize,
    },
    /// Two values share a lock.
    #[error("values {first} and {second} have the same lock")]
    EqualLocks {
        /// The smaller value.
        first: usize,
        /// The larger value.
        second: usize,
    },
    /// A value that the choice does not have.
    #[error("no such value: expected less than {values}, got {got}")]
    NoSuchValue {
        /// Values of the choice.
        values: usize,
        /// The value asked for.
        got: usize,
    },
    /// The preimage opens none of the locks.
    #[error("preimage opens none of the {values} locks")]
    NoLock {
        /// Values of the choice.
        values: usize,
    },
    /// The serialised locks ended early.
    #[error("locks cut short: expected {expected} bytes, got {got}")]
    Bytes {
        /// Bytes that the header announces.
        expected: usize,
        /// Bytes found.
        got: usize,
    },
}

/// The secrets of one choice, wiped when dropped.
pub struct Secrets {
    preimages: Vec<Zeroizing<Preimage>>,
}

impl Secrets {
    /// Takes one secret a value; [`crate::keys`] derives them.
    ///
    /// # Errors
    /// [`ChoiceError::Values`] for a wrong number of values.
    pub(crate) fn new(preimages: Vec<Zeroizing<Preimage>>) -> Result<Self, ChoiceError> {
        check_values(preimages.len())?;
        Ok(Self { preimages })
    }

    /// The locks to publish.
    ///
    /// # Errors
    /// [`ChoiceError::EqualLocks`] if two secrets collide (impossible for derived ones).
    pub fn locks(&self) -> Result<Locks, ChoiceError> {
        Locks::new(
            self.preimages
                .iter()
                .map(|preimage| lock(preimage.as_slice()))
                .collect(),
        )
    }

    /// Number of values.
    pub fn values(&self) -> usize {
        self.preimages.len()
    }

    /// The secret of `value`. Only [`crate::guard`] calls this, after it has recorded the choice.
    pub(crate) fn reveal(&self, value: usize) -> Result<Preimage, ChoiceError> {
        let missing = ChoiceError::NoSuchValue {
            values: self.preimages.len(),
            got: value,
        };
        self.preimages
            .get(value)
            .map(|preimage| **preimage)
            .ok_or(missing)
    }
}

impl core::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Secrets")
            .field("values", &self.preimages.len())
            .finish_non_exhaustive()
    }
}

/// The public locks of one choice, one a value, all different.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Locks(Vec<Lock>);

impl Locks {
    /// Takes one lock a value.
    ///
    /// # Errors
    /// [`ChoiceError::Values`] unless there are 2 to [`MAX_VALUES`]; [`ChoiceError::EqualLocks`].
    pub fn new(locks: Vec<Lock>) -> Result<Self, ChoiceError> {
        check_values(locks.len())?;
        for (second, lock) in locks.iter().enumerate() {
            if let Some(first) = locks[..second].iter().position(|earlier| earlier == lock) {
                return Err(ChoiceError::EqualLocks { first, second });
            }
        }
        Ok(Self(locks))
    }

    /// Number of values.
    pub fn values(&self) -> usize {
        self.0.len()
    }

    /// The locks, by value.
    pub fn as_slice(&self) -> &[Lock] {
        &self.0
    }

    /// The value that `preimage` chooses, as read from a witness.
    ///
    /// # Errors
    /// [`ChoiceError::NoLock`] if it opens no lock or has not 32 bytes.
    pub fn recover(&self, preimage: &[u8]) -> Result<usize, ChoiceError> {
        let opened = lock(preimage);
        let value = self
            .0
            .iter()
            .position(|lock| *lock == opened)
            .filter(|_| preimage.len() == PREIMAGE_BYTES);
        value.ok_or(ChoiceError::NoLock { values: self.0.len() })
    }

    /// `preimage -> `: the preimage of `value`, and of no other. 27 bytes.
    ///
    /// # Errors
    /// [`ChoiceError::NoSuchValue`].
    pub fn reveal_script(&self, value: usize) -> Result<ScriptBuf, ChoiceError> {
        let lock = self.0.get(value).ok_or(ChoiceError::NoSuchValue {
            values: self.0.len(),
            got: value,
        })?;
        let builder = check_size(Builder::new())
            .push_opcode(OP_HASH160)
            .push_slice(lock);
        Ok(builder.push_opcode(OP_EQUALVERIFY).into_script())
    }

    /// `preimage index -> index`: the preimage of some value; leaves the value as a canonical number.
    pub fn read_script(&self) -> ScriptBuf {
        self.any(true)
    }

    /// `preimage index -> `: the preimage of some value.
    pub fn check_script(&self) -> ScriptBuf {
        self.any(false)
    }

    /// Witness items for [`Self::read_script`] and [`Self::check_script`], bottom of the stack first.
    ///
    /// # Errors
    /// [`ChoiceError::NoLock`] if the preimage opens no lock.
    pub fn witness(&self, preimage: &Preimage) -> Result<Vec<Vec<u8>>, ChoiceError> {
        let value = self.recover(preimage)?;
        let index = if value == 0 { Vec::new() } else { vec![value as u8] };
        Ok(vec![preimage.to_vec(), index])
    }

    fn any(&self, keep: bool) -> ScriptBuf {
        let values = self.0.len() as i64;
        // The index is clamped from above; PICK refuses a negative one.
        let mut builder = Builder::new().push_int(values - 1).push_opcode(OP_MIN);
        if keep {
            builder = builder.push_opcode(OP_DUP).push_opcode(OP_TOALTSTACK);
        }
        builder = builder.push_opcode(OP_SWAP);
        builder = check_size(builder).push_opcode(OP_HASH160);
        // index hash -> hash lock[n-1] .. lock[0] index
        for lock in self.0.iter().rev() {
            builder = builder.push_slice(lock);
        }
        builder = builder
            .push_int(values + 1)
            .push_opcode(OP_ROLL)
            .push_opcode(OP_PICK);
        builder = builder
            .push_int(values + 1)
            .push_opcode(OP_ROLL)
            .push_opcode(OP_EQUALVERIFY);
        for _ in 0..self.0.len() / 2 {
            builder = builder.push_opcode(OP_2DROP);
        }
        if self.0.len() % 2 == 1 {
            builder = builder.push_opcode(OP_DROP);
        }
        if keep {
            builder = builder.push_opcode(OP_FROMALTSTACK);
        }
        builder.into_script()
    }

    /// `item[0] .. item[n-1] -> `: at least two of the items are the preimage of their own value; the others are
    /// anything up to 520 bytes (empty in [`Self::equivocation_witness`]). 25 bytes a value.
    pub fn equivocation_script(&self) -> ScriptBuf {
        let mut builder = Builder::new().push_int(0);
        for lock in self.0.iter().rev() {
            builder = builder
                .push_opcode(OP_SWAP)
                .push_opcode(OP_HASH160)
                .push_slice(lock);
            builder = builder.push_opcode(OP_EQUAL).push_opcode(OP_ADD);
        }
        builder
            .push_int(2)
            .push_opcode(OP_GREATERTHANOREQUAL)
            .push_opcode(OP_VERIFY)
            .into_script()
    }

    /// Witness items for [`Self::equivocation_script`], bottom of the stack first, or `None` when the preimages are
    /// not of two different values.
    pub fn equivocation_witness(&self, one: &Preimage, other: &Preimage) -> Option<Vec<Vec<u8>>> {
        let (first, second) = (self.recover(one).ok()?, self.recover(other).ok()?);
        let mut items = vec![Vec::new(); self.0.len()];
        items[first] = one.to_vec();
        items[second] = other.to_vec();
        (first != second).then_some(items)
    }

    /// Appends the number of values (one byte) and the locks.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(self.0.len() as u8);
        out.extend(self.0.iter().flatten());
    }

    /// Reads what [`Self::write`] wrote; gives the locks and the bytes after them.
    ///
    /// # Errors
    /// [`ChoiceError::Bytes`] when `bytes` is too short, and what [`Self::new`] refuses.
    pub fn read(bytes: &[u8]) -> Result<(Self, &[u8]), ChoiceError> {
        let (&values, rest) = bytes
            .split_first()
            .ok_or(ChoiceError::Bytes { expected: 1, got: 0 })?;
        check_values(usize::from(values))?;
        let length = 20 * usize::from(values);
        let body = rest.get(..length).ok_or(ChoiceError::Bytes {
            expected: 1 + length,
            got: bytes.len(),
        })?;
        let (chunks, _) = body.as_chunks::<20>();
        Ok((Self::new(chunks.to_vec())?, &rest[length..]))
    }
}

fn lock(preimage: &[u8]) -> Lock {
    hash160::Hash::hash(preimage).to_byte_array()
}

fn check_values(got: usize) -> Result<(), ChoiceError> {
    if (2..=MAX_VALUES).contains(&got) {
        Ok(())
    } else {
        Err(ChoiceError::Values { got })
    }
}

fn check_size(builder: Builder) -> Builder {
    builder
        .push_opcode(OP_SIZE)
        .push_int(PREIMAGE_BYTES as i64)
        .push_opcode(OP_EQUALVERIFY)
}
