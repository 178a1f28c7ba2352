//! What is too much.

use std::sync::Arc;

use alloy_primitives::{B256, Log};
use serde_json::{Value, json};

use super::{Fake, Served, contract};
use crate::Limits;

#[tokio::test]
async fn a_body_that_is_too_long_is_not_read() {
    let served = Served::with(Limits {
        request_bytes: 1_000,
        ..Limits::default()
    })
    .await;
    let body = |length: usize| {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": [] }).to_string();
        let padding = " ".repeat(length - body.len());
        body + &padding
    };
    let (status, _) = served.post(&body(1_000)).await;
    assert!(status.contains("200"), "{status}");
    let (status, _) = served.post(&body(1_001)).await;
    assert!(status.contains("413"), "{status}");
}

#[tokio::test]
async fn a_batch_has_a_length() {
    let served = Served::with(Limits {
        batch: 3,
        ..Limits::default()
    })
    .await;
    let batch = |n: usize| {
        let calls: Vec<Value> = (0..n)
            .map(|id| json!({ "jsonrpc": "2.0", "id": id, "method": "eth_chainId", "params": [] }))
            .collect();
        json!(calls).to_string()
    };
    let (_, body) = served.post(&batch(3)).await;
    assert_eq!(
        serde_json::from_str::<Value>(&body)
            .unwrap()
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let (_, body) = served.post(&batch(4)).await;
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap()["error"]["code"],
        -32010
    );
}

#[tokio::test]
async fn an_answer_has_a_length() {
    let served = Served::with(Limits {
        response_bytes: 500,
        ..Limits::default()
    })
    .await;
    assert_eq!(
        served.error("eth_getBlockByNumber", json!(["0x1", true])).await.0,
        -32008
    );
    assert_eq!(served.ok("eth_chainId", json!([])).await, "0x7a9");
}

#[tokio::test]
async fn a_log_filter_walks_so_far_and_finds_so_much() {
    let served = Served::with(Limits {
        log_blocks: 2,
        logs: 3,
        ..Limits::default()
    })
    .await;
    let logs = |from: &str| json!([{ "fromBlock": from, "toBlock": "latest" }]);
    assert_eq!(
        served.error("eth_getLogs", logs("0x0")).await,
        (-32005, "block range of 3 blocks, at most 2".into())
    );
    assert_eq!(
        served.error("eth_getLogs", logs("0x1")).await,
        (
            -32005,
            "query returned more than 3 results: ask for a smaller block range or fewer addresses and topics"
                .into()
        )
    );
    assert_eq!(
        served
            .ok("eth_getLogs", logs("0x2"))
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
    // A range that ends nowhere is cut at the head, not walked.
    let far = json!([{ "fromBlock": "0x1", "toBlock": "0xffffffffffffffff", "topics": [null, [format!("0x{}", "02".repeat(32))]] }]);
    assert_eq!(served.ok("eth_getLogs", far).await.as_array().unwrap().len(), 1);
    let whole = json!([{ "fromBlock": "0x0", "toBlock": "0xffffffffffffffff" }]);
    assert_eq!(served.error("eth_getLogs", whole).await.0, -32005);
}

#[tokio::test]
async fn logs_have_a_length_in_all() {
    let mut chain = Fake::new();
    // A log of 40,000 bytes in each of two blocks; the limit is above one of them in hex, and below both.
    for number in [1, 2] {
        let block = Arc::make_mut(&mut chain.blocks[number]);
        let topics = vec![B256::repeat_byte(0x77)];
        let log = Log::new(contract(), topics, vec![1; 40_000].into()).unwrap();
        block.transactions[0].logs = vec![log];
    }
    let limits = Limits {
        response_bytes: 100_000,
        ..Limits::default()
    };
    let served = Served::over(chain, limits).await;
    let logs = |from: &str, to: &str, topic: u8| {
        let topic = B256::repeat_byte(topic);
        json!([{ "fromBlock": from, "toBlock": to, "topics": [topic] }])
    };
    assert_eq!(
        served.error("eth_getLogs", logs("0x1", "0x2", 0x77)).await,
        (
            -32005,
            "query returned more than 100000 bytes of logs: ask for a smaller block range or fewer addresses and topics"
                .into()
        )
    );
    for number in ["0x1", "0x2"] {
        let found = served.ok("eth_getLogs", logs(number, number, 0x77)).await;
        assert_eq!(found.as_array().unwrap().len(), 1);
    }
    // Logs that nobody asked for are not counted.
    let found = served.ok("eth_getLogs", logs("0x1", "0x2", 0xee)).await;
    assert_eq!(found.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_fee_history_is_cut() {
    let served = Served::with(Limits {
        fee_blocks: 1,
        ..Limits::default()
    })
    .await;
    let history = served
        .ok("eth_feeHistory", json!(["0xffffffffffffffff", "latest"]))
        .await;
    assert_eq!(history["oldestBlock"], "0x2");
    assert_eq!(history["gasUsedRatio"], json!([0.5]));
}
