//! Blocks made by hand: what counts, in which order, and what does not.

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version as BlockVersion};
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::{Keypair, Secp256k1, schnorr};
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, OutPoint, ScriptBuf, Transaction, TxIn, TxMerkleNode, TxOut,
    Txid, Witness, XOnlyPublicKey,
};
use l2_block::{Address, B256, Bytes, L1Message};
use proptest::prelude::*;

use super::*;

fn key(byte: u8) -> XOnlyPublicKey {
    Keypair::from_seckey_slice(&Secp256k1::new(), &[byte; 32])
        .unwrap()
        .x_only_public_key()
        .0
}

fn format() -> TaggedDeposits {
    TaggedDeposits::new(B256::new(key(1).serialize())).unwrap()
}

fn input(byte: u8, witness: Witness) -> TxIn {
    TxIn {
        previous_output: OutPoint::new(Txid::from_byte_array([byte; 32]), 0),
        witness,
        ..TxIn::default()
    }
}

fn transaction(inputs: Vec<TxIn>, outputs: Vec<TxOut>) -> Transaction {
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: inputs,
        output: outputs,
    }
}

fn block(transactions: Vec<Transaction>) -> Block {
    Block {
        header: Header {
            version: BlockVersion::TWO,
            prev_blockhash: BlockHash::from_byte_array([7; 32]),
            merkle_root: TxMerkleNode::all_zeros(),
            time: 0,
            bits: CompactTarget::from_consensus(0),
            nonce: 0,
        },
        txdata: transactions,
    }
}

fn forced(byte: u8, bytes: &[u8]) -> TxIn {
    let signature = schnorr::Signature::from_slice(&[1; 64]).unwrap();
    input(
        byte,
        forced_inscription(key(2), bytes).unwrap().witness(&signature),
    )
}

fn address(byte: u8) -> Address {
    Address::repeat_byte(byte)
}

fn deposit(recipient: u8, sats: u64) -> [TxOut; 2] {
    format().outputs(address(recipient), Amount::from_sat(sats))
}

fn minted(outputs: Vec<TxOut>) -> Vec<(u32, Address, u64)> {
    let found = format().deposits(&transaction(vec![input(1, Witness::new())], outputs));
    found.iter().map(|m| (m.vout, m.recipient, m.amount)).collect()
}

#[test]
fn a_block_is_read_in_order() {
    let [coins, marker] = deposit(3, 5_000);
    let first = transaction(
        vec![forced(1, b"two"), input(2, Witness::new()), forced(3, b"three")],
        vec![coins, marker],
    );
    let second = transaction(vec![forced(4, b"four")], vec![]);
    let coinbase = transaction(
        vec![TxIn {
            previous_output: OutPoint::null(),
            ..forced(0, b"none")
        }],
        deposit(9, 9_000).to_vec(),
    );
    let block = block(vec![coinbase, first.clone(), second.clone()]);
    let read = scan(&block, 77, 1234, &format());
    assert_eq!(read.origin.height, 77);
    assert_eq!(read.origin.hash.0, block.block_hash().to_byte_array());
    assert_eq!((read.parent, read.time), (B256::repeat_byte(7), 1234));
    let id = |tx: &Transaction| B256::new(tx.compute_txid().to_byte_array());
    let text: Vec<(B256, String)> = read
        .messages
        .iter()
        .map(|message| match message {
            L1Message::Deposit(d) => (d.txid, format!("{} {} {}", d.vout, d.recipient, d.amount)),
            L1Message::Forced(f) => (f.txid, String::from_utf8(f.transaction.to_vec()).unwrap()),
        })
        .collect();
    assert_eq!(
        text,
        [
            (id(&first), format!("0 {} 5000", address(3))),
            (id(&first), "two".into()),
            (id(&first), "three".into()),
            (id(&second), "four".into()),
        ]
    );
}

#[test]
fn deposits_and_markers_pair_in_order() {
    let ([a, ma], [b, mb]) = (deposit(1, 330), deposit(2, 4_000));
    assert_eq!(minted(vec![a.clone(), ma.clone()]), [(0, address(1), 330)]);
    // Markers may come first, together, anywhere: only their order counts.
    assert_eq!(
        minted(vec![ma.clone(), mb.clone(), b.clone(), a.clone()]),
        [(2, address(1), 4_000), (3, address(2), 330)]
    );
    // A deposit without marker, a marker without deposit.
    assert_eq!(
        minted(vec![a.clone(), b.clone(), mb.clone()]),
        [(0, address(2), 330)]
    );
    assert_eq!(minted(vec![ma.clone(), mb, b]), [(2, address(1), 4_000)]);
    assert_eq!(minted(vec![a]), []);
    assert_eq!(minted(vec![ma]), []);
}

