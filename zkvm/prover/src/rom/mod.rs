//! Micro-code: each instruction as ROM rows (`docs/prover.md` §3).
//!
//! Owns the meaning of every instruction word for the prover. ROM is a fixed part of the key, so whoever proves cannot
//! change a row; what an attacker can try is to take another path through the rows: the alternative of an instruction
//! that does not trap, the normal rows of one that does, any word as advice. So every alternative, and every use of
//! advice, checks what it claims and goes to `DEAD` if it does not hold.

pub use zkvm_air::machine::Flags;

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
