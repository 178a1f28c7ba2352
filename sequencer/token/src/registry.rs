//! Validators: who they are, which keys they have, and who of them is active.
//!
//! Whoever a vote lets in gets an id for ever, so that a key that signed twice is found after it was replaced, and stakes stay
//! where they are when a validator is put out. The active set and the keys in force change only in the epoch's step: within an
//! epoch, who agrees on a block is known before the block is.

use alloc::vec::Vec;

use alloy_primitives::{Address, B256, U256};

use crate::{
    Pool, Words,
    words::{self, List},
};

/// A validator that agrees on blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveValidator {
    /// X-only key (BIP-0340).
    pub key: B256,
    /// Address that earns.
    pub address: Address,
    /// Tokens staked with it.
    pub stake: U256,
}

/// The active set, in the order of turns. In the state after block H - 1 it is the set that agrees on block H.
///
/// # Errors
/// If the store cannot tell.
pub fn active<W: Words>(store: &mut W) -> Result<Vec<ActiveValidator>, W::Error> {
    let ids = List::Active.load(store)?;
    ids.into_iter()
        .map(|id| {
            Ok(ActiveValidator {
                key: key(store, id)?,
                address: Status::load(store, id)?.address,
                stake: store.load(words::validator(id, field::TOKENS))?,
            })
        })
        .collect()
}

/// Fields of a validator.
pub(crate) mod field {
    /// `Status`.
    pub(crate) const STATUS: u8 = 0;
    /// Key in force.
    pub(crate) const KEY: u8 = 1;
    /// Key from the next epoch on, if another.
    pub(crate) const NEXT_KEY: u8 = 2;
    /// Tokens staked.
    pub(crate) const TOKENS: u8 = 3;
    /// Shares in them.
    pub(crate) const SHARES: u8 = 4;
    /// Rewards a share since ever, times 2^128.
    pub(crate) const REWARD: u8 = 5;
    /// Turns of this epoch: served (high half) and missed.
    pub(crate) const TURNS: u8 = 6;
}

/// Address and standing: `jailed until (64 bits) ‖ … ‖ member (1) ‖ address (160)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) address: Address,
    /// Whitelisted.
    pub(crate) member: bool,
    /// Out of the set until it asks in this epoch or later; zero if it is not jailed.
    pub(crate) jailed: u64,
}

impl Status {
    /// Jailed for good: only a vote lets it in again.
    pub(crate) const FOR_EVER: u64 = u64::MAX;

    pub(crate) fn load<W: Words>(store: &mut W, id: u16) -> Result<Self, W::Error> {
        let word = store.load(words::validator(id, field::STATUS))?;
        Ok(Self {
            address: words::to_address(word),
            member: word.bit(160),
            jailed: word.as_limbs()[3],
        })
    }

    pub(crate) fn store<W: Words>(&self, store: &mut W, id: u16) -> Result<(), W::Error> {
        let word = words::of_address(self.address)
            | (U256::from(self.member) << 160)
            | (U256::from(self.jailed) << 192);
        store.store(words::validator(id, field::STATUS), word)
    }
}

/// The stake of a validator.
pub(crate) fn stake<W: Words>(store: &mut W, id: u16) -> Result<Pool, W::Error> {
    Ok(Pool {
        tokens: store.load(words::validator(id, field::TOKENS))?,
        shares: store.load(words::validator(id, field::SHARES))?,
    })
}

pub(crate) fn store_stake<W: Words>(store: &mut W, id: u16, pool: &Pool) -> Result<(), W::Error> {
    store.store(words::validator(id, field::TOKENS), pool.tokens)?;
    store.store(words::validator(id, field::SHARES), pool.shares)
}

/// The id of the validator with an address.
pub(crate) fn id<W: Words>(store: &mut W, address: Address) -> Result<Option<u16>, W::Error> {
    let id: u16 = store.load(words::id_of(address))?.saturating_to();
    Ok((id != 0).then_some(id))
}

/// The key in force.
pub(crate) fn key<W: Words>(store: &mut W, id: u16) -> Result<B256, W::Error> {
    Ok(store.load(words::validator(id, field::KEY))?.into())
}

/// Whose a key is, and before which epoch it was in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyRecord {
    pub(crate) id: u16,
    /// What it signs for this epoch or later does not bind its owner; zero while there is no such epoch.
    pub(crate) until: u64,
}

impl KeyRecord {
    pub(crate) fn load<W: Words>(store: &mut W, key: &B256) -> Result<Option<Self>, W::Error> {
        let word = store.load(words::key_record(key))?;
        let id = word.as_limbs()[0] as u16;
        Ok((id != 0).then_some(Self {
            id,
            until: word.as_limbs()[1],
        }))
    }

    pub(crate) fn store<W: Words>(&self, store: &mut W, key: &B256) -> Result<(), W::Error> {
        store.store(
            words::key_record(key),
            U256::from_limbs([self.id.into(), self.until, 0, 0]),
        )
    }
}

/// Why a key or a validator is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    KeyTaken,
    Full,
}

