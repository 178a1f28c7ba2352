//! The run as the tables need it: one [`Row`] per micro-instruction (`docs/prover.md` §3, §4).
//!
//! The executor knows ROM rows and nothing of MIPS, so what it runs is what the tables prove; tests hold it equal to the
//! emulator at every instruction. It has its own memory, with the timestamp of each word's last access.

mod executor;
mod finals;
mod memory;
mod micro;
#[cfg(test)]
pub(crate) mod tests;

use zkvm_emulator::HintHash;

pub use executor::{CLK_END, Choice, ExecError, Executor};

/// What the CPU table needs of one micro-instruction.
///
/// Timestamps `*_ts` are those of the *previous* access to the same register or word; this row's are
/// `4 clk + slot`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Number of the row in the run, from 1.
    pub clk: u64,
    /// Number of instructions completed before.
    pub step: u64,
    /// Address of the instruction. Below 2^32 + 8: not reduced modulo 2^32, like the table's.
    pub pc: u64,
    /// Address of the next instruction, likewise.
    pub next_pc: u64,
    /// Key of the ROM row.
    pub fetch: u64,
    /// Index of the ROM row in [`crate::rom::Rom::rows`].
    pub rom: u32,
    /// Whether this is the entry row of an alternative.
    pub alt: bool,
    /// The condition; false if the row has none.
    pub cond: bool,
    /// Whether the row accesses RAM (`m_address`, `m_old`, `m_new`, `m_ts`).
    pub ram: bool,
    /// Whether the row loads from code (`m_address`, `m_old` = `m_new`).
    pub from_code: bool,
    /// Value of register `a`.
    pub a: u32,
    /// Value of register `b`.
    pub b: u32,
    /// `b + imm` as an integer, whatever the row does with it.
    pub y: u64,
    /// Value written to register `d`.
    pub c: u32,
    /// Old value of register `d`.
    pub d_old: u32,
    /// Last timestamp of register `a`.
    pub a_ts: u64,
    /// Last timestamp of register `b` (this row's access to `a` if they are one register).
    pub b_ts: u64,
    /// Last timestamp of register `d` (this row's access to `a` or `b` if they are one register).
    pub d_ts: u64,
    /// Byte address of a load or store, `(a + imm) mod 2^32`, unaligned as it is; 0 if the row has none.
    pub m_address: u32,
    /// The aligned word there before.
    pub m_old: u32,
    /// The aligned word there after.
    pub m_new: u32,
    /// Last timestamp of the word in RAM; 0 for code.
    pub m_ts: u64,
    /// Multiplier of LO and HI: `y` or the power of two; 0 on other rows.
    pub m: u64,
    /// High word of the product `a m`; 0 on rows without a product.
    pub q: u32,
    /// Low word of the product `a m`; on LT `(a - y) mod 2^32`; else 0.
    pub r: u32,
}

/// Where a run stands between two rows: the publics of a CPU shard (`docs/prover.md` §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecState {
    /// Address of the instruction.
    pub pc: u64,
    /// Address of the next one.
    pub next_pc: u64,
    /// Key of the row due; 0 if an entry row is due.
    pub fetch: u64,
    /// Whether an entry row is due.
    pub entry: bool,
    /// Number of instructions completed.
    pub step: u64,
    /// Number of the next row.
    pub clk: u64,
}

/// Consecutive rows of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Before the first row.
    pub start: ExecState,
    /// The rows, none of them padding.
    pub rows: Vec<Row>,
    /// After the last row.
    pub end: ExecState,
}

/// What a finished run left in one word of memory or one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Final {
    /// Byte address of the aligned word, or number of the register.
    pub address: u32,
    /// Value before the run.
    pub initial: u32,
    /// Value in the end.
    pub value: u32,
    /// Timestamp of the last access; 0 if there was none.
    pub ts: u64,
}

/// One of the eight reads of a hint's digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HintRead {
    /// The word.
    pub word: u32,
    /// Timestamp of the access before; 0 for code.
    pub ts: u64,
    /// Whether the word is code (bus Code) and not RAM (bus Memory).
    pub from_code: bool,
}

/// One HINT row as the tables of hints need it. Its reads have timestamp `4 clk + SLOT_M`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HintCall {
    /// Of which hash the preimage is.
    pub hash: HintHash,
    /// The row's number.
    pub clk: u64,
    /// Address of the digest, a multiple of 32.
    pub key: u32,
    /// Index of the word that is read, within the preimage.
    pub index: u32,
    /// The word.
    pub word: u32,
    /// The digest's words at `key`, `key + 4`, …, as memory holds them (big-endian).
    pub digest: [HintRead; 8],
    /// The preimage, as [`zkvm_emulator::Preimages::hint`] gives it: chaining value (0 for BLAKE3), block.
    pub preimage: [u32; 24],
}
