//! What the machine asks of a transaction before it looks at the state.
//!
//! The state transition checks the same, with the same code of `revm` and the rules of the same fork. It is checked here, too,
//! because a transaction that no block can hold pays nobody: with a gas limit of 0 any fee cap is free, so it would rank first
//! and never leave.

use alloy_consensus::Transaction;
use revm::context_interface::cfg::gas::calculate_initial_tx_gas;
use revm::context_interface::result::InvalidTransaction;
use revm::primitives::eip3860::MAX_INITCODE_SIZE;
use revm::primitives::eip7825::TX_GAS_LIMIT_CAP;
use revm::primitives::hardfork::SpecId;

use crate::AddError;

/// The fork whose rules the state transition has (`docs/layer2.md` §3).
const RULES: SpecId = SpecId::OSAKA;

/// Checks what does not depend on the state; gives the gas that the transaction uses at least.
///
/// # Errors
/// If no block can hold the transaction.
pub(crate) fn check(tx: &impl Transaction) -> Result<u64, AddError> {
    let have = tx.gas_limit();
    if have > TX_GAS_LIMIT_CAP {
        return Err(AddError::GasCap {
            most: TX_GAS_LIMIT_CAP,
            got: have,
        });
    }
    if tx.is_create() && tx.input().len() > MAX_INITCODE_SIZE {
        return Err(AddError::InitCode {
            most: MAX_INITCODE_SIZE,
            got: tx.input().len(),
        });
    }
    if tx.authorization_list().is_some_and(|list| list.is_empty()) {
        return Err(AddError::NoAuthorization);
    }
    let (accounts, words) = tx.access_list().map_or((0, 0), |list| {
        let words: usize = list.0.iter().map(|item| item.storage_keys.len()).sum();
        (list.0.len(), words)
    });
    let authorizations = tx.authorization_list().map_or(0, |list| list.len());
    let gas = calculate_initial_tx_gas(
        RULES,
        tx.input(),
        tx.is_create(),
        accounts as u64,
        words as u64,
        authorizations as u64,
        None,
    );
    let (intrinsic, floor) = (gas.initial_total_gas(), gas.floor_gas());
    if have < intrinsic {
        return Err(AddError::IntrinsicGas {
            have,
            want: intrinsic,
        });
    }
    if have < floor {
        return Err(AddError::FloorGas { have, want: floor });
    }
    // Refunds give back at most a fifth of what was used (EIP-3529); the floor is never given back.
    Ok(floor.max(intrinsic - intrinsic / 5))
}

/// Whether a reason for which a block cannot hold a transaction may be gone in the next block: others before it are missing, or
/// the base fee is high now. For any other reason the transaction is better forgotten.
#[must_use]
pub fn may_pass(reason: &InvalidTransaction) -> bool {
    matches!(
        reason,
        InvalidTransaction::NonceTooHigh { .. } | InvalidTransaction::GasPriceLessThanBasefee
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::{TxEip1559, TxEip2930, TxEip7702};
    use alloy_eips::eip2930::{AccessList, AccessListItem};
    use alloy_primitives::{Address, B256, Bytes, TxKind};

    fn call(gas_limit: u64, input: Vec<u8>) -> TxEip1559 {
        TxEip1559 {
            gas_limit,
            to: TxKind::Call(Address::ZERO),
            input: input.into(),
            ..TxEip1559::default()
        }
    }

    fn create(gas_limit: u64, length: usize) -> TxEip1559 {
        TxEip1559 {
            to: TxKind::Create,
            ..call(gas_limit, vec![0; length])
        }
    }

    #[test]
    fn intrinsic_gas_and_the_floor_of_data_are_covered() {
        assert_eq!(
            check(&call(0, vec![])),
            Err(AddError::IntrinsicGas {
                have: 0,
                want: 21_000
            })
        );
        assert_eq!(
            check(&call(20_999, vec![])).unwrap_err().to_string(),
            "intrinsic gas too low: have 20999, want 21000"
        );
        assert_eq!(check(&call(21_000, vec![])), Ok(21_000));
        // A byte that is not zero: 16 gas, and 40 at least.
        let data = vec![1; 100];
        assert_eq!(
            check(&call(22_599, data.clone())),
            Err(AddError::IntrinsicGas {
                have: 22_599,
                want: 22_600
            })
        );
        assert_eq!(
            check(&call(24_999, data.clone())),
            Err(AddError::FloorGas {
                have: 24_999,
                want: 25_000
            })
        );
        assert_eq!(check(&call(25_000, data)), Ok(25_000));
    }

    #[test]
    fn lists_cost_what_they_cost_in_the_machine() {
        let tx = |gas_limit| TxEip2930 {
            gas_limit,
            to: TxKind::Call(Address::ZERO),
            access_list: AccessList(vec![AccessListItem {
                address: Address::ZERO,
                storage_keys: vec![B256::ZERO; 3],
            }]),
            ..TxEip2930::default()
        };
        let want = 21_000 + 2_400 + 3 * 1_900;
        assert_eq!(
            check(&tx(want - 1)),
            Err(AddError::IntrinsicGas { have: want - 1, want })
        );
        check(&tx(want)).unwrap();
    }

    #[test]
    fn no_transaction_is_above_the_cap() {
        check(&call(1 << 24, vec![])).unwrap();
        let error = check(&call((1 << 24) + 1, vec![])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "transaction gas limit too high (cap: 16777216, tx: 16777217)"
        );
        assert!(error.is_malformed());
    }

    #[test]
    fn init_code_has_a_length_and_a_call_has_none() {
        check(&create(10_000_000, 49_152)).unwrap();
        assert_eq!(
            check(&create(10_000_000, 49_153)).unwrap_err().to_string(),
            "max initcode size exceeded: code size 49153, limit 49152"
        );
        check(&call(10_000_000, vec![0; 49_153])).unwrap();
        // 32,000 for the contract, 2 a word of its code.
        assert_eq!(
            check(&create(53_000, 32)),
            Err(AddError::IntrinsicGas {
                have: 53_000,
                want: 53_000 + 32 * 4 + 2
            })
        );
    }

    #[test]
    fn a_delegation_authorises_something() {
        let tx = TxEip7702 {
            gas_limit: 1_000_000,
            input: Bytes::new(),
            ..TxEip7702::default()
        };
        assert_eq!(check(&tx), Err(AddError::NoAuthorization));
    }

    #[test]
    fn few_reasons_pass() {
        assert!(may_pass(&InvalidTransaction::NonceTooHigh { tx: 2, state: 1 }));
        assert!(may_pass(&InvalidTransaction::GasPriceLessThanBasefee));
        assert!(!may_pass(&InvalidTransaction::NonceTooLow { tx: 1, state: 2 }));
        assert!(!may_pass(&InvalidTransaction::CreateInitCodeSizeLimit));
    }
}
