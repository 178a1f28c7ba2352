//! Double spends between endings, early and late moves, pinning and fee bumps on a real bitcoind under default policy.

use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, Sequence, Transaction, TxIn, TxOut, Witness};
use bridge::bump::BumpChild;
use bridge::connectors::own_signature_script;
use bridge::weight::MAX_BUMP_VBYTES;
use bridge::{SatPerVbyte, TxName};
use ocp::Message;

use crate::world::{SPENT, Scene, locks, operator, sign_output, watchtower, x};

fn message(watchtower: u16, message: Message) -> TxName {
    TxName::Message { watchtower, message }
}

#[test]
fn the_first_challenge_voids_take_uncontested() {
    let mut scene = Scene::claimed(20);
    scene.send(message(1, Message::Challenge));
    scene.mine(u32::from(locks().challenge));
    assert!(scene.refusal(TxName::TakeUncontested).contains(SPENT));
    assert!(scene.refusal(TxName::Close { watchtower: 1 }).contains(SPENT));
    // The other watchtower's stake is closed, the claim waits.
    assert_eq!(scene.refusal(TxName::Close { watchtower: 0 }), "accepted");
    assert_eq!(scene.refusal(TxName::TakeContested), "non-BIP68-final");
}

#[test]
fn a_take_voids_later_challenges() {
    let mut scene = Scene::claimed(21);
    scene.send_after(TxName::TakeUncontested, locks().challenge);
    for index in 0..2 {
        assert!(scene.refusal(message(index, Message::Challenge)).contains(SPENT));
    }
}

#[test]
fn every_winner_burns_its_own_right_and_one_is_enough() {
    let mut scene = Scene::claimed(22);
    scene.play_until(0, Message::Open);
    scene.play_until(1, Message::Open);
    let disprove = |watchtower, burns_claim| TxName::Disprove {
        watchtower,
        after: Message::Open,
        burns_claim,
    };
    scene.send(disprove(0, true));
    scene.assert_paid(disprove(0, true), &watchtower(0));
    assert_eq!(
        scene.refusal(disprove(1, true)),
        "accepted",
        "another's win is no conflict"
    );
    scene.mine(u32::from(locks().release));
    for take in [
        TxName::TakeContested,
        TxName::TakeUncontested,
        TxName::Release { watchtower: 0 },
    ] {
        assert!(scene.refusal(take).contains(SPENT), "{take}");
    }
    // The operator takes the other right back; the second winner's form without it still pays.
    scene.send(TxName::Release { watchtower: 1 });
    scene.assert_paid(TxName::Release { watchtower: 1 }, &operator());
    assert!(scene.refusal(disprove(1, true)).contains(SPENT));
    scene.send(disprove(1, false));
    scene.assert_paid(disprove(1, false), &watchtower(1));
    let graph = &scene.world.graph;
    let vault = graph.deposit().template().outpoint(0);
    assert!(
        scene.node.chain().unspent(vault).unwrap().is_some(),
        "the deposit stays"
    );
}

#[test]
fn a_friendly_watchtower_does_not_save_a_liars_claim() {
    let mut scene = Scene::claimed(23);
    let kickoff_height = scene.height();
    scene.play_until(0, Message::Challenge);
    scene.play_until(1, Message::Challenge);
    let late = |watchtower, burns_claim| TxName::OperatorLate {
        watchtower,
        after: Message::Challenge,
        burns_claim,
    };
    scene.mine(u32::from(locks().message));
    // The accomplice ends its own dispute in the form that keeps the claim; the honest one burns it.
    scene.send(late(0, false));
    scene.send(late(1, true));
    let passed = scene.height() - kickoff_height;
    scene.mine(u32::from(locks().contested) - passed);
    assert!(scene.refusal(TxName::TakeContested).contains(SPENT));
}

#[test]
fn a_dispute_ends_once() {
    let mut scene = Scene::claimed(24);
    scene.play_until(0, Message::Open);
    scene.send(TxName::Disprove {
        watchtower: 0,
        after: Message::Open,
        burns_claim: true,
    });
    scene.mine(u32::from(locks().message));
    let names: Vec<TxName> = scene
        .world
        .graph
        .templates()
        .iter()
        .map(|template| template.name())
        .collect();
    let mut endings = 0;
    for name in names {
        let of_dispute = matches!(
            name,
            TxName::Message { watchtower: 0, .. }
                | TxName::OperatorLate { watchtower: 0, .. }
                | TxName::WatchtowerLate { watchtower: 0, .. }
                | TxName::Disprove { watchtower: 0, .. }
                | TxName::ChoiceEquivocation { watchtower: 0, .. }
        );
        if of_dispute
            && name
                != (TxName::Disprove {
                    watchtower: 0,
                    after: Message::Open,
                    burns_claim: true,
                })
        {
            let refusal = scene.refusal(name);
            assert!(
                refusal.contains(SPENT) || refusal == "txn-already-known",
                "{name}: {refusal}"
            );
            endings += 1;
        }
    }
    assert!(endings > 20, "{endings}");
}

