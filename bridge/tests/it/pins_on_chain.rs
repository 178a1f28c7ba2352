//! Heavy children that a loser hangs on its transactions, on a real bitcoind under default policy.

use bitcoin::hashes::Hash;
use bitcoin::key::Keypair;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, Sequence, Transaction, TxIn, TxOut, Witness};
use bridge::TxName;
use bridge::connectors::own_signature_script;
use bridge::fees::Tier;
use ocp::Message;

use crate::races_on_chain::{bump, funding};
use crate::world::{SPENT, Scene, locks, operator, sign_output, terms, watchtower, x};

fn message(watchtower: u16, message: Message) -> TxName {
    TxName::Message { watchtower, message }
}

/// The mempool's word for a replacement that pays too little.
const POOR: &str = "insufficient fee";

/// `name` goes into the mempool with a child on its last output, its anchor, which fills the cluster to `vbytes` at `rate`.
fn pin(scene: &mut Scene, name: TxName, sender: &Keypair, vbytes: u64, rate: u64) -> Transaction {
    let money = funding(scene, sender);
    let pinned = scene.world.finalize(name, 0);
    scene.node.chain().accept(&pinned).unwrap();
    let anchor = pinned.output.len() as u32 - 1;
    let rest = vbytes - pinned.vsize() as u64;
    let child = pinning_child(&pinned, anchor, sender, Some(money), (rest, rate));
    scene.node.chain().accept(&child).unwrap();
    pinned
}

fn tiers() -> Vec<Tier> {
    terms().amounts.tiers().iter().map(|fee| fee.tier()).collect()
}

/// The lowest tier of `ending` that the mempool takes, all below being refused as too poor; it confirms alone.
fn first_that_replaces(scene: &mut Scene, ending: TxName, pinned: &Transaction) -> u8 {
    for tier in tiers() {
        let transaction = scene.world.finalize_at(ending, tier, 0);
        let refusal = scene.refusal_of(&transaction);
        if refusal == "accepted" {
            scene.node.chain().accept_and_confirm(&transaction).unwrap();
            let gone = scene.refusal_of(pinned);
            assert!(gone.contains(SPENT), "{gone}");
            return tier.get();
        }
        assert!(refusal.contains(POOR), "{ending}, {tier}: {refusal}");
    }
    panic!("no tier of {ending} replaces the pin");
}

#[test]
fn a_late_answer_under_a_heavy_child_is_replaced_by_a_higher_tier_alone() {
    let mut scene = Scene::claimed(91);
    scene.play_until(0, Message::Select(1));
    let own = funding(&mut scene, &watchtower(0));
    scene.mine(u32::from(locks().message));
    let open = pin(&mut scene, message(0, Message::Open), &operator(), 95_000, 1);
    let ending = TxName::OperatorLate {
        watchtower: 0,
        after: Message::Select(1),
        burns_claim: true,
    };
    // A child that pays for the lowest tier does not help at the highest rate of the terms.
    let win = scene.world.finalize(ending, 0);
    let fee = scene.world.graph.template(ending).unwrap().fee();
    let child = bump(&mut scene, (&win, fee, 0), &watchtower(0), 40, own);
    assert!(scene.node.chain().submit_package(&win, &child).is_err());
    assert_eq!(first_that_replaces(&mut scene, ending, &open), 1);
    let late = scene.world.finalize_at(ending, Tier::BASE.next(), 0);
    let paid = OutPoint {
        txid: late.compute_txid(),
        vout: 0,
    };
    assert!(scene.node.chain().unspent(paid).unwrap().is_some());
}

#[test]
fn the_dearer_the_pin_the_higher_the_tier() {
    let mut scene = Scene::claimed(92);
    for (rate, tier) in [(8, 2), (30, 3)] {
        scene.play_until(0, Message::Select(1));
        scene.mine(u32::from(locks().message));
        // A full cluster: 33 kvB at 1 sat/vB, the rest at `rate`.
        let open = pin(&mut scene, message(0, Message::Open), &operator(), 100_500, rate);
        let ending = TxName::OperatorLate {
            watchtower: 0,
            after: Message::Select(1),
            burns_claim: false,
        };
        assert_eq!(
            first_that_replaces(&mut scene, ending, &open),
            tier,
            "at {rate} sat/vB"
        );
        scene.another();
    }
}

#[test]
fn a_pin_above_the_highest_rate_of_the_terms_stays() {
    let mut scene = Scene::claimed(93);
    scene.play_until(0, Message::Select(1));
    scene.mine(u32::from(locks().message));
    // 33 kvB at 1 sat/vB and 67 kvB at 62: more than 101 kvB at 40.
    let open = pin(&mut scene, message(0, Message::Open), &operator(), 100_500, 62);
    let ending = TxName::OperatorLate {
        watchtower: 0,
        after: Message::Select(1),
        burns_claim: true,
    };
    for tier in tiers() {
        let refusal = scene.refusal_of(&scene.world.finalize_at(ending, tier, 0));
        assert!(refusal.contains(POOR), "{tier}: {refusal}");
    }
    // Whoever pays that is mined: the answer confirms, late, at its sender's cost.
    scene.node.chain().confirm_all(&[open.compute_txid()]).unwrap();
}

