//! Column families and their keys.

use alloy_primitives::{Address, U256};

pub(crate) const META: &str = "meta";
pub(crate) const BLOCKS: &str = "blocks";
pub(crate) const NUMBERS: &str = "numbers";
pub(crate) const TRANSACTIONS: &str = "transactions";
pub(crate) const FLAT: &str = "flat";
pub(crate) const CODE: &str = "code";
pub(crate) const BLOBS: &str = "blobs";
pub(crate) const NODES: &str = "nodes";
pub(crate) const UNDO: &str = "undo";
pub(crate) const L1: &str = "l1";
pub(crate) const BATCHES: &str = "batches";

/// All of them.
pub(crate) const ALL: [&str; 11] = [
    META,
    BLOCKS,
    NUMBERS,
    TRANSACTIONS,
    FLAT,
    CODE,
    BLOBS,
    NODES,
    UNDO,
    L1,
    BATCHES,
];

/// Those that are read by hash: a Bloom filter spares most look-ups of what is not there.
pub(crate) const BY_HASH: [&str; 5] = [NUMBERS, TRANSACTIONS, FLAT, CODE, NODES];

/// First byte of an account's key in `flat`.
pub(crate) const ACCOUNT: u8 = b'a';
/// First byte of a storage word's key in `flat`.
pub(crate) const STORAGE: u8 = b's';

/// Key of an account in `flat`.
pub(crate) fn account(address: &Address) -> [u8; 21] {
    let mut key = [ACCOUNT; 21];
    key[1..].copy_from_slice(address.as_slice());
    key
}

/// Key of a storage word in `flat`.
pub(crate) fn storage(address: &Address, slot: &U256) -> [u8; 53] {
    let mut key = [STORAGE; 53];
    key[1..21].copy_from_slice(address.as_slice());
    key[21..].copy_from_slice(&slot.to_be_bytes::<32>());
    key
}
