//! Somebody dies, or lies.

use std::time::Duration;

use l2_block::{B256, Conflict};
use l2_consensus::proves;
use rand::Rng;
use tokio::time::sleep;

use crate::devnet::{Devnet, header};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_go_on_two_halt_and_a_third_heals() {
    let mut devnet = Devnet::new(4).await;
    devnet.start_all();
    devnet.reach(0, 3).await;
    devnet.stop(3).await;
    // Node 3's turns pass to the next proposer.
    let height = devnet.height(0);
    devnet.reach(0, height + 6).await;
    devnet.stop(2).await;
    // What two have in hand may still be decided; then nothing.
    sleep(Duration::from_secs(1)).await;
    let halted = devnet.height(0).max(devnet.height(1));
    sleep(Duration::from_secs(3)).await;
    assert!(devnet.height(0).max(devnet.height(1)) <= halted);
    devnet.start(2);
    for place in 0..3 {
        devnet.reach(place, halted + 3).await;
    }
    let chain = devnet.finish().await;
    assert!(chain.iter().any(|(bytes, _)| header(bytes).round > 0));
    for place in 0..4 {
        assert_eq!(devnet.evidence(place), vec![]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_blocks_are_not_decided() {
    let mut devnet = Devnet::new(4).await;
    devnet.nodes[1].manners.proposes_rubbish = true;
    devnet.start_all();
    for place in 0..4 {
        devnet.reach(place, 6).await;
    }
    let liar = devnet.nodes[1].address;
    let chain = devnet.finish().await;
    assert!(chain.iter().all(|(bytes, _)| header(bytes).proposer != liar));
    assert!(devnet.nodes[1].chain.lock().unwrap().proposals > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_that_runs_twice_is_caught() {
    let mut devnet = Devnet::new(4).await;
    // The same key on two machines, which propose and vote each for itself.
    let twin = devnet.add(Some(3), [0x66; 32]);
    // Neither rests after a decision. So both open their turns while the others still rest, who then hear both proposals
    // before either can be decided; and a twin that fell behind does not stay behind for ever and only follow the other.
    for place in [3, twin] {
        devnet.nodes[place].config.block_interval = Duration::ZERO;
    }
    devnet.start_all();
    let proposed_twice = |place: usize| {
        let evidence = devnet.evidence(place);
        evidence
            .iter()
            .any(|e| matches!(e.conflict, Conflict::Proposals(..)))
            && evidence.iter().any(|e| matches!(e.conflict, Conflict::Votes(..)))
    };
    devnet
        .until("the twins are caught", || (0..3).any(proposed_twice))
        .await;
    devnet.reach(0, devnet.height(0) + 2).await;
    devnet.finish().await;
    let guilty = devnet.validators.as_slice()[3].key().0;
    for place in 0..3 {
        for evidence in devnet.evidence(place) {
            assert_eq!(evidence.key, guilty);
            assert!(proves(&evidence, &devnet.genesis));
            // On another chain, or of another validator, it is worth nothing.
            assert!(!proves(&evidence, &B256::ZERO));
            let mut other = evidence;
            other.key = devnet.validators.as_slice()[0].key().0;
            assert!(!proves(&other, &devnet.genesis));
            // The same message twice is no conflict.
            other.key = guilty;
            other.conflict = match evidence.conflict {
                Conflict::Votes(a, _) => Conflict::Votes(a, a),
                Conflict::Proposals(a, _) => Conflict::Proposals(a, a),
            };
            assert!(!proves(&other, &devnet.genesis));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_chains_validator_has_no_effect() {
    let mut devnet = Devnet::new(4).await;
    devnet.nodes[3].config.genesis = B256::repeat_byte(0x78);
    devnet.start_all();
    for place in 0..3 {
        devnet.reach(place, 8).await;
    }
    assert_eq!(devnet.height(3), 0);
    let stranger = devnet.validators.as_slice()[3].key().0;
    let chain = devnet.finish().await;
    for (_, certificate) in chain {
        assert!(certificate.precommits.iter().all(|p| p.key != stranger));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_do_not_sign_twice() {
    let mut devnet = Devnet::new(4).await;
    devnet.start_all();
    devnet.reach(3, 1).await;
    // Stopped at any moment, most often in the middle of a height.
    for _ in 0..8 {
        let pause = rand::thread_rng().gen_range(0..150);
        sleep(Duration::from_millis(pause)).await;
        devnet.stop(3).await;
        devnet.start(3);
    }
    let height = devnet.height(0);
    devnet.reach(3, height + 4).await;
    devnet.finish().await;
    for place in 0..4 {
        assert_eq!(devnet.evidence(place), vec![]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_restart_at_once_and_go_on() {
    let mut devnet = Devnet::new(4).await;
    devnet.start_all();
    for round in 1..=3 {
        devnet.reach(0, round * 3).await;
        for place in 0..4 {
            devnet.stop(place).await;
        }
        devnet.start_all();
    }
    let height = devnet.height(0);
    for place in 0..4 {
        devnet.reach(place, height + 3).await;
    }
    devnet.finish().await;
    for place in 0..4 {
        assert_eq!(devnet.evidence(place), vec![]);
    }
}
