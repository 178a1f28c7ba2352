//! Who signed: the public key of an ECDSA signature on secp256k1, in few steps of a 32-bit machine.
//!
//! Almost all steps of a guest that executes transfers go into this. Libraries that sign as well take care that time tells
//! nothing about secrets, and `k256` verifies each key that it recovers once more, which cannot fail. Nothing here is
//! secret, so: one double multiplication with sparse digits, in Jacobian coordinates, half-length scalars (Gallant,
//! Lambert, Vanstone) and a table of the generator's multiples. The result is exactly that of `k256` (tests compare).
//!
//! What an attacker tries here: a signature that the guest and other nodes judge differently. So every exceptional case of
//! the addition formulas is met: equal points, opposite ones, infinity. All are reachable, for whoever makes a signature
//! chooses R and both scalars.
//!
//! On the zkVM products of field elements are assembly (`field`'s `mips`), everywhere else the same in Rust.
//!
//! Never sign or multiply a secret with this code: its time depends on what it computes.

#![cfg_attr(not(test), no_std)]
#![cfg_attr(target_arch = "mips", feature(asm_experimental_arch))]

mod digits;
mod field;
mod point;
mod table;

#[cfg(feature = "self-check")]
pub use field::products_agree;

use k256::elliptic_curve::ops::{Invert, Reduce};
use k256::{FieldBytes, NonZeroScalar, Scalar, U256};

use crate::point::{Affine, Jacobian};

/// The uncompressed public key, x ‖ y, of which `r ‖ s` is a signature of `hash`, where R has an odd or even y. `None` if there
/// is none. A high `s` is taken like any other.
#[must_use]
pub fn recover(hash: &[u8; 32], r: &[u8; 32], s: &[u8; 32], y_is_odd: bool) -> Option<[u8; 64]> {
    let nonzero = |bytes: &[u8; 32]| {
        let scalar = Option::<NonZeroScalar>::from(NonZeroScalar::from_repr(FieldBytes::from(*bytes)));
        scalar.map(|scalar| *scalar.as_ref())
    };
    let (r_scalar, s) = (nonzero(r)?, nonzero(s)?);
    let point = Affine::decompress(r, y_is_odd)?;
    let z = <Scalar as Reduce<U256>>::reduce_bytes(&FieldBytes::from(*hash));
    let r_inverse = Option::<Scalar>::from(r_scalar.invert_vartime())?;
    let key = multiply(&-(r_inverse * z), &(r_inverse * s), &point)?;
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&key.x.to_bytes());
    bytes[32..].copy_from_slice(&key.y.to_bytes());
    Some(bytes)
}

/// a·G + b·P, `None` if that is infinity.
fn multiply(a: &Scalar, b: &Scalar, p: &Affine) -> Option<Affine> {
    let (low, high) = digits::halves(a);
    let generator = [
        (digits::sparse(low, table::WIDTH), &table::GENERATOR[0]),
        (digits::sparse(high, table::WIDTH), &table::GENERATOR[1]),
    ];
    let split = digits::split(b);
    let multiples = point::Multiples::of(p);
    let turned = multiples.turned();
    let of_p = [
        (
            digits::sparse(split[0].magnitude, point::WIDTH),
            split[0].negative,
            &multiples,
        ),
        (
            digits::sparse(split[1].magnitude, point::WIDTH),
            split[1].negative,
            &turned,
        ),
    ];
    let mut sum = Jacobian::Infinity;
    for place in (0..digits::PLACES).rev() {
        sum = sum.double();
        for (digits, table) in &generator {
            if digits[place] != 0 {
                sum = sum.add_affine(&table::entry(table, digits[place]));
            }
        }
        for (digits, negative, multiples) in &of_p {
            let digit = if *negative { -digits[place] } else { digits[place] };
            if digit != 0 {
                sum = sum.add(&multiples.entry(digit));
            }
        }
    }
    sum.to_affine()
}

#[cfg(test)]
mod tests;
