//! Parts of a batch that are late, wrong, or copies.

use super::*;

#[test]
fn reveals_may_come_later_but_not_too_late() {
    for late in [1, 5, WINDOW, WINDOW + 1] {
        let (mut net, held) = Net::opened();
        net.agree_some(2);
        let batch = net.batch(&held);
        net.mine(vec![batch.commit.clone()]);
        for _ in 1..late {
            net.mine(vec![]);
        }
        assert!(net.batches.is_empty());
        net.mine(batch.reveals.clone());
        if late <= WINDOW {
            net.assert_caught_up();
        } else {
            assert_eq!(net.empty(), &Empty::MissingPart);
            assert_eq!(net.node.safe().number, 0);
            net.agreed.truncate(1);
            net.assert_goes_on(&batch.next);
        }
    }
}

#[test]
fn the_next_commit_ends_the_time_for_reveals() {
    let (mut net, held) = Net::opened();
    net.agree_some(2);
    let first = net.batch(&held);
    net.mine(vec![first.commit.clone()]);
    // A quorum that does not wait: commit 1 before reveal 0, in one block.
    let blocks = net.unposted();
    let (mut commitment, data) = net.honest(&blocks);
    commitment.index = 1;
    let next = connector(&[0, 1, 2, 3]);
    let second = net.batch_of(&first.next, Path::Quorum, &next, commitment, &data);
    let mut all = vec![second.commit.clone(), first.reveals[0].clone()];
    all.extend(second.reveals.clone());
    net.mine(all);
    assert_eq!(net.batches.len(), 2);
    assert_eq!(net.batches[0].outcome, Outcome::Empty(Empty::MissingPart));
    assert_eq!(net.batches[0].commit, first.commit.compute_txid());
    assert!(matches!(net.batches[1].outcome, Outcome::Blocks { .. }));
    assert_eq!(net.node.safe(), &net.agreed[2].header);
}

#[test]
fn a_batch_whose_parts_do_not_come_is_given_up() {
    let (mut net, held) = Net::opened();
    assert_eq!(net.node.place_of(&held.outpoint), Some(0));
    net.agree_some(2);
    let lost = net.batch(&held);
    net.mine(vec![lost.commit.clone()]);
    for _ in 0..GIVE_UP {
        assert_eq!(net.node.place_of(&lost.next.outpoint), None);
        net.mine(vec![]);
    }
    assert_eq!(net.node.place_of(&lost.next.outpoint), Some(1));
    assert_eq!(net.node.place_of(&held.outpoint), None);
    // The same blocks again, for the next place; their origins are still young enough.
    let (mut commitment, data) = net.honest(&net.unposted());
    commitment.index = 1;
    let next = connector(&[0, 1, 2, 3]);
    let again = net.batch_of(&lost.next, Path::Quorum, &next, commitment, &data);
    net.post(&again);
    assert_eq!(net.batches[0].outcome, Outcome::Empty(Empty::MissingPart));
    net.assert_caught_up();
    // What was lost and comes now is nothing.
    net.mine(lost.reveals.clone());
    assert_eq!(net.batches.len(), 2);
    net.assert_goes_on(&again.next);
}

#[test]
fn parts_that_are_none_end_a_batch_at_once() {
    let noise = noise(500_000);
    let (mut net, held) = Net::opened();
    net.agree(net.bitcoin.height(), &[noise.as_slice()]);
    let batch = net.batch(&held);
    let spent = |reveal: &Transaction| reveal.input[0].previous_output;
    let shown = |reveal: &Transaction| reveal.input[0].witness.clone();
    let [first, second] = batch.reveals.as_slice() else {
        panic!("expected two parts");
    };
    let mut key_path = Witness::new();
    key_path.push([1; 64]);
    let cases: [Vec<Transaction>; 5] = [
        // Swapped.
        vec![spend(vec![(spent(first), shown(second))])],
        vec![first.clone(), spend(vec![(spent(second), shown(first))])],
        // Doubled.
        vec![spend(vec![
            (spent(first), shown(first)),
            (spent(second), shown(first)),
        ])],
        // Spent without showing anything.
        vec![spend(vec![(spent(first), key_path.clone())])],
        vec![spend(vec![(spent(second), key_path)]), first.clone()],
    ];
    for reveals in cases {
        let mut net = Net::new();
        let held = net.open(&[0, 1, 2, 3]);
        let mut all = vec![batch.commit.clone()];
        all.extend(reveals);
        net.mine(all);
        assert_eq!(net.empty(), &Empty::NoPart);
        assert_eq!(net.node.safe().number, 0);
        let next = OutPoint::new(batch.commit.compute_txid(), 0);
        let next = Coin {
            outpoint: next,
            txout: held.txout,
        };
        net.assert_goes_on(&next);
    }
    // Both in one transaction are as good as in two.
    net.mine(vec![
        batch.commit.clone(),
        spend(vec![(spent(second), shown(second)), (spent(first), shown(first))]),
    ]);
    net.assert_caught_up();
}

#[test]
fn copies_of_an_inscription_are_nothing() {
    let (mut net, held) = Net::opened();
    net.agree_some(2);
    let batch = net.batch(&held);
    let witness = batch.reveals[0].input[0].witness.clone();
    let txid = batch.commit.compute_txid();
    let copies = [
        coin(3, 200, 1).outpoint,
        OutPoint::new(txid, 200),
        OutPoint::new(batch.reveals[0].compute_txid(), 0),
        OutPoint::new(held.outpoint.txid, 1),
    ];
    let copy = spend(copies.map(|outpoint| (outpoint, witness.clone())).to_vec());
    net.mine(vec![copy.clone(), batch.commit.clone(), copy]);
    assert!(net.batches.is_empty());
    net.mine(batch.reveals.clone());
    net.assert_caught_up();
}

#[test]
fn foreign_spends_are_nothing() {
    let (mut net, held) = Net::opened();
    net.agree_some(1);
    // Outputs beside the connector, spent with the very witness of a commit.
    let batch = net.batch(&held);
    let witness = batch.commit.input[0].witness.clone();
    let foreign = OutPoint {
        vout: 1,
        ..held.outpoint
    };
    net.mine(vec![spend(vec![(foreign, witness)])]);
    assert!(matches!(net.node.link(), Link::Open { .. }));
    net.post(&batch);
    net.assert_caught_up();
}
