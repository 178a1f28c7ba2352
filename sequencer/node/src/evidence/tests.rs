use alloy_primitives::{B256, B512};
use bitcoin::secp256k1::Keypair;
use l2_block::{Conflict, Genesis, Vote, VoteKind};
use l2_mempool::Limits;
use l2_store::{Options, Store};

use super::*;
use crate::chain::Choice;
use crate::from_bitcoin::Derived;
use crate::pool::tests::{genesis, key};

/// The validator that signs twice.
const LIAR: u8 = 60;
/// A reporter that has coins, and one that has none.
const RICH: u8 = 20;
const POOR: u8 = 50;
const MAX_BYTES: usize = 1 << 20;
const GAS: u64 = 30_000_000;

/// A chain whose only validator is a liar; its disk outlives the nodes that report.
struct World {
    _folder: tempfile::TempDir,
    genesis: Genesis,
    chain: Arc<Chain>,
}

/// A node since its last start: its mempool is empty then.
struct Node {
    pool: Arc<SharedPool>,
    reporter: Reporter,
    told: mpsc::Receiver<Bytes>,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        cache: 8 << 20,
        sync: false,
    };
    let mut genesis = genesis();
    genesis.validators[0].key = liar().0;
    let store = Store::open(folder.path(), &genesis, options).unwrap();
    let chain = Arc::new(Chain::new(Arc::new(store), &genesis, Arc::new(Derived)).unwrap());
    World {
        _folder: folder,
        genesis,
        chain,
    }
}

fn liar() -> (B256, Keypair) {
    let pair = Keypair::from_secret_key(&Secp256k1::new(), &key(LIAR));
    (B256::new(pair.x_only_public_key().0.serialize()), pair)
}

impl World {
    fn start(&self, reporter: u8) -> Node {
        let pool = Arc::new(SharedPool::new(
            Arc::clone(&self.chain),
            Limits::for_blocks(GAS, 1_000),
        ));
        let (to_peers, told) = mpsc::channel(64);
        let reporter = Reporter::new(
            key(reporter),
            Arc::clone(&self.chain),
            Arc::clone(&pool),
            to_peers,
        )
        .unwrap();
        Node { pool, reporter, told }
    }

    /// Precommits for a block and for none, in a round of block 1.
    fn evidence(&self, round: u32) -> Evidence {
        let (key, pair) = liar();
        let vote = |value| {
            let message = Vote {
                kind: VoteKind::Precommit,
                height: 1,
                round,
                value,
            };
            let digest = Message::from_digest(message.sign_bytes(&self.genesis.hash()).0);
            let signature = Secp256k1::new().sign_schnorr_no_aux_rand(&digest, &pair);
            l2_block::Signed {
                message,
                signature: B512::new(signature.serialize()),
            }
        };
        Evidence {
            key,
            conflict: Conflict::Votes(vote(Some(B256::repeat_byte(1))), vote(None)),
        }
    }

    /// Agrees on a block of what a node has in its mempool. Gives whether each transaction did what it says.
    fn block(&self, node: &Node) -> Vec<bool> {
        let choice = Choice {
            now_ms: 1_001_000,
            round: 0,
            proposer: Address::repeat_byte(0xaa),
            max_bytes: MAX_BYTES,
            data_fee: 0,
        };
        let base_fee = node.pool.chain_id_and_base_fee().1;
        let offer = node.pool.best(base_fee, MAX_BYTES, GAS).unwrap();
        let block = self.chain.propose(&choice, offer).unwrap().block.clone();
        let candidate = self.chain.commit(&block, b"agreed").unwrap();
        node.pool.on_block(&candidate.executed).unwrap();
        let receipts = candidate.executed.receipts.iter();
        receipts.map(|receipt| receipt.success).collect()
    }

    /// What the disk says is open.
    fn kept(&self) -> Vec<Evidence> {
        let bytes = self.chain.store().record(RECORD).unwrap().unwrap_or_default();
        let list = Vec::<Bytes>::decode(&mut &bytes[..]).unwrap();
        list.iter()
            .map(|bytes| Evidence::decode_exact(bytes).unwrap())
            .collect()
    }

    fn pay(&self, from: u8, to: u8, node: &Node) {
        let tx = TxEip1559 {
            chain_id: self.genesis.chain_id,
            nonce: node.pool.pending_nonce(&ethereum_address(&key(from))).unwrap(),
            gas_limit: 21_000,
            max_fee_per_gas: 10_000,
            max_priority_fee_per_gas: 1,
            to: TxKind::Call(ethereum_address(&key(to))),
            value: U256::from(10u128.pow(17)),
            ..TxEip1559::default()
        };
        node.pool.submit(sign(&key(from), tx)).unwrap();
    }
}

impl Node {
    fn pending(&self) -> usize {
        self.pool.size().0
    }
}

