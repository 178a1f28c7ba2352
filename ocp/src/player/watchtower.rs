//! The watchtower: judges a kickoff by its own run, searches for the first lie, convicts.
//!
//! Owns the order of the watchtower's moves. What it thinks of a claim is its [`Policy`]: [`Honest`] is the protocol's;
//! adversaries are other policies. A watchtower challenges iff its own run does not accept; it chooses the first
//! part whose end it disputes; at `Open` it spends a convicting leaf, else demands the path segment that lies, else
//! gives up (it was wrong, or the operator knew a preimage that it did not).
//!
//! A choice is made once. It is kept across re-organisations, because two preimages of one choice lose the bond:
//! if a re-organisation deeper than `confirmations` replaces what was answered, the old choice is sent again.

use std::collections::BTreeMap;

use taptree_commit::guard::{SignOnce, Statement};
use taptree_commit::keys::InstanceId;

use super::log::ClaimLog;
use super::{Duty, Event};
use crate::content::Content;
use crate::conviction::DisproveLeaves;
use crate::deadline::Deadlines;
use crate::message::Published;
use crate::opening::{Hash32, Opening};
use crate::plan::{Message, Plan, Side};
use crate::prover::{Prover, Verdict, first_disputed, lying_segment};
use crate::value::ChoiceId;

/// What to do with an opened step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conviction {
    /// Spend this leaf.
    Disprove(usize),
    /// Demand this path segment (after `Open` only).
    Demand(u8),
    /// Nothing is wrong with it.
    GiveUp,
}

/// A watchtower's judgement.
pub trait Policy {
    /// Whether to challenge a claim of `words`.
    fn challenges(&mut self, words: &[u32], plan: &Plan) -> bool;

    /// Which part of a round to dispute: the operator signed `digests` at the steps `cuts`.
    fn choose(&mut self, words: &[u32], cuts: &[u64], digests: &[Hash32]) -> u8;

    /// What to do after `Open` of step `step`.
    fn judge_opening(
        &mut self,
        words: &[u32],
        step: u64,
        opening: &Opening,
        published: &Published,
    ) -> Conviction;

    /// What to do after `Path`.
    fn judge_path(&mut self, published: &Published) -> Conviction;
}

/// Starts a run of the program on claim words.
type Start<P> = Box<dyn FnMut(&[u32]) -> P + Send>;

/// The protocol's watchtower: it runs the program on the claim words and believes its own run only.
pub struct Honest<P, L> {
    start: Start<P>,
    runs: BTreeMap<Vec<u32>, P>,
    open_leaves: L,
    path_leaves: L,
}

impl<P: Prover, L: DisproveLeaves> Honest<P, L> {
    /// A watchtower that runs claims with `start` and convicts with the leaves on `Open`'s and on `Path`'s outputs.
    pub fn new(
        start: impl FnMut(&[u32]) -> P + Send + 'static,
        open_leaves: L,
        path_leaves: L,
    ) -> Honest<P, L> {
        Honest {
            start: Box::new(start),
            runs: BTreeMap::new(),
            open_leaves,
            path_leaves,
        }
    }

    fn run(&mut self, words: &[u32]) -> &mut P {
        let start = &mut self.start;
        self.runs.entry(words.to_vec()).or_insert_with(|| start(words))
    }
}

impl<P: Prover, L: DisproveLeaves> Policy for Honest<P, L> {
    fn challenges(&mut self, words: &[u32], plan: &Plan) -> bool {
        self.run(words).verdict(plan.steps()) != Verdict::Accepted
    }

    fn choose(&mut self, words: &[u32], cuts: &[u64], digests: &[Hash32]) -> u8 {
        first_disputed(self.run(words), cuts, digests)
    }

    fn judge_opening(
        &mut self,
        words: &[u32],
        step: u64,
        opening: &Opening,
        published: &Published,
    ) -> Conviction {
        if let Some(leaf) = self.open_leaves.convicting(published) {
            return Conviction::Disprove(leaf);
        }
        // An unknown path cannot be judged: the disputed step then lies behind the one that stopped the run, and the
        // watchtower has accepted everything up to there.
        let path = self.run(words).memory_path(step, opening.addr).ok();
        let segment = path.and_then(|(leaf, siblings)| lying_segment(opening, &leaf, &siblings));
        segment.map_or(Conviction::GiveUp, Conviction::Demand)
    }

    fn judge_path(&mut self, published: &Published) -> Conviction {
        self.path_leaves
            .convicting(published)
            .map_or(Conviction::GiveUp, Conviction::Disprove)
    }
}

/// What a judgement depends on: claim words, choices, payload.
type Judged = (Vec<u32>, Vec<u8>, Content);

/// One watchtower of one claim.
pub struct Player<Y> {
    log: ClaimLog,
    deadlines: Deadlines,
    dispute: usize,
    policy: Y,
    chosen: BTreeMap<ChoiceId, u8>,
    /// The last judgement, with the claim words, choices and payload that it was made of.
    judged: Option<(Judged, Conviction)>,
}

