//! Tests over a store that counts, undoes, and is audited after every step.

mod century;
mod money;
mod random;
mod slash;
mod stake;
mod turns;
mod votes;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use core::convert::Infallible;

use alloy_primitives::{Address, B256, B512, LogData, U256};
use alloy_sol_types::{Revert, SolCall, SolError};
use k256::schnorr::SigningKey;
use l2_block::{
    Account, Conflict, Evidence, Fees, Genesis, L1Origin, Proposal, Signed, Tokenomics, Validator, Vote,
    VoteKind, Windows,
};

use crate::{
    ADDRESS, BlockInfo, CallError, Outcome, Pool, Words, active, call, emitted_before, epoch, gas, genesis,
    mined, proposer, turns,
    words::{self, to_address},
};

/// A token's smallest units.
pub(crate) const TAP: u128 = 1_000_000_000_000_000_000;

/// A store in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    pub(crate) words: BTreeMap<U256, U256>,
    pub(crate) loads: u64,
    pub(crate) stores: u64,
}

impl Words for Store {
    type Error = Infallible;

    fn load(&mut self, slot: U256) -> Result<U256, Infallible> {
        self.loads += 1;
        Ok(self.words.get(&slot).copied().unwrap_or_default())
    }

    fn store(&mut self, slot: U256, value: U256) -> Result<(), Infallible> {
        self.stores += 1;
        if value.is_zero() {
            self.words.remove(&slot);
        } else {
            self.words.insert(slot, value);
        }
        Ok(())
    }
}

pub(crate) fn signer(i: u8) -> SigningKey {
    SigningKey::from_bytes(&[i + 1; 32]).unwrap()
}

pub(crate) fn key(i: u8) -> B256 {
    B256::from_slice(&signer(i).verifying_key().to_bytes())
}

/// Address of validator i.
pub(crate) fn validator(i: u8) -> Address {
    Address::repeat_byte(0x10 + i)
}

/// Address of user i; they have tokens.
pub(crate) fn user(i: u8) -> Address {
    Address::repeat_byte(0x80 + i)
}

pub(crate) const USERS: u8 = 12;

pub(crate) fn tap(n: u128) -> U256 {
    U256::from(n * TAP)
}

pub(crate) fn sample(validators: u8) -> Genesis {
    let supply = tap(1_000_000_000);
    let each = tap(10_000_000);
    let mut allocation: Vec<Account> = (0..validators)
        .map(validator)
        .chain((0..USERS).map(user))
        .map(|address| Account {
            address,
            balance: each,
        })
        .collect();
    let rest = supply - supply * U256::from(2) / U256::from(5) - each * U256::from(allocation.len());
    allocation.push(Account {
        address: Address::repeat_byte(0xee),
        balance: rest,
    });
    Genesis {
        chain_id: 7,
        timestamp_ms: 1,
        origin: L1Origin {
            height: 1,
            hash: B256::ZERO,
        },
        bridge_key: B256::ZERO,
        fees: Fees {
            gas_limit: 30_000_000,
            min_base_fee: 1,
            min_data_fee: 1,
            max_data_fee: 1,
        },
        windows: Windows {
            forced: 1,
            origin_lag: 10,
            max_drift_ms: 60_000,
            confirmations: 1,
            connector_fallback: 6,
        },
        validators: (0..validators)
            .map(|i| Validator {
                key: key(i),
                address: validator(i),
                stake: tap(1_000_000),
            })
            .collect(),
        accounts: Vec::new(),
        tokenomics: Tokenomics {
            supply,
            epoch: 10,
            halving: 1_000,
            allocation,
            unbonding: 16,
            min_stake: tap(500_000),
            equivocation_slash: 500,
            downtime_slash: 10,
            missed_allowed: 5_000,
        },
    }
}

/// A chain that is nothing but its token.
#[derive(Clone)]
pub(crate) struct Chain {
    pub(crate) store: Store,
    pub(crate) genesis: Genesis,
    pub(crate) hash: B256,
    pub(crate) number: u64,
}

impl Chain {
    pub(crate) fn new(validators: u8) -> Self {
        Self::of(sample(validators))
    }

