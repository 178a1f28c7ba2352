//! Blocks, transactions, receipts and logs.

use alloy_primitives::{Address, B256, Bloom, BloomInput};
use serde_json::{Value, json};

use super::{Served, alice, bob, contract, dynamic};

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap().strip_prefix("0x").unwrap();
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
        .collect()
}

#[tokio::test]
async fn a_block_has_what_wallets_read() {
    let served = Served::new().await;
    let block = served.ok("eth_getBlockByNumber", json!(["0x1", false])).await;
    let header = &served.chain.blocks[1].header;
    for (field, value) in [
        ("number", json!("0x1")),
        ("hash", json!(header.hash())),
        ("parentHash", json!(header.parent)),
        ("mixHash", json!(header.parent)),
        ("nonce", json!("0x0000000000000000")),
        (
            "sha3Uncles",
            json!("0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"),
        ),
        ("miner", json!(bob())),
        ("difficulty", json!("0x0")),
        ("extraData", json!("0x")),
        ("gasLimit", json!("0x1c9c380")),
        ("gasUsed", json!("0xe4e1c0")),
        ("timestamp", json!("0x6553f101")),
        ("baseFeePerGas", json!("0x3e9")),
        ("size", json!("0x258")),
        ("uncles", json!([])),
        ("l1Height", json!("0x321")),
    ] {
        assert_eq!(block[field], value, "{field}");
    }
    let hashes: Vec<B256> = served.chain.blocks[1]
        .transactions
        .iter()
        .map(|included| included.hash)
        .collect();
    assert_eq!(block["transactions"], json!(hashes));
    let bloom = Bloom::from_slice(&hex(&block["logsBloom"]));
    assert!(bloom.contains_input(BloomInput::Raw(contract().as_slice())));
    assert!(bloom.contains_input(BloomInput::Raw(&[2; 32])));
    assert!(!bloom.contains_input(BloomInput::Raw(&[3; 32])));
    let same = served
        .ok("eth_getBlockByHash", json!([header.hash(), false]))
        .await;
    assert_eq!(same, block);
}

#[tokio::test]
async fn blocks_by_every_tag() {
    let served = Served::new().await;
    for (tag, number) in [
        ("latest", "0x2"),
        ("pending", "0x2"),
        ("safe", "0x1"),
        ("finalized", "0x0"),
        ("earliest", "0x0"),
    ] {
        assert_eq!(
            served.ok("eth_getBlockByNumber", json!([tag, true])).await["number"],
            number
        );
    }
    let unknown = [
        ("eth_getBlockByNumber", json!(["0x3", true])),
        ("eth_getBlockByNumber", json!(["0xffffffffffffffff", true])),
        ("eth_getBlockByHash", json!([B256::ZERO, true])),
        ("eth_getTransactionByHash", json!([B256::ZERO])),
        ("eth_getTransactionReceipt", json!([B256::ZERO])),
        ("eth_getBlockReceipts", json!(["0x3"])),
        // It waits: no receipt.
        ("eth_getTransactionReceipt", json!([dynamic(8).tx_hash()])),
    ];
    for (method, params) in unknown {
        assert_eq!(served.ok(method, params).await, Value::Null);
    }
}

#[tokio::test]
async fn transactions_of_every_type() {
    let served = Served::new().await;
    let first = served.ok("eth_getBlockByNumber", json!(["0x1", true])).await;
    let second = served.ok("eth_getBlockByNumber", json!(["0x2", true])).await;
    let of = |block: &Value, index: usize| block["transactions"][index].clone();
    let deposit = of(&first, 0);
    for (field, value) in [
        ("type", json!("0x7e")),
        ("from", json!(Address::ZERO)),
        ("to", json!(alice())),
        ("value", json!("0x7b")),
        ("input", json!("0x")),
        ("r", json!("0x0")),
        ("transactionIndex", json!("0x0")),
        ("blockNumber", json!("0x1")),
    ] {
        assert_eq!(deposit[field], value, "{field}");
    }
    let ignored = of(&first, 1);
    assert_eq!(
        (&ignored["type"], &ignored["input"]),
        (&json!("0x7f"), &json!("0xff01"))
    );
    let legacy = of(&first, 2);
    for (field, value) in [
        ("type", json!("0x0")),
        ("chainId", json!("0x7a9")),
        ("nonce", json!("0x3")),
        ("gasPrice", json!("0x7d0")),
        ("gas", json!("0x5208")),
        ("from", json!(alice())),
        ("to", json!(bob())),
        ("value", json!("0x5")),
        ("r", json!("0x11")),
        ("s", json!("0x22")),
        // 35 + 2 * 0x7a9 + 1
        ("v", json!("0xf76")),
    ] {
        assert_eq!(legacy[field], value, "{field}");
    }
    assert!(legacy.get("yParity").is_none() && legacy.get("maxFeePerGas").is_none());
    let created = of(&first, 3);
    assert_eq!((&created["type"], &created["to"]), (&json!("0x1"), &Value::Null));
    assert_eq!(
        created["accessList"],
        json!([{ "address": bob(), "storageKeys": [B256::repeat_byte(1)] }])
    );
    let dynamic = of(&second, 0);
    for (field, value) in [
        ("type", json!("0x2")),
        ("maxFeePerGas", json!("0x2328")),
        ("maxPriorityFeePerGas", json!("0x1f4")),
        ("gasPrice", json!("0x5de")),
        ("accessList", json!([])),
        ("v", json!("0x1")),
        ("yParity", json!("0x1")),
        ("input", json!("0x0102")),
    ] {
        assert_eq!(dynamic[field], value, "{field}");
    }
    let delegating = of(&second, 1);
    assert_eq!(delegating["type"], "0x4");
    let authorization = &delegating["authorizationList"][0];
    assert_eq!(
        *authorization,
        json!({
            "chainId": "0x7a9", "address": contract(), "nonce": "0x1", "yParity": "0x1", "r": "0x3", "s": "0x4"
        })
    );
    for transaction in [&legacy, &delegating, &deposit] {
        let hash = &transaction["hash"];
        assert_eq!(
            served.ok("eth_getTransactionByHash", json!([hash])).await,
            *transaction
        );
    }
}

