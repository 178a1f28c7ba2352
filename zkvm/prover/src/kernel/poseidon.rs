//! plonky2's Poseidon on many rows at once.
//!
//! Invariant: equal to `PoseidonHash::hash_or_noop` and `two_to_one` on every input, which the tests check for each
//! instruction set of the machine. The state is kept as plonky2 defines it; only three things differ inside: the
//! constants of the partial rounds are pushed forward to one a round, the matrix is applied to the 32-bit halves of the
//! state by its factorisation over x^12 - 1, and in partial rounds the halves of the eleven elements without S-box are
//! reduced every third round only (they stay below 2^57).

use std::sync::LazyLock;

use plonky2::field::types::{Field, PrimeField64};
use plonky2::hash::poseidon::{ALL_ROUND_CONSTANTS, Poseidon};
use zkvm_air::F;

use super::Digest;
use super::lanes::{EPSILON, Lanes};

const WIDTH: usize = 12;
const RATE: usize = 8;
const HALF_FULL: usize = 4;
const PARTIAL: usize = 22;
/// A row's weights: output i is the sum of `CIRCULANT[j]` times input i + j, and of 8 times input 0 for i = 0.
const CIRCULANT: [u64; WIDTH] = [17, 15, 41, 16, 2, 28, 13, 13, 39, 18, 34, 20];

/// Round constants, those of the partial rounds moved.
struct Constants {
    first: [[u64; WIDTH]; HALF_FULL],
    partial: [u64; PARTIAL],
    last: [[u64; WIDTH]; HALF_FULL],
}

/// The matrix on one state, in the field.
fn matrix(x: &[F; WIDTH]) -> [F; WIDTH] {
    core::array::from_fn(|i| {
        let row: F = (0..WIDTH)
            .map(|j| F::from_canonical_u64(CIRCULANT[j]) * x[(i + j) % WIDTH])
            .sum();
        if i == 0 {
            row + x[0] * F::from_canonical_u64(8)
        } else {
            row
        }
    })
}

static CONSTANTS: LazyLock<Constants> = LazyLock::new(|| {
    let round = |r: usize| -> [F; WIDTH] {
        core::array::from_fn(|i| F::from_noncanonical_u64(ALL_ROUND_CONSTANTS[WIDTH * r + i]))
    };
    let canonical = |c: [F; WIDTH]| c.map(|x| x.to_canonical_u64());
    let mut carried = [F::ZERO; WIDTH];
    let partial = core::array::from_fn(|r| {
        let mut c = round(HALF_FULL + r);
        c.iter_mut().zip(carried).for_each(|(c, x)| *c += x);
        // Only element 0 has an S-box: the others' constants may be added after it, that is, go through the matrix.
        let own = core::mem::replace(&mut c[0], F::ZERO);
        carried = matrix(&c);
        own.to_canonical_u64()
    });
    let last = core::array::from_fn(|r| {
        let mut c = round(HALF_FULL + PARTIAL + r);
        if r == 0 {
            c.iter_mut().zip(carried).for_each(|(c, x)| *c += x);
        }
        canonical(c)
    });
    Constants {
        first: core::array::from_fn(|r| canonical(round(r))),
        partial,
        last,
    }
});

#[inline(always)]
fn sbox<V: Lanes>(x: V) -> V {
    let x2 = x.square();
    let x3 = x2.mul(x);
    x2.square().mul(x3)
}

