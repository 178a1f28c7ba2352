//! What derivation says of a batch.

use bitcoin::Txid;
use l2_block::Block;

use crate::batch::DecodeError;
use crate::commitment::{Commitment, CommitmentError};

/// A batch that was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedBatch {
    /// How many batches came before it, empty ones counted.
    pub index: u64,
    /// Its commit.
    pub commit: Txid,
    /// Height of the block that holds the commit.
    pub height: u64,
    /// What it is.
    pub outcome: Outcome,
}

/// What a batch is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The next blocks of the chain, as their proposers had them.
    Blocks {
        /// What the batch says of itself, all of which is so.
        commitment: Commitment,
        /// The blocks.
        blocks: Vec<Block>,
    },
    /// Nothing: the state stays, the next batch builds on it.
    Empty(Empty),
}

/// Why a batch is empty. Nodes agree on emptiness; the reason is for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Empty {
    /// Parts did not come before the next commit, or in time.
    #[error("parts are missing")]
    MissingPart,
    /// A spend of an inscription showed no part of a batch, or parts disagree on how many they are.
    #[error("an inscription is no part of a batch")]
    NoPart,
    /// The first bytes are no commitment, or its blocks can have none.
    #[error("commitment: {0}")]
    Commitment(CommitmentError),
    /// It is for another place in the chain of batches: a replay, or one that lost its place.
    #[error("expected batch {expected}, got {got}")]
    Index {
        /// Its place.
        expected: u64,
        /// What it says.
        got: u64,
    },
    /// A field of the commitment is not what derivation finds.
    #[error("{field} is not as committed")]
    Field {
        /// Which.
        field: &'static str,
    },
    /// The data is not the content of a batch.
    #[error("data: {0}")]
    Data(DecodeError),
    /// Another number of blocks than committed.
    #[error("expected {expected} blocks, got {got}")]
    Blocks {
        /// As committed.
        expected: u64,
        /// As in the data.
        got: u64,
    },
    /// A block names a Bitcoin block that its batch cannot have seen, that lies before its parent's, or too far back.
    #[error("block {number}: origin {got} is not in {earliest}..={latest}")]
    Origin {
        /// The block's number.
        number: u64,
        /// Earliest height.
        earliest: u64,
        /// Latest height.
        latest: u64,
        /// Its origin's height.
        got: u64,
    },
    /// A block is invalid.
    #[error("block {number}: {reason}")]
    Invalid {
        /// Its number.
        number: u64,
        /// Why.
        reason: String,
    },
}
