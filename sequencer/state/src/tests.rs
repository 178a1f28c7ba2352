//! The tree against a map, and against what attackers make of it.

mod attacks;
mod model;

use alloc::collections::BTreeMap;

use alloy_primitives::B256;

use crate::{EMPTY_ROOT, TAG, update};

pub(crate) type Nodes = BTreeMap<B256, [u8; 64]>;
pub(crate) type Entries = BTreeMap<B256, B256>;

/// A key that begins with these bits.
pub(crate) fn key(bits: &str) -> B256 {
    let mut key = B256::ZERO;
    for (i, _) in bits.bytes().enumerate().filter(|(_, bit)| *bit == b'1') {
        key[i / 8] |= 0x80 >> (i % 8);
    }
    key
}

pub(crate) fn word(byte: u8) -> B256 {
    B256::repeat_byte(byte)
}

/// The root of a set of entries, straight from the definition.
pub(crate) fn root_of(entries: &Entries) -> B256 {
    fn below(entries: &[(B256, B256)], depth: usize) -> B256 {
        match entries {
            [] => EMPTY_ROOT,
            [(key, value)] => l2_block::hash_pair(&TAG, &l2_block::hash_pair(key, value)),
            _ => {
                let right = |key: &B256| key[depth / 8] & (0x80 >> (depth % 8)) != 0;
                let (a, b): (alloc::vec::Vec<_>, alloc::vec::Vec<_>) =
                    entries.iter().partition(|(key, _)| !right(key));
                l2_block::hash_pair(&below(&a, depth + 1), &below(&b, depth + 1))
            }
        }
    }
    let entries: alloc::vec::Vec<_> = entries.iter().map(|(k, v)| (*k, *v)).collect();
    below(&entries, 0)
}

/// A tree that keeps its nodes and drops what is stale.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    pub(crate) nodes: Nodes,
    pub(crate) root: B256,
}

impl Tree {
    pub(crate) fn of(entries: &[(B256, B256)]) -> Self {
        let mut tree = Self::default();
        for (key, value) in entries {
            tree.change(&[(*key, Some(*value))]);
        }
        tree
    }

    /// Makes changes and holds the update to what it promises.
    pub(crate) fn change(&mut self, changes: &[(B256, Option<B256>)]) {
        let update = update(&self.nodes, &self.root, changes).unwrap();
        for digest in &update.stale {
            assert!(self.nodes.remove(digest).is_some(), "stale but not there");
        }
        for (digest, node) in &update.nodes {
            assert_eq!(*digest, l2_block::hash(node));
            assert!(
                self.nodes.insert(*digest, *node).is_none(),
                "made but already there"
            );
        }
        self.root = update.root;
    }
}
