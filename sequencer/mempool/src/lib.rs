//! Pending transactions: nonce order, replacement, limits, eviction.
