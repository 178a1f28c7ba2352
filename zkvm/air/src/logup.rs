//! The LogUp argument's numbers (`docs/prover.md` §2, §5).
//!
//! A term is multiplicity / (beta + bus + gamma v_0 + gamma^2 v_1 + …). Terms of a row go in pairs; a helper column
//! holds the sum of a pair's two fractions; the last auxiliary column runs over the rows. What this module owns is the
//! meaning of beta and gamma: prover, verifier and circuits take denominators from here or from the tape, which is
//! tested against it.

use alloc::vec::Vec;

use plonky2::field::types::Field;

use crate::{Bus, E, F, Table};

/// The challenges of the run, shared by all its shards and drawn after all of them are committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logup {
    /// Added to every denominator.
    pub beta: E,
    /// Whose powers separate a tuple's elements.
    pub gamma: E,
}

impl Logup {
    /// beta + bus + gamma v_0 + gamma^2 v_1 + …
    pub fn denominator(&self, bus: Bus, tuple: &[F]) -> E {
        let constant = self.beta + E::from_canonical_u64(bus.number());
        constant
            + self.gamma
                * tuple
                    .iter()
                    .rev()
                    .fold(E::ZERO, |sum, &v| sum * self.gamma + E::from(v))
    }

    /// The term's value, or nothing if the denominator is 0 (with random challenges: never).
    pub fn fraction(&self, bus: Bus, multiplicity: F, tuple: &[F]) -> Option<E> {
        Some(E::from(multiplicity) * self.denominator(bus, tuple).try_inverse()?)
    }

    /// gamma, gamma^2, … as many as the longest tuple of `table` has elements.
    pub fn powers(&self, table: &Table) -> Vec<E> {
        self.gamma.powers().skip(1).take(longest_tuple(table)).collect()
    }
}

/// Elements of the longest tuple that `table` puts on a bus.
pub fn longest_tuple(table: &Table) -> usize {
    table
        .terms()
        .iter()
        .map(|term| term.tuple.len())
        .max()
        .unwrap_or(0)
}

/// The auxiliary columns in E (helpers, then the running sum) and the shard's sum S, row by row and without batched
/// inversions: the reference that the prover is tested against. `None` if a denominator is 0.
///
/// # Panics
/// When shapes are not the table's.
pub fn reference(
    table: &Table,
    fixed: &[Vec<F>],
    trace: &[Vec<F>],
    publics: &[F],
    challenges: Logup,
) -> Option<(Vec<Vec<E>>, E)> {
    let mut columns = alloc::vec![Vec::new(); table.aux_columns()];
    let mut sum = E::ZERO;
    let cell = |columns: &[Vec<F>], row: usize| columns.iter().map(|c| c[row]).collect::<Vec<F>>();
    let height = trace.first().or(fixed.first()).map_or(0, Vec::len);
    for row in 0..height {
        let (local, next, cells) = (
            cell(trace, row),
            cell(trace, (row + 1) % height),
            cell(fixed, row),
        );
        columns[table.helpers()].push(sum);
        for (i, pair) in table.pairs().enumerate() {
            let mut helper = E::ZERO;
            for term in pair {
                let value = |e: &crate::Expr| e.evaluate(&local, &next, &cells, publics);
                let tuple: Vec<F> = term.tuple.iter().map(value).collect();
                helper += challenges.fraction(term.bus, value(&term.multiplicity), &tuple)?;
            }
            columns[i].push(helper);
            sum += helper;
        }
    }
    Some((columns, sum))
}
