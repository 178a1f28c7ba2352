//! The table Sha256: answers of the system call `hint_sha256` (`docs/prover.md` §2, `docs/protocol.md` for the call).
//!
//! As in the table Hint, two blocks stand side by side, their rows unrelated:
//!
//! - [`reads`]: one row per call. It reads the 32-byte digest at the call's key out of memory and hands one word of a
//!   preimage to the Cpu row of the call.
//! - [`compression`]: 24 rows per distinct digest. They run SHA-256's compression of a chaining value and a block and
//!   offer the 24 words of both, each under the digest that came out.
//!
//! The bus Sha256 joins them. The invariant of this table is: Hint(clk, key, 32 + index, word) is sent only if the memory
//! at `key` holds, at the Cpu row `clk`, what SHA-256's compression makes of a chaining value and a block whose word
//! `index`, counted over both, is `word`. The index on the bus tells the two hashes apart: this table sends 32 to 55
//! only, for only 0 to 23 come by the bus Sha256; the table Hint sends 0 to 15 only, likewise; and ROM's row of a call
//! asks for its own. An attacker wants a BLAKE3 digest answered by SHA-256 or the reverse, a word of another place or of
//! another block, or a compression that is not SHA-256's.
//!
//! A guest that walks a message from its end reads all 24 words of each link, so the two blocks are about equally tall.

use crate::{Table, TableBuilder, TableId};

pub mod compression;
pub mod reads;

/// Columns of the table.
pub const WIDTH: usize = reads::START + reads::WIDTH;

/// The finished table. It has no fixed columns and no publics.
#[must_use]
pub fn table() -> Table {
    let mut builder = TableBuilder::new(TableId::Sha256, WIDTH, 0, 0);
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
        assert_eq!((table.width, table.aux_width()), (403, 50));
        assert_eq!(
            [Bus::U16, Bus::Memory, Bus::Code, Bus::Sha256, Bus::Hint].map(terms),
            [18, 16, 8, 5, 1]
        );
        assert_eq!(table.terms().len(), 48);
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
