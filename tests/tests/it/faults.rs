//! Crashes, re-organisations and a restarted node: none of them changes who is right.

use std::path::Path;

use bitcoin::Transaction;
use ocp::adversary::{Contrarian, flip_result};
use ocp::player::{Duty, Ending};
use ocp::{Content, Message};
use regtest::TestNode;
use scenarios::game::{AnyGuard, Game, OperatorSeat, WatchtowerSeat};
use scenarios::play::{AnyPolicy, honest, is_over};
use scenarios::report::Who;
use scenarios::stage::{Nobody, Stage};
use taptree_commit::guard::FileGuard;

use crate::liars::FalseLeaf;
use crate::money::{self, entry};
use crate::seats::{self, memory, nobody_absent};
use crate::trial::{self, Trial, a_load, false_sum, true_sum};

fn reopened(dir: &Path) -> AnyGuard {
    Box::new(FileGuard::open(dir, dir).unwrap())
}

fn created(dir: &Path) -> AnyGuard {
    Box::new(FileGuard::create(dir, dir).unwrap())
}

/// The operator forgets everything but its guard, and reads the chain again.
fn crash_operator(game: &mut Game<'_, '_, '_>, trial: &Trial, liar: &dyn Fn() -> FalseLeaf, dir: &Path) {
    let seat = |game: &Game<'_, '_, '_>, guard| {
        OperatorSeat::new(game.stage, &trial.words, Box::new(liar()), guard).unwrap()
    };
    // Lets go of the files first, as a process that dies does.
    game.operator = seat(game, memory());
    game.operator = seat(game, reopened(dir));
    for event in game.history().unwrap() {
        game.operator.player.on_event(event);
    }
}

/// The watchtower forgets everything but its guard, and reads the chain again.
fn crash_watchtower(game: &mut Game<'_, '_, '_>, trial: &Trial, dir: &Path) {
    let seat = |game: &Game<'_, '_, '_>, guard| {
        let policy = honest(game.stage, 0, &trial.program);
        WatchtowerSeat::new(game.stage, 0, policy, guard)
    };
    game.watchtowers[0] = seat(game, memory());
    game.watchtowers[0] = seat(game, reopened(dir));
    for event in game.history().unwrap() {
        game.watchtowers[0].player.on_event(event);
    }
}

type Moves = Vec<(Duty, Transaction)>;

fn moves(game: &mut Game<'_, '_, '_>) -> (Moves, Moves) {
    let operator = game.operator.moves(game.stage).unwrap();
    let watchtower = game.watchtowers[0].moves(game.stage).unwrap();
    (operator, watchtower)
}

#[test]
fn a_crash_of_both_sides_before_and_after_every_block_changes_no_byte() {
    let mut node = TestNode::start().unwrap();
    let trial = false_sum();
    let mut stage = trial::stage(&mut node, &trial.program, &trial.plan, 1, "crashes");
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [operator_dir, watchtower_dir] = [dirs[0].path(), dirs[1].path()];
    let step = a_load(&trial);
    let liar = || FalseLeaf::new(&trial.program, &trial.inputs(), &trial.plan, step, 2);
    let operator = OperatorSeat::new(&stage, &trial.words, Box::new(liar()), created(operator_dir)).unwrap();
    let policy = honest(&stage, 0, &trial.program);
    let watchtower = WatchtowerSeat::new(&stage, 0, policy, created(watchtower_dir));
    let mut game = Game::new(&mut stage, operator, vec![watchtower]).unwrap();
    let (mut crashes, mut signed) = (0, 0);
    while !is_over(game.operator.player.log()) {
        assert!(crashes < 200, "{:?}", money::names(game.stage.timeline()));
        // Everything due is signed and on record, but not sent.
        let before = moves(&mut game);
        crash_operator(&mut game, &trial, &liar, operator_dir);
        crash_watchtower(&mut game, &trial, watchtower_dir);
        assert_eq!(moves(&mut game), before, "after {crashes} crashes");
        signed += before.0.len() + before.1.len();
        game.act(nobody_absent).unwrap();
        // Sent, but not confirmed.
        crash_operator(&mut game, &trial, &liar, operator_dir);
        crash_watchtower(&mut game, &trial, watchtower_dir);
        assert_eq!(moves(&mut game), before, "after {crashes} crashes");
        game.mine(&mut Nobody).unwrap();
        crashes += 2;
    }
    // Kickoff, challenge, three rounds, opening, demand, path, leaf: each was due in one block at least.
    assert!(signed >= 12 && crashes > 50, "{signed} {crashes}");
    assert_eq!(seats::endings(&game), [Some(Ending::Disproved { burned: true })]);
    assert!(game.conviction(0).unwrap().starts_with("14 path"));
    money::assert_stake_lost(game.stage, entry(game.stage.timeline(), "Disprove after Path"), 0);
    money::assert_claim_burned(game.stage);
}

