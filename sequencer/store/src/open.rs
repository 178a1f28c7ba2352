//! Opening a folder: a new one gets block 0, an old one must be of the same chain and whole.

use std::path::Path;

use alloy_primitives::B256;
use l2_block::{Genesis, Header};
use l2_state::EMPTY_ROOT;
use l2_stf::Changes;
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode,
    WriteBufferManager, WriteOptions,
};

use crate::columns::{ALL, BY_HASH, META, NODES};
use crate::commit::CommittedBlock;
use crate::error::{StoreError, corrupt};
use crate::meta::{GENESIS, SCHEMA};

/// Version of the layout; another one is refused.
const VERSION: u64 = 1;

/// How a database is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes of memory for cached blocks and for writes that are not in tables yet, together; a little more is possible while
    /// tables are written.
    pub cache: usize,
    /// Whether a committed block is on disk when [`Store::commit`] returns. Only tests of other things say no.
    pub sync: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache: 256 << 20,
            sync: true,
        }
    }
}

/// The database of one node.
pub struct Store {
    pub(crate) db: DB,
    pub(crate) options: Options,
    pub(crate) genesis: B256,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.db.path())
            .field("genesis", &self.genesis)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database in a folder, or makes it with block 0.
    ///
    /// A last write that a crash cut off is dropped by rocksdb (its log is read to the last whole record); the head is then the
    /// block before.
    ///
    /// # Errors
    /// If the folder is in use, of another chain or version, or damaged beyond its last write.
    pub fn open(folder: &Path, genesis: &Genesis, options: Options) -> Result<Self, StoreError> {
        let (header, changes) = l2_stf::genesis(genesis);
        let store = Self::open_raw(folder, genesis.hash(), options)?;
        if store.get(META, SCHEMA)?.is_none() {
            store.begin(&header, &changes)?;
        }
        store.check(&header)?;
        Ok(store)
    }

    /// Opens a database to read from, also while a node uses it: what is shown is the chain as it was when it was opened.
    ///
    /// # Errors
    /// If there is no database, or it is of another chain or version, or damaged.
    pub fn open_read_only(folder: &Path, genesis: &Genesis, options: Options) -> Result<Self, StoreError> {
        let (header, _) = l2_stf::genesis(genesis);
        let (all, descriptors) = Self::layout(options);
        let db = DB::open_cf_descriptors_read_only(&all, folder, descriptors, false)?;
        let store = Self {
            db,
            options,
            genesis: genesis.hash(),
        };
        store.check(&header)?;
        Ok(store)
    }

    /// Opens without block 0, for a snapshot to be put in.
    pub(crate) fn open_raw(folder: &Path, genesis: B256, options: Options) -> Result<Self, StoreError> {
        let (all, descriptors) = Self::layout(options);
        let db = DB::open_cf_descriptors(&all, folder, descriptors)?;
        Ok(Self { db, options, genesis })
    }

    fn layout(options: Options) -> (rocksdb::Options, Vec<ColumnFamilyDescriptor>) {
        let cache = Cache::new_lru_cache(options.cache);
        // Taken out of the cache; from half of it on, writes go to tables.
        let writes =
            WriteBufferManager::new_write_buffer_manager_with_cache(options.cache / 2, false, cache.clone());
        let mut all = rocksdb::Options::default();
        all.create_if_missing(true);
        all.create_missing_column_families(true);
        all.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
        // Column families share the write-ahead log, so they are recovered to one point.
        all.set_atomic_flush(true);
        all.set_write_buffer_manager(&writes);
        all.set_max_background_jobs(2);
        all.set_keep_log_file_num(4);
        all.set_max_open_files(512);
        let descriptors = ALL.map(|name| {
            let mut table = BlockBasedOptions::default();
            table.set_block_cache(&cache);
            table.set_cache_index_and_filter_blocks(true);
            table.set_pin_l0_filter_and_index_blocks_in_cache(true);
            let mut column = rocksdb::Options::default();
            column.set_write_buffer_size((options.cache / 4).min(16 << 20));
            column.set_max_write_buffer_number(4);
            // Small, or the columns that are hardly used fill a small budget with room that they do not need.
            column.set_arena_block_size(128 << 10);
            if BY_HASH.contains(&name) {
                table.set_bloom_filter(10.0, false);
            }
            // Digests and nodes are random bytes.
            column.set_compression_type(if name == NODES {
                DBCompressionType::None
            } else {
                DBCompressionType::Lz4
            });
            column.set_block_based_table_factory(&table);
            ColumnFamilyDescriptor::new(name, column)
        });
        (all, descriptors.into())
    }

    fn begin(&self, header: &Header, changes: &Changes) -> Result<(), StoreError> {
        let nodes = std::collections::BTreeMap::new();
        let update = l2_stf::apply(&nodes, &EMPTY_ROOT, changes)?;
        self.write_first(&CommittedBlock {
            block: &l2_block::Block {
                header: header.clone(),
                transactions: Vec::new(),
            },
            certificate: &[],
            receipts: &[],
            outcomes: &[],
            changes,
            update: &update,
            l1: &[],
        })
    }

    fn check(&self, header: &Header) -> Result<(), StoreError> {
        let got = self.meta(SCHEMA)?.unwrap_or(0);
        if got != VERSION {
            return Err(StoreError::Schema {
                got,
                expected: VERSION,
            });
        }
        let got: B256 = self
            .meta(GENESIS)?
            .ok_or_else(|| corrupt("there is no genesis"))?;
        if got != self.genesis {
            return Err(StoreError::OtherChain {
                got,
                expected: self.genesis,
            });
        }
        let head = self.head_record()?;
        let block = self
            .block(head.number)?
            .ok_or_else(|| corrupt(format!("the head, block {}, is not there", head.number)))?;
        let (hash, root) = (block.block.header.hash(), block.block.header.state_root);
        if hash != head.hash || root != head.state_root {
            return Err(corrupt(format!(
                "the head is {}, but block {} is {hash}",
                head.hash, head.number
            )));
        }
        if head.number == 0 && hash != header.hash() {
            return Err(corrupt("block 0 is not that of the genesis file"));
        }
        if root != EMPTY_ROOT && self.get(NODES, root.as_slice())?.is_none() {
            return Err(corrupt(format!("the state tree's root {root} is not there")));
        }
        Ok(())
    }

    /// What a new database begins with, beside block 0.
    pub(crate) fn birth(&self) -> [(&'static [u8], Vec<u8>); 2] {
        [
            (SCHEMA, alloy_rlp::encode(VERSION)),
            (GENESIS, alloy_rlp::encode(self.genesis)),
        ]
    }

    /// Hash of the genesis file.
    #[must_use]
    pub fn genesis_hash(&self) -> B256 {
        self.genesis
    }

    pub(crate) fn column(&self, name: &str) -> &ColumnFamily {
        self.db
            .cf_handle(name)
            .expect("every column family was opened with the database")
    }

    pub(crate) fn get(&self, column: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.db.get_cf(self.column(column), key)?)
    }

    pub(crate) fn synced() -> WriteOptions {
        let mut options = WriteOptions::default();
        options.set_sync(true);
        options
    }

    pub(crate) fn write_options(&self) -> WriteOptions {
        let mut options = WriteOptions::default();
        options.set_sync(self.options.sync);
        options
    }
}
