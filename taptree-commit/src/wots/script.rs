//! The script fragments that check Winternitz signatures.
//!
//! Fragments are written for Tapscript (BIP-0342) and may stand anywhere in a leaf: they touch nothing beneath their
//! own items, on either stack.
//!
//! | fragment | takes | leaves |
//! | --- | --- | --- |
//! | [`read_values`] | the witness items of every value, in list order from the bottom up | the nibbles of every value, in the same order: the first value's most significant nibble deepest, the last value's least significant nibble on top |
//! | [`check_value`] | the witness items of one value | nothing |
//!
//! So the witness items of a value that is consumed *later* lie *deeper*.
//!
//! # One digit, 64 bytes
//!
//! With `d` the digit and `s` the element (on top):
//!
//! ```text
//! (DUP HASH160) x7                        d s H(s) .. H^7(s)
//! 8 ROLL 15 MIN DUP TOALTSTACK            d is now a canonical number, at most 15; a negative one fails at PICK
//! 8 2DUP LESSTHAN
//! IF   DROP PICK HASH160 x8               d < 8:  H^(7-d)(s), then eight hashes more
//! ELSE SUB PICK ENDIF                     d >= 8: H^(15-d)(s)
//! <end> EQUALVERIFY                       either way H^(15-d)(s) is the chain's end
//! 2DROP x4
//! ```
//!
//! Splitting off eight hashes costs 9 bytes and saves eight `DUP` and four `2DROP`: 64 bytes instead of the 67 of a
//! chain that is picked from whole. `MIN` is what keeps `PICK` inside the chain: were 16 allowed, it would select an
//! item of the attacker's beneath it. `MIN` also rewrites any padded number or negative zero, and fails on numbers
//! above four bytes.
//!
//! After all digits, the checksum is gathered from the alternate stack (Horner) and every nibble added to it; the
//! total has to be `15 * n`.

use bitcoin::opcodes::all::{
    OP_2DROP, OP_2DUP, OP_ADD, OP_DROP, OP_DUP, OP_ELSE, OP_ENDIF, OP_EQUALVERIFY, OP_FROMALTSTACK,
    OP_HASH160, OP_IF, OP_LESSTHAN, OP_MIN, OP_NUMEQUALVERIFY, OP_PICK, OP_ROLL, OP_SIZE, OP_SUB,
    OP_TOALTSTACK, OP_TUCK,
};
use bitcoin::script::{Builder, ScriptBuf};

use crate::script::{Fragment, FragmentOrder};

use super::{ELEMENT_BYTES, Element, MAX_DIGIT, PublicKey, checksum_digits};

/// Whether a script insists that chain elements have 20 bytes.
///
/// A chain's owner may start it with an item of any length. Such a signature is valid, but a transaction that quotes
/// an item above 80 bytes is not relayed by default policy, so the owner could get its message mined directly and
/// keep the other side from answering with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementSize {
    /// Any length. For leaves that quote a message which an `Exact` leaf has let through.
    Any,
    /// Exactly 20 bytes: 4 bytes of script a digit more. For leaves that carry a message to the chain.
    Exact,
}

/// What happens to the nibbles after the check.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nibbles {
    Keep,
    Drop,
}

/// Checks the signatures of all `keys` and leaves their nibbles. See the module's table for the order.
pub fn read_values(keys: &[&PublicKey], size: ElementSize) -> ScriptBuf {
    let mut builder = Builder::new();
    // The last value lies on top, so it is checked first; the alternate stack turns the order round again.
    for key in keys.iter().rev() {
        builder = check_chains(builder, key, size);
    }
    for key in keys {
        builder = check_sum(builder, key.nibbles(), Nibbles::Keep);
    }
    builder.into_script()
}

