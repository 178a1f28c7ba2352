//! The operator's hands: secrets, sign-once guard, and the transaction of each duty.
//!
//! Deciding is [`ocp::player::operator::Player`]'s; here duties become transactions. Every one-time value goes through the
//! guard, which records it before the signature leaves, so acting twice on one duty gives the same transaction and acting on a
//! contradictory one gives an error.

use bitcoin::Transaction;
use bitcoin::key::Keypair;
use ocp::message::SideKeys;
use ocp::player::Duty;
use ocp::player::log::ClaimLog;
use taptree_commit::choice::Preimage;
use taptree_commit::guard::SignOnce;
use taptree_commit::keys::InstanceKeys;

use crate::act::{ActError, layout, message, no_such, sign};
use crate::claim::Claim;
use crate::connectors::LeafSpend;
use crate::fees::Tier;

/// The operator's secrets of one claim.
pub struct Operator {
    key: Keypair,
    claim: InstanceKeys,
    disputes: Vec<InstanceKeys>,
    guard: Box<dyn SignOnce + Send>,
}

impl Operator {
    /// `key` is the operator's own (not its seat's), `claim` the one-time keys of the kickoff, `disputes` those against each
    /// watchtower, `guard` the store that lets each of them sign once.
    pub fn new(
        key: Keypair,
        claim: InstanceKeys,
        disputes: Vec<InstanceKeys>,
        guard: Box<dyn SignOnce + Send>,
    ) -> Self {
        Operator {
            key,
            claim,
            disputes,
            guard,
        }
    }

    /// The transaction of `duty` in its lowest fee tier, see [`Self::act_at`].
    ///
    /// # Errors
    ///
    /// [`ActError`]; the guard's refusals above all.
    pub fn act(
        &mut self,
        claim: &Claim,
        log: &ClaimLog,
        duty: &Duty,
        answering: Option<&Preimage>,
    ) -> Result<Transaction, ActError> {
        self.act_at(Tier::BASE, claim, log, duty, answering)
    }

    /// The transaction of `duty`; an ending or a take in fee tier `tier` or the last below it. `answering` is the watchtower's preimage that a message answers
    /// ([`ocp::player::operator::Player::answering`]); `log` is the player's.
    ///
    /// # Errors
    ///
    /// [`ActError`]; the guard's refusals above all.
    pub fn act_at(
        &mut self,
        tier: Tier,
        claim: &Claim,
        log: &ClaimLog,
        duty: &Duty,
        answering: Option<&Preimage>,
    ) -> Result<Transaction, ActError> {
        let graph = claim.graph();
        let signatures = claim.signatures();
        let dispute_of = |index: usize| {
            graph
                .disputes()
                .get(index)
                .ok_or_else(|| no_such(format!("dispute {index}")))
        };
        match duty {
            Duty::Send { dispute, content } => {
                let layout = layout(claim, *dispute)?;
                let keys = self.disputes.get(*dispute);
                let keys = keys.ok_or_else(|| no_such(format!("keys of dispute {dispute}")))?;
                let secrets = SideKeys::Operator {
                    claim: &self.claim,
                    dispute: keys,
                };
                let reveal = layout.sign(content.clone(), secrets, answering, &mut *self.guard)?;
                message(claim, *dispute, &layout, &reveal)
            }
            Duty::Timeout { dispute, after, .. } => {
                let late = dispute_of(*dispute)?
                    .endings(*after)
                    .and_then(|e| e.watchtower_late.as_ref());
                let late = late.ok_or_else(|| no_such(format!("WatchtowerLate after {after}")))?;
                let late = late.at(tier);
                let signature = sign(&self.key, late.operator_sighash());
                Ok(late.finalize(signatures, &signature)?)
            }
            Duty::Equivocation {
                dispute,
                after,
                choice,
                values,
            } => {
                let ending = dispute_of(*dispute)?
                    .endings(*after)
                    .and_then(|e| e.equivocation.as_ref());
                let ending = ending.ok_or_else(|| no_such(format!("ChoiceEquivocation after {after}")))?;
                let ending = ending.at(tier);
                let seen = log.disputes().get(*dispute);
                let preimage = |value| seen.and_then(|log| log.preimage(*choice, value));
                let (Some(first), Some(second)) = (preimage(values.0), preimage(values.1)) else {
                    return Err(no_such(format!("two preimages of {choice:?}")));
                };
                let leaf: LeafSpend = claim
                    .trees()
                    .equivocation_spend(*dispute, *choice, (&first, &second))
                    .ok_or_else(|| no_such(format!("equivocation leaf of {choice:?}")))?;
                let signature = sign(&self.key, ending.leaf_sighash(&leaf));
                Ok(ending.finalize(signatures, &leaf, &signature)?)
            }
            Duty::Close { dispute } => {
                let close = &dispute_of(*dispute)?.close;
                Ok(close.finalize(&sign(&self.key, close.operator_sighash()))?)
            }
            Duty::Release { dispute } => {
                let release = &dispute_of(*dispute)?.release;
                Ok(release.finalize(&sign(&self.key, release.operator_sighash()))?)
            }
            Duty::TakeUncontested => {
                let take = graph.take_uncontested().at(tier);
                Ok(take.finalize(signatures, &sign(&self.key, take.operator_sighash()))?)
            }
            Duty::TakeContested => {
                let take = graph.take_contested().at(tier);
                Ok(take.finalize(signatures, &sign(&self.key, take.operator_sighash()))?)
            }
            Duty::Stuck { message, step, .. } => Err(ActError::Stuck {
                message: *message,
                step: *step,
            }),
            Duty::Disprove { .. } => Err(ActError::OtherSide {
                duty: format!("{duty:?}"),
                side: "operator",
            }),
        }
    }
}
