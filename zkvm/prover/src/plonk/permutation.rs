//! plonky2's permutation argument: what Z gains from row to row, in chunks whose products are columns of their own.
//!
//! Row x has a factor n_j / d_j for each routed wire j: n_j = w_j + beta k_j x + gamma, d_j = w_j + beta sigma_j(x) + gamma.

use core::ops::Range;

use plonky2::field::types::Field;
use plonky2::plonk::circuit_data::{CircuitData, CommonCircuitData};
use rayon::prelude::*;
use zkvm_air::F;
use zkvm_verifier::proof::D;

use super::C;
use crate::kernel::lanes::Lanes;
use crate::kernel::{BEST, InstructionSet, dispatched};

/// Rows of a task.
pub(super) const ROWS: usize = 1 << 8;

/// One challenge, and what the factors are made of.
pub(super) struct Factors<'a> {
    beta: F,
    gamma: F,
    /// beta k_j for each routed wire.
    scaled: Vec<F>,
    /// Wires of a product: as many as the degree of constraints.
    chunk: usize,
    common: &'a CommonCircuitData<F, D>,
}

/// What the factors are made from, in some rows.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a> {
    pub(super) xs: &'a [F],
    /// Routed wires come first.
    pub(super) wires: &'a [&'a [F]],
    pub(super) sigmas: &'a [&'a [F]],
}

impl<'a> Factors<'a> {
    pub(super) fn new(common: &'a CommonCircuitData<F, D>, beta: F, gamma: F) -> Self {
        Self {
            beta,
            gamma,
            scaled: common.k_is.iter().map(|&k| beta * k).collect(),
            chunk: common.quotient_degree_factor,
            common,
        }
    }

    /// Products of a row: all but the last are columns, the last makes the next Z.
    pub(super) fn products(&self) -> usize {
        self.common.num_partial_products + 1
    }

    /// The products of numerators and of denominators: product c of row i at c times the number of rows, plus i.
    pub(super) fn evaluate(&self, columns: Columns<'_>) -> [Vec<F>; 2] {
        self.evaluate_on(*BEST, columns)
    }

    pub(super) fn evaluate_on(&self, set: InstructionSet, columns: Columns<'_>) -> [Vec<F>; 2] {
        let routed = self.common.config.num_routed_wires;
        let Columns { xs, wires, sigmas } = columns;
        let wires = &wires[..routed];
        assert!(
            self.scaled.len() == routed
                && sigmas.len() == routed
                && routed.div_ceil(self.chunk) == self.products()
        );
        assert!(
            wires.iter().chain(sigmas).all(|column| column.len() == xs.len()),
            "columns of one length"
        );
        let [mut numerators, mut denominators] = [(); 2].map(|()| vec![F::ZERO; self.products() * xs.len()]);
        let columns = Columns { xs, wires, sigmas };
        products_on(set, self, columns, &mut numerators, &mut denominators);
        [numerators, denominators]
    }
}

/// # Safety
/// The processor has `V`'s instruction set; there are wires and sigmas of the routed wires only, all have the length of `xs`,
/// and the products their number times it.
#[inline(always)]
unsafe fn products_with<V: Lanes>(
    factors: &Factors<'_>,
    columns: Columns<'_>,
    numerators: &mut [F],
    denominators: &mut [F],
) {
    let rows = columns.xs.len();
    let whole = rows - rows % V::WIDTH;
    // SAFETY: the caller's; all offsets are below the columns' lengths.
    unsafe {
        for i in (0..whole).step_by(V::WIDTH) {
            products_at::<V>(factors, i, columns, numerators, denominators);
        }
        for i in whole..rows {
            products_at::<u64>(factors, i, columns, numerators, denominators);
        }
    }
}

