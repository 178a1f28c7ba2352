//! Why a tree cannot be read or changed.

use alloy_primitives::B256;

use crate::MissingNode;

/// Why a tree cannot be read or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The source does not have a node.
    #[error(transparent)]
    Missing(#[from] MissingNode),
    /// What lies below the root is not the tree of any set of entries.
    #[error("node {digest} is malformed: {reason}")]
    Malformed {
        /// The node, or the root of the blob.
        digest: B256,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Changes are not sorted by key, or name a key twice.
    #[error("change {index} has key {got}, expected one greater than {before}")]
    Unsorted {
        /// Place in the list.
        index: usize,
        /// Its key.
        got: B256,
        /// The key before it.
        before: B256,
    },
}

pub(crate) fn malformed(digest: &B256, reason: &'static str) -> StateError {
    StateError::Malformed {
        digest: *digest,
        reason,
    }
}