#[test]
fn what_looks_like_a_deposit_is_none() {
    let [coins, marker] = deposit(1, 1_000);
    let with = |change: fn(&mut Vec<u8>)| {
        let mut script = marker.script_pubkey.to_bytes();
        change(&mut script);
        TxOut {
            value: Amount::ZERO,
            script_pubkey: ScriptBuf::from(script),
        }
    };
    let others = [
        with(|s| s[2] = b't'),
        with(|s| s[0] = 0x51),
        with(|s| s.push(0)),
        with(|s| s.truncate(25)),
        // The same push by OP_PUSHDATA1.
        with(|s| s.insert(1, 0x4c)),
        TxOut {
            value: Amount::ZERO,
            script_pubkey: ScriptBuf::new(),
        },
    ];
    for other in others {
        assert_eq!(minted(vec![coins.clone(), other]), []);
    }
    // Below dust; it does not use a marker up either.
    let [small, _] = deposit(1, 329);
    assert_eq!(minted(vec![small.clone(), marker.clone()]), []);
    assert_eq!(
        minted(vec![small, coins.clone(), marker.clone()]),
        [(1, address(1), 1_000)]
    );
    // Another key, and the vault's key untweaked.
    for key in [key(2), key(1)] {
        let other = TxOut {
            value: Amount::from_sat(1_000),
            script_pubkey: ScriptBuf::new_p2tr_tweaked(
                bitcoin::key::TweakedPublicKey::dangerous_assume_tweaked(key),
            ),
        };
        assert_eq!(minted(vec![other, marker.clone()]), []);
    }
    // A marker that holds coins still is a marker: they are gone, not minted.
    let rich = TxOut {
        value: Amount::from_sat(5),
        ..marker
    };
    assert_eq!(minted(vec![coins, rich]), [(0, address(1), 1_000)]);
}

#[test]
fn forced_transactions_have_a_length() {
    assert_eq!(
        forced_inscription(key(2), b"").unwrap_err(),
        ForcedError { got: 0 }
    );
    let most = vec![5; MAX_FORCED_BYTES];
    let tx = transaction(vec![forced(1, &most)], vec![]);
    assert_eq!(forced_of(&tx).collect::<Vec<_>>(), [Bytes::from(most.clone())]);
    let longer = [most, vec![5]].concat();
    assert!(forced_inscription(key(2), &longer).is_err());
    // A longer or an empty one by hand, and a batch.
    let signature = schnorr::Signature::from_slice(&[1; 64]).unwrap();
    for (tag, bytes) in [
        (*b"TAPf", longer.as_slice()),
        (*b"TAPf", b"".as_slice()),
        (*b"TAPb", b"x".as_slice()),
    ] {
        let witness = crate::inscription::Inscription::new(key(2), tag, bytes).witness(&signature);
        let tx = transaction(vec![input(1, witness)], vec![]);
        assert_eq!(forced_of(&tx).count(), 0);
    }
}

#[test]
fn a_key_off_the_curve_is_refused() {
    let got = B256::repeat_byte(0xff);
    assert_eq!(TaggedDeposits::new(got).unwrap_err(), FormatError { got });
}

proptest! {
    #[test]
    fn any_transaction_is_read(
        scripts in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..40), 0u64..1_000), 0..6),
        items in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..4),
        vaults in proptest::collection::vec(any::<bool>(), 6),
    ) {
        let outputs = scripts.into_iter().zip(vaults).map(|((script, sats), vault)| TxOut {
            value: Amount::from_sat(sats),
            script_pubkey: if vault { deposit(1, 1)[0].script_pubkey.clone() } else { ScriptBuf::from(script) },
        });
        let tx = transaction(vec![input(1, Witness::from_slice(&items))], outputs.collect());
        let read = scan(&block(vec![tx]), 1, 1, &format());
        prop_assert!(read.messages.len() <= 7);
    }
}
