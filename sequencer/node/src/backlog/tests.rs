//! What waits, through posting, reorganisations and restarts, and what a proposer and a validator make of it.

use std::sync::Arc;

use alloy_primitives::{B256, Bytes};
use l2_block::L1Origin;
use l2_store::Label;

use super::*;
use crate::pool::tests::{World, genesis, world};

const MIB: u64 = 1 << 20;
const SEATS: usize = 4;

/// Of a chain whose blocks name Bitcoin blocks six deep and can be posted for a hundred.
fn limits(bytes: u64) -> BacklogLimits {
    let windows = Windows {
        origin_lag: 116,
        ..genesis().windows
    };
    BacklogLimits::new(bytes, &windows, 6)
}

fn backlog(world: &World, bytes: u64) -> Backlog {
    Backlog::new(limits(bytes), world.chain.store()).unwrap()
}

/// A block that only its number, its proposer, its origin and its size matter of; proposers take turns.
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
            proposer: proposer(number),
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

fn proposer(number: u64) -> Address {
    Address::with_last_byte((number % SEATS as u64) as u8 + 1)
}

fn status(height: u64, safe: u64) -> PostingStatus {
    PostingStatus {
        height,
        safe,
        ..PostingStatus::default()
    }
}

fn is_full(backlog: &Backlog) -> bool {
    backlog.is_full(&Address::repeat_byte(0xee), SEATS)
}

fn accepts(backlog: &Backlog, number: u64) -> bool {
    backlog.accepts(&block(number, 10, 1), SEATS)
}

#[test]
fn bytes_that_wait_are_refused_until_bitcoin_has_them() {
    let world = world();
    let backlog = backlog(&world, 16 * MIB);
    let store = world.chain.store();
    backlog.posted(&status(10, 0), store).unwrap();
    for number in 1..=31 {
        assert!(accepts(&backlog, number), "block {number}");
        backlog.committed(&block(number, 10, MIB));
        assert_eq!(is_full(&backlog), number >= 16, "block {number}");
    }
    // A quarter more than proposers propose, and two batches.
    backlog.committed(&block(32, 10, MIB));
    assert!(!accepts(&backlog, 33));
    // What holds nothing from the mempool adds nothing, and the chain must go on.
    assert!(backlog.accepts(&block(33, 10, 0), SEATS));
    // The same block again is no other block.
    backlog.committed(&block(32, 10, MIB));
    let all = Waiting {
        blocks: 32,
        bytes: 32 * MIB,
        age: 0,
    };
    assert_eq!(backlog.waiting(), all);

    backlog.posted(&status(10, 1), store).unwrap();
    assert!(accepts(&backlog, 33) && is_full(&backlog));
    backlog.posted(&status(10, 16), store).unwrap();
    assert!(is_full(&backlog));
    backlog.posted(&status(10, 17), store).unwrap();
    assert!(!is_full(&backlog));
    backlog.posted(&status(10, 32), store).unwrap();
    assert_eq!(backlog.waiting(), Waiting::default());
    // A batch of blocks that this node had not seen: they come as old ones.
    backlog.posted(&status(11, 36), store).unwrap();
    backlog.committed(&block(33, 10, MIB));
    assert_eq!(backlog.waiting(), Waiting::default());
    backlog.committed(&block(37, 10, MIB));
    assert_eq!(backlog.waiting().blocks, 1);
}

/// Who goes on where others stop would have all the room that Bitcoin makes, and all the fees.
#[test]
fn a_proposer_has_its_share_and_no_more() {
    let world = world();
    let backlog = backlog(&world, 16 * MIB);
    backlog.posted(&status(10, 0), world.chain.store()).unwrap();
    let (greedy, other) = (proposer(4), proposer(5));
    // Half as much again as a fourth: six of sixteen. For who votes, of twenty, and a longest block's more.
    let most = 7 * MIB + MIB / 2 + BLOCK;
    for number in (4..).step_by(SEATS).take(20) {
        let its = MIB * (number - 4) / SEATS as u64;
        assert_eq!(accepts(&backlog, number), its < most, "block {number}");
        assert_eq!(backlog.is_full(&greedy, SEATS), its >= 6 * MIB, "block {number}");
        if its >= most {
            break;
        }
        backlog.committed(&block(number, 10, MIB));
    }
    assert!(!accepts(&backlog, 4));
    assert!(backlog.accepts(&block(4, 10, 0), SEATS));
    assert!(accepts(&backlog, 5) && !backlog.is_full(&other, SEATS));
    // Alone, it has all of it.
    assert!(backlog.accepts(&block(4, 10, 1), 1) && !backlog.is_full(&greedy, 1));
    // The next proposer brings it again: nobody may be bound to it, but somebody may.
    assert!(backlog.accepts_earlier(&block(4, 10, 1)));
}

