//! The state tree: a binary Merkle tree of 64-byte BLAKE3 nodes.
