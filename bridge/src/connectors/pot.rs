//! `Pot`: stake and bond of one dispute, co-spent by each of its endings.
//!
//! | path | who | when |
//! | --- | --- | --- |
//! | leaf | operator and n-of-n | with an unanswered operator message's outputs: `WatchtowerLate` |
//! | leaf | watchtower and n-of-n | with a late operator message's outputs or a disprove leaf: the watchtower's wins |
//! | leaves | two preimages of one choice and the operator | `ChoiceEquivocation` |
//!
//! Every ending spends it, so a dispute ends once. A watchtower's win comes in two forms, one of which leaves the right to
//! the deposit alone; if that one needed the n-of-n only, a lying operator would send it, lose one stake and keep the
//! right to the deposit. So both forms need the watchtower's own signature. An operator's win needs the operator's: whoever
//! could send it would choose its fee tier. Nothing spends the pot by key path.

use bitcoin::secp256k1::schnorr;
use bitcoin::taproot::{LeafVersion, TaprootMerkleBranch};
use bitcoin::{Amount, ScriptBuf, TapLeafHash, TapNodeHash, TxOut, Witness, XOnlyPublicKey};

use super::policy;
use super::taproot::{LeafSpend, TaprootOutput};
use crate::dispute::EquivocationTree;
use crate::weight::{self, WitnessSize};

/// The output that holds what a dispute is about.
#[derive(Clone, Debug)]
pub struct Pot {
    output: TaprootOutput,
    win: ScriptBuf,
    late: ScriptBuf,
    equivocation: EquivocationTree,
}

impl Pot {
    /// The pot of `watchtower`'s dispute with `operator`.
    pub fn new(
        committee: XOnlyPublicKey,
        operator: XOnlyPublicKey,
        watchtower: XOnlyPublicKey,
        equivocation: EquivocationTree,
    ) -> Self {
        // The party's signature is checked first, so it lies on top of the n-of-n's.
        let win = policy::both(watchtower, committee);
        let late = policy::both(operator, committee);
        let root = TapNodeHash::from_node_hashes(wins(&win, &late), equivocation.merkle_root);
        Pot {
            output: TaprootOutput::new(committee, Some(root)),
            win,
            late,
            equivocation,
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

    /// Hash of the watchtower's leaf, for its signature and the n-of-n's.
    pub fn win_leaf(&self) -> TapLeafHash {
        TapLeafHash::from_script(&self.win, LeafVersion::TapScript)
    }

    /// A watchtower's win.
    pub fn win_witness(&self, committee: &schnorr::Signature, watchtower: &schnorr::Signature) -> Witness {
        let branch = TaprootMerkleBranch::from([node(&self.late), self.equivocation.merkle_root]);
        self.output
            .script_witness([committee.serialize(), watchtower.serialize()], &self.win, branch)
    }

    /// Size of a win's witness.
    pub fn win_witness_size(&self) -> WitnessSize {
        weight::script_path(2, 2 * weight::SIGNATURE_ITEM, self.win.len(), 2)
    }

    /// Hash of the operator's leaf, for its signature and the n-of-n's.
    pub fn operator_leaf(&self) -> TapLeafHash {
        TapLeafHash::from_script(&self.late, LeafVersion::TapScript)
    }

    /// An operator's win by a watchtower's silence.
    pub fn operator_witness(&self, committee: &schnorr::Signature, operator: &schnorr::Signature) -> Witness {
        let branch = TaprootMerkleBranch::from([node(&self.win), self.equivocation.merkle_root]);
        self.output
            .script_witness([committee.serialize(), operator.serialize()], &self.late, branch)
    }

    /// Size of the witness of an operator's win.
    pub fn operator_witness_size(&self) -> WitnessSize {
        weight::script_path(2, 2 * weight::SIGNATURE_ITEM, self.late.len(), 2)
    }

    /// An operator's win by two preimages of one choice; its signature lies on top of them.
    ///
    /// Returns `None` where the leaf lies too deep for `BIP-0341`.
    pub fn equivocation_witness(&self, leaf: &LeafSpend, operator: &schnorr::Signature) -> Option<Witness> {
        let mut branch: Vec<TapNodeHash> = leaf.branch.to_vec();
        branch.push(wins(&self.win, &self.late));
        let branch = TaprootMerkleBranch::try_from(branch).ok()?;
        let signature = operator.serialize();
        let items = leaf
            .values
            .iter()
            .map(Vec::as_slice)
            .chain(core::iter::once(signature.as_slice()));
        Some(self.output.script_witness(items, &leaf.script, branch))
    }

    /// Size of the largest equivocation witness.
    pub fn equivocation_witness_size(&self) -> WitnessSize {
        self.equivocation.witness.deeper(1)
    }
}

fn node(script: &ScriptBuf) -> TapNodeHash {
    TapNodeHash::from(TapLeafHash::from_script(script, LeafVersion::TapScript))
}

/// The node above both parties' wins.
fn wins(win: &ScriptBuf, late: &ScriptBuf) -> TapNodeHash {
    TapNodeHash::from_node_hashes(node(win), node(late))
}
