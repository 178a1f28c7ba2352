//! What waits, through posting, reorganisations and restarts, and what a proposer and a validator make of it.

use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes};
use l2_block::L1Origin;
use l2_store::Label;

use super::*;
use crate::chain::{Chain, Choice};
use crate::pool::Nothing;
use crate::pool::tests::{World, world};

const LAG: u64 = 100;
const MIB: u64 = 1 << 20;

fn backlog(world: &World, bytes: u64) -> Backlog {
    Backlog::new(BacklogLimits::new(bytes, LAG), world.chain.store()).unwrap()
}

/// A block that only its number, its origin and its size matter of.
fn block(number: u64, origin: u64, bytes: u64) -> Block {
    let transactions = match bytes {
        0 => vec![],
        bytes => vec![Bytes::from(vec![0; bytes as usize])],
    };
    Block {
        header: Header {
            number,
            parent: B256::ZERO,
            timestamp_ms: number,
            origin: L1Origin {
                height: origin,
                hash: B256::ZERO,
            },
            round: 0,
            proposer: Address::ZERO,
            base_fee: 1,
            data_fee: 1,
            gas_used: 0,
            forced: 0,
            transactions_root: B256::ZERO,
            receipts_root: B256::ZERO,
            state_root: B256::ZERO,
        },
        transactions,
    }
}

fn status(height: u64, safe: u64) -> PostingStatus {
    PostingStatus {
        height,
        safe,
        ..PostingStatus::default()
    }
}

#[test]
fn bytes_that_wait_are_dear_then_refused_until_bitcoin_has_them() {
    let world = world();
    let backlog = backlog(&world, 4 * MIB);
    let store = world.chain.store();
    let more = block(9, 10, 1);
    for (number, pressure) in [
        (1, Pressure::Low),
        (2, Pressure::High),
        (3, Pressure::High),
        (4, Pressure::Full),
        // Others may be configured to propose more.
        (5, Pressure::Full),
        (6, Pressure::Full),
        (7, Pressure::Full),
    ] {
        backlog.committed(&block(number, 10, MIB));
        assert_eq!(backlog.pressure(), pressure, "block {number}");
        assert!(backlog.accepts(&more), "block {number}");
    }
    backlog.committed(&block(8, 10, MIB));
    assert!(!backlog.accepts(&more));
    // What holds nothing from the mempool adds nothing, and the chain must go on.
    assert!(backlog.accepts(&block(9, 10, 0)));
    // The same block again is no other block.
    backlog.committed(&block(8, 10, MIB));
    let all = Waiting {
        blocks: 8,
        bytes: 8 * MIB,
        age: 0,
    };
    assert_eq!(backlog.waiting(), all);

    backlog.posted(&status(10, 1), store).unwrap();
    assert!(backlog.accepts(&more));
    assert_eq!(backlog.pressure(), Pressure::Full);
    backlog.posted(&status(10, 5), store).unwrap();
    assert_eq!(backlog.pressure(), Pressure::High);
    backlog.posted(&status(10, 8), store).unwrap();
    assert_eq!(backlog.pressure(), Pressure::Low);
    assert_eq!(backlog.waiting(), Waiting::default());
    // A batch of blocks that this node had not seen: they come as old ones.
    backlog.posted(&status(11, 12), store).unwrap();
    backlog.committed(&block(9, 10, MIB));
    assert_eq!(backlog.waiting(), Waiting::default());
    backlog.committed(&block(13, 10, MIB));
    assert_eq!(backlog.waiting().blocks, 1);
}

/// Nobody posts: what is agreed on after `origin_lag` Bitcoin blocks could never be derived.
#[test]
fn blocks_that_wait_too_long_stop_others_from_joining_them() {
    let world = world();
    let backlog = backlog(&world, MIB);
    let store = world.chain.store();
    backlog.committed(&block(1, 10, 1));
    backlog.committed(&block(2, 60, 1));
    let more = block(3, 60, 1);
    for (height, pressure, accepts) in [
        (10, Pressure::Low, true),
        (84, Pressure::Low, true),
        (85, Pressure::Full, true),
        (97, Pressure::Full, true),
        (98, Pressure::Full, false),
        (10_000, Pressure::Full, false),
        // Bitcoin was reorganised.
        (84, Pressure::Low, true),
    ] {
        backlog.posted(&status(height, 0), store).unwrap();
        assert_eq!(
            (backlog.pressure(), backlog.accepts(&more)),
            (pressure, accepts),
            "height {height}"
        );
        assert!(backlog.accepts(&block(3, 60, 0)));
    }
    // The younger one is another matter.
    backlog.posted(&status(98, 1), store).unwrap();
    assert_eq!(backlog.waiting().age, 38);
    assert_eq!(backlog.pressure(), Pressure::Low);
}

