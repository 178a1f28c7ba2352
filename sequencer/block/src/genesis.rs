//! The genesis file: what every node of one chain agrees on before it starts.

use alloc::vec::Vec;

use alloy_primitives::{Address, B256, U256};
use alloy_rlp::{RlpDecodable, RlpEncodable};
use serde::{Deserialize, Serialize};

use crate::{L1Origin, hash};

/// A whitelisted sequencer.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validator {
    /// X-only public key (BIP-0340) that signs proposals, votes and batches.
    pub key: B256,
    /// Address that earns fees and rewards.
    pub address: Address,
    /// Tokens staked from the start, in the token's smallest unit; must be in `allocation` of the token.
    pub stake: U256,
}

/// Coins that exist from the start. Real chains have none: coins come from deposits.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Whose.
    pub address: Address,
    /// Wei.
    pub balance: U256,
}

/// Gas and fees.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fees {
    /// Gas limit of a block.
    pub gas_limit: u64,
    /// Base fee of the first block and its floor, wei a gas.
    pub min_base_fee: u64,
    /// Least and first fee for a byte on Bitcoin, wei a byte.
    pub min_data_fee: u64,
    /// Greatest fee for a byte on Bitcoin, wei a byte.
    pub max_data_fee: u64,
}

/// Windows, in Bitcoin blocks and milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Windows {
    /// A forced transaction of Bitcoin block h must be taken by the first block whose origin is at h + this or later.
    pub forced: u64,
    /// A block's origin may lie at most so many blocks before the Bitcoin block that holds its batch.
    pub origin_lag: u64,
    /// A block's time is at least its origin's and at most its origin's plus this.
    pub max_drift_ms: u64,
    /// Bitcoin blocks after which a batch is `finalized`.
    pub confirmations: u64,
    /// Bitcoin blocks after which a posting connector may be spent by any one validator.
    pub connector_fallback: u64,
}

/// The token's numbers; what they mean is in crate `l2-token`.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokenomics {
    /// Lifetime supply, in the smallest unit. 40% of it is mined, the rest is allocated at genesis.
    pub supply: U256,
    /// Layer 2 blocks an epoch.
    pub epoch: u64,
    /// Epochs after which the emission halves.
    pub halving: u64,
    /// Who holds the allocated 60%.
    pub allocation: Vec<Account>,
    /// Epochs between asking for staked tokens and getting them.
    pub unbonding: u64,
    /// Least stake of an active validator.
    pub min_stake: U256,
    /// Part of a stake that an equivocation costs, in 10,000ths.
    pub equivocation_slash: u32,
    /// Part of a stake that an epoch of absence costs, in 10,000ths.
    pub downtime_slash: u32,
    /// Part of its turns that a validator may miss in an epoch, in 10,000ths.
    pub missed_allowed: u32,
}

/// The genesis file.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Time of block 0, in milliseconds since 1970.
    pub timestamp_ms: u64,
    /// The Bitcoin block on which the chain begins; messages of later blocks count.
    pub origin: L1Origin,
    /// Aggregated x-only key of the bridge's n-of-n, to which deposits go.
    pub bridge_key: B256,
    /// Gas and fees.
    pub fees: Fees,
    /// Windows.
    pub windows: Windows,
    /// The whitelisted sequencers, in order.
    pub validators: Vec<Validator>,
    /// Coins that exist from the start.
    pub accounts: Vec<Account>,
    /// The token's numbers.
    pub tokenomics: Tokenomics,
}

/// Why a genesis file is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// A number is out of its range.
    #[error("{field} is {got}, expected {expected}")]
    Range {
        /// Which field.
        field: &'static str,
        /// What is there.
        got: U256,
        /// What may be there.
        expected: &'static str,
    },
    /// Two validators or accounts are the same.
    #[error("{field} names {got} twice")]
    Twice {
        /// Which list.
        field: &'static str,
        /// The key or address.
        got: B256,
    },
}

impl Genesis {
    /// BLAKE3 of the RLP encoding: names the chain.
    #[must_use]
    pub fn hash(&self) -> B256 {
        hash(&alloy_rlp::encode(self))
    }

