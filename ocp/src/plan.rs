//! The shape of a dispute: how many steps, how each round cuts them, which messages follow one another.
//!
//! Owns [`Plan`] (checked once, then trusted everywhere) and [`Message`], the order of moves of protocol reference
//! sections 7 and 8. A plan is public and agreed before anything is signed: both sides, the key layout and the
//! transaction graph are functions of it.
//!
//! What an attacker tries: a plan whose rounds do not reach single steps (the last interval would hold two
//! instructions and no leaf could decide it), or a choice outside its round. [`Plan::new`] refuses the first,
//! [`Plan::interval`] the second.

use crate::field::{OpenField, SEGMENTS};
use crate::value::{ChoiceId, MAX_CLAIM_WORDS, ValueId};

/// Longest run a plan may cover, as a power of two; the search needs at most this many rounds.
pub const MAX_LOG2_STEPS: u8 = 48;
/// Most parts of a round; more would not fit a `Search` in 99 kvB.
pub const MAX_PARTS: u8 = 16;

/// How a dispute over `2^log2_steps` steps is searched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Plan {
    log2_steps: u8,
    rounds: Vec<u8>,
    claim_words: u8,
}

/// Why numbers are no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Steps out of range.
    #[error("log2 of the steps: expected 1..={MAX_LOG2_STEPS}, got {got}")]
    Steps {
        /// Given exponent.
        got: u8,
    },
    /// A round that is not cut in a power of two of parts.
    #[error("round {round}: expected 2, 4, 8 or 16 parts, got {got}")]
    Parts {
        /// The round.
        round: usize,
        /// Parts given.
        got: u8,
    },
    /// The rounds do not narrow the run to one step.
    #[error("the rounds cut 2^{got} steps, expected 2^{expected}")]
    Product {
        /// Exponent of the plan.
        expected: u8,
        /// Exponent the rounds reach.
        got: u32,
    },
    /// No claim word or too many. Signing a claim word is what only the operator can do: without one, whoever holds the
    /// n-of-n's signatures could send the kickoff and put the operator's stakes at risk.
    #[error("claim words: expected 1..={MAX_CLAIM_WORDS}, got {got}")]
    ClaimWords {
        /// Words given.
        got: u8,
    },
    /// More choices than rounds, or a choice outside its round.
    #[error("choice {choice} of round {round} does not exist")]
    Choice {
        /// The round.
        round: usize,
        /// The choice.
        choice: u8,
    },
}

/// Who sends a message, holds a key or wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The one that claims.
    Operator,
    /// The one that disputes.
    Watchtower,
}

impl Side {
    /// The opponent.
    pub fn other(self) -> Side {
        match self {
            Side::Operator => Side::Watchtower,
            Side::Watchtower => Side::Operator,
        }
    }
}

/// One move; each is one pre-signed transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Message {
    /// Operator signs the claim words.
    Kickoff,
    /// Watchtower pays its bond.
    Challenge,
    /// Operator signs the digests that cut the interval, round `r`.
    Search(u8),
    /// Watchtower reveals the first part whose end it disputes, round `r`.
    Select(u8),
    /// Operator signs the step.
    Open,
    /// Watchtower names a path segment.
    Demand,
    /// Operator signs that segment's nodes.
    Path,
}

impl Message {
    /// Who sends it.
    pub fn sender(self) -> Side {
        match self {
            Message::Kickoff | Message::Search(_) | Message::Open | Message::Path => Side::Operator,
            Message::Challenge | Message::Select(_) | Message::Demand => Side::Watchtower,
        }
    }
}

impl std::fmt::Display for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Message::Search(r) => write!(f, "Search {r}"),
            Message::Select(r) => write!(f, "Select {r}"),
            other => write!(f, "{other:?}"),
        }
    }
}

