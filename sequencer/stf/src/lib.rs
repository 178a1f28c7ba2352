//! The state transition: one function from a state and a block to the next state (`docs/layer2.md` §3).
//!
//! [`execute`] says whether a block is valid and what it changes; [`build`] makes a block by the same code; [`call`] asks a
//! question of a state. All are pure: no clock, no I/O, no thread; `no_std`, and the same on every machine, for a guest
//! proves and Bitcoin decides what this crate computes. Hash maps are filled here but never walked into a result.
//!
//! What an attacker tries here: a block that nodes judge differently; coins from nothing, or gone without a withdrawal; a
//! fee that is not paid; a forced transaction that is never taken; a transaction that makes a node panic.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod build;
mod call;
mod changes;
mod database;
mod execute;
mod fees;
mod genesis;
mod invalid;
mod machine;
mod precompiles;
mod queue;
mod receipt;
mod run;
mod spec;
mod system;
mod token;
mod transaction;
mod view;
mod withdraw;

pub use build::{Builder, Built, Template, build};
pub use call::{CallError, CallRequest, CallResult, CallStatus, call, estimate_gas};
pub use changes::{Changes, apply};
pub use execute::{check_state_root, execute};
pub use fees::{data_fee_range, next_base_fee};
pub use genesis::genesis;
pub use invalid::{ExecuteError, Invalid, Refused};
pub use queue::{FORCED_BYTE_GAS, IGNORED_GAS, MAX_FORCED_BYTES};
pub use receipt::{DEPOSIT_KIND, IGNORED_KIND, Outcome, Receipt, Source};
pub use run::Executed;
pub use spec::Spec;
pub use system::{HISTORY, HISTORY_BLOCKS, SYSTEM, TOKEN, WITHDRAWALS, history_slot, withdrawal_slot};
pub use token::active_validators;
pub use transaction::{MAX_TRANSACTION_BYTES, Recovered, Transaction, TxError, decode, recover};
pub use view::{Overlay, StateView, TreeView};
pub use withdraw::{MAX_SCRIPT_BYTES, MIN_WITHDRAWAL, WITHDRAW_BYTE_GAS, WITHDRAW_GAS, Withdrawals};

pub use l2_state::Account;
