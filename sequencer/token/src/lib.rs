//! The layer 2 token: emission, staking, delegation, slashing.
