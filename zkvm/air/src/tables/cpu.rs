//! The table Cpu: one micro-instruction a row.
//!
//! The invariant it owns: from the state in its publics, every real row does what the ROM row under its key says, on
//! the registers and memory that the bus Memory holds, and leads to the state of the next row; the last row's state is
//! the shard's result. The verifier and its circuits evaluate [`table`]; `zkvm_prover::trace::cpu` fills it.
//!
//! What an attacker tries, and what stops it:
//! - *Another instruction than the program's*: the row is looked up under the key `fetch`, which transitions fix. The
//!   flags are looked up packed, so each must be boolean here.
//! - *A trap that is not due, or one passed over*: `alt` chooses between two keys only; both routines assert.
//! - *Two results of one operation modulo p*: words are pairs of U16, carries are booleans, no sum reaches p, and the
//!   one product that has two decompositions (below 2^32 - 1) is held to the one with a quotient below 2^32 - 1.
//! - *A stale or a future value*: each access takes an older timestamp by two U16 and puts back its own.
//! - *A neighbour's byte*: offsets are one-hot, halves even, words whole; stores copy the bytes that they leave. An
//!   address that is not a word's has no entry on the buses Memory and Code.
//! - *Work after the end, or in the padding*: no ROM row has an END key, `real` never rises again, padding has no flag
//!   but `ENTRY` (an entry is due) and keeps the state.
//!
//! Free cells, harmless because nothing reads them: x, y (but for n = x & y, all bytes), q, r up to c = r, m, k, inv,
//! the M slot and `rom` on rows whose flags do not name them; everything but the state in padding.

use alloc::string::String;
use alloc::{format, vec};

use crate::machine::{
    FETCH_FAULT, FLAGS as FLAG_COUNT, KEY_ALTERNATIVE, KEY_STEP, SLOT_A, SLOT_B, SLOT_D, SLOT_M, SPACE_RAM,
    SPACE_REGISTERS, flag,
};
use crate::{Bus, Expr, Table, TableBuilder, TableId};

/// 1 on rows that run, 0 on padding.
pub const REAL: usize = 0;
/// The row's time: 1 + the number of real rows before it in the run.
pub const CLK: usize = 1;
/// Instructions finished before.
pub const STEP: usize = 2;
/// Address of the instruction.
pub const PC: usize = 3;
/// Address of the instruction after it (the delay slot, if this one jumps).
pub const NEXT_PC: usize = 4;
/// Key of the ROM row.
pub const FETCH: usize = 5;
/// 1 on an ENTRY row that takes the alternative key.
pub const ALT: usize = 6;
/// ROM: register read first.
pub const REG_A: usize = 7;
/// ROM: register read second.
pub const REG_B: usize = 8;
/// ROM: register written.
pub const REG_D: usize = 9;
/// ROM: immediate word.
pub const IMM: usize = 10;
/// ROM: a target's address or key.
pub const TGT: usize = 11;
/// ROM: the flags, one column each, in the order of [`crate::machine::flag`]. In padding, ENTRY says that an entry is due.
pub const FLAGS: usize = 12;
/// Value of register a; then two U16 of its age less 1.
pub const A: usize = FLAGS + FLAG_COUNT;
/// Value of register b; then two U16 of its age less 1.
pub const B: usize = A + 3;
/// The word of memory or code before; after; then two U16 of its age less 1; then [`ROM`].
pub const M_OLD: usize = B + 3;
/// The word of memory after.
pub const M_NEW: usize = M_OLD + 1;
/// 1 on a load from code.
pub const ROM: usize = M_OLD + 4;
/// Value of register d before.
pub const D_OLD: usize = ROM + 1;
/// Value written to register d; then two U16 of the age, less 1, of the value before.
pub const C: usize = D_OLD + 1;
/// Four bytes, the least significant first.
pub const X: usize = C + 3;
/// Four bytes, the least significant first.
pub const Y: usize = X + 4;
/// The bytes x & y.
pub const N: usize = Y + 4;
/// Low half of the quotient; on memory rows: offset 1.
pub const Q_LO: usize = N + 4;
/// High half of the quotient; on memory rows: offset 2.
pub const Q_HI: usize = Q_LO + 1;
/// Low half of the result or remainder.
pub const R_LO: usize = Q_HI + 1;
/// High half of the result or remainder.
pub const R_HI: usize = R_LO + 1;
/// Factor; on memory rows: offset 3.
pub const M: usize = R_HI + 1;
/// Carry, borrow, or A = y.
pub const K: usize = M + 1;
/// The condition; 0 on rows without LT and EQ.
pub const COND: usize = K + 1;
/// Inverse of 2^32 - 1 - q, or of A - y with EQ.
pub const INV: usize = COND + 1;
/// Sign of `top`; 0 on rows without SIGNED.
pub const S1: usize = INV + 1;
/// Sign of y; 0 on rows without SIGNED.
pub const S2: usize = S1 + 1;
/// The byte that holds the sign.
pub const TOP: usize = S2 + 1;
/// Number of columns.
pub const WIDTH: usize = TOP + 1;

