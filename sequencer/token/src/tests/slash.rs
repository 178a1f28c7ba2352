//! Evidence of double signatures.

use alloc::{string::String, vec, vec::Vec};

use alloy_primitives::{B256, B512, U256};
use alloy_sol_types::SolEvent;
use l2_block::{Conflict, Evidence};

use super::{Chain, key, tap, user, validator};
use crate::{Change, IToken::*, words};

fn report(evidence: &Evidence) -> reportEquivocationCall {
    reportEquivocationCall {
        evidence: evidence.encode().into(),
    }
}

fn refused(chain: &mut Chain, evidence: &Evidence) -> String {
    chain.fails(user(0), report(evidence))
}

#[test]
fn who_signs_twice_is_slashed_and_out() {
    for proposal in [false, true] {
        let mut chain = Chain::new(4);
        chain.block(0);
        let evidence = if proposal {
            chain.double_proposal(2, 1, 0)
        } else {
            chain.double_vote(2, 1, 0)
        };
        let (slashed, logs) = chain.logs(user(0), report(&evidence)).unwrap();
        assert_eq!(slashed, tap(50_000));
        let event = Slashed::decode_log_data(logs.last().unwrap()).unwrap();
        assert_eq!((event.validator, event.amount), (validator(2), tap(50_000)));
        assert_eq!((event.height, event.round), (1, 0));
        assert_eq!(chain.ok(user(0), totalSupplyCall {}), tap(599_950_000));
        // Out with the epoch, for good.
        assert_eq!(chain.active().len(), 4);
        chain.epoch();
        assert_eq!(chain.active(), vec![validator(0), validator(1), validator(3)]);
        chain.epochs(3);
        assert_eq!(
            chain.fails(validator(2), unjailCall {}),
            "only a vote lets it in again"
        );
        assert_eq!(chain.active().len(), 3);
        // Its stakers can leave, nobody can come.
        let stake = stakeCall {
            validator: validator(2),
            amount: tap(1),
        };
        assert_eq!(chain.fails(user(0), stake), "no validator any more");
        chain.ok(
            validator(2),
            unstakeCall {
                validator: validator(2),
                amount: U256::MAX,
            },
        );
    }
}

#[test]
fn one_place_counts_once() {
    let mut chain = Chain::new(4);
    chain.epoch();
    let first = chain.double_vote(2, 5, 1);
    chain.ok(user(0), report(&first));
    assert_eq!(refused(&mut chain, &first), "slashed for it already");
    // The other way round, of the other kind, by the same key.
    let Conflict::Votes(a, b) = first.conflict else {
        unreachable!()
    };
    let turned = Evidence {
        key: first.key,
        conflict: Conflict::Votes(b, a),
    };
    assert_eq!(refused(&mut chain, &turned), "slashed for it already");
    let other = chain.double_proposal(2, 5, 1);
    assert_eq!(refused(&mut chain, &other), "slashed for it already");
    // Another round is another crime.
    let again = chain.double_vote(2, 5, 2);
    assert_eq!(chain.ok(user(0), report(&again)), tap(47_500));
}

#[test]
fn what_is_no_evidence() {
    let mut chain = Chain::new(4);
    chain.epochs(2);
    let good = chain.double_vote(2, 5, 1);
    let Conflict::Votes(a, b) = good.conflict else {
        unreachable!()
    };
    let with = |key, a, b| Evidence {
        key,
        conflict: Conflict::Votes(a, b),
    };
    assert_eq!(refused(&mut chain, &with(good.key, a, a)), "no conflict");
    // Somebody else's signatures, a key of nobody, no key.
    assert_eq!(refused(&mut chain, &with(key(1), a, b)), "wrong signature");
    assert_eq!(refused(&mut chain, &with(key(9), a, b)), "no validator's key");
    assert_eq!(refused(&mut chain, &with(B256::ZERO, a, b)), "no validator's key");
    // One true signature and one that is not.
    for changed in [B512::ZERO, B512::repeat_byte(0xff), a.signature] {
        let mut forged = b;
        forged.signature = changed;
        assert_eq!(refused(&mut chain, &with(good.key, a, forged)), "wrong signature");
        assert_eq!(refused(&mut chain, &with(good.key, forged, a)), "wrong signature");
    }
    for byte in 0..64 {
        let mut forged = b;
        forged.signature[byte] ^= 1;
        assert_eq!(refused(&mut chain, &with(good.key, a, forged)), "wrong signature");
    }
    // What was signed is something else.
    let mut other = b;
    other.message.value = Some(B256::repeat_byte(9));
    assert_eq!(refused(&mut chain, &with(good.key, a, other)), "wrong signature");
    for height in [0, 6, u64::MAX] {
        let (mut a, mut b) = (a, b);
        a.message.height = height;
        b.message.height = height;
        assert!(chain.call(user(0), report(&with(good.key, a, b))).is_err());
    }
    // Bytes.
    let bytes = good.encode();
    for end in 0..bytes.len() {
        let call = reportEquivocationCall {
            evidence: bytes[..end].to_vec().into(),
        };
        assert_eq!(chain.fails(user(0), call), "no evidence");
    }
    let call = reportEquivocationCall {
        evidence: vec![0xf8; 301].into(),
    };
    assert_eq!(chain.fails(user(0), call), "no evidence");
    // And nothing of it kept the true one away.
    chain.ok(user(0), report(&good));
}

