//! From the executor's rows to the columns of the table Cpu (`zkvm_air::tables::cpu`).
//!
//! Owns the values of the cells that only this table knows (bytes, carries, inverses, signs) and the counts of what each
//! row looks up. The segment prover calls [`fill`] once a shard. Nothing here is trusted: a wrong cell makes a proof that
//! does not verify.

use plonky2::field::types::Field;
use rayon::prelude::*;
use zkvm_air::F;
use zkvm_air::machine::{CLAIM_COUNT_INDEX, Flags, SLOT_A, SLOT_B, SLOT_D, SLOT_M, flag};
use zkvm_air::tables::cpu as col;

use super::counts::Counts;
use crate::rom::RomRow;
use crate::witness::{ExecState, Row, Segment};

/// Rows that are laid out together before they are copied to the columns: the columns are far apart in memory.
const TILE: usize = 32;
/// Fewer rows than this are not worth another task.
const LEAST_BLOCK: usize = 1 << 12;
/// Word below this.
const WORD: u64 = 1 << 32;

/// Least log2 of the height of a shard of so many rows: its last row is padding.
#[must_use]
pub fn log_height(rows: usize) -> usize {
    (rows + 1).next_power_of_two().trailing_zeros() as usize
}

/// The shard's publics: the state before its first row, then the one after its last.
#[must_use]
pub fn publics(segment: &Segment) -> Vec<F> {
    let state = |state: &ExecState| {
        let numbers = [
            state.pc,
            state.next_pc,
            state.fetch,
            u64::from(state.entry),
            state.step,
            state.clk,
        ];
        numbers.map(F::from_canonical_u64)
    };
    [state(&segment.start), state(&segment.end)].concat()
}

/// The columns of a segment's shard, of height 2^`log_height`, filled up with padding. What its rows look up is added to
/// `counts`; `rom` are the machine's ROM rows and `code_start` is the address of its first word of code.
///
/// # Panics
/// When the segment does not fit with one row of padding, or its rows are not of this ROM, code and claim.
#[must_use]
pub fn fill(
    segment: &Segment,
    rom: &[RomRow],
    code_start: u32,
    log_height: usize,
    counts: &mut Counts,
) -> Vec<Vec<F>> {
    let height = 1 << log_height;
    let rows = &segment.rows;
    assert!(
        rows.len() < height,
        "{} rows and one of padding in {height}",
        rows.len()
    );
    let mut columns: Vec<Vec<F>> = (0..col::WIDTH)
        .into_par_iter()
        .map(|_| vec![F::ZERO; height])
        .collect();

    let tasks = 4 * rayon::current_num_threads();
    let block = rows.len().div_ceil(tasks).max(LEAST_BLOCK).next_multiple_of(TILE);
    let blocks = rows.len().div_ceil(block);
    let mut parts: Vec<Vec<&mut [F]>> = (0..blocks).map(|_| Vec::with_capacity(col::WIDTH)).collect();
    for column in &mut columns {
        for (part, cells) in parts.iter_mut().zip(column[..rows.len()].chunks_mut(block)) {
            part.push(cells);
        }
    }
    let counted = parts
        .into_par_iter()
        .zip(rows.par_chunks(block))
        .fold(
            || counts.empty_like(),
            |mut counts, (mut part, rows)| {
                fill_block(&mut part, rows, rom, code_start, &mut counts);
                counts
            },
        )
        .reduce_with(|mut all, some| {
            all.merge(&some);
            all
        });
    if let Some(counted) = counted {
        counts.merge(&counted);
    }

    let end = &segment.end;
    for (column, value) in [
        (col::CLK, end.clk),
        (col::STEP, end.step),
        (col::PC, end.pc),
        (col::NEXT_PC, end.next_pc),
        (col::FETCH, end.fetch),
        (col::FLAGS + flag::ENTRY, u64::from(end.entry)),
    ] {
        columns[column][rows.len()..].fill(F::from_canonical_u64(value));
    }
    columns
}

/// A tile of rows, column by column.
type Tile = [[F; TILE]; col::WIDTH];

