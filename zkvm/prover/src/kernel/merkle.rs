//! Merkle trees over columns: the rows are hashed where they lie and only digests are kept.
//!
//! Invariant: caps and paths are those of plonky2's `MerkleTree` over the rows in bit-reversed order. The rows
//! themselves stay with the caller, which answers for a leaf's content.

use plonky2::hash::hash_types::HashOut;
use plonky2::hash::merkle_proofs::MerkleProof;
use plonky2::hash::merkle_tree::{MerkleCap, MerkleTree};
use plonky2::hash::poseidon::PoseidonHash;
use rayon::prelude::*;
use zkvm_air::F;

use super::fft::reverse;
use super::{BEST, Digest, InstructionSet, dispatched, poseidon};

/// Rows hashed by one task.
const TASK: usize = 256;

/// A tree's digests.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Leaves first, the cap last; each half as long as the one before.
    layers: Vec<Vec<Digest>>,
}

impl Tree {
    /// Over the rows of a power of two of blocks of `columns`, each of 2^k rows: row i of block b of B is the point
    /// B i + b of the domain, and leaf `reverse` of that.
    ///
    /// Panics if there are fewer rows than caps, the columns differ in length, or blocks are no power of two.
    pub fn new(blocks: &[Vec<&[F]>], cap_height: usize) -> Self {
        Self::new_on(*BEST, blocks, cap_height)
    }

    pub(super) fn new_on(set: InstructionSet, blocks: &[Vec<&[F]>], cap_height: usize) -> Self {
        assert!(blocks.len().is_power_of_two(), "a power of two of blocks");
        let rows = blocks[0][0].len();
        assert!(
            rows.is_power_of_two() && rows * blocks.len() >= 1 << cap_height,
            "rows for a cap"
        );
        let log = rows.trailing_zeros() as usize;
        // The block number is the lowest bits of the point, hence the highest of the leaf.
        let log_blocks = blocks.len().trailing_zeros() as usize;
        let mut leaves = Vec::with_capacity(rows * blocks.len());
        for block in 0..blocks.len() {
            let hashed = hash_rows(set, &blocks[reverse(block, log_blocks)]);
            leaves.par_extend((0..rows).into_par_iter().map(|i| hashed[reverse(i, log)]));
        }
        let mut layers = vec![leaves];
        while let Some(children) = layers.last()
            && children.len() > 1 << cap_height
        {
            let mut parents = vec![[F::default(); 4]; children.len() / 2];
            parents
                .par_chunks_mut(TASK)
                .zip(children.par_chunks(2 * TASK))
                .for_each(|(parents, children)| pairs_on(set, children, parents));
            layers.push(parents);
        }
        Self { layers }
    }

    /// The digests of a tree that plonky2 has made.
    pub(crate) fn from_plonky2(tree: &MerkleTree<F, PoseidonHash>) -> Self {
        let below_cap = (tree.leaves.len() / tree.cap.0.len()).trailing_zeros() as usize;
        let of_one_cap = tree.digests.len() / tree.cap.0.len();
        let layer = |k: usize| -> Vec<Digest> {
            // Left subtree, left child, right child, right subtree: in layer k, counted from the leaves, a pair is followed by
            // 2^(k+2) - 2 digests of other layers.
            let log = below_cap - k;
            let digest = |index: usize| {
                let (cap, inner) = (index >> log, index & ((1 << log) - 1));
                let pair = ((inner >> 1) << (k + 1)) + (1 << k) - 1;
                tree.digests[cap * of_one_cap + 2 * pair + (inner & 1)].elements
            };
            (0..tree.leaves.len() >> k).map(digest).collect()
        };
        let cap = tree.cap.0.iter().map(|digest| digest.elements).collect();
        let layers = (0..below_cap).map(layer).chain([cap]).collect();
        Self { layers }
    }

    /// The cap.
    pub fn cap(&self) -> MerkleCap<F, PoseidonHash> {
        let cap = self
            .layers
            .last()
            .map(|layer| layer.iter().map(|&elements| HashOut { elements }).collect());
        MerkleCap(cap.unwrap_or_default())
    }

    /// Siblings of leaf `index`, lowest first. Panics if there is no such leaf.
    pub fn prove(&self, index: usize) -> MerkleProof<F, PoseidonHash> {
        let below_cap = &self.layers[..self.layers.len() - 1];
        let siblings = below_cap
            .iter()
            .enumerate()
            .map(|(k, layer)| HashOut {
                elements: layer[(index >> k) ^ 1],
            })
            .collect();
        MerkleProof { siblings }
    }
}

/// `hash_or_noop` of every row of `columns`.
pub(super) fn hash_rows(set: InstructionSet, columns: &[&[F]]) -> Vec<Digest> {
    let rows = columns[0].len();
    assert!(columns.iter().all(|c| c.len() == rows), "columns of one length");
    let mut out = vec![[F::default(); 4]; rows];
    out.par_chunks_mut(TASK).enumerate().for_each(|(task, out)| {
        if columns.len() <= 4 {
            for (i, digest) in out.iter_mut().enumerate() {
                columns
                    .iter()
                    .zip(digest)
                    .for_each(|(column, x)| *x = column[task * TASK + i]);
            }
        } else {
            rows_on(set, columns, task * TASK, out);
        }
    });
    out
}

/// `two_to_one` of every pair of `children`.
#[cfg(test)]
pub(super) fn hash_pairs(set: InstructionSet, children: &[Digest]) -> Vec<Digest> {
    let mut out = vec![[F::default(); 4]; children.len() / 2];
    pairs_on(set, children, &mut out);
    out
}

dispatched! { fn rows_on(columns: &[&[F]], first: usize, out: &mut [Digest]) = poseidon::hash_rows, 2, 1, 1 }
dispatched! { fn pairs_on(children: &[Digest], out: &mut [Digest]) = poseidon::hash_pairs, 2, 1, 1 }

/// Candidates tried at once by [`grind`].
const CANDIDATES: usize = 16;

dispatched! {
    fn candidates_on(state: &[F; 12], position: usize, first: u64, output: usize, out: &mut [u64]) = poseidon::permute_candidates, 2, 4, 16
}

/// The least `x` for which element `output` of the permuted `state`, with `x` as element `position`, is below `bound`.
/// `None` if there is none below 2^48.
pub fn grind(state: &[F; 12], position: usize, output: usize, bound: u64) -> Option<F> {
    let set = *BEST;
    const WAVE: u64 = 1 << 14;
    (0..1u64 << 34).map(|wave| wave * WAVE).find_map(|start| {
        (0..WAVE / CANDIDATES as u64).into_par_iter().find_map_first(|i| {
            let first = start + i * CANDIDATES as u64;
            let mut out = [0; CANDIDATES];
            candidates_on(set, state, position, first, output, &mut out);
            out.iter()
                .position(|&x| x < bound)
                .map(|lane| F(first + lane as u64))
        })
    })
}
