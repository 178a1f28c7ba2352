//! Tapscript written with named values instead of stack positions, and arithmetic on 4-bit digits.
//!
//! # Conventions
//! - A **nibble** is one stack item, a number 0..=15. A [`Word`] is 32 bits in eight nibbles, most significant first; a
//!   32-byte digest is [`Nibbles`] of 64, in byte order with the high half of each byte first, so its word `i` is the big-endian
//!   word of bytes `4 i .. 4 i + 4`. [`Int`] is a number in one item, [`Bool`] a truth value in one item.
//! - The [`ScriptBuilder`] follows every item by name. Where an operation wants an operand, `&value` copies it, `value`
//!   consumes it, and a Rust `u32` (for a word) or `i64` (for a number) is a constant. Nobody counts stack positions; items
//!   of one value need not lie together. Whatever is left at the end is dropped by `finish`.
//! - **Errors** are kept by the builder and returned by its `finish` functions, the first one only; until then calls are ignored.
//! - **Witness.** Values enter by [`ScriptBuilder::push_fragment`] (a one-time signed value, through its reader) and
//!   `read_unsigned` (the spender's choice). The value read *first* is on *top* of the witness stack, that is last in serialised
//!   order; [`ScriptBuilder::witness_layout`] tells the order. Read everything before computing: what the leaf already holds is
//!   moved aside by a read, two bytes an item.
//! - **Beneath.** The builder never looks beneath its own items (no `OP_DEPTH`), so a leaf works whatever lies there; declare
//!   it with [`ScriptBuilder::with_beneath`] so that it counts for the limit of 1,000 elements.
//! - **Numbers are numbers.** All comparisons are numeric: a spender who encodes a signed digit in another way (`0x0500` for 5)
//!   changes no result. Ranges are the business of whoever lets a value in: the reader of signed values for its digits, the
//!   leaf's author for unsigned ones.
//! - **Tapscript.** No limit on script size or opcode count; numbers are at most 4 bytes, -(2^31 - 1)..=2^31 - 1; `OP_IF` takes
//!   only the empty string or `01` (consensus); no opcode outside BIP-0342's defined set is ever written.
//!
//! # What an attacker tries here
//! To spend a disprove leaf without a contradiction: by unsigned values out of range, other encodings of numbers, digits that
//! index past a table's end, or a script that succeeds early. Hence every table is indexed by values in range only, and every
//! operation is tested in Bitcoin Core's engine for the right answer *and* against wrong ones, with foreign items beneath.
//!
//! # Example
//! A leaf that shows `a + b != c` for three values (here unsigned; signed ones enter through their reader's fragment).
//! ```
//! use taptree_commit::script::ScriptBuilder;
//!
//! let mut s = ScriptBuilder::new();
//! let a = s.read_unsigned("a", 8).word(0);
//! let b = s.read_unsigned("b", 8).word(0);
//! let c = s.read_unsigned("c", 8).word(0);
//! let sum = s.add(&a, b); // copies a, consumes b
//! let wrong = s.ne(sum, c);
//! s.assert(wrong);
//! let a_is_small = s.lt_unsigned(&a, 0x1000u32);
//! s.assert(a_is_small);
//! let leaf = s.finish().expect("no value is used twice");
//! assert_eq!(leaf.witness_items(), 24);
//! assert!(leaf.max_depth < 60 && leaf.len() < 400);
//!
//! // A consumed value cannot be used again, and the error says which one.
//! let mut s = ScriptBuilder::new();
//! let a = s.read_unsigned("a", 8);
//! s.drop(a.word(0));
//! let zero = s.is_zero(&a.word(0));
//! s.assert(zero);
//! assert_eq!(s.finish().expect_err("a is gone").to_string(), "value a[0] was used after it was moved or dropped");
//! ```

pub mod blake3;
mod branch;
mod builder;
#[cfg(test)]
mod builder_tests;
mod error;
mod field;
mod leaf;
mod logic;
mod multiply;
mod number;
mod select;
mod shift;
mod signed;
mod tables;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod value;
mod witness;
mod word;

pub use builder::ScriptBuilder;
pub use error::ScriptError;
pub use leaf::{LeafScript, MAX_STACK_ELEMENTS, WitnessValue};
pub use value::{Bool, Int, Item, Nibbles, Operand, Source, Value, Word, nibbles_of};
pub use witness::{Fragment, FragmentOrder};
