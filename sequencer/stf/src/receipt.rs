//! What became of a transaction.

use alloc::vec::Vec;

use alloy_primitives::{Address, B256, Log, U256};
use alloy_rlp::{RlpDecodable, RlpEncodable};
use l2_block::hash;

/// [`Receipt::kind`] of a deposit.
pub const DEPOSIT_KIND: u8 = 0x7e;
/// [`Receipt::kind`] of an entry of the forced queue that was no valid transaction and did nothing.
pub const IGNORED_KIND: u8 = 0x7f;

/// What became of a deposit, a forced transaction or a transaction.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct Receipt {
    /// EIP-2718 type of the transaction, or [`DEPOSIT_KIND`] or [`IGNORED_KIND`].
    pub kind: u8,
    /// Whether it did what it was for: it did not revert.
    pub success: bool,
    /// Gas used in the block up to it and with it.
    pub cumulative_gas: u64,
    /// Wei that the sender paid to the proposer: gas and data surcharge.
    pub paid: U256,
    /// Events, in order.
    pub logs: Vec<Log>,
}

impl Receipt {
    /// What [`l2_block::Header::receipts_root`] must be: BLAKE3 of the RLP list.
    #[must_use]
    pub fn root(receipts: &[Self]) -> B256 {
        let mut bytes = Vec::new();
        alloy_rlp::encode_list(receipts, &mut bytes);
        hash(&bytes)
    }
}

/// Where a transaction came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A deposit on Bitcoin.
    Deposit,
    /// The forced queue.
    Forced,
    /// The block.
    Block,
}

/// What a receipt does not say but wallets ask; beside each receipt, none of it hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Keccak of the transaction's bytes; of a deposit, BLAKE3 of its encoding.
    pub hash: B256,
    /// Where it came from.
    pub source: Source,
    /// Who signed it; the recipient of a deposit; zero where nobody did.
    pub sender: Address,
    /// The contract that it created.
    pub contract: Option<Address>,
    /// Gas it used.
    pub gas_used: u64,
    /// Wei a gas that it paid.
    pub effective_gas_price: u128,
    /// Wei that it paid for its bytes.
    pub data_fee: U256,
}