/// The circulant part on 64-bit integers, exact modulo 2^64.
///
/// With index n = r + 3 q the input is three polynomials of y = x^3 modulo y^4 - 1. At y = 1, y = -1 and y = i the
/// weights are (four times) small powers of two or sums of two, so the twelve products of each become shifts.
#[inline(always)]
fn circulant<V: Lanes>(x: &[V; WIDTH]) -> [V; WIDTH] {
    let zero = x[0].same(0);
    let add = |a: V, b: V| a.wrapping_add(b);
    let sub = |a: V, b: V| a.wrapping_sub(b);
    // Values of the three polynomials: at 1, at -1, and at -i as (real, imaginary).
    let (mut one, mut minus, mut re, mut im) = ([zero; 3], [zero; 3], [zero; 3], [zero; 3]);
    for r in 0..3 {
        let (even, odd) = (add(x[r], x[r + 6]), add(x[r + 3], x[r + 9]));
        one[r] = add(even, odd);
        minus[r] = sub(even, odd);
        re[r] = sub(x[r], x[r + 6]);
        im[r] = sub(x[r + 9], x[r + 3]);
    }
    // y = 1: weights 16, 16, 32.
    let sum = add(add(one[0], one[1]), one[2]).shl::<4>();
    let at_one = [
        add(sum, one[2].shl::<4>()),
        add(sum, one[0].shl::<4>()),
        add(sum, one[1].shl::<4>()),
    ];
    // y = -1: weights -1, -8, 2; the second is the negative of what is needed.
    let at_minus = [
        sub(sub(minus[2].shl::<3>(), minus[0]), minus[1].shl::<1>()),
        add(add(minus[0].shl::<3>(), minus[1]), minus[2].shl::<1>()),
        sub(sub(minus[0].shl::<1>(), minus[1].shl::<3>()), minus[2]),
    ];
    // y = i: weights 2 - i, 4 - i (to be subtracted), 16 + i.
    let w0 = |k: usize| (add(re[k].shl::<1>(), im[k]), sub(im[k].shl::<1>(), re[k]));
    let w1 = |k: usize| (add(re[k].shl::<2>(), im[k]), sub(im[k].shl::<2>(), re[k]));
    let w2 = |k: usize| (sub(re[k].shl::<4>(), im[k]), add(im[k].shl::<4>(), re[k]));
    let (a, b, c) = (w0(0), w2(1), w1(2));
    // a - i b + i c, and so on.
    let first = (sub(add(a.0, b.1), c.1), add(sub(a.1, b.0), c.0));
    let (a, b, c) = (w1(0), w0(1), w2(2));
    let second = (add(sub(b.0, a.0), c.1), sub(sub(b.1, a.1), c.0));
    let (a, b, c) = (w2(0), w1(1), w0(2));
    let third = (add(sub(a.0, b.0), c.0), add(sub(a.1, b.1), c.1));
    let at_i = [first, second, third];
    let mut out = [zero; WIDTH];
    for r in 0..3 {
        let (mut even, mut odd) = (add(at_one[r], at_minus[r]), sub(at_one[r], at_minus[r]));
        if r == 1 {
            core::mem::swap(&mut even, &mut odd);
        }
        out[r] = add(even, at_i[r].0);
        out[r + 6] = sub(even, at_i[r].0);
        out[r + 3] = sub(odd, at_i[r].1);
        out[r + 9] = add(odd, at_i[r].1);
    }
    out
}

/// The matrix on integers, exact modulo 2^64.
#[inline(always)]
fn integer_matrix<V: Lanes>(x: &mut [V; WIDTH]) {
    let diagonal = x[0].shl::<3>();
    *x = circulant(x);
    x[0] = x[0].wrapping_add(diagonal);
}

/// low + 2^32 high modulo p, for low, high < 2^57.
#[inline(always)]
fn join<V: Lanes>(low: V, high: V) -> V {
    let shifted = high.shl::<32>();
    let l = low.wrapping_add(shifted);
    let h = high.shr::<32>().add_if_less(l, shifted, low.same(1));
    let t = h.shl::<32>().wrapping_sub(h);
    let r = l.wrapping_add(t);
    r.add_if_less(r, t, low.same(EPSILON))
}

#[inline(always)]
fn full_rounds<V: Lanes, const K: usize>(
    states: &mut [[V; WIDTH]; K],
    constants: &[[u64; WIDTH]; HALF_FULL],
) {
    for round in constants {
        for state in states.iter_mut() {
            let (mut low, mut high) = (*state, *state);
            for i in 0..WIDTH {
                let x = sbox(state[i].add_canonical(state[i].same(round[i])));
                low[i] = x.and(x.same(EPSILON));
                high[i] = x.shr::<32>();
            }
            integer_matrix(&mut low);
            integer_matrix(&mut high);
            for i in 0..WIDTH {
                state[i] = join(low[i], high[i]);
            }
        }
    }
}