impl Plan {
    /// A plan over `2^log2_steps` steps with `rounds[r]` parts in round `r` and `claim_words` words at kickoff.
    ///
    /// # Errors
    /// Steps out of range, a round that is not cut in 2, 4, 8 or 16, a product other than the steps, no claim word
    /// or too many.
    pub fn new(log2_steps: u8, rounds: Vec<u8>, claim_words: u8) -> Result<Plan, PlanError> {
        if !(1..=MAX_LOG2_STEPS).contains(&log2_steps) {
            return Err(PlanError::Steps { got: log2_steps });
        }
        for (round, &got) in rounds.iter().enumerate() {
            if !got.is_power_of_two() || !(2..=MAX_PARTS).contains(&got) {
                return Err(PlanError::Parts { round, got });
            }
        }
        let got = rounds.iter().map(|n| n.trailing_zeros()).sum();
        if got != u32::from(log2_steps) {
            return Err(PlanError::Product {
                expected: log2_steps,
                got,
            });
        }
        if !(1..=MAX_CLAIM_WORDS).contains(&claim_words) {
            return Err(PlanError::ClaimWords { got: claim_words });
        }
        Ok(Plan {
            log2_steps,
            rounds,
            claim_words,
        })
    }

    /// A plan of as many rounds of `parts` as fit, the remainder in the last round.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn uniform(log2_steps: u8, parts: u8, claim_words: u8) -> Result<Plan, PlanError> {
        if !parts.is_power_of_two() || !(2..=MAX_PARTS).contains(&parts) {
            return Err(PlanError::Parts { round: 0, got: parts });
        }
        let bits = parts.trailing_zeros() as u8;
        let mut rounds = vec![parts; usize::from(log2_steps / bits)];
        if !log2_steps.is_multiple_of(bits) {
            rounds.push(1 << (log2_steps % bits));
        }
        Plan::new(log2_steps, rounds, claim_words)
    }

    /// The exponent of the steps covered.
    pub fn log2_steps(&self) -> u8 {
        self.log2_steps
    }

    /// Steps covered.
    pub fn steps(&self) -> u64 {
        1 << self.log2_steps
    }

    /// Parts of each round.
    pub fn rounds(&self) -> &[u8] {
        &self.rounds
    }

    /// Parts of round `round`; 0 for a round that does not exist.
    pub fn parts(&self, round: u8) -> u8 {
        self.rounds.get(usize::from(round)).copied().unwrap_or(0)
    }

    /// Number of rounds.
    pub fn round_count(&self) -> u8 {
        // At most MAX_LOG2_STEPS rounds, each at least halves.
        self.rounds.len() as u8
    }

    /// Words the operator signs at kickoff.
    pub fn claim_words(&self) -> u8 {
        self.claim_words
    }

    /// The interval `(start, length)` that is left after `choices`, one per finished round.
    ///
    /// # Errors
    /// More choices than rounds, or a choice outside its round.
    pub fn interval(&self, choices: &[u8]) -> Result<(u64, u64), PlanError> {
        let (mut start, mut len) = (0, self.steps());
        for (round, &choice) in choices.iter().enumerate() {
            let parts = self.rounds.get(round).copied().unwrap_or(0);
            if choice >= parts {
                return Err(PlanError::Choice { round, choice });
            }
            len /= u64::from(parts);
            start += u64::from(choice) * len;
        }
        Ok((start, len))
    }

    /// Steps at which the round after `choices` signs digests: slot `j` is item `j - 1`.
    ///
    /// # Errors
    /// As [`Plan::interval`]; also when no round is left.
    pub fn cuts(&self, choices: &[u8]) -> Result<Vec<u64>, PlanError> {
        let (start, len) = self.interval(choices)?;
        let parts = *self.rounds.get(choices.len()).ok_or(PlanError::Choice {
            round: choices.len(),
            choice: 0,
        })?;
        Ok((1..u64::from(parts))
            .map(|j| start + j * (len / u64::from(parts)))
            .collect())
    }

    /// The message that answers `message`; `None` after `Path`.
    pub fn next(&self, message: Message) -> Option<Message> {
        let last = self.round_count() - 1;
        Some(match message {
            Message::Kickoff => Message::Challenge,
            Message::Challenge => Message::Search(0),
            Message::Search(r) => Message::Select(r),
            Message::Select(r) if r < last => Message::Search(r + 1),
            Message::Select(_) => Message::Open,
            Message::Open => Message::Demand,
            Message::Demand => Message::Path,
            Message::Path => return None,
        })
    }

    /// All messages of the longest dispute, in order, kickoff first.
    pub fn messages(&self) -> Vec<Message> {
        std::iter::successors(Some(Message::Kickoff), |&m| self.next(m)).collect()
    }

    /// The choice that `message` answers, by showing both preimages.
    pub fn answered(&self, message: Message) -> Option<ChoiceId> {
        match message {
            Message::Search(0) => None,
            Message::Search(r) => Some(ChoiceId::Search(r - 1)),
            Message::Open => Some(ChoiceId::Search(self.round_count() - 1)),
            Message::Path => Some(ChoiceId::Segment),
            _ => None,
        }
    }

    /// The choice that `message` makes, by showing the watchtower's preimage.
    pub fn made(&self, message: Message) -> Option<ChoiceId> {
        match message {
            Message::Select(r) => Some(ChoiceId::Search(r)),
            Message::Demand => Some(ChoiceId::Segment),
            _ => None,
        }
    }

    /// How many values `choice` has.
    pub fn choice_values(&self, choice: ChoiceId) -> u8 {
        choice.values(&self.rounds)
    }

    /// Every choice of the dispute, in order.
    pub fn choices(&self) -> impl Iterator<Item = ChoiceId> + use<> {
        (0..self.round_count())
            .map(ChoiceId::Search)
            .chain(std::iter::once(ChoiceId::Segment))
    }

    /// The values that `message` signs when it answers value `answered` of the choice before it
    /// (ignored by messages whose keys do not depend on it; `Path` needs it, `Search` after round 0 too).
    pub fn values(&self, message: Message, answered: Option<u8>) -> Vec<ValueId> {
        match message {
            Message::Kickoff => self.claim_values(),
            Message::Search(round) => {
                let preceding = if round == 0 { None } else { answered };
                (1..self.parts(round))
                    .map(|slot| ValueId::Search {
                        round,
                        slot,
                        preceding,
                    })
                    .collect()
            }
            Message::Open => OpenField::all().map(ValueId::Open).collect(),
            Message::Path => answered.map(ValueId::path_values).unwrap_or_default(),
            Message::Challenge | Message::Select(_) | Message::Demand => Vec::new(),
        }
    }

    /// The claim words, whose keys belong to the kickoff.
    pub fn claim_values(&self) -> Vec<ValueId> {
        (0..self.claim_words).map(ValueId::Claim).collect()
    }

    /// Every value whose key belongs to (kickoff, watchtower), in key order: search slots by round, preceding
    /// choice and slot; then `Open`; then path segments.
    pub fn dispute_values(&self) -> Vec<ValueId> {
        let mut all = self.values(Message::Search(0), None);
        for round in 1..self.round_count() {
            for preceding in 0..self.parts(round - 1) {
                all.extend(self.values(Message::Search(round), Some(preceding)));
            }
        }
        all.extend(self.values(Message::Open, None));
        all.extend((0..SEGMENTS).flat_map(ValueId::path_values));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_claim_without_words_or_with_too_many_is_refused() {
        for got in [0, MAX_CLAIM_WORDS + 1, u8::MAX] {
            assert_eq!(Plan::new(2, vec![4], got), Err(PlanError::ClaimWords { got }));
        }
        assert!(Plan::new(2, vec![4], 1).is_ok() && Plan::new(2, vec![4], MAX_CLAIM_WORDS).is_ok());
    }

    #[test]
    fn rounds_must_reach_single_steps() {
        assert!(Plan::new(32, vec![8; 10].into_iter().chain([4]).collect(), 8).is_ok());
        assert_eq!(
            Plan::new(8, vec![16], 1),
            Err(PlanError::Product { expected: 8, got: 4 })
        );
        assert_eq!(
            Plan::new(8, vec![16, 16, 2], 1),
            Err(PlanError::Product { expected: 8, got: 9 })
        );
        assert_eq!(
            Plan::new(8, vec![16, 12], 1),
            Err(PlanError::Parts { round: 1, got: 12 })
        );
        assert_eq!(
            Plan::new(8, vec![16, 1], 1),
            Err(PlanError::Parts { round: 1, got: 1 })
        );
        assert_eq!(
            Plan::new(8, vec![32, 8], 1),
            Err(PlanError::Parts { round: 0, got: 32 })
        );
        assert_eq!(Plan::new(0, vec![], 1), Err(PlanError::Steps { got: 0 }));
        assert_eq!(Plan::new(49, vec![2; 49], 0), Err(PlanError::Steps { got: 49 }));
        assert_eq!(
            Plan::new(4, vec![16], 193),
            Err(PlanError::ClaimWords { got: 193 })
        );
        assert_eq!(Plan::uniform(4, 3, 1), Err(PlanError::Parts { round: 0, got: 3 }));
    }

    #[test]
    fn uniform_puts_the_remainder_last() {
        let plan = Plan::uniform(32, 8, 1).unwrap();
        assert_eq!(plan.rounds(), [8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 4]);
        assert_eq!(Plan::uniform(32, 16, 1).unwrap().rounds(), [16; 8]);
    }

    #[test]
    fn every_choice_sequence_ends_at_its_own_step() {
        let plan = Plan::new(7, vec![8, 4, 4], 1).unwrap();
        let mut seen = HashSet::new();
        for a in 0..8 {
            for b in 0..4 {
                for c in 0..4 {
                    let (start, len) = plan.interval(&[a, b, c]).unwrap();
                    assert_eq!(len, 1);
                    assert!(seen.insert(start));
                }
            }
        }
        assert_eq!(seen.len(), 128);
        assert_eq!(plan.cuts(&[]).unwrap(), [16, 32, 48, 64, 80, 96, 112]);
        assert_eq!(plan.cuts(&[7]).unwrap(), [116, 120, 124]);
        assert_eq!(plan.cuts(&[7, 3]).unwrap(), [125, 126, 127]);
    }

    #[test]
    fn choices_outside_their_round_are_refused() {
        let plan = Plan::new(7, vec![8, 4, 4], 1).unwrap();
        assert_eq!(
            plan.interval(&[8]),
            Err(PlanError::Choice { round: 0, choice: 8 })
        );
        assert_eq!(
            plan.interval(&[0, 4]),
            Err(PlanError::Choice { round: 1, choice: 4 })
        );
        assert_eq!(
            plan.interval(&[0, 0, 0, 0]),
            Err(PlanError::Choice { round: 3, choice: 0 })
        );
        assert_eq!(
            plan.cuts(&[0, 0, 0]),
            Err(PlanError::Choice { round: 3, choice: 0 })
        );
    }

    #[test]
    fn moves_alternate_after_the_kickoff() {
        let plan = Plan::uniform(32, 8, 8).unwrap();
        let messages = plan.messages();
        assert_eq!(messages.len(), 2 + 2 * 11 + 3);
        for (i, m) in messages.iter().enumerate() {
            assert_eq!(
                m.sender(),
                if i % 2 == 0 {
                    Side::Operator
                } else {
                    Side::Watchtower
                }
            );
        }
    }

    #[test]
    fn each_value_is_listed_once_and_each_message_signs_only_listed_ones() {
        let plan = Plan::new(7, vec![8, 4, 4], 5).unwrap();
        let all = plan.dispute_values();
        let set: HashSet<_> = all.iter().copied().collect();
        assert_eq!(set.len(), all.len());
        assert_eq!(all.len(), 7 + 8 * 3 + 4 * 3 + OpenField::COUNT + 2 * 19 + 2 * 16);
        for m in plan.messages().into_iter().skip(1) {
            let values = plan.answered(m).map_or(1, |c| plan.choice_values(c));
            for v in 0..values {
                assert!(plan.values(m, Some(v)).iter().all(|id| set.contains(id)), "{m}");
            }
        }
        assert_eq!(plan.claim_values().len(), 5);
    }
}
