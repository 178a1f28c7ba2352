//! `AssetConnector_w`: the right to the deposit against watchtower w, born with a kickoff, one a watchtower.
//!
//! | path | who | when |
//! | --- | --- | --- |
//! | key | n-of-n | at once: w's win, which burns the right; in the takes, for all but the first watchtower |
//! | leaf | the operator and n-of-n | challenge period: `TakeUncontested`; longest dispute: `TakeContested`; for the first watchtower |
//! | leaf | the operator | after TakeContested's time and a margin: `Release` |
//!
//! A lying operator must not be able to bring the right past a dispute that it loses. Both takes need the right against
//! *every* watchtower, and each win of w exists in a form that spends w's; the release comes after every dispute is over.
//! Nothing that another watchtower signs spends w's right: with one right for all, a lying operator's accomplice would pin
//! its own win under a heavy child, and the honest win, a conflict, would be refused.

use bitcoin::secp256k1::schnorr;
use bitcoin::taproot::{LeafVersion, TaprootMerkleBranch};
use bitcoin::{Amount, ScriptBuf, TapLeafHash, TapNodeHash, TxOut, Witness, XOnlyPublicKey};

use super::policy;
use super::taproot::TaprootOutput;
use crate::blocks::Blocks;
use crate::transactions::Spend;
use crate::weight::{self, WitnessSize};

/// An output that carries the right to the deposit against one watchtower.
#[derive(Clone, Debug)]
pub struct AssetConnector {
    output: TaprootOutput,
    release: ScriptBuf,
    take: ScriptBuf,
    delay: Blocks,
}

impl AssetConnector {
    /// The right of `operator`, released to it after `delay`.
    pub fn new(committee: XOnlyPublicKey, operator: XOnlyPublicKey, delay: Blocks) -> Self {
        let release = policy::key_after(operator, delay);
        // The operator's signature is checked first, so it lies on top of the n-of-n's.
        let take = policy::both(operator, committee);
        let root = TapNodeHash::from_node_hashes(node(&release), node(&take));
        AssetConnector {
            output: TaprootOutput::new(committee, Some(root)),
            release,
            take,
            delay,
        }
    }

    /// The P2TR output.
    pub fn output(&self) -> &TaprootOutput {
        &self.output
    }

    /// The output holding `value`, which must pay for its own release and leave more than dust.
    pub fn txout(&self, value: Amount) -> TxOut {
        self.output.txout(value)
    }

    /// Relative lock of the release.
    pub fn release_delay(&self) -> Blocks {
        self.delay
    }

    /// Hash of the release leaf, for the operator's signature.
    pub fn release_leaf(&self) -> TapLeafHash {
        TapLeafHash::from_script(&self.release, LeafVersion::TapScript)
    }

    /// The operator's release.
    pub fn release_witness(&self, operator: &schnorr::Signature) -> Witness {
        self.output.script_witness(
            [operator.serialize()],
            &self.release,
            TaprootMerkleBranch::from([node(&self.take)]),
        )
    }

    /// Size of the release's witness.
    pub fn release_witness_size(&self) -> WitnessSize {
        weight::script_path(1, weight::SIGNATURE_ITEM, self.release.len(), 1)
    }

    /// Hash of the take leaf, for the operator's signature and the n-of-n's.
    pub fn take_leaf(&self) -> TapLeafHash {
        TapLeafHash::from_script(&self.take, LeafVersion::TapScript)
    }

    /// How a take spends the connector of watchtower `index`: the first one by the take leaf, the others by key path. The
    /// operator's one signature commits to the whole transaction.
    pub(crate) fn take_spend(&self, index: usize) -> (Spend, WitnessSize) {
        if index == 0 {
            let size = weight::script_path(2, 2 * weight::SIGNATURE_ITEM, self.take.len(), 1);
            (Spend::CommitteeLeaves(vec![self.take_leaf()]), size)
        } else {
            (Spend::CommitteeKey(self.output.merkle_root()), weight::key_path())
        }
    }

    /// A take by the take leaf.
    pub fn take_witness(&self, committee: &schnorr::Signature, operator: &schnorr::Signature) -> Witness {
        self.output.script_witness(
            [committee.serialize(), operator.serialize()],
            &self.take,
            TaprootMerkleBranch::from([node(&self.release)]),
        )
    }
}

fn node(script: &ScriptBuf) -> TapNodeHash {
    TapNodeHash::from(TapLeafHash::from_script(script, LeafVersion::TapScript))
}
