//! The watchtower's hands: secrets, sign-once guard, and the transaction of each duty.
//!
//! Deciding is [`ocp::player::watchtower::Player`]'s. The guard keeps it from showing two preimages of one choice, which would
//! lose its bond.

use bitcoin::Transaction;
use bitcoin::key::Keypair;
use ocp::message::{Published, SideKeys};
use ocp::player::Duty;
use ocp::player::log::ClaimLog;
use ocp::{Content, Message};
use taptree_commit::guard::SignOnce;
use taptree_commit::keys::InstanceKeys;

use crate::act::{ActError, layout, message, no_such, sign, sign_output};
use crate::claim::Claim;
use crate::fees::Tier;

/// A watchtower's secrets of one claim.
pub struct Watchtower {
    key: Keypair,
    dispute: usize,
    keys: InstanceKeys,
    guard: Box<dyn SignOnce + Send>,
}

impl Watchtower {
    /// `key` is the watchtower's own (not its seat's), `dispute` its number, `keys` its one-time keys, `guard` the store that
    /// lets each of them sign once.
    pub fn new(key: Keypair, dispute: usize, keys: InstanceKeys, guard: Box<dyn SignOnce + Send>) -> Self {
        Watchtower {
            key,
            dispute,
            keys,
            guard,
        }
    }

    /// The transaction of `duty` in its lowest fee tier, see [`Self::act_at`].
    ///
    /// # Errors
    ///
    /// [`ActError`]; the guard's refusals above all.
    pub fn act(&mut self, claim: &Claim, log: &ClaimLog, duty: &Duty) -> Result<Transaction, ActError> {
        self.act_at(Tier::BASE, claim, log, duty)
    }

    /// The transaction of `duty`; an ending in fee tier `tier` or the last below it. `log` is the player's.
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
    ) -> Result<Transaction, ActError> {
        let dispute = self.dispute;
        let found = claim.graph().disputes().get(dispute);
        let graph = found.ok_or_else(|| no_such(format!("dispute {dispute}")))?;
        match duty {
            Duty::Send {
                content: Content::Challenge,
                ..
            } => {
                let challenge = &graph.challenge;
                let signature = sign_output(&self.key, challenge.bond_sighash());
                Ok(challenge.finalize(claim.signatures(), &signature)?)
            }
            Duty::Send { content, .. } => {
                let layout = layout(claim, dispute)?;
                let secrets = SideKeys::Watchtower(&self.keys);
                let reveal = layout.sign(content.clone(), secrets, None, &mut *self.guard)?;
                message(claim, dispute, &layout, &reveal)
            }
            Duty::Timeout { after, burn, .. } => {
                let forms = graph.endings(*after).and_then(|e| e.operator_late.as_ref());
                let [burning, keeping] =
                    forms.ok_or_else(|| no_such(format!("OperatorLate after {after}")))?;
                let late = if *burn { burning } else { keeping }.at(tier);
                let signature = sign(&self.key, late.watchtower_sighash());
                Ok(late.finalize(claim.signatures(), &signature)?)
            }
            Duty::Disprove {
                after, leaf, burn, ..
            } => self.disprove(claim, &log.published(dispute), (*after, *leaf), (*burn, tier)),
            _ => Err(ActError::OtherSide {
                duty: format!("{duty:?}"),
                side: "watchtower",
            }),
        }
    }

    /// The transaction that spends disprove leaf `leaf` of the first connector of `after`.
    fn disprove(
        &self,
        claim: &Claim,
        published: &Published,
        (after, leaf): (Message, usize),
        (burn, tier): (bool, Tier),
    ) -> Result<Transaction, ActError> {
        let forms = claim.graph().disputes()[self.dispute]
            .endings(after)
            .and_then(|e| e.disprove.as_ref());
        let [burning, keeping] = forms.ok_or_else(|| no_such(format!("Disprove after {after}")))?;
        let disprove = if burn { burning } else { keeping }.at(tier);
        let spend = claim.trees().disprove_spend(self.dispute, after, leaf, published);
        let spend = spend.ok_or(ActError::Leaf { leaf })?;
        let in_leaf = sign(&self.key, disprove.leaf_sighash(&spend));
        let in_pot = sign(&self.key, disprove.watchtower_sighash());
        Ok(disprove.finalize(claim.signatures(), &spend, &in_leaf, &in_pot)?)
    }
}
