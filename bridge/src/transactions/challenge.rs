//! `Challenge_w`: a watchtower stakes its bond against the operator's stake.
//!
//! | in | spends | lock |
//! | --- | --- | --- |
//! | 0 | the watchtower's challenge connector, key path, n-of-n | 1 block |
//! | 1 | the watchtower's nominated outpoint, key path, the watchtower | 1 block |
//!
//! | out | holds |
//! | --- | --- |
//! | 0 | the pot: stake and bond |
//! | 1.. | the connectors of the first message; the first carries the budget |
//! | last | the watchtower's anchor |
//!
//! Only the owner of the bond can challenge, and only once: the outpoint was fixed before the graph was signed.

use std::sync::Arc;

use bitcoin::secp256k1::schnorr;
use bitcoin::{Amount, Transaction};
use ocp::Message;

use super::message::MAX_MESSAGE_WEIGHT;
use super::{Coin, Draft, FinalizeError, Spend, Template, TemplateError, TxName};
use crate::blocks::Blocks;
use crate::connectors::{Anchor, ChallengeConnector, MessageConnector, Pot, key_path_witness};
use crate::fees::SatPerVbyte;
use crate::signatures::SignatureSet;
use crate::weight::{self, P2TR_DUST};

/// The transaction that opens a dispute.
#[derive(Clone, Debug)]
pub struct Challenge {
    template: Template,
    outputs: Arc<[MessageConnector]>,
}

impl Challenge {
    /// Number of the pot.
    pub const POT: usize = 0;
    /// Number of the first message connector.
    pub const FIRST_CONNECTOR: usize = 1;

    pub(crate) fn draft(
        watchtower: u16,
        challenge: (&ChallengeConnector, Coin),
        bond: Coin,
        pot: (&Pot, Amount),
        outputs: &[MessageConnector],
        sender: &Anchor,
    ) -> Draft {
        let mut draft = Draft::new(TxName::Message {
            watchtower,
            message: Message::Challenge,
        })
        .input(
            challenge.1,
            Blocks::ONE,
            Spend::CommitteeKey(challenge.0.output().merkle_root()),
            weight::key_path(),
        )
        .input(bond, Blocks::ONE, Spend::Own, weight::key_path())
        .output(pot.0.txout(pot.1));
        for connector in outputs {
            draft = draft.output(connector.txout(P2TR_DUST));
        }
        draft.output(sender.txout())
    }

    pub(crate) fn new(
        draft: Draft,
        outputs: Arc<[MessageConnector]>,
        rate: SatPerVbyte,
    ) -> Result<Self, TemplateError> {
        let template = draft.finish(rate, Self::FIRST_CONNECTOR, MAX_MESSAGE_WEIGHT)?;
        Ok(Challenge { template, outputs })
    }

    /// The transaction before its witnesses.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The message connectors that it creates, from output 1 on.
    pub fn connectors(&self) -> &[MessageConnector] {
        &self.outputs
    }

    /// Number of the watchtower's anchor.
    pub fn anchor_vout(&self) -> usize {
        Self::FIRST_CONNECTOR + self.outputs.len()
    }

    /// What the watchtower signs to stake its bond.
    pub fn bond_sighash(&self) -> [u8; 32] {
        self.template.sighash(1, None)
    }

    /// The signed transaction; `watchtower` signs with its output key (`BIP-0341` tweak).
    ///
    /// # Errors
    ///
    /// [`FinalizeError`] if the n-of-n's signature is missing.
    pub fn finalize(
        &self,
        signatures: &SignatureSet,
        watchtower: &schnorr::Signature,
    ) -> Result<Transaction, FinalizeError> {
        let committee = signatures.get(self.template.name(), 0, 0)?;
        self.template
            .complete(vec![key_path_witness(committee), key_path_witness(watchtower)])
    }
}
