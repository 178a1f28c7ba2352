//! A transaction of the graph before its witnesses exist.
//!
//! Invariants, enforced by [`Draft`]: version 2, no lock time, every input waits at least one block, at least one output,
//! no dust, weight within policy, and a fee of at least the base rate at the largest possible witness. A signature under
//! `SIGHASH_DEFAULT` commits to all of it; no other sighash type exists here.

use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::sighash::{Prevouts, SighashCache, TapSighashType};
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, OutPoint, ScriptBuf, TapLeafHash, TapNodeHash, Transaction, TxIn, TxOut, Txid, Weight, Witness,
};

use super::name::TxName;
use crate::blocks::Blocks;
use crate::committee::SigningKey;
use crate::fees::{Fee, Tier};
use crate::weight::{self, MAX_STANDARD_WEIGHT, P2TR_DUST, WitnessSize};

/// How the n-of-n takes part in an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spend {
    /// One signature by key path of the output with this tree.
    CommitteeKey(Option<TapNodeHash>),
    /// One signature in each of these leaves, one of which will be revealed.
    CommitteeLeaves(Vec<TapLeafHash>),
    /// None: another party signs this input.
    Own,
}

/// One signature that the n-of-n makes: which input, which leaf, under which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureSlot {
    /// The input's number.
    pub input: usize,
    /// The leaf's number in the input's tree; 0 for a key path.
    pub leaf: usize,
    /// The leaf's hash, none for a key path.
    pub leaf_hash: Option<TapLeafHash>,
    /// The form of the n-of-n's key.
    pub key: SigningKey,
}

/// A transaction without witnesses, with all that is needed to sign it.
#[derive(Clone, Debug)]
pub struct Template {
    name: TxName,
    tier: Tier,
    unsigned: Transaction,
    prevouts: Vec<TxOut>,
    spends: Vec<Spend>,
    weight: Weight,
}

impl Template {
    /// Its place in the graph.
    pub fn name(&self) -> TxName {
        self.name
    }

    /// Which of its fee tiers this is; tier 0 for all but endings.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// The transaction with empty witnesses.
    pub fn unsigned(&self) -> &Transaction {
        &self.unsigned
    }

    /// Its identifier, final since no input is malleable.
    pub fn txid(&self) -> Txid {
        self.unsigned.compute_txid()
    }

    /// One of its outputs as an outpoint.
    pub fn outpoint(&self, vout: usize) -> OutPoint {
        OutPoint {
            txid: self.txid(),
            vout: vout as u32,
        }
    }

    /// The outputs it spends.
    pub fn prevouts(&self) -> &[TxOut] {
        &self.prevouts
    }

    /// How the n-of-n takes part in each input.
    pub fn spends(&self) -> &[Spend] {
        &self.spends
    }

    /// Weight with the largest witnesses.
    pub fn max_weight(&self) -> Weight {
        self.weight
    }

    /// Virtual bytes with the largest witnesses.
    pub fn max_vbytes(&self) -> u64 {
        self.weight.to_vbytes_ceil()
    }

    /// The fee it pays by itself.
    pub fn fee(&self) -> Amount {
        let spent: Amount = self.prevouts.iter().map(|out| out.value).sum();
        let paid: Amount = self.unsigned.output.iter().map(|out| out.value).sum();
        spent - paid
    }

    /// The message that a `SIGHASH_DEFAULT` signature of `input` signs (`BIP-0341`; `BIP-0342` with a leaf).
    ///
    /// # Panics
    ///
    /// If there is no such input.
    pub fn sighash(&self, input: usize, leaf: Option<TapLeafHash>) -> [u8; 32] {
        let mut cache = SighashCache::new(&self.unsigned);
        let prevouts = Prevouts::All(&self.prevouts);
        let hash = match leaf {
            None => cache.taproot_key_spend_signature_hash(input, &prevouts, TapSighashType::Default),
            Some(leaf) => {
                cache.taproot_script_spend_signature_hash(input, &prevouts, leaf, TapSighashType::Default)
            }
        };
        hash.expect("the input exists and all its siblings' outputs are known")
            .to_byte_array()
    }

