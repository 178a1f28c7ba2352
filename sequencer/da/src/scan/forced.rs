//! Transactions that users write to Bitcoin, so that sequencers cannot leave them out.
//!
//! The envelope `"TAPf"` in the leaf script of any input; at most one an input counts, the first ([`crate::inscription::read`]).
//! What it holds is one to 131,072 bytes of anything: the state transition decides whether it is a transaction.

use bitcoin::{Transaction, XOnlyPublicKey};
use l2_block::Bytes;

use crate::inscription::{self, FORCED_TAG, Inscription};

/// Most bytes of a forced transaction.
pub const MAX_FORCED_BYTES: usize = 128 << 10;

/// Not the length of a forced transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to {MAX_FORCED_BYTES} bytes, got {got}")]
pub struct ForcedError {
    /// How many there are.
    pub got: usize,
}

/// The output whose spend by `key` forces `transaction`, a signed Ethereum transaction in its EIP-2718 form.
///
/// # Errors
/// [`ForcedError`] if it would not count.
pub fn forced_inscription(key: XOnlyPublicKey, transaction: &[u8]) -> Result<Inscription, ForcedError> {
    let got = transaction.len();
    if (1..=MAX_FORCED_BYTES).contains(&got) {
        Ok(Inscription::new(key, FORCED_TAG, transaction))
    } else {
        Err(ForcedError { got })
    }
}

/// What a transaction's inputs force, in their order.
pub fn forced_of(transaction: &Transaction) -> impl Iterator<Item = Bytes> {
    transaction
        .input
        .iter()
        .filter_map(|input| inscription::read(&input.witness, FORCED_TAG, MAX_FORCED_BYTES))
        .filter(|bytes| !bytes.is_empty())
        .map(Bytes::from)
}
