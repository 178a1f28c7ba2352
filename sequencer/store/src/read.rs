//! Reading blocks, receipts, Bitcoin blocks and batches.

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rlp::{Decodable, RlpDecodable, RlpEncodable};
use l2_block::{Block, L1Block};
use l2_stf::{Outcome, Receipt, Source};
use rocksdb::{Direction, IteratorMode};

use crate::columns::{BATCHES, BLOCKS, L1, NUMBERS, TRANSACTIONS};
use crate::error::{StoreError, corrupt};
use crate::open::Store;

/// A block as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlock {
    /// The block.
    pub block: Block,
    /// What shows that it was agreed on.
    pub certificate: Bytes,
    /// What became of its deposits, forced transactions and transactions.
    pub receipts: Vec<Receipt>,
    /// The same, beside the receipts.
    pub outcomes: Vec<Outcome>,
}

/// Where a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionPlace {
    /// Number of its block.
    pub number: u64,
    /// Index of its receipt.
    pub index: u32,
}

/// A block on disk.
#[derive(Clone, Debug, RlpEncodable, RlpDecodable)]
pub(crate) struct BlockRecord {
    pub(crate) block: Block,
    pub(crate) certificate: Bytes,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) outcomes: Vec<OutcomeRecord>,
}

/// An [`Outcome`] on disk.
#[derive(Clone, Debug, RlpEncodable, RlpDecodable)]
pub(crate) struct OutcomeRecord {
    hash: B256,
    source: u8,
    sender: Address,
    /// Zero = none: no contract is created there.
    contract: Address,
    gas_used: u64,
    effective_gas_price: u128,
    data_fee: U256,
}

impl From<&Outcome> for OutcomeRecord {
    fn from(outcome: &Outcome) -> Self {
        Self {
            hash: outcome.hash,
            source: match outcome.source {
                Source::Deposit => 0,
                Source::Forced => 1,
                Source::Block => 2,
            },
            sender: outcome.sender,
            contract: outcome.contract.unwrap_or_default(),
            gas_used: outcome.gas_used,
            effective_gas_price: outcome.effective_gas_price,
            data_fee: outcome.data_fee,
        }
    }
}

impl OutcomeRecord {
    fn outcome(&self) -> Result<Outcome, StoreError> {
        Ok(Outcome {
            hash: self.hash,
            source: match self.source {
                0 => Source::Deposit,
                1 => Source::Forced,
                2 => Source::Block,
                got => return Err(corrupt(format!("source {got} of transaction {}", self.hash))),
            },
            sender: self.sender,
            contract: (!self.contract.is_zero()).then_some(self.contract),
            gas_used: self.gas_used,
            effective_gas_price: self.effective_gas_price,
            data_fee: self.data_fee,
        })
    }
}

impl Store {
    /// A block by its number, if it is there.
    ///
    /// # Errors
    /// If the database fails.
    pub fn block(&self, number: u64) -> Result<Option<StoredBlock>, StoreError> {
        let Some(bytes) = self.get(BLOCKS, &number.to_be_bytes())? else {
            return Ok(None);
        };
        let record = BlockRecord::decode(&mut bytes.as_slice())
            .map_err(|error| corrupt(format!("block {number}: {error}")))?;
        Ok(Some(StoredBlock {
            block: record.block,
            certificate: record.certificate,
            receipts: record.receipts,
            outcomes: record
                .outcomes
                .iter()
                .map(OutcomeRecord::outcome)
                .collect::<Result<_, _>>()?,
        }))
    }

    /// The number of the block with this hash.
    ///
    /// # Errors
    /// If the database fails.
    pub fn number_of(&self, hash: &B256) -> Result<Option<u64>, StoreError> {
        let Some(bytes) = self.get(NUMBERS, hash.as_slice())? else {
            return Ok(None);
        };
        let bytes = bytes
            .try_into()
            .map_err(|_| corrupt(format!("the number of block {hash}")))?;
        Ok(Some(u64::from_be_bytes(bytes)))
    }

    /// Where a transaction, forced transaction or deposit is, by its hash. If two blocks have one (a forced transaction that
    /// came too late and its twin), the later.
    ///
    /// # Errors
    /// If the database fails.
    pub fn transaction(&self, hash: &B256) -> Result<Option<TransactionPlace>, StoreError> {
        let Some(bytes) = self.get(TRANSACTIONS, hash.as_slice())? else {
            return Ok(None);
        };
        let bytes: [u8; 12] = bytes
            .try_into()
            .map_err(|_| corrupt(format!("the place of transaction {hash}")))?;
        let (mut number, mut index) = ([0; 8], [0; 4]);
        number.copy_from_slice(&bytes[..8]);
        index.copy_from_slice(&bytes[8..]);
        Ok(Some(TransactionPlace {
            number: u64::from_be_bytes(number),
            index: u32::from_be_bytes(index),
        }))
    }

    /// The Bitcoin block at a height, as the chain has named it.
    ///
    /// # Errors
    /// If the database fails.
    pub fn l1_block(&self, height: u64) -> Result<Option<L1Block>, StoreError> {
        let Some(bytes) = self.get(L1, &height.to_be_bytes())? else {
            return Ok(None);
        };
        L1Block::decode(&mut bytes.as_slice())
            .map(Some)
            .map_err(|error| corrupt(format!("Bitcoin block {height}: {error}")))
    }

    /// A batch by its index; opaque here.
    ///
    /// # Errors
    /// If the database fails.
    pub fn batch(&self, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(BATCHES, &index.to_be_bytes())
    }

    /// Writes a batch; a Bitcoin reorganisation may replace it.
    ///
    /// # Errors
    /// If the database fails.
    pub fn set_batch(&self, index: u64, bytes: &[u8]) -> Result<(), StoreError> {
        Ok(self
            .db
            .put_cf_opt(self.column(BATCHES), index.to_be_bytes(), bytes, &Self::synced())?)
    }

    /// The batch with the greatest index.
    ///
    /// # Errors
    /// If the database fails.
    pub fn last_batch(&self) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        let mut from_end = self.db.iterator_cf(
            self.column(BATCHES),
            IteratorMode::From(&[0xff; 8], Direction::Reverse),
        );
        let Some((index, bytes)) = from_end.next().transpose()? else {
            return Ok(None);
        };
        let index = index
            .as_ref()
            .try_into()
            .map_err(|_| corrupt("the index of a batch"))?;
        Ok(Some((u64::from_be_bytes(index), bytes.into_vec())))
    }
}
