//! The codec: what goes in comes out byte for byte, one encoding, and nothing that bytes can do.

use alloy_consensus::{EthereumTxEnvelope, Signed, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy};
use alloy_eips::eip2718::Encodable2718;
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_eips::eip7702::{Authorization, SignedAuthorization};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256};
use l2_da::batch::{
    BlockContent, Columns, Content, DecodeError, EncodeError, MAX_BLOCKS, MAX_COLUMNS, MAX_TRANSACTIONS,
};
use proptest::prelude::*;

use crate::traffic::{CHAIN_ID, Mix, traffic};

type Envelope = EthereumTxEnvelope<TxEip4844>;

fn block(transactions: Vec<Bytes>) -> BlockContent {
    BlockContent {
        timestamp_ms: 1_000,
        origin: 10,
        round: 0,
        data_fee: 5,
        forced: 0,
        transactions,
    }
}

fn of(transactions: Vec<Bytes>) -> Content {
    Content {
        blocks: vec![block(transactions)],
    }
}

fn signature() -> Signature {
    Signature::new(U256::from(7), U256::from(9), true)
}

fn legacy(chain_id: Option<u64>) -> TxLegacy {
    TxLegacy {
        chain_id,
        nonce: 3,
        gas_price: 1_500_000_000,
        gas_limit: 21_000,
        to: TxKind::Call(Address::repeat_byte(4)),
        value: U256::from(10).pow(U256::from(18)),
        input: Bytes::new(),
    }
}

fn signed(tx: TxLegacy) -> Bytes {
    Envelope::Legacy(Signed::new_unhashed(tx, signature()))
        .encoded_2718()
        .into()
}

#[test]
fn traffic_comes_back() {
    for mix in [
        Mix::StrangerTransfers,
        Mix::Transfers,
        Mix::Tokens,
        Mix::Everything,
    ] {
        let content = traffic(mix, 400, 3);
        let data = content.encode(CHAIN_ID).unwrap();
        assert_eq!(Content::decode(&data, CHAIN_ID).unwrap(), content, "{mix:?}");
        assert_eq!(content.transactions(), 400);
    }
}

#[test]
fn a_transfer_takes_at_most_110_bytes() {
    // Smaller batches have less to learn from; 500 transfers are half a second of a busy chain.
    for (mix, count, most) in [(Mix::Transfers, 500, 95.0), (Mix::StrangerTransfers, 500, 105.0)] {
        let data = traffic(mix, count, 1).encode(CHAIN_ID).unwrap();
        // With pushes and the commitment.
        let each = (data.len() + 185) as f64 * 523.0 / 520.0 / count as f64;
        assert!(each <= most, "{mix:?}: {each}");
    }
}

#[test]
fn what_columns_cannot_hold_is_kept_as_it_is() {
    let whole = signed(legacy(Some(CHAIN_ID)));
    let mut longer = whole.to_vec();
    longer.push(0);
    // The nonce with a leading zero: 0x82 0x00 0x03 for 0x03 is no RLP.
    let mut loose = whole.to_vec();
    loose.splice(2..3, [0x82, 0, 3]);
    loose[1] += 2;
    let kept = [
        Bytes::new(),
        Bytes::from_static(&[2]),
        Bytes::from_static(&[0xc0]),
        Bytes::from_static(b"no transaction at all"),
        Bytes::from(vec![0xff; 70_000]),
        signed(legacy(None)),
        signed(legacy(Some(CHAIN_ID + 1))),
        Bytes::from(longer),
        Bytes::from(loose),
        Bytes::from(whole[..whole.len() - 1].to_vec()),
    ];
    for bytes in kept {
        let content = of(vec![whole.clone(), bytes.clone(), whole.clone()]);
        let columns = content.columns(CHAIN_ID).unwrap();
        assert_eq!(Content::from_columns(&columns, CHAIN_ID).unwrap(), content);
        // Seen in the columns as it is.
        assert!(columns.sparse.ends_with(&bytes), "{bytes}");
    }
}

