//! Fourier transforms without bit reversal: values on a subgroup to bit-reversed coefficients and back to values on
//! cosets, both in natural order of the points.
//!
//! Invariant: [`Transform::coefficients`] leaves coefficient `reverse(i)` at position `i`, and [`Transform::values`]
//! takes them so. The low-degree extension of a column is therefore two transforms of the column's own length, one for
//! the even and one for the odd points of the coset, and no element is ever moved for its order's sake.

use plonky2::field::types::Field;
use zkvm_air::F;

use super::lanes::Lanes;
use super::{BEST, InstructionSet, dispatched, slice};

/// Longest block that is worked through layer by layer; longer ones are cut first. 2^11 elements fit the first-level
/// cache with their roots.
const BLOCK: usize = 1 << 11;

/// Roots of unity for transforms of length 2^`log`.
pub struct Transform {
    log: usize,
    /// `roots[half + j]` = w^j for the root w of order 2 half, for every half 1, 2, 4… and j < half.
    roots: Vec<F>,
    /// The same of w^-1.
    inverse: Vec<F>,
}

impl core::fmt::Debug for Transform {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Transform(2^{})", self.log)
    }
}

/// `i` with its lowest `bits` bits reversed.
#[inline]
pub fn reverse(i: usize, bits: usize) -> usize {
    if bits == 0 {
        0
    } else {
        i.reverse_bits() >> (usize::BITS as usize - bits)
    }
}

impl Transform {
    /// For length 2^`log`; `log` is at most 32.
    pub fn new(log: usize) -> Self {
        let table = |root: F| {
            let mut table = vec![F::ONE; 1 << log];
            if log > 0 {
                let top = 1 << (log - 1);
                for (slot, power) in table[top..].iter_mut().zip(root.powers()) {
                    *slot = power;
                }
                for half in (0..log - 1).rev().map(|k| 1usize << k) {
                    for j in 0..half {
                        table[half + j] = table[2 * half + 2 * j];
                    }
                }
            }
            table
        };
        let root = F::primitive_root_of_unity(log);
        Self {
            log,
            roots: table(root),
            inverse: table(root.inverse()),
        }
    }

    /// The length.
    pub fn len(&self) -> usize {
        1 << self.log
    }

    /// Never: the shortest transform has one element.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Values on the subgroup in natural order to 2^log times the coefficients, bit-reversed, in place.
    pub fn coefficients(&self, values: &mut [F]) {
        self.coefficients_on(*BEST, values);
    }

    /// Bit-reversed coefficients to values on the subgroup in natural order, in place.
    pub fn values(&self, coefficients: &mut [F]) {
        self.values_on(*BEST, coefficients);
    }

    pub(super) fn coefficients_on(&self, set: InstructionSet, values: &mut [F]) {
        assert_eq!(values.len(), self.len(), "a column of the transform's length");
        down(set, values, &self.inverse);
    }

    pub(super) fn values_on(&self, set: InstructionSet, coefficients: &mut [F]) {
        assert_eq!(
            coefficients.len(),
            self.len(),
            "a column of the transform's length"
        );
        up(set, coefficients, &self.roots);
    }

    /// `shift`^i / 2^log at the place of coefficient i: what turns the output of [`Transform::coefficients`] into the
    /// input of [`Transform::values`] for the coset `shift` H.
    pub fn coset_factors(&self, shift: F) -> Vec<F> {
        let scale = F::inverse_2exp(self.log);
        let mut factors = vec![scale; self.len()];
        // reverse(i + 2^k) = reverse(i) + 2^(log - 1 - k).
        for k in 0..self.log {
            let step = shift.exp_power_of_2(self.log - 1 - k);
            let (done, rest) = factors.split_at_mut(1 << k);
            slice::constant(slice::WithConstant::Mul, &mut rest[..1 << k], done, step);
        }
        factors
    }
}

/// Decimation in frequency: halves from the whole down.
fn down(set: InstructionSet, values: &mut [F], roots: &[F]) {
    if values.len() <= BLOCK {
        down_block_on(set, values, roots);
        return;
    }
    let half = values.len() / 2;
    if half > BLOCK {
        // Two layers in one pass over memory.
        down_two_layers_on(set, values, half / 2, roots);
        for quarter in values.chunks_mut(half / 2) {
            down(set, quarter, roots);
        }
    } else {
        down_layer_on(set, values, half, roots);
        for half in values.chunks_mut(half) {
            down(set, half, roots);
        }
    }
}

/// Decimation in time: halves from single elements up.
fn up(set: InstructionSet, values: &mut [F], roots: &[F]) {
    if values.len() <= BLOCK {
        up_block_on(set, values, roots);
        return;
    }
    let half = values.len() / 2;
    if half > BLOCK {
        for quarter in values.chunks_mut(half / 2) {
            up(set, quarter, roots);
        }
        up_two_layers_on(set, values, half / 2, roots);
    } else {
        for half in values.chunks_mut(half) {
            up(set, half, roots);
        }
        up_layer_on(set, values, half, roots);
    }
}

