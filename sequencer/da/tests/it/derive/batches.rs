//! Batches as they should be, in all sizes.

use super::*;

#[test]
fn batches_give_the_blocks_of_their_proposers() {
    let (mut net, mut held) = Net::opened();
    for count in [1, 3, 5] {
        net.agree_some(count);
        let batch = net.batch(&held);
        held = batch.next.clone();
        net.post(&batch);
        net.assert_caught_up();
        assert!(matches!(net.node.link(), Link::Held { outpoint, .. } if *outpoint == held.outpoint));
    }
    assert_eq!(net.node.next_index(), 3);
}

#[test]
fn labels_follow_depth() {
    let (mut net, held) = Net::opened();
    net.agree_some(2);
    let batch = net.batch(&held);
    net.post(&batch);
    assert_eq!(net.node.safe().number, 2);
    for _ in 1..CONFIRMATIONS {
        assert_eq!(net.node.finalized().number, 0);
        net.mine(vec![]);
    }
    assert_eq!(net.node.finalized(), net.agreed[2].id());
}

#[test]
fn two_batches_fit_one_block() {
    let (mut net, held) = Net::opened();
    net.agree_some(2);
    let first = net.batch(&held);
    // The second is made by somebody who knows how the first ends.
    let mut ahead = Net::new();
    ahead.bitcoin = net.bitcoin.clone();
    ahead.agreed = net.agreed.clone();
    ahead.model = net.model.clone();
    ahead.follow();
    ahead.post(&first);
    ahead.agree(net.bitcoin.height(), &[b"more"]);
    ahead.coins = 100;
    let second = ahead.batch(&first.next);
    net.agreed = ahead.agreed.clone();
    let all = [&first, &second].map(|batch| core::iter::once(&batch.commit).chain(&batch.reveals));
    net.mine(all.into_iter().flatten().cloned().collect());
    assert_eq!(net.batches.len(), 2);
    net.assert_caught_up();
}

#[test]
fn a_batch_of_many_parts_is_put_together() {
    let (mut net, held) = Net::opened();
    let noise = noise(900_000);
    net.agree(net.bitcoin.height(), &[noise.as_slice()]);
    let batch = net.batch(&held);
    assert_eq!(batch.reveals.len(), 3);
    // Shuffled over blocks: only outpoints count.
    net.mine(vec![batch.reveals[2].clone()]);
    let mut later = net.bitcoin.clone();
    net.mine(vec![batch.commit.clone(), batch.reveals[2].clone()]);
    net.mine(vec![batch.reveals[0].clone()]);
    assert!(net.batches.is_empty());
    net.mine(vec![batch.reveals[1].clone()]);
    net.assert_caught_up();
    // Without one of them it never is.
    later.mine(vec![
        batch.commit.clone(),
        batch.reveals[0].clone(),
        batch.reveals[1].clone(),
    ]);
    let mut other = Net::new();
    other.bitcoin = later;
    other.follow();
    for _ in 0..=WINDOW {
        assert!(other.batches.is_empty());
        other.mine(vec![]);
    }
    assert_eq!(other.empty(), &Empty::MissingPart);
}

#[test]
fn blocks_that_are_too_much_for_a_batch_are_halved_until_they_fit() {
    let (mut net, mut held) = Net::opened();
    // Four of which any three have as many transactions as fit; then three whose signatures and addresses are too many bytes.
    for _ in 0..4 {
        net.agree(
            net.bitcoin.height(),
            &vec![b"small".as_slice(); MAX_TRANSACTIONS / 3],
        );
    }
    let transfers = traffic(Mix::StrangerTransfers, 69_000, 1).blocks;
    let transfers: Vec<&[u8]> = transfers
        .iter()
        .flat_map(|block| &block.transactions)
        .map(AsRef::as_ref)
        .collect();
    for transactions in transfers.chunks(23_000) {
        net.agree(net.bitcoin.height(), transactions);
    }
    let is_count = |error: &ProposalError| matches!(error, ProposalError::Encode(_));
    let is_parts = |error: &ProposalError| matches!(error, ProposalError::Parts(_));
    // Seven, then three; four, then two; two and no more.
    let (batch, refused) = net.batch_that_fits(&held);
    assert!(
        matches!(refused.as_slice(), [count] if is_count(count)),
        "{refused:?}"
    );
    net.post(&batch);
    held = batch.next.clone();
    assert_eq!(net.head().number, 3);
    let (batch, refused) = net.batch_that_fits(&held);
    assert!(
        matches!(refused.as_slice(), [parts] if is_parts(parts)),
        "{refused:?}"
    );
    net.post(&batch);
    held = batch.next.clone();
    assert_eq!(net.head().number, 5);
    let (batch, refused) = net.batch_that_fits(&held);
    assert_eq!(refused, []);
    net.post(&batch);
    assert_eq!(net.node.next_index(), 3);
    // Whatever the seams, these are the blocks that were agreed on.
    net.assert_caught_up();
    net.assert_goes_on(&batch.next);
}

#[test]
fn one_block_that_is_too_much_is_not_halved() {
    let (mut net, _) = Net::opened();
    net.agree_some(5);
    let mut tried = vec![];
    let too_much = || ProposalError::Encode(EncodeError::NoBlocks);
    let made = as_many_as_fit(&net.unposted(), |blocks| {
        tried.push(blocks.len());
        Ok::<Result<(), _>, Infallible>(Err(too_much()))
    });
    assert_eq!((made, tried), (Ok(Err(too_much())), vec![5, 2, 1]));
    // What fewer blocks do not cure is told at once.
    let mut tried = 0;
    let poor = || ProposalError::Signatures { expected: 1, got: 0 };
    let made = as_many_as_fit(&net.unposted(), |_| {
        tried += 1;
        Ok::<Result<(), _>, Infallible>(Err(poor()))
    });
    assert_eq!((made, tried), (Ok(Err(poor())), 1));
    let failed = as_many_as_fit(&net.unposted(), |_| Err::<Result<(), _>, _>("a disk"));
    assert_eq!(failed, Err("a disk"));
}
