//! The quotient of the constraints by the vanishing polynomial, on both halves of the extension.
//!
//! Invariant: on half h, with x^N = c there, the value is Σ alpha^i selector_i constraint_i / (c - 1), and the two
//! committed chunks q0, q1 satisfy q0 + c q1 = that value.

use plonky2::field::types::Field;
use rayon::prelude::*;
use zkvm_air::table::Domain as Rows;
use zkvm_air::{E, F};

use super::Next;
use super::commitment::{Commitment, Domain, Parts};
use super::program::{Block, DOMAINS, Program, ROWS, Sink, Weights, accumulator};
use crate::kernel::slice::{self, WithConstant};

/// What the constraints read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Committed<'a> {
    pub(super) fixed: Option<&'a Commitment>,
    pub(super) trace: &'a Commitment,
    /// Auxiliary columns, then the blend.
    pub(super) aux: &'a Commitment,
    /// How many of them constraints read.
    pub(super) argued: usize,
}

/// The four base columns of the quotient's two chunks, extended: both components of the lower, then of the upper.
pub(super) fn quotient(domain: &Domain, program: &Program, committed: Committed<'_>, alpha: E) -> Vec<Parts> {
    let log = domain.log();
    let weights = Weights::new(alpha, program.outputs());
    // Coefficients of the polynomial that agrees with the quotient on half h.
    let mut interpolated = [0, 1].map(|half| {
        let mut values = on_half(domain, program, committed, &weights, half);
        let back = domain.transform().coset_factors(domain.shift(half).inverse());
        values.par_iter_mut().for_each(|column| {
            domain.transform().coefficients(column);
            slice::mul_assign(column, &back);
        });
        values
    });
    // x^N is c on half 0 and -c on half 1: the sum is 2 q0, the difference 2 c q1.
    let c = domain.shift(0).exp_power_of_2(log);
    let height = F::from_canonical_usize(1 << log);
    let half = height * F::TWO.inverse();
    let scales = [half, half * c.inverse()];
    let [even, odd] = &mut interpolated;
    let mut chunks: Vec<Vec<F>> = Vec::with_capacity(4);
    for (chunk, scale) in scales.into_iter().enumerate() {
        for (a, b) in even.iter().zip(odd.iter()) {
            let mut sum = vec![F::ZERO; a.len()];
            if chunk == 0 {
                slice::add(&mut sum, a, b)
            } else {
                slice::sub(&mut sum, a, b)
            }
            let mut scaled = vec![F::ZERO; a.len()];
            slice::constant(WithConstant::Mul, &mut scaled, &sum, scale);
            chunks.push(scaled);
        }
    }
    drop(interpolated);
    chunks
        .into_par_iter()
        .map(|coefficients| domain.evaluate(coefficients))
        .collect()
}

/// `start`, `start` w, `start` w^2… for the root w of order 2^`log`, 2^`log` of them.
pub(crate) fn points(log: usize, start: F) -> Vec<F> {
    const PART: usize = 1 << 12;
    let root = F::primitive_root_of_unity(log);
    let mut points = vec![F::ZERO; 1 << log];
    points.par_chunks_mut(PART).enumerate().for_each(|(i, part)| {
        let first = start * root.exp_u64((i * PART) as u64);
        part.iter_mut()
            .zip(root.powers())
            .for_each(|(x, power)| *x = first * power);
    });
    points
}

/// Inverses, in parallel. Panics on a zero: no caller inverts what a proof can choose.
pub(crate) fn inverses(values: &[F]) -> Vec<F> {
    values
        .par_chunks(1 << 12)
        .flat_map_iter(F::batch_multiplicative_inverse)
        .collect()
}

/// Both components of the quotient on a half.
fn on_half(
    domain: &Domain,
    program: &Program,
    committed: Committed<'_>,
    weights: &Weights,
    half: usize,
) -> [Vec<F>; 2] {
    let log = domain.log();
    let height = 1usize << log;
    let rows = ROWS.min(height);
    let start = domain.shift(half);
    let points = points(log, start);
    // The coset does not meet the subgroup, so no x is 1.
    let minus_one: Vec<F> = points.par_iter().map(|&x| x - F::ONE).collect();
    let inverse_first = inverses(&minus_one);
    drop(minus_one);
    let vanishing = (start.exp_power_of_2(log) - F::ONE).inverse();
    let last_row = F::primitive_root_of_unity(log).inverse();
    let per_height = F::inverse_2exp(log);

    let fixed = committed.fixed.map(|c| c.part(half)).unwrap_or_default();
    let (trace, mut aux) = (committed.trace.part(half), committed.aux.part(half));
    aux.truncate(committed.argued);
    let (trace_next, aux_next) = (
        Next::new(trace.iter().copied(), rows),
        Next::new(aux.iter().copied(), rows),
    );
    let mut out = [vec![F::ZERO; height], vec![F::ZERO; height]];
    let [out0, out1] = &mut out;
    out0.par_chunks_mut(rows)
        .zip(out1.par_chunks_mut(rows))
        .enumerate()
        .for_each_init(
            || {
                (
                    vec![F::ZERO; program.scratch(rows)],
                    vec![F::ZERO; 2 * DOMAINS * rows],
                )
            },
            |(scratch, sums), (i, (out0, out1))| {
                let range = i * rows..(i + 1) * rows;
                let block = Block {
                    local: trace.iter().map(|c| &c[range.clone()]).collect(),
                    next: trace_next.block(i),
                    fixed: fixed.iter().map(|c| &c[range.clone()]).collect(),
                    aux: aux.iter().map(|c| &c[range.clone()]).collect(),
                    aux_next: aux_next.block(i),
                };
                sums.fill(F::ZERO);
                program.run(&block, rows, scratch, Sink::Fold { weights, sums });
                for (component, out) in [out0, out1].into_iter().enumerate() {
                    let sum = |d: Rows| &sums[(2 * accumulator(d) + component) * rows..][..rows];
                    let (every, transition) = (sum(Rows::Every), sum(Rows::Transition));
                    let (first, last) = (sum(Rows::First), sum(Rows::Last));
                    for (j, out) in out.iter_mut().enumerate() {
                        let row = range.start + j;
                        // Lagrange's polynomials over the vanishing one: 1 / (N (x - 1)), and for the last row the same at
                        // the next point.
                        let ends =
                            first[j] * inverse_first[row] + last[j] * inverse_first[(row + 1) % height];
                        *out = (every[j] + transition[j] * (points[row] - last_row)) * vanishing
                            + ends * per_height;
                    }
                }
            },
        );
    out
}
