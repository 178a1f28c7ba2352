//! Every way to be late, played to its end, and money that nobody claims.

use bitcoin::{OutPoint, Transaction};
use bridge::SatPerVbyte;
use bridge::connectors::own_signature_script;
use bridge::transactions::{Kickoff, Refund};
use ocp::adversary::{Contrarian, flip_result};
use ocp::player::{Duty, Ending};
use ocp::{Message, Plan};
use regtest::TestNode;
use scenarios::cast::x_only;
use scenarios::game::Game;
use scenarios::play::{AnyPolicy, Asleep, honest};
use scenarios::report::Who;
use scenarios::stage::{Nobody, Stage};

use crate::liars::FalseLeaf;
use crate::money::{self, entry};
use crate::seats::{self, EARLY, SPENT, nobody_absent, refusal};
use crate::trial::{self, a_load, false_sum, true_sum};

fn asleep() -> AnyPolicy {
    AnyPolicy(Box::new(Asleep))
}

/// Whether `duty` is to send `message` or a later one.
fn is_from(plan: &Plan, message: Message, duty: &Duty) -> bool {
    let Duty::Send { content, .. } = duty else {
        return false;
    };
    let position = |message| plan.messages().iter().position(|&m| m == message);
    position(content.message()) >= position(message)
}

#[test]
fn an_operator_that_is_late_after_any_message_loses() {
    let mut node = TestNode::start().unwrap();
    let trial = false_sum();
    // Five watchtowers, to each of which it stops talking at another point.
    let silences = [
        Message::Search(0),
        Message::Search(1),
        Message::Search(2),
        Message::Open,
        Message::Path,
    ];
    let mut stage = trial::stage(&mut node, &trial.program, &trial.plan, 5, "late operator");
    let load = a_load(&trial);
    let policies = (0..5).map(|d| honest(&stage, d, &trial.program)).collect();
    let run = FalseLeaf::new(&trial.program, &trial.inputs(), &trial.plan, load, 1);
    let mut game = seats::take(&mut stage, &trial.words, run, policies);
    seats::play_out(&mut game, |who, duty| match duty {
        Duty::Send { dispute, .. } => who == Who::Operator && is_from(&trial.plan, silences[*dispute], duty),
        _ => false,
    });
    for (dispute, ending) in seats::endings(&game).into_iter().enumerate() {
        assert_eq!(ending, Some(Ending::OperatorLate { burned: true }), "w{dispute}");
    }
    let after = ["Challenge", "Select 0", "Select 1", "Select 2", "Demand"];
    for (dispute, after) in after.into_iter().enumerate() {
        let name = format!("OperatorLate after {after} [w{dispute}");
        money::assert_stake_lost(game.stage, entry(game.stage.timeline(), &name), dispute);
    }
    money::assert_claim_burned(game.stage);
}

#[test]
fn a_watchtower_that_is_late_after_any_message_loses() {
    let mut node = TestNode::start().unwrap();
    let trial = true_sum();
    let mut stage = trial::stage(&mut node, &trial.program, &trial.plan, 5, "late watchtower");
    let contrarian = |d: u8| {
        let demand = (d == 4).then_some(d % 4);
        AnyPolicy(Box::new(Contrarian::new(vec![d, 3 - d % 4, 1], demand)))
    };
    let silences = [Message::Select(0), Message::Select(1), Message::Select(2)];
    let policies = (0..5).map(contrarian).collect();
    let mut game = seats::take(&mut stage, &trial.words, trial.truth(), policies);
    seats::play_out(&mut game, |who, duty| match duty {
        Duty::Send { dispute, .. } => {
            let silence = silences.get(*dispute);
            who == Who::Watchtower && silence.is_some_and(|&from| is_from(&trial.plan, from, duty))
        }
        _ => false,
    });
    assert_eq!(seats::endings(&game), [Some(Ending::WatchtowerLate); 5]);
    let timeline = game.stage.timeline();
    let after = ["Search 0", "Search 1", "Search 2", "Open", "Path"];
    for (dispute, after) in after.into_iter().enumerate() {
        let name = format!("WatchtowerLate after {after} [w{dispute}]");
        money::assert_bond_lost(game.stage, entry(timeline, &name));
    }
    money::assert_deposit_taken(game.stage, entry(timeline, "TakeContested"));
}