#[test]
fn a_challenge_under_a_heavy_child_does_not_hold_the_uncontested_take_up() {
    let mut scene = Scene::claimed(94);
    scene.mine(u32::from(locks().challenge));
    let challenge = pin(
        &mut scene,
        message(1, Message::Challenge),
        &watchtower(1),
        99_900,
        1,
    );
    assert_eq!(
        first_that_replaces(&mut scene, TxName::TakeUncontested, &challenge),
        1
    );
}

#[test]
fn a_late_choice_under_a_heavy_child_is_replaced_too() {
    let mut scene = Scene::claimed(95);
    scene.play_until(0, Message::Search(0));
    scene.mine(u32::from(locks().message));
    let select = pin(
        &mut scene,
        message(0, Message::Select(0)),
        &watchtower(0),
        99_900,
        1,
    );
    let ending = TxName::WatchtowerLate {
        watchtower: 0,
        after: Message::Search(0),
    };
    assert_eq!(first_that_replaces(&mut scene, ending, &select), 1);
}

#[test]
fn an_accomplices_pinned_win_does_not_stand_in_an_honest_ones_way() {
    let mut scene = Scene::claimed(90);
    let kickoff_height = scene.height();
    scene.play_until(0, Message::Challenge);
    scene.play_until(1, Message::Challenge);
    scene.mine(u32::from(locks().message));
    let late = |watchtower| TxName::OperatorLate {
        watchtower,
        after: Message::Challenge,
        burns_claim: true,
    };
    // The accomplice wins at the base rate and hangs nearly 100 kvB at 1 sat/vB on its payout.
    let pin = scene.world.finalize(late(0), 0);
    scene.node.chain().accept(&pin).unwrap();
    let weight = pinning_child(&pin, 0, &watchtower(0), None, (98_000, 1));
    assert!(weight.vsize() > 97_000);
    scene.node.chain().accept(&weight).unwrap();
    // The honest one wins beside it at the base rate; in the next block even, if miners leave the pin behind.
    let win = scene.world.finalize(late(1), 0);
    scene.node.chain().accept(&win).unwrap();
    scene.node.chain().confirm_all(&[win.compute_txid()]).unwrap();
    scene.assert_paid(late(1), &watchtower(1));
    let passed = scene.height() - kickoff_height;
    scene.mine(u32::from(locks().contested) - passed);
    assert!(scene.refusal(TxName::TakeContested).contains(SPENT));
}

/// A child of `parent` on output `vout` that only `pair` can make: `vbytes` heavy, at `rate` sat/vB, `more` of its own
/// money beside the output.
fn pinning_child(
    parent: &Transaction,
    vout: u32,
    pair: &bitcoin::key::Keypair,
    more: Option<(OutPoint, TxOut)>,
    (vbytes, rate): (u64, u64),
) -> Transaction {
    let held = OutPoint {
        txid: parent.compute_txid(),
        vout,
    };
    let (points, prevouts): (Vec<_>, Vec<_>) = core::iter::once((held, parent.output[vout as usize].clone()))
        .chain(more)
        .unzip();
    let dust = TxOut {
        value: Amount::from_sat(330),
        script_pubkey: own_signature_script(x(pair)),
    };
    let input = |previous_output: &OutPoint| TxIn {
        previous_output: *previous_output,
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        ..TxIn::default()
    };
    let mut child = Transaction {
        version: Version::TWO,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: points.iter().map(input).collect(),
        // An output is 43 bytes.
        output: vec![dust; (vbytes / 43 - 5) as usize],
    };
    let witness = bridge::weight::key_path();
    let fee = bridge::weight::signed_weight(&child, &vec![witness; points.len()]).to_vbytes_ceil();
    let spent: Amount = prevouts.iter().map(|out| out.value).sum();
    let rest: Amount = child.output[1..].iter().map(|out| out.value).sum();
    child.output[0].value = spent - rest - Amount::from_sat(fee * rate);
    for index in 0..points.len() {
        let sighash = bitcoin::sighash::SighashCache::new(&child)
            .taproot_key_spend_signature_hash(
                index,
                &bitcoin::sighash::Prevouts::All(&prevouts),
                bitcoin::sighash::TapSighashType::Default,
            )
            .unwrap()
            .to_byte_array();
        child.input[index].witness = Witness::from_slice(&[sign_output(pair, sighash).serialize()]);
    }
    child
}