/// Publics: pc, next_pc, fetch, entry, step, clk of the first row, then of the last.
pub const PUBLICS: usize = 12;

/// Words are below this.
const WORD: u64 = 1 << 32;

/// A column's name, for messages.
#[must_use]
pub fn column_name(column: usize) -> String {
    const BEFORE: [&str; FLAGS] = [
        "real", "clk", "step", "pc", "next_pc", "fetch", "alt", "a", "b", "d", "imm", "tgt",
    ];
    const AFTER: [&str; WIDTH - A] = [
        "A", "tsA_lo", "tsA_hi", "B", "tsB_lo", "tsB_hi", "m_old", "m_new", "tsM_lo", "tsM_hi", "rom",
        "d_old", "c", "tsD_lo", "tsD_hi", "x0", "x1", "x2", "x3", "y0", "y1", "y2", "y3", "n0", "n1", "n2",
        "n3", "q_lo", "q_hi", "r_lo", "r_hi", "m", "k", "cond", "inv", "s1", "s2", "top",
    ];
    match column {
        _ if column < FLAGS => BEFORE[column].into(),
        _ if column < A => format!("flag {}", column - FLAGS),
        _ => AFTER[column - A].into(),
    }
}

/// The columns of one row as expressions, with the sums that several constraints use.
struct Row {
    cells: alloc::vec::Vec<Expr>,
}

impl Row {
    fn new(b: &TableBuilder) -> Self {
        Self {
            cells: (0..WIDTH).map(|column| b.local(column)).collect(),
        }
    }

    fn cell(&self, column: usize) -> &Expr {
        &self.cells[column]
    }

    fn flag(&self, flag: usize) -> &Expr {
        &self.cells[FLAGS + flag]
    }

    /// The sum of some flags.
    fn any(&self, flags: &[usize]) -> Expr {
        Expr::sum(flags.iter().map(|&flag| self.flag(flag)))
    }

    /// A word of four bytes.
    fn bytes(&self, first: usize) -> Expr {
        Expr::limbs(&self.cells[first..first + 4], 8)
    }

    fn halves(&self, low: usize) -> Expr {
        Expr::limbs(&self.cells[low..low + 2], 16)
    }

    /// y = B + imm.
    fn operand(&self) -> Expr {
        self.cell(B) + self.cell(IMM)
    }

    /// Loads and stores.
    fn memory(&self) -> Expr {
        self.loads() + self.any(&[flag::S8, flag::S16, flag::S32])
    }

    fn loads(&self) -> Expr {
        self.any(&[flag::L8, flag::L16, flag::L32])
    }

    /// 1 if a loaded or stored part is not at offset 0.
    fn offset(&self) -> Expr {
        self.cell(Q_LO) + self.cell(Q_HI) + self.cell(M)
    }
}

/// The table.
#[must_use]
pub fn table() -> Table {
    let mut b = TableBuilder::new(TableId::Cpu, WIDTH, 0, PUBLICS);
    let row = Row::new(&b);
    booleans(&mut b, &row);
    padding(&mut b, &row);
    publics(&mut b, &row);
    control(&mut b, &row);
    arithmetic(&mut b, &row);
    memory(&mut b, &row);
    result(&mut b, &row);
    registers_and_ram(&mut b, &row);
    look_ups(&mut b, &row);
    b.build()
}

fn booleans(b: &mut TableBuilder, row: &Row) {
    b.assert_bool("real is a bit", row.cell(REAL));
    b.assert_bool("k is a bit", row.cell(K));
    for flag in 0..FLAG_COUNT {
        b.assert_bool(format!("flag {flag} is a bit"), row.flag(flag));
    }
    let alt = row.cell(ALT);
    b.assert_zero(
        "alt is a bit, only on entries",
        alt * (alt - row.flag(flag::ENTRY)),
    );
    let rom = row.cell(ROM);
    b.assert_zero("rom is a bit, only on loads", rom * (rom - row.loads()));
}

