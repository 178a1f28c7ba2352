//! `TakeContested`: every dispute is over and none burned the claim, the operator takes the deposit.
//!
//! | in | spends | lock |
//! | --- | --- | --- |
//! | 0 | the vault, key path, n-of-n | 1 block |
//! | 1..=m | every asset connector, key path, n-of-n | longer than the longest possible dispute |
//!
//! | out | holds |
//! | --- | --- |
//! | 0 | the operator's payout |
//!
//! A watchtower's win spends its own asset connector, which alone voids this, and the lock leaves time for the slowest win.

use bitcoin::Transaction;

use super::{Coin, Draft, FinalizeError, Spend, Template, TemplateError, TxName};
use crate::blocks::Blocks;
use crate::connectors::{AssetConnector, Payout, Vault, key_path_witness};
use crate::fees::SatPerVbyte;
use crate::signatures::SignatureSet;
use crate::weight;

/// The transaction that ends a challenged claim for the operator.
#[derive(Clone, Debug)]
pub struct TakeContested {
    template: Template,
}

impl TakeContested {
    pub(crate) fn new(
        vault: (&Vault, Coin),
        asset: (&AssetConnector, Vec<Coin>),
        lock: Blocks,
        operator: &Payout,
        rate: SatPerVbyte,
    ) -> Result<Self, TemplateError> {
        let mut draft = Draft::new(TxName::TakeContested).input(
            vault.1,
            Blocks::ONE,
            Spend::CommitteeKey(vault.0.output().merkle_root()),
            weight::key_path(),
        );
        for coin in asset.1 {
            let spend = Spend::CommitteeKey(asset.0.output().merkle_root());
            draft = draft.input(coin, lock, spend, weight::key_path());
        }
        let draft = draft.output(operator.txout(weight::P2TR_DUST));
        Ok(TakeContested {
            template: draft.finish(rate, 0, weight::MAX_STANDARD_WEIGHT)?,
        })
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
        let inputs = self.template.spends().len();
        let witnesses: Result<Vec<_>, _> = (0..inputs)
            .map(|input| {
                signatures
                    .get(TxName::TakeContested, input, 0)
                    .map(key_path_witness)
            })
            .collect();
        self.template.complete(witnesses?)
    }
}
