//! The few values that say where the chain is.

use alloy_primitives::B256;
use alloy_rlp::{Decodable, RlpDecodable, RlpEncodable};
use l2_block::BlockId;

use crate::columns::META;
use crate::error::{StoreError, corrupt};
use crate::open::Store;

pub(crate) const SCHEMA: &[u8] = b"schema";
pub(crate) const GENESIS: &[u8] = b"genesis";
pub(crate) const HEAD: &[u8] = b"head";
pub(crate) const OLDEST: &[u8] = b"oldest";
const SAFE: &[u8] = b"safe";
const FINALIZED: &[u8] = b"finalized";
const RECORD: &[u8] = b"record/";

/// What a block can be beyond agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Label {
    /// In a batch on Bitcoin.
    Safe,
    /// In a batch that is buried.
    Finalized,
}

/// The newest block of each label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labels {
    /// Agreed.
    pub latest: BlockId,
    /// In a batch on Bitcoin.
    pub safe: u64,
    /// In a batch that is buried.
    pub finalized: u64,
}

/// The head, as it lies in `meta`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub(crate) struct Head {
    pub(crate) number: u64,
    pub(crate) hash: B256,
    pub(crate) state_root: B256,
}

impl Store {
    pub(crate) fn meta<T: Decodable>(&self, name: &[u8]) -> Result<Option<T>, StoreError> {
        let Some(bytes) = self.get(META, name)? else {
            return Ok(None);
        };
        T::decode(&mut bytes.as_slice())
            .map(Some)
            .map_err(|error| corrupt(format!("{}: {error}", String::from_utf8_lossy(name))))
    }

    /// The newest block of each label.
    ///
    /// # Errors
    /// If the database fails.
    pub fn labels(&self) -> Result<Labels, StoreError> {
        let head = self.head_record()?;
        Ok(Labels {
            latest: BlockId {
                number: head.number,
                hash: head.hash,
            },
            safe: self.meta(SAFE)?.unwrap_or(0),
            finalized: self.meta(FINALIZED)?.unwrap_or(0),
        })
    }

    /// Moves a label, to and fro: a Bitcoin reorganisation can take `safe` back.
    ///
    /// # Errors
    /// If there is no such block, or the database fails.
    pub fn set_label(&self, label: Label, number: u64) -> Result<(), StoreError> {
        let head = self.head_record()?.number;
        if number > head {
            return Err(StoreError::NoBlock { number, head });
        }
        let name = match label {
            Label::Safe => SAFE,
            Label::Finalized => FINALIZED,
        };
        Ok(self
            .db
            .put_cf(self.column(META), name, alloy_rlp::encode(number))?)
    }

    /// A small record of another part, such as the poster's, by name.
    ///
    /// # Errors
    /// If the database fails.
    pub fn record(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(META, &[RECORD, name.as_bytes()].concat())
    }

    /// Writes such a record; it is on disk when this returns.
    ///
    /// # Errors
    /// If the database fails.
    pub fn set_record(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let key = [RECORD, name.as_bytes()].concat();
        Ok(self
            .db
            .put_cf_opt(self.column(META), key, bytes, &Self::synced())?)
    }

    pub(crate) fn head_record(&self) -> Result<Head, StoreError> {
        self.meta(HEAD)?.ok_or_else(|| corrupt("there is no head"))
    }

    /// The oldest block whose state is kept.
    ///
    /// # Errors
    /// If the database fails.
    pub fn oldest_state(&self) -> Result<u64, StoreError> {
        Ok(self.meta(OLDEST)?.unwrap_or(0))
    }
}
