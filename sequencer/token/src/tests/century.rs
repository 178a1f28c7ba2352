//! A hundred years.

use alloy_primitives::U256;

use super::{Chain, sample, user, validator};
use crate::{IToken::*, budgets, emission, emitted_before, mined};

const DAY: u64 = 86_400;
const CENTURY: u64 = 36_525 * DAY;

#[test]
fn a_century_of_hours_adds_up() {
    // A block a second, an hour an epoch, halving every four years.
    let mut file = sample(4);
    file.tokenomics.epoch = 3_600;
    file.tokenomics.halving = 4 * 8_766;
    let tokenomics = &file.tokenomics;
    let mut sum = U256::ZERO;
    for epoch in 0..CENTURY / 3_600 {
        assert_eq!(sum, emitted_before(tokenomics, epoch));
        let amount = emission(tokenomics, epoch);
        let parts = budgets(amount);
        assert_eq!(parts.sequencers + parts.stakers + parts.provers, amount);
        sum += amount;
    }
    assert!(sum <= mined(tokenomics));
    // 25 eras: all but a 2^25th is out, less what rounding keeps in 25 eras.
    let left = mined(tokenomics) - sum;
    let expected = mined(tokenomics) >> 25;
    assert!(left >= expected && left - expected <= U256::from(25));
}

#[test]
fn a_century_of_days_on_the_chain() {
    let mut file = sample(4);
    file.tokenomics.epoch = DAY;
    file.tokenomics.halving = 1_461;
    let mut chain = Chain::of(file);
    for i in 0..4 {
        chain.ok(
            user(i),
            stakeCall {
                validator: validator(i),
                amount: U256::from(1_000_003 * (u128::from(i) + 1)),
            },
        );
    }
    let tokenomics = chain.genesis.tokenomics.clone();
    for day in 1..=CENTURY / DAY {
        // The last block of the day stands for all of it.
        chain.number = day * DAY - 1;
        chain.block((day % 3) as u32);
        if day % 1_461 == 0 {
            chain.audit();
            // Somebody takes what is owed now and then.
            for i in 0..4 {
                chain.call(user(i), claimCall {}).unwrap();
                let _ = chain.call(validator(i), unjailCall {});
            }
        }
    }
    chain.audit();
    let minted = chain.word(crate::words::MINTED);
    assert_eq!(
        minted,
        tokenomics.supply - mined(&tokenomics) + emitted_before(&tokenomics, CENTURY / DAY)
    );
    assert!(minted < tokenomics.supply);
}
