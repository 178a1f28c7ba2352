//! Staking with a validator, its rewards, and the way out.
//!
//! Stake is held in shares of a pool ([`Pool`]); rewards are counted for each share since ever and paid for the difference. What
//! is asked back moves to a **bucket** of its validator: all that comes free at one time, a pool again. A bucket can be slashed
//! until its time has come, so leaving does not outrun evidence; after that nothing touches it. Times are multiples of
//! ⌈unbonding / 8⌉ epochs, so a validator never has more than nine buckets to slash.

use alloc::vec::Vec;

use alloy_primitives::{Address, U256};
use l2_block::Tokenomics;

use crate::{
    ADDRESS, CallError, IToken, Pool, Words,
    call::{Frame, revert},
    pool::mul_div,
    registry::{self, Status, field, id, now, stake, store_stake},
    words::{self, List},
};

/// With how many validators one address may stake, and how many unbonding entries it may have.
pub(crate) const PLACES: usize = 8;

/// Rewards a share are counted in so many parts.
pub(crate) const REWARD_BITS: usize = 128;

/// When stake comes free that is asked back in an epoch: the bucket, which is ripe at epoch `bucket * period`.
fn ripening(tokenomics: &Tokenomics, now: u64) -> (u64, u64) {
    let period = tokenomics.unbonding.div_ceil(8).max(1);
    // Saturates only after 2^63 epochs.
    let bucket = now.saturating_add(tokenomics.unbonding).div_ceil(period);
    (bucket, bucket.saturating_mul(period))
}

/// Buckets that are not ripe in an epoch.
pub(crate) fn unripe(tokenomics: &Tokenomics, now: u64) -> core::ops::RangeInclusive<u64> {
    let period = tokenomics.unbonding.div_ceil(8).max(1);
    (now / period).saturating_add(1)..=ripening(tokenomics, now).0
}

pub(crate) fn bucket<W: Words>(store: &mut W, id: u16, bucket: u64) -> Result<Pool, W::Error> {
    Ok(Pool {
        tokens: store.load(words::bucket(id, bucket, 0))?,
        shares: store.load(words::bucket(id, bucket, 1))?,
    })
}

pub(crate) fn store_bucket<W: Words>(
    store: &mut W,
    id: u16,
    bucket: u64,
    pool: &Pool,
) -> Result<(), W::Error> {
    store.store(words::bucket(id, bucket, 0), pool.tokens)?;
    store.store(words::bucket(id, bucket, 1), pool.shares)
}

/// A staker's part of a bucket: `shares (192 bits) ‖ id (16) ‖ bucket (48)`.
#[derive(Clone, Copy)]
struct Entry {
    shares: U256,
    id: u16,
    bucket: u64,
}

impl Entry {
    const BUCKETS: u64 = 1 << 48;

    fn unpack(word: U256) -> Option<Self> {
        let low = word.as_limbs()[0];
        (!word.is_zero()).then_some(Self {
            shares: word >> 64,
            id: (low >> 48) as u16,
            bucket: low % Self::BUCKETS,
        })
    }

    fn pack(self) -> U256 {
        (self.shares << 64) | U256::from((u64::from(self.id) << 48) | self.bucket)
    }
}

/// Puts stake in for somebody: the tokens are the token's already.
pub(crate) fn put<W: Words>(
    store: &mut W,
    id: u16,
    staker: Address,
    amount: U256,
) -> Result<Option<U256>, W::Error> {
    let mut pool = stake(store, id)?;
    let Some(shares) = pool.put(amount) else {
        return Ok(None);
    };
    store_stake(store, id, &pool)?;
    store.add(words::shares(id, staker), shares)?;
    Ok(Some(shares))
}

/// Notes with whom somebody stakes; whether there was a place.
pub(crate) fn note<W: Words>(store: &mut W, id: u16, staker: Address) -> Result<bool, W::Error> {
    let slot = words::stakes(staker);
    let mut ids = words::unpack(store.load(slot)?);
    if ids.contains(&id) {
        return Ok(true);
    }
    let Some(place) = ids[..PLACES].iter_mut().find(|place| **place == 0) else {
        return Ok(false);
    };
    *place = id;
    store.store(slot, words::pack(&ids))?;
    Ok(true)
}

