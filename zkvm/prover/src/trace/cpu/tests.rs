//! Every flag in hand-made rows; every cell changed; every constraint deleted.

use std::collections::BTreeSet;

use plonky2::field::types::{Field, PrimeField64};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use zkvm_air::machine::{END_ACCEPTED, END_REJECTED, FETCH_FAULT, Flags, KEY_ALTERNATIVE, KEY_STEP, flag};
use zkvm_air::{Bus, Domain, F, check_trace, tables::cpu as col};

use super::machine::{World, field};
use super::mutation::{Change, Judge, Witness};
use super::{fill, log_height, publics};
use crate::rom::RomRow;
use crate::trace::counts::Counts;
use crate::witness::{ExecState, Segment};

const CODE: u32 = 0x1000;
const RAM: u32 = 0x2000_0000;
/// Registers of operands.
const P: u8 = 1;
const Q: u8 = 2;
const BASE: u8 = 3;
const CODE_BASE: u8 = 4;
const TRASH: u8 = 63;
/// Each row's destination is its own, so that a value written is read by nobody and only its row defends it.
const FIRST_DESTINATION: u8 = 64;

/// A program under construction: one instruction after the other.
struct Program {
    world: World,
    pc: u32,
    destination: u8,
}

impl Program {
    fn new(p: u32, q: u32) -> Self {
        let mut world = World::default();
        world
            .registers
            .extend([(P, p), (Q, q), (BASE, RAM + 0x40), (CODE_BASE, CODE)]);
        for i in 0..64 {
            world.ram.insert(
                RAM + 4 * i,
                p.rotate_left(i) ^ q.wrapping_mul(0x9e37_79b9) ^ i << 13,
            );
        }
        for i in 0..4 {
            world.code.insert(CODE + 4 * i, 0x80ff_7f01u32.rotate_left(8 * i));
        }
        world.claim = vec![p, q, 77];
        Self {
            world,
            pc: CODE,
            destination: FIRST_DESTINATION,
        }
    }

    fn row(&mut self, key: u64, a: u8, b: u8, imm: u32, tgt: u64, flags: Flags) {
        let trash = Flags::STORES | Flags::BR | Flags::MB | Flags::JR;
        let twin = a == 0 && tgt == 0 && !flags.any(Flags::GETPC);
        let d = if flags.any(trash) || twin {
            TRASH
        } else {
            self.destination += 1;
            self.destination
        };
        self.world.rom.push(RomRow {
            key,
            a,
            b,
            d,
            imm,
            tgt,
            flags,
        });
    }

    /// An instruction of one row.
    fn one(&mut self, a: u8, b: u8, imm: u32, flags: Flags) -> &mut Self {
        self.jump(a, b, imm, 0, flags)
    }

    /// An instruction of one row with a target so many bytes on.
    fn jump(&mut self, a: u8, b: u8, imm: u32, on: u32, flags: Flags) -> &mut Self {
        let tgt = u64::from(if on == 0 { 0 } else { self.pc + on });
        self.row(self.pc.into(), a, b, imm, tgt, flags | Flags::ENTRY | Flags::LAST);
        self.pc += 4;
        self
    }

    /// The program's end: no code at pc, and the fetch fault's rows reject.
    fn finish(mut self) -> World {
        self.row(FETCH_FAULT, 0, 0, 5, 0, Flags::ENTRY | Flags::ADD | Flags::GETPC);
        self.row(
            FETCH_FAULT + KEY_STEP,
            0,
            0,
            0,
            END_REJECTED,
            Flags::EQ | Flags::MB,
        );
        self.world
    }
}

fn arithmetic(p: u32, q: u32) -> World {
    let mut program = Program::new(p, q);
    let unary = [
        Flags::ADD,
        Flags::SUB,
        Flags::AND,
        Flags::OR,
        Flags::XOR,
        Flags::LO,
        Flags::HI,
    ];
    let compare = [Flags::LT, Flags::LT | Flags::SIGNED, Flags::EQ];
    for flags in unary
        .into_iter()
        .chain(compare)
        .chain(compare.map(|f| f | Flags::INV))
    {
        program.one(P, Q, 0, flags);
        program.one(P, 0, q ^ 1, flags);
    }
    let shifts = [
        Flags::LO,
        Flags::HI,
        Flags::HI | Flags::SIGNED,
        Flags::LO | Flags::HI,
    ];
    for flags in shifts {
        program.one(P, Q, 0, flags | Flags::SHIFT);
        program.one(P, 0, 0, flags | Flags::SHIFT);
        program.one(P, 0, 31, flags | Flags::SHIFT);
    }
    program.one(P, Q, 0, Flags::NONE);
    program.finish()
}

