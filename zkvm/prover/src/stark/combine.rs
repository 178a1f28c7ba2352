//! Many columns against few weights: values at a point, and random linear combinations.
//!
//! Both read every committed cell of part 0 once. Rows go in parts that stay in the first cache level while the
//! columns pass.

use plonky2::field::extension::FieldExtension;
use plonky2::field::types::Field;
use rayon::prelude::*;
use zkvm_air::{E, F};

use super::quotient::{inverses, points};
use crate::kernel::lanes::{EPSILON, Lanes};
use crate::kernel::{BEST, dispatched};

/// Rows of a part.
const PART: usize = 1 << 10;

/// An extension column by components.
pub(crate) type Column = [Vec<F>; 2];

/// 1 / (x_i - `point`) on part 0 of the extension of columns of 2^`log` rows, and x_i. `point` is not in F.
#[derive(Debug)]
pub(crate) struct Denominators {
    pub(crate) inverses: Column,
}

/// The points of part 0.
pub(crate) fn first_points(log: usize) -> Vec<F> {
    points(log, F::coset_shift())
}

impl Denominators {
    pub(crate) fn new(points: &[F], point: E) -> Self {
        let [p0, p1]: [F; 2] = point.to_basefield_array();
        let square = p1 * p1 * F::from_canonical_u64(7);
        // 1 / ((x - p0) - p1 X) = ((x - p0) + p1 X) / norm; the norm is not 0 as p1 is not.
        let norms: Vec<F> = points.par_iter().map(|&x| (x - p0) * (x - p0) - square).collect();
        let scales = inverses(&norms);
        drop(norms);
        let c0 = points
            .par_iter()
            .zip(&scales)
            .map(|(&x, &s)| (x - p0) * s)
            .collect();
        let c1 = scales.into_par_iter().map(|s| s * p1).collect();
        Self { inverses: [c0, c1] }
    }

    /// Values at `point`, the one these are for, of the polynomials with `columns` on part 0.
    ///
    /// p(z) = (z^N - s^N) / (N s^N) Σ p(x_i) x_i / (z - x_i).
    pub(crate) fn evaluate(&self, columns: &[&[F]], points: &[F], point: E) -> Vec<E> {
        let height = points.len();
        let shift_n = points[0].exp_u64(height as u64);
        let factor = (point.exp_u64(height as u64) - E::from(shift_n))
            * E::from((F::from_canonical_usize(height) * shift_n).inverse());
        let [c0, c1] = &self.inverses;
        let sums = (0..height.div_ceil(PART))
            .into_par_iter()
            .map_init(
                || [vec![F::ZERO; PART], vec![F::ZERO; PART]],
                |weights, part| {
                    let range = part * PART..height.min((part + 1) * PART);
                    let rows = range.len();
                    // x_i / (z - x_i) = -(x_i / (x_i - z)); the sign goes into the factor.
                    let [w0, w1] = weights;
                    let xs = &points[range.clone()];
                    crate::kernel::slice::mul(&mut w0[..rows], xs, &c0[range.clone()]);
                    crate::kernel::slice::mul(&mut w1[..rows], xs, &c1[range.clone()]);
                    columns
                        .iter()
                        .map(|column| {
                            let mut sum = [F::ZERO; 2];
                            dot(&column[range.clone()], &w0[..rows], &w1[..rows], &mut sum);
                            sum
                        })
                        .collect::<Vec<_>>()
                },
            )
            .reduce(
                || vec![[F::ZERO; 2]; columns.len()],
                |mut a, b| {
                    a.iter_mut()
                        .zip(b)
                        .for_each(|(a, b)| *a = [a[0] + b[0], a[1] + b[1]]);
                    a
                },
            );
        sums.into_iter()
            .map(|sum| -factor * E::from_basefield_array(sum))
            .collect()
    }
}

/// Σ weight_j column_j, for weights `first`, `first` `ratio`, `first` `ratio`^2….
pub(crate) fn combination(columns: &[&[F]], first: E, ratio: E) -> Column {
    let height = columns[0].len();
    let weights: Vec<[F; 2]> = ratio
        .powers()
        .take(columns.len())
        .map(|w| (w * first).to_basefield_array())
        .collect();
    let mut out = [vec![F::ZERO; height], vec![F::ZERO; height]];
    let [out0, out1] = &mut out;
    out0.par_chunks_mut(PART)
        .zip(out1.par_chunks_mut(PART))
        .enumerate()
        .for_each(|(part, (out0, out1))| {
            let range = part * PART..part * PART + out0.len();
            let parts: Vec<&[F]> = columns.iter().map(|c| &c[range.clone()]).collect();
            weighted_sum(&parts, &weights, out0, out1);
        });
    out
}

/// Σ `ratio`^j value_j.
pub(crate) fn reduced(values: &[E], ratio: E) -> E {
    values
        .iter()
        .rev()
        .fold(E::ZERO, |sum, &value| sum * ratio + value)
}