/// Messages of the claim in the last block.
fn just_confirmed(game: &Game<'_, '_, '_>, start: usize) -> Vec<String> {
    let timeline = &game.stage.timeline()[start.min(game.stage.timeline().len())..];
    timeline.iter().map(|entry| entry.transaction.clone()).collect()
}

#[test]
fn two_blocks_lost_after_every_message_change_nothing() {
    let mut node = TestNode::start().unwrap();
    let trial = false_sum();
    let mut stage = trial::stage(&mut node, &trial.program, &trial.plan, 1, "reorganisations");
    let policies = vec![honest(&stage, 0, &trial.program)];
    let run = FalseLeaf::new(&trial.program, &trial.inputs(), &trial.plan, a_load(&trial), 1);
    let mut game = seats::take(&mut stage, &trial.words, run, policies);
    let mut undone: Vec<String> = Vec::new();
    for _ in 0..200 {
        if is_over(game.operator.player.log()) {
            break;
        }
        let before = game.stage.timeline().len();
        game.act(nobody_absent).unwrap();
        game.mine(&mut Nobody).unwrap();
        let new = just_confirmed(&game, before);
        if let Some(name) = new
            .into_iter()
            .find(|name| !undone.contains(name) && !name.starts_with("Disprove"))
        {
            // One more block on it, and both are gone: what they held is back in the mempool.
            game.act(nobody_absent).unwrap();
            game.mine(&mut Nobody).unwrap();
            game.reorganise(2, &[vec![], vec![], vec![]]).unwrap();
            assert_eq!(game.stage.timeline().len(), before, "{name} is undone");
            undone.push(name);
        }
    }
    assert_eq!(undone.len(), trial.plan.messages().len(), "{undone:?}");
    assert_eq!(seats::endings(&game), [Some(Ending::Disproved { burned: true })]);
    money::assert_stake_lost(game.stage, entry(game.stage.timeline(), "Disprove after Path"), 0);
    money::assert_claim_burned(game.stage);
}

/// What a watchtower says that has forgotten what it said.
fn said_anew(game: &Game<'_, '_, '_>, content: Content) -> Transaction {
    let policy = AnyPolicy(Box::new(Contrarian::new(vec![], None)));
    let mut other = WatchtowerSeat::new(game.stage, 0, policy, memory());
    let duty = Duty::Send { dispute: 0, content };
    let log = game.watchtowers[0].player.log();
    other.hands.act(&game.stage.claim, log, &duty).unwrap()
}

#[test]
fn a_choice_that_is_replaced_by_another_costs_the_bond() {
    let mut node = TestNode::start().unwrap();
    let trial = true_sum();
    let select = |round, choice| Content::Select { round, choice };
    // A choice, its replacement, and how many blocks are replaced: two as assumed, or so many that the operator has
    // answered the first.
    let cases = [
        (Message::Select(0), select(0, 6), 2),
        (Message::Select(1), select(1, 0), 4),
        (Message::Select(2), select(2, 3), 2),
        (Message::Demand, Content::Demand { segment: 0 }, 2),
        (Message::Demand, Content::Demand { segment: 1 }, 4),
    ];
    for (case, (message, other, depth)) in cases.into_iter().enumerate() {
        let name = format!("equivocation {case}");
        let mut stage = trial::stage(&mut node, &trial.program, &trial.plan, 1, &name);
        let policies = vec![AnyPolicy(Box::new(Contrarian::new(vec![3, 2, 1], Some(2))))];
        let mut game = seats::take(&mut stage, &trial.words, trial.truth(), policies);
        let seen = format!("{message} [w0]");
        seats::play_until(&mut game, nobody_absent, |game| {
            money::names(game.stage.timeline()).contains(&seen.as_str())
        });
        let first = entry(game.stage.timeline(), &seen).txid;
        let second = said_anew(&game, other);
        assert_eq!(second.compute_txid(), first, "only witnesses differ");
        for _ in 1..depth {
            game.act(nobody_absent).unwrap();
            game.mine(&mut Nobody).unwrap();
        }
        // An answer waits for the confirmations that outlast the assumed depth.
        let answered = money::last_name(game.stage.timeline()) != seen;
        assert_eq!(answered, depth > u32::from(game.stage.deadlines.reorg), "{name}");
        let mut blocks = vec![vec![]; depth as usize + 1];
        blocks[0] = vec![second];
        game.reorganise(depth, &blocks).unwrap();
        // Whatever the watchtower does now is too late.
        seats::play_out(&mut game, nobody_absent);
        assert_eq!(seats::endings(&game), [Some(Ending::Equivocated)], "{name}");
        let timeline = game.stage.timeline();
        let equivocation = format!("ChoiceEquivocation after {message}");
        money::assert_bond_lost(game.stage, entry(timeline, &equivocation));
        money::assert_deposit_taken(game.stage, entry(timeline, "TakeContested"));
    }
}

