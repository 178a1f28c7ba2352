//! `Kickoff`: the operator claims the deposit.
//!
//! | in | spends | lock |
//! | --- | --- | --- |
//! | 0.. | the operator's nominated outpoints, claim leaf: n-of-n and the one-time signed claim words | 1 block |
//!
//! | out | holds |
//! | --- | --- |
//! | 2w | asset connector of watchtower w: the right to the deposit against it |
//! | 2w+1 | challenge connector of watchtower w, with an operator stake of its own |
//! | 2m | the operator's anchor |
//!
//! Stakes and rights are separate so that a friendly watchtower of a lying operator can neither win what the others would
//! be paid from nor stand in the way of their wins.

use bitcoin::{Amount, Transaction};

use super::message::MAX_MESSAGE_WEIGHT;
use super::{Coin, Draft, FinalizeError, Spend, Template, TemplateError, TxName};
use crate::blocks::Blocks;
use crate::connectors::{Anchor, AssetConnector, ChallengeConnector, ClaimOutpoint};
use crate::fees::SatPerVbyte;
use crate::signatures::SignatureSet;

/// The transaction that makes a claim.
#[derive(Clone, Debug)]
pub struct Kickoff {
    template: Template,
    claim: Vec<ClaimOutpoint>,
}

impl Kickoff {
    /// Number of a watchtower's asset connector.
    pub const fn asset_vout(watchtower: usize) -> usize {
        2 * watchtower
    }

    /// Number of a watchtower's challenge connector.
    pub const fn challenge_vout(watchtower: usize) -> usize {
        2 * watchtower + 1
    }

    pub(crate) fn draft(
        claim: &[ClaimOutpoint],
        coins: &[Coin],
        asset: (&AssetConnector, Amount),
        challenge: (&ChallengeConnector, Amount),
        watchtowers: usize,
        operator: &Anchor,
    ) -> Draft {
        let mut draft = Draft::new(TxName::Kickoff);
        for (outpoint, coin) in claim.iter().zip(coins) {
            let leaf = outpoint.leaf();
            let spend = Spend::CommitteeLeaves(vec![leaf.leaf_hash()]);
            draft = draft.input(coin.clone(), Blocks::ONE, spend, leaf.witness_size());
        }
        for _ in 0..watchtowers {
            draft = draft
                .output(asset.0.txout(asset.1))
                .output(challenge.0.txout(challenge.1));
        }
        draft.output(operator.txout())
    }

    pub(crate) fn new(
        draft: Draft,
        claim: Vec<ClaimOutpoint>,
        rate: SatPerVbyte,
    ) -> Result<Self, TemplateError> {
        Ok(Kickoff {
            template: draft.finish(rate, Self::asset_vout(0), MAX_MESSAGE_WEIGHT)?,
            claim,
        })
    }

    /// The transaction before its witnesses.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The nominated outpoints that it spends.
    pub fn claim(&self) -> &[ClaimOutpoint] {
        &self.claim
    }

    /// Number of the operator's anchor.
    pub fn anchor_vout(&self) -> usize {
        self.template.unsigned().output.len() - 1
    }

    /// The signed transaction; `words` are the one-time values of each input, bottom of the stack first.
    ///
    /// # Errors
    ///
    /// [`FinalizeError`] if the values do not fit the inputs or a signature is missing.
    pub fn finalize(
        &self,
        signatures: &SignatureSet,
        words: &[Vec<Vec<u8>>],
    ) -> Result<Transaction, FinalizeError> {
        if words.len() != self.claim.len() {
            let (expected, got) = (self.claim.len(), words.len());
            return Err(FinalizeError::Inputs {
                tx: TxName::Kickoff,
                expected,
                got,
            });
        }
        let mut witnesses = Vec::with_capacity(words.len());
        for (input, (outpoint, values)) in self.claim.iter().zip(words).enumerate() {
            witnesses.push(outpoint.claim_witness(values, signatures.get(TxName::Kickoff, input, 0)?));
        }
        self.template.complete(witnesses)
    }
}
