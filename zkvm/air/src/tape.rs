//! A table's constraints as a straight-line program.
//!
//! The prover runs [`Tape::steps`] over blocks of rows, the verifier runs [`Tape::fold`] at zeta, each over its own
//! numbers (through [`Algebra`]), and the recursion circuits run the same fold over targets. All three share this one
//! compiler, so a fault of it would reach both verifiers alike: what stands against that is a test that compares the tape
//! of every table with its expressions, which know nothing of the compiler. What only depends on trace, fixed columns and publics
//! stays in the base field; the LogUp part is in the extension. Equal subexpressions are computed once, slots are
//! reused after their last reading.
//!
//! Order of constraints: the table's, one per helper, then the running sum's three (`docs/prover.md` §5).

use alloc::boxed::Box;
use alloc::vec::Vec;

use plonky2::field::types::Field;

use crate::logup::longest_tuple;
use crate::table::{Domain, Table};
use crate::{E, F};

mod compile;

use compile::Compiler;

/// An operation on two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// a + b
    Add,
    /// a - b
    Sub,
    /// a b
    Mul,
}

/// A base-field operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A base slot, written before.
    Slot(u32),
    /// A column of the trace in this row.
    Local(u32),
    /// A column of the trace in the next row.
    Next(u32),
    /// A fixed column in this row.
    Fixed(u32),
    /// A public input.
    Public(u32),
    /// A constant.
    Constant(F),
}

/// An extension-field operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtSource {
    /// An extension slot, written before.
    Slot(u32),
    /// An auxiliary column (in E) in this row.
    Aux(u32),
    /// An auxiliary column (in E) in the next row.
    AuxNext(u32),
    /// The shard's sum S.
    Sum,
}

/// A value of either field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<B, X> {
    /// Of the base field.
    Base(B),
    /// Of the extension.
    Ext(X),
}

/// One step of a tape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Base slot `to` = a op b. Never of two constants.
    Base {
        /// The operation.
        op: Op,
        /// The slot written.
        to: u32,
        /// Left operand.
        a: Source,
        /// Right operand.
        b: Source,
    },
    /// Extension slot `to` = beta + bus + Σ gamma^(j+1) elements_j.
    Denominator {
        /// The slot written.
        to: u32,
        /// The bus's number.
        bus: u64,
        /// The tuple.
        elements: Box<[Source]>,
    },
    /// Extension slot `to` = a op b.
    Ext {
        /// The operation.
        op: Op,
        /// The slot written.
        to: u32,
        /// Left operand.
        a: ExtSource,
        /// Right operand.
        b: ExtSource,
    },
    /// Extension slot `to` = a op b with b in the base field.
    Mixed {
        /// The operation.
        op: Op,
        /// The slot written.
        to: u32,
        /// Left operand.
        a: ExtSource,
        /// Right operand.
        b: Source,
    },
    /// Value number `index` (from 0, in order) is `value`; a constraint's must be 0 in `domain`. Nothing is written.
    Emit {
        /// Position in the order of constraints. The accumulated sum weights it with alpha^(outputs - 1 - index).
        index: u32,
        /// Where it is 0.
        domain: Domain,
        /// The value.
        value: Value<Source, ExtSource>,
    },
}

/// A straight-line program over base and extension slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tape {
    /// The steps in order.
    pub steps: Vec<Step>,
    /// Base slots needed.
    pub base_slots: usize,
    /// Extension slots needed.
    pub ext_slots: usize,
    /// Values emitted: indices are 0..outputs, in order.
    pub outputs: usize,
    /// Powers of gamma needed: gamma^1..=gamma^powers.
    pub powers: usize,
}

