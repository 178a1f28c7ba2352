//! Committing a block: everything that follows from it, in one write.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use alloy_rlp::{RlpDecodable, RlpEncodable};
use l2_block::{Block, L1Block};
use l2_state::{Account, Update};
use l2_stf::{Changes, Outcome, Receipt};
use rocksdb::WriteBatch;

use crate::columns::{self, BLOBS, BLOCKS, CODE, FLAT, L1, META, NODES, NUMBERS, TRANSACTIONS, UNDO};
use crate::error::{StoreError, corrupt};
use crate::meta::{HEAD, Head};
use crate::open::Store;
use crate::read::{BlockRecord, OutcomeRecord};

/// A block and all that follows from it.
#[derive(Clone, Copy, Debug)]
pub struct CommittedBlock<'a> {
    /// The block.
    pub block: &'a Block,
    /// What shows that it was agreed on; opaque here.
    pub certificate: &'a [u8],
    /// What executing it gave.
    pub receipts: &'a [Receipt],
    /// The same, beside the receipts.
    pub outcomes: &'a [Outcome],
    /// What it changes.
    pub changes: &'a Changes,
    /// The tree after it.
    pub update: &'a Update,
    /// The Bitcoin blocks that it names first.
    pub l1: &'a [L1Block],
}

/// What undoing a block takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub(crate) struct Undo {
    /// Keys of `flat` and what they held before; empty = nothing.
    pub(crate) flat: Vec<FlatBefore>,
    /// Nodes that the block made, once a time it made them.
    pub(crate) made: Vec<B256>,
    /// Nodes that the block's state needs no longer; the block before needs them until it is pruned.
    pub(crate) stale: Vec<B256>,
}

#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub(crate) struct FlatBefore {
    pub(crate) key: alloy_primitives::Bytes,
    pub(crate) value: alloy_primitives::Bytes,
}

impl Store {
    /// Writes a block that was executed over the head's state. On disk when this returns.
    ///
    /// # Errors
    /// If the block does not follow the head, its state root is not the update's, or the database fails; then nothing is written.
    pub fn commit(&self, committed: &CommittedBlock<'_>) -> Result<(), StoreError> {
        let head = self.head_record()?;
        let header = &committed.block.header;
        if header.number != head.number + 1 || header.parent != head.hash {
            return Err(StoreError::NotNext {
                got: header.number,
                got_parent: header.parent,
                head: head.number,
                head_hash: head.hash,
            });
        }
        let mut batch = WriteBatch::default();
        self.stage(&mut batch, committed)?;
        Ok(self.db.write_opt(batch, &self.write_options())?)
    }

