//! The sign-once guard: a one-time key signs one value, a choice is made once, whatever crashes in between.
//!
//! # Invariant
//!
//! A signature or preimage leaves this module only after the statement that it makes was recorded durably, and no
//! statement is recorded for a slot that already made a different one. [`SignOnce::sign`] and [`SignOnce::reveal`]
//! are the only ways from a secret key to a signature. Asking again for the same statement gives the same signature,
//! so a caller that crashed may simply repeat.
//!
//! [`FileGuard`] keeps the records in a file; [`MemoryGuard`] forgets and is for tests and simulations.
//!
//! # What an attacker tries here
//!
//! - *Crashing the process, or the machine, between writes*: see [`FileGuard`] for the order of writes. The tests cut
//!   the power at every byte of every write.
//! - *Restoring an older copy of the database*: a counter beside the log says how many records there must be.
//! - *Running two processes on one store*: a lock file held for as long as the store is open.
//! - *Reorganising the chain after an answer*: slots are separate per preceding choice ([`crate::keys::SlotId`]), so
//!   another choice asks another slot.

mod disk;
mod file;
mod log;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::choice::{ChoiceError, Preimage};
use crate::keys::{ChoiceKey, InstanceId, SlotId, ValueKey};
use crate::wots::{Signature, Value, WotsError};

pub use file::FileGuard;

/// What a slot says: the one thing that it may ever say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// A Winternitz value.
    Value(Value),
    /// A choice.
    Choice(u16),
}

impl core::fmt::Display for Statement {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Value(value) => value
                .nibbles()
                .iter()
                .try_for_each(|nibble| write!(f, "{nibble:x}")),
            Self::Choice(choice) => write!(f, "choice {choice}"),
        }
    }
}

/// A slot and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The instance.
    pub instance: InstanceId,
    /// The slot in it.
    pub slot: SlotId,
    /// What it says.
    pub statement: Statement,
}

/// Why the guard did not let a signature leave, or a store did not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// The slot said something else before.
    #[error("slot {slot} of {instance} is used: it said {used}, asked for {asked}")]
    Used {
        /// The instance.
        instance: InstanceId,
        /// The slot.
        slot: SlotId,
        /// What is on record.
        used: Statement,
        /// What was asked for.
        asked: Statement,
    },
    /// The value does not fit the key.
    #[error(transparent)]
    Wots(#[from] WotsError),
    /// The choice does not exist.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// Reading or writing failed. After a failed write the store refuses everything until it is opened again.
    #[error("sign-once store: cannot {action}: {source}")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// The cause.
        source: std::io::Error,
    },
    /// An earlier write failed.
    #[error("sign-once store: a write failed earlier; open the store again")]
    Poisoned,
    /// Another process has the store open.
    #[error("sign-once store: in use by another process")]
    Locked,
    /// There is no store to open. Never answered by making one: an empty store would sign used slots again.
    #[error("sign-once store: not found (a new one has to be created explicitly)")]
    Missing,
    /// There is a store already where a new one was to be made.
    #[error("sign-once store: exists already")]
    Exists,
    /// The log is older than the counter, or the counter older than the log.
    #[error("sign-once store: restored from an older copy: counter says {counter} entries, log has {log}")]
    WentBackwards {
        /// Entries by the counter.
        counter: u64,
        /// Whole entries in the log.
        log: u64,
    },
    /// The log or the counter was altered.
    #[error("sign-once store: {what} is damaged after entry {entry}")]
    Damaged {
        /// `log` or `counter`.
        what: &'static str,
        /// Whole entries before the damage.
        entry: u64,
    },
}

/// A guard over one-time keys.
pub trait SignOnce {
    /// Puts `records` on record durably and together, or finds them there.
    ///
    /// # Errors
    /// [`GuardError::Used`] if a slot says something else, on record or earlier in `records`; storage errors. After an
    /// error nothing may leave.
    fn record(&mut self, records: Vec<Record>) -> Result<(), GuardError>;

