//! Deposits, claims and the transaction graph of a dispute, with n-of-n MuSig2 signing.
//!
//! One claim is one [`Graph`]: a deposit in an n-of-n, an operator's kickoff, and for each watchtower a dispute with a
//! stake of its own. The graph is a function of public parameters ([`Terms`], [`Nominations`], the script trees of crate
//! `ocp`); the members of the n-of-n sign all of it with MuSig2 ([`musig`]) before the user's money moves.
//!
//! Nothing here does network I/O or reads a clock; a signer's journal ([`musig::FileJournal`]) is the one thing that touches
//! a disk.

pub mod act;
pub mod blocks;
pub mod blueprint;
pub mod bump;
pub mod claim;
pub mod committee;
pub mod connectors;
pub mod dispute;
pub mod fees;
pub mod graph;
pub mod incentives;
pub mod keys;
pub mod musig;
pub mod operator;
pub mod reader;
pub mod signatures;
pub mod terms;
pub mod transactions;
pub mod trees;
pub mod watchtower;
pub mod weight;

pub use blocks::Blocks;
pub use blueprint::{Blueprint, Quote};
pub use committee::{Committee, Seat};
pub use fees::SatPerVbyte;
pub use graph::{BuildError, Graph, GraphId, Phase};
pub use signatures::{SignatureError, SignatureSet};
pub use terms::{Amounts, Locks, Nominations, Party, Terms, TermsError};
pub use transactions::TxName;
