//! What a message says, free of signatures and scripts.
//!
//! Owns [`Content`]: the payload of each message of protocol reference section 8, and the map from a payload to the
//! digits of each signed value. Players produce and consume contents; the message layout signs and parses them.
//!
//! What an attacker tries: a payload of the wrong shape (too few digests, a choice outside its round).
//! [`Content::fits`] refuses it; a confirmed message always fits, because its script has checked every value.

use crate::opening::{Hash32, Opening};
use crate::plan::{Message, Plan};
use crate::value::{ValueId, nibbles, word_nibbles};

/// The payload of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The claim words, in order.
    Kickoff(Vec<u32>),
    /// A challenge says nothing but that it was made.
    Challenge,
    /// The digests at the cuts of a round, slot `j` as item `j - 1`.
    Search {
        /// Round, from 0.
        round: u8,
        /// The choice of the round before; `None` exactly for round 0.
        answered: Option<u8>,
        /// State digests.
        digests: Vec<Hash32>,
    },
    /// The first part whose end is disputed.
    Select {
        /// Round, from 0.
        round: u8,
        /// The part, `0..n_r`.
        choice: u8,
    },
    /// The disputed step.
    Open {
        /// The choice of the last round.
        answered: u8,
        /// What the operator says about the step.
        opening: Box<Opening>,
    },
    /// The path segment to be shown.
    Demand {
        /// Segment, `0..4`.
        segment: u8,
    },
    /// The nodes of the demanded segment.
    Path {
        /// Segment, `0..4`.
        segment: u8,
        /// Nodes in the order of [`ValueId::path_values`].
        nodes: Vec<Hash32>,
    },
}

impl Content {
    /// Which message carries it.
    pub fn message(&self) -> Message {
        match self {
            Content::Kickoff(_) => Message::Kickoff,
            Content::Challenge => Message::Challenge,
            Content::Search { round, .. } => Message::Search(*round),
            Content::Select { round, .. } => Message::Select(*round),
            Content::Open { .. } => Message::Open,
            Content::Demand { .. } => Message::Demand,
            Content::Path { .. } => Message::Path,
        }
    }

    /// The value of the choice before it that it answers.
    pub fn answered(&self) -> Option<u8> {
        match self {
            Content::Search { answered, .. } => *answered,
            Content::Open { answered, .. } => Some(*answered),
            Content::Path { segment, .. } => Some(*segment),
            _ => None,
        }
    }

    /// The value of the choice that it makes.
    pub fn made(&self) -> Option<u8> {
        match self {
            Content::Select { choice, .. } => Some(*choice),
            Content::Demand { segment } => Some(*segment),
            _ => None,
        }
    }

    /// Whether it is a possible payload under `plan`: rounds and choices exist and every value has its content.
    pub fn fits(&self, plan: &Plan) -> bool {
        let message = self.message();
        let round_exists = match self {
            Content::Search { round, .. } | Content::Select { round, .. } => *round < plan.round_count(),
            _ => true,
        };
        let in_range = |choice, value: Option<u8>| match (choice, value) {
            (None, None) => true,
            (Some(choice), Some(value)) => value < plan.choice_values(choice),
            _ => false,
        };
        let count = match self {
            Content::Kickoff(words) => words.len(),
            Content::Search { digests, .. } => digests.len(),
            Content::Path { nodes, .. } => nodes.len(),
            _ => plan.values(message, self.answered()).len(),
        };
        round_exists
            && in_range(plan.answered(message), self.answered())
            && in_range(plan.made(message), self.made())
            && count == plan.values(message, self.answered()).len()
    }

    /// The digits signed under each value, in the message's order. Empty for a payload that signs nothing; a
    /// payload that does not [fit](Self::fits) gives fewer or no pairs.
    pub fn signed(&self, plan: &Plan) -> Vec<(ValueId, Vec<u8>)> {
        let ids = plan.values(self.message(), self.answered()).into_iter();
        match self {
            Content::Kickoff(words) => ids.zip(words.iter().map(|&w| word_nibbles(w))).collect(),
            Content::Search { digests: hashes, .. } | Content::Path { nodes: hashes, .. } => {
                ids.zip(hashes.iter().map(|h| nibbles(h))).collect()
            }
            Content::Open { opening, .. } => ids
                .filter_map(|id| match id {
                    ValueId::Open(field) => Some((id, opening.digits(field)?)),
                    _ => None,
                })
                .collect(),
            Content::Challenge | Content::Select { .. } | Content::Demand { .. } => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan::new(5, vec![4, 8], 2).unwrap()
    }

    #[test]
    fn possible_payloads_fit_and_sign_every_value() {
        let plan = plan();
        let h = |n| vec![[7; 32]; n];
        let all = [
            Content::Kickoff(vec![1, 2]),
            Content::Challenge,
            Content::Search {
                round: 0,
                answered: None,
                digests: h(3),
            },
            Content::Select { round: 0, choice: 3 },
            Content::Search {
                round: 1,
                answered: Some(3),
                digests: h(7),
            },
            Content::Select { round: 1, choice: 7 },
            Content::Open {
                answered: 7,
                opening: Box::default(),
            },
            Content::Demand { segment: 3 },
            Content::Path {
                segment: 3,
                nodes: h(16),
            },
        ];
        for (content, message) in all.iter().zip(plan.messages()) {
            assert_eq!(content.message(), message);
            assert!(content.fits(&plan), "{message}");
            let signed = content.signed(&plan);
            let ids: Vec<_> = signed.iter().map(|(id, _)| *id).collect();
            assert_eq!(ids, plan.values(message, content.answered()));
            assert!(signed.iter().all(|(id, digits)| digits.len() == id.digits()));
        }
    }

    #[test]
    fn payloads_of_a_wrong_shape_do_not_fit() {
        let plan = plan();
        let h = |n| vec![[7; 32]; n];
        for content in [
            Content::Kickoff(vec![1]),
            Content::Kickoff(vec![1, 2, 3]),
            Content::Search {
                round: 0,
                answered: Some(0),
                digests: h(3),
            },
            Content::Search {
                round: 0,
                answered: None,
                digests: h(4),
            },
            Content::Search {
                round: 1,
                answered: None,
                digests: h(7),
            },
            Content::Search {
                round: 1,
                answered: Some(4),
                digests: h(7),
            },
            Content::Search {
                round: 2,
                answered: Some(0),
                digests: vec![],
            },
            Content::Select { round: 0, choice: 4 },
            Content::Select { round: 2, choice: 0 },
            Content::Open {
                answered: 8,
                opening: Box::default(),
            },
            Content::Demand { segment: 4 },
            Content::Path {
                segment: 0,
                nodes: h(16),
            },
            Content::Path {
                segment: 4,
                nodes: h(0),
            },
        ] {
            assert!(!content.fits(&plan), "{content:?}");
        }
    }
}
