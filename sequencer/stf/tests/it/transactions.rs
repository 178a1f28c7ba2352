//! Which bytes are transactions, which transactions may be in a block, and what they cost.

use alloy_consensus::{SignableTransaction, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy};
use alloy_eips::eip2718::Encodable2718;
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_eips::eip7702::Authorization;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, address, hex, uint};
use l2_stf::{Receipt, Refused, Transaction, TxError, decode, recover};

use crate::chain::{CHAIN_ID, Chain, FUNDS, Key, init, transfer};

/// Order of secp256k1.
const ORDER: U256 = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);

#[test]
fn the_example_of_eip_155_is_read_byte_for_byte() {
    let bytes = hex!(
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
    );
    let read = recover(&bytes, 1).unwrap();
    assert_eq!(read.sender, address!("9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"));
    assert_eq!(
        read.hash,
        B256::new(hex!(
            "33469b22e9f636356c4160a87eb19df52b7412e8eac32a4a55ffe88ea8350788"
        ))
    );
    assert_eq!(read.size, bytes.len());
    assert_eq!(
        recover(&bytes, 2),
        Err(TxError::Chain {
            got: Some(1),
            expected: 2
        })
    );
}

/// One of each kind, all transfers of 5 wei.
fn kinds(key: &Key, first: u64, to: Address) -> Vec<(u8, Bytes)> {
    let access_list = AccessList(vec![AccessListItem {
        address: to,
        storage_keys: vec![B256::ZERO],
    }]);
    let value = U256::from(5);
    let legacy = TxLegacy {
        chain_id: Some(CHAIN_ID),
        nonce: first,
        gas_price: 2_000_000_000,
        gas_limit: 50_000,
        to: TxKind::Call(to),
        value,
        input: Bytes::new(),
    };
    let listed = TxEip2930 {
        chain_id: CHAIN_ID,
        nonce: first + 1,
        gas_price: 2_000_000_000,
        gas_limit: 50_000,
        to: TxKind::Call(to),
        value,
        access_list: access_list.clone(),
        input: Bytes::new(),
    };
    let tipped = TxEip1559 {
        access_list: access_list.clone(),
        gas_limit: 50_000,
        ..transfer(first + 2, to, 5)
    };
    let authority = Key::new(77);
    let authorization = Authorization {
        chain_id: U256::from(CHAIN_ID),
        address: Address::repeat_byte(0xcc),
        nonce: 0,
    };
    let signature = authority.signature(authorization.signature_hash());
    let delegating = TxEip7702 {
        chain_id: CHAIN_ID,
        nonce: first + 3,
        gas_limit: 100_000,
        max_fee_per_gas: 3_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to,
        value,
        access_list,
        authorization_list: vec![authorization.into_signed(signature)],
        input: Bytes::new(),
    };
    vec![
        (0, key.sign(legacy)),
        (1, key.sign(listed)),
        (2, key.sign(tipped)),
        (4, key.sign(delegating)),
    ]
}

#[test]
fn every_kind_is_paid_for_to_the_wei() {
    let mut chain = Chain::new();
    let key = Key::new(1);
    let to = Address::repeat_byte(0xdd);
    let kinds = kinds(&key, 0, to);
    let transactions: Vec<Bytes> = kinds.iter().map(|(_, bytes)| bytes.clone()).collect();
    let proposer = chain.proposer(0);
    let executed = chain.block(&[], &transactions);

    let base = u128::from(chain.head.base_fee);
    let tip = base + 1_000_000_000;
    let list = 2_400 + 1_900;
    // 7702: 25,000 an authorization; the authority was no account, so nothing comes back.
    let expected = [
        (2_000_000_000, 21_000),
        (2_000_000_000, 21_000 + list),
        (tip, 21_000 + list),
        (tip, 21_000 + list + 25_000),
    ];
    let mut cumulative = 0;
    let mut paid_together = U256::ZERO;
    for (i, (price, gas)) in expected.into_iter().enumerate() {
        let (kind, bytes) = &kinds[i];
        cumulative += gas;
        let surcharge = U256::from(chain.head.data_fee) * U256::from(bytes.len());
        let paid = U256::from(price) * U256::from(gas) + surcharge;
        paid_together += paid;
        let outcome = &executed.transactions[i];
        assert_eq!(outcome.sender, key.address());
        assert_eq!(outcome.hash, recover(bytes, CHAIN_ID).unwrap().hash);
        assert_eq!((outcome.gas_used, outcome.effective_gas_price), (gas, price));
        assert_eq!(outcome.data_fee, surcharge);
        assert_eq!(
            executed.receipts[i],
            Receipt {
                kind: *kind,
                success: true,
                cumulative_gas: cumulative,
                paid,
                logs: vec![]
            }
        );
    }
    assert_eq!(executed.gas_used, cumulative);
    assert_eq!(chain.balance(proposer), paid_together);
    assert_eq!(chain.balance(to), U256::from(20));
    assert_eq!(
        chain.balance(key.address()),
        U256::from(FUNDS) - paid_together - U256::from(20)
    );
    assert_eq!(chain.nonce(key.address()), 4);
    // The authority's account is a delegation now.
    let authority = chain.memory.accounts[&Key::new(77).address()].unwrap();
    assert_eq!(authority.nonce, 1);
    let delegation = &chain.memory.code[&authority.code_hash];
    assert_eq!(delegation[..3], [0xef, 0x01, 0x00]);
    assert_eq!(delegation[3..], [0xcc; 20]);
}