/// The permutation on K vectors of states; two at once hide the latency of the partial rounds' one S-box.
#[inline(always)]
fn permute<V: Lanes, const K: usize>(states: &mut [[V; WIDTH]; K], constants: &Constants) {
    if V::WIDTH == 1 {
        // plonky2's own is made for one lane.
        return states.iter_mut().for_each(permute_one);
    }
    full_rounds(states, &constants.first);
    // No closures over arrays here or below: what is not inlined is compiled without the instruction set.
    let (mut low, mut high) = (*states, *states);
    for k in 0..K {
        for i in 0..WIDTH {
            low[k][i] = low[k][i].and(low[k][i].same(EPSILON));
            high[k][i] = high[k][i].shr::<32>();
        }
    }
    for (r, &c) in constants.partial.iter().enumerate() {
        for k in 0..K {
            let x = join(low[k][0], high[k][0]);
            let x = sbox(x.add_canonical(x.same(c)));
            low[k][0] = x.and(x.same(EPSILON));
            high[k][0] = x.shr::<32>();
        }
        for k in 0..K {
            integer_matrix(&mut low[k]);
            integer_matrix(&mut high[k]);
        }
        // Each row of the matrix sums to 264 at most: three rounds stay below 2^57.
        if r % 3 == 2 || r == PARTIAL - 1 {
            for k in 0..K {
                for i in 0..WIDTH {
                    let x = join(low[k][i], high[k][i]);
                    states[k][i] = x;
                    low[k][i] = x.and(x.same(EPSILON));
                    high[k][i] = x.shr::<32>();
                }
            }
        }
    }
    full_rounds(states, &constants.last);
}

/// plonky2's permutation of a state of one lane.
fn permute_one<V: Lanes>(state: &mut [V; WIDTH]) {
    let mut words = [F::ZERO; WIDTH];
    // SAFETY: callers have one lane, which needs no instruction set.
    unsafe {
        for (x, word) in state.iter().zip(&mut words) {
            x.store(core::ptr::from_mut(word).cast());
        }
        for (x, word) in state.iter_mut().zip(F::poseidon(words)) {
            *x = V::load(core::ptr::from_ref(&word).cast());
        }
    }
}

/// Writes the first four elements of each state as digests.
///
/// # Safety
/// `out` has K `V::WIDTH` digests.
#[inline(always)]
unsafe fn store_digests<V: Lanes, const K: usize>(states: &[[V; WIDTH]; K], out: &mut [Digest]) {
    let mut words = [0u64; 8];
    for (k, state) in states.iter().enumerate() {
        for (j, x) in state[..4].iter().enumerate() {
            // SAFETY: no vector has more than 8 lanes.
            unsafe { x.store(words.as_mut_ptr()) };
            for lane in 0..V::WIDTH {
                out[k * V::WIDTH + lane][j] = F::from_noncanonical_u64(words[lane]);
            }
        }
    }
}

/// Hashes rows `first..` of `columns` into `out`.
///
/// # Safety
/// The processor has `V`'s instruction set. Every column has at least `first + out.len()` elements.
#[inline(always)]
pub(super) unsafe fn hash_rows<V: Lanes, const K: usize>(columns: &[&[F]], first: usize, out: &mut [Digest]) {
    let constants = &*CONSTANTS;
    let step = K * V::WIDTH;
    // SAFETY: the caller's promise on the instruction set; all loads stay inside rows that exist.
    unsafe {
        let mut row = first;
        for block in out.chunks_mut(step) {
            // A short last block hashes its rows again with the ones before it, or alone.
            if block.len() < step {
                if step > 1 {
                    hash_rows_one_by_one(columns, row, block);
                }
                return;
            }
            let mut states = [[V::splat(0); WIDTH]; K];
            for chunk in columns.chunks(RATE) {
                for (j, column) in chunk.iter().enumerate() {
                    debug_assert!(row + step <= column.len());
                    for (k, state) in states.iter_mut().enumerate() {
                        state[j] = V::load(column.as_ptr().add(row + k * V::WIDTH).cast());
                    }
                }
                permute(&mut states, constants);
            }
            store_digests(&states, block);
            row += step;
        }
    }
}

