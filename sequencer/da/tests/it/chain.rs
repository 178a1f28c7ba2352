//! Batches on a real bitcoind under default policy: posted by the machine, attacked, evicted, reorganised, derived again.

use bitcoin::{Amount, OutPoint};
use l2_block::{Address, L1Message};
use l2_da::batch::Content;
use l2_da::commitment::Commitment;
use l2_da::connector::Path;
use l2_da::derive::{Empty, Link, Outcome};
use l2_da::scan::{DepositFormat, forced_inscription, forced_of};

use crate::keys::{funding, public, script, sign, sign_tweaked};
use crate::model::{FALLBACK, connector, format};
use crate::traffic::noise;
use crate::world::World;

#[test]
fn three_batches_are_posted_one_of_them_in_parts() {
    let mut world = World::start();
    for (number, noise) in [vec![], noise(500_000), vec![]].iter().enumerate() {
        for text in [b"first".as_slice(), b"second", noise] {
            world.agree(world.height(), &[text, b"transfer"]);
        }
        world.settle(&[]);
        assert_eq!(world.derivation.next_index(), number as u64 + 1);
    }
    world.assert_derived();
    // All of them are forgotten when they are buried.
    world.mine(6);
    world.tick(&[]);
    assert!(world.posters.iter().all(|poster| poster.watched().count() == 0));
}

#[test]
fn posters_take_turns_and_take_over() {
    let mut world = World::start();
    // The designated one of batch 0 is down, then of batch 1, and two: then no quorum, and the fall-back.
    for down in [&[0][..], &[1], &[]] {
        world.agree(world.height(), &[b"transfer"]);
        world.settle(down);
    }
    let before = world.height();
    world.agree(world.height(), &[b"alone"]);
    world.settle(&[0, 1]);
    assert!(world.height() >= before + u64::from(FALLBACK));
    world.assert_derived();
}

#[test]
fn garbage_by_the_fall_back_is_empty() {
    let mut world = World::start();
    world.agree(world.height(), &[b"transfer"]);
    world.settle(&[]);
    let held = world.held().unwrap();
    let head = world.derivation.safe().clone();
    let commitment = Commitment {
        index: 1,
        first: head.number + 1,
        last: head.number + 1,
        pre_root: head.state_root,
        post_root: head.state_root,
        data_root: l2_block::blob_root(b"garbage", |_, _| ()),
        content_root: head.state_root,
        last_hash: head.hash(),
    };
    let next = connector(&[0, 1, 2, 3]);
    let (commit, reveals) = world.batch_of(&held, Path::Fallback, &next, commitment, b"garbage");
    // Not before its time.
    let refused = world.node.chain().accept(&commit).unwrap_err();
    assert!(refused.to_string().contains("non-BIP68-final"), "{refused}");
    world.mine(FALLBACK.into());
    world.node.chain().accept(&commit).unwrap();
    world.node.chain().accept(&reveals[0]).unwrap();
    world.mine(1);
    assert!(matches!(world.empty(), Empty::Data(_)));
    // Nobody is the worse for it.
    world.agree(world.height(), &[b"more"]);
    world.settle(&[]);
    world.assert_derived();
}

#[test]
fn a_connector_stolen_by_the_fall_back_is_replaced() {
    let mut world = World::start();
    world.agree(world.height(), &[b"transfer"]);
    world.settle(&[]);
    world.mine(FALLBACK.into());
    world.agree(world.height(), &[b"stolen"]);
    let held = world.held().unwrap();
    let blocks = world.agreed[2..].to_vec();
    let data = Content::of(&blocks).encode(world.genesis.chain_id).unwrap();
    let commitment = Commitment::of(1, world.derivation.safe().state_root, &blocks, &data).unwrap();
    let own = connector(&[3]);
    let (commit, reveals) = world.batch_of(&held, Path::Fallback, &own, commitment, &data);
    world.node.chain().accept(&commit).unwrap();
    world.node.chain().accept(&reveals[0]).unwrap();
    world.mine(1);
    // The batch is good all the same, and a new chain of connectors begins.
    assert!(matches!(world.derivation.link(), Link::Open { held } if held.is_empty()));
    world.agree(world.height(), &[b"more"]);
    world.settle(&[]);
    world.assert_derived();
    assert_eq!(world.derivation.next_index(), 3);
}

