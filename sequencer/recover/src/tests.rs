//! Against `k256`, on signatures that are true, false, and made to meet every exception.

mod guest;

use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};
use k256::elliptic_curve::sec1::ToEncodedPoint;
use k256::elliptic_curve::{Field, PrimeField};
use k256::{FieldBytes, ProjectivePoint, Scalar};
use proptest::prelude::*;

use crate::digits::{PLACES, halves, sparse, split};
use crate::recover;
use crate::table::{GENERATOR, WIDTH};

/// What `k256` says, high `s` taken like any other.
fn expected(hash: &[u8; 32], r: &[u8; 32], s: &[u8; 32], y_is_odd: bool) -> Option<[u8; 64]> {
    let signature = Signature::from_scalars(*r, *s).ok()?;
    let (signature, flip) = match signature.normalize_s() {
        Some(normal) => (normal, true),
        None => (signature, false),
    };
    let id = RecoveryId::new(y_is_odd ^ flip, false);
    let key = VerifyingKey::recover_from_prehash(hash, &signature, id).ok()?;
    Some(coordinates(&key.to_encoded_point(false)))
}

fn coordinates(point: &k256::EncodedPoint) -> [u8; 64] {
    point.as_bytes()[1..].try_into().unwrap()
}

fn assert_same(hash: &[u8; 32], r: &[u8; 32], s: &[u8; 32]) -> [Option<[u8; 64]>; 2] {
    [false, true].map(|odd| {
        let got = recover(hash, r, s, odd);
        assert_eq!(got, expected(hash, r, s, odd), "{hash:?} {r:?} {s:?} {odd}");
        got
    })
}

fn bytes(scalar: &Scalar) -> [u8; 32] {
    scalar.to_bytes().into()
}

fn scalar(bytes: [u8; 32]) -> Scalar {
    <Scalar as k256::elliptic_curve::ops::Reduce<k256::U256>>::reduce_bytes(&FieldBytes::from(bytes))
}

/// A hash and a signature for which the recovered key is a·G + b·R.
fn crafted(a: &Scalar, b: &Scalar, point: &ProjectivePoint) -> ([u8; 32], [u8; 32], [u8; 32]) {
    let encoded = point.to_affine().to_encoded_point(false);
    let r = scalar((*encoded.x().unwrap()).into());
    (bytes(&-(*a * r)), bytes(&r), bytes(&(*b * r)))
}

const LAMBDA: [u8; 32] = [
    0x53, 0x63, 0xad, 0x4c, 0xc0, 0x5c, 0x30, 0xe0, 0xa5, 0x26, 0x1c, 0x02, 0x88, 0x12, 0x64, 0x5a, 0x12,
    0x2e, 0x22, 0xea, 0x20, 0x81, 0x66, 0x78, 0xdf, 0x02, 0x96, 0x7c, 0x1b, 0x23, 0xbd, 0x72,
];

fn lambda() -> Scalar {
    scalar(LAMBDA)
}

/// Scalars that meet each other in the addition chain: small ones, negative ones, powers of two, multiples of λ.
fn special() -> Vec<Scalar> {
    let mut scalars: Vec<Scalar> = (1..=9u64).map(Scalar::from).collect();
    scalars.extend([16u64, 17, 127, 128, 129, 255].map(Scalar::from));
    let high = Scalar::from(1u128 << 127).double();
    scalars.extend([
        high,
        high + Scalar::ONE,
        Scalar::from(u128::MAX),
        lambda(),
        lambda().square(),
    ]);
    let negative: Vec<Scalar> = scalars.iter().map(|scalar| -*scalar).collect();
    scalars.extend(negative);
    scalars
}

#[test]
fn every_exception_is_met_as_k256_meets_it() {
    let scalars = special();
    for multiple in &scalars {
        let point = ProjectivePoint::GENERATOR * multiple;
        for (i, b) in scalars.iter().enumerate() {
            // All combinations would be many: the same, the opposite, none, and one more.
            let product = *b * multiple;
            for a in [
                Scalar::ZERO,
                product,
                -product,
                product.double(),
                scalars[(i + 7) % scalars.len()],
            ] {
                let (hash, r, s) = crafted(&a, b, &point);
                assert_same(&hash, &r, &s);
            }
        }
    }
}

#[test]
fn a_key_at_infinity_is_none() {
    let point = ProjectivePoint::GENERATOR * Scalar::from(77u64);
    let (hash, r, s) = crafted(&-Scalar::from(77u64 * 5), &Scalar::from(5u64), &point);
    let got = assert_same(&hash, &r, &s);
    assert_eq!(got.iter().filter(|key| key.is_none()).count(), 1);
}

