//! The operator: claims what its own run accepts, answers every watchtower, takes what it has won.
//!
//! Owns the order of the operator's moves. It refuses to be made for a claim that its run does not accept: an honest
//! operator cannot lose a dispute, a careless one must not start one. It answers a watchtower's message at
//! `confirmations`, so that no re-organisation of the assumed depth replaces what it answered, and prefers a
//! watchtower's equivocation over answering.

use super::log::ClaimLog;
use super::{Duty, Event, Settlement};
use crate::content::Content;
use crate::deadline::Deadlines;
use crate::opening::{Opening, path_nodes};
use crate::plan::{Message, Plan, Side};
use crate::prover::{Prover, UnknownStep, Verdict};
use taptree_commit::choice::Preimage;

/// Why an operator does not claim.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefusedClaim {
    /// Its own run does not end ACCEPTED in time.
    #[error("refusing to claim: the run is {verdict:?} after 2^{log2_steps} steps, expected Accepted")]
    NotAccepted {
        /// How the run stands.
        verdict: Verdict,
        /// The plan's steps.
        log2_steps: u8,
    },
    /// Another number of claim words than the plan signs.
    #[error("refusing to claim: expected {expected} claim words, got {got}")]
    ClaimWords {
        /// Words of the plan.
        expected: usize,
        /// Words given.
        got: usize,
    },
}

/// The operator of one claim, against all its watchtowers.
pub struct Player<P> {
    log: ClaimLog,
    deadlines: Deadlines,
    words: Vec<u32>,
    run: P,
}

impl<P: Prover> Player<P> {
    /// An operator that will claim `words`, on which `run` ends ACCEPTED.
    ///
    /// # Errors
    /// [`RefusedClaim`] if it does not.
    pub fn new(
        plan: Plan,
        deadlines: Deadlines,
        watchtowers: usize,
        words: Vec<u32>,
        mut run: P,
    ) -> Result<Player<P>, RefusedClaim> {
        let expected = usize::from(plan.claim_words());
        if words.len() != expected {
            return Err(RefusedClaim::ClaimWords {
                expected,
                got: words.len(),
            });
        }
        let verdict = run.verdict(plan.steps());
        if verdict != Verdict::Accepted {
            return Err(RefusedClaim::NotAccepted {
                verdict,
                log2_steps: plan.log2_steps(),
            });
        }
        Ok(Player {
            log: ClaimLog::new(plan, watchtowers),
            deadlines,
            words,
            run,
        })
    }

    /// The history.
    pub fn log(&self) -> &ClaimLog {
        &self.log
    }

    /// Records an event and answers all that is due now.
    pub fn on_event(&mut self, event: Event) -> Vec<Duty> {
        self.log.apply(event);
        self.duties()
    }

    /// The watchtower's preimage that `content` needs to answer it.
    pub fn answering(&self, dispute: usize, content: &Content) -> Option<Preimage> {
        let choice = self.log.plan().answered(content.message())?;
        self.log
            .disputes()
            .get(dispute)?
            .preimage(choice, content.answered()?)
    }

    /// All that is due now.
    pub fn duties(&mut self) -> Vec<Duty> {
        let Some(kickoff) = self.log.kickoff().map(|entry| entry.height) else {
            return match self.log.settlement() {
                None => vec![Duty::Send {
                    dispute: 0,
                    content: Content::Kickoff(self.words.clone()),
                }],
                Some(_) => Vec::new(),
            };
        };
        let mut duties: Vec<Duty> = (0..self.log.disputes().len())
            .filter_map(|dispute| self.duty_in(dispute))
            .collect();
        let count = self.log.disputes().len();
        let ending = |dispute: usize| self.log.disputes()[dispute].ending();
        // A stake that was closed voids TakeUncontested too, even if a re-organisation has dropped the challenge for which
        // it was closed.
        let contested = (0..count).any(|d| self.log.challenged(d) || ending(d).is_some());
        let decided = self.log.decided();
        if decided.is_none() {
            if !contested && self.log.ripe(kickoff, self.deadlines.challenge) {
                duties.push(Duty::TakeUncontested);
            }
            if contested && self.log.ripe(kickoff, self.deadlines.contested) {
                duties.push(Duty::TakeContested);
            }
        }
        // What is left of a lost claim comes back, once it is lost for good.
        let lost = self.log.settlement() != Some(Settlement::TakenUncontested)
            && self.log.buried(decided, self.deadlines.confirmations);
        if (contested || lost) && self.log.ripe(kickoff, self.deadlines.challenge) {
            let open = |d: &usize| !self.log.challenged(*d) && ending(*d).is_none();
            duties.extend((0..count).filter(open).map(|dispute| Duty::Close { dispute }));
        }
        // Not before: a release would void the take, and the deposit is worth more.
        if lost && self.log.ripe(kickoff, self.deadlines.release) {
            let held = |d: &usize| self.log.asset_spent(*d).is_none();
            duties.extend((0..count).filter(held).map(|dispute| Duty::Release { dispute }));
        }
        duties
    }

    fn duty_in(&mut self, dispute: usize) -> Option<Duty> {
        let log = &self.log.disputes()[dispute];
        if log.ending().is_some() || !self.log.challenged(dispute) {
            return None;
        }
        let last = self.log.last(dispute)?;
        let (after, height) = (last.reveal.content.message(), last.height);
        if let (Some((choice, values)), true) = (log.equivocation(), after != Message::Challenge) {
            return Some(Duty::Equivocation {
                dispute,
                after,
                choice,
                values,
            });
        }
        let Some(next) = self
            .log
            .plan()
            .next(after)
            .filter(|m| m.sender() == Side::Operator)
        else {
            let late = self.log.ripe(height, self.deadlines.message);
            return late.then_some(Duty::Timeout {
                dispute,
                after,
                burn: false,
            });
        };
        if self.log.confirmations(height) < u32::from(self.deadlines.confirmations) {
            return None;
        }
        let demanded = last.reveal.content.made();
        let choices = self.log.choices(dispute);
        Some(match self.answer(next, &choices, demanded) {
            Ok(content) => Duty::Send { dispute, content },
            Err(unknown) => Duty::Stuck {
                dispute,
                message: next,
                step: unknown.stopped,
            },
        })
    }

    /// The payload of `message` after `choices`; `demanded` is the segment that `Path` shows.
    fn answer(
        &mut self,
        message: Message,
        choices: &[u8],
        demanded: Option<u8>,
    ) -> Result<Content, UnknownStep> {
        let plan = self.log.plan();
        // The log holds payloads that fit the plan, so their choices lead to an interval and their rounds have cuts.
        let step = plan.interval(choices).map(|(start, _)| start).unwrap_or_default();
        let answered = choices.last().copied();
        Ok(match message {
            Message::Search(round) => {
                let cuts = plan.cuts(choices).unwrap_or_default();
                let digests = cuts
                    .into_iter()
                    .map(|step| self.run.digest(step))
                    .collect::<Result<_, _>>()?;
                Content::Search {
                    round,
                    answered,
                    digests,
                }
            }
            Message::Path => {
                let segment = demanded.unwrap_or_default();
                let nodes = path_nodes(&self.run.record(step)?, segment);
                Content::Path { segment, nodes }
            }
            _ => {
                let opening = Box::new(Opening::from(&self.run.record(step)?));
                Content::Open {
                    answered: answered.unwrap_or_default(),
                    opening,
                }
            }
        })
    }
}
