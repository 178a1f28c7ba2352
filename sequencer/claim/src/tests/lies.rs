//! False claims, withheld and garbage data: the guest rejects, or decides nothing.

use alloc::vec::Vec;

use alloy_primitives::B256;
use l2_block::{blob_root, hash};
use l2_state::{NodeSource, Overlay, StateError};
use l2_stf::Invalid;

use super::{MAX_STEPS, claim, everything};
use crate::run::preimages;
use crate::sample::Batch;
use crate::{
    BatchClaim, CheckError, Checkpoint, ClaimError, ClaimedBatch, Verdict, check, claim_batch, claim_words,
    patch, run,
};

/// The verdicts of a native run and the guest on a claim, with all that a witness of the truth has and `more`.
fn judge(
    truth: &ClaimedBatch,
    checkpoint: &Checkpoint,
    claim: &BatchClaim,
    more: Vec<(B256, [u8; 64])>,
) -> (Result<B256, CheckError>, Verdict) {
    let mut nodes = truth.nodes.clone();
    nodes.extend(more);
    let native = check(&nodes, checkpoint, &claim.content_root, &claim.l1_root);
    let elf = patch(&truth.elf, checkpoint).unwrap();
    let guest = run(&elf, &claim_words(claim), &preimages(&nodes), MAX_STEPS).unwrap();
    (native, guest.verdict)
}

/// Native execution and the guest refuse the batch alike.
fn assert_rejected(
    truth: &ClaimedBatch,
    checkpoint: &Checkpoint,
    claim: &BatchClaim,
    more: Vec<(B256, [u8; 64])>,
) -> CheckError {
    let (native, guest) = judge(truth, checkpoint, claim, more);
    assert_eq!(guest, Verdict::Rejected);
    native.unwrap_err()
}

/// A batch of transfers, and its true claim.
fn transfers() -> (Batch, ClaimedBatch) {
    let batch = everything().remove(1);
    let truth = claim(&batch);
    assert_eq!(truth.verdict, Verdict::Accepted);
    (batch, truth)
}

#[test]
fn a_false_post_root_is_rejected() {
    let (batch, truth) = transfers();
    for post_root in [B256::ZERO, batch.parent.state_root, B256::repeat_byte(7)] {
        let claim = BatchClaim {
            post_root,
            ..truth.claim
        };
        let (native, guest) = judge(&truth, &truth.checkpoint, &claim, Vec::new());
        assert_eq!(native, Ok(truth.claim.post_root));
        assert_eq!(guest, Verdict::Rejected);
    }
}

/// The same blocks after another header: one with another state, and one that is none.
#[test]
fn a_batch_after_another_checkpoint_is_rejected() {
    let (batch, truth) = transfers();
    let after = |header: &[u8]| {
        let mut more = Vec::new();
        let root = blob_root(header, |digest, node| more.push((digest, node)));
        let checkpoint = Checkpoint {
            header: root,
            ..truth.checkpoint
        };
        assert_rejected(&truth, &checkpoint, &truth.claim, more)
    };
    let mut header = batch.parent.clone();
    header.state_root = B256::repeat_byte(7);
    let error = after(&alloy_rlp::encode(&header));
    assert!(
        matches!(
            error,
            CheckError::Block {
                reason: Invalid::Parent { .. },
                ..
            }
        ),
        "{error}"
    );
    let error = after(&[0xc0]);
    assert!(
        matches!(error, CheckError::Encoding { what: "header", .. }),
        "{error}"
    );
}

/// The rules of another chain: a genesis file that nobody agreed on is not the image's.
#[test]
fn a_batch_of_another_chain_is_rejected() {
    let (batch, truth) = transfers();
    let mut genesis = batch.genesis.clone();
    genesis.chain_id += 1;
    let mut more = Vec::new();
    let root = blob_root(&alloy_rlp::encode(&genesis), |digest, node| {
        more.push((digest, node))
    });
    let checkpoint = Checkpoint {
        genesis: root,
        ..truth.checkpoint
    };
    let error = assert_rejected(&truth, &checkpoint, &truth.claim, more);
    assert!(matches!(error, CheckError::Block { .. }), "{error}");
}

/// Whoever lacks a node can say nothing, and says nothing: neither accepted nor rejected.
#[test]
fn withheld_data_decides_nothing() {
    let (batch, truth) = transfers();
    for withheld in [
        truth.claim.content_root,
        truth.claim.l1_root,
        batch.parent.state_root,
    ] {
        let mut less = truth.clone();
        less.nodes.remove(&withheld);
        let (native, guest) = judge(&less, &truth.checkpoint, &truth.claim, Vec::new());
        assert!(matches!(
            native,
            Err(CheckError::State(StateError::Missing(missing))) if missing.0 == withheld
        ));
        assert_eq!(guest, Verdict::Unknown(withheld));
    }
    // Nor is a false claim rejected by whoever does not know its data.
    let mut less = truth.clone();
    less.nodes.remove(&truth.claim.content_root);
    let claim = BatchClaim {
        post_root: B256::ZERO,
        ..truth.claim
    };
    let (_, guest) = judge(&less, &truth.checkpoint, &claim, Vec::new());
    assert_eq!(guest, Verdict::Unknown(truth.claim.content_root));
}

/// The claim of other content, with its nodes.
fn with_content(truth: &ClaimedBatch, bytes: &[u8]) -> (BatchClaim, Vec<(B256, [u8; 64])>) {
    let mut more = Vec::new();
    let content_root = blob_root(bytes, |digest, node| more.push((digest, node)));
    let claim = BatchClaim {
        content_root,
        ..truth.claim
    };
    (claim, more)
}

