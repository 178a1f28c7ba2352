//! All is well, or nearly.

use std::collections::BTreeSet;

use l2_block::{B256, Bytes};
use l2_consensus::{Certificate, CertificateError, ValidatorSet};

use crate::devnet::{Devnet, header};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_validators_agree() {
    let mut devnet = Devnet::new(4).await;
    devnet.start_all();
    for place in 0..4 {
        devnet.reach(place, 20).await;
    }
    let chain = devnet.finish().await;
    let proposers: BTreeSet<_> = chain.iter().map(|(bytes, _)| header(bytes).proposer).collect();
    assert_eq!(proposers.len(), 4);
    for place in 0..4 {
        assert_eq!(devnet.evidence(place), vec![]);
    }

    // A certificate proves one block of one chain, for those who know its validators.
    let certificate = chain[10].1.clone();
    let (genesis, validators) = (devnet.genesis, &devnet.validators);
    let bytes = certificate.encode();
    assert_eq!(Certificate::decode_exact(&bytes), Ok(certificate.clone()));
    for end in 0..bytes.len() {
        assert!(Certificate::decode_exact(&bytes[..end]).is_err());
    }
    for i in 0..bytes.len() {
        let mut other = bytes.clone();
        other[i] ^= 1;
        if let Ok(read) = Certificate::decode_exact(&other) {
            assert!(read.verify(&genesis, validators).is_err(), "byte {i}");
        }
    }
    let wrong = |change: &dyn Fn(&mut Certificate)| {
        let mut changed = certificate.clone();
        change(&mut changed);
        changed.verify(&genesis, validators).unwrap_err()
    };
    assert!(certificate.verify(&B256::ZERO, validators).is_err());
    assert!(matches!(
        wrong(&|c| c.block = B256::ZERO),
        CertificateError::Signature { .. }
    ));
    assert!(matches!(
        wrong(&|c| c.round += 1),
        CertificateError::Signature { .. }
    ));
    assert!(matches!(
        wrong(&|c| c.height += 1),
        CertificateError::Signature { .. }
    ));
    assert!(matches!(
        wrong(&|c| c.precommits.truncate(2)),
        CertificateError::Quorum { got: 2, expected: 3 }
    ));
    assert!(matches!(
        wrong(&|c| c.precommits.push(c.precommits[0])),
        CertificateError::Twice { .. }
    ));
    assert!(matches!(
        wrong(&|c| c.precommits[0].key = c.block),
        CertificateError::Stranger { .. }
    ));
    let strangers = ValidatorSet::new(validators.as_slice()[..2].to_vec()).unwrap();
    assert!(certificate.verify(&genesis, &strangers).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_validator_alone_decides() {
    let mut devnet = Devnet::new(1).await;
    devnet.start_all();
    devnet.reach(0, 5).await;
    devnet.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_blocks_travel_in_parts() {
    let mut devnet = Devnet::new(4).await;
    for node in &mut devnet.nodes {
        node.manners.block_bytes = 2_000_000;
    }
    devnet.start_all();
    for place in 0..4 {
        devnet.reach(place, 5).await;
    }
    let chain = devnet.finish().await;
    assert!(chain.iter().all(|(bytes, _)| bytes.len() > 2_000_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_late_syncs() {
    let mut devnet = Devnet::new(4).await;
    // 3 of 4 are enough; the last comes when there is a chain, and so does a node that is no validator.
    for place in 0..3 {
        devnet.start(place);
    }
    let follower = devnet.add(None, [0x55; 32]);
    devnet.reach(0, 30).await;
    devnet.start(3);
    devnet.start(follower);
    devnet.reach(follower, 30).await;
    devnet.reach(3, 30).await;
    // The validator takes part again: its signature is in a certificate.
    let key = devnet.validators.as_slice()[3].key().0;
    devnet
        .until("node 3 signs", || {
            let chain = devnet.nodes[0].chain.lock().unwrap();
            chain
                .blocks
                .last()
                .is_some_and(|(_, certificate)| certificate.precommits.iter().any(|p| p.key == key))
        })
        .await;
    // The follower goes on following.
    let height = devnet.height(0);
    devnet.reach(follower, height + 3).await;
    devnet.finish().await;
    assert_eq!(devnet.nodes[follower].chain.lock().unwrap().proposals, 0);
}

/// Rounds in which blocks were made and decided. What is decided late was often made in the first round.
const ROUNDS: [(u32, u32); 8] = [(0, 0), (0, 1), (0, 4), (1, 1), (0, 2), (2, 3), (3, 3), (0, 7)];

/// Heights, rounds and blocks of certificates.
fn places(chain: &[(Bytes, Certificate)]) -> Vec<(u64, u32, B256)> {
    let place = |certificate: &Certificate| (certificate.height, certificate.round, certificate.block);
    chain.iter().map(|(_, certificate)| place(certificate)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_that_were_decided_in_later_rounds_are_synced() {
    let mut devnet = Devnet::new(4).await;
    let chain = devnet.decided(&ROUNDS);
    devnet.nodes[0].chain.lock().unwrap().blocks = chain.clone();
    // Two of four decide nothing, so all that the late one gets is from the other's disk.
    devnet.start(0);
    devnet.start(3);
    devnet.reach(3, chain.len()).await;
    devnet.finish().await;
    let synced = devnet.nodes[3].chain.lock().unwrap();
    assert_eq!(places(&synced.blocks), places(&chain));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_synced_block_with_another_round_than_was_signed_is_refused() {
    let mut devnet = Devnet::new(4).await;
    let chain = devnet.decided(&ROUNDS);
    for place in [0, 1] {
        devnet.nodes[place].chain.lock().unwrap().blocks = chain.clone();
    }
    devnet.nodes[0].manners.misstates_rounds = true;
    devnet.start(0);
    devnet.start(3);
    devnet
        .until("the liar is asked", || {
            devnet.nodes[0].chain.lock().unwrap().lies > 0
        })
        .await;
    // An honest one gives the same blocks as they were decided.
    devnet.start(1);
    devnet.reach(3, chain.len()).await;
    devnet.finish().await;
    let synced = devnet.nodes[3].chain.lock().unwrap();
    assert_eq!(places(&synced.blocks[..chain.len()]), places(&chain));
}
