use super::*;
use alloy_primitives::Bytes;
use proptest::prelude::*;

const RICH: SenderState = SenderState {
    nonce: 0,
    balance: U256::MAX,
};

fn limits() -> Limits {
    Limits {
        count: 8,
        bytes: 1_000,
        gap_count: 3,
        gap_bytes: 300,
        per_sender: 4,
        transaction_bytes: 200,
        gas: 100_000,
        base_fee_floor: 1,
        replacement_percent: 10,
    }
}

fn tx(sender: u8, nonce: u64, fee_cap: u128, tip_cap: u128) -> Pending {
    let mut hash = B256::ZERO;
    hash[0] = sender;
    hash[1..9].copy_from_slice(&nonce.to_be_bytes());
    hash[9..25].copy_from_slice(&fee_cap.to_be_bytes());
    hash[25..32].copy_from_slice(&tip_cap.to_be_bytes()[9..]);
    Pending {
        hash,
        bytes: Bytes::from(vec![0; 100]),
        sender: Address::repeat_byte(sender),
        nonce,
        gas_limit: 21_000,
        least_gas: 21_000,
        fee_cap,
        tip_cap,
        value: U256::ZERO,
    }
}

fn order(pool: &Pool, base_fee: u64) -> Vec<(u8, u64)> {
    pool.best(base_fee, |_| Some(0))
        .map(|p| (p.sender[0], p.nonce))
        .collect()
}

/// The indices agree with each other and with the limits.
fn check(pool: &Pool) {
    let all: Vec<&Pending> = pool.iter().collect();
    assert_eq!(all.len(), pool.len());
    assert_eq!(all.len(), pool.by_price.len() + pool.gaps_by_price.len());
    assert_eq!(pool.gaps.count, pool.gaps_by_price.len());
    assert_eq!(all.iter().map(|p| p.bytes.len()).sum::<usize>(), pool.bytes());
    assert!(pool.len() <= pool.limits.count && pool.bytes() <= pool.limits.bytes);
    for pending in all {
        assert_eq!(pool.get(&pending.hash), Some(pending));
    }
    let mut gap_bytes = 0;
    for queue in pool.senders.values() {
        let entries = &queue.entries;
        assert!(!entries.is_empty() && entries.len() <= pool.limits.per_sender);
        let missing = queue.first_missing(queue.next);
        for (nonce, entry) in entries {
            let key = (entry.price(), entry.pending.hash);
            assert_eq!(entry.gapped, *nonce > missing);
            assert_eq!(pool.gaps_by_price.contains(&key), entry.gapped);
            assert_eq!(pool.by_price.contains(&key), !entry.gapped);
            gap_bytes += if entry.gapped {
                entry.pending.bytes.len()
            } else {
                0
            };
        }
    }
    assert_eq!(gap_bytes, pool.gaps.bytes);
}

#[test]
fn tips_go_first_then_arrival_and_nonces_stay_in_order() {
    let mut pool = Pool::new(limits());
    for pending in [
        tx(1, 0, 100, 5),
        tx(2, 0, 100, 7),
        tx(1, 1, 100, 50),
        tx(3, 0, 100, 7),
    ] {
        pool.add(pending, RICH, 0).unwrap();
    }
    assert_eq!(order(&pool, 10), [(2, 0), (3, 0), (1, 0), (1, 1)]);
    // A base fee that leaves less room for tips changes the ranks; above the cap nothing is left.
    assert_eq!(order(&pool, 99), [(1, 0), (2, 0), (1, 1), (3, 0)]);
    assert!(order(&pool, 101).is_empty());
}

#[test]
fn a_gap_holds_back_what_is_behind_it() {
    let mut pool = Pool::new(limits());
    pool.add(tx(1, 0, 10, 1), RICH, 0).unwrap();
    pool.add(tx(1, 2, 10, 1), RICH, 0).unwrap();
    assert_eq!(order(&pool, 1), [(1, 0)]);
    assert_eq!(pool.pending_nonce(&Address::repeat_byte(1), 0), 1);
    pool.add(tx(1, 1, 10, 1), RICH, 0).unwrap();
    assert_eq!(order(&pool, 1), [(1, 0), (1, 1), (1, 2)]);
    assert_eq!(pool.pending_nonce(&Address::repeat_byte(1), 0), 3);
    assert_eq!(pool.pending_nonce(&Address::repeat_byte(9), 4), 4);
}

