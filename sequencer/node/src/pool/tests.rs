use alloy_consensus::{SignableTransaction, Signed, TxEip1559, TxEip7702};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Signature, TxKind, U256};
use bitcoin::secp256k1::SecretKey;
use l2_block::{Account, Block, Fees, Genesis, L1Origin, Tokenomics, Validator, Windows};
use l2_stf::Refused;
use l2_store::{Options, Store};

use super::*;
use crate::chain::Choice;
use crate::evidence::ethereum_address;
use crate::from_bitcoin::Derived;

const CHAIN_ID: u64 = 9;
const MAX_BYTES: usize = 1 << 20;
const GAS: u64 = 30_000_000;

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_slice(&[seed; 32]).unwrap()
}

/// Users 1 to 40 have a coin each.
pub(crate) fn genesis() -> Genesis {
    let address = Address::repeat_byte(0xaa);
    let supply = U256::from(10u128.pow(27));
    Genesis {
        chain_id: CHAIN_ID,
        timestamp_ms: 1_000_000,
        origin: L1Origin {
            height: 100,
            hash: B256::repeat_byte(100),
        },
        bridge_key: B256::repeat_byte(1),
        fees: Fees {
            gas_limit: GAS,
            min_base_fee: 1_000,
            min_data_fee: 1,
            max_data_fee: 10,
        },
        windows: Windows {
            forced: 10,
            origin_lag: 100,
            max_drift_ms: 1 << 39,
            confirmations: 6,
            connector_fallback: 72,
        },
        validators: vec![Validator {
            key: B256::repeat_byte(2),
            address,
            stake: U256::from(10u128.pow(20)),
        }],
        accounts: (1..=40)
            .map(|seed| Account {
                address: ethereum_address(&key(seed)),
                balance: U256::from(10u128.pow(18)),
            })
            .collect(),
        tokenomics: Tokenomics {
            supply,
            epoch: 1_000_000,
            halving: 10,
            allocation: vec![Account {
                address,
                balance: supply - supply * U256::from(2) / U256::from(5),
            }],
            unbonding: 1,
            min_stake: U256::from(1),
            equivocation_slash: 500,
            downtime_slash: 1,
            missed_allowed: 5_000,
        },
    }
}

pub(crate) struct World {
    _folder: tempfile::TempDir,
    pub(crate) chain: Arc<Chain>,
    pub(crate) pool: Arc<SharedPool>,
}

pub(crate) fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        cache: 8 << 20,
        sync: false,
    };
    let genesis = genesis();
    let store = Store::open(folder.path(), &genesis, options).unwrap();
    let chain = Arc::new(Chain::new(Arc::new(store), &genesis, Arc::new(Derived)).unwrap());
    let limits = Limits::for_blocks(GAS, 1_000);
    let pool = Arc::new(SharedPool::new(Arc::clone(&chain), limits));
    World {
        _folder: folder,
        chain,
        pool,
    }
}

impl World {
    /// The transactions of the block that a proposer makes now.
    fn propose(&self) -> Vec<Bytes> {
        self.next().transactions.clone()
    }

    /// The block that a proposer makes now.
    pub(crate) fn next(&self) -> Block {
        let base_fee = self.pool.chain_id_and_base_fee().1;
        let choice = Choice {
            now_ms: 1_001_000,
            round: 0,
            proposer: Address::repeat_byte(0xaa),
            max_bytes: MAX_BYTES,
            data_fee: 0,
        };
        let offer = self.pool.best(base_fee, MAX_BYTES, GAS).unwrap();
        let candidate = self.chain.propose(&choice, offer).unwrap();
        candidate.block.clone()
    }

    /// That block becomes the head.
    pub(crate) fn commit(&self) -> Block {
        let block = self.next();
        let candidate = self.chain.commit(&block, &[]).unwrap();
        self.pool.on_block(&candidate.executed).unwrap();
        block
    }

    /// User 20 wants to make one more transfer.
    pub(crate) fn submit_transfer(&self) -> Bytes {
        let state = self.pool.sender_state(&ethereum_address(&key(20))).unwrap();
        let bytes = sign(20, transfer(state.nonce));
        self.pool.submit(bytes.clone()).unwrap();
        bytes
    }

    /// Puts a transaction into the pool that says of itself what makes the pool take it and rank it first.
    fn smuggle(&self, seed: u8, bytes: &Bytes) {
        let sender = ethereum_address(&key(seed));
        let pending = Pending {
            hash: crate::chain::transaction_hash(bytes),
            bytes: bytes.clone(),
            sender,
            nonce: 0,
            gas_limit: 0,
            least_gas: 0,
            fee_cap: u128::MAX,
            tip_cap: u128::MAX,
            value: U256::ZERO,
        };
        let state = self.pool.sender_state(&sender).unwrap();
        self.pool.lock().pool.add(pending, state, 1).unwrap();
    }
}

fn sign<T: SignableTransaction<Signature>>(seed: u8, tx: T) -> Bytes
where
    Signed<T>: Encodable2718,
{
    crate::evidence::sign(&key(seed), tx)
}

fn transfer(nonce: u64) -> TxEip1559 {
    TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 2_000,
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(Address::repeat_byte(0xbb)),
        value: U256::from(5),
        ..TxEip1559::default()
    }
}

/// A transfer with as many bytes as a transaction may have, nearly, that promises everything and pays for no gas.
fn without_gas() -> TxEip1559 {
    TxEip1559 {
        gas_limit: 0,
        max_fee_per_gas: u128::MAX,
        max_priority_fee_per_gas: u128::MAX,
        input: vec![1; (128 << 10) - 200].into(),
        ..transfer(0)
    }
}