    pub(crate) fn of(file: Genesis) -> Self {
        file.check().unwrap();
        let mut store = Store::default();
        genesis(&mut store, &file).unwrap();
        let chain = Self {
            store,
            hash: file.hash(),
            genesis: file,
            number: 0,
        };
        chain.audit();
        chain
    }

    /// The next block, agreed on in a round.
    pub(crate) fn block(&mut self, round: u32) {
        self.number += 1;
        let proposer = proposer(&mut self.store, self.number, round).unwrap();
        let info = BlockInfo {
            number: self.number,
            round,
            proposer,
        };
        turns(&mut self.store, &info).unwrap();
        epoch(&mut self.store, &self.genesis.tokenomics, self.number).unwrap();
    }

    /// Blocks of round 0 to the end of the epoch.
    pub(crate) fn epoch(&mut self) {
        loop {
            self.block(0);
            if self.number.is_multiple_of(self.genesis.tokenomics.epoch) {
                break;
            }
        }
        self.audit();
    }

    pub(crate) fn epochs(&mut self, n: u64) {
        (0..n).for_each(|_| self.epoch());
    }

    /// Blocks to the end of the epoch; a validator proposes nothing.
    pub(crate) fn epoch_without(&mut self, absent: Address) {
        loop {
            let first = proposer(&mut self.store, self.number + 1, 0).unwrap();
            self.block(u32::from(first == absent));
            if self.number.is_multiple_of(self.genesis.tokenomics.epoch) {
                break;
            }
        }
        self.audit();
    }

    /// A raw call as the EVM makes it: undone if it fails, never dearer than its gas.
    pub(crate) fn raw(
        &mut self,
        caller: Address,
        is_static: bool,
        calldata: &[u8],
    ) -> Result<Outcome, CallError<Infallible>> {
        let before = self.store.words.clone();
        (self.store.loads, self.store.stores) = (0, 0);
        let result = call(
            &mut self.store,
            &self.genesis.tokenomics,
            &self.hash,
            caller,
            is_static,
            calldata,
        );
        let bound = crate::gas::words(calldata);
        assert!(
            self.store.loads <= bound.loads && self.store.stores <= bound.stores,
            "{:?}: {} loads, {} stores, expected {bound:?}",
            &calldata[..calldata.len().min(4)],
            self.store.loads,
            self.store.stores,
        );
        assert!(gas(calldata) >= 2_000);
        if result.is_err() {
            self.store.words = before;
        }
        result
    }

    pub(crate) fn call<C: SolCall>(&mut self, caller: Address, call: C) -> Result<C::Return, String> {
        self.logs(caller, call).map(|(value, _)| value)
    }

