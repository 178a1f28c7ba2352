//! The tables, one a module.

pub mod cpu;
pub mod hint;
pub mod memory;
pub mod reads;
pub mod sha256;
pub mod static_table;
