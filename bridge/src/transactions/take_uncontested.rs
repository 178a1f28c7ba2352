//! `TakeUncontested`: nobody challenged, the operator takes the deposit and all its stakes.
//!
//! | in | spends | lock |
//! | --- | --- | --- |
//! | 0 | the vault, key path, n-of-n | 1 block |
//! | 1 | the first asset connector, take leaf: operator and n-of-n | challenge period |
//! | 2..=m | every other asset connector, key path, n-of-n | challenge period |
//! | m+1..=2m | every challenge connector, key path, n-of-n | challenge period |
//!
//! | out | holds |
//! | --- | --- |
//! | 0 | the operator's payout |
//!
//! It spends *every* challenge connector, so it dies with the first challenge. It needs the operator's own signature: a
//! member of the n-of-n that could choose the fee tier would burn the operator's money.

use bitcoin::Transaction;
use bitcoin::secp256k1::schnorr;

use super::{Coin, FinalizeError, Spend, Template, TemplateError, TxName, take};
use crate::blocks::Blocks;
use crate::connectors::{AssetConnector, ChallengeConnector, Payout, Vault};
use crate::fees::Fee;
use crate::signatures::SignatureSet;
use crate::weight;

/// The transaction that ends an unchallenged claim.
#[derive(Clone, Debug)]
pub struct TakeUncontested {
    template: Template,
    asset: AssetConnector,
}

impl TakeUncontested {
    pub(crate) fn new(
        vault: (&Vault, Coin),
        asset: (&AssetConnector, Vec<Coin>),
        challenge: (&ChallengeConnector, Vec<Coin>),
        period: Blocks,
        operator: &Payout,
        fee: Fee,
    ) -> Result<Self, TemplateError> {
        let mut draft = take::draft(TxName::TakeUncontested, vault, (asset.0, asset.1), period);
        for coin in challenge.1 {
            let spend = Spend::CommitteeKey(challenge.0.output().merkle_root());
            draft = draft.input(coin, period, spend, weight::key_path());
        }
        let draft = draft.output(operator.txout(weight::P2TR_DUST));
        Ok(TakeUncontested {
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