#[test]
fn scalars_out_of_range_are_refused() {
    // The order of the group, and one less.
    let mut order: [u8; 32] = bytes(&-Scalar::ONE);
    order[31] += 1;
    let one = bytes(&Scalar::ONE);
    for (r, s) in [
        ([0; 32], one),
        (one, [0; 32]),
        (order, one),
        (one, order),
        ([0xff; 32], one),
        (one, [0xff; 32]),
    ] {
        assert_eq!(assert_same(&[7; 32], &r, &s), [None, None]);
    }
    // No point has x = 5.
    assert_eq!(
        assert_same(&[7; 32], &bytes(&Scalar::from(5u64)), &one),
        [None, None]
    );
    assert!(assert_same(&[7; 32], &one, &bytes(&-Scalar::ONE))[0].is_some());
    // Hashes above the order are reduced.
    assert!(assert_same(&[0xff; 32], &one, &one)[0].is_some());
}

#[test]
fn the_table_is_of_the_generator() {
    let mut base = ProjectivePoint::GENERATOR;
    for table in &GENERATOR {
        let mut point = base;
        for entry in table {
            assert_eq!(coordinates(&point.to_affine().to_encoded_point(false)), *entry);
            point += base.double();
        }
        for _ in 0..128 {
            base = base.double();
        }
    }
}

fn sum(digits: &[i8; PLACES]) -> Scalar {
    digits.iter().rev().fold(Scalar::ZERO, |sum, digit| {
        let magnitude = Scalar::from(u64::from(digit.unsigned_abs()));
        sum.double() + if *digit < 0 { -magnitude } else { magnitude }
    })
}

fn assert_sparse(number: u128) {
    for width in [2, 5, WIDTH] {
        let digits = sparse(number, width);
        assert_eq!(sum(&digits), Scalar::from(number));
        let places: Vec<usize> = (0..PLACES).filter(|place| digits[*place] != 0).collect();
        assert!(places.iter().all(|place| digits[*place] % 2 != 0));
        assert!(
            places
                .iter()
                .all(|place| digits[*place].unsigned_abs() < 1 << (width - 1))
        );
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= width as usize));
    }
}

fn assert_split(k: &Scalar) {
    let parts = split(k).map(|part| {
        let magnitude = Scalar::from(part.magnitude);
        if part.negative { -magnitude } else { magnitude }
    });
    assert_eq!(parts[0] + lambda() * parts[1], *k);
}

#[test]
fn digits_at_the_ends_of_the_range() {
    for number in [
        0,
        1,
        2,
        3,
        u128::MAX,
        u128::MAX - 1,
        1 << 127,
        u128::MAX / 3,
        u128::MAX / 255,
    ] {
        assert_sparse(number);
    }
    for k in special().iter().chain([&Scalar::ZERO]) {
        assert_split(k);
    }
    let (low, high) = halves(&-Scalar::ONE);
    assert_eq!(
        Scalar::from(high) * Scalar::from(1u128 << 127).double() + Scalar::from(low),
        -Scalar::ONE
    );
}

proptest! {
    #[test]
    fn signatures_name_their_keys(secret in any::<[u8; 32]>(), hash in any::<[u8; 32]>()) {
        prop_assume!(Option::<Scalar>::from(Scalar::from_repr(secret.into())).is_some_and(|s| s != Scalar::ZERO));
        let key = SigningKey::from_slice(&secret).unwrap();
        let (signature, id) = key.sign_prehash_recoverable(&hash).unwrap();
        let (r, s) = (bytes(&signature.r()), bytes(&signature.s()));
        let public = coordinates(&key.verifying_key().to_encoded_point(false));
        prop_assert_eq!(recover(&hash, &r, &s, id.is_y_odd()), Some(public));
        // The other s with the other parity is the same signature; one alone is another key's.
        let other = bytes(&-*signature.s());
        prop_assert_eq!(recover(&hash, &r, &other, !id.is_y_odd()), Some(public));
        prop_assert_ne!(recover(&hash, &r, &other, id.is_y_odd()), Some(public));
        assert_same(&hash, &r, &s);
    }

    #[test]
    fn any_bytes_are_judged_alike(hash in any::<[u8; 32]>(), r in any::<[u8; 32]>(), s in any::<[u8; 32]>()) {
        assert_same(&hash, &r, &s);
    }

    #[test]
    fn numbers_are_sums_of_their_digits(number in any::<u128>(), k in any::<[u8; 32]>()) {
        assert_sparse(number);
        assert_split(&scalar(k));
    }
}
