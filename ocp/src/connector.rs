//! The script trees of a dispute's outputs.
//!
//! Owns what each connector's tree holds: the leaves by which the next message spends it, and on the first connector
//! of `Open` and of `Path` the disprove leaves besides; the claim trees of the operator's nominated outpoints; and the
//! equivocation leaves of the pot. A tree is a function of public keys and leaves: both sides build it for
//! themselves and compare roots. The graph (crate `bridge`) makes outputs of them.
//!
//! What an attacker tries: to agree on an output that lacks a disprove leaf, or holds one of its own. Nobody takes a
//! tree from the other side.

use std::sync::atomic::{AtomicUsize, Ordering};

use bitcoin::key::Secp256k1;
use bitcoin::opcodes::all::{OP_CHECKSIGVERIFY, OP_PUSHNUM_1};
use bitcoin::script::Builder;
use bitcoin::secp256k1::All;
use bitcoin::taproot::{ControlBlock, TapNodeHash};
use bitcoin::{ScriptBuf, VarInt, XOnlyPublicKey};
use taptree_commit::choice::Preimage;
use taptree_commit::keys::KeysError;
use taptree_commit::taptree::{Shape, TapTree, TapTreeError};

use crate::conviction::{DisproveLeaves, LeafItems};
use crate::keyset::DisputeKeys;
use crate::message::packing::inputs;
use crate::message::{LayoutError, MessageLayout, MessageLeaf};
use crate::plan::{Message, Plan, Side};
use crate::value::ChoiceId;

/// Bytes of a Schnorr signature in a witness, with its length.
pub const SIGNATURE_BYTES: usize = 65;
/// Share of a tree's weight that its message leaves get together, as a fraction of the disprove leaves': they are the
/// likelier ones, and lie a few levels below the root.
const MESSAGE_SHARE: u32 = 4;

/// Why a tree was not built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectorError {
    /// The message leaves were not built.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A key set lacks a lock.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The tree itself.
    #[error(transparent)]
    Tree(#[from] TapTreeError),
}

/// The largest witness that a leaf may be spent with, in its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpendSize {
    /// Items and their bytes, signatures included, script and control block not.
    pub stack: LeafItems,
    /// Bytes of the script.
    pub script: usize,
    /// Levels between leaf and root.
    pub depth: usize,
}

impl SpendSize {
    /// Bytes (weight units) of the whole witness: count, items, script, control block.
    pub fn witness_bytes(&self) -> usize {
        let item = |length: usize| VarInt::from(length).size() + length;
        let count = VarInt::from(self.stack.items + 2).size();
        count + self.stack.bytes + item(self.script) + item(33 + 32 * self.depth)
    }
}

/// The tree of one connector.
#[derive(Debug, Clone)]
pub struct ConnectorTree {
    tree: TapTree,
    messages: Vec<MessageLeaf>,
    /// Bytes of each disprove leaf's script, by index.
    disprove: Vec<usize>,
    largest_disprove: Option<SpendSize>,
}

impl ConnectorTree {
    /// Builds the tree of message leaves, then disprove leaves.
    fn new(
        secp: &Secp256k1<All>,
        internal: XOnlyPublicKey,
        messages: Vec<MessageLeaf>,
        disprove: Option<&dyn DisproveLeaves>,
    ) -> Result<ConnectorTree, ConnectorError> {
        let count = disprove.map_or(0, DisproveLeaves::len);
        // Scripts are made once; their lengths are noted on the way.
        let lengths: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
        let script = |leaf: usize| match (messages.get(leaf), disprove) {
            (Some(message), _) => message.script.clone(),
            (None, Some(leaves)) => {
                let script = leaves.script(leaf - messages.len());
                lengths[leaf - messages.len()].store(script.len(), Ordering::Relaxed);
                script
            }
            (None, None) => ScriptBuf::new(),
        };
        // The heavier a leaf's witness, the shallower it lies: the largest transaction counts.
        let weight = |leaves: &dyn DisproveLeaves, i| leaves.items(i).bytes as u32;
        let mut weights: Vec<u32> = disprove
            .iter()
            .flat_map(|d| (0..count).map(|i| weight(*d, i)))
            .collect();
        let all = weights.iter().map(|&w| u64::from(w)).sum::<u64>() / u64::from(MESSAGE_SHARE);
        let each = u32::try_from(all).unwrap_or(u32::MAX) / messages.len().max(1) as u32;
        weights.splice(0..0, messages.iter().map(|_| each));
        let tree = TapTree::new(secp, internal, Shape::Weighted(&weights), script)?;
        let disprove_lengths: Vec<usize> = lengths.into_iter().map(AtomicUsize::into_inner).collect();
        let mut built = ConnectorTree {
            tree,
            messages,
            disprove: disprove_lengths,
            largest_disprove: None,
        };
        if let Some(leaves) = disprove {
            let sizes = (0..count).map(|i| built.disprove_size(i, leaves.items(i)));
            let sizes: Vec<SpendSize> = sizes.collect::<Result<_, _>>()?;
            built.largest_disprove = sizes.into_iter().max_by_key(SpendSize::witness_bytes);
        }
        Ok(built)
    }