impl Tape {
    /// All constraints of `table`, those of LogUp included.
    pub fn constraints(table: &Table) -> Self {
        let mut compiler = Compiler::new(longest_tuple(table));
        for constraint in table.constraints() {
            let value = compiler.base(&constraint.expr);
            compiler.emit(constraint.domain, Value::Base(value));
        }
        let z = ExtSource::Aux(table.helpers() as u32);
        let mut total = z;
        for (i, pair) in table.pairs().enumerate() {
            let helper = ExtSource::Aux(i as u32);
            let value = compiler.helper(helper, pair);
            compiler.emit(Domain::Every, Value::Ext(value));
            total = compiler.ext(Op::Add, total, helper);
        }
        compiler.emit(Domain::First, Value::Ext(z));
        let step = compiler.ext(Op::Sub, ExtSource::AuxNext(table.helpers() as u32), total);
        compiler.emit(Domain::Transition, Value::Ext(step));
        let end = compiler.ext(Op::Sub, total, ExtSource::Sum);
        compiler.emit(Domain::Last, Value::Ext(end));
        compiler.finish()
    }

    /// The LogUp terms of a row, for the prover to fill auxiliary columns: outputs 2 i and 2 i + 1 are multiplicity
    /// (base) and denominator (extension) of term i. Reads no auxiliary column and no sum.
    pub fn terms(table: &Table) -> Self {
        let mut compiler = Compiler::new(longest_tuple(table));
        for term in table.terms() {
            let multiplicity = compiler.base(&term.multiplicity);
            compiler.emit(Domain::Every, Value::Base(multiplicity));
            let denominator = compiler.denominator(term);
            compiler.emit(Domain::Every, Value::Ext(denominator));
        }
        compiler.finish()
    }

    /// Runs the tape, calling `sink` with every output's index, domain and value in order.
    ///
    /// # Panics
    /// When a slice of `inputs` is shorter than the table demands: shapes are checked before.
    pub fn run<A: Algebra>(
        &self,
        algebra: &mut A,
        inputs: &Inputs<'_, A>,
        mut sink: impl FnMut(&mut A, usize, Domain, Value<A::Base, A::Ext>),
    ) {
        let mut powers = Vec::with_capacity(self.powers);
        for i in 0..self.powers {
            let power = match i {
                0 => inputs.gamma.clone(),
                _ => algebra.ext_mul(&powers[i - 1], &inputs.gamma),
            };
            powers.push(power);
        }
        let mut slots = Slots {
            base: alloc::vec![None; self.base_slots],
            ext: alloc::vec![None; self.ext_slots],
        };
        for step in &self.steps {
            match step {
                &Step::Base { op, to, a, b } => {
                    let value = match (op, a, b) {
                        (Op::Add, a, Source::Constant(c)) | (Op::Add, Source::Constant(c), a) => {
                            algebra.add_constant(&slots.read(inputs, a), c)
                        }
                        (Op::Sub, a, Source::Constant(c)) => algebra.add_constant(&slots.read(inputs, a), -c),
                        (Op::Mul, a, Source::Constant(c)) | (Op::Mul, Source::Constant(c), a) => {
                            algebra.mul_constant(&slots.read(inputs, a), c)
                        }
                        (Op::Sub, Source::Constant(c), b) => {
                            let minus = algebra.mul_constant(&slots.read(inputs, b), F::NEG_ONE);
                            algebra.add_constant(&minus, c)
                        }
                        (Op::Add, a, b) => algebra.add(&slots.read(inputs, a), &slots.read(inputs, b)),
                        (Op::Sub, a, b) => algebra.sub(&slots.read(inputs, a), &slots.read(inputs, b)),
                        (Op::Mul, a, b) => algebra.mul(&slots.read(inputs, a), &slots.read(inputs, b)),
                    };
                    slots.base[to as usize] = Some(value);
                }
                Step::Denominator { to, bus, elements } => {
                    let elements: Vec<_> = elements
                        .iter()
                        .map(|&e| slots.value(algebra, inputs, e))
                        .collect();
                    let bus = algebra.constant(F::from_canonical_u64(*bus));
                    let bus = algebra.lift(&bus);
                    let constant = algebra.ext_add(&inputs.beta, &bus);
                    slots.ext[*to as usize] = Some(algebra.combine(&constant, &powers, &elements));
                }
                &Step::Ext { op, to, a, b } => {
                    let (a, b) = (slots.read_ext(inputs, a), slots.read_ext(inputs, b));
                    slots.ext[to as usize] = Some(match op {
                        Op::Add => algebra.ext_add(&a, &b),
                        Op::Sub => algebra.ext_sub(&a, &b),
                        Op::Mul => algebra.ext_mul(&a, &b),
                    });
                }
                &Step::Mixed { op, to, a, b } => {
                    let (a, b) = (slots.read_ext(inputs, a), slots.value(algebra, inputs, b));
                    slots.ext[to as usize] = Some(match op {
                        Op::Mul => algebra.ext_scale(&a, &b),
                        Op::Add | Op::Sub => {
                            let b = algebra.lift(&b);
                            if op == Op::Add {
                                algebra.ext_add(&a, &b)
                            } else {
                                algebra.ext_sub(&a, &b)
                            }
                        }
                    });
                }
                &Step::Emit { index, domain, value } => {
                    let value = match value {
                        Value::Base(source) => Value::Base(slots.value(algebra, inputs, source)),
                        Value::Ext(source) => Value::Ext(slots.read_ext(inputs, source)),
                    };
                    sink(algebra, index as usize, domain, value);
                }
            }
        }
    }

