//! A tape run over blocks of rows, one instruction at a time over the whole block.
//!
//! Invariant: the same values as [`Tape::run`] with base and extension field, which a test compares; only the order of
//! the loops differs. Publics, challenges and constants are bound when the program is made, so a block reads nothing but
//! columns, slots and scalars.

use plonky2::field::extension::FieldExtension;
use plonky2::field::types::Field;
use zkvm_air::table::Domain;
use zkvm_air::tape::{ExtSource, Op, Source, Step, Tape, Value};
use zkvm_air::{E, F, Logup, Table};

use crate::kernel::lanes::{EPSILON, Lanes};
use crate::kernel::{BEST, dispatched};

/// Rows of a block. Must be a multiple of every vector's width.
pub(super) const ROWS: usize = 128;

/// A scalar in every lane of the longest vector.
type Splat = [u64; 8];

/// Where an operand lies.
#[derive(Clone, Copy, Debug)]
enum Operand {
    Slot(usize),
    Column(usize),
    Scalar(usize),
}

/// An operand of the extension, component by component.
type Pair = [Operand; 2];

#[derive(Debug)]
enum Instruction {
    Base {
        op: Op,
        to: usize,
        a: Operand,
        b: Operand,
    },
    /// `to` = scalars `constant`, `constant + 1`, plus the sum of the elements times the powers of gamma, whose
    /// scalars begin at `powers`.
    Denominator {
        to: usize,
        constant: usize,
        elements: Box<[Operand]>,
    },
    Ext {
        op: Op,
        to: usize,
        a: Pair,
        b: Pair,
    },
    Mixed {
        op: Op,
        to: usize,
        a: Pair,
        b: Operand,
    },
    Emit {
        index: usize,
        domain: Domain,
        value: Value<Operand, Pair>,
    },
}

/// The columns of a block in the order that [`Program::run`] wants them.
///
/// Every list holds one slice per base column, each of the block's length; extension columns are two of them.
#[derive(Debug, Default)]
pub(super) struct Block<'a> {
    pub(super) local: Vec<&'a [F]>,
    pub(super) next: Vec<&'a [F]>,
    pub(super) fixed: Vec<&'a [F]>,
    pub(super) aux: Vec<&'a [F]>,
    pub(super) aux_next: Vec<&'a [F]>,
}

/// A tape with its scalars bound.
#[derive(Debug)]
pub(super) struct Program {
    instructions: Vec<Instruction>,
    scalars: Vec<Splat>,
    /// First scalar of the powers of gamma, two per power.
    powers: usize,
    /// Slots in base components: the base slots, then two per extension slot.
    slots: usize,
    /// Lengths of the lists of a [`Block`].
    widths: [usize; 5],
    outputs: usize,
}

/// What happens to the outputs of a tape.
#[derive(Debug)]
pub(super) enum Sink<'a> {
    /// Output i is added with weight i to the accumulator of its domain: `sums[2 domain + component]` of the block's
    /// length each.
    Fold { weights: &'a Weights, sums: &'a mut [F] },
    /// Output i goes to slices 2 i and 2 i + 1, of the block's length each.
    Store(&'a mut [F]),
}

/// Weights of the outputs: alpha^(outputs - 1 - i) as splats of both components and of seven times the second.
#[derive(Debug)]
pub(super) struct Weights(Vec<[Splat; 3]>);

impl Weights {
    pub(super) fn new(alpha: E, outputs: usize) -> Self {
        let mut weights: Vec<_> = alpha
            .powers()
            .take(outputs)
            .map(|w| {
                let [c0, c1]: [F; 2] = w.to_basefield_array();
                [[c0.0; 8], [c1.0; 8], [(c1 * F::from_canonical_u64(7)).0; 8]]
            })
            .collect();
        weights.reverse();
        Self(weights)
    }
}

/// Accumulators of a fold, one per domain.
pub(super) const DOMAINS: usize = 4;

/// The accumulator of a domain.
pub(super) fn accumulator(domain: Domain) -> usize {
    match domain {
        Domain::Every => 0,
        Domain::First => 1,
        Domain::Last => 2,
        Domain::Transition => 3,
    }
}