#[test]
fn evidence_of_another_chain_is_none() {
    let mut chain = Chain::new(4);
    let mut other = chain.clone();
    other.hash = B256::repeat_byte(1);
    assert_eq!(
        refused(&mut chain, &other.double_vote(2, 1, 0)),
        "wrong signature"
    );
    assert_eq!(
        refused(&mut chain, &other.double_proposal(2, 1, 0)),
        "wrong signature"
    );
}

#[test]
fn the_last_validator_is_slashed_and_stays() {
    let mut chain = Chain::new(1);
    let evidence = chain.double_vote(0, 1, 0);
    assert_eq!(chain.ok(user(0), report(&evidence)), tap(50_000));
    chain.epochs(2);
    assert_eq!(chain.active(), vec![validator(0)]);
}

#[test]
fn leaving_does_not_outrun_evidence() {
    let mut chain = Chain::new(4);
    chain.ok(
        user(0),
        stakeCall {
            validator: validator(2),
            amount: tap(1_000),
        },
    );
    let evidence = chain.double_vote(2, 1, 0);
    // In nine different buckets, the validator's own stake too: the dearest slashing.
    let unstake = |amount| unstakeCall {
        validator: validator(2),
        amount,
    };
    for _ in 0..8 {
        chain.ok(validator(2), unstake(tap(100)));
        chain.epochs(2);
    }
    chain.ok(user(0), unstake(U256::MAX));
    // Sixteen epochs later it is the last moment.
    assert_eq!(chain.number, 160);
    let mut late = chain.clone();
    assert_eq!(chain.ok(user(5), report(&evidence)), tap(50_045));
    late.epoch();
    assert_eq!(refused(&mut late, &evidence), "evidence is too old");
    chain.epochs(20);
    assert_eq!(chain.ok(user(0), withdrawCall {}), tap(950));
    // The first hundred was ripe at the moment of the slash.
    assert_eq!(chain.ok(validator(2), withdrawCall {}), tap(100 + 7 * 95));
}

#[test]
fn what_is_ripe_is_free_whether_taken_or_not() {
    let mut chain = Chain::new(4);
    chain.ok(
        user(0),
        stakeCall {
            validator: validator(2),
            amount: tap(1_000),
        },
    );
    chain.ok(
        user(0),
        unstakeCall {
            validator: validator(2),
            amount: U256::MAX,
        },
    );
    chain.epochs(17);
    let evidence = chain.double_vote(2, chain.number, 0);
    chain.ok(user(5), report(&evidence));
    assert_eq!(chain.ok(user(0), withdrawCall {}), tap(1_000));
}

#[test]
fn a_retired_key_binds_until_it_retired_and_a_new_one_from_then() {
    let mut chain = Chain::new(4);
    let change = Change::ReplaceKey {
        key: key(9),
        address: validator(2),
    };
    for i in 0..3 {
        chain.ok(
            validator(i),
            voteCall {
                change: change.encode().into(),
            },
        );
    }
    chain.epochs(3);
    let old = |height| chain.double_vote(2, height, 0);
    let (then, now): (Vec<Evidence>, Vec<Evidence>) = ([1, 10].map(old).into(), [11, 25].map(old).into());
    for evidence in &now {
        assert_eq!(refused(&mut chain, evidence), "key was retired");
    }
    for evidence in &then {
        chain.ok(user(0), report(evidence));
    }
    let new = chain.double_vote(9, 25, 0);
    chain.ok(user(0), report(&new));
    assert_eq!(chain.word(words::BURNED), tap(50_000 + 47_500 + 45_125));
}

#[test]
fn a_whole_stake_can_be_lost_and_the_pool_goes_on() {
    let mut file = super::sample(4);
    file.tokenomics.equivocation_slash = 10_000;
    let mut chain = Chain::of(file);
    let evidence = chain.double_vote(2, 1, 0);
    assert_eq!(chain.ok(user(0), report(&evidence)), tap(1_000_000));
    let change = Change::Add {
        key: key(2),
        address: validator(2),
    };
    for i in [0, 1, 3] {
        chain.ok(
            validator(i),
            voteCall {
                change: change.encode().into(),
            },
        );
    }
    // Four are active until the epoch ends, three votes of four are enough.
    chain.ok(
        user(0),
        stakeCall {
            validator: validator(2),
            amount: tap(600_000),
        },
    );
    let stake = stakeOfCall {
        validator: validator(2),
        staker: user(0),
    };
    let held = chain.ok(user(0), stake);
    // Those who lost all have at most one unit back.
    assert!(tap(600_000) - held <= U256::from(1));
    chain.epoch();
    assert_eq!(chain.active().len(), 4);
}
