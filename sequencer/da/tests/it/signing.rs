//! A validator signs what it would have made itself, and nothing else.

use std::sync::LazyLock;

use bitcoin::{Amount, OutPoint, Sequence, Transaction, Witness, XOnlyPublicKey};
use l2_block::{Block, Header};
use l2_da::batch::Content;
use l2_da::commitment::Commitment;
use l2_da::connector::{BatchConnector, Path};
use l2_da::proposal::{Plan, Proposal, SigningRequest};
use l2_da::signing::{Checked, OwnView, Refusal, check_before_signing, read_request};
use l2_da::transactions::{Coin, Funding};

use crate::keys::{coin, funding, public, request, script, sign};
use crate::model::{Bitcoin, Model, ORIGIN_LAG, block_zero, connector, genesis};

/// Whose turn it is.
static POSTERS: LazyLock<[XOnlyPublicKey; 2]> = LazyLock::new(|| [public(3), public(0)]);

struct Scene {
    head: Header,
    blocks: Vec<Block>,
    connector: BatchConnector,
    held: Coin,
    height: u64,
    funding: Funding,
}

impl Scene {
    fn new() -> Self {
        Self::with(&[b"one", b"two"])
    }

    fn with(transactions: &[&[u8]]) -> Self {
        let mut bitcoin = Bitcoin::new();
        let genesis = genesis(bitcoin.origin());
        let head = block_zero(&genesis);
        let mut model = Model::new(&genesis);
        bitcoin.mine(vec![]);
        let mut blocks: Vec<Block> = Vec::new();
        for _ in 0..3 {
            let parent = blocks.last().map_or(&head, |block| &block.header).clone();
            let l1 = bitcoin.l1(parent.origin.height + 1..=bitcoin.height());
            blocks.push(model.propose(&parent, &l1, transactions));
        }
        let connector = connector(&[0, 1, 2, 3]);
        let held = Coin {
            txout: connector.txout(BatchConnector::VALUE),
            ..coin(0, 77, 0)
        };
        Scene {
            head,
            blocks,
            connector,
            held,
            height: bitcoin.height(),
            funding: funding(0, vec![coin(0, 1, 5_000_000)], 2),
        }
    }

    fn plan<'a>(&'a self, next: &'a BatchConnector) -> Plan<'a> {
        Plan {
            chain_id: crate::traffic::CHAIN_ID,
            index: 4,
            pre_root: self.head.state_root,
            blocks: &self.blocks,
            connector: &self.connector,
            held: &self.held,
            path: Path::Quorum,
            next,
            key: public(0),
            funding: &self.funding,
        }
    }

    fn honest(&self) -> (Commitment, Vec<u8>) {
        let data = Content::of(&self.blocks)
            .encode(crate::traffic::CHAIN_ID)
            .unwrap();
        let commitment = Commitment::of(4, self.head.state_root, &self.blocks, &data).unwrap();
        (commitment, data)
    }

    fn request_of(&self, commitment: Commitment, data: &[u8]) -> SigningRequest {
        let next = connector(&[0, 1, 2, 5]);
        request(
            0,
            &Proposal::of_data(&self.plan(&next), commitment, data).unwrap(),
        )
        .0
    }

    fn request(&self) -> SigningRequest {
        let next = connector(&[0, 1, 2, 5]);
        request(0, &Proposal::new(&self.plan(&next)).unwrap()).0
    }

    fn own(&self) -> OwnView<'_> {
        OwnView {
            chain_id: crate::traffic::CHAIN_ID,
            index: 4,
            head: &self.head,
            blocks: &self.blocks,
            connector: &self.connector,
            held: &self.held,
            height: self.height,
            origin_lag: ORIGIN_LAG,
            posters: &*POSTERS,
        }
    }

    fn check(&self, request: &SigningRequest) -> Result<Checked, Refusal> {
        check(request, &self.own())
    }
}

fn check(request: &SigningRequest, own: &OwnView<'_>) -> Result<Checked, Refusal> {
    check_before_signing(request, own, |_| Some(connector(&[0, 1, 2, 5])))
}