    /// Writes block 0 into a new database.
    pub(crate) fn write_first(&self, committed: &CommittedBlock<'_>) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        for (name, value) in self.birth() {
            batch.put_cf(self.column(META), name, value);
        }
        self.stage(&mut batch, committed)?;
        Ok(self.db.write_opt(batch, &Self::synced())?)
    }

    fn stage(&self, batch: &mut WriteBatch, committed: &CommittedBlock<'_>) -> Result<(), StoreError> {
        let header = &committed.block.header;
        if committed.update.root != header.state_root {
            return Err(StoreError::StateRoot {
                got: committed.update.root,
                expected: header.state_root,
            });
        }
        let number = header.number.to_be_bytes();
        let hash = header.hash();
        let mut undo = Undo {
            stale: committed.update.stale.clone(),
            ..Undo::default()
        };
        let mut made: Vec<(B256, [u8; 64])> = committed.update.nodes.clone();
        self.stage_flat(batch, committed.changes, &mut undo, &mut made)?;
        self.stage_nodes(batch, &made)?;
        undo.made = made.into_iter().map(|(digest, _)| digest).collect();
        batch.put_cf(self.column(UNDO), number, alloy_rlp::encode(&undo));

        let record = BlockRecord {
            block: committed.block.clone(),
            certificate: committed.certificate.to_vec().into(),
            receipts: committed.receipts.to_vec(),
            outcomes: committed.outcomes.iter().map(OutcomeRecord::from).collect(),
        };
        batch.put_cf(self.column(BLOCKS), number, alloy_rlp::encode(&record));
        batch.put_cf(self.column(NUMBERS), hash, number);
        for (index, outcome) in committed.outcomes.iter().enumerate() {
            let mut place = [0; 12];
            place[..8].copy_from_slice(&number);
            place[8..].copy_from_slice(&(index as u32).to_be_bytes());
            batch.put_cf(self.column(TRANSACTIONS), outcome.hash, place);
        }
        for block in committed.l1 {
            batch.put_cf(self.column(L1), block.origin.height.to_be_bytes(), block.encode());
        }
        let head = Head {
            number: header.number,
            hash,
            state_root: header.state_root,
        };
        batch.put_cf(self.column(META), HEAD, alloy_rlp::encode(head));
        Ok(())
    }

    /// The flat state, what it was before, and the nodes of accounts.
    pub(crate) fn stage_flat(
        &self,
        batch: &mut WriteBatch,
        changes: &Changes,
        undo: &mut Undo,
        made: &mut Vec<(B256, [u8; 64])>,
    ) -> Result<(), StoreError> {
        let mut put = |key: &[u8], value: Option<&[u8]>| -> Result<Vec<u8>, StoreError> {
            let before = self.get(FLAT, key)?.unwrap_or_default();
            match value {
                Some(value) => batch.put_cf(self.column(FLAT), key, value),
                None => batch.delete_cf(self.column(FLAT), key),
            }
            undo.flat.push(FlatBefore {
                key: key.to_vec().into(),
                value: before.clone().into(),
            });
            Ok(before)
        };
        let mut stale = Vec::new();
        for (address, account) in &changes.accounts {
            let after = account.as_ref().map(Account::encode);
            let before = put(
                &columns::account(address),
                after.as_ref().map(|bytes| bytes.as_slice()),
            )?;
            if after.is_some_and(|after| before == after) {
                continue;
            }
            if !before.is_empty() {
                stale.push(l2_block::hash(&before));
            }
            if let Some(after) = after {
                made.push((l2_block::hash(&after), after));
            }
        }
        for ((address, slot), value) in &changes.storage {
            let bytes = value.to_be_bytes::<32>();
            put(
                &columns::storage(address, slot),
                (!value.is_zero()).then_some(bytes.as_slice()),
            )?;
        }
        undo.stale.extend(stale);
        // Code and blobs stay for good: other accounts may have the same, and a block that is undone is executed again.
        for (hash, code) in &changes.code {
            batch.put_cf(self.column(CODE), hash, code);
            l2_block::blob_root(code, |digest, node| made.push((digest, node)));
        }
        for (root, blob) in &changes.blobs {
            batch.put_cf(self.column(BLOBS), root, blob);
            l2_block::blob_root(blob, |digest, node| made.push((digest, node)));
        }
        Ok(())
    }

    /// Nodes, with how often trees need them.
    pub(crate) fn stage_nodes(
        &self,
        batch: &mut WriteBatch,
        made: &[(B256, [u8; 64])],
    ) -> Result<(), StoreError> {
        let mut counts: BTreeMap<&B256, (u32, &[u8; 64])> = BTreeMap::new();
        for (digest, node) in made {
            counts.entry(digest).or_insert((0, node)).0 += 1;
        }
        for (digest, (count, node)) in counts {
            let before = match self.get(NODES, digest.as_slice())? {
                Some(value) => split_node(digest, &value)?.1,
                None => 0,
            };
            batch.put_cf(
                self.column(NODES),
                digest,
                join_node(node, before.saturating_add(count)),
            );
        }
        Ok(())
    }

    /// Takes one need of each node away, and the node with the last.
    pub(crate) fn release_nodes(
        &self,
        batch: &mut WriteBatch,
        digests: impl IntoIterator<Item = B256>,
    ) -> Result<(), StoreError> {
        let mut counts: BTreeMap<B256, u32> = BTreeMap::new();
        for digest in digests {
            *counts.entry(digest).or_insert(0) += 1;
        }
        for (digest, count) in counts {
            let Some(value) = self.get(NODES, digest.as_slice())? else {
                return Err(corrupt(format!("node {digest} is gone before its time")));
            };
            let (node, before) = split_node(&digest, &value)?;
            match before.saturating_sub(count) {
                0 => batch.delete_cf(self.column(NODES), digest),
                left => batch.put_cf(self.column(NODES), digest, join_node(&node, left)),
            }
        }
        Ok(())
    }
}

/// A node and how often it is needed, as they lie in `nodes`.
fn join_node(node: &[u8; 64], count: u32) -> [u8; 68] {
    let mut value = [0; 68];
    value[..64].copy_from_slice(node);
    value[64..].copy_from_slice(&count.to_be_bytes());
    value
}

pub(crate) fn split_node(digest: &B256, value: &[u8]) -> Result<([u8; 64], u32), StoreError> {
    let value: &[u8; 68] = value
        .try_into()
        .map_err(|_| corrupt(format!("node {digest} has {} bytes, expected 68", value.len())))?;
    let (mut node, mut count) = ([0; 64], [0; 4]);
    node.copy_from_slice(&value[..64]);
    count.copy_from_slice(&value[64..]);
    Ok((node, u32::from_be_bytes(count)))
}