fn fill_block(columns: &mut [&mut [F]], rows: &[Row], rom: &[RomRow], code_start: u32, counts: &mut Counts) {
    let mut tile = Box::new([[F::ZERO; TILE]; col::WIDTH]);
    let (mut places, mut denominators) = (Vec::new(), Vec::new());
    for (start, rows) in (0..).step_by(TILE).zip(rows.chunks(TILE)) {
        places.clear();
        denominators.clear();
        for (i, row) in rows.iter().enumerate() {
            let micro = &rom[row.rom as usize];
            let cells = Cells::new(row, micro);
            cells.count(row, micro, code_start, counts);
            let denominator = cells.write(row, micro, &mut tile, i);
            if denominator != F::ZERO {
                places.push(i);
                denominators.push(denominator);
            }
        }
        let inverses = F::batch_multiplicative_inverse(&denominators);
        for (&i, inverse) in places.iter().zip(inverses) {
            tile[col::INV][i] = inverse;
        }
        for (column, cells) in columns.iter_mut().zip(tile.iter()) {
            column[start..start + rows.len()].copy_from_slice(&cells[..rows.len()]);
        }
    }
}

/// What a row's cells hold beside the executor's values.
struct Cells {
    x: [u8; 4],
    y: [u8; 4],
    /// Ages of the four accesses, less 1.
    ages: [u32; 4],
    /// Offset of the part of a word, or 0.
    offset: u32,
    q: u32,
    r: u32,
    k: bool,
    s1: bool,
    s2: bool,
    top: u8,
}

impl Cells {
    fn new(row: &Row, micro: &RomRow) -> Self {
        let flags = micro.flags;
        let is = |wanted: Flags| flags.any(wanted);
        let bitwise = is(Flags::AND | Flags::OR | Flags::XOR);
        let memory = is(Flags::LOADS | Flags::STORES);
        let signed = is(Flags::SIGNED);
        let product = is(Flags::LO | Flags::HI);

        let x = if bitwise || signed && is(Flags::LT | Flags::HI) {
            row.a
        } else if is(Flags::L8 | Flags::L16 | Flags::S8 | Flags::S16) {
            row.m_old
        } else {
            0
        };
        let y = if bitwise || is(Flags::SHIFT) || signed && is(Flags::LT) {
            row.y as u32
        } else if is(Flags::S8 | Flags::S16) {
            row.b
        } else {
            0
        };
        let (x, y) = (x.to_le_bytes(), y.to_le_bytes());

        let offset = if memory { row.m_address % 4 } else { 0 };
        let top = if is(Flags::LT | Flags::HI) {
            x[3]
        } else if is(Flags::L8) {
            x[3 - offset as usize]
        } else if is(Flags::L16) {
            x[3 - (offset as usize & 2)]
        } else {
            0
        };
        let (s1, s2) = (signed && top >= 0x80, signed && y[3] >= 0x80);

        let k = if is(Flags::ADD) {
            let pc = if is(Flags::GETPC) { row.pc } else { 0 };
            u64::from(row.a) + row.y + pc >= WORD
        } else if is(Flags::SUB | Flags::LT) {
            // With both signs bits flipped, signed order is unsigned order.
            let flip = |sign: bool| if sign { WORD as i64 } else { 0 };
            i64::from(row.a) - flip(s1) < row.y as i64 - flip(s2)
        } else if is(Flags::EQ) {
            u64::from(row.a) == row.y
        } else {
            memory && u64::from(row.a) + u64::from(micro.imm) >= WORD
        };
        let r = if product || is(Flags::LT) {
            row.r
        } else if bitwise || is(Flags::EQ | Flags::LOADS) {
            0
        } else {
            row.c
        };

        let now = 4 * row.clk;
        let age = |slot: u64, then: u64| {
            u32::try_from(now + slot - then - 1).expect("a run has fewer than 2^30 rows")
        };
        let m_age = if row.ram { age(SLOT_M, row.m_ts) } else { 0 };
        Self {
            x,
            y,
            ages: [
                age(SLOT_A, row.a_ts),
                age(SLOT_B, row.b_ts),
                m_age,
                age(SLOT_D, row.d_ts),
            ],
            offset,
            q: if product { row.q } else { 0 },
            r,
            k,
            s1,
            s2,
            top,
        }
    }

