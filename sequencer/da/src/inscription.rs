//! Bytes in a witness: the envelope `OP_FALSE OP_IF "tag" bytes… OP_ENDIF` in a tapscript, which is never executed.
//!
//! [`read`] is total and bounded: any witness gives some bytes or none. It looks for the first envelope with the tag in the
//! leaf script (leaf version 0xc0), an annex or not; pushes of any form count, anything else before `OP_ENDIF` makes it none,
//! and more than the given number of bytes as well. That the input spends a P2TR output is not looked at: for a batch the
//! output is named by its `Commit`, for a message it does not matter who paid for the bytes.
//!
//! An [`Inscription`] is an output that is spent by such a leaf only: its internal key is nobody's, so whoever spends it, and
//! be it the poster that wants its coins back, shows the bytes.

use bitcoin::opcodes::all::{OP_CHECKSIG, OP_ENDIF, OP_IF};
use bitcoin::script::{Builder, Instruction, PushBytesBuf};
use bitcoin::secp256k1::schnorr;
use bitcoin::taproot::{LeafVersion, TaprootMerkleBranch};
use bitcoin::{Amount, ScriptBuf, TapLeafHash, TapNodeHash, TxOut, Witness, XOnlyPublicKey};
use bridge::connectors::TaprootOutput;
use bridge::weight::{self, WitnessSize};

use crate::connector::nobodys_key;

/// Marks an envelope and says what it holds.
pub type Tag = [u8; 4];

/// A part of a batch.
pub const BATCH_TAG: Tag = *b"TAPb";
/// A forced transaction.
pub const FORCED_TAG: Tag = *b"TAPf";

/// Most bytes of one push (consensus).
const MAX_PUSH: usize = 520;

/// An output whose spend shows bytes.
#[derive(Clone, Debug)]
pub struct Inscription {
    output: TaprootOutput,
    script: ScriptBuf,
}

impl Inscription {
    /// `bytes` under `tag`, spent by `key`.
    #[must_use]
    pub fn new(key: XOnlyPublicKey, tag: Tag, bytes: &[u8]) -> Self {
        let mut script = Builder::new()
            .push_x_only_key(&key)
            .push_opcode(OP_CHECKSIG)
            .push_slice([])
            .push_opcode(OP_IF)
            .push_slice(tag);
        for chunk in bytes.chunks(MAX_PUSH) {
            let push =
                PushBytesBuf::try_from(chunk.to_vec()).expect("a chunk is far shorter than 2^32 bytes");
            script = script.push_slice(push);
        }
        let script = script.push_opcode(OP_ENDIF).into_script();
        let leaf = TapLeafHash::from_script(&script, LeafVersion::TapScript);
        Inscription {
            output: TaprootOutput::new(nobodys_key(), Some(TapNodeHash::from(leaf))),
            script,
        }
    }

    /// The output holding `value`.
    #[must_use]
    pub fn txout(&self, value: Amount) -> TxOut {
        self.output.txout(value)
    }

    /// Hash of the leaf, for the signature.
    #[must_use]
    pub fn leaf_hash(&self) -> TapLeafHash {
        TapLeafHash::from_script(&self.script, LeafVersion::TapScript)
    }

    /// The witness that shows the bytes.
    #[must_use]
    pub fn witness(&self, signature: &schnorr::Signature) -> Witness {
        self.output.script_witness(
            [signature.serialize()],
            &self.script,
            TaprootMerkleBranch::default(),
        )
    }

    /// Size of the witness.
    #[must_use]
    pub fn witness_size(&self) -> WitnessSize {
        weight::script_path(1, weight::SIGNATURE_ITEM, self.script.len(), 0)
    }
}

