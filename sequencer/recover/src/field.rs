//! The field of the curve: numbers modulo p = 2^256 - 2^32 - 977, for a machine that multiplies 32 bits by 32 and adds the
//! product to 64.
//!
//! A number is nine limbs of 29 bits, the lowest first, the top one of 24. Limbs may be larger: *magnitude* m means that
//! each is at most m · (2^29 + 2^13), the top one at most m · (2^24 + 2^13). Sums add magnitudes; 7 is the most that fits a
//! word. The limit of a product is that a column, nine products of limbs, stays below 2^64: the product of both magnitudes
//! is at most 7, since 9 · 7 · (2^29 + 2^13)² and what is carried to it are less. Nothing checks magnitudes at run
//! time: each caller states them, debug builds panic where a sum overflows, and tests go to the limits.

#[cfg(target_arch = "mips")]
mod mips;
#[cfg(any(not(target_arch = "mips"), feature = "self-check"))]
mod portable;
#[cfg(feature = "self-check")]
mod self_check;
#[cfg(test)]
mod tests;

#[cfg(feature = "self-check")]
pub use self_check::products_agree;

#[cfg(target_arch = "mips")]
use mips::{product, square};
#[cfg(not(target_arch = "mips"))]
use portable::{product, square};

pub(crate) const LIMBS: usize = 9;
const BITS: u32 = 29;
const MASK: u32 = (1 << BITS) - 1;
/// Bits of the top limb.
const TOP: u32 = 24;
/// 2^256 = 977 + 8 · 2^29 modulo p.
const FOLD: [u32; 2] = [977, 8];
/// p.
pub(crate) const P: [u32; LIMBS] = [
    MASK - 976,
    MASK - 8,
    MASK,
    MASK,
    MASK,
    MASK,
    MASK,
    MASK,
    (1 << TOP) - 1,
];

/// A number modulo p.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fe(pub(crate) [u32; LIMBS]);

impl Fe {
    pub(crate) const ONE: Self = Self([1, 0, 0, 0, 0, 0, 0, 0, 0]);

    /// Reads 32 bytes, big-endian; `None` if they are p or more. Magnitude 1.
    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let word = |i: usize| match i {
            0..8 => u32::from_be_bytes(core::array::from_fn(|byte| bytes[28 - 4 * i + byte])),
            _ => 0,
        };
        let limbs = core::array::from_fn(|i| {
            let bit = BITS as usize * i;
            let pair = u64::from(word(bit / 32)) | u64::from(word(bit / 32 + 1)) << 32;
            (pair >> (bit % 32)) as u32 & MASK
        });
        limbs.iter().rev().lt(P.iter().rev()).then_some(Self(limbs))
    }

    /// 32 bytes, big-endian, of the number below p. Any magnitude.
    pub(crate) fn to_bytes(self) -> [u8; 32] {
        let limbs = self.reduce().0;
        core::array::from_fn(|i| {
            let bit = 8 * (31 - i);
            let (limb, shift) = (bit / BITS as usize, bit as u32 % BITS);
            let next = limbs.get(limb + 1).map_or(0, |next| u64::from(*next) << BITS);
            ((u64::from(limbs[limb]) | next) >> shift) as u8
        })
    }

    /// The same number with magnitude 1, less than 2p. Any magnitude.
    pub(crate) fn carry(&self) -> Self {
        let mut limbs = self.0;
        let over = limbs[8] >> TOP;
        limbs[8] &= (1 << TOP) - 1;
        add_fold(&mut limbs, over);
        Self(limbs)
    }

    /// The number below p. Any magnitude.
    fn reduce(&self) -> Self {
        let mut limbs = self.carry().0;
        if !limbs.iter().rev().lt(P.iter().rev()) {
            // Adding 2^256 - p brings it over 2^256, which is taken away.
            add_fold(&mut limbs, 1);
            limbs[8] &= (1 << TOP) - 1;
        }
        Self(limbs)
    }

    /// Whether it is zero; only of what [`Fe::carry`] gave.
    pub(crate) fn is_zero(&self) -> bool {
        self.0 == [0; LIMBS] || self.0 == P
    }

    /// Whether the number below p is odd. Any magnitude.
    pub(crate) fn is_odd(&self) -> bool {
        self.reduce().0[0] & 1 == 1
    }

    /// The sum. Magnitudes add up.
    pub(crate) fn add(&self, other: &Self) -> Self {
        Self(core::array::from_fn(|i| self.0[i] + other.0[i]))
    }

    /// A small multiple. The magnitude is multiplied.
    pub(crate) fn times(&self, factor: u32) -> Self {
        Self(self.0.map(|limb| limb * factor))
    }

    /// Minus the number, whose magnitude is at most `magnitude`; the result has one more.
    pub(crate) fn negate(&self, magnitude: u32) -> Self {
        Self(core::array::from_fn(|i| (magnitude + 1) * P[i] - self.0[i]))
    }

    /// The product, of magnitude 1. The product of both magnitudes is at most 7.
    pub(crate) fn mul(&self, other: &Self) -> Self {
        Self(product(&self.0, &other.0))
    }

    /// The square, of magnitude 1. The magnitude is at most 2.
    pub(crate) fn square(&self) -> Self {
        Self(square(&self.0))
    }

    /// The power 2^`count`.
    fn squares(&self, count: u32) -> Self {
        (0..count).fold(*self, |power, _| power.square())
    }

    /// The powers 2^n - 1 for n = 2, 22 and 223, of which the exponents below are made.
    fn ones(&self) -> [Self; 3] {
        let x2 = self.square().mul(self);
        let x3 = x2.square().mul(self);
        let x6 = x3.squares(3).mul(&x3);
        let x9 = x6.squares(3).mul(&x3);
        let x11 = x9.squares(2).mul(&x2);
        let x22 = x11.squares(11).mul(&x11);
        let x44 = x22.squares(22).mul(&x22);
        let x88 = x44.squares(44).mul(&x44);
        let x176 = x88.squares(88).mul(&x88);
        let x220 = x176.squares(44).mul(&x44);
        let x223 = x220.squares(3).mul(&x3);
        [x2, x22, x223]
    }

    /// The inverse: the power p - 2, so of zero zero. Magnitude 1, as its result.
    pub(crate) fn invert(&self) -> Self {
        let [x2, x22, x223] = self.ones();
        let power = x223.squares(23).mul(&x22).squares(5).mul(self);
        power.squares(3).mul(&x2).squares(2).mul(self)
    }

    /// A square root: the power (p + 1) / 4. `None` if there is none. Magnitude 1, as its result.
    pub(crate) fn sqrt(&self) -> Option<Self> {
        let [x2, x22, x223] = self.ones();
        let root = x223.squares(23).mul(&x22).squares(6).mul(&x2).squares(2);
        // 1 + 2 = 3.
        let difference = root.square().add(&self.negate(1)).carry();
        difference.is_zero().then_some(root)
    }
}

/// Adds `over` times 2^256 modulo p, and carries. Limbs below the top one may be up to 7 · (2^29 + 2^13).
fn add_fold(limbs: &mut [u32; LIMBS], over: u32) {
    // 7 · (2^29 + 2^13) + 2^8 · 977 fits a word.
    limbs[0] += over * FOLD[0];
    limbs[1] += over * FOLD[1];
    for i in 0..8 {
        limbs[i + 1] += limbs[i] >> BITS;
        limbs[i] &= MASK;
    }
}
