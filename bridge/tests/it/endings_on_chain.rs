//! Every transaction to its end on a real bitcoind under default policy.

use bitcoin::{OutPoint, TxOut};
use bridge::connectors::own_signature_script;
use bridge::transactions::Refund;
use bridge::{Blueprint, SatPerVbyte, TxName};
use ocp::{Message, Side};

use crate::world::{SPENT, Scene, locks, operator, plan, sign, terms, trees, user, watchtower, x};

fn messages() -> Vec<Message> {
    bridge::dispute::dispute_messages(&plan()).collect()
}

#[test]
fn an_unchallenged_claim_takes_the_deposit_after_the_challenge_period() {
    let mut scene = Scene::claimed(1);
    scene.send_after(TxName::TakeUncontested, locks().challenge);
    scene.assert_paid(TxName::TakeUncontested, &operator());
    let paid = scene.world.graph.take_uncontested().template().unsigned().output[0].value;
    let amounts = terms().amounts;
    assert!(
        paid > amounts.deposit + amounts.stake * 2
            && paid < amounts.deposit + amounts.stake * 2 + amounts.stake
    );
    assert!(scene.refusal(TxName::TakeContested).contains(SPENT));
    assert!(scene.refusal(TxName::Release { watchtower: 0 }).contains(SPENT));
    assert!(scene.refusal(TxName::Close { watchtower: 0 }).contains(SPENT));
}

#[test]
fn an_honest_operator_outlasts_a_dispute_and_takes_everything() {
    let mut scene = Scene::claimed(2);
    let kickoff_height = scene.height();
    scene.play_until(0, Message::Path);
    scene.send_after(
        TxName::WatchtowerLate {
            watchtower: 0,
            after: Message::Path,
        },
        locks().message,
    );
    scene.assert_paid(
        TxName::WatchtowerLate {
            watchtower: 0,
            after: Message::Path,
        },
        &operator(),
    );
    scene.send(TxName::Close { watchtower: 1 });
    scene.assert_paid(TxName::Close { watchtower: 1 }, &operator());
    let passed = (scene.height() - kickoff_height) as u16;
    scene.send_after(TxName::TakeContested, locks().contested - passed);
    scene.assert_paid(TxName::TakeContested, &operator());
    assert!(scene.refusal(TxName::Release { watchtower: 0 }).contains(SPENT));
}

#[test]
fn a_silent_operator_loses_after_each_message_and_its_claim_with_it() {
    let mut scene = Scene::claimed(3);
    let silent: Vec<Message> = messages()
        .into_iter()
        .filter(|m| m.sender() == Side::Watchtower)
        .collect();
    assert_eq!(silent.len(), 4);
    for after in silent {
        for burns_claim in [true, false] {
            let kickoff_height = scene.height();
            scene.play_until(0, after);
            let late = TxName::OperatorLate {
                watchtower: 0,
                after,
                burns_claim,
            };
            scene.send_after(late, locks().message);
            scene.assert_paid(late, &watchtower(0));
            let passed = scene.height() - kickoff_height;
            scene.mine(u32::from(locks().contested) - passed);
            let take = scene.refusal(TxName::TakeContested);
            if burns_claim {
                assert!(take.contains(SPENT), "{take}");
            } else {
                assert_eq!(take, "accepted", "the form without the claim leaves it alone");
            }
            scene.another();
        }
    }
}

#[test]
fn a_silent_watchtower_loses_after_each_message() {
    let mut scene = Scene::claimed(4);
    let silent: Vec<Message> = messages()
        .into_iter()
        .filter(|m| m.sender() == Side::Operator)
        .collect();
    assert_eq!(silent.len(), 4);
    for after in silent {
        scene.play_until(1, after);
        let late = TxName::WatchtowerLate { watchtower: 1, after };
        scene.send_after(late, locks().message);
        scene.assert_paid(late, &operator());
        scene.another();
    }
}