#[test]
fn an_authorization_of_another_chain_or_nonce_does_nothing() {
    let mut chain = Chain::new();
    let (key, authority) = (Key::new(1), Key::new(77));
    let sign = |chain_id: u64, nonce: u64, signer: &Key| {
        let authorization = Authorization {
            chain_id: U256::from(chain_id),
            address: Address::repeat_byte(0xcc),
            nonce,
        };
        let signature = signer.signature(authorization.signature_hash());
        authorization.into_signed(signature)
    };
    let good = sign(CHAIN_ID, 0, &authority);
    let high_s = Signature::new(good.r(), ORDER - good.s(), good.y_parity() == 0);
    let high = good.inner().clone().into_signed(high_s);
    let list = vec![
        sign(CHAIN_ID + 1, 0, &authority),
        sign(CHAIN_ID, 1, &authority),
        high,
    ];
    let tx = TxEip7702 {
        chain_id: CHAIN_ID,
        nonce: 0,
        gas_limit: 200_000,
        max_fee_per_gas: 3_000_000_000,
        max_priority_fee_per_gas: 0,
        to: Address::repeat_byte(0xdd),
        value: U256::ZERO,
        access_list: AccessList::default(),
        authorization_list: list,
        input: Bytes::new(),
    };
    let executed = chain.block(&[], &[key.sign(tx)]);
    assert!(executed.receipts[0].success);
    assert!(!chain.memory.accounts.contains_key(&authority.address()));
}

#[test]
fn bytes_that_are_no_transaction_are_refused() {
    let chain = Chain::new();
    let key = Key::new(1);
    for (kind, bytes) in kinds(&key, 0, Address::repeat_byte(0xdd)) {
        assert!(decode(&bytes, CHAIN_ID).is_ok());
        for end in 0..bytes.len() {
            assert!(
                decode(&bytes[..end], CHAIN_ID).is_err(),
                "type {kind} cut to {end}"
            );
        }
        let mut longer = bytes.to_vec();
        longer.push(0);
        assert_eq!(decode(&longer, CHAIN_ID), Err(TxError::Encoding));
        assert_eq!(chain.refusal(&longer.into()), Refused::Bytes(TxError::Encoding));
        // Of another chain.
        assert!(matches!(
            decode(&bytes, CHAIN_ID + 1),
            Err(TxError::Chain {
                got: Some(CHAIN_ID),
                ..
            })
        ));
        if kind != 0 {
            // Behind the type of another kind.
            for other in (0..=255).filter(|other| *other != kind) {
                let mut other_kind = bytes.to_vec();
                other_kind[0] = other;
                assert!(decode(&other_kind, CHAIN_ID).is_err(), "type {kind} as {other}");
            }
        }
    }
    assert_eq!(decode(&[], CHAIN_ID), Err(TxError::Encoding));
    for kind in [0, 3, 5, 0x7e, 0x7f, 0xbf] {
        assert_eq!(decode(&[kind, 0xc0], CHAIN_ID), Err(TxError::Kind { got: kind }));
    }
    let long = vec![2; l2_stf::MAX_TRANSACTION_BYTES + 1];
    assert_eq!(decode(&long, CHAIN_ID), Err(TxError::TooLong { got: long.len() }));
}

