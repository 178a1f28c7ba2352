//! Names of the graph's transactions: how parties speak of them and how signatures are filed.

use core::fmt;

use ocp::Message;

/// A transaction of one graph. Watchtowers are counted from 0. `burns_claim` marks the form of a win that also spends
/// the watchtower's asset connector, without which the operator takes no deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TxName {
    /// The user's money becomes a deposit.
    Deposit,
    /// The user takes an unanswered request back.
    Refund,
    /// The operator claims.
    Kickoff,
    /// The operator takes the deposit, nobody having challenged.
    TakeUncontested,
    /// The operator takes the deposit after the longest dispute.
    TakeContested,
    /// A message of a dispute, the challenge included.
    Message {
        /// Whose dispute.
        watchtower: u16,
        /// Which message.
        message: Message,
    },
    /// The operator did not answer the watchtower's message.
    OperatorLate {
        /// Whose dispute.
        watchtower: u16,
        /// The unanswered message.
        after: Message,
        /// Whether the claim is burned with it.
        burns_claim: bool,
    },
    /// The watchtower did not answer the operator's message.
    WatchtowerLate {
        /// Whose dispute.
        watchtower: u16,
        /// The unanswered message.
        after: Message,
    },
    /// The operator contradicted itself.
    Disprove {
        /// Whose dispute.
        watchtower: u16,
        /// The message whose outputs hold the leaf.
        after: Message,
        /// Whether the claim is burned with it.
        burns_claim: bool,
    },
    /// The watchtower chose twice.
    ChoiceEquivocation {
        /// Whose dispute.
        watchtower: u16,
        /// The last confirmed message.
        after: Message,
    },
    /// The operator takes an asset connector back.
    Release {
        /// Whose connector.
        watchtower: u16,
    },
    /// The operator takes an unchallenged stake back.
    Close {
        /// Whose connector.
        watchtower: u16,
    },
}

impl fmt::Display for TxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = |burns: &bool| {
            if *burns {
                "burning the claim"
            } else {
                "right gone already"
            }
        };
        match self {
            TxName::Deposit => f.write_str("Deposit"),
            TxName::Refund => f.write_str("Refund"),
            TxName::Kickoff => f.write_str("Kickoff"),
            TxName::TakeUncontested => f.write_str("TakeUncontested"),
            TxName::TakeContested => f.write_str("TakeContested"),
            TxName::Message { watchtower, message } => write!(f, "{message} [w{watchtower}]"),
            TxName::OperatorLate {
                watchtower,
                after,
                burns_claim,
            } => {
                write!(
                    f,
                    "OperatorLate after {after} [w{watchtower}, {}]",
                    form(burns_claim)
                )
            }
            TxName::WatchtowerLate { watchtower, after } => {
                write!(f, "WatchtowerLate after {after} [w{watchtower}]")
            }
            TxName::Disprove {
                watchtower,
                after,
                burns_claim,
            } => {
                write!(f, "Disprove after {after} [w{watchtower}, {}]", form(burns_claim))
            }
            TxName::ChoiceEquivocation { watchtower, after } => {
                write!(f, "ChoiceEquivocation after {after} [w{watchtower}]")
            }
            TxName::Release { watchtower } => write!(f, "Release [w{watchtower}]"),
            TxName::Close { watchtower } => write!(f, "Close [w{watchtower}]"),
        }
    }
}
