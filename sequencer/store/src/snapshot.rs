//! Snapshots: the head and its state in one file, for a node that does not want to execute everything.
//!
//! `"TAPSNAP1"`, then zstd of a stream of records (kind, length, bytes), then BLAKE3 of all before it. The hash finds damage; what
//! a stranger's file says is believed only as far as the state has the root that the head's header names.
//!
//! A stranger tries two things beside lies about the state. A small file that unpacks to very much: records have the length that
//! their kind can honestly have, and what has gathered is written out by count and by bytes, so memory is bounded whatever the
//! file says (the disk is not: watch what is imported). And a state whose forced queue names bytes that are not in the file:
//! roots of blobs are in the tree, blobs are not, so each is looked for before the file is taken.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256};
use alloy_rlp::Decodable;
use l2_block::{BlockId, Genesis};
use l2_state::{Account, EMPTY_ROOT};
use l2_stf::{Changes, MAX_FORCED_BYTES, SYSTEM, StateView};
use rocksdb::IteratorMode;

use crate::columns::{ACCOUNT, BLOBS, BLOCKS, CODE, FLAT, META, NUMBERS, UNDO};
use crate::commit::Undo;
use crate::error::StoreError;
use crate::meta::{HEAD, Head, OLDEST};
use crate::open::{Options, Store};
use crate::read::BlockRecord;

const MAGIC: &[u8; 8] = b"TAPSNAP1";
/// Longest head: a batch holds at most 32 MiB of blocks (`docs/layer2.md` §6), so this is the longest block, and about as much
/// again for its receipts (a byte of a log costs 8 gas, one of a transaction at least 10).
const MAX_HEAD: usize = 64 << 20;
/// Longest code of a contract (EIP-170).
const MAX_CODE: usize = 24_576;
/// An account: address and encoding. A word of storage: address, slot and value.
const ENTRY: usize = 84;
/// Values that are put into the tree at a time.
const CHUNK: usize = 100_000;
/// Bytes of code and blobs that are put into the database at a time; their nodes take a few times as much.
const CHUNK_BYTES: usize = 4 << 20;
/// log2 of how far back the compressed stream may refer: more than `export` ever does, and memory that an import takes at most.
const WINDOW_LOG: u32 = 24;

const GENESIS_RECORD: u8 = 0;
const HEAD_RECORD: u8 = 1;
const ACCOUNT_RECORD: u8 = 2;
const STORAGE_RECORD: u8 = 3;
const CODE_RECORD: u8 = 4;
const BLOB_RECORD: u8 = 5;
const END_RECORD: u8 = 6;

/// What a snapshot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotSummary {
    /// Its head.
    pub head: BlockId,
    /// Accounts.
    pub accounts: u64,
    /// Storage words.
    pub words: u64,
    /// Hash at its end.
    pub hash: B256,
}

