//! Forgetting the state of old blocks. Blocks and receipts stay: others synchronise from them.

use alloy_rlp::Decodable;
use rocksdb::WriteBatch;

use crate::columns::{META, UNDO};
use crate::commit::Undo;
use crate::error::{StoreError, corrupt};
use crate::meta::OLDEST;
use crate::open::Store;

impl Store {
    /// Keeps the states of the last `keep` blocks beside the head's; at most `most` blocks are forgotten in this call, so that it
    /// never holds up a node. Returns how many were.
    ///
    /// # Errors
    /// If the database fails.
    pub fn prune(&self, keep: u64, most: u64) -> Result<u64, StoreError> {
        let oldest = self.oldest_state()?;
        let until = self.head_record()?.number.saturating_sub(keep).min(oldest + most);
        for number in oldest..until {
            // The state after `number` goes: what block number + 1 made stale is needed by nothing that is older now.
            let next = number + 1;
            let undo = self.undo(next)?;
            let mut batch = WriteBatch::default();
            self.release_nodes(&mut batch, undo.stale)?;
            batch.delete_cf(self.column(UNDO), number.to_be_bytes());
            // What is left of it is for nobody: a block at the edge cannot be undone, for the state before it is gone.
            batch.delete_cf(self.column(UNDO), next.to_be_bytes());
            batch.put_cf(self.column(META), OLDEST, alloy_rlp::encode(next));
            self.db.write_opt(batch, &self.write_options())?;
        }
        Ok(until.saturating_sub(oldest))
    }

    pub(crate) fn undo(&self, number: u64) -> Result<Undo, StoreError> {
        let bytes = self
            .get(UNDO, &number.to_be_bytes())?
            .ok_or_else(|| corrupt(format!("what undoes block {number} is not there")))?;
        Undo::decode(&mut bytes.as_slice())
            .map_err(|error| corrupt(format!("what undoes block {number}: {error}")))
    }
}