fn padding(b: &mut TableBuilder, row: &Row) {
    let (real, entry) = (row.cell(REAL), row.flag(flag::ENTRY));
    b.assert_transition("real never rises", real.not() * b.next(REAL));
    b.assert_last("the last row is padding", real.clone());
    let others = Expr::sum((0..FLAG_COUNT).filter(|&f| f != flag::ENTRY).map(|f| row.flag(f)));
    b.assert_zero("padding has no flag", real.not() * others);
    b.assert_zero(
        "padding that awaits an entry has no key",
        real.not() * entry * row.cell(FETCH),
    );
}

fn publics(b: &mut TableBuilder, row: &Row) {
    let entry = row.flag(flag::ENTRY);
    let state = [
        ("pc", row.cell(PC).clone()),
        ("next_pc", row.cell(NEXT_PC).clone()),
        ("fetch", entry.not() * row.cell(FETCH)),
        ("entry", entry.clone()),
        ("step", row.cell(STEP).clone()),
        ("clk", row.cell(CLK).clone()),
    ];
    let half = PUBLICS / 2;
    for (i, (name, value)) in state.into_iter().enumerate() {
        b.assert_first(format!("first {name}"), &value - b.public(i));
        b.assert_last(format!("last {name}"), value - b.public(half + i));
    }
}

/// Keys, program counters, steps and time.
fn control(b: &mut TableBuilder, row: &Row) {
    let [real, last, entry, cond] = [
        row.cell(REAL),
        row.flag(flag::LAST),
        row.flag(flag::ENTRY),
        row.cell(COND),
    ];
    let [pc, next_pc, fetch, tgt] = [PC, NEXT_PC, FETCH, TGT].map(|column| row.cell(column));

    // The fetch fault's entry needs no constraint: no other ROM row has GETPC, so the key is FETCH_FAULT. It is said
    // all the same, since the next constraint rests on it.
    let get_pc = row.flag(flag::GETPC);
    b.assert_zero("GETPC is the fetch fault's", get_pc * (fetch - FETCH_FAULT));
    b.assert_zero(
        "an entry's key is pc or its alternative",
        real * (entry - get_pc) * (fetch - pc - row.cell(ALT) * KEY_ALTERNATIVE),
    );
    b.assert_transition(
        "an entry follows the last row of an instruction, at once or after padding",
        b.next(FLAGS + flag::ENTRY) - last - real.not() * entry,
    );
    b.assert_transition(
        "inside an instruction the key goes on or to tgt",
        last.not() * (b.next(FETCH) - fetch - real * KEY_STEP)
            - row.flag(flag::MB) * cond * (tgt - fetch - KEY_STEP),
    );

    let not_taken = row.flag(flag::LK) * cond.not();
    b.assert_transition("pc", b.next(PC) - pc - last * (next_pc - pc) - &not_taken * 4);
    b.assert_transition(
        "next_pc",
        b.next(NEXT_PC)
            - next_pc
            - last * 4
            - not_taken * 4
            - (row.flag(flag::BR) * cond + row.flag(flag::J)) * (tgt - next_pc - 4)
            - row.flag(flag::JR) * (row.cell(A) - next_pc - 4),
    );
    b.assert_transition("step", b.next(STEP) - row.cell(STEP) - last);
    b.assert_transition("clk", b.next(CLK) - row.cell(CLK) - real);
}

