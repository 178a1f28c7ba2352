//! `ChoiceEquivocation`: the watchtower showed two preimages of one choice, the operator takes the pot.
//!
//! | in | spends | lock |
//! | --- | --- | --- |
//! | 0 | the pot, an equivocation leaf: both preimages and the operator | 1 block |
//! | 1.. | every connector of the last confirmed message, key path, n-of-n | 1 block |
//!
//! | out | holds |
//! | --- | --- |
//! | 0 | the operator's payout: its stake, the bond, what is left of the budget |
//!
//! There is one for each message that can be the last confirmed one, so that no connector stays behind without an ending.
//! The leaf needs the operator only: it could take the pot without the connectors and would leave the rest of the budget
//! behind.

use std::sync::Arc;

use bitcoin::secp256k1::schnorr;
use bitcoin::taproot::LeafVersion;
use bitcoin::{TapLeafHash, Transaction};
use ocp::Message;

use super::{Coin, Draft, FinalizeError, Spend, Template, TemplateError, TxName};
use crate::blocks::Blocks;
use crate::connectors::{LeafSpend, MessageConnector, Payout, Pot, key_path_witness};
use crate::fees::Fee;
use crate::signatures::SignatureSet;
use crate::weight::{self, P2TR_DUST};

/// An operator's win by the watchtower's double choice.
#[derive(Clone, Debug)]
pub struct ChoiceEquivocation {
    template: Template,
    pot: Pot,
}

impl ChoiceEquivocation {
    pub(crate) fn new(
        watchtower: u16,
        after: Message,
        spent: (&Arc<[MessageConnector]>, &[Coin]),
        pot: (&Pot, Coin),
        operator: &Payout,
        fee: Fee,
    ) -> Result<Self, TemplateError> {
        let mut draft = Draft::new(TxName::ChoiceEquivocation { watchtower, after }).input(
            pot.1,
            Blocks::ONE,
            Spend::Own,
            pot.0.equivocation_witness_size(),
        );
        for (connector, coin) in spent.0.iter().zip(spent.1) {
            let spend = Spend::CommitteeKey(connector.output().merkle_root());
            draft = draft.input(coin.clone(), Blocks::ONE, spend, weight::key_path());
        }
        let template = draft
            .output(operator.txout(P2TR_DUST))
            .finish(fee, 0, weight::MAX_STANDARD_WEIGHT)?;
        Ok(ChoiceEquivocation {
            template,
            pot: pot.0.clone(),
        })
    }

    /// The transaction before its witnesses.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// What the operator signs in the equivocation leaf.
    pub fn leaf_sighash(&self, leaf: &LeafSpend) -> [u8; 32] {
        self.template.sighash(
            0,
            Some(TapLeafHash::from_script(&leaf.script, LeafVersion::TapScript)),
        )
    }

    /// The signed transaction.
    ///
    /// # Errors
    ///
    /// [`FinalizeError`] if a signature of the n-of-n is missing or the leaf does not fit.
    pub fn finalize(
        &self,
        signatures: &SignatureSet,
        leaf: &LeafSpend,
        operator: &schnorr::Signature,
    ) -> Result<Transaction, FinalizeError> {
        let tx = self.template.name();
        let mut witnesses = vec![
            self.pot
                .equivocation_witness(leaf, operator)
                .ok_or(FinalizeError::TooDeep { tx })?,
        ];
        for input in 1..self.template.spends().len() {
            witnesses.push(key_path_witness(signatures.of(&self.template, input, 0)?));
        }
        self.template.complete(witnesses)
    }
}
