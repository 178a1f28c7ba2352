//! Batches that hold, or say of themselves, something else than they should.

use super::*;

#[test]
fn a_commitment_that_says_something_else_is_empty() {
    type Change = fn(&mut Commitment, &mut Vec<u8>);
    let fields: &[(&str, Change)] = &[
        ("first block", |c, _| {
            (c.first, c.last) = (c.first + 1, c.last + 1)
        }),
        ("pre-root", |c, _| c.pre_root = B256::repeat_byte(7)),
        ("data root", |c, _| c.data_root = B256::repeat_byte(7)),
        ("data root", |_, data| data.push(0)),
        ("post-root", |c, _| c.post_root = B256::repeat_byte(7)),
        ("content root", |c, _| c.content_root = B256::repeat_byte(7)),
        ("hash of the last header", |c, _| {
            c.last_hash = B256::repeat_byte(7)
        }),
    ];
    for (name, change) in fields {
        let (mut net, held) = Net::opened();
        net.agree_some(3);
        let batch = net.lie(&held, change);
        net.post(&batch);
        assert_eq!(net.empty(), &Empty::Field { field: name });
        assert_eq!(net.node.safe().number, 0);
        net.assert_goes_on(&batch.next);
    }
    for (index, got) in [(1, 1), (u64::MAX, u64::MAX)] {
        let (mut net, held) = Net::opened();
        net.agree_some(3);
        let batch = net.lie(&held, |c, _| c.index = index);
        net.post(&batch);
        assert_eq!(net.empty(), &Empty::Index { expected: 0, got });
        net.assert_goes_on(&batch.next);
    }
}

#[test]
fn data_that_is_no_content_is_empty() {
    let cases: [&[u8]; 4] = [b"", b"garbage", &[0], &[0xff; 2_000]];
    for garbage in cases {
        let (mut net, held) = Net::opened();
        net.agree_some(1);
        let batch = net.lie(&held, |commitment, data| {
            *data = garbage.to_vec();
            commitment.data_root = l2_block::blob_root(data, |_, _| ());
        });
        net.post(&batch);
        assert!(matches!(net.empty(), Empty::Data(_)), "{:?}", net.empty());
        net.assert_goes_on(&batch.next);
    }
    // Fewer blocks than it says.
    let (mut net, held) = Net::opened();
    net.agree_some(3);
    let batch = net.lie(&held, |commitment, _| commitment.last += 1);
    net.post(&batch);
    assert_eq!(net.empty(), &Empty::Blocks { expected: 4, got: 3 });
    net.assert_goes_on(&batch.next);
}

#[test]
fn an_invalid_block_makes_all_of_its_batch_empty() {
    let (mut net, held) = Net::opened();
    net.agree_some(3);
    let chain_id = net.genesis.chain_id;
    let blocks = net.unposted();
    let batch = net.lie(&held, |commitment, data| {
        let mut content = Content::of(&blocks);
        content.blocks[2].transactions = vec![BAD.to_vec().into()];
        *data = content.encode(chain_id).unwrap();
        commitment.data_root = l2_block::blob_root(data, |_, _| ());
    });
    net.post(&batch);
    let reason = "a bad transaction".to_string();
    assert_eq!(net.empty(), &Empty::Invalid { number: 3, reason });
    assert_eq!(net.node.safe().number, 0);
    net.assert_goes_on(&batch.next);
}

#[test]
fn origins_have_bounds() {
    // Blocks that name Bitcoin blocks which the commit cannot have seen.
    let (mut net, held) = Net::opened();
    net.agree_some(2);
    let (height, chain_id) = (net.bitcoin.height(), net.genesis.chain_id);
    let blocks = net.unposted();
    for origin in [height + 1, height + 2, u64::MAX] {
        let mut net = Net {
            bitcoin: net.bitcoin.clone(),
            genesis: net.genesis.clone(),
            model: net.model.clone(),
            agreed: net.agreed.clone(),
            node: net.node.clone(),
            executor: net.executor.clone(),
            batches: vec![],
            coins: 50,
        };
        let batch = net.lie(&held, |commitment, data| {
            let mut content = Content::of(&blocks);
            content.blocks[1].origin = origin;
            *data = content.encode(chain_id).unwrap();
            commitment.data_root = l2_block::blob_root(data, |_, _| ());
        });
        net.post(&batch);
        assert!(
            matches!(net.empty(), Empty::Origin { number: 2, latest, .. } if *latest == height),
            "{:?}",
            net.empty()
        );
        net.assert_goes_on(&batch.next);
    }
    // Blocks that wait too long: the first one's origin is the tip now.
    for wait in [ORIGIN_LAG - 1, ORIGIN_LAG] {
        let (mut net, held) = Net::opened();
        net.agree_some(2);
        for _ in 0..wait {
            net.mine(vec![]);
        }
        let batch = net.batch(&held);
        net.post(&batch);
        if wait < ORIGIN_LAG {
            net.assert_caught_up();
        } else {
            assert!(matches!(net.empty(), Empty::Origin { number: 1, .. }));
            net.agreed.truncate(1);
            net.assert_goes_on(&batch.next);
        }
    }
}

#[test]
fn a_replayed_batch_is_empty() {
    let (mut net, held) = Net::opened();
    net.agree_some(2);
    let blocks = net.unposted();
    let (commitment, data) = net.honest(&blocks);
    let first = net.batch(&held);
    net.post(&first);
    let next = connector(&[0, 1, 2, 3]);
    let replay = net.batch_of(&first.next, Path::Quorum, &next, commitment.clone(), &data);
    net.post(&replay);
    assert_eq!(net.empty(), &Empty::Index { expected: 1, got: 0 });
    // With the index it ought to have.
    let commitment = Commitment {
        index: 2,
        ..commitment
    };
    let again = net.batch_of(&replay.next, Path::Quorum, &next, commitment, &data);
    net.post(&again);
    assert_eq!(net.empty(), &Empty::Field { field: "first block" });
    assert_eq!(net.node.safe().number, 2);
    net.assert_goes_on(&again.next);
}
