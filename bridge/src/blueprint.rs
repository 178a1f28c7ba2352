//! All connectors of a claim and the exact amounts of the outpoints that it starts from.
//!
//! Sizes do not depend on outpoints, so amounts are known before anything is on chain: the operator and the watchtowers
//! create outpoints that match the [`Quote`] to the satoshi, and every signer checks them against it. A nominated
//! outpoint with another amount or script would make the signatures of the whole graph void.

use std::sync::Arc;

use bitcoin::{Amount, TxOut, Weight};
use ocp::{Message, Plan, Side};

use crate::connectors::{
    Anchor, AssetConnector, BondOutpoint, ChallengeConnector, ClaimOutpoint, DepositRequestConnector,
    MessageConnector, Payout, Pot, Vault,
};
use crate::dispute::{DisputeTrees, TreeError, dispute_messages};
use crate::graph::BuildError;
use crate::terms::{Terms, TermsError};
use crate::transactions::{Challenge, Deposit, Kickoff, MessageTx, Release, any_coin};
use crate::weight::P2TR_DUST;

/// Exact contents of the outpoints that a claim starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// What the user pays to ask for the deposit: the deposit, its transaction's fee and anchor.
    pub deposit_request: TxOut,
    /// The operator's outpoints: the first carries stakes, rights and fee, the others no more than dust allows.
    pub claim: Vec<TxOut>,
    /// Each watchtower's outpoint: its bond and the budget of its dispute's messages.
    pub bonds: Vec<TxOut>,
}

/// The connectors of one watchtower's dispute.
#[derive(Clone, Debug)]
pub struct DisputeBlueprint {
    /// The watchtower's nominated outpoint.
    pub bond: BondOutpoint,
    /// Stake and bond.
    pub pot: Pot,
    /// The watchtower's anchor.
    pub anchor: Anchor,
    /// The watchtower's payout.
    pub payout: Payout,
    /// The outputs of each message, in the order of messages from the challenge on.
    pub connectors: Vec<(Message, Arc<[MessageConnector]>)>,
}

/// All connectors of a claim.
#[derive(Clone, Debug)]
pub struct Blueprint {
    pub(crate) terms: Terms,
    pub(crate) plan: Plan,
    pub(crate) deposit_request: DepositRequestConnector,
    pub(crate) vault: Vault,
    pub(crate) user_anchor: Anchor,
    pub(crate) claim: Vec<ClaimOutpoint>,
    pub(crate) asset: AssetConnector,
    pub(crate) asset_value: Amount,
    pub(crate) challenge: ChallengeConnector,
    pub(crate) operator_anchor: Anchor,
    pub(crate) operator_payout: Payout,
    pub(crate) disputes: Vec<DisputeBlueprint>,
    quote: Quote,
}

