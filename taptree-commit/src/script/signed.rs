//! How one-time signed values enter a leaf.

use super::builder::ScriptBuilder;
use super::value::{Nibbles, Word};
use super::witness::{Fragment, FragmentOrder};
use crate::wots::PublicKey;
use crate::wots::script::{ElementSize, read_values};

/// Elements beyond the witness items that the reader of [`crate::wots`] needs at its worst moment, in the first digit: seven
/// hashes, the digit's copy on the altstack, an 8, and copies of digit and 8 to compare.
const READER_DEPTH: usize = 11;

impl Fragment {
    /// The reader of one signed value.
    pub fn signed(key: &PublicKey, size: ElementSize) -> Fragment {
        Fragment {
            script: read_values(&[key], size),
            consumes: key.witness_items(),
            nibbles: key.nibbles(),
            order: FragmentOrder::MostSignificantDeepest,
            extra_depth: READER_DEPTH,
        }
    }
}

impl ScriptBuilder {
    /// Reads a value signed under `key`. About 64 bytes a digit, checksum digits included; the value's items lie on top.
    pub fn read_signed(&mut self, name: &str, key: &PublicKey, size: ElementSize) -> Nibbles {
        self.push_fragment(name, &Fragment::signed(key, size))
    }

    /// Reads a word signed under `key`, which must be a key for eight nibbles.
    pub fn read_signed_word(&mut self, name: &str, key: &PublicKey, size: ElementSize) -> Word {
        self.read_word(name, &Fragment::signed(key, size))
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::ScriptBuf;
    use bitcoin::opcodes::all as op;
    use zeroize::Zeroizing;

    use super::super::testing::{number, run};
    use super::super::{LeafScript, MAX_STACK_ELEMENTS, ScriptError};
    use super::*;
    use crate::wots::{SecretKey, Value};

    fn key(byte: u8, nibbles: usize) -> SecretKey {
        SecretKey::new(Zeroizing::new([byte; 32]), nibbles).unwrap()
    }

    /// Spends over foreign items, which the script drops at its end.
    fn accepts(leaf: &LeafScript, witness: &[Vec<u8>], beneath: usize) -> bool {
        let mut bytes = leaf.script.to_bytes();
        assert_eq!(bytes.pop(), Some(op::OP_PUSHNUM_1.to_u8()));
        bytes.extend(vec![op::OP_DROP.to_u8(); beneath]);
        bytes.push(op::OP_PUSHNUM_1.to_u8());
        let mut stack = vec![number(1); beneath];
        stack.extend_from_slice(witness);
        run(&ScriptBuf::from_bytes(bytes), &stack).is_ok()
    }

    /// The leaf that convicts whoever signed two children and a parent that is not their hash.
    fn node_leaf(keys: &[SecretKey; 3]) -> Result<LeafScript, ScriptError> {
        let [left, right, parent] = keys.each_ref().map(SecretKey::public_key);
        let mut s = ScriptBuilder::new();
        let parent = s.read_signed("parent", &parent, ElementSize::Any);
        let right = s.read_signed("right", &right, ElementSize::Any);
        let left = s.read_signed("left", &left, ElementSize::Any);
        let hash = s.blake3_node(left, right);
        s.assert_ne_nibbles(hash, parent);
        s.finish()
    }

    #[test]
    fn a_wrong_parent_convicts_and_a_right_one_does_not() {
        let keys = [1, 2, 3].map(|byte| key(byte, 64));
        let leaf = node_leaf(&keys).unwrap();
        let (left, right) = ([0x3c; 32], std::array::from_fn(|i| i as u8));
        let honest = crate::script::blake3::compress(
            &crate::script::blake3::INITIAL_CHAINING_VALUE,
            &std::array::from_fn(|i| if i < 32 { left[i] } else { right[i - 32] }),
            64,
            11,
        );
        let mut lie = honest;
        lie[20] ^= 2;
        for (parent, convicted) in [(honest, false), (lie, true)] {
            let [l, r, p] = [(0, left), (1, right), (2, parent)].map(|(i, digest): (usize, [u8; 32])| {
                keys[i].sign(&Value::from_digest(&digest)).unwrap().witness()
            });
            let witness = leaf.witness_stack(&[p.clone(), r.clone(), l.clone()]).unwrap();
            assert_eq!(accepts(&leaf, &witness, 0), convicted);
            assert_eq!(accepts(&leaf, &witness, 30), convicted);
            // Another order, a changed digit or a changed element convict nobody.
            let witness = leaf.witness_stack(&[p, l, r]).unwrap();
            assert!(!accepts(&leaf, &witness, 0));
            for at in [0, 1, 200, 201, 401] {
                let mut witness = witness.clone();
                witness[at] = if at % 2 == 0 {
                    number(if witness[at] == number(3) { 4 } else { 3 })
                } else {
                    vec![1; 20]
                };
                assert!(!accepts(&leaf, &witness, 0), "{at}");
            }
        }
    }

    /// Three digests and one compression: at most 22 kvB with the witness (DESIGN's estimate of a Merkle leaf).
    #[test]
    fn a_node_leaf_weighs_what_the_plan_allows() {
        let keys = [1, 2, 3].map(|byte| key(byte, 64));
        let leaf = node_leaf(&keys).unwrap();
        let witness: usize = keys
            .iter()
            .map(|k| k.sign(&Value::from_digest(&[0xff; 32])).unwrap().witness_bytes())
            .sum();
        println!(
            "node leaf: {} bytes of script, {witness} of witness, depth {}",
            leaf.len(),
            leaf.max_depth
        );
        assert!(leaf.len() + witness <= 66_000, "{}", leaf.len() + witness);
        assert!(leaf.max_depth <= 900, "{}", leaf.max_depth);
    }

    #[test]
    fn the_reader_needs_the_depth_that_is_reported() {
        for size in [ElementSize::Any, ElementSize::Exact] {
            let secret = key(9, 8);
            let mut s = ScriptBuilder::new();
            let word = s.read_signed_word("word", &secret.public_key(), size);
            s.assert_eq(word, 0x0123_4567u32);
            let leaf = s.finish().unwrap();
            let witness = secret.sign(&Value::from_word(0x0123_4567)).unwrap().witness();
            let other = key(9, 8).sign(&Value::from_word(0x0123_4568)).unwrap().witness();
            let free = MAX_STACK_ELEMENTS - leaf.max_depth;
            assert!(accepts(&leaf, &witness, free));
            assert!(!accepts(&leaf, &witness, free + 1));
            assert!(!accepts(&leaf, &other, free));
        }
    }
}
