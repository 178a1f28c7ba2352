//! The transactions of one claim, one file each.
//!
//! Outputs are numbered as the tables of the files say. "n-of-n" in a table means: signed before the user's money moves.

mod challenge;
mod choice_equivocation;
mod close;
mod demand;
mod deposit;
mod disprove;
mod kickoff;
mod message;
mod name;
mod open;
mod operator_late;
mod path;
mod refund;
mod release;
mod search;
mod select;
mod take;
mod take_contested;
mod take_uncontested;
mod template;
mod tiers;
mod watchtower_late;
mod win;

pub use challenge::Challenge;
pub use choice_equivocation::ChoiceEquivocation;
pub use close::Close;
pub use demand::Demand;
pub use deposit::Deposit;
pub use disprove::Disprove;
pub use kickoff::Kickoff;
pub use message::{Answer, MessageTx};
pub use name::TxName;
pub use open::Open;
pub use operator_late::OperatorLate;
pub use path::Path;
pub use refund::Refund;
pub use release::Release;
pub use search::Search;
pub use select::Select;
pub use take_contested::TakeContested;
pub use take_uncontested::TakeUncontested;
pub use template::{SignatureSlot, Spend, Template, TemplateError};
pub use tiers::Tiers;
pub use watchtower_late::WatchtowerLate;

pub(crate) use template::Draft;
pub(crate) use win::WinParts;

use bitcoin::{OutPoint, TxOut};

/// An output with its place.
pub(crate) type Coin = (OutPoint, TxOut);

/// A coin that stands for any: sizes do not depend on its contents.
pub(crate) fn any_coin() -> Coin {
    (
        OutPoint::null(),
        TxOut {
            value: bitcoin::Amount::ZERO,
            script_pubkey: bitcoin::ScriptBuf::new(),
        },
    )
}

impl Template {
    /// Output `vout` as a coin.
    pub(crate) fn coin(&self, vout: usize) -> Coin {
        (self.outpoint(vout), self.unsigned().output[vout].clone())
    }
}

/// Why a transaction cannot be completed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FinalizeError {
    /// The signature set lacks a signature of the n-of-n.
    #[error("{tx}: no signature for input {input}, leaf {leaf}")]
    MissingSignature {
        /// The transaction.
        tx: TxName,
        /// The input's number.
        input: usize,
        /// The leaf's number.
        leaf: usize,
    },
    /// The wrong number of answers for the inputs.
    #[error("{tx}: expected values for {expected} inputs, got {got}")]
    Inputs {
        /// The transaction.
        tx: TxName,
        /// Inputs that need values.
        expected: usize,
        /// Answers given.
        got: usize,
    },
    /// A leaf that the input's tree does not have.
    #[error("{tx}: input {input}: expected a leaf below {leaves}, got {got}")]
    NoSuchLeaf {
        /// The transaction.
        tx: TxName,
        /// The input's number.
        input: usize,
        /// Leaves in the tree.
        leaves: usize,
        /// The leaf asked for.
        got: usize,
    },
    /// The witnesses make the transaction heavier than its fee was reckoned for.
    #[error("{tx}: expected at most {limit} weight units, got {got}")]
    TooHeavy {
        /// The transaction.
        tx: TxName,
        /// The weight reckoned with.
        limit: bitcoin::Weight,
        /// The weight.
        got: bitcoin::Weight,
    },
    /// A leaf that lies deeper than `BIP-0341` allows.
    #[error("{tx}: the leaf lies deeper than 128 levels")]
    TooDeep {
        /// The transaction.
        tx: TxName,
    },
}