fn memory(p: u32, q: u32) -> World {
    let mut program = Program::new(p, q);
    // Sign extended offsets: -0x40 .. wrap around 2^32, so k = 1.
    let mut word = 0u32;
    for offset in [0u32, 4] {
        for signed in [Flags::NONE, Flags::SIGNED] {
            for byte in 0..4 {
                program.one(BASE, 0, (offset + byte).wrapping_sub(0x40), Flags::L8 | signed);
                program.one(CODE_BASE, 0, offset + byte, Flags::L8 | signed);
            }
            for half in [0, 2] {
                program.one(BASE, 0, offset + half, Flags::L16 | signed);
                program.one(CODE_BASE, 0, offset + half, Flags::L16 | signed);
            }
        }
        program.one(BASE, 0, offset, Flags::L32);
        program.one(CODE_BASE, 0, offset, Flags::L32);
    }
    // Each store to a word of its own.
    for (flags, step) in [(Flags::S8, 1), (Flags::S16, 2), (Flags::S32, 4)] {
        for part in (0..4).step_by(step) {
            program.one(BASE, Q, 0x20 + word + part, flags);
            program.one(BASE, Q, (0x24 + word + part).wrapping_sub(0x40), flags);
            word += 8;
        }
    }
    // Loads what was stored, and stores again.
    program
        .one(BASE, 0, 0x20, Flags::L32)
        .one(BASE, P, 0x23, Flags::S8);
    program.finish()
}

fn control(p: u32, q: u32) -> World {
    let mut program = Program::new(p, q);
    let skip = |program: &mut Program| {
        for _ in 0..3 {
            program.one(P, Q, 0, Flags::ADD);
        }
    };
    for invert in [Flags::NONE, Flags::INV] {
        program.jump(P, Q, 0, 12, Flags::BR | Flags::LT | invert);
        skip(&mut program);
        program.jump(P, 0, p, 12, Flags::BR | Flags::EQ | Flags::LK | invert);
        skip(&mut program);
    }
    program.jump(P, Q, 4, 12, Flags::J);
    skip(&mut program);
    program.jump(0, 0, program.pc + 8, 12, Flags::J | Flags::ADD);
    skip(&mut program);
    program.world.registers.insert(5, program.pc + 12);
    program.one(5, 0, 0, Flags::JR);
    skip(&mut program);
    // Several rows: one that goes on, a jump over one, a jump back that is not taken.
    let key = u64::from(program.pc);
    let row = |u| key + u * KEY_STEP;
    program.row(row(0), P, Q, 0, 0, Flags::ENTRY | Flags::ADD);
    program.row(row(1), P, 0, p, row(3), Flags::EQ | Flags::MB);
    program.row(row(2), 0, 0, 0, 0, Flags::NONE);
    program.row(row(3), P, 0, p, row(0), Flags::EQ | Flags::INV | Flags::MB);
    program.row(row(4), 0, 0, 0, 0, Flags::NONE);
    program.row(row(5), P, Q, 0, 0, Flags::XOR | Flags::LAST);
    program.pc += 4;
    // An alternative.
    let key = u64::from(program.pc) + KEY_ALTERNATIVE;
    program.row(key, P, Q, 0, 0, Flags::ENTRY | Flags::SUB);
    program.row(key + KEY_STEP, P, Q, 0, 0, Flags::OR | Flags::LAST);
    program.pc += 4;
    program.world.registers.extend([(6, 2), (7, RAM)]);
    program.one(6, 0, 0, Flags::CLAIM);
    program.world.hints.insert((RAM, 11), q);
    program.one(7, 0, 11, Flags::HINT);
    // Two instructions that say the same.
    program.one(0, 0, 0, Flags::NONE).one(0, 0, 0, Flags::NONE);
    program.finish()
}