#[test]
fn an_operator_that_forgot_the_first_choice_does_not_answer_the_second() {
    let mut node = TestNode::start().unwrap();
    let trial = true_sum();
    let mut stage = trial::stage(&mut node, &trial.program, &trial.plan, 1, "forgotten choice");
    let dir = tempfile::tempdir().unwrap();
    let run = || Box::new(trial.truth());
    let operator = OperatorSeat::new(&stage, &trial.words, run(), created(dir.path())).unwrap();
    let policy = AnyPolicy(Box::new(Contrarian::new(vec![3, 2, 1], None)));
    let watchtower = WatchtowerSeat::new(&stage, 0, policy, memory());
    let mut game = Game::new(&mut stage, operator, vec![watchtower]).unwrap();
    seats::play_until(&mut game, nobody_absent, |game| {
        money::names(game.stage.timeline()).contains(&"Search 1 [w0]")
    });
    // Deeper than was assumed: the choice goes, and its answer with it.
    let second = said_anew(&game, Content::Select { round: 0, choice: 6 });
    let mut blocks = vec![vec![]; 6];
    blocks[0] = vec![second];
    game.reorganise(5, &blocks).unwrap();
    let remembers = game.operator.moves(game.stage).unwrap();
    assert!(
        matches!(remembers[..], [(Duty::Equivocation { .. }, _)]),
        "{remembers:?}"
    );
    game.operator = OperatorSeat::new(game.stage, &trial.words, run(), memory()).unwrap();
    game.operator = OperatorSeat::new(game.stage, &trial.words, run(), reopened(dir.path())).unwrap();
    for event in game.history().unwrap() {
        game.operator.player.on_event(event);
    }
    // Its own preimages of both choices would let the watchtower pick the digests that convict it; its guard knows.
    let refused = game.operator.moves(game.stage).unwrap_err().to_string();
    assert!(
        refused.contains("is used: it said choice 3, asked for choice 6"),
        "{refused}"
    );
}

#[test]
fn digests_that_are_replaced_by_others_do_not_help_a_liar() {
    let mut node = TestNode::start().unwrap();
    let trial = false_sum();
    let mut stage = trial::stage(&mut node, &trial.program, &trial.plan, 1, "replaced digests");
    let policies = vec![honest(&stage, 0, &trial.program)];
    let mut game = seats::take(&mut stage, &trial.words, trial.liar(flip_result(50, 3)), policies);
    seats::play_until(&mut game, nobody_absent, |game| {
        money::names(game.stage.timeline()).contains(&"Search 0 [w0]")
    });
    let first = entry(game.stage.timeline(), "Search 0 [w0]").txid;
    game.mine(&mut Nobody).unwrap();
    // Another lie, elsewhere, signed under the same keys by an operator without a guard.
    let lie = flip_result(20, 5);
    let run = Box::new(trial.liar(lie));
    let mut other = OperatorSeat::new(game.stage, &trial.words, run, memory()).unwrap();
    for event in game.history().unwrap() {
        let search = matches!(&event, ocp::player::Event::Confirmed { reveal, .. }
            if reveal.content.message() == Message::Search(0));
        if !search {
            other.player.on_event(event);
        }
    }
    let (_, second) = other.moves(game.stage).unwrap().remove(0);
    assert_eq!(second.compute_txid(), first, "only witnesses differ");
    game.reorganise(2, &[vec![second], vec![], vec![]]).unwrap();
    game.operator = other;
    for event in game.history().unwrap() {
        game.operator.player.on_event(event);
    }
    seats::play_out(&mut game, nobody_absent);
    assert_eq!(seats::endings(&game), [Some(Ending::Disproved { burned: true })]);
    let choices = game.operator.player.log().choices(0);
    assert_eq!(
        trial.plan.interval(&choices).unwrap().0,
        20,
        "the lie that stayed"
    );
    money::assert_stake_lost(game.stage, entry(game.stage.timeline(), "Disprove"), 0);
    money::assert_claim_burned(game.stage);
}

fn restart(stage: &mut Stage<'_>) {
    stage.node.restart().unwrap();
}