/// Transactions of all kinds with any fields.
fn any_transaction() -> impl Strategy<Value = Bytes> {
    let numbers = (
        any::<u64>(),
        any::<u64>(),
        any::<u128>(),
        any::<u128>(),
        0u32..128,
    );
    let words = (
        any::<[u8; 32]>(),
        0usize..256,
        any::<[u8; 32]>(),
        any::<[u8; 32]>(),
    );
    let lists = (
        proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..3)), 0..3),
        proptest::collection::vec(any::<(u8, u64, u8)>(), 0..3),
        proptest::collection::vec(any::<u8>(), 0..100),
    );
    (0u8..6, numbers, words, lists, any::<bool>(), any::<bool>()).prop_map(
        |(
            kind,
            (nonce, gas_limit, fee, tip, shift),
            (value, cut, r, s),
            (access, auths, input),
            parity,
            new,
        )| {
            let (fee, tip) = (fee >> shift, tip >> shift);
            let value = U256::from_be_bytes(value) >> cut;
            let signature = Signature::new(U256::from_be_bytes(r), U256::from_be_bytes(s), parity);
            let address = Address::repeat_byte(nonce as u8);
            let to = if new {
                TxKind::Create
            } else {
                TxKind::Call(address)
            };
            let input = Bytes::from(input);
            let access_list = AccessList(
                access
                    .into_iter()
                    .map(|(address, keys)| AccessListItem {
                        address: Address::repeat_byte(address),
                        storage_keys: keys.into_iter().map(B256::repeat_byte).collect(),
                    })
                    .collect(),
            );
            let chain_id = if kind == 5 { 1 } else { CHAIN_ID };
            let envelope = match kind {
                0 | 5 => Envelope::Legacy(Signed::new_unhashed(
                    TxLegacy {
                        chain_id: Some(chain_id),
                        nonce,
                        gas_price: fee,
                        gas_limit,
                        to,
                        value,
                        input,
                    },
                    signature,
                )),
                1 => Envelope::Eip2930(Signed::new_unhashed(
                    TxEip2930 {
                        chain_id,
                        nonce,
                        gas_price: fee,
                        gas_limit,
                        to,
                        value,
                        access_list,
                        input,
                    },
                    signature,
                )),
                2 => Envelope::Eip1559(Signed::new_unhashed(
                    TxEip1559 {
                        chain_id,
                        nonce,
                        gas_limit,
                        max_fee_per_gas: fee,
                        max_priority_fee_per_gas: tip,
                        to,
                        value,
                        access_list,
                        input,
                    },
                    signature,
                )),
                3 => Envelope::Eip4844(Signed::new_unhashed(
                    TxEip4844 {
                        chain_id,
                        nonce,
                        gas_limit,
                        to: address,
                        value,
                        access_list,
                        input,
                        ..Default::default()
                    },
                    signature,
                )),
                _ => Envelope::Eip7702(Signed::new_unhashed(
                    TxEip7702 {
                        chain_id,
                        nonce,
                        gas_limit,
                        max_fee_per_gas: fee,
                        max_priority_fee_per_gas: tip,
                        to: address,
                        value,
                        access_list,
                        authorization_list: auths
                            .into_iter()
                            .map(|(address, nonce, parity)| {
                                let inner = Authorization {
                                    chain_id: U256::from(nonce % 3),
                                    address: Address::repeat_byte(address),
                                    nonce,
                                };
                                SignedAuthorization::new_unchecked(
                                    inner,
                                    parity,
                                    U256::from(nonce),
                                    U256::ZERO,
                                )
                            })
                            .collect(),
                        input,
                    },
                    signature,
                )),
            };
            envelope.encoded_2718().into()
        },
    )
}