fn worlds() -> Vec<World> {
    let operands = [
        (5, 3),
        (0, 0),
        (u32::MAX, u32::MAX),
        (0x8000_0000, 1),
        (0x7fff_0100, 0x8001_00fe),
        (0xdead_beef, 0xdead_beef),
    ];
    let of = |&(p, q): &(u32, u32)| [arithmetic(p, q), memory(p, q), control(p, q)];
    operands.iter().flat_map(of).collect()
}

fn counts(world: &World) -> Counts {
    Counts::new(world.rom.len(), world.code.len(), 0, world.claim.len())
}

/// Shards of the run, cut after so many rows.
fn shards(world: &World, cut: usize) -> Vec<Segment> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let whole = world.run(CODE.into(), || random.r#gen());
    if cut == 0 || cut >= whole.rows.len() {
        return vec![whole];
    }
    let next = whole.rows[cut];
    let entry = world.rom[next.rom as usize].flags.any(Flags::ENTRY);
    let middle = ExecState {
        pc: next.pc,
        next_pc: next.next_pc,
        fetch: if entry { 0 } else { next.fetch },
        entry,
        step: next.step,
        clk: next.clk,
    };
    let (first, second) = whole.rows.split_at(cut);
    vec![
        Segment {
            start: whole.start,
            rows: first.to_vec(),
            end: middle,
        },
        Segment {
            start: middle,
            rows: second.to_vec(),
            end: whole.end,
        },
    ]
}

fn judge(world: &World, cut: usize) -> Judge<'_> {
    let filled = |segment: &Segment| {
        let height = log_height(segment.rows.len()).max(2);
        let trace = fill(segment, &world.rom, CODE, height, &mut counts(world));
        (trace, publics(segment))
    };
    Judge::new(world, shards(world, cut).iter().map(filled).collect())
}

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