fn arithmetic(b: &mut TableBuilder, row: &Row) {
    let (a, y) = (row.cell(A), &row.operand());
    let (q, r) = (&row.halves(Q_LO), &row.halves(R_LO));
    let [k, cond, inv, m] = [K, COND, INV, M].map(|column| row.cell(column));
    let [lt, eq, hi, shift, signed] =
        [flag::LT, flag::EQ, flag::HI, flag::SHIFT, flag::SIGNED].map(|flag| row.flag(flag));
    let bitwise = row.any(&[flag::AND, flag::OR, flag::XOR]);
    let product = row.any(&[flag::LO, flag::HI]);

    b.assert_zero(
        "sum",
        row.flag(flag::ADD) * (a + y + row.flag(flag::GETPC) * row.cell(PC) - r - k * WORD),
    );
    b.assert_zero(
        "difference",
        (row.flag(flag::SUB) + lt) * (a - y - (row.cell(S1) - row.cell(S2)) * WORD - r + k * WORD),
    );
    b.assert_zero("equal", eq * k * (a - y));
    b.assert_zero("unequal", eq * ((a - y) * inv + k - 1));
    let invert = row.flag(flag::INV);
    b.assert_zero("condition", cond - (lt + eq) * (k + invert - k * invert * 2));

    b.assert_zero("product", &product * (a * m - q * WORD - r));
    b.assert_zero("factor", product * shift.not() * (m - y));
    // On every row, to save a degree. With EQ, inv is taken and r is 0; elsewhere inv costs nothing.
    b.assert_zero(
        "canonical product",
        r * ((Expr::constant(WORD - 1) - q) * inv - 1),
    );

    let parts = row.any(&[flag::L8, flag::L16, flag::S8, flag::S16]);
    let of_a = &bitwise + (lt + hi) * signed;
    b.assert_zero(
        "bytes x",
        of_a * (row.bytes(X) - a) + parts * (row.bytes(X) - row.cell(M_OLD)),
    );
    let of_y = bitwise + lt * signed + shift;
    let stored = row.any(&[flag::S8, flag::S16]);
    b.assert_zero(
        "bytes y",
        of_y * (row.bytes(Y) - y) + stored * (row.bytes(Y) - row.cell(B)),
    );

    let x3 = row.cell(X + 3);
    let (byte, half) = (loaded_byte(row), loaded_half_byte(row, 1));
    b.assert_zero(
        "top",
        row.cell(TOP) - (lt + hi) * x3 - row.flag(flag::L8) * byte - row.flag(flag::L16) * half,
    );
    b.assert_zero("s1 only if signed", signed.not() * row.cell(S1));
    b.assert_zero("s2 only if signed", signed.not() * row.cell(S2));
}

/// The byte of the old word at the offset; offset 0 is the most significant.
fn loaded_byte(row: &Row) -> Expr {
    row.offset().not() * row.cell(X + 3)
        + row.cell(Q_LO) * row.cell(X + 2)
        + row.cell(Q_HI) * row.cell(X + 1)
        + row.cell(M) * row.cell(X)
}

/// Byte `i` (1 is the high one) of the old word's half at the offset.
fn loaded_half_byte(row: &Row, i: usize) -> Expr {
    row.cell(X + 2 + i) + row.cell(Q_HI) * (row.cell(X + i) - row.cell(X + 2 + i))
}

fn memory(b: &mut TableBuilder, row: &Row) {
    let (memory, offset) = (row.memory(), row.offset());
    let halves = row.any(&[flag::L16, flag::S16]);
    let words = row.any(&[flag::L32, flag::S32]);
    // The other two are below 2^16 and one sum with it is a bit, so they are bits, too.
    b.assert_zero("offset 3 is a bit", &memory * row.cell(M).boolean());
    b.assert_zero("one offset", memory * offset.boolean());
    b.assert_zero("halves are even", halves * (row.cell(Q_LO) + row.cell(M)));
    b.assert_zero("words are aligned", words * offset);

    let (old, new) = (row.cell(M_OLD), row.cell(M_NEW));
    b.assert_zero("loads leave memory", row.loads() * (new - old));
    let y = |i| row.cell(Y + i);
    let x = |i| row.cell(X + i);
    let byte = row.offset().not() * (y(0) - x(3)) * (1 << 24)
        + row.cell(Q_LO) * (y(0) - x(2)) * (1 << 16)
        + row.cell(Q_HI) * (y(0) - x(1)) * (1 << 8)
        + row.cell(M) * (y(0) - x(0));
    b.assert_zero("stored byte", row.flag(flag::S8) * (new - old - byte));
    let half = |i| y(1) * 256 + y(0) - x(i + 1) * 256 - x(i);
    let half = row.cell(Q_HI).not() * half(2) * (1 << 16) + row.cell(Q_HI) * half(0);
    b.assert_zero("stored half", row.flag(flag::S16) * (new - old - half));
    b.assert_zero("stored word", row.flag(flag::S32) * (new - row.cell(B)));
}

/// c, the value written.
fn result(b: &mut TableBuilder, row: &Row) {
    let (n, sum) = (row.bytes(N), row.cell(A) + row.operand());
    let (q, r, s1) = (row.halves(Q_LO), row.halves(R_LO), row.cell(S1));
    let hi = row.flag(flag::HI);
    // A negative A shifted right by 32 - log2 m bits gets its upper bits set.
    let quotient = q + s1 * (Expr::constant(WORD) - row.cell(M));
    let byte = row.cell(TOP) + s1 * 0xffff_ff00;
    let half = row.cell(TOP) * 256 + loaded_half_byte(row, 0) + s1 * 0xffff_0000;
    let others = row.any(&[
        flag::AND,
        flag::OR,
        flag::XOR,
        flag::LT,
        flag::EQ,
        flag::L8,
        flag::L16,
        flag::L32,
        flag::HI,
    ]);
    let value = row.flag(flag::AND) * &n
        + row.flag(flag::OR) * (&sum - &n)
        + row.flag(flag::XOR) * (sum - n * 2)
        + row.cell(COND)
        + hi * quotient
        + row.flag(flag::L8) * byte
        + row.flag(flag::L16) * half
        + row.flag(flag::L32) * row.cell(M_OLD)
        + (others.not() + hi * row.flag(flag::LO)) * r;
    b.assert_zero("result", row.cell(C) - value);
}

