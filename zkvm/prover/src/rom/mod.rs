//! Micro-code: each instruction as ROM rows (`docs/prover.md` §3).
//!
//! Owns the meaning of every instruction word for the prover. ROM is a fixed part of the key, so whoever proves cannot
//! change a row; what an attacker can try is to take another path through the rows: the alternative of an instruction
//! that does not trap, the normal rows of one that does, any word as advice. So every alternative, and every use of
//! advice, checks what it claims and goes to `DEAD` if it does not hold.

pub(crate) mod build;
mod code;
mod routines;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

pub use zkvm_air::machine::Flags;
use zkvm_emulator::{CodeRange, Program};

/// One row of ROM, as in bus Rom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RomRow {
    /// Its key; no two rows have the same.
    pub key: u64,
    /// First operand's register.
    pub a: u8,
    /// Second operand's register.
    pub b: u8,
    /// Destination's register, never 0.
    pub d: u8,
    /// Immediate word.
    pub imm: u32,
    /// Target: a word (`next_pc'`) or a key.
    pub tgt: u64,
    /// Flags.
    pub flags: Flags,
}

/// The ROM of a program.
#[derive(Clone, Debug)]
pub struct Rom {
    rows: Vec<RomRow>,
    by_key: HashMap<u64, u32>,
    code: CodeRange,
}

impl Rom {
    /// Makes the ROM of `program`: for each code word in order its normal rows, then its alternative; then the shared
    /// routines and the fetch fault. The same program gives the same rows on every machine.
    pub fn new(program: &Program) -> Self {
        let code = program.code();
        let rows = code::rom(&program.code_words(), code);
        let by_key = (0..).zip(&rows).map(|(index, row)| (row.key, index)).collect();
        Rom { rows, by_key, code }
    }

    /// All rows.
    pub fn rows(&self) -> &[RomRow] {
        &self.rows
    }

    /// Index of the row with this key, if there is one.
    pub fn index(&self, key: u64) -> Option<u32> {
        self.by_key.get(&key).copied()
    }

    /// Where code lies.
    pub fn code(&self) -> CodeRange {
        self.code
    }
}