impl Program {
    /// Binds `tape`, one of `table`'s.
    pub(super) fn new(tape: &Tape, table: &Table, publics: &[F], challenges: Logup, sum: E) -> Self {
        assert_eq!(publics.len(), table.publics, "publics of the table");
        let aux = table.aux_width();
        let mut program = Self {
            instructions: Vec::with_capacity(tape.steps.len()),
            scalars: Vec::new(),
            powers: 0,
            slots: tape.base_slots + 2 * tape.ext_slots,
            widths: [table.width, table.width, table.fixed_width, aux, aux],
            outputs: tape.outputs,
        };
        for power in challenges.gamma.powers().skip(1).take(tape.powers) {
            program.scalar_pair(power);
        }
        let first_public = program.scalars.len();
        program.scalars.extend(publics.iter().map(|x| [x.0; 8]));
        let first_sum = program.scalar_pair(sum);
        let (next, fixed) = (table.width, 2 * table.width);
        let (aux_local, aux_next) = (fixed + table.fixed_width, fixed + table.fixed_width + aux);
        let base_slots = tape.base_slots;
        let slot = |i: u32| base_slots + 2 * i as usize;
        let ext = |source: ExtSource| -> Pair {
            match source {
                ExtSource::Slot(i) => [Operand::Slot(slot(i)), Operand::Slot(slot(i) + 1)],
                ExtSource::Aux(i) => [0, 1].map(|c| Operand::Column(aux_local + 2 * i as usize + c)),
                ExtSource::AuxNext(i) => [0, 1].map(|c| Operand::Column(aux_next + 2 * i as usize + c)),
                ExtSource::Sum => [Operand::Scalar(first_sum), Operand::Scalar(first_sum + 1)],
            }
        };
        for step in &tape.steps {
            let mut base = |source: Source| match source {
                Source::Slot(i) => Operand::Slot(i as usize),
                Source::Local(i) => Operand::Column(i as usize),
                Source::Next(i) => Operand::Column(next + i as usize),
                Source::Fixed(i) => Operand::Column(fixed + i as usize),
                Source::Public(i) => Operand::Scalar(first_public + i as usize),
                Source::Constant(c) => {
                    program.scalars.push([c.0; 8]);
                    Operand::Scalar(program.scalars.len() - 1)
                }
            };
            let instruction = match step {
                &Step::Base { op, to, a, b } => Instruction::Base {
                    op,
                    to: to as usize,
                    a: base(a),
                    b: base(b),
                },
                Step::Denominator { to, bus, elements } => {
                    let elements = elements.iter().map(|&e| base(e)).collect();
                    let constant = program.scalar_pair(challenges.beta + E::from_canonical_u64(*bus));
                    Instruction::Denominator {
                        to: slot(*to),
                        constant,
                        elements,
                    }
                }
                &Step::Ext { op, to, a, b } => Instruction::Ext {
                    op,
                    to: slot(to),
                    a: ext(a),
                    b: ext(b),
                },
                &Step::Mixed { op, to, a, b } => Instruction::Mixed {
                    op,
                    to: slot(to),
                    a: ext(a),
                    b: base(b),
                },
                &Step::Emit { index, domain, value } => {
                    let value = match value {
                        Value::Base(source) => Value::Base(base(source)),
                        Value::Ext(source) => Value::Ext(ext(source)),
                    };
                    Instruction::Emit {
                        index: index as usize,
                        domain,
                        value,
                    }
                }
            };
            program.instructions.push(instruction);
        }
        program
    }

    fn scalar_pair(&mut self, value: E) -> usize {
        let components: [F; 2] = value.to_basefield_array();
        self.scalars.extend(components.map(|x| [x.0; 8]));
        self.scalars.len() - 2
    }

    /// Elements of scratch that a block of `rows` needs.
    pub(super) fn scratch(&self, rows: usize) -> usize {
        self.slots * rows
    }

    /// Outputs of the tape.
    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Runs the block. Panics unless every slice has `rows` elements, a multiple of 8; the lists may only be longer than
    /// empty where the table has such columns; a list that the tape never reads may be empty.
    pub(super) fn run(&self, block: &Block<'_>, rows: usize, scratch: &mut [F], sink: Sink<'_>) {
        assert!(rows.is_multiple_of(8), "whole vectors");
        assert!(scratch.len() >= self.scratch(rows), "scratch for all slots");
        let lists = [
            &block.local,
            &block.next,
            &block.fixed,
            &block.aux,
            &block.aux_next,
        ];
        let mut columns: Vec<*const u64> = Vec::with_capacity(self.widths.iter().sum());
        for (list, width) in lists.into_iter().zip(self.widths) {
            assert!(list.is_empty() || list.len() == width, "columns of the table");
            assert!(list.iter().all(|c| c.len() == rows), "columns of the block");
            columns.extend(list.iter().map(|c| c.as_ptr().cast::<u64>()));
            // Never read: `check` has seen to it.
            columns.resize(columns.len() + width - list.len(), core::ptr::null());
        }
        self.check(&columns);
        match &sink {
            Sink::Fold { weights, sums } => {
                assert!(
                    weights.0.len() == self.outputs && sums.len() == 2 * DOMAINS * rows,
                    "room for the sums"
                );
            }
            Sink::Store(out) => assert_eq!(out.len(), 2 * self.outputs * rows, "room for the outputs"),
        }
        run_on(*BEST, self, &columns, rows, scratch, sink);
    }

