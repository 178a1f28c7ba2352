//! The demo's four scenes, on a shorter run.

use regtest::TestNode;
use scenarios::report::{Outcome, TimelineEntry};
use scenarios::scenes::{Options, Piece, SceneName, play_scene};
use scenarios::stage::Audience;

struct Loud;

impl Audience for Loud {
    fn progress(&mut self, what: &str) {
        eprintln!("{what}");
    }
    fn confirmed(&mut self, e: &TimelineEntry) {
        eprintln!(
            "{:>6} {:<10} {:<40} {:>7} vB {:>8} sat",
            e.height,
            e.who.name(),
            e.transaction,
            e.vbytes,
            e.fee.to_sat()
        );
    }
}

fn scene(name: SceneName) -> scenarios::report::SceneReport {
    let mut node = TestNode::start().unwrap();
    let piece = Piece::fibonacci(1_000_000).unwrap();
    let options = Options {
        fee_rate: 1,
        seed: [7; 32],
        guards: None,
    };
    play_scene(&mut node, &piece, name, &options, &mut Loud).unwrap()
}

#[test]
fn an_honest_claim_is_paid() {
    let report = scene(SceneName::HonestClaim);
    assert_eq!(report.outcome, Outcome::OperatorPaid);
    assert_eq!(report.vbytes_watchtower, 0);
}

#[test]
fn a_false_claim_is_disproved() {
    let report = scene(SceneName::FalseClaim);
    assert_eq!(report.outcome, Outcome::OperatorSlashed);
    assert!(
        report
            .disproved_by
            .is_some_and(|leaf| leaf.starts_with("5 result"))
    );
}

#[test]
fn a_lying_watchtower_loses_its_bond() {
    let report = scene(SceneName::Quarrel);
    assert_eq!(report.outcome, Outcome::WatchtowerSlashed);
    assert!(report.timeline.iter().any(|e| e.transaction.starts_with("Path")));
    assert!(report.timeline.iter().any(|e| e.transaction == "TakeContested"));
}

#[test]
fn a_silent_operator_loses_by_deadline() {
    let report = scene(SceneName::Silence);
    assert_eq!(report.outcome, Outcome::OperatorSlashed);
    assert_eq!(report.disproved_by, None);
    assert_eq!(report.disputed_step, None);
}
