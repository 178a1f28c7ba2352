//! Products on the zkVM: [`super::portable`] column by column, in the order in which HI and LO hold a sum longest.
//!
//! A compiler moves sums in and out of HI and LO around each product, and needs four times the steps. Registers:
//!
//! | | |
//! | --- | --- |
//! | `$8`..`$15`, `$24` | limbs of the first factor |
//! | `$16`..`$23`, `$25` | limbs of the second; of a square, twice the limbs |
//! | `$2`, `$3` | the sum of low columns (low word, high word) |
//! | `$5`, `$6` | the sum of high columns |
//! | `$7`, `$26` | what high columns leave, in turns |
//! | `$4`, `$31` | 2^261 modulo p: 31,264 and 256 |
//! | `$30` | the result |
//! | `$1` | for a moment |
//!
//! `$26` is the kernel's on other machines; this one has none, and the compiler leaves it alone.

use core::arch::global_asm;
use core::mem::MaybeUninit;

use super::LIMBS;

unsafe extern "C" {
    fn tapestry_field_product(result: *mut [u32; LIMBS], a: *const [u32; LIMBS], b: *const [u32; LIMBS]);
    fn tapestry_field_square(result: *mut [u32; LIMBS], a: *const [u32; LIMBS]);
}

pub(super) fn product(a: &[u32; LIMBS], b: &[u32; LIMBS]) -> [u32; LIMBS] {
    let mut result = MaybeUninit::uninit();
    // SAFETY: the function reads nine words at each factor, writes nine at the result, and keeps what its caller's registers
    // hold as the o32 convention says.
    unsafe {
        tapestry_field_product(result.as_mut_ptr(), a, b);
        result.assume_init()
    }
}

pub(super) fn square(a: &[u32; LIMBS]) -> [u32; LIMBS] {
    let mut result = MaybeUninit::uninit();
    // SAFETY: as of `product`.
    unsafe {
        tapestry_field_square(result.as_mut_ptr(), a);
        result.assume_init()
    }
}

/// Limb of the first factor.
macro_rules! a {
    (0) => {
        "$8"
    };
    (1) => {
        "$9"
    };
    (2) => {
        "$10"
    };
    (3) => {
        "$11"
    };
    (4) => {
        "$12"
    };
    (5) => {
        "$13"
    };
    (6) => {
        "$14"
    };
    (7) => {
        "$15"
    };
    (8) => {
        "$24"
    };
}

/// Limb of the second factor, or twice a limb of the first.
macro_rules! b {
    (0) => {
        "$16"
    };
    (1) => {
        "$17"
    };
    (2) => {
        "$18"
    };
    (3) => {
        "$19"
    };
    (4) => {
        "$20"
    };
    (5) => {
        "$21"
    };
    (6) => {
        "$22"
    };
    (7) => {
        "$23"
    };
    (8) => {
        "$25"
    };
}

/// Adds limbs of the first factor times limbs of the second.
macro_rules! add {
    ($($i:tt $j:tt),+) => { concat!($("maddu ", a!($i), ", ", b!($j), "\n"),+) };
}

/// Adds the square of a limb.
macro_rules! add_square {
    ($i:tt) => {
        concat!("maddu ", a!($i), ", ", a!($i), "\n")
    };
}

/// Goes on with the sum of high columns.
macro_rules! high {
    () => {
        "mtlo $5\n mthi $6\n"
    };
}

/// Goes on with the sum of low columns.
macro_rules! low {
    () => {
        "mtlo $2\n mthi $3\n"
    };
}

/// Divides a sum by 2^29.
macro_rules! shift {
    ($low:literal, $high:literal) => {
        concat!(
            "srl ", $low, ", ", $low, ", 29\n", "sll $1, ", $high, ", 3\n", "or ", $low, ", ", $low,
            ", $1\n", "srl ", $high, ", ", $high, ", 29\n"
        )
    };
}

/// Ends a high column: its limb goes to a register, the rest to the next column.
macro_rules! keep_high {
    ($over:literal) => {
        concat!(
            "mflo $5\n mfhi $6\n ext ",
            $over,
            ", $5, 0, 29\n",
            shift!("$5", "$6")
        )
    };
}

/// Ends a low column: its limb goes to the result, the rest to the next column.
macro_rules! keep_low {
    ($offset:literal) => {
        concat!(
            "mflo $2\n mfhi $3\n ext $1, $2, 0, 29\n sw $1, ",
            $offset,
            "($30)\n",
            shift!("$2", "$3")
        )
    };
}