#[test]
fn an_evicted_reveal_is_sent_again() {
    let mut world = World::start();
    world.agree(world.height(), &[b"transfer"]);
    // The commit is mined without its reveal.
    let commit = world.post().signed.unwrap();
    let mempool = world.node.chain().mempool().unwrap();
    assert_eq!(mempool.len(), 2);
    world.node.chain().mine_exactly(&[commit]).unwrap();
    // Two weeks later a mempool forgets what waits.
    let client = world.node.bitcoind.client();
    let later = world
        .node
        .chain()
        .block(world.node.chain().tip().unwrap())
        .unwrap()
        .header
        .time
        + 15 * 86_400;
    bitcoincore_rpc::RpcApi::call::<()>(client, "setmocktime", &[later.into()]).unwrap();
    let other = world.coin();
    let open = l2_da::transactions::Open::new(&connector(&[5]), &funding(0, vec![other], 2)).unwrap();
    let signature = sign_tweaked(0, open.sighashes()[0]);
    world
        .node
        .chain()
        .accept(&open.finalize(&[signature]).unwrap())
        .unwrap();
    assert_eq!(world.node.chain().mempool().unwrap().len(), 1);
    world.mine(1);
    assert!(matches!(world.derivation.link(), Link::Pending(_)));
    world.settle(&[]);
    world.assert_derived();
}

#[test]
fn a_validator_reveals_what_a_dead_poster_does_not() {
    let mut world = World::start();
    world.agree(world.height(), &[b"transfer"]);
    let commit = world.post().signed.unwrap();
    // Poster 0 dies with its reveal unsent: drop it from the mempool by restarting a node that mined the commit alone.
    world.node.chain().mine_exactly(&[commit]).unwrap();
    let client = world.node.bitcoind.client();
    let later = world
        .node
        .chain()
        .block(world.node.chain().tip().unwrap())
        .unwrap()
        .header
        .time
        + 15 * 86_400;
    bitcoincore_rpc::RpcApi::call::<()>(client, "setmocktime", &[later.into()]).unwrap();
    let other = world.coin();
    let open = l2_da::transactions::Open::new(&connector(&[5]), &funding(0, vec![other], 2)).unwrap();
    let signature = sign_tweaked(0, open.sighashes()[0]);
    world
        .node
        .chain()
        .accept(&open.finalize(&[signature]).unwrap())
        .unwrap();
    world.settle(&[0]);
    world.assert_derived();
}

#[test]
fn a_batch_that_is_never_revealed_is_given_up() {
    let mut world = World::start();
    world.agree(world.height(), &[b"transfer"]);
    world.settle(&[]);
    // A quorum of fools signed a commit whose reveal nobody has.
    let held = world.held().unwrap();
    world.agree(world.height(), &[b"more"]);
    let blocks = world.agreed[2..].to_vec();
    let data = Content::of(&blocks).encode(world.genesis.chain_id).unwrap();
    let commitment = Commitment::of(1, world.derivation.safe().state_root, &blocks, &data).unwrap();
    let next = connector(&[0, 1, 2, 3]);
    let (commit, _) = world.batch_of(&held, Path::Quorum, &next, commitment, &data);
    world.node.chain().accept(&commit).unwrap();
    world.mine(1);
    assert!(matches!(world.derivation.link(), Link::Pending(_)));
    world.settle(&[]);
    assert!(
        world
            .batches
            .iter()
            .any(|batch| batch.outcome == Outcome::Empty(Empty::MissingPart))
    );
    world.assert_derived();
}

#[test]
fn six_blocks_are_reorganised() {
    let mut world = World::start();
    world.agree(world.height(), &[b"first"]);
    world.settle(&[]);
    let origin = world.height();
    world.agree(origin, &[b"second"]);
    world.settle(&[]);
    let safe = world.derivation.safe().clone();
    let depth = (world.height() - origin) as u32;
    world.mine(6 - depth);
    world.node.chain().reorg(6).unwrap();
    world.follow();
    assert_eq!(world.derivation.safe().number, 1);
    // The transactions came back to the mempool, or are sent again.
    world.settle(&[]);
    assert_eq!(world.derivation.safe(), &safe);
    world.assert_derived();
    // A reorganisation of what blocks had seen as their origin: they cannot be any more, and other ones take their place.
    world.agree(world.height(), &[b"third"]);
    world.settle(&[]);
    let deep = world.height() - world.agreed[3].header.origin.height + 1;
    world.node.chain().reorg(deep as u32).unwrap();
    world.follow();
    world.mine(1);
    // Where the old batch confirmed anew, it is empty.
    world.agreed.truncate(world.derivation.safe().number as usize + 1);
    world.agree(world.height(), &[b"instead"]);
    world.settle(&[]);
    world.assert_derived();
}

