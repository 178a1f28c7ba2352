//! What is too much.

use serde_json::{Value, json};

use super::Served;
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
        (-32005, "query returned more than 3 results".into())
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
