//! Every flag in hand-made rows; every cell changed; every constraint deleted.

use std::collections::BTreeSet;

use plonky2::field::types::{Field, PrimeField64};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use zkvm_air::machine::{Flags, KEY_ALTERNATIVE, flag};
use zkvm_air::{Bus, Domain, F, check_trace, tables::cpu as col};

use super::machine::World;
use super::mutation::{Change, Judge, Witness};
use super::programs::{
    BASE, CODE, CODE_BASE, Program, Q, TRASH, arithmetic, control, counts, judge, memory, shards, worlds,
};
use super::repair::repair;
use super::{fill, publics};

#[test]
fn honest_rows_satisfy_every_constraint_and_balance() {
    let table = col::table();
    for (i, world) in worlds().iter().enumerate() {
        for cut in [0, 1, 20] {
            // The judge's making checks every look-up and the balance of memory.
            let judge = judge(world, cut);
            for shard in 0..judge.shards() {
                let (trace, publics) = judge.shard(shard);
                assert_eq!(
                    check_trace(&table, &[], trace, publics),
                    Ok(()),
                    "world {i}, cut {cut}"
                );
            }
        }
    }
}

/// How many reasons [`free`] gives.
const FREE_REASONS: usize = 10;

/// Why a changed cell may pass, if it may. Nothing reads it.
fn free(cells: &[F], column: usize) -> Option<&'static str> {
    let is = |flags: &[usize]| flags.iter().any(|&f| cells[col::FLAGS + f] != F::ZERO);
    let memory = is(&[flag::L8, flag::L16, flag::L32, flag::S8, flag::S16, flag::S32]);
    let parts = is(&[flag::L8, flag::L16, flag::S8, flag::S16]);
    let bitwise = is(&[flag::AND, flag::OR, flag::XOR]);
    let product = is(&[flag::LO, flag::HI]);
    let signed = is(&[flag::SIGNED]);
    let entry = is(&[flag::ENTRY]);
    let ram = memory && cells[col::ROM] == F::ZERO;
    let r_is_zero = cells[col::R_LO] == F::ZERO && cells[col::R_HI] == F::ZERO;
    let q_is_max = [col::Q_LO, col::Q_HI]
        .iter()
        .all(|&c| cells[c] == F::from_canonical_u64(0xffff));
    let unequal = is(&[flag::EQ]) && cells[col::A] != cells[col::B] + cells[col::IMM];
    if cells[col::REAL] == F::ZERO {
        let state = [
            col::REAL,
            col::CLK,
            col::STEP,
            col::PC,
            col::NEXT_PC,
            col::FETCH,
            col::COND,
            col::ROM,
            col::S1,
            col::S2,
            col::C,
        ];
        let flags = col::FLAGS..col::A;
        let bound = state.contains(&column) || flags.contains(&column) || column == col::ALT && !entry;
        return (!bound).then_some("padding is no access and no operation");
    }
    match column {
        col::ALT if is(&[flag::GETPC]) => Some("the fetch fault has one key"),
        _ if (col::X..col::Y).contains(&column)
            && !(bitwise || parts || signed && is(&[flag::LT, flag::HI])) =>
        {
            Some("x of no operation")
        }
        _ if (col::Y..col::N).contains(&column)
            && !(bitwise || is(&[flag::SHIFT, flag::S8, flag::S16]) || signed && is(&[flag::LT])) =>
        {
            Some("y of no operation")
        }
        col::Q_LO | col::Q_HI if !(product || memory) => Some("q of no product"),
        col::M if !(product || memory) => Some("m of no product"),
        col::K if !(memory || is(&[flag::ADD, flag::SUB, flag::LT, flag::EQ])) => Some("k of no sum"),
        col::INV if q_is_max || r_is_zero && !unequal => Some("nothing to invert"),
        col::M_OLD | col::M_NEW if !memory => Some("no access to memory"),
        _ if (col::M_NEW + 1..col::ROM).contains(&column) && !ram => Some("no access to RAM"),
        _ => None,
    }
}

