//! `DepositRequestConnector`: what a user pays to ask for a deposit.
//!
//! | path | who | when |
//! | --- | --- | --- |
//! | key | n-of-n | one block after confirmation, signed last of all (`Deposit`) |
//! | leaf | the user | the refund delay after confirmation (`Refund`) |
//!
//! An attacker would stall the signing to lock the user's money: after the delay the user takes it back alone.

use bitcoin::secp256k1::schnorr;
use bitcoin::taproot::{LeafVersion, TaprootMerkleBranch};
use bitcoin::{Amount, ScriptBuf, TapLeafHash, TapNodeHash, TxOut, Witness, XOnlyPublicKey};

use super::policy;
use super::taproot::TaprootOutput;
use crate::blocks::Blocks;
use crate::weight::{self, WitnessSize};

/// The output that asks for a deposit.
#[derive(Clone, Debug)]
pub struct DepositRequestConnector {
    output: TaprootOutput,
    refund: ScriptBuf,
    delay: Blocks,
}

impl DepositRequestConnector {
    /// The output for `committee`, refundable to `user` after `delay`.
    pub fn new(committee: XOnlyPublicKey, user: XOnlyPublicKey, delay: Blocks) -> Self {
        let refund = policy::key_after(user, delay);
        let leaf = TapLeafHash::from_script(&refund, LeafVersion::TapScript);
        DepositRequestConnector {
            output: TaprootOutput::new(committee, Some(TapNodeHash::from(leaf))),
            refund,
            delay,
        }
    }

    /// The P2TR output.
    pub fn output(&self) -> &TaprootOutput {
        &self.output
    }

    /// The output holding `value`.
    pub fn txout(&self, value: Amount) -> TxOut {
        self.output.txout(value)
    }

    /// The relative lock of the refund.
    pub fn refund_delay(&self) -> Blocks {
        self.delay
    }

    /// Hash of the refund leaf, for the user's signature.
    pub fn refund_leaf(&self) -> TapLeafHash {
        TapLeafHash::from_script(&self.refund, LeafVersion::TapScript)
    }

    /// The user's refund.
    pub fn refund_witness(&self, user: &schnorr::Signature) -> Witness {
        self.output
            .script_witness([user.serialize()], &self.refund, TaprootMerkleBranch::default())
    }

    /// Size of the refund's witness.
    pub fn refund_witness_size(&self) -> WitnessSize {
        weight::script_path(1, weight::SIGNATURE_ITEM, self.refund.len(), 0)
    }
}
