//! A second, plain executor of ROM rows for tests: no MIPS, any registers and any rows, so that every flag gets a row.

use std::collections::{BTreeMap, HashMap, HashSet};

use zkvm_air::machine::{
    END_ACCEPTED, END_REJECTED, FETCH_FAULT, Flags, KEY_ALTERNATIVE, KEY_STEP, SPACE_RAM, SPACE_REGISTERS,
};

use crate::rom::RomRow;
use crate::witness::{ExecState, Row, Segment};

/// Value and time of the last access.
type Cell = (u32, u64);

/// What a run starts from.
#[derive(Clone, Default)]
pub(super) struct World {
    pub(super) rom: Vec<RomRow>,
    pub(super) registers: BTreeMap<u8, u32>,
    pub(super) ram: BTreeMap<u32, u32>,
    pub(super) code: BTreeMap<u32, u32>,
    pub(super) claim: Vec<u32>,
    /// (address of the digest, index) to word.
    pub(super) hints: HashMap<(u32, u64), u32>,
}

impl World {
    /// Initial words: space and address to value.
    pub(super) fn initial(&self) -> HashMap<(u64, u64), u64> {
        let registers =
            (0..=u8::MAX).map(|r| ((SPACE_REGISTERS, u64::from(r)), self.registers.get(&r).copied()));
        let ram = self
            .ram
            .iter()
            .map(|(&a, &v)| ((SPACE_RAM, u64::from(a)), Some(v)));
        registers
            .chain(ram)
            .map(|(place, value)| (place, value.unwrap_or(0).into()))
            .collect()
    }

    /// The tuples of bus Rom.
    pub(super) fn rom_tuples(&self) -> HashSet<Vec<u64>> {
        let tuple = |row: &RomRow| {
            let [a, b, d] = [row.a, row.b, row.d].map(u64::from);
            vec![row.key, a, b, d, row.imm.into(), row.tgt, row.flags.0.into()]
        };
        self.rom.iter().map(tuple).collect()
    }

    /// Runs from `pc` until an END key; `advice` gives a word for each row that has no operation.
    pub(super) fn run(&self, pc: u64, mut advice: impl FnMut() -> u32) -> Segment {
        let index: HashMap<u64, usize> = self.rom.iter().enumerate().map(|(i, row)| (row.key, i)).collect();
        let mut state = ExecState {
            pc,
            next_pc: pc + 4,
            fetch: 0,
            entry: true,
            step: 0,
            clk: 1,
        };
        let start = state;
        let mut memory: HashMap<(u64, u64), Cell> = (self.initial().into_iter())
            .map(|(place, value)| (place, (value as u32, 0)))
            .collect();
        let mut rows = Vec::new();
        while ![END_ACCEPTED, END_REJECTED].contains(&state.fetch) {
            let mut row = Row {
                clk: state.clk,
                step: state.step,
                pc: state.pc,
                next_pc: state.next_pc,
                fetch: state.fetch,
                ..Row::default()
            };
            if state.entry {
                let keys = [state.pc, state.pc + KEY_ALTERNATIVE, FETCH_FAULT];
                row.fetch = *keys
                    .iter()
                    .find(|key| index.contains_key(key))
                    .expect("a fault has rows");
                row.alt = row.fetch == keys[1];
            }
            row.rom = index[&row.fetch] as u32;
            let micro = &self.rom[row.rom as usize];
            self.execute(&mut row, micro, &mut memory, &mut advice);
            state = after(&state, &row, micro);
            rows.push(row);
        }
        Segment {
            start,
            rows,
            end: state,
        }
    }