#[test]
fn an_answer_in_time_voids_the_timeout_and_a_confirmed_timeout_the_answer() {
    let mut scene = Scene::claimed(25);
    scene.send(message(0, Message::Challenge));
    let late = TxName::OperatorLate {
        watchtower: 0,
        after: Message::Challenge,
        burns_claim: true,
    };
    let answer = message(0, Message::Search(0));
    // At the deadline both are valid: whichever confirms, voids the other.
    scene.wait_for(late, locks().message);
    assert_eq!(scene.refusal(answer), "accepted");
    scene.send(answer);
    assert!(scene.refusal(late).contains(SPENT));

    scene.send(message(1, Message::Challenge));
    let late = TxName::OperatorLate {
        watchtower: 1,
        after: Message::Challenge,
        burns_claim: true,
    };
    scene.send_after(late, locks().message);
    assert!(scene.refusal(message(1, Message::Search(0))).contains(SPENT));
}

#[test]
fn messages_cannot_be_skipped_or_sent_twice() {
    let mut scene = Scene::claimed(26);
    scene.play_until(0, Message::Search(0));
    for later in [Message::Search(1), Message::Open, Message::Demand, Message::Path] {
        assert!(scene.refusal(message(0, later)).contains(SPENT), "{later}");
    }
    // The choice cannot be answered twice: neither by the same leaf nor by another.
    scene.send(message(0, Message::Select(0)));
    scene.send_by_leaf(message(0, Message::Search(1)), 1);
    for leaf in [0, 2, 3] {
        let again = scene.world.finalize(message(0, Message::Search(1)), leaf);
        let refusal = scene.refusal_of(&again);
        assert!(
            refusal.contains(SPENT) || refusal.contains("already-known"),
            "leaf {leaf}: {refusal}"
        );
    }
}

#[test]
fn an_operator_that_takes_its_outpoint_back_has_no_claim() {
    let mut scene = Scene::claimed(27);
    // A second graph whose kickoff is not sent.
    let world = crate::world::World::on_chain(&mut scene.node, 27_999);
    let claim = world.graph.claim()[0].output();
    let outpoint = world.graph.nominations().claim[0];
    let prevout = world.graph.blueprint().quote().claim[0].clone();
    let mut back = Transaction {
        version: Version::TWO,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: outpoint,
            sequence: Sequence::MAX,
            ..TxIn::default()
        }],
        output: vec![TxOut {
            value: prevout.value - Amount::from_sat(1_000),
            script_pubkey: own_signature_script(x(&operator())),
        }],
    };
    use bitcoin::key::TapTweak;
    let sighash = bitcoin::sighash::SighashCache::new(&back)
        .taproot_key_spend_signature_hash(
            0,
            &bitcoin::sighash::Prevouts::All(&[prevout]),
            bitcoin::sighash::TapSighashType::Default,
        )
        .unwrap()
        .to_byte_array();
    let secp = bitcoin::secp256k1::Secp256k1::new();
    let tweaked = operator().tap_tweak(&secp, claim.merkle_root()).to_keypair();
    let signature = crate::world::sign(&tweaked, sighash);
    back.input[0].witness = Witness::from_slice(&[signature.serialize()]);
    scene.node.chain().accept_and_confirm(&back).unwrap();
    scene.world = world;
    scene.send(TxName::Deposit);
    assert!(scene.refusal(TxName::Kickoff).contains(SPENT));
    assert!(scene.refusal(message(0, Message::Challenge)).contains(SPENT));
    assert!(scene.refusal(TxName::TakeContested).contains(SPENT));
}

/// A child on output `handle` of `parent`, signed by `pair`, with a confirmed output of `pair` beside it.
pub(crate) fn bump(
    scene: &mut Scene,
    parent: (&Transaction, Amount, usize),
    pair: &bitcoin::key::Keypair,
    rate: u32,
    funding: (OutPoint, TxOut),
) -> Transaction {
    let change = scene.node.funds.next_address().unwrap().script_pubkey();
    let rate = SatPerVbyte::new(rate).unwrap();
    let child = BumpChild::new(parent.0, parent.1, parent.2, funding, change, rate).unwrap();
    let signed = child.finalize(child.sighashes().map(|hash| sign_output(pair, hash)));
    assert!(signed.vsize() as u64 <= MAX_BUMP_VBYTES);
    signed
}

