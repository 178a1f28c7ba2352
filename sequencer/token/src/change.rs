//! Changes of the validators, by a vote of more than two thirds of the active ones.
//!
//! A validator stands behind one change at a time, so the count walks the active set and nothing piles up. What it stands behind
//! is the hash of the change and of how many changes passed before: every change that passes ends all other votes, and no vote is
//! counted for a second time.

use alloc::vec::Vec;

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_rlp::{BufMut, Decodable, Encodable, Error, Header as RlpHeader};

use crate::{
    CallError, IToken, Words,
    call::{Frame, revert},
    evidence::is_key,
    registry::{self, Refusal, Status},
    words::{self, List},
};

/// A change of the validators, in force from the next epoch on. `RLP([0, key, address])`, `RLP([1, address])`,
/// `RLP([2, key, address])`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Lets a validator in, also one that was put out.
    Add {
        /// X-only key.
        key: B256,
        /// Address that names it and earns.
        address: Address,
    },
    /// Puts a validator out; not the last one.
    Remove {
        /// Its address.
        address: Address,
    },
    /// Gives a validator another key.
    ReplaceKey {
        /// X-only key, new or its own.
        key: B256,
        /// Whose.
        address: Address,
    },
}

impl Change {
    const ADD: u8 = 0;
    const REMOVE: u8 = 1;
    const REPLACE_KEY: u8 = 2;

    /// The one encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        alloy_rlp::encode(self)
    }

    /// Reads the one encoding.
    ///
    /// # Errors
    /// If the bytes are not exactly one change.
    pub fn decode_exact(mut bytes: &[u8]) -> Result<Self, Error> {
        let change = Self::decode(&mut bytes)?;
        if bytes.is_empty() {
            Ok(change)
        } else {
            Err(Error::Custom("bytes after a change"))
        }
    }

    fn parts(&self) -> (u8, Option<&B256>, &Address) {
        match self {
            Self::Add { key, address } => (Self::ADD, Some(key), address),
            Self::Remove { address } => (Self::REMOVE, None, address),
            Self::ReplaceKey { key, address } => (Self::REPLACE_KEY, Some(key), address),
        }
    }

    fn payload_length(&self) -> usize {
        let (_, key, address) = self.parts();
        1 + key.map_or(0, Encodable::length) + address.length()
    }
}

impl Encodable for Change {
    fn encode(&self, out: &mut dyn BufMut) {
        RlpHeader {
            list: true,
            payload_length: self.payload_length(),
        }
        .encode(out);
        let (kind, key, address) = self.parts();
        kind.encode(out);
        if let Some(key) = key {
            key.encode(out);
        }
        address.encode(out);
    }

    fn length(&self) -> usize {
        let payload = self.payload_length();
        payload + alloy_rlp::length_of_length(payload)
    }
}

impl Decodable for Change {
    fn decode(buf: &mut &[u8]) -> Result<Self, Error> {
        let mut payload = RlpHeader::decode_bytes(buf, true)?;
        let payload = &mut payload;
        let change = match u8::decode(payload)? {
            Self::ADD => Self::Add {
                key: B256::decode(payload)?,
                address: Address::decode(payload)?,
            },
            Self::REMOVE => Self::Remove {
                address: Address::decode(payload)?,
            },
            Self::REPLACE_KEY => Self::ReplaceKey {
                key: B256::decode(payload)?,
                address: Address::decode(payload)?,
            },
            _ => return Err(Error::Custom("unknown kind of change")),
        };
        if payload.is_empty() {
            Ok(change)
        } else {
            Err(Error::Custom("bytes after a change"))
        }
    }
}

impl<W: Words> Frame<'_, W> {
    /// Takes a vote; whether the change passed with it.
    pub(crate) fn vote(&mut self, bytes: &[u8]) -> Result<bool, CallError<W::Error>> {
        let voter = self.id(self.caller)?;
        let active = List::Active.load(self.words)?;
        let status = Status::load(self.words, voter)?;
        if !active.contains(&voter) || !status.member || status.jailed == Status::FOR_EVER {
            return Err(revert("no active validator"));
        }
        if bytes.is_empty() {
            self.words.store(words::support(voter), U256::ZERO)?;
            return Ok(false);
        }
        let change = Change::decode_exact(bytes).map_err(|_| Self::revert("no change"))?;
        self.check(&change)?;
        let passed = self.words.load(words::CHANGES)?;
        let hash: U256 = keccak256([bytes, &passed.to_be_bytes::<32>()].concat()).into();
        self.words.store(words::support(voter), hash)?;
        self.log(&IToken::Voted {
            voter: self.caller,
            change: bytes.to_vec().into(),
        });
        let mut yes = 0;
        for id in &active {
            yes += usize::from(self.words.load(words::support(*id))? == hash);
        }
        if yes * 3 <= active.len() * 2 {
            return Ok(false);
        }
        self.words.store(words::CHANGES, passed + U256::ONE)?;
        self.apply(&change)?;
        self.log(&IToken::Changed {
            change: bytes.to_vec().into(),
        });
        Ok(true)
    }

    /// What can be said of a change before it passes.
    fn check(&mut self, change: &Change) -> Result<(), CallError<W::Error>> {
        let (_, key, address) = change.parts();
        if key.is_some_and(|key| !is_key(key)) {
            return Err(revert("no key"));
        }
        if address.is_zero() || *address == crate::ADDRESS {
            return Err(revert("an address that nobody has"));
        }
        let member = match registry::id(self.words, *address)? {
            Some(id) => Status::load(self.words, id)?.member,
            None => false,
        };
        match change {
            Change::Add { .. } if member => Err(revert("a validator already")),
            Change::Remove { .. } | Change::ReplaceKey { .. } if !member => Err(revert("no such validator")),
            _ => Ok(()),
        }
    }

    fn apply(&mut self, change: &Change) -> Result<(), CallError<W::Error>> {
        let refused = |refusal| -> CallError<W::Error> {
            match refusal {
                Refusal::KeyTaken => revert("another validator's key"),
                Refusal::Full => revert("no place for more validators"),
            }
        };
        match change {
            Change::Add { key, address } => {
                registry::admit(self.words, *address, key)?.map_err(refused)?;
            }
            Change::Remove { address } => {
                let id = self.id(*address)?;
                if !registry::dismiss(self.words, id)? {
                    return Err(revert("the last validator"));
                }
            }
            Change::ReplaceKey { key, address } => {
                let id = self.id(*address)?;
                registry::replace_key(self.words, id, key)?.map_err(refused)?;
            }
        }
        Ok(())
    }
}