#[test]
fn the_own_blocks_are_signed() {
    let scene = Scene::new();
    let request = scene.request();
    let checked = scene.check(&request).unwrap();
    assert_eq!(checked.commitment, scene.honest().0);
    let next = connector(&[0, 1, 2, 5]);
    let proposal = Proposal::new(&scene.plan(&next)).unwrap();
    assert_eq!(checked.sighash, proposal.commit().connector_sighash());
    proposal.commit().verify(2, &sign(2, checked.sighash)).unwrap();
    // A batch of fewer blocks than are finalised here is as good.
    let fewer = Scene {
        blocks: scene.blocks[..2].to_vec(),
        head: scene.head.clone(),
        connector: scene.connector.clone(),
        held: scene.held.clone(),
        funding: scene.funding.clone(),
        height: scene.height,
    };
    assert_eq!(scene.check(&fewer.request()).unwrap().commitment.last, 2);
    // More is not, yet.
    assert!(matches!(
        fewer.check(&request),
        Err(Refusal::Range {
            first: 1,
            last: 2,
            got_first: 1,
            got_last: 3
        })
    ));
}

#[test]
fn other_commitments_are_refused() {
    type Change = fn(&mut Commitment);
    let scene = Scene::new();
    let changes: [Change; 6] = [
        |c| c.index += 1,
        |c| c.pre_root.0[0] ^= 1,
        |c| c.post_root.0[0] ^= 1,
        |c| c.data_root.0[0] ^= 1,
        |c| c.content_root.0[0] ^= 1,
        |c| c.last_hash.0[0] ^= 1,
    ];
    for change in changes {
        let (mut commitment, data) = scene.honest();
        change(&mut commitment);
        let refused = scene.check(&scene.request_of(commitment, &data));
        assert!(
            matches!(refused, Err(Refusal::OtherCommitment { .. })),
            "{refused:?}"
        );
    }
    for (first, last) in [(2, 3), (2, 4), (1, 4)] {
        let (commitment, data) = scene.honest();
        let commitment = Commitment {
            first,
            last,
            ..commitment
        };
        let refused = scene.check(&scene.request_of(commitment, &data));
        assert!(matches!(refused, Err(Refusal::Range { .. })), "{refused:?}");
    }
    let (commitment, data) = scene.honest();
    let refused = scene.check(&scene.request_of(
        Commitment {
            last: 2,
            ..commitment
        },
        &data,
    ));
    assert_eq!(refused, Err(Refusal::OtherBlocks));
}

#[test]
fn other_data_is_refused() {
    let scene = Scene::new();
    let (commitment, data) = scene.honest();
    let mut longer = data.clone();
    longer.push(0);
    let refused = scene.check(&scene.request_of(commitment.clone(), &longer));
    assert!(matches!(refused, Err(Refusal::Data(_))), "{refused:?}");
    let mut content = Content::of(&scene.blocks);
    content.blocks[1].transactions[0] = b"six".to_vec().into();
    let other = content.encode(crate::traffic::CHAIN_ID).unwrap();
    let refused = scene.check(&scene.request_of(commitment, &other));
    assert_eq!(refused, Err(Refusal::OtherBlocks));
    // Another head than the own: the first block does not follow it.
    let mut own = scene.own();
    let head = Header {
        timestamp_ms: 77,
        ..scene.head.clone()
    };
    own.head = &head;
    assert!(matches!(
        check(&scene.request(), &own),
        Err(Refusal::Range { .. })
    ));
    // Blocks whose place on Bitcoin would come too late.
    let mut own = scene.own();
    own.height += ORIGIN_LAG;
    check(&scene.request(), &own).unwrap();
    own.height += 1;
    assert!(matches!(
        check(&scene.request(), &own),
        Err(Refusal::TooOld { .. })
    ));
}

#[test]
fn other_commits_are_refused() {
    type Change = fn(&mut SigningRequest);
    let scene = Scene::new();
    let changes: [(&str, Change); 12] = [
        ("version", |r| {
            r.commit.version = bitcoin::transaction::Version::ONE
        }),
        ("lock time", |r| {
            r.commit.lock_time = bitcoin::absolute::LockTime::from_consensus(1);
        }),
        ("no inputs", |r| r.commit.input.clear()),
        ("no outputs", |r| r.commit.output.clear()),
        ("another connector", |r| {
            r.commit.input[0].previous_output.vout += 1
        }),
        ("the coin first", |r| {
            r.commit.input.swap(0, 1);
            r.prevouts.swap(0, 1);
        }),
        ("the fall-back's lock", |r| {
            r.commit.input[0].sequence = Sequence::from_height(20)
        }),
        ("a connector of another value", |r| {
            r.prevouts[0].value += Amount::ONE_SAT
        }),
        ("fewer prevouts", |r| drop(r.prevouts.pop())),
        ("dust", |r| r.commit.output[2].value = Amount::from_sat(329)),
        ("a lesser connector", |r| {
            r.commit.output[0].value -= Amount::ONE_SAT
        }),
        ("a foreign connector", |r| {
            r.commit.output[0].script_pubkey = script(3)
        }),
    ];
    for (name, change) in changes {
        let mut request = scene.request();
        change(&mut request);
        let refused = scene.check(&request);
        assert!(
            matches!(refused, Err(Refusal::Commit { .. })),
            "{name}: {refused:?}"
        );
    }
    // The set after the last block is another than the poster says, or none.
    let own = scene.own();
    let refused = check_before_signing(&scene.request(), &own, |_| Some(connector(&[0, 1, 2, 3])));
    assert!(matches!(refused, Err(Refusal::Commit { .. })));
    let refused = check_before_signing(&scene.request(), &own, |_| None);
    assert!(matches!(refused, Err(Refusal::Commit { .. })));
    // The next set is asked for after the batch's last block.
    check_before_signing(&scene.request(), &own, |header| {
        assert_eq!(header.number, 3);
        Some(connector(&[0, 1, 2, 5]))
    })
    .unwrap();
}

