//! A table's constraints and bus terms over a plain trace, without any proving: the first test of every table.

use alloc::string::String;
use alloc::vec::Vec;

use plonky2::field::types::Field;

use crate::table::Domain;
use crate::{Bus, F, Table};

/// The first constraint that a trace breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The constraint's label.
    pub label: String,
    /// The row.
    pub row: usize,
}

/// Evaluates every constraint of `table` on every row. `fixed` and `trace` are column-major, all columns of one height.
///
/// # Panics
/// When the number of columns or publics is not the table's, or heights differ.
pub fn check_trace(
    table: &Table,
    fixed: &[Vec<F>],
    trace: &[Vec<F>],
    publics: &[F],
) -> Result<(), Violation> {
    let rows = Rows::new(table, fixed, trace, publics);
    for row in 0..rows.height {
        let (local, next, cells) = rows.at(row);
        for constraint in table.constraints() {
            let holds_here = match constraint.domain {
                Domain::Every => true,
                Domain::First => row == 0,
                Domain::Last => row + 1 == rows.height,
                Domain::Transition => row + 1 != rows.height,
            };
            if holds_here && constraint.expr.evaluate(&local, &next, &cells, publics) != F::ZERO {
                return Err(Violation {
                    label: constraint.label.clone(),
                    row,
                });
            }
        }
    }
    Ok(())
}

/// All that the rows put on the buses: (bus, multiplicity, tuple), negative multiplicities for what they take. Terms of
/// multiplicity 0 are left out. Buses balance if the multiplicities of each (bus, tuple) sum to 0 over all tables.
///
/// # Panics
/// When the number of columns or publics is not the table's, or heights differ.
pub fn terms_of<'a>(
    table: &'a Table,
    fixed: &'a [Vec<F>],
    trace: &'a [Vec<F>],
    publics: &'a [F],
) -> impl Iterator<Item = (Bus, F, Vec<F>)> + 'a {
    let rows = Rows::new(table, fixed, trace, publics);
    (0..rows.height).flat_map(move |row| {
        let (local, next, cells) = rows.at(row);
        table.terms().iter().filter_map(move |term| {
            let value = |e: &crate::Expr| e.evaluate(&local, &next, &cells, publics);
            let multiplicity = value(&term.multiplicity);
            (multiplicity != F::ZERO)
                .then(|| (term.bus, multiplicity, term.tuple.iter().map(value).collect()))
        })
    })
}

struct Rows<'a> {
    fixed: &'a [Vec<F>],
    trace: &'a [Vec<F>],
    height: usize,
}

impl<'a> Rows<'a> {
    fn new(table: &Table, fixed: &'a [Vec<F>], trace: &'a [Vec<F>], publics: &[F]) -> Self {
        assert_eq!(trace.len(), table.width, "trace columns");
        assert_eq!(fixed.len(), table.fixed_width, "fixed columns");
        assert_eq!(publics.len(), table.publics, "publics");
        let height = trace.first().or(fixed.first()).map_or(0, Vec::len);
        assert!(
            trace.iter().chain(fixed).all(|column| column.len() == height),
            "columns of one height"
        );
        Self { fixed, trace, height }
    }

    fn at(&self, row: usize) -> (Vec<F>, Vec<F>, Vec<F>) {
        let read = |columns: &[Vec<F>], row: usize| columns.iter().map(|column| column[row]).collect();
        (
            read(self.trace, row),
            read(self.trace, (row + 1) % self.height),
            read(self.fixed, row),
        )
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;
    use crate::{Expr, TableBuilder, TableId};

    fn column(values: impl IntoIterator<Item = u64>) -> Vec<F> {
        values.into_iter().map(F::from_canonical_u64).collect()
    }

    /// Column 0 counts from the public; sent to U16 as often as the fixed column says.
    fn counter() -> Table {
        let mut b = TableBuilder::new(TableId::Cpu, 1, 1, 2);
        let (x, x_next) = (b.local(0), b.next(0));
        b.assert_first("start", &x - b.public(0));
        b.assert_transition("step", x_next - &x - 1);
        b.assert_last("end", &x - b.public(1));
        b.assert_zero("small", (&x - 5) * (&x - 6) * (&x - 7));
        b.receive(Bus::U16, b.fixed(0), vec![x, Expr::constant(9)]);
        b.build()
    }

    fn violation(trace: &[u64], publics: &[u64]) -> Option<(alloc::string::String, usize)> {
        let trace = column(trace.iter().copied());
        let fixed = column(trace.iter().map(|_| 1));
        let result = check_trace(&counter(), &[fixed], &[trace], &column(publics.iter().copied()));
        result.err().map(|v| (v.label, v.row))
    }

    #[test]
    fn each_domain_is_seen() {
        assert_eq!(violation(&[5, 6, 7], &[5, 7]), None);
        assert_eq!(violation(&[5, 6, 7], &[6, 7]), Some(("start".to_string(), 0)));
        assert_eq!(violation(&[5, 6, 7], &[5, 6]), Some(("end".to_string(), 2)));
        assert_eq!(violation(&[5, 5, 6], &[5, 6]), Some(("step".to_string(), 0)));
        assert_eq!(violation(&[6, 7, 8], &[6, 8]), Some(("small".to_string(), 2)));
    }

    #[test]
    fn terms_carry_signs_and_skip_zeros() {
        let (fixed, trace) = ([column([0, 2, 1])], [column([5, 6, 7])]);
        let publics = column([5, 7]);
        let terms: Vec<_> = terms_of(&counter(), &fixed, &trace, &publics).collect();
        assert_eq!(
            terms,
            [
                (Bus::U16, -F::TWO, column([6, 9])),
                (Bus::U16, F::NEG_ONE, column([7, 9]))
            ],
        );
    }
}
