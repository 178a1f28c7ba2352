//! The table Hint: answers of the system call `hint_blake3` (`docs/prover.md` §2, `docs/protocol.md` for the call).
//!
//! Two blocks stand side by side in one table, their rows unrelated:
//!
//! - [`reads`]: one row per call. It reads the 32-byte digest at the call's key out of memory and hands one word of a
//!   preimage to the Cpu row of the call.
//! - [`compression`]: sixteen rows per distinct digest. They run BLAKE3's compression over a 64-byte block and offer
//!   the block's sixteen words, each under the digest that came out.
//!
//! The bus Blake3 joins them: a word can be read only under a digest that the word's block was seen to have. So the
//! invariant of this table is: Hint(clk, key, index, word) is sent only if the memory at `key` holds, at the Cpu row
//! `clk`, the BLAKE3 digest of a 64-byte block whose word `index` is `word`. An attacker wants another word out: by a
//! digest that memory does not hold (an old one, one of another address), by a compression that is not BLAKE3's, or
//! by a word of another place or another block.
//!
//! Sixteen rows a compression is no accident: a guest reads the sixteen words of each block it asks for, so the two
//! blocks are about equally tall.

use crate::{Table, TableBuilder, TableId};

pub mod compression;
pub mod reads;

/// Columns of the table.
pub const WIDTH: usize = reads::START + reads::WIDTH;

/// The finished table. It has no fixed columns and no publics.
#[must_use]
pub fn table() -> Table {
    let mut builder = TableBuilder::new(TableId::Hint, WIDTH, 0, 0);
    compression::constrain(&mut builder);
    reads::constrain(&mut builder);
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bus;

    #[test]
    fn the_shape_is_the_documented_one() {
        let table = table();
        let terms = |bus| table.terms().iter().filter(|term| term.bus == bus).count();
        assert_eq!((table.width, table.aux_width()), (277, 122));
        assert_eq!(
            [Bus::And, Bus::U16, Bus::Memory, Bus::Code, Bus::Blake3, Bus::Hint].map(terms),
            [74, 18, 16, 8, 2, 1]
        );
    }
}
