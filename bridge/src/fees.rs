//! Fee rates in satoshi per virtual byte.

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
}
