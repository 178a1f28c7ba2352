//! Staking, rewards, and the way out.

use alloy_primitives::{Address, U256};

use super::{Chain, sample, tap, user, validator};
use crate::{ADDRESS, IToken::*, budgets, emission, words};

fn stake(i: u8, amount: U256) -> stakeCall {
    stakeCall {
        validator: validator(i),
        amount,
    }
}

fn unstake(i: u8, amount: U256) -> unstakeCall {
    unstakeCall {
        validator: validator(i),
        amount,
    }
}

fn stake_of(i: u8, staker: Address) -> stakeOfCall {
    stakeOfCall {
        validator: validator(i),
        staker,
    }
}

#[test]
fn stake_goes_in_and_comes_out_whole() {
    let mut chain = Chain::new(4);
    chain.ok(user(0), stake(1, tap(10)));
    assert_eq!(chain.balance(user(0)), tap(9_999_990));
    assert_eq!(chain.ok(user(1), stake_of(1, user(0))), tap(10));
    chain.epoch();
    // 16 epochs in steps of 2: what is asked back in epoch 1 is free in epoch 18.
    let free = chain.ok(user(0), unstake(1, tap(4)));
    assert_eq!(free, 18);
    chain.ok(user(0), unstake(1, U256::MAX));
    assert_eq!(chain.ok(user(1), stake_of(1, user(0))), U256::ZERO);
    let entries = chain.ok(user(0), unbondingOfCall { staker: user(0) });
    assert_eq!(entries.len(), 1);
    assert_eq!((entries[0].amount, entries[0].epoch), (tap(10), 18));
    chain.epochs(16);
    assert_eq!(chain.ok(user(0), withdrawCall {}), U256::ZERO);
    chain.epoch();
    assert_eq!(chain.ok(user(0), withdrawCall {}), tap(10));
    assert_eq!(chain.ok(user(0), withdrawCall {}), U256::ZERO);
    assert!(chain.balance(user(0)) > tap(10_000_000));
}

#[test]
fn what_cannot_be_staked_or_taken_back() {
    let mut chain = Chain::new(4);
    assert_eq!(chain.fails(user(0), stake(9, tap(1))), "no such validator");
    assert_eq!(chain.fails(user(0), stake(0, U256::ZERO)), "no amount");
    assert_eq!(
        chain.fails(user(0), stake(0, tap(10_000_001))),
        "amount exceeds balance"
    );
    assert_eq!(
        chain.fails(user(0), stake(0, U256::MAX)),
        "amount exceeds balance"
    );
    assert_eq!(chain.fails(user(0), unstake(0, U256::from(1))), "no amount");
    assert_eq!(chain.fails(user(0), unstake(0, U256::MAX)), "no amount");
    chain.ok(user(0), stake(0, tap(1)));
    assert_eq!(
        chain.fails(user(0), unstake(0, tap(1) + U256::from(1))),
        "amount exceeds stake"
    );
    assert_eq!(
        chain.fails(user(0), unstake(0, U256::MAX - U256::from(1))),
        "amount exceeds stake"
    );
    // Somebody else's stake, another validator's.
    assert_eq!(chain.fails(user(1), unstake(0, tap(1))), "no amount");
    assert_eq!(chain.fails(user(0), unstake(1, tap(1))), "no amount");
}

#[test]
fn an_epoch_pays_by_turns_and_by_stake() {
    let mut chain = Chain::new(4);
    chain.ok(user(0), stake(0, tap(4_000_000)));
    let before = chain.balance(validator(1));
    chain.epoch();
    let budget = budgets(emission(&chain.genesis.tokenomics, 0));
    assert_eq!(budget.stakers, budget.provers);
    assert!(budget.sequencers >= budget.stakers + budget.provers);
    // Ten blocks among four: from block 1 on, validator 1 has three of them.
    let third = chain.balance(validator(1)) - before;
    let expected = budget.sequencers * U256::from(3) / U256::from(10);
    assert!(third.abs_diff(expected) <= U256::from(2));
    // Half of all stake is the user's.
    let reward = chain.ok(
        user(0),
        rewardOfCall {
            validator: validator(0),
            staker: user(0),
        },
    );
    assert!((budget.stakers / U256::from(2)).abs_diff(reward) <= U256::from(2));
    let before = chain.balance(user(0));
    assert_eq!(chain.ok(user(0), claimCall {}), reward);
    assert_eq!(chain.balance(user(0)), before + reward);
    assert_eq!(chain.ok(user(0), claimCall {}), U256::ZERO);
    assert_eq!(chain.ok(user(0), proofPoolCall {}), budget.provers);
}

