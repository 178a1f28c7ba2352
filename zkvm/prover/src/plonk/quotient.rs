//! The quotient of a circuit's constraints by the vanishing polynomial, part by part of the extension.
//!
//! Invariant: constraints in plonky2's order, weighted with powers of each alpha: L_0 (Z - 1) of each challenge, the checks
//! of partial products of each, then the gates' constraints.

use core::ops::Range;

use plonky2::field::types::Field;
use plonky2::hash::hash_types::HashOut;
use plonky2::plonk::circuit_data::CommonCircuitData;
use plonky2::plonk::vars::EvaluationVarsBaseBatch;
use rayon::prelude::*;
use zkvm_air::F;
use zkvm_verifier::proof::D;

use super::permutation::{Columns, Factors, ROWS, rows_of};
use super::{Challenges, Oracles};
use crate::kernel::slice::{self, WithConstant};
use crate::stark::Domain;
use crate::stark::combine::weighted_sum;
use crate::stark::commitment::Parts;
use crate::stark::quotient::{inverses, points};

/// The chunks of each challenge's quotient, extended.
pub(super) fn quotient(
    common: &CommonCircuitData<F, D>,
    domain: &Domain,
    oracles: Oracles<'_>,
    challenges: &Challenges,
    publics_hash: HashOut<F>,
) -> Vec<Parts> {
    let parts = domain.parts();
    let count = challenges.alphas.len();
    let context = Context::new(common, challenges, publics_hash);
    // Per part and challenge: coefficients of the polynomial that agrees with the quotient there.
    let mut interpolated: Vec<Vec<Vec<F>>> = Vec::with_capacity(parts);
    for part in 0..parts {
        let mut values = context.on_part(domain, oracles, part);
        let back = domain.transform().coset_factors(domain.shift(part).inverse());
        values.par_iter_mut().for_each(|column| {
            domain.transform().coefficients(column);
            slice::mul_assign(column, &back);
        });
        interpolated.push(values);
    }
    // On part p, x^N is s_p^N = c w^p for c = g^N and w of order `parts`: what agrees there is Σ (c w^p)^k q_k.
    let log = domain.log();
    let w = F::primitive_root_of_unity(parts.trailing_zeros() as usize);
    let c = domain.shift(0).exp_power_of_2(log).inverse();
    // `evaluate` takes coefficients times N.
    let scale = F::from_canonical_usize(1 << log) * F::from_canonical_usize(parts).inverse();
    (0..count * parts)
        .into_par_iter()
        .map(|i| {
            let (challenge, chunk) = (i / parts, i % parts);
            let mut weight = scale * c.exp_u64(chunk as u64);
            let step = w.inverse().exp_u64(chunk as u64);
            let mut coefficients = vec![F::ZERO; 1 << log];
            for part in &interpolated {
                slice::constant(WithConstant::MulAdd, &mut coefficients, &part[challenge], weight);
                weight *= step;
            }
            domain.evaluate(coefficients)
        })
        .collect()
}

/// What constraints are evaluated with, wherever.
struct Context<'a> {
    common: &'a CommonCircuitData<F, D>,
    publics_hash: HashOut<F>,
    factors: Vec<Factors<'a>>,
    groups: Vec<Range<usize>>,
    /// Powers of the alphas by pairs, one of each a constraint; the second of the last pair may be idle.
    weights: Vec<Vec<[F; 2]>>,
}

impl<'a> Context<'a> {
    fn new(common: &'a CommonCircuitData<F, D>, challenges: &Challenges, publics_hash: HashOut<F>) -> Self {
        let factors: Vec<Factors<'_>> = challenges
            .betas
            .iter()
            .zip(&challenges.gammas)
            .map(|(&beta, &gamma)| Factors::new(common, beta, gamma))
            .collect();
        let constraints =
            factors.iter().map(|f| 1 + f.products()).sum::<usize>() + common.num_gate_constraints;
        let weights = challenges
            .alphas
            .chunks(2)
            .map(|pair| {
                let second = *pair.last().expect("chunks are not empty");
                pair[0]
                    .powers()
                    .zip(second.powers())
                    .map(|(a, b)| [a, b])
                    .take(constraints)
                    .collect()
            })
            .collect();
        Self {
            common,
            publics_hash,
            factors,
            groups: groups(common),
            weights,
        }
    }

    /// The quotient of each challenge on a part.
    fn on_part(&self, domain: &Domain, oracles: Oracles<'_>, part: usize) -> Vec<Vec<F>> {
        let log = domain.log();
        let height = 1usize << log;
        let shift = domain.shift(part);
        let xs = points(log, shift);
        // The coset does not meet the subgroup, so no x is 1.
        let minus_one: Vec<F> = xs.par_iter().map(|&x| x - F::ONE).collect();
        let vanishing = shift.exp_power_of_2(log) - F::ONE;
        let first: Vec<F> = inverses(&minus_one)
            .into_par_iter()
            .map(|inverse| inverse * vanishing * F::inverse_2exp(log))
            .collect();
        let (fixed, wires, products) = (
            oracles.fixed.part(part),
            oracles.wires.part(part),
            oracles.products.part(part),
        );
        let scale = vanishing.inverse();
        let count = self.factors.len();
        // The next Z of the last row is the first row's.
        let next: Vec<Vec<F>> = products[..count]
            .iter()
            .map(|z| z[1..].iter().chain(&z[..1]).copied().collect())
            .collect();
        let by_tasks: Vec<Vec<Vec<F>>> = (0..height.div_ceil(ROWS))
            .into_par_iter()
            .map(|task| {
                let range = task * ROWS..height.min((task + 1) * ROWS);
                let block = Block {
                    xs: &xs[range.clone()],
                    first: &first[range.clone()],
                    fixed: rows_of(&fixed, &range),
                    wires: rows_of(&wires, &range),
                    products: rows_of(&products, &range),
                    next: rows_of(&next, &range),
                };
                self.on_block(&block, scale)
            })
            .collect();
        (0..count)
            .map(|c| by_tasks.iter().flat_map(|block| &block[c]).copied().collect())
            .collect()
    }

