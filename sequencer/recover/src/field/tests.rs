//! The field against big integers, up to the limits of magnitudes.

use k256::U256;
use k256::elliptic_curve::bigint::{Encoding, NonZero, U512};
use proptest::prelude::*;

use super::{Fe, LIMBS, P};

/// p as the standard writes it.
fn modulus() -> U256 {
    U256::from_be_hex("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f")
}

fn reduce(wide: &U512) -> U256 {
    let modulus = NonZero::new(U512::from((modulus(), U256::ZERO))).unwrap();
    wide.rem(&modulus).split().1
}

/// The number that limbs of any magnitude are.
fn number(element: &Fe) -> U256 {
    let limbs = element.0.iter().rev();
    reduce(&limbs.fold(U512::ZERO, |sum, limb| {
        (sum << 29).wrapping_add(&U512::from(*limb))
    }))
}

fn times(a: &U256, b: &U256) -> U256 {
    let (low, high) = a.mul_wide(b);
    reduce(&U512::from((low, high)))
}

/// Limbs of at most this magnitude, many at the limit.
fn element(magnitude: u32) -> impl Strategy<Value = Fe> {
    let limb = prop_oneof![2 => Just(1.0), 1 => Just(0.0), 4 => 0.0..1.0f64];
    proptest::array::uniform9(limb).prop_map(move |parts| {
        Fe(core::array::from_fn(|i| {
            let bits = if i == LIMBS - 1 { 24 } else { 29 };
            let most = magnitude * ((1 << bits) + (1 << 13));
            (parts[i] * f64::from(most)) as u32
        }))
    })
}

fn factors() -> impl Strategy<Value = (Fe, Fe)> {
    prop_oneof![
        (element(7), element(1)),
        (element(1), element(7)),
        (element(3), element(2)),
        (element(2), element(3)),
        (element(1), element(1)),
    ]
}

/// What every product and every carried element promises.
fn assert_magnitude_1(element: &Fe) {
    let [low @ .., top] = element.0;
    assert!(low.iter().all(|limb| *limb <= (1 << 29) + (1 << 13)));
    assert!(top <= (1 << 24) + (1 << 13));
}

#[test]
fn limbs_of_p_are_p() {
    let limbs = P.iter().rev();
    let number = limbs.fold(U512::ZERO, |sum, limb| {
        (sum << 29).wrapping_add(&U512::from(*limb))
    });
    assert_eq!(number, U512::from((modulus(), U256::ZERO)));
    assert!(Fe(P).is_zero() && Fe([0; LIMBS]).is_zero() && !Fe::ONE.is_zero());
    assert_eq!(Fe(P).to_bytes(), [0; 32]);
}

#[test]
fn bytes_of_p_and_more_are_refused() {
    let p = modulus();
    assert!(Fe::from_bytes(&p.to_be_bytes()).is_none());
    assert!(Fe::from_bytes(&[0xff; 32]).is_none());
    let less = p.wrapping_sub(&U256::ONE);
    assert_eq!(
        Fe::from_bytes(&less.to_be_bytes()).unwrap().to_bytes(),
        less.to_be_bytes()
    );
}

#[test]
fn products_at_the_limit_do_not_overflow() {
    let at = |m: u32| {
        Fe(core::array::from_fn(|i| {
            m * ((1 << if i == LIMBS - 1 { 24 } else { 29 }) + (1 << 13))
        }))
    };
    for (m, n) in [(7, 1), (1, 7), (3, 2), (2, 3)] {
        let product = at(m).mul(&at(n));
        assert_magnitude_1(&product);
        assert_eq!(number(&product), times(&number(&at(m)), &number(&at(n))));
    }
    assert_eq!(number(&at(2).square()), times(&number(&at(2)), &number(&at(2))));
}

#[test]
fn zero_has_no_inverse_and_is_its_own_root() {
    assert!(Fe([0; LIMBS]).invert().carry().is_zero());
    assert!(Fe([0; LIMBS]).sqrt().is_some_and(|root| root.carry().is_zero()));
}

proptest! {
    #[test]
    fn products_are_those_of_numbers((a, b) in factors(), c in element(2)) {
        let product = a.mul(&b);
        assert_magnitude_1(&product);
        prop_assert_eq!(number(&product), times(&number(&a), &number(&b)));
        let square = c.square();
        assert_magnitude_1(&square);
        prop_assert_eq!(number(&square), times(&number(&c), &number(&c)));
    }

    #[test]
    fn carrying_changes_no_number(a in element(7)) {
        let carried = a.carry();
        assert_magnitude_1(&carried);
        prop_assert!(carried.0[..8].iter().all(|limb| *limb < 1 << 29));
        prop_assert_eq!(number(&carried), number(&a));
        prop_assert_eq!(carried.is_zero(), number(&a) == U256::ZERO);
        prop_assert_eq!(a.to_bytes(), number(&a).to_be_bytes());
        prop_assert_eq!(a.is_odd(), number(&a).to_be_bytes()[31] & 1 == 1);
        prop_assert_eq!(number(&Fe::from_bytes(&a.to_bytes()).unwrap()), number(&a));
    }

    #[test]
    fn a_number_and_minus_it_are_zero(a in element(3)) {
        let sum = a.add(&a.negate(3));
        prop_assert!(sum.carry().is_zero());
        prop_assert_eq!(number(&a.times(2)), number(&a.add(&a)));
    }

    #[test]
    fn inverses_and_roots(a in element(1)) {
        prop_assume!(number(&a) != U256::ZERO);
        prop_assert_eq!(a.mul(&a.invert()).to_bytes(), Fe::ONE.to_bytes());
        // Of a number and minus it exactly one is a square, since p is 3 modulo 4.
        let minus = a.negate(1).carry();
        let (root, other) = (a.sqrt(), minus.sqrt());
        prop_assert!(root.is_some() != other.is_some());
        let (square, root) = root.map_or_else(|| (minus, other.unwrap()), |root| (a, root));
        prop_assert_eq!(number(&root.square()), number(&square));
    }
}
