//! Products as this machine makes them against the portable ones, at and between the limits of magnitudes.

use super::{LIMBS, portable, product, square};

/// Pairs of magnitudes that a product takes.
const MAGNITUDES: [(u32, u32); 6] = [(7, 1), (1, 7), (3, 2), (2, 3), (1, 1), (2, 2)];

/// Whether `rounds` products and squares of limbs from `seed` agree; about a third of the limbs are at a limit.
pub fn products_agree(seed: u32, rounds: u32) -> bool {
    let mut state = seed | 1;
    (0..rounds).all(|round| {
        let (m, n) = MAGNITUDES[round as usize % MAGNITUDES.len()];
        let (a, b) = (limbs(&mut state, m), limbs(&mut state, n));
        let agree = product(&a, &b) == portable::product(&a, &b);
        let c = limbs(&mut state, m.min(2));
        agree && square(&c) == portable::square(&c)
    })
}

fn limbs(state: &mut u32, magnitude: u32) -> [u32; LIMBS] {
    core::array::from_fn(|i| {
        let most = magnitude * ((1 << if i == LIMBS - 1 { super::TOP } else { super::BITS }) + (1 << 13));
        match next(state) % 6 {
            0 => most,
            1 => 0,
            _ => next(state) % (most + 1),
        }
    })
}

/// Marsaglia's xorshift.
fn next(state: &mut u32) -> u32 {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    *state
}