/// [`read_values`] with its stack effect, for [`crate::script::ScriptBuilder::push_fragment`]. The nibbles of all values are one list there.
///
/// Reading the values of a leaf in *one* fragment is the cheapest way: a builder that reads them one after the other has
/// to put the earlier ones aside, two bytes a nibble.
pub fn read_fragment(keys: &[&PublicKey], size: ElementSize) -> Fragment {
    Fragment {
        script: read_values(keys, size),
        consumes: keys.iter().map(|key| key.witness_items()).sum(),
        nibbles: keys.iter().map(|key| key.nibbles()).sum(),
        order: FragmentOrder::MostSignificantDeepest,
        extra_depth: EXTRA_DEPTH,
    }
}

/// [`check_value`] with its stack effect.
pub fn check_fragment(key: &PublicKey, size: ElementSize) -> Fragment {
    Fragment {
        script: check_value(key, size),
        consumes: key.witness_items(),
        nibbles: 0,
        order: FragmentOrder::MostSignificantDeepest,
        extra_depth: EXTRA_DEPTH,
    }
}

/// Elements that a fragment needs above its own items: while the first digit is compared with 8, its two items are
/// thirteen. Later digits have less beneath them, and so has the sum.
pub const EXTRA_DEPTH: usize = 11;

/// Checks the signature of one value and leaves nothing.
pub fn check_value(key: &PublicKey, size: ElementSize) -> ScriptBuf {
    let builder = check_chains(Builder::new(), key, size);
    check_sum(builder, key.nibbles(), Nibbles::Drop).into_script()
}

/// Checks every chain of `key`, from the top of the stack down; its digits go to the alternate stack.
fn check_chains(builder: Builder, key: &PublicKey, size: ElementSize) -> Builder {
    key.ends()
        .iter()
        .rev()
        .fold(builder, |builder, end| check_digit(builder, end, size))
}

/// `digit element -> ` (alternate stack: ` -> digit`).
fn check_digit(mut builder: Builder, end: &Element, size: ElementSize) -> Builder {
    if size == ElementSize::Exact {
        builder = builder
            .push_opcode(OP_SIZE)
            .push_int(ELEMENT_BYTES as i64)
            .push_opcode(OP_EQUALVERIFY);
    }
    for _ in 0..7 {
        builder = builder.push_opcode(OP_DUP).push_opcode(OP_HASH160);
    }
    builder = builder
        .push_int(8)
        .push_opcode(OP_ROLL)
        .push_int(i64::from(MAX_DIGIT))
        .push_opcode(OP_MIN);
    builder = builder.push_opcode(OP_DUP).push_opcode(OP_TOALTSTACK);
    builder = builder.push_int(8).push_opcode(OP_2DUP).push_opcode(OP_LESSTHAN);
    builder = builder
        .push_opcode(OP_IF)
        .push_opcode(OP_DROP)
        .push_opcode(OP_PICK);
    for _ in 0..8 {
        builder = builder.push_opcode(OP_HASH160);
    }
    builder = builder
        .push_opcode(OP_ELSE)
        .push_opcode(OP_SUB)
        .push_opcode(OP_PICK)
        .push_opcode(OP_ENDIF);
    builder = builder.push_slice(end).push_opcode(OP_EQUALVERIFY);
    for _ in 0..4 {
        builder = builder.push_opcode(OP_2DROP);
    }
    builder
}

/// Takes the digits of one value from the alternate stack, checksum first, and checks `checksum + Σ d = 15 n`.
fn check_sum(mut builder: Builder, nibbles: usize, after: Nibbles) -> Builder {
    builder = builder.push_opcode(OP_FROMALTSTACK);
    for _ in 1..checksum_digits(nibbles) {
        for _ in 0..4 {
            builder = builder.push_opcode(OP_DUP).push_opcode(OP_ADD);
        }
        builder = builder.push_opcode(OP_FROMALTSTACK).push_opcode(OP_ADD);
    }
    for _ in 0..nibbles {
        builder = builder.push_opcode(OP_FROMALTSTACK);
        if after == Nibbles::Keep {
            builder = builder.push_opcode(OP_TUCK);
        }
        builder = builder.push_opcode(OP_ADD);
    }
    let total = nibbles * usize::from(MAX_DIGIT);
    builder.push_int(total as i64).push_opcode(OP_NUMEQUALVERIFY)
}