#[test]
fn a_report_that_was_dropped_is_made_again_until_it_is_on_chain() {
    let world = world();
    let evidence = world.evidence(0);
    let mut node = world.start(RICH);
    node.reporter.report(evidence);
    assert_eq!(node.pending(), 1);
    assert_eq!([node.told.try_recv().unwrap()], node.pool.all(2).as_slice());
    // The mempool is lost, and lost again.
    for start in 1..4 {
        node = world.start(RICH);
        assert_eq!((node.pending(), world.kept()), (0, vec![evidence]));
        // Not with each block.
        node.reporter.on_block(start * AGAIN + 1);
        node.reporter.on_block((start + 1) * AGAIN - 1);
        assert_eq!(node.pending(), 0);
        node.reporter.on_block((start + 1) * AGAIN);
        assert_eq!([node.told.try_recv().unwrap()], node.pool.all(2).as_slice());
        // Not twice, as long as it waits.
        node.reporter.on_block((start + 2) * AGAIN);
        assert_eq!(node.pending(), 1);
    }
    assert_eq!(world.block(&node), [true]);
    // On chain, but nobody has looked yet.
    assert_eq!(world.kept(), [evidence]);
    node.reporter.on_block(10 * AGAIN);
    assert_eq!((node.pending(), world.kept()), (0, vec![]));
    let again = world.start(RICH);
    again.reporter.on_block(11 * AGAIN);
    assert_eq!(again.pending(), 0);
}

#[test]
fn a_reporter_without_coins_reports_when_it_has_some() {
    let world = world();
    let node = world.start(POOR);
    node.reporter.report(world.evidence(0));
    node.reporter.on_block(AGAIN);
    assert_eq!((node.pending(), world.kept().len()), (0, 1));
    world.pay(1, POOR, &node);
    assert_eq!(world.block(&node), [true]);
    assert_eq!(node.pending(), 0);
    node.reporter.on_block(2 * AGAIN);
    assert_eq!(node.pending(), 1);
    assert_eq!(world.block(&node), [true]);
    node.reporter.on_block(3 * AGAIN);
    assert_eq!((node.pending(), world.kept()), (0, vec![]));
}

#[test]
fn what_somebody_else_has_reported_is_given_up() {
    let world = world();
    let node = world.start(POOR);
    node.reporter.report(world.evidence(0));
    assert_eq!((node.pending(), world.kept().len()), (0, 1));
    // Another validator saw the same; its own record is on its own disk, so here it is only its transaction.
    let tx = TxEip1559 {
        chain_id: world.genesis.chain_id,
        gas_limit: GAS / 30,
        max_fee_per_gas: 10_000,
        to: TxKind::Call(l2_stf::TOKEN),
        input: input(&world.evidence(0)),
        ..TxEip1559::default()
    };
    node.pool.submit(sign(&key(RICH), tx)).unwrap();
    world.pay(1, POOR, &node);
    assert_eq!(world.block(&node), [true, true]);
    // It has coins now, and would only burn them.
    node.reporter.on_block(AGAIN);
    assert_eq!((node.pending(), world.kept()), (0, vec![]));
    node.reporter.on_block(2 * AGAIN);
    assert_eq!(node.pending(), 0);
}

#[test]
fn more_than_one_report_are_made_one_after_another() {
    let world = world();
    let first = world.start(RICH);
    let all: Vec<Evidence> = (0..3).map(|round| world.evidence(round)).collect();
    for evidence in all.iter().chain(&all) {
        first.reporter.report(*evidence);
    }
    assert_eq!((first.pending(), world.kept()), (3, all.clone()));
    let node = world.start(RICH);
    for open in (0..3).rev() {
        node.reporter.on_block(AGAIN);
        assert_eq!((node.pending(), world.kept()), (1, all[2 - open..].to_vec()));
        assert_eq!(world.block(&node), [true]);
    }
    node.reporter.on_block(AGAIN);
    assert_eq!((node.pending(), world.kept()), (0, vec![]));
    // Of a flood only so much is kept.
    for round in 3..3 + 2 * MOST_OPEN as u32 {
        node.reporter.report(world.evidence(round));
    }
    assert_eq!(world.kept().len(), MOST_OPEN);
}

#[test]
fn a_signed_transaction_is_recovered_to_its_sender() {
    let secret: SecretKey = "4646464646464646464646464646464646464646464646464646464646464646"
        .parse()
        .unwrap();
    // The address of EIP-155's example key.
    assert_eq!(
        ethereum_address(&secret).to_string(),
        "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F"
    );
    let tx = TxEip1559 {
        chain_id: 7,
        nonce: 3,
        gas_limit: 21_000,
        max_fee_per_gas: 10,
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(Address::repeat_byte(1)),
        value: U256::from(5),
        access_list: Default::default(),
        input: Bytes::new(),
    };
    let bytes = sign(&secret, tx);
    let (_, sender) = crate::chain::recover(&bytes, 7).unwrap();
    assert_eq!(sender, ethereum_address(&secret));
    assert!(crate::chain::recover(&bytes, 8).is_err());
}
