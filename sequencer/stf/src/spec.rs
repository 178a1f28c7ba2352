//! The numbers of one chain that the state transition stands on.

use alloy_primitives::B256;
use l2_block::{Fees, Genesis, Tokenomics, Windows};

/// What of the genesis file the state transition reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Gas and fees.
    pub fees: Fees,
    /// Windows, in Bitcoin blocks and milliseconds.
    pub windows: Windows,
    /// The token's numbers.
    pub tokenomics: Tokenomics,
    /// [`Genesis::hash`].
    pub genesis_hash: B256,
}

impl From<&Genesis> for Spec {
    fn from(genesis: &Genesis) -> Self {
        Self {
            chain_id: genesis.chain_id,
            fees: genesis.fees.clone(),
            windows: genesis.windows.clone(),
            tokenomics: genesis.tokenomics.clone(),
            genesis_hash: genesis.hash(),
        }
    }
}
