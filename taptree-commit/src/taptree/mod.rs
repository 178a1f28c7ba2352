//! TapTrees (BIP-0341) of tens of thousands of leaves, without holding their scripts.
//!
//! A dispute's output commits to every leaf that could ever be spent. The scripts of one such tree are tens of
//! megabytes, and each graph has several trees, so a script is made when it is needed: the tree is built from a
//! function of the leaf's index, called once an index on all cores, and keeps 32 bytes a node.
//!
//! Invariants: the same shape and scripts give the same root, whatever the number of cores; a control block is given
//! only for a script whose hash is the one committed to ([`TapTree::control_block`]), so a generator that changed
//! since is noticed before a transaction is made.
//!
//! Who calls it: `ocp` and `bridge` build outputs and spend leaves. What an attacker tries: to agree on an output
//! whose tree lacks a leaf. Both sides build the tree for themselves and compare output keys.

mod shape;
#[cfg(test)]
mod tests;

use bitcoin::hashes::Hash;
use bitcoin::key::{Parity, Secp256k1, TapTweak, TweakedPublicKey, UntweakedPublicKey};
use bitcoin::secp256k1::Verification;
use bitcoin::taproot::{ControlBlock, LeafVersion, TapLeafHash, TapNodeHash, TaprootMerkleBranch};
use bitcoin::{Script, ScriptBuf, Weight};
use rayon::prelude::*;

pub use shape::{MAX_LEAVES, Shape};

/// Levels that BIP-0341 allows between a leaf and the root.
pub const MAX_DEPTH: usize = 128;

/// Why a tree or control block was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TapTreeError {
    /// A tree of no leaves or too many.
    #[error("number of leaves out of range: expected 1 to {MAX_LEAVES}, got {got}")]
    Leaves {
        /// Leaves asked for.
        got: usize,
    },
    /// An index past the last leaf.
    #[error("no such leaf: expected less than {leaves}, got {got}")]
    NoSuchLeaf {
        /// Leaves of the tree.
        leaves: usize,
        /// The index asked for.
        got: usize,
    },
    /// The script is not the one that the tree commits to.
    #[error("leaf {leaf} is another script: expected hash {expected}, got {got}")]
    OtherScript {
        /// The leaf.
        leaf: usize,
        /// Hash in the tree.
        expected: TapLeafHash,
        /// Hash of the script given.
        got: TapLeafHash,
    },
}

/// A Merkle tree of leaf hashes and the output key that commits to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapTree {
    internal_key: UntweakedPublicKey,
    output_key: TweakedPublicKey,
    parity: Parity,
    leaves: usize,
    /// Leaves by index, then inner nodes, children before parents; the root is last.
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Node {
    hash: TapNodeHash,
    /// The root is its own parent and sibling.
    parent: u32,
    sibling: u32,
}

impl TapTree {
    /// Builds the tree of the leaves `script(0) .. script(n - 1)`, all of leaf version 0xc0.
    ///
    /// `script` is called once for each index, from several threads in any order; it has to be a pure function.
    ///
    /// # Errors
    /// [`TapTreeError::Leaves`] for no leaves or too many.
    pub fn new<C: Verification>(
        secp: &Secp256k1<C>,
        internal_key: UntweakedPublicKey,
        shape: Shape<'_>,
        script: impl Fn(usize) -> ScriptBuf + Sync,
    ) -> Result<Self, TapTreeError> {
        let leaves = shape.leaves();
        let merges = shape.merges()?;
        let root = leaves + merges.len() - 1;
        let alone = |hash| Node {
            hash,
            parent: root as u32,
            sibling: root as u32,
        };
        let mut nodes: Vec<Node> = (0..leaves)
            .into_par_iter()
            .map(|leaf| {
                alone(TapNodeHash::from(TapLeafHash::from_script(
                    &script(leaf),
                    LeafVersion::TapScript,
                )))
            })
            .collect();
        nodes.reserve_exact(merges.len());
        for (left, right) in merges {
            let parent = nodes.len() as u32;
            let hash = TapNodeHash::from_node_hashes(nodes[left as usize].hash, nodes[right as usize].hash);
            (nodes[left as usize].parent, nodes[left as usize].sibling) = (parent, right);
            (nodes[right as usize].parent, nodes[right as usize].sibling) = (parent, left);
            nodes.push(alone(hash));
        }
        let (output_key, parity) = internal_key.tap_tweak(secp, Some(nodes[root].hash));
        Ok(Self {
            internal_key,
            output_key,
            parity,
            leaves,
            nodes,
        })
    }

