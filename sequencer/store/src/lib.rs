//! Blocks, receipts and state in rocksdb.
//!
//! Owns one invariant: **what a [`Store`] shows is the chain after some whole block**. A block is one atomic, synced write of
//! everything that follows from it ([`Store::commit`]): the block, its certificate, receipts, look-ups, the flat state that
//! execution reads, the nodes of the state tree that proofs and guests read, and what undoing it takes. A crash between any
//! two writes leaves the block before.
//!
//! | column family | key → value |
//! | --- | --- |
//! | `meta` | name → head, labels, schema, genesis, named records |
//! | `blocks` | number → block, certificate, what it did (RLP) |
//! | `numbers` | block hash → number |
//! | `transactions` | transaction hash → number, index of the receipt |
//! | `flat` | account or storage word → value |
//! | `code` | Keccak hash → code |
//! | `blobs` | root → blob |
//! | `nodes` | digest → node, number of trees kept that need it |
//! | `undo` | number → flat values before the block, nodes to forget with the block before |
//! | `l1` | height → Bitcoin block as the layer 2 sees it |
//! | `batches` | index → batch as posted or derived |
//!
//! The caller owns the order: blocks come one after another, each executed over the state that is shown. An attacker reaches
//! this crate only through a snapshot file ([`Store::import`]), of which nothing is believed but its hash chain: the state must have
//! the root that the header names, and whether that header is agreed is the caller's to check with its certificate.

mod columns;
mod commit;
mod error;
mod meta;
mod open;
mod prune;
mod read;
mod rewind;
mod snapshot;
mod state;

pub use commit::CommittedBlock;
pub use error::StoreError;
pub use meta::{Label, Labels};
pub use open::{Options, Store};
pub use read::{StoredBlock, TransactionPlace};
pub use snapshot::SnapshotSummary;
pub use state::{LatestState, StateAt};

#[cfg(test)]
mod tests;
