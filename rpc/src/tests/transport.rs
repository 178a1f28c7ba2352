//! HTTP and JSON-RPC themselves.

use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::{Fake, Served};
use crate::{Limits, ServeError, serve};

#[tokio::test]
async fn what_is_no_json_rpc() {
    let served = Served::new().await;
    for (body, code) in [
        ("", -32700),
        ("{", -32700),
        ("[]", -32600),
        ("{}", -32600),
        ("null", -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"eth_chainId"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":5}"#, -32600),
    ] {
        let (_, answer) = served.post(body).await;
        let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{body}: {answer}"));
        let got = answer["error"]["code"].as_i64().unwrap();
        // What is neither is told as either.
        assert!(got == code || got == -32700 || got == -32600, "{body}: {answer}");
    }
}

#[tokio::test]
async fn ids_come_back_and_parameters_may_be_left_out() {
    let served = Served::new().await;
    for id in [json!(7), json!("seven"), json!(null)] {
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": "eth_chainId" }).to_string();
        let (_, answer) = served.post(&body).await;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!((&answer["id"], &answer["result"]), (&id, &json!("0x7a9")));
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_told() {
    let served = Served::new().await;
    let taken = served.server.address;
    let second = serve(std::sync::Arc::new(Fake::new()), taken, Limits::default()).await;
    assert!(matches!(second, Err(ServeError::Bind { address, .. }) if address == taken));
}

#[tokio::test]
async fn a_stopped_server_listens_no_more() {
    let Served { server, .. } = Served::new().await;
    let address = server.address;
    assert!(TcpStream::connect(address).await.is_ok());
    server.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}
