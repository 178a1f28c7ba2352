//! `Refund`: the user takes an unanswered deposit request back.
//!
//! | in | spends | lock |
//! | --- | --- | --- |
//! | 0 | the deposit request, refund leaf, the user | refund delay |
//!
//! | out | holds |
//! | --- | --- |
//! | 0 | the user's money less the fee |
//!
//! Not presigned; the user needs nobody.

use bitcoin::secp256k1::schnorr;
use bitcoin::{OutPoint, ScriptBuf, Transaction, TxOut};

use super::{Draft, FinalizeError, Spend, Template, TemplateError, TxName};
use crate::connectors::DepositRequestConnector;
use crate::fees::SatPerVbyte;
use crate::weight;

/// The transaction that returns a request to its user.
#[derive(Clone, Debug)]
pub struct Refund {
    template: Template,
    connector: DepositRequestConnector,
}

impl Refund {
    /// Returns the request at `outpoint`, which holds `request`, to `destination`.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] where the request does not cover the fee.
    pub fn new(
        connector: DepositRequestConnector,
        outpoint: OutPoint,
        request: TxOut,
        destination: ScriptBuf,
        rate: SatPerVbyte,
    ) -> Result<Self, TemplateError> {
        let size = connector.refund_witness_size();
        let template = Draft::new(TxName::Refund)
            .input((outpoint, request), connector.refund_delay(), Spend::Own, size)
            .output(TxOut {
                value: weight::P2TR_DUST,
                script_pubkey: destination,
            })
            .finish(rate, 0, weight::MAX_STANDARD_WEIGHT)?;
        Ok(Refund { template, connector })
    }

    /// The transaction before its witness.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// What the user signs.
    pub fn user_sighash(&self) -> [u8; 32] {
        self.template.sighash(0, Some(self.connector.refund_leaf()))
    }

    /// The signed transaction.
    ///
    /// # Errors
    ///
    /// Never for a signature of 64 bytes; the type says so for uniformity.
    pub fn finalize(&self, user: &schnorr::Signature) -> Result<Transaction, FinalizeError> {
        self.template.complete(vec![self.connector.refund_witness(user)])
    }
}