#[test]
fn garbage_is_rejected() {
    let (batch, truth) = transfers();
    let whole = alloy_rlp::encode(&batch.blocks);
    let longer = [&whole[..], &[0x80]].concat();
    let garbage: Vec<u8> = (0..500u32).map(|i| (i * i) as u8).collect();
    for bytes in [
        &[][..],
        &[0x80],
        &garbage,
        &whole[..whole.len() - 1],
        &longer,
        // A length that nothing follows.
        &[0xfb, 0xff, 0xff, 0xff, 0xff],
    ] {
        let (claim, more) = with_content(&truth, bytes);
        let error = assert_rejected(&truth, &truth.checkpoint, &claim, more);
        assert!(matches!(error, CheckError::Encoding { .. }), "{error}");
    }
    let (claim, more) = with_content(&truth, &[0xc0]);
    let error = assert_rejected(&truth, &truth.checkpoint, &claim, more);
    assert_eq!(error, CheckError::Empty);
}

/// A root that is no blob's: too long, or a node of something else.
#[test]
fn a_root_of_no_blob_is_rejected() {
    let (batch, truth) = transfers();
    let mut endless = [0; 64];
    endless[28..32].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
    for (root, more) in [
        (hash(&endless), [(hash(&endless), endless)].to_vec()),
        (batch.parent.state_root, Vec::new()),
    ] {
        for claim in [
            BatchClaim {
                content_root: root,
                ..truth.claim
            },
            BatchClaim {
                l1_root: root,
                ..truth.claim
            },
        ] {
            let error = assert_rejected(&truth, &truth.checkpoint, &claim, more.clone());
            assert!(
                matches!(error, CheckError::State(StateError::Malformed { .. })),
                "{error}"
            );
        }
    }
}

#[test]
fn invalid_blocks_are_rejected() {
    let (batch, truth) = transfers();
    type Change = fn(&mut Vec<l2_block::Block>);
    let changes: &[(&str, Change)] = &[
        ("state root", |blocks| blocks[0].header.state_root = B256::ZERO),
        ("receipts root", |blocks| {
            blocks[0].header.receipts_root = B256::ZERO
        }),
        ("gas", |blocks| blocks[0].header.gas_used += 1),
        ("proposer", |blocks| blocks[0].header.proposer.0[0] ^= 1),
        ("fee", |blocks| blocks[0].header.base_fee += 1),
        ("transaction left out", |blocks| {
            blocks[0].transactions.pop();
        }),
        ("twice", |blocks| blocks.push(blocks[0].clone())),
        ("signature", |blocks| {
            let mut bytes = blocks[0].transactions[0].to_vec();
            *bytes.last_mut().unwrap() ^= 1;
            blocks[0].transactions[0] = bytes.into();
            blocks[0].header.transactions_root = l2_block::Block::transactions_root(&blocks[0].transactions);
        }),
    ];
    for (name, change) in changes {
        let mut blocks = batch.blocks.clone();
        change(&mut blocks);
        let (claim, mut more) = with_content(&truth, &alloy_rlp::encode(&blocks));
        // What is touched on other ways through the state must be known.
        more.extend(batch.nodes.iter().map(|(digest, node)| (*digest, *node)));
        let error = assert_rejected(&truth, &truth.checkpoint, &claim, more);
        assert!(matches!(error, CheckError::Block { .. }), "{name}: {error}");
    }
}

/// A deposit that Bitcoin does not have, blocks that no block of the batch sees, blocks left out.
#[test]
fn bitcoin_blocks_must_be_those_that_the_batch_sees() {
    let batches = everything();
    let (quiet, loud) = (&batches[1], &batches[4]);
    let truth = claim(quiet);
    let mut more = Vec::new();
    let mut l1_root = |bytes: &[u8]| blob_root(bytes, |digest, node| more.push((digest, node)));
    let (unseen, none) = (l1_root(&alloy_rlp::encode(&loud.l1)), l1_root(&[0xc0]));
    let claim_of = |truth: &ClaimedBatch, l1_root| BatchClaim {
        l1_root,
        ..truth.claim
    };
    let error = assert_rejected(&truth, &truth.checkpoint, &claim_of(&truth, unseen), more.clone());
    assert_eq!(error, CheckError::L1 { got: 0, expected: 2 });
    let truth = claim(loud);
    assert_eq!(truth.verdict, Verdict::Accepted);
    let error = assert_rejected(&truth, &truth.checkpoint, &claim_of(&truth, none), more);
    assert!(matches!(error, CheckError::Block { .. }), "{error}");
}

#[test]
fn an_invalid_batch_cannot_be_claimed() {
    let (mut batch, _) = transfers();
    batch.blocks[0].header.gas_used += 1;
    let claimed = |batch: &Batch, nodes: &dyn NodeSource| {
        claim_batch(
            &batch.genesis,
            &batch.parent,
            &batch.blocks,
            &batch.l1,
            nodes,
            MAX_STEPS,
        )
    };
    let refused = claimed(&batch, &batch.nodes).unwrap_err();
    assert!(matches!(refused, ClaimError::Check(CheckError::Block { .. })));
    let nothing = Overlay::new(alloc::collections::BTreeMap::new());
    let refused = claimed(&batch, &nothing).unwrap_err();
    assert!(matches!(
        refused,
        ClaimError::Check(CheckError::State(StateError::Missing(_)))
    ));
}
