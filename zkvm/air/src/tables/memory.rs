//! Memory that started as zero: every word that the run touches outside image and code, in order of address.
//!
//! Owns the invariant that such a word is opened (as 0, at time 0) **once** and lies where nothing else opens memory.
//! Offline memory checking is worth nothing without it: a second initial entry of one address is a second memory to
//! choose from. So addresses ascend strictly inside a chunk, a chunk starts above the greatest address of the chunk
//! before it (publics, chained by the verifier), and each address lies in a *gap* of the key, an interval of word
//! addresses that holds neither image nor code.
//!
//! The first chunk lives in Static, where the same block of columns stands beside others: [`constrain`] is
//! written once for both. What an attacker tries: the same word twice, in one chunk or in two; a word of the image, of
//! code, below 4096 or above 2^31; an initial value other than 0; a row between real rows that hides a descent.

use alloc::vec;
use alloc::vec::Vec;

use crate::{Bus, Expr, Table, TableBuilder, TableId};

/// Columns of the block, relative to its first column.
pub mod column {
    /// 1 on a row that names a word, 0 on padding; ones first.
    pub const IS_ROW: usize = 0;
    /// Word address (byte address / 4); on padding the address before it.
    pub const ADDRESS: usize = 1;
    /// The word's last value.
    pub const VALUE: usize = 2;
    /// Time of its last access.
    pub const TS: usize = 3;
    /// First word address of the gap that holds it.
    pub const GAP_LOW: usize = 4;
    /// Last word address of that gap.
    pub const GAP_HIGH: usize = 5;
    /// address - previous - 1, low limb; the high limb follows, as for the next two.
    pub const ASCENT: usize = 6;
    /// address - low.
    pub const ABOVE_LOW: usize = 8;
    /// high - address.
    pub const BELOW_HIGH: usize = 10;
}

/// Number of columns of the block.
pub const BLOCK_WIDTH: usize = 12;
/// Number of main columns of the Memory table.
pub const WIDTH: usize = BLOCK_WIDTH;
/// Greatest log2 of the height of a Memory shard; the least that the prover makes is [`LEAST_LOG_HEIGHT`].
pub const GREATEST_LOG_HEIGHT: usize = 18;
/// Least log2 of the height of a Memory shard.
pub const LEAST_LOG_HEIGHT: usize = 7;
/// Public: the greatest word address of the chunks before (0 before the first).
pub const PUBLIC_BEFORE: usize = 0;
/// Public: the greatest word address up to the end of this chunk.
pub const PUBLIC_AFTER: usize = 1;
/// Number of publics.
pub const PUBLICS: usize = 2;
/// Space of RAM on the bus Memory.
pub const SPACE_RAM: u64 = 0;
/// Space of registers on the bus Memory.
pub const SPACE_REGISTERS: u64 = 1;

/// The constraints and terms of the block whose first column is `base`; publics are [`PUBLIC_BEFORE`] and
/// [`PUBLIC_AFTER`].
///
/// Soundness: limbs are below 2^16 and gaps are the key's, both below 2^29. `above` + `below` = high - low has both
/// summands below 2^32, so it holds over the integers and low ≤ address ≤ high; then every real address is an integer
/// below 2^29, and address - previous - 1 below 2^32 in the field means previous < address.
pub fn constrain(builder: &mut TableBuilder, base: usize) {
    let local = |builder: &TableBuilder, column: usize| builder.local(base + column);
    let is_row = local(builder, column::IS_ROW);
    let address = local(builder, column::ADDRESS);

    builder.assert_zero("memory: is_row is a bit", &is_row * (&is_row - 1));
    let next_is_row = builder.next(base + column::IS_ROW);
    builder.assert_transition("memory: no row after padding", &next_is_row * (-&is_row + 1));

    let previous = builder.public(PUBLIC_BEFORE);
    builder.assert_first(
        "memory: first address above the chunk before",
        &address - previous - &is_row * (limbs(builder, base + column::ASCENT, false) + 1),
    );
    let ascent = limbs(builder, base + column::ASCENT, true);
    let next_address = builder.next(base + column::ADDRESS);
    builder.assert_transition(
        "memory: addresses ascend",
        next_address - &address - next_is_row * (ascent + 1),
    );
    let last = builder.public(PUBLIC_AFTER);
    builder.assert_last("memory: last address is public", &address - last);

    let low = local(builder, column::GAP_LOW);
    let high = local(builder, column::GAP_HIGH);
    let above = limbs(builder, base + column::ABOVE_LOW, false);
    let below = limbs(builder, base + column::BELOW_HIGH, false);
    builder.assert_zero("memory: not below its gap", &is_row * (&address - &low - above));
    builder.assert_zero("memory: not above its gap", &is_row * (&high - &address - below));

    let word = |value: Expr, ts: Expr| vec![Expr::constant(SPACE_RAM), &address * 4, value, ts];
    let (value, ts) = (local(builder, column::VALUE), local(builder, column::TS));
    builder.send(
        Bus::Memory,
        is_row.clone(),
        word(Expr::constant(0), Expr::constant(0)),
    );
    builder.receive(Bus::Memory, is_row.clone(), word(value, ts));
    builder.receive(Bus::Gap, is_row.clone(), vec![low, high]);
    for limb in limb_columns() {
        let limb = local(builder, limb);
        builder.receive(Bus::U16, is_row.clone(), vec![limb]);
    }
}

/// The six limb columns of the block, each below 2^16 on a real row.
pub fn limb_columns() -> impl Iterator<Item = usize> {
    column::ASCENT..column::BELOW_HIGH + 2
}

fn limbs(builder: &TableBuilder, column: usize, next: bool) -> Expr {
    let read = |column| {
        if next {
            builder.next(column)
        } else {
            builder.local(column)
        }
    };
    read(column) + read(column + 1) * (1 << 16)
}

/// The table of further chunks.
pub fn table() -> Table {
    let mut builder = TableBuilder::new(TableId::Memory, WIDTH, 0, PUBLICS);
    constrain(&mut builder, 0);
    builder.build()
}

/// The names of the block's columns, for reports of tests.
pub fn column_names() -> Vec<&'static str> {
    vec![
        "is_row",
        "address",
        "value",
        "ts",
        "gap_low",
        "gap_high",
        "ascent_lo",
        "ascent_hi",
        "above_lo",
        "above_hi",
        "below_lo",
        "below_hi",
    ]
}