/// One layer of blocks of 2 `half`; `half` is a multiple of the vector's width.
///
/// # Safety
/// The processor has `V`'s instruction set.
#[inline(always)]
unsafe fn down_layer<V: Lanes>(values: &mut [F], half: usize, roots: &[F]) {
    let roots = &roots[half..2 * half];
    for block in values.chunks_exact_mut(2 * half) {
        let (low, high) = block.split_at_mut(half);
        for j in (0..half).step_by(V::WIDTH) {
            // SAFETY: `half` is a multiple of the width and all three slices have `half` elements.
            unsafe {
                let (a, b) = (low.as_mut_ptr().add(j).cast(), high.as_mut_ptr().add(j).cast());
                let (x, y) = (V::load(a), V::load(b).canonical());
                x.add_canonical(y).store(a);
                x.sub(y).mul(V::load(roots.as_ptr().add(j).cast())).store(b);
            }
        }
    }
}

/// As [`down_layer`], upwards.
///
/// # Safety
/// The processor has `V`'s instruction set.
#[inline(always)]
unsafe fn up_layer<V: Lanes>(values: &mut [F], half: usize, roots: &[F]) {
    let roots = &roots[half..2 * half];
    for block in values.chunks_exact_mut(2 * half) {
        let (low, high) = block.split_at_mut(half);
        for j in (0..half).step_by(V::WIDTH) {
            // SAFETY: as in `down_layer`.
            unsafe {
                let (a, b) = (low.as_mut_ptr().add(j).cast(), high.as_mut_ptr().add(j).cast());
                let (x, y) = (
                    V::load(a),
                    V::load(b).mul(V::load(roots.as_ptr().add(j).cast())).canonical(),
                );
                x.add_canonical(y).store(a);
                x.sub(y).store(b);
            }
        }
    }
}

/// The layers of 2 `quarter` and of `quarter`, in one pass over blocks of four.
///
/// # Safety
/// The processor has `V`'s instruction set; `quarter` is a multiple of the vector's width.
#[inline(always)]
unsafe fn down_two_layers<V: Lanes>(values: &mut [F], quarter: usize, roots: &[F]) {
    let (inner, outer) = (&roots[quarter..2 * quarter], &roots[2 * quarter..4 * quarter]);
    for block in values.chunks_exact_mut(4 * quarter) {
        let base: *mut u64 = block.as_mut_ptr().cast();
        for j in (0..quarter).step_by(V::WIDTH) {
            // SAFETY: all offsets are below four quarters, or two for the outer roots.
            unsafe {
                let at = |k: usize| base.add(k * quarter + j);
                let x: [V; 4] = [
                    V::load(at(0)),
                    V::load(at(1)),
                    V::load(at(2)).canonical(),
                    V::load(at(3)).canonical(),
                ];
                let w = V::load(inner.as_ptr().add(j).cast());
                let a = x[0].add_canonical(x[2]);
                let b = x[1].add_canonical(x[3]).canonical();
                let c = x[0].sub(x[2]).mul(V::load(outer.as_ptr().add(j).cast()));
                let d = x[1]
                    .sub(x[3])
                    .mul(V::load(outer.as_ptr().add(quarter + j).cast()))
                    .canonical();
                a.add_canonical(b).store(at(0));
                a.sub(b).mul(w).store(at(1));
                c.add_canonical(d).store(at(2));
                c.sub(d).mul(w).store(at(3));
            }
        }
    }
}

/// As [`down_two_layers`], upwards.
///
/// # Safety
/// The processor has `V`'s instruction set; `quarter` is a multiple of the vector's width.
#[inline(always)]
unsafe fn up_two_layers<V: Lanes>(values: &mut [F], quarter: usize, roots: &[F]) {
    let (inner, outer) = (&roots[quarter..2 * quarter], &roots[2 * quarter..4 * quarter]);
    for block in values.chunks_exact_mut(4 * quarter) {
        let base: *mut u64 = block.as_mut_ptr().cast();
        for j in (0..quarter).step_by(V::WIDTH) {
            // SAFETY: as in `down_two_layers`.
            unsafe {
                let at = |k: usize| base.add(k * quarter + j);
                let w = V::load(inner.as_ptr().add(j).cast());
                let (x0, x2): (V, V) = (V::load(at(0)), V::load(at(2)));
                let (x1, x3) = (
                    V::load(at(1)).mul(w).canonical(),
                    V::load(at(3)).mul(w).canonical(),
                );
                let (a, b) = (x0.add_canonical(x1), x0.sub(x1));
                let c = x2
                    .add_canonical(x3)
                    .mul(V::load(outer.as_ptr().add(j).cast()))
                    .canonical();
                let d = x2
                    .sub(x3)
                    .mul(V::load(outer.as_ptr().add(quarter + j).cast()))
                    .canonical();
                a.add_canonical(c).store(at(0));
                b.add_canonical(d).store(at(1));
                a.sub(c).store(at(2));
                b.sub(d).store(at(3));
            }
        }
    }
}

