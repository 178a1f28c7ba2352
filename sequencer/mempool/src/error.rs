//! Why a transaction is not taken.

use alloy_primitives::{B256, U256};

/// Why a transaction is not taken. Where geth has a text for it, the message begins with that text, since wallets read it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// It is here already.
    #[error("already known: {0}")]
    AlreadyKnown(B256),
    /// A block has used its nonce.
    #[error("nonce too low: next nonce {expected}, tx nonce {got}")]
    NonceTooLow {
        /// The sender's next nonce.
        expected: u64,
        /// The transaction's.
        got: u64,
    },
    /// Its nonce is too far ahead of the sender's.
    #[error("nonce too high: at most {most}, tx nonce {got}")]
    NonceTooHigh {
        /// The greatest that is kept.
        most: u64,
        /// The transaction's.
        got: u64,
    },
    /// The sender cannot pay for all that it has queued.
    #[error("insufficient funds for gas * price + value: balance {balance}, queued transactions cost {cost}")]
    InsufficientFunds {
        /// What the sender has.
        balance: U256,
        /// What all its queued transactions may cost, this one included.
        cost: U256,
    },
    /// Another of the same nonce is here and pays nearly as much.
    #[error("replacement transaction underpriced: fee cap at least {fee_cap}, tip cap at least {tip_cap}")]
    Underpriced {
        /// Least fee cap that replaces.
        fee_cap: u128,
        /// Least tip cap that replaces.
        tip_cap: u128,
    },
    /// Its fee cap is below what any block will ask.
    #[error("transaction underpriced: fee cap {got}, expected at least {least}")]
    BelowFloor {
        /// Least base fee there is.
        least: u64,
        /// The transaction's fee cap.
        got: u128,
    },
    /// Its tip cap is above its fee cap.
    #[error("max priority fee per gas {tip_cap} higher than max fee per gas {fee_cap}")]
    TipAboveFee {
        /// Tip cap.
        tip_cap: u128,
        /// Fee cap.
        fee_cap: u128,
    },
    /// Its gas limit is above a block's.
    #[error("exceeds block gas limit: {got}, at most {most}")]
    GasLimit {
        /// A block's.
        most: u64,
        /// The transaction's.
        got: u64,
    },
    /// It is too long.
    #[error("oversized data: {got} bytes, at most {most}")]
    Oversized {
        /// Most bytes.
        most: usize,
        /// The transaction's.
        got: usize,
    },
    /// The sender has too many queued.
    #[error("too many transactions of this sender: at most {most}")]
    SenderFull {
        /// Most of one sender.
        most: usize,
    },
    /// The pool is full of transactions that pay as much or more.
    #[error("txpool is full: fee cap above {least} needed")]
    Full {
        /// The cheapest fee cap in the pool.
        least: u128,
    },
}
