//! A layer 2 node: storage, mempool, consensus, Bitcoin, RPC and metrics, put together (`docs/layer2.md` §8).
//!
//! [`run`] is a whole node from a configuration; [`from_bitcoin`] rebuilds the chain from Bitcoin alone. What decides is in pure
//! crates below; here are threads, sockets and clocks, and the order in which things are written: a block is durable before
//! it is told, a batch's record before it is sent.

pub mod agreed;
pub mod app;
pub mod backlog;
pub mod batches;
pub mod bitcoind;
pub mod chain;
pub mod config;
pub mod evidence;
pub mod from_bitcoin;
pub mod health;
pub mod l1;
pub mod metrics;
pub mod node;
pub mod pool;
pub mod posting;
pub mod sets;
pub mod traffic;
pub mod wallet;
pub mod wire;

pub use config::{ConfigError, NodeConfig};
pub use node::{Listening, read_genesis, run};
