//! The prover's tables: columns, constraints and buses, written once for prover, verifier and circuits.
//!
//! `docs/prover.md` is the specification. A table is built symbolically ([`TableBuilder`], [`Expr`]) and then read in
//! three ways: row by row over the base field ([`check`], for tests of a table without any proving), as a straight-line
//! program ([`tape`]) that prover and verifier run over their own kind of numbers, and
//! as a list of bus terms ([`Term`]) from which the LogUp argument ([`logup`]) is made.
//!
//! The invariant of this crate: there is one source of each constraint. An attacker looks for a constraint that one of
//! its readers sees and another does not.
#![no_std]
extern crate alloc;

use plonky2::field::extension::quadratic::QuadraticExtension;
pub use plonky2::field::goldilocks_field::GoldilocksField as F;

pub mod builder;
pub mod bus;
pub mod check;
pub mod expr;
pub mod logup;
pub mod machine;
pub mod table;
pub mod tables;
pub mod tape;

pub use builder::TableBuilder;
pub use bus::Bus;
pub use check::{Violation, check_trace, terms_of};
pub use expr::Expr;
pub use logup::Logup;
pub use table::{Constraint, Domain, Table, TableId, Term};

/// The quadratic extension of [`F`], in which challenges and openings live.
pub type E = QuadraticExtension<F>;