#[tokio::test]
async fn a_transaction_that_waits_is_in_no_block() {
    let served = Served::new().await;
    let waiting = dynamic(8);
    let answer = served
        .ok("eth_getTransactionByHash", json!([waiting.tx_hash()]))
        .await;
    assert_eq!(
        (&answer["from"], &answer["nonce"]),
        (&json!(alice()), &json!("0x8"))
    );
    for field in ["blockHash", "blockNumber", "transactionIndex"] {
        assert_eq!(answer.get(field), Some(&Value::Null));
    }
}

#[tokio::test]
async fn receipts() {
    let served = Served::new().await;
    let all = served.ok("eth_getBlockReceipts", json!(["0x1"])).await;
    assert_eq!(all.as_array().unwrap().len(), 4);
    let hash = served.chain.blocks[1].transactions[2].hash;
    let receipt = served.ok("eth_getTransactionReceipt", json!([hash])).await;
    assert_eq!(all[2], receipt);
    for (field, value) in [
        ("type", json!("0x0")),
        ("status", json!("0x1")),
        ("transactionHash", json!(hash)),
        ("transactionIndex", json!("0x2")),
        ("blockHash", json!(served.chain.blocks[1].hash)),
        ("blockNumber", json!("0x1")),
        ("from", json!(alice())),
        ("to", json!(bob())),
        ("contractAddress", Value::Null),
        ("cumulativeGasUsed", json!("0xf618")),
        ("gasUsed", json!("0x5208")),
        ("effectiveGasPrice", json!("0x7d0")),
        ("dataFee", json!("0x4d")),
    ] {
        assert_eq!(receipt[field], value, "{field}");
    }
    // Logs are counted through the block: the deposit has the first.
    let logs = receipt["logs"].as_array().unwrap();
    assert_eq!(logs.len(), 2);
    assert_eq!(
        (&logs[0]["logIndex"], &logs[1]["logIndex"]),
        (&json!("0x1"), &json!("0x2"))
    );
    assert_eq!(logs[0]["removed"], false);
    assert_eq!(all[3]["contractAddress"], json!(Address::repeat_byte(0xc0)));
    assert_eq!(all[3]["to"], Value::Null);
    assert_eq!(
        (&all[0]["from"], &all[0]["to"]),
        (&json!(Address::ZERO), &json!(alice()))
    );
    let failed = served.chain.blocks[2].transactions[0].hash;
    let receipt = served.ok("eth_getTransactionReceipt", json!([failed])).await;
    assert_eq!(
        (&receipt["status"], &receipt["type"]),
        (&json!("0x0"), &json!("0x2"))
    );
}

#[tokio::test]
async fn logs_by_range_hash_address_and_topic() {
    let served = Served::new().await;
    let topic = B256::repeat_byte;
    let hash = served.chain.blocks[1].hash;
    for (filter, count) in [
        (json!({ "fromBlock": "earliest", "toBlock": "latest" }), 4),
        (json!({}), 1),
        (json!({ "fromBlock": "0x1", "toBlock": "0x1" }), 3),
        (json!({ "blockHash": hash }), 3),
        (json!({ "fromBlock": "0x0", "toBlock": "0xff" }), 4),
        (json!({ "fromBlock": "0x9", "toBlock": "0xff" }), 0),
        (json!({ "blockHash": hash, "topics": [null, topic(1)] }), 2),
        (
            json!({ "blockHash": hash, "topics": [topic(0xee), [topic(2), topic(3)]] }),
            1,
        ),
        (json!({ "blockHash": hash, "address": alice() }), 0),
        (json!({ "fromBlock": "0x0", "address": [alice(), contract()] }), 4),
    ] {
        let logs = served.ok("eth_getLogs", json!([filter])).await;
        assert_eq!(logs.as_array().unwrap().len(), count, "{filter}");
    }
    let logs = served
        .ok(
            "eth_getLogs",
            json!([{ "blockHash": hash, "topics": [null, topic(2)] }]),
        )
        .await;
    assert_eq!(
        logs[0],
        json!({
            "address": contract(),
            "topics": [topic(0xee), topic(2)],
            "data": "0x07",
            "blockHash": hash,
            "blockNumber": "0x1",
            "blockTimestamp": "0x6553f101",
            "transactionHash": served.chain.blocks[1].transactions[2].hash,
            "transactionIndex": "0x2",
            "logIndex": "0x2",
            "removed": false,
        })
    );
    for (filter, code, text) in [
        (json!({ "blockHash": B256::ZERO }), -32000, "unknown block"),
        (
            json!({ "fromBlock": "0x2", "toBlock": "0x1" }),
            -32602,
            "invalid block range params",
        ),
        (
            json!({ "topics": [null, null, null, null, null] }),
            -32602,
            "exceed max topics",
        ),
        (
            json!({ "blockHash": hash, "fromBlock": "0x1" }),
            -32602,
            "cannot specify both blockHash and fromBlock/toBlock, choose one or the other",
        ),
    ] {
        assert_eq!(
            served.error("eth_getLogs", json!([filter])).await,
            (code, text.into())
        );
    }
}