/// Recomputes what follows from changed cells in their row, but the changed cells: what a thief would do who changed
/// them. Operands, keys, ages and flags stay.
fn repair(cells: &mut [F], changed: &BTreeSet<usize>) {
    const MAX: u64 = u32::MAX as u64;
    let is = |cells: &[F], flags: &[usize]| flags.iter().any(|&f| cells[col::FLAGS + f] != F::ZERO);
    let set = |cells: &mut [F], column: usize, value: F| {
        if !changed.contains(&column) {
            cells[column] = value;
        }
    };
    let f = F::from_noncanonical_u64;
    let word = |cells: &[F], low: usize, bits: u32, count: usize| {
        (0..count)
            .map(|i| cells[low + i] * f(1 << (bits * i as u32)))
            .sum::<F>()
    };
    let y = cells[col::B] + cells[col::IMM];
    for i in 0..4 {
        let [x, y] = [col::X + i, col::Y + i].map(|column| cells[column].to_canonical_u64());
        set(cells, col::N + i, f(x & y));
    }
    let [one, two, three] = [col::Q_LO, col::Q_HI, col::M].map(|column| cells[column]);
    let none = F::ONE - one - two - three;
    let x = |cells: &[F], i: usize| cells[col::X + i];
    let byte = none * x(cells, 3) + one * x(cells, 2) + two * x(cells, 1) + three * x(cells, 0);
    let half = |cells: &[F], i: usize| x(cells, i + 2) + two * (x(cells, i) - x(cells, i + 2));
    let top = match () {
        () if is(cells, &[flag::LT, flag::HI]) => x(cells, 3),
        () if is(cells, &[flag::L8]) => byte,
        () if is(cells, &[flag::L16]) => half(cells, 1),
        () => F::ZERO,
    };
    set(cells, col::TOP, top);
    if is(cells, &[flag::SIGNED]) {
        for (byte, sign) in [(col::TOP, col::S1), (col::Y + 3, col::S2)] {
            let bit = cells[byte].to_canonical_u64() >> 7 & 1;
            set(cells, sign, f(bit));
        }
    }
    let (old, new) = (cells[col::M_OLD], cells[col::B]);
    let [y0, y1] = [cells[col::Y], cells[col::Y + 1]];
    let stored = match () {
        () if is(cells, &[flag::S32]) => new,
        () if is(cells, &[flag::S16]) => {
            let part = |i| y1 * f(256) + y0 - x(cells, i + 1) * f(256) - x(cells, i);
            old + (F::ONE - two) * part(2) * f(1 << 16) + two * part(0)
        }
        () if is(cells, &[flag::S8]) => {
            let part = |i| (y0 - x(cells, i)) * f(1 << (8 * i));
            old + none * part(3) + one * part(2) + two * part(1) + three * part(0)
        }
        () if is(cells, &[flag::L8, flag::L16, flag::L32]) => old,
        () => cells[col::M_NEW],
    };
    set(cells, col::M_NEW, stored);

    let product = is(cells, &[flag::LO, flag::HI]);
    if product && changed.contains(&col::M) || changed.contains(&col::Y) && is(cells, &[flag::SHIFT]) {
        if is(cells, &[flag::SHIFT]) {
            let right = is(cells, &[flag::HI]);
            let s = cells[col::Y].to_canonical_u64() as u8;
            set(cells, col::M, f(zkvm_air::tables::static_table::pow(s, right)));
        }
        let value = (cells[col::A] * cells[col::M]).to_canonical_u64();
        for (i, column) in (0..4).zip([col::R_LO, col::R_HI, col::Q_LO, col::Q_HI]) {
            set(cells, column, f(value >> (16 * i) & 0xffff));
        }
    }
    let r = word(cells, col::R_LO, 16, 2);
    if [col::S1, col::S2, col::R_LO].iter().any(|c| changed.contains(c)) && is(cells, &[flag::LT, flag::SUB])
    {
        let signs = cells[col::S1] - cells[col::S2];
        let k = (r + signs * f(1 << 32) + y - cells[col::A]) * f(1 << 32).inverse();
        set(cells, col::K, k);
    }
    if changed.contains(&col::R_LO) && is(cells, &[flag::ADD]) {
        let pc = if is(cells, &[flag::GETPC]) {
            cells[col::PC]
        } else {
            F::ZERO
        };
        let k = (cells[col::A] + y + pc - r) * f(1 << 32).inverse();
        set(cells, col::K, k);
    }
    let q = word(cells, col::Q_LO, 16, 2);
    let inverse = |value: F| value.try_inverse().unwrap_or(F::ZERO);
    if is(cells, &[flag::EQ]) {
        let k = cells[col::K];
        let difference = cells[col::A] - y;
        set(cells, col::INV, (F::ONE - k) * inverse(difference));
    } else {
        set(cells, col::INV, inverse(f(MAX) - q));
    }
    let (k, invert) = (cells[col::K], cells[col::FLAGS + flag::INV]);
    let cond = is(cells, &[flag::LT, flag::EQ]);
    let cond = if cond {
        k + invert - k * invert.double()
    } else {
        F::ZERO
    };
    set(cells, col::COND, cond);
    let (n, top, s1, m) = (
        word(cells, col::N, 8, 4),
        cells[col::TOP],
        cells[col::S1],
        cells[col::M],
    );
    let sum = cells[col::A] + y;
    let value = match () {
        () if is(cells, &[flag::AND]) => n,
        () if is(cells, &[flag::OR]) => sum - n,
        () if is(cells, &[flag::XOR]) => sum - n.double(),
        () if is(cells, &[flag::LT, flag::EQ]) => cells[col::COND],
        () if is(cells, &[flag::HI]) => {
            let low = if is(cells, &[flag::LO]) { r } else { F::ZERO };
            low + q + s1 * (f(1 << 32) - m)
        }
        () if is(cells, &[flag::L8]) => top + s1 * f(0xffff_ff00),
        () if is(cells, &[flag::L16]) => top * f(256) + half(cells, 0) + s1 * f(0xffff_0000),
        () if is(cells, &[flag::L32]) => cells[col::M_OLD],
        () => r,
    };
    set(cells, col::C, value);
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
    for column in 0..col::WIDTH {
        let value = honest[column];
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
    for row in 0..segment_rows(trace) {
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