fn forget<W: Words>(store: &mut W, id: u16, staker: Address) -> Result<(), W::Error> {
    let slot = words::stakes(staker);
    let mut ids = words::unpack(store.load(slot)?);
    for place in ids.iter_mut().filter(|place| **place == id) {
        *place = 0;
    }
    store.store(slot, words::pack(&ids))
}

/// What shares earned since they were last paid.
fn owed<W: Words>(store: &mut W, id: u16, staker: Address) -> Result<(U256, U256), W::Error> {
    let shares = store.load(words::shares(id, staker))?;
    let reward = store.load(words::validator(id, field::REWARD))?;
    let paid = store.load(words::paid(id, staker))?;
    let owed = mul_div(
        shares,
        reward.saturating_sub(paid),
        U256::ONE << REWARD_BITS,
        false,
    );
    Ok((owed.unwrap_or_default(), reward))
}

impl<W: Words> Frame<'_, W> {
    pub(crate) fn now(&mut self) -> Result<u64, CallError<W::Error>> {
        Ok(now(self.words)?)
    }

    pub(crate) fn id(&mut self, validator: Address) -> Result<u16, CallError<W::Error>> {
        id(self.words, validator)?.ok_or_else(|| Self::revert("no such validator"))
    }

    /// Settles the rewards of one stake, unpaid so far.
    fn settle(&mut self, id: u16) -> Result<U256, CallError<W::Error>> {
        let (owed, reward) = owed(self.words, id, self.caller)?;
        self.words.store(words::paid(id, self.caller), reward)?;
        Ok(owed)
    }

    fn pay_rewards(&mut self, amount: U256) -> Result<(), CallError<W::Error>> {
        if amount.is_zero() {
            return Ok(());
        }
        let rest = self.words.load(words::REWARDS)?.checked_sub(amount);
        // Every reward was counted in, rounded down: less than nothing cannot be left.
        let rest = rest.ok_or_else(|| Self::revert("no rewards left"))?;
        self.words.store(words::REWARDS, rest)?;
        self.shift(ADDRESS, self.caller, amount)?;
        self.log(&IToken::Claimed {
            staker: self.caller,
            amount,
        });
        Ok(())
    }

    pub(crate) fn stake(&mut self, validator: Address, amount: U256) -> Result<U256, CallError<W::Error>> {
        let id = self.id(validator)?;
        if amount.is_zero() {
            return Err(revert("no amount"));
        }
        if !Status::load(self.words, id)?.member {
            return Err(revert("no validator any more"));
        }
        let owed = self.settle(id)?;
        self.pay_rewards(owed)?;
        self.shift(self.caller, ADDRESS, amount)?;
        if !note(self.words, id, self.caller)? {
            return Err(revert("stakes with 8 validators already"));
        }
        let shares = put(self.words, id, self.caller, amount)?;
        let shares = shares.ok_or_else(|| Self::revert("stake was slashed too often"))?;
        self.log(&IToken::Staked {
            staker: self.caller,
            validator,
            amount,
        });
        Ok(shares)
    }

    pub(crate) fn unstake(&mut self, validator: Address, amount: U256) -> Result<u64, CallError<W::Error>> {
        let id = self.id(validator)?;
        let slot = words::shares(id, self.caller);
        let held = self.words.load(slot)?;
        if amount.is_zero() || held.is_zero() {
            return Err(revert("no amount"));
        }
        let owed = self.settle(id)?;
        self.pay_rewards(owed)?;
        let mut pool = stake(self.words, id)?;
        let all = amount == U256::MAX;
        let amount = if all { pool.worth(held) } else { amount };
        let cost = pool.take(amount).filter(|cost| *cost <= held);
        let cost = cost.ok_or_else(|| Self::revert("amount exceeds stake"))?;
        store_stake(self.words, id, &pool)?;
        // Who takes all leaves the last part of a share to nobody.
        let left = if all { U256::ZERO } else { held - cost };
        self.words.store(slot, left)?;
        if left.is_zero() {
            forget(self.words, id, self.caller)?;
        }
        let epoch = self.unbond(id, amount)?;
        self.log(&IToken::Unstaked {
            staker: self.caller,
            validator,
            amount,
            epoch,
        });
        Ok(epoch)
    }

    /// Puts tokens into the bucket of this epoch.
    fn unbond(&mut self, id: u16, amount: U256) -> Result<u64, CallError<W::Error>> {
        let now = self.now()?;
        let (number, ripe) = ripening(self.tokenomics, now);
        if amount.is_zero() {
            return Ok(ripe);
        }
        if number >= Entry::BUCKETS {
            return Err(revert("too late"));
        }
        let mut pool = bucket(self.words, id, number)?;
        let shares = pool.put(amount);
        let shares =
            shares.ok_or_else(|| Self::revert("unbonding stake was slashed too often, try later"))?;
        store_bucket(self.words, id, number, &pool)?;
        let mut free = None;
        for index in 0..PLACES as u8 {
            let slot = words::entry(self.caller, index);
            match Entry::unpack(self.words.load(slot)?) {
                None => free = free.or(Some((slot, shares))),
                Some(entry) if (entry.id, entry.bucket) == (id, number) => {
                    free = Some((slot, entry.shares + shares));
                    break;
                }
                Some(_) => {}
            }
        }
        let (slot, shares) = free.ok_or_else(|| Self::revert("8 amounts are unbonding already"))?;
        let entry = Entry {
            shares,
            id,
            bucket: number,
        };
        self.words.store(slot, entry.pack())?;
        Ok(ripe)
    }

    pub(crate) fn withdraw(&mut self) -> Result<U256, CallError<W::Error>> {
        let now = self.now()?;
        let unripe = unripe(self.tokenomics, now);
        let mut amount = U256::ZERO;
        for index in 0..PLACES as u8 {
            let slot = words::entry(self.caller, index);
            let Some(entry) = Entry::unpack(self.words.load(slot)?) else {
                continue;
            };
            if unripe.contains(&entry.bucket) {
                continue;
            }
            let mut pool = bucket(self.words, entry.id, entry.bucket)?;
            let worth = pool.worth(entry.shares);
            pool.tokens -= worth;
            pool.shares = pool.shares.saturating_sub(entry.shares);
            store_bucket(self.words, entry.id, entry.bucket, &pool)?;
            self.words.store(slot, U256::ZERO)?;
            amount += worth;
        }
        if !amount.is_zero() {
            self.shift(ADDRESS, self.caller, amount)?;
            self.log(&IToken::Withdrawn {
                staker: self.caller,
                amount,
            });
        }
        Ok(amount)
    }

    pub(crate) fn claim(&mut self) -> Result<U256, CallError<W::Error>> {
        let ids = words::unpack(self.words.load(words::stakes(self.caller))?);
        let mut amount = U256::ZERO;
        for id in ids.into_iter().filter(|id| *id != 0) {
            amount += self.settle(id)?;
        }
        self.pay_rewards(amount)?;
        Ok(amount)
    }

    pub(crate) fn stake_of(
        &mut self,
        validator: Address,
        staker: Address,
    ) -> Result<U256, CallError<W::Error>> {
        let id = self.id(validator)?;
        let shares = self.words.load(words::shares(id, staker))?;
        Ok(stake(self.words, id)?.worth(shares))
    }

    pub(crate) fn reward_of(
        &mut self,
        validator: Address,
        staker: Address,
    ) -> Result<U256, CallError<W::Error>> {
        let id = self.id(validator)?;
        Ok(owed(self.words, id, staker)?.0)
    }

    pub(crate) fn unbonding_of(
        &mut self,
        staker: Address,
    ) -> Result<Vec<IToken::Unbonding>, CallError<W::Error>> {
        let period = self.tokenomics.unbonding.div_ceil(8).max(1);
        let mut entries = Vec::new();
        for index in 0..PLACES as u8 {
            if let Some(entry) = Entry::unpack(self.words.load(words::entry(staker, index))?) {
                entries.push(IToken::Unbonding {
                    validator: Status::load(self.words, entry.id)?.address,
                    amount: bucket(self.words, entry.id, entry.bucket)?.worth(entry.shares),
                    epoch: entry.bucket.saturating_mul(period),
                });
            }
        }
        Ok(entries)
    }

    pub(crate) fn validators(&mut self) -> Result<Vec<IToken::Validator>, CallError<W::Error>> {
        let active = List::Active.load(self.words)?;
        let members = List::Members.load(self.words)?;
        let mut validators = Vec::with_capacity(members.len());
        for id in members {
            let status = Status::load(self.words, id)?;
            validators.push(IToken::Validator {
                key: registry::key(self.words, id)?,
                account: status.address,
                stake: self.words.load(words::validator(id, field::TOKENS))?,
                active: active.contains(&id),
                jailed: status.jailed != 0,
            });
        }
        Ok(validators)
    }
}
