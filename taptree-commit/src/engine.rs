//! Runs fragments in Bitcoin Core's script engine, for the tests beside the code.

use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::opcodes::all::{OP_DEPTH, OP_EQUALVERIFY, OP_NOT};
use bitcoin::script::{Builder, PushBytesBuf, ScriptBuf};
use bitcoin::secp256k1::{Secp256k1, XOnlyPublicKey};
use bitcoin::taproot::{LeafVersion, TaprootBuilder};
use bitcoin::{Amount, OutPoint, Sequence, Transaction, TxIn, TxOut, Txid, Witness, consensus, transaction};

/// A key that nobody can sign for (the NUMS point of BIP-0341).
pub(crate) fn internal_key() -> XOnlyPublicKey {
    let bytes = [
        0x50, 0x92, 0x9b, 0x74, 0xc1, 0xa0, 0x49, 0x54, 0xb7, 0x8b, 0x4b, 0x60, 0x35, 0xe9, 0x7a, 0x5e, 0x07,
        0x8a, 0x5a, 0x0f, 0x28, 0xec, 0x96, 0xd5, 0x47, 0xbf, 0xee, 0x9a, 0xce, 0x80, 0x3a, 0xc0,
    ];
    XOnlyPublicKey::from_slice(&bytes).unwrap()
}

/// Whether an output `script_pubkey` may be spent with `witness`.
pub(crate) fn spends(script_pubkey: &ScriptBuf, witness: &[Vec<u8>]) -> bool {
    let spend = Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::new(Txid::all_zeros(), 0),
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::from_slice(witness),
        }],
        output: vec![TxOut {
            value: Amount::from_sat(1000),
            script_pubkey: ScriptBuf::new(),
        }],
    };
    let spent = bitcoinconsensus::Utxo {
        script_pubkey: script_pubkey.as_bytes().as_ptr(),
        script_pubkey_len: script_pubkey.len() as u32,
        value: 2000,
    };
    let flags = bitcoinconsensus::VERIFY_ALL_PRE_TAPROOT | bitcoinconsensus::VERIFY_TAPROOT;
    let raw = consensus::serialize(&spend);
    bitcoinconsensus::verify_with_flags(script_pubkey.as_bytes(), 2000, &raw, Some(&[spent]), 0, flags)
        .is_ok()
}

/// Whether `script` as the only leaf accepts `items` (bottom of the stack first).
pub(crate) fn accepts(script: &ScriptBuf, items: &[Vec<u8>]) -> bool {
    let secp = Secp256k1::verification_only();
    let tree = TaprootBuilder::new()
        .add_leaf(0, script.clone())
        .unwrap()
        .finalize(&secp, internal_key())
        .unwrap();
    let control = tree
        .control_block(&(script.clone(), LeafVersion::TapScript))
        .unwrap();
    let mut witness = items.to_vec();
    witness.push(script.to_bytes());
    witness.push(control.serialize());
    spends(&ScriptBuf::new_p2tr_tweaked(tree.output_key()), &witness)
}

/// Whether `fragment` turns `items` into exactly `left`, byte for byte.
pub(crate) fn leaves(fragment: &ScriptBuf, items: &[Vec<u8>], left: &[Vec<u8>]) -> bool {
    let mut script = fragment.to_bytes();
    let mut builder = Builder::new();
    for item in left.iter().rev() {
        // Not `push_int`: every item is compared as bytes, so a padded number is a difference.
        let item = PushBytesBuf::try_from(item.clone()).unwrap();
        builder = builder.push_slice(item).push_opcode(OP_EQUALVERIFY);
    }
    script.extend(
        builder
            .push_opcode(OP_DEPTH)
            .push_opcode(OP_NOT)
            .into_script()
            .to_bytes(),
    );
    accepts(&ScriptBuf::from_bytes(script), items)
}
