//! Several watchtowers in one claim: whoever comes second still wins, and no friend saves a liar.

use bridge::transactions::{Challenge, Kickoff};
use ocp::Content;
use ocp::adversary::{Contrarian, flip_result};
use ocp::player::{Duty, Ending, Settlement};
use regtest::TestNode;
use scenarios::game::Game;
use scenarios::play::{AnyPolicy, honest};
use scenarios::report::Who;
use scenarios::stage::Nobody;

use crate::money::{self, entry};
use crate::seats::{self, SPENT, nobody_absent, refusal};
use crate::trial::{self, false_sum, true_sum};

fn contrarian(choices: &[u8], demand: Option<u8>) -> AnyPolicy {
    AnyPolicy(Box::new(Contrarian::new(choices.to_vec(), demand)))
}

/// Nothing takes the deposit any more, however late.
fn assert_untakeable(game: &mut Game<'_, '_, '_>) {
    let release = u32::from(game.stage.deadlines.release);
    game.stage.node.chain().mine(release).unwrap();
    money::assert_claim_burned(game.stage);
    let takes = [
        seats::take_now(game, &Duty::TakeUncontested),
        seats::take_now(game, &Duty::TakeContested),
    ];
    for take in takes {
        assert_eq!(refusal(game.stage, &take).as_deref(), Some(SPENT));
    }
}

#[test]
fn two_honest_watchtowers_in_step_both_win_in_one_block() {
    let mut node = TestNode::start().unwrap();
    let trial = false_sum();
    let mut stage = trial::stage(&mut node, &trial.program, &trial.plan, 2, "in step");
    let policies = (0..2).map(|d| honest(&stage, d, &trial.program)).collect();
    let run = trial.liar(flip_result(41, 3));
    let mut game = seats::take(&mut stage, &trial.words, run, policies);
    seats::play_out(&mut game, nobody_absent);
    // Each burns the right to the deposit against itself; their wins have no input in common.
    assert_eq!(
        seats::endings(&game),
        [Some(Ending::Disproved { burned: true }); 2]
    );
    let mut heights = Vec::new();
    for dispute in [0, 1] {
        assert!(game.conviction(dispute).unwrap().starts_with("5 result"));
        let name = format!("Disprove after Open [w{dispute}");
        let win = entry(game.stage.timeline(), &name);
        heights.push(win.height);
        money::assert_stake_lost(game.stage, win, dispute);
    }
    assert_eq!(heights[0], heights[1]);
    assert_untakeable(&mut game);
}

#[test]
fn the_second_honest_watchtower_wins_as_the_first_did() {
    let mut node = TestNode::start().unwrap();
    let trial = false_sum();
    let mut stage = trial::stage(&mut node, &trial.program, &trial.plan, 2, "one after the other");
    let policies = (0..2).map(|d| honest(&stage, d, &trial.program)).collect();
    let run = trial.liar(flip_result(41, 3));
    let mut game = seats::take(&mut stage, &trial.words, run, policies);
    // The operator answers the first watchtower and keeps silent towards the second; so the first wins by a leaf, later
    // than the second by deadline.
    seats::play_out(&mut game, |who, duty| {
        who == Who::Operator && matches!(duty, Duty::Send { dispute: 1, .. })
    });
    let endings = seats::endings(&game);
    assert_eq!(endings[1], Some(Ending::OperatorLate { burned: true }));
    assert_eq!(endings[0], Some(Ending::Disproved { burned: true }));
    money::assert_stake_lost(game.stage, entry(game.stage.timeline(), "OperatorLate"), 1);
    money::assert_stake_lost(game.stage, entry(game.stage.timeline(), "Disprove"), 0);
    assert_untakeable(&mut game);
}

#[test]
fn a_friend_of_the_liar_loses_its_bond_and_does_not_save_the_claim() {
    let mut node = TestNode::start().unwrap();
    let trial = false_sum();
    let mut stage = trial::stage(&mut node, &trial.program, &trial.plan, 2, "friend");
    let policies = vec![contrarian(&[0, 1, 2], Some(0)), honest(&stage, 1, &trial.program)];
    let run = trial.liar(flip_result(41, 3));
    let mut game = seats::take(&mut stage, &trial.words, run, policies);
    seats::play_out(&mut game, nobody_absent);
    let endings = seats::endings(&game);
    assert_eq!(endings[0], Some(Ending::WatchtowerLate));
    assert_eq!(endings[1], Some(Ending::Disproved { burned: true }));
    money::assert_bond_lost(game.stage, entry(game.stage.timeline(), "WatchtowerLate"));
    money::assert_stake_lost(game.stage, entry(game.stage.timeline(), "Disprove"), 1);
    assert_untakeable(&mut game);
}

