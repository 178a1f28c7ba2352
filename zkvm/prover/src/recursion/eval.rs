//! A table's constraints at one point, as targets of a circuit.
//!
//! Reads the table's expressions themselves, not the tape that the native verifier runs: the two meet only in the test
//! that compares them. An attacker looks for a constraint that the circuit leaves out or weighs differently.

use std::collections::HashMap;

use plonky2::field::types::Field;
use plonky2::iop::ext_target::ExtensionTarget;
use plonky2::plonk::circuit_builder::CircuitBuilder;
use zkvm_air::expr::Node;
use zkvm_air::{Domain, Expr, F, Table, Term};

use super::D;

/// A value in E inside the circuit.
pub(crate) type Ext = ExtensionTarget<D>;

/// The opened values of one shard, columns in order; `aux` already joined to values in E.
pub(crate) struct Cells<'a> {
    pub(crate) local: &'a [Ext],
    pub(crate) next: &'a [Ext],
    pub(crate) fixed: &'a [Ext],
    pub(crate) publics: &'a [Ext],
    pub(crate) aux: &'a [Ext],
    pub(crate) aux_next: &'a [Ext],
}

/// Factors by which constraints of a domain are multiplied.
pub(crate) struct Selectors {
    pub(crate) first: Ext,
    pub(crate) last: Ext,
    pub(crate) transition: Ext,
}

/// Challenges and the claimed sum.
pub(crate) struct Challenges {
    pub(crate) beta: Ext,
    pub(crate) gamma: Ext,
    pub(crate) alpha: Ext,
    pub(crate) sum: Ext,
}

/// Σ alpha^i c_i over all constraints of `table` and of its LogUp columns (`docs/prover.md` §5).
pub(crate) fn combined(
    builder: &mut CircuitBuilder<F, D>,
    table: &Table,
    cells: &Cells<'_>,
    selectors: &Selectors,
    challenges: &Challenges,
) -> Ext {
    let mut eval = Evaluator {
        builder,
        cells,
        known: HashMap::new(),
    };
    let mut values = Vec::new();
    for constraint in table.constraints() {
        let value = eval.expr(&constraint.expr);
        values.push((constraint.domain, value));
    }
    for (pair, &helper) in table.pairs().zip(cells.aux) {
        values.push((Domain::Every, eval.helper(pair, helper, challenges)));
    }
    let (z, z_next) = (cells.aux[table.helpers()], cells.aux_next[table.helpers()]);
    let row_sum = eval.builder.add_many_extension(&cells.aux[..table.helpers()]);
    let after = eval.builder.add_extension(z, row_sum);
    values.push((Domain::First, z));
    values.push((Domain::Transition, eval.builder.sub_extension(z_next, after)));
    values.push((Domain::Last, eval.builder.sub_extension(after, challenges.sum)));

    let mut total = eval.builder.zero_extension();
    for (domain, value) in values {
        let factor = match domain {
            Domain::Every => None,
            Domain::First => Some(selectors.first),
            Domain::Last => Some(selectors.last),
            Domain::Transition => Some(selectors.transition),
        };
        let value = match factor {
            Some(factor) => eval.builder.mul_extension(value, factor),
            None => value,
        };
        total = eval.builder.mul_add_extension(total, challenges.alpha, value);
    }
    total
}

struct Evaluator<'a, 'b> {
    builder: &'a mut CircuitBuilder<F, D>,
    cells: &'a Cells<'b>,
    /// By the address of a shared node, so that each is computed once.
    known: HashMap<usize, Ext>,
}

impl Evaluator<'_, '_> {
    fn expr(&mut self, expr: &Expr) -> Ext {
        if let Some(&value) = self.known.get(&expr.identity()) {
            return value;
        }
        let value = match expr.node() {
            Node::Constant(c) => self.builder.constant_extension((*c).into()),
            Node::Local(i) => self.cells.local[*i],
            Node::Next(i) => self.cells.next[*i],
            Node::Fixed(i) => self.cells.fixed[*i],
            Node::Public(i) => self.cells.publics[*i],
            Node::Add(a, b) => {
                let (a, b) = (self.expr(a), self.expr(b));
                self.builder.add_extension(a, b)
            }
            Node::Sub(a, b) => {
                let (a, b) = (self.expr(a), self.expr(b));
                self.builder.sub_extension(a, b)
            }
            Node::Mul(a, b) => match (a.as_constant(), b.as_constant()) {
                (Some(c), _) => {
                    let b = self.expr(b);
                    self.builder.mul_const_extension(c, b)
                }
                (_, Some(c)) => {
                    let a = self.expr(a);
                    self.builder.mul_const_extension(c, a)
                }
                _ => {
                    let (a, b) = (self.expr(a), self.expr(b));
                    self.builder.mul_extension(a, b)
                }
            },
        };
        self.known.insert(expr.identity(), value);
        value
    }

    /// beta + bus + gamma v_0 + gamma^2 v_1 + …
    fn denominator(&mut self, term: &Term, challenges: &Challenges) -> Ext {
        let mut rest = self.builder.zero_extension();
        for element in term.tuple.iter().rev() {
            let value = self.expr(element);
            let sum = self.builder.add_extension(rest, value);
            rest = self.builder.mul_extension(sum, challenges.gamma);
        }
        let bus = F::from_canonical_u64(term.bus.number());
        let start = self.builder.add_const_extension(challenges.beta, bus);
        self.builder.add_extension(start, rest)
    }

    /// h d1 d2 - (n1 d2 + n2 d1), or h d1 - n1 for a term alone.
    fn helper(&mut self, pair: &[Term], helper: Ext, challenges: &Challenges) -> Ext {
        let (mut product, mut numerator) = (helper, self.builder.zero_extension());
        let mut denominators = self.builder.one_extension();
        for term in pair {
            let d = self.denominator(term, challenges);
            let n = self.expr(&term.multiplicity);
            product = self.builder.mul_extension(product, d);
            // n1/d1 + n2/d2 over one denominator, term by term.
            let carried = self.builder.mul_extension(numerator, d);
            numerator = self.builder.mul_add_extension(n, denominators, carried);
            denominators = self.builder.mul_extension(denominators, d);
        }
        self.builder.sub_extension(product, numerator)
    }
}
