//! Every spend path of every connector in Bitcoin Core's script engine.

use bitcoin::consensus::serialize;
use bitcoin::{Amount, Sequence, Transaction, TxOut};
use bitcoinconsensus::{Utxo, VERIFY_ALL_PRE_TAPROOT, VERIFY_TAPROOT};
use bridge::TxName;
use bridge::connectors::LeafSpend;
use bridge::transactions::Template;
use ocp::Message;

use crate::trees::DISPROVE_LEAVES;
use crate::world::{World, operator, sign, sign_output, watchtower};

pub(crate) fn valid(transaction: &Transaction, prevouts: &[TxOut]) -> bool {
    (0..transaction.input.len()).all(|input| input_valid(transaction, prevouts, input))
}

fn input_valid(transaction: &Transaction, prevouts: &[TxOut], input: usize) -> bool {
    let bytes = serialize(transaction);
    let spent: Vec<Utxo> = prevouts
        .iter()
        .map(|out| Utxo {
            script_pubkey: out.script_pubkey.as_bytes().as_ptr(),
            script_pubkey_len: out.script_pubkey.len() as u32,
            value: out.value.to_sat() as i64,
        })
        .collect();
    let flags = VERIFY_ALL_PRE_TAPROOT | VERIFY_TAPROOT;
    let (script, value) = (
        prevouts[input].script_pubkey.as_bytes(),
        prevouts[input].value.to_sat(),
    );
    bitcoinconsensus::verify_with_flags(script, value, &bytes, Some(&spent), input, flags).is_ok()
}

fn leaves(world: &World, template: &Template) -> usize {
    match template.name() {
        TxName::Message { watchtower, message } => world
            .dispute(watchtower.into())
            .message(message)
            .map_or(1, |tx| tx.spent()[0].leaves().len()),
        TxName::Disprove { .. } => DISPROVE_LEAVES,
        TxName::ChoiceEquivocation { .. } => 4,
        _ => 1,
    }
}

/// All transactions, the ones without presignatures too.
pub(crate) fn all(world: &World) -> Vec<Template> {
    let mut all: Vec<Template> = world.graph.templates().into_iter().cloned().collect();
    all.extend(
        world
            .graph
            .disputes()
            .iter()
            .flat_map(|dispute| [dispute.close.template(), dispute.release.template()])
            .cloned(),
    );
    all
}

#[test]
fn every_transaction_by_every_leaf_is_valid_and_as_heavy_as_reckoned() {
    let world = World::offline(1);
    let mut spends = 0;
    for template in all(&world) {
        for leaf in 0..leaves(&world, &template) {
            let transaction = world.finalize_at(template.name(), template.tier(), leaf);
            assert!(
                valid(&transaction, template.prevouts()),
                "{} by leaf {leaf}",
                template.name()
            );
            let (weight, bound) = (transaction.weight(), template.max_weight());
            assert!(weight <= bound, "{}: {weight} over {bound}", template.name());
            assert!(
                bound.to_wu() - weight.to_wu() <= 8 + 64,
                "{}: {weight} far below {bound}",
                template.name()
            );
            for input in &transaction.input {
                assert!(input.witness.len() <= 1_002, "{}", template.name());
                let items = input.witness.len();
                let values = if items > 1 { items - 2 } else { items };
                assert!(values <= 1_000, "{}: {values} items", template.name());
                assert!(
                    input.witness.iter().take(values).all(|item| item.len() <= 80),
                    "{}",
                    template.name()
                );
                assert!(input.sequence.is_height_locked(), "{}", template.name());
                assert!(input.sequence.to_consensus_u32() >= 1, "{}", template.name());
            }
            spends += 1;
        }
    }
    assert!(spends > 100, "{spends}");
}

