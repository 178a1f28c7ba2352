//! Changing: one pass over the tree for all changes of a block.
//!
//! Each node is read at most once and each new one hashed once. Deleting joins: a leaf whose sibling is gone moves up as it
//! is, for its digest does not depend on its place. To know whether what remains is a leaf, its node has to be read, so
//! the pass may read a node beside the ways of the changed keys; a witness recorded by this very function has it.

use alloc::vec::Vec;

use alloy_primitives::B256;

use crate::error::malformed;
use crate::node::{DEPTH, EMPTY_ROOT, Node, TAG, both, goes_right};
use crate::read::{check_inner, read_entry};
use crate::{NodeSource, StateError};

/// What changes make of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The new root.
    pub root: B256,
    /// Nodes of the new tree that the old one does not have: inner ones, leaves, and entries (`key ‖ value`).
    pub nodes: Vec<(B256, [u8; 64])>,
    /// Nodes of the old tree that the new one does not have. No node of a tree lies in it twice, so whoever keeps only the
    /// new tree may drop them. (What values are digests of, accounts and code, is not among them: it may be shared.)
    pub stale: Vec<B256>,
}

/// Makes changes, sorted by key: a key gets a value, or is deleted. What changes nothing (a value that is there, a key
/// deleted that is not) makes no node.
///
/// # Errors
/// If a node is missing or malformed, or the changes are not sorted.
pub fn update<S: NodeSource + ?Sized>(
    source: &S,
    root: &B256,
    changes: &[(B256, Option<B256>)],
) -> Result<Update, StateError> {
    if let Some(index) = (1..changes.len()).find(|i| changes[i - 1].0 >= changes[*i].0) {
        return Err(StateError::Unsorted {
            index,
            got: changes[index].0,
            before: changes[index - 1].0,
        });
    }
    let mut pass = Pass {
        source,
        nodes: Vec::new(),
        stale: Vec::new(),
    };
    let subtree = pass.apply(root, 0, false, changes)?;
    Ok(Update {
        root: subtree.digest(),
        nodes: pass.nodes,
        stale: pass.stale,
    })
}

/// A subtree after the pass.
#[derive(Clone, Copy)]
enum Subtree {
    Empty,
    Leaf(B256),
    Inner(B256),
    /// Not empty, untouched, so not read: a leaf or an inner node.
    Unread(B256),
}

impl Subtree {
    fn digest(&self) -> B256 {
        match self {
            Self::Empty => EMPTY_ROOT,
            Self::Leaf(digest) | Self::Inner(digest) | Self::Unread(digest) => *digest,
        }
    }
}

/// An entry of a subtree that is built anew.
struct Entry {
    key: B256,
    value: B256,
    /// Its leaf, if the old tree has it.
    leaf: Option<B256>,
}

struct Pass<'a, S: ?Sized> {
    source: &'a S,
    nodes: Vec<(B256, [u8; 64])>,
    stale: Vec<B256>,
}

impl<S: NodeSource + ?Sized> Pass<'_, S> {
    /// The subtree `digest` at `depth` with changes, which all lead there; `lonely`: its sibling is empty.
    fn apply(
        &mut self,
        digest: &B256,
        depth: usize,
        lonely: bool,
        changes: &[(B256, Option<B256>)],
    ) -> Result<Subtree, StateError> {
        let Some((first, _)) = changes.first() else {
            return Ok(if digest.is_zero() {
                Subtree::Empty
            } else {
                Subtree::Unread(*digest)
            });
        };
        if digest.is_zero() {
            return self.build(&added(changes, None), depth);
        }
        match Node::read(&self.source.node(digest)?) {
            Node::Leaf(entry) => {
                let (key, value) = read_entry(self.source, digest, &entry, first, depth, lonely)?;
                let change = changes.binary_search_by(|(changed, _)| changed.cmp(&key));
                if change.is_ok_and(|i| changes[i].1 != Some(value)) {
                    self.stale.extend([*digest, entry]);
                }
                let old = Entry {
                    key,
                    value,
                    leaf: Some(*digest),
                };
                self.build(&added(changes, Some(old)), depth)
            }
            Node::Inner(_, _) if depth == DEPTH => {
                Err(malformed(digest, "an inner node below all bits of a key"))
            }
            Node::Inner(left, right) => {
                check_inner(digest, &left, &right)?;
                let middle = changes.partition_point(|(key, _)| !goes_right(key, depth));
                let new_left = self.apply(&left, depth + 1, right.is_zero(), &changes[..middle])?;
                let new_right = self.apply(&right, depth + 1, left.is_zero(), &changes[middle..])?;
                if new_left.digest() == left && new_right.digest() == right {
                    return Ok(Subtree::Inner(*digest));
                }
                self.stale.push(*digest);
                self.join(new_left, new_right)
            }
        }
    }

    /// The subtree at `depth` of exactly these entries, which all lead there.
    fn build(&mut self, entries: &[Entry], depth: usize) -> Result<Subtree, StateError> {
        match entries {
            [] => Ok(Subtree::Empty),
            [Entry { leaf: Some(leaf), .. }] => Ok(Subtree::Leaf(*leaf)),
            [Entry { key, value, .. }] => {
                let entry = self.make(key, value);
                Ok(Subtree::Leaf(self.make(&TAG, &entry)))
            }
            // Keys differ, so this ends before all their bits are used.
            _ => {
                let middle = entries.partition_point(|entry| !goes_right(&entry.key, depth));
                let left = self.build(&entries[..middle], depth + 1)?;
                let right = self.build(&entries[middle..], depth + 1)?;
                self.join(left, right)
            }
        }
    }

    /// The subtree with these children.
    fn join(&mut self, left: Subtree, right: Subtree) -> Result<Subtree, StateError> {
        let only = match (left, right) {
            (Subtree::Empty, Subtree::Empty) => return Ok(Subtree::Empty),
            (Subtree::Empty, only) | (only, Subtree::Empty) => Some(only),
            _ => None,
        };
        let moves_up = match only {
            Some(Subtree::Leaf(_)) => true,
            Some(Subtree::Unread(digest)) => {
                matches!(Node::read(&self.source.node(&digest)?), Node::Leaf(_))
            }
            _ => false,
        };
        match only {
            Some(only) if moves_up => Ok(Subtree::Leaf(only.digest())),
            _ => Ok(Subtree::Inner(self.make(&left.digest(), &right.digest()))),
        }
    }

    fn make(&mut self, left: &B256, right: &B256) -> B256 {
        let node = both(left, right);
        let digest = l2_block::hash(&node);
        self.nodes.push((digest, node));
        digest
    }
}

/// What changes leave of a subtree that had at most one entry, in order.
fn added(changes: &[(B256, Option<B256>)], mut old: Option<Entry>) -> Vec<Entry> {
    let mut entries = Vec::with_capacity(changes.len() + 1);
    for (key, value) in changes {
        if let Some(before) = old.take_if(|old| old.key < *key) {
            entries.push(before);
        }
        let replaced = old.take_if(|old| old.key == *key);
        if let Some(value) = *value {
            let leaf = replaced
                .filter(|replaced| replaced.value == value)
                .and_then(|same| same.leaf);
            entries.push(Entry {
                key: *key,
                value,
                leaf,
            });
        }
    }
    entries.extend(old);
    entries
}
