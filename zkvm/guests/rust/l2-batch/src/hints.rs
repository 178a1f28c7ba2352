//! Nodes from the machine.

use l2_state::{B256, MissingNode, NodeSource};
use tapestry_guest::{Digest, hint_blake3};

/// What `hint_blake3` opens. The machine stops where it does not know, so nothing is ever missing here, and what it
/// answers has the digest.
pub(crate) struct Hints;

impl NodeSource for Hints {
    fn node(&self, digest: &B256) -> Result<[u8; 64], MissingNode> {
        Ok(hint_blake3(&Digest(digest.0)))
    }
}
