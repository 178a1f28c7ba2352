//! The active validators after each block, kept for good: who may spend a batch's connector is asked of blocks whose state has
//! been pruned long ago.
//!
//! One record in the store lists the sets with the number of the block after which each began. It grows by one entry when the set
//! changes, which is once an epoch at most.

use alloy_primitives::B256;
use alloy_rlp::{Decodable, RlpDecodable, RlpEncodable};
use l2_store::{Store, StoreError};

/// Its name in the store.
const RECORD: &str = "sets";

#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
struct Entry {
    since: u64,
    keys: Vec<B256>,
}

/// Reading and writing of the record.
#[derive(Debug)]
pub struct Sets;

impl Sets {
    /// Notes the set that is active after block `number`, which is the newest. Entries of later blocks, which a reorganisation took
    /// away, go.
    ///
    /// # Errors
    /// If the database fails.
    pub fn note(store: &Store, number: u64, keys: &[B256]) -> Result<(), StoreError> {
        let mut entries = read(store)?;
        let count = entries.len();
        entries.retain(|entry| entry.since <= number);
        let known = entries.last().is_some_and(|last| last.keys == keys);
        if known && entries.len() == count {
            return Ok(());
        }
        if !known {
            entries.retain(|entry| entry.since < number);
            entries.push(Entry {
                since: number,
                keys: keys.to_vec(),
            });
        }
        store.set_record(RECORD, &alloy_rlp::encode(&entries))
    }

    /// The keys of the validators that are active after block `number`, in order: of its state, or as noted if that is pruned.
    ///
    /// # Errors
    /// If the database fails, or the state is pruned and nothing is noted.
    pub fn at(store: &Store, number: u64) -> Result<Vec<B256>, StoreError> {
        match store.state_at(number) {
            Ok(state) => {
                let validators = l2_stf::active_validators(&state)?;
                Ok(validators.into_iter().map(|validator| validator.key).collect())
            }
            Err(pruned @ StoreError::Pruned { .. }) => {
                let entries = read(store)?;
                let found = entries.into_iter().rev().find(|entry| entry.since <= number);
                found.map(|entry| entry.keys).ok_or(pruned)
            }
            Err(error) => Err(error),
        }
    }
}

/// All entries, the oldest first. A record that is none is as good as none: it can be made again.
fn read(store: &Store) -> Result<Vec<Entry>, StoreError> {
    let bytes = store.record(RECORD)?.unwrap_or_default();
    Ok(Vec::decode(&mut &bytes[..]).unwrap_or_default())
}