/// Binds a key to a validator, unless it is another's.
fn bind<W: Words>(store: &mut W, id: u16, key: &B256) -> Result<Result<(), Refusal>, W::Error> {
    if KeyRecord::load(store, key)?.is_some_and(|record| record.id != id) {
        return Ok(Err(Refusal::KeyTaken));
    }
    KeyRecord { id, until: 0 }.store(store, key)?;
    Ok(Ok(()))
}

/// Ends a key's duty before an epoch, if it has not ended already: what it signed in between binds nobody.
fn retire<W: Words>(store: &mut W, id: u16, key: &B256, until: u64) -> Result<(), W::Error> {
    match KeyRecord::load(store, key)? {
        Some(record) if record.until == 0 => KeyRecord { id, until }.store(store, key),
        _ => Ok(()),
    }
}

/// Lets a validator in, under the id that its address had before if there was one.
pub(crate) fn admit<W: Words>(
    store: &mut W,
    address: Address,
    key: &B256,
) -> Result<Result<u16, Refusal>, W::Error> {
    let mut members = List::Members.load(store)?;
    if members.len() >= List::MAX {
        return Ok(Err(Refusal::Full));
    }
    let known = id(store, address)?;
    let id = match known {
        Some(id) => id,
        None => {
            let ids = store.load(words::IDS)?;
            match u16::try_from(ids.saturating_to::<u64>() + 1) {
                Ok(id) => id,
                Err(_) => return Ok(Err(Refusal::Full)),
            }
        }
    };
    if let Err(refusal) = bind(store, id, key)? {
        return Ok(Err(refusal));
    }
    if known.is_none() {
        store.store(words::IDS, U256::from(id))?;
        store.store(words::id_of(address), U256::from(id))?;
    }
    Status {
        address,
        member: true,
        jailed: 0,
    }
    .store(store, id)?;
    members.push(id);
    List::Members.store(store, &members)?;
    if self::key(store, id)?.is_zero() {
        store.store(words::validator(id, field::KEY), (*key).into())?;
    }
    store.store(words::validator(id, field::NEXT_KEY), (*key).into())?;
    Ok(Ok(id))
}

/// Puts a validator out, unless it is the last; whether it went. Its key stays in force until the epoch ends.
pub(crate) fn dismiss<W: Words>(store: &mut W, id: u16) -> Result<bool, W::Error> {
    let mut members = List::Members.load(store)?;
    if members.len() <= 1 {
        return Ok(false);
    }
    let Some(place) = members.iter().position(|member| *member == id) else {
        return Ok(false);
    };
    members.remove(place);
    List::Members.store(store, &members)?;
    let mut status = Status::load(store, id)?;
    status.member = false;
    status.store(store, id)?;
    let until = now(store)? + 1;
    let key = key(store, id)?;
    retire(store, id, &key, until)?;
    store.store(words::validator(id, field::NEXT_KEY), U256::ZERO)?;
    Ok(true)
}

/// Gives a member another key from the next epoch on.
pub(crate) fn replace_key<W: Words>(
    store: &mut W,
    id: u16,
    key: &B256,
) -> Result<Result<(), Refusal>, W::Error> {
    if let Err(refusal) = bind(store, id, key)? {
        return Ok(Err(refusal));
    }
    let pending: B256 = store.load(words::validator(id, field::NEXT_KEY))?.into();
    if !pending.is_zero() && pending != *key && pending != self::key(store, id)? {
        // It was never in force.
        let now = now(store)?;
        retire(store, id, &pending, now.max(1))?;
    }
    store.store(words::validator(id, field::NEXT_KEY), (*key).into())?;
    Ok(Ok(()))
}

/// The epoch that is running: how many have ended.
pub(crate) fn now<W: Words>(store: &mut W) -> Result<u64, W::Error> {
    Ok(store.load(words::EPOCH)?.saturating_to())
}

/// Keys and the set for the epoch `now` that begins: members who are not jailed and have the stake. If there is none, those
/// without the stake; if all are jailed, all: a chain without validators would be dead.
pub(crate) fn renew<W: Words>(store: &mut W, now: u64, min_stake: U256) -> Result<(), W::Error> {
    let mut members = List::Members.load(store)?;
    members.sort_unstable();
    let (mut staked, mut free) = (Vec::new(), Vec::new());
    for id in &members {
        let next: B256 = store.load(words::validator(*id, field::NEXT_KEY))?.into();
        if !next.is_zero() {
            let old = key(store, *id)?;
            if old != next {
                retire(store, *id, &old, now)?;
                store.store(words::validator(*id, field::KEY), next.into())?;
            }
            store.store(words::validator(*id, field::NEXT_KEY), U256::ZERO)?;
        }
        if Status::load(store, *id)?.jailed == 0 {
            free.push(*id);
            if store.load(words::validator(*id, field::TOKENS))? >= min_stake {
                staked.push(*id);
            }
        }
    }
    let set = [staked, free, members]
        .into_iter()
        .find(|set| !set.is_empty())
        .unwrap_or_default();
    List::Active.store(store, &set)
}