#[test]
fn blobs_are_refused() {
    let key = Key::new(1);
    let blobs = TxEip4844 {
        chain_id: CHAIN_ID,
        blob_versioned_hashes: vec![B256::repeat_byte(1)],
        ..TxEip4844::default()
    };
    let signature = key.signature(blobs.signature_hash());
    let bytes: Bytes = Transaction::from(blobs.into_signed(signature))
        .encoded_2718()
        .into();
    assert_eq!(
        Chain::new().refusal(&bytes),
        Refused::Bytes(TxError::Kind { got: 3 })
    );
}

#[test]
fn legacy_without_a_chain_is_refused() {
    let bytes = Key::new(1).sign(TxLegacy {
        chain_id: None,
        gas_limit: 21_000,
        gas_price: 2_000_000_000,
        to: TxKind::Call(Address::ZERO),
        ..TxLegacy::default()
    });
    assert_eq!(
        Chain::new().refusal(&bytes),
        Refused::Bytes(TxError::Chain {
            got: None,
            expected: CHAIN_ID
        })
    );
}

#[test]
fn the_other_s_of_a_signature_is_refused() {
    let chain = Chain::new();
    let key = Key::new(1);
    let tx = transfer(0, Address::repeat_byte(0xdd), 5);
    let good = key.signature(tx.signature_hash());
    let with = |signature: Signature| -> Bytes {
        Transaction::from(tx.clone().into_signed(signature))
            .encoded_2718()
            .into()
    };
    assert_eq!(recover(&with(good), CHAIN_ID).unwrap().sender, key.address());
    let refused = [
        Signature::new(good.r(), ORDER - good.s(), !good.v()),
        Signature::new(U256::ZERO, good.s(), good.v()),
        Signature::new(good.r(), U256::ZERO, good.v()),
        Signature::new(ORDER, good.s(), good.v()),
        Signature::new(good.r(), ORDER, good.v()),
    ];
    for signature in refused {
        assert_eq!(
            chain.refusal(&with(signature)),
            Refused::Bytes(TxError::Signature),
            "{signature:?}"
        );
    }
    // The other parity is somebody else, who has no coins.
    let other = recover(&with(Signature::new(good.r(), good.s(), !good.v())), CHAIN_ID);
    assert!(other.is_err() || other.unwrap().sender != key.address());
}

#[test]
fn a_second_encoding_of_a_number_is_refused() {
    let bytes = hex!(
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
    );
    assert!(decode(&bytes, 1).is_ok());
    // The nonce 9 as the string of one byte, and as a string of two with a zero before it.
    for nonce in [&[0x81, 9][..], &[0x82, 0, 9]] {
        let mut other = vec![0xf8, 0x6c + nonce.len() as u8 - 1];
        other.extend_from_slice(nonce);
        other.extend_from_slice(&bytes[3..]);
        assert_eq!(decode(&other, 1), Err(TxError::Encoding));
    }
}

