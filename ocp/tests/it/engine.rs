//! Spends message inputs in Bitcoin Core's script engine.

use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::key::{Keypair, Secp256k1};
use bitcoin::secp256k1::{Message as Digest, SecretKey, XOnlyPublicKey};
use bitcoin::sighash::{Prevouts, SighashCache, TapSighashType};
use bitcoin::taproot::{LeafVersion, TaprootBuilder};
use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, TapLeafHash, Transaction, TxIn, TxOut, Txid, Witness, consensus,
    transaction,
};

/// The key that stands for the n-of-n.
pub(crate) fn committee() -> Keypair {
    let secret = SecretKey::from_slice(&[0x42; 32]).unwrap();
    Keypair::from_secret_key(&Secp256k1::new(), &secret)
}

/// One input to spend: its leaf and the items under the n-of-n's signature.
pub(crate) struct Spend {
    pub(crate) script: ScriptBuf,
    pub(crate) items: Vec<Vec<u8>>,
}

fn tree(script: &ScriptBuf, internal: XOnlyPublicKey) -> bitcoin::taproot::TaprootSpendInfo {
    let secp = Secp256k1::new();
    TaprootBuilder::new()
        .add_leaf(0, script.clone())
        .unwrap()
        .finalize(&secp, internal)
        .unwrap()
}

/// The watchtower's key.
pub(crate) fn watchtower() -> Keypair {
    let secret = SecretKey::from_slice(&[0x43; 32]).unwrap();
    Keypair::from_secret_key(&Secp256k1::new(), &secret)
}

/// A leaf to spend out of a given output, its signature at the bottom or on top of the items.
pub(crate) struct LeafSpend {
    pub(crate) script_pubkey: ScriptBuf,
    pub(crate) script: ScriptBuf,
    pub(crate) items: Vec<Vec<u8>>,
    pub(crate) control: Vec<u8>,
    pub(crate) key: Keypair,
    pub(crate) signature_on_top: bool,
}

impl LeafSpend {
    /// Whether consensus accepts the spend, and the bytes of its witness.
    pub(crate) fn accepts(&self) -> (bool, usize) {
        let prevout = TxOut {
            value: Amount::from_sat(10_000),
            script_pubkey: self.script_pubkey.clone(),
        };
        let mut tx = transaction(1);
        let leaf = TapLeafHash::from_script(&self.script, LeafVersion::TapScript);
        let prevouts = [prevout];
        let sighash = SighashCache::new(&tx)
            .taproot_script_spend_signature_hash(0, &Prevouts::All(&prevouts), leaf, TapSighashType::Default)
            .unwrap();
        let digest = Digest::from_digest(sighash.to_byte_array());
        let signature = Secp256k1::new()
            .sign_schnorr_no_aux_rand(&digest, &self.key)
            .serialize()
            .to_vec();
        let mut items = self.items.clone();
        let at = if self.signature_on_top { items.len() } else { 0 };
        items.insert(at, signature);
        items.push(self.script.to_bytes());
        items.push(self.control.clone());
        tx.input[0].witness = Witness::from_slice(&items);
        (
            verify(&tx, &prevouts, 0),
            consensus::serialize(&tx.input[0].witness).len(),
        )
    }
}

fn transaction(inputs: u32) -> Transaction {
    Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: (0..inputs)
            .map(|vout| TxIn {
                previous_output: OutPoint::new(Txid::from_byte_array([7; 32]), vout),
                script_sig: ScriptBuf::new(),
                sequence: Sequence::from_height(1),
                witness: Witness::new(),
            })
            .collect(),
        output: vec![TxOut {
            value: Amount::from_sat(1_000),
            script_pubkey: ScriptBuf::new(),
        }],
    }
}

/// Whether consensus accepts input `index`.
fn verify(tx: &Transaction, prevouts: &[TxOut], index: usize) -> bool {
    let raw = consensus::serialize(tx);
    let spent: Vec<_> = prevouts
        .iter()
        .map(|out| bitcoinconsensus::Utxo {
            script_pubkey: out.script_pubkey.as_bytes().as_ptr(),
            script_pubkey_len: out.script_pubkey.len() as u32,
            value: out.value.to_sat() as i64,
        })
        .collect();
    let flags = bitcoinconsensus::VERIFY_ALL_PRE_TAPROOT | bitcoinconsensus::VERIFY_TAPROOT;
    let out = &prevouts[index];
    let script = out.script_pubkey.as_bytes();
    bitcoinconsensus::verify_with_flags(script, out.value.to_sat(), &raw, Some(&spent), index, flags).is_ok()
}

/// Signs one transaction that spends all `inputs` and says for each whether consensus accepts it.
pub(crate) fn accepts(inputs: &[Spend]) -> Vec<bool> {
    let secp = Secp256k1::new();
    let key = committee();
    let internal = key.x_only_public_key().0;
    let prevouts: Vec<TxOut> = inputs
        .iter()
        .map(|spend| TxOut {
            value: Amount::from_sat(10_000),
            script_pubkey: ScriptBuf::new_p2tr_tweaked(tree(&spend.script, internal).output_key()),
        })
        .collect();
    let mut tx = transaction(inputs.len() as u32);
    for (index, spend) in inputs.iter().enumerate() {
        let leaf = TapLeafHash::from_script(&spend.script, LeafVersion::TapScript);
        let sighash = SighashCache::new(&tx)
            .taproot_script_spend_signature_hash(
                index,
                &Prevouts::All(&prevouts),
                leaf,
                TapSighashType::Default,
            )
            .unwrap();
        let signature = secp.sign_schnorr_no_aux_rand(&Digest::from_digest(sighash.to_byte_array()), &key);
        let mut witness = Witness::from_slice(&spend.items);
        witness.push(signature.serialize());
        witness.push(&spend.script);
        let control = tree(&spend.script, internal);
        witness.push(
            control
                .control_block(&(spend.script.clone(), LeafVersion::TapScript))
                .unwrap()
                .serialize(),
        );
        tx.input[index].witness = witness;
    }
    (0..inputs.len())
        .map(|index| verify(&tx, &prevouts, index))
        .collect()
}
