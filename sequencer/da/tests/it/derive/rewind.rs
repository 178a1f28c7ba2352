//! Reorganisations, checkpoints, and blocks out of order.

use l2_da::derive::WHOLE;

use super::*;

#[test]
fn a_reorganisation_is_derived_anew() {
    let (mut net, held) = Net::opened();
    net.agree_some(2);
    let first = net.batch(&held);
    net.post(&first);
    net.agree_some(2);
    let second = net.batch(&first.next);
    net.mine(vec![second.commit.clone()]);
    net.mine(second.reveals.clone());
    net.assert_caught_up();
    let before = net.node.clone();
    // Six blocks go; the second batch's transactions come again, its blocks name a block that is gone.
    for _ in 0..4 {
        net.mine(vec![]);
    }
    net.bitcoin.fork(6);
    let common = net.bitcoin.height();
    assert_eq!(net.node.at(common), Some(net.bitcoin.origin()));
    net.node.rewind(common).unwrap();
    assert_eq!(net.node.safe(), &net.agreed[2].header);
    net.batches.truncate(1);
    for transactions in [
        vec![second.commit.clone()],
        second.reveals.clone(),
        vec![],
        vec![],
    ] {
        net.mine(transactions);
    }
    // Its origin was a block at or below the common one, so it still is good.
    net.assert_caught_up();
    assert_eq!(net.node.safe(), before.safe());

    // One block deeper, the origin is gone: the batch is empty, and sequencers go on from what is safe.
    net.bitcoin.fork(5);
    let common = net.bitcoin.height();
    net.node.rewind(common).unwrap();
    assert_eq!(net.node.safe().number, 0);
    net.batches.clear();
    net.post(&first);
    net.mine(vec![second.commit.clone()]);
    net.mine(second.reveals.clone());
    assert!(matches!(net.empty(), Empty::Field { .. }), "{:?}", net.empty());
    net.agreed.truncate(3);
    net.assert_goes_on(&second.next);
}

#[test]
fn rewinding_and_going_on_gives_the_same() {
    let (mut net, mut held) = Net::opened();
    let (mut halves, mut deeper) = (vec![], 0);
    for _ in 0..15 {
        net.agree_some(2);
        let batch = net.batch(&held);
        held = batch.next.clone();
        net.mine(vec![batch.commit.clone()]);
        halves.push(net.bitcoin.height());
        net.mine(batch.reveals.clone());
    }
    let end = net.node.clone();
    for height in crate::model::FIRST..=net.bitcoin.height() {
        let mut node = end.clone();
        node.rewind(height).unwrap();
        // Long ago, a batch that was half seen is seen from its beginning.
        let half_seen = halves.contains(&height) && height + (WHOLE as u64) < net.bitcoin.height();
        deeper += usize::from(half_seen);
        assert_eq!(node.tip(), net.bitcoin.origin_at(height - u64::from(half_seen)));
        net.node = node;
        net.follow();
        assert_eq!(net.node.safe(), end.safe());
        assert_eq!(net.node.link(), end.link());
        assert_eq!(net.node.next_index(), end.next_index());
    }
    assert!(deeper > 5 && deeper < halves.len());
}

/// A batch that is seen for longer than states are whole: there is one before it, or nothing can be done.
#[test]
fn a_batch_that_stays_half_seen_is_begun_anew() {
    let (mut net, held) = Net::opened();
    let opened = net.node.tip().height;
    net.agree_some(2);
    let batch = net.batch(&held);
    net.mine(vec![batch.commit.clone()]);
    let seen = net.node.tip().height;
    for _ in 0..WHOLE + 2 {
        net.mine(vec![]);
    }
    let tip = net.node.tip().height;
    assert!(tip - seen < WINDOW, "it is decided");
    for height in opened..=tip {
        let mut node = net.node.clone();
        node.rewind(height).unwrap();
        let expected = match height {
            height if height + (WHOLE as u64) < tip => height.min(seen - 1),
            height => height,
        };
        assert_eq!(node.tip().height, expected, "{height}");
    }
    // It is still decided by its parts.
    net.mine(batch.reveals.clone());
    net.assert_caught_up();

    // No state before it is remembered.
    let (mut net, held) = Net::opened();
    net.agree_some(2);
    let batch = net.batch(&held);
    net.mine(vec![batch.commit.clone()]);
    for _ in 0..=l2_da::derive::HISTORY {
        net.mine(vec![]);
    }
    let tip = net.node.tip().height;
    let oldest = net.node.rewind(0).unwrap_err().oldest;
    // The first block after it was given up, which the oldest that is remembered lies before or at.
    let mut before = net.node.clone();
    assert!(oldest >= tip - l2_da::derive::HISTORY as u64);
    assert!(before.rewind(oldest - 1).is_err());
    net.node.rewind(oldest).unwrap();
    assert_eq!(net.node.tip().height, oldest);
    assert!(!matches!(net.node.link(), Link::Pending(_)));
}

