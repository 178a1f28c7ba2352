//! `Close_w`: the operator takes a stake back that was not challenged.
//!
//! | in | spends | lock |
//! | --- | --- | --- |
//! | 0 | the watchtower's challenge connector, close leaf, the operator | challenge period |
//!
//! | out | holds |
//! | --- | --- |
//! | 0 | the operator's payout |
//!
//! Not presigned: if every member held it, one could send it when the challenge period ends and void `TakeUncontested`.

use bitcoin::Transaction;
use bitcoin::secp256k1::schnorr;

use super::{Coin, Draft, FinalizeError, Spend, Template, TemplateError, TxName};
use crate::connectors::{ChallengeConnector, Payout};
use crate::fees::SatPerVbyte;
use crate::weight;

/// The transaction that returns one stake.
#[derive(Clone, Debug)]
pub struct Close {
    template: Template,
    connector: ChallengeConnector,
}

impl Close {
    pub(crate) fn new(
        watchtower: u16,
        connector: &ChallengeConnector,
        coin: Coin,
        operator: &Payout,
        rate: SatPerVbyte,
    ) -> Result<Self, TemplateError> {
        let template = Draft::new(TxName::Close { watchtower })
            .input(
                coin,
                connector.close_delay(),
                Spend::Own,
                connector.close_witness_size(),
            )
            .output(operator.txout(weight::P2TR_DUST))
            .finish(rate, 0, weight::MAX_STANDARD_WEIGHT)?;
        Ok(Close {
            template,
            connector: connector.clone(),
        })
    }

    /// The transaction before its witness.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// What the operator signs.
    pub fn operator_sighash(&self) -> [u8; 32] {
        self.template.sighash(0, Some(self.connector.close_leaf()))
    }

    /// The signed transaction.
    ///
    /// # Errors
    ///
    /// Never for a signature of 64 bytes; the type says so for uniformity.
    pub fn finalize(&self, operator: &schnorr::Signature) -> Result<Transaction, FinalizeError> {
        self.template
            .complete(vec![self.connector.close_witness(operator)])
    }
}
