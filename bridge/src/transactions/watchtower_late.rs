//! `WatchtowerLate`: the watchtower did not answer, the operator takes the pot.
//!
//! | in | spends | lock |
//! | --- | --- | --- |
//! | 0..c | every connector of the operator's message, key path, n-of-n | the answer's deadline |
//! | c | the pot, the operator's leaf: operator and n-of-n | 1 block |
//!
//! | out | holds |
//! | --- | --- |
//! | 0 | the operator's payout: its stake, the bond, what is left of the budget |
//!
//! It needs the operator's own signature: a member of the n-of-n that could choose the fee tier would burn the operator's
//! money. The right to the deposit is untouched: an honest operator takes the deposit by `TakeContested`. After `Open` and `Path`
//! this is the end of a dispute in which the watchtower found nothing to disprove.

use std::sync::Arc;

use bitcoin::Transaction;
use bitcoin::secp256k1::schnorr;
use ocp::Message;

use super::{Coin, Draft, FinalizeError, Spend, Template, TemplateError, TxName};
use crate::blocks::Blocks;
use crate::connectors::{MessageConnector, Payout, Pot, key_path_witness};
use crate::fees::Fee;
use crate::signatures::SignatureSet;
use crate::weight::{self, P2TR_DUST};

/// An operator's win by the watchtower's silence.
#[derive(Clone, Debug)]
pub struct WatchtowerLate {
    template: Template,
    connectors: usize,
    pot: Pot,
}

impl WatchtowerLate {
    pub(crate) fn new(
        watchtower: u16,
        after: Message,
        spent: (&Arc<[MessageConnector]>, &[Coin], Blocks),
        pot: (&Pot, Coin),
        operator: &Payout,
        fee: Fee,
    ) -> Result<Self, TemplateError> {
        let (connectors, coins, deadline) = spent;
        let mut draft = Draft::new(TxName::WatchtowerLate { watchtower, after });
        for (connector, coin) in connectors.iter().zip(coins) {
            let spend = Spend::CommitteeKey(connector.output().merkle_root());
            draft = draft.input(coin.clone(), deadline, spend, weight::key_path());
        }
        let spend = Spend::CommitteeLeaves(vec![pot.0.operator_leaf()]);
        let template = draft
            .input(pot.1, Blocks::ONE, spend, pot.0.operator_witness_size())
            .output(operator.txout(P2TR_DUST))
            .finish(fee, 0, weight::MAX_STANDARD_WEIGHT)?;
        Ok(WatchtowerLate {
            template,
            connectors: connectors.len(),
            pot: pot.0.clone(),
        })
    }

    /// The transaction before its witnesses.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// What the operator signs to take the pot.
    pub fn operator_sighash(&self) -> [u8; 32] {
        self.template
            .sighash(self.connectors, Some(self.pot.operator_leaf()))
    }

    /// The signed transaction.
    ///
    /// # Errors
    ///
    /// [`FinalizeError`] if a signature is missing.
    pub fn finalize(
        &self,
        signatures: &SignatureSet,
        operator: &schnorr::Signature,
    ) -> Result<Transaction, FinalizeError> {
        let mut witnesses = Vec::with_capacity(self.connectors + 1);
        for input in 0..self.connectors {
            witnesses.push(key_path_witness(signatures.of(&self.template, input, 0)?));
        }
        let committee = signatures.of(&self.template, self.connectors, 0)?;
        witnesses.push(self.pot.operator_witness(committee, operator));
        self.template.complete(witnesses)
    }
}
