//! Proves MIPS runs (`docs/prover.md`).
pub mod pool;
pub mod trace;
