//! What a watching party reads in confirmed transactions that are not messages: endings in every fee tier, what the operator
//! takes back, and the take of another claim.

use bitcoin::absolute::LockTime;
use bitcoin::transaction::Version;
use bitcoin::{OutPoint, Transaction, TxIn};
use bridge::Graph;
use bridge::keys::OneTimeKeys;
use bridge::reader::Reader;
use bridge::transactions::{Challenge, Deposit, Kickoff};
use ocp::{ClaimKeys, Message};
use taptree_commit::keys::{InstanceId, Seed};
use zeroize::Zeroizing;

use crate::world::{made_up_nominations, plan, terms, trees};

/// Height of every block here.
const HEIGHT: u32 = 100;

fn graph(instance: u64) -> Graph {
    Graph::build(&terms(), &made_up_nominations(instance), &trees(instance)).unwrap()
}

fn keys() -> OneTimeKeys {
    let secret = Seed::new(Zeroizing::new([1; 32])).instance(InstanceId([1; 32]));
    OneTimeKeys::new(ClaimKeys::from_secret(&plan(), &secret).unwrap(), Vec::new()).unwrap()
}

/// The events of `tx`, without their common height.
fn events(graph: &Graph, tx: &Transaction) -> Vec<String> {
    let seen = Reader::new(graph).read(graph, &keys(), HEIGHT, tx);
    let events = seen.into_iter().flat_map(|seen| seen.events);
    events
        .map(|event| format!("{:?}", event.unwrap()).replace(" height: 100,", ""))
        .collect()
}

fn spending(outpoints: impl IntoIterator<Item = OutPoint>) -> Transaction {
    let input = |previous_output| TxIn {
        previous_output,
        ..TxIn::default()
    };
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: outpoints.into_iter().map(input).collect(),
        output: Vec::new(),
    }
}

#[test]
fn an_operator_that_takes_everything_back_at_once_is_read_in_full() {
    let graph = graph(60);
    let kickoff = graph.kickoff().template();
    let tx = spending([
        kickoff.outpoint(Kickoff::challenge_vout(1)),
        kickoff.outpoint(Kickoff::asset_vout(0)),
        OutPoint::null(),
        kickoff.outpoint(Kickoff::asset_vout(1)),
    ]);
    assert_eq!(
        events(&graph, &tx),
        [
            "Ended { dispute: 1, ending: Closed }",
            "Released { dispute: 0, height: 100 }",
            "Released { dispute: 1, height: 100 }",
        ]
    );
    let dispute = &graph.disputes()[1];
    assert_eq!(
        events(&graph, dispute.release.template().unsigned()),
        ["Released { dispute: 1, height: 100 }"]
    );
    assert_eq!(
        events(&graph, dispute.close.template().unsigned()),
        ["Ended { dispute: 1, ending: Closed }"]
    );
    let pot = dispute.challenge.template().outpoint(Challenge::POT);
    assert_eq!(
        events(&graph, &spending([pot])),
        ["Ended { dispute: 1, ending: Equivocated }"]
    );
    let anchor = kickoff.outpoint(graph.kickoff().anchor_vout());
    assert!(
        Reader::new(&graph)
            .read(&graph, &keys(), HEIGHT, &spending([anchor]))
            .is_none()
    );
}

#[test]
fn the_take_of_another_claim_to_the_same_deposit_is_read() {
    let mine = graph(61);
    let mut nominations = made_up_nominations(62);
    nominations.deposit_request = mine.nominations().deposit_request;
    let other = Graph::build(&terms(), &nominations, &trees(62)).unwrap();
    let vault = mine.deposit().template().outpoint(Deposit::VAULT);
    assert_eq!(vault, other.deposit().template().outpoint(Deposit::VAULT));
    let elsewhere = ["Settled { settlement: TakenElsewhere }"];
    for take in other.take_uncontested().iter() {
        let tx = take.template().unsigned();
        assert_eq!(events(&mine, tx), elsewhere);
        assert_eq!(events(&other, tx), ["Settled { settlement: TakenUncontested }"]);
    }
    for take in mine.take_contested().iter() {
        let tx = take.template().unsigned();
        assert_eq!(events(&other, tx), elsewhere);
        assert_eq!(events(&mine, tx), ["Settled { settlement: TakenContested }"]);
    }
    assert_eq!(events(&mine, other.kickoff().template().unsigned()).len(), 0);
}

#[test]
fn an_ending_reads_the_same_in_every_fee_tier() {
    let graph = graph(63);
    let tiers = graph.terms().amounts.tiers().len();
    let dispute = &graph.disputes()[1];
    let check = |txs: Vec<&Transaction>, expected: &str| {
        assert_eq!(txs.len(), tiers);
        for tx in txs {
            assert_eq!(
                events(&graph, tx),
                [format!("Ended {{ dispute: 1, ending: {expected} }}")]
            );
        }
    };
    let endings = dispute.endings(Message::Demand).unwrap();
    for (form, burned) in endings.operator_late.as_ref().unwrap().iter().zip([true, false]) {
        let txs = form.iter().map(|late| late.template().unsigned());
        check(txs.collect(), &format!("OperatorLate {{ burned: {burned} }}"));
    }
    let endings = dispute.endings(Message::Open).unwrap();
    for (form, burned) in endings.disprove.as_ref().unwrap().iter().zip([true, false]) {
        let txs = form.iter().map(|disprove| disprove.template().unsigned());
        check(txs.collect(), &format!("Disproved {{ burned: {burned} }}"));
    }
    let late = endings.watchtower_late.as_ref().unwrap();
    check(
        late.iter().map(|late| late.template().unsigned()).collect(),
        "WatchtowerLate",
    );
    let twice = endings.equivocation.as_ref().unwrap();
    check(
        twice.iter().map(|twice| twice.template().unsigned()).collect(),
        "Equivocated",
    );
}
