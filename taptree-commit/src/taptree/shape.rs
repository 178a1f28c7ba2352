//! Which leaves lie how deep.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::TapTreeError;

/// The most leaves of one tree. With weights of 32 bits, a Huffman tree then stays far below the 128 levels that
/// BIP-0341 allows: at depth d some subtree weighs at least Fibonacci(d), and 2^24 · 2^32 < Fibonacci(83).
pub const MAX_LEAVES: usize = 1 << 24;

/// How a tree is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape<'a> {
    /// So many leaves, none deeper than ⌈log2 n⌉.
    Balanced(usize),
    /// One weight a leaf: the sum of weight times depth is the least possible (Huffman). Leaves that are likely to be
    /// spent, or so heavy that a transaction's limit is near, get larger weights. A weight of 0 counts as 1.
    Weighted(&'a [u32]),
}

impl Shape<'_> {
    /// Number of leaves.
    pub fn leaves(&self) -> usize {
        match self {
            Self::Balanced(leaves) => *leaves,
            Self::Weighted(weights) => weights.len(),
        }
    }

    /// Pairs of nodes to merge, in order. Leaves are 0 .. n - 1; the i-th merge makes node n + i; the last one the root.
    pub(super) fn merges(&self) -> Result<Vec<(u32, u32)>, TapTreeError> {
        let leaves = self.leaves();
        if leaves == 0 || leaves > MAX_LEAVES {
            return Err(TapTreeError::Leaves { got: leaves });
        }
        Ok(match self {
            Self::Balanced(_) => balanced(leaves as u32),
            Self::Weighted(weights) => huffman(weights),
        })
    }
}

/// Merges neighbours level by level; an odd last node moves up alone.
fn balanced(leaves: u32) -> Vec<(u32, u32)> {
    let mut merges = Vec::with_capacity(leaves as usize - 1);
    let mut level: Vec<u32> = (0..leaves).collect();
    let mut next = leaves;
    while level.len() > 1 {
        let pairs = level.chunks(2).map(|pair| match *pair {
            [left, right] => {
                merges.push((left, right));
                next += 1;
                next - 1
            }
            _ => pair[0],
        });
        level = pairs.collect();
    }
    merges
}

/// Merges the two lightest nodes, the older one first where weights are equal.
fn huffman(weights: &[u32]) -> Vec<(u32, u32)> {
    let leaves = weights.len();
    let mut merges = Vec::with_capacity(leaves - 1);
    let entries = weights
        .iter()
        .zip(0u32..)
        .map(|(&weight, leaf)| Reverse((u64::from(weight.max(1)), leaf)));
    let mut heap: BinaryHeap<_> = entries.collect();
    let mut next = leaves as u32;
    while let (Some(Reverse((weight, node))), Some(Reverse((other_weight, other)))) = (heap.pop(), heap.pop())
    {
        merges.push((node, other));
        heap.push(Reverse((weight + other_weight, next)));
        next += 1;
    }
    merges
}
