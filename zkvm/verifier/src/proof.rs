//! What a shard's proof consists of, and the shapes that its verifier demands.
//!
//! Every length here is fixed by the table, the log height and the parameters; [`ShardProof::check_shape`] compares all
//! of them before anything is computed, since plonky2's verifier indexes and takes logarithms of what it is given. An
//! attacker tries lists that are too short (panics), too long (unread, so not bound), or empty.

use alloc::vec;
use alloc::vec::Vec;

use plonky2::fri::proof::FriProof;
use plonky2::fri::structure::{
    FriBatchInfo, FriInstanceInfo, FriOpeningBatch, FriOpenings, FriOracleInfo, FriPolynomialInfo,
};
use plonky2::hash::poseidon::PoseidonHash;
use plonky2::plonk::config::PoseidonGoldilocksConfig;
use zkvm_air::{E, F, Table, TableId};

use crate::params::{CAP_LEN, log_heights};
use crate::run::Cap;
use crate::{Params, VerifyError};

/// Degree of [`E`] over [`F`].
pub const D: usize = 2;
/// plonky2's configuration of hashes and fields.
pub type Config = PoseidonGoldilocksConfig;
/// plonky2's FRI proof over them.
pub type Fri = FriProof<F, PoseidonHash, D>;

/// Chunks of a quotient: its degree is below twice the height.
pub const QUOTIENT_CHUNKS: usize = 2;
/// Quotient columns in F: chunk 0's two coordinates, then chunk 1's.
pub const QUOTIENT_WIDTH: usize = D * QUOTIENT_CHUNKS;

/// Columns in F of the blend of the trace: its coordinates.
pub const BLEND_WIDTH: usize = D;

/// One shard's proof. Fixed columns' cap is the key's; beta, gamma, z0 and lambda are the run's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardProof {
    /// The table.
    pub table: TableId,
    /// Log2 of the number of rows.
    pub log_height: usize,
    /// Public inputs, as many as the table has.
    pub publics: Vec<F>,
    /// Merkle cap of the trace.
    pub trace_cap: Cap,
    /// The trace's pin, Σ lambda^i T_i(z0); stated before beta and gamma were drawn.
    pub pin: E,
    /// Merkle cap of the auxiliary columns and of the blend, which is Σ lambda^i T_i.
    pub aux_cap: Cap,
    /// Sum of the shard's LogUp terms.
    pub sum: E,
    /// Merkle cap of the quotient.
    pub quotient_cap: Cap,
    /// Values at zeta, at g zeta and at z0.
    pub openings: Openings,
    /// That the values are those of the committed polynomials, of degree below the height.
    pub fri: Fri,
}

/// Values of the committed polynomials over F at zeta, at g zeta and at z0. Auxiliary columns in E, the blend and quotient
/// chunks are two polynomials each: the coordinates at 1 and at the square root of 7.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Openings {
    /// Fixed columns at zeta.
    pub fixed: Vec<E>,
    /// Trace at zeta.
    pub trace: Vec<E>,
    /// Trace at g zeta.
    pub trace_next: Vec<E>,
    /// Auxiliary columns at zeta, two for each in E.
    pub aux: Vec<E>,
    /// Auxiliary columns at g zeta.
    pub aux_next: Vec<E>,
    /// The blend of the trace at zeta, two values.
    pub blend: Vec<E>,
    /// Quotient at zeta, two for each chunk.
    pub quotient: Vec<E>,
    /// The blend at z0, two values, which make the pin.
    pub pinned: Vec<E>,
}

impl Openings {
    /// plonky2's form: (fixed, trace, aux, blend, quotient) at zeta, (trace, aux) at g zeta, the blend at z0. In this order
    /// they are observed.
    pub fn to_fri(&self) -> FriOpenings<F, D> {
        let at_zeta = [
            &self.fixed[..],
            &self.trace,
            &self.aux,
            &self.blend,
            &self.quotient,
        ]
        .concat();
        let at_next = [&self.trace_next[..], &self.aux_next].concat();
        FriOpenings {
            batches: vec![
                FriOpeningBatch { values: at_zeta },
                FriOpeningBatch { values: at_next },
                FriOpeningBatch {
                    values: self.pinned.clone(),
                },
            ],
        }
    }
}

/// Columns in F of the commitments in order: fixed (if any), trace, aux and blend, quotient.
pub fn oracle_widths(table: &Table) -> Vec<usize> {
    let fixed = (table.fixed_width > 0).then_some(table.fixed_width);
    fixed
        .into_iter()
        .chain([table.width, table.aux_width() + BLEND_WIDTH, QUOTIENT_WIDTH])
        .collect()
}

