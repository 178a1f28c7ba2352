//! The whole line with the real state transition: proposers make blocks with `l2-stf`, a node that knows genesis and Bitcoin
//! derives the same headers.

use std::collections::BTreeMap;

use alloy_consensus::{EthereumTxEnvelope, SignableTransaction, TxEip1559, TxEip4844};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use bitcoin::hashes::Hash;
use k256::ecdsa::SigningKey;
use l2_block::{Account, Block, Genesis, Header};
use l2_da::batch::Content;
use l2_da::commitment::Commitment;
use l2_da::connector::Path;
use l2_da::derive::{Derivation, Draft, Empty, Execute, ExecuteError, Machine, Outcome};
use l2_da::proposal::{Plan, Proposal};
use l2_da::transactions::{Coin, Open};
use l2_stf::Spec;

use crate::keys::{coin, funding, public, request, sign, sign_tweaked};
use crate::model::{Bitcoin, connector, format, genesis};
use crate::traffic::CHAIN_ID;

type Nodes = BTreeMap<B256, [u8; 64]>;

fn user(number: u8) -> (SigningKey, Address) {
    let key = SigningKey::from_slice(&[number; 32]).unwrap();
    let address = Address::from_public_key(key.verifying_key());
    (key, address)
}

fn transfer(from: u8, nonce: u64, value: u64) -> Bytes {
    let tx = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 1_000_000_000,
        max_priority_fee_per_gas: 1_000,
        to: TxKind::Call(Address::repeat_byte(0x77)),
        value: U256::from(value),
        ..TxEip1559::default()
    };
    let (signature, id) = user(from)
        .0
        .sign_prehash_recoverable(tx.signature_hash().as_slice())
        .unwrap();
    let signed = tx.into_signed((signature, id).into());
    EthereumTxEnvelope::<TxEip4844>::Eip1559(signed)
        .encoded_2718()
        .into()
}

/// A genesis file with users, its block 0 and the state's nodes.
fn chain(bitcoin: &Bitcoin) -> (Genesis, Header, Nodes) {
    let mut genesis = genesis(bitcoin.origin());
    genesis.timestamp_ms = Bitcoin::time(bitcoin.height()) * 1000;
    genesis.accounts = (1..4)
        .map(|number| Account {
            address: user(number).1,
            balance: U256::from(10).pow(U256::from(20)),
        })
        .collect();
    genesis.check().unwrap();
    let (header, changes) = l2_stf::genesis(&genesis);
    let nodes = Nodes::new();
    let update = l2_stf::apply(&nodes, &l2_state::EMPTY_ROOT, &changes).unwrap();
    assert_eq!(update.root, header.state_root);
    let nodes = update.nodes.into_iter().chain(changes.nodes()).collect();
    (genesis, header, nodes)
}

fn draft(parent: &Header, bitcoin: &Bitcoin, step: u64, transactions: Vec<Bytes>) -> Draft {
    let least = Bitcoin::time(bitcoin.height()) * 1000;
    Draft {
        timestamp_ms: (parent.timestamp_ms + step).max(least),
        origin: bitcoin.origin(),
        round: 0,
        data_fee: parent.data_fee,
        forced: 0,
        transactions,
    }
}

