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
    /// Its gas limit is above what any transaction may have (EIP-7825).
    #[error("transaction gas limit too high (cap: {most}, tx: {got})")]
    GasCap {
        /// The greatest there is.
        most: u64,
        /// The transaction's.
        got: u64,
    },
    /// Its gas limit does not cover what is taken before it runs.
    #[error("intrinsic gas too low: have {have}, want {want}")]
    IntrinsicGas {
        /// The transaction's gas limit.
        have: u64,
        /// What is taken.
        want: u64,
    },
    /// Its gas limit does not cover the least that its data costs (EIP-7623).
    #[error("insufficient gas for floor data gas cost: have {have}, want {want}")]
    FloorGas {
        /// The transaction's gas limit.
        have: u64,
        /// What its data costs at least.
        want: u64,
    },
    /// It creates a contract with too long a code (EIP-3860).
    #[error("max initcode size exceeded: code size {got}, limit {most}")]
    InitCode {
        /// Most bytes.
        most: usize,
        /// The transaction's.
        got: usize,
    },
    /// It is of the kind that delegates (EIP-7702), and nobody authorises anything.
    #[error("set code tx must have at least one authorization tuple")]
    NoAuthorization,
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
    /// A nonce before its own is missing, and the share of the pool for such transactions is full of some that pay as much or
    /// more.
    #[error(
        "txpool is full of transactions with a nonce gap: fee cap above {least} or nonce {expected} needed"
    )]
    GapsFull {
        /// The cheapest fee cap among them.
        least: u128,
        /// The nonce that the sender's next transaction would need to leave no gap.
        expected: u64,
    },
}

impl AddError {
    /// Whether the transaction alone is to blame, whatever the state and the pool are: no honest node passes such a one on.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        matches!(
            self,
            Self::GasCap { .. }
                | Self::IntrinsicGas { .. }
                | Self::FloorGas { .. }
                | Self::InitCode { .. }
                | Self::NoAuthorization
                | Self::TipAboveFee { .. }
        )
    }
}