/// Commits empty blocks until the head has this number.
fn commit_until(chain: &Chain, backlog: &Backlog, number: u64) {
    while chain.head().number < number {
        let choice = Choice {
            now_ms: 1_001_000,
            round: 0,
            proposer: Address::repeat_byte(0xaa),
            max_bytes: 0,
            data_fee: 0,
        };
        let block = chain.propose(&choice, Nothing).unwrap().block.clone();
        chain.commit(&block, &[]).unwrap();
        backlog.committed(&block);
    }
}

#[test]
fn blocks_wait_again_after_a_reorganisation_and_still_after_a_restart() {
    let world = world();
    let store = Arc::clone(world.chain.store());
    let before = backlog(&world, MIB);
    commit_until(&world.chain, &before, 5);
    before.posted(&status(200, 4), &store).unwrap();
    assert_eq!(before.waiting().blocks, 1);
    before.posted(&status(199, 2), &store).unwrap();
    assert_eq!(before.waiting().blocks, 3);
    commit_until(&world.chain, &before, 6);
    assert_eq!(before.waiting().blocks, 4);

    store.set_label(Label::Safe, 3).unwrap();
    let after = backlog(&world, MIB);
    assert_eq!(after.waiting().blocks, 3);
    // Derivation begins anew, and has the blocks as they were.
    after.posted(&status(200, 4), &store).unwrap();
    assert_eq!(after.waiting().blocks, 2);
}

#[test]
fn a_byte_costs_what_bitcoin_asks_and_more_when_bytes_pile_up() {
    let world = world();
    let backlog = backlog(&world, 4 * MIB);
    let fees = Fees {
        gas_limit: 30_000_000,
        min_base_fee: 1,
        min_data_fee: 1_000,
        max_data_fee: 1_000_000_000_000,
    };
    let parent = |data_fee| Header {
        data_fee,
        ..block(1, 10, 0).header
    };
    // Not known yet: as it is, within the bounds.
    assert_eq!(backlog.data_fee(&fees, &parent(8_000)), 8_000);
    assert_eq!(backlog.data_fee(&fees, &parent(1)), 1_000);
    // Twenty satoshis a virtual byte are 3.125 a byte of a transaction: an eighth at most in one block.
    let known = PostingStatus {
        rate: Some(20),
        ..status(10, 0)
    };
    backlog.posted(&known, world.chain.store()).unwrap();
    let target = 31_250_000_000;
    for (before, after) in [
        (target, target),
        (target - 1, target),
        (target + 1, target),
        (8_000, 9_000),
        (80_000_000_000, 70_000_000_000),
    ] {
        assert_eq!(backlog.data_fee(&fees, &parent(before)), after);
    }
    let mut fee = fees.min_data_fee;
    for _ in 0..200 {
        fee = backlog.data_fee(&fees, &parent(fee));
    }
    assert_eq!(fee, target);
    // Who does not ask this time has not forgotten.
    backlog.posted(&status(10, 0), world.chain.store()).unwrap();
    assert_eq!(backlog.data_fee(&fees, &parent(target)), target);
    // No rate, however absurd, leaves the bounds.
    let absurd = PostingStatus {
        rate: Some(u64::MAX),
        ..known
    };
    backlog.posted(&absurd, world.chain.store()).unwrap();
    assert_eq!(backlog.data_fee(&fees, &parent(u64::MAX)), fees.max_data_fee);

    backlog.posted(&known, world.chain.store()).unwrap();
    backlog.committed(&block(1, 10, 2 * MIB));
    assert_eq!(backlog.data_fee(&fees, &parent(target)), target / 8 * 9);
    backlog.committed(&block(2, 10, 2 * MIB));
    assert_eq!(backlog.data_fee(&fees, &parent(target)), target / 8 * 9);
}
