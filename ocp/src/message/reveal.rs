//! A message with its signatures and preimages, and everything that a dispute has shown so far.
//!
//! [`Reveal`] is what a signed or parsed message is. [`Published`] collects reveals; disprove leaves read their
//! values and quote their signatures from it. Both can also be made without signatures: players decide on
//! contents alone.
//!
//! What an attacker tries: to show two values under one key. [`Published`] keeps the first it was given of the chain
//! in force (the caller rebuilds it from confirmed messages after a re-organisation), never a mixture of two.

use std::collections::BTreeMap;

use taptree_commit::choice::Preimage;
use taptree_commit::wots::Signature;

use crate::content::Content;
use crate::opening::{Hash32, Opening};
use crate::plan::{Message, Plan, Side};
use crate::value::{ChoiceId, ValueId, bytes_of_nibbles};

/// One preimage that a message shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// Whose lock it opens.
    pub side: Side,
    /// Which choice.
    pub choice: ChoiceId,
    /// Which value of it.
    pub value: u8,
    /// The preimage.
    pub preimage: Preimage,
}

/// A message: what it says, and what proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reveal {
    /// The payload.
    pub content: Content,
    /// The one-time signature of every value, in the message's order.
    pub signatures: Vec<(ValueId, Signature)>,
    /// The preimages, watchtower's first.
    pub preimages: Vec<Shown>,
}

impl Reveal {
    /// A payload without proofs, for deciding (not for spending).
    pub fn bare(content: Content) -> Reveal {
        Reveal {
            content,
            signatures: Vec::new(),
            preimages: Vec::new(),
        }
    }
}

/// Everything that the confirmed messages of one claim and dispute have shown.
#[derive(Debug, Clone, Default)]
pub struct Published {
    digits: BTreeMap<ValueId, Vec<u8>>,
    signatures: BTreeMap<ValueId, Signature>,
    preimages: BTreeMap<(Side, ChoiceId, u8), Preimage>,
    /// Choices answered by the operator, by round; the segment apart.
    choices: Vec<u8>,
    segment: Option<u8>,
    opening: Option<Box<Opening>>,
}

impl Published {
    /// What `reveals` (in the protocol's order) show.
    pub fn of<'a>(plan: &Plan, reveals: impl IntoIterator<Item = &'a Reveal>) -> Published {
        let mut published = Published::default();
        reveals.into_iter().for_each(|reveal| published.add(plan, reveal));
        published
    }

    /// Adds one message. A value or preimage that is known already stays as it is.
    pub fn add(&mut self, plan: &Plan, reveal: &Reveal) {
        for (id, digits) in reveal.content.signed(plan) {
            self.digits.entry(id).or_insert(digits);
        }
        for (id, signature) in &reveal.signatures {
            self.signatures.entry(*id).or_insert_with(|| signature.clone());
        }
        for shown in &reveal.preimages {
            self.preimages
                .entry((shown.side, shown.choice, shown.value))
                .or_insert(shown.preimage);
        }
        match &reveal.content {
            Content::Search {
                round,
                answered: Some(choice),
                ..
            } if usize::from(*round) == self.choices.len() + 1 => {
                self.choices.push(*choice);
            }
            Content::Open { answered, opening } => {
                if self.choices.len() + 1 == plan.rounds().len() {
                    self.choices.push(*answered);
                }
                self.opening.get_or_insert_with(|| opening.clone());
            }
            Content::Path { segment, .. } => {
                self.segment.get_or_insert(*segment);
            }
            _ => {}
        }
    }

    /// The digits signed under `id`, most significant first, checksum not counted.
    pub fn digits(&self, id: ValueId) -> Option<&[u8]> {
        self.digits.get(&id).map(Vec::as_slice)
    }

    /// The word signed under `id`, if it has eight digits.
    pub fn word(&self, id: ValueId) -> Option<u32> {
        let bytes = bytes_of_nibbles(self.digits(id)?)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    }

    /// The 32 bytes signed under `id`, if it has 64 digits.
    pub fn hash(&self, id: ValueId) -> Option<Hash32> {
        bytes_of_nibbles(self.digits(id)?)?.try_into().ok()
    }

    /// The signature of `id`, to be quoted by a leaf.
    pub fn signature(&self, id: ValueId) -> Option<&Signature> {
        self.signatures.get(&id)
    }

    /// `side`'s preimage of `value` of `choice`, to be quoted by a leaf.
    pub fn preimage(&self, side: Side, choice: ChoiceId, value: u8) -> Option<&Preimage> {
        self.preimages.get(&(side, choice, value))
    }

    /// The choices that the operator has answered, one per round from 0: its own copies, which leaves read.
    pub fn choices(&self) -> &[u8] {
        &self.choices
    }

    /// The segment that the operator has shown.
    pub fn segment(&self) -> Option<u8> {
        self.segment
    }

    /// The opened step.
    pub fn opening(&self) -> Option<&Opening> {
        self.opening.as_deref()
    }

    /// Which message was added last, of those that carry disprove leaves.
    pub fn disprovable(&self) -> Option<Message> {
        match (&self.opening, self.segment) {
            (_, Some(_)) => Some(Message::Path),
            (Some(_), None) => Some(Message::Open),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_found_under_their_names() {
        let plan = Plan::new(3, vec![4, 2], 1).unwrap();
        let reveals = [
            Content::Kickoff(vec![7]),
            Content::Challenge,
            Content::Search {
                round: 0,
                answered: None,
                digests: vec![[1; 32], [2; 32], [3; 32]],
            },
            Content::Select { round: 0, choice: 2 },
            Content::Search {
                round: 1,
                answered: Some(2),
                digests: vec![[4; 32]],
            },
            Content::Select { round: 1, choice: 1 },
            Content::Open {
                answered: 1,
                opening: Box::new(Opening {
                    rs: 9,
                    ..Opening::default()
                }),
            },
        ]
        .map(Reveal::bare);
        let p = Published::of(&plan, &reveals);
        assert_eq!(p.word(ValueId::Claim(0)), Some(7));
        assert_eq!(
            p.hash(ValueId::Search {
                round: 0,
                slot: 3,
                preceding: None
            }),
            Some([3; 32])
        );
        assert_eq!(
            p.hash(ValueId::Search {
                round: 1,
                slot: 1,
                preceding: Some(2)
            }),
            Some([4; 32])
        );
        assert_eq!(
            p.hash(ValueId::Search {
                round: 1,
                slot: 1,
                preceding: Some(1)
            }),
            None
        );
        assert_eq!(p.word(ValueId::Open(crate::OpenField::Rs)), Some(9));
        assert_eq!(p.choices(), [2, 1]);
        assert_eq!(p.disprovable(), Some(Message::Open));
        assert_eq!(
            p.word(ValueId::Search {
                round: 0,
                slot: 3,
                preceding: None
            }),
            None,
            "a digest is no word"
        );
    }

    #[test]
    fn a_second_value_under_one_key_does_not_replace_the_first() {
        let plan = Plan::new(1, vec![2], 1).unwrap();
        let two = [Content::Kickoff(vec![7]), Content::Kickoff(vec![8])].map(Reveal::bare);
        assert_eq!(Published::of(&plan, &two).word(ValueId::Claim(0)), Some(7));
    }
}
