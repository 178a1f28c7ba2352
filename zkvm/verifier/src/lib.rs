//! Verifies proofs of MIPS runs (`docs/prover.md`).
#![no_std]
extern crate alloc;

pub mod compressed;
pub mod core;
pub mod encoding;
pub mod error;
pub mod file;
pub mod key;
pub mod params;
pub mod proof;
pub mod run;
pub mod shard;
pub mod transcript;

pub use error::VerifyError;
pub use params::Params;
pub use proof::{Openings, ShardProof};
pub use shard::{ShardVerifier, verify_shard};
