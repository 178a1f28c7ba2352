//! `Release_w`: the operator takes the asset connector against watchtower w back when nothing can be done with it any more.
//!
//! | in | spends | lock |
//! | --- | --- | --- |
//! | 0 | the watchtower's asset connector, release leaf, the operator | TakeContested's time and a margin |
//!
//! | out | holds |
//! | --- | --- |
//! | 0 | the operator's payout |
//!
//! Not presigned: if every member held it, one could void an operator's `TakeContested` that was delayed beyond the margin.

use bitcoin::secp256k1::schnorr;
use bitcoin::{Transaction, Weight};

use super::{Coin, Draft, FinalizeError, Spend, Template, TemplateError, TxName};
use crate::connectors::{AssetConnector, Payout};
use crate::fees::SatPerVbyte;
use crate::weight;

/// The transaction that returns one asset connector.
#[derive(Clone, Debug)]
pub struct Release {
    template: Template,
    asset: AssetConnector,
}

impl Release {
    fn draft(watchtower: u16, asset: &AssetConnector, coin: Coin, operator: &Payout) -> Draft {
        Draft::new(TxName::Release { watchtower })
            .input(
                coin,
                asset.release_delay(),
                Spend::Own,
                asset.release_witness_size(),
            )
            .output(operator.txout(weight::P2TR_DUST))
    }

    /// Its weight, from which the value of the asset connector follows.
    pub(crate) fn weight(asset: &AssetConnector, operator: &Payout) -> Weight {
        Self::draft(0, asset, super::any_coin(), operator).weight()
    }

    pub(crate) fn new(
        watchtower: u16,
        asset: &AssetConnector,
        coin: Coin,
        operator: &Payout,
        rate: SatPerVbyte,
    ) -> Result<Self, TemplateError> {
        let template =
            Self::draft(watchtower, asset, coin, operator).finish(rate, 0, weight::MAX_STANDARD_WEIGHT)?;
        Ok(Release {
            template,
            asset: asset.clone(),
        })
    }

    /// The transaction before its witness.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// What the operator signs.
    pub fn operator_sighash(&self) -> [u8; 32] {
        self.template.sighash(0, Some(self.asset.release_leaf()))
    }

    /// The signed transaction.
    ///
    /// # Errors
    ///
    /// Never for a signature of 64 bytes; the type says so for uniformity.
    pub fn finalize(&self, operator: &schnorr::Signature) -> Result<Transaction, FinalizeError> {
        self.template.complete(vec![self.asset.release_witness(operator)])
    }
}