/// `out` = Σ weight_j part_j by components.
pub(crate) fn weighted_sum(parts: &[&[F]], weights: &[[F; 2]], out0: &mut [F], out1: &mut [F]) {
    let rows = out0.len();
    assert!(parts.len() == weights.len() && out1.len() == rows && parts.iter().all(|p| p.len() == rows));
    weighted_sum_on(*BEST, parts, weights, out0, out1);
}

fn dot(column: &[F], w0: &[F], w1: &[F], out: &mut [F; 2]) {
    assert!(column.len() == w0.len() && w0.len() == w1.len());
    dot_on(*BEST, column, w0, w1, out);
}

dispatched! {
    fn weighted_sum_on(parts: &[&[F]], weights: &[[F; 2]], out0: &mut [F], out1: &mut [F]) = weighted_sum_with
}
dispatched! { fn dot_on(column: &[F], w0: &[F], w1: &[F], out: &mut [F; 2]) = dot_with }

/// A sum of products that is reduced once: the products' words by halves, so that 2^31 of them fit.
#[derive(Clone, Copy)]
struct Lazy<V> {
    /// Σ of the low words' low halves, of their high halves, and the same of the high words.
    parts: [V; 4],
}

impl<V: Lanes> Lazy<V> {
    #[inline(always)]
    fn zero(zero: V) -> Self {
        Self { parts: [zero; 4] }
    }

    #[inline(always)]
    fn add_product(&mut self, a: V, b: V) {
        // Four products of halves, at weights 2^0, 2^32 twice, 2^64.
        let (ah, bh) = (a.shr::<32>(), b.shr::<32>());
        let (ll, lh) = (a.mul_low_halves(b), a.mul_low_halves(bh));
        let (hl, hh) = (ah.mul_low_halves(b), ah.mul_low_halves(bh));
        let mask = a.same(EPSILON);
        // lh + hl may exceed a word: their halves are added apart.
        let [p0, p1, p2, p3] = self.parts;
        self.parts = [
            p0.wrapping_add(ll.and(mask)),
            p1.wrapping_add(ll.shr::<32>())
                .wrapping_add(lh.and(mask))
                .wrapping_add(hl.and(mask)),
            p2.wrapping_add(lh.shr::<32>())
                .wrapping_add(hl.shr::<32>())
                .wrapping_add(hh.and(mask)),
            p3.wrapping_add(hh.shr::<32>()),
        ];
    }

    /// The sum modulo p, for at most 2^30 products.
    #[inline(always)]
    fn value(self) -> V {
        let [p0, p1, p2, p3] = self.parts;
        let mask = p0.same(EPSILON);
        let p1 = p1.wrapping_add(p0.shr::<32>());
        let p2 = p2.wrapping_add(p1.shr::<32>());
        let p3 = p3.wrapping_add(p2.shr::<32>());
        let low = p0.and(mask).wrapping_add(p1.shl::<32>());
        let middle = V::reduce(p2.and(mask), low);
        // 2^96 = -1.
        middle.sub(p3)
    }
}

/// # Safety
/// The processor has `V`'s instruction set; all slices have the length of `out0`.
#[inline(always)]
unsafe fn weighted_sum_with<V: Lanes>(parts: &[&[F]], weights: &[[F; 2]], out0: &mut [F], out1: &mut [F]) {
    let rows = out0.len();
    let whole = rows - rows % V::WIDTH;
    // SAFETY: all offsets are below `rows`.
    unsafe {
        for i in (0..whole).step_by(V::WIDTH) {
            let mut sums = [Lazy::zero(V::splat(0)); 2];
            for (part, weight) in parts.iter().zip(weights) {
                let x = V::load(part.as_ptr().add(i).cast());
                sums[0].add_product(x, V::splat(weight[0].0));
                sums[1].add_product(x, V::splat(weight[1].0));
            }
            sums[0].value().store(out0.as_mut_ptr().add(i).cast());
            sums[1].value().store(out1.as_mut_ptr().add(i).cast());
        }
    }
    for i in whole..rows {
        let term = |c: usize| {
            parts
                .iter()
                .zip(weights)
                .map(|(part, weight)| part[i] * weight[c])
                .sum::<F>()
        };
        (out0[i], out1[i]) = (term(0), term(1));
    }
}

/// # Safety
/// The processor has `V`'s instruction set; the slices have one length.
#[inline(always)]
unsafe fn dot_with<V: Lanes>(column: &[F], w0: &[F], w1: &[F], out: &mut [F; 2]) {
    let whole = column.len() - column.len() % V::WIDTH;
    // SAFETY: all offsets are below the length; no vector has more than 8 lanes.
    unsafe {
        let mut sums = [Lazy::zero(V::splat(0)); 2];
        for i in (0..whole).step_by(V::WIDTH) {
            let x = V::load(column.as_ptr().add(i).cast());
            sums[0].add_product(x, V::load(w0.as_ptr().add(i).cast()));
            sums[1].add_product(x, V::load(w1.as_ptr().add(i).cast()));
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            let mut lanes = [0u64; 8];
            sum.value().store(lanes.as_mut_ptr());
            *out = lanes.into_iter().map(F::from_noncanonical_u64).sum();
        }
    }
    for i in whole..column.len() {
        *out = [out[0] + column[i] * w0[i], out[1] + column[i] * w1[i]];
    }
}
