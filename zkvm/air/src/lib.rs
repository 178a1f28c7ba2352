//! The prover's tables: columns, constraints and buses, written once for prover, verifier and circuits.
//!
//! `docs/prover.md` is the specification.
#![no_std]
extern crate alloc;
