//! From expressions to a tape: shared work once, slots reused.
//!
//! Steps are first emitted in single-assignment form, each value in a slot of its own; then slots are assigned anew, one
//! being free again after the last step that reads it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use plonky2::field::types::{Field, PrimeField64};

use super::{ExtSource, Op, Source, Step, Tape, Value};
use crate::expr::Node;
use crate::table::{Domain, Term};
use crate::{Expr, F};

/// Emits steps in single-assignment form; `finish` assigns slots.
pub(super) struct Compiler {
    steps: Vec<Step>,
    base: u32,
    ext: u32,
    outputs: u32,
    powers: usize,
    /// Values of nodes met, by identity. The table outlives the compiler, so identities stay unique.
    nodes: BTreeMap<usize, Source>,
    /// Slots of operations met.
    operations: BTreeMap<(Op, [u64; 2], [u64; 2]), Source>,
}

impl Compiler {
    pub(super) fn new(powers: usize) -> Self {
        let (nodes, operations) = (BTreeMap::new(), BTreeMap::new());
        Self {
            steps: Vec::new(),
            base: 0,
            ext: 0,
            outputs: 0,
            powers,
            nodes,
            operations,
        }
    }

    pub(super) fn base(&mut self, expr: &Expr) -> Source {
        if let Some(&source) = self.nodes.get(&expr.identity()) {
            return source;
        }
        let source = match expr.node() {
            Node::Constant(c) => Source::Constant(*c),
            Node::Local(i) => Source::Local(*i as u32),
            Node::Next(i) => Source::Next(*i as u32),
            Node::Fixed(i) => Source::Fixed(*i as u32),
            Node::Public(i) => Source::Public(*i as u32),
            Node::Add(a, b) => self.operation(Op::Add, a, b),
            Node::Sub(a, b) => self.operation(Op::Sub, a, b),
            Node::Mul(a, b) => self.operation(Op::Mul, a, b),
        };
        self.nodes.insert(expr.identity(), source);
        source
    }

    fn operation(&mut self, op: Op, a: &Expr, b: &Expr) -> Source {
        let (a, b) = (self.base(a), self.base(b));
        let (mut left, mut right) = (key(a), key(b));
        if op != Op::Sub && right < left {
            (left, right) = (right, left);
        }
        if let Some(&source) = self.operations.get(&(op, left, right)) {
            return source;
        }
        let to = self.base;
        self.base += 1;
        self.steps.push(Step::Base { op, to, a, b });
        self.operations.insert((op, left, right), Source::Slot(to));
        Source::Slot(to)
    }

    fn new_ext(&mut self) -> u32 {
        self.ext += 1;
        self.ext - 1
    }

    pub(super) fn ext(&mut self, op: Op, a: ExtSource, b: ExtSource) -> ExtSource {
        let to = self.new_ext();
        self.steps.push(Step::Ext { op, to, a, b });
        ExtSource::Slot(to)
    }

    fn mixed(&mut self, op: Op, a: ExtSource, b: Source) -> ExtSource {
        let to = self.new_ext();
        self.steps.push(Step::Mixed { op, to, a, b });
        ExtSource::Slot(to)
    }

    pub(super) fn denominator(&mut self, term: &Term) -> ExtSource {
        let elements = term.tuple.iter().map(|e| self.base(e)).collect();
        let to = self.new_ext();
        self.steps.push(Step::Denominator {
            to,
            bus: term.bus.number(),
            elements,
        });
        ExtSource::Slot(to)
    }

    /// h d1 d2 - n1 d2 - n2 d1 as (h d1 - n1) d2 - n2 d1; h d - n of a term alone.
    pub(super) fn helper(&mut self, helper: ExtSource, pair: &[Term]) -> ExtSource {
        let mut value = helper;
        let mut denominators: Vec<ExtSource> = Vec::with_capacity(pair.len());
        for term in pair {
            let n = self.base(&term.multiplicity);
            let d = self.denominator(term);
            value = self.ext(Op::Mul, value, d);
            value = match denominators.first() {
                None => self.mixed(Op::Sub, value, n),
                Some(&other) if n == Source::Constant(F::ONE) => self.ext(Op::Sub, value, other),
                Some(&other) if n == Source::Constant(F::NEG_ONE) => self.ext(Op::Add, value, other),
                Some(&other) => {
                    let scaled = self.mixed(Op::Mul, other, n);
                    self.ext(Op::Sub, value, scaled)
                }
            };
            denominators.push(d);
        }
        value
    }