#[test]
fn an_honest_watchtower_that_falls_asleep_loses_to_a_liar_and_another_saves_the_deposit() {
    let mut node = TestNode::start().unwrap();
    let trial = false_sum();
    let mut stage = trial::stage(&mut node, &trial.program, &trial.plan, 2, "falls asleep");
    let policies = (0..2).map(|d| honest(&stage, d, &trial.program)).collect();
    let run = trial.liar(flip_result(41, 3));
    let mut game = seats::take(&mut stage, &trial.words, run, policies);
    // The first one searches, but does not play its leaf.
    seats::play_out(&mut game, |_, duty| {
        matches!(duty, Duty::Disprove { dispute: 0, .. })
    });
    assert_eq!(
        seats::endings(&game),
        [
            Some(Ending::WatchtowerLate),
            Some(Ending::Disproved { burned: true })
        ]
    );
    money::assert_bond_lost(game.stage, entry(game.stage.timeline(), "WatchtowerLate"));
    money::assert_claim_burned(game.stage);
}

/// Sends what `duty` of the operator asks for, due or not.
fn send(game: &mut Game<'_, '_, '_>, duty: Duty) {
    let tx = act(game, &duty);
    game.stage.send(Who::Operator, &tx).unwrap();
}

fn act(game: &mut Game<'_, '_, '_>, duty: &Duty) -> Transaction {
    let (seat, claim) = (&mut game.operator, &game.stage.claim);
    seat.hands.act(claim, seat.player.log(), duty, None).unwrap()
}

#[test]
fn what_nobody_takes_returns() {
    let mut node = TestNode::start().unwrap();
    let trial = true_sum();
    let mut stage = trial::stage(&mut node, &trial.program, &trial.plan, 2, "release");
    let mut game = seats::take(&mut stage, &trial.words, trial.truth(), vec![asleep(), asleep()]);
    seats::play_until(&mut game, nobody_absent, |game| {
        game.operator.player.log().kickoff().is_some()
    });
    let kickoff = game.stage.node.chain().height().unwrap();
    // An operator that does not want the deposit any more.
    let lazy = |_: Who, duty: &Duty| matches!(duty, Duty::TakeUncontested | Duty::TakeContested);
    let until = |game: &mut Game<'_, '_, '_>, blocks: u16| {
        let target = kickoff + u32::from(blocks);
        seats::play_until(game, lazy, |game| {
            game.stage.node.chain().height().unwrap() == target
        });
    };
    let deadlines = game.stage.deadlines;
    let closes = [0, 1].map(|dispute| Duty::Close { dispute });
    until(&mut game, deadlines.challenge - 2);
    let early = act(&mut game, &closes[0]);
    assert_eq!(refusal(game.stage, &early).as_deref(), Some(EARLY));
    until(&mut game, deadlines.challenge - 1);
    closes.into_iter().for_each(|close| send(&mut game, close));
    let releases = [0, 1].map(|dispute| act(&mut game, &Duty::Release { dispute }));
    until(&mut game, deadlines.release - 2);
    assert_eq!(refusal(game.stage, &releases[0]).as_deref(), Some(EARLY));
    until(&mut game, deadlines.release - 1);
    for release in &releases {
        game.stage.send(Who::Operator, release).unwrap();
    }
    game.mine(&mut Nobody).unwrap();
    let log = game.operator.player.log();
    assert_eq!(log.settlement(), None);
    assert!([0, 1].into_iter().all(|w| log.asset_spent(w).is_some()));
    assert_eq!(seats::endings(&game), [Some(Ending::Closed); 2]);
    let operator = own_signature_script(x_only(&game.stage.cast.operator));
    for name in ["Close [w0]", "Close [w1]", "Release [w0]", "Release [w1]"] {
        let sent = entry(game.stage.timeline(), name);
        let tx = game.stage.node.chain().transaction(sent.txid).unwrap();
        assert!(
            tx.output.iter().all(|output| output.script_pubkey == operator),
            "{name}"
        );
    }
    let stake = game.stage.claim.graph().terms().amounts.stake;
    let closed = entry(game.stage.timeline(), "Close [w0]");
    let tx = game.stage.node.chain().transaction(closed.txid).unwrap();
    assert_eq!(tx.output[0].value, stake - closed.fee);
    // The deposit waits for another claim.
    money::assert_claim_burned(game.stage);
}

