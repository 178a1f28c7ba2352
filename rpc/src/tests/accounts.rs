//! Accounts, blocks named by tag, the chain's constants.

use alloy_primitives::B256;
use serde_json::json;

use super::{Served, alice, bob, contract};

#[tokio::test]
async fn constants() {
    let served = Served::new().await;
    for (method, answer) in [
        ("eth_chainId", json!("0x7a9")),
        ("net_version", json!("1961")),
        ("web3_clientVersion", json!("tapestry/0.1.0")),
        ("eth_blockNumber", json!("0x2")),
        ("eth_accounts", json!([])),
        ("eth_syncing", json!(false)),
        ("net_listening", json!(true)),
    ] {
        assert_eq!(served.ok(method, json!([])).await, answer, "{method}");
    }
}

#[tokio::test]
async fn balances_nonces_code_and_storage() {
    let served = Served::new().await;
    let hash = served.chain.blocks[1].hash;
    for (at, balance, nonce) in [
        (json!("latest"), "0x7d0", "0x7"),
        (json!("safe"), "0x3e8", "0x6"),
        (json!("0x1"), "0x3e8", "0x6"),
        (json!({ "blockHash": hash }), "0x3e8", "0x6"),
        (json!("pending"), "0x7d0", "0x9"),
        (json!(null), "0x7d0", "0x7"),
    ] {
        assert_eq!(served.ok("eth_getBalance", json!([alice(), at])).await, balance);
        assert_eq!(
            served.ok("eth_getTransactionCount", json!([alice(), at])).await,
            nonce
        );
    }
    assert_eq!(served.ok("eth_getBalance", json!([bob()])).await, "0x0");
    assert_eq!(
        served.ok("eth_getCode", json!([contract(), "latest"])).await,
        "0x6001"
    );
    assert_eq!(served.ok("eth_getCode", json!([alice(), "latest"])).await, "0x");
    let word = B256::with_last_byte(5);
    for slot in [json!("0x5"), json!(word)] {
        assert_eq!(
            served
                .ok("eth_getStorageAt", json!([contract(), slot, "latest"]))
                .await,
            json!(word)
        );
    }
}

#[tokio::test]
async fn a_state_that_is_not_there() {
    let served = Served::new().await;
    for at in [json!("0x3"), json!({ "blockHash": B256::ZERO })] {
        for method in ["eth_getBalance", "eth_getTransactionCount", "eth_getCode"] {
            assert_eq!(
                served.error(method, json!([alice(), at])).await,
                (-32000, "header not found".into())
            );
        }
    }
    assert_eq!(
        served.error("eth_getBalance", json!([alice(), "earliest"])).await,
        (-32000, "state of block 0 is not kept, oldest is 1".into())
    );
}

#[tokio::test]
async fn parameters_that_make_no_sense() {
    let served = Served::new().await;
    for (method, params) in [
        ("eth_getBalance", json!([])),
        ("eth_getBalance", json!(["0x01", "latest"])),
        ("eth_getBalance", json!([alice(), "newest"])),
        ("eth_getBalance", json!([alice(), 2])),
        ("eth_getBalance", json!({ "address": alice() })),
        ("eth_getStorageAt", json!([alice()])),
        (
            "eth_getStorageAt",
            json!([alice(), format!("0x1{}", "0".repeat(64)), "latest"]),
        ),
        ("eth_getBlockByNumber", json!([])),
        ("eth_getBlockByNumber", json!(["latest", "yes"])),
        ("eth_getBlockByHash", json!(["0x00", false])),
        ("eth_getTransactionReceipt", json!(["latest"])),
        ("eth_sendRawTransaction", json!(["0x2"])),
        ("eth_feeHistory", json!(["four", "latest", []])),
        ("tapestry_getBatch", json!([-1])),
        ("tapestry_getBatch", json!(["latest"])),
        ("tapestry_getWithdrawalProof", json!([])),
    ] {
        let (code, _) = served.error(method, params.clone()).await;
        assert_eq!(code, -32602, "{method} {params}");
    }
}

#[tokio::test]
async fn unknown_methods_are_named_so() {
    let served = Served::new().await;
    for method in [
        "eth_mine",
        "personal_sign",
        "debug_traceTransaction",
        "eth_sendTransaction",
        "",
    ] {
        assert_eq!(served.error(method, json!([])).await.0, -32601);
    }
}

#[tokio::test]
async fn tapestry() {
    let served = Served::new().await;
    let status = served.ok("tapestry_status", json!([])).await;
    assert_eq!(status["latest"]["number"], 2);
    assert_eq!((&status["safe"], &status["validators"]), (&json!(1), &json!(4)));
    let batch = served.ok("tapestry_getBatch", json!([0])).await;
    assert_eq!((&batch["first"], &batch["height"]), (&json!(1), &json!(802)));
    assert_eq!(batch["postRoot"], json!(B256::repeat_byte(5)));
    assert_eq!(served.ok("tapestry_getBatch", json!(["0x1"])).await, json!(null));
    let proof = served.ok("tapestry_getWithdrawalProof", json!([0, "safe"])).await;
    assert_eq!(proof["block"]["number"], 1);
    assert_eq!(proof["withdrawal"]["amount"], 1_000);
    assert_eq!(proof["nodes"][0].as_str().unwrap().len(), 2 + 128);
    assert_eq!(
        served.ok("tapestry_getWithdrawalProof", json!([1])).await,
        json!(null)
    );
    assert_eq!(served.ok("tapestry_dataFee", json!([])).await, "0x9");
    assert_eq!(
        served
            .error("tapestry_getWithdrawalProof", json!([0, "0x9"]))
            .await,
        (-32000, "header not found".into())
    );
}