/// Polynomials that FRI opens at each of its points, in [`Openings::to_fri`]'s order.
pub fn opened(table: &Table) -> [Vec<FriPolynomialInfo>; 3] {
    let widths = oracle_widths(table);
    let columns = |oracle: usize| FriPolynomialInfo::from_range(oracle, 0..widths[oracle]);
    let (trace, aux) = (widths.len() - 3, widths.len() - 2);
    let argued = FriPolynomialInfo::from_range(aux, 0..table.aux_width());
    [
        (0..widths.len()).flat_map(columns).collect(),
        [columns(trace), argued].concat(),
        FriPolynomialInfo::from_range(aux, table.aux_width()..widths[aux]),
    ]
}

/// What FRI opens: all commitments at `zeta`, trace and aux at `next` = g zeta, the blend at `z0`.
pub fn fri_instance(table: &Table, zeta: E, next: E, z0: E) -> FriInstanceInfo<F, D> {
    let widths = oracle_widths(table);
    let batches = [zeta, next, z0].into_iter().zip(opened(table));
    let oracles = widths
        .iter()
        .map(|&num_polys| FriOracleInfo {
            num_polys,
            blinding: false,
        })
        .collect();
    FriInstanceInfo {
        oracles,
        batches: batches
            .map(|(point, polynomials)| FriBatchInfo { point, polynomials })
            .collect(),
    }
}

impl ShardProof {
    /// Compares table, height and every length with what `table` and `params` fix.
    pub fn check_shape(&self, table: &Table, params: &Params) -> Result<(), VerifyError> {
        params.check()?;
        if self.table != table.id {
            return Err(VerifyError::Table {
                expected: table.id,
                got: self.table,
            });
        }
        let heights = log_heights(table.id);
        if !heights.contains(&self.log_height) {
            let (least, greatest) = heights.into_inner();
            return Err(VerifyError::LogHeight {
                table: table.id,
                least,
                greatest,
                got: self.log_height,
            });
        }
        let openings = &self.openings;
        length("publics", table.publics, &self.publics)?;
        length("the trace's cap", CAP_LEN, &self.trace_cap.0)?;
        length("the auxiliary columns' cap", CAP_LEN, &self.aux_cap.0)?;
        length("the quotient's cap", CAP_LEN, &self.quotient_cap.0)?;
        length("openings of fixed columns", table.fixed_width, &openings.fixed)?;
        length("openings of the trace", table.width, &openings.trace)?;
        length(
            "openings of the trace's next row",
            table.width,
            &openings.trace_next,
        )?;
        length("openings of auxiliary columns", table.aux_width(), &openings.aux)?;
        length(
            "openings of auxiliary columns' next row",
            table.aux_width(),
            &openings.aux_next,
        )?;
        length("openings of the blend", BLEND_WIDTH, &openings.blend)?;
        length("openings of the quotient", QUOTIENT_WIDTH, &openings.quotient)?;
        length("openings of the blend at z0", BLEND_WIDTH, &openings.pinned)?;
        check_fri_shape(&self.fri, &oracle_widths(table), params, self.log_height)
    }
}

fn check_fri_shape(
    fri: &Fri,
    widths: &[usize],
    params: &Params,
    log_height: usize,
) -> Result<(), VerifyError> {
    let shape = params.fri_params(log_height);
    let path = |log_leaves: usize| log_leaves - shape.config.cap_height;
    length(
        "folds",
        shape.reduction_arity_bits.len(),
        &fri.commit_phase_merkle_caps,
    )?;
    for cap in &fri.commit_phase_merkle_caps {
        length("a fold's cap", CAP_LEN, &cap.0)?;
    }
    length("final polynomial", shape.final_poly_len(), &fri.final_poly.coeffs)?;
    length("queries", shape.config.num_query_rounds, &fri.query_round_proofs)?;
    for round in &fri.query_round_proofs {
        length(
            "a query's leaves",
            widths.len(),
            &round.initial_trees_proof.evals_proofs,
        )?;
        for ((leaf, proof), &width) in round.initial_trees_proof.evals_proofs.iter().zip(widths) {
            length("a leaf", width, leaf)?;
            length("a leaf's path", path(shape.lde_bits()), &proof.siblings)?;
        }
        length("a query's folds", shape.reduction_arity_bits.len(), &round.steps)?;
        let mut log_leaves = shape.lde_bits();
        for (step, &arity_bits) in round.steps.iter().zip(&shape.reduction_arity_bits) {
            log_leaves -= arity_bits;
            length("a fold's values", 1 << arity_bits, &step.evals)?;
            length("a fold's path", path(log_leaves), &step.merkle_proof.siblings)?;
        }
    }
    Ok(())
}

pub(crate) fn length<T>(part: &'static str, expected: usize, list: &[T]) -> Result<(), VerifyError> {
    match list.len() {
        got if got == expected => Ok(()),
        got => Err(VerifyError::Length { part, expected, got }),
    }
}
