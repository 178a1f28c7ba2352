//! A withdrawal: coins burned here, to be paid on Bitcoin.

use alloy_primitives::{Address, B256, Bytes};
use alloy_rlp::{RlpDecodable, RlpEncodable};
use serde::{Deserialize, Serialize};

use crate::{Sats, hash};

/// Coins burned for a Bitcoin script.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable, Serialize, Deserialize)]
pub struct Withdrawal {
    /// Its place among all withdrawals, from 0.
    pub index: u64,
    /// Who burned.
    pub sender: Address,
    /// How much is paid on Bitcoin.
    pub amount: Sats,
    /// The `scriptPubKey` that is paid.
    pub script: Bytes,
}

impl Withdrawal {
    /// BLAKE3 of the RLP encoding: what the state stores at its index.
    #[must_use]
    pub fn hash(&self) -> B256 {
        hash(&alloy_rlp::encode(self))
    }
}
