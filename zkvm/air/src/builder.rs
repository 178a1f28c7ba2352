//! The symbolic description of a table. Tables are code, so a malformed one is a bug and panics as it is built.

use alloc::string::String;
use alloc::vec::Vec;

use crate::expr::Node;
use crate::table::{Constraint, Domain, Table, TableId, Term};
use crate::{Bus, Expr};

/// Collects constraints and bus terms of a table.
#[derive(Debug)]
pub struct TableBuilder {
    table: Table,
}

impl TableBuilder {
    /// An empty table of `width` trace columns, `fixed_width` fixed columns and `publics` public inputs.
    pub fn new(id: TableId, width: usize, fixed_width: usize, publics: usize) -> Self {
        let (constraints, terms) = (Vec::new(), Vec::new());
        Self {
            table: Table {
                id,
                width,
                fixed_width,
                publics,
                constraints,
                terms,
            },
        }
    }

    /// The cell of this row in `column` of the trace.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn local(&self, column: usize) -> Expr {
        assert!(column < self.table.width, "no trace column {column}");
        Expr::leaf(Node::Local(column))
    }

    /// The cell of the next row in `column` of the trace; in the last row, that of the first.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn next(&self, column: usize) -> Expr {
        assert!(column < self.table.width, "no trace column {column}");
        Expr::leaf(Node::Next(column))
    }

    /// The cell of this row in fixed column `column`.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn fixed(&self, column: usize) -> Expr {
        assert!(column < self.table.fixed_width, "no fixed column {column}");
        Expr::leaf(Node::Fixed(column))
    }

    /// Public input `index`.
    ///
    /// # Panics
    /// If there is no such public input.
    pub fn public(&self, index: usize) -> Expr {
        assert!(index < self.table.publics, "no public input {index}");
        Expr::leaf(Node::Public(index))
    }

    /// `expr` = 0 in every row, the last included (whose next row is the first). Degree at most 3.
    pub fn assert_zero(&mut self, label: impl Into<String>, expr: Expr) {
        self.constrain(Domain::Every, label.into(), expr);
    }

    /// `expr` = 0 in the first row. Degree at most 2.
    pub fn assert_first(&mut self, label: impl Into<String>, expr: Expr) {
        self.constrain(Domain::First, label.into(), expr);
    }

    /// `expr` = 0 in the last row. Degree at most 2.
    pub fn assert_last(&mut self, label: impl Into<String>, expr: Expr) {
        self.constrain(Domain::Last, label.into(), expr);
    }

    /// `expr` = 0 in every row but the last. Degree at most 3.
    pub fn assert_transition(&mut self, label: impl Into<String>, expr: Expr) {
        self.constrain(Domain::Transition, label.into(), expr);
    }

    /// `expr` is 0 or 1 in every row.
    pub fn assert_bool(&mut self, label: impl Into<String>, expr: &Expr) {
        self.assert_zero(label, expr.boolean());
    }

    /// Every row puts `tuple` on `bus`, `multiplicity` times. All linear.
    pub fn send(&mut self, bus: Bus, multiplicity: Expr, tuple: Vec<Expr>) {
        self.table.terms.push(Term {
            bus,
            multiplicity,
            tuple,
        });
    }

    /// Every row takes `tuple` from `bus`, `multiplicity` times. All linear.
    pub fn receive(&mut self, bus: Bus, multiplicity: Expr, tuple: Vec<Expr>) {
        self.send(bus, -multiplicity, tuple);
    }

    /// The finished table.
    ///
    /// # Panics
    /// If a constraint is of too high a degree for its rows or is a constant, or a bus term is not linear.
    pub fn build(self) -> Table {
        for Constraint { label, domain, expr } in &self.table.constraints {
            let (degree, max) = (expr.degree(), domain.max_degree());
            assert!(
                degree <= max,
                "constraint {label} ({domain:?}): degree at most {max}, got {degree}"
            );
            assert!(
                expr.as_constant().is_none(),
                "constraint {label} says nothing about the row"
            );
        }
        for (i, term) in self.table.terms.iter().enumerate() {
            let degree = term
                .tuple
                .iter()
                .map(Expr::degree)
                .fold(term.multiplicity.degree(), usize::max);
            assert!(
                degree <= 1,
                "term {i} ({:?}): degree at most 1, got {degree}",
                term.bus
            );
        }
        self.table
    }

    fn constrain(&mut self, domain: Domain, label: String, expr: Expr) {
        self.table.constraints.push(Constraint { label, domain, expr });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder() -> TableBuilder {
        TableBuilder::new(TableId::Cpu, 2, 1, 1)
    }

    #[test]
    #[should_panic(expected = "degree at most 2, got 3")]
    fn cubic_in_the_first_row_panics() {
        let mut b = builder();
        let x = b.local(0);
        b.assert_first("cubic", &x * &x * &x);
        b.build();
    }

    #[test]
    #[should_panic(expected = "degree at most 3, got 4")]
    fn quartic_panics() {
        let mut b = builder();
        let x = b.local(0);
        b.assert_zero("quartic", x.square() * x.square());
        b.build();
    }

    #[test]
    #[should_panic(expected = "degree at most 1, got 2")]
    fn quadratic_tuple_panics() {
        let mut b = builder();
        let x = b.local(0);
        b.send(Bus::U16, Expr::one(), alloc::vec![x.square()]);
        b.build();
    }

    #[test]
    #[should_panic(expected = "degree at most 1, got 2")]
    fn quadratic_multiplicity_panics() {
        let mut b = builder();
        let x = b.local(0);
        b.receive(Bus::U16, x.square(), alloc::vec![x]);
        b.build();
    }

    #[test]
    #[should_panic(expected = "says nothing")]
    fn constant_constraint_panics() {
        let mut b = builder();
        b.assert_zero("nothing", b.local(0) * Expr::zero());
        b.build();
    }

    #[test]
    #[should_panic(expected = "no trace column 2")]
    fn missing_column_panics() {
        builder().next(2);
    }

    #[test]
    fn helpers_round_up() {
        let mut b = builder();
        for i in 0..3 {
            b.send(Bus::U16, Expr::one(), alloc::vec![b.local(0) + i]);
        }
        let table = b.build();
        assert_eq!(
            (table.helpers(), table.aux_columns(), table.aux_width()),
            (2, 3, 6)
        );
        assert_eq!(table.pairs().map(<[Term]>::len).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(table.without_term(0).terms().len(), 2);
    }
}
