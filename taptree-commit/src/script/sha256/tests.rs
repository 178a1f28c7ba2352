//! The compression in Bitcoin Core's engine against that of `bitcoin_hashes`.

use bitcoin::hashes::{Hash, HashEngine, sha256};
use proptest::prelude::*;

use super::super::testing::{nibbles, number, run};
use super::super::{Bool, LeafScript};
use super::*;

/// What the compression maps `chaining` and `block` to.
fn compress(chaining: &[u8; 32], block: &[u8; 64]) -> [u8; 32] {
    let mut engine = sha256::HashEngine::from_midstate(sha256::Midstate(*chaining), 64);
    engine.input(block);
    engine.midstate().0
}

/// A leaf that demands `compress(chaining, block) == digest`, both inputs unsigned, over `beneath` foreign items.
fn leaf(digest: &[u8; 32], beneath: usize) -> LeafScript {
    let mut s = ScriptBuilder::new().with_beneath(beneath);
    let block = s.read_unsigned("block", 128);
    let chaining = s.read_unsigned("chaining", 64);
    let result = s.sha256_compress(chaining, block);
    s.assert_eq_nibbles(result, digest);
    let one = s.constant(1);
    s.finish_with(Bool(one.0)).expect("well formed")
}

fn accepts(leaf: &LeafScript, chaining: &[u8], block: &[u8], beneath: usize) -> bool {
    let mut bytes = leaf.script.to_bytes();
    bytes.push(op::OP_TOALTSTACK.to_u8());
    bytes.extend(vec![op::OP_DROP.to_u8(); beneath]);
    bytes.push(op::OP_FROMALTSTACK.to_u8());
    let mut witness: Vec<Vec<u8>> = (0..beneath).map(|i| number(i as i64 % 16)).collect();
    witness.extend(nibbles(chaining));
    witness.extend(nibbles(block));
    run(&bitcoin::ScriptBuf::from_bytes(bytes), &witness).is_ok()
}

fn check(chaining: [u8; 32], block: [u8; 64]) {
    let digest = compress(&chaining, &block);
    let right = leaf(&digest, 3);
    assert!(accepts(&right, &chaining, &block, 3));
    // Another block, another chaining value, and other digests.
    for byte in [0, 17, 63] {
        let mut other = block;
        other[byte] ^= 1 << (byte % 8);
        assert!(!accepts(&right, &chaining, &other, 3), "block byte {byte}");
    }
    for byte in [0, 13, 31] {
        let mut other = chaining;
        other[byte] ^= 0x80 >> (byte % 8);
        assert!(!accepts(&right, &other, &block, 3), "chaining byte {byte}");
        let mut wrong = digest;
        wrong[byte] ^= 1 << (byte % 8);
        assert!(
            !accepts(&leaf(&wrong, 3), &chaining, &block, 3),
            "digest byte {byte}"
        );
    }
}

#[test]
fn blocks_at_the_edges() {
    check(INITIAL_CHAINING_VALUE, [0; 64]);
    check([0; 32], [0; 64]);
    check([0xff; 32], [0xff; 64]);
    check(
        std::array::from_fn(|i| 0x80 >> (i % 8)),
        std::array::from_fn(|i| 1 << (i % 8)),
    );
}

/// The standard's example of one block, "abc", and a chain of two.
#[test]
fn whole_messages() {
    let mut block = [0; 64];
    block[..4].copy_from_slice(b"abc\x80");
    block[63] = 24;
    assert_eq!(
        compress(&INITIAL_CHAINING_VALUE, &block),
        sha256::Hash::hash(b"abc").to_byte_array()
    );
    check(INITIAL_CHAINING_VALUE, block);
    let message = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    let mut blocks = [0; 128];
    blocks[..56].copy_from_slice(message);
    blocks[56] = 0x80;
    blocks[126..].copy_from_slice(&448u16.to_be_bytes());
    let (first, second) = blocks.split_at(64);
    let middle = compress(&INITIAL_CHAINING_VALUE, first.try_into().unwrap());
    let digest = sha256::Hash::hash(message).to_byte_array();
    assert!(accepts(&leaf(&digest, 0), &middle, second, 0));
    // The blocks in the other order.
    assert!(!accepts(&leaf(&digest, 0), &middle, first, 0));
    assert!(!accepts(&leaf(&digest, 0), &INITIAL_CHAINING_VALUE, second, 0));
}

/// The rounds alone, on constants: the digest less the chaining value.
#[test]
fn rounds_of_constants() {
    let chaining: [u8; 32] = std::array::from_fn(|i| (i as u8).wrapping_mul(73));
    let block: [u8; 64] = std::array::from_fn(|i| 255 - i as u8);
    let digest = compress(&chaining, &block);
    for (claimed, fine) in [(digest, true), ([7; 32], false)] {
        let mut s = ScriptBuilder::new();
        let said = s.read_unsigned("said", 64);
        let start = s.constant_bytes(&chaining);
        let pairs: Vec<_> = said.words().into_iter().zip(start.words()).collect();
        let due: Vec<_> = pairs
            .into_iter()
            .map(|(said, start)| s.sub(said, start))
            .collect();
        let mixed = s.sha256_rounds(&chaining, &block);
        s.assert_eq_nibbles(mixed, Nibbles::from_words(&due));
        let leaf = s.finish().expect("well formed");
        assert_eq!(run(&leaf.script, &nibbles(&claimed)).is_ok(), fine);
    }
}

/// A claimed digest and the chaining value for the last addition do not both fit beside the tables: hence the rounds alone.
#[test]
fn a_kept_chaining_value_takes_the_digests_place() {
    let mut s = ScriptBuilder::new();
    let said = s.read_unsigned("said", 64);
    let chaining = s.read_unsigned("chaining", 64);
    let block = s.read_unsigned("block", 128);
    let result = s.sha256_compress(chaining, block);
    s.assert_eq_nibbles(result, said);
    assert!(matches!(s.finish(), Err(ScriptError::TooDeep { .. })));
}

#[test]
fn wrong_shapes_are_errors() {
    let mut s = ScriptBuilder::new();
    let short = s.read_unsigned("short", 127);
    s.sha256_compress(&INITIAL_CHAINING_VALUE, &short);
    assert!(matches!(
        s.finish(),
        Err(ScriptError::Length {
            operation: "block",
            left: 128,
            right: 127
        })
    ));
    let mut s = ScriptBuilder::new();
    let block = s.read_unsigned("block", 128);
    s.sha256_rounds(&[0u8; 31], &block);
    assert!(matches!(
        s.finish(),
        Err(ScriptError::Length {
            operation: "chaining value",
            left: 64,
            right: 62
        })
    ));
}

#[test]
fn size_and_depth() {
    let leaf = leaf(&[0; 32], 0);
    println!("{} bytes of script, depth {}", leaf.len(), leaf.max_depth);
    assert!(leaf.max_depth <= 970, "{}", leaf.max_depth);
    assert!(leaf.len() < 133_000, "{}", leaf.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn random_blocks(chaining: [u8; 32], left: [u8; 32], right: [u8; 32]) {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&left);
        block[32..].copy_from_slice(&right);
        check(chaining, block);
    }
}
