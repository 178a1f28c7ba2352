//! Going back: a node that derives the chain from Bitcoin follows reorganisations.

use rocksdb::WriteBatch;

use crate::columns::{BLOCKS, FLAT, META, NUMBERS, TRANSACTIONS, UNDO};
use crate::error::{StoreError, corrupt};
use crate::meta::{HEAD, Head, Label};
use crate::open::Store;

impl Store {
    /// Undoes blocks until `number` is the head, one atomic write a block. Labels go back with the head.
    ///
    /// # Errors
    /// If the block is above the head or its state is pruned, or the database fails.
    pub fn rewind(&self, number: u64) -> Result<(), StoreError> {
        let head = self.head_record()?.number;
        if number > head {
            return Err(StoreError::NoBlock { number, head });
        }
        let oldest = self.oldest_state()?;
        if number < oldest {
            return Err(StoreError::Pruned { number, oldest });
        }
        for last in (number + 1..=head).rev() {
            self.undo_head(last)?;
        }
        let labels = self.labels()?;
        if labels.safe > number {
            self.set_label(Label::Safe, number)?;
        }
        if labels.finalized > number {
            self.set_label(Label::Finalized, number)?;
        }
        Ok(())
    }

    fn undo_head(&self, number: u64) -> Result<(), StoreError> {
        let missing = |number| corrupt(format!("block {number} is not there"));
        let block = self.block(number)?.ok_or_else(|| missing(number))?;
        let before = self.block(number - 1)?.ok_or_else(|| missing(number - 1))?;
        let undo = self.undo(number)?;
        let mut batch = WriteBatch::default();
        for entry in &undo.flat {
            if entry.value.is_empty() {
                batch.delete_cf(self.column(FLAT), &entry.key);
            } else {
                batch.put_cf(self.column(FLAT), &entry.key, &entry.value);
            }
        }
        self.release_nodes(&mut batch, undo.made)?;
        batch.delete_cf(self.column(UNDO), number.to_be_bytes());
        batch.delete_cf(self.column(BLOCKS), number.to_be_bytes());
        batch.delete_cf(self.column(NUMBERS), block.block.header.hash());
        for outcome in &block.outcomes {
            // A twin in an older block keeps its own place only if this one never took it: it is found by its block again.
            batch.delete_cf(self.column(TRANSACTIONS), outcome.hash);
        }
        let header = &before.block.header;
        let head = Head {
            number: header.number,
            hash: header.hash(),
            state_root: header.state_root,
        };
        batch.put_cf(self.column(META), HEAD, alloy_rlp::encode(head));
        Ok(self.db.write_opt(batch, &self.write_options())?)
    }
}