impl Store {
    /// Writes the head and its state to a file. Nothing may be committed meanwhile; if something is, the file is refused.
    ///
    /// # Errors
    /// If the database or the file fails.
    pub fn export(&self, path: &Path) -> Result<SnapshotSummary, StoreError> {
        let head = self.head_record()?;
        let part = path.with_extension("part");
        let mut hashed = Hashing {
            inner: BufWriter::new(File::create(&part)?),
            hasher: blake3::Hasher::new(),
        };
        hashed.write_all(MAGIC)?;
        let mut out = zstd::Encoder::new(&mut hashed, 3)?;
        let mut put = |kind: u8, parts: &[&[u8]]| -> Result<(), StoreError> {
            let length: usize = parts.iter().map(|part| part.len()).sum();
            check_length(kind, length)?;
            out.write_all(&[kind])?;
            out.write_all(&(length as u32).to_be_bytes())?;
            for part in parts {
                out.write_all(part)?;
            }
            Ok(())
        };
        put(GENESIS_RECORD, &[self.genesis.as_slice()])?;
        let block = self
            .get(BLOCKS, &head.number.to_be_bytes())?
            .ok_or_else(|| StoreError::Snapshot("the head is not there".to_owned()))?;
        put(HEAD_RECORD, &[&block])?;
        let (mut accounts, mut words) = (0, 0);
        for entry in self.db.iterator_cf(self.column(FLAT), IteratorMode::Start) {
            let (key, value) = entry?;
            let kind = if key.first() == Some(&ACCOUNT) {
                accounts += 1;
                ACCOUNT_RECORD
            } else {
                words += 1;
                STORAGE_RECORD
            };
            put(kind, &[&key[1..], &value])?;
        }
        for entry in self.db.iterator_cf(self.column(CODE), IteratorMode::Start) {
            put(CODE_RECORD, &[&entry?.1])?;
        }
        // Of blobs only those that the state needs: the database keeps those of old entries, too.
        let mut written = BTreeSet::new();
        self.queued(|root| {
            if written.insert(root) {
                put(BLOB_RECORD, &[&self.latest_state().blob(&root)?])?;
            }
            Ok(())
        })?;
        put(END_RECORD, &[])?;
        if self.head_record()? != head {
            return Err(StoreError::Snapshot(
                "a block was committed while the snapshot was written: stop the node first".to_owned(),
            ));
        }
        out.finish()?;
        let hash = B256::new(*hashed.hasher.finalize().as_bytes());
        hashed.inner.write_all(hash.as_slice())?;
        hashed
            .inner
            .into_inner()
            .map_err(|error| error.into_error())?
            .sync_all()?;
        std::fs::rename(&part, path)?;
        Ok(SnapshotSummary {
            head: BlockId {
                number: head.number,
                hash: head.hash,
            },
            accounts,
            words,
            hash,
        })
    }

    /// Makes a database in an empty folder from a snapshot. Whether the head was agreed on is the caller's to check, with the
    /// block's certificate.
    ///
    /// # Errors
    /// If the folder holds a database, the file is damaged or of another chain, or its state is not that of its head.
    pub fn import(
        folder: &Path,
        genesis: &Genesis,
        options: Options,
        path: &Path,
    ) -> Result<Self, StoreError> {
        check_hash(path)?;
        let store = Self::open_raw(folder, genesis.hash(), options)?;
        if store
            .db
            .iterator_cf(store.column(META), IteratorMode::Start)
            .next()
            .is_some()
        {
            return Err(StoreError::Snapshot(
                "the folder holds a database already".to_owned(),
            ));
        }
        store.take(path)?;
        Ok(store)
    }

    fn take(&self, path: &Path) -> Result<(), StoreError> {
        let refuse = |what: &str| StoreError::Snapshot(what.to_owned());
        let length = std::fs::metadata(path)?.len();
        let mut file = BufReader::new(File::open(path)?).take(length.saturating_sub(32));
        let mut magic = [0; 8];
        file.read_exact(&mut magic)?;
        if &magic != MAGIC {
            return Err(refuse("it does not begin with TAPSNAP1"));
        }
        let mut stream = zstd::Decoder::new(file)?;
        stream.window_log_max(WINDOW_LOG)?;
        let mut head = None;
        let mut loading = Loading {
            store: self,
            changes: Changes::default(),
            bytes: 0,
            root: EMPTY_ROOT,
        };
        let mut first = true;
        loop {
            let (kind, bytes) = read_record(&mut stream)?;
            if first && (kind != GENESIS_RECORD || bytes != self.genesis.as_slice()) {
                return Err(refuse("it is of another chain"));
            }
            match kind {
                GENESIS_RECORD if first => {}
                HEAD_RECORD if head.is_none() => {
                    let block = BlockRecord::decode(&mut bytes.as_slice())
                        .map_err(|error| StoreError::Snapshot(format!("its head: {error}")))?;
                    head = Some((block, bytes));
                }
                END_RECORD => break,
                _ => loading.record(kind, &bytes)?,
            }
            first = false;
        }
        let (block, bytes) = head.ok_or_else(|| refuse("it has no head"))?;
        loading.flush()?;
        let header = &block.block.header;
        if loading.root != header.state_root {
            return Err(StoreError::StateRoot {
                got: loading.root,
                expected: header.state_root,
            });
        }
        self.check_queue()?;
        let number = header.number.to_be_bytes();
        let head = Head {
            number: header.number,
            hash: header.hash(),
            state_root: header.state_root,
        };
        let mut batch = rocksdb::WriteBatch::default();
        for (name, value) in self.birth() {
            batch.put_cf(self.column(META), name, value);
        }
        batch.put_cf(self.column(META), HEAD, alloy_rlp::encode(head));
        batch.put_cf(self.column(META), OLDEST, alloy_rlp::encode(header.number));
        batch.put_cf(self.column(BLOCKS), number, bytes);
        batch.put_cf(self.column(NUMBERS), head.hash, number);
        batch.put_cf(self.column(UNDO), number, alloy_rlp::encode(Undo::default()));
        Ok(self.db.write_opt(batch, &Self::synced())?)
    }

