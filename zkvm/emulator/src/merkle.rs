//! The memory tree: 2^26 leaves of 32 raw bytes, `node = BLAKE3(left ‖ right)`.
//!
//! Level 0 is the leaves themselves (not hashed), level 26 the root. Because every address is part of a fixed-depth
//! path, a leaf cannot be taken for a node: a path of another length never reaches the root's level.

use std::sync::LazyLock;

/// A leaf or a node of the memory tree.
pub type Node = [u8; 32];

/// Number of levels above the leaves.
pub const DEPTH: usize = 26;

/// Levels above the leaf whose nodes a step opening signs beside the root; they cut the path in four segments.
pub const MIDDLE_LEVELS: [usize; 3] = [7, 14, 20];

/// Bounds of the four path segments: segment `k` is levels `SEGMENTS[k]..SEGMENTS[k + 1]`.
pub const SEGMENTS: [usize; 5] = [0, 7, 14, 20, 26];

/// Index of the leaf that holds byte address `addr` (bit 31 is dropped: valid addresses are below 2^31).
pub fn leaf_index(addr: u32) -> u32 {
    (addr & 0x7fff_ffff) >> 5
}

/// Hashes two children.
pub fn parent(left: &Node, right: &Node) -> Node {
    let mut block = [0u8; 64];
    block[..32].copy_from_slice(left);
    block[32..].copy_from_slice(right);
    *blake3::hash(&block).as_bytes()
}

static ZERO_NODES: LazyLock<[Node; DEPTH + 1]> = LazyLock::new(|| {
    let mut nodes = [[0u8; 32]; DEPTH + 1];
    for level in 0..DEPTH {
        nodes[level + 1] = parent(&nodes[level], &nodes[level]);
    }
    nodes
});

/// Root of an all-zero subtree of each height; index 0 is the zero leaf, index 26 the empty memory.
pub fn zero_nodes() -> &'static [Node; DEPTH + 1] {
    &ZERO_NODES
}

/// Root of empty memory.
pub fn empty_root() -> Node {
    ZERO_NODES[DEPTH]
}

/// All nodes from a leaf up to the root, given the 26 siblings from the bottom up. Direction comes from `index`.
pub fn path(leaf: &Node, index: u32, siblings: &[Node; DEPTH]) -> [Node; DEPTH + 1] {
    let mut nodes = [*leaf; DEPTH + 1];
    for level in 0..DEPTH {
        nodes[level + 1] = if index >> level & 1 == 0 {
            parent(&nodes[level], &siblings[level])
        } else {
            parent(&siblings[level], &nodes[level])
        };
    }
    nodes
}

/// The aligned big-endian word at `addr` within its leaf.
pub fn leaf_word(leaf: &Node, addr: u32) -> u32 {
    let at = (addr & 0x1c) as usize;
    u32::from_be_bytes([leaf[at], leaf[at + 1], leaf[at + 2], leaf[at + 3]])
}

/// The leaf with its aligned word at `addr` replaced.
pub fn replace_word(leaf: &Node, addr: u32, word: u32) -> Node {
    let at = (addr & 0x1c) as usize;
    let mut out = *leaf;
    out[at..at + 4].copy_from_slice(&word.to_be_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_nodes_hash_upwards() {
        let zeros = zero_nodes();
        assert_eq!(zeros[0], [0; 32]);
        assert_eq!(&zeros[1], blake3::hash(&[0; 64]).as_bytes());
        assert_eq!(
            path(&zeros[0], 0x2aa_5555, zeros[..26].try_into().unwrap()),
            *zeros
        );
        assert_eq!(empty_root(), zeros[26]);
    }

    #[test]
    fn path_depends_on_index_and_leaf() {
        let siblings: [Node; DEPTH] = std::array::from_fn(|i| [i as u8 + 1; 32]);
        let base = path(&[9; 32], 5, &siblings)[DEPTH];
        for bit in 0..DEPTH {
            assert_ne!(
                base,
                path(&[9; 32], 5 ^ (1 << bit), &siblings)[DEPTH],
                "direction bit {bit}"
            );
            let mut other = siblings;
            other[bit][31] ^= 1;
            assert_ne!(base, path(&[9; 32], 5, &other)[DEPTH], "sibling {bit}");
        }
        assert_ne!(base, path(&[8; 32], 5, &siblings)[DEPTH]);
    }

    #[test]
    fn words_of_a_leaf_are_big_endian_and_separate() {
        let leaf: Node = std::array::from_fn(|i| i as u8);
        assert_eq!(leaf_word(&leaf, 0x1004), 0x0405_0607);
        assert_eq!(leaf_word(&leaf, 0x101f), 0x1c1d_1e1f);
        let new = replace_word(&leaf, 0x1006, 0xaabb_ccdd);
        assert_eq!(leaf_word(&new, 0x1004), 0xaabb_ccdd);
        for word in [0u32, 8, 12, 16, 20, 24, 28] {
            assert_eq!(leaf_word(&new, word), leaf_word(&leaf, word));
        }
    }
}
