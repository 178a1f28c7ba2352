//! Leaves and witnesses of messages, and signing them through the guard.
//!
//! Owns the order of items in a witness and the bound of its size. What leaves here signed was recorded before.

use bitcoin::opcodes::all::{OP_CHECKSIGVERIFY, OP_PUSHNUM_1};
use bitcoin::script::Builder;
use bitcoin::{ScriptBuf, XOnlyPublicKey};
use taptree_commit::choice::{ChoiceError, Preimage};
use taptree_commit::guard::{GuardError, SignOnce};
use taptree_commit::keys::{self, KeysError};
use taptree_commit::wots::{ElementSize, Value, WotsError, script::check_value};

use super::packing::{answers, inputs, keys_depend_on_answer, packing, value_items};
use super::reveal::{Reveal, Shown};
use crate::content::Content;
use crate::keyset::AllKeys;
use crate::opening::OpeningError;
use crate::plan::{Message, Plan, Side};
use crate::value::{ChoiceId, ValueId};

/// Bytes of a signed digit in a witness at most: an element of 20 bytes and a digit of one, each with its length.
const DIGIT_BYTES: usize = 21 + 2;
/// Bytes of a preimage in a witness, with its length.
const PREIMAGE_BYTES: usize = 33;
/// Bytes of a choice's index in a witness at most, with its length.
const INDEX_BYTES: usize = 2;

/// Why a message was not built, signed or parsed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// The key sets are not of this plan.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The payload is impossible under the plan.
    #[error("{message}: the payload does not fit the plan")]
    Content {
        /// The message.
        message: Message,
    },
    /// The wrong side was asked to sign.
    #[error("{message} is the {expected:?}'s, asked the {got:?}")]
    Sender {
        /// The message.
        message: Message,
        /// Who sends it.
        expected: Side,
        /// Whose keys were given.
        got: Side,
    },
    /// An answer without the watchtower's preimage of the answered value.
    #[error(
        "{message} answers value {value}: the watchtower's preimage of it is missing or of another value"
    )]
    Unanswerable {
        /// The message.
        message: Message,
        /// The value that the payload answers.
        value: u8,
    },
    /// The guard let no signature leave.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// A proof is missing from a reveal that should be sent.
    #[error("{message}: no signature of {id:?}")]
    Unsigned {
        /// The message.
        message: Message,
        /// The value.
        id: ValueId,
    },
    /// Another number of inputs than the message has.
    #[error("{message}: expected {expected} inputs, got {got}")]
    Inputs {
        /// The message.
        message: Message,
        /// Inputs that it has.
        expected: usize,
        /// Inputs given.
        got: usize,
    },
    /// An input with another number of stack items than its leaf takes.
    #[error("{message}, input {input}: expected {expected} items, got {got}")]
    Items {
        /// The message.
        message: Message,
        /// The input.
        input: usize,
        /// Items that its leaf takes.
        expected: usize,
        /// Items found.
        got: usize,
    },
    /// An item that opens no lock of the choice.
    #[error("{message}, input {input}: {source}")]
    Preimage {
        /// The message.
        message: Message,
        /// The input.
        input: usize,
        /// Why.
        source: ChoiceError,
    },
    /// Two inputs, or the two sides' preimages, name different values. A confirmed message can only do this if the
    /// watchtower has shown two preimages of one choice.
    #[error("{message}, input {input}: expected an answer to value {expected}, got {got}")]
    Mixed {
        /// The message.
        message: Message,
        /// The input.
        input: usize,
        /// The value named first.
        expected: u8,
        /// The other one.
        got: u8,
    },
    /// Items that are no signature of the value.
    #[error("{message}, {id:?}: {source}")]
    Value {
        /// The message.
        message: Message,
        /// The value.
        id: ValueId,
        /// Why.
        source: WotsError,
    },
    /// Digits that are no content of an opened field (a key of a wrong size).
    #[error(transparent)]
    Opening(#[from] OpeningError),
}

/// One leaf of a connector by which a message spends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageLeaf {
    /// The value of the choice before it that it answers.
    pub answered: Option<u8>,
    /// The tapscript: n-of-n's CHECKSIGVERIFY first.
    pub script: ScriptBuf,
    /// Witness items, the n-of-n's signature not counted.
    pub items: usize,
    /// Serialised bytes of those items with their length bytes, at most.
    pub bytes: usize,
}

/// The witness of one input, the n-of-n's signature (which goes on top), script and control block not included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputWitness {
    /// Which of the input's leaves, as [`MessageLayout::leaves`] lists them.
    pub leaf: usize,
    /// Items from the bottom of the stack up.
    pub items: Vec<Vec<u8>>,
}

/// The secret keys of one side.
#[derive(Debug, Clone, Copy)]
pub enum SideKeys<'a> {
    /// The operator's: of the kickoff and of the dispute.
    Operator {
        /// Claim words.
        claim: &'a keys::InstanceKeys,
        /// All else.
        dispute: &'a keys::InstanceKeys,
    },
    /// The watchtower's, of the dispute.
    Watchtower(&'a keys::InstanceKeys),
}

