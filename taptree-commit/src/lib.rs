//! Commitments Bitcoin can check: one-time signatures, script arithmetic and hashing, TapTrees.

pub mod choice;
#[cfg(test)]
mod engine;
pub mod guard;
pub mod keys;
pub mod script;
pub mod taptree;
pub mod wots;
