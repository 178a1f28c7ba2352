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

use super::{Coin, Draft, FinalizeError, Spend, Template, TemplateError, TxName};
use crate::blocks::Blocks;
use crate::connectors::{AssetConnector, ChallengeConnector, Payout, Vault, key_path_witness};
use crate::fees::Fee;
use crate::signatures::SignatureSet;
use crate::weight;

/// Number of the asset connector that the operator signs for.
const FIRST_ASSET: usize = 1;

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
        let key = |root| Spend::CommitteeKey(root);
        let mut draft = Draft::new(TxName::TakeUncontested).input(
            vault.1,
            Blocks::ONE,
            key(vault.0.output().merkle_root()),
            weight::key_path(),
        );
        for (index, coin) in asset.1.into_iter().enumerate() {
            let (spend, size) = asset.0.take_spend(index);
            draft = draft.input(coin, period, spend, size);
        }
        for coin in challenge.1 {
            let spend = key(challenge.0.output().merkle_root());
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
        self.template.sighash(FIRST_ASSET, Some(self.asset.take_leaf()))
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
        let mut witnesses = Vec::with_capacity(self.template.spends().len());
        for input in 0..self.template.spends().len() {
            let committee = signatures.of(&self.template, input, 0)?;
            witnesses.push(match input {
                FIRST_ASSET => self.asset.take_witness(committee, operator),
                _ => key_path_witness(committee),
            });
        }
        self.template.complete(witnesses)
    }
}
