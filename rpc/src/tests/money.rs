//! Calls, estimates, transactions handed in, fees.

use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{B256, Bytes, U256};
use serde_json::{Value, json};

use super::{Served, alice, contract, dynamic};

#[tokio::test]
async fn a_call_is_passed_on_as_it_was_meant() {
    let served = Served::new().await;
    let call = json!({
        "from": alice(), "to": contract(), "gas": "0x5208", "gasPrice": "0x1", "value": "0x7", "data": "0x09",
        "accessList": [{ "address": contract(), "storageKeys": [] }], "type": "0x1", "nonce": "0x0",
    });
    assert_eq!(served.ok("eth_call", json!([call, "safe"])).await, "0xab");
    assert_eq!(
        served
            .ok("eth_estimateGas", json!([{ "to": contract(), "input": "0x08" }]))
            .await,
        "0x5208"
    );
    assert_eq!(
        served
            .ok("eth_call", json!([{ "input": "0x" }, "latest", {}]))
            .await,
        "0xab"
    );
    let calls = served.chain.calls.lock().unwrap();
    let (at, request) = &calls[0];
    assert_eq!((*at, request.from, request.to), (1, alice(), Some(contract())));
    assert_eq!((request.gas, request.value), (Some(21_000), U256::from(7)));
    assert_eq!(request.input, Bytes::from_static(&[9]));
    assert_eq!(request.access_list.0.len(), 1);
    assert_eq!((calls[1].0, &calls[1].1.input), (2, &Bytes::from_static(&[8])));
    assert_eq!(calls[2].1.to, None);
}

#[tokio::test]
async fn a_revert_has_its_data() {
    let served = Served::new().await;
    for method in ["eth_call", "eth_estimateGas"] {
        let answer = served
            .request(method, json!([{ "to": contract(), "data": "0x01" }, "latest"]))
            .await;
        assert_eq!(answer["error"]["code"], 3);
        assert_eq!(answer["error"]["message"], "execution reverted: no");
        let data = answer["error"]["data"].as_str().unwrap();
        assert!(data.starts_with("0x08c379a0") && data.len() == 202);
    }
}

#[tokio::test]
async fn a_call_that_fails_otherwise() {
    let served = Served::new().await;
    for (data, code, text) in [
        ("0x02", -32000, "out of gas"),
        ("0x03", -32000, "insufficient funds for gas * price + value"),
        ("0x04", -32603, "internal error"),
    ] {
        assert_eq!(
            served
                .error("eth_call", json!([{ "data": data }, "latest"]))
                .await,
            (code, text.into())
        );
    }
    for (call, at, overrides) in [
        (
            json!({ "data": "0x01", "input": "0x02" }),
            json!("latest"),
            Value::Null,
        ),
        (json!({ "chainId": "0x1" }), json!("latest"), Value::Null),
        (
            json!({}),
            json!("latest"),
            json!({ contract().to_string(): { "code": "0x" } }),
        ),
        (json!({ "to": "vitalik.eth" }), json!("latest"), Value::Null),
        (json!({}), json!("soon"), Value::Null),
        (json!("0x"), json!("latest"), Value::Null),
    ] {
        assert_eq!(
            served.error("eth_call", json!([call, at, overrides])).await.0,
            -32602
        );
    }
    assert_eq!(
        served.error("eth_call", json!([{}, "0x3"])).await,
        (-32000, "header not found".into())
    );
    assert!(
        served
            .chain
            .calls
            .lock()
            .unwrap()
            .iter()
            .all(|(_, request)| !request.input.is_empty())
    );
}

#[tokio::test]
async fn a_transaction_is_handed_in_or_refused_with_geths_text() {
    let served = Served::new().await;
    let bytes: Bytes = dynamic(9).encoded_2718().into();
    // Its first byte is the type, 2, which this chain has another use for.
    let good = Bytes::from([&[9], &bytes[..]].concat());
    assert_eq!(
        served.ok("eth_sendRawTransaction", json!([good])).await,
        json!(B256::repeat_byte(0x42))
    );
    assert_eq!(*served.chain.submitted.lock().unwrap(), [good]);
    for (bytes, code, text) in [
        ("0x01", -32000, "nonce too low"),
        ("0x02", -32000, "insufficient funds for gas * price + value"),
        ("0x03", -32000, "already known"),
        ("0x04", -32000, "replacement transaction underpriced"),
        ("0x05", -32602, "invalid transaction: no signature"),
        ("0x", -32602, "invalid transaction"),
    ] {
        let (got, message) = served.error("eth_sendRawTransaction", json!([bytes])).await;
        assert_eq!(got, code);
        assert!(message.starts_with(text), "{message}");
    }
    assert_eq!(served.chain.submitted.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn fees() {
    let served = Served::new().await;
    // Tips: 2,000 - 1,001 and 3,000 - 1,001 in block 1, 500 and 1,500 in block 2; the upper one of the middle.
    assert_eq!(served.ok("eth_maxPriorityFeePerGas", json!([])).await, "0x5dc");
    assert_eq!(served.ok("eth_gasPrice", json!([])).await, "0xaae");
    let history = served
        .ok("eth_feeHistory", json!(["0x2", "latest", [0, 50.5, 100]]))
        .await;
    assert_eq!(
        history,
        json!({
            "oldestBlock": "0x1",
            "baseFeePerGas": ["0x3e9", "0x3ea", "0x4d2"],
            "gasUsedRatio": [0.5, 0.5],
            "reward": [["0x3e7", "0x7cf", "0x7cf"], ["0x1f4", "0x5dc", "0x5dc"]],
        })
    );
    let history = served.ok("eth_feeHistory", json!([9, "0x1"])).await;
    assert_eq!(history["oldestBlock"], "0x0");
    assert_eq!(history["baseFeePerGas"], json!(["0x3e8", "0x3e9", "0x3ea"]));
    assert!(history.get("reward").is_none());
    let none = served.ok("eth_feeHistory", json!(["0x0", "latest", []])).await;
    assert_eq!(none["gasUsedRatio"], json!([]));
    assert_eq!(
        served.error("eth_feeHistory", json!(["0x1", "0x3", []])).await,
        (-32000, "request beyond head block".into())
    );
    for percentiles in [json!([101]), json!([-1]), json!([2, 1])] {
        assert_eq!(
            served
                .error("eth_feeHistory", json!(["0x1", "latest", percentiles]))
                .await
                .0,
            -32602
        );
    }
}
