//! The compression in Bitcoin Core's engine against the `blake3` crate and the Rust one.

use proptest::prelude::*;

use super::super::testing::{nibbles, number, run};
use super::super::{LeafScript, ScriptBuilder};
use super::*;

/// A leaf that demands `compress(chaining, block) == digest`, both inputs unsigned, over `beneath` foreign items.
fn leaf(chaining: Option<()>, digest: &[u8; 32], block_len: u32, flags: u32, beneath: usize) -> LeafScript {
    let mut s = ScriptBuilder::new().with_beneath(beneath);
    let block = s.read_unsigned("block", 128);
    let result = if chaining.is_some() {
        let chaining = s.read_unsigned("chaining", 64);
        s.blake3_compress(chaining, block, block_len, flags)
    } else {
        s.blake3_compress(&INITIAL_CHAINING_VALUE, block, block_len, flags)
    };
    s.assert_eq_nibbles(result, digest);
    let one = s.constant(1);
    s.finish_with(super::super::Bool(one.0)).expect("well formed")
}

fn accepts(leaf: &LeafScript, chaining: Option<&[u8]>, block: &[u8], beneath: usize) -> bool {
    let mut bytes = leaf.script.to_bytes();
    bytes.push(op::OP_TOALTSTACK.to_u8());
    bytes.extend(vec![op::OP_DROP.to_u8(); beneath]);
    bytes.push(op::OP_FROMALTSTACK.to_u8());
    let mut witness: Vec<Vec<u8>> = (0..beneath).map(|i| number(i as i64 % 16)).collect();
    if let Some(chaining) = chaining {
        witness.extend(nibbles(chaining));
    }
    witness.extend(nibbles(block));
    run(&bitcoin::ScriptBuf::from_bytes(bytes), &witness).is_ok()
}

fn check_node(block: [u8; 64]) {
    let digest: [u8; 32] = *::blake3::hash(&block).as_bytes();
    let flags = CHUNK_START | CHUNK_END | ROOT;
    let right = leaf(None, &digest, 64, flags, 40);
    assert!(accepts(&right, None, &block, 40));
    // Another block, and other digests.
    let mut other = block;
    other[17] ^= 0x40;
    assert!(!accepts(&right, None, &other, 40));
    for byte in [0, 13, 31] {
        let mut wrong = digest;
        wrong[byte] ^= 1 << (byte % 8);
        assert!(!accepts(&leaf(None, &wrong, 64, flags, 40), None, &block, 40));
    }
}

#[test]
fn nodes_at_the_edges() {
    check_node([0; 64]);
    check_node([0xff; 64]);
    check_node(std::array::from_fn(|i| i as u8));
}

/// Three blocks, the last one short, as a state's encoding has them.
#[test]
fn blocks_of_a_longer_message() {
    let message: Vec<u8> = (0..188u8).map(|i| i.wrapping_mul(37) ^ 0x5a).collect();
    let mut chaining = INITIAL_CHAINING_VALUE;
    for (block, flags) in message.chunks(64).zip([CHUNK_START, 0, CHUNK_END | ROOT]) {
        let len = block.len() as u32;
        let mut padded = [0; 64];
        padded[..block.len()].copy_from_slice(block);
        let next = compress(&chaining, &padded, len, flags);
        let right = leaf(Some(()), &next, len, flags, 3);
        assert!(accepts(&right, Some(&chaining), &padded, 3));
        let mut other = chaining;
        other[31] ^= 1;
        assert!(!accepts(&right, Some(&other), &padded, 3));
        assert!(!accepts(
            &leaf(Some(()), &next, len, flags ^ 4, 3),
            Some(&chaining),
            &padded,
            3
        ));
        assert!(!accepts(
            &leaf(Some(()), &next, len ^ 1, flags, 3),
            Some(&chaining),
            &padded,
            3
        ));
        chaining = next;
    }
    assert_eq!(chaining, *::blake3::hash(&message).as_bytes());
}

#[test]
fn constants_are_not_laid_out() {
    // The block's last bytes, all of its second half, and everything.
    for known in [4, 32, 64] {
        let block: [u8; 64] = std::array::from_fn(|i| (i as u8).wrapping_mul(89));
        let digest = *::blake3::hash(&block).as_bytes();
        let (variable, constant) = block.split_at(64 - known);
        for (claimed, fine) in [(digest, true), ([7; 32], false)] {
            let mut s = ScriptBuilder::new();
            let head = s.read_unsigned("head", 2 * variable.len());
            let tail = s.constant_bytes(&constant[..known / 2]);
            let mut sources = Operand::<Nibbles>::sources(head.concat(&tail));
            sources.extend(Operand::<Nibbles>::sources(&constant[known / 2..]));
            let chaining = Operand::<Nibbles>::sources(&INITIAL_CHAINING_VALUE);
            let result = s.compress(chaining, sources, 64, CHUNK_START | CHUNK_END | ROOT);
            s.assert_eq_nibbles(result, &claimed);
            let leaf = s.finish().expect("well formed");
            assert_eq!(run(&leaf.script, &nibbles(variable)).is_ok(), fine, "{known}");
        }
    }
}

/// A copied block stays usable, and wrong shapes are errors.
#[test]
fn operands() {
    let block: [u8; 64] = std::array::from_fn(|i| 255 - i as u8);
    let digest = *::blake3::hash(&block).as_bytes();
    let mut s = ScriptBuilder::new();
    let left = s.read_unsigned("left", 64);
    let right = s.read_unsigned("right", 64);
    let result = s.blake3_node(&left, &right);
    s.assert_eq_nibbles(result, &digest);
    s.assert_eq_nibbles(left.concat(&right), &block);
    let leaf = s.finish().expect("well formed");
    let mut witness = nibbles(&block[32..]);
    witness.extend(nibbles(&block[..32]));
    assert_eq!(run(&leaf.script, &witness), Ok(()));
    witness.swap(0, 100);
    assert!(run(&leaf.script, &witness).is_err());

    let mut s = ScriptBuilder::new();
    let short = s.read_unsigned("short", 63);
    s.blake3_node(&short, &INITIAL_CHAINING_VALUE);
    assert!(matches!(
        s.finish(),
        Err(ScriptError::Length {
            operation: "block",
            left: 128,
            right: 127
        })
    ));
}

#[test]
fn size_and_depth() {
    let leaf = leaf(None, &[0; 32], 64, CHUNK_START | CHUNK_END | ROOT, 40);
    println!(
        "64 -> 32 bytes: {} bytes of script, depth {}",
        leaf.len(),
        leaf.max_depth
    );
    assert!(leaf.max_depth <= 660, "{}", leaf.max_depth);
    assert!(leaf.len() < 45_700, "{}", leaf.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn nodes_of_random_blocks(left: [u8; 32], right: [u8; 32]) {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&left);
        block[32..].copy_from_slice(&right);
        check_node(block);
    }
}
