//! Core proofs: a whole run, shard by shard.

pub(crate) mod tables;

#[cfg(test)]
pub(crate) mod testing;
