//! The store of words, and where in it everything lies.
//!
//! A slot is a tag in its first byte and fields below. No field is longer than its place, and hashes fill all 31 bytes, so two
//! things never share a slot.
//!
//! | tag | slot | word |
//! | --- | --- | --- |
//! | 0 | number | minted, burned, proof pool, rewards owed, epochs closed, validators ever, changes passed |
//! | 1 | address | balance |
//! | 2 | keccak(owner ‖ spender) | allowance |
//! | 3 | id, field | a validator (`registry`) |
//! | 4 | list, index | members and active validators, 16 ids a word, after their number |
//! | 5 | address | id of the validator with this address |
//! | 6 | keccak(key) | id and last epoch of a key |
//! | 7, 8 | id, staker | shares; reward a share when last paid |
//! | 9 | staker | ids of the validators it stakes with |
//! | 10 | id, bucket, field | an unbonding bucket |
//! | 11 | staker, index | an unbonding entry |
//! | 12 | id | hash of the change it votes for |
//! | 13 | keccak(id ‖ height ‖ round) | whether it was slashed for it |

use alloc::vec::Vec;

use alloy_primitives::{Address, B256, U256, keccak256};

/// A store of words, all zero at first. A call that fails leaves undoing to the caller, as the EVM does.
pub trait Words {
    /// Why a word cannot be read or written.
    type Error;

    /// The word at a slot.
    ///
    /// # Errors
    /// If the store cannot tell.
    fn load(&mut self, slot: U256) -> Result<U256, Self::Error>;

    /// Sets the word at a slot.
    ///
    /// # Errors
    /// If the store cannot take it.
    fn store(&mut self, slot: U256, value: U256) -> Result<(), Self::Error>;

    /// Adds to a word. Amounts of tokens are below 2^128, so sums of them cannot overflow.
    ///
    /// # Errors
    /// As `load` and `store`.
    fn add(&mut self, slot: U256, amount: U256) -> Result<(), Self::Error> {
        if amount.is_zero() {
            return Ok(());
        }
        let value = self.load(slot)?;
        self.store(slot, value + amount)
    }
}

/// Tokens that ever existed: allocated and mined.
pub(crate) const MINTED: U256 = U256::ZERO;
/// Tokens slashed away.
pub(crate) const BURNED: U256 = number(1);
/// The proof network's pool.
pub(crate) const PROOFS: U256 = number(2);
/// Rewards of stakers that nobody has claimed.
pub(crate) const REWARDS: U256 = number(3);
/// Epochs closed.
pub(crate) const EPOCH: U256 = number(4);
/// Ids given: validators have the ids from 1.
pub(crate) const IDS: U256 = number(5);
/// Changes of the validators that passed.
pub(crate) const CHANGES: U256 = number(6);

const fn number(n: u64) -> U256 {
    U256::from_limbs([n, 0, 0, 0])
}

fn tag(tag: u8, fields: U256) -> U256 {
    (U256::from(tag) << 248) | fields
}

fn hashed(kind: u8, bytes: &[u8]) -> U256 {
    tag(kind, U256::from_be_bytes(keccak256(bytes).0) >> 8)
}

/// An address as a number.
pub(crate) fn of_address(address: Address) -> U256 {
    U256::from_be_bytes(address.into_word().0)
}

/// The address in the low 160 bits.
pub(crate) fn to_address(word: U256) -> Address {
    Address::from_word(B256::from(word))
}

pub(crate) fn balance(owner: Address) -> U256 {
    tag(1, of_address(owner))
}

pub(crate) fn allowance(owner: Address, spender: Address) -> U256 {
    hashed(2, &[owner.as_slice(), spender.as_slice()].concat())
}

/// A validator's field.
pub(crate) fn validator(id: u16, field: u8) -> U256 {
    tag(3, (U256::from(id) << 8) | U256::from(field))
}

pub(crate) fn id_of(address: Address) -> U256 {
    tag(5, of_address(address))
}

pub(crate) fn key_record(key: &B256) -> U256 {
    hashed(6, key.as_slice())
}

pub(crate) fn shares(id: u16, staker: Address) -> U256 {
    tag(7, (U256::from(id) << 160) | of_address(staker))
}

pub(crate) fn paid(id: u16, staker: Address) -> U256 {
    tag(8, (U256::from(id) << 160) | of_address(staker))
}

pub(crate) fn stakes(staker: Address) -> U256 {
    tag(9, of_address(staker))
}

pub(crate) fn bucket(id: u16, bucket: u64, field: u8) -> U256 {
    tag(
        10,
        (U256::from(id) << 72) | (U256::from(bucket) << 8) | U256::from(field),
    )
}

pub(crate) fn entry(staker: Address, index: u8) -> U256 {
    tag(11, (of_address(staker) << 8) | U256::from(index))
}

pub(crate) fn support(id: u16) -> U256 {
    tag(12, U256::from(id))
}

pub(crate) fn punished(id: u16, height: u64, round: u32) -> U256 {
    let mut bytes = [0; 14];
    bytes[..2].copy_from_slice(&id.to_be_bytes());
    bytes[2..10].copy_from_slice(&height.to_be_bytes());
    bytes[10..].copy_from_slice(&round.to_be_bytes());
    hashed(13, &bytes)
}

/// A list of validators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    /// Those whom a vote let in and none put out.
    Members,
    /// Those who agree on blocks in this epoch.
    Active,
}

impl List {
    /// Neither list is ever longer: what walks a list has a bounded price.
    pub(crate) const MAX: usize = 100;

    fn slot(self, index: usize) -> U256 {
        tag(4, (U256::from(self as u8) << 16) | U256::from(index))
    }

    /// The ids in order.
    pub(crate) fn load<W: Words>(self, words: &mut W) -> Result<Vec<u16>, W::Error> {
        let length = words.load(self.slot(0))?.saturating_to::<usize>().min(Self::MAX);
        let mut ids = Vec::with_capacity(length);
        for index in 0..length.div_ceil(16) {
            let word = words.load(self.slot(1 + index))?;
            ids.extend(unpack(word));
        }
        ids.truncate(length);
        Ok(ids)
    }

    pub(crate) fn store<W: Words>(self, words: &mut W, ids: &[u16]) -> Result<(), W::Error> {
        words.store(self.slot(0), U256::from(ids.len()))?;
        for (index, ids) in ids.chunks(16).enumerate() {
            words.store(self.slot(1 + index), pack(ids))?;
        }
        Ok(())
    }
}

/// Sixteen ids as they lie in a word.
pub(crate) fn unpack(word: U256) -> [u16; 16] {
    let bytes = word.to_be_bytes::<32>();
    core::array::from_fn(|i| u16::from_be_bytes([bytes[2 * i], bytes[2 * i + 1]]))
}

/// At most 16 ids in a word.
pub(crate) fn pack(ids: &[u16]) -> U256 {
    let mut bytes = [0; 32];
    for (place, id) in bytes.chunks_exact_mut(2).zip(ids) {
        place.copy_from_slice(&id.to_be_bytes());
    }
    U256::from_be_bytes(bytes)
}