/// The bytes under `tag` in a witness, if there are at most `most`.
#[must_use]
pub fn read(witness: &Witness, tag: Tag, most: usize) -> Option<Vec<u8>> {
    let leaf = witness.taproot_leaf_script()?;
    if leaf.version != LeafVersion::TapScript {
        return None;
    }
    let mut instructions = leaf.script.instructions();
    // How much of `OP_FALSE OP_IF "tag"` came just before.
    let mut seen = 0;
    while seen < 3 {
        seen = match (seen, instructions.next()?.ok()?) {
            (1, Instruction::Op(OP_IF)) => 2,
            (2, Instruction::PushBytes(push)) if push.as_bytes() == tag => 3,
            (_, Instruction::PushBytes(push)) if push.is_empty() => 1,
            _ => 0,
        };
    }
    let mut bytes = Vec::new();
    loop {
        match instructions.next()?.ok()? {
            Instruction::PushBytes(push) if push.len() <= most - bytes.len() => {
                bytes.extend_from_slice(push.as_bytes());
            }
            Instruction::Op(OP_ENDIF) => return Some(bytes),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::opcodes::all::{OP_DROP, OP_PUSHNUM_1};
    use bitcoin::secp256k1::{Keypair, Secp256k1};
    use proptest::prelude::*;

    fn key() -> XOnlyPublicKey {
        let secp = Secp256k1::new();
        Keypair::from_seckey_slice(&secp, &[7; 32])
            .unwrap()
            .x_only_public_key()
            .0
    }

    fn signature() -> schnorr::Signature {
        schnorr::Signature::from_slice(&[1; 64]).unwrap()
    }

    /// A witness whose leaf script is `script`.
    fn witness(script: &ScriptBuf) -> Witness {
        let mut witness = Witness::new();
        witness.push(script.as_bytes());
        let mut control = vec![0xc0];
        control.extend([9; 32]);
        witness.push(control);
        witness
    }

    fn envelope(tag: &[u8], body: impl FnOnce(Builder) -> Builder) -> ScriptBuf {
        let start = Builder::new().push_slice([]).push_opcode(OP_IF);
        let tag = PushBytesBuf::try_from(tag.to_vec()).unwrap();
        body(start.push_slice(tag)).into_script()
    }

    #[test]
    fn bytes_of_every_length_come_back() {
        for length in [0, 1, 75, 76, 255, 256, 519, 520, 521, 1040, 5000] {
            let bytes: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let inscription = Inscription::new(key(), BATCH_TAG, &bytes);
            let witness = inscription.witness(&signature());
            assert_eq!(witness.size(), inscription.witness_size().bytes());
            assert_eq!(read(&witness, BATCH_TAG, length), Some(bytes));
            assert_eq!(read(&witness, FORCED_TAG, length), None);
            if length > 0 {
                assert_eq!(read(&witness, BATCH_TAG, length - 1), None);
            }
            // Pushes are within consensus' limit.
            for instruction in inscription.script.instructions() {
                if let Instruction::PushBytes(push) = instruction.unwrap() {
                    assert!(push.len() <= 520);
                }
            }
        }
    }

    #[test]
    fn an_annex_hides_nothing() {
        let inscription = Inscription::new(key(), BATCH_TAG, b"bytes");
        let mut witness = inscription.witness(&signature());
        witness.push([0x50, 1, 2]);
        assert_eq!(read(&witness, BATCH_TAG, 5), Some(b"bytes".to_vec()));
    }

    #[test]
    fn what_is_no_envelope_gives_nothing() {
        let whole = envelope(b"TAPb", |b| b.push_slice(*b"x").push_opcode(OP_ENDIF));
        assert_eq!(read(&witness(&whole), BATCH_TAG, 9), Some(b"x".to_vec()));
        let no_end = envelope(b"TAPb", |b| b.push_slice(*b"x"));
        let opcode = envelope(b"TAPb", |b| b.push_opcode(OP_DROP).push_opcode(OP_ENDIF));
        let number = envelope(b"TAPb", |b| b.push_opcode(OP_PUSHNUM_1).push_opcode(OP_ENDIF));
        let short = envelope(b"TAP", |b| b.push_slice(*b"b").push_opcode(OP_ENDIF));
        let executed = Builder::new()
            .push_opcode(OP_PUSHNUM_1)
            .push_opcode(OP_IF)
            .push_slice(BATCH_TAG)
            .push_slice(*b"x")
            .push_opcode(OP_ENDIF)
            .into_script();
        for script in [no_end, opcode, number, short, executed, ScriptBuf::new()] {
            assert_eq!(read(&witness(&script), BATCH_TAG, 9), None, "{script}");
        }
        // A push that says more than is there.
        let mut cut = whole.to_bytes();
        cut.truncate(cut.len() - 2);
        assert_eq!(read(&witness(&ScriptBuf::from(cut)), BATCH_TAG, 9), None);
        // Another leaf version, a key path spend, nothing at all.
        let mut other = Witness::new();
        other.push(whole.as_bytes());
        let mut control = vec![0xc2];
        control.extend([9; 32]);
        other.push(control);
        assert_eq!(read(&other, BATCH_TAG, 9), None);
        let mut key_path = Witness::new();
        key_path.push([1; 64]);
        assert_eq!(read(&key_path, BATCH_TAG, 9), None);
        assert_eq!(read(&Witness::new(), BATCH_TAG, 9), None);
    }

    #[test]
    fn the_first_envelope_with_the_tag_counts_whatever_is_around_it() {
        let script = Builder::new()
            .push_slice([])
            .push_slice([])
            .push_opcode(OP_IF)
            .push_slice(*b"ord")
            .push_slice([])
            .push_opcode(OP_ENDIF)
            .push_slice([])
            .push_opcode(OP_IF)
            .push_slice(BATCH_TAG)
            .push_slice(*b"first")
            .push_opcode(OP_ENDIF)
            .push_slice([])
            .push_opcode(OP_IF)
            .push_slice(BATCH_TAG)
            .push_slice(*b"second")
            .push_opcode(OP_ENDIF)
            .into_script();
        assert_eq!(read(&witness(&script), BATCH_TAG, 99), Some(b"first".to_vec()));
    }

    proptest! {
        #[test]
        fn any_witness_is_read(items in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..5)) {
            let witness = Witness::from_slice(&items);
            let _ = read(&witness, BATCH_TAG, 100);
        }

        #[test]
        fn any_script_is_read_within_bounds(tail in proptest::collection::vec(any::<u8>(), 0..200), most in 0usize..50) {
            let mut script = envelope(b"TAPb", |b| b).to_bytes();
            script.extend(tail);
            if let Some(bytes) = read(&witness(&ScriptBuf::from(script)), BATCH_TAG, most) {
                prop_assert!(bytes.len() <= most);
            }
        }
    }
}
