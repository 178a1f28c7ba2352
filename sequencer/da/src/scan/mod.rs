//! What a Bitcoin block says to the layer 2: deposits and forced transactions.
//!
//! [`scan`] is total: any block gives one [`L1Block`]. Messages are in the order of transactions; within one, deposits by output,
//! then forced transactions by input. A coinbase says nothing: what it pays can be spent only 100 blocks later, and its witness is no
//! witness.

mod deposits;
mod forced;

pub use deposits::{DEPOSIT_TAG, DepositFormat, FormatError, Minted, TaggedDeposits};
pub use forced::{ForcedError, MAX_FORCED_BYTES, forced_inscription, forced_of};

use bitcoin::hashes::Hash;
use l2_block::{B256, Deposit, Forced, L1Block, L1Message, L1Origin};

/// Reads a block. `time` is its median time past (`BIP-0113`): the median of its own time and those of the ten blocks before.
#[must_use]
pub fn scan(block: &bitcoin::Block, height: u64, time: u64, format: &impl DepositFormat) -> L1Block {
    let mut messages = Vec::new();
    for transaction in &block.txdata {
        if transaction.is_coinbase() {
            continue;
        }
        let mut id = None;
        let mut txid = || *id.get_or_insert_with(|| B256::new(transaction.compute_txid().to_byte_array()));
        for minted in format.deposits(transaction) {
            messages.push(L1Message::Deposit(Deposit {
                txid: txid(),
                vout: minted.vout,
                recipient: minted.recipient,
                amount: minted.amount,
            }));
        }
        for forced in forced_of(transaction) {
            messages.push(L1Message::Forced(Forced {
                txid: txid(),
                transaction: forced,
            }));
        }
    }
    L1Block {
        origin: L1Origin {
            height,
            hash: B256::new(block.block_hash().to_byte_array()),
        },
        parent: B256::new(block.header.prev_blockhash.to_byte_array()),
        time,
        messages,
    }
}

#[cfg(test)]
mod tests;
