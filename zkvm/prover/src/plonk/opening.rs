//! Openings of a circuit's commitments at zeta, and of each Z at g zeta, and FRI over all of them.

use anyhow::{Result, ensure};
use plonky2::field::extension::FieldExtension;
use plonky2::field::types::Field;
use plonky2::hash::poseidon::PoseidonHash;
use plonky2::iop::challenger::Challenger;
use plonky2::plonk::circuit_data::CommonCircuitData;
use plonky2::plonk::proof::OpeningSet;
use rayon::prelude::*;
use zkvm_air::{E, F};
use zkvm_verifier::proof::{D, Fri};

use super::{Oracles, to_fri};
use crate::stark::Commitment;
use crate::stark::combine::{Column, Denominators, combination, first_points, reduced};
use crate::stark::fri::{self, Padding};

pub(super) fn open(
    common: &CommonCircuitData<F, D>,
    oracles: Oracles<'_>,
    quotient: &Commitment,
    challenger: &mut Challenger<F, PoseidonHash>,
) -> Result<(OpeningSet<F, D>, Fri)> {
    let log = common.degree_bits();
    let zeta = challenger.get_extension_challenge::<D>();
    let components: [F; 2] = zeta.to_basefield_array();
    ensure!(
        components[1] != F::ZERO,
        "the opening point lies in the base field"
    );
    let points = [zeta, zeta * E::primitive_root_of_unity(log)];

    let committed = [oracles.fixed, oracles.wires, oracles.products, quotient];
    let all = committed.map(|commitment| commitment.part(0)).concat();
    let products = oracles.products.part(0);
    let zs = &products[common.zs_range()];
    let xs = first_points(log);
    let denominators = points.map(|point| Denominators::new(&xs, point));
    let at_zeta = denominators[0].evaluate(&all, &xs, points[0]);
    let mut rest = &at_zeta[..];
    let mut take = |n: usize| {
        let (values, after) = rest.split_at(n);
        rest = after;
        values.to_vec()
    };
    let openings = OpeningSet {
        constants: take(common.num_constants),
        plonk_sigmas: take(common.config.num_routed_wires),
        wires: take(common.config.num_wires),
        plonk_zs: take(zs.len()),
        partial_products: take(products.len() - zs.len()),
        quotient_polys: take(quotient.width()),
        lookup_zs: Vec::new(),
        lookup_zs_next: Vec::new(),
        plonk_zs_next: denominators[1].evaluate(zs, &xs, points[1]),
    };
    let values = to_fri(&openings);
    challenger.observe_openings(&values);

    let alpha = challenger.get_extension_challenge::<D>();
    let reduced = [0, 1].map(|batch: usize| reduced(&values.batches[batch].values, alpha));
    let composition = compose([&all, zs], alpha, reduced, denominators);
    let fri = fri::prove(
        composition,
        &committed,
        challenger,
        &common.fri_params,
        Padding::default(),
    )?;
    Ok((openings, fri))
}

/// alpha^k (F_0(x) - F_0(zeta)) / (x - zeta) + (F_1(x) - F_1(g zeta)) / (x - g zeta) on part 0, where F_b sums the columns of
/// batch b with powers of alpha and the second batch has k columns.
fn compose(columns: [&[&[F]]; 2], alpha: E, reduced: [E; 2], denominators: [Denominators; 2]) -> Column {
    let shift = alpha.exp_u64(columns[1].len() as u64);
    let sums = columns.map(|columns| combination(columns, E::ONE, alpha));
    let at = |column: &Column, i: usize| E::from_basefield_array([column[0][i], column[1][i]]);
    let values: Vec<[F; 2]> = (0..sums[0][0].len())
        .into_par_iter()
        .map(|i| {
            let term = |b: usize| (at(&sums[b], i) - reduced[b]) * at(&denominators[b].inverses, i);
            (term(0) * shift + term(1)).to_basefield_array()
        })
        .collect();
    [0, 1].map(|c| values.iter().map(|value| value[c]).collect())
}
