//! Runs a leaf in Bitcoin Core's own script engine (`bitcoinconsensus`), as the only leaf of a P2TR output.
//!
//! For tests only: this crate's and, with the feature `testing`, those of the crates that write leaves.

use bitcoin::absolute::LockTime;
use bitcoin::consensus::encode::serialize;
use bitcoin::hashes::Hash;
use bitcoin::key::{Keypair, TweakedPublicKey};
use bitcoin::opcodes::all as op;
use bitcoin::secp256k1::{Message, Secp256k1};
use bitcoin::sighash::{Prevouts, SighashCache};
use bitcoin::taproot::{LeafVersion, TapLeafHash, TaprootBuilder};
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, OutPoint, Script, ScriptBuf, Sequence, TapSighashType, Transaction, TxIn, TxOut, Txid, Witness,
    XOnlyPublicKey,
};

/// Why the engine (or the harness before it) refused a spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A witness item exceeds the 80 bytes that policy allows, or the script holds what cannot be decoded.
    Policy(String),
    /// Consensus refused.
    Consensus(String),
}

/// The point without known logarithm of BIP-0341, the internal key of every test output.
fn unspendable_key() -> XOnlyPublicKey {
    let bytes = [
        0x50, 0x92, 0x9b, 0x74, 0xc1, 0xa0, 0x49, 0x54, 0xb7, 0x8b, 0x4b, 0x60, 0x35, 0xe9, 0x7a, 0x5e, 0x07,
        0x8a, 0x5a, 0x0f, 0x28, 0xec, 0x96, 0xd5, 0x47, 0xbf, 0xee, 0x9a, 0xce, 0x80, 0x3a, 0xc0,
    ];
    XOnlyPublicKey::from_slice(&bytes).expect("a constant of BIP-0341")
}

/// Spends a leaf with a witness stack, deepest item first; signatures are not involved.
///
/// # Errors
/// [`Refusal`] if the spend is invalid.
pub fn run(script: &Script, witness: &[Vec<u8>]) -> Result<(), Refusal> {
    run_signed(script, witness, None)
}

/// Spends a leaf whose deepest witness item is a signature of `signer`, made here.
///
/// # Errors
/// [`Refusal`] if the spend is invalid.
pub fn run_signed(script: &Script, witness: &[Vec<u8>], signer: Option<&Keypair>) -> Result<(), Refusal> {
    if let Some(long) = witness.iter().find(|item| item.len() > 80) {
        return Err(Refusal::Policy(format!("witness item of {} bytes", long.len())));
    }
    for instruction in script.instructions_minimal() {
        instruction.map_err(|e| Refusal::Policy(e.to_string()))?;
    }
    let secp = Secp256k1::new();
    let spend = TaprootBuilder::new()
        .add_leaf(0, script.to_owned())
        .expect("one leaf at depth 0 is a tree")
        .finalize(&secp, unspendable_key())
        .expect("the tree is complete");
    let key: TweakedPublicKey = spend.output_key();
    let spent = TxOut {
        value: Amount::from_sat(1_000_000),
        script_pubkey: ScriptBuf::new_p2tr_tweaked(key),
    };
    let control = spend
        .control_block(&(script.to_owned(), LeafVersion::TapScript))
        .expect("the leaf is in its own tree")
        .serialize();
    let mut tx = Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::new(Txid::from_byte_array([7; 32]), 0),
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::new(),
        }],
        output: vec![TxOut {
            value: Amount::from_sat(900_000),
            script_pubkey: ScriptBuf::from_bytes(vec![op::OP_PUSHNUM_1.to_u8()]),
        }],
    };
    let mut items: Vec<Vec<u8>> = Vec::with_capacity(witness.len() + 3);
    if let Some(pair) = signer {
        let leaf = TapLeafHash::from_script(script, LeafVersion::TapScript);
        let hash = SighashCache::new(&tx)
            .taproot_script_spend_signature_hash(0, &Prevouts::All(&[&spent]), leaf, TapSighashType::Default)
            .expect("input 0 exists");
        let signature = secp.sign_schnorr_no_aux_rand(&Message::from_digest(hash.to_byte_array()), pair);
        items.push(signature.serialize().to_vec());
    }
    items.extend(witness.iter().cloned());
    items.push(script.to_bytes());
    items.push(control);
    tx.input[0].witness = Witness::from_slice(&items);

    let output_script = spent.script_pubkey.as_bytes();
    let utxo = bitcoinconsensus::Utxo {
        script_pubkey: output_script.as_ptr(),
        script_pubkey_len: output_script.len() as u32,
        value: spent.value.to_sat() as i64,
    };
    bitcoinconsensus::verify_with_flags(
        output_script,
        spent.value.to_sat(),
        &serialize(&tx),
        Some(&[utxo]),
        0,
        bitcoinconsensus::VERIFY_ALL_PRE_TAPROOT | bitcoinconsensus::VERIFY_TAPROOT,
    )
    .map_err(|e| Refusal::Consensus(format!("{e:?}")))
}

/// A number as a minimal script number, for witness stacks.
pub fn number(n: i64) -> Vec<u8> {
    let mut buffer = [0; 8];
    let len = bitcoin::script::write_scriptint(&mut buffer, n);
    buffer[..len].to_vec()
}

/// The nibbles of bytes as witness items, the first one deepest.
pub fn nibbles(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes
        .iter()
        .flat_map(|b| [b >> 4, b & 15])
        .map(|n| number(n.into()))
        .collect()
}

/// The nibbles of a word as witness items, the most significant one deepest.
pub fn word(value: u32) -> Vec<Vec<u8>> {
    nibbles(&value.to_be_bytes())
}