#[test]
fn a_contradiction_ends_a_dispute_after_open_and_after_path() {
    let mut scene = Scene::claimed(5);
    for after in [Message::Open, Message::Path] {
        for (burns_claim, leaf) in [(true, 0), (false, 3)] {
            scene.play_until(0, after);
            let disprove = TxName::Disprove {
                watchtower: 0,
                after,
                burns_claim,
            };
            scene.send_by_leaf(disprove, leaf);
            scene.assert_paid(disprove, &watchtower(0));
            let late = scene.refusal(TxName::WatchtowerLate { watchtower: 0, after });
            assert!(late.contains(SPENT), "{late}");
            scene.another();
        }
    }
}

#[test]
fn a_double_choice_ends_a_dispute_after_every_message() {
    let mut scene = Scene::claimed(6);
    for after in messages().into_iter().filter(|m| *m != Message::Challenge) {
        scene.play_until(0, after);
        let equivocation = TxName::ChoiceEquivocation { watchtower: 0, after };
        scene.send_by_leaf(equivocation, 1);
        scene.assert_paid(equivocation, &operator());
        scene.another();
    }
}

#[test]
fn every_choice_leads_on() {
    let mut scene = Scene::claimed(7);
    let choice = plan().answered(Message::Search(1)).unwrap();
    for leaf in 1..usize::from(plan().choice_values(choice)) {
        scene.play_until(0, Message::Select(0));
        scene.send_by_leaf(
            TxName::Message {
                watchtower: 0,
                message: Message::Search(1),
            },
            leaf,
        );
        scene.another();
    }
}

#[test]
fn what_nobody_wants_returns_to_the_operator() {
    let mut scene = Scene::claimed(8);
    let kickoff_height = scene.height();
    for index in 0..2 {
        let close = TxName::Close { watchtower: index };
        if index == 0 {
            scene.send_after(close, locks().challenge);
        } else {
            scene.send(close);
        }
        scene.assert_paid(close, &operator());
    }
    let passed = (scene.height() - kickoff_height) as u16;
    for watchtower in 0..2 {
        let release = TxName::Release { watchtower };
        if watchtower == 0 {
            scene.send_after(release, locks().release - passed);
        } else {
            scene.send(release);
        }
        scene.assert_paid(release, &operator());
    }
    assert!(scene.refusal(TxName::TakeContested).contains(SPENT));
}

#[test]
fn a_user_takes_an_unanswered_request_back() {
    let mut node = regtest::TestNode::start().unwrap();
    let blueprint = Blueprint::new(&terms(), &trees(9)).unwrap();
    let request = blueprint.quote().deposit_request.clone();
    let funded = node.fund(request.script_pubkey.clone(), request.value).unwrap();
    let destination = own_signature_script(x(&user()));
    let refund = |outpoint: OutPoint, request: TxOut| {
        let rate = SatPerVbyte::new(2).unwrap();
        let connector = blueprint.deposit_request().clone();
        Refund::new(connector, outpoint, request, destination.clone(), rate).unwrap()
    };
    let refund = refund(funded.outpoint, request);
    let transaction = refund.finalize(&sign(&user(), refund.user_sighash())).unwrap();
    let probe = |node: &regtest::TestNode, transaction| match node.chain().probe(transaction).unwrap() {
        regtest::Verdict::Accepted(_) => "accepted".to_owned(),
        regtest::Verdict::Rejected(rejection) => rejection.reason,
    };
    let delay = u32::from(terms().locks.refund.get());
    node.chain().mine(delay - 2).unwrap();
    assert_eq!(probe(&node, &transaction), "non-BIP68-final");
    node.chain().mine(1).unwrap();
    let stolen = refund
        .finalize(&sign(&operator(), refund.user_sighash()))
        .unwrap();
    assert!(probe(&node, &stolen).contains("Invalid Schnorr signature"));
    node.chain().accept_and_confirm(&transaction).unwrap();
}