#[test]
fn each_rule_of_a_transaction_has_a_refusal() {
    let mut chain = Chain::new();
    let key = Key::new(1);
    let to = Address::repeat_byte(0xdd);
    chain.block(&[], &[key.pay(0, to, 1)]);
    let base = u128::from(chain.head.base_fee);
    let good = TxEip1559 {
        gas_limit: 100_000,
        ..transfer(1, to, 1)
    };
    let refusal = |tx: TxEip1559| chain.refusal(&key.sign(tx)).to_string();
    let cases: Vec<(TxEip1559, &str)> = vec![
        (
            TxEip1559 {
                nonce: 0,
                ..good.clone()
            },
            "nonce",
        ),
        (
            TxEip1559 {
                nonce: 2,
                ..good.clone()
            },
            "nonce",
        ),
        (
            TxEip1559 {
                nonce: u64::MAX,
                ..good.clone()
            },
            "nonce",
        ),
        (
            TxEip1559 {
                max_fee_per_gas: base - 1,
                max_priority_fee_per_gas: 0,
                ..good.clone()
            },
            "gas price is less than basefee",
        ),
        (
            TxEip1559 {
                max_priority_fee_per_gas: good.max_fee_per_gas + 1,
                ..good.clone()
            },
            "priority fee is greater than max fee",
        ),
        (
            TxEip1559 {
                gas_limit: 20_999,
                ..good.clone()
            },
            "call gas cost",
        ),
        (
            TxEip1559 {
                gas_limit: 30_000_001,
                ..good.clone()
            },
            "gas limit",
        ),
        (
            TxEip1559 {
                gas_limit: (1 << 24) + 1,
                ..good.clone()
            },
            "gas limit",
        ),
        (
            TxEip1559 {
                value: U256::MAX,
                ..good.clone()
            },
            "overflow payment",
        ),
        (
            TxEip1559 {
                value: U256::from(FUNDS),
                ..good.clone()
            },
            "lack of funds",
        ),
        (
            TxEip1559 {
                max_fee_per_gas: u128::MAX,
                ..good.clone()
            },
            "overflow payment",
        ),
        (
            TxEip1559 {
                to: TxKind::Create,
                gas_limit: 5_000_000,
                input: vec![0; 49_153].into(),
                ..good.clone()
            },
            "initcode",
        ),
    ];
    for (tx, reason) in cases {
        let got = refusal(tx.clone());
        assert!(got.contains(reason), "{got}, expected {reason}: {tx:?}");
    }
    let nobody = chain.refusal(&Key::new(99).sign(TxEip1559 {
        nonce: 0,
        ..good.clone()
    }));
    assert!(nobody.to_string().contains("lack of funds"), "{nobody}");
    let nothing_authorised = TxEip7702 {
        chain_id: CHAIN_ID,
        nonce: 1,
        gas_limit: 100_000,
        max_fee_per_gas: 3_000_000_000,
        to,
        ..TxEip7702::default()
    };
    let got = chain.refusal(&key.sign(nothing_authorised)).to_string();
    assert!(got.contains("empty authorization list"), "{got}");
    chain.block(&[], &[key.sign(good)]);
}

#[test]
fn the_surcharge_must_be_there_to_the_wei() {
    let mut chain = Chain::new();
    let (rich, poor) = (Key::new(1), Key::new(50));
    let tx = transfer(0, Address::repeat_byte(0xdd), 1_000);
    let bytes = poor.sign(tx.clone());
    let needed = u128::from(tx.gas_limit) * tx.max_fee_per_gas
        + 1_000
        + u128::from(chain.head.data_fee) * bytes.len() as u128;
    chain.block(&[], &[rich.pay(0, poor.address(), needed - 1)]);
    assert!(matches!(chain.refusal(&bytes), Refused::Rules(_)));
    chain.block(&[], &[rich.pay(1, poor.address(), 1)]);
    let executed = chain.block(&[], &[bytes]);
    assert!(executed.receipts[0].success);
}

#[test]
fn the_surcharge_is_kept_when_the_call_reverts_or_halts() {
    let mut chain = Chain::new();
    let key = Key::new(1);
    // PUSH0 PUSH0 REVERT, and INVALID.
    let reverts = key.address().create(0);
    let halts = key.address().create(1);
    chain.block(
        &[],
        &[
            key.create(0, init(&[0x5f, 0x5f, 0xfd])),
            key.create(1, init(&[0xfe])),
        ],
    );
    let before = chain.balance(key.address());
    let proposer = chain.proposer(0);
    let earned = chain.balance(proposer);
    let transactions = [
        key.call(2, reverts, 7, Bytes::new()),
        key.call(3, halts, 7, Bytes::new()),
    ];
    let executed = chain.block(&[], &transactions);
    let mut paid = U256::ZERO;
    for (i, bytes) in transactions.iter().enumerate() {
        let receipt = &executed.receipts[i];
        assert!(!receipt.success);
        let outcome = &executed.transactions[i];
        assert_eq!(
            outcome.data_fee,
            U256::from(chain.head.data_fee) * U256::from(bytes.len())
        );
        assert_eq!(
            receipt.paid,
            outcome.data_fee + U256::from(outcome.effective_gas_price) * U256::from(outcome.gas_used)
        );
        paid += receipt.paid;
    }
    // A halt uses all gas.
    assert_eq!(executed.transactions[1].gas_used, 1_000_000);
    assert_eq!(chain.balance(key.address()), before - paid);
    assert_eq!(chain.balance(proposer), earned + paid);
    assert_eq!(chain.balance(reverts) + chain.balance(halts), U256::ZERO);
}
