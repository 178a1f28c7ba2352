//! Commitments Bitcoin can check: one-time signatures, script arithmetic and hashing, TapTrees.
