//! Verifies proofs of MIPS runs (`docs/prover.md`).
#![no_std]
extern crate alloc;

pub mod compressed;
pub mod encoding;
pub mod key;
pub mod run;