    /// Σ alpha^(outputs - 1 - i) selector_i value_i by Horner: what the quotient times the vanishing polynomial equals.
    pub fn fold<A: Algebra>(
        &self,
        algebra: &mut A,
        inputs: &Inputs<'_, A>,
        alpha: &A::Ext,
        selectors: &Selectors<A::Ext>,
    ) -> A::Ext {
        let zero = algebra.constant(F::ZERO);
        let mut sum = algebra.lift(&zero);
        self.run(algebra, inputs, |algebra, _, domain, value| {
            let value = match value {
                Value::Base(value) => algebra.lift(&value),
                Value::Ext(value) => value,
            };
            let value = match domain {
                Domain::Every => value,
                Domain::First => algebra.ext_mul(&value, &selectors.first),
                Domain::Last => algebra.ext_mul(&value, &selectors.last),
                Domain::Transition => algebra.ext_mul(&value, &selectors.transition),
            };
            sum = algebra.ext_mul_add(&sum, alpha, &value);
        });
        sum
    }
}

/// The numbers that a tape runs over. `Base` may equal `Ext` (the verifier at zeta, circuits).
pub trait Algebra {
    /// What stands for base-field values.
    type Base: Clone;
    /// What stands for extension-field values.
    type Ext: Clone;

    /// A constant.
    fn constant(&mut self, value: F) -> Self::Base;
    /// a + b
    fn add(&mut self, a: &Self::Base, b: &Self::Base) -> Self::Base;
    /// a - b
    fn sub(&mut self, a: &Self::Base, b: &Self::Base) -> Self::Base;
    /// a b
    fn mul(&mut self, a: &Self::Base, b: &Self::Base) -> Self::Base;
    /// The same value in the extension.
    fn lift(&mut self, a: &Self::Base) -> Self::Ext;
    /// a + b
    fn ext_add(&mut self, a: &Self::Ext, b: &Self::Ext) -> Self::Ext;
    /// a - b
    fn ext_sub(&mut self, a: &Self::Ext, b: &Self::Ext) -> Self::Ext;
    /// a b
    fn ext_mul(&mut self, a: &Self::Ext, b: &Self::Ext) -> Self::Ext;

    /// a b, b of the base field.
    fn ext_scale(&mut self, a: &Self::Ext, b: &Self::Base) -> Self::Ext {
        let b = self.lift(b);
        self.ext_mul(a, &b)
    }

    /// a b + c
    fn ext_mul_add(&mut self, a: &Self::Ext, b: &Self::Ext, c: &Self::Ext) -> Self::Ext {
        let product = self.ext_mul(a, b);
        self.ext_add(&product, c)
    }

    /// a + c
    fn add_constant(&mut self, a: &Self::Base, c: F) -> Self::Base {
        let c = self.constant(c);
        self.add(a, &c)
    }

    /// a c
    fn mul_constant(&mut self, a: &Self::Base, c: F) -> Self::Base {
        let c = self.constant(c);
        self.mul(a, &c)
    }

