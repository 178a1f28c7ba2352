//! What a hostile side may do beyond lying: strange witnesses in blocks of a friendly miner, every leaf against the truth, all the
//! time that there is, and preimages that the other side does not know.

use std::collections::BTreeSet;

use bitcoin::{Transaction, Witness};
use ocp::adversary::Contrarian;
use ocp::player::{Duty, Ending};
use ocp::{Content, DisproveLeaves, Message};
use regtest::TestNode;
use scenarios::game::Game;
use scenarios::play::{AnyPolicy, honest, is_over};
use scenarios::stage::Nobody;

use crate::liars::FalseLeaf;
use crate::money::{self, entry};
use crate::seats::{self, EARLY, SPENT, nobody_absent, refusal};
use crate::trial::{self, a_load, false_sum, true_sum};

/// Every number in a witness written in a longer way: consensus lets them through, policy does not.
fn in_long_numbers(mut tx: Transaction) -> (Transaction, usize) {
    let mut changed = 0;
    for input in &mut tx.input {
        let mut items = input.witness.to_vec();
        // The last two are script and control block.
        let count = items.len().saturating_sub(2);
        for (i, item) in items[..count].iter_mut().enumerate() {
            let longer: &[&[u8]] = match item[..] {
                // Zero as negative zero, and as several zeros.
                [] => &[&[0x80], &[0, 0], &[0, 0, 0, 0x80]],
                // The largest digit is whatever is at least that large.
                [15] => &[&[15, 0], &[16], &[0xff, 0xff, 0xff, 0x7f]],
                [small] if small < 15 => &[&[small, 0], &[small, 0, 0], &[small, 0, 0, 0]],
                _ => continue,
            };
            *item = longer[i % longer.len()].to_vec();
            changed += 1;
        }
        input.witness = Witness::from_slice(&items);
    }
    (tx, changed)
}

/// Plays until the claim is decided, every message but the challenge in long numbers, put in a block by a friendly miner. Gives the
/// number of messages.
fn play_in_long_numbers(game: &mut Game<'_, '_, '_>) -> usize {
    let mut messages = 0;
    for _ in 0..u32::from(game.stage.deadlines.release) + 10 {
        if is_over(game.operator.player.log()) {
            break;
        }
        let mut due = game.operator.moves(game.stage).unwrap();
        for watchtower in &mut game.watchtowers {
            due.extend(watchtower.moves(game.stage).unwrap());
        }
        let mut block = Vec::new();
        for (duty, tx) in due {
            if matches!(&duty, Duty::Send { content, .. } if *content != Content::Challenge) {
                let (dressed, changed) = in_long_numbers(tx.clone());
                assert!(changed > 0, "{duty:?}");
                let refused = refusal(game.stage, &dressed).unwrap();
                assert!(refused.contains("script"), "{refused}");
                block.push(dressed);
            }
        }
        if block.is_empty() {
            game.act(nobody_absent).unwrap();
            game.mine(&mut Nobody).unwrap();
        } else {
            messages += block.len();
            game.reorganise(0, &[block]).unwrap();
        }
    }
    messages
}

#[test]
fn messages_in_long_numbers_are_read_as_what_script_takes_them_for() {
    let mut node = TestNode::start().unwrap();
    // A liar that hopes not to be understood, and that its values cannot be quoted.
    let trial = false_sum();
    let mut stage = trial::stage(
        &mut node,
        &trial.program,
        &trial.plan,
        1,
        "long numbers of a liar",
    );
    let policies = vec![honest(&stage, 0, &trial.program)];
    let run = FalseLeaf::new(&trial.program, &trial.inputs(), &trial.plan, a_load(&trial), 3);
    let mut game = seats::take(&mut stage, &trial.words, run, policies);
    let messages = play_in_long_numbers(&mut game);
    assert_eq!(messages, trial.plan.messages().len() - 1);
    assert_eq!(seats::endings(&game), [Some(Ending::Disproved { burned: true })]);
    // The leaf that quotes those values is relayed.
    money::assert_stake_lost(game.stage, entry(game.stage.timeline(), "Disprove after Path"), 0);
    money::assert_claim_burned(game.stage);

    // A watchtower that hopes that its choices are not understood.
    let trial = true_sum();
    let mut stage = trial::stage(
        &mut node,
        &trial.program,
        &trial.plan,
        1,
        "long numbers of a watchtower",
    );
    let policies = vec![AnyPolicy(Box::new(Contrarian::new(vec![0, 3, 2], Some(3))))];
    let mut game = seats::take(&mut stage, &trial.words, trial.truth(), policies);
    play_in_long_numbers(&mut game);
    assert_eq!(seats::endings(&game), [Some(Ending::WatchtowerLate)]);
    money::assert_bond_lost(game.stage, entry(game.stage.timeline(), "WatchtowerLate"));
    money::assert_deposit_taken(game.stage, entry(game.stage.timeline(), "TakeContested"));
}

