//! Derivation against the blocks that consensus agreed on.
//!
//! A node that takes part in consensus has executed every block already, so a batch is compared with the store and nothing is
//! executed again. A batch that is ahead of the store is a fault: derivation waits until consensus has the blocks. A batch that
//! differs from the agreed chain is invalid here.

use std::fmt::Debug;

use l2_block::{B256, Block, Header, L1Block};
use l2_da::derive::{Draft, Execute, ExecuteError};
use l2_store::{Store, StoreError};

use crate::sets::Sets;

/// Execution by looking up.
#[derive(Debug)]
pub struct AgreedBlocks<'a> {
    store: &'a Store,
}

/// It cannot be said now.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.store.as_ref().map_or_else(|| "the block is not here yet".to_owned(), ToString::to_string))]
pub struct Wait {
    /// The database's error; none if the block is merely not here yet.
    pub store: Option<StoreError>,
}

impl From<StoreError> for Wait {
    fn from(error: StoreError) -> Self {
        Self { store: Some(error) }
    }
}

impl<'a> AgreedBlocks<'a> {
    /// Against the blocks of a store.
    #[must_use]
    pub fn new(store: &'a Store) -> Self {
        Self { store }
    }
}

impl Execute for AgreedBlocks<'_> {
    type Fault = Wait;

    fn execute(
        &mut self,
        parent: &Header,
        draft: Draft,
        _l1: &[L1Block],
    ) -> Result<Block, ExecuteError<Wait>> {
        let number = parent.number + 1;
        let stored = self
            .store
            .block(number)
            .map_err(|error| ExecuteError::Fault(error.into()))?;
        let Some(stored) = stored else {
            return Err(ExecuteError::Fault(Wait { store: None }));
        };
        let header = &stored.block.header;
        let agreed = Draft {
            timestamp_ms: header.timestamp_ms,
            origin: header.origin,
            round: header.round,
            data_fee: header.data_fee,
            forced: header.forced,
            transactions: stored.block.transactions.clone(),
        };
        if let Some(field) = difference(header.parent == parent.hash(), &agreed, &draft) {
            return Err(ExecuteError::Invalid(format!(
                "the validators agreed on a block with another {field}"
            )));
        }
        Ok(stored.block)
    }

    fn validators(&mut self, head: &Header) -> Result<Vec<B256>, Wait> {
        Ok(Sets::at(self.store, head.number)?)
    }
}

/// The first field in which the batch's block is not the agreed one.
fn difference(same_parent: bool, agreed: &Draft, draft: &Draft) -> Option<String> {
    let of =
        |field: &str, agreed: &dyn Debug, got: &dyn Debug| Some(format!("{field}: {agreed:?}, got {got:?}"));
    if !same_parent {
        return Some("parent".to_owned());
    }
    if agreed.timestamp_ms != draft.timestamp_ms {
        return of("time", &agreed.timestamp_ms, &draft.timestamp_ms);
    }
    if agreed.origin != draft.origin {
        return of("origin", &agreed.origin, &draft.origin);
    }
    if agreed.round != draft.round {
        return of("round", &agreed.round, &draft.round);
    }
    if agreed.data_fee != draft.data_fee {
        return of("data fee", &agreed.data_fee, &draft.data_fee);
    }
    if agreed.forced != draft.forced {
        return of("count of forced transactions", &agreed.forced, &draft.forced);
    }
    if agreed.transactions != draft.transactions {
        return of(
            "list of transactions",
            &agreed.transactions.len(),
            &draft.transactions.len(),
        );
    }
    None
}