/// Two liars who follow each other: what one proposes, the other brings again in the next round.
#[test]
fn what_comes_again_has_a_bound_too() {
    let world = world();
    let backlog = backlog(&world, MIB);
    let store = world.chain.store();
    backlog.posted(&status(10, 0), store).unwrap();
    let most = limits(MIB).most_bytes * 2;
    backlog.committed(&block(1, 10, most - 1));
    assert!(!accepts(&backlog, 2) && backlog.accepts_earlier(&block(2, 10, 1)));
    backlog.committed(&block(2, 10, 1));
    assert!(!backlog.accepts_earlier(&block(3, 10, 1)));
    assert!(backlog.accepts_earlier(&block(3, 10, 0)));
    // It ends as batches come, not with time.
    backlog.posted(&status(10_000, 0), store).unwrap();
    assert!(!backlog.accepts_earlier(&block(3, 10, 1)));
    backlog.posted(&status(10_000, 1), store).unwrap();
    assert!(backlog.accepts_earlier(&block(3, 10, 1)) && !accepts(&backlog, 3));
}

/// A label of the store is old when a node starts again, and the first look at Bitcoin takes long.
#[test]
fn before_bitcoin_was_looked_at_only_what_came_since_counts() {
    let world = world();
    let first = backlog(&world, MIB);
    let each = world.commit_transfers(&first, 3);
    let limits = BacklogLimits {
        bytes: each,
        most_bytes: 2 * each,
        ..limits(MIB)
    };
    let backlog = Backlog::new(limits, world.chain.store()).unwrap();
    for number in [4, 5] {
        assert!(accepts(&backlog, number) && backlog.accepts_earlier(&block(number, 10, 1)));
        backlog.committed(&block(number, 10, each));
    }
    assert!(!accepts(&backlog, 6) && backlog.accepts_earlier(&block(6, 10, 1)));
    // A proposer makes sure.
    assert!(is_full(&backlog));
    backlog.posted(&status(10, 4), world.chain.store()).unwrap();
    assert!(accepts(&backlog, 6));
}

/// Nobody posts: what is agreed on after `origin_lag` Bitcoin blocks could never be derived.
#[test]
fn blocks_that_wait_too_long_stop_others_from_joining_them() {
    let world = world();
    let backlog = backlog(&world, 16 * MIB);
    let store = world.chain.store();
    backlog.committed(&block(1, 10, 1));
    backlog.committed(&block(2, 60, 1));
    // Nothing is known of Bitcoin yet, and so not how long they have waited.
    assert!(accepts(&backlog, 3) && !is_full(&backlog));
    for (height, full, accepted) in [
        (10, false, true),
        (10 + 6 + 24, false, true),
        (10 + 6 + 25, true, true),
        (10 + 6 + 49, true, true),
        (10 + 6 + 50, true, false),
        (10_000, true, false),
        // Bitcoin was reorganised.
        (40, false, true),
    ] {
        backlog.posted(&status(height, 0), store).unwrap();
        assert_eq!(
            (is_full(&backlog), accepts(&backlog, 3)),
            (full, accepted),
            "height {height}"
        );
        assert_eq!(backlog.is_overdue(), !accepted);
        assert!(backlog.accepts(&block(3, 60, 0), SEATS));
    }
    // The younger one is another matter.
    backlog.posted(&status(90, 1), store).unwrap();
    assert_eq!(backlog.waiting().age, 30);
    assert!(!is_full(&backlog));
}

