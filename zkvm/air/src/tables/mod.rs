//! The tables, one a module.

pub mod memory;
pub mod static_table;