    pub(crate) fn logs<C: SolCall>(
        &mut self,
        caller: Address,
        call: C,
    ) -> Result<(C::Return, Vec<LogData>), String> {
        match self.raw(caller, false, &call.abi_encode()) {
            Ok(outcome) => {
                self.audit();
                Ok((C::abi_decode_returns(&outcome.output).unwrap(), outcome.logs))
            }
            Err(CallError::Revert(bytes)) => Err(Revert::abi_decode(&bytes).unwrap().reason),
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Calls what must succeed.
    pub(crate) fn ok<C: SolCall>(&mut self, caller: Address, call: C) -> C::Return {
        self.call(caller, call).unwrap()
    }

    /// Calls what must revert; with what reason.
    pub(crate) fn fails<C: SolCall>(&mut self, caller: Address, call: C) -> String {
        match self.call(caller, call) {
            Ok(_) => panic!("{} passed", C::SIGNATURE),
            Err(reason) => reason,
        }
    }

    pub(crate) fn balance(&mut self, owner: Address) -> U256 {
        self.store.load(words::balance(owner)).unwrap()
    }

    pub(crate) fn word(&mut self, slot: U256) -> U256 {
        self.store.load(slot).unwrap()
    }

    pub(crate) fn active(&mut self) -> Vec<Address> {
        active(&mut self.store)
            .unwrap()
            .into_iter()
            .map(|validator| validator.address)
            .collect()
    }

    /// All words with a tag, by the rest of the slot.
    pub(crate) fn tagged(&self, tag: u8) -> impl Iterator<Item = (U256, U256)> + '_ {
        let low = U256::from(tag) << 248;
        let high = U256::from(tag + 1) << 248;
        self.store
            .words
            .range(low..high)
            .map(move |(slot, word)| (*slot - low, *word))
    }

    pub(crate) fn pools(&self) -> BTreeMap<u64, Pool> {
        let mut pools = BTreeMap::<u64, Pool>::new();
        for (slot, word) in self.tagged(3) {
            let id = (slot >> 8usize).to::<u64>();
            match slot.byte(0) {
                3 => pools.entry(id).or_default().tokens = word,
                4 => pools.entry(id).or_default().shares = word,
                _ => {}
            }
        }
        pools
    }

    /// What holds at every moment.
    pub(crate) fn audit(&self) {
        let word = |slot: U256| self.store.words.get(&slot).copied().unwrap_or_default();
        let minted = word(words::MINTED);
        let allocated = self.genesis.tokenomics.supply - mined(&self.genesis.tokenomics);
        let epochs = word(words::EPOCH).to::<u64>();
        assert_eq!(
            minted,
            allocated + emitted_before(&self.genesis.tokenomics, epochs)
        );
        assert!(minted <= self.genesis.tokenomics.supply);
        let balances: U256 = self.tagged(1).map(|(_, balance)| balance).sum();
        assert_eq!(balances, minted - word(words::BURNED));
        // The token's own balance is the sum of its parts.
        let staked: U256 = self.pools().values().map(|pool| pool.tokens).sum();
        let unbonding: U256 = self
            .tagged(10)
            .filter(|(slot, _)| slot.byte(0) == 0)
            .map(|(_, tokens)| tokens)
            .sum();
        assert_eq!(
            word(words::balance(ADDRESS)),
            staked + unbonding + word(words::REWARDS) + word(words::PROOFS)
        );
        // Shares of stakers are no more than the pool's, and worth no more than its tokens; rewards are there.
        let mut held = BTreeMap::<u64, (U256, U256)>::new();
        let mut owed = U256::ZERO;
        for (slot, shares) in self.tagged(7) {
            let id = (slot >> 160usize).to::<u64>();
            let pool = self.pools()[&id];
            let (all, worth) = held.entry(id).or_default();
            *all += shares;
            *worth += pool.worth(shares);
            let reward = word(words::validator(id as u16, 5));
            let paid = word(words::paid(id as u16, to_address(slot)));
            owed += crate::pool::mul_div(shares, reward - paid, U256::ONE << 128, false).unwrap();
        }
        for (id, (shares, worth)) in held {
            let pool = self.pools()[&id];
            assert!(shares <= pool.shares && worth <= pool.tokens);
        }
        assert!(owed <= word(words::REWARDS));
        // Nothing is kept twice or of strangers.
        let members: BTreeSet<Address> = active(&mut self.store.clone())
            .unwrap()
            .iter()
            .map(|validator| validator.address)
            .collect();
        assert!(!members.is_empty());
        assert_eq!(members.len(), active(&mut self.store.clone()).unwrap().len());
    }

    /// Evidence that a validator precommitted two values.
    pub(crate) fn double_vote(&self, i: u8, height: u64, round: u32) -> Evidence {
        let sign = |value| {
            let message = Vote {
                kind: VoteKind::Precommit,
                height,
                round,
                value,
            };
            Signed {
                message,
                signature: sign(i, &message.sign_bytes(&self.hash)),
            }
        };
        Evidence {
            key: key(i),
            conflict: Conflict::Votes(sign(Some(B256::repeat_byte(1))), sign(None)),
        }
    }

    /// Evidence that a validator proposed two values.
    pub(crate) fn double_proposal(&self, i: u8, height: u64, round: u32) -> Evidence {
        let sign = |value| {
            let message = Proposal {
                height,
                round,
                pol_round: None,
                value,
            };
            Signed {
                message,
                signature: sign(i, &message.sign_bytes(&self.hash)),
            }
        };
        Evidence {
            key: key(i),
            conflict: Conflict::Proposals(sign(B256::repeat_byte(1)), sign(B256::repeat_byte(2))),
        }
    }
}

pub(crate) fn sign(i: u8, message: &B256) -> B512 {
    let signature = signer(i).sign_raw(message.as_slice(), &[0; 32]).unwrap();
    B512::from_slice(&signature.to_bytes())
}