    /// What a slot said, if it did.
    fn statement(&self, instance: &InstanceId, slot: &SlotId) -> Option<&Statement>;

    /// Records `value` for the key's slot, then signs it.
    ///
    /// # Errors
    /// [`GuardError::Wots`] if the value does not fit the key (nothing is recorded then); those of
    /// [`Self::record`].
    fn sign(&mut self, key: &ValueKey, value: &Value) -> Result<Signature, GuardError> {
        let signature = key.secret().sign(value)?;
        self.record(vec![value_record(key, value)])?;
        Ok(signature)
    }

    /// Signs the values of one message: all are recorded in one write, or none is.
    ///
    /// # Errors
    /// Those of [`Self::sign`].
    fn sign_all(&mut self, values: &[(&ValueKey, &Value)]) -> Result<Vec<Signature>, GuardError> {
        let signatures: Vec<_> = values
            .iter()
            .map(|(key, value)| key.secret().sign(value))
            .collect::<Result<_, _>>()?;
        self.record(
            values
                .iter()
                .map(|(key, value)| value_record(key, value))
                .collect(),
        )?;
        Ok(signatures)
    }

    /// Records the choice of `value` for the key's slot, then reveals its preimage.
    ///
    /// # Errors
    /// [`GuardError::Choice`] if there is no such value (nothing is recorded then); those of [`Self::record`].
    fn reveal(&mut self, key: &ChoiceKey, value: usize) -> Result<Preimage, GuardError> {
        let preimage = key.secrets().reveal(value)?;
        let statement = Statement::Choice(u16::try_from(value).expect("a choice has at most 16 values"));
        self.record(vec![Record {
            instance: key.instance(),
            slot: key.slot().clone(),
            statement,
        }])?;
        Ok(preimage)
    }
}

fn value_record(key: &ValueKey, value: &Value) -> Record {
    Record {
        instance: key.instance(),
        slot: key.slot().clone(),
        statement: Statement::Value(value.clone()),
    }
}

/// Every slot that has spoken.
#[derive(Debug, Default, Clone)]
struct Spoken(BTreeMap<(InstanceId, SlotId), Statement>);

impl Spoken {
    /// The records that are not there yet, each once.
    fn new_among(&self, records: Vec<Record>) -> Result<Vec<Record>, GuardError> {
        let mut new: Vec<Record> = Vec::new();
        let mut fresh = Spoken::default();
        for record in records {
            let used = self
                .get(&record.instance, &record.slot)
                .or(fresh.get(&record.instance, &record.slot));
            match used {
                None => {
                    fresh.insert(record.clone());
                    new.push(record);
                }
                Some(used) if *used == record.statement => {}
                Some(used) => {
                    let used = used.clone();
                    let Record {
                        instance,
                        slot,
                        statement: asked,
                    } = record;
                    return Err(GuardError::Used {
                        instance,
                        slot,
                        used,
                        asked,
                    });
                }
            }
        }
        Ok(new)
    }

    fn insert(&mut self, record: Record) {
        self.0.insert((record.instance, record.slot), record.statement);
    }

    fn get(&self, instance: &InstanceId, slot: &SlotId) -> Option<&Statement> {
        self.0.get(&(*instance, slot.clone()))
    }
}

/// A guard that forgets when dropped: for tests and simulations only.
#[derive(Debug, Default)]
pub struct MemoryGuard(Spoken);

impl MemoryGuard {
    /// A guard over keys that never signed.
    pub fn new() -> Self {
        Self::default()
    }
}

impl SignOnce for MemoryGuard {
    fn record(&mut self, records: Vec<Record>) -> Result<(), GuardError> {
        self.0
            .new_among(records)?
            .into_iter()
            .for_each(|record| self.0.insert(record));
        Ok(())
    }

    fn statement(&self, instance: &InstanceId, slot: &SlotId) -> Option<&Statement> {
        self.0.get(instance, slot)
    }
}