#[test]
fn a_checkpoint_goes_on_as_the_node_would() {
    let (mut net, mut held) = Net::opened();
    assert_eq!(net.node.checkpoint(&net.genesis), None);
    let mut taken = 0;
    for round in 0..8 {
        net.agree_some(2);
        let batch = net.batch(&held);
        held = batch.next.clone();
        net.mine(vec![batch.commit.clone()]);
        net.mine(batch.reveals.clone());
        if round % 2 == 0 {
            net.mine(vec![]);
        }
        let Some(bytes) = net.node.checkpoint(&net.genesis) else {
            continue;
        };
        taken += 1;
        let mut node = Derivation::resume(&net.genesis, &bytes).unwrap();
        assert!(node.tip().height + CONFIRMATIONS <= net.node.tip().height);
        assert!(node.rewind(node.tip().height - 1).is_err());
        let end = core::mem::replace(&mut net.node, node);
        net.follow();
        assert_eq!(net.node.safe(), end.safe());
        assert_eq!(net.node.link(), end.link());
        assert_eq!(net.node.next_index(), end.next_index());
        net.node = end;
        for cut in 0..bytes.len() {
            assert!(Derivation::resume(&net.genesis, &bytes[..cut]).is_err());
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(Derivation::resume(&net.genesis, &longer).is_err());
        let mut other = net.genesis.clone();
        other.chain_id += 1;
        assert!(matches!(
            Derivation::resume(&other, &bytes),
            Err(l2_da::derive::CheckpointError::Chain { .. })
        ));
    }
    assert!(taken > 3);
}

#[test]
fn only_what_is_remembered_can_be_rewound_to() {
    let (mut net, _) = Net::opened();
    let tip = net.node.tip().height;
    for got in [crate::model::FIRST - 1, tip + 1] {
        assert_eq!(
            net.node.rewind(got),
            Err(RewindError {
                oldest: crate::model::FIRST,
                tip,
                got
            })
        );
    }
    for _ in 0..l2_da::derive::HISTORY {
        net.mine(vec![]);
    }
    let oldest = net.node.tip().height - l2_da::derive::HISTORY as u64;
    assert!(net.node.rewind(oldest - 1).is_err());
    net.node.rewind(oldest).unwrap();
    assert_eq!(net.node.tip().height, oldest);
}

#[test]
fn blocks_out_of_order_are_refused() {
    let (mut net, _) = Net::opened();
    let tip = net.node.tip();
    net.bitcoin.mine(vec![]);
    let block = net.bitcoin.blocks.last().unwrap().clone();
    for (block, height) in [
        (&block, tip.height + 2),
        (&block, tip.height),
        (net.bitcoin.at(tip.height), tip.height + 1),
    ] {
        let refused = net.node.advance(block, height, 0, &format(), &mut net.executor);
        assert!(matches!(refused, Err(DeriveError::NotNext { expected, .. }) if expected == tip));
    }
    net.follow();
}

#[test]
fn a_fault_changes_nothing() {
    let (mut net, held) = Net::opened();
    net.agree_some(3);
    let batch = net.batch(&held);
    net.bitcoin.mine(
        core::iter::once(&batch.commit)
            .chain(&batch.reveals)
            .cloned()
            .collect(),
    );
    let height = net.bitcoin.height();
    let before = (net.node.tip(), net.node.safe().clone(), net.node.link().clone());
    for _ in 0..3 {
        net.executor.faults = 1;
        let fault = net
            .node
            .advance(net.bitcoin.at(height), height, 0, &format(), &mut net.executor);
        assert_eq!(fault.unwrap_err(), DeriveError::Fault("the disk is full"));
        let now = (net.node.tip(), net.node.safe().clone(), net.node.link().clone());
        assert_eq!(now, before);
    }
    net.follow();
    net.assert_caught_up();
}