    fn disprove_size(&self, index: usize, items: LeafItems) -> Result<SpendSize, TapTreeError> {
        let depth = self.tree.depth(self.messages.len() + index)?;
        let stack = LeafItems {
            items: items.items + 1,
            bytes: items.bytes + SIGNATURE_BYTES,
        };
        Ok(SpendSize {
            stack,
            script: self.disprove[index],
            depth,
        })
    }

    /// The Merkle root, to which the output commits.
    pub fn merkle_root(&self) -> TapNodeHash {
        self.tree.merkle_root()
    }

    /// The tree, with the n-of-n as internal key.
    pub fn tree(&self) -> &TapTree {
        &self.tree
    }

    /// The leaves by which the next message spends the connector, each to be signed by the n-of-n.
    pub fn message_leaves(&self) -> &[MessageLeaf] {
        &self.messages
    }

    /// The control block of message leaf `leaf`.
    ///
    /// # Errors
    /// [`TapTreeError::NoSuchLeaf`].
    pub fn message_control(&self, leaf: usize) -> Result<ControlBlock, TapTreeError> {
        let found = self.messages.get(leaf);
        let found = found.ok_or(TapTreeError::NoSuchLeaf {
            leaves: self.messages.len(),
            got: leaf,
        })?;
        self.tree.control_block(leaf, &found.script)
    }

    /// The largest witness of message leaf `leaf`, the n-of-n's signature included.
    ///
    /// # Errors
    /// [`TapTreeError::NoSuchLeaf`].
    pub fn message_size(&self, leaf: usize) -> Result<SpendSize, TapTreeError> {
        let found = self.messages.get(leaf);
        let found = found.ok_or(TapTreeError::NoSuchLeaf {
            leaves: self.messages.len(),
            got: leaf,
        })?;
        let stack = LeafItems {
            items: found.items + 1,
            bytes: found.bytes + SIGNATURE_BYTES,
        };
        Ok(SpendSize {
            stack,
            script: found.script.len(),
            depth: self.tree.depth(leaf)?,
        })
    }

    /// The largest witness by which the next message spends the connector; `None` if no message can.
    pub fn largest_message(&self) -> Option<SpendSize> {
        let sizes = (0..self.messages.len()).filter_map(|leaf| self.message_size(leaf).ok());
        sizes.max_by_key(SpendSize::witness_bytes)
    }

    /// Number of disprove leaves.
    pub fn disprove_leaves(&self) -> usize {
        self.disprove.len()
    }

    /// The control block of disprove leaf `index`, whose script the caller has made again.
    ///
    /// # Errors
    /// [`TapTreeError::NoSuchLeaf`]; [`TapTreeError::OtherScript`] if the tree does not commit to `script` there.
    pub fn disprove_control(&self, index: usize, script: &ScriptBuf) -> Result<ControlBlock, TapTreeError> {
        self.tree.control_block(self.messages.len() + index, script)
    }

    /// The largest witness of any disprove leaf, the watchtower's signature included; `None` if there is none.
    pub fn largest_disprove(&self) -> Option<SpendSize> {
        self.largest_disprove
    }
}

/// The disprove leaves of one dispute, by the message after which they can be spent.
#[derive(Clone, Copy)]
pub struct Disprovers<'a> {
    /// On `Open`'s first connector: all but the path leaves.
    pub open: &'a dyn DisproveLeaves,
    /// On `Path`'s connector.
    pub path: &'a dyn DisproveLeaves,
}