/// All changes tried of one row, each with the first changed column.
fn changes(
    judge: &Judge<'_>,
    shard: usize,
    row: usize,
    random: &mut ChaCha8Rng,
) -> Vec<(usize, bool, Change)> {
    let trace = &judge.shard(shard).0;
    let honest: Vec<F> = trace.iter().map(|column| column[row]).collect();
    let mut changes = Vec::new();
    let mut with_repair = |first: usize, values: &[(usize, F)]| {
        let mut cells = honest.clone();
        for &(column, value) in values {
            cells[column] = value;
        }
        repair(&mut cells, &values.iter().map(|&(column, _)| column).collect());
        let change: Change = (0..col::WIDTH)
            .filter(|&c| cells[c] != honest[c])
            .map(|c| (c, row, cells[c]))
            .collect();
        if !change.is_empty() {
            changes.push((first, false, change));
        }
    };
    let f = F::from_noncanonical_u64;
    let mut singles = Vec::new();
    for (column, &value) in honest.iter().enumerate() {
        let values = [
            value + F::ONE,
            value - F::ONE,
            F::ZERO,
            F::ONE,
            F::ONE - value,
            value + f(1 << 16),
            value + f(1 << 32),
            f(random.gen_range(0..256)),
            f(random.gen_range(0..1 << 16)),
            f(random.r#gen()),
        ];
        for value in values
            .map(|v| v.to_canonical_u64())
            .into_iter()
            .collect::<BTreeSet<_>>()
        {
            if f(value) != honest[column] {
                singles.push((column, f(value)));
                with_repair(column, &[(column, f(value))]);
            }
        }
    }
    if honest[col::REAL] == F::ONE {
        for low in [
            col::A + 1,
            col::B + 1,
            col::M_NEW + 1,
            col::C + 1,
            col::Q_LO,
            col::R_LO,
        ] {
            with_repair(
                low,
                &[
                    (low, honest[low] + f(1 << 16)),
                    (low + 1, honest[low + 1] - F::ONE),
                ],
            );
            with_repair(
                low,
                &[
                    (low, honest[low] - f(1 << 16)),
                    (low + 1, honest[low + 1] + F::ONE),
                ],
            );
        }
        // Offsets that name the same byte but are not one bit.
        for offsets in [[0, 2, u64::MAX], [1, 1, 0], [2, 0, 0], [3, 0, 0]] {
            let [one, two, three] = offsets.map(|o| if o == u64::MAX { F::NEG_ONE } else { f(o) });
            with_repair(col::Q_LO, &[(col::Q_LO, one), (col::Q_HI, two), (col::M, three)]);
        }
        // The product's other decomposition modulo p.
        let low = (honest[col::R_LO] + honest[col::R_HI] * f(1 << 16) + F::ONE).to_canonical_u64();
        let (ones, zero) = (f(0xffff), F::ZERO);
        let other = [
            (col::Q_LO, ones),
            (col::Q_HI, ones),
            (col::R_LO, f(low & 0xffff)),
            (col::R_HI, f(low >> 16)),
            (col::INV, zero),
        ];
        with_repair(col::Q_LO, &other);
        with_repair(col::R_LO, &[(col::R_LO, f(7)), (col::K, honest[col::K])]);
        // Another key of a row that says the same.
        let keys = judge.twins(&honest);
        for key in keys {
            with_repair(col::FETCH, &[(col::FETCH, key)]);
            let alt = (key - honest[col::PC]) * f(KEY_ALTERNATIVE).inverse();
            with_repair(col::FETCH, &[(col::FETCH, key), (col::ALT, alt)]);
        }
    }
    changes.extend(
        singles
            .into_iter()
            .map(|(column, value)| (column, true, vec![(column, row, value)])),
    );
    changes
}

/// Changes that passed and should not, reasons of those that may, and what noticed some change alone.
type Tally = (BTreeSet<String>, BTreeSet<&'static str>, BTreeSet<Witness>);

/// Tries all changes of all rows of a run.
fn mutate(world: &World, cut: usize, seed: u64) -> Tally {
    let judge = judge(world, cut);
    let of_row = |&(shard, row): &(usize, usize)| {
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ (row as u64) << 8);
        let (mut survivors, mut reasons, mut sole) = Tally::default();
        let honest: Vec<F> = judge.shard(shard).0.iter().map(|column| column[row]).collect();
        for (column, single, change) in changes(&judge, shard, row, &mut random) {
            let seen = judge.judge(shard, &change);
            match (seen.len(), free(&honest, column)) {
                (0, Some(reason)) if single => drop(reasons.insert(reason)),
                (0, _) => {
                    // A repaired change passes if all of its cells are free or what it set them to is as true.
                    if !single
                        && change
                            .iter()
                            .all(|&(c, ..)| free(&honest, c).is_some() || !is_outcome(&honest, c))
                    {
                        continue;
                    }
                    let flags: Vec<_> = (0..28).filter(|f| honest[col::FLAGS + f] != F::ZERO).collect();
                    let cells: Vec<_> = change.iter().map(|&(c, _, v)| (col::column_name(c), v)).collect();
                    let what = format!(
                        "shard {shard} row {row} real {} flags {flags:?}: {cells:?}",
                        honest[0]
                    );
                    survivors.insert(what);
                }
                (1, _) => sole.extend(seen),
                _ => {}
            }
        }
        (survivors, reasons, sole)
    };
    let rows: Vec<_> = (0..judge.shards())
        .flat_map(|shard| (0..judge.height(shard)).map(move |row| (shard, row)))
        .collect();
    rows.par_iter()
        .map(of_row)
        .reduce(Tally::default, |mut all, some| {
            all.0.extend(some.0);
            all.1.extend(some.1);
            all.2.extend(some.2);
            all
        })
}

/// Whether a changed cell changes what the row does; the others are witnesses of it.
fn is_outcome(cells: &[F], column: usize) -> bool {
    let is = |mut flags: std::ops::RangeInclusive<usize>| flags.any(|f| cells[col::FLAGS + f] != F::ZERO);
    let address = is(flag::L8..=flag::S32) && [col::Q_LO, col::Q_HI, col::M, col::K].contains(&column);
    // The word of an advice row, or trash.
    let advice = column == col::C && !is(flag::ADD..=flag::L32) && !is(flag::CLAIM..=flag::HINT);
    address || column == col::COND || column < col::X && !advice
}

/// Constraints that no single row's change shows to be needed, and why, or which test does.
const NOT_ALONE: [(&str, &str); 5] = [
    (
        "real is a bit",
        "a row that counts twice takes the same memory entries twice",
    ),
    ("GETPC is the fetch fault's", "no other ROM row has GETPC"),
    ("rom is a bit, only on loads", "a_store_to_code_is_not_a_look_up"),
    ("real never rises", "no_row_runs_after_padding"),
    ("the last row is padding", "the_last_row_does_not_run"),
];

#[test]
fn every_changed_cell_is_noticed_and_every_constraint_notices_alone() {
    let (mut survivors, mut reasons, mut sole) = Tally::default();
    for (i, world) in worlds().iter().enumerate() {
        let some = mutate(world, [15, 11, 25][i % 3], i as u64);
        survivors.extend(some.0.into_iter().map(|survivor| format!("world {i} {survivor}")));
        reasons.extend(some.1);
        sole.extend(some.2);
    }
    let shown: Vec<_> = survivors.iter().take(20).collect();
    assert!(
        survivors.is_empty(),
        "{} survivors, as {shown:#?}",
        survivors.len()
    );
    assert_eq!(reasons.len(), FREE_REASONS, "stale reasons: {reasons:?}");

    sole.extend(publics_alone());
    sole.extend(order_alone());
    sole.extend(misaligned_alone());
    let table = col::table();
    let alone = |label: &str| sole.contains(&Witness::Constraint(label.into()));
    for constraint in table.constraints() {
        let label = constraint.label.as_str();
        let excused = NOT_ALONE.iter().any(|(other, _)| *other == label);
        let is_flag = label.starts_with("flag ");
        assert!(alone(label) != excused || is_flag, "{label}: excused {excused}");
    }
    for (i, term) in table.terms().iter().enumerate() {
        // An access takes and puts: without one of its two terms not even honest rows balance.
        let put = term.bus == Bus::Memory && i % 2 == 1;
        assert!(
            put || sole.contains(&Witness::Term(i, term.bus)),
            "term {i}, {:?}",
            term.bus
        );
    }
}

/// Labels of all constraints that a whole trace breaks.
fn broken(trace: &[Vec<F>], publics: &[F]) -> BTreeSet<Witness> {
    let table = col::table();
    let mut broken = BTreeSet::new();
    let height = trace[0].len();
    let row = |i: usize| -> Vec<F> { trace.iter().map(|column| column[i % height]).collect() };
    for i in 0..height {
        let (local, next) = (row(i), row(i + 1));
        for constraint in table.constraints() {
            let applies = match constraint.domain {
                Domain::Every => true,
                Domain::First => i == 0,
                Domain::Last => i + 1 == height,
                Domain::Transition => i + 1 != height,
            };
            if applies && constraint.expr.evaluate(&local, &next, &[], publics) != F::ZERO {
                broken.insert(Witness::Constraint(constraint.label.clone()));
            }
        }
    }
    broken
}

fn alone(label: &str) -> BTreeSet<Witness> {
    [Witness::Constraint(label.into())].into()
}

/// Each public input is noticed by its own constraint, and by that alone.
fn publics_alone() -> BTreeSet<Witness> {
    let world = control(5, 3);
    let mut sole = BTreeSet::new();
    // Cut inside an instruction and between two.
    for cut in 1..60 {
        let judge = judge(&world, cut);
        for shard in 0..judge.shards() {
            let (trace, honest) = judge.shard(shard);
            for i in 0..honest.len() {
                let mut publics = honest.clone();
                publics[i] += F::ONE;
                let seen = broken(trace, &publics);
                assert_eq!(seen.len(), 1, "public {i}: {seen:?}");
                sole.extend(seen);
            }
        }
    }
    assert_eq!(sole.len(), col::PUBLICS);
    sole
}

/// The last two accesses to a register in the other order: the first takes what the second put. Memory balances; only
/// the age's range notices.
fn order_alone() -> BTreeSet<Witness> {
    let f = F::from_noncanonical_u64;
    let mut sole = BTreeSet::new();
    let world = memory(5, 3);
    let judge = judge(&world, 0);
    let trace = &judge.shard(0).0;
    let rows = segment_rows(trace);
    let slots = [
        (col::REG_A, BASE, col::A, col::A, col::A + 1),
        (col::REG_B, Q, col::B, col::B, col::B + 1),
        (col::REG_D, TRASH, col::D_OLD, col::C, col::C + 1),
    ];
    for (register, number, old, new, age) in slots {
        let accesses: Vec<usize> = (0..rows)
            .filter(|&row| trace[register][row] == f(number.into()))
            .collect();
        let &[.., i, j] = &accesses[..] else {
            panic!("two accesses")
        };
        let distance = f(4 * (j - i) as u64);
        let age_of = |row: usize| trace[age][row] + trace[age + 1][row] * f(1 << 16);
        assert_eq!(age_of(j) + F::ONE, distance);
        let mut change = Change::new();
        for (row, value) in [(i, -distance - F::ONE), (j, age_of(i) + distance)] {
            let low = f(value.to_canonical_u64() & 0xffff);
            change.push((age, row, low));
            change.push((age + 1, row, (value - low) * f(1 << 16).inverse()));
        }
        if old != new {
            change.push((old, i, trace[new][j]));
            change.push((old, j, trace[old][i]));
        }
        let seen = judge.judge(0, &change);
        assert_eq!(seen.len(), 1, "register column {register}: {seen:?}");
        sole.extend(seen);
    }
    sole
}

/// Loads and stores of halves at odd and words at uneven addresses, as the normal rows of a trapping instruction.
fn misaligned_alone() -> BTreeSet<Witness> {
    let mut sole = BTreeSet::new();
    let halves = [Flags::L16, Flags::S16].map(|flags| (flags, 1));
    let words = [Flags::L32, Flags::S32]
        .into_iter()
        .flat_map(|f| (1..4).map(move |offset| (f, offset)));
    for (flags, offset) in halves.into_iter().chain(words) {
        let mut program = Program::new(5, 3);
        program.one(BASE, Q, offset, flags);
        let world = program.finish();
        let segment = &shards(&world, 0)[0];
        let mut trace = fill(segment, &world.rom, CODE, 2, &mut counts(&world));
        let mut cells: Vec<F> = trace.iter().map(|column| column[0]).collect();
        repair(&mut cells, &BTreeSet::from([col::A]));
        trace
            .iter_mut()
            .zip(cells)
            .for_each(|(column, cell)| column[0] = cell);
        let publics = publics(segment);
        let seen = broken(&trace, &publics);
        // Look-ups and memory notice nothing.
        Judge::new(&world, vec![(trace, publics)]);
        let label = if offset == 1 && flags.any(Flags::L16 | Flags::S16) {
            "halves are even"
        } else {
            "words are aligned"
        };
        assert_eq!(seen, alone(label), "{flags:?} at {offset}");
        sole.extend(seen);
    }
    sole
}

#[test]
fn a_store_to_code_is_not_a_look_up() {
    let mut program = Program::new(5, 3);
    program.one(CODE_BASE, Q, 0, Flags::S32);
    let world = program.finish();
    let segment = &shards(&world, 0)[0];
    let mut trace = fill(segment, &world.rom, CODE, 2, &mut counts(&world));
    trace[col::M_NEW][0] = trace[col::B][0];
    let publics = publics(segment);
    let seen = broken(&trace, &publics);
    Judge::new(&world, vec![(trace, publics)]);
    assert_eq!(seen, alone("rom is a bit, only on loads"));
}

#[test]
fn no_row_runs_after_padding() {
    let world = control(5, 3);
    // Inside an instruction; before an entry the padding's key, 0, breaks off, too.
    let inside = |judge: &Judge<'_>| judge.shard(1).0[col::FLAGS + flag::ENTRY][0] == F::ZERO;
    let mut cuts = (1..60).map(|cut| judge(&world, cut));
    let judge = cuts.find(inside).expect("an instruction of several rows");
    let [(first, from), (second, to)] = [0, 1].map(|shard| judge.shard(shard));
    let joined: Vec<Vec<F>> = first
        .iter()
        .zip(second)
        .map(|(a, b)| [&a[..], b].concat())
        .collect();
    let publics = [&from[..col::PUBLICS / 2], &to[col::PUBLICS / 2..]].concat();
    assert_eq!(broken(&joined, &publics), alone("real never rises"));
}

#[test]
fn the_last_row_does_not_run() {
    let world = arithmetic(5, 3);
    let segment = &shards(&world, 7)[0];
    let trace = fill(segment, &world.rom, CODE, 3, &mut counts(&world));
    let cut: Vec<Vec<F>> = trace.iter().map(|column| column[..7].to_vec()).collect();
    let row = &segment.rows[6];
    let mut publics = publics(segment);
    let state = [row.pc, row.next_pc, 0, 1, row.step, row.clk].map(F::from_canonical_u64);
    publics[col::PUBLICS / 2..].copy_from_slice(&state);
    assert_eq!(broken(&cut, &publics), alone("the last row is padding"));
}

/// Flags are looked up packed, so 2 of one pass for 1 of the next; each flag must be a bit.
#[test]
fn packed_flags_have_one_reading() {
    let world = control(5, 3);
    let judge = judge(&world, 0);
    let trace = &judge.shard(0).0;
    for row in (0..judge.height(0)).take(segment_rows(trace)) {
        for low in 0..27 {
            for (a, b) in [(F::TWO, F::NEG_ONE), (-F::TWO, F::ONE)] {
                let change = [(low, a), (low + 1, b)]
                    .map(|(flag, by)| (col::FLAGS + flag, row, trace[col::FLAGS + flag][row] + by));
                let seen = judge.judge(0, &change.to_vec());
                let bits = [low, low + 1].map(|f| Witness::Constraint(format!("flag {f} is a bit")));
                assert!(
                    bits.iter().any(|bit| seen.contains(bit)),
                    "row {row} flag {low}: {seen:?}"
                );
                assert!(
                    !seen.iter().any(|w| matches!(w, Witness::Term(_, Bus::Rom))),
                    "the look-up notices"
                );
            }
        }
    }
}

fn segment_rows(trace: &[Vec<F>]) -> usize {
    trace[col::REAL].iter().filter(|&&real| real == F::ONE).count()
}
