//! `ClaimOutpoint`: an outpoint that an operator nominates for a kickoff, before the graph is signed.
//!
//! | path | who | when |
//! | --- | --- | --- |
//! | key | the operator | at any time: it gives the claim up |
//! | leaf | n-of-n's signature and the operator's one-time signature of claim words | `Kickoff` |
//!
//! Only the operator can start a kickoff, since only it has the one-time keys; and it can start only the kickoff that the
//! n-of-n signed. Claims that can be live together never share such an outpoint, or one kickoff would void the other.

use bitcoin::secp256k1::schnorr;
use bitcoin::{Amount, TxOut, Witness, XOnlyPublicKey};

use super::taproot::TaprootOutput;
use crate::dispute::{SignedLeaf, TreeError, TreeSpec};

/// A nominated outpoint of the operator.
#[derive(Clone, Debug)]
pub struct ClaimOutpoint {
    output: TaprootOutput,
    leaf: SignedLeaf,
}

impl ClaimOutpoint {
    /// The outpoint of `operator` with its claim leaf.
    ///
    /// # Errors
    ///
    /// [`TreeError`] unless the tree has a leaf that `committee` guards.
    pub fn new(
        committee: XOnlyPublicKey,
        operator: XOnlyPublicKey,
        tree: TreeSpec,
    ) -> Result<Self, TreeError> {
        tree.check(committee)?;
        let output = TaprootOutput::new(operator, Some(tree.merkle_root));
        let leaf = tree.leaves.into_iter().next().ok_or(TreeError::NoLeaf)?;
        Ok(ClaimOutpoint { output, leaf })
    }

    /// The P2TR output.
    pub fn output(&self) -> &TaprootOutput {
        &self.output
    }

    /// The output holding `value`.
    pub fn txout(&self, value: Amount) -> TxOut {
        self.output.txout(value)
    }

    /// The claim leaf.
    pub fn leaf(&self) -> &SignedLeaf {
        &self.leaf
    }

    /// Spends it by the claim leaf.
    pub fn claim_witness(&self, values: &[Vec<u8>], committee: &schnorr::Signature) -> Witness {
        self.output.signed_leaf_witness(&self.leaf, values, committee)
    }
}