/// Whoever is no validator, or not in turn, could keep the posters from posting.
#[test]
fn requests_of_others_are_refused() {
    let scene = Scene::new();
    let own = scene.own();
    let request_by = |number: usize| {
        let next = connector(&[0, 1, 2, 5]);
        let plan = Plan {
            key: public(number),
            ..scene.plan(&next)
        };
        request(number, &Proposal::new(&plan).unwrap()).0
    };
    for number in [0, 3] {
        assert_eq!(check(&request_by(number), &own).unwrap().poster, public(number));
        assert_eq!(
            read_request(&request_by(number), own.posters).unwrap().poster,
            public(number)
        );
    }
    for number in [1, 2, 7] {
        for refused in [
            check(&request_by(number), &own).unwrap_err(),
            read_request(&request_by(number), own.posters).unwrap_err(),
        ] {
            assert!(
                matches!(refused, Refusal::Reveal { number: 0, .. }),
                "{refused:?}"
            );
        }
    }
    let nobody = OwnView { posters: &[], ..own };
    assert!(check(&request_by(0), &nobody).is_err());
}

#[test]
fn reveals_that_cannot_be_sent_are_refused() {
    type Change = fn(&mut Transaction);
    let scene = Scene::new();
    let changes: [(&str, Change); 9] = [
        ("another signature", |r| {
            let mut items: Vec<Vec<u8>> = r.input[0].witness.iter().map(<[u8]>::to_vec).collect();
            items[0] = sign(0, [1; 32]).serialize().to_vec();
            r.input[0].witness = Witness::from_slice(&items);
        }),
        ("a signature of another type", |r| {
            let mut items: Vec<Vec<u8>> = r.input[0].witness.iter().map(<[u8]>::to_vec).collect();
            items[0].push(1);
            r.input[0].witness = Witness::from_slice(&items);
        }),
        ("an annex", |r| r.input[0].witness.push([0x50])),
        ("another output", |r| r.input[0].previous_output.vout += 1),
        ("another commit", |r| {
            r.input[0].previous_output = OutPoint::null()
        }),
        ("a lock", |r| r.input[0].sequence = Sequence::from_height(1)),
        ("dust", |r| r.output[0].value = Amount::from_sat(329)),
        ("no fee", |r| r.output[0].value = Amount::from_sat(10_000_000)),
        ("two outputs", |r| r.output.push(r.output[0].clone())),
    ];
    for (name, change) in changes {
        let mut request = scene.request();
        change(&mut request.reveals[0]);
        let refused = scene.check(&request);
        assert!(
            matches!(refused, Err(Refusal::Reveal { number: 0, .. })),
            "{name}: {refused:?}"
        );
    }
    // No witness at all, no reveals, too many.
    let mut request = scene.request();
    request.reveals[0].input[0].witness.clear();
    assert!(matches!(scene.check(&request), Err(Refusal::Commit { .. })));
    request.reveals.clear();
    assert!(matches!(scene.check(&request), Err(Refusal::Commit { .. })));
    let mut request = scene.request();
    request.reveals = vec![request.reveals[0].clone(); 17];
    assert!(matches!(scene.check(&request), Err(Refusal::Commit { .. })));
    let mut request = scene.request();
    request.reveals.push(request.reveals[0].clone());
    assert!(matches!(scene.check(&request), Err(Refusal::Commit { .. })));
    // The commit's output is not the reveal's inscription: nobody could send the reveal.
    let mut request = scene.request();
    request.commit.output[1].script_pubkey = script(3);
    request.reveals[0].input[0].previous_output.txid = request.commit.compute_txid();
    assert!(matches!(scene.check(&request), Err(Refusal::Reveal { .. })));
}
