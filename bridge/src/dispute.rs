//! What the transaction graph needs to know of a dispute: its messages in order and the script trees they spend.
//!
//! The contents of the leaves (one-time signatures, choices, disprove checks) belong to crate `ocp`; the graph only
//! needs roots, the leaves that the n-of-n must sign, and bounds on witnesses, from which it computes every fee. The
//! trees are a function of public one-time keys, so every signer computes them for itself.
//!
//! An attacker who could slip in a leaf of his own would own the output. So [`TreeSpec::check`] recomputes the root
//! from every leaf that the n-of-n signs, and each such leaf must begin with the n-of-n's `OP_CHECKSIGVERIFY`.

use bitcoin::opcodes::all::OP_CHECKSIGVERIFY;
use bitcoin::script::Instruction;
use bitcoin::taproot::{LeafVersion, TaprootMerkleBranch};
use bitcoin::{ScriptBuf, TapLeafHash, TapNodeHash, XOnlyPublicKey};
use ocp::{Message, Plan};

use crate::keys::OneTimeId;
use crate::weight::{self, WitnessSize};

/// Most elements that stack and altstack may hold together at any time (consensus).
pub const MAX_STACK_ITEMS: usize = 1_000;

/// Whether a disprove leaf can be played on the outputs of `message`.
pub fn can_be_disproved(message: Message) -> bool {
    matches!(message, Message::Open | Message::Path)
}

/// Whether the operator can hold two preimages of one choice while `message` is the last confirmed one. The second
/// preimage may have been seen in a mempool only, so the state before the choice's own message counts.
pub fn can_equivocate(message: Message) -> bool {
    !matches!(message, Message::Kickoff | Message::Challenge)
}

/// The messages of one watchtower's dispute, [`Message::Challenge`] first.
pub fn dispute_messages(plan: &Plan) -> impl Iterator<Item = Message> + '_ {
    core::iter::successors(Some(Message::Challenge), |message| plan.next(*message))
}

/// Bound on the one-time values that a leaf takes from the witness: signature, script and control block not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ValuesBound {
    /// Number of stack items.
    pub items: usize,
    /// Bytes of all items, each with its length prefix.
    pub bytes: usize,
}

/// A leaf that the n-of-n signs in advance: it begins with the n-of-n's `OP_CHECKSIGVERIFY`, then checks one-time values.
#[derive(Clone, Debug)]
pub struct SignedLeaf {
    /// The tapscript.
    pub script: ScriptBuf,
    /// Its way to the root, leaf first.
    pub branch: TaprootMerkleBranch,
    /// What it takes from the witness.
    pub values: ValuesBound,
}

impl SignedLeaf {
    /// The leaf's hash (`BIP-0341`).
    pub fn leaf_hash(&self) -> TapLeafHash {
        TapLeafHash::from_script(&self.script, LeafVersion::TapScript)
    }

    /// Size of the witness that spends it, at most.
    pub fn witness_size(&self) -> WitnessSize {
        // Values, the n-of-n's signature, the script, the control block.
        weight::script_path(
            self.values.items + 1,
            self.values.bytes + weight::SIGNATURE_ITEM,
            self.script.len(),
            self.branch.len(),
        )
    }
}

/// The script tree of one output: its root, the leaves that the n-of-n signs, and room for leaves that it does not.
#[derive(Clone, Debug)]
pub struct TreeSpec {
    /// The root.
    pub merkle_root: TapNodeHash,
    /// The leaves that the n-of-n signs; the index is the leaf's number in signature identifiers.
    pub leaves: Vec<SignedLeaf>,
    /// Size of the largest witness of a disprove leaf, if the tree has such leaves.
    pub disprove: Option<WitnessSize>,
}