fn hash_rows_one_by_one(columns: &[&[F]], first: usize, out: &mut [Digest]) {
    let constants = &*CONSTANTS;
    for (i, digest) in out.iter_mut().enumerate() {
        let mut states = [[0u64; WIDTH]];
        for chunk in columns.chunks(RATE) {
            for (x, column) in states[0].iter_mut().zip(chunk) {
                *x = column[first + i].0;
            }
            permute(&mut states, constants);
        }
        *digest = core::array::from_fn(|j| F::from_noncanonical_u64(states[0][j]));
    }
}

/// Hashes pairs: `out[i]` is the parent of `children[2 i]` and `children[2 i + 1]`.
///
/// # Safety
/// The processor has `V`'s instruction set. `children` is twice as long as `out`.
#[inline(always)]
pub(super) unsafe fn hash_pairs<V: Lanes, const K: usize>(children: &[Digest], out: &mut [Digest]) {
    let constants = &*CONSTANTS;
    let step = K * V::WIDTH;
    for (block, pairs) in out.chunks_mut(step).zip(children.chunks(2 * step)) {
        if block.len() < step {
            for (digest, pair) in block.iter_mut().zip(pairs.as_chunks::<2>().0) {
                let mut states = [[0u64; WIDTH]];
                for (x, y) in states[0].iter_mut().zip(pair.as_flattened()) {
                    *x = y.0;
                }
                permute(&mut states, constants);
                *digest = core::array::from_fn(|j| F::from_noncanonical_u64(states[0][j]));
            }
            return;
        }
        // SAFETY: the caller's promise on the instruction set; `words` holds the longest vector.
        unsafe {
            let mut states = [[V::splat(0); WIDTH]; K];
            let mut words = [0u64; 8];
            for (k, state) in states.iter_mut().enumerate() {
                for (j, x) in state[..RATE].iter_mut().enumerate() {
                    for (lane, word) in words[..V::WIDTH].iter_mut().enumerate() {
                        *word = pairs[2 * (k * V::WIDTH + lane) + j / 4][j % 4].0;
                    }
                    *x = V::load(words.as_ptr());
                }
            }
            permute(&mut states, constants);
            store_digests(&states, block);
        }
    }
}

/// The element `output` of the permuted `state` with `first..first + WIDTH` in element `position`, lane by lane.
///
/// # Safety
/// The processor has `V`'s instruction set; `out` has K `V::WIDTH` elements.
#[inline(always)]
pub(super) unsafe fn permute_candidates<V: Lanes, const K: usize>(
    state: &[F; WIDTH],
    position: usize,
    first: u64,
    output: usize,
    out: &mut [u64],
) {
    // SAFETY: the caller's promise on the instruction set; `words` holds the longest vector.
    unsafe {
        let mut one = [V::splat(0); WIDTH];
        for i in 0..WIDTH {
            one[i] = V::splat(state[i].0);
        }
        let mut states = [one; K];
        for (k, state) in states.iter_mut().enumerate() {
            let words: [u64; 8] = core::array::from_fn(|lane| first + (k * V::WIDTH + lane) as u64);
            state[position] = V::load(words.as_ptr());
        }
        permute(&mut states, &CONSTANTS);
        for (k, state) in states.iter().enumerate() {
            let mut words = [0u64; 8];
            state[output].canonical().store(words.as_mut_ptr());
            out[k * V::WIDTH..][..V::WIDTH].copy_from_slice(&words[..V::WIDTH]);
        }
    }
}