impl<Y: Policy> Player<Y> {
    /// Watchtower number `dispute` of a claim that `watchtowers` can dispute.
    pub fn new(plan: Plan, deadlines: Deadlines, watchtowers: usize, dispute: usize, policy: Y) -> Player<Y> {
        let log = ClaimLog::new(plan, watchtowers);
        Player {
            log,
            deadlines,
            dispute,
            policy,
            chosen: BTreeMap::new(),
            judged: None,
        }
    }

    /// The history.
    pub fn log(&self) -> &ClaimLog {
        &self.log
    }

    /// Takes over the choices that the sign-once guard has on record for this dispute's `instance`. To be called after a
    /// restart, before the first event: a choice that was shown is never made anew.
    pub fn restore(&mut self, guard: &dyn SignOnce, instance: &InstanceId) {
        for choice in self.log.plan().choices() {
            let said = guard.statement(instance, &choice.slot(Side::Watchtower));
            if let Some(Statement::Choice(value)) = said {
                let value = u8::try_from(*value).unwrap_or(u8::MAX);
                self.chosen
                    .insert(choice, value.min(self.log.plan().choice_values(choice) - 1));
            }
        }
    }

    /// Records an event and answers all that is due now.
    pub fn on_event(&mut self, event: Event) -> Vec<Duty> {
        self.log.apply(event);
        self.duties()
    }

    /// All that is due now: at most one duty.
    pub fn duties(&mut self) -> Vec<Duty> {
        self.duty().into_iter().collect()
    }

    fn duty(&mut self) -> Option<Duty> {
        let dispute = self.dispute;
        if self.log.disputes().get(dispute)?.ending().is_some() {
            return None;
        }
        let last = self.log.last(dispute)?;
        let (said, height) = (last.reveal.content.clone(), last.height);
        let after = said.message();
        let next = self.log.plan().next(after);
        if next.is_some_and(|m| m.sender() == Side::Operator) {
            let late = self.log.ripe(height, self.deadlines.message);
            return late.then(|| Duty::Timeout {
                dispute,
                after,
                burn: self.burns(),
            });
        }
        if self.log.confirmations(height) < u32::from(self.deadlines.confirmations) {
            return None;
        }
        let words = match &self.log.kickoff()?.reveal.content {
            Content::Kickoff(words) => words.clone(),
            _ => return None,
        };
        let send = |content| Some(Duty::Send { dispute, content });
        match &said {
            Content::Kickoff(_) => {
                // A claim that can take nothing any more is not worth a dispute; one that a re-organisation can bring back is.
                let lost = self.log.buried(self.log.decided(), self.deadlines.confirmations);
                let due = !lost && self.policy.challenges(&words, self.log.plan());
                if due { send(Content::Challenge) } else { None }
            }
            Content::Search { round, digests, .. } => {
                let choice = self.choose(ChoiceId::Search(*round), |policy, log| {
                    let cuts = log.plan().cuts(&log.choices(dispute)).unwrap_or_default();
                    policy.choose(&words, &cuts, digests)
                });
                send(Content::Select {
                    round: *round,
                    choice,
                })
            }
            Content::Open { .. } | Content::Path { .. } => match self.judge(&words, said) {
                Conviction::Disprove(leaf) => Some(Duty::Disprove {
                    dispute,
                    after,
                    leaf,
                    burn: self.burns(),
                }),
                Conviction::Demand(segment) if after == Message::Open => {
                    let segment = self.choose(ChoiceId::Segment, |_, _| segment);
                    send(Content::Demand { segment })
                }
                Conviction::Demand(_) | Conviction::GiveUp => None,
            },
            _ => None,
        }
    }

    /// Whether a win spends the right to the deposit too. Only what happened to this watchtower's own right counts, since
    /// no other watchtower's win touches it, and only once it is buried: a re-organisation must not bring the right back
    /// after the form that leaves it alone was played.
    fn burns(&self) -> bool {
        let spent = self.log.asset_spent(self.dispute);
        !self.log.buried(spent, self.deadlines.confirmations)
    }

    /// The choice on record, or the one that `decide` makes now.
    fn choose(&mut self, choice: ChoiceId, decide: impl FnOnce(&mut Y, &ClaimLog) -> u8) -> u8 {
        if let Some(&value) = self.chosen.get(&choice) {
            return value;
        }
        let value = decide(&mut self.policy, &self.log).min(self.log.plan().choice_values(choice) - 1);
        self.chosen.insert(choice, value);
        value
    }

    /// Judges a payload once.
    fn judge(&mut self, words: &[u32], said: Content) -> Conviction {
        let judged = (words.to_vec(), self.log.choices(self.dispute), said);
        match &self.judged {
            Some((before, conviction)) if *before == judged => return *conviction,
            _ => {}
        }
        let published = self.log.published(self.dispute);
        let conviction = match &judged.2 {
            Content::Open { opening, .. } => {
                let step = self
                    .log
                    .plan()
                    .interval(&judged.1)
                    .map(|(start, _)| start)
                    .unwrap_or_default();
                self.policy.judge_opening(words, step, opening, &published)
            }
            _ => self.policy.judge_path(&published),
        };
        self.judged = Some((judged, conviction));
        conviction
    }
}