#[test]
fn a_late_staker_earns_nothing_of_before() {
    let mut chain = Chain::new(4);
    chain.epochs(3);
    chain.ok(user(0), stake(0, tap(1_000_000)));
    let reward = rewardOfCall {
        validator: validator(0),
        staker: user(0),
    };
    assert_eq!(chain.ok(user(0), reward.clone()), U256::ZERO);
    // Nor twice by adding or taking away.
    chain.epoch();
    let earned = chain.ok(user(0), reward.clone());
    let before = chain.balance(user(0));
    chain.ok(user(0), stake(0, tap(1)));
    assert_eq!(chain.balance(user(0)), before + earned - tap(1));
    assert_eq!(chain.ok(user(0), reward.clone()), U256::ZERO);
    chain.ok(user(0), unstake(0, tap(5)));
    assert_eq!(chain.balance(user(0)), before + earned - tap(1));
}

#[test]
fn stake_that_left_earns_nothing() {
    let mut chain = Chain::new(4);
    chain.ok(user(0), stake(0, tap(1_000_000)));
    chain.ok(user(0), unstake(0, U256::MAX));
    chain.epochs(3);
    assert_eq!(chain.ok(user(0), claimCall {}), U256::ZERO);
    // Nor if it is staked again later.
    chain.ok(user(0), stake(0, tap(1)));
    assert_eq!(chain.ok(user(0), claimCall {}), U256::ZERO);
}

#[test]
fn one_address_has_eight_places() {
    let mut chain = Chain::new(9);
    for i in 0..8 {
        chain.ok(user(0), stake(i, tap(1)));
    }
    assert_eq!(
        chain.fails(user(0), stake(8, tap(1))),
        "stakes with 8 validators already"
    );
    chain.ok(user(0), stake(3, tap(1)));
    chain.epoch();
    // The dearest claim.
    assert!(chain.ok(user(0), claimCall {}) > U256::ZERO);
    chain.ok(user(0), unstake(3, U256::MAX));
    chain.ok(user(0), stake(8, tap(1)));
    for i in [0, 1, 2, 4, 5, 6, 7] {
        chain.ok(user(0), unstake(i, tap(1)));
    }
    // Eight amounts are on their way out; more of the same time and validator still fit.
    assert_eq!(
        chain.fails(user(0), unstake(8, U256::from(1))),
        "8 amounts are unbonding already"
    );
    chain.ok(user(0), stake(0, tap(1)));
    chain.ok(user(0), unstake(0, tap(1)));
    chain.epochs(18);
    // The dearest withdrawal.
    assert_eq!(chain.ok(user(0), withdrawCall {}), tap(10));
    chain.ok(user(0), unstake(8, U256::from(1)));
}

#[test]
fn a_first_staker_cannot_price_out_the_next() {
    let mut file = sample(4);
    file.tokenomics.min_stake = U256::ZERO;
    for validator in &mut file.validators {
        validator.stake = U256::ZERO;
    }
    let mut chain = Chain::of(file);
    // An empty pool, its first share, and as much rounding as the thief can make.
    chain.ok(user(0), stake(0, U256::from(1)));
    for _ in 0..50 {
        chain.ok(user(0), stake(0, U256::from(3)));
        chain.ok(user(0), unstake(0, U256::from(2)));
    }
    chain.ok(user(1), stake(0, U256::from(100)));
    assert_eq!(chain.ok(user(1), stake_of(0, user(1))), U256::from(100));
}

#[test]
fn without_stake_the_budget_is_the_provers() {
    let mut file = sample(4);
    file.tokenomics.min_stake = U256::ZERO;
    for validator in &mut file.validators {
        validator.stake = U256::ZERO;
    }
    let mut chain = Chain::of(file);
    chain.epoch();
    let budget = budgets(emission(&chain.genesis.tokenomics, 0));
    assert_eq!(chain.word(words::PROOFS), budget.provers + budget.stakers);
    assert_eq!(chain.balance(ADDRESS), budget.provers + budget.stakers);
}
