//! What a node remembers of a batch.

use alloy_primitives::B256;
use alloy_rlp::{RlpDecodable, RlpEncodable};
use bitcoin::hashes::Hash;
use l2_da::derive::{DerivedBatch, Outcome};

/// A batch as derived.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct BatchRecord {
    /// Its index.
    pub index: u64,
    /// Id of its commit, in the order of its bytes.
    pub commit: B256,
    /// Height of the Bitcoin block that holds it.
    pub height: u64,
    /// Its first block; 0 if it is empty.
    pub first: u64,
    /// Its last block; 0 if it is empty.
    pub last: u64,
    /// State before it.
    pub pre_root: B256,
    /// State after it.
    pub post_root: B256,
    /// Root of its data.
    pub data_root: B256,
    /// Why it is empty; nothing if it is not.
    pub empty: String,
}

impl BatchRecord {
    /// What is worth remembering.
    #[must_use]
    pub fn of(batch: &DerivedBatch) -> Self {
        let mut record = Self {
            index: batch.index,
            commit: B256::new(batch.commit.to_byte_array()),
            height: batch.height,
            first: 0,
            last: 0,
            pre_root: B256::ZERO,
            post_root: B256::ZERO,
            data_root: B256::ZERO,
            empty: String::new(),
        };
        match &batch.outcome {
            Outcome::Blocks { commitment, .. } => {
                record.first = commitment.first;
                record.last = commitment.last;
                record.pre_root = commitment.pre_root;
                record.post_root = commitment.post_root;
                record.data_root = commitment.data_root;
            }
            Outcome::Empty(reason) => record.empty = reason.to_string(),
        }
        record
    }
}