/// What no block can hold, and how the wallet is told.
fn impossible() -> Vec<(u8, Bytes, &'static str)> {
    let above_the_cap = TxEip1559 {
        gas_limit: (1 << 24) + 1,
        ..transfer(0)
    };
    let long_code = TxEip1559 {
        to: TxKind::Create,
        value: U256::ZERO,
        gas_limit: 10_000_000,
        input: vec![0; 49_153].into(),
        ..transfer(0)
    };
    let cheap_data = TxEip1559 {
        gas_limit: 21_000 + 16 * 1_000,
        input: vec![1; 1_000].into(),
        ..transfer(0)
    };
    let nothing_delegated = TxEip7702 {
        chain_id: CHAIN_ID,
        gas_limit: 100_000,
        max_fee_per_gas: 2_000,
        max_priority_fee_per_gas: 1,
        to: Address::repeat_byte(0xbb),
        ..TxEip7702::default()
    };
    vec![
        (
            30,
            sign(30, above_the_cap),
            "transaction gas limit too high (cap: 16777216, tx: 16777217)",
        ),
        (
            31,
            sign(31, long_code),
            "max initcode size exceeded: code size 49153, limit 49152",
        ),
        (
            32,
            sign(32, cheap_data),
            "insufficient gas for floor data gas cost: have 37000, want 61000",
        ),
        (
            33,
            sign(33, nothing_delegated),
            "set code tx must have at least one authorization tuple",
        ),
    ]
}

#[test]
fn what_no_block_can_hold_is_refused_at_the_door_in_geths_words() {
    let world = world();
    for seed in 1..=16 {
        let error = world.pool.submit(sign(seed, without_gas())).unwrap_err();
        assert!(matches!(
            error,
            SubmitError::Pool(AddError::IntrinsicGas { have: 0, .. })
        ));
        let text = error.to_string();
        assert!(text.starts_with("intrinsic gas too low: have 0, want "), "{text}");
        assert!(error.is_malformed());
    }
    for (_, bytes, expected) in impossible() {
        let error = world.pool.submit(bytes).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(world.pool.size(), (0, 0));
    let honest = sign(20, transfer(0));
    world.pool.submit(honest.clone()).unwrap();
    assert_eq!(world.propose(), [honest]);
}

#[test]
fn what_gets_in_all_the_same_costs_one_block_one_look() {
    let world = world();
    // Two blocks' worth of bytes that rank first.
    for seed in 1..=16 {
        world.smuggle(seed, &sign(seed, without_gas()));
    }
    // The machine and the pool agree on what no block can hold.
    let others = impossible();
    for (seed, bytes, _) in &others {
        world.smuggle(*seed, bytes);
    }
    let honest = sign(20, transfer(0));
    world.pool.submit(honest.clone()).unwrap();
    assert_eq!(world.pool.size().0, 16 + others.len() + 1);
    assert_eq!(world.propose(), std::slice::from_ref(&honest));
    // Only the honest one is left, until a block with it is committed.
    assert_eq!(world.pool.size(), (1, honest.len()));
    assert_eq!(world.propose(), [honest]);
}

#[test]
fn gas_limits_that_promise_much_keep_nobody_out() {
    let world = world();
    // Each may use the most there is, seven blocks in all, and uses next to nothing.
    let mut all: Vec<Bytes> = (1..=12)
        .map(|seed| {
            let tx = TxEip1559 {
                gas_limit: 1 << 24,
                max_priority_fee_per_gas: 900,
                ..transfer(0)
            };
            sign(seed, tx)
        })
        .collect();
    all.extend([sign(12, transfer(1)), sign(20, transfer(0))]);
    for bytes in &all {
        world.pool.submit(bytes.clone()).unwrap();
    }
    assert_eq!(world.propose(), all);
}

#[test]
fn a_feed_skips_what_does_not_fit_and_all_that_its_sender_queued_behind_it() {
    let world = world();
    let dear = |nonce: u64, gas_limit: u64| TxEip1559 {
        gas_limit,
        max_priority_fee_per_gas: 500,
        ..transfer(nonce)
    };
    world.pool.submit(sign(1, dear(0, 1_000_000))).unwrap();
    world.pool.submit(sign(1, dear(1, 21_000))).unwrap();
    let honest = sign(2, transfer(0));
    world.pool.submit(honest.clone()).unwrap();
    let mut offer = world.pool.best(1_000, MAX_BYTES, GAS).unwrap();
    assert_eq!(offer.next(20_999, MAX_BYTES), None);
    assert_eq!(
        offer.next(100_000, MAX_BYTES),
        Some((honest, ethereum_address(&key(2))))
    );
    assert_eq!(offer.next(100_000, MAX_BYTES), None);
    // Nothing was given, so nothing is refused.
    offer.refused(&Refused::Bytes(TxError::Encoding));
    assert_eq!(world.pool.size().0, 3);
}

#[test]
fn a_block_without_room_says_nothing_about_a_transaction() {
    let world = world();
    world.pool.submit(sign(1, transfer(0))).unwrap();
    for (reason, left) in [
        (Refused::BlockGas { got: 2, left: 1 }, 1),
        (Refused::BlockBytes { got: 2, left: 1 }, 1),
        (Refused::Bytes(TxError::Encoding), 0),
    ] {
        let mut offer = world.pool.best(1_000, MAX_BYTES, GAS).unwrap();
        assert!(offer.next(GAS, MAX_BYTES).is_some());
        offer.refused(&reason);
        assert_eq!(world.pool.size().0, left);
    }
}
