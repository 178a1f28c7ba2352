//! The state tree: a binary Merkle tree of 64-byte BLAKE3 nodes (`docs/layer2.md` §2).
//!
//! One tree holds accounts, storage and code by 32-byte keys. A tree of a set of entries is unique, whatever the order in
//! which they came, so its root *is* the state. Operations are functions of a [`NodeSource`] and a root: they give values, or
//! a new root and the nodes made for it. The same functions run natively and in the guest, where the source is
//! `hint_blake3`.
//!
//! What an attacker tries here:
//! - nodes that are not what their digest says. The machine rules that out for the guest; natively a source that could be
//!   wrong (a disk, a peer) goes behind [`Checked`];
//! - a leaf shown as an inner node or the other way round: a leaf begins with [`TAG`], which is nobody's digest;
//! - a leaf where its key does not lead, a lone leaf that lies too deep, a tree without end: not the one tree of any set of
//!   entries, so [`StateError::Malformed`];
//! - a proof about another key or another root: see [`Proof`].

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod account;
mod error;
mod node;
mod proof;
mod read;
mod source;
mod update;

#[cfg(test)]
mod tests;

pub use account::{Account, account_key, code_key, storage_key};
pub use error::StateError;
pub use node::{EMPTY_ROOT, TAG};
pub use proof::{End, Proof, ProofError, prove};
pub use read::{MAX_CODE_BYTES, get, read_account, read_blob, read_code, read_storage, visit};
pub use source::{Checked, MissingNode, NodeSource, Overlay, Recording};
pub use update::{Update, update};

pub use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY as KECCAK_EMPTY, U256};
