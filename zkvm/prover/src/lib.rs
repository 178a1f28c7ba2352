//! Proves MIPS runs (`docs/prover.md`).
pub mod kernel;
pub mod pool;
pub mod rom;
pub mod recursion;
pub mod trace;
pub mod witness;
