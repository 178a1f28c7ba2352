//! What a claim means: [`check`].

use alloc::vec::Vec;

use alloy_primitives::B256;
use alloy_rlp::Decodable;
use l2_block::{Block, Genesis, Header, L1Block};
use l2_state::{NodeSource, Overlay, StateError, read_blob};
use l2_stf::{ExecuteError, Invalid, Spec, TreeView, apply, check_state_root, execute};

use crate::Checkpoint;

/// Longest encoding of a batch's blocks.
pub const MAX_CONTENT_BYTES: usize = 32 << 20;
/// Longest encoding of the Bitcoin blocks that a batch sees.
pub const MAX_L1_BYTES: usize = 32 << 20;
/// Longest encoding of a genesis file.
pub const MAX_GENESIS_BYTES: usize = 4 << 20;
/// Longest encoding of a header: more than any has.
const MAX_HEADER_BYTES: usize = 1024;

/// Why a batch is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// A node is missing (nothing is decided then), or is not what it should be.
    #[error(transparent)]
    State(#[from] StateError),
    /// Bytes are not the one encoding of what they should be.
    #[error("{what} is not what its root was made of: {error}")]
    Encoding {
        /// What was read.
        what: &'static str,
        /// Why it is none.
        error: alloy_rlp::Error,
    },
    /// There are no blocks.
    #[error("batch has no blocks")]
    Empty,
    /// A block is invalid.
    #[error("block {number} is invalid: {reason}")]
    Block {
        /// Its number as it says it.
        number: u64,
        /// Why.
        reason: Invalid,
    },
    /// Bitcoin blocks were given that no block of the batch sees.
    #[error("batch sees {got} of its Bitcoin blocks, expected all {expected}")]
    L1 {
        /// How many it sees.
        got: usize,
        /// How many were given.
        expected: usize,
    },
}

/// The state root after the batch whose blocks have this content root and see the Bitcoin blocks with this root.
///
/// # Errors
/// If it is no valid batch after the checkpoint. [`StateError::Missing`] decides nothing.
pub fn check<S: NodeSource>(
    source: &S,
    checkpoint: &Checkpoint,
    content_root: &B256,
    l1_root: &B256,
) -> Result<B256, CheckError> {
    let genesis: Genesis = read(source, "genesis", &checkpoint.genesis, MAX_GENESIS_BYTES)?;
    let mut parent: Header = read(source, "header", &checkpoint.header, MAX_HEADER_BYTES)?;
    let blocks: Vec<Block> = read(source, "list of blocks", content_root, MAX_CONTENT_BYTES)?;
    if blocks.is_empty() {
        return Err(CheckError::Empty);
    }
    let l1: Vec<L1Block> = read(source, "list of Bitcoin blocks", l1_root, MAX_L1_BYTES)?;
    let mut unseen = l1.as_slice();
    let spec = Spec::from(&genesis);
    // What the batch's own blocks made, over what was there before.
    let mut nodes = Overlay::new(source);
    for block in blocks {
        let header = block.header.clone();
        let seen = unseen
            .iter()
            .take_while(|l1| l1.origin.height <= header.origin.height)
            .count();
        let (seen, rest) = unseen.split_at(seen);
        unseen = rest;
        let root = parent.state_root;
        let view = TreeView { source: &nodes, root };
        let invalid = |reason| CheckError::Block {
            number: header.number,
            reason,
        };
        let executed = execute(&spec, view, &parent, &block, seen, None).map_err(|error| match error {
            ExecuteError::Invalid(reason) => invalid(reason),
            ExecuteError::State(error) => error.into(),
        })?;
        let update = apply(&nodes, &root, &executed.changes)?;
        check_state_root(&header, &update.root).map_err(invalid)?;
        nodes.nodes.extend(update.nodes);
        nodes.nodes.extend(executed.changes.nodes());
        parent = header;
    }
    if !unseen.is_empty() {
        return Err(CheckError::L1 {
            got: l1.len() - unseen.len(),
            expected: l1.len(),
        });
    }
    Ok(parent.state_root)
}

/// The value with this blob root.
fn read<T: Decodable, S: NodeSource>(
    source: &S,
    what: &'static str,
    root: &B256,
    most: usize,
) -> Result<T, CheckError> {
    let bytes = read_blob(source, root, most)?;
    alloy_rlp::decode_exact(&bytes).map_err(|error| CheckError::Encoding { what, error })
}
