//! A P2TR output with its internal key and tree: what all connectors are made of (`BIP-0341`).

use std::sync::LazyLock;

use bitcoin::key::TapTweak;
use bitcoin::secp256k1::{All, Parity, Secp256k1, schnorr};
use bitcoin::taproot::{ControlBlock, LeafVersion, TaprootMerkleBranch};
use bitcoin::{Amount, ScriptBuf, TapNodeHash, TxOut, Witness, XOnlyPublicKey};

use crate::dispute::SignedLeaf;

/// One context for the whole crate; it is read-only after creation.
pub(crate) static SECP: LazyLock<Secp256k1<All>> = LazyLock::new(Secp256k1::new);

/// A P2TR output: internal key, tree, output key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaprootOutput {
    internal_key: XOnlyPublicKey,
    merkle_root: Option<TapNodeHash>,
    output_key: XOnlyPublicKey,
    parity: Parity,
    script_pubkey: ScriptBuf,
}

impl TaprootOutput {
    /// The output of `internal_key` and the tree under `merkle_root`.
    pub fn new(internal_key: XOnlyPublicKey, merkle_root: Option<TapNodeHash>) -> Self {
        let (output_key, parity) = internal_key.tap_tweak(&*SECP, merkle_root);
        TaprootOutput {
            internal_key,
            merkle_root,
            output_key: output_key.to_x_only_public_key(),
            parity,
            script_pubkey: ScriptBuf::new_p2tr_tweaked(output_key),
        }
    }

    /// Root of the script tree, if there is one.
    pub fn merkle_root(&self) -> Option<TapNodeHash> {
        self.merkle_root
    }

    /// The key that key path signatures verify under.
    pub fn output_key(&self) -> XOnlyPublicKey {
        self.output_key
    }

    /// The script that pays the output.
    pub fn script_pubkey(&self) -> ScriptBuf {
        self.script_pubkey.clone()
    }

    /// The output holding `value`.
    pub fn txout(&self, value: Amount) -> TxOut {
        TxOut {
            value,
            script_pubkey: self.script_pubkey(),
        }
    }

    /// The control block of a leaf at the end of `branch`.
    pub fn control_block(&self, branch: TaprootMerkleBranch) -> ControlBlock {
        ControlBlock {
            leaf_version: LeafVersion::TapScript,
            output_key_parity: self.parity,
            internal_key: self.internal_key,
            merkle_branch: branch,
        }
    }

    /// Witness of a script path spend: `items` bottom first, then script and control block.
    pub fn script_witness<I>(&self, items: I, script: &ScriptBuf, branch: TaprootMerkleBranch) -> Witness
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        let mut witness = Witness::new();
        for element in items {
            witness.push(element);
        }
        witness.push(script.as_bytes());
        witness.push(self.control_block(branch).serialize());
        witness
    }

    /// Witness of a leaf that the n-of-n signed: one-time values (bottom first), the n-of-n's signature on top.
    pub(crate) fn signed_leaf_witness(
        &self,
        leaf: &SignedLeaf,
        values: &[Vec<u8>],
        committee: &schnorr::Signature,
    ) -> Witness {
        let signature = committee.serialize();
        let items = values
            .iter()
            .map(Vec::as_slice)
            .chain(core::iter::once(signature.as_slice()));
        self.script_witness(items, &leaf.script, leaf.branch.clone())
    }
}

/// A leaf outside the n-of-n's leaves (disprove, equivocation) with the values that satisfy it.
#[derive(Clone, Debug)]
pub struct LeafSpend {
    /// The tapscript.
    pub script: ScriptBuf,
    /// Its way to the root of the tree that `ocp` built, leaf first.
    pub branch: TaprootMerkleBranch,
    /// One-time values and preimages, bottom of the stack first, without the party's own signature.
    pub values: Vec<Vec<u8>>,
}

/// Witness of a key path spend under `SIGHASH_DEFAULT`.
pub(crate) fn key_path_witness(signature: &schnorr::Signature) -> Witness {
    let mut witness = Witness::new();
    witness.push(signature.serialize());
    witness
}

/// The script of an output that `key` alone spends by key path (`BIP-0086`).
pub fn own_signature_script(key: XOnlyPublicKey) -> ScriptBuf {
    TaprootOutput::new(key, None).script_pubkey()
}
