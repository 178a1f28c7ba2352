//! Proves MIPS runs (`docs/prover.md`).
pub mod core;
pub mod estimate;
pub mod kernel;
pub mod key;
mod plonk;
pub mod pool;
pub mod recursion;
pub mod rom;
pub mod sdk;
pub mod stark;
pub mod trace;
pub mod witness;