impl TreeSpec {
    /// Checks that each signed leaf lies under the root, begins with `committee`'s `OP_CHECKSIGVERIFY` and fits the stack.
    ///
    /// # Errors
    ///
    /// [`TreeError`], with the leaf's number.
    pub fn check(&self, committee: XOnlyPublicKey) -> Result<(), TreeError> {
        if self.leaves.is_empty() && self.disprove.is_none() {
            return Err(TreeError::NoLeaf);
        }
        for (index, leaf) in self.leaves.iter().enumerate() {
            if !begins_with_checksigverify(&leaf.script, committee) {
                return Err(TreeError::NotGuarded { leaf: index });
            }
            let got = root_of(TapNodeHash::from(leaf.leaf_hash()), &leaf.branch);
            if got != self.merkle_root {
                return Err(TreeError::NotUnderRoot {
                    leaf: index,
                    expected: self.merkle_root,
                    got,
                });
            }
            // The n-of-n's signature, and its key, which the script pushes before it drops either.
            let items = leaf.values.items + 2;
            if items > MAX_STACK_ITEMS {
                return Err(TreeError::TooManyItems {
                    leaf: index,
                    limit: MAX_STACK_ITEMS,
                    got: items,
                });
            }
        }
        Ok(())
    }

    /// Size of the largest witness by which a message spends the output.
    ///
    /// # Errors
    ///
    /// [`TreeError::NoLeaf`] where no message can spend it.
    pub fn message_witness_size(&self) -> Result<WitnessSize, TreeError> {
        self.leaves
            .iter()
            .map(SignedLeaf::witness_size)
            .max()
            .ok_or(TreeError::NoLeaf)
    }
}

/// The root that `branch` leads to from `node` (`BIP-0341`: each step hashes the pair in lexicographic order).
pub fn root_of(node: TapNodeHash, branch: &TaprootMerkleBranch) -> TapNodeHash {
    branch.iter().fold(node, |node, sibling| {
        TapNodeHash::from_node_hashes(node, *sibling)
    })
}

fn begins_with_checksigverify(script: &ScriptBuf, key: XOnlyPublicKey) -> bool {
    let mut instructions = script.instructions();
    let pushes_key = matches!(
        instructions.next(),
        Some(Ok(Instruction::PushBytes(bytes))) if bytes.as_bytes() == key.serialize()
    );
    pushes_key && matches!(instructions.next(), Some(Ok(Instruction::Op(OP_CHECKSIGVERIFY))))
}

/// The equivocation leaves of one watchtower's pot: two preimages of one choice and the operator's signature.
#[derive(Clone, Copy, Debug)]
pub struct EquivocationTree {
    /// Root of all equivocation leaves.
    pub merkle_root: TapNodeHash,
    /// Size of the largest witness of such a leaf *within its own tree*; the pot adds one level.
    pub witness: WitnessSize,
}

/// The trees of a claim and of its disputes, computed from public one-time keys. Implemented by crate `ocp`'s side and by test doubles.
///
/// Determinism: equal public parameters give equal trees, whoever computes them; the graph's identity depends on it.
pub trait DisputeTrees: Sync {
    /// Shape of each dispute.
    fn plan(&self) -> &Plan;

    /// Trees of the operator's nominated outpoints, one an input of the kickoff, each with one signed leaf.
    fn claim(&self) -> Vec<TreeSpec>;

    /// Trees of the outputs that `after` creates in `watchtower`'s dispute, in order. The next message spends them all by
    /// signed leaves; the outputs of [`Message::Open`] and [`Message::Path`] also hold disprove leaves, on the first.
    fn connectors(&self, watchtower: usize, after: Message) -> Vec<TreeSpec>;

    /// The equivocation leaves of `watchtower`'s pot.
    fn equivocation(&self, watchtower: usize) -> EquivocationTree;

    /// What of the one-time keys no other graph may use; signers remember it.
    fn one_time(&self) -> Vec<OneTimeId>;
}

/// What is wrong with a script tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// No leaf can spend the output.
    #[error("expected a tree with at least one leaf, got none")]
    NoLeaf,
    /// A leaf does not begin with the n-of-n's check.
    #[error("leaf {leaf}: expected the n-of-n's OP_CHECKSIGVERIFY first")]
    NotGuarded {
        /// The leaf's number.
        leaf: usize,
    },
    /// A leaf is not in the tree.
    #[error("leaf {leaf}: expected root {expected}, got {got}")]
    NotUnderRoot {
        /// The leaf's number.
        leaf: usize,
        /// The tree's root.
        expected: TapNodeHash,
        /// Where the leaf's branch leads.
        got: TapNodeHash,
    },
    /// A leaf takes more items than the stack may hold.
    #[error("leaf {leaf}: expected at most {limit} stack items, got {got}")]
    TooManyItems {
        /// The leaf's number.
        leaf: usize,
        /// The limit.
        limit: usize,
        /// The items.
        got: usize,
    },
}
