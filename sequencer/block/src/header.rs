//! A block's header.

use alloy_primitives::{Address, B256};
use alloy_rlp::{RlpDecodable, RlpEncodable};
use serde::{Deserialize, Serialize};

use crate::hash;

/// The Bitcoin block that a layer 2 block has seen: all messages up to it, none after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, RlpEncodable, RlpDecodable, Serialize, Deserialize)]
pub struct L1Origin {
    /// Its height.
    pub height: u64,
    /// Its hash, in the order of its bytes in a header (not that of its printed form).
    pub hash: B256,
}

/// What a block says of itself. Its hash names the block.
#[derive(Clone, Debug, PartialEq, Eq, Hash, RlpEncodable, RlpDecodable, Serialize, Deserialize)]
pub struct Header {
    /// Number; genesis is 0.
    pub number: u64,
    /// Hash of the header before; zero in genesis.
    pub parent: B256,
    /// Milliseconds since 1970; never less than the parent's. The EVM sees seconds.
    pub timestamp_ms: u64,
    /// Newest Bitcoin block whose messages this block has seen.
    pub origin: L1Origin,
    /// Round of consensus in which it was proposed: rounds before it were missed by their proposers.
    pub round: u32,
    /// Address of its proposer, who earns its fees.
    pub proposer: Address,
    /// Wei a gas that every transaction pays at least (EIP-1559).
    pub base_fee: u64,
    /// Wei a byte of a transaction pays for its place on Bitcoin.
    pub data_fee: u64,
    /// Gas that its transactions used together.
    pub gas_used: u64,
    /// Forced transactions that it takes from the head of the queue, before its own.
    pub forced: u32,
    /// [`crate::Block::transactions_root`].
    pub transactions_root: B256,
    /// Root over its receipts.
    pub receipts_root: B256,
    /// State after it.
    pub state_root: B256,
}

impl Header {
    /// BLAKE3 of the RLP encoding.
    #[must_use]
    pub fn hash(&self) -> B256 {
        hash(&alloy_rlp::encode(self))
    }

    /// Seconds since 1970, as the EVM sees them.
    #[must_use]
    pub fn timestamp(&self) -> u64 {
        self.timestamp_ms / 1000
    }
}
