//! The confirmed history of one claim and its disputes, from which all duties follow.
//!
//! Owns what is true on the chain as far as the events told: one writer ([`ClaimLog::apply`]), no other state. What a
//! re-organisation removes is forgotten, except the preimages that a watchtower has shown: knowledge stays.
//!
//! A dispute stands at the longest unbroken row of confirmed messages, so events may come in any order. A dispute with
//! an ending has no further duties; only a re-organisation that removes the ending brings it back.

use std::collections::BTreeMap;

use taptree_commit::choice::Preimage;

use super::{Ending, Event, Settlement};
use crate::content::Content;
use crate::message::{Published, Reveal};
use crate::plan::{Message, Plan, Side};
use crate::value::ChoiceId;

/// A confirmed message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Height of its block.
    pub height: u32,
    /// What it says and shows.
    pub reveal: Reveal,
}

/// One watchtower's dispute.
#[derive(Debug, Clone, Default)]
pub struct DisputeLog {
    messages: BTreeMap<Message, Entry>,
    ending: Option<(u32, Ending)>,
    /// Height at which the operator took the right to the deposit against this watchtower back.
    released: Option<u32>,
    /// Every value of every choice that the watchtower has ever shown, with its preimage if that was parsed.
    shown: BTreeMap<ChoiceId, BTreeMap<u8, Option<Preimage>>>,
}

impl DisputeLog {
    /// How it ended.
    pub fn ending(&self) -> Option<Ending> {
        self.ending.map(|(_, ending)| ending)
    }

    /// Two values of one choice that the watchtower has shown.
    pub fn equivocation(&self) -> Option<(ChoiceId, (u8, u8))> {
        self.shown.iter().find_map(|(&choice, values)| {
            let mut values = values.keys();
            Some((choice, (*values.next()?, *values.next()?)))
        })
    }

    /// The watchtower's preimage of `value` of `choice`, if it was shown.
    pub fn preimage(&self, choice: ChoiceId, value: u8) -> Option<Preimage> {
        *self.shown.get(&choice)?.get(&value)?
    }
}

/// One claim and all its disputes.
#[derive(Debug, Clone)]
pub struct ClaimLog {
    plan: Plan,
    tip: u32,
    kickoff: Option<Entry>,
    disputes: Vec<DisputeLog>,
    settlement: Option<(u32, Settlement)>,
}