#[test]
fn headers_are_those_of_the_proposers() {
    let mut bitcoin = Bitcoin::new();
    let (genesis, zero, nodes) = chain(&bitcoin);
    let spec = Spec::from(&genesis);
    let mut proposer = Machine::new(spec.clone(), nodes.clone());
    let mut node = Machine::new(spec, nodes);
    let mut derivation = Derivation::new(&genesis, zero.clone()).unwrap();

    let all = connector(&[0, 1, 2, 3]);
    assert_eq!(proposer.validators(&zero).unwrap(), all.keys());
    let open = Open::new(&all, &funding(0, vec![coin(0, 1, 100_000)], 1)).unwrap();
    let signatures: Vec<_> = open
        .sighashes()
        .into_iter()
        .map(|hash| sign_tweaked(0, hash))
        .collect();
    // A deposit comes with it.
    let mut transaction = open.finalize(&signatures).unwrap();
    let recipient = user(1).1;
    transaction
        .output
        .extend(format().outputs(recipient, bitcoin::Amount::from_sat(50_000)));
    let held = Coin {
        outpoint: bitcoin::OutPoint::new(transaction.compute_txid(), 0),
        ..open.connector()
    };
    bitcoin.mine(vec![transaction]);

    let mut blocks: Vec<Block> = vec![];
    for round in 0..5u64 {
        let parent = blocks.last().map_or(&zero, |block| &block.header).clone();
        let l1 = bitcoin.l1(parent.origin.height + 1..=bitcoin.height());
        let transactions = (1..4)
            .map(|number| transfer(number, round, 1_000 + round))
            .collect();
        let draft = draft(&parent, &bitcoin, 700, transactions);
        blocks.push(proposer.execute(&parent, draft, &l1).unwrap());
    }
    // The deposit is in the state: nobody else's balance grew by 50,000 sats.
    let balance = l2_state::read_account(
        proposer.store(),
        &blocks[4].header.state_root,
        &Address::repeat_byte(0x77),
    )
    .unwrap()
    .unwrap()
    .balance;
    assert_eq!(balance, U256::from(3 * (5 * 1_000 + 10)));

    let data = Content::of(&blocks).encode(CHAIN_ID).unwrap();
    let commitment = Commitment::of(0, zero.state_root, &blocks, &data).unwrap();
    let mut index = 0;
    let mut held = held;
    let mut post = |commitment: Commitment, data: &[u8]| {
        let funding = funding(0, vec![coin(0, 10 + commitment.index as u8, 1_000_000)], 1);
        let plan = Plan {
            chain_id: CHAIN_ID,
            index: 0,
            pre_root: B256::ZERO,
            blocks: &[],
            connector: &all,
            held: &held,
            path: Path::Quorum,
            next: &all,
            key: public(0),
            funding: &funding,
        };
        let proposal = Proposal::of_data(&plan, commitment, data).unwrap();
        let (request, coins) = request(0, &proposal);
        let hash = proposal.commit().connector_sighash();
        let signatures: Vec<_> = (0..4).map(|number| sign(number, hash)).collect();
        held = proposal.commit().next();
        let commit = proposal
            .commit()
            .finalize(signatures.iter().enumerate(), &coins)
            .unwrap();
        core::iter::once(commit)
            .chain(request.reveals)
            .collect::<Vec<_>>()
    };
    // First a lie: one wei more in a signed transaction, with roots as the liar would have them.
    let mut lie = Content::of(&blocks);
    lie.blocks[2].transactions[1] = transfer(2, 2, 1_000_000_000_000);
    let lie = lie.encode(CHAIN_ID).unwrap();
    let false_commitment = Commitment {
        data_root: l2_block::blob_root(&lie, |_, _| ()),
        ..commitment.clone()
    };
    bitcoin.mine(post(false_commitment, &lie));
    // Then a transaction that no block can hold.
    let mut lie = Content::of(&blocks);
    lie.blocks[2].transactions.swap(0, 1);
    lie.blocks[2].transactions[0] = transfer(2, 7, 1);
    let lie = lie.encode(CHAIN_ID).unwrap();
    let false_commitment = Commitment {
        index: 1,
        data_root: l2_block::blob_root(&lie, |_, _| ()),
        ..commitment.clone()
    };
    bitcoin.mine(post(false_commitment, &lie));
    let commitment = Commitment {
        index: 2,
        ..commitment
    };
    bitcoin.mine(post(commitment.clone(), &data));

    let mut batches = vec![];
    for height in derivation.tip().height + 1..=bitcoin.height() {
        let advanced = derivation
            .advance(
                bitcoin.at(height),
                height,
                Bitcoin::time(height),
                &format(),
                &mut node,
            )
            .unwrap();
        for batch in advanced.batches {
            assert_eq!(batch.index, index);
            index += 1;
            batches.push(batch.outcome);
        }
    }
    let [Outcome::Empty(first), Outcome::Empty(second), third] = batches.as_slice() else {
        panic!("expected two empty batches and blocks, got {batches:?}");
    };
    assert_eq!(first, &Empty::Field { field: "post-root" });
    assert!(matches!(second, Empty::Invalid { number: 3, .. }), "{second:?}");
    assert_eq!(third, &Outcome::Blocks { commitment, blocks });
    assert_eq!(
        derivation.tip().hash.0,
        bitcoin.blocks.last().unwrap().block_hash().to_byte_array()
    );
}

#[test]
fn drafts_that_no_block_is_like_are_invalid_and_holes_are_faults() {
    let bitcoin = Bitcoin::new();
    let (genesis, zero, nodes) = chain(&bitcoin);
    let spec = Spec::from(&genesis);
    let machine = || Machine::new(spec.clone(), nodes.clone());
    let good = draft(&zero, &bitcoin, 1, vec![transfer(1, 0, 5)]);
    let block = machine().execute(&zero, good.clone(), &[]).unwrap();
    assert_eq!(block.header.proposer, genesis.validators[1].address);
    type Change = fn(&mut Draft);
    let changes: [(&str, Change); 7] = [
        ("another nonce", |d| d.transactions = vec![transfer(1, 1, 5)]),
        ("nothing", |d| d.transactions = vec![Bytes::new()]),
        ("twice", |d| d.transactions.push(d.transactions[0].clone())),
        ("forced ones that are not there", |d| d.forced = 1),
        ("time before the parent's", |d| d.timestamp_ms = 1),
        ("a data fee out of its bounds", |d| d.data_fee = 11),
        ("an origin that was not given", |d| d.origin.height += 1),
    ];
    for (name, change) in changes {
        let mut bad = good.clone();
        change(&mut bad);
        let refused = machine().execute(&zero, bad, &[]);
        assert!(
            matches!(refused, Err(ExecuteError::Invalid(_))),
            "{name}: {refused:?}"
        );
    }
    // Any node that is missing is a fault, never the block's.
    let mut faults = 0;
    for digest in nodes.keys() {
        let mut fewer = nodes.clone();
        fewer.remove(digest);
        match Machine::new(spec.clone(), fewer).execute(&zero, good.clone(), &[]) {
            Ok(same) => assert_eq!(same, block),
            Err(ExecuteError::Fault(_)) => faults += 1,
            Err(ExecuteError::Invalid(reason)) => panic!("node {digest}: {reason}"),
        }
    }
    assert!(faults > 10, "{faults}");
}
