//! Turns, absence, jail, and the active set.

use alloc::vec;

use alloy_primitives::{Address, U256};

use super::{Chain, sample, tap, user, validator};
use crate::{BlockInfo, IToken::*, TurnsError, proposer, turns, words};

#[test]
fn turns_go_round() {
    let mut chain = Chain::new(4);
    for number in 0..8u64 {
        for round in 0..8u32 {
            let expected = validator(((number + u64::from(round)) % 4) as u8);
            assert_eq!(proposer(&mut chain.store, number, round).unwrap(), expected);
        }
    }
    assert_eq!(
        proposer(&mut chain.store, u64::MAX, u32::MAX).unwrap(),
        validator(((u128::from(u64::MAX) + u128::from(u32::MAX)) % 4) as u8)
    );
}

#[test]
fn a_block_out_of_turn_is_refused() {
    let mut chain = Chain::new(4);
    for got in [validator(2), user(0), Address::ZERO] {
        let block = BlockInfo {
            number: 1,
            round: 0,
            proposer: got,
        };
        assert_eq!(
            turns(&mut chain.store, &block),
            Err(TurnsError::Proposer {
                got,
                expected: validator(1)
            })
        );
    }
}

#[test]
fn the_absent_is_slashed_and_jailed_and_comes_back() {
    let mut chain = Chain::new(4);
    chain.ok(
        user(0),
        stakeCall {
            validator: validator(2),
            amount: tap(1_000_000),
        },
    );
    chain.epoch_without(validator(2));
    // A thousandth of both stakes, the delegated one too.
    let stake = |chain: &mut Chain, staker| {
        chain.ok(
            user(0),
            stakeOfCall {
                validator: validator(2),
                staker,
            },
        )
    };
    assert_eq!(stake(&mut chain, user(0)), tap(999_000));
    assert_eq!(stake(&mut chain, validator(2)), tap(999_000));
    assert_eq!(chain.word(words::BURNED), tap(2_000));
    assert_eq!(chain.active(), vec![validator(0), validator(1), validator(3)]);
    let all = chain.ok(user(0), validatorsCall {});
    assert_eq!(all.len(), 4);
    assert!(all[2].jailed && !all[2].active);
    assert_eq!(chain.fails(validator(2), unjailCall {}), "too early");
    chain.epoch();
    // Nobody does it for it, and nobody who is not jailed.
    assert_eq!(chain.fails(user(0), unjailCall {}), "no such validator");
    assert_eq!(chain.fails(validator(1), unjailCall {}), "not jailed");
    chain.ok(validator(2), unjailCall {});
    assert_eq!(chain.fails(validator(2), unjailCall {}), "not jailed");
    // It takes part from the next epoch on.
    assert_eq!(chain.active().len(), 3);
    chain.epoch();
    assert_eq!(chain.active().len(), 4);
    assert_eq!(chain.word(words::BURNED), tap(2_000));
}

#[test]
fn the_absent_earns_no_turns() {
    let mut chain = Chain::new(4);
    let before = chain.balance(validator(2));
    chain.epoch_without(validator(2));
    assert_eq!(chain.balance(validator(2)), before);
}

#[test]
fn no_more_are_jailed_than_a_living_chain_can_miss() {
    let mut chain = Chain::new(4);
    // Two of four take turns at being late.
    for _ in 0..10 {
        let number = chain.number + 1;
        let first = proposer(&mut chain.store, number, 0).unwrap();
        let second = proposer(&mut chain.store, number, 1).unwrap();
        let late = |who: Address| who == validator(1) || who == validator(2);
        chain.block(u32::from(late(first)) + u32::from(late(first) && late(second)));
    }
    chain.audit();
    assert_eq!(chain.active().len(), 3);
    // Three of which all are needed: no absence can be one's own.
    for absent in [validator(3), validator(0)] {
        chain.epoch_without(absent);
        assert_eq!(chain.active().len(), 3);
    }
}

#[test]
fn a_failure_of_the_network_is_nobodys() {
    let mut chain = Chain::new(4);
    for _ in 0..10 {
        chain.block(1_000_000);
    }
    assert_eq!(chain.active().len(), 4);
    assert_eq!(chain.word(words::BURNED), U256::ZERO);
    for _ in 0..10 {
        chain.block(u32::MAX);
    }
    assert_eq!(chain.active().len(), 4);
}

#[test]
fn misses_within_what_is_allowed_cost_nothing() {
    let mut chain = Chain::new(4);
    // One of its two or three turns an epoch.
    let mut missed = false;
    for _ in 0..10 {
        let number = chain.number + 1;
        let late = !missed && proposer(&mut chain.store, number, 0).unwrap() == validator(2);
        missed |= late;
        chain.block(u32::from(late));
    }
    assert!(missed);
    assert_eq!(chain.active().len(), 4);
    assert_eq!(chain.word(words::BURNED), U256::ZERO);
}

#[test]
fn who_has_too_little_stake_sits_out_until_it_has_more() {
    let mut chain = Chain::new(4);
    let amount = tap(500_000) + U256::from(1);
    chain.ok(
        validator(3),
        unstakeCall {
            validator: validator(3),
            amount,
        },
    );
    // It serves to the end of the epoch.
    assert_eq!(chain.active().len(), 4);
    chain.epoch();
    assert_eq!(chain.active(), vec![validator(0), validator(1), validator(2)]);
    chain.ok(
        user(0),
        stakeCall {
            validator: validator(3),
            amount: U256::from(1),
        },
    );
    chain.epoch();
    assert_eq!(chain.active().len(), 4);
}

#[test]
fn the_set_is_never_empty() {
    let mut chain = Chain::new(4);
    for i in 0..4 {
        chain.ok(
            validator(i),
            unstakeCall {
                validator: validator(i),
                amount: U256::MAX,
            },
        );
    }
    chain.epoch();
    assert_eq!(chain.active().len(), 4);
    // Whoever has the stake again is alone.
    chain.ok(
        user(0),
        stakeCall {
            validator: validator(1),
            amount: tap(500_000),
        },
    );
    chain.epoch();
    assert_eq!(chain.active(), vec![validator(1)]);
    chain.epoch();
    assert_eq!(chain.active(), vec![validator(1)]);
}

#[test]
fn the_step_runs_only_where_an_epoch_ends() {
    let mut chain = Chain::of(sample(1));
    for number in [0, 1, 9, 11] {
        let before = chain.store.words.clone();
        crate::epoch(&mut chain.store, &chain.genesis.tokenomics, number).unwrap();
        assert_eq!(chain.store.words, before);
    }
}
