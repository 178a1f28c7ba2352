//! Nodes: what 64 bytes say.

use alloy_primitives::{B256, b256};

/// Root of the tree without entries.
pub const EMPTY_ROOT: B256 = B256::ZERO;

/// First half of every leaf: keccak256("tapestry/leaf"). Nobody knows 64 bytes with this BLAKE3 digest, so it is never the
/// left child of an inner node.
pub const TAG: B256 = b256!("c781c4399f11b7a6bc80db6439cbef160ab1faaec2727bb1f9941c5b65084866");

/// Length of keys in bits: no leaf lies deeper.
pub(crate) const DEPTH: usize = 256;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// The only entry of its subtree, by the digest of `key ‖ value`.
    Leaf(B256),
    /// Left and right.
    Inner(B256, B256),
}

impl Node {
    pub(crate) fn read(node: &[u8; 64]) -> Self {
        let (left, right) = halves(node);
        if left == TAG {
            Self::Leaf(right)
        } else {
            Self::Inner(left, right)
        }
    }
}

pub(crate) fn halves(node: &[u8; 64]) -> (B256, B256) {
    (B256::from_slice(&node[..32]), B256::from_slice(&node[32..]))
}

pub(crate) fn both(left: &B256, right: &B256) -> [u8; 64] {
    let mut node = [0; 64];
    node[..32].copy_from_slice(left.as_slice());
    node[32..].copy_from_slice(right.as_slice());
    node
}

/// Bit `depth` of a key, from the most significant: whether the way goes right.
pub(crate) fn goes_right(key: &B256, depth: usize) -> bool {
    key[depth / 8] >> (7 - depth % 8) & 1 == 1
}

/// Whether the first `bits` bits of two keys are equal.
pub(crate) fn share_prefix(a: &B256, b: &B256, bits: usize) -> bool {
    let (bytes, rest) = (bits / 8, bits % 8);
    a[..bytes] == b[..bytes] && (rest == 0 || (a[bytes] ^ b[bytes]) >> (8 - rest) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::keccak256;

    #[test]
    fn the_tag_is_what_it_says() {
        assert_eq!(TAG, keccak256("tapestry/leaf"));
    }

    #[test]
    fn bits_are_counted_from_the_most_significant() {
        let mut key = B256::ZERO;
        key[0] = 0x80;
        key[31] = 1;
        let set = |depth: &usize| goes_right(&key, *depth);
        assert_eq!((0..DEPTH).filter(set).collect::<alloc::vec::Vec<_>>(), [0, 255]);
    }

    #[test]
    fn a_prefix_ends_where_it_says() {
        for bit in 0..DEPTH {
            let mut other = B256::ZERO;
            other[bit / 8] = 0x80 >> (bit % 8);
            for bits in 0..=DEPTH {
                assert_eq!(share_prefix(&B256::ZERO, &other, bits), bits <= bit);
            }
        }
    }
}