/// The bus Memory: each access takes the old entry and puts its own.
fn registers_and_ram(b: &mut TableBuilder, row: &Row) {
    let real = row.cell(REAL);
    let registers = Expr::constant(SPACE_REGISTERS);
    // A + imm mod 2^32, less the offset.
    let address = row.cell(A) + row.cell(IMM)
        - row.cell(K) * WORD
        - row.cell(Q_LO)
        - row.cell(Q_HI) * 2
        - row.cell(M) * 3;
    let in_ram = row.memory() - row.cell(ROM);
    let cells = |old, new, age| (row.cell(old), row.cell(new), age);
    let accesses = [
        (SLOT_A, real, &registers, row.cell(REG_A), cells(A, A, A + 1)),
        (SLOT_B, real, &registers, row.cell(REG_B), cells(B, B, B + 1)),
        (
            SLOT_M,
            &in_ram,
            &Expr::constant(SPACE_RAM),
            &address,
            cells(M_OLD, M_NEW, M_OLD + 2),
        ),
        (SLOT_D, real, &registers, row.cell(REG_D), cells(D_OLD, C, C + 1)),
    ];
    for (slot, multiplicity, space, address, (old, new, age)) in accesses {
        let now = row.cell(CLK) * 4 + slot;
        let then = &now - row.halves(age) - 1;
        b.receive(
            Bus::Memory,
            multiplicity.clone(),
            vec![space.clone(), address.clone(), old.clone(), then],
        );
        b.send(
            Bus::Memory,
            multiplicity.clone(),
            vec![space.clone(), address.clone(), new.clone(), now],
        );
    }
    b.receive(
        Bus::Code,
        row.cell(ROM).clone(),
        vec![address, row.cell(M_OLD).clone()],
    );
}

fn look_ups(b: &mut TableBuilder, row: &Row) {
    let real = row.cell(REAL);
    let cells = |columns: &[usize]| columns.iter().map(|&column| row.cell(column).clone()).collect();
    let mut rom: alloc::vec::Vec<Expr> = cells(&[FETCH, REG_A, REG_B, REG_D, IMM, TGT]);
    rom.push(Expr::limbs(&row.cells[FLAGS..FLAGS + FLAG_COUNT], 1));
    b.receive(Bus::Rom, real.clone(), rom);
    for i in 0..4 {
        b.receive(Bus::And, real.clone(), cells(&[X + i, Y + i, N + i]));
    }
    for low in [A + 1, B + 1, M_OLD + 2, C + 1, Q_LO, R_LO] {
        for half in [low, low + 1] {
            b.receive(Bus::U16, real.clone(), cells(&[half]));
        }
    }
    let right = row.flag(flag::HI).clone();
    b.receive(
        Bus::Pow,
        row.flag(flag::SHIFT).clone(),
        vec![row.cell(Y).clone(), right, row.cell(M).clone()],
    );
    let signed = row.flag(flag::SIGNED);
    b.receive(Bus::Msb, signed.clone(), cells(&[TOP, S1]));
    b.receive(Bus::Msb, signed.clone(), cells(&[Y + 3, S2]));
    b.receive(Bus::Claim, row.flag(flag::CLAIM).clone(), cells(&[A, C]));
    b.receive(
        Bus::Hint,
        row.flag(flag::HINT).clone(),
        vec![
            row.cell(CLK).clone(),
            row.cell(A).clone(),
            row.operand(),
            row.cell(C).clone(),
        ],
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_and_terms_are_as_counted() {
        let table = table();
        assert_eq!((WIDTH, table.terms().len()), (78, 31));
        assert_eq!(column_name(0), "real");
        assert_eq!(column_name(A), "A");
        assert_eq!(column_name(ROM), "rom");
        assert_eq!(column_name(TOP), "top");
    }

    #[test]
    fn labels_are_distinct() {
        let table = table();
        let mut labels: alloc::vec::Vec<_> = table.constraints().iter().map(|c| &c.label).collect();
        let all = labels.len();
        labels.sort();
        labels.dedup();
        assert_eq!(labels.len(), all);
    }
}