pub(crate) fn funding(scene: &mut Scene, pair: &bitcoin::key::Keypair) -> (OutPoint, TxOut) {
    let funded = scene
        .node
        .fund(own_signature_script(x(pair)), Amount::from_sat(5_000_000))
        .unwrap();
    (funded.outpoint, funded.txout)
}

#[test]
fn nobody_but_the_sender_attaches_a_child_to_an_unconfirmed_message() {
    let mut scene = Scene::claimed(28);
    for (sent, next) in [
        (Message::Challenge, Message::Search(0)),
        (Message::Search(0), Message::Select(0)),
        (Message::Select(0), Message::Search(1)),
    ] {
        let (sender, stranger) = match sent.sender() {
            ocp::Side::Operator => (operator(), watchtower(0)),
            ocp::Side::Watchtower => (watchtower(0), operator()),
        };
        let (own, other) = (funding(&mut scene, &sender), funding(&mut scene, &stranger));
        let transaction = scene.world.finalize(message(0, sent), 0);
        let accepted = scene.node.chain().accept(&transaction).unwrap();
        let mut children = vec![message(0, next)];
        if sent.sender() == ocp::Side::Watchtower {
            children.push(TxName::OperatorLate {
                watchtower: 0,
                after: sent,
                burns_claim: true,
            });
            children.push(TxName::OperatorLate {
                watchtower: 0,
                after: sent,
                burns_claim: false,
            });
        } else {
            children.push(TxName::WatchtowerLate {
                watchtower: 0,
                after: sent,
            });
        }
        if sent != Message::Challenge {
            children.push(TxName::ChoiceEquivocation {
                watchtower: 0,
                after: sent,
            });
        }
        for child in children {
            assert_eq!(
                scene.refusal(child),
                "non-BIP68-final",
                "{child} on unconfirmed {sent}"
            );
        }
        // The anchor is the sender's alone.
        let anchor = transaction.output.len() - 1;
        let parent = (&transaction, accepted.fee, anchor);
        let by_stranger = bump(&mut scene, parent, &stranger, 20, other);
        assert!(
            scene
                .refusal_of(&by_stranger)
                .contains("Invalid Schnorr signature"),
            "{sent}"
        );
        let by_sender = bump(&mut scene, parent, &sender, 20, own);
        scene.node.chain().accept(&by_sender).unwrap();
        let both = [transaction.compute_txid(), by_sender.compute_txid()];
        scene.node.chain().confirm_all(&both).unwrap();
    }
}

#[test]
fn the_largest_message_and_its_bump_child_pass_as_a_package_at_a_high_rate() {
    let mut scene = Scene::claimed(29);
    scene.play_until(0, Message::Select(1));
    let own = funding(&mut scene, &operator());
    let open = scene.world.finalize(message(0, Message::Open), 0);
    assert!(open.vsize() > 30_000);
    let fee = scene
        .world
        .dispute(0)
        .message(Message::Open)
        .unwrap()
        .template()
        .fee();
    let child = bump(
        &mut scene,
        (&open, fee, open.output.len() - 1),
        &operator(),
        40,
        own,
    );
    let package = scene.node.chain().submit_package(&open, &child).unwrap();
    let total = package.parent.fee + package.child.fee;
    let vbytes = package.parent.vsize + package.child.vsize;
    assert!(total.to_sat() >= 40 * vbytes, "{total} for {vbytes}");
    scene
        .node
        .chain()
        .confirm_all(&[open.compute_txid(), child.compute_txid()])
        .unwrap();
}

#[test]
fn a_winner_hurries_its_win_through_its_payout() {
    let mut scene = Scene::claimed(30);
    scene.play_until(0, Message::Open);
    let own = funding(&mut scene, &watchtower(0));
    let name = TxName::Disprove {
        watchtower: 0,
        after: Message::Open,
        burns_claim: true,
    };
    let disprove = scene.world.finalize(name, 2);
    let accepted = scene.node.chain().accept(&disprove).unwrap();
    let child = bump(&mut scene, (&disprove, accepted.fee, 0), &watchtower(0), 25, own);
    scene.node.chain().accept(&child).unwrap();
    scene
        .node
        .chain()
        .confirm_all(&[disprove.compute_txid(), child.compute_txid()])
        .unwrap();
}

#[test]
fn a_message_survives_a_reorganisation_and_confirms_again() {
    let mut scene = Scene::claimed(31);
    scene.play_until(0, Message::Search(0));
    scene.node.chain().reorg(1).unwrap();
    let search = message(0, Message::Search(0));
    let state = scene.refusal(search);
    assert!(
        state == "txn-already-in-mempool" || state == "txn-already-known" || state == "accepted",
        "{state}"
    );
    scene.mine(1);
    scene.send(message(0, Message::Select(0)));
}