    /// Tells the blob root of each entry of the forced queue, the oldest first; ends at an entry that is not there.
    fn queued(&self, mut told: impl FnMut(B256) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let state = self.latest_state();
        let head = state.storage(&SYSTEM, &QUEUE_HEAD)?;
        let tail = state.storage(&SYSTEM, &QUEUE_TAIL)?;
        let mut index: u64 = head.saturating_to();
        let tail: u64 = tail.saturating_to();
        while index < tail {
            let root = state.storage(&SYSTEM, &queued_root(index))?;
            // A block that the queue came from wrote it: a word that is zero says that the file is no state of this chain. It
            // also ends the walk of a stranger's queue, which may be as long as numbers go.
            if root.is_zero() {
                return Err(StoreError::Snapshot(format!(
                    "its forced queue has no entry {index}, expected all up to {tail}"
                )));
            }
            told(B256::from(root))?;
            index += 1;
        }
        Ok(())
    }

    /// Whether the bytes of each forced transaction in the queue are here: without them no block can take it, and the node stops.
    fn check_queue(&self) -> Result<(), StoreError> {
        self.queued(|root| match self.db.get_pinned_cf(self.column(BLOBS), root)? {
            Some(_) => Ok(()),
            None => Err(StoreError::Snapshot(format!(
                "its forced queue names blob {root}, which it does not have"
            ))),
        })
    }
}

/// Slot of [`SYSTEM`] with the index of the queue's first entry (`docs/layer2.md` §3).
const QUEUE_HEAD: U256 = U256::ZERO;
/// Slot of [`SYSTEM`] with the index that the queue's next entry gets.
const QUEUE_TAIL: U256 = U256::from_limbs([1, 0, 0, 0]);

/// Slot of [`SYSTEM`] with the blob root of the queue's entry `index`: 2^64 + 2 `index` + 1.
fn queued_root(index: u64) -> U256 {
    (U256::from(1) << 64) + U256::from(index) * U256::from(2) + U256::from(1)
}

/// State on its way into a database.
struct Loading<'a> {
    store: &'a Store,
    changes: Changes,
    /// Bytes of code and blobs in `changes`.
    bytes: usize,
    root: B256,
}