#[test]
fn what_cannot_be_mined_is_refused() {
    let mut pool = Pool::new(limits());
    let poor = SenderState {
        nonce: 3,
        balance: U256::from(21_000 * 10 + 100 * 2),
    };
    let cases = [
        (tx(1, 2, 10, 1), AddError::NonceTooLow { expected: 3, got: 2 }),
        (tx(1, 7, 10, 1), AddError::NonceTooHigh { most: 6, got: 7 }),
        (tx(1, 3, 0, 0), AddError::BelowFloor { least: 1, got: 0 }),
        (
            tx(1, 3, 10, 11),
            AddError::TipAboveFee {
                tip_cap: 11,
                fee_cap: 10,
            },
        ),
        (
            tx(1, 3, 11, 1),
            AddError::InsufficientFunds {
                balance: poor.balance,
                cost: U256::from(21_000 * 11 + 200),
            },
        ),
        (
            Pending {
                gas_limit: 100_001,
                ..tx(1, 3, 10, 1)
            },
            AddError::GasLimit {
                most: 100_000,
                got: 100_001,
            },
        ),
        (
            Pending {
                bytes: Bytes::from(vec![0; 201]),
                ..tx(1, 3, 10, 1)
            },
            AddError::Oversized { most: 200, got: 201 },
        ),
        (
            Pending {
                value: U256::from(1),
                ..tx(1, 3, 10, 1)
            },
            AddError::InsufficientFunds {
                balance: poor.balance,
                cost: poor.balance + U256::from(1),
            },
        ),
    ];
    for (pending, error) in cases {
        assert_eq!(pool.add(pending, poor, 2), Err(error));
        check(&pool);
        assert!(pool.is_empty());
    }
    pool.add(tx(1, 3, 10, 1), poor, 2).unwrap();
    assert_eq!(
        pool.add(tx(1, 3, 10, 1), poor, 2),
        Err(AddError::AlreadyKnown(tx(1, 3, 10, 1).hash))
    );
    // The first has used up the balance.
    assert!(matches!(
        pool.add(tx(1, 4, 1, 1), poor, 2),
        Err(AddError::InsufficientFunds { .. })
    ));
    // The greatest nonce there is (EIP-2681).
    let last = SenderState {
        nonce: u64::MAX,
        balance: U256::MAX,
    };
    assert!(pool.add(tx(2, u64::MAX, 10, 1), last, 0).is_err());
    let huge = Pending {
        fee_cap: u128::MAX,
        value: U256::MAX,
        ..tx(3, 0, 1, 1)
    };
    assert!(matches!(
        pool.add(
            huge,
            SenderState {
                nonce: 0,
                balance: U256::MAX - U256::from(1)
            },
            u64::MAX
        ),
        Err(AddError::InsufficientFunds { .. })
    ));
}

#[test]
fn a_replacement_pays_a_tenth_more_in_both_caps() {
    let mut pool = Pool::new(limits());
    pool.add(tx(1, 0, 100, 50), RICH, 0).unwrap();
    for (fee_cap, tip_cap) in [(100, 51), (109, 55), (110, 54), (200, 50)] {
        assert_eq!(
            pool.add(tx(1, 0, fee_cap, tip_cap), RICH, 0),
            Err(AddError::Underpriced {
                fee_cap: 110,
                tip_cap: 55
            })
        );
    }
    let added = pool.add(tx(1, 0, 110, 55), RICH, 0).unwrap();
    assert_eq!(added.replaced, Some(tx(1, 0, 100, 50).hash));
    assert_eq!(pool.len(), 1);
    assert!(pool.get(&tx(1, 0, 100, 50).hash).is_none());
    check(&pool);
    // One wei more is the least, however small the caps.
    pool.add(tx(2, 0, 1, 0), RICH, 0).unwrap();
    assert!(pool.add(tx(2, 0, 2, 0), RICH, 0).is_err());
    pool.add(tx(2, 0, 2, 1), RICH, 0).unwrap();
}

#[test]
fn a_full_pool_drops_the_cheapest_for_a_dearer_one_only() {
    let mut pool = Pool::new(limits());
    for sender in 1..=2 {
        for nonce in 0..4 {
            pool.add(tx(sender, nonce, 10 * u128::from(sender), 1), RICH, 0)
                .unwrap();
        }
    }
    assert_eq!(pool.len(), 8);
    assert_eq!(
        pool.add(tx(3, 0, 10, 1), RICH, 0),
        Err(AddError::Full { least: 10 })
    );
    // Its own queue is no room for a sender.
    assert!(matches!(
        pool.add(tx(1, 4, 99, 1), RICH, 0),
        Err(AddError::NonceTooHigh { .. })
    ));
    let added = pool.add(tx(3, 0, 11, 1), RICH, 0).unwrap();
    // Of equals the last to come goes first.
    assert_eq!(added.evicted, [tx(1, 3, 10, 1).hash]);
    check(&pool);
    // What is queued behind a victim goes too.
    let mut pool = Pool::new(limits());
    pool.add(tx(1, 0, 5, 1), RICH, 0).unwrap();
    for nonce in 1..4 {
        pool.add(tx(1, nonce, 50, 1), RICH, 0).unwrap();
    }
    for nonce in 0..4 {
        pool.add(tx(2, nonce, 20, 1), RICH, 0).unwrap();
    }
    let added = pool.add(tx(3, 0, 6, 1), RICH, 0).unwrap();
    assert_eq!(added.evicted.len(), 4);
    assert!(!pool.senders.contains_key(&Address::repeat_byte(1)));
    check(&pool);
}

