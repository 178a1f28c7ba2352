//! Odd multiples of the generator, as bytes: 1, 3, … 127 times G, then the same of 2^128·G; each x ‖ y.

use crate::field::Fe;
use crate::point::Affine;

/// Width of the digits of the generator's scalar.
pub(crate) const WIDTH: u32 = 8;
/// Odd multiples that such digits name.
const ENTRIES: usize = 1 << (WIDTH - 2);

/// Multiples of G and of 2^128·G.
pub(crate) type Table = [[u8; 64]; ENTRIES];

/// The tables. A test computes them anew.
pub(crate) static GENERATOR: [Table; 2] = {
    let bytes = include_bytes!("generator.bin");
    let mut tables = [[[0; 64]; ENTRIES]; 2];
    let mut at = 0;
    while at < bytes.len() {
        tables[at / 64 / ENTRIES][at / 64 % ENTRIES][at % 64] = bytes[at];
        at += 1;
    }
    tables
};

/// The multiple that an odd digit names.
pub(crate) fn entry(table: &Table, digit: i8) -> Affine {
    let bytes = &table[usize::from(digit.unsigned_abs() / 2)];
    let coordinate = |at: usize| {
        let bytes = core::array::from_fn(|i| bytes[at + i]);
        Fe::from_bytes(&bytes).expect("the table's coordinates are below the field's order")
    };
    let y = coordinate(32);
    Affine {
        x: coordinate(0),
        y: if digit < 0 { y.negate(1) } else { y },
    }
}
