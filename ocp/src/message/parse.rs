//! Reading a message back from the witnesses of a confirmed transaction.
//!
//! Owns the inverse of [`MessageLayout::witnesses`]. Nothing in a witness is believed that its script does not enforce:
//! digits are found by hashing elements to their chain's end, choices by the lock that a preimage opens. Therefore a
//! witness that confirmed parses, and the parser is total: any other bytes give an error, never a panic.

use taptree_commit::choice::ChoiceError;
use taptree_commit::wots::Signature;

use super::layout::{LayoutError, MessageLayout};
use super::packing::{inputs, keys_depend_on_answer, value_items};
use super::reveal::{Reveal, Shown};
use crate::content::Content;
use crate::field::OpenField;
use crate::opening::Opening;
use crate::plan::{Message, Side};
use crate::value::{ChoiceId, ValueId};

impl MessageLayout<'_> {
    /// Reads `message` from the witnesses of its inputs in a confirmed transaction: for each input the initial stack
    /// from the bottom up, the n-of-n's signature on top included, script and control block not.
    ///
    /// # Errors
    /// Whatever the items are not. A confirmed message parses, except [`LayoutError::Mixed`]. Never panics.
    pub fn parse<T: AsRef<[u8]>>(&self, message: Message, stacks: &[Vec<T>]) -> Result<Reveal, LayoutError> {
        let expected = inputs(self.plan(), message);
        let plan_has = match message {
            Message::Search(round) | Message::Select(round) => round < self.plan().round_count(),
            _ => true,
        };
        if !plan_has {
            return Err(LayoutError::Content { message });
        }
        if stacks.len() != expected {
            return Err(LayoutError::Inputs {
                message,
                expected,
                got: stacks.len(),
            });
        }
        let mut reader = Reader {
            layout: self,
            message,
            answered: None,
            preimages: Vec::new(),
        };
        let mut signatures = Vec::new();
        for (input, stack) in stacks.iter().enumerate() {
            let stack: Vec<&[u8]> = stack.iter().map(AsRef::as_ref).collect();
            signatures.extend(reader.input(input, &stack)?);
        }
        let content = reader.content(&signatures)?;
        Ok(Reveal {
            content,
            signatures,
            preimages: reader.preimages,
        })
    }
}

/// A message in the course of being parsed.
struct Reader<'a, 'k> {
    layout: &'a MessageLayout<'k>,
    message: Message,
    /// The value of the choice that it makes or answers.
    answered: Option<u8>,
    preimages: Vec<Shown>,
}

impl Reader<'_, '_> {
    /// Reads an item that must open a lock, and checks that all locks of the message name one value.
    fn open(
        &mut self,
        input: usize,
        side: Side,
        choice: ChoiceId,
        item: Option<&&[u8]>,
    ) -> Result<(), LayoutError> {
        let message = self.message;
        let item = item.copied().unwrap_or_default();
        let locks = self.layout.keys().dispute.locks(side, choice)?;
        let opened = locks.recover(item);
        let refused = |source| LayoutError::Preimage {
            message,
            input,
            source,
        };
        let value = opened.map_err(refused)? as u8;
        let expected = *self.answered.get_or_insert(value);
        if expected != value {
            return Err(LayoutError::Mixed {
                message,
                input,
                expected,
                got: value,
            });
        }
        let none = || {
            refused(ChoiceError::NoLock {
                values: locks.values(),
            })
        };
        let shown = Shown {
            side,
            choice,
            value,
            preimage: item.try_into().map_err(|_| none())?,
        };
        if !self.preimages.contains(&shown) {
            self.preimages.push(shown);
        }
        Ok(())
    }

    /// Reads one input's stack: locks from the top, then the values.
    fn input(&mut self, input: usize, stack: &[&[u8]]) -> Result<Vec<(ValueId, Signature)>, LayoutError> {
        let (layout, message) = (self.layout, self.message);
        // The n-of-n's signature lies on top; Bitcoin has checked it.
        let mut rest = stack.split_last().map_or(stack, |(_, rest)| rest);
        let mut take = || {
            let (last, below) = rest.split_last()?;
            rest = below;
            Some(last)
        };
        if let Some(choice) = layout.plan().made(message) {
            // The index beside a preimage is not trusted: the lock that it opens is the choice.
            take();
            self.open(input, Side::Watchtower, choice, take())?;
        } else if let Some(choice) = layout.plan().answered(message) {
            if input == 0 || keys_depend_on_answer(layout.plan(), message) {
                self.open(input, Side::Watchtower, choice, take())?;
            }
            if input == 0 {
                self.open(input, Side::Operator, choice, take())?;
            }
        }
        let ids = layout.values_of(message, input, self.answered);
        let expected: usize = ids.iter().map(|&id| value_items(id)).sum();
        if rest.len() != expected {
            let taken = stack.len() - rest.len();
            return Err(LayoutError::Items {
                message,
                input,
                expected: expected + taken,
                got: stack.len(),
            });
        }
        let mut signatures = Vec::new();
        for id in ids {
            let (below, items) = rest.split_at(rest.len() - value_items(id));
            rest = below;
            let recovered = layout.keys().value(id)?.recover(items);
            signatures.push((
                id,
                recovered.map_err(|source| LayoutError::Value { message, id, source })?,
            ));
        }
        Ok(signatures)
    }

    fn content(&self, signatures: &[(ValueId, Signature)]) -> Result<Content, LayoutError> {
        let message = self.message;
        let missing = LayoutError::Content { message };
        let hashes = || {
            signatures
                .iter()
                .filter_map(|(_, s)| s.value().to_digest())
                .collect()
        };
        let content = match (message, self.answered) {
            (Message::Kickoff, _) => Content::Kickoff(
                signatures
                    .iter()
                    .filter_map(|(_, s)| s.value().to_word())
                    .collect(),
            ),
            (Message::Challenge, _) => Content::Challenge,
            (Message::Search(round), answered) => Content::Search {
                round,
                answered,
                digests: hashes(),
            },
            (Message::Select(round), Some(choice)) => Content::Select { round, choice },
            (Message::Open, Some(answered)) => {
                let mut opening = Box::new(Opening::default());
                for field in OpenField::all() {
                    let id = ValueId::Open(field);
                    let signed = signatures.iter().find(|(signed, _)| *signed == id);
                    let (_, signature) = signed.ok_or(LayoutError::Unsigned { message, id })?;
                    opening.set_digits(field, signature.value().nibbles())?;
                }
                Content::Open { answered, opening }
            }
            (Message::Demand, Some(segment)) => Content::Demand { segment },
            (Message::Path, Some(segment)) => Content::Path {
                segment,
                nodes: hashes(),
            },
            _ => return Err(missing),
        };
        if content.fits(self.layout.plan()) {
            Ok(content)
        } else {
            Err(missing)
        }
    }
}
