//! Why the store cannot do what was asked.

use alloy_primitives::B256;
use l2_state::StateError;

/// Why the store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// rocksdb or the disk failed.
    #[error("database: {0}")]
    Database(#[from] rocksdb::Error),
    /// A file could not be read or written.
    #[error("snapshot file: {0}")]
    File(#[from] std::io::Error),
    /// The folder holds another chain.
    #[error(
        "this folder holds the chain with genesis {got}, expected {expected}: give another folder or the genesis file it was made with"
    )]
    OtherChain {
        /// Genesis hash there.
        got: B256,
        /// The one asked for.
        expected: B256,
    },
    /// The folder was written by another version.
    #[error(
        "this folder has schema {got}, expected {expected}: export a snapshot with the version that wrote it and import that"
    )]
    Schema {
        /// Schema there.
        got: u64,
        /// The one this version writes.
        expected: u64,
    },
    /// A value cannot be what this crate wrote.
    #[error("corrupt database: {what}; remove the folder and synchronise again, or import a snapshot")]
    Corrupt {
        /// What is wrong.
        what: String,
    },
    /// A block does not follow the head.
    #[error("block {got} (parent {got_parent}) does not follow head {head} ({head_hash})")]
    NotNext {
        /// Its number.
        got: u64,
        /// Its parent.
        got_parent: B256,
        /// The head's number.
        head: u64,
        /// The head's hash.
        head_hash: B256,
    },
    /// The tree's root is not that of the header.
    #[error("state root is {got}, expected {expected}")]
    StateRoot {
        /// The tree's.
        got: B256,
        /// The header's.
        expected: B256,
    },
    /// The state tree could not be read.
    #[error("state tree: {0}")]
    State(#[from] StateError),
    /// A block's undo data or tree is pruned.
    #[error("block {number} is pruned: history is kept from block {oldest} on")]
    Pruned {
        /// The block asked for.
        number: u64,
        /// The oldest whose state is kept.
        oldest: u64,
    },
    /// There is no such block.
    #[error("no block {number}: the head is {head}")]
    NoBlock {
        /// The block asked for.
        number: u64,
        /// The head.
        head: u64,
    },
    /// A snapshot is no snapshot of this chain, or broken.
    #[error("snapshot refused: {0}")]
    Snapshot(String),
}

/// A value of our own that does not decode.
pub(crate) fn corrupt(what: impl Into<String>) -> StoreError {
    StoreError::Corrupt { what: what.into() }
}
