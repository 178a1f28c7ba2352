//! The child by which the sender of a transaction pays for its haste (CPFP).
//!
//! Two inputs: the parent's handle (the sender's anchor or its payout) and one confirmed output of the sender; one output
//! of change. The child stays far below 1 kvB, so message and child fit a cluster of 101 kvB, and with a single
//! confirmed input beside the anchor no other unconfirmed transaction joins the cluster.

use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::schnorr;
use bitcoin::sighash::{Prevouts, SighashCache, TapSighashType};
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness};

use crate::connectors::key_path_witness;
use crate::fees::SatPerVbyte;
use crate::weight::{self, P2TR_DUST};

/// A bump child before its signatures. Both inputs are P2TR key path spends of the sender.
#[derive(Clone, Debug)]
pub struct BumpChild {
    unsigned: Transaction,
    prevouts: [TxOut; 2],
}

impl BumpChild {
    /// A child that lifts `parent` (signed, paying `parent_fee`) to `rate` for the two together. `handle` is the number of
    /// the sender's output in the parent, `funding` a confirmed P2TR output of the sender, `change` where the rest goes.
    ///
    /// # Errors
    ///
    /// [`BumpError`] where the handle does not exist or the funding does not suffice.
    pub fn new(
        parent: &Transaction,
        parent_fee: Amount,
        handle: usize,
        funding: (OutPoint, TxOut),
        change: ScriptBuf,
        rate: SatPerVbyte,
    ) -> Result<Self, BumpError> {
        let outputs = parent.output.len();
        let held = parent
            .output
            .get(handle)
            .ok_or(BumpError::NoSuchOutput { outputs, got: handle })?;
        for script in [&held.script_pubkey, &funding.1.script_pubkey] {
            if !script.is_p2tr() {
                return Err(BumpError::NotTaproot {
                    script: script.clone(),
                });
            }
        }
        let input = |previous_output| TxIn {
            previous_output,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::new(),
        };
        let handle = OutPoint {
            txid: parent.compute_txid(),
            vout: handle as u32,
        };
        let mut unsigned = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![input(handle), input(funding.0)],
            output: vec![TxOut {
                value: P2TR_DUST,
                script_pubkey: change,
            }],
        };
        let child = weight::signed_weight(&unsigned, &[weight::key_path(); 2]).to_vbytes_ceil();
        let package = rate.fee_vbytes(parent.vsize() as u64 + child);
        // The child alone pays at least the least relay rate.
        let fee = package
            .checked_sub(parent_fee)
            .unwrap_or(Amount::ZERO)
            .max(SatPerVbyte::MIN.fee_vbytes(child));
        let spent = held.value + funding.1.value;
        let dust = unsigned.output[0].script_pubkey.minimal_non_dust();
        if spent < fee + dust {
            return Err(BumpError::TooPoor {
                expected: fee + dust,
                got: spent,
            });
        }
        unsigned.output[0].value = spent - fee;
        Ok(BumpChild {
            unsigned,
            prevouts: [held.clone(), funding.1],
        })
    }

    /// What the sender signs for each input, with the output key of each.
    pub fn sighashes(&self) -> [[u8; 32]; 2] {
        let mut cache = SighashCache::new(&self.unsigned);
        [0, 1].map(|input| {
            cache
                .taproot_key_spend_signature_hash(
                    input,
                    &Prevouts::All(&self.prevouts),
                    TapSighashType::Default,
                )
                .expect("both inputs exist and their outputs are known")
                .to_byte_array()
        })
    }

    /// The signed child.
    pub fn finalize(&self, signatures: [schnorr::Signature; 2]) -> Transaction {
        let mut transaction = self.unsigned.clone();
        for (input, signature) in transaction.input.iter_mut().zip(&signatures) {
            input.witness = key_path_witness(signature);
        }
        transaction
    }
}

/// Why there is no bump child.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BumpError {
    /// The parent has no such output.
    #[error("expected an output below {outputs}, got {got}")]
    NoSuchOutput {
        /// Outputs of the parent.
        outputs: usize,
        /// The number given.
        got: usize,
    },
    /// An input that is no P2TR output.
    #[error("expected a P2TR output, got {script}")]
    NotTaproot {
        /// Its script.
        script: ScriptBuf,
    },
    /// The inputs do not cover the fee.
    #[error("expected inputs of at least {expected}, got {got}")]
    TooPoor {
        /// Fee and least change.
        expected: Amount,
        /// Value of the inputs.
        got: Amount,
    },
}
