//! Both players of a dispute as pure state machines: events in, duties out.
//!
//! Owns the types that both share. A player's whole state is the [`log::ClaimLog`] of what is confirmed, so a crash
//! loses nothing: replaying the events of the chain gives the same duties. Duties are *level-triggered*: every call
//! answers all that is due now, again and again until the chain shows it done. Sending is idempotent (a pre-signed
//! transaction has one txid) and signing goes through the sign-once guard, which repeats what it has signed.
//!
//! What an attacker tries: events out of order, twice, or undone by a re-organisation; a message that replaces another
//! after the answer was sent. Players answer at `confirmations`, and everything that could be signed differently the
//! second time is refused by the guard.

pub mod log;
pub mod operator;
pub mod watchtower;

use crate::content::Content;
use crate::message::Reveal;
use crate::plan::Message;
use crate::value::ChoiceId;

/// How a dispute ended on the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The operator was late; the watchtower took pot and stake. With the AssetConnector if `burned`.
    OperatorLate {
        /// Whether the right to the deposit was spent too.
        burned: bool,
    },
    /// The watchtower was late; the operator took the pot.
    WatchtowerLate,
    /// A disprove leaf was spent.
    Disproved {
        /// Whether the right to the deposit was spent too.
        burned: bool,
    },
    /// The operator showed two preimages of one choice.
    Equivocated,
    /// The stake went back without a challenge.
    Closed,
}

/// Who took the deposit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Settlement {
    /// Nobody challenged; the operator took the deposit.
    TakenUncontested,
    /// No watchtower won; the operator took the deposit.
    TakenContested,
    /// Another claim to the same deposit took it.
    TakenElsewhere,
}

/// What the chain (or, for [`Event::Seen`], a mempool) shows. Watchtowers are numbered from 0.
#[derive(Debug, Clone)]
pub enum Event {
    /// The tip is at `height` now.
    Block {
        /// Height of the tip.
        height: u32,
    },
    /// Blocks above `height` are no longer in the chain; what they confirmed comes again if it is in other blocks.
    Reorg {
        /// Height of the last block that stays.
        height: u32,
    },
    /// A message confirmed.
    Confirmed {
        /// Which watchtower's dispute; any for the kickoff.
        dispute: usize,
        /// Height of its block.
        height: u32,
        /// What it says and shows.
        reveal: Reveal,
    },
    /// A message was seen unconfirmed: nothing is answered, but what it shows is known.
    Seen {
        /// Which watchtower's dispute.
        dispute: usize,
        /// What it says and shows.
        reveal: Reveal,
    },
    /// A dispute ended in a block.
    Ended {
        /// Which watchtower's dispute.
        dispute: usize,
        /// Height of the block.
        height: u32,
        /// How.
        ending: Ending,
    },
    /// The operator took the right to the deposit against one watchtower back.
    Released {
        /// Which watchtower's.
        dispute: usize,
        /// Height of the block.
        height: u32,
    },
    /// The deposit was taken in a block.
    Settled {
        /// Height of the block.
        height: u32,
        /// How.
        settlement: Settlement,
    },
}

/// What a player has to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Duty {
    /// Sign and send a message.
    Send {
        /// Which watchtower's dispute; 0 for the kickoff.
        dispute: usize,
        /// What to say.
        content: Content,
    },
    /// Spend the outputs of the last message by key path: its answer is late.
    Timeout {
        /// Which watchtower's dispute.
        dispute: usize,
        /// The last confirmed message.
        after: Message,
        /// Whether to spend the AssetConnector too (watchtower's wins).
        burn: bool,
    },
    /// Spend a disprove leaf.
    Disprove {
        /// Which watchtower's dispute.
        dispute: usize,
        /// The last confirmed message, `Open` or `Path`.
        after: Message,
        /// The leaf's index in that message's set.
        leaf: usize,
        /// Whether to spend the AssetConnector too.
        burn: bool,
    },
    /// Spend the pot by two preimages of one choice.
    Equivocation {
        /// Which watchtower's dispute.
        dispute: usize,
        /// The last confirmed message.
        after: Message,
        /// The choice.
        choice: ChoiceId,
        /// The two values shown.
        values: (u8, u8),
    },
    /// Take an unchallenged stake back.
    Close {
        /// Which watchtower's.
        dispute: usize,
    },
    /// Take the right to the deposit against a watchtower back.
    Release {
        /// Which watchtower's.
        dispute: usize,
    },
    /// Take the deposit; nobody challenged.
    TakeUncontested,
    /// Take the deposit; disputes are over.
    TakeContested,
    /// A message is due that the run cannot answer: it lacks a preimage. To be shown to a person.
    Stuck {
        /// Which watchtower's dispute.
        dispute: usize,
        /// The message.
        message: Message,
        /// The step that the run does not reach.
        step: u64,
    },
}
