//! Points, for results that are no secret: each operation takes the shortest way.
//!
//! Magnitudes (see [`crate::field`]) are 1 where none is written; comments count where they come near the limit: a product's
//! factors at most 7 together, a square's at most 2.

use crate::field::Fe;

/// Width of the digits of a point that is not known before.
pub(crate) const WIDTH: u32 = 5;
/// Odd multiples that such digits name.
const ENTRIES: usize = 1 << (WIDTH - 2);

/// β: a cube root of 1 in the field, with λ·(x, y) = (β·x, y).
const BETA: [u8; 32] = [
    0x7a, 0xe9, 0x6a, 0x2b, 0x65, 0x7c, 0x07, 0x10, 0x6e, 0x64, 0x47, 0x9e, 0xac, 0x34, 0x34, 0xe9, 0x9c,
    0xf0, 0x49, 0x75, 0x12, 0xf5, 0x89, 0x95, 0xc1, 0x39, 0x6c, 0x28, 0x71, 0x95, 0x01, 0xee,
];

/// The curve is y² = x³ + 7.
const SEVEN: Fe = Fe([7, 0, 0, 0, 0, 0, 0, 0, 0]);

/// A point that is not infinity. The magnitude of y is at most 2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Affine {
    pub(crate) x: Fe,
    pub(crate) y: Fe,
}

/// A point: infinity, or (X/Z², Y/Z³).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Jacobian {
    Infinity,
    Finite(Coordinates),
}

/// The magnitude of y is at most 2. Z is not zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coordinates {
    x: Fe,
    y: Fe,
    z: Fe,
}

/// A point that is added more than once: its coordinates with Z² and Z³.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prepared {
    point: Coordinates,
    zz: Fe,
    zzz: Fe,
}

impl Affine {
    /// The point with this x and a y that is odd or even, if the curve has it.
    pub(crate) fn decompress(x: &[u8; 32], y_is_odd: bool) -> Option<Self> {
        let x = Fe::from_bytes(x)?;
        let y = x.square().mul(&x).add(&SEVEN).carry().sqrt()?;
        let y = if y.is_odd() == y_is_odd { y } else { y.negate(1) };
        // y is not zero: the curve has no point of order two.
        Some(Self { x, y })
    }
}

impl Jacobian {
    pub(crate) fn double(&self) -> Self {
        match self {
            Self::Infinity => Self::Infinity,
            Self::Finite(point) => Self::Finite(point.double()),
        }
    }

    pub(crate) fn add_affine(&self, other: &Affine) -> Self {
        let Self::Finite(Coordinates { x, y, z }) = self else {
            return Self::Finite(Coordinates::from(other));
        };
        let zz = z.square();
        let (u, s) = (other.x.mul(&zz), other.y.mul(&zz.mul(z)));
        self.add_scaled(x, y, &u, &s, z)
    }

    pub(crate) fn add(&self, other: &Prepared) -> Self {
        let Self::Finite(Coordinates { x, y, z }) = self else {
            return Self::Finite(other.point);
        };
        let zz = z.square();
        let (u1, s1) = (x.mul(&other.zz), y.mul(&other.zzz));
        let (u2, s2) = (other.point.x.mul(&zz), other.point.y.mul(&zz.mul(z)));
        self.add_scaled(&u1, &s1, &u2, &s2, &z.mul(&other.point.z))
    }

    /// The sum of `self`, which is (u1, s1), and (u2, s2), both over the denominator `z`. The magnitude of s1 is at most 2.
    fn add_scaled(&self, u1: &Fe, s1: &Fe, u2: &Fe, s2: &Fe, z: &Fe) -> Self {
        let h = u2.add(&u1.negate(1)).carry();
        let r = s2.add(&s1.negate(2)).carry();
        if h.is_zero() {
            return if r.is_zero() {
                self.double()
            } else {
                Self::Infinity
            };
        }
        let hh = h.square();
        let hhh = hh.mul(&h);
        let v = u1.mul(&hh);
        // 1 + 2 + 3 = 6.
        let x = r.square().add(&hhh.negate(1)).add(&v.times(2).negate(2)).carry();
        // 1 · (1 + 2), and 1 + 2 = 3.
        let y = r.mul(&v.add(&x.negate(1))).add(&hhh.mul(s1).negate(1)).carry();
        let z = z.mul(&h);
        Self::Finite(Coordinates { x, y, z })
    }

    /// `None` if it is infinity.
    pub(crate) fn to_affine(self) -> Option<Affine> {
        let Self::Finite(Coordinates { x, y, z }) = self else {
            return None;
        };
        let inverse = z.invert();
        let square = inverse.square();
        Some(Affine {
            x: x.mul(&square),
            y: y.mul(&square.mul(&inverse)),
        })
    }
}

impl From<&Affine> for Coordinates {
    fn from(point: &Affine) -> Self {
        Self {
            x: point.x,
            y: point.y,
            z: Fe::ONE,
        }
    }
}

impl Coordinates {
    /// The curve has no point of order two, so this is never infinity.
    fn double(&self) -> Self {
        let Self { x, y, z } = self;
        // M = 3X², S = 4XY²; 2 · 2 for S, and 2 of twice Y² for its square, 4Y⁴.
        let m = x.mul(&x.times(3));
        let yy = y.square().times(2);
        let s = x.times(2).mul(&yy);
        // 1 + 3 = 4.
        let x = m.square().add(&s.times(2).negate(2)).carry();
        // 1 · (1 + 2), and 1 + 3 = 4.
        let y = m
            .mul(&s.add(&x.negate(1)))
            .add(&yy.square().times(2).negate(2))
            .carry();
        Self {
            x,
            y,
            // 2 · 2 = 4.
            z: self.y.mul(&z.times(2)),
        }
    }

    fn prepare(self) -> Prepared {
        let zz = self.z.square();
        Prepared {
            point: self,
            zz,
            zzz: zz.mul(&self.z),
        }
    }
}

/// 1, 3, 5, … times a point.
pub(crate) struct Multiples([Prepared; ENTRIES]);

impl Multiples {
    /// No multiple up to 15 is infinity: the order of every point is a large prime.
    pub(crate) fn of(point: &Affine) -> Self {
        let first = Coordinates::from(point);
        let twice = first.double().prepare();
        let mut entries = [first.prepare(); ENTRIES];
        let mut last = Jacobian::Finite(first);
        for entry in &mut entries[1..] {
            last = last.add(&twice);
            if let Jacobian::Finite(point) = last {
                *entry = point.prepare();
            }
        }
        Self(entries)
    }

    /// The same multiples of λ times the point.
    pub(crate) fn turned(&self) -> Self {
        let beta = Fe::from_bytes(&BETA).expect("the constant is below the field's order");
        Self(self.0.map(|mut entry| {
            entry.point.x = entry.point.x.mul(&beta);
            entry
        }))
    }

    /// The multiple that an odd digit names.
    pub(crate) fn entry(&self, digit: i8) -> Prepared {
        let mut entry = self.0[usize::from(digit.unsigned_abs() / 2)];
        if digit < 0 {
            entry.point.y = entry.point.y.carry().negate(1);
        }
        entry
    }
}