/// The layers shorter than a vector: square blocks are transposed, so that they too run across whole vectors.
///
/// # Safety
/// The processor has `V`'s instruction set; the length is a multiple of `V::WIDTH`^2.
#[inline(always)]
unsafe fn short_layers<V: Lanes>(values: &mut [F], roots: &[F], up: bool) {
    if V::WIDTH == 1 {
        return;
    }
    for block in values.chunks_exact_mut(V::WIDTH * V::WIDTH) {
        // SAFETY: `block` has `WIDTH` rows of `WIDTH` elements; no vector has more than 8 lanes.
        unsafe {
            let mut rows = [V::splat(0); 8];
            let rows = &mut rows[..V::WIDTH];
            for (i, row) in rows.iter_mut().enumerate() {
                *row = V::load(block.as_ptr().add(i * V::WIDTH).cast());
            }
            V::transpose(rows);
            let layers = V::WIDTH.trailing_zeros();
            for layer in 0..layers {
                let half = 1usize << if up { layer } else { layers - 1 - layer };
                for start in (0..V::WIDTH).step_by(2 * half) {
                    for j in 0..half {
                        let (i, k) = (start + j, start + j + half);
                        let w = V::splat(roots[half + j].0);
                        let (x, mut y) = (rows[i], rows[k]);
                        if up && j > 0 {
                            y = y.mul(w);
                        }
                        let y = y.canonical();
                        rows[i] = x.add_canonical(y);
                        let difference = x.sub(y);
                        rows[k] = if up || j == 0 {
                            difference
                        } else {
                            difference.mul(w)
                        };
                    }
                }
            }
            V::transpose(rows);
            for (i, row) in rows.iter().enumerate() {
                row.store(block.as_mut_ptr().add(i * V::WIDTH).cast());
            }
        }
    }
}

/// All layers of a block.
///
/// # Safety
/// The processor has `V`'s instruction set.
#[inline(always)]
unsafe fn down_block<V: Lanes>(values: &mut [F], roots: &[F]) {
    // SAFETY: the caller's; the widths divide as the called functions demand.
    unsafe {
        if values.len() < V::WIDTH * V::WIDTH {
            return down_block_slow(values, roots);
        }
        let mut half = values.len() / 2;
        while half >= 2 * V::WIDTH {
            down_two_layers::<V>(values, half / 2, roots);
            half /= 4;
        }
        if half == V::WIDTH {
            down_layer::<V>(values, half, roots);
        }
        short_layers::<V>(values, roots, false);
    }
}

fn down_block_slow(values: &mut [F], roots: &[F]) {
    let mut half = values.len() / 2;
    while half > 0 {
        // SAFETY: one lane needs no instruction set.
        unsafe { down_layer::<u64>(values, half, roots) };
        half /= 2;
    }
}

/// As [`down_block`], upwards.
///
/// # Safety
/// The processor has `V`'s instruction set.
#[inline(always)]
unsafe fn up_block<V: Lanes>(values: &mut [F], roots: &[F]) {
    // SAFETY: as in `down_block`.
    unsafe {
        if values.len() < V::WIDTH * V::WIDTH {
            return up_block_slow(values, roots);
        }
        short_layers::<V>(values, roots, true);
        let mut half = V::WIDTH;
        while 4 * half <= values.len() {
            up_two_layers::<V>(values, half, roots);
            half *= 4;
        }
        if 2 * half == values.len() {
            up_layer::<V>(values, half, roots);
        }
    }
}

fn up_block_slow(values: &mut [F], roots: &[F]) {
    let mut half = 1;
    while half < values.len() {
        // SAFETY: one lane needs no instruction set.
        unsafe { up_layer::<u64>(values, half, roots) };
        half *= 2;
    }
}

dispatched! { fn down_layer_on(values: &mut [F], half: usize, roots: &[F]) = down_layer }
dispatched! { fn up_layer_on(values: &mut [F], half: usize, roots: &[F]) = up_layer }
dispatched! { fn down_two_layers_on(values: &mut [F], quarter: usize, roots: &[F]) = down_two_layers }
dispatched! { fn up_two_layers_on(values: &mut [F], quarter: usize, roots: &[F]) = up_two_layers }
dispatched! { fn down_block_on(values: &mut [F], roots: &[F]) = down_block }
dispatched! { fn up_block_on(values: &mut [F], roots: &[F]) = up_block }
