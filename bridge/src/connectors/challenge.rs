//! `ChallengeConnector`: one watchtower's door to a dispute, holding an operator stake of its own.
//!
//! | path | who | when |
//! | --- | --- | --- |
//! | key | n-of-n | at once with the bond: `Challenge_w`; after the challenge period with all other connectors: `TakeUncontested` |
//! | leaf | the operator | after the challenge period: `Close_w` |
//!
//! Closing needs the operator's own signature and is not presigned: a presigned one could be sent by any member at the end
//! of the challenge period, which would void `TakeUncontested` at no cost and make the operator wait for `TakeContested`.

use bitcoin::secp256k1::schnorr;
use bitcoin::taproot::{LeafVersion, TaprootMerkleBranch};
use bitcoin::{Amount, ScriptBuf, TapLeafHash, TapNodeHash, TxOut, Witness, XOnlyPublicKey};

use super::policy;
use super::taproot::TaprootOutput;
use crate::blocks::Blocks;
use crate::weight::{self, WitnessSize};

/// The output that one watchtower challenges through.
#[derive(Clone, Debug)]
pub struct ChallengeConnector {
    output: TaprootOutput,
    close: ScriptBuf,
    period: Blocks,
}

impl ChallengeConnector {
    /// A connector that `operator` can close after `period`.
    pub fn new(committee: XOnlyPublicKey, operator: XOnlyPublicKey, period: Blocks) -> Self {
        let close = policy::key_after(operator, period);
        let leaf = TapLeafHash::from_script(&close, LeafVersion::TapScript);
        ChallengeConnector {
            output: TaprootOutput::new(committee, Some(TapNodeHash::from(leaf))),
            close,
            period,
        }
    }

    /// The P2TR output.
    pub fn output(&self) -> &TaprootOutput {
        &self.output
    }

    /// The output holding `stake`.
    pub fn txout(&self, stake: Amount) -> TxOut {
        self.output.txout(stake)
    }

    /// Relative lock of the close.
    pub fn close_delay(&self) -> Blocks {
        self.period
    }

    /// Hash of the close leaf, for the operator's signature.
    pub fn close_leaf(&self) -> TapLeafHash {
        TapLeafHash::from_script(&self.close, LeafVersion::TapScript)
    }

    /// The operator's close.
    pub fn close_witness(&self, operator: &schnorr::Signature) -> Witness {
        self.output.script_witness(
            [operator.serialize()],
            &self.close,
            TaprootMerkleBranch::default(),
        )
    }

    /// Size of the close's witness.
    pub fn close_witness_size(&self) -> WitnessSize {
        weight::script_path(1, weight::SIGNATURE_ITEM, self.close.len(), 0)
    }
}