    pub(super) fn emit(&mut self, domain: Domain, value: Value<Source, ExtSource>) {
        self.steps.push(Step::Emit {
            index: self.outputs,
            domain,
            value,
        });
        self.outputs += 1;
    }

    pub(super) fn finish(self) -> Tape {
        let mut last = [
            alloc::vec![0usize; self.base as usize],
            alloc::vec![0usize; self.ext as usize],
        ];
        for (at, step) in self.steps.iter().enumerate() {
            let mut step = step.clone();
            for slot in reads(&mut step) {
                match slot {
                    Value::Base(i) => last[0][*i as usize] = at,
                    Value::Ext(i) => last[1][*i as usize] = at,
                }
            }
        }
        let mut pools = [Pool::default(), Pool::default()];
        let mut assigned = [
            alloc::vec![0u32; self.base as usize],
            alloc::vec![0u32; self.ext as usize],
        ];
        let mut steps = self.steps;
        for (at, step) in steps.iter_mut().enumerate() {
            let mut dead = Vec::new();
            for slot in reads(step) {
                let (kind, i) = match slot {
                    Value::Base(i) => (0, i),
                    Value::Ext(i) => (1, i),
                };
                let virtual_slot = *i as usize;
                *i = assigned[kind][virtual_slot];
                if last[kind][virtual_slot] == at {
                    dead.push((kind, *i));
                }
            }
            // Two readings of one slot in one step free it once.
            dead.sort_unstable();
            dead.dedup();
            for (kind, slot) in dead {
                pools[kind].free.push(slot);
            }
            // A slot may be written in the step that reads it last: every reader takes operands before it writes.
            match step {
                Step::Base { to, .. } => {
                    let slot = pools[0].take();
                    assigned[0][*to as usize] = slot;
                    *to = slot;
                }
                Step::Denominator { to, .. } | Step::Ext { to, .. } | Step::Mixed { to, .. } => {
                    let slot = pools[1].take();
                    assigned[1][*to as usize] = slot;
                    *to = slot;
                }
                Step::Emit { .. } => {}
            }
        }
        Tape {
            steps,
            base_slots: pools[0].size as usize,
            ext_slots: pools[1].size as usize,
            outputs: self.outputs as usize,
            powers: self.powers,
        }
    }
}

#[derive(Default)]
struct Pool {
    free: Vec<u32>,
    size: u32,
}

impl Pool {
    fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.size += 1;
            self.size - 1
        })
    }
}

/// A key that orders operands.
fn key(source: Source) -> [u64; 2] {
    match source {
        Source::Slot(i) => [0, i.into()],
        Source::Local(i) => [1, i.into()],
        Source::Next(i) => [2, i.into()],
        Source::Fixed(i) => [3, i.into()],
        Source::Public(i) => [4, i.into()],
        Source::Constant(c) => [5, c.to_canonical_u64()],
    }
}

/// The slots that a step reads.
fn reads(step: &mut Step) -> Vec<Value<&mut u32, &mut u32>> {
    fn base<'a>(slots: &mut Vec<Value<&'a mut u32, &'a mut u32>>, source: &'a mut Source) {
        if let Source::Slot(i) = source {
            slots.push(Value::Base(i));
        }
    }
    fn ext<'a>(slots: &mut Vec<Value<&'a mut u32, &'a mut u32>>, source: &'a mut ExtSource) {
        if let ExtSource::Slot(i) = source {
            slots.push(Value::Ext(i));
        }
    }
    let mut slots = Vec::new();
    match step {
        Step::Base { a, b, .. } => {
            base(&mut slots, a);
            base(&mut slots, b);
        }
        Step::Denominator { elements, .. } => elements.iter_mut().for_each(|e| base(&mut slots, e)),
        Step::Ext { a, b, .. } => {
            ext(&mut slots, a);
            ext(&mut slots, b);
        }
        Step::Mixed { a, b, .. } => {
            ext(&mut slots, a);
            base(&mut slots, b);
        }
        Step::Emit {
            value: Value::Base(a),
            ..
        } => base(&mut slots, a),
        Step::Emit {
            value: Value::Ext(a), ..
        } => ext(&mut slots, a),
    }
    slots
}