#[test]
fn bytes_are_bounded_too() {
    let mut pool = Pool::new(Limits {
        bytes: 250,
        ..limits()
    });
    pool.add(tx(1, 0, 10, 1), RICH, 0).unwrap();
    pool.add(tx(2, 0, 11, 1), RICH, 0).unwrap();
    assert!(matches!(
        pool.add(tx(3, 0, 10, 1), RICH, 0),
        Err(AddError::Full { .. })
    ));
    let added = pool.add(tx(3, 0, 12, 1), RICH, 0).unwrap();
    assert_eq!(added.evicted, [tx(1, 0, 10, 1).hash]);
    check(&pool);
}

#[test]
fn a_sender_has_its_limit() {
    let mut pool = Pool::new(limits());
    for nonce in 0..4 {
        pool.add(tx(1, nonce, 10, 1), RICH, 0).unwrap();
    }
    // The block has moved on but the old ones are not forgotten yet.
    let later = SenderState { nonce: 2, ..RICH };
    assert_eq!(
        pool.add(tx(1, 4, 10, 1), later, 0),
        Err(AddError::SenderFull { most: 4 })
    );
}

#[test]
fn blocks_take_out_what_they_used_and_what_is_no_longer_paid_for() {
    let mut pool = Pool::new(limits());
    for nonce in 0..4 {
        pool.add(tx(1, nonce, 10, 1), RICH, 0).unwrap();
    }
    pool.add(tx(2, 0, 10, 1), RICH, 0).unwrap();
    let poorer = SenderState {
        nonce: 1,
        balance: U256::from(21_000 * 10 * 2),
    };
    let gone = pool.on_block([tx(1, 0, 10, 1).hash], [(Address::repeat_byte(1), poorer)], 0);
    assert_eq!(gone, [tx(1, 3, 10, 1).hash]);
    assert_eq!(pool.len(), 3);
    // A block that used a nonce with another transaction.
    let gone = pool.on_block(
        [],
        [(Address::repeat_byte(2), SenderState { nonce: 1, ..RICH })],
        0,
    );
    assert_eq!(gone, [tx(2, 0, 10, 1).hash]);
    check(&pool);
}

#[test]
fn gaps_have_a_share_and_displace_only_cheaper_gaps() {
    let mut pool = Pool::new(limits());
    for sender in 1..=3 {
        pool.add(tx(sender, 1, 10, 1), RICH, 0).unwrap();
    }
    let refused = AddError::GapsFull {
        least: 10,
        expected: 0,
    };
    // The pool has room, their share has not.
    assert_eq!(pool.add(tx(4, 1, 10, 1), RICH, 0), Err(refused));
    let added = pool.add(tx(4, 2, 11, 1), RICH, 0).unwrap();
    assert_eq!(added.evicted, [tx(3, 1, 10, 1).hash]);
    check(&pool);
    // One without a gap needs none of that share; the one that it was missing from leaves it.
    pool.add(tx(5, 0, 1, 1), RICH, 0).unwrap();
    pool.add(tx(1, 0, 1, 1), RICH, 0).unwrap();
    assert_eq!(pool.gaps.count, 2);
    pool.add(tx(6, 3, 1, 1), RICH, 0).unwrap();
    assert_eq!(pool.gaps.count, 3);
    check(&pool);
    let mut small = Pool::new(Limits {
        gap_bytes: 199,
        ..limits()
    });
    small.add(tx(1, 1, 10, 1), RICH, 0).unwrap();
    assert!(matches!(
        small.add(tx(2, 1, 10, 1), RICH, 0),
        Err(AddError::GapsFull { .. })
    ));
}

