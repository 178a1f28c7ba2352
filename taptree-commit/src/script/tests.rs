//! Every operation in Bitcoin Core's engine: the right result, wrong results, garbage beneath.

use bitcoin::ScriptBuf;
use bitcoin::opcodes::all as op;
use proptest::prelude::*;

use super::testing::{number, run, word};
use super::*;

/// Foreign items beneath; a leaf must not see them.
const GARBAGE: [i64; 5] = [11, 0, 15, 3, 1];

/// Runs a leaf over `words` (the first one is read first) with garbage beneath; true if the engine accepts.
fn accepts(words: &[u32], write: impl FnOnce(&mut ScriptBuilder, Vec<Word>) -> Bool) -> bool {
    let mut s = ScriptBuilder::new().with_beneath(GARBAGE.len());
    let values = words
        .iter()
        .enumerate()
        .map(|(i, _)| s.read_unsigned(&format!("w{i}"), 8).word(0))
        .collect();
    let result = write(&mut s, values);
    let leaf = s.finish_with(result).expect("the leaf is well formed");
    let mut witness: Vec<Vec<u8>> = GARBAGE.iter().map(|g| number(*g)).collect();
    witness.extend(words.iter().rev().flat_map(|w| word(*w)));
    run(&without_garbage(leaf.script), &witness).is_ok()
}

/// The script, then dropping of the garbage beneath its one result.
fn without_garbage(script: ScriptBuf) -> ScriptBuf {
    let mut bytes = script.into_bytes();
    bytes.push(op::OP_TOALTSTACK.to_u8());
    bytes.extend(GARBAGE.map(|_| op::OP_DROP.to_u8()));
    bytes.push(op::OP_FROMALTSTACK.to_u8());
    ScriptBuf::from_bytes(bytes)
}

/// The word that `write` computes is `expected`, and no neighbour of it.
fn computes(words: &[u32], expected: u32, write: impl Fn(&mut ScriptBuilder, Vec<Word>) -> Word) {
    let check = |claimed: u32| {
        accepts(words, |s, values| {
            let result = write(s, values);
            s.eq(result, claimed)
        })
    };
    assert!(check(expected), "{words:x?} should give {expected:x}");
    for wrong in [expected ^ 1, expected ^ 0x8000_0000, expected.wrapping_add(0x10)] {
        assert!(!check(wrong), "{words:x?} must not give {wrong:x}");
    }
}

/// The truth value that `write` computes is `expected`.
fn decides(words: &[u32], expected: bool, write: impl Fn(&mut ScriptBuilder, Vec<Word>) -> Bool) {
    assert_eq!(accepts(words, &write), expected, "{words:x?}");
    let negated = accepts(words, |s, values| {
        let result = write(s, values);
        s.not(result)
    });
    assert_eq!(negated, !expected, "{words:x?} negated");
}

/// Operands at the edges of nibbles, signs and ranges.
const EDGES: [u32; 8] = [
    0,
    1,
    0xf,
    0x10,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x89ab_cdef,
];

fn edge_pairs() -> impl Iterator<Item = (u32, u32)> {
    EDGES
        .into_iter()
        .flat_map(|a| EDGES.into_iter().map(move |b| (a, b)))
}

#[test]
fn addition_and_subtraction() {
    for (a, b) in edge_pairs() {
        computes(&[a, b], a.wrapping_add(b), |s, w| s.add(&w[0], &w[1]));
        computes(&[a, b], a.wrapping_sub(b), |s, w| s.sub(&w[0], &w[1]));
        decides(&[a, b], a.checked_add(b).is_none(), |s, w| {
            s.add_carry(&w[0], &w[1]).1
        });
        decides(&[a, b], a < b, |s, w| s.sub_borrow(&w[0], &w[1]).1);
        decides(&[a, b], (a as i32).checked_add(b as i32).is_none(), |s, w| {
            s.add_overflow(&w[0], &w[1]).1
        });
        decides(&[a, b], (a as i32).checked_sub(b as i32).is_none(), |s, w| {
            s.sub_overflow(&w[0], &w[1]).1
        });
        computes(&[a], a.wrapping_add(b), |s, w| s.add(&w[0], b));
        computes(&[a], b.wrapping_sub(a), |s, w| s.sub(b, &w[0]));
    }
}

#[test]
fn comparisons() {
    for (a, b) in edge_pairs() {
        decides(&[a, b], a == b, |s, w| s.eq(&w[0], &w[1]));
        decides(&[a, b], a != b, |s, w| s.ne(&w[0], &w[1]));
        decides(&[a, b], a < b, |s, w| s.lt_unsigned(&w[0], &w[1]));
        decides(&[a, b], (a as i32) < (b as i32), |s, w| s.lt_signed(&w[0], &w[1]));
        decides(&[a], (a as i32) < (b as i32), |s, w| s.lt_signed(&w[0], b));
        decides(&[a], a == 0, |s, w| s.is_zero(&w[0]));
        decides(&[a], (a as i32) < 0, |s, w| s.is_negative(&w[0]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn arithmetic_on_random_words(a: u32, b: u32) {
        computes(&[a, b], a.wrapping_add(b), |s, w| s.add(&w[0], &w[1]));
        computes(&[a, b], a.wrapping_sub(b), |s, w| s.sub(&w[0], &w[1]));
        decides(&[a, b], a < b, |s, w| s.lt_unsigned(&w[0], &w[1]));
        decides(&[a, b], (a as i32) < (b as i32), |s, w| s.lt_signed(&w[0], &w[1]));
        computes(&[a], !a, |s, w| s.not_bits(&w[0]));
        computes(&[a], a.wrapping_neg(), |s, w| s.negate(&w[0]));
    }
}