/// A change an attacker would like, and whether it leaves a transaction that differs.
type Change = (&'static str, fn(&mut Transaction) -> bool);

const CHANGES: [Change; 8] = [
    ("an output pays one satoshi less", |tx| {
        tx.output[0].value -= Amount::ONE_SAT;
        true
    }),
    ("an output pays another script", |tx| {
        tx.output[0].script_pubkey =
            bridge::connectors::own_signature_script(crate::world::x(&crate::world::keypair(99)));
        true
    }),
    ("outputs are swapped", |tx| {
        let last = tx.output.len() - 1;
        tx.output.swap(0, last);
        last > 0
    }),
    ("an output is dropped", |tx| {
        tx.output.pop();
        !tx.output.is_empty()
    }),
    ("an output is added", |tx| {
        let extra = tx.output[0].clone();
        tx.output.push(extra);
        true
    }),
    ("a lock is shortened", |tx| {
        let lock = tx.input[0].sequence.to_consensus_u32();
        tx.input[0].sequence = Sequence::from_consensus(lock - 1);
        true
    }),
    ("the lock time is raised", |tx| {
        tx.lock_time = bitcoin::absolute::LockTime::from_consensus(1);
        true
    }),
    ("the version is another", |tx| {
        tx.version = bitcoin::transaction::Version::ONE;
        true
    }),
];

#[test]
fn nothing_of_a_signed_transaction_can_be_changed() {
    let world = World::offline(2);
    for template in all(&world) {
        let honest = world.finalize_at(template.name(), template.tier(), 0);
        for (what, change) in CHANGES {
            let mut changed = honest.clone();
            if change(&mut changed) {
                assert!(
                    !valid(&changed, template.prevouts()),
                    "{}: {what}",
                    template.name()
                );
            }
        }
    }
}

#[test]
fn inputs_cannot_be_swapped_dropped_or_taken_alone() {
    let world = World::offline(3);
    for template in all(&world) {
        let honest = world.finalize_at(template.name(), template.tier(), 0);
        let last = honest.input.len() - 1;
        if last == 0 {
            continue;
        }
        let mut prevouts = template.prevouts().to_vec();
        let mut swapped = honest.clone();
        swapped.input.swap(0, last);
        prevouts.swap(0, last);
        assert!(!valid(&swapped, &prevouts), "{}: swapped", template.name());
        // A disprove leaf or an equivocation without the pot or the connectors would choose its own payout.
        for keep in 0..=last {
            let mut alone = honest.clone();
            alone.input = vec![honest.input[keep].clone()];
            assert!(
                !valid(&alone, &template.prevouts()[keep..=keep]),
                "{}: input {keep} alone",
                template.name()
            );
        }
    }
}

#[test]
fn amounts_of_spent_outputs_are_signed() {
    let world = World::offline(4);
    for template in all(&world) {
        let honest = world.finalize_at(template.name(), template.tier(), 0);
        let mut prevouts = template.prevouts().to_vec();
        prevouts[0].value += Amount::ONE_SAT;
        assert!(!valid(&honest, &prevouts), "{}", template.name());
    }
}

#[test]
fn a_damaged_signature_fails_on_every_input() {
    let world = World::offline(5);
    for template in all(&world) {
        let honest = world.finalize_at(template.name(), template.tier(), 0);
        for input in 0..honest.input.len() {
            let mut damaged = honest.clone();
            let mut items = damaged.input[input].witness.to_vec();
            let place = items
                .iter()
                .position(|item| item.len() == 64)
                .expect("every input is signed");
            items[place][5] ^= 1;
            damaged.input[input].witness = bitcoin::Witness::from_slice(&items);
            assert!(
                !input_valid(&damaged, template.prevouts(), input),
                "{}: input {input}",
                template.name()
            );
        }
    }
}

#[test]
fn signatures_of_one_instance_are_void_in_another() {
    let (one, other) = (World::offline(6), World::offline(7));
    for template in one.graph.templates() {
        let counterpart = other.graph.template(template.name()).unwrap();
        let mut replayed = counterpart.unsigned().clone();
        let signed = one.finalize_at(template.name(), template.tier(), 0);
        for (input, source) in replayed.input.iter_mut().zip(&signed.input) {
            input.witness = source.witness.clone();
        }
        assert!(!valid(&replayed, counterpart.prevouts()), "{}", template.name());
    }
}

#[test]
fn only_the_bond_owner_can_challenge() {
    let world = World::offline(8);
    let challenge = &world.dispute(0).challenge;
    let prevouts = challenge.template().prevouts();
    for thief in [operator(), watchtower(1)] {
        let signature = sign_output(&thief, challenge.bond_sighash());
        assert!(!valid(
            &challenge.finalize(&world.signatures, &signature).unwrap(),
            prevouts
        ));
    }
    let untweaked = sign(&watchtower(0), challenge.bond_sighash());
    assert!(!valid(
        &challenge.finalize(&world.signatures, &untweaked).unwrap(),
        prevouts
    ));
}

#[test]
fn a_lying_operator_cannot_end_its_dispute_in_the_form_that_keeps_the_claim() {
    let world = World::offline(9);
    for endings in &world.dispute(0).endings {
        for late in endings.operator_late.iter().flatten() {
            for thief in [operator(), watchtower(1)] {
                let signature = sign(&thief, late.watchtower_sighash());
                let stolen = late.finalize(&world.signatures, &signature).unwrap();
                assert!(
                    !valid(&stolen, late.template().prevouts()),
                    "{}",
                    late.template().name()
                );
            }
        }
    }
}

#[test]
fn nobody_but_the_operator_chooses_what_its_endings_and_takes_pay() {
    let world = World::offline(12);
    let graph = &world.graph;
    let mut tried = 0;
    for thief in [watchtower(0), watchtower(1), committee_lookalike()] {
        for endings in &world.dispute(0).endings {
            for late in endings.watchtower_late.iter().flat_map(|late| late.iter()) {
                let signature = sign(&thief, late.operator_sighash());
                let sent = late.finalize(&world.signatures, &signature).unwrap();
                assert!(
                    !valid(&sent, late.template().prevouts()),
                    "{}",
                    late.template().name()
                );
                tried += 1;
            }
        }
        for take in graph.take_uncontested().iter() {
            let signature = sign(&thief, take.operator_sighash());
            let sent = take.finalize(&world.signatures, &signature).unwrap();
            assert!(!valid(&sent, take.template().prevouts()));
            tried += 1;
        }
        for take in graph.take_contested().iter() {
            let signature = sign(&thief, take.operator_sighash());
            let sent = take.finalize(&world.signatures, &signature).unwrap();
            assert!(!valid(&sent, take.template().prevouts()));
            tried += 1;
        }
    }
    let tiers = graph.terms().amounts.tiers().len();
    assert_eq!(tried, 3 * tiers * (4 + 2));
}

/// A key of none of the parties.
fn committee_lookalike() -> bitcoin::key::Keypair {
    crate::world::keypair(99)
}

#[test]
fn a_signature_of_one_tier_is_void_in_another() {
    let world = World::offline(13);
    let after = Message::Challenge;
    let [late, _] = world
        .dispute(0)
        .endings(after)
        .unwrap()
        .operator_late
        .as_ref()
        .unwrap();
    let signed: Vec<_> = late
        .iter()
        .map(|late| {
            let signature = sign(&watchtower(0), late.watchtower_sighash());
            late.finalize(&world.signatures, &signature).unwrap()
        })
        .collect();
    assert_eq!(signed.len(), world.graph.terms().amounts.tiers().len());
    for (to, target) in signed.iter().enumerate() {
        for (from, source) in signed.iter().enumerate() {
            let mut moved = target.clone();
            for (input, other) in moved.input.iter_mut().zip(&source.input) {
                input.witness = other.witness.clone();
            }
            let holds = valid(&moved, late.template().prevouts());
            assert_eq!(holds, from == to, "signatures of tier {from} in tier {to}");
        }
    }
}

#[test]
fn a_disprove_leaf_needs_its_watchtower_and_its_values() {
    let world = World::offline(10);
    for after in [Message::Open, Message::Path] {
        let [disprove, _] = world
            .dispute(0)
            .endings(after)
            .unwrap()
            .disprove
            .as_ref()
            .unwrap();
        let shown = world.trees.contradiction(0, after, 1);
        let prevouts = disprove.template().prevouts();
        let play = |shown: &LeafSpend, in_leaf: &bitcoin::key::Keypair, in_pot: &bitcoin::key::Keypair| {
            let in_leaf = sign(in_leaf, disprove.leaf_sighash(shown));
            let in_pot = sign(in_pot, disprove.watchtower_sighash());
            disprove
                .finalize(&world.signatures, shown, &in_leaf, &in_pot)
                .unwrap()
        };
        let (honest, thief) = (watchtower(0), watchtower(1));
        assert!(valid(&play(&shown, &honest, &honest), prevouts));
        assert!(!valid(&play(&shown, &thief, &honest), prevouts));
        assert!(!valid(&play(&shown, &honest, &thief), prevouts));
        let mut invented = shown.clone();
        invented.values[3][0] ^= 1;
        assert!(!valid(&play(&invented, &honest, &honest), prevouts));
        let mut of_other_tree = world.trees.contradiction(1, after, 1);
        assert!(!valid(&play(&of_other_tree, &honest, &honest), prevouts));
        of_other_tree.script = shown.script;
        assert!(!valid(&play(&of_other_tree, &honest, &honest), prevouts));
    }
}

#[test]
fn an_equivocation_needs_the_operator_and_both_preimages() {
    let world = World::offline(11);
    for endings in world.dispute(0).endings.iter() {
        let Some(equivocation) = &endings.equivocation else {
            continue;
        };
        let prevouts = equivocation.template().prevouts();
        let shown = world.trees.two_choices(0, 2);
        let by = |pair: &bitcoin::key::Keypair, shown: &LeafSpend| {
            let signature = sign(pair, equivocation.leaf_sighash(shown));
            equivocation
                .finalize(&world.signatures, shown, &signature)
                .unwrap()
        };
        assert!(valid(&by(&operator(), &shown), prevouts));
        assert!(!valid(&by(&watchtower(1), &shown), prevouts));
        let mut once = shown.clone();
        once.values[0] = once.values[1].clone();
        assert!(!valid(&by(&operator(), &once), prevouts));
        let of_other_pot = world.trees.two_choices(1, 2);
        assert!(!valid(&by(&operator(), &of_other_pot), prevouts));
    }
}

#[test]
fn a_message_by_one_leaf_cannot_carry_the_signature_or_values_of_another() {
    let world = World::offline(12);
    let search = world.dispute(0).message(Message::Search(1)).unwrap();
    let prevouts = search.template().prevouts();
    let honest = world.trees.answers(0, Message::Search(1), 1);
    assert!(valid(
        &search.finalize(&world.signatures, &honest).unwrap(),
        prevouts
    ));
    let mut mixed = honest.clone();
    mixed[0].leaf = 2;
    assert!(!valid(
        &search.finalize(&world.signatures, &mixed).unwrap(),
        prevouts
    ));
    let of_other_dispute = world.trees.answers(1, Message::Search(1), 1);
    assert!(!valid(
        &search.finalize(&world.signatures, &of_other_dispute).unwrap(),
        prevouts
    ));
}