impl Loading<'_> {
    fn record(&mut self, kind: u8, bytes: &[u8]) -> Result<(), StoreError> {
        let refuse = |what: &str| StoreError::Snapshot(what.to_owned());
        match (kind, bytes.len()) {
            (ACCOUNT_RECORD, ENTRY) => {
                let mut value = [0; 64];
                value.copy_from_slice(&bytes[20..]);
                let account = Account::decode(&value);
                if account.is_empty() {
                    return Err(refuse("it has an empty account"));
                }
                self.changes
                    .accounts
                    .insert(Address::from_slice(&bytes[..20]), Some(account));
            }
            (STORAGE_RECORD, ENTRY) => {
                let slot = U256::from_be_slice(&bytes[20..52]);
                let value = U256::from_be_slice(&bytes[52..]);
                if value.is_zero() {
                    return Err(refuse("it has a storage word that is zero"));
                }
                self.changes
                    .storage
                    .insert((Address::from_slice(&bytes[..20]), slot), value);
            }
            (CODE_RECORD, 1..) => {
                let hash = alloy_primitives::keccak256(bytes);
                self.bytes += bytes.len();
                if hash != KECCAK256_EMPTY {
                    self.changes.code.insert(hash, bytes.to_vec().into());
                }
            }
            (BLOB_RECORD, _) => {
                let root = l2_block::blob_root(bytes, |_, _| ());
                self.bytes += bytes.len();
                self.changes.blobs.insert(root, bytes.to_vec());
            }
            _ => return Err(refuse("it has a record of an unknown kind or size")),
        }
        let changes = &self.changes;
        let count = changes.accounts.len() + changes.storage.len() + changes.code.len() + changes.blobs.len();
        if count >= CHUNK || self.bytes >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Puts what has gathered into the tree and the flat state.
    fn flush(&mut self) -> Result<(), StoreError> {
        let changes = std::mem::take(&mut self.changes);
        self.bytes = 0;
        let update = l2_stf::apply(&self.store, &self.root, &changes)?;
        let mut batch = rocksdb::WriteBatch::default();
        let mut made = update.nodes;
        let mut undo = Undo::default();
        self.store
            .stage_flat(&mut batch, &changes, &mut undo, &mut made)?;
        self.store.stage_nodes(&mut batch, &made)?;
        self.store.db.write(batch)?;
        let mut batch = rocksdb::WriteBatch::default();
        self.store.release_nodes(&mut batch, update.stale)?;
        self.store.db.write(batch)?;
        self.root = update.root;
        Ok(())
    }
}

/// Refuses a record that is longer than one of its kind can honestly be.
fn check_length(kind: u8, length: usize) -> Result<(), StoreError> {
    let most = match kind {
        GENESIS_RECORD => 32,
        HEAD_RECORD => MAX_HEAD,
        ACCOUNT_RECORD | STORAGE_RECORD => ENTRY,
        CODE_RECORD => MAX_CODE,
        BLOB_RECORD => MAX_FORCED_BYTES,
        END_RECORD => 0,
        _ => {
            return Err(StoreError::Snapshot(format!(
                "it has a record of kind {kind}, expected 0 to {END_RECORD}"
            )));
        }
    };
    if length > most {
        return Err(StoreError::Snapshot(format!(
            "it has a record of kind {kind} with {length} bytes, at most {most}"
        )));
    }
    Ok(())
}

fn read_record(stream: &mut impl Read) -> Result<(u8, Vec<u8>), StoreError> {
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let mut length = [0; 4];
    length.copy_from_slice(&head[1..]);
    let length = u32::from_be_bytes(length);
    check_length(head[0], length as usize)?;
    // Grows with what is there, not with what the length says.
    let mut bytes = Vec::new();
    let got = stream.take(length.into()).read_to_end(&mut bytes)?;
    if got < length as usize {
        return Err(StoreError::Snapshot(
            "it ends in the middle of a record".to_owned(),
        ));
    }
    Ok((head[0], bytes))
}

fn check_hash(path: &Path) -> Result<(), StoreError> {
    let length = std::fs::metadata(path)?.len();
    let Some(body) = length.checked_sub(32) else {
        return Err(StoreError::Snapshot(format!("it has {length} bytes")));
    };
    let mut file = BufReader::new(File::open(path)?);
    let mut hasher = blake3::Hasher::new();
    std::io::copy(&mut (&mut file).take(body), &mut hasher)?;
    let mut end = [0; 32];
    file.read_exact(&mut end)?;
    let (got, expected) = (B256::new(*hasher.finalize().as_bytes()), B256::new(end));
    if got == expected {
        Ok(())
    } else {
        Err(StoreError::Snapshot(format!(
            "its hash is {got}, expected {expected}: it is damaged"
        )))
    }
}

/// Hashes what goes through.
struct Hashing<W> {
    inner: W,
    hasher: blake3::Hasher,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}
