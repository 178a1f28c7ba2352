//! Which coins pay for a transaction. Pure arithmetic on sizes and amounts.
//!
//! Invariant of a [`Selection`]: inputs = outputs + change + fee to the satoshi, the fee is at least the rate times the
//! signed size, and change is either absent or above dust.

use bitcoin::{Amount, FeeRate, Transaction, Weight};

/// A key-path Taproot input: outpoint, empty script, sequence (41 bytes at 4 WU each), then the
/// witness: count, length, a 64-byte Schnorr signature (BIP-0341, `SIGHASH_DEFAULT`).
pub(crate) const INPUT_WEIGHT: Weight = Weight::from_wu(41 * 4 + 66);
/// A P2TR output: amount, length, 34-byte script.
const CHANGE_WEIGHT: Weight = Weight::from_wu(43 * 4);
/// Below this Bitcoin Core's policy takes a P2TR output for dust (its spend at 3 sat/vB).
pub(crate) const CHANGE_DUST: Amount = Amount::from_sat(330);
/// Standard transactions weigh at most this (Bitcoin Core's `MAX_STANDARD_TX_WEIGHT`).
const STANDARD_WEIGHT: Weight = Weight::from_wu(400_000);

/// Coins do not pay for a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CoinsError {
    /// There is too little money.
    #[error("insufficient funds: {needed} needed with the fee, {available} available")]
    Insufficient {
        /// Outputs and fee.
        needed: Amount,
        /// All coins together.
        available: Amount,
    },
    /// The transaction would be too heavy to be relayed.
    #[error("transaction would weigh {weight} WU, at most {} are standard", STANDARD_WEIGHT.to_wu())]
    TooHeavy {
        /// Its weight in weight units.
        weight: u64,
    },
    /// Amounts overflow.
    #[error("the amounts add up to more than all bitcoin")]
    Overflow,
}

/// Coins that pay for a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Places in the list of coins.
    pub(crate) inputs: Vec<usize>,
    /// What goes back to the wallet; `None` if it were dust (the fee then takes it).
    pub(crate) change: Option<Amount>,
    /// What is left to the miner.
    pub(crate) fee: Amount,
}

/// The weight that `tx`, still without inputs, has apart from inputs and change. The counts of inputs and outputs are
/// taken at their longest in a standard transaction (3 bytes each), marker and flag at 2 WU.
pub(crate) fn base_weight(tx: &Transaction) -> Weight {
    let outputs: u64 = tx.output.iter().map(|output| output.weight().to_wu()).sum();
    Weight::from_wu((4 + 4 + 3 + 3) * 4 + 2 + outputs)
}