impl ClaimLog {
    /// An empty history for a claim that `watchtowers` can dispute.
    pub fn new(plan: Plan, watchtowers: usize) -> ClaimLog {
        let disputes = vec![DisputeLog::default(); watchtowers];
        ClaimLog {
            plan,
            tip: 0,
            kickoff: None,
            disputes,
            settlement: None,
        }
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Height of the tip.
    pub fn tip(&self) -> u32 {
        self.tip
    }

    /// The confirmed kickoff.
    pub fn kickoff(&self) -> Option<&Entry> {
        self.kickoff.as_ref()
    }

    /// The disputes, by watchtower.
    pub fn disputes(&self) -> &[DisputeLog] {
        &self.disputes
    }

    /// How the claim ended.
    pub fn settlement(&self) -> Option<Settlement> {
        self.settlement.map(|(_, settlement)| settlement)
    }

    /// Records one event. Events of watchtowers that do not exist, and payloads that do not fit the plan, are ignored.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Block { height } => self.tip = self.tip.max(height),
            Event::Reorg { height } => self.undo(height),
            Event::Confirmed {
                dispute,
                height,
                reveal,
            } => {
                if !reveal.content.fits(&self.plan) {
                    return;
                }
                self.tip = self.tip.max(height);
                if matches!(reveal.content, Content::Kickoff(_)) {
                    self.kickoff = Some(Entry { height, reveal });
                } else if let Some(log) = self.disputes.get_mut(dispute) {
                    note_shown(log, &self.plan, &reveal);
                    log.messages
                        .insert(reveal.content.message(), Entry { height, reveal });
                }
            }
            Event::Seen { dispute, reveal } => {
                if let (true, Some(log)) = (reveal.content.fits(&self.plan), self.disputes.get_mut(dispute)) {
                    note_shown(log, &self.plan, &reveal);
                }
            }
            Event::Ended {
                dispute,
                height,
                ending,
            } => {
                if let Some(log) = self.disputes.get_mut(dispute) {
                    self.tip = self.tip.max(height);
                    log.ending = Some((height, ending));
                }
            }
            Event::Released { dispute, height } => {
                if let Some(log) = self.disputes.get_mut(dispute) {
                    self.tip = self.tip.max(height);
                    log.released = Some(height);
                }
            }
            Event::Settled { height, settlement } => {
                self.tip = self.tip.max(height);
                self.settlement = Some((height, settlement));
            }
        }
    }

    fn undo(&mut self, height: u32) {
        // What is above the tip never was in the chain.
        self.tip = self.tip.min(height);
        self.kickoff.take_if(|entry| entry.height > height);
        self.settlement.take_if(|(at, _)| *at > height);
        for log in &mut self.disputes {
            log.messages.retain(|_, entry| entry.height <= height);
            log.ending.take_if(|(at, _)| *at > height);
            log.released.take_if(|at| *at > height);
        }
    }

    /// Confirmations of a block at `height`: 1 at the tip.
    pub fn confirmations(&self, height: u32) -> u32 {
        self.tip.saturating_add(1).saturating_sub(height)
    }

    /// Whether a relative locktime of `blocks` on an output confirmed at `height` lets a spend into the next block.
    pub fn ripe(&self, height: u32, blocks: u16) -> bool {
        self.tip.saturating_add(1) >= height.saturating_add(u32::from(blocks))
    }

    /// The confirmed messages of a dispute in order, kickoff first, up to the first gap.
    pub fn row(&self, dispute: usize) -> Vec<&Entry> {
        let Some(kickoff) = &self.kickoff else {
            return Vec::new();
        };
        let later = self.disputes.get(dispute).into_iter().flat_map(|log| {
            let messages = self.plan.messages().into_iter().skip(1);
            messages.map_while(|m| log.messages.get(&m))
        });
        std::iter::once(kickoff).chain(later).collect()
    }

    /// The last message of a dispute's row: the kickoff until it is challenged.
    pub fn last(&self, dispute: usize) -> Option<&Entry> {
        self.row(dispute).pop()
    }

    /// Whether the challenge is confirmed.
    pub fn challenged(&self, dispute: usize) -> bool {
        self.row(dispute).len() > 1
    }

    /// The choices made in a dispute's row, by round.
    pub fn choices(&self, dispute: usize) -> Vec<u8> {
        let selects = self
            .row(dispute)
            .into_iter()
            .filter_map(|entry| match entry.reveal.content {
                Content::Select { choice, .. } => Some(choice),
                _ => None,
            });
        selects.collect()
    }

    /// Everything that the row shows, for disprove leaves.
    pub fn published(&self, dispute: usize) -> Published {
        Published::of(
            &self.plan,
            self.row(dispute).into_iter().map(|entry| &entry.reveal),
        )
    }

    /// The lowest block in which the right to the deposit against watchtower `dispute` was spent: by that watchtower's win, by
    /// a take of this claim, or by its release.
    pub fn asset_spent(&self, dispute: usize) -> Option<u32> {
        let log = self.disputes.get(dispute);
        let burned = log.and_then(|log| log.ending).and_then(|(at, ending)| {
            let burns = matches!(
                ending,
                Ending::OperatorLate { burned: true } | Ending::Disproved { burned: true }
            );
            burns.then_some(at)
        });
        let taken = self.settlement.and_then(|(at, settlement)| match settlement {
            Settlement::TakenUncontested | Settlement::TakenContested => Some(at),
            Settlement::TakenElsewhere => None,
        });
        let released = log.and_then(|log| log.released);
        [burned, taken, released].into_iter().flatten().min()
    }

    /// The lowest block since which this claim can take the deposit no more: the deposit is taken, or a right to it is
    /// spent (a take needs the right against every watchtower).
    pub fn decided(&self) -> Option<u32> {
        let settled = self.settlement.map(|(at, _)| at);
        let spent = (0..self.disputes.len()).filter_map(|dispute| self.asset_spent(dispute));
        settled.into_iter().chain(spent).min()
    }

    /// Whether the block at `height` lies so deep that no re-organisation of the assumed depth removes it.
    pub fn buried(&self, height: Option<u32>, confirmations: u16) -> bool {
        height.is_some_and(|at| self.confirmations(at) >= u32::from(confirmations))
    }
}

/// Remembers what the watchtower has shown, by payload and by preimage.
fn note_shown(log: &mut DisputeLog, plan: &Plan, reveal: &Reveal) {
    if let (Some(choice), Some(value)) = (plan.made(reveal.content.message()), reveal.content.made()) {
        log.shown.entry(choice).or_default().entry(value).or_insert(None);
    }
    for shown in reveal
        .preimages
        .iter()
        .filter(|shown| shown.side == Side::Watchtower)
    {
        log.shown
            .entry(shown.choice)
            .or_default()
            .insert(shown.value, Some(shown.preimage));
    }
}
