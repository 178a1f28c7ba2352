//! `BatchConnector`: the output whose spends, one after the other, are the batches.
//!
//! | path | who | when |
//! | --- | --- | --- |
//! | key | nobody | never |
//! | quorum leaf | more than two thirds of the active validators | at once |
//! | fall-back leaf | any one of them | `windows.connector_fallback` blocks after it confirmed |
//!
//! Who may spend it may say which batch is next, not what is in it: derivation executes what it finds, so a liar on either path
//! costs time, never coins. The fall-back keeps a lost quorum from ending the chain. Its price is that after so many blocks
//! without a batch one validator alone orders blocks; an honest quorum spends the connector earlier.
//!
//! Leaves are as Miniscript compiles `multi_a(m, keys)` and `and_v(v:multi_a(1, keys), older(delay))`. Keys are the raw bytes of the
//! state: one that is no point of the curve can sign nothing and stops nobody else.

use std::sync::LazyLock;

use alloy_primitives::B256;
use bitcoin::opcodes::all::{OP_CHECKSIG, OP_CHECKSIGADD, OP_CSV, OP_NUMEQUAL, OP_NUMEQUALVERIFY};
use bitcoin::script::Builder;
use bitcoin::secp256k1::{Message, Secp256k1, VerifyOnly, schnorr};
use bitcoin::taproot::{LeafVersion, TaprootMerkleBranch};
use bitcoin::{Amount, ScriptBuf, Sequence, TapLeafHash, TapNodeHash, TxOut, Witness, XOnlyPublicKey};
use bridge::Blocks;
use bridge::connectors::TaprootOutput;
use bridge::weight::{self, WitnessSize};

pub(crate) static VERIFY: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);

/// Most validators of a set (`l2_block::Genesis::check`).
pub const MAX_VALIDATORS: usize = 100;

/// The point of `BIP-0341` whose discrete logarithm nobody knows: the hash of the generator's encoding.
const NOBODY: [u8; 32] = [
    0x50, 0x92, 0x9b, 0x74, 0xc1, 0xa0, 0x49, 0x54, 0xb7, 0x8b, 0x4b, 0x60, 0x35, 0xe9, 0x7a, 0x5e, 0x07,
    0x8a, 0x5a, 0x0f, 0x28, 0xec, 0x96, 0xd5, 0x47, 0xbf, 0xee, 0x9a, 0xce, 0x80, 0x3a, 0xc0,
];

/// The internal key of outputs that are spent by their leaves only.
#[must_use]
pub fn nobodys_key() -> XOnlyPublicKey {
    XOnlyPublicKey::from_slice(&NOBODY).expect("BIP-0341 gives a point of the curve")
}

/// Signatures of `n` validators that are more than two thirds.
#[must_use]
pub const fn quorum(n: usize) -> usize {
    n * 2 / 3 + 1
}

/// Which leaf spends a connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// A quorum, at once.
    Quorum,
    /// One validator, late.
    Fallback,
}

/// Why there is no connector, or no witness.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectorError {
    /// No validators or too many.
    #[error("expected 1 to {MAX_VALIDATORS} validators, got {got}")]
    Validators {
        /// How many.
        got: usize,
    },
    /// A validator that is none of the set.
    #[error("expected a validator below {expected}, got {got}")]
    NoSuchValidator {
        /// How many there are.
        expected: usize,
        /// The number given.
        got: usize,
    },
    /// A signature that does not verify.
    #[error("signature of validator {validator} does not verify")]
    BadSignature {
        /// Whose.
        validator: usize,
    },
    /// Too few signatures.
    #[error("expected {expected} signatures, got {got}")]
    TooFew {
        /// How many are needed.
        expected: usize,
        /// How many there are.
        got: usize,
    },
}

/// The output that the next batch spends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchConnector {
    keys: Vec<B256>,
    delay: Blocks,
    quorum: ScriptBuf,
    fallback: ScriptBuf,
    output: TaprootOutput,
}

impl BatchConnector {
    /// What it holds: enough that it is no dust under any usual policy.
    pub const VALUE: Amount = Amount::from_sat(1_000);

    /// The connector of the validators with `keys`, in the order of the active set, with a fall-back after `delay`.
    ///
    /// # Errors
    /// [`ConnectorError::Validators`].
    pub fn new(keys: &[B256], delay: Blocks) -> Result<Self, ConnectorError> {
        let got = keys.len();
        if got == 0 || got > MAX_VALIDATORS {
            return Err(ConnectorError::Validators { got });
        }
        let signatures = || {
            keys.iter()
                .enumerate()
                .fold(Builder::new(), |script, (place, key)| {
                    let check = if place == 0 { OP_CHECKSIG } else { OP_CHECKSIGADD };
                    script.push_slice(key.0).push_opcode(check)
                })
        };
        // At most 100 validators, so the numbers fit.
        let quorum = signatures()
            .push_int(quorum(got) as i64)
            .push_opcode(OP_NUMEQUAL)
            .into_script();
        let fallback = signatures()
            .push_int(1)
            .push_opcode(OP_NUMEQUALVERIFY)
            .push_int(delay.get().into())
            .push_opcode(OP_CSV)
            .into_script();
        let root = TapNodeHash::from_node_hashes(node(&quorum), node(&fallback));
        Ok(BatchConnector {
            keys: keys.to_vec(),
            delay,
            quorum,
            fallback,
            output: TaprootOutput::new(nobodys_key(), Some(root)),
        })
    }