impl MessageLayout<'_> {
    /// The connectors that `after` creates, in order, with the leaves of the message that spends them. `Path` has one,
    /// for its disprove leaves.
    ///
    /// `internal` is the outputs' internal key, which the trees carry along: the n-of-n.
    ///
    /// # Errors
    /// [`ConnectorError`] if the keys are of another plan.
    pub fn connectors(
        &self,
        after: Message,
        internal: XOnlyPublicKey,
        disprovers: Disprovers<'_>,
    ) -> Result<Vec<ConnectorTree>, ConnectorError> {
        let secp = Secp256k1::new();
        let next = self.plan().next(after);
        let count = next.map_or(1, |next| inputs(self.plan(), next));
        let tree = |input: usize| {
            let messages = next.map_or(Ok(Vec::new()), |next| self.leaves(next, input))?;
            let disprove = match after {
                Message::Open if input == 0 => Some(disprovers.open),
                Message::Path => Some(disprovers.path),
                _ => None,
            };
            ConnectorTree::new(&secp, internal, messages, disprove)
        };
        (0..count).map(tree).collect()
    }

    /// The trees of the outpoints that the operator nominates for its kickoff, one an input, one leaf each.
    /// `internal` is the operator's key.
    ///
    /// # Errors
    /// [`ConnectorError`] if the keys are of another plan.
    pub fn claim_trees(&self, internal: XOnlyPublicKey) -> Result<Vec<ConnectorTree>, ConnectorError> {
        let secp = Secp256k1::new();
        let tree = |input| ConnectorTree::new(&secp, internal, self.leaves(Message::Kickoff, input)?, None);
        (0..inputs(self.plan(), Message::Kickoff)).map(tree).collect()
    }
}

/// The pot's leaves by which the operator takes it when the watchtower has shown two preimages of one choice: one
/// leaf a choice, in the order of [`Plan::choices`]. From the top of the stack: the operator's signature, then one item a
/// value of the choice (its preimage, or empty).
#[derive(Debug, Clone)]
pub struct EquivocationTree {
    tree: TapTree,
    scripts: Vec<(ChoiceId, ScriptBuf)>,
    values: Vec<usize>,
}

impl EquivocationTree {
    /// The leaves for the watchtower's locks in `keys`, taken by `operator`.
    ///
    /// # Errors
    /// [`ConnectorError::Keys`] if the keys are of another plan.
    pub fn new(
        plan: &Plan,
        keys: &DisputeKeys,
        operator: XOnlyPublicKey,
        internal: XOnlyPublicKey,
    ) -> Result<EquivocationTree, ConnectorError> {
        let mut scripts = Vec::new();
        let mut values = Vec::new();
        for choice in plan.choices() {
            let locks = keys.locks(Side::Watchtower, choice)?;
            let guard = Builder::new()
                .push_x_only_key(&operator)
                .push_opcode(OP_CHECKSIGVERIFY);
            let mut script = guard.into_script().into_bytes();
            script.extend(locks.equivocation_script().into_bytes());
            script.push(OP_PUSHNUM_1.to_u8());
            scripts.push((choice, ScriptBuf::from(script)));
            values.push(locks.values());
        }
        let shape = Shape::Balanced(scripts.len());
        let tree = TapTree::new(&Secp256k1::new(), internal, shape, |leaf| scripts[leaf].1.clone())?;
        Ok(EquivocationTree {
            tree,
            scripts,
            values,
        })
    }

    /// The Merkle root.
    pub fn merkle_root(&self) -> TapNodeHash {
        self.tree.merkle_root()
    }

    /// Script, items under the operator's signature (bottom first) and control block, within this tree alone, for two
    /// preimages of `choice`; `None` if they are not of two different values of it.
    pub fn spend(
        &self,
        keys: &DisputeKeys,
        choice: ChoiceId,
        preimages: (&Preimage, &Preimage),
    ) -> Option<(ScriptBuf, Vec<Vec<u8>>, ControlBlock)> {
        let leaf = self.scripts.iter().position(|(of, _)| *of == choice)?;
        let script = self.scripts[leaf].1.clone();
        let locks = keys.locks(Side::Watchtower, choice).ok()?;
        let items = locks.equivocation_witness(preimages.0, preimages.1)?;
        let control = self.tree.control_block(leaf, &script).ok()?;
        Some((script, items, control))
    }

    /// The largest witness of any leaf within this tree alone, the operator's signature included.
    pub fn largest(&self) -> SpendSize {
        let sizes =
            self.scripts
                .iter()
                .zip(&self.values)
                .enumerate()
                .map(|(leaf, ((_, script), &values))| {
                    // Two preimages with their lengths, the other items empty.
                    let bytes = 2 * 33 + (values - 2) + SIGNATURE_BYTES;
                    let stack = LeafItems {
                        items: values + 1,
                        bytes,
                    };
                    SpendSize {
                        stack,
                        script: script.len(),
                        depth: self.tree.depth(leaf).unwrap_or_default(),
                    }
                });
        sizes.max_by_key(SpendSize::witness_bytes).unwrap_or_default()
    }
}
