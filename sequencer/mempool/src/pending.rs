//! One pending transaction, as far as ordering and limits need it.

use alloy_consensus::Transaction;
use alloy_primitives::{Address, B256, Bytes, U256};

use crate::{AddError, rules};

/// A transaction whose signature was checked, and which the machine would run if the state allowed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Keccak of its bytes.
    pub hash: B256,
    /// EIP-2718 form.
    pub bytes: Bytes,
    /// Who signed it.
    pub sender: Address,
    /// Its nonce.
    pub nonce: u64,
    /// Gas limit.
    pub gas_limit: u64,
    /// Gas that it uses at least, whatever it does.
    pub least_gas: u64,
    /// Most wei a gas, tip included.
    pub fee_cap: u128,
    /// Most wei a gas above the base fee.
    pub tip_cap: u128,
    /// Wei it sends.
    pub value: U256,
}

impl Pending {
    /// Reads what is needed of a decoded transaction with these bytes, whose sender was recovered from its signature.
    ///
    /// # Errors
    /// If no block can hold it, whatever the state says.
    pub fn new(
        transaction: &impl Transaction,
        hash: B256,
        bytes: Bytes,
        sender: Address,
    ) -> Result<Self, AddError> {
        let fee_cap = transaction.max_fee_per_gas();
        Ok(Self {
            least_gas: rules::check(transaction)?,
            hash,
            bytes,
            sender,
            nonce: transaction.nonce(),
            gas_limit: transaction.gas_limit(),
            fee_cap,
            // A legacy transaction pays its whole price.
            tip_cap: transaction.max_priority_fee_per_gas().unwrap_or(fee_cap),
            value: transaction.value(),
        })
    }

    /// Most wei that it can take from its sender, at `data_fee` wei a byte; saturates, which no balance covers.
    #[must_use]
    pub fn cost(&self, data_fee: u64) -> U256 {
        let gas = U256::from(self.gas_limit) * U256::from(self.fee_cap);
        let data = U256::from(self.bytes.len()) * U256::from(data_fee);
        self.value.saturating_add(gas).saturating_add(data)
    }

    /// Wei a gas for the proposer at a base fee; `None` if the base fee is above the cap.
    #[must_use]
    pub fn effective_tip(&self, base_fee: u64) -> Option<u128> {
        self.fee_cap
            .checked_sub(base_fee.into())
            .map(|room| room.min(self.tip_cap))
    }
}