    /// Every signature that the n-of-n makes for it, in order.
    pub fn slots(&self) -> impl Iterator<Item = SignatureSlot> + '_ {
        self.spends.iter().enumerate().flat_map(|(input, spend)| {
            let slots: Vec<SignatureSlot> = match spend {
                Spend::CommitteeKey(root) => {
                    vec![SignatureSlot {
                        input,
                        leaf: 0,
                        leaf_hash: None,
                        key: SigningKey::Output(*root),
                    }]
                }
                Spend::CommitteeLeaves(leaves) => leaves
                    .iter()
                    .enumerate()
                    .map(|(leaf, hash)| SignatureSlot {
                        input,
                        leaf,
                        leaf_hash: Some(*hash),
                        key: SigningKey::Leaf,
                    })
                    .collect(),
                Spend::Own => Vec::new(),
            };
            slots
        })
    }

    /// The transaction with these witnesses, one an input.
    ///
    /// # Panics
    ///
    /// If the numbers differ; callers inside the crate build both from the same inputs.
    pub(crate) fn with_witnesses(&self, witnesses: Vec<Witness>) -> Transaction {
        assert_eq!(witnesses.len(), self.unsigned.input.len(), "one witness an input");
        let mut transaction = self.unsigned.clone();
        for (input, witness) in transaction.input.iter_mut().zip(witnesses) {
            input.witness = witness;
        }
        transaction
    }
}

/// A template under construction.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    name: TxName,
    inputs: Vec<TxIn>,
    prevouts: Vec<TxOut>,
    spends: Vec<Spend>,
    sizes: Vec<WitnessSize>,
    outputs: Vec<TxOut>,
}

impl Draft {
    pub(crate) fn new(name: TxName) -> Self {
        Draft {
            name,
            inputs: Vec::new(),
            prevouts: Vec::new(),
            spends: Vec::new(),
            sizes: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// Spends `outpoint`, which holds `prevout`, `lock` after it confirmed.
    pub(crate) fn input(
        mut self,
        (outpoint, prevout): (OutPoint, TxOut),
        lock: Blocks,
        spend: Spend,
        size: WitnessSize,
    ) -> Self {
        self.inputs.push(TxIn {
            previous_output: outpoint,
            script_sig: ScriptBuf::new(),
            sequence: lock.sequence(),
            witness: Witness::new(),
        });
        self.prevouts.push(prevout);
        self.spends.push(spend);
        self.sizes.push(size);
        self
    }

    /// Adds an output.
    pub(crate) fn output(mut self, output: TxOut) -> Self {
        self.outputs.push(output);
        self
    }

    /// Weight with the largest witnesses; amounts do not matter.
    pub(crate) fn weight(&self) -> Weight {
        weight::signed_weight(&self.transaction(), &self.sizes)
    }

    /// Gives output `rest` whatever the other outputs and `fee` leave, and checks the limits.
    pub(crate) fn finish(
        mut self,
        fee: impl Into<Fee>,
        rest: usize,
        max_weight: Weight,
    ) -> Result<Template, TemplateError> {
        let name = self.name;
        let fee = fee.into();
        let weight = self.weight();
        let limit = max_weight.min(MAX_STANDARD_WEIGHT);
        if weight > limit {
            return Err(TemplateError::TooHeavy {
                name,
                limit,
                got: weight,
            });
        }
        let spent: Amount = self.prevouts.iter().map(|out| out.value).sum();
        let others: Amount = self
            .outputs
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != rest)
            .map(|(_, out)| out.value)
            .sum();
        let needed = others + fee.of(weight) + P2TR_DUST;
        if spent < needed {
            return Err(TemplateError::TooPoor {
                name,
                expected: needed,
                got: spent,
            });
        }
        self.outputs[rest].value = spent - others - fee.of(weight);
        for (vout, output) in self.outputs.iter().enumerate() {
            if !output.script_pubkey.is_op_return() && output.value < P2TR_DUST {
                return Err(TemplateError::Dust {
                    name,
                    vout,
                    least: P2TR_DUST,
                    got: output.value,
                });
            }
        }
        let unsigned = self.transaction();
        Ok(Template {
            name,
            tier: fee.tier(),
            unsigned,
            prevouts: self.prevouts,
            spends: self.spends,
            weight,
        })
    }

    fn transaction(&self) -> Transaction {
        Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: self.inputs.clone(),
            output: self.outputs.clone(),
        }
    }
}

/// Why a transaction of the graph cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The transaction would not be relayed.
    #[error("{name}: expected at most {limit} weight units, got {got}")]
    TooHeavy {
        /// The transaction.
        name: TxName,
        /// The limit.
        limit: Weight,
        /// The weight.
        got: Weight,
    },
    /// Its inputs do not cover its outputs and its fee.
    #[error("{name}: expected inputs of at least {expected}, got {got}")]
    TooPoor {
        /// The transaction.
        name: TxName,
        /// What it needs.
        expected: Amount,
        /// What it spends.
        got: Amount,
    },
    /// A tree that should hold disprove leaves has none.
    #[error("{name}: the connector has no disprove leaves")]
    NoDisproveLeaf {
        /// The transaction.
        name: TxName,
    },
    /// An output is dust.
    #[error("{name}: output {vout}: expected at least {least}, got {got}")]
    Dust {
        /// The transaction.
        name: TxName,
        /// The output's number.
        vout: usize,
        /// The least.
        least: Amount,
        /// The output's value.
        got: Amount,
    },
}
