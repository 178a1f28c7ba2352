//! Points, for results that are no secret: each operation takes the shortest way.
//!
//! Magnitudes, which bound how far a field element is from being reduced, are written where they matter: products and
//! squares take factors of at most 8 and have 1, `negate(m)` has m + 1, sums add up.

use k256::FieldElement;

/// Width of the digits of a point that is not known before.
pub(crate) const WIDTH: u32 = 5;
/// Odd multiples that such digits name.
const ENTRIES: usize = 1 << (WIDTH - 2);

/// β: a cube root of 1 in the field, with λ·(x, y) = (β·x, y).
const BETA: [u8; 32] = [
    0x7a, 0xe9, 0x6a, 0x2b, 0x65, 0x7c, 0x07, 0x10, 0x6e, 0x64, 0x47, 0x9e, 0xac, 0x34, 0x34, 0xe9, 0x9c,
    0xf0, 0x49, 0x75, 0x12, 0xf5, 0x89, 0x95, 0xc1, 0x39, 0x6c, 0x28, 0x71, 0x95, 0x01, 0xee,
];

/// A point that is not infinity; magnitudes at most 2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Affine {
    pub(crate) x: FieldElement,
    pub(crate) y: FieldElement,
}

/// A point: infinity, or (X/Z², Y/Z³).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Jacobian {
    Infinity,
    Finite(Coordinates),
}

/// Magnitudes: x at most 7, y at most 4, z at most 2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coordinates {
    x: FieldElement,
    y: FieldElement,
    z: FieldElement,
}

/// A point that is added more than once: its coordinates with Z² and Z³.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prepared {
    point: Coordinates,
    zz: FieldElement,
    zzz: FieldElement,
}

fn is_zero(element: &FieldElement) -> bool {
    element.normalizes_to_zero().into()
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
        let (u, s) = (other.x * &zz, other.y * &(zz * z));
        self.add_scaled(x, y, &u, &s, z)
    }

    pub(crate) fn add(&self, other: &Prepared) -> Self {
        let Self::Finite(Coordinates { x, y, z }) = self else {
            return Self::Finite(other.point);
        };
        let zz = z.square();
        let (u1, s1) = (*x * &other.zz, *y * &other.zzz);
        let (u2, s2) = (other.point.x * &zz, other.point.y * &(zz * z));
        self.add_scaled(&u1, &s1, &u2, &s2, &(*z * &other.point.z))
    }

    /// The sum of `self`, which is (u1, s1), and (u2, s2), both over the denominator `z`. Magnitudes: u1 at most 7, s1 at most 4,
    /// u2 and s2 1, z at most 2.
    fn add_scaled(
        &self,
        u1: &FieldElement,
        s1: &FieldElement,
        u2: &FieldElement,
        s2: &FieldElement,
        z: &FieldElement,
    ) -> Self {
        // 1 + 8 = 9, reduced to 1; 1 + 5 = 6.
        let h = (*u2 + &u1.negate(7)).normalize_weak();
        let r = *s2 + &s1.negate(4);
        if is_zero(&h) {
            return if is_zero(&r) {
                self.double()
            } else {
                Self::Infinity
            };
        }
        let hh = h.square();
        let hhh = hh * &h;
        let v = *u1 * &hh;
        // 1 + 2 + 3 = 6.
        let x = r.square() + &hhh.negate(1) + &v.double().negate(2);
        // (1 + 7 = 8) · 6 has 1, and 1 + 2 = 3.
        let y = r * &(v + &x.negate(6)) + &(hhh * s1).negate(1);
        Self::Finite(Coordinates { x, y, z: *z * &h })
    }

    /// `None` if it is infinity.
    pub(crate) fn to_affine(self) -> Option<Affine> {
        let Self::Finite(Coordinates { x, y, z }) = self else {
            return None;
        };
        let inverse = Option::<FieldElement>::from(z.invert())?;
        let square = inverse.square();
        Some(Affine {
            x: (x * &square).normalize(),
            y: (y * &(square * &inverse)).normalize(),
        })
    }
}

impl From<&Affine> for Coordinates {
    fn from(point: &Affine) -> Self {
        Self {
            x: point.x,
            y: point.y,
            z: FieldElement::ONE,
        }
    }
}

impl Coordinates {
    /// The curve has no point of order two, so this is never infinity.
    fn double(&self) -> Self {
        let Self { x, y, z } = self;
        // M = 3X², S = 4XY².
        let m = x.square().mul_single(3);
        let yy = y.square();
        let s = (*x * &yy).mul_single(4);
        // 1 + 9 = 10, reduced.
        let x = (m.square() + &s.double().negate(8)).normalize_weak();
        let eighth = yy.square();
        // (4 + 2 = 6) · 3 has 1, and 1 + 9 = 10, reduced.
        let y = (m * &(s + &x.negate(1)) + &eighth.mul_single(8).negate(8)).normalize_weak();
        Self {
            x,
            y,
            z: (self.y * z).double(),
        }
    }

    fn prepare(self) -> Prepared {
        let zz = self.z.square();
        Prepared {
            point: self,
            zz,
            zzz: zz * &self.z,
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
        let beta = Option::<FieldElement>::from(FieldElement::from_bytes(&BETA.into()))
            .expect("the constant is below the field's order");
        Self(self.0.map(|mut entry| {
            entry.point.x = entry.point.x * &beta;
            entry
        }))
    }

    /// The multiple that an odd digit names.
    pub(crate) fn entry(&self, digit: i8) -> Prepared {
        let mut entry = self.0[usize::from(digit.unsigned_abs() / 2)];
        if digit < 0 {
            // 3 + 1 = 4.
            entry.point.y = entry.point.y.negate(3);
        }
        entry
    }
}
