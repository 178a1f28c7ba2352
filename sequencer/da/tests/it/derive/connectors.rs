//! Who may spend a connector, and what becomes of the chain of connectors.

use super::*;

#[test]
fn one_validator_goes_on_by_the_fall_back() {
    let (mut net, held) = Net::opened();
    net.agree_some(2);
    let blocks = net.unposted();
    let (commitment, data) = net.honest(&blocks);
    let next = connector(&[0, 1, 2, 3]);
    let batch = net.batch_of(&held, Path::Fallback, &next, commitment, &data);
    net.post(&batch);
    net.assert_caught_up();
    net.assert_goes_on(&batch.next);
}

#[test]
fn a_stolen_connector_is_replaced() {
    let (mut net, held) = Net::opened();
    net.agree_some(2);
    let first = net.batch(&held);
    net.post(&first);
    net.agree_some(1);
    // The fall-back to a connector of its own; the batch is even good.
    let blocks = net.unposted();
    let (commitment, data) = net.honest(&blocks);
    let own = connector(&[0]);
    let stolen = net.batch_of(&first.next, Path::Fallback, &own, commitment, &data);
    net.post(&stolen);
    net.assert_caught_up();
    assert!(matches!(net.node.link(), Link::Open { held } if held.is_empty()));
    // What it spends there is nothing any more.
    net.agree_some(1);
    let (commitment, data) = net.honest(&net.unposted());
    let ignored = net.batch_of(&held, Path::Fallback, &own, commitment, &data);
    let mut commit = ignored.commit.clone();
    commit.input[0].previous_output = stolen.next.outpoint;
    net.mine(vec![commit]);
    assert_eq!(net.batches.len(), 2);
    let held = net.open(&[0, 1, 2, 3]);
    net.assert_goes_on(&held);
    assert_eq!(net.last().index, 2);
}

#[test]
fn connectors_of_others_do_not_open_a_chain() {
    let mut net = Net::new();
    for validators in [&[0, 1, 2][..], &[3, 2, 1, 0], &[4, 5, 6, 7]] {
        net.open(validators);
        assert!(matches!(net.node.link(), Link::Open { held } if held.is_empty()));
    }
    let (one, two) = (net.open(&[0, 1, 2, 3]), net.open(&[0, 1, 2, 3]));
    assert!(matches!(net.node.link(), Link::Open { held } if held.len() == 2));
    // The first spent counts, and the other is nothing from then on.
    net.agree_some(1);
    let batch = net.batch(&two);
    net.post(&batch);
    net.assert_caught_up();
    net.agree_some(1);
    let other = net.batch(&one);
    net.post(&other);
    assert_eq!(net.batches.len(), 1);
    net.assert_goes_on(&batch.next);
}

#[test]
fn the_next_connector_is_for_the_next_set() {
    let (mut net, held) = Net::opened();
    let sets = vec![(0, vec![0, 1, 2, 3]), (2, vec![0, 2, 4])];
    net.model.sets.clone_from(&sets);
    net.executor.sets = sets;
    net.agree_some(3);
    let batch = net.batch(&held);
    assert_eq!(
        batch.next.txout.script_pubkey,
        connector(&[0, 2, 4]).script_pubkey()
    );
    net.post(&batch);
    net.assert_caught_up();
    net.assert_goes_on(&batch.next);

    // The old set keeps it: the batch counts, the connector does not.
    let (mut net, held) = Net::opened();
    let sets = vec![(0, vec![0, 1, 2, 3]), (2, vec![0, 2, 4])];
    net.model.sets.clone_from(&sets);
    net.executor.sets = sets;
    net.agree_some(3);
    let batch = net.lie(&held, |_, _| ());
    net.post(&batch);
    net.assert_caught_up();
    assert!(matches!(net.node.link(), Link::Open { .. }));
    let held = net.open(&[0, 2, 4]);
    net.assert_goes_on(&held);
}
