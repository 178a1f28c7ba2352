//! What fixes a trace before beta and gamma: its pin, and the blend of its columns that FRI opens there.
//!
//! Invariant: the pin is Σ lambda^i T_i(z0) over the polynomials T_i of the trace's columns, the blend is the column of
//! Σ lambda^i T_i on the rows; so the blend's polynomial has the pin's value at z0 (`docs/prover.md` §5).

use plonky2::field::types::Field;
use zkvm_air::E;
use zkvm_air::F;
use zkvm_verifier::run::PinPoint;

use super::StarkError;
use super::combine::{Column, Denominators, combination};
use super::quotient::points;

/// The pin of a trace: columns of one power of two of rows, at least one column.
///
/// # Errors
/// If z0 is in F.
pub fn pin(trace: &[Vec<F>], at: PinPoint) -> Result<E, StarkError> {
    if !at.is_outside() {
        return Err(StarkError::PinPoint);
    }
    let rows = points(trace[0].len().trailing_zeros() as usize, F::ONE);
    let columns: Vec<&[F]> = trace.iter().map(Vec::as_slice).collect();
    let values = Denominators::new(&rows, at.z0).evaluate(&columns, &rows, at.z0);
    Ok(at.weigh(&values))
}

/// The blend of a trace, by coordinates.
pub(super) fn blend(trace: &[Vec<F>], at: PinPoint) -> Column {
    let columns: Vec<&[F]> = trace.iter().map(Vec::as_slice).collect();
    combination(&columns, E::ONE, at.lambda)
}