#[test]
fn gaps_go_first_when_the_pool_is_full_whatever_they_say_they_pay() {
    let mut pool = Pool::new(limits());
    for sender in 1..=3 {
        pool.add(tx(sender, 1, 1_000_000, 1), RICH, 0).unwrap();
    }
    for sender in 4..=8 {
        pool.add(tx(sender, 0, 10, 1), RICH, 0).unwrap();
    }
    assert_eq!(pool.len(), 8);
    // A gap displaces nothing that a block can take.
    assert!(matches!(
        pool.add(tx(9, 1, 999_999, 1), RICH, 0),
        Err(AddError::GapsFull { .. })
    ));
    for (sender, left) in [(9, 2), (10, 1), (11, 0)] {
        let added = pool.add(tx(sender, 0, 2, 1), RICH, 0).unwrap();
        assert_eq!(added.evicted.len(), 1);
        assert_eq!((pool.len(), pool.gaps.count), (8, left));
        check(&pool);
    }
    // From here on it is by price again.
    assert_eq!(
        pool.add(tx(12, 0, 2, 1), RICH, 0),
        Err(AddError::Full { least: 2 })
    );
}

#[test]
fn a_sender_that_fills_its_gap_does_not_displace_what_waits_behind_it() {
    let mut pool = Pool::new(Limits { count: 3, ..limits() });
    pool.add(tx(1, 1, 10, 1), RICH, 0).unwrap();
    pool.add(tx(2, 1, 20, 1), RICH, 0).unwrap();
    pool.add(tx(3, 0, 10, 1), RICH, 0).unwrap();
    let added = pool.add(tx(1, 0, 10, 1), RICH, 0).unwrap();
    assert_eq!(added.evicted, [tx(2, 1, 20, 1).hash]);
    assert_eq!(order(&pool, 1), [(3, 0), (1, 0), (1, 1)]);
    check(&pool);
}

#[test]
fn what_a_proposer_was_refused_leaves_and_the_rest_waits_behind_a_gap() {
    let mut pool = Pool::new(limits());
    for nonce in 0..4 {
        pool.add(tx(1, nonce, 10, 1), RICH, 0).unwrap();
    }
    pool.add(tx(2, 0, 5, 1), RICH, 0).unwrap();
    assert_eq!(pool.on_refused(&tx(1, 0, 10, 1).hash), [tx(1, 0, 10, 1).hash]);
    assert_eq!(order(&pool, 1), [(2, 0)]);
    assert_eq!(pool.gaps.count, 3);
    check(&pool);
    assert!(pool.on_refused(&tx(1, 0, 10, 1).hash).is_empty());
    // More of them than their share go at once.
    let mut tight = Pool::new(Limits {
        gap_count: 1,
        ..limits()
    });
    for nonce in 0..4 {
        tight
            .add(tx(1, nonce, 10 + u128::from(nonce), 1), RICH, 0)
            .unwrap();
    }
    let gone = tight.on_refused(&tx(1, 0, 10, 1).hash);
    let expected = [0, 1, 2].map(|nonce| tx(1, nonce, 10 + u128::from(nonce), 1).hash);
    assert_eq!(gone, expected);
    check(&tight);
}

proptest! {
    #[test]
    fn any_sequence_keeps_the_books(
        calls in proptest::collection::vec((1u8..6, 0u64..6, 0u128..40, 0u128..40, 0u64..4, any::<bool>()), 1..200)
    ) {
        let mut pool = Pool::new(limits());
        for (sender, nonce, fee_cap, tip_cap, at, block) in calls {
            let state = SenderState { nonce: at, balance: U256::from(2_000_000) };
            if block {
                let gone = pool.on_block([], [(Address::repeat_byte(sender), state)], 1);
                for hash in gone {
                    prop_assert!(pool.get(&hash).is_none());
                }
            } else {
                let before = pool.len();
                match pool.add(tx(sender, nonce, fee_cap, tip_cap), state, 1) {
                    Ok(added) => {
                        let gone = added.evicted.len() + usize::from(added.replaced.is_some());
                        prop_assert_eq!(pool.len() + gone, before + 1);
                        prop_assert!(pool.get(&tx(sender, nonce, fee_cap, tip_cap).hash).is_some());
                    }
                    Err(_) => prop_assert_eq!(pool.len(), before),
                }
            }
            check(&pool);
            // Whatever is offered is one sender's nonces in order.
            let offered: Vec<_> = pool.best(1, |_| Some(at)).map(|p| (p.sender, p.nonce)).collect();
            for sender in offered.iter().map(|(sender, _)| *sender) {
                let nonces: Vec<u64> = offered.iter().filter(|(s, _)| *s == sender).map(|(_, n)| *n).collect();
                prop_assert!(nonces.iter().enumerate().all(|(i, n)| *n == at + i as u64));
            }
        }
    }
}