impl Blueprint {
    /// Checks the terms, computes every connector and the quote.
    ///
    /// # Errors
    ///
    /// [`BuildError`] for terms or trees that do not hold.
    pub fn new(terms: &Terms, trees: &dyn DisputeTrees) -> Result<Self, BuildError> {
        let plan = trees.plan().clone();
        terms.check(&plan)?;
        let committee = terms.committee.key();
        let operator = terms.operator.key;
        let locks = &terms.locks;
        let claim_trees = trees.claim();
        if claim_trees.is_empty() {
            return Err(BuildError::Tree {
                name: "claim".into(),
                source: TreeError::NoLeaf,
            });
        }
        let claim = claim_trees
            .into_iter()
            .map(|tree| ClaimOutpoint::new(committee, operator, tree))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| BuildError::Tree {
                name: "claim".into(),
                source,
            })?;
        let disputes = terms
            .watchtowers
            .iter()
            .enumerate()
            .map(|(index, party)| dispute(committee, (operator, party.key), index, &plan, trees))
            .collect::<Result<Vec<_>, _>>()?;
        let asset = AssetConnector::new(committee, operator, locks.release());
        let operator_payout = Payout::new(operator);
        let rate = terms.amounts.base_fee_rate;
        let asset_value = P2TR_DUST + rate.fee(Release::weight(&asset, &operator_payout));
        let mut blueprint = Blueprint {
            deposit_request: DepositRequestConnector::new(committee, terms.user, locks.refund),
            vault: Vault::new(committee),
            user_anchor: Anchor::new(terms.user),
            claim,
            asset,
            asset_value,
            challenge: ChallengeConnector::new(committee, operator, locks.challenge()),
            operator_anchor: Anchor::new(operator),
            operator_payout,
            disputes,
            terms: terms.clone(),
            plan,
            quote: Quote {
                deposit_request: any_coin().1,
                claim: Vec::new(),
                bonds: Vec::new(),
            },
        };
        blueprint.quote = blueprint.reckon()?;
        Ok(blueprint)
    }

    /// Exact contents of the outpoints to nominate.
    pub fn quote(&self) -> &Quote {
        &self.quote
    }

    /// Shape of each dispute.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The deposit request's output, with its refund.
    pub fn deposit_request(&self) -> &DepositRequestConnector {
        &self.deposit_request
    }

    /// The disputes' connectors, by watchtower.
    pub fn disputes(&self) -> &[DisputeBlueprint] {
        &self.disputes
    }

    fn reckon(&self) -> Result<Quote, BuildError> {
        let amounts = &self.terms.amounts;
        let rate = amounts.base_fee_rate;
        let fee = |weight: Weight| rate.fee(weight);

        let deposit = Deposit::draft(&self.deposit_request, any_coin(), &self.vault, &self.user_anchor);
        let request = amounts.deposit + Anchor::VALUE + fee(deposit.weight());

        let coins = vec![any_coin(); self.claim.len()];
        let kickoff = Kickoff::draft(
            &self.claim,
            &coins,
            (&self.asset, self.asset_value),
            (&self.challenge, amounts.stake),
            self.disputes.len(),
            &self.operator_anchor,
        );
        let stakes = Amount::from_sat(amounts.stake.to_sat().saturating_mul(self.disputes.len() as u64));
        if stakes > Amount::MAX_MONEY {
            let got = stakes;
            return Err(TermsError::TooLarge {
                name: "all stakes",
                most: Amount::MAX_MONEY,
                got,
            }
            .into());
        }
        let assets = self.asset_value * self.disputes.len() as u64;
        let needed = stakes + assets + Anchor::VALUE + fee(kickoff.weight());
        let small = P2TR_DUST * (self.claim.len() as u64 - 1);
        let first = needed - small.min(needed - P2TR_DUST);
        let claim = self
            .claim
            .iter()
            .enumerate()
            .map(|(index, outpoint)| outpoint.txout(if index == 0 { first } else { P2TR_DUST }))
            .collect();

        let mut bonds = Vec::with_capacity(self.disputes.len());
        for (index, dispute) in self.disputes.iter().enumerate() {
            let budget = self.budget(index as u16, dispute)?;
            let first = &dispute.connectors[0].1;
            let challenge = Challenge::draft(
                index as u16,
                (&self.challenge, any_coin()),
                any_coin(),
                (&dispute.pot, amounts.stake + amounts.bond),
                first,
                &dispute.anchor,
            );
            bonds.push(
                dispute
                    .bond
                    .txout(amounts.bond + budget + Anchor::VALUE + fee(challenge.weight())),
            );
        }
        Ok(Quote {
            deposit_request: self.deposit_request.txout(request),
            claim,
            bonds,
        })
    }

    /// What the challenge's connectors must hold so that every later message can be sent.
    fn budget(&self, index: u16, dispute: &DisputeBlueprint) -> Result<Amount, BuildError> {
        let mut needed = Amount::ZERO;
        for pair in dispute.connectors.windows(2).rev() {
            let (_, outputs) = &pair[1];
            let (message, weight) = (
                pair[1].0,
                self.message_weight(index, dispute, &pair[0].1, &pair[1])?,
            );
            debug_assert!(message != Message::Challenge);
            let held = needed.max(P2TR_DUST * outputs.len() as u64);
            needed = held + Anchor::VALUE + self.terms.amounts.base_fee_rate.fee(weight);
        }
        Ok(needed.max(P2TR_DUST * dispute.connectors[0].1.len() as u64))
    }

    fn message_weight(
        &self,
        index: u16,
        dispute: &DisputeBlueprint,
        inputs: &[MessageConnector],
        (message, outputs): &(Message, Arc<[MessageConnector]>),
    ) -> Result<Weight, BuildError> {
        let coins = vec![any_coin(); inputs.len()];
        let draft = MessageTx::draft(
            index,
            *message,
            (inputs, &coins),
            outputs,
            self.anchor(*message, dispute),
        )
        .map_err(|source| BuildError::Tree {
            name: message.to_string(),
            source,
        })?;
        Ok(draft.weight())
    }

    /// The anchor of the sender of `message`.
    pub(crate) fn anchor<'a>(&'a self, message: Message, dispute: &'a DisputeBlueprint) -> &'a Anchor {
        match message.sender() {
            Side::Operator => &self.operator_anchor,
            Side::Watchtower => &dispute.anchor,
        }
    }
}

fn dispute(
    committee: bitcoin::XOnlyPublicKey,
    (operator, watchtower): (bitcoin::XOnlyPublicKey, bitcoin::XOnlyPublicKey),
    index: usize,
    plan: &Plan,
    trees: &dyn DisputeTrees,
) -> Result<DisputeBlueprint, BuildError> {
    let connectors = dispute_messages(plan)
        .map(|after| {
            let named = |source| BuildError::Tree {
                name: format!("connectors after {after} [w{index}]"),
                source,
            };
            let trees = trees.connectors(index, after);
            if trees.is_empty() {
                return Err(named(TreeError::NoLeaf));
            }
            let connectors: Result<Arc<[_]>, _> = trees
                .into_iter()
                .map(|tree| MessageConnector::new(committee, tree))
                .collect();
            Ok((after, connectors.map_err(named)?))
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(DisputeBlueprint {
        bond: BondOutpoint::new(watchtower),
        pot: Pot::new(committee, operator, watchtower, trees.equivocation(index)),
        anchor: Anchor::new(watchtower),
        payout: Payout::new(watchtower),
        connectors,
    })
}
