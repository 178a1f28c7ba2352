//! The devnet's genesis file.

use alloy_primitives::{B256, U256, keccak256};
use bitcoin::secp256k1::{Secp256k1, SecretKey};
use l2_block::{Account, Fees, Genesis, L1Origin, Tokenomics, Validator, Windows};
use l2_node::evidence::ethereum_address;

use crate::DevAccount;

/// Lifetime supply of the token: 10^9 with 18 decimals.
const SUPPLY: u128 = 1_000_000_000 * 10u128.pow(18);
/// Wei of each account: 1,000 BTC.
const BALANCE: u128 = 1_000 * 10u128.pow(18);

/// Secret key of the `index`-th validator. Everybody knows it.
///
/// # Panics
/// Never: one seed in 2^128 would give no key, and these do.
#[must_use]
pub fn validator_secret(index: u32) -> SecretKey {
    let seed = keccak256(format!("tapestry/devnet/validator/{index}"));
    SecretKey::from_slice(seed.as_slice()).expect("a hash is a key but for one in 2^128")
}

/// The genesis file of a devnet of so many validators and accounts, beginning on a Bitcoin block.
#[must_use]
pub fn genesis(validators: u32, accounts: u32, origin: L1Origin, timestamp_ms: u64) -> Genesis {
    let secp = Secp256k1::new();
    let supply = U256::from(SUPPLY);
    let allocated = supply - supply * U256::from(2) / U256::from(5);
    let stake = U256::from(1_000_000 * 10u128.pow(18));
    let validators: Vec<Validator> = (0..validators)
        .map(|index| {
            let secret = validator_secret(index);
            Validator {
                key: B256::new(secret.x_only_public_key(&secp).0.serialize()),
                address: ethereum_address(&secret),
                stake,
            }
        })
        .collect();
    let mut left = allocated;
    let mut allocation: Vec<Account> = validators
        .iter()
        .map(|validator| {
            let balance = stake * U256::from(2);
            left -= balance;
            Account {
                address: validator.address,
                balance,
            }
        })
        .collect();
    allocation.push(Account {
        address: DevAccount::new(0).address,
        balance: left,
    });
    let rich = validators
        .iter()
        .map(|validator| validator.address)
        .chain((0..accounts).map(|index| DevAccount::new(index).address));
    // The n-of-n's key: nobody withdraws through the bridge on a devnet yet.
    let bridge = SecretKey::from_slice(keccak256("tapestry/devnet/bridge").as_slice())
        .expect("a hash is a key but for one in 2^128");
    Genesis {
        chain_id: 7_117,
        timestamp_ms,
        origin,
        bridge_key: B256::new(bridge.x_only_public_key(&secp).0.serialize()),
        fees: Fees {
            gas_limit: 60_000_000,
            min_base_fee: 1_000,
            min_data_fee: 1_000,
            max_data_fee: 1_000_000_000_000,
        },
        windows: Windows {
            forced: 12,
            origin_lag: 200,
            max_drift_ms: 30 * 24 * 3_600 * 1_000,
            confirmations: 6,
            connector_fallback: 144,
        },
        accounts: rich
            .map(|address| Account {
                address,
                balance: U256::from(BALANCE),
            })
            .collect(),
        validators,
        tokenomics: Tokenomics {
            supply,
            epoch: 1_000,
            halving: 50_000,
            allocation,
            unbonding: 20,
            min_stake: U256::from(10u128.pow(18)),
            equivocation_slash: 500,
            downtime_slash: 10,
            missed_allowed: 5_000,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_genesis_file_is_sound() {
        let origin = L1Origin {
            height: 109,
            hash: B256::repeat_byte(1),
        };
        for validators in [1, 4, 7] {
            genesis(validators, 10, origin, 1_700_000_000_000)
                .check()
                .unwrap();
        }
    }
}