#[test]
fn a_batch_that_waits_is_bumped() {
    let mut world = World::start();
    world.agree(world.height(), &[b"transfer"]);
    world.post();
    world.rate = 20;
    for _ in 0..3 {
        world.node.chain().mine_empty(1).unwrap();
        // The others would take over, at the new rate.
        world.tick(&[1, 2, 3]);
    }
    // Commit, reveal and a child of each.
    assert_eq!(world.node.chain().mempool().unwrap().len(), 4);
    world.settle(&[]);
    world.assert_derived();
}

#[test]
fn copies_and_foreign_spends_on_chain_are_nothing() {
    let mut world = World::start();
    world.agree(world.height(), &[b"transfer"]);
    // A copy of the batch's inscription, in a transaction of its own, before the batch.
    let posted = world.post();
    let commit = posted.signed.clone().unwrap();
    let reveal = posted.reveals[0].clone();
    let copied = l2_da::inscription::read(&reveal.input[0].witness, *b"TAPb", 400_000).unwrap();
    let copy = l2_da::inscription::Inscription::new(public(5), *b"TAPb", &copied);
    let held = world
        .node
        .fund(copy.txout(Amount::ZERO).script_pubkey, Amount::from_sat(50_000))
        .unwrap();
    let mut spend = reveal.clone();
    spend.input[0].previous_output = held.outpoint;
    let sighash = bitcoin::sighash::SighashCache::new(&spend)
        .taproot_script_spend_signature_hash(
            0,
            &bitcoin::sighash::Prevouts::All(&[&held.txout]),
            copy.leaf_hash(),
            bitcoin::TapSighashType::Default,
        )
        .unwrap();
    use bitcoin::hashes::Hash;
    spend.input[0].witness = copy.witness(&sign(5, sighash.to_byte_array()));
    world.node.chain().accept(&spend).unwrap();
    world.settle(&[]);
    assert_eq!(world.batches.len(), 1);
    assert_eq!(world.batches[0].commit, commit.compute_txid());
    world.assert_derived();
}

#[test]
fn deposits_and_forced_transactions_are_relayed_and_scanned() {
    let mut world = World::start();
    let recipient = Address::repeat_byte(0x42);
    let outputs = format().outputs(recipient, Amount::from_sat(70_000)).to_vec();
    let payment = world
        .node
        .funds
        .signed_payment(
            world.node.bitcoind.chain(),
            outputs,
            bitcoin::FeeRate::from_sat_per_vb_u32(2),
        )
        .unwrap();
    world.node.chain().accept(&payment).unwrap();
    world.mine(1);
    world.node.funds.rescan(world.node.bitcoind.chain()).unwrap();
    assert_eq!(format().deposits(&payment).len(), 1);
    // The greatest forced transaction there is.
    let bytes = noise(l2_da::scan::MAX_FORCED_BYTES);
    let inscription = forced_inscription(public(5), &bytes).unwrap();
    let value = Amount::from_sat(200_000);
    let held = world
        .node
        .fund(inscription.txout(value).script_pubkey, value)
        .unwrap();
    let mut spend = bitcoin::Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: vec![bitcoin::TxIn {
            previous_output: held.outpoint,
            ..bitcoin::TxIn::default()
        }],
        output: vec![bitcoin::TxOut {
            value: Amount::from_sat(100_000),
            script_pubkey: script(0),
        }],
    };
    let sighash = bitcoin::sighash::SighashCache::new(&spend)
        .taproot_script_spend_signature_hash(
            0,
            &bitcoin::sighash::Prevouts::All(&[&held.txout]),
            inscription.leaf_hash(),
            bitcoin::TapSighashType::Default,
        )
        .unwrap();
    use bitcoin::hashes::Hash;
    spend.input[0].witness = inscription.witness(&sign(5, sighash.to_byte_array()));
    world.node.chain().accept(&spend).unwrap();
    assert_eq!(forced_of(&spend).count(), 1);
    world.mine(1);
    let messages: Vec<L1Message> = world
        .derivation
        .l1_after(world.genesis.origin.height)
        .flat_map(|block| block.messages.clone())
        .collect();
    let [L1Message::Deposit(deposit), L1Message::Forced(forced)] = messages.as_slice() else {
        panic!("expected a deposit and a forced transaction, got {messages:?}");
    };
    let at = OutPoint::new(payment.compute_txid(), deposit.vout);
    assert_eq!(
        world.node.chain().unspent(at).unwrap().unwrap().value.to_sat(),
        deposit.amount
    );
    assert_eq!((deposit.recipient, deposit.amount), (recipient, 70_000));
    assert_eq!(forced.transaction, bytes);
    // A block that has seen them is derived.
    world.agree(world.height(), &[b"transfer"]);
    world.settle(&[]);
    world.assert_derived();
}