/// Chooses the largest coins first, which makes the smallest transaction.
///
/// `base` is the weight of the transaction without inputs and change, `spent` the sum of its outputs.
pub(crate) fn select(
    coins: &[Amount],
    spent: Amount,
    base: Weight,
    rate: FeeRate,
) -> Result<Selection, CoinsError> {
    let fee_at = |weight: Weight| rate.fee_wu(weight).ok_or(CoinsError::Overflow);
    let mut order: Vec<usize> = (0..coins.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(coins[i]));

    let mut inputs = Vec::new();
    let (mut gathered, mut weight) = (Amount::ZERO, base);
    for i in order {
        inputs.push(i);
        gathered = gathered.checked_add(coins[i]).ok_or(CoinsError::Overflow)?;
        weight += INPUT_WEIGHT;
        let needed = spent.checked_add(fee_at(weight)?).ok_or(CoinsError::Overflow)?;
        if gathered < needed {
            continue;
        }
        let with_change = weight + CHANGE_WEIGHT;
        if with_change > STANDARD_WEIGHT {
            return Err(CoinsError::TooHeavy {
                weight: with_change.to_wu(),
            });
        }
        let rest = gathered - spent;
        let change = rest
            .checked_sub(fee_at(with_change)?)
            .filter(|&c| c >= CHANGE_DUST);
        return Ok(Selection {
            inputs,
            change,
            fee: rest - change.unwrap_or(Amount::ZERO),
        });
    }
    let needed = spent.checked_add(fee_at(weight)?).ok_or(CoinsError::Overflow)?;
    Err(CoinsError::Insufficient {
        needed,
        available: gathered,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: Weight = Weight::from_wu(42 + 172);

    fn sats(amounts: &[u64]) -> Vec<Amount> {
        amounts.iter().map(|&a| Amount::from_sat(a)).collect()
    }

    fn rate(sat_per_vb: u64) -> FeeRate {
        FeeRate::from_sat_per_vb(sat_per_vb).unwrap()
    }

    #[test]
    fn takes_the_largest_first() {
        let selection = select(
            &sats(&[1_000, 90_000, 50_000]),
            Amount::from_sat(100_000),
            BASE,
            rate(1),
        )
        .unwrap();
        assert_eq!(selection.inputs, [1, 2]);
        let weight = BASE.to_wu() + 2 * INPUT_WEIGHT.to_wu() + CHANGE_WEIGHT.to_wu();
        assert_eq!(selection.fee, Amount::from_sat(weight.div_ceil(4)));
        assert_eq!(selection.change, Some(Amount::from_sat(40_000) - selection.fee));
    }

    #[test]
    fn dust_goes_to_the_fee() {
        let selection = select(&sats(&[10_480]), Amount::from_sat(10_000), BASE, rate(1)).unwrap();
        assert_eq!((selection.change, selection.fee), (None, Amount::from_sat(480)));
    }

    #[test]
    fn says_what_is_missing() {
        let error = select(&sats(&[10_000, 50]), Amount::from_sat(10_000), BASE, rate(2)).unwrap_err();
        let fee = (BASE.to_wu() + 2 * INPUT_WEIGHT.to_wu()).div_ceil(2);
        let needed = Amount::from_sat(10_000 + fee);
        assert_eq!(
            error,
            CoinsError::Insufficient {
                needed,
                available: Amount::from_sat(10_050)
            }
        );
        let error = select(&[], Amount::from_sat(1), BASE, rate(1)).unwrap_err();
        assert!(matches!(
            error,
            CoinsError::Insufficient {
                available: Amount::ZERO,
                ..
            }
        ));
    }

    #[test]
    fn refuses_what_no_node_relays() {
        let many = vec![Amount::from_sat(1_000); 2_000];
        let error = select(&many, Amount::from_sat(1_700_000), BASE, rate(1)).unwrap_err();
        assert!(matches!(error, CoinsError::TooHeavy { .. }));
        let error = select(&[Amount::MAX, Amount::MAX], Amount::MAX, BASE, rate(1)).unwrap_err();
        assert_eq!(error, CoinsError::Overflow);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(
            coins in prop::collection::vec(0_u64..1_000_000, 0..20),
            spent in 0_u64..5_000_000,
            sat_per_vb in 0_u64..50,
        ) {
            let coins = sats(&coins);
            let spent = Amount::from_sat(spent);
            if let Ok(selection) = select(&coins, spent, BASE, rate(sat_per_vb)) {
                let gathered: Amount = selection.inputs.iter().map(|&i| coins[i]).sum();
                let change = selection.change.unwrap_or(Amount::ZERO);
                prop_assert_eq!(gathered, spent + change + selection.fee);
                let mut weight = BASE + INPUT_WEIGHT * selection.inputs.len() as u64;
                if selection.change.is_some() {
                    weight += CHANGE_WEIGHT;
                    prop_assert!(change >= CHANGE_DUST);
                }
                prop_assert!(selection.fee >= rate(sat_per_vb).fee_wu(weight).unwrap());
                let mut unique = selection.inputs.clone();
                unique.sort_unstable();
                unique.dedup();
                prop_assert_eq!(unique.len(), selection.inputs.len());
            }
        }
    }
}