    fn execute(
        &self,
        row: &mut Row,
        micro: &RomRow,
        memory: &mut HashMap<(u64, u64), Cell>,
        advice: &mut impl FnMut() -> u32,
    ) {
        let is = |flags| micro.flags.any(flags);
        let now = 4 * row.clk;
        let mut read = |register: u8, slot: u64| {
            let cell = memory
                .get_mut(&(SPACE_REGISTERS, register.into()))
                .expect("a register");
            (cell.0, std::mem::replace(&mut cell.1, now + slot))
        };
        (row.a, row.a_ts) = read(micro.a, 0);
        (row.b, row.b_ts) = read(micro.b, 1);
        let (a, imm) = (row.a, micro.imm);
        row.y = u64::from(row.b) + u64::from(imm);
        let y = row.y as u32;
        let mut c = advice();
        if is(Flags::LOADS | Flags::STORES) {
            row.m_address = a.wrapping_add(imm);
            let (word, shift) = (row.m_address & !3, 24 - 8 * (row.m_address % 4));
            if let Some(&value) = self.code.get(&word) {
                (row.from_code, row.m_old, row.m_new) = (true, value, value);
            } else {
                let cell = memory
                    .get_mut(&(SPACE_RAM, word.into()))
                    .expect("a word that exists");
                let old = cell.0;
                let merge = |bits: u32, at: u32| old & !(bits << at) | (row.b & bits) << at;
                row.m_new = match () {
                    () if is(Flags::S8) => merge(0xff, shift),
                    () if is(Flags::S16) => merge(0xffff, shift.saturating_sub(8)),
                    () if is(Flags::S32) => row.b,
                    () => old,
                };
                (row.ram, row.m_ts) = (true, cell.1);
                *cell = (row.m_new, now + 2);
                row.m_old = old;
            }
            if is(Flags::L8) {
                let byte = (row.m_old >> shift) as u8;
                c = if is(Flags::SIGNED) {
                    byte as i8 as u32
                } else {
                    byte.into()
                };
            } else if is(Flags::L16) {
                let half = (row.m_old >> (shift - 8)) as u16;
                c = if is(Flags::SIGNED) {
                    half as i16 as u32
                } else {
                    half.into()
                };
            } else if is(Flags::L32) {
                c = row.m_old;
            }
        } else if is(Flags::LT | Flags::EQ) {
            let holds = match () {
                () if is(Flags::EQ) => a == y,
                () if is(Flags::SIGNED) => (a as i32) < y as i32,
                () => a < y,
            };
            row.cond = holds != is(Flags::INV);
            row.r = if is(Flags::LT) { a.wrapping_sub(y) } else { 0 };
            c = row.cond.into();
        } else if is(Flags::LO | Flags::HI) {
            let s = y % 32;
            row.m = match (is(Flags::SHIFT), is(Flags::HI)) {
                (false, _) => row.y,
                (true, false) => 1 << s,
                (true, true) => 1 << (32 - s),
            };
            let product = u128::from(a) * u128::from(row.m);
            (row.q, row.r) = ((product >> 32) as u32, product as u32);
            c = match (is(Flags::LO), is(Flags::HI), is(Flags::SIGNED), is(Flags::SHIFT)) {
                (true, true, ..) => a.rotate_right(s),
                (_, true, true, _) => (a as i32 >> s) as u32,
                (_, true, _, true) => a >> s,
                (_, true, ..) => row.q,
                (.., true) => a << s,
                _ => a.wrapping_mul(y),
            };
        } else if is(Flags::ADD) {
            let pc = if is(Flags::GETPC) { row.pc as u32 } else { 0 };
            c = a.wrapping_add(y).wrapping_add(pc);
        } else if is(Flags::SUB) {
            c = a.wrapping_sub(y);
        } else if is(Flags::AND) {
            c = a & y;
        } else if is(Flags::OR) {
            c = a | y;
        } else if is(Flags::XOR) {
            c = a ^ y;
        } else if is(Flags::CLAIM) {
            c = self.claim[a as usize];
        } else if is(Flags::HINT) {
            c = self.hints[&(a, row.y)];
        }
        row.c = c;
        let cell = memory
            .get_mut(&(SPACE_REGISTERS, micro.d.into()))
            .expect("a register");
        (row.d_old, row.d_ts) = std::mem::replace(cell, (c, now + 3));
    }
}

fn after(state: &ExecState, row: &Row, micro: &RomRow) -> ExecState {
    let is = |flags| micro.flags.any(flags);
    let mut next = ExecState {
        clk: state.clk + 1,
        ..*state
    };
    if !is(Flags::LAST) {
        let on = row.fetch + KEY_STEP;
        next.fetch = if is(Flags::MB) && row.cond { micro.tgt } else { on };
        next.entry = false;
        return next;
    }
    (next.entry, next.fetch, next.step) = (true, 0, state.step + 1);
    (next.pc, next.next_pc) = (state.next_pc, state.next_pc + 4);
    if is(Flags::J) || is(Flags::BR) && row.cond {
        next.next_pc = micro.tgt;
    } else if is(Flags::LK) {
        (next.pc, next.next_pc) = (state.next_pc + 4, state.next_pc + 8);
    } else if is(Flags::JR) {
        next.next_pc = row.a.into();
    }
    next
}
