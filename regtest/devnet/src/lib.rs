//! A whole layer 2 on regtest: a bitcoind, sequencers as processes of their own, accounts with coins.
//!
//! `tapestry devnet` shows one to people; tests kill, cut and restart its parts; `tapestry bench` loads it. Processes are real and
//! so is their network; what is made up is chance (keys come from a seed) and money.

mod accounts;
mod chain;
mod load;
mod network;
mod sequencer;
mod setup;

pub use accounts::DevAccount;
pub use load::{Load, LoadReport};
pub use network::{Devnet, DevnetOptions};
pub use sequencer::{Rpc, Sequencer, Status};
pub use setup::{genesis, validator_secret};
