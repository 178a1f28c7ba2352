//! A real bitcoind on regtest: found or built, started, mined, funded, stopped.
//!
//! Scenarios, the demo and all tests on a real chain stand on this crate. A scenario begins with
//!
//! ```no_run
//! use bitcoin::Amount;
//! use regtest::TestNode;
//! # fn spend(from: &regtest::FundedOutput) -> bitcoin::Transaction { unimplemented!() }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let script_pubkey = bitcoin::ScriptBuf::new();
//! let mut node = TestNode::start()?;
//! let funded = node.fund(script_pubkey, Amount::from_sat(100_000))?;
//! let tx = spend(&funded);
//! let accepted = node.chain().accept(&tx)?; // default relay policy, or the mempool's reason
//! println!("{} vbytes, fee {}", accepted.vsize, accepted.fee);
//! let confirmation = node.chain().confirm(accepted.txid)?;
//! node.chain().advance_to(confirmation.height + 144)?;
//! # Ok(())
//! # }
//! ```
//!
//! | type | is |
//! | --- | --- |
//! | [`BitcoindExe`] | a bitcoind of release 29 or later; [`find_or_build`] takes `$BITCOIND_EXE`, `PATH`, or builds one |
//! | [`Bitcoind`] | a running node: [`Bitcoind::start`] (ours, gone on drop) or [`Bitcoind::connect`] (a user's) |
//! | [`Chain`] | mining, mempool acceptance, packages, confirmation, reorganisations |
//! | [`Funds`] | a wallet of our own; bitcoind has none |
//! | [`TestNode`] | a node and a filled wallet in one call |
//!
//! What this crate guarantees: nodes run the default relay policy on regtest and nothing else, and no process
//! or file stays behind. Nothing here guards secrets or faces an attacker beyond reading what a node answers; seeds and
//! passwords are for regtest.

#![cfg(unix)]

mod build_core;
mod chain;
mod coins;
mod datadir;
mod exe;
mod funds;
mod last_words;
mod launch;
mod login;
mod mempool;
mod node;
mod process;
mod progress;
mod release;
mod rpc;
mod test_node;

pub use bitcoincore_rpc::Auth;
pub use build_core::{BuildError, BuildEvent, MissingTool, SOURCE_CRATE, SOURCE_VERSION};
pub use chain::{Chain, ChainError, Confirmation, Reorg};
pub use coins::CoinsError;
pub use exe::{BitcoindExe, CACHE_VARIABLE, EXE_VARIABLE, ExeError, Origin, find_or_build};
pub use funds::{COINBASE_MATURITY, FundedOutput, Funds, FundsError};
pub use mempool::{Accepted, AcceptedPackage, Rejection, Verdict};
pub use node::{Bitcoind, NodeError, NodeOptions};
pub use progress::show_progress;
pub use release::CoreRelease;
pub use rpc::RpcError;
pub use test_node::{TestNode, TestNodeError};
