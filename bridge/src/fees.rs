//! Fee rates in satoshi per virtual byte, and the fee tiers of endings.
//!
//! A loser can hang a heavy child of its own on its last message or on a late answer. What conflicts with them has to pay
//! more than all of it at once (`BIP-125` rules 3 and 4; release 31's feerate diagram), and a presigned fee cannot grow. So
//! every ending is presigned in several tiers: tier 0 pays the base rate, each other one additionally what displaces a full
//! cluster at four times the rate of the tier before, the last one at the highest fee rate of the terms. A tier replaces a
//! pin by itself, as a single transaction, under every release. Nothing presigned descends from an ending, so tiers cost
//! signatures only.

use core::fmt;

use bitcoin::{Amount, Weight};

/// A fee rate in whole satoshi per virtual byte, at least 1: release 29 relays nothing below that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SatPerVbyte(u32);

impl SatPerVbyte {
    /// 1 sat/vB, the least that every release relays.
    pub const MIN: SatPerVbyte = SatPerVbyte(1);

    /// `rate` sat/vB; `None` for zero.
    pub const fn new(rate: u32) -> Option<Self> {
        if rate == 0 { None } else { Some(SatPerVbyte(rate)) }
    }

    /// The rate in sat/vB.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// What a transaction of this weight pays, virtual bytes rounded up.
    pub fn fee(self, weight: Weight) -> Amount {
        self.fee_vbytes(weight.to_vbytes_ceil())
    }

    /// What `vbytes` virtual bytes pay.
    pub fn fee_vbytes(self, vbytes: u64) -> Amount {
        Amount::from_sat(vbytes.saturating_mul(u64::from(self.0)))
    }
}

impl fmt::Display for SatPerVbyte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sat/vB", self.0)
    }
}

/// Most virtual bytes that an unconfirmed transaction and its descendants have: release 31's cluster limit, and the
/// descendant limit of the releases before.
pub const CLUSTER_VBYTES: u64 = 101_000;

/// How much dearer the cluster is that each tier displaces.
const STEP: u32 = 4;

/// Number of a fee tier: 0 pays the base rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tier(u8);

impl Tier {
    /// The tier that displaces nothing.
    pub const BASE: Tier = Tier(0);

    /// Its number.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The tier above.
    pub const fn next(self) -> Tier {
        Tier(self.0.saturating_add(1))
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fee tier {}", self.0)
    }
}

/// What a transaction pays by itself: a rate for its own weight, and a fixed sum that displaces others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fee {
    tier: Tier,
    rate: SatPerVbyte,
    displacing: Amount,
}

impl Fee {
    /// The tiers of an ending, tier 0 first.
    pub fn tiers(base: SatPerVbyte, highest: SatPerVbyte) -> Vec<Fee> {
        let mut fees = vec![Fee::from(base)];
        let mut rate = base;
        while rate < highest || fees.len() == 1 {
            rate = SatPerVbyte(rate.0.saturating_mul(STEP).min(highest.0.max(base.0)));
            fees.push(Fee {
                // At most 17 tiers: the rate has 32 bits and grows by two in each.
                tier: Tier(fees.len() as u8),
                rate: base,
                displacing: rate.fee_vbytes(CLUSTER_VBYTES),
            });
        }
        fees
    }

    /// Which tier.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// What it pays beyond the base rate.
    pub fn displacing(&self) -> Amount {
        self.displacing
    }

    /// What a transaction of this weight pays.
    pub fn of(&self, weight: Weight) -> Amount {
        self.rate.fee(weight) + self.displacing
    }
}

impl From<SatPerVbyte> for Fee {
    fn from(rate: SatPerVbyte) -> Self {
        Fee {
            tier: Tier::BASE,
            rate,
            displacing: Amount::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fees_round_virtual_bytes_up() {
        let rate = SatPerVbyte::new(3).expect("not zero");
        assert_eq!(rate.fee(Weight::from_wu(401)), Amount::from_sat(303));
        assert_eq!(rate.fee(Weight::from_wu(400)), Amount::from_sat(300));
    }

    #[test]
    fn a_rate_of_zero_cannot_be_expressed() {
        assert_eq!(SatPerVbyte::new(0), None);
    }

    #[test]
    fn tiers_go_up_by_four_to_exactly_the_highest_rate() {
        let rate = |sats| SatPerVbyte::new(sats).expect("not zero");
        let displaced = |base, highest| -> Vec<u64> {
            let fees = Fee::tiers(rate(base), rate(highest));
            assert!(fees.iter().zip(0..).all(|(fee, tier)| fee.tier().get() == tier));
            fees.iter()
                .map(|fee| fee.displacing().to_sat() / CLUSTER_VBYTES)
                .collect()
        };
        assert_eq!(displaced(1, 40), [0, 4, 16, 40]);
        assert_eq!(displaced(1, 64), [0, 4, 16, 64]);
        assert_eq!(displaced(3, 10), [0, 10]);
        assert_eq!(displaced(5, 5), [0, 5]);
        let all = displaced(1, u32::MAX);
        assert_eq!((all.len(), all.last()), (17, Some(&u64::from(u32::MAX))));
    }
}
