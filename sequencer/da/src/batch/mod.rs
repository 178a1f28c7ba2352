//! The content of a batch: what derivation cannot recompute of a range of blocks, in columns, compressed.
//!
//! ```text
//! data    = length of frame ‖ frame ‖ dense
//! frame   = compress(columns)
//! columns = blocks ‖ transactions        one column after the other, counts first, so that columns need no lengths
//! dense   = what no compressor makes smaller: addresses that are new, r and s of signatures
//! ```
//!
//! Invariants. (1) Every transaction comes back byte for byte: one that the columns do not reproduce exactly is written as it is.
//! (2) Columns have one encoding: decoding writes again what it read and refuses what differs. (3) Whatever the bytes are,
//! decoding ends with content or an error, and holds at most [`MAX_COLUMNS`] bytes of columns and what those name.
//! What is not here follows from elsewhere: numbers and parents from the batch before, hashes of Bitcoin blocks from Bitcoin,
//! proposers, base fees, gas and roots from execution, the chain id from genesis.
//!
//! A thief would post a small frame that grows without bound, or two encodings of one batch of which nodes accept different
//! ones; a bound and (2) are against these.

mod blocks;
mod compress;
mod transactions;
mod wire;

use alloy_primitives::Bytes;
use l2_block::Block;

use wire::{Reader, put_number};

/// Most bytes of columns, decompressed.
pub const MAX_COLUMNS: usize = 16 << 20;
/// Most blocks of a batch.
pub const MAX_BLOCKS: usize = 1 << 16;
/// Most transactions of a batch. Dense bytes alone would allow about as many.
pub const MAX_TRANSACTIONS: usize = 1 << 18;

/// What a batch says of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockContent {
    /// [`l2_block::Header::timestamp_ms`].
    pub timestamp_ms: u64,
    /// Height of its origin.
    pub origin: u64,
    /// [`l2_block::Header::round`].
    pub round: u32,
    /// [`l2_block::Header::data_fee`].
    pub data_fee: u64,
    /// [`l2_block::Header::forced`].
    pub forced: u32,
    /// Its transactions.
    pub transactions: Vec<Bytes>,
}

impl From<&Block> for BlockContent {
    fn from(block: &Block) -> Self {
        BlockContent {
            timestamp_ms: block.header.timestamp_ms,
            origin: block.header.origin.height,
            round: block.header.round,
            data_fee: block.header.data_fee,
            forced: block.header.forced,
            transactions: block.transactions.clone(),
        }
    }
}

/// What a batch says of its blocks, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The blocks; at least one.
    pub blocks: Vec<BlockContent>,
}

/// Columns before compression, and the bytes that go beside them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// What is compressed.
    pub sparse: Vec<u8>,
    /// What is not.
    pub dense: Vec<u8>,
}

/// Why blocks are no batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// Too much of something.
    #[error("{what}: expected at most {expected}, got {got}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The most.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// No block.
    #[error("expected at least one block, got none")]
    NoBlocks,
    /// Times or origins go back: these are no blocks of one chain.
    #[error("{what} of block {index}: expected at least {expected}, got {got}")]
    Back {
        /// Of what.
        what: &'static str,
        /// Place of the block in the batch.
        index: usize,
        /// The one before.
        expected: u64,
        /// What is there.
        got: u64,
    },
    /// A data fee jumps by more than 63 bits.
    #[error("data fee of block {index} is too far from the one before")]
    DataFee {
        /// Place of the block in the batch.
        index: usize,
    },
}