#[test]
fn a_true_claim_outlasts_two_lying_watchtowers() {
    let mut node = TestNode::start().unwrap();
    let trial = true_sum();
    let mut stage = trial::stage(&mut node, &trial.program, &trial.plan, 2, "outlast");
    let policies = vec![contrarian(&[3, 0, 1], None), contrarian(&[7, 3, 3], Some(3))];
    let mut game = seats::take(&mut stage, &trial.words, trial.truth(), policies);
    seats::play_out(&mut game, nobody_absent);
    assert_eq!(seats::endings(&game), [Some(Ending::WatchtowerLate); 2]);
    assert_eq!(
        game.operator.player.log().settlement(),
        Some(Settlement::TakenContested)
    );
    let timeline = game.stage.timeline();
    for late in ["WatchtowerLate after Open [w0]", "WatchtowerLate after Path [w1]"] {
        money::assert_bond_lost(game.stage, entry(timeline, late));
    }
    money::assert_deposit_taken(game.stage, entry(timeline, "TakeContested"));
}

#[test]
fn one_challenge_voids_the_quick_way_to_the_deposit() {
    let mut node = TestNode::start().unwrap();
    let trial = true_sum();
    let mut stage = trial::stage(&mut node, &trial.program, &trial.plan, 2, "one challenge");
    let policies = vec![
        contrarian(&[1, 1, 1], None),
        AnyPolicy(Box::new(scenarios::play::Asleep)),
    ];
    let mut game = seats::take(&mut stage, &trial.words, trial.truth(), policies);
    let challenged = |game: &Game<'_, '_, '_>| game.operator.player.log().challenged(0);
    seats::play_until(&mut game, nobody_absent, challenged);
    let take = seats::take_now(&mut game, &Duty::TakeUncontested);
    let graph = game.stage.claim.graph();
    assert_eq!(refusal(game.stage, &take).as_deref(), Some(SPENT));
    // The challenge took that watchtower's stake into its pot; the other's stays where it was.
    let kickoff = graph.kickoff().template();
    let pot = graph.disputes()[0].challenge.template().outpoint(Challenge::POT);
    let unspent = |outpoint| game.stage.node.chain().unspent(outpoint).unwrap().is_some();
    assert!(!unspent(kickoff.outpoint(Kickoff::challenge_vout(0))) && unspent(pot));
    assert!(unspent(kickoff.outpoint(Kickoff::challenge_vout(1))));
    seats::play_out(&mut game, nobody_absent);
    let timeline = game.stage.timeline();
    money::assert_bond_lost(game.stage, entry(timeline, "WatchtowerLate"));
    entry(timeline, "Close [w1]");
    money::assert_deposit_taken(game.stage, entry(timeline, "TakeContested"));
}

#[test]
fn a_challenge_after_the_deposit_is_taken_is_answered() {
    let mut node = TestNode::start().unwrap();
    let trial = true_sum();
    let mut stage = trial::stage(&mut node, &trial.program, &trial.plan, 2, "late challenge");
    let policies = vec![contrarian(&[1, 1, 1], None), contrarian(&[2, 2, 2], None)];
    let mut game = seats::take(&mut stage, &trial.words, trial.truth(), policies);
    // The second watchtower waits, and the operator does not take that stake back.
    let taken = |game: &Game<'_, '_, '_>| game.operator.player.log().settlement().is_some();
    let second = |duty: &Duty| {
        matches!(
            duty,
            Duty::Close { .. }
                | Duty::Send {
                    dispute: 1,
                    content: Content::Challenge
                }
        )
    };
    seats::play_until(&mut game, |_, duty| second(duty), taken);
    money::assert_deposit_taken(game.stage, entry(game.stage.timeline(), "TakeContested"));
    let duty = Duty::Send {
        dispute: 1,
        content: Content::Challenge,
    };
    let (seat, claim) = (&mut game.watchtowers[1], &game.stage.claim);
    let challenge = seat.hands.act(claim, seat.player.log(), &duty).unwrap();
    game.stage.send(Who::Watchtower, &challenge).unwrap();
    game.mine(&mut Nobody).unwrap();
    seats::play_until(&mut game, nobody_absent, |game| seats::endings(game)[1].is_some());
    assert_eq!(seats::endings(&game), [Some(Ending::WatchtowerLate); 2]);
    for dispute in 0..2 {
        let name = format!("WatchtowerLate after Open [w{dispute}]");
        money::assert_bond_lost(game.stage, entry(game.stage.timeline(), &name));
    }
}
