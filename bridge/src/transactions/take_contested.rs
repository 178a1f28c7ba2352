//! `TakeContested`: every dispute is over and none burned the claim, the operator takes the deposit.
//!
//! | in | spends | lock |
//! | --- | --- | --- |
//! | 0 | the vault, key path, n-of-n | 1 block |
//! | 1 | the asset connector, key path, n-of-n | longer than the longest possible dispute |
//!
//! | out | holds |
//! | --- | --- |
//! | 0 | the operator's payout |
//!
//! A watchtower's win spends the asset connector, and the lock leaves time for the slowest win.

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
        asset: (&AssetConnector, Coin),
        lock: Blocks,
        operator: &Payout,
        rate: SatPerVbyte,
    ) -> Result<Self, TemplateError> {
        let draft = Draft::new(TxName::TakeContested)
            .input(
                vault.1,
                Blocks::ONE,
                Spend::CommitteeKey(vault.0.output().merkle_root()),
                weight::key_path(),
            )
            .input(
                asset.1,
                lock,
                Spend::CommitteeKey(asset.0.output().merkle_root()),
                weight::key_path(),
            )
            .output(operator.txout(weight::P2TR_DUST));
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
        let name = TxName::TakeContested;
        let witnesses = vec![
            key_path_witness(signatures.get(name, 0, 0)?),
            key_path_witness(signatures.get(name, 1, 0)?),
        ];
        self.template.complete(witnesses)
    }
}
