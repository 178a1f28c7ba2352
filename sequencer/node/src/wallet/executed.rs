//! A block as wallets read it: its transactions with those that came from Bitcoin, whose content lies in Bitcoin's blocks.
//!
//! An attacker fills a block with forced entries and asks for it again and again: so each Bitcoin block is read once for a
//! block, however many entries there are.

use std::collections::{HashMap, HashSet};

use alloy_primitives::{B256, Bytes, U256, keccak256};
use l2_block::{L1Block, L1Message, WEI_PER_SAT};
use l2_stf::{IGNORED_KIND, Outcome};
use l2_store::{Store, StoreError, StoredBlock};
use tapestry_rpc::{ExecutedBlock, Included, Source};

/// Bytes of a block's forced transactions by hash, from the Bitcoin blocks that hold them: at most `window` before `origin`.
/// `l1` gives the Bitcoin block at a height; it is asked once for each, and no further than the oldest that is needed.
fn forced_bytes(
    mut l1: impl FnMut(u64) -> Result<Option<L1Block>, StoreError>,
    origin: u64,
    window: u64,
    outcomes: &[Outcome],
) -> Result<HashMap<B256, Bytes>, StoreError> {
    let mut wanted: HashSet<B256> = outcomes
        .iter()
        .filter(|outcome| outcome.source == l2_stf::Source::Forced)
        .map(|outcome| outcome.hash)
        .collect();
    let mut found = HashMap::with_capacity(wanted.len());
    for height in (origin.saturating_sub(window)..=origin).rev() {
        if wanted.is_empty() {
            break;
        }
        let Some(block) = l1(height)? else {
            continue;
        };
        for message in block.messages {
            if let L1Message::Forced(forced) = message {
                let hash = keccak256(&forced.transaction);
                if wanted.remove(&hash) {
                    found.insert(hash, forced.transaction);
                }
            }
        }
    }
    Ok(found)
}

/// Satoshis of the block's deposits, in order.
fn deposits(store: &Store, parent_origin: u64, origin: u64) -> Result<Vec<u64>, StoreError> {
    let mut amounts = Vec::new();
    for height in parent_origin.saturating_add(1)..=origin {
        let messages = store
            .l1_block(height)?
            .map(|block| block.messages)
            .unwrap_or_default();
        amounts.extend(messages.into_iter().filter_map(|message| match message {
            L1Message::Deposit(deposit) => Some(deposit.amount),
            L1Message::Forced(_) => None,
        }));
    }
    Ok(amounts)
}

