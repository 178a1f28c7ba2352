//! `TakeUncontested`: nobody challenged, the operator takes the deposit and all its stakes.
//!
//! | in | spends | lock |
//! | --- | --- | --- |
//! | 0 | the vault, key path, n-of-n | 1 block |
//! | 1..=m | every asset connector, key path, n-of-n | challenge period |
//! | m+1..=2m | every challenge connector, key path, n-of-n | challenge period |
//!
//! | out | holds |
//! | --- | --- |
//! | 0 | the operator's payout |
//!
//! It spends *every* challenge connector, so it dies with the first challenge.

use bitcoin::Transaction;

use super::{Coin, Draft, FinalizeError, Spend, Template, TemplateError, TxName};
use crate::blocks::Blocks;
use crate::connectors::{AssetConnector, ChallengeConnector, Payout, Vault, key_path_witness};
use crate::fees::SatPerVbyte;
use crate::signatures::SignatureSet;
use crate::weight;

/// The transaction that ends an unchallenged claim.
#[derive(Clone, Debug)]
pub struct TakeUncontested {
    template: Template,
}

impl TakeUncontested {
    pub(crate) fn new(
        vault: (&Vault, Coin),
        asset: (&AssetConnector, Vec<Coin>),
        challenge: (&ChallengeConnector, Vec<Coin>),
        period: Blocks,
        operator: &Payout,
        rate: SatPerVbyte,
    ) -> Result<Self, TemplateError> {
        let key = |root| Spend::CommitteeKey(root);
        let mut draft = Draft::new(TxName::TakeUncontested).input(
            vault.1,
            Blocks::ONE,
            key(vault.0.output().merkle_root()),
            weight::key_path(),
        );
        for (output, coins) in [(asset.0.output(), asset.1), (challenge.0.output(), challenge.1)] {
            for coin in coins {
                draft = draft.input(coin, period, key(output.merkle_root()), weight::key_path());
            }
        }
        let draft = draft.output(operator.txout(weight::P2TR_DUST));
        Ok(TakeUncontested {
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
                    .get(TxName::TakeUncontested, input, 0)
                    .map(key_path_witness)
            })
            .collect();
        self.template.complete(witnesses?)
    }
}
