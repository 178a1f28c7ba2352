//! A block's two steps: whose turn it was, and at the end of an epoch the emission, the absent, and the next active set.
//!
//! Epoch e (from 0) is the blocks `e * length + 1 ..= (e + 1) * length`; its last block closes it, after its own turns are
//! booked.

use alloc::vec::Vec;

use alloy_primitives::{Address, U256};
use l2_block::Tokenomics;

use crate::{
    ADDRESS, Words, budgets, emission,
    emission::Split,
    ledger,
    pool::mul_div,
    registry::{self, Status, field, stake, store_stake},
    staking::REWARD_BITS,
    words::{self, List},
};

/// What the token needs to know of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockInfo {
    /// Number.
    pub number: u64,
    /// Round in which it was agreed on.
    pub round: u32,
    /// Whom the header names as its proposer.
    pub proposer: Address,
}

/// Why a block's turns are not booked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TurnsError<E> {
    /// It was another's turn.
    #[error("proposer is {got}, expected {expected}")]
    Proposer {
        /// Whom the header names.
        got: Address,
        /// Whose turn it was.
        expected: Address,
    },
    /// The store failed.
    #[error(transparent)]
    Words(#[from] E),
}

/// Whose turn it is at `(number + round) mod n`.
fn turn(ids: &[u16], number: u64, round: u32) -> Option<u16> {
    let place = (u128::from(number) + u128::from(round)).checked_rem(ids.len() as u128)?;
    ids.get(place as usize).copied()
}

/// Who may propose a block in a round, in the state after the block before.
///
/// # Errors
/// If the store cannot tell.
pub fn proposer<W: Words>(store: &mut W, number: u64, round: u32) -> Result<Address, W::Error> {
    let ids = List::Active.load(store)?;
    match turn(&ids, number, round) {
        Some(id) => Ok(Status::load(store, id)?.address),
        None => Ok(Address::ZERO),
    }
}

/// Books a block's turns: one served, and those of the rounds before it missed. If all validators had a round and missed it, the
/// network failed and not they: nothing is booked as missed.
///
/// # Errors
/// If it was another's turn, or the store fails.
pub fn turns<W: Words>(store: &mut W, block: &BlockInfo) -> Result<(), TurnsError<W::Error>> {
    let ids = List::Active.load(store)?;
    let proposer = turn(&ids, block.number, block.round).unwrap_or_default();
    let expected = Status::load(store, proposer)?.address;
    if expected != block.proposer {
        return Err(TurnsError::Proposer {
            got: block.proposer,
            expected,
        });
    }
    store.add(words::validator(proposer, field::TURNS), U256::ONE << 128)?;
    if (block.round as usize) < ids.len() {
        for round in 0..block.round {
            let absent = turn(&ids, block.number, round).unwrap_or_default();
            store.add(words::validator(absent, field::TURNS), U256::ONE)?;
        }
    }
    Ok(())
}

/// An active validator's epoch.
struct Record {
    id: u16,
    served: U256,
    missed: U256,
}

/// Closes an epoch, if the block of this number ends one: to be called after the block's [`turns`].
///
/// # Errors
/// If the store fails.
pub fn epoch<W: Words>(store: &mut W, tokenomics: &Tokenomics, number: u64) -> Result<(), W::Error> {
    if number == 0 || !number.is_multiple_of(tokenomics.epoch.max(1)) {
        return Ok(());
    }
    let now = number / tokenomics.epoch.max(1);
    store.store(words::EPOCH, U256::from(now))?;
    let mut records = Vec::new();
    for id in List::Active.load(store)? {
        let slot = words::validator(id, field::TURNS);
        let turns = store.load(slot)?;
        store.store(slot, U256::ZERO)?;
        records.push(Record {
            id,
            served: turns >> 128,
            missed: turns & U256::from(u128::MAX),
        });
    }
    pay(store, emission(tokenomics, now - 1), &records)?;
    punish_absence(store, tokenomics, now, records)?;
    registry::renew(store, now, tokenomics.min_stake)
}

/// Mints an epoch's emission and gives it out.
fn pay<W: Words>(store: &mut W, emission: U256, records: &[Record]) -> Result<(), W::Error> {
    let budgets = budgets(emission);
    let mut turns = Split::new(budgets.sequencers, records.iter().map(|record| record.served));
    for record in records {
        let amount = turns.next(record.served);
        let address = Status::load(store, record.id)?.address;
        ledger::mint(store, address, amount)?;
    }
    let mut pools = Vec::with_capacity(records.len());
    for record in records {
        pools.push((record.id, stake(store, record.id)?));
    }
    let mut stakes = Split::new(budgets.stakers, pools.iter().map(|(_, pool)| pool.tokens));
    let mut rewards = U256::ZERO;
    for (id, pool) in &pools {
        let amount = stakes.next(pool.tokens);
        // A pool with tokens has at least 2^32 shares for each, so this cannot overflow in the life of the supply.
        let share = mul_div(amount, U256::ONE << REWARD_BITS, pool.shares, false).unwrap_or_default();
        store.add(words::validator(*id, field::REWARD), share)?;
        rewards += amount;
    }
    // What nobody had a claim to goes to those who prove.
    let proofs = budgets.provers + turns.left() + stakes.left();
    ledger::mint(store, ADDRESS, rewards + proofs)?;
    store.add(words::REWARDS, rewards)?;
    store.add(words::PROOFS, proofs)
}

/// Slashes and jails those who missed more turns than allowed: the worst, and of n no more than ⌊(n-1)/3⌋. A chain that goes on
/// has no more absent validators than that, so of others the network is to blame.
fn punish_absence<W: Words>(
    store: &mut W,
    tokenomics: &Tokenomics,
    now: u64,
    records: Vec<Record>,
) -> Result<(), W::Error> {
    let most = records.len().saturating_sub(1) / 3;
    let mut absent: Vec<Record> = records
        .into_iter()
        .filter(|record| {
            let turns = record.served + record.missed;
            record.missed * U256::from(10_000) > turns * U256::from(tokenomics.missed_allowed)
        })
        .collect();
    // By the part missed, the greatest first; equals by id. Turns are below 2^64.
    absent.sort_by(|a, b| {
        let turns = |record: &Record| record.served + record.missed;
        (b.missed * turns(a))
            .cmp(&(a.missed * turns(b)))
            .then(a.id.cmp(&b.id))
    });
    for record in absent.into_iter().take(most) {
        let mut pool = stake(store, record.id)?;
        let burned = pool.slash(tokenomics.downtime_slash);
        store_stake(store, record.id, &pool)?;
        ledger::burn(store, burned)?;
        let mut status = Status::load(store, record.id)?;
        // One epoch out; then it asks to come back, which shows that it lives. One that is out for good stays so.
        status.jailed = status.jailed.max(now.saturating_add(1));
        status.store(store, record.id)?;
    }
    Ok(())
}
