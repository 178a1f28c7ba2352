//! What `Search`, `Select`, `Open`, `Demand` and `Path` share: a message spends all connectors of the one before it.
//!
//! | in | spends | lock |
//! | --- | --- | --- |
//! | 0.. | every connector of the message before, each by a leaf: n-of-n and the sender's one-time values | 1 block |
//!
//! | out | holds |
//! | --- | --- |
//! | 0.. | the connectors of the next message; the first carries the budget |
//! | last | the sender's anchor |
//!
//! The budget came with the watchtower's bond; each message pays the base fee rate out of it, so it is relayed even where
//! its sender pays nothing, and what is left goes to the winner.

use std::sync::Arc;

use bitcoin::{Amount, Transaction, Weight};
use ocp::Message;

use super::{Coin, Draft, FinalizeError, Spend, Template, TemplateError, TxName};
use crate::blocks::Blocks;
use crate::connectors::{Anchor, MessageConnector};
use crate::dispute::TreeError;
use crate::fees::SatPerVbyte;
use crate::signatures::SignatureSet;
use crate::weight::{MAX_MESSAGE_VBYTES, P2TR_DUST};

/// Weight limit of a message.
pub(crate) const MAX_MESSAGE_WEIGHT: Weight = Weight::from_wu(MAX_MESSAGE_VBYTES * 4);

/// What a sender shows on one input: a leaf and its one-time values, bottom of the stack first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The leaf's number in the connector's tree.
    pub leaf: usize,
    /// One-time values and preimages.
    pub values: Vec<Vec<u8>>,
}

/// A message of a dispute after the challenge.
#[derive(Clone, Debug)]
pub struct MessageTx {
    message: Message,
    template: Template,
    inputs: Arc<[MessageConnector]>,
    outputs: Arc<[MessageConnector]>,
}

impl MessageTx {
    pub(crate) fn draft(
        watchtower: u16,
        message: Message,
        spent: (&[MessageConnector], &[Coin]),
        outputs: &[MessageConnector],
        sender: &Anchor,
    ) -> Result<Draft, TreeError> {
        let mut draft = Draft::new(TxName::Message { watchtower, message });
        for (connector, coin) in spent.0.iter().zip(spent.1) {
            let leaves = connector.leaves().iter().map(|leaf| leaf.leaf_hash()).collect();
            let size = connector.answer_witness_size()?;
            draft = draft.input(coin.clone(), Blocks::ONE, Spend::CommitteeLeaves(leaves), size);
        }
        for connector in outputs {
            draft = draft.output(connector.txout(P2TR_DUST));
        }
        Ok(draft.output(sender.txout()))
    }

    pub(crate) fn new(
        message: Message,
        draft: Draft,
        inputs: Arc<[MessageConnector]>,
        outputs: Arc<[MessageConnector]>,
        rate: SatPerVbyte,
    ) -> Result<Self, TemplateError> {
        let template = draft.finish(rate, 0, MAX_MESSAGE_WEIGHT)?;
        Ok(MessageTx {
            message,
            template,
            inputs,
            outputs,
        })
    }

    /// Which message.
    pub fn message(&self) -> Message {
        self.message
    }

    /// The transaction before its witnesses.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The connectors that it spends.
    pub fn spent(&self) -> &[MessageConnector] {
        &self.inputs
    }

    /// The connectors that it creates, from output 0 on.
    pub fn connectors(&self) -> &[MessageConnector] {
        &self.outputs
    }

    /// Number of the sender's anchor.
    pub fn anchor_vout(&self) -> usize {
        self.outputs.len()
    }

    /// Value of all connectors that it creates.
    pub fn budget_left(&self) -> Amount {
        self.template.unsigned().output[..self.outputs.len()]
            .iter()
            .map(|out| out.value)
            .sum()
    }

    /// The signed transaction, with one answer an input.
    ///
    /// # Errors
    ///
    /// [`FinalizeError`] if answers, leaves or signatures do not fit, or the witnesses are larger than the layout said.
    pub fn finalize(
        &self,
        signatures: &SignatureSet,
        answers: &[Answer],
    ) -> Result<Transaction, FinalizeError> {
        let tx = self.template.name();
        if answers.len() != self.inputs.len() {
            return Err(FinalizeError::Inputs {
                tx,
                expected: self.inputs.len(),
                got: answers.len(),
            });
        }
        let mut witnesses = Vec::with_capacity(answers.len());
        for (input, (connector, answer)) in self.inputs.iter().zip(answers).enumerate() {
            let leaves = connector.leaves().len();
            let missing = FinalizeError::NoSuchLeaf {
                tx,
                input,
                leaves,
                got: answer.leaf,
            };
            if answer.leaf >= leaves {
                return Err(missing);
            }
            let signature = signatures.get(tx, input, answer.leaf)?;
            witnesses.push(
                connector
                    .answer_witness(answer.leaf, &answer.values, signature)
                    .ok_or(missing)?,
            );
        }
        self.template.complete(witnesses)
    }
}

impl Template {
    /// The transaction with these witnesses, refused where it weighs more than its fee was reckoned for.
    pub(crate) fn complete(&self, witnesses: Vec<bitcoin::Witness>) -> Result<Transaction, FinalizeError> {
        let transaction = self.with_witnesses(witnesses);
        let got = transaction.weight();
        if got > self.max_weight() {
            return Err(FinalizeError::TooHeavy {
                tx: self.name(),
                limit: self.max_weight(),
                got,
            });
        }
        Ok(transaction)
    }
}