    fn on_block(&self, block: &Block<'_>, scale: F) -> Vec<Vec<F>> {
        let rows = block.xs.len();
        let (constants, sigmas) = block.fixed.split_at(self.common.num_constants);
        let starts = block.products[..self.factors.len()].iter().map(|z| {
            let starts_with_one = |(&first, &z): (&F, &F)| first * (z - F::ONE);
            block.first.iter().zip(*z).map(starts_with_one).collect()
        });
        let mut terms: Vec<Vec<F>> = starts.collect();
        for challenge in 0..self.factors.len() {
            self.products(block, sigmas, challenge, &mut terms);
        }
        let gates = self.gates(rows, &constants.concat(), &block.wires.concat());
        let all: Vec<&[F]> = terms
            .iter()
            .map(|term| &term[..])
            .chain(gates.chunks_exact(rows))
            .collect();
        let mut out = Vec::new();
        for weights in &self.weights {
            let [mut a, mut b] = [(); 2].map(|()| vec![F::ZERO; rows]);
            weighted_sum(&all, weights, &mut a, &mut b);
            out.extend([a, b]);
        }
        out.truncate(self.factors.len());
        out.iter_mut().flatten().for_each(|value| *value *= scale);
        out
    }

    /// From Z over the partial products to the next Z: what was before times the numerators is what is after times the
    /// denominators.
    fn products(&self, block: &Block<'_>, sigmas: &[&[F]], challenge: usize, terms: &mut Vec<Vec<F>>) {
        let rows = block.xs.len();
        let factors = &self.factors[challenge];
        let [numerators, denominators] = factors.evaluate(Columns {
            xs: block.xs,
            wires: &block.wires,
            sigmas,
        });
        let partials = factors.products() - 1;
        let partials = &block.products[self.factors.len() + challenge * partials..][..partials];
        let before = [block.products[challenge]]
            .into_iter()
            .chain(partials.iter().copied());
        let after = partials.iter().copied().chain([block.next[challenge]]);
        let quotients = numerators.chunks_exact(rows).zip(denominators.chunks_exact(rows));
        for ((before, after), (numerator, denominator)) in before.zip(after).zip(quotients) {
            let [mut gained, mut kept, mut term] = [(); 3].map(|()| vec![F::ZERO; rows]);
            slice::mul(&mut gained, before, numerator);
            slice::mul(&mut kept, after, denominator);
            slice::sub(&mut term, &gained, &kept);
            terms.push(term);
        }
    }

    /// The gates' constraints: constraint c at row i is element c `rows` + i. Constants and wires lie likewise.
    fn gates(&self, rows: usize, constants: &[F], wires: &[F]) -> Vec<F> {
        let common = self.common;
        let vars = EvaluationVarsBaseBatch::new(rows, constants, wires, &self.publics_hash);
        let mut sums = vec![F::ZERO; common.num_gate_constraints * rows];
        let selectors = self.groups.len();
        for (selector, group) in self.groups.iter().enumerate() {
            for i in group.clone() {
                let gate = &common.gates[i].0;
                let constraints = gate.eval_filtered_base_batch(
                    vars,
                    i,
                    selector,
                    group.clone(),
                    selectors,
                    common.num_lookup_selectors,
                );
                slice::add_assign(&mut sums[..constraints.len()], &constraints);
            }
        }
        sums
    }
}

/// Columns in some rows of a part.
struct Block<'a> {
    xs: &'a [F],
    /// The Lagrange polynomial of the first row.
    first: &'a [F],
    fixed: Vec<&'a [F]>,
    wires: Vec<&'a [F]>,
    products: Vec<&'a [F]>,
    /// Z of the next row.
    next: Vec<&'a [F]>,
}

/// The gates that share a selector: plonky2 forms these groups in the order of gates and keeps them to itself.
pub(super) fn groups(common: &CommonCircuitData<F, D>) -> Vec<Range<usize>> {
    let most = common.quotient_degree_factor + 1;
    let degrees: Vec<usize> = common.gates.iter().map(|gate| gate.0.degree()).collect();
    let greatest = degrees.last().copied().unwrap_or_default();
    if greatest + degrees.len() <= most + 1 {
        return core::iter::once(0..degrees.len()).collect();
    }
    let mut groups: Vec<Range<usize>> = Vec::new();
    for (i, degree) in degrees.into_iter().enumerate() {
        match groups.last_mut() {
            Some(group) if group.len() + degree < most => group.end = i + 1,
            _ => groups.push(i..i + 1),
        }
    }
    groups
}
