//! Changes of the validators.

use alloc::{string::String, vec, vec::Vec};

use alloy_primitives::{Address, B256};
use alloy_sol_types::SolEvent;

use super::{Chain, key, sample, tap, user, validator};
use crate::{ADDRESS, Change, IToken::*, active};

fn vote(chain: &mut Chain, voter: Address, change: &Change) -> Result<bool, String> {
    let change = change.encode().into();
    chain.call(voter, voteCall { change })
}

/// The votes of the first `n` validators.
fn votes(chain: &mut Chain, n: u8, change: &Change) -> bool {
    (0..n)
        .map(|i| vote(chain, validator(i), change).unwrap())
        .last()
        .unwrap()
}

fn add(i: u8) -> Change {
    Change::Add {
        key: key(i),
        address: validator(i),
    }
}

fn remove(i: u8) -> Change {
    Change::Remove {
        address: validator(i),
    }
}

#[test]
fn more_than_two_thirds_let_one_in() {
    let mut chain = Chain::of({
        let mut file = sample(4);
        file.tokenomics.min_stake = tap(0);
        file
    });
    assert!(!votes(&mut chain, 2, &add(7)));
    assert_eq!(chain.ok(user(0), validatorsCall {}).len(), 4);
    let (passed, logs) = chain
        .logs(
            validator(2),
            voteCall {
                change: add(7).encode().into(),
            },
        )
        .unwrap();
    assert!(passed);
    assert_eq!(
        Changed::decode_log_data(logs.last().unwrap()).unwrap().change,
        add(7).encode()
    );
    assert_eq!(chain.active().len(), 4);
    chain.epoch();
    let set = active(&mut chain.store).unwrap();
    assert_eq!(set.len(), 5);
    assert_eq!((set[4].address, set[4].key), (validator(7), key(7)));
}

#[test]
fn two_thirds_are_not_more_than_two_thirds() {
    let mut chain = Chain::new(3);
    assert!(!votes(&mut chain, 2, &remove(2)));
    let mut chain = Chain::new(6);
    assert!(!votes(&mut chain, 4, &remove(5)));
    assert!(vote(&mut chain, validator(4), &remove(5)).unwrap());
}

#[test]
fn one_voter_is_one_vote() {
    let mut chain = Chain::new(4);
    for _ in 0..5 {
        assert!(!vote(&mut chain, validator(0), &remove(3)).unwrap());
    }
    // A second opinion replaces the first; no opinion takes it back.
    vote(&mut chain, validator(1), &remove(3)).unwrap();
    vote(&mut chain, validator(1), &remove(2)).unwrap();
    assert!(!vote(&mut chain, validator(2), &remove(3)).unwrap());
    chain.ok(validator(0), voteCall::default_empty());
    assert!(!vote(&mut chain, validator(1), &remove(3)).unwrap());
    assert!(vote(&mut chain, validator(0), &remove(3)).unwrap());
}

trait Empty {
    fn default_empty() -> Self;
}

impl Empty for voteCall {
    fn default_empty() -> Self {
        Self {
            change: Default::default(),
        }
    }
}

#[test]
fn only_active_validators_vote() {
    let mut chain = Chain::new(4);
    assert_eq!(
        vote(&mut chain, user(0), &remove(3)),
        Err("no such validator".into())
    );
    chain.epoch_without(validator(3));
    assert_eq!(
        vote(&mut chain, validator(3), &remove(0)),
        Err("no active validator".into())
    );
    // One that was put out has no vote even while its epoch lasts.
    let mut chain = Chain::new(5);
    votes(&mut chain, 4, &remove(4));
    assert_eq!(
        vote(&mut chain, validator(4), &remove(0)),
        Err("no active validator".into())
    );
}

#[test]
fn a_vote_is_not_counted_for_a_second_change() {
    let mut chain = Chain::new(4);
    assert!(votes(&mut chain, 3, &remove(3)));
    chain.epoch();
    // It comes back; the old votes are gone.
    assert!(votes(&mut chain, 3, &add(3)));
    chain.epoch();
    assert_eq!(chain.active().len(), 4);
    assert!(!vote(&mut chain, validator(3), &remove(2)).unwrap());
    assert!(!vote(&mut chain, validator(0), &remove(3)).unwrap());
    assert!(!vote(&mut chain, validator(1), &remove(3)).unwrap());
    assert!(vote(&mut chain, validator(2), &remove(3)).unwrap());
}

