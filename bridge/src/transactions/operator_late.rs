//! `OperatorLate`: the operator did not answer, the watchtower takes the pot.
//!
//! | in | spends | lock |
//! | --- | --- | --- |
//! | 0..c | every connector of the watchtower's message, key path, n-of-n | the answer's deadline |
//! | c | the pot, the watchtower's leaf: watchtower and n-of-n | 1 block |
//! | c+1 | (form that burns the claim) the watchtower's asset connector, key path, n-of-n | 1 block |
//!
//! | out | holds |
//! | --- | --- |
//! | 0 | the watchtower's payout |
//! | 1 | the burned part of the stake |
//!
//! Two forms: an honest watchtower plays the one that burns the claim; the other serves when its right is gone already, with
//! a take or a release. A lying operator would like to play the second itself, so both need the watchtower's signature.

use std::sync::Arc;

use bitcoin::Transaction;
use bitcoin::secp256k1::schnorr;
use ocp::Message;

use super::win::{self, WinParts};
use super::{Coin, Draft, FinalizeError, Spend, Template, TemplateError, TxName};
use crate::blocks::Blocks;
use crate::connectors::{MessageConnector, Pot, key_path_witness};
use crate::signatures::SignatureSet;
use crate::weight;

/// A watchtower's win by the operator's silence.
#[derive(Clone, Debug)]
pub struct OperatorLate {
    template: Template,
    connectors: usize,
    pot: Pot,
    burns_claim: bool,
}

impl OperatorLate {
    pub(crate) fn new(
        watchtower: u16,
        after: Message,
        connectors: &Arc<[MessageConnector]>,
        coins: &[Coin],
        deadline: Blocks,
        parts: &WinParts<'_>,
    ) -> Result<Self, TemplateError> {
        let burns_claim = parts.asset.is_some();
        let mut draft = Draft::new(TxName::OperatorLate {
            watchtower,
            after,
            burns_claim,
        });
        for (connector, coin) in connectors.iter().zip(coins) {
            let spend = Spend::CommitteeKey(connector.output().merkle_root());
            draft = draft.input(coin.clone(), deadline, spend, weight::key_path());
        }
        let template = win::finish(draft, parts)?;
        Ok(OperatorLate {
            template,
            connectors: connectors.len(),
            pot: parts.pot.0.clone(),
            burns_claim,
        })
    }

    /// The transaction before its witnesses.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// What the watchtower signs to take the pot.
    pub fn watchtower_sighash(&self) -> [u8; 32] {
        self.template.sighash(self.connectors, Some(self.pot.win_leaf()))
    }

    /// The signed transaction.
    ///
    /// # Errors
    ///
    /// [`FinalizeError`] if a signature of the n-of-n is missing.
    pub fn finalize(
        &self,
        signatures: &SignatureSet,
        watchtower: &schnorr::Signature,
    ) -> Result<Transaction, FinalizeError> {
        let mut witnesses = Vec::with_capacity(self.connectors + 2);
        for input in 0..self.connectors {
            witnesses.push(key_path_witness(signatures.of(&self.template, input, 0)?));
        }
        witnesses.push(
            self.pot
                .win_witness(signatures.of(&self.template, self.connectors, 0)?, watchtower),
        );
        if self.burns_claim {
            witnesses.push(key_path_witness(signatures.of(
                &self.template,
                self.connectors + 1,
                0,
            )?));
        }
        self.template.complete(witnesses)
    }
}
