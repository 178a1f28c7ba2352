//! Snapshots: the head and its state in one file, for a node that does not want to execute everything.
//!
//! `"TAPSNAP1"`, then zstd of a stream of records (kind, length, bytes), then BLAKE3 of all before it. The hash finds damage; what
//! a stranger's file says is believed only as far as the state has the root that the head's header names.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256};
use alloy_rlp::Decodable;
use l2_block::{BlockId, Genesis};
use l2_state::{Account, EMPTY_ROOT};
use l2_stf::Changes;
use rocksdb::IteratorMode;

use crate::columns::{ACCOUNT, BLOBS, BLOCKS, CODE, FLAT, META, NUMBERS, UNDO};
use crate::commit::Undo;
use crate::error::StoreError;
use crate::meta::{HEAD, Head, OLDEST};
use crate::open::{Options, Store};
use crate::read::BlockRecord;

const MAGIC: &[u8; 8] = b"TAPSNAP1";
/// Longest record: a block of the greatest size with its receipts.
const MAX_RECORD: u32 = 256 << 20;
/// Values that are put into the tree at a time.
const CHUNK: usize = 100_000;

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
        for (column, kind) in [(CODE, CODE_RECORD), (BLOBS, BLOB_RECORD)] {
            for entry in self.db.iterator_cf(self.column(column), IteratorMode::Start) {
                put(kind, &[&entry?.1])?;
            }
        }
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
        let mut head = None;
        let mut loading = Loading {
            store: self,
            changes: Changes::default(),
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
}

/// State on its way into a database.
struct Loading<'a> {
    store: &'a Store,
    changes: Changes,
    root: B256,
}

impl Loading<'_> {
    fn record(&mut self, kind: u8, bytes: &[u8]) -> Result<(), StoreError> {
        let refuse = |what: &str| StoreError::Snapshot(what.to_owned());
        match (kind, bytes.len()) {
            (ACCOUNT_RECORD, 84) => {
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
            (STORAGE_RECORD, 84) => {
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
                if hash != KECCAK256_EMPTY {
                    self.changes.code.insert(hash, bytes.to_vec().into());
                }
            }
            (BLOB_RECORD, _) => {
                let root = l2_block::blob_root(bytes, |_, _| ());
                self.changes.blobs.insert(root, bytes.to_vec());
            }
            _ => return Err(refuse("it has a record of an unknown kind or size")),
        }
        if self.changes.accounts.len() + self.changes.storage.len() + self.changes.code.len() >= CHUNK {
            self.flush()?;
        }
        Ok(())
    }

    /// Puts what has gathered into the tree and the flat state.
    fn flush(&mut self) -> Result<(), StoreError> {
        let changes = std::mem::take(&mut self.changes);
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

fn read_record(stream: &mut impl Read) -> Result<(u8, Vec<u8>), StoreError> {
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let mut length = [0; 4];
    length.copy_from_slice(&head[1..]);
    let length = u32::from_be_bytes(length);
    if length > MAX_RECORD {
        return Err(StoreError::Snapshot(format!(
            "it has a record of {length} bytes, at most {MAX_RECORD}"
        )));
    }
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
