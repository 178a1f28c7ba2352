//! Block 0: the state from which a chain begins.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use l2_block::{Block, Genesis, Header};
use l2_state::{Account, EMPTY_ROOT, MissingNode, NodeSource};

use crate::system::{HISTORY, HISTORY_CODE, INVALID_CODE, SYSTEM, TOKEN, WITHDRAWALS, slot, word};
use crate::{Changes, Receipt, apply, token};

/// The empty tree has no nodes.
struct Nothing;

impl NodeSource for Nothing {
    fn node(&self, digest: &B256) -> Result<[u8; 64], MissingNode> {
        Err(MissingNode(*digest))
    }
}

/// Block 0 of the chain and its state, as changes of the empty one.
///
/// # Panics
/// If the genesis file is not one that [`Genesis::check`] accepts.
#[must_use]
pub fn genesis(genesis: &Genesis) -> (Header, Changes) {
    let mut changes = Changes::default();
    for account in &genesis.accounts {
        if !account.balance.is_zero() {
            changes.accounts.insert(
                account.address,
                Some(Account {
                    balance: account.balance,
                    ..Account::default()
                }),
            );
        }
    }
    for (address, code) in [
        (WITHDRAWALS, INVALID_CODE),
        (SYSTEM, INVALID_CODE),
        (TOKEN, INVALID_CODE),
        (HISTORY, HISTORY_CODE),
    ] {
        deploy(&mut changes, address, code);
    }
    let hash = word(genesis.hash());
    changes.storage.insert((SYSTEM, slot::GENESIS), hash);
    let time = U256::from(genesis.timestamp_ms / 1000);
    if !time.is_zero() {
        changes.storage.insert((SYSTEM, slot::ORIGIN_TIME), time);
    }
    token::genesis(genesis, &mut changes);
    let tree =
        apply(&Nothing, &EMPTY_ROOT, &changes).expect("the empty tree has nothing that could be missing");
    let header = Header {
        number: 0,
        parent: B256::ZERO,
        timestamp_ms: genesis.timestamp_ms,
        origin: genesis.origin,
        round: 0,
        proposer: Address::ZERO,
        base_fee: genesis.fees.min_base_fee,
        data_fee: genesis.fees.min_data_fee,
        gas_used: 0,
        forced: 0,
        transactions_root: Block::transactions_root(&[]),
        receipts_root: Receipt::root(&[]),
        state_root: tree.root,
    };
    (header, changes)
}

/// Gives an address nonce 1 and code; coins that genesis gave it stay.
fn deploy(changes: &mut Changes, address: Address, code: Bytes) {
    let code_hash = keccak256(&code);
    let account = changes
        .accounts
        .entry(address)
        .or_default()
        .get_or_insert_with(Account::default);
    account.nonce = 1;
    account.code_hash = code_hash;
    changes.code.insert(code_hash, code);
}
