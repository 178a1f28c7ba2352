//! Proves MIPS runs (`docs/prover.md`).