#[test]
fn limits_of_any_chain_leave_time_to_post() {
    let windows = |origin_lag| Windows {
        origin_lag,
        ..genesis().windows
    };
    let usual = BacklogLimits::new(64 * MIB, &windows(1_008), 6);
    assert_eq!((usual.age, usual.most_age), (6 + 248, 6 + 496));
    assert_eq!(usual.most_bytes, (64 + 16 + 12) * MIB);
    for (every, mib) in [(1, 496), (2, 496), (5, 248), (23, 62)] {
        assert_eq!(BacklogLimits::greatest(&windows(1_008), 6, every), mib * MIB);
    }
    // However short the time.
    for (lag, depth) in [
        (2, 1),
        (2, 100),
        (17, 6),
        (40, 6),
        (64, 6),
        (116, 6),
        (4_032, 100),
    ] {
        let limits = BacklogLimits::new(64 * MIB, &windows(lag), depth);
        let usable = lag.saturating_sub(10 + depth);
        assert!(limits.age >= depth && limits.age - depth <= usable / 2, "{lag}");
        assert!(limits.most_age > limits.age && limits.most_age - depth <= usable / 2 + 1);
        let blocks = BacklogLimits::greatest(&windows(lag), depth, 1) / (2 * MIB);
        assert!(blocks <= usable / 2, "{lag}");
    }
}

#[test]
fn blocks_wait_again_after_a_reorganisation_and_still_after_a_restart() {
    let world = world();
    let store = Arc::clone(world.chain.store());
    let before = backlog(&world, MIB);
    let each = world.commit_transfers(&before, 5);
    let waiting = |backlog: &Backlog, blocks: u64| {
        let waiting = backlog.waiting();
        assert_eq!((waiting.blocks, waiting.bytes), (blocks, blocks * each));
    };
    before.posted(&status(8, 4), &store).unwrap();
    waiting(&before, 1);
    before.posted(&status(7, 2), &store).unwrap();
    waiting(&before, 3);
    world.commit_transfers(&before, 1);
    waiting(&before, 4);

    store.set_label(Label::Safe, 3).unwrap();
    let after = backlog(&world, 3 * each);
    waiting(&after, 3);
    assert!(is_full(&after));
    // Derivation begins anew, and has the blocks as they were.
    after.posted(&status(8, 4), &store).unwrap();
    waiting(&after, 2);
    assert!(!is_full(&after));
}

impl World {
    /// Commits blocks with one transfer each; gives the bytes of one.
    fn commit_transfers(&self, backlog: &Backlog, count: u64) -> u64 {
        let mut each = 0;
        for _ in 0..count {
            each = self.submit_transfer().len() as u64;
            let block = self.commit();
            assert_eq!(block.transactions.len(), 1);
            backlog.committed(&block);
        }
        each
    }
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
    // Twenty satoshis a virtual byte are five a byte of a transaction: an eighth at most in one block.
    let known = PostingStatus {
        rate: Some(20),
        ..status(10, 0)
    };
    backlog.posted(&known, world.chain.store()).unwrap();
    let target = 50_000_000_000;
    for (before, after) in [
        (target, target),
        (target - 1, target),
        (target + 1, target),
        (8_000, 9_000),
        (80_000_000_000, 70_000_000_000),
    ] {
        assert_eq!(backlog.data_fee(&fees, &parent(before)), after);
    }
    let settled = |from| (0..200).fold(from, |fee, _| backlog.data_fee(&fees, &parent(fee)));
    assert_eq!(settled(fees.min_data_fee), target);
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
    for (mib, settles) in [
        (2, target),
        (1, target / 2 * 9),
        (1, target * 8),
        (1, target * 8),
        // Time alone makes nothing dearer.
        (0, target * 8),
    ] {
        backlog.committed(&block(backlog.waiting().blocks + 1, 10, mib * MIB));
        assert_eq!(settled(target), settles, "{:?}", backlog.waiting());
        let next = backlog.data_fee(&fees, &parent(target));
        assert!((target..=target / 8 * 9).contains(&next));
    }
    backlog.posted(&status(10_000, 5), world.chain.store()).unwrap();
    assert_eq!(settled(target * 8), target);
    // Floors of a chain are above a quiet Bitcoin's price.
    let dear = Fees {
        min_data_fee: 60_000_000_000,
        ..fees
    };
    assert_eq!(backlog.data_fee(&dear, &parent(60_000_000_000)), 60_000_000_000);
}