#[test]
fn changes_that_make_no_sense() {
    let mut chain = Chain::new(4);
    let mut refused = |change: &Change| vote(&mut chain, validator(0), change).unwrap_err();
    assert_eq!(refused(&add(2)), "a validator already");
    assert_eq!(refused(&remove(8)), "no such validator");
    assert_eq!(
        refused(&Change::ReplaceKey {
            key: key(8),
            address: validator(8)
        }),
        "no such validator"
    );
    for bad in [B256::ZERO, B256::repeat_byte(0xff)] {
        assert_eq!(
            refused(&Change::Add {
                key: bad,
                address: validator(8)
            }),
            "no key"
        );
        assert_eq!(
            refused(&Change::ReplaceKey {
                key: bad,
                address: validator(0)
            }),
            "no key"
        );
    }
    for address in [Address::ZERO, ADDRESS] {
        assert_eq!(
            refused(&Change::Add { key: key(8), address }),
            "an address that nobody has"
        );
    }
    for bytes in [vec![0xc0], vec![0xc1, 3], vec![1], vec![0xff; 60]] {
        let call = voteCall { change: bytes.into() };
        assert_eq!(chain.fails(validator(0), call), "no change");
    }
}

#[test]
fn nobody_gets_anothers_key() {
    let mut chain = Chain::new(4);
    let steal = [
        Change::Add {
            key: key(1),
            address: validator(8),
        },
        Change::ReplaceKey {
            key: key(1),
            address: validator(0),
        },
    ];
    for change in steal {
        for i in 0..2 {
            assert!(!vote(&mut chain, validator(i), &change).unwrap());
        }
        assert_eq!(
            vote(&mut chain, validator(2), &change),
            Err("another validator's key".into())
        );
    }
    assert_eq!(chain.ok(user(0), validatorsCall {}).len(), 4);
}

#[test]
fn the_last_validator_stays() {
    let mut chain = Chain::new(1);
    assert_eq!(
        vote(&mut chain, validator(0), &remove(0)),
        Err("the last validator".into())
    );
}

#[test]
fn a_key_is_replaced_with_the_epoch() {
    let mut chain = Chain::new(4);
    let change = Change::ReplaceKey {
        key: key(8),
        address: validator(1),
    };
    assert!(votes(&mut chain, 3, &change));
    assert_eq!(active(&mut chain.store).unwrap()[1].key, key(1));
    // And again before it was in force.
    let change = Change::ReplaceKey {
        key: key(9),
        address: validator(1),
    };
    assert!(votes(&mut chain, 3, &change));
    chain.epoch();
    assert_eq!(active(&mut chain.store).unwrap()[1].key, key(9));
}

#[test]
fn there_is_room_for_a_hundred() {
    let mut file = sample(1);
    file.tokenomics.min_stake = tap(0);
    for i in 1..100u8 {
        let address = Address::with_last_byte(i);
        file.validators.push(l2_block::Validator {
            key: key(i),
            address,
            stake: tap(0),
        });
    }
    let mut chain = Chain::of(file);
    let addresses: Vec<Address> = chain.active();
    assert_eq!(addresses.len(), 100);
    let change = Change::Add {
        key: key(120),
        address: user(0),
    };
    for voter in &addresses[..66] {
        assert!(!vote(&mut chain, *voter, &change).unwrap());
    }
    // The dearest vote.
    assert_eq!(
        vote(&mut chain, addresses[66], &change),
        Err("no place for more validators".into())
    );
    let change = Change::Remove {
        address: addresses[50],
    };
    for voter in &addresses[..66] {
        assert!(!vote(&mut chain, *voter, &change).unwrap());
    }
    assert!(vote(&mut chain, addresses[66], &change).unwrap());
    chain.epoch();
    assert_eq!(chain.active().len(), 99);
    // The dearest reading and the dearest report.
    assert_eq!(chain.ok(user(0), validatorsCall {}).len(), 99);
    let evidence = chain.double_vote(0, 1, 0);
    chain.ok(
        user(0),
        reportEquivocationCall {
            evidence: evidence.encode().into(),
        },
    );
}