#[test]
fn what_a_liar_did_not_lose_comes_back_by_itself() {
    let mut node = TestNode::start().unwrap();
    let trial = false_sum();
    let mut stage = trial::stage(&mut node, &trial.program, &trial.plan, 2, "remains");
    let policies = vec![asleep(), honest(&stage, 1, &trial.program)];
    let run = trial.liar(flip_result(41, 3));
    let mut game = seats::take(&mut stage, &trial.words, run, policies);
    // The one watchtower that is awake wins; the operator goes on until nothing is due any more.
    seats::play_out(&mut game, nobody_absent);
    assert_eq!(seats::endings(&game)[1], Some(Ending::Disproved { burned: true }));
    let kickoff = game.operator.player.log().kickoff().unwrap().height;
    let end = kickoff + u32::from(game.stage.deadlines.release) + 5;
    seats::play_until(&mut game, nobody_absent, |game| {
        game.stage.node.chain().height().unwrap() == end
    });
    assert_eq!(game.operator.player.duties(), []);
    assert_eq!(
        seats::endings(&game),
        [Some(Ending::Closed), Some(Ending::Disproved { burned: true })]
    );
    entry(game.stage.timeline(), "Close [w0]");
    entry(game.stage.timeline(), "Release [w0]");
    let tx = game.stage.claim.graph().kickoff();
    for vout in 0..tx.anchor_vout() {
        let left = game.stage.node.chain().unspent(tx.template().outpoint(vout));
        assert_eq!(left.unwrap(), None, "output {vout} of the kickoff is stuck");
    }
    money::assert_claim_burned(game.stage);
}

#[test]
fn a_user_whose_request_is_not_answered_takes_it_back_and_the_claim_is_worth_nothing() {
    let mut node = TestNode::start().unwrap();
    let trial = true_sum();
    let setting = trial::setting(&trial.program, &trial.plan, 2, "refund");
    let mut stage = Stage::sign(&mut node, &setting, &mut Nobody).unwrap();
    let requested = stage.node.chain().height().unwrap();
    let graph = stage.claim.graph();
    let request: OutPoint = graph.nominations().deposit_request;
    let holds = graph.blueprint().quote().deposit_request.clone();
    let connector = graph.blueprint().deposit_request().clone();
    let home = own_signature_script(x_only(&stage.cast.user));
    let rate = SatPerVbyte::new(2).unwrap();
    let refund = Refund::new(connector, request, holds.clone(), home.clone(), rate).unwrap();
    let secp = bitcoin::secp256k1::Secp256k1::new();
    let sign = |key| {
        let sighash = bitcoin::secp256k1::Message::from_digest(refund.user_sighash());
        secp.sign_schnorr(&sighash, key)
    };
    let stolen = refund.finalize(&sign(&stage.cast.operator)).unwrap();
    let refund = refund.finalize(&sign(&stage.cast.user)).unwrap();
    let ripe = requested + u32::from(graph.terms().locks.refund.get()) - 1;
    stage.node.chain().advance_to(ripe - 1).unwrap();
    assert_eq!(refusal(&stage, &refund).as_deref(), Some(EARLY));
    stage.node.chain().advance_to(ripe).unwrap();
    let refused = refusal(&stage, &stolen).unwrap();
    assert!(refused.contains("Invalid Schnorr signature"), "{refused}");
    let (accepted, _) = stage.node.chain().accept_and_confirm(&refund).unwrap();
    assert_eq!(refund.output[0].value, holds.value - accepted.fee);
    assert_eq!(refund.output[0].script_pubkey, home);
    // The deposit can no longer be made, and a claim finds nothing to take.
    let (graph, signatures) = (stage.claim.graph(), stage.claim.signatures());
    let deposit = graph.deposit().finalize(signatures).unwrap();
    assert_eq!(refusal(&stage, &deposit).as_deref(), Some(SPENT));
    let mut game = seats::take(&mut stage, &trial.words, trial.truth(), vec![asleep(), asleep()]);
    seats::play_until(&mut game, nobody_absent, |game| {
        game.operator.player.log().kickoff().is_some()
    });
    let challenge = u32::from(game.stage.deadlines.challenge);
    game.stage.node.chain().mine(challenge).unwrap();
    let take = seats::take_now(&mut game, &Duty::TakeUncontested);
    assert_eq!(refusal(game.stage, &take).as_deref(), Some(SPENT));
    let asset = game
        .stage
        .claim
        .graph()
        .kickoff()
        .template()
        .outpoint(Kickoff::asset_vout(0));
    assert!(game.stage.node.chain().unspent(asset).unwrap().is_some());
}
