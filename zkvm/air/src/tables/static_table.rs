//! Static: what the key fixes, beside the counts of who asked for it.
//!
//! Fixed columns are committed once, in the key; sections stand side by side in the same rows and have nothing to do
//! with each other. Owns the invariants that a look-up finds only what the key holds, that every word of the image and
//! every register starts with the key's value, and that each starts once. Also holds the first chunk of memory that
//! started as zero (see [`super::memory`]), so that a run that touches little of it needs no Memory shard.
//!
//! **Rows beyond a section's need** are harmless: bytes, powers and Msb repeat every 2^16 rows and are true on every
//! row; ROM, code and gaps repeat their last row, so a second row says what the first said; image rows have IS_IMAGE 0,
//! which is the multiplicity of both of its terms. A count is any field element: how often the table sends a tuple in
//! total is forced by what is received, and only tuples of the key can be sent at all.
//! Pow's rows with neither 0 nor 1 as direction carry m = 0 and are never asked for: Cpu asks with a flag.
//!
//! What an attacker tries: an initial value of a register or a word that is not the key's, an answer that is in no
//! section, a word opened twice.

use alloc::vec;

use super::memory::{self, SPACE_RAM};
use crate::{Bus, Expr, Table, TableBuilder, TableId};

/// Fixed columns.
pub mod fixed {
    /// Byte x, the high byte of row mod 2^16; also Pow's s and Msb's byte.
    pub const X: usize = 0;
    /// Byte y, the low byte; also Pow's direction.
    pub const Y: usize = 1;
    /// x & y.
    pub const AND: usize = 2;
    /// Pow's m for (x, y); 0 unless y is 0 or 1.
    pub const POW: usize = 3;
    /// Bit 7 of x.
    pub const MSB: usize = 4;
    /// ROM's key; the six other fields follow: a, b, d, imm, tgt, flags.
    pub const ROM: usize = 5;
    /// Byte address of a code word.
    pub const CODE_ADDRESS: usize = 12;
    /// The code word there.
    pub const CODE_WORD: usize = 13;
    /// 1 if the image section has an entry here.
    pub const IS_IMAGE: usize = 14;
    /// Its space: RAM or registers.
    pub const IMAGE_SPACE: usize = 15;
    /// Its byte address or register number.
    pub const IMAGE_ADDRESS: usize = 16;
    /// Its initial value.
    pub const IMAGE_VALUE: usize = 17;
    /// First word address of a gap.
    pub const GAP_LOW: usize = 18;
    /// Last word address of that gap.
    pub const GAP_HIGH: usize = 19;
}

/// Main columns.
pub mod column {
    /// How often (x, y, x & y) was asked for.
    pub const COUNT_AND: usize = 0;
    /// How often 256 x + y was asked for as a number below 2^16.
    pub const COUNT_U16: usize = 1;
    /// How often (x, y, m) was asked for.
    pub const COUNT_POW: usize = 2;
    /// How often (x, bit 7 of x) was asked for.
    pub const COUNT_MSB: usize = 3;
    /// How often the ROM row was executed.
    pub const COUNT_ROM: usize = 4;
    /// How often the code word was loaded as data.
    pub const COUNT_CODE: usize = 5;
    /// How often the gap was pointed to.
    pub const COUNT_GAP: usize = 6;
    /// The image entry's last value.
    pub const IMAGE_VALUE: usize = 7;
    /// Time of its last access.
    pub const IMAGE_TS: usize = 8;
    /// First column of the first chunk of memory that started as zero ([`crate::tables::memory`]).
    pub const MEMORY: usize = 9;
}

/// Number of fixed columns.
pub const FIXED_WIDTH: usize = 20;
/// Number of main columns.
pub const WIDTH: usize = column::MEMORY + memory::BLOCK_WIDTH;
/// Number of fields of a ROM row: key, a, b, d, imm, tgt, flags.
pub const ROM_FIELDS: usize = 7;
/// Least log2 of the height: every 16-bit number has a row.
pub const LEAST_LOG_HEIGHT: usize = 16;
/// Greatest log2 of the height.
pub const GREATEST_LOG_HEIGHT: usize = 22;

/// What Pow multiplies by: 2^(s mod 32) to the left, 2^(32 - s mod 32) to the right.
pub fn pow(s: u8, right: bool) -> u64 {
    let s = u32::from(s % 32);
    1 << if right { 32 - s } else { s }
}

/// The table.
pub fn table() -> Table {
    let mut builder = TableBuilder::new(TableId::Static, WIDTH, FIXED_WIDTH, memory::PUBLICS);
    let count = |builder: &TableBuilder, column| builder.local(column);
    let (x, y) = (builder.fixed(fixed::X), builder.fixed(fixed::Y));

    let and = vec![x.clone(), y.clone(), builder.fixed(fixed::AND)];
    let counted = count(&builder, column::COUNT_AND);
    builder.send(Bus::And, counted, and);
    let counted = count(&builder, column::COUNT_U16);
    builder.send(Bus::U16, counted, vec![&x * 256 + &y]);
    let pow = vec![x.clone(), y, builder.fixed(fixed::POW)];
    let counted = count(&builder, column::COUNT_POW);
    builder.send(Bus::Pow, counted, pow);
    let msb = vec![x, builder.fixed(fixed::MSB)];
    let counted = count(&builder, column::COUNT_MSB);
    builder.send(Bus::Msb, counted, msb);
    let rom = (fixed::ROM..fixed::ROM + ROM_FIELDS)
        .map(|column| builder.fixed(column))
        .collect();
    let counted = count(&builder, column::COUNT_ROM);
    builder.send(Bus::Rom, counted, rom);
    let code = vec![
        builder.fixed(fixed::CODE_ADDRESS),
        builder.fixed(fixed::CODE_WORD),
    ];
    let counted = count(&builder, column::COUNT_CODE);
    builder.send(Bus::Code, counted, code);
    let gap = vec![builder.fixed(fixed::GAP_LOW), builder.fixed(fixed::GAP_HIGH)];
    let counted = count(&builder, column::COUNT_GAP);
    builder.send(Bus::Gap, counted, gap);

    let is_image = builder.fixed(fixed::IS_IMAGE);
    let (space, address) = (
        builder.fixed(fixed::IMAGE_SPACE),
        builder.fixed(fixed::IMAGE_ADDRESS),
    );
    let initial = vec![
        space.clone(),
        address.clone(),
        builder.fixed(fixed::IMAGE_VALUE),
        Expr::constant(0),
    ];
    let last = vec![
        space,
        address,
        builder.local(column::IMAGE_VALUE),
        builder.local(column::IMAGE_TS),
    ];
    builder.send(Bus::Memory, is_image.clone(), initial);
    builder.receive(Bus::Memory, is_image, last);

    memory::constrain(&mut builder, column::MEMORY);
    builder.build()
}

/// The names of the main columns, for reports of tests.
pub fn column_names() -> alloc::vec::Vec<&'static str> {
    let mut names = vec![
        "count_and",
        "count_u16",
        "count_pow",
        "count_msb",
        "count_rom",
        "count_code",
        "count_gap",
        "image_value",
        "image_ts",
    ];
    names.extend(memory::column_names());
    names
}

const _: () = assert!(SPACE_RAM == 0 && fixed::ROM + ROM_FIELDS == fixed::CODE_ADDRESS);
