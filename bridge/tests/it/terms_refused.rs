//! Terms that a signer must refuse, with the reason it gives.

use bitcoin::Amount;
use bridge::committee::{Committee, CommitteeError};
use bridge::{Blocks, SatPerVbyte, Seat, Terms, TermsError};
use ocp::deadline::{DeadlineError, Race};

use crate::world::{committee, keypair, member_keypair, operator, plan, terms, watchtower, x};

fn refused(change: impl Fn(&mut Terms)) -> TermsError {
    let mut terms = terms();
    change(&mut terms);
    terms.check(&plan()).unwrap_err()
}

#[test]
fn the_terms_of_the_tests_hold() {
    terms().check(&plan()).unwrap();
}

#[test]
fn every_race_must_be_strict() {
    let race = |change: fn(&mut ocp::Deadlines)| match refused(|terms| change(&mut terms.locks.dispute)) {
        TermsError::Deadlines(DeadlineError::NotStrict { race, .. }) => race,
        other => panic!("{other}"),
    };
    assert_eq!(race(|d| d.message -= 1), Race::AnswerAgainstTimeout);
    assert_eq!(race(|d| d.challenge -= 1), Race::ChallengeAgainstTake);
    assert_eq!(race(|d| d.contested -= 1), Race::DisputeAgainstTake);
    assert_eq!(race(|d| d.release -= 1), Race::TakeAgainstRelease);
    assert_eq!(race(|d| d.confirmations = d.reorg), Race::AnswerAgainstReorg);
}

#[test]
fn a_refund_must_leave_time_to_sign_and_confirm() {
    // 2 * (k + reaction) + reorg = 2 * (2 + 2) + 1.
    let got = refused(|terms| terms.locks.refund = Blocks::new(9).unwrap());
    assert_eq!(got, TermsError::RefundTooEarly { bound: 9, got: 9 });
    let mut least = terms();
    least.locks.refund = Blocks::new(10).unwrap();
    least.check(&plan()).unwrap();
}

#[test]
fn every_role_has_a_seat_of_its_own() {
    assert_eq!(
        refused(|terms| terms.watchtowers[1].seat = Seat(4)),
        TermsError::NoSuchSeat {
            members: 4,
            got: Seat(4)
        }
    );
    assert_eq!(
        refused(|terms| terms.watchtowers[1].seat = terms.operator.seat),
        TermsError::SeatTwice { seat: Seat(0) }
    );
    assert!(matches!(
        refused(|terms| terms.watchtowers.clear()),
        TermsError::Watchtowers { got: 0, .. }
    ));
}

#[test]
fn every_role_has_a_key_of_its_own() {
    let own = |key| TermsError::KeyTwice { key };
    assert_eq!(
        refused(|terms| terms.watchtowers[0].key = x(&operator())),
        own(x(&operator()))
    );
    assert_eq!(
        refused(|terms| terms.watchtowers[1].key = x(&watchtower(0))),
        own(x(&watchtower(0)))
    );
    assert_eq!(
        refused(|terms| terms.user = x(&watchtower(1))),
        own(x(&watchtower(1)))
    );
    let aggregated = committee().key();
    assert_eq!(refused(|terms| terms.operator.key = aggregated), own(aggregated));
    // A member's committee key signs in sessions only.
    let member = x(&keypair(13));
    assert_eq!(
        member.serialize(),
        member_keypair(3).x_only_public_key().0.to_byte_array()
    );
    assert_eq!(refused(|terms| terms.user = member), own(member));
}

#[test]
fn amounts_have_bounds() {
    let small = |name: &str, error: TermsError| {
        assert!(
            matches!(error, TermsError::TooSmall { name: got, .. } if got == name),
            "{error}"
        );
    };
    small(
        "deposit",
        refused(|terms| terms.amounts.deposit = Amount::from_sat(329)),
    );
    small("stake", refused(|terms| terms.amounts.stake = Amount::ZERO));
    small("bond", refused(|terms| terms.amounts.bond = Amount::ZERO));
    small("burned", refused(|terms| terms.amounts.burned = Amount::ZERO));
    assert!(matches!(
        refused(|terms| terms.amounts.deposit = Amount::MAX),
        TermsError::TooLarge { .. }
    ));
    assert!(matches!(
        refused(|terms| terms.amounts.burned = terms.amounts.stake),
        TermsError::BurnsAll { .. }
    ));
    let rates = refused(|terms| terms.amounts.base_fee_rate = SatPerVbyte::new(41).unwrap());
    assert_eq!(
        rates.to_string(),
        "highest fee rate: expected at least 41 sat/vB, got 40 sat/vB"
    );
}

#[test]
fn a_committee_has_distinct_members() {
    let key = |seat| member_keypair(seat).public_key();
    assert_eq!(
        Committee::new(vec![key(0), key(1), key(0)]).unwrap_err(),
        CommitteeError::Duplicate { first: 0, second: 2 }
    );
    let negated = key(1).negate();
    assert_eq!(
        Committee::new(vec![key(0), key(1), negated]).unwrap_err(),
        CommitteeError::Duplicate { first: 1, second: 2 }
    );
    assert_eq!(
        Committee::new(vec![key(0)]).unwrap_err(),
        CommitteeError::TooFew { expected: 2, got: 1 }
    );
    assert_eq!(
        Committee::new(vec![]).unwrap_err(),
        CommitteeError::TooFew { expected: 2, got: 0 }
    );
}
