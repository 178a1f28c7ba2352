//! `MessageConnector`: an output by which one message of a dispute leads to the next.
//!
//! | path | who | when |
//! | --- | --- | --- |
//! | signed leaves | n-of-n's signature and the sender's one-time values | one block after confirmation: the answer |
//! | disprove leaves (after `Open`, `Path`) | the watchtower, with values that contradict each other | `Disprove` |
//! | key | n-of-n | the answer's deadline after confirmation: the sender of the answer is late |
//!
//! The answer's values and the n-of-n's signature lie in one witness, so a message is one transaction: nobody can publish
//! the transaction without the values or the values in another transaction.

use bitcoin::secp256k1::schnorr;
use bitcoin::{Amount, TxOut, Witness, XOnlyPublicKey};

use super::taproot::{LeafSpend, TaprootOutput};
use crate::dispute::{SignedLeaf, TreeError, TreeSpec};
use crate::weight::WitnessSize;

/// One output of a message.
#[derive(Clone, Debug)]
pub struct MessageConnector {
    output: TaprootOutput,
    tree: TreeSpec,
}

impl MessageConnector {
    /// The output with this tree.
    ///
    /// # Errors
    ///
    /// [`TreeError`] unless every signed leaf is guarded by `committee` and lies under the root.
    pub fn new(committee: XOnlyPublicKey, tree: TreeSpec) -> Result<Self, TreeError> {
        tree.check(committee)?;
        Ok(MessageConnector {
            output: TaprootOutput::new(committee, Some(tree.merkle_root)),
            tree,
        })
    }

    /// The P2TR output.
    pub fn output(&self) -> &TaprootOutput {
        &self.output
    }

    /// The output holding `value`.
    pub fn txout(&self, value: Amount) -> TxOut {
        self.output.txout(value)
    }

    /// The leaves that the n-of-n signs.
    pub fn leaves(&self) -> &[SignedLeaf] {
        &self.tree.leaves
    }

    /// Size of the largest witness of an answer.
    ///
    /// # Errors
    ///
    /// [`TreeError::NoLeaf`] where no message can answer.
    pub fn answer_witness_size(&self) -> Result<WitnessSize, TreeError> {
        self.tree.message_witness_size()
    }

    /// Size of the largest disprove witness, if there are disprove leaves.
    pub fn disprove_witness_size(&self) -> Option<WitnessSize> {
        self.tree.disprove
    }

    /// The answer by leaf `leaf`; `None` if there is no such leaf.
    pub fn answer_witness(
        &self,
        leaf: usize,
        values: &[Vec<u8>],
        committee: &schnorr::Signature,
    ) -> Option<Witness> {
        Some(
            self.output
                .signed_leaf_witness(self.tree.leaves.get(leaf)?, values, committee),
        )
    }

    /// The watchtower's disprove leaf; its signature lies beneath the values.
    pub fn disprove_witness(&self, leaf: &LeafSpend, watchtower: &schnorr::Signature) -> Witness {
        let signature = watchtower.serialize();
        let values = leaf.values.iter().map(Vec::as_slice);
        let items = core::iter::once(signature.as_slice()).chain(values);
        self.output
            .script_witness(items, &leaf.script, leaf.branch.clone())
    }
}
