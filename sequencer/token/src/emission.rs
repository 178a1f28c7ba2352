//! How much is mined in which epoch.
//!
//! M = ⌊2S/5⌋ of the supply S is mined. Era k is the epochs `k * halving .. (k + 1) * halving`; its budget is
//! `B(k) = ⌊M / 2^(k+1)⌋`, so all eras together stay below M. Epoch j of an era gets `⌊B / halving⌋`, and one unit more if
//! `j < B mod halving`: an era's epochs add up to its budget exactly.

use alloy_primitives::U256;
use l2_block::Tokenomics;

/// What one epoch gives to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// By turns served: a half, and what does not divide.
    pub sequencers: U256,
    /// By stake: a quarter.
    pub stakers: U256,
    /// To the proof network's pool: a quarter.
    pub provers: U256,
}

/// The part of the supply that is mined.
#[must_use]
pub fn mined(tokenomics: &Tokenomics) -> U256 {
    tokenomics.supply * U256::from(2) / U256::from(5)
}

fn era(tokenomics: &Tokenomics, era: u64) -> U256 {
    // The supply is below 2^128: shifts that long give zero.
    mined(tokenomics) >> era.saturating_add(1).min(256) as usize
}

/// What epoch number `epoch`, from 0, emits.
#[must_use]
pub fn emission(tokenomics: &Tokenomics, epoch: u64) -> U256 {
    let halving = tokenomics.halving.max(1);
    let (each, more) = era(tokenomics, epoch / halving).div_rem(U256::from(halving));
    each + U256::from(U256::from(epoch % halving) < more)
}

/// What all epochs before `epoch` emit together.
#[must_use]
pub fn emitted_before(tokenomics: &Tokenomics, epoch: u64) -> U256 {
    let halving = tokenomics.halving.max(1);
    let (eras, epochs) = (epoch / halving, U256::from(epoch % halving));
    let whole = (0..eras.min(256)).fold(U256::ZERO, |sum, k| sum + era(tokenomics, k));
    let (each, more) = era(tokenomics, eras).div_rem(U256::from(halving));
    whole + each * epochs + epochs.min(more)
}

/// Splits an epoch's emission.
#[must_use]
pub fn budgets(emission: U256) -> Budgets {
    let quarter = emission / U256::from(4);
    Budgets {
        sequencers: emission - quarter - quarter,
        stakers: quarter,
        provers: quarter,
    }
}

/// Splits an amount by weights, exactly: each part is rounded down of what is left, the last weight takes the rest.
pub(crate) struct Split {
    left: U256,
    weight: U256,
}

impl Split {
    pub(crate) fn new(amount: U256, weights: impl Iterator<Item = U256>) -> Self {
        Self {
            left: amount,
            weight: weights.fold(U256::ZERO, |sum, weight| sum + weight),
        }
    }

    /// The part of the next weight.
    pub(crate) fn next(&mut self, weight: U256) -> U256 {
        // Both factors are below 2^128.
        let part = (self.left * weight).checked_div(self.weight).unwrap_or_default();
        self.left -= part;
        self.weight -= weight;
        part
    }

    /// What no weight took: everything, if all were zero.
    pub(crate) fn left(&self) -> U256 {
        self.left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};
    use proptest::prelude::*;

    fn tokenomics(supply: u128, halving: u64) -> Tokenomics {
        Tokenomics {
            supply: U256::from(supply),
            epoch: 1,
            halving,
            allocation: vec![],
            unbonding: 1,
            min_stake: U256::ZERO,
            equivocation_slash: 0,
            downtime_slash: 0,
            missed_allowed: 0,
        }
    }

    #[test]
    fn small_numbers_by_hand() {
        // 100 of 250 are mined: eras of 50, 25, 12, 6, 3, 1, nothing; three epochs each.
        let tokenomics = tokenomics(250, 3);
        let emitted: Vec<u64> = (0..21).map(|e| emission(&tokenomics, e).to()).collect();
        assert_eq!(
            emitted,
            [17, 17, 16, 9, 8, 8, 4, 4, 4, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0, 0]
        );
        assert_eq!(emitted_before(&tokenomics, u64::MAX), U256::from(97));
        assert_eq!(
            budgets(U256::from(7)),
            Budgets {
                sequencers: U256::from(5),
                stakers: U256::from(1),
                provers: U256::from(1),
            }
        );
    }

    #[test]
    fn what_is_left_over_goes_to_the_first_epochs_of_an_era() {
        let tokenomics = tokenomics(10, 3);
        let epochs: Vec<U256> = (0..6).map(|epoch| emission(&tokenomics, epoch)).collect();
        assert_eq!(epochs, [1, 1, 0, 1, 0, 0].map(U256::from));
    }

    #[test]
    fn far_epochs_emit_nothing() {
        let tokenomics = tokenomics(u128::MAX, 1);
        for epoch in [127, 128, 255, 256, 1 << 40, u64::MAX] {
            assert_eq!(emission(&tokenomics, epoch), U256::ZERO);
        }
    }

    proptest! {
        #[test]
        fn sums_are_exact_and_below_what_is_mined(
            supply in 1..u128::MAX, halving in 1u64..50, epochs in 0u64..400,
        ) {
            let tokenomics = tokenomics(supply, halving);
            let sum: U256 = (0..epochs).map(|epoch| emission(&tokenomics, epoch)).sum();
            prop_assert_eq!(sum, emitted_before(&tokenomics, epochs));
            prop_assert!(emitted_before(&tokenomics, u64::MAX) <= mined(&tokenomics));
            // Never more later, but for the smallest unit that is left over in an era and goes to its first epochs.
            for epoch in 1..epochs {
                prop_assert!(emission(&tokenomics, epoch) <= emission(&tokenomics, epoch - 1) + U256::from(1));
            }
        }

        #[test]
        fn a_split_gives_all_of_it(
            amount in any::<u128>(), weights in proptest::collection::vec(any::<u64>(), 0..20),
        ) {
            let weights: Vec<U256> = weights.into_iter().map(U256::from).collect();
            let amount = U256::from(amount);
            let mut split = Split::new(amount, weights.iter().copied());
            let mut sum = U256::ZERO;
            let all: U256 = weights.iter().copied().sum();
            for weight in &weights {
                let part = split.next(*weight);
                sum += part;
                // Within a unit a weight of its fair part.
                let fair = amount * *weight / all.max(U256::from(1));
                prop_assert!(part.abs_diff(fair) <= U256::from(weights.len()));
                prop_assert!(!weight.is_zero() || part.is_zero());
            }
            prop_assert_eq!(sum + split.left(), amount);
            prop_assert!(all.is_zero() || split.left().is_zero());
        }
    }
}