/// # Safety
/// As [`products_with`]; there are `V::WIDTH` rows from `i` on.
#[inline(always)]
unsafe fn products_at<V: Lanes>(
    factors: &Factors<'_>,
    i: usize,
    Columns { xs, wires, sigmas }: Columns<'_>,
    numerators: &mut [F],
    denominators: &mut [F],
) {
    let rows = xs.len();
    // SAFETY: the caller's.
    unsafe {
        let load = |column: &[F]| V::load(column.as_ptr().add(i).cast());
        let (beta, gamma) = (V::splat(factors.beta.0), V::splat(factors.gamma.0).canonical());
        let x = load(xs);
        let chunks = wires.chunks(factors.chunk).zip(sigmas.chunks(factors.chunk));
        for (c, ((wires, sigmas), scaled)) in chunks.zip(factors.scaled.chunks(factors.chunk)).enumerate() {
            let (mut numerator, mut denominator) = (V::splat(1), V::splat(1));
            for ((wire, sigma), scaled) in wires.iter().zip(sigmas).zip(scaled) {
                let wire = load(wire).add_canonical(gamma);
                numerator = numerator.mul(wire.add(V::splat(scaled.0).mul(x)));
                denominator = denominator.mul(wire.add(beta.mul(load(sigma))));
            }
            numerator.store(numerators.as_mut_ptr().add(c * rows + i).cast());
            denominator.store(denominators.as_mut_ptr().add(c * rows + i).cast());
        }
    }
}

dispatched! {
    fn products_on(
        factors: &Factors<'_>,
        columns: Columns<'_>,
        numerators: &mut [F],
        denominators: &mut [F]
    ) = products_with
}

/// Z of each challenge, then the partial products of each.
pub(super) fn columns(
    data: &CircuitData<F, C, D>,
    wires: &[Vec<F>],
    betas: &[F],
    gammas: &[F],
) -> Vec<Vec<F>> {
    let xs = &data.prover_only.subgroup;
    let sigmas = transposed(&data.prover_only.sigmas);
    let (mut zs, mut partials) = (Vec::new(), Vec::new());
    for (&beta, &gamma) in betas.iter().zip(gammas) {
        let factors = Factors::new(&data.common, beta, gamma);
        let count = factors.products();
        // Quotients of products, row after row.
        let quotients: Vec<F> = (0..xs.len().div_ceil(ROWS))
            .into_par_iter()
            .flat_map_iter(|task| {
                let range = task * ROWS..xs.len().min((task + 1) * ROWS);
                let [numerators, denominators] = factors.evaluate(Columns {
                    xs: &xs[range.clone()],
                    wires: &rows_of(wires, &range),
                    sigmas: &rows_of(&sigmas, &range),
                });
                let inverses = F::batch_multiplicative_inverse(&denominators);
                let rows = range.len();
                (0..rows * count).map(move |k| {
                    let at = k % count * rows + k / count;
                    numerators[at] * inverses[at]
                })
            })
            .collect();
        let mut z = Vec::with_capacity(xs.len());
        let mut products = vec![Vec::with_capacity(xs.len()); count - 1];
        let mut product = F::ONE;
        for row in quotients.chunks_exact(count) {
            z.push(product);
            for (c, &quotient) in row.iter().enumerate() {
                product *= quotient;
                if let Some(column) = products.get_mut(c) {
                    column.push(product);
                }
            }
        }
        zs.push(z);
        partials.extend(products);
    }
    zs.extend(partials);
    zs
}

/// Rows `range` of `columns`.
pub(super) fn rows_of<'a>(columns: &'a [impl AsRef<[F]>], range: &Range<usize>) -> Vec<&'a [F]> {
    columns.iter().map(|c| &c.as_ref()[range.clone()]).collect()
}

/// Columns of rows.
fn transposed(rows: &[Vec<F>]) -> Vec<Vec<F>> {
    let width = rows.first().map_or(0, Vec::len);
    (0..width)
        .into_par_iter()
        .map(|column| rows.iter().map(|row| row[column]).collect())
        .collect()
}