    /// `constant` + Σ powers_j elements_j; there are at least as many powers (of gamma, from the first) as elements.
    fn combine(&mut self, constant: &Self::Ext, powers: &[Self::Ext], elements: &[Self::Base]) -> Self::Ext {
        let mut sum = constant.clone();
        for (power, element) in powers.iter().zip(elements) {
            let product = self.ext_scale(power, element);
            sum = self.ext_add(&sum, &product);
        }
        sum
    }
}

/// What a tape reads: values of one row and its next, or openings at zeta and g zeta.
#[derive(Debug)]
pub struct Inputs<'a, A: Algebra> {
    /// Trace in this row.
    pub local: &'a [A::Base],
    /// Trace in the next row.
    pub next: &'a [A::Base],
    /// Fixed columns in this row.
    pub fixed: &'a [A::Base],
    /// Public inputs.
    pub publics: &'a [A::Base],
    /// Auxiliary columns (in E) in this row: the helpers, then the running sum.
    pub aux: &'a [A::Ext],
    /// The same in the next row.
    pub aux_next: &'a [A::Ext],
    /// The challenge added to every denominator.
    pub beta: A::Ext,
    /// The challenge whose powers separate a tuple's elements.
    pub gamma: A::Ext,
    /// The shard's sum S.
    pub sum: A::Ext,
}

/// Values of the selectors at the point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selectors<X> {
    /// Lagrange's polynomial of the first row.
    pub first: X,
    /// Lagrange's polynomial of the last row.
    pub last: X,
    /// x - g^-1.
    pub transition: X,
}

struct Slots<A: Algebra> {
    base: Vec<Option<A::Base>>,
    ext: Vec<Option<A::Ext>>,
}

const WRITTEN: &str = "a tape writes a slot before it reads it";

impl<A: Algebra> Slots<A> {
    fn read(&self, inputs: &Inputs<'_, A>, source: Source) -> A::Base {
        match source {
            Source::Slot(i) => self.base[i as usize].clone().expect(WRITTEN),
            Source::Local(i) => inputs.local[i as usize].clone(),
            Source::Next(i) => inputs.next[i as usize].clone(),
            Source::Fixed(i) => inputs.fixed[i as usize].clone(),
            Source::Public(i) => inputs.publics[i as usize].clone(),
            Source::Constant(_) => unreachable!("expressions fold operations on two constants"),
        }
    }

    fn value(&self, algebra: &mut A, inputs: &Inputs<'_, A>, source: Source) -> A::Base {
        match source {
            Source::Constant(c) => algebra.constant(c),
            _ => self.read(inputs, source),
        }
    }

    fn read_ext(&self, inputs: &Inputs<'_, A>, source: ExtSource) -> A::Ext {
        match source {
            ExtSource::Slot(i) => self.ext[i as usize].clone().expect(WRITTEN),
            ExtSource::Aux(i) => inputs.aux[i as usize].clone(),
            ExtSource::AuxNext(i) => inputs.aux_next[i as usize].clone(),
            ExtSource::Sum => inputs.sum.clone(),
        }
    }
}

/// The extension field below and above: constraints at zeta.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extension;

impl Algebra for Extension {
    type Base = E;
    type Ext = E;
    fn constant(&mut self, value: F) -> E {
        value.into()
    }
    fn add(&mut self, a: &E, b: &E) -> E {
        *a + *b
    }
    fn sub(&mut self, a: &E, b: &E) -> E {
        *a - *b
    }
    fn mul(&mut self, a: &E, b: &E) -> E {
        *a * *b
    }
    fn lift(&mut self, a: &E) -> E {
        *a
    }
    fn ext_add(&mut self, a: &E, b: &E) -> E {
        *a + *b
    }
    fn ext_sub(&mut self, a: &E, b: &E) -> E {
        *a - *b
    }
    fn ext_mul(&mut self, a: &E, b: &E) -> E {
        *a * *b
    }
}

#[cfg(test)]
#[path = "tape_test.rs"]
mod tests;