/// A stored block as wallets read it. A forced entry lies at most `window` Bitcoin blocks before the block's origin.
pub(super) fn executed(store: &Store, stored: StoredBlock, window: u64) -> Result<ExecutedBlock, StoreError> {
    let header = stored.block.header.clone();
    let origin = header.origin.height;
    let mut own = stored.block.transactions.iter();
    let mut amounts = Vec::new().into_iter();
    let has_deposits = stored
        .outcomes
        .iter()
        .any(|outcome| outcome.source == l2_stf::Source::Deposit);
    if has_deposits && let Some(number) = header.number.checked_sub(1) {
        let parent = store
            .block(number)?
            .map_or(origin, |parent| parent.block.header.origin.height);
        amounts = deposits(store, parent, origin)?.into_iter();
    }
    let forced = forced_bytes(|height| store.l1_block(height), origin, window, &stored.outcomes)?;
    let mut transactions = Vec::with_capacity(stored.outcomes.len());
    for (receipt, outcome) in stored.receipts.into_iter().zip(stored.outcomes) {
        let (source, bytes) = match outcome.source {
            l2_stf::Source::Deposit => {
                let wei = U256::from(amounts.next().unwrap_or(0)) * U256::from(WEI_PER_SAT);
                (Source::Deposit(wei), Bytes::new())
            }
            l2_stf::Source::Forced => {
                // The same bytes may have been written to Bitcoin twice.
                let bytes = forced.get(&outcome.hash).cloned().unwrap_or_default();
                let source = if receipt.kind == IGNORED_KIND {
                    Source::Ignored
                } else {
                    Source::Forced
                };
                (source, bytes)
            }
            l2_stf::Source::Block => (Source::Block, own.next().cloned().unwrap_or_default()),
        };
        transactions.push(Included {
            hash: outcome.hash,
            source,
            bytes,
            sender: outcome.sender,
            success: receipt.success,
            cumulative_gas: receipt.cumulative_gas,
            gas_used: outcome.gas_used,
            effective_gas_price: outcome.effective_gas_price,
            data_fee: outcome.data_fee,
            contract: outcome.contract,
            logs: receipt.logs,
        });
    }
    Ok(ExecutedBlock {
        hash: header.hash(),
        size: stored.block.encode().len() as u64,
        header,
        transactions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::Address;
    use l2_block::{Deposit, Forced, L1Origin};

    fn entry(height: u64, index: u64) -> Bytes {
        [height.to_be_bytes(), index.to_be_bytes()].concat().into()
    }

    /// A Bitcoin block with 100 forced transactions and a deposit.
    fn l1(height: u64) -> L1Block {
        let mut messages: Vec<L1Message> = (0..100)
            .map(|index| {
                L1Message::Forced(Forced {
                    txid: B256::ZERO,
                    transaction: entry(height, index),
                })
            })
            .collect();
        messages.push(L1Message::Deposit(Deposit {
            txid: B256::ZERO,
            vout: 0,
            recipient: Address::ZERO,
            amount: 330,
        }));
        L1Block {
            origin: L1Origin {
                height,
                hash: B256::ZERO,
            },
            parent: B256::ZERO,
            time: 0,
            messages,
        }
    }

    fn outcome(source: l2_stf::Source, bytes: &Bytes) -> Outcome {
        Outcome {
            hash: keccak256(bytes),
            source,
            sender: Address::ZERO,
            contract: None,
            gas_used: 0,
            effective_gas_price: 0,
            data_fee: U256::ZERO,
        }
    }

    /// What is found, and the heights that were asked for.
    fn look(outcomes: &[Outcome]) -> (HashMap<B256, Bytes>, Vec<u64>) {
        let mut asked = Vec::new();
        let found = forced_bytes(
            |height| {
                asked.push(height);
                // One block is not there.
                Ok((height != 998).then(|| l1(height)))
            },
            1_000,
            20,
            outcomes,
        )
        .unwrap();
        (found, asked)
    }

    #[test]
    fn each_bitcoin_block_is_read_once_for_many_entries() {
        let all: Vec<Bytes> = [1_000, 999, 995]
            .into_iter()
            .flat_map(|height| (0..100).map(move |index| entry(height, index)))
            .collect();
        let mut outcomes: Vec<Outcome> = all
            .iter()
            .map(|bytes| outcome(l2_stf::Source::Forced, bytes))
            .collect();
        // The same entry twice.
        outcomes.push(outcomes[7].clone());
        let (found, asked) = look(&outcomes);
        assert_eq!(asked, [1_000, 999, 998, 997, 996, 995]);
        assert_eq!(found.len(), 300);
        for bytes in &all {
            assert_eq!(found.get(&keccak256(bytes)), Some(bytes));
        }
    }

    #[test]
    fn what_is_in_no_block_of_the_window_is_not_found_and_costs_one_walk() {
        let missing: Vec<Outcome> = (0..50)
            .map(|index| outcome(l2_stf::Source::Forced, &entry(7, index)))
            .collect();
        let (found, asked) = look(&missing);
        assert!(found.is_empty());
        assert_eq!(asked.len(), 21);
    }

    #[test]
    fn a_block_without_forced_entries_reads_nothing() {
        let own = outcome(l2_stf::Source::Block, &entry(1_000, 0));
        assert_eq!(look(&[own]).1, [0u64; 0]);
    }
}
