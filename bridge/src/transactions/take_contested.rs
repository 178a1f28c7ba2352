//! `TakeContested`: every dispute is over and none burned the claim, the operator takes the deposit.
//!
//! | in | spends | lock |
//! | --- | --- | --- |
//! | 0 | the vault, key path, n-of-n | 1 block |
//! | 1 | the first asset connector, take leaf: operator and n-of-n | longer than the longest possible dispute |
//! | 2..=m | every other asset connector, key path, n-of-n | the same |
//!
//! | out | holds |
//! | --- | --- |
//! | 0 | the operator's payout |
//!
//! A watchtower's win spends its own asset connector, which alone voids this, and the lock leaves time for the slowest win.

use bitcoin::Transaction;
use bitcoin::secp256k1::schnorr;

use super::{Coin, FinalizeError, Template, TemplateError, TxName, take};
use crate::blocks::Blocks;
use crate::connectors::{AssetConnector, Payout, Vault};
use crate::fees::Fee;
use crate::signatures::SignatureSet;
use crate::weight;

/// The transaction that ends a challenged claim for the operator.
#[derive(Clone, Debug)]
pub struct TakeContested {
    template: Template,
    asset: AssetConnector,
}

impl TakeContested {
    pub(crate) fn new(
        vault: (&Vault, Coin),
        asset: (&AssetConnector, Vec<Coin>),
        lock: Blocks,
        operator: &Payout,
        fee: Fee,
    ) -> Result<Self, TemplateError> {
        let draft = take::draft(TxName::TakeContested, vault, (asset.0, asset.1), lock);
        let draft = draft.output(operator.txout(weight::P2TR_DUST));
        Ok(TakeContested {
            template: draft.finish(fee, 0, weight::MAX_STANDARD_WEIGHT)?,
            asset: asset.0.clone(),
        })
    }

    /// The transaction before its witnesses.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// What the operator signs in the first asset connector.
    pub fn operator_sighash(&self) -> [u8; 32] {
        take::operator_sighash(&self.template, &self.asset)
    }

    /// The signed transaction.
    ///
    /// # Errors
    ///
    /// [`FinalizeError`] if a signature of the n-of-n is missing.
    pub fn finalize(
        &self,
        signatures: &SignatureSet,
        operator: &schnorr::Signature,
    ) -> Result<Transaction, FinalizeError> {
        take::finalize(&self.template, &self.asset, signatures, operator)
    }
}