#[test]
fn a_watchtower_keeps_its_choice_whatever_becomes_of_what_it_answered() {
    let mut node = TestNode::start().unwrap();
    let trial = false_sum();
    let mut stage = trial::stage(&mut node, &trial.program, &trial.plan, 1, "kept choice");
    let dir = tempfile::tempdir().unwrap();
    let liar = |step| Box::new(trial.liar(flip_result(step, 3)));
    let operator = OperatorSeat::new(&stage, &trial.words, liar(50), memory()).unwrap();
    let policy = honest(&stage, 0, &trial.program);
    let watchtower = WatchtowerSeat::new(&stage, 0, policy, created(dir.path()));
    let mut game = Game::new(&mut stage, operator, vec![watchtower]).unwrap();
    seats::play_until(&mut game, nobody_absent, |game| {
        money::names(game.stage.timeline()).contains(&"Challenge [w0]")
    });
    let challenged = game.history().unwrap();
    seats::play_until(&mut game, nobody_absent, |game| {
        money::names(game.stage.timeline()).contains(&"Select 0 [w0]")
    });
    let select = entry(game.stage.timeline(), "Select 0 [w0]").txid;
    let select = game.stage.node.chain().transaction(select).unwrap();
    // Deeper than was assumed: the liar has other digests confirmed, in which another part would be the first false one.
    let mut other = OperatorSeat::new(game.stage, &trial.words, liar(20), memory()).unwrap();
    for event in challenged {
        other.player.on_event(event);
    }
    for _ in 0..game.stage.deadlines.confirmations {
        let height = other.player.log().tip() + 1;
        other.player.on_event(ocp::player::Event::Block { height });
    }
    let (_, search) = other.moves(game.stage).unwrap().remove(0);
    let mut blocks = vec![vec![]; 6];
    blocks[0] = vec![search];
    game.reorganise(4, &blocks).unwrap();
    crash_watchtower(&mut game, &trial, dir.path());
    let published = game.watchtowers[0].player.log().published(0);
    let digests = ocp::ValueId::Search {
        round: 0,
        slot: 2,
        preceding: None,
    };
    let truth = trial.truth().trace().digest_at(32).unwrap();
    assert_ne!(
        published.hash(digests),
        Some(truth),
        "the other digests are confirmed"
    );
    // It says what it said; another choice would cost its bond.
    let moves = game.watchtowers[0].moves(game.stage).unwrap();
    let said: Vec<&Transaction> = moves.iter().map(|(_, tx)| tx).collect();
    assert_eq!(said, [&select]);
}

#[test]
fn a_node_that_restarts_in_the_middle_goes_on() {
    let mut node = TestNode::start().unwrap();
    let trial = false_sum();
    let mut stage = trial::stage(&mut node, &trial.program, &trial.plan, 1, "restarts");
    let policies = vec![honest(&stage, 0, &trial.program)];
    let mut game = seats::take(&mut stage, &trial.words, trial.liar(flip_result(41, 3)), policies);
    let confirmed = |name: &'static str| {
        move |game: &Game<'_, '_, '_>| money::names(game.stage.timeline()).contains(&name)
    };
    seats::play_until(&mut game, nobody_absent, confirmed("Select 0 [w0]"));
    // Nothing is under way.
    restart(game.stage);
    // The opening is in the mempool and in no block.
    let is_due = |game: &mut Game<'_, '_, '_>| {
        let moves = game.operator.moves(game.stage).unwrap();
        moves.iter().any(|(duty, _)| {
            matches!(
                duty,
                Duty::Send {
                    content: Content::Open { .. },
                    ..
                }
            )
        })
    };
    while !is_due(&mut game) {
        game.act(nobody_absent).unwrap();
        game.mine(&mut Nobody).unwrap();
    }
    game.act(nobody_absent).unwrap();
    assert_eq!(game.stage.node.chain().mempool().unwrap().len(), 1);
    restart(game.stage);
    assert_eq!(game.stage.node.chain().mempool().unwrap().len(), 1);
    seats::play_out(&mut game, nobody_absent);
    assert_eq!(seats::endings(&game), [Some(Ending::Disproved { burned: true })]);
    entry(game.stage.timeline(), "Open");
    let sent_by = |who| {
        game.stage
            .timeline()
            .iter()
            .filter(move |entry| entry.who == who)
            .count()
    };
    assert_eq!((sent_by(Who::Operator), sent_by(Who::Watchtower)), (5, 5));
    money::assert_stake_lost(game.stage, entry(game.stage.timeline(), "Disprove"), 0);
    money::assert_claim_burned(game.stage);
}
