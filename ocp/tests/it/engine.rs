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
    let mut tx = Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: (0..inputs.len() as u32)
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
    };
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
    let raw = consensus::serialize(&tx);
    let spent: Vec<_> = prevouts
        .iter()
        .map(|out| bitcoinconsensus::Utxo {
            script_pubkey: out.script_pubkey.as_bytes().as_ptr(),
            script_pubkey_len: out.script_pubkey.len() as u32,
            value: out.value.to_sat() as i64,
        })
        .collect();
    let flags = bitcoinconsensus::VERIFY_ALL_PRE_TAPROOT | bitcoinconsensus::VERIFY_TAPROOT;
    let verify = |index: usize| {
        let out = &prevouts[index];
        let script = out.script_pubkey.as_bytes();
        bitcoinconsensus::verify_with_flags(script, out.value.to_sat(), &raw, Some(&spent), index, flags)
            .is_ok()
    };
    (0..inputs.len()).map(verify).collect()
}
