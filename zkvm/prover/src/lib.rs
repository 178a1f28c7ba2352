//! Proves MIPS runs (`docs/prover.md`).

pub mod trace;
