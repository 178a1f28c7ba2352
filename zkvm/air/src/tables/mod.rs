//! The tables, one a module.

pub mod cpu;
pub mod hint;
pub mod memory;
pub mod static_table;
