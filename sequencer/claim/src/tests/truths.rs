//! True claims: the guest accepts exactly what native execution finds.

use alloc::vec;
use alloc::vec::Vec;

use alloy_primitives::Address;

use super::{MAX_STEPS, claim, everything};
use crate::sample::{Batch, Chain, Key, deposit, genesis};
use crate::{Verdict, check, run};

#[test]
fn the_guest_accepts_every_block_of_a_chain() {
    for batch in everything() {
        let number = batch.blocks[0].header.number;
        let claimed = claim(&batch);
        assert_eq!(claimed.verdict, Verdict::Accepted, "block {number}");
        assert_eq!(claimed.claim.post_root, batch.blocks[0].header.state_root);
    }
}

#[test]
fn many_blocks_are_one_claim() {
    let batches = everything();
    let whole = Batch {
        blocks: batches.iter().flat_map(|batch| batch.blocks.clone()).collect(),
        l1: batches.iter().flat_map(|batch| batch.l1.clone()).collect(),
        ..batches[0].clone()
    };
    let claimed = claim(&whole);
    assert_eq!(claimed.verdict, Verdict::Accepted);
    let last = whole.blocks.last().unwrap();
    assert_eq!(claimed.claim.post_root, last.header.state_root);
}

/// Without any one of the preimages the run does not end: what a native run touched is what the guest touches.
#[test]
fn the_witness_is_exact() {
    let batch = &everything()[1];
    let claimed = claim(batch);
    let digests: Vec<_> = claimed.nodes.keys().copied().collect();
    // Each fourth: the runs take time.
    for digest in digests.iter().step_by(4) {
        let mut nodes = claimed.nodes.clone();
        nodes.remove(digest);
        let preimages = crate::run::preimages(&nodes);
        let run = run(&claimed.elf, &claimed.words, &preimages, MAX_STEPS).unwrap();
        assert_eq!(run.verdict, Verdict::Unknown(*digest));
        let native = check(
            &nodes,
            &claimed.checkpoint,
            &claimed.claim.content_root,
            &claimed.claim.l1_root,
        );
        assert!(matches!(
            native,
            Err(crate::CheckError::State(l2_state::StateError::Missing(missing))) if missing.0 == *digest
        ));
    }
}

/// What a plain transfer costs in steps in a state of 10,000 accounts, signature and all. The goal was five million; a fifth
/// more than was measured is let through.
#[test]
fn a_transfer_takes_few_steps() {
    let mut chain = Chain::new(genesis(0));
    let strangers = (1..=10_000u64).map(|i| {
        let mut address = Address::ZERO;
        address[..8].copy_from_slice(&i.to_be_bytes());
        deposit(address, 1_000 + i)
    });
    chain.push(vec![strangers.collect()], 0, &[]);
    let _ = chain.take_batch();
    let steps = |count: u64| {
        let mut chain = chain.clone();
        let user = Key::new(1);
        let transfers: Vec<_> = (0..count)
            .map(|nonce| user.pay(nonce, Address::repeat_byte(nonce as u8 + 1), 1))
            .collect();
        chain.push(Vec::new(), 0, &transfers);
        let claimed = claim(&chain.take_batch());
        assert_eq!(claimed.verdict, Verdict::Accepted);
        claimed.steps
    };
    let (few, many) = (steps(2), steps(12));
    let each = (many - few) / 10;
    std::println!("{each} steps a transfer, {} for the rest", few - 2 * each);
    assert!(each < 1_900_000, "{each}");
}
