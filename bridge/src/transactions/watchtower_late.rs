//! `WatchtowerLate`: the watchtower did not answer, the operator takes the pot.
//!
//! | in | spends | lock |
//! | --- | --- | --- |
//! | 0..c | every connector of the operator's message, key path, n-of-n | the answer's deadline |
//! | c | the pot, key path, n-of-n | 1 block |
//!
//! | out | holds |
//! | --- | --- |
//! | 0 | the operator's payout: its stake, the bond, what is left of the budget |
//!
//! The right to the deposit is untouched: an honest operator takes the deposit by `TakeContested`. After `Open` and `Path`
//! this is the end of a dispute in which the watchtower found nothing to disprove.

use std::sync::Arc;

use bitcoin::Transaction;
use ocp::Message;

use super::{Coin, Draft, FinalizeError, Spend, Template, TemplateError, TxName};
use crate::blocks::Blocks;
use crate::connectors::{MessageConnector, Payout, Pot, key_path_witness};
use crate::fees::SatPerVbyte;
use crate::signatures::SignatureSet;
use crate::weight::{self, P2TR_DUST};

/// An operator's win by the watchtower's silence.
#[derive(Clone, Debug)]
pub struct WatchtowerLate {
    template: Template,
}

impl WatchtowerLate {
    pub(crate) fn new(
        watchtower: u16,
        after: Message,
        spent: (&Arc<[MessageConnector]>, &[Coin], Blocks),
        pot: (&Pot, Coin),
        operator: &Payout,
        rate: SatPerVbyte,
    ) -> Result<Self, TemplateError> {
        let (connectors, coins, deadline) = spent;
        let mut draft = Draft::new(TxName::WatchtowerLate { watchtower, after });
        for (connector, coin) in connectors.iter().zip(coins) {
            let spend = Spend::CommitteeKey(connector.output().merkle_root());
            draft = draft.input(coin.clone(), deadline, spend, weight::key_path());
        }
        let spend = Spend::CommitteeKey(pot.0.output().merkle_root());
        let template = draft
            .input(pot.1, Blocks::ONE, spend, weight::key_path())
            .output(operator.txout(P2TR_DUST))
            .finish(rate, 0, weight::MAX_STANDARD_WEIGHT)?;
        Ok(WatchtowerLate { template })
    }

    /// The transaction before its witnesses.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The signed transaction.
    ///
    /// # Errors
    ///
    /// [`FinalizeError`] if a signature is missing.
    pub fn finalize(&self, signatures: &SignatureSet) -> Result<Transaction, FinalizeError> {
        let name = self.template.name();
        let witnesses: Result<Vec<_>, _> = (0..self.template.spends().len())
            .map(|input| signatures.get(name, input, 0).map(key_path_witness))
            .collect();
        self.template.complete(witnesses?)
    }
}