fn any_content() -> impl Strategy<Value = Content> {
    let transaction = prop_oneof![
        8 => any_transaction(),
        1 => proptest::collection::vec(any::<u8>(), 0..60).prop_map(Bytes::from),
    ];
    let block = (
        (
            0u64..1 << 50,
            0u64..1 << 30,
            any::<u32>(),
            0u64..1 << 63,
            any::<u32>(),
        ),
        proptest::collection::vec(transaction, 0..8),
    );
    proptest::collection::vec(block, 1..5).prop_map(|blocks| {
        let (mut time, mut height) = (0, 0);
        let block = |((step, blocks, round, data_fee, forced), transactions)| {
            time += step;
            height += blocks;
            BlockContent {
                timestamp_ms: time,
                origin: height,
                round,
                data_fee,
                forced,
                transactions,
            }
        };
        Content {
            blocks: blocks.into_iter().map(block).collect(),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_content_comes_back(content in any_content()) {
        let columns = content.columns(CHAIN_ID).unwrap();
        prop_assert_eq!(&Content::from_columns(&columns, CHAIN_ID).unwrap(), &content);
        let data = content.encode(CHAIN_ID).unwrap();
        prop_assert_eq!(Content::decode(&data, CHAIN_ID).unwrap(), content);
    }

    #[test]
    fn garbage_ends(data in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Content::decode(&data, CHAIN_ID);
    }

    #[test]
    fn columns_have_one_encoding(
        content in any_content(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        what in 0..4,
    ) {
        let columns = content.columns(CHAIN_ID).unwrap();
        let mut other = columns.clone();
        let side = if what == 3 && !other.dense.is_empty() { &mut other.dense } else { &mut other.sparse };
        let at = at.index(side.len());
        match what {
            0 => side.truncate(at),
            1 => side.insert(at, byte),
            _ => side[at] = byte,
        }
        if let Ok(read) = Content::from_columns(&other, CHAIN_ID) {
            prop_assert_eq!(&read.columns(CHAIN_ID).unwrap(), &other);
            prop_assert_eq!(read == content, other == columns);
        }
    }

    #[test]
    fn garbage_columns_are_refused_or_read_the_one_way(
        sparse in proptest::collection::vec(0u8..5, 0..60),
        dense in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let columns = Columns { sparse, dense };
        if let Ok(content) = Content::from_columns(&columns, CHAIN_ID) {
            prop_assert_eq!(content.columns(CHAIN_ID).unwrap(), columns);
        }
    }
}

#[test]
fn every_cut_and_every_longer_form_of_data_is_refused() {
    let content = traffic(Mix::Everything, 20, 5);
    let data = content.encode(CHAIN_ID).unwrap();
    for end in 0..data.len() {
        assert!(Content::decode(&data[..end], CHAIN_ID).is_err(), "{end}");
    }
    let longer = [data.as_slice(), &[0]].concat();
    assert_eq!(
        Content::decode(&longer, CHAIN_ID),
        Err(DecodeError::Trailing { got: 1 })
    );
}

#[test]
fn a_flipped_bit_is_another_batch_or_none() {
    let content = traffic(Mix::Transfers, 8, 6);
    let data = content.encode(CHAIN_ID).unwrap();
    for i in 0..data.len() {
        for bit in 0..8 {
            let mut other = data.clone();
            other[i] ^= 1 << bit;
            if let Ok(read) = Content::decode(&other, CHAIN_ID) {
                // Compressors have many streams for one content; dense bytes have none to spare.
                assert!(read != content || i < data.len() - 8 * 64, "{i}");
            }
        }
    }
}

#[test]
fn second_encodings_are_refused() {
    let transfer = signed(legacy(Some(CHAIN_ID)));
    let columns = of(vec![transfer.clone(), transfer.clone()])
        .columns(CHAIN_ID)
        .unwrap();
    // count, time (2), origin, round, fee, forced, transactions | kinds | nonces | gas limits | recipients | powers | factors …
    let start = 8;
    assert_eq!(columns.sparse[start..start + 2], [0, 0]);
    let recipients = start + 2 + 2 + 6;
    assert_eq!(columns.sparse[recipients..recipients + 2], [1, 2]);
    // The same address as new once more.
    let mut twice = columns.clone();
    twice.sparse[recipients + 1] = 1;
    twice.dense.splice(20..20, [4; 20]);
    assert_eq!(
        Content::from_columns(&twice, CHAIN_ID),
        Err(DecodeError::NotCanonical)
    );
    // An address that was not named.
    let mut unknown = columns.clone();
    unknown.sparse[recipients + 1] = 3;
    assert_eq!(
        Content::from_columns(&unknown, CHAIN_ID),
        Err(DecodeError::Address { expected: 1, got: 1 })
    );
    // 10 · 10^17 for 10^18.
    let powers = recipients + 2;
    assert_eq!(columns.sparse[powers..powers + 4], [18, 18, 1, 1]);
    let mut power = columns.clone();
    power.sparse[powers] = 17;
    power.sparse[powers + 2] = 10;
    assert_eq!(
        Content::from_columns(&power, CHAIN_ID),
        Err(DecodeError::NotCanonical)
    );
    power.sparse[powers] = 19;
    assert_eq!(Content::from_columns(&power, CHAIN_ID), Err(DecodeError::Number));
    // Bits after the last parity.
    let mut parity = columns.clone();
    let last = parity.sparse.len() - 1;
    assert_eq!(parity.sparse[last], 0b11);
    parity.sparse[last] = 0b111;
    assert_eq!(
        Content::from_columns(&parity, CHAIN_ID),
        Err(DecodeError::NotCanonical)
    );
    // A transaction kept as it is that the columns could hold.
    let kept = of(vec![Bytes::from_static(b"x")]).columns(CHAIN_ID).unwrap();
    let mut lazy = kept.clone();
    lazy.sparse.truncate(lazy.sparse.len() - 2);
    lazy.sparse.push(transfer.len() as u8);
    lazy.sparse.extend_from_slice(&transfer);
    assert_eq!(
        Content::from_columns(&lazy, CHAIN_ID),
        Err(DecodeError::NotCanonical)
    );
    // An unknown kind.
    let mut kind = columns;
    kind.sparse[start] = 3;
    assert_eq!(
        Content::from_columns(&kind, CHAIN_ID),
        Err(DecodeError::Kind { got: 3 })
    );
}

#[test]
fn blocks_that_are_no_chain_are_refused() {
    let mut back = of(vec![]);
    back.blocks.push(BlockContent {
        timestamp_ms: 999,
        ..block(vec![])
    });
    assert!(matches!(
        back.columns(1),
        Err(EncodeError::Back {
            what: "time",
            index: 1,
            ..
        })
    ));
    back.blocks[1] = BlockContent {
        origin: 9,
        ..block(vec![])
    };
    assert!(matches!(
        back.columns(1),
        Err(EncodeError::Back {
            what: "origin",
            index: 1,
            ..
        })
    ));
    back.blocks[1] = BlockContent {
        data_fee: u64::MAX,
        ..block(vec![])
    };
    assert_eq!(back.columns(1), Err(EncodeError::DataFee { index: 1 }));
    assert_eq!(Content { blocks: vec![] }.columns(1), Err(EncodeError::NoBlocks));
}

#[test]
fn limits_hold_on_both_sides() {
    let many = Content {
        blocks: vec![block(vec![]); MAX_BLOCKS + 1],
    };
    assert!(matches!(
        many.columns(1),
        Err(EncodeError::TooMany { what: "blocks", .. })
    ));
    let many = of(vec![Bytes::new(); MAX_TRANSACTIONS + 1]);
    assert!(matches!(
        many.columns(1),
        Err(EncodeError::TooMany {
            what: "transactions",
            ..
        })
    ));
    let most = of(vec![Bytes::new(); MAX_TRANSACTIONS]);
    let data = most.encode(1).unwrap();
    assert!(data.len() < 1_000);
    assert_eq!(Content::decode(&data, 1).unwrap(), most);
    // The same by hand: one more than the limit.
    let mut columns = most.columns(1).unwrap();
    let place = columns.sparse.iter().position(|byte| *byte == 0xff).unwrap();
    columns.sparse[place - 3] = 0x81;
    assert!(matches!(
        Content::from_columns(&columns, 1),
        Err(DecodeError::TooMany {
            expected: MAX_TRANSACTIONS,
            ..
        })
    ));
    let large = of(vec![Bytes::from(vec![0; MAX_COLUMNS])]);
    assert!(matches!(
        large.columns(1),
        Err(EncodeError::TooMany {
            what: "bytes of columns",
            ..
        })
    ));
}

#[test]
fn a_bomb_is_refused() {
    // 16 MiB and some of zeros by a frame of some dozens of bytes.
    let mut frame = Vec::new();
    let params = brotli::enc::BrotliEncoderParams::default();
    brotli::BrotliCompress(&mut &vec![0; MAX_COLUMNS + 1][..], &mut frame, &params).unwrap();
    assert!(frame.len() < 127);
    let data = [&[frame.len() as u8], frame.as_slice()].concat();
    assert_eq!(
        Content::decode(&data, 1),
        Err(DecodeError::Frame {
            expected: MAX_COLUMNS
        })
    );
}