/// Folds what the high columns left: the newer to this column, the older to the one above its own, which is this.
macro_rules! fold {
    ($new:literal) => {
        concat!("maddu ", $new, ", $4\n")
    };
    ($new:literal, $old:literal) => {
        concat!("maddu ", $new, ", $4\n maddu ", $old, ", $31\n")
    };
}

macro_rules! save {
    () => {
        concat!(
            "addiu $29, $29, -40\n sw $16, 0($29)\n sw $17, 4($29)\n sw $18, 8($29)\n sw $19, 12($29)\n",
            "sw $20, 16($29)\n sw $21, 20($29)\n sw $22, 24($29)\n sw $23, 28($29)\n sw $30, 32($29)\n",
            "sw $31, 36($29)\n"
        )
    };
}

macro_rules! restore_and_return {
    () => {
        concat!(
            "lw $16, 0($29)\n lw $17, 4($29)\n lw $18, 8($29)\n lw $19, 12($29)\n lw $20, 16($29)\n",
            "lw $21, 20($29)\n lw $22, 24($29)\n lw $23, 28($29)\n lw $30, 32($29)\n lw $31, 36($29)\n",
            "jr $31\n addiu $29, $29, 40\n"
        )
    };
}

macro_rules! load_first {
    () => {
        concat!(
            "lw $8, 0($5)\n lw $9, 4($5)\n lw $10, 8($5)\n lw $11, 12($5)\n lw $12, 16($5)\n lw $13, 20($5)\n",
            "lw $14, 24($5)\n lw $15, 28($5)\n lw $24, 32($5)\n"
        )
    };
}

macro_rules! constants {
    () => {
        "move $30, $4\n ori $4, $0, 31264\n ori $31, $0, 256\n"
    };
}

/// The ninth limb, and what lies above 2^256 folded to the lowest three. The eighth high column's limb is in `$26`, the ninth
/// limb's own part in the result.
macro_rules! finish {
    () => {
        concat!(
            low!(),
            "maddu $26, $31\n maddu $5, $4\n",
            "lw $8, 32($30)\n ori $9, $0, 1\n maddu $8, $9\n",
            "mflo $2\n mfhi $3\n ext $1, $2, 0, 24\n sw $1, 32($30)\n",
            "srl $2, $2, 24\n sll $1, $3, 8\n or $2, $2, $1\n srl $3, $3, 24\n",
            low!(),
            "ori $10, $0, 8192\n maddu $5, $10\n mflo $2\n mfhi $3\n",
            // The sum times 977, to the lowest limb.
            "ori $10, $0, 977\n multu $2, $10\n lw $8, 0($30)\n maddu $8, $9\n mflo $5\n mfhi $6\n",
            "mul $1, $3, $10\n addu $6, $6, $1\n ext $1, $5, 0, 29\n sw $1, 0($30)\n",
            shift!("$5", "$6"),
            // The sum times 8, to the second.
            high!(),
            "ori $10, $0, 8\n maddu $2, $10\n lw $8, 4($30)\n maddu $8, $9\n mflo $5\n mfhi $6\n",
            "sll $1, $3, 3\n addu $6, $6, $1\n ext $1, $5, 0, 29\n sw $1, 4($30)\n",
            "srl $5, $5, 29\n sll $1, $6, 3\n or $5, $5, $1\n",
            "lw $8, 8($30)\n addu $8, $8, $5\n sw $8, 8($30)\n"
        )
    };
}