    /// Checks every number against its range and every list for repetition.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), GenesisError> {
        let range = |field, ok: bool, got: U256, expected| {
            if ok {
                Ok(())
            } else {
                Err(GenesisError::Range { field, got, expected })
            }
        };
        let number = |field, value: u64, least: u64, most: u64, expected| {
            range(
                field,
                (least..=most).contains(&value),
                U256::from(value),
                expected,
            )
        };
        number("chain_id", self.chain_id, 1, u64::MAX / 2 - 36, "1 to 2^63 - 37")?;
        number(
            "fees.gas_limit",
            self.fees.gas_limit,
            1_000_000,
            4_000_000_000,
            "1,000,000 to 4,000,000,000",
        )?;
        number(
            "fees.min_base_fee",
            self.fees.min_base_fee,
            1,
            1 << 50,
            "1 to 2^50",
        )?;
        number(
            "fees.max_data_fee",
            self.fees.max_data_fee,
            self.fees.min_data_fee,
            1 << 50,
            "fees.min_data_fee to 2^50",
        )?;
        number("windows.forced", self.windows.forced, 1, 2016, "1 to 2016")?;
        number(
            "windows.origin_lag",
            self.windows.origin_lag,
            self.windows.forced + 1,
            4032,
            "windows.forced + 1 to 4032",
        )?;
        number(
            "windows.max_drift_ms",
            self.windows.max_drift_ms,
            60_000,
            1 << 40,
            "60,000 to 2^40",
        )?;
        number(
            "windows.confirmations",
            self.windows.confirmations,
            1,
            100,
            "1 to 100",
        )?;
        number(
            "windows.connector_fallback",
            self.windows.connector_fallback,
            6,
            self.windows
                .origin_lag
                .saturating_sub(self.windows.confirmations + 3),
            "6 to windows.origin_lag - windows.confirmations - 3: later, the oldest block is too old to be posted",
        )?;
        let count = self.validators.len() as u64;
        number("validators", count, 1, 100, "1 to 100 entries")?;
        let token = &self.tokenomics;
        number("tokenomics.epoch", token.epoch, 1, 1 << 32, "1 to 2^32")?;
        number("tokenomics.halving", token.halving, 1, 1 << 32, "1 to 2^32")?;
        number("tokenomics.unbonding", token.unbonding, 1, 1 << 20, "1 to 2^20")?;
        for (field, value) in [
            ("tokenomics.equivocation_slash", token.equivocation_slash),
            ("tokenomics.downtime_slash", token.downtime_slash),
            ("tokenomics.missed_allowed", token.missed_allowed),
        ] {
            number(field, value.into(), 0, 10_000, "0 to 10,000")?;
        }
        range(
            "tokenomics.supply",
            !token.supply.is_zero() && token.supply < U256::from(1) << 128,
            token.supply,
            "1 to 2^128 - 1",
        )?;
        let allocated = sum(token.allocation.iter().map(|account| account.balance));
        // What is not mined is allocated: supply - floor(supply * 2 / 5).
        let expected = token.supply - token.supply * U256::from(2) / U256::from(5);
        range(
            "tokenomics.allocation",
            allocated == Some(expected),
            allocated.unwrap_or(U256::MAX),
            "60% of the supply in all (the supply less 2/5 of it, rounded down)",
        )?;
        for validator in &self.validators {
            let held = sum(token
                .allocation
                .iter()
                .filter(|account| account.address == validator.address)
                .map(|account| account.balance));
            range(
                "validators.stake",
                held.is_some_and(|held| validator.stake <= held) && validator.stake >= token.min_stake,
                validator.stake,
                "tokenomics.min_stake to what tokenomics.allocation gives the validator's address",
            )?;
        }
        let minted = sum(self.accounts.iter().map(|account| account.balance));
        range(
            "accounts",
            minted.is_some_and(|minted| minted < U256::from(1) << 96),
            minted.unwrap_or(U256::MAX),
            "less than 2^96 wei in all",
        )?;
        once(
            "validators.key",
            self.validators.iter().map(|validator| validator.key),
        )?;
        once(
            "validators.address",
            self.validators
                .iter()
                .map(|validator| validator.address.into_word()),
        )?;
        once(
            "accounts",
            self.accounts.iter().map(|account| account.address.into_word()),
        )?;
        once(
            "tokenomics.allocation",
            token.allocation.iter().map(|account| account.address.into_word()),
        )
    }
}

fn sum(values: impl Iterator<Item = U256>) -> Option<U256> {
    values
        .into_iter()
        .try_fold(U256::ZERO, |sum, value| sum.checked_add(value))
}

