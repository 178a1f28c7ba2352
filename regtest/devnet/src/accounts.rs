//! Accounts that have coins from the start, under keys that everybody knows.

use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, Bytes, TxKind, U256, keccak256};
use bitcoin::secp256k1::SecretKey;
use l2_node::evidence::{ethereum_address, sign};

/// An account of the devnet.
#[derive(Clone, Debug)]
pub struct DevAccount {
    /// Its secret key. Everybody knows it.
    pub secret: SecretKey,
    /// Its address.
    pub address: Address,
}

impl DevAccount {
    /// The `index`-th account.
    ///
    /// # Panics
    /// Never: one seed in 2^128 would give no key, and these do.
    #[must_use]
    pub fn new(index: u32) -> Self {
        let seed = keccak256(format!("tapestry/devnet/account/{index}"));
        let secret = SecretKey::from_slice(seed.as_slice()).expect("a hash is a key but for one in 2^128");
        Self {
            address: ethereum_address(&secret),
            secret,
        }
    }

    /// A signed transfer.
    #[must_use]
    pub fn transfer(&self, chain_id: u64, nonce: u64, to: Address, value: U256, fee_cap: u128) -> Bytes {
        self.transaction(
            chain_id,
            nonce,
            TxKind::Call(to),
            value,
            Bytes::new(),
            21_000,
            fee_cap,
        )
    }

    /// A signed transaction (EIP-1559).
    #[must_use]
    #[allow(clippy::too_many_arguments)] // A transaction's fields, in its own order.
    pub fn transaction(
        &self,
        chain_id: u64,
        nonce: u64,
        to: TxKind,
        value: U256,
        input: Bytes,
        gas_limit: u64,
        fee_cap: u128,
    ) -> Bytes {
        sign(
            &self.secret,
            TxEip1559 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas: fee_cap,
                max_priority_fee_per_gas: 1,
                to,
                value,
                access_list: Default::default(),
                input,
            },
        )
    }
}
