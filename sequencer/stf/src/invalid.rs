//! Why a block is refused.

use alloc::string::String;

use alloy_primitives::{Address, B256};
use l2_block::L1Origin;
use revm::context::result::InvalidTransaction;

use crate::TxError;

/// Why a block cannot be executed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecuteError<E> {
    /// The block is invalid: every node says so.
    #[error("block is invalid: {0}")]
    Invalid(#[from] Invalid),
    /// The state could not be read: nothing is known about the block.
    #[error("state could not be read: {0}")]
    State(E),
}

/// Why a block is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Its number does not follow the parent's.
    #[error("number is {got}, expected {expected}")]
    Number {
        /// Its number.
        got: u64,
        /// The parent's plus one.
        expected: u64,
    },
    /// It names another parent.
    #[error("parent is {got}, expected {expected}")]
    Parent {
        /// Whom it names.
        got: B256,
        /// The parent's hash.
        expected: B256,
    },
    /// The Bitcoin blocks do not follow one another from the parent's origin to the block's.
    #[error("bitcoin block {index} is {got:?} on {parent}, expected one on {before:?}")]
    L1Chain {
        /// Place in the list.
        index: usize,
        /// Which it is.
        got: L1Origin,
        /// What it names as its parent.
        parent: B256,
        /// The one before.
        before: L1Origin,
    },
    /// The Bitcoin blocks do not end at its origin.
    #[error("origin is {got:?}, expected {expected:?}, the last bitcoin block given")]
    Origin {
        /// Its origin.
        got: L1Origin,
        /// The last block that was given, or the parent's origin.
        expected: L1Origin,
    },
    /// Its time is out of its window.
    #[error("time is {got} ms, expected {least} to {most}")]
    Time {
        /// Its time.
        got: u64,
        /// The parent's and the origin's, whichever is later.
        least: u64,
        /// The origin's plus the drift.
        most: u64,
    },
    /// Its base fee does not follow from the parent.
    #[error("base fee is {got}, expected {expected}")]
    BaseFee {
        /// What it says.
        got: u64,
        /// What follows.
        expected: u64,
    },
    /// Its data fee is too far from the parent's, or out of bounds.
    #[error("data fee is {got}, expected {least} to {most}")]
    DataFee {
        /// What it says.
        got: u64,
        /// The least.
        least: u64,
        /// The greatest.
        most: u64,
    },
    /// Its proposer is not the one of its round.
    #[error("proposer is {got}, expected {expected} in round {round}")]
    Proposer {
        /// What it says.
        got: Address,
        /// Whose turn it is.
        expected: Address,
        /// Its round.
        round: u32,
    },
    /// The machine failed in a way that it never should.
    #[error("machine failed: {0}")]
    Machine(String),
    /// It takes more forced transactions than there are.
    #[error("block takes {got} forced transactions, expected at most {expected}")]
    ForcedTaken {
        /// How many it says.
        got: u32,
        /// How many there are.
        expected: u64,
    },
    /// It takes a forced transaction for which it has no gas left.
    #[error("forced transaction {index} needs {needed} gas, expected at most {left}")]
    ForcedGas {
        /// Its index in the queue.
        index: u64,
        /// How much gas it needs.
        needed: u64,
        /// How much is left.
        left: u64,
    },
    /// It leaves a forced transaction whose time has come.
    #[error("forced transaction {index} of bitcoin block {height} is due, expected it to be taken")]
    ForcedDue {
        /// Its index in the queue.
        index: u64,
        /// The Bitcoin block that holds it.
        height: u64,
    },
    /// A transaction is invalid.
    #[error("transaction {index}: {reason}")]
    Transaction {
        /// Its place in the block.
        index: usize,
        /// What is wrong.
        reason: Refused,
    },
    /// The caller gave senders for another number of transactions.
    #[error("{got} senders were given, expected {expected}")]
    Senders {
        /// How many were given.
        got: usize,
        /// How many transactions there are.
        expected: usize,
    },
    /// The gas it says it used is not what it used.
    #[error("gas used is {got}, expected {expected}")]
    GasUsed {
        /// What it says.
        got: u64,
        /// What was used.
        expected: u64,
    },
    /// Its root over transactions is wrong.
    #[error("transactions root is {got}, expected {expected}")]
    TransactionsRoot {
        /// What it says.
        got: B256,
        /// What it is.
        expected: B256,
    },
    /// Its root over receipts is wrong.
    #[error("receipts root is {got}, expected {expected}")]
    ReceiptsRoot {
        /// What it says.
        got: B256,
        /// What it is.
        expected: B256,
    },
    /// Its state root is wrong.
    #[error("state root is {got}, expected {expected}")]
    StateRoot {
        /// What it says.
        got: B256,
        /// What it is.
        expected: B256,
    },
}

/// Why a transaction cannot be in a block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no transaction of this chain.
    #[error(transparent)]
    Bytes(#[from] TxError),
    /// Its gas limit is more than the block has left.
    #[error("gas limit is {got}, expected at most {left}, what the block has left")]
    BlockGas {
        /// Its gas limit.
        got: u64,
        /// What is left.
        left: u64,
    },
    /// The block has no room for its bytes. (A proposer's limit, no rule.)
    #[error("transaction has {got} bytes, expected at most {left}, what the block has left")]
    BlockBytes {
        /// Its bytes.
        got: usize,
        /// What is left.
        left: usize,
    },
    /// The rules of the EVM refuse it: nonce, funds, fees, intrinsic gas.
    #[error(transparent)]
    Rules(#[from] InvalidTransaction),
    /// The machine failed in a way that it never should.
    #[error("machine failed: {0}")]
    Machine(String),
}