global_asm!(
    ".set push",
    ".set noreorder",
    ".set noat",
    ".set mips32r2",
    ".globl tapestry_field_product",
    ".type tapestry_field_product, @function",
    "tapestry_field_product:",
    save!(),
    load_first!(),
    "lw $16, 0($6)\n lw $17, 4($6)\n lw $18, 8($6)\n lw $19, 12($6)\n lw $20, 16($6)\n lw $21, 20($6)",
    "lw $22, 24($6)\n lw $23, 28($6)\n lw $25, 32($6)",
    constants!(),
    "multu $8, $25",
    add!(1 7, 2 6, 3 5, 4 4, 5 3, 6 2, 7 1, 8 0),
    keep_high!("$7"),
    "sw $7, 32($30)",
    high!(),
    add!(1 8, 2 7, 3 6, 4 5, 5 4, 6 3, 7 2, 8 1),
    keep_high!("$7"),
    "multu $8, $16",
    fold!("$7"),
    keep_low!("0"),
    high!(),
    add!(2 8, 3 7, 4 6, 5 5, 6 4, 7 3, 8 2),
    keep_high!("$26"),
    low!(),
    add!(0 1, 1 0),
    fold!("$26", "$7"),
    keep_low!("4"),
    high!(),
    add!(3 8, 4 7, 5 6, 6 5, 7 4, 8 3),
    keep_high!("$7"),
    low!(),
    add!(0 2, 1 1, 2 0),
    fold!("$7", "$26"),
    keep_low!("8"),
    high!(),
    add!(4 8, 5 7, 6 6, 7 5, 8 4),
    keep_high!("$26"),
    low!(),
    add!(0 3, 1 2, 2 1, 3 0),
    fold!("$26", "$7"),
    keep_low!("12"),
    high!(),
    add!(5 8, 6 7, 7 6, 8 5),
    keep_high!("$7"),
    low!(),
    add!(0 4, 1 3, 2 2, 3 1, 4 0),
    fold!("$7", "$26"),
    keep_low!("16"),
    high!(),
    add!(6 8, 7 7, 8 6),
    keep_high!("$26"),
    low!(),
    add!(0 5, 1 4, 2 3, 3 2, 4 1, 5 0),
    fold!("$26", "$7"),
    keep_low!("20"),
    high!(),
    add!(7 8, 8 7),
    keep_high!("$7"),
    low!(),
    add!(0 6, 1 5, 2 4, 3 3, 4 2, 5 1, 6 0),
    fold!("$7", "$26"),
    keep_low!("24"),
    high!(),
    add!(8 8),
    keep_high!("$26"),
    low!(),
    add!(0 7, 1 6, 2 5, 3 4, 4 3, 5 2, 6 1, 7 0),
    fold!("$26", "$7"),
    keep_low!("28"),
    finish!(),
    restore_and_return!(),
    ".size tapestry_field_product, . - tapestry_field_product",
    ".globl tapestry_field_square",
    ".type tapestry_field_square, @function",
    "tapestry_field_square:",
    save!(),
    load_first!(),
    "addu $16, $8, $8\n addu $17, $9, $9\n addu $18, $10, $10\n addu $19, $11, $11\n addu $20, $12, $12",
    "addu $21, $13, $13\n addu $22, $14, $14\n addu $23, $15, $15",
    constants!(),
    "multu $24, $16",
    add!(7 1, 6 2, 5 3),
    add_square!(4),
    keep_high!("$7"),
    "sw $7, 32($30)",
    high!(),
    add!(8 1, 7 2, 6 3, 5 4),
    keep_high!("$7"),
    "multu $8, $8",
    fold!("$7"),
    keep_low!("0"),
    high!(),
    add!(8 2, 7 3, 6 4),
    add_square!(5),
    keep_high!("$26"),
    low!(),
    add!(1 0),
    fold!("$26", "$7"),
    keep_low!("4"),
    high!(),
    add!(8 3, 7 4, 6 5),
    keep_high!("$7"),
    low!(),
    add!(2 0),
    add_square!(1),
    fold!("$7", "$26"),
    keep_low!("8"),
    high!(),
    add!(8 4, 7 5),
    add_square!(6),
    keep_high!("$26"),
    low!(),
    add!(3 0, 2 1),
    fold!("$26", "$7"),
    keep_low!("12"),
    high!(),
    add!(8 5, 7 6),
    keep_high!("$7"),
    low!(),
    add!(4 0, 3 1),
    add_square!(2),
    fold!("$7", "$26"),
    keep_low!("16"),
    high!(),
    add!(8 6),
    add_square!(7),
    keep_high!("$26"),
    low!(),
    add!(5 0, 4 1, 3 2),
    fold!("$26", "$7"),
    keep_low!("20"),
    high!(),
    add!(8 7),
    keep_high!("$7"),
    low!(),
    add!(6 0, 5 1, 4 2),
    add_square!(3),
    fold!("$7", "$26"),
    keep_low!("24"),
    high!(),
    add_square!(8),
    keep_high!("$26"),
    low!(),
    add!(7 0, 6 1, 5 2, 4 3),
    fold!("$26", "$7"),
    keep_low!("28"),
    finish!(),
    restore_and_return!(),
    ".size tapestry_field_square, . - tapestry_field_square",
    ".set pop",
);