    /// Every column that is read is there, every slot and scalar exists.
    fn check(&self, columns: &[*const u64]) {
        let good = |o: Operand| match o {
            Operand::Slot(i) => i < self.slots,
            Operand::Column(i) => !columns[i].is_null(),
            Operand::Scalar(i) => i < self.scalars.len(),
        };
        let all = self.instructions.iter().all(|instruction| match instruction {
            Instruction::Base { to, a, b, .. } => *to < self.slots && good(*a) && good(*b),
            Instruction::Denominator {
                to,
                constant,
                elements,
            } => {
                to + 1 < self.slots
                    && constant + 1 < self.scalars.len()
                    && self.powers + 2 * elements.len() <= self.scalars.len()
                    && elements.iter().all(|&e| good(e))
            }
            Instruction::Ext { to, a, b, .. } => to + 1 < self.slots && a.iter().chain(b).all(|&o| good(o)),
            Instruction::Mixed { to, a, b, .. } => {
                to + 1 < self.slots && a.iter().all(|&o| good(o)) && good(*b)
            }
            Instruction::Emit { index, value, .. } => {
                *index < self.outputs
                    && match value {
                        Value::Base(o) => good(*o),
                        Value::Ext(p) => p.iter().all(|&o| good(o)),
                    }
            }
        });
        assert!(all, "operands that exist");
    }
}

