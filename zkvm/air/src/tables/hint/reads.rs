//! One call of `hint_blake3` a row: [`crate::tables::reads`] behind the compressions.

use super::compression;
use crate::machine::HINT_BLAKE3_INDEX;
use crate::tables::reads as block;
use crate::{Bus, TableBuilder};

pub use crate::tables::reads::{AGE_HI, AGE_LO, CODE, SLOT, VALUE, WIDTH, WORD_WIDTH};

/// First column of the block.
pub const START: usize = compression::WIDTH;
/// 1 if the row is a call.
pub const READ: usize = START + block::READ;
/// The Cpu row's clk.
pub const CLK: usize = START + block::CLK;
/// key = 32 lo + 2^16 hi.
pub const KEY_LO: usize = START + block::KEY_LO;
/// See [`KEY_LO`].
pub const KEY_HI: usize = START + block::KEY_HI;
/// Which word of the preimage.
pub const INDEX: usize = START + block::INDEX;
/// That word, big-endian.
pub const ANSWER: usize = START + block::ANSWER;
/// Eight words of memory.
pub const WORDS: usize = START + block::WORDS;

/// Adds the block's constraints and bus terms.
pub(super) fn constrain(t: &mut TableBuilder) {
    block::constrain(t, START, Bus::Blake3, HINT_BLAKE3_INDEX);
}
