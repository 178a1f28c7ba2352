//! `Disprove`: the operator contradicted itself, the watchtower shows one leaf that says so and takes the pot.
//!
//! | in | spends | lock |
//! | --- | --- | --- |
//! | 0 | the connector of `Open` or `Path`, a disprove leaf: the contradiction and the watchtower | 1 block |
//! | 1..c | its other connectors, if any, key path, n-of-n | 1 block |
//! | c | the pot, the watchtower's leaf: watchtower and n-of-n | 1 block |
//! | c+1 | (form that burns the claim) the watchtower's asset connector, key path, n-of-n | 1 block |
//!
//! | out | holds |
//! | --- | --- |
//! | 0 | the watchtower's payout |
//! | 1 | the burned part of the stake |
//!
//! The n-of-n signs none of the tens of thousands of leaves: its signature on the pot commits to all inputs and outputs,
//! so the leaf can only be played in this transaction.

use std::sync::Arc;

use bitcoin::secp256k1::schnorr;
use bitcoin::taproot::LeafVersion;
use bitcoin::{TapLeafHash, Transaction};
use ocp::Message;

use super::win::{self, WinParts};
use super::{Coin, Draft, FinalizeError, Spend, Template, TemplateError, TxName};
use crate::blocks::Blocks;
use crate::connectors::{LeafSpend, MessageConnector, Pot, key_path_witness};
use crate::signatures::SignatureSet;
use crate::weight;

/// A watchtower's win by contradiction.
#[derive(Clone, Debug)]
pub struct Disprove {
    template: Template,
    connectors: Arc<[MessageConnector]>,
    pot: Pot,
    burns_claim: bool,
}

impl Disprove {
    pub(crate) fn new(
        watchtower: u16,
        after: Message,
        connectors: &Arc<[MessageConnector]>,
        coins: &[Coin],
        parts: &WinParts<'_>,
    ) -> Result<Self, TemplateError> {
        let burns_claim = parts.asset.is_some();
        let name = TxName::Disprove {
            watchtower,
            after,
            burns_claim,
        };
        let mut draft = Draft::new(name);
        for (input, (connector, coin)) in connectors.iter().zip(coins).enumerate() {
            let (spend, size) = match (input, connector.disprove_witness_size()) {
                (0, Some(size)) => (Spend::Own, size),
                (0, None) => return Err(TemplateError::NoDisproveLeaf { name }),
                _ => (
                    Spend::CommitteeKey(connector.output().merkle_root()),
                    weight::key_path(),
                ),
            };
            draft = draft.input(coin.clone(), Blocks::ONE, spend, size);
        }
        let template = win::finish(draft, parts)?;
        let pot = parts.pot.0.clone();
        Ok(Disprove {
            template,
            connectors: connectors.clone(),
            pot,
            burns_claim,
        })
    }

    /// The transaction before its witnesses.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// What the watchtower signs in the disprove leaf.
    pub fn leaf_sighash(&self, leaf: &LeafSpend) -> [u8; 32] {
        self.template.sighash(
            0,
            Some(TapLeafHash::from_script(&leaf.script, LeafVersion::TapScript)),
        )
    }

    /// What the watchtower signs to take the pot.
    pub fn watchtower_sighash(&self) -> [u8; 32] {
        self.template
            .sighash(self.connectors.len(), Some(self.pot.win_leaf()))
    }

    /// The signed transaction: `in_leaf` signs [`Self::leaf_sighash`], `in_pot` signs [`Self::watchtower_sighash`].
    ///
    /// # Errors
    ///
    /// [`FinalizeError`] if a signature of the n-of-n is missing or the leaf is larger than the layout said.
    pub fn finalize(
        &self,
        signatures: &SignatureSet,
        leaf: &LeafSpend,
        in_leaf: &schnorr::Signature,
        in_pot: &schnorr::Signature,
    ) -> Result<Transaction, FinalizeError> {
        let pot_input = self.connectors.len();
        let mut witnesses = vec![self.connectors[0].disprove_witness(leaf, in_leaf)];
        for input in 1..pot_input {
            witnesses.push(key_path_witness(signatures.of(&self.template, input, 0)?));
        }
        witnesses.push(
            self.pot
                .win_witness(signatures.of(&self.template, pot_input, 0)?, in_pot),
        );
        if self.burns_claim {
            witnesses.push(key_path_witness(signatures.of(
                &self.template,
                pot_input + 1,
                0,
            )?));
        }
        self.template.complete(witnesses)
    }
}
