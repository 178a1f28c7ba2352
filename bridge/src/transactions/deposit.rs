//! `Deposit`: the user's money goes into the vault.
//!
//! | in | spends | lock |
//! | --- | --- | --- |
//! | 0 | the deposit request, key path, n-of-n | 1 block |
//!
//! | out | holds |
//! | --- | --- |
//! | 0 | the vault |
//! | 1 | the user's anchor |
//!
//! The n-of-n signs it last: before that, each member has checked every other signature of every graph of this deposit, so
//! money never lies in a vault without a way out.

use bitcoin::Transaction;

use super::{Coin, Draft, FinalizeError, Spend, Template, TemplateError, TxName};
use crate::blocks::Blocks;
use crate::connectors::{Anchor, DepositRequestConnector, Vault, key_path_witness};
use crate::fees::SatPerVbyte;
use crate::signatures::SignatureSet;
use crate::weight;

/// The transaction that fills the vault.
#[derive(Clone, Debug)]
pub struct Deposit {
    template: Template,
}

impl Deposit {
    /// Number of the vault output.
    pub const VAULT: usize = 0;
    /// Number of the user's anchor.
    pub const ANCHOR: usize = 1;

    pub(crate) fn draft(
        request: &DepositRequestConnector,
        coin: Coin,
        vault: &Vault,
        user: &Anchor,
    ) -> Draft {
        Draft::new(TxName::Deposit)
            .input(
                coin,
                Blocks::ONE,
                Spend::CommitteeKey(request.output().merkle_root()),
                weight::key_path(),
            )
            .output(vault.txout(weight::P2TR_DUST))
            .output(user.txout())
    }

    pub(crate) fn new(draft: Draft, rate: SatPerVbyte) -> Result<Self, TemplateError> {
        Ok(Deposit {
            template: draft.finish(rate, Self::VAULT, weight::MAX_STANDARD_WEIGHT)?,
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
    /// [`FinalizeError`] without the n-of-n's signature.
    pub fn finalize(&self, signatures: &SignatureSet) -> Result<Transaction, FinalizeError> {
        let signature = signatures.get(TxName::Deposit, 0, 0)?;
        self.template.complete(vec![key_path_witness(signature)])
    }
}
