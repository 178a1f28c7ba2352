//! What every part of the layer 2 speaks about: blocks, the Bitcoin blocks they name, messages from Bitcoin, withdrawals,
//! and the genesis file (`docs/layer2.md`).
//!
//! Types and their one encoding, nothing else: no execution, no I/O, `no_std`. Encodings are RLP, which has one form for
//! every value; decoding refuses every other form, so a hash of bytes is a hash of a value. What an attacker tries here is a
//! second encoding of one block, or bytes that make a decoder allocate: lengths are bounded by the bytes that are there.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod block;
mod genesis;
mod hash;
mod header;
mod origin;
mod units;
mod vote;
mod withdrawal;

pub use block::{Block, BlockId};
pub use genesis::{Account, Fees, Genesis, GenesisError, Tokenomics, Validator, Windows};
pub use hash::{blob_root, hash, hash_pair};
pub use header::{Header, L1Origin};
pub use origin::{Deposit, Forced, L1Block, L1Message};
pub use units::{Sats, WEI_PER_SAT, Wei};
pub use vote::{
    Conflict, Evidence, Proposal, Signed, SignedProposal, SignedVote, Vote, VoteKind, tagged_hash,
};
pub use withdrawal::Withdrawal;

pub use alloy_primitives::{Address, B256, Bytes, U256};
