//! Scalars as few non-zero digits.

use k256::elliptic_curve::PrimeField;
use k256::elliptic_curve::scalar::IsHigh;
use k256::{FieldBytes, Scalar};

/// Places of the digits of a number below 2^128.
pub(crate) const PLACES: usize = 129;

/// Digits of a number: `sum(digit[i] · 2^i)`, each zero or odd and less than 2^(width - 1) in magnitude, at least `width - 1`
/// zeros after each other one (width-w NAF).
pub(crate) fn sparse(number: u128, width: u32) -> [i8; PLACES] {
    let limbs: [u32; 5] = [
        number as u32,
        (number >> 32) as u32,
        (number >> 64) as u32,
        (number >> 96) as u32,
        0,
    ];
    let bits = |at: usize, count: u32| {
        let (limb, shift) = (at / 32, at as u32 % 32);
        let low = limbs[limb] >> shift;
        let high = match limbs.get(limb + 1) {
            Some(next) if shift > 0 => next << (32 - shift),
            _ => 0,
        };
        (low | high) & ((1 << count) - 1)
    };
    let mut digits = [0; PLACES];
    let (mut at, mut carry) = (0, 0);
    while at < PLACES {
        if bits(at, 1) == carry {
            at += 1;
            continue;
        }
        let count = width.min((PLACES - at) as u32);
        let word = bits(at, count) + carry;
        carry = word >> (width - 1) & 1;
        digits[at] = (word as i32 - ((carry as i32) << width)) as i8;
        at += count as usize;
    }
    digits
}

/// The low and the high 128 bits of a scalar.
pub(crate) fn halves(scalar: &Scalar) -> (u128, u128) {
    let bytes = scalar.to_bytes();
    let half = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte));
    (half(&bytes[16..]), half(&bytes[..16]))
}

/// A number with a sign.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed {
    pub(crate) magnitude: u128,
    pub(crate) negative: bool,
}

/// k₁ and k₂ below 2^128 in magnitude with k = k₁ + λ·k₂, where λ·(x, y) = (β·x, y): "Guide to Elliptic Curve Cryptography",
/// algorithm 3.74, with the constants and the rounding of libsecp256k1, whose proof of the bounds holds for them.
pub(crate) fn split(k: &Scalar) -> [Signed; 2] {
    let limbs = limbs(k);
    let c1 = round_shift(&limbs, &G1);
    let c2 = round_shift(&limbs, &G2);
    let k2 = Scalar::from(c1) * constant(&MINUS_B1) + Scalar::from(c2) * constant(&MINUS_B2);
    let k1 = k + &(k2 * constant(&MINUS_LAMBDA));
    [k1, k2].map(|part| {
        let negative = bool::from(part.is_high());
        let (magnitude, high) = halves(&if negative { -part } else { part });
        debug_assert_eq!(high, 0);
        Signed { magnitude, negative }
    })
}

/// Limbs, the lowest first.
fn limbs(scalar: &Scalar) -> [u32; 8] {
    let bytes = scalar.to_bytes();
    core::array::from_fn(|i| {
        let at = 28 - 4 * i;
        u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
    })
}

/// a·b / 2^384, rounded to the nearest; below 2^128 as b is below 2^256.
fn round_shift(a: &[u32; 8], b: &[u32; 8]) -> u128 {
    let mut product = [0u32; 16];
    for (i, a) in a.iter().enumerate() {
        let mut carry = 0u64;
        for (j, b) in b.iter().enumerate() {
            let sum = u64::from(*a) * u64::from(*b) + u64::from(product[i + j]) + carry;
            product[i + j] = sum as u32;
            carry = sum >> 32;
        }
        product[i + 8] = carry as u32;
    }
    let top = product[12..]
        .iter()
        .rev()
        .fold(0, |sum, limb| sum << 32 | u128::from(*limb));
    top + u128::from(product[11] >> 31)
}

fn constant(bytes: &[u8; 32]) -> Scalar {
    Option::from(Scalar::from_repr(FieldBytes::from(*bytes))).expect("the constants are below the order")
}

/// round(2^384 · b₂ / n), the lowest limb first.
const G1: [u32; 8] = [
    0x45db_b031,
    0xe893_209a,
    0x71e8_ca7f,
    0x3daa_8a14,
    0x9284_eb15,
    0xe86c_90e4,
    0xa7d4_6bcd,
    0x3086_d221,
];
/// round(2^384 · -b₁ / n), the lowest limb first.
const G2: [u32; 8] = [
    0x8ac4_7f71,
    0x1571_b4ae,
    0x9df5_06c6,
    0x2212_08ac,
    0x0abf_e4c4,
    0x6f54_7fa9,
    0x010e_8828,
    0xe443_7ed6,
];
const MINUS_B1: [u8; 32] = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xe4, 0x43, 0x7e, 0xd6, 0x01, 0x0e, 0x88, 0x28, 0x6f,
    0x54, 0x7f, 0xa9, 0x0a, 0xbf, 0xe4, 0xc3,
];
const MINUS_B2: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0x8a,
    0x28, 0x0a, 0xc5, 0x07, 0x74, 0x34, 0x6d, 0xd7, 0x65, 0xcd, 0xa8, 0x3d, 0xb1, 0x56, 0x2c,
];
const MINUS_LAMBDA: [u8; 32] = [
    0xac, 0x9c, 0x52, 0xb3, 0x3f, 0xa3, 0xcf, 0x1f, 0x5a, 0xd9, 0xe3, 0xfd, 0x77, 0xed, 0x9b, 0xa4, 0xa8,
    0x80, 0xb9, 0xfc, 0x8e, 0xc7, 0x39, 0xc2, 0xe0, 0xcf, 0xc8, 0x10, 0xb5, 0x12, 0x83, 0xcf,
];