/// What a leaf opens before its values.
enum Locks {
    /// Nothing.
    None,
    /// Any one value of a choice that is made here.
    Make(ChoiceId),
    /// A given value of an answered choice, the watchtower's lock; also the operator's own if the flag is set.
    Answer(ChoiceId, u8, bool),
}

/// Builds, signs and parses the messages of one dispute.
#[derive(Debug, Clone, Copy)]
pub struct MessageLayout<'a> {
    plan: &'a Plan,
    committee: XOnlyPublicKey,
    keys: AllKeys<'a>,
}

impl<'a> MessageLayout<'a> {
    /// The layout for `keys`, guarded by the n-of-n key `committee`.
    pub fn new(plan: &'a Plan, committee: XOnlyPublicKey, keys: AllKeys<'a>) -> MessageLayout<'a> {
        MessageLayout {
            plan,
            committee,
            keys,
        }
    }

    /// The plan.
    pub fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// The n-of-n's key.
    pub fn committee(&self) -> XOnlyPublicKey {
        self.committee
    }

    /// The public keys.
    pub fn keys(&self) -> AllKeys<'a> {
        self.keys
    }

    fn locks(&self, message: Message, input: usize, answered: Option<u8>) -> Locks {
        if let Some(choice) = self.plan.made(message) {
            return Locks::Make(choice);
        }
        match (self.plan.answered(message), answered) {
            (Some(choice), Some(value)) if input == 0 => Locks::Answer(choice, value, true),
            (Some(choice), Some(value)) if keys_depend_on_answer(self.plan, message) => {
                Locks::Answer(choice, value, false)
            }
            _ => Locks::None,
        }
    }

    /// What each leaf of an input answers, in the order of [`Self::leaves`].
    fn leaf_answers(&self, message: Message, input: usize) -> Vec<Option<u8>> {
        if input == 0 || keys_depend_on_answer(self.plan, message) {
            answers(self.plan, message)
        } else {
            vec![None]
        }
    }

    /// The leaves by which `message` spends connector `input` of the message before it: one per value of the choice
    /// that it answers where that input opens the choice, else one. Empty for an input that does not exist.
    ///
    /// # Errors
    /// [`LayoutError::Keys`] if the key sets are of another plan.
    pub fn leaves(&self, message: Message, input: usize) -> Result<Vec<MessageLeaf>, LayoutError> {
        if input >= inputs(self.plan, message) {
            return Ok(Vec::new());
        }
        self.leaf_answers(message, input)
            .into_iter()
            .map(|a| self.leaf(message, input, a))
            .collect()
    }

    fn leaf(&self, message: Message, input: usize, answered: Option<u8>) -> Result<MessageLeaf, LayoutError> {
        let (mut items, mut bytes) = (0, 0);
        let guard = Builder::new()
            .push_x_only_key(&self.committee)
            .push_opcode(OP_CHECKSIGVERIFY);
        let mut script = guard.into_script().into_bytes();
        match self.locks(message, input, answered) {
            Locks::None => {}
            Locks::Make(choice) => {
                let locks = self.keys.dispute.locks(Side::Watchtower, choice)?;
                script.extend(locks.check_script().into_bytes());
                (items, bytes) = (2, PREIMAGE_BYTES + INDEX_BYTES);
            }
            Locks::Answer(choice, value, own) => {
                for side in [Side::Watchtower, Side::Operator]
                    .into_iter()
                    .take(if own { 2 } else { 1 })
                {
                    let locks = self.keys.dispute.locks(side, choice)?;
                    let reveal = locks.reveal_script(usize::from(value));
                    let reveal = reveal.map_err(|source| LayoutError::Preimage {
                        message,
                        input,
                        source,
                    })?;
                    script.extend(reveal.into_bytes());
                    (items, bytes) = (items + 1, bytes + PREIMAGE_BYTES);
                }
            }
        }
        for id in self.values_of(message, input, answered) {
            script.extend(check_value(self.keys.value(id)?, ElementSize::Exact).into_bytes());
            items += value_items(id);
            bytes += value_items(id) / 2 * DIGIT_BYTES;
        }
        script.push(OP_PUSHNUM_1.to_u8());
        Ok(MessageLeaf {
            answered,
            script: ScriptBuf::from(script),
            items,
            bytes,
        })
    }

    /// The values that `input` carries.
    pub(super) fn values_of(&self, message: Message, input: usize, answered: Option<u8>) -> Vec<ValueId> {
        packing(self.plan, message, answered)
            .into_iter()
            .nth(input)
            .unwrap_or_default()
    }

    /// Signs a payload through the guard. `preimage` is the watchtower's preimage of the value that it answers.
    ///
    /// Everything is recorded durably before it is returned; asking again for the same payload gives the same reveal.
    ///
    /// # Errors
    /// A payload that does not fit, the other side's message, a missing preimage, and all that the guard refuses:
    /// a value other than the one on record, above all.
    pub fn sign(
        &self,
        content: Content,
        secrets: SideKeys<'_>,
        preimage: Option<&Preimage>,
        guard: &mut dyn SignOnce,
    ) -> Result<Reveal, LayoutError> {
        let message = content.message();
        if !content.fits(self.plan) {
            return Err(LayoutError::Content { message });
        }
        let side = match secrets {
            SideKeys::Operator { .. } => Side::Operator,
            SideKeys::Watchtower(_) => Side::Watchtower,
        };
        if side != message.sender() {
            return Err(LayoutError::Sender {
                message,
                expected: message.sender(),
                got: side,
            });
        }
        let dispute = match secrets {
            SideKeys::Operator { dispute, .. } | SideKeys::Watchtower(dispute) => dispute,
        };
        let mut reveal_own = |choice: ChoiceId, value: u8| -> Result<Shown, LayoutError> {
            let count = usize::from(self.plan.choice_values(choice));
            let key = dispute.choice(&choice.slot(side), count)?;
            let preimage = guard.reveal(&key, usize::from(value))?;
            Ok(Shown {
                side,
                choice,
                value,
                preimage,
            })
        };
        let mut preimages = Vec::new();
        if let (Some(choice), Some(value)) = (self.plan.answered(message), content.answered()) {
            let theirs = preimage.ok_or(LayoutError::Unanswerable { message, value })?;
            let locks = self.keys.dispute.locks(Side::Watchtower, choice)?;
            if locks.recover(theirs).ok() != Some(usize::from(value)) {
                return Err(LayoutError::Unanswerable { message, value });
            }
            preimages.push(Shown {
                side: Side::Watchtower,
                choice,
                value,
                preimage: *theirs,
            });
            preimages.push(reveal_own(choice, value)?);
        }
        if let (Some(choice), Some(value)) = (self.plan.made(message), content.made()) {
            preimages.push(reveal_own(choice, value)?);
        }
        // All values of the message are recorded in one write, or none is.
        let mut spoken = Vec::new();
        for (id, digits) in content.signed(self.plan) {
            let owner = match (secrets, id) {
                (SideKeys::Operator { claim, .. }, ValueId::Claim(_)) => claim,
                _ => dispute,
            };
            let value =
                Value::from_nibbles(digits).map_err(|source| LayoutError::Value { message, id, source })?;
            spoken.push((id, owner.value(&id.slot(), id.digits())?, value));
        }
        let pairs: Vec<_> = spoken.iter().map(|(_, key, value)| (key, value)).collect();
        let signed = guard.sign_all(&pairs)?;
        let signatures = spoken.iter().map(|(id, ..)| *id).zip(signed).collect();
        Ok(Reveal {
            content,
            signatures,
            preimages,
        })
    }

    /// The witnesses of a signed message, one an input.
    ///
    /// # Errors
    /// [`LayoutError::Content`], [`LayoutError::Unsigned`] or [`LayoutError::Unanswerable`] if the payload does not
    /// fit or a proof is missing.
    pub fn witnesses(&self, reveal: &Reveal) -> Result<Vec<InputWitness>, LayoutError> {
        let message = reveal.content.message();
        if !reveal.content.fits(self.plan) {
            return Err(LayoutError::Content { message });
        }
        let answered = reveal.content.answered();
        let shown = |side, choice, value: u8| {
            let found = reveal
                .preimages
                .iter()
                .find(|s| (s.side, s.choice, s.value) == (side, choice, value));
            found
                .map(|s| s.preimage)
                .ok_or(LayoutError::Unanswerable { message, value })
        };
        let mut all = Vec::new();
        for input in 0..inputs(self.plan, message) {
            let mut items = Vec::new();
            for id in self.values_of(message, input, answered).into_iter().rev() {
                let signature = reveal.signatures.iter().find(|(signed, _)| *signed == id);
                let (_, signature) = signature.ok_or(LayoutError::Unsigned { message, id })?;
                items.extend(signature.witness());
            }
            match self.locks(message, input, answered) {
                Locks::None => {}
                Locks::Make(choice) => {
                    let value = reveal.content.made().ok_or(LayoutError::Content { message })?;
                    let preimage = shown(Side::Watchtower, choice, value)?;
                    let locks = self.keys.dispute.locks(Side::Watchtower, choice)?;
                    let lock_items = locks.witness(&preimage);
                    items.extend(lock_items.map_err(|source| LayoutError::Preimage {
                        message,
                        input,
                        source,
                    })?);
                }
                Locks::Answer(choice, value, own) => {
                    if own {
                        items.push(shown(Side::Operator, choice, value)?.to_vec());
                    }
                    items.push(shown(Side::Watchtower, choice, value)?.to_vec());
                }
            }
            let leaf = self
                .leaf_answers(message, input)
                .iter()
                .position(|&a| a == answered)
                .unwrap_or(0);
            all.push(InputWitness { leaf, items });
        }
        Ok(all)
    }
}