dispatched! {
    fn run_on(program: &Program, columns: &[*const u64], rows: usize, scratch: &mut [F], sink: Sink<'_>) = run_with
}

/// 7 x modulo p: the extension is F[X] / (X^2 - 7).
#[inline(always)]
pub(super) fn times_seven<V: Lanes>(x: V) -> V {
    let top = x.shr::<61>();
    let t = top.shl::<32>().wrapping_sub(top);
    let r = x.shl::<3>().wrapping_add(t);
    r.add_if_less(r, t, x.same(EPSILON)).sub(x)
}

/// Product in the extension.
#[inline(always)]
pub(super) fn ext_mul<V: Lanes>(a: [V; 2], b: [V; 2]) -> [V; 2] {
    let c0 = a[0].mul(b[0]).add(times_seven(a[1].mul(b[1])));
    let c1 = a[0].mul(b[1]).add(a[1].mul(b[0]));
    [c0, c1]
}

/// # Safety
/// The processor has `V`'s instruction set; [`Program::run`] has checked operands and lengths.
#[inline(always)]
unsafe fn run_with<V: Lanes>(
    program: &Program,
    columns: &[*const u64],
    rows: usize,
    scratch: &mut [F],
    sink: Sink<'_>,
) {
    let slots: *mut u64 = scratch.as_mut_ptr().cast();
    let (sums, stored, weights): (*mut u64, *mut u64, &[[Splat; 3]]) = match sink {
        Sink::Fold { weights, sums } => (sums.as_mut_ptr().cast(), core::ptr::null_mut(), &weights.0),
        Sink::Store(out) => (core::ptr::null_mut(), out.as_mut_ptr().cast(), &[]),
    };
    // SAFETY: operands exist and have `rows` elements, or 8 equal ones when their stride is 0.
    unsafe {
        let locate = |o: Operand| -> (*const u64, usize) {
            match o {
                Operand::Slot(i) => (slots.add(i * rows).cast_const(), 1),
                Operand::Column(i) => (columns[i], 1),
                Operand::Scalar(i) => (program.scalars[i].as_ptr(), 0),
            }
        };
        let load = |(at, stride): (*const u64, usize), i: usize| V::load(at.add(i * stride));
        let scalar = |i: usize| V::load(program.scalars[i].as_ptr());
        let blocks = || (0..rows).step_by(V::WIDTH);
        for instruction in &program.instructions {
            match instruction {
                Instruction::Base { op, to, a, b } => {
                    let (a, b, to) = (locate(*a), locate(*b), slots.add(to * rows));
                    match op {
                        Op::Add => blocks().for_each(|i| load(a, i).add(load(b, i)).store(to.add(i))),
                        Op::Sub => blocks().for_each(|i| load(a, i).sub(load(b, i)).store(to.add(i))),
                        Op::Mul => blocks().for_each(|i| load(a, i).mul(load(b, i)).store(to.add(i))),
                    }
                }
                Instruction::Denominator {
                    to,
                    constant,
                    elements,
                } => {
                    // An element may lie in no extension slot, so the sums may be stored as they grow.
                    let to = [slots.add(to * rows), slots.add((to + 1) * rows)];
                    let start = [scalar(*constant), scalar(constant + 1)];
                    for i in blocks() {
                        let mut sum = start;
                        for (j, e) in elements.iter().enumerate() {
                            let x = load(locate(*e), i);
                            for (c, sum) in sum.iter_mut().enumerate() {
                                *sum = sum.add(x.mul(scalar(program.powers + 2 * j + c)));
                            }
                        }
                        sum[0].store(to[0].add(i));
                        sum[1].store(to[1].add(i));
                    }
                }
                Instruction::Ext { op, to, a, b } => {
                    let (a, b) = (a.map(locate), b.map(locate));
                    let to = [slots.add(to * rows), slots.add((to + 1) * rows)];
                    for i in blocks() {
                        let (x, y) = ([load(a[0], i), load(a[1], i)], [load(b[0], i), load(b[1], i)]);
                        let value = match op {
                            Op::Add => [x[0].add(y[0]), x[1].add(y[1])],
                            Op::Sub => [x[0].sub(y[0]), x[1].sub(y[1])],
                            Op::Mul => ext_mul(x, y),
                        };
                        value[0].store(to[0].add(i));
                        value[1].store(to[1].add(i));
                    }
                }
                Instruction::Mixed { op, to, a, b } => {
                    let (a, b) = (a.map(locate), locate(*b));
                    let to = [slots.add(to * rows), slots.add((to + 1) * rows)];
                    for i in blocks() {
                        let (x, y) = ([load(a[0], i), load(a[1], i)], load(b, i));
                        let value = match op {
                            Op::Add => [x[0].add(y), x[1]],
                            Op::Sub => [x[0].sub(y), x[1]],
                            Op::Mul => [x[0].mul(y), x[1].mul(y)],
                        };
                        value[0].store(to[0].add(i));
                        value[1].store(to[1].add(i));
                    }
                }
                Instruction::Emit { index, domain, value } => {
                    let zero = V::splat(0);
                    if stored.is_null() {
                        let weight = &weights[*index];
                        let (w0, w1) = (V::load(weight[0].as_ptr()), V::load(weight[1].as_ptr()));
                        let w1_seven = V::load(weight[2].as_ptr());
                        let sum = [0, 1].map(|c| sums.add((2 * accumulator(*domain) + c) * rows));
                        match *value {
                            Value::Base(o) => {
                                let o = locate(o);
                                for i in blocks() {
                                    let x = load(o, i);
                                    V::load(sum[0].add(i)).add(x.mul(w0)).store(sum[0].add(i));
                                    V::load(sum[1].add(i)).add(x.mul(w1)).store(sum[1].add(i));
                                }
                            }
                            Value::Ext(p) => {
                                let p = p.map(locate);
                                for i in blocks() {
                                    let x = [load(p[0], i), load(p[1], i)];
                                    let c0 = x[0].mul(w0).add(x[1].mul(w1_seven));
                                    let c1 = x[0].mul(w1).add(x[1].mul(w0));
                                    V::load(sum[0].add(i)).add(c0).store(sum[0].add(i));
                                    V::load(sum[1].add(i)).add(c1).store(sum[1].add(i));
                                }
                            }
                        }
                    } else {
                        let out = [0, 1].map(|c| stored.add((2 * index + c) * rows));
                        let parts = match *value {
                            Value::Base(o) => [Some(locate(o)), None],
                            Value::Ext(p) => p.map(|p| Some(locate(p))),
                        };
                        for (part, out) in parts.into_iter().zip(out) {
                            blocks().for_each(|i| part.map_or(zero, |p| load(p, i)).store(out.add(i)));
                        }
                    }
                }
            }
        }
    }
}
