//! The poster's own coins in its transactions, and its change.

use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::schnorr;
use bitcoin::sighash::{Prevouts, SighashCache, TapSighashType};
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness};
use bridge::SatPerVbyte;
use bridge::weight::{self, MAX_STANDARD_WEIGHT, WitnessSize};

/// A confirmed P2TR output of the poster, spent by key path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coin {
    /// Where it is.
    pub outpoint: OutPoint,
    /// What it is.
    pub txout: TxOut,
}

/// What pays for a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Funding {
    /// Coins, all of which are spent.
    pub coins: Vec<Coin>,
    /// Where the rest goes, a P2TR output of the poster.
    pub change: ScriptBuf,
    /// What the transaction pays a virtual byte.
    pub rate: SatPerVbyte,
}

/// Why coins do not pay for a transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FundingError {
    /// Coins or change that are no P2TR outputs, whose weight nobody knows.
    #[error("expected a P2TR output, got {script}")]
    NotTaproot {
        /// Its script.
        script: ScriptBuf,
    },
    /// Too few coins.
    #[error("expected inputs of at least {expected}, got {got}")]
    TooPoor {
        /// Outputs, fee and least change.
        expected: Amount,
        /// Value of the inputs.
        got: Amount,
    },
    /// More than a standard transaction weighs.
    #[error("expected at most {MAX_STANDARD_WEIGHT} weight units, got {got}")]
    TooHeavy {
        /// The weight.
        got: bitcoin::Weight,
    },
    /// Two inputs are one output.
    #[error("coin {outpoint} is spent twice")]
    Twice {
        /// The output.
        outpoint: OutPoint,
    },
    /// Not one signature a coin.
    #[error("expected {expected} signatures, got {got}")]
    Signatures {
        /// How many coins there are.
        expected: usize,
        /// How many signatures.
        got: usize,
    },
}

pub(super) fn input(previous_output: OutPoint, sequence: Sequence) -> TxIn {
    TxIn {
        previous_output,
        script_sig: ScriptBuf::new(),
        sequence,
        witness: Witness::new(),
    }
}

/// A transaction whose last inputs are coins and whose last output is change.
#[derive(Clone, Debug)]
pub(super) struct Funded {
    pub(super) unsigned: Transaction,
    pub(super) prevouts: Vec<TxOut>,
    coins: usize,
    fee: Amount,
}

impl Funded {
    /// Adds coins and change to `first` inputs (with the outputs they spend and the sizes of their witnesses) and `outputs`.
    pub(super) fn new(
        first: Vec<(TxIn, TxOut, WitnessSize)>,
        mut outputs: Vec<TxOut>,
        funding: &Funding,
    ) -> Result<Self, FundingError> {
        let scripts = funding.coins.iter().map(|coin| &coin.txout.script_pubkey);
        for script in scripts.chain([&funding.change]) {
            if !script.is_p2tr() {
                let script = script.clone();
                return Err(FundingError::NotTaproot { script });
            }
        }
        let (mut inputs, mut prevouts, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
        let coins = funding.coins.iter().map(|coin| {
            let sequence = Sequence::ENABLE_RBF_NO_LOCKTIME;
            (
                input(coin.outpoint, sequence),
                coin.txout.clone(),
                weight::key_path(),
            )
        });
        for (input, prevout, size) in first.into_iter().chain(coins) {
            let outpoint = input.previous_output;
            if inputs
                .iter()
                .any(|other: &TxIn| other.previous_output == outpoint)
            {
                return Err(FundingError::Twice { outpoint });
            }
            inputs.push(input);
            prevouts.push(prevout);
            sizes.push(size);
        }
        outputs.push(TxOut {
            value: Amount::ZERO,
            script_pubkey: funding.change.clone(),
        });
        let mut unsigned = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: inputs,
            output: outputs,
        };
        let weight = weight::signed_weight(&unsigned, &sizes);
        if weight > MAX_STANDARD_WEIGHT {
            return Err(FundingError::TooHeavy { got: weight });
        }
        let fee = funding.rate.fee(weight);
        let got = sum(prevouts.iter())?;
        let spent = add(sum(unsigned.output.iter())?, fee)?;
        let expected = add(spent, funding.change.minimal_non_dust())?;
        if got < expected {
            return Err(FundingError::TooPoor { expected, got });
        }
        if let Some(change) = unsigned.output.last_mut() {
            change.value = got - spent;
        }
        Ok(Funded {
            unsigned,
            prevouts,
            coins: funding.coins.len(),
            fee,
        })
    }

    pub(super) fn fee(&self) -> Amount {
        self.fee
    }

    /// Number of the change output.
    pub(super) fn change(&self) -> usize {
        self.unsigned.output.len() - 1
    }

    /// What the poster signs for each of its coins.
    pub(super) fn sighashes(&self) -> Vec<[u8; 32]> {
        let mut cache = SighashCache::new(&self.unsigned);
        let inputs = self.unsigned.input.len() - self.coins..self.unsigned.input.len();
        inputs
            .map(|place| {
                cache
                    .taproot_key_spend_signature_hash(
                        place,
                        &Prevouts::All(&self.prevouts),
                        TapSighashType::Default,
                    )
                    .expect("the input exists and all outputs it spends are known")
                    .to_byte_array()
            })
            .collect()
    }

    /// The transaction with the coins' witnesses.
    pub(super) fn sign(&self, signatures: &[schnorr::Signature]) -> Result<Transaction, FundingError> {
        if signatures.len() != self.coins {
            return Err(FundingError::Signatures {
                expected: self.coins,
                got: signatures.len(),
            });
        }
        let mut transaction = self.unsigned.clone();
        let first = transaction.input.len() - self.coins;
        for (input, signature) in transaction.input[first..].iter_mut().zip(signatures) {
            input.witness.push(signature.serialize());
        }
        Ok(transaction)
    }
}

fn sum<'o>(mut outputs: impl Iterator<Item = &'o TxOut>) -> Result<Amount, FundingError> {
    outputs.try_fold(Amount::ZERO, |sum, output| add(sum, output.value))
}

/// More than all bitcoins is more than anybody has.
fn add(left: Amount, right: Amount) -> Result<Amount, FundingError> {
    left.checked_add(right).ok_or(FundingError::TooPoor {
        expected: Amount::MAX,
        got: Amount::ZERO,
    })
}
