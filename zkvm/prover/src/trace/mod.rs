//! From the executor's rows to the tables' columns.

pub mod counts;
