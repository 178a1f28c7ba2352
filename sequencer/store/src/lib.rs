//! Blocks, state and receipts in rocksdb.
