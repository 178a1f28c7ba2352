//! The layer 2 token: emission, staking, delegation, slashing, and who the validators are (`docs/layer2.md` §4).
//!
//! Everything is a function over a store of words ([`Words`]), the storage of [`ADDRESS`]: [`genesis`] fills it, [`turns`]
//! and [`epoch`] are a block's steps, [`call`] is the precompile. No clock, no floating point, no loop whose length a user
//! chooses.
//!
//! Invariants, each with a property test:
//! - balances add up to what was minted less what was burned, and never pass the supply;
//! - what is staked, unbonding, owed or pooled lies on the token's own address, and that balance is the sum of its parts;
//! - a call changes only balances and stakes of its caller, of who approved it, or of a slashed validator's stakers;
//! - rounding is never in a caller's favour.
//!
//! What a thief tries: shares of an empty pool priced by a donation (virtual shares, [`Pool`]), leaving before the evidence
//! comes (unbonding stake is slashed too), evidence told twice or from another chain, a retired key that signs again, calls
//! that cost more than their gas ([`gas`] is a bound, counted by a test), and call data that no decoder expects.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod abi;
mod call;
mod change;
mod emission;
mod epoch;
mod evidence;
mod gas;
mod genesis;
mod ledger;
mod pool;
mod registry;
mod staking;
mod words;

#[cfg(test)]
mod tests;

pub use abi::IToken;
pub use call::{CallError, Outcome, call};
pub use change::Change;
pub use emission::{Budgets, budgets, emission, emitted_before, mined};
pub use epoch::{BlockInfo, TurnsError, epoch, proposer, turns};
pub use gas::gas;
pub use genesis::genesis;
pub use pool::Pool;
pub use registry::{ActiveValidator, active};
pub use words::Words;

use alloy_primitives::{Address, address};

/// Address of the token: its storage is the store of words, and its balance is what the token holds for others.
pub const ADDRESS: Address = address!("0000000000000000000000000000000000007a03");