    /// Number of leaves.
    pub fn leaves(&self) -> usize {
        self.leaves
    }

    /// The Merkle root.
    pub fn merkle_root(&self) -> TapNodeHash {
        self.nodes.last().expect("a tree has at least one leaf").hash
    }

    /// The internal key.
    pub fn internal_key(&self) -> UntweakedPublicKey {
        self.internal_key
    }

    /// The output key.
    pub fn output_key(&self) -> TweakedPublicKey {
        self.output_key
    }

    /// The script of an output that commits to this tree.
    pub fn script_pubkey(&self) -> ScriptBuf {
        ScriptBuf::new_p2tr_tweaked(self.output_key)
    }

    /// The hash of a leaf's script.
    ///
    /// # Errors
    /// [`TapTreeError::NoSuchLeaf`].
    pub fn leaf_hash(&self, leaf: usize) -> Result<TapLeafHash, TapTreeError> {
        self.check_index(leaf)?;
        // A leaf's node hash and leaf hash are the same 32 bytes (BIP-0341).
        Ok(TapLeafHash::from_byte_array(
            self.nodes[leaf].hash.to_byte_array(),
        ))
    }

    /// Levels between a leaf and the root.
    ///
    /// # Errors
    /// [`TapTreeError::NoSuchLeaf`].
    pub fn depth(&self, leaf: usize) -> Result<usize, TapTreeError> {
        self.check_index(leaf)?;
        Ok(self.siblings(leaf).count())
    }

    /// What the witness ends with when `leaf` is spent with `script`.
    ///
    /// # Errors
    /// [`TapTreeError::NoSuchLeaf`]; [`TapTreeError::OtherScript`] if the tree does not commit to `script` there.
    pub fn control_block(&self, leaf: usize, script: &Script) -> Result<ControlBlock, TapTreeError> {
        let expected = self.leaf_hash(leaf)?;
        let got = TapLeafHash::from_script(script, LeafVersion::TapScript);
        if got != expected {
            return Err(TapTreeError::OtherScript { leaf, expected, got });
        }
        let branch: Vec<TapNodeHash> = self.siblings(leaf).collect();
        let merkle_branch = TaprootMerkleBranch::try_from(branch).expect("shapes are at most 128 deep");
        Ok(ControlBlock {
            leaf_version: LeafVersion::TapScript,
            output_key_parity: self.parity,
            internal_key: self.internal_key,
            merkle_branch,
        })
    }

    /// Weight that spending `leaf` adds for a script of `script_bytes`: the script and the control block, each with
    /// its length.
    ///
    /// # Errors
    /// [`TapTreeError::NoSuchLeaf`].
    pub fn spend_weight(&self, leaf: usize, script_bytes: usize) -> Result<Weight, TapTreeError> {
        let control = 33 + 32 * self.depth(leaf)?;
        let bytes = [script_bytes, control].map(|length| length + bitcoin::VarInt::from(length).size());
        Ok(Weight::from_wu_usize(bytes[0] + bytes[1]))
    }

    fn check_index(&self, leaf: usize) -> Result<(), TapTreeError> {
        if leaf >= self.leaves {
            return Err(TapTreeError::NoSuchLeaf {
                leaves: self.leaves,
                got: leaf,
            });
        }
        Ok(())
    }

    /// Hashes beside the way from a leaf to the root, from the bottom up.
    fn siblings(&self, leaf: usize) -> impl Iterator<Item = TapNodeHash> + '_ {
        let root = self.nodes.len() - 1;
        let way = core::iter::successors(Some(leaf), |&node| Some(self.nodes[node].parent as usize));
        way.take_while(move |&node| node != root)
            .map(|node| self.nodes[self.nodes[node].sibling as usize].hash)
    }
}
