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
//! The leaf that convicts an operator who signed `rs`, `rt` and a destination value for an instruction that is `ADDU`, and whose
//! sum is wrong. The watchtower's signature lies at the bottom of the witness.
//! ```
//! use taptree_commit::guard::{MemoryGuard, SignOnce};
//! use taptree_commit::keys::{InstanceId, Seed, SlotId};
//! use taptree_commit::script::ScriptBuilder;
//! use taptree_commit::wots::{ElementSize, Value};
//! # use bitcoin::key::{Keypair, Secp256k1};
//! # use bitcoin::secp256k1::SecretKey;
//! # use zeroize::Zeroizing;
//! # let pair = Keypair::from_secret_key(&Secp256k1::new(), &SecretKey::from_slice(&[3; 32])?);
//! # let watchtower = pair.x_only_public_key().0;
//!
//! let keys = Seed::new(Zeroizing::new([1; 32])).instance(InstanceId([2; 32]));
//! let names = ["instruction", "rs", "rt", "destination"];
//! let key = |name: &str| keys.value(&SlotId::new(name)?, 8);
//! let public = [key("instruction")?, key("rs")?, key("rt")?, key("destination")?].map(|key| key.public_key());
//!
//! // The leaf: read everything first, then check the class, then the contradiction.
//! let mut s = ScriptBuilder::new();
//! let [instruction, rs, rt, destination] =
//!     [0, 1, 2, 3].map(|i| s.read_signed_word(names[i], &public[i], ElementSize::Any));
//! let opcode = s.field_opcode(&instruction); // `&`: copied
//! let special = s.int_is_zero(opcode); // by value: consumed
//! s.assert(special);
//! let funct = s.field_funct(&instruction);
//! s.assert_int_eq(funct, 0x21);
//! let sum = s.add(rs, rt);
//! s.assert_ne(sum, destination);
//! let leaf = s.finish_checksig("watchtower", &watchtower)?;
//! assert!(leaf.len() < 3_200 && leaf.max_depth < 140);
//!
//! // The witness: the values in the order in which they were read, the signature last; `witness_stack` turns them round.
//! let mut guard = MemoryGuard::new();
//! let mut values = Vec::new();
//! for (name, word) in names.iter().zip([0x0062_0821, 5, 7, 13]) {
//!     values.push(guard.sign(&key(name)?, &Value::from_word(word))?.witness());
//! }
//! values.push(vec![vec![0; 64]]);
//! let stack = leaf.witness_stack(&values)?;
//! assert_eq!(stack.len(), leaf.witness_items());
//! assert_eq!(stack[0].len(), 64);
//!
//! // A consumed value cannot be used again, and the error says which one.
//! let mut s = ScriptBuilder::new();
//! let a = s.read_unsigned("a", 8);
//! s.drop(a.word(0));
//! let zero = s.is_zero(&a.word(0));
//! s.assert(zero);
//! assert_eq!(s.finish().expect_err("a is gone").to_string(), "value a[0] was used after it was moved or dropped");
//! # Ok::<(), Box<dyn std::error::Error>>(())
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
pub mod sha256;
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