/// Tries every leaf of the watchtower's on what the operator has published; the mempool refuses each because its script fails.
fn assert_no_leaf_fires(game: &mut Game<'_, '_, '_>, after: Message) {
    let stage = &*game.stage;
    let leaves = stage.claim.trees().leaves(0, after).unwrap();
    let seat = &mut game.watchtowers[0];
    let mut families = BTreeSet::new();
    for leaf in 0..leaves.len() {
        let family = leaves.id(leaf).unwrap().family();
        let duty = Duty::Disprove {
            dispute: 0,
            after,
            leaf,
            burn: true,
        };
        // Leaves about another choice than the one made quote values that were never signed.
        let Ok(tx) = seat.hands.act(&stage.claim, seat.player.log(), &duty) else {
            assert!(family.starts_with("15") || family.starts_with("14"), "{family}");
            continue;
        };
        let refused = refusal(stage, &tx).unwrap_or_else(|| panic!("{:?} fires", leaves.id(leaf)));
        assert!(refused.contains("mempool-script-verify-flag-failed"), "{refused}");
        families.insert(family);
    }
    let expected = if after == Message::Open { 15 } else { 1 };
    assert!(families.len() >= expected, "{families:?}");
}

#[test]
fn no_leaf_of_a_true_opening_or_path_can_be_spent() {
    let mut node = TestNode::start().unwrap();
    let trial = true_sum();
    let mut stage = trial::stage(&mut node, &trial.program, &trial.plan, 1, "every leaf");
    // A step in the middle, a load through memory.
    let step = a_load(&trial) as u8;
    let choices = vec![step / 16, step / 4 % 4, step % 4];
    let policies = vec![AnyPolicy(Box::new(Contrarian::new(choices, Some(1))))];
    let mut game = seats::take(&mut stage, &trial.words, trial.truth(), policies);
    for (message, name) in [(Message::Open, "Open [w0]"), (Message::Path, "Path [w0]")] {
        seats::play_until(&mut game, nobody_absent, |game| {
            money::names(game.stage.timeline()).contains(&name)
        });
        assert_no_leaf_fires(&mut game, message);
    }
    seats::play_out(&mut game, nobody_absent);
    assert_eq!(seats::endings(&game), [Some(Ending::WatchtowerLate)]);
}

#[test]
fn a_dispute_in_which_everyone_takes_all_the_time_there_is_ends_before_the_deposit_can_be_taken() {
    let mut node = TestNode::start().unwrap();
    let trial = false_sum();
    let mut stage = trial::stage(&mut node, &trial.program, &trial.plan, 1, "patience");
    let policies = vec![honest(&stage, 0, &trial.program)];
    let run = FalseLeaf::new(&trial.program, &trial.inputs(), &trial.plan, a_load(&trial), 0);
    let mut game = seats::take(&mut stage, &trial.words, run, policies);
    seats::play_until(&mut game, nobody_absent, |game| {
        game.operator.player.log().kickoff().is_some()
    });
    let kickoff = game.operator.player.log().tip();
    let deadlines = game.stage.deadlines;
    let take = seats::take_now(&mut game, &Duty::TakeContested);
    let mut longest = 0;
    while !is_over(game.operator.player.log()) {
        let log = game.operator.player.log();
        // The block before the first in which the other side's timeout could stand.
        let last = log.last(0).unwrap().height;
        let patience = last + u32::from(deadlines.message) - 1;
        let waits = log.tip() + 1 < patience;
        longest = longest.max(log.tip() - kickoff);
        assert_eq!(refusal(game.stage, &take).as_deref(), Some(EARLY));
        game.act(|_, duty| waits && matches!(duty, Duty::Send { .. } | Duty::Disprove { .. }))
            .unwrap();
        game.mine(&mut Nobody).unwrap();
    }
    // Far from the shortest possible, in which each of these moves takes as long as its confirmations.
    let moves = trial.plan.messages().len() as u32;
    assert!(
        longest > moves * u32::from(deadlines.confirmations) * 2,
        "{longest}"
    );
    assert_eq!(seats::endings(&game), [Some(Ending::Disproved { burned: true })]);
    assert!(
        money::names(game.stage.timeline())
            .iter()
            .all(|name| !name.contains("Late"))
    );
    assert_eq!(refusal(game.stage, &take).as_deref(), Some(SPENT));
    money::assert_claim_burned(game.stage);
}