/// Why bytes are no content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end too early.
    #[error("expected {expected} more bytes, got {got}")]
    Short {
        /// What a field needs.
        expected: usize,
        /// What is left.
        got: usize,
    },
    /// Bytes after the end.
    #[error("expected the end, got {got} more bytes")]
    Trailing {
        /// How many.
        got: usize,
    },
    /// A number out of its range, or not in its shortest form.
    #[error("expected a number in its shortest form and within its range")]
    Number,
    /// A count that the bytes or the limits do not allow.
    #[error("expected a count of at most {expected}, got {got}")]
    TooMany {
        /// The most.
        expected: usize,
        /// The count.
        got: u64,
    },
    /// No block.
    #[error("expected at least one block, got none")]
    NoBlocks,
    /// An unknown kind of transaction.
    #[error("expected a kind of transaction, got {got}")]
    Kind {
        /// The byte.
        got: u8,
    },
    /// An address that was not named before.
    #[error("expected one of {expected} addresses, got {got}")]
    Address {
        /// How many were named.
        expected: usize,
        /// Which is asked for.
        got: u64,
    },
    /// An access or authorisation list that is no RLP.
    #[error("list: {0}")]
    Rlp(alloy_rlp::Error),
    /// The frame is not one whole frame, or one that grows past the limit.
    #[error("expected one frame of at most {expected} bytes of content")]
    Frame {
        /// The limit.
        expected: usize,
    },
    /// The same content has another encoding, which is the one.
    #[error("expected the one encoding of this content")]
    NotCanonical,
}

impl Content {
    /// The content of `blocks`.
    #[must_use]
    pub fn of(blocks: &[Block]) -> Self {
        Content {
            blocks: blocks.iter().map(BlockContent::from).collect(),
        }
    }

    /// How many transactions.
    #[must_use]
    pub fn transactions(&self) -> usize {
        self.blocks.iter().map(|block| block.transactions.len()).sum()
    }

    /// The columns.
    ///
    /// # Errors
    /// [`EncodeError`] if these are no blocks of one chain or too many.
    pub fn columns(&self, chain_id: u64) -> Result<Columns, EncodeError> {
        let limit = |what, expected, got| {
            if got <= expected {
                Ok(())
            } else {
                Err(EncodeError::TooMany { what, expected, got })
            }
        };
        limit("blocks", MAX_BLOCKS, self.blocks.len())?;
        limit("transactions", MAX_TRANSACTIONS, self.transactions())?;
        let mut columns = Columns {
            sparse: Vec::new(),
            dense: Vec::new(),
        };
        blocks::write(&self.blocks, &mut columns.sparse)?;
        let all = self.blocks.iter().flat_map(|block| &block.transactions);
        transactions::write(all, chain_id, &mut columns);
        limit("bytes of columns", MAX_COLUMNS, columns.sparse.len())?;
        Ok(columns)
    }

    /// Reads columns.
    ///
    /// # Errors
    /// [`DecodeError`] if they are not the columns of some content.
    pub fn from_columns(columns: &Columns, chain_id: u64) -> Result<Self, DecodeError> {
        let mut sparse = Reader::new(&columns.sparse);
        let mut dense = Reader::new(&columns.dense);
        let (mut blocks, counts) = blocks::read(&mut sparse)?;
        let all = transactions::read(counts.iter().sum(), chain_id, &mut sparse, &mut dense)?;
        sparse.end()?;
        dense.end()?;
        let mut all = all.into_iter();
        for (block, count) in blocks.iter_mut().zip(counts) {
            block.transactions = all.by_ref().take(count).collect();
        }
        let content = Content { blocks };
        match content.columns(chain_id) {
            Ok(again) if again == *columns => Ok(content),
            _ => Err(DecodeError::NotCanonical),
        }
    }

    /// The bytes that are posted. They may be compressed otherwise by others: the content that they give is one.
    ///
    /// # Errors
    /// As for [`Self::columns`].
    pub fn encode(&self, chain_id: u64) -> Result<Vec<u8>, EncodeError> {
        let columns = self.columns(chain_id)?;
        let frame = compress::compress(&columns.sparse);
        let mut data = Vec::with_capacity(frame.len() + columns.dense.len() + 4);
        put_number(&mut data, frame.len() as u64);
        data.extend_from_slice(&frame);
        data.extend_from_slice(&columns.dense);
        Ok(data)
    }

    /// Reads bytes that were posted.
    ///
    /// # Errors
    /// [`DecodeError`], for whatever is not the encoding of some content.
    pub fn decode(data: &[u8], chain_id: u64) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(data);
        let length = reader.count(1, usize::MAX)?;
        let sparse = compress::decompress(reader.bytes(length)?, MAX_COLUMNS)?;
        let dense = reader.bytes(reader.left())?.to_vec();
        Self::from_columns(&Columns { sparse, dense }, chain_id)
    }
}
