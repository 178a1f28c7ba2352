//! Why a proof is refused. Every proof from outside ends in `Ok` or in one of these, never in a panic.

use alloc::string::String;

use zkvm_air::TableId;

/// Why a shard's proof is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The proof is of another table than asked for.
    #[error("shard's table: expected {expected:?}, got {got:?}")]
    Table {
        /// The table asked for.
        expected: TableId,
        /// The table that the proof names.
        got: TableId,
    },
    /// The height is not one that shards of the table may have.
    #[error("log height of a {table:?} shard: expected {least} to {greatest}, got {got}")]
    LogHeight {
        /// The table.
        table: TableId,
        /// Least log height.
        least: usize,
        /// Greatest log height.
        greatest: usize,
        /// The proof's.
        got: usize,
    },
    /// The parameters are outside of what the verifier computes with.
    #[error(
        "parameters: expected 1 to 1024 queries, at most 63 bits of work, got {queries}, {pow_bits} and {grinding_bits}"
    )]
    Parameters {
        /// FRI queries.
        queries: usize,
        /// FRI proof-of-work bits.
        pow_bits: u32,
        /// Grinding bits before beta and gamma.
        grinding_bits: u32,
    },
    /// A list has the wrong length.
    #[error("length of {part}: expected {expected}, got {got}")]
    Length {
        /// Which list.
        part: &'static str,
        /// The length that the table, height and parameters fix.
        expected: usize,
        /// The proof's.
        got: usize,
    },
    /// The point of the openings fell into the base field; this happens to an honest proof once in 2^64.
    #[error("the opening point lies in the base field")]
    Point,
    /// The point of the pins fell into the base field, likewise.
    #[error("the point of the pins lies in the base field")]
    PinPoint,
    /// The blend of the trace's columns is not opened at z0 to the pin, or not at zeta to what the columns are opened to.
    #[error("the trace of a {table:?} shard is not what its pin says")]
    Pin {
        /// The table.
        table: TableId,
    },
    /// The openings do not satisfy the table's constraints.
    #[error("the constraints of {table:?} do not hold at the opening point")]
    Constraints {
        /// The table.
        table: TableId,
    },
    /// The openings are not those of the committed polynomials.
    #[error("openings of a {table:?} shard: {reason}")]
    Openings {
        /// The table.
        table: TableId,
        /// What plonky2's verifier says.
        reason: String,
    },
}