    /// The cells of q: halves of the quotient, or the offsets 1 and 2.
    fn q_halves(&self) -> [u16; 2] {
        match self.offset {
            0 => halves(self.q),
            offset => [u16::from(offset == 1), u16::from(offset == 2)],
        }
    }

    fn count(&self, row: &Row, micro: &RomRow, code_start: u32, counts: &mut Counts) {
        counts.rom[row.rom as usize] += 1;
        for (&x, &y) in self.x.iter().zip(&self.y) {
            counts.count_and(x, y);
        }
        let words = self.ages.into_iter().chain([self.r]).map(halves);
        for half in words.chain([self.q_halves()]).flatten() {
            counts.count_u16(half);
        }
        let flags = micro.flags;
        if flags.any(Flags::SHIFT) {
            counts.count_pow(self.y[0], flags.any(Flags::HI));
        }
        if flags.any(Flags::SIGNED) {
            counts.count_msb(self.top);
            counts.count_msb(self.y[3]);
        }
        if row.from_code {
            counts.code[((row.m_address - code_start) / 4) as usize] += 1;
        }
        if flags.any(Flags::CLAIM) {
            let index = match row.a {
                CLAIM_COUNT_INDEX => counts.claim.len() - 1,
                index => index as usize,
            };
            counts.claim[index] += 1;
        }
    }

    /// Writes row `i` of the tile but INV, which is the inverse of what is returned unless that is 0.
    fn write(&self, row: &Row, micro: &RomRow, tile: &mut Tile, i: usize) -> F {
        let mut put = |column: usize, value: u64| tile[column][i] = F::from_canonical_u64(value);
        put(col::REAL, 1);
        put(col::CLK, row.clk);
        put(col::STEP, row.step);
        put(col::PC, row.pc);
        put(col::NEXT_PC, row.next_pc);
        put(col::FETCH, row.fetch);
        put(col::ALT, row.alt.into());
        put(col::REG_A, micro.a.into());
        put(col::REG_B, micro.b.into());
        put(col::REG_D, micro.d.into());
        put(col::IMM, micro.imm.into());
        put(col::TGT, micro.tgt);
        for flag in 0..col::A - col::FLAGS {
            put(col::FLAGS + flag, micro.flags.bit(flag).into());
        }
        put(col::A, row.a.into());
        put(col::B, row.b.into());
        put(col::M_OLD, row.m_old.into());
        put(col::M_NEW, row.m_new.into());
        put(col::ROM, row.from_code.into());
        put(col::D_OLD, row.d_old.into());
        put(col::C, row.c.into());
        let ages = [col::A + 1, col::B + 1, col::M_NEW + 1, col::C + 1];
        for (column, age) in ages.into_iter().zip(self.ages) {
            let [low, high] = halves(age);
            put(column, low.into());
            put(column + 1, high.into());
        }
        for i in 0..4 {
            put(col::X + i, self.x[i].into());
            put(col::Y + i, self.y[i].into());
            put(col::N + i, (self.x[i] & self.y[i]).into());
        }
        let [q, r] = [self.q_halves(), halves(self.r)];
        put(col::Q_LO, q[0].into());
        put(col::Q_HI, q[1].into());
        put(col::R_LO, r[0].into());
        put(col::R_HI, r[1].into());
        let m = if self.offset == 0 {
            row.m
        } else {
            u64::from(self.offset == 3)
        };
        put(col::M, m);
        put(col::K, self.k.into());
        put(col::COND, row.cond.into());
        put(col::S1, self.s1.into());
        put(col::S2, self.s2.into());
        put(col::TOP, self.top.into());
        put(col::INV, 0);

        if micro.flags.any(Flags::EQ) {
            F::from_canonical_u32(row.a) - F::from_canonical_u64(row.y)
        } else if self.r == 0 {
            F::ZERO
        } else {
            F::from_canonical_u64(WORD - 1 - u64::from(q[0]) - (u64::from(q[1]) << 16))
        }
    }
}

fn halves(word: u32) -> [u16; 2] {
    [word as u16, (word >> 16) as u16]
}

#[cfg(test)]
mod guests;
#[cfg(test)]
mod machine;
#[cfg(test)]
mod mutation;
#[cfg(test)]
mod programs;
#[cfg(test)]
mod repair;
#[cfg(test)]
mod tests;