fn once(field: &'static str, values: impl Iterator<Item = B256>) -> Result<(), GenesisError> {
    let mut values: Vec<B256> = values.collect();
    values.sort_unstable();
    match values.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(GenesisError::Twice { field, got: pair[0] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloy_rlp::Decodable;

    fn sample() -> Genesis {
        let address = Address::repeat_byte(1);
        Genesis {
            chain_id: 7,
            timestamp_ms: 1,
            origin: L1Origin {
                height: 1,
                hash: B256::repeat_byte(1),
            },
            bridge_key: B256::repeat_byte(2),
            fees: Fees {
                gas_limit: 30_000_000,
                min_base_fee: 1,
                min_data_fee: 1,
                max_data_fee: 10,
            },
            windows: Windows {
                forced: 10,
                origin_lag: 100,
                max_drift_ms: 600_000,
                confirmations: 6,
                connector_fallback: 72,
            },
            validators: vec![Validator {
                key: B256::repeat_byte(3),
                address,
                stake: U256::from(10),
            }],
            accounts: vec![Account {
                address,
                balance: U256::from(5),
            }],
            tokenomics: Tokenomics {
                supply: U256::from(101),
                epoch: 10,
                halving: 10,
                allocation: vec![Account {
                    address,
                    balance: U256::from(61),
                }],
                unbonding: 1,
                min_stake: U256::from(10),
                equivocation_slash: 500,
                downtime_slash: 1,
                missed_allowed: 5_000,
            },
        }
    }

    #[test]
    fn a_sound_file_is_taken_and_read_back() {
        let genesis = sample();
        genesis.check().unwrap();
        let bytes = alloy_rlp::encode(&genesis);
        assert_eq!(Genesis::decode(&mut bytes.as_slice()).unwrap(), genesis);
        let text = serde_json::to_string(&genesis).unwrap();
        assert_eq!(serde_json::from_str::<Genesis>(&text).unwrap(), genesis);
        assert!(serde_json::from_str::<Genesis>(&text.replacen("chain_id", "chain", 1)).is_err());
    }

    #[test]
    fn numbers_out_of_range_are_refused_by_name() {
        type Change = fn(&mut Genesis);
        let changes: &[(&str, Change)] = &[
            ("chain_id", |g| g.chain_id = 0),
            ("fees.gas_limit", |g| g.fees.gas_limit = 1),
            ("fees.min_base_fee", |g| g.fees.min_base_fee = 0),
            ("fees.max_data_fee", |g| g.fees.max_data_fee = 0),
            ("windows.forced", |g| g.windows.forced = 0),
            ("windows.origin_lag", |g| g.windows.origin_lag = 10),
            ("windows.max_drift_ms", |g| g.windows.max_drift_ms = 0),
            ("windows.confirmations", |g| g.windows.confirmations = 0),
            ("windows.connector_fallback", |g| {
                g.windows.connector_fallback = 70_000
            }),
            // Alone in time, but what it would post is too old by then.
            ("windows.connector_fallback", |g| {
                (g.windows.origin_lag, g.windows.connector_fallback) = (288, 432);
            }),
            ("validators", |g| g.validators.clear()),
            ("tokenomics.epoch", |g| g.tokenomics.epoch = 0),
            ("tokenomics.supply", |g| g.tokenomics.supply = U256::ZERO),
            ("tokenomics.allocation", |g| {
                g.tokenomics.allocation[0].balance += U256::from(1)
            }),
            ("tokenomics.downtime_slash", |g| {
                g.tokenomics.downtime_slash = 10_001
            }),
            ("validators.stake", |g| g.validators[0].stake = U256::from(62)),
            ("validators.stake", |g| g.validators[0].stake = U256::from(9)),
            ("accounts", |g| g.accounts[0].balance = U256::MAX),
        ];
        for (name, change) in changes {
            let mut genesis = sample();
            change(&mut genesis);
            match genesis.check() {
                Err(GenesisError::Range { field, .. }) => assert_eq!(field, *name),
                other => panic!("{name}: {other:?}"),
            }
        }
        let mut genesis = sample();
        genesis.accounts.push(genesis.accounts[0].clone());
        assert!(matches!(
            genesis.check(),
            Err(GenesisError::Twice {
                field: "accounts",
                ..
            })
        ));
        let mut genesis = sample();
        genesis.validators.push(genesis.validators[0].clone());
        assert!(matches!(genesis.check(), Err(GenesisError::Twice { .. })));
    }
}
