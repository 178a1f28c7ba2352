//! One tape, several kinds of numbers: all agree with the plain evaluation of the expressions.

use alloc::vec;
use alloc::vec::Vec;

use plonky2::field::types::{Field, Sample};

use crate::tape::{Algebra, ExtSource, Extension, Inputs, Selectors, Source, Step, Tape, Value};
use crate::{Bus, Domain, E, Expr, F, Logup, Table, TableBuilder, TableId, logup};

/// Rows: base field below, extension above.
struct Rows;

impl Algebra for Rows {
    type Base = F;
    type Ext = E;
    fn constant(&mut self, value: F) -> F {
        value
    }
    fn add(&mut self, a: &F, b: &F) -> F {
        *a + *b
    }
    fn sub(&mut self, a: &F, b: &F) -> F {
        *a - *b
    }
    fn mul(&mut self, a: &F, b: &F) -> F {
        *a * *b
    }
    fn lift(&mut self, a: &F) -> E {
        (*a).into()
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

/// Uses every kind of operand, shared subexpressions, an odd number of terms and constant multiplicities.
fn table() -> Table {
    let mut b = TableBuilder::new(TableId::Hint, 5, 2, 2);
    let (x, y, z) = (b.local(0), b.local(1), b.local(2));
    let product = &x * &y;
    b.assert_zero("cubic", (&product - 3) * (&z - b.fixed(0)) + b.public(0));
    b.assert_zero(
        "same again",
        (&y * &x - 3) * 5 - Expr::constant(7) * b.next(3) + (Expr::one() - &z),
    );
    b.assert_first("first", &product - b.public(1));
    b.assert_last("last", b.local(4) - b.next(4) * 2);
    b.assert_transition("transition", b.next(0) - &product * &x);
    b.send(Bus::U16, Expr::one(), vec![&x + &y * 256]);
    b.receive(
        Bus::And,
        Expr::one(),
        vec![x.clone(), y.clone(), Expr::constant(9)],
    );
    b.send(
        Bus::Memory,
        b.fixed(1),
        vec![b.next(4), b.public(0), Expr::zero(), &z - 1],
    );
    b.receive(Bus::Memory, z.clone(), vec![&z * 2]);
    b.receive(Bus::Pow, y + z, vec![]);
    b.build()
}

fn tables() -> [Table; 6] {
    use crate::tables::{cpu, hint, memory, sha256, static_table};
    [
        table(),
        cpu::table(),
        static_table::table(),
        memory::table(),
        hint::table(),
        sha256::table(),
    ]
}

struct Point {
    columns: [Vec<F>; 4],
    aux: [Vec<E>; 2],
    challenges: Logup,
    sum: E,
    alpha: E,
    selectors: Selectors<E>,
}

fn point(table: &Table) -> Point {
    let lengths = [table.width, table.width, table.fixed_width, table.publics];
    Point {
        columns: lengths.map(F::rand_vec),
        aux: [(); 2].map(|()| E::rand_vec(table.aux_columns())),
        challenges: Logup {
            beta: E::rand(),
            gamma: E::rand(),
        },
        sum: E::rand(),
        alpha: E::rand(),
        selectors: Selectors {
            first: E::rand(),
            last: E::rand(),
            transition: E::rand(),
        },
    }
}

/// The constraints as §5 words them, from expressions alone.
fn plain(table: &Table, p: &Point) -> E {
    let [local, next, fixed, publics] = &p.columns;
    let value = |e: &Expr| e.evaluate(local, next, fixed, publics);
    let mut values: Vec<(Domain, E)> = table
        .constraints()
        .iter()
        .map(|c| (c.domain, value(&c.expr).into()))
        .collect();
    for (pair, &h) in table.pairs().zip(&p.aux[0]) {
        let parts: Vec<(E, E)> = pair
            .iter()
            .map(|t| {
                let tuple: Vec<F> = t.tuple.iter().map(value).collect();
                (
                    value(&t.multiplicity).into(),
                    p.challenges.denominator(t.bus, &tuple),
                )
            })
            .collect();
        values.push(match parts[..] {
            [(n1, d1), (n2, d2)] => (Domain::Every, h * d1 * d2 - n1 * d2 - n2 * d1),
            [(n, d)] => (Domain::Every, h * d - n),
            _ => unreachable!("pairs are of one or two"),
        });
    }
    let z = table.helpers();
    let total = p.aux[0].iter().copied().sum::<E>();
    values.push((Domain::First, p.aux[0][z]));
    values.push((Domain::Transition, p.aux[1][z] - total));
    values.push((Domain::Last, total - p.sum));
    values.into_iter().fold(E::ZERO, |sum, (domain, value)| {
        let selector = match domain {
            Domain::Every => E::ONE,
            Domain::First => p.selectors.first,
            Domain::Last => p.selectors.last,
            Domain::Transition => p.selectors.transition,
        };
        sum * p.alpha + selector * value
    })
}

fn fold<A: Algebra<Ext = E>>(tape: &Tape, algebra: &mut A, p: &Point, lift: impl Fn(F) -> A::Base) -> E {
    let [local, next, fixed, publics] = p
        .columns
        .each_ref()
        .map(|c| c.iter().map(|&v| lift(v)).collect::<Vec<_>>());
    let Logup { beta, gamma } = p.challenges;
    let inputs = Inputs {
        local: &local,
        next: &next,
        fixed: &fixed,
        publics: &publics,
        aux: &p.aux[0],
        aux_next: &p.aux[1],
        beta,
        gamma,
        sum: p.sum,
    };
    tape.fold(algebra, &inputs, &p.alpha, &p.selectors)
}

#[test]
fn backends_agree_at_random_points() {
    for table in tables() {
        let tape = Tape::constraints(&table);
        for _ in 0..20 {
            let p = point(&table);
            let expected = plain(&table, &p);
            assert_eq!(fold(&tape, &mut Rows, &p, |v| v), expected, "{:?}", table.id);
            assert_eq!(
                fold(&tape, &mut Extension, &p, E::from),
                expected,
                "{:?}",
                table.id
            );
        }
    }
}

#[test]
fn removal_of_any_constraint_or_term_changes_the_value() {
    tables().iter().for_each(removals_change_the_value);
}

fn removals_change_the_value(table: &Table) {
    let p = point(table);
    let expected = fold(&Tape::constraints(table), &mut Rows, &p, |v| v);
    for i in 0..table.constraints().len() {
        let less = Tape::constraints(&table.without_constraint(i));
        assert_ne!(fold(&less, &mut Rows, &p, |v| v), expected, "constraint {i}");
    }
    for i in 0..table.terms().len() {
        let less = Tape::constraints(&table.without_term(i));
        assert_ne!(fold(&less, &mut Rows, &p, |v| v), expected, "term {i}");
    }
}

#[test]
fn terms_tape_gives_fractions() {
    let table = table();
    let tape = Tape::terms(&table);
    let p = point(&table);
    let [local, next, fixed, publics] = &p.columns;
    let Logup { beta, gamma } = p.challenges;
    let (aux, aux_next, sum) = (&[][..], &[][..], E::ZERO);
    let inputs = Inputs {
        local,
        next,
        fixed,
        publics,
        aux,
        aux_next,
        beta,
        gamma,
        sum,
    };
    let mut seen = Vec::new();
    tape.run(&mut Rows, &inputs, |_, index, _, value| {
        assert_eq!(index, seen.len());
        seen.push(match value {
            Value::Base(v) => v.into(),
            Value::Ext(v) => v,
        });
    });
    let mut expected = Vec::new();
    for term in table.terms() {
        let value = |e: &Expr| e.evaluate(local, next, fixed, publics);
        let tuple: Vec<F> = term.tuple.iter().map(value).collect();
        expected.push(E::from(value(&term.multiplicity)));
        expected.push(p.challenges.denominator(term.bus, &tuple));
    }
    assert_eq!(seen, expected);
}

#[test]
fn equal_work_is_done_once_and_slots_are_reused() {
    let table = table();
    let tape = Tape::constraints(&table);
    assert_eq!(tape.outputs, table.constraints().len() + table.helpers() + 3);
    let is_product = |step: &&Step| {
        let cells = [Source::Local(0), Source::Local(1)];
        matches!(step, Step::Base { op: crate::tape::Op::Mul, a, b, .. } if cells.contains(a) && cells.contains(b))
    };
    assert_eq!(tape.steps.iter().filter(is_product).count(), 1);
    let written = tape
        .steps
        .iter()
        .filter(|s| matches!(s, Step::Base { .. }))
        .count();
    assert!(
        tape.base_slots < written / 2,
        "{} slots for {written} values",
        tape.base_slots
    );
    assert!(tape.ext_slots <= 5, "{} extension slots", tape.ext_slots);
    let sums = tape
        .steps
        .iter()
        .filter(|s| {
            matches!(
                s,
                Step::Ext {
                    b: ExtSource::Sum,
                    ..
                }
            )
        })
        .count();
    assert_eq!(sums, 1);
}

/// Along a line through random points each constraint is a polynomial of at most its domain's degree, and the greatest
/// is reached: differences of one order more vanish, differences of that order do not.
#[test]
fn degrees_are_kept_along_a_line() {
    tables().iter().for_each(degrees_are_kept);
}

fn degrees_are_kept(table: &Table) {
    let tape = Tape::constraints(table);
    let (from, by) = (point(table), point(table));
    let mut values = vec![Vec::new(); tape.outputs];
    let mut domains = vec![Domain::Every; tape.outputs];
    for t in 0..5u64 {
        let at = |a: &[F], b: &[F]| -> Vec<F> {
            a.iter()
                .zip(b)
                .map(|(&a, &b)| a + b * F::from_canonical_u64(t))
                .collect()
        };
        let at_ext = |a: &[E], b: &[E]| -> Vec<E> {
            a.iter()
                .zip(b)
                .map(|(&a, &b)| a + b * E::from_canonical_u64(t))
                .collect()
        };
        let [local, next, fixed] = core::array::from_fn(|i| at(&from.columns[i], &by.columns[i]));
        let [aux, aux_next] = core::array::from_fn(|i| at_ext(&from.aux[i], &by.aux[i]));
        let inputs = Inputs {
            local: &local,
            next: &next,
            fixed: &fixed,
            publics: &from.columns[3],
            aux: &aux,
            aux_next: &aux_next,
            beta: from.challenges.beta,
            gamma: from.challenges.gamma,
            sum: from.sum,
        };
        tape.run(&mut Rows, &inputs, |_, index, domain, value| {
            domains[index] = domain;
            values[index].push(match value {
                Value::Base(v) => v.into(),
                Value::Ext(v) => v,
            });
        });
    }
    let mut greatest = 0;
    for (values, domain) in values.iter().zip(domains) {
        let degree = line_degree(values);
        assert!(degree <= domain.max_degree());
        greatest = greatest.max(degree);
    }
    assert_eq!(greatest, 3);
}

/// The degree of the polynomial with these values at 0, 1, 2, …
fn line_degree(values: &[E]) -> usize {
    let mut differences = values.to_vec();
    let mut degree = 0;
    for order in 0..values.len() {
        if differences.iter().any(|&d| d != E::ZERO) {
            degree = order;
        }
        differences = differences.windows(2).map(|w| w[1] - w[0]).collect();
    }
    degree
}

#[test]
fn reference_columns_satisfy_the_logup_constraints() {
    let mut b = TableBuilder::new(TableId::Static, 2, 1, 0);
    for i in 0..3u64 {
        b.send(Bus::U16, b.local(0) + i, vec![b.local(1) * i, b.fixed(0)]);
    }
    let table = b.build();
    let (fixed, trace) = ([F::rand_vec(8)], [F::rand_vec(8), F::rand_vec(8)]);
    let challenges = Logup {
        beta: E::rand(),
        gamma: E::rand(),
    };
    let (aux, sum) = logup::reference(&table, &fixed, &trace, &[], challenges).expect("random challenges");
    let tape = Tape::constraints(&table);
    let broken = |aux: &[Vec<E>], sum: E| -> usize {
        let mut broken = 0;
        for (row, &cell_fixed) in fixed[0].iter().enumerate() {
            let cell = |row: usize| [trace[0][row], trace[1][row]];
            let aux_at = |row: usize| aux.iter().map(|c| c[row]).collect::<Vec<_>>();
            let (next_row, Logup { beta, gamma }) = ((row + 1) % 8, challenges);
            let inputs = Inputs {
                local: &cell(row),
                next: &cell(next_row),
                fixed: &[cell_fixed],
                publics: &[],
                aux: &aux_at(row),
                aux_next: &aux_at(next_row),
                beta,
                gamma,
                sum,
            };
            tape.run(&mut Rows, &inputs, |_, _, domain, value| {
                let here = match domain {
                    Domain::Every => true,
                    Domain::First => row == 0,
                    Domain::Last => row == 7,
                    Domain::Transition => row != 7,
                };
                let zero = match value {
                    Value::Base(v) => v == F::ZERO,
                    Value::Ext(v) => v == E::ZERO,
                };
                broken += usize::from(here && !zero);
            });
        }
        broken
    };
    assert_eq!(broken(&aux, sum), 0);
    assert_ne!(broken(&aux, sum + E::ONE), 0);
    for column in 0..aux.len() {
        for row in 0..8 {
            let mut changed = aux.clone();
            changed[column][row] += E::ONE;
            assert_ne!(broken(&changed, sum), 0, "column {column} row {row}");
        }
    }
}
