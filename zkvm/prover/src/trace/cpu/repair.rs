//! What a thief recomputes who changed a cell, so that as little as possible notices.

use std::collections::BTreeSet;

use plonky2::field::types::{Field, PrimeField64};
use zkvm_air::machine::flag;
use zkvm_air::{F, tables::cpu as col};

/// Recomputes what follows from changed cells in their row, but the changed cells: what a thief would do who changed
/// them. Operands, keys, ages and flags stay.
pub(super) fn repair(cells: &mut [F], changed: &BTreeSet<usize>) {
    const MAX: u64 = u32::MAX as u64;
    let is = |cells: &[F], flags: &[usize]| flags.iter().any(|&f| cells[col::FLAGS + f] != F::ZERO);
    let set = |cells: &mut [F], column: usize, value: F| {
        if !changed.contains(&column) {
            cells[column] = value;
        }
    };
    let f = F::from_noncanonical_u64;
    let word = |cells: &[F], low: usize, bits: u32, count: usize| {
        (0..count)
            .map(|i| cells[low + i] * f(1 << (bits * i as u32)))
            .sum::<F>()
    };
    let y = cells[col::B] + cells[col::IMM];
    for i in 0..4 {
        let [x, y] = [col::X + i, col::Y + i].map(|column| cells[column].to_canonical_u64());
        set(cells, col::N + i, f(x & y));
    }
    let [one, two, three] = [col::Q_LO, col::Q_HI, col::M].map(|column| cells[column]);
    let none = F::ONE - one - two - three;
    let x = |cells: &[F], i: usize| cells[col::X + i];
    let byte = none * x(cells, 3) + one * x(cells, 2) + two * x(cells, 1) + three * x(cells, 0);
    let half = |cells: &[F], i: usize| x(cells, i + 2) + two * (x(cells, i) - x(cells, i + 2));
    let top = match () {
        () if is(cells, &[flag::LT, flag::HI]) => x(cells, 3),
        () if is(cells, &[flag::L8]) => byte,
        () if is(cells, &[flag::L16]) => half(cells, 1),
        () => F::ZERO,
    };
    set(cells, col::TOP, top);
    if is(cells, &[flag::SIGNED]) {
        for (byte, sign) in [(col::TOP, col::S1), (col::Y + 3, col::S2)] {
            let bit = cells[byte].to_canonical_u64() >> 7 & 1;
            set(cells, sign, f(bit));
        }
    }
    let (old, new) = (cells[col::M_OLD], cells[col::B]);
    let [y0, y1] = [cells[col::Y], cells[col::Y + 1]];
    let stored = match () {
        () if is(cells, &[flag::S32]) => new,
        () if is(cells, &[flag::S16]) => {
            let part = |i| y1 * f(256) + y0 - x(cells, i + 1) * f(256) - x(cells, i);
            old + (F::ONE - two) * part(2) * f(1 << 16) + two * part(0)
        }
        () if is(cells, &[flag::S8]) => {
            let part = |i| (y0 - x(cells, i)) * f(1 << (8 * i));
            old + none * part(3) + one * part(2) + two * part(1) + three * part(0)
        }
        () if is(cells, &[flag::L8, flag::L16, flag::L32]) => old,
        () => cells[col::M_NEW],
    };
    set(cells, col::M_NEW, stored);

    let product = is(cells, &[flag::LO, flag::HI]);
    if product && changed.contains(&col::M) || changed.contains(&col::Y) && is(cells, &[flag::SHIFT]) {
        if is(cells, &[flag::SHIFT]) {
            let right = is(cells, &[flag::HI]);
            let s = cells[col::Y].to_canonical_u64() as u8;
            set(cells, col::M, f(zkvm_air::tables::static_table::pow(s, right)));
        }
        let value = (cells[col::A] * cells[col::M]).to_canonical_u64();
        for (i, column) in (0..4).zip([col::R_LO, col::R_HI, col::Q_LO, col::Q_HI]) {
            set(cells, column, f(value >> (16 * i) & 0xffff));
        }
    }
    let r = word(cells, col::R_LO, 16, 2);
    if [col::S1, col::S2, col::R_LO].iter().any(|c| changed.contains(c)) && is(cells, &[flag::LT, flag::SUB])
    {
        let signs = cells[col::S1] - cells[col::S2];
        let k = (r + signs * f(1 << 32) + y - cells[col::A]) * f(1 << 32).inverse();
        set(cells, col::K, k);
    }
    if changed.contains(&col::R_LO) && is(cells, &[flag::ADD]) {
        let pc = if is(cells, &[flag::GETPC]) {
            cells[col::PC]
        } else {
            F::ZERO
        };
        let k = (cells[col::A] + y + pc - r) * f(1 << 32).inverse();
        set(cells, col::K, k);
    }
    let q = word(cells, col::Q_LO, 16, 2);
    let inverse = |value: F| value.try_inverse().unwrap_or(F::ZERO);
    if is(cells, &[flag::EQ]) {
        let k = cells[col::K];
        let difference = cells[col::A] - y;
        set(cells, col::INV, (F::ONE - k) * inverse(difference));
    } else {
        set(cells, col::INV, inverse(f(MAX) - q));
    }
    let (k, invert) = (cells[col::K], cells[col::FLAGS + flag::INV]);
    let cond = is(cells, &[flag::LT, flag::EQ]);
    let cond = if cond {
        k + invert - k * invert.double()
    } else {
        F::ZERO
    };
    set(cells, col::COND, cond);
    let (n, top, s1, m) = (
        word(cells, col::N, 8, 4),
        cells[col::TOP],
        cells[col::S1],
        cells[col::M],
    );
    let sum = cells[col::A] + y;
    let value = match () {
        () if is(cells, &[flag::AND]) => n,
        () if is(cells, &[flag::OR]) => sum - n,
        () if is(cells, &[flag::XOR]) => sum - n.double(),
        () if is(cells, &[flag::LT, flag::EQ]) => cells[col::COND],
        () if is(cells, &[flag::HI]) => {
            let low = if is(cells, &[flag::LO]) { r } else { F::ZERO };
            low + q + s1 * (f(1 << 32) - m)
        }
        () if is(cells, &[flag::L8]) => top + s1 * f(0xffff_ff00),
        () if is(cells, &[flag::L16]) => top * f(256) + half(cells, 0) + s1 * f(0xffff_0000),
        () if is(cells, &[flag::L32]) => cells[col::M_OLD],
        () => r,
    };
    set(cells, col::C, value);
}