    /// The validators' keys, in order.
    #[must_use]
    pub fn keys(&self) -> &[B256] {
        &self.keys
    }

    /// Signatures that a path needs.
    #[must_use]
    pub fn threshold(&self, path: Path) -> usize {
        match path {
            Path::Quorum => quorum(self.keys.len()),
            Path::Fallback => 1,
        }
    }

    /// The script that pays it.
    #[must_use]
    pub fn script_pubkey(&self) -> ScriptBuf {
        self.output.script_pubkey()
    }

    /// The output holding `value`.
    #[must_use]
    pub fn txout(&self, value: Amount) -> TxOut {
        self.output.txout(value)
    }

    /// `nSequence` of the input that spends it.
    #[must_use]
    pub fn sequence(&self, path: Path) -> Sequence {
        match path {
            Path::Quorum => Sequence::ENABLE_RBF_NO_LOCKTIME,
            Path::Fallback => self.delay.sequence(),
        }
    }

    /// Hash of a path's leaf, for signatures.
    #[must_use]
    pub fn leaf_hash(&self, path: Path) -> TapLeafHash {
        TapLeafHash::from_script(self.leaf(path), LeafVersion::TapScript)
    }

    fn leaf(&self, path: Path) -> &ScriptBuf {
        match path {
            Path::Quorum => &self.quorum,
            Path::Fallback => &self.fallback,
        }
    }

    /// Whether `signature` is that of the `validator`-th key over `sighash`.
    ///
    /// # Errors
    /// [`ConnectorError::NoSuchValidator`], [`ConnectorError::BadSignature`].
    pub fn verify(
        &self,
        validator: usize,
        sighash: [u8; 32],
        signature: &schnorr::Signature,
    ) -> Result<(), ConnectorError> {
        let key = self.keys.get(validator).ok_or(ConnectorError::NoSuchValidator {
            expected: self.keys.len(),
            got: validator,
        })?;
        XOnlyPublicKey::from_slice(key.as_slice())
            .and_then(|key| VERIFY.verify_schnorr(signature, &Message::from_digest(sighash), &key))
            .map_err(|_| ConnectorError::BadSignature { validator })
    }

    /// The witness of a path over `sighash`, from signatures by the validators' places. All are verified, and no more than needed
    /// are used, those of the lowest places.
    ///
    /// # Errors
    /// [`ConnectorError`] for a signature that is none, or too few of them.
    pub fn witness<'s>(
        &self,
        path: Path,
        sighash: [u8; 32],
        signatures: impl IntoIterator<Item = (usize, &'s schnorr::Signature)>,
    ) -> Result<Witness, ConnectorError> {
        let mut given: Vec<Option<&schnorr::Signature>> = vec![None; self.keys.len()];
        for (validator, signature) in signatures {
            self.verify(validator, sighash, signature)?;
            given[validator] = Some(signature);
        }
        let expected = self.threshold(path);
        let got = given.iter().flatten().count();
        if got < expected {
            return Err(ConnectorError::TooFew { expected, got });
        }
        let mut left = expected;
        for signature in &mut given {
            if signature.is_some() {
                match left.checked_sub(1) {
                    Some(fewer) => left = fewer,
                    None => *signature = None,
                }
            }
        }
        // The first key's signature is the top of the stack.
        let items = given.iter().rev().map(|signature| match signature {
            Some(signature) => signature.serialize().to_vec(),
            None => Vec::new(),
        });
        let other = match path {
            Path::Quorum => &self.fallback,
            Path::Fallback => &self.quorum,
        };
        let branch = TaprootMerkleBranch::from([node(other)]);
        Ok(self.output.script_witness(items, self.leaf(path), branch))
    }

    /// Size of a path's witness.
    #[must_use]
    pub fn witness_size(&self, path: Path) -> WitnessSize {
        let (items, signed) = (self.keys.len(), self.threshold(path));
        let bytes = signed * weight::SIGNATURE_ITEM + (items - signed);
        weight::script_path(items, bytes, self.leaf(path).len(), 1)
    }
}

fn node(script: &ScriptBuf) -> TapNodeHash {
    TapNodeHash::from(TapLeafHash::from_script(script, LeafVersion::TapScript))
}
