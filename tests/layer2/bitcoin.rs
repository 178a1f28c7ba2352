//! The layer 2 and Bitcoin: batches, deposits, forced transactions, reorganisations, rebuilding.

use std::process::Command;
use std::time::Duration;

use ::bitcoin::Amount;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use devnet::{Devnet, DevnetOptions};

use crate::net::{self, height, reach, same_chain, until};

const PATIENCE: Duration = Duration::from_secs(90);

/// Mines until a label is at `block` on all sequencers.
async fn mine_until_safe(net: &mut Devnet, block: u64) {
    until(
        net,
        &format!("block {block} in a batch"),
        PATIENCE,
        async move |net| {
            net.mine(1).unwrap();
            tokio::time::sleep(Duration::from_millis(700)).await;
            for sequencer in &net.sequencers {
                let status = sequencer.rpc().unwrap().status().await.unwrap();
                if status.safe < block {
                    return false;
                }
            }
            true
        },
    )
    .await;
}

/// Rebuilds the chain from bitcoind alone; gives its head's number and state root.
fn from_bitcoin(net: &Devnet) -> (u64, B256) {
    let config = net.sequencers[0].config();
    let folder = tempfile::tempdir().unwrap();
    // The same configuration, but a data folder of its own.
    let text = std::fs::read_to_string(config).unwrap();
    let genesis = config
        .parent()
        .unwrap()
        .join("../genesis.json")
        .canonicalize()
        .unwrap();
    let text = text
        .replace("../genesis.json", &genesis.display().to_string())
        .replace(
            "\"data\"",
            &format!("\"{}\"", folder.path().join("data").display()),
        );
    let path = folder.path().join("node.toml");
    std::fs::write(&path, text).unwrap();
    let done = Command::new(net::exe())
        .args(["node", "--from-bitcoin", "--once", "--json", "--config"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let result: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    (
        result["number"].as_u64().unwrap(),
        serde_json::from_value(result["stateRoot"].clone()).unwrap(),
    )
}

async fn root_at(net: &Devnet, number: u64) -> B256 {
    net.sequencers[1].rpc().unwrap().block(number).await.unwrap().1
}

#[test]
fn deposits_forced_transactions_and_batches_survive_a_reorganisation_and_rebuild_from_bitcoin() {
    net::run(async {
        let mut net = Devnet::start(&net::options()).await.unwrap();
        let first = net.sequencers[0].rpc().unwrap();
        reach(&mut net, &[0, 1, 2, 3], 3, PATIENCE).await;

        // A deposit is minted to the wei once its block is deep enough to be named.
        let stranger = Address::repeat_byte(0x42);
        net.deposit(stranger, Amount::from_sat(123_456)).unwrap();
        net.mine(6).unwrap();
        let minted = U256::from(123_456) * U256::from(10_000_000_000u64);
        until(&mut net, "the deposit", PATIENCE, async |net| {
            let rpc = net.sequencers[2].rpc().unwrap();
            rpc.balance(stranger).await.unwrap() == minted
        })
        .await;

        // A transaction that no sequencer was given comes by Bitcoin.
        let target = Address::repeat_byte(0x43);
        let forced = net.accounts[5].transfer(net.genesis.chain_id, 0, target, U256::from(77), 1_000_000_000);
        net.force(&forced).unwrap();
        net.mine(6).unwrap();
        until(&mut net, "the forced transaction", PATIENCE, async |net| {
            let rpc = net.sequencers[3].rpc().unwrap();
            rpc.balance(target).await.unwrap() == U256::from(77)
        })
        .await;

        // Transfers, and all of it in batches.
        let mut hashes = Vec::new();
        for nonce in 0..20 {
            let to = Address::with_last_byte(nonce as u8 + 1);
            let tx = net.accounts[1].transfer(net.genesis.chain_id, nonce, to, U256::from(5), 1_000_000_000);
            hashes.push(first.send(&tx).await.unwrap());
        }
        until(&mut net, "the transfers", PATIENCE, async |net| {
            let rpc = net.sequencers[0].rpc().unwrap();
            rpc.receipt(*hashes.last().unwrap()).await.unwrap().is_some()
        })
        .await;
        let block = height(&net, 0).await.unwrap();
        mine_until_safe(&mut net, block).await;
        let (number, root) = from_bitcoin(&net);
        assert!(number >= block);
        assert_eq!(root, root_at(&net, number).await);

        // Six blocks of Bitcoin are replaced; batches come back, nothing forks, the rebuilt chain is the same.
        net.reorganise(6).unwrap();
        let later = height(&net, 0).await.unwrap() + 5;
        reach(&mut net, &[0, 1, 2, 3], later, PATIENCE).await;
        mine_until_safe(&mut net, later).await;
        let (number, root) = from_bitcoin(&net);
        assert!(number >= later);
        assert_eq!(root, root_at(&net, number).await);
        same_chain(&mut net).await;

        // bitcoind goes away and comes back.
        net.restart_bitcoind().unwrap();
        let later = height(&net, 0).await.unwrap() + 5;
        reach(&mut net, &[0, 1, 2, 3], later, PATIENCE).await;
        mine_until_safe(&mut net, later).await;
    });
}

/// Nobody mines: what sequencers agree on piles up, and Bitcoin could never take it all.
#[test]
fn blocks_hold_no_more_than_bitcoin_can_take_and_go_on_when_it_has() {
    net::run(async {
        let options = DevnetOptions {
            max_backlog_mib: Some(1),
            ..net::options()
        };
        let mut net = Devnet::start(&options).await.unwrap();
        reach(&mut net, &[0, 1, 2, 3], 2, PATIENCE).await;
        let (chain_id, first) = (net.genesis.chain_id, net.sequencers[0].rpc().unwrap());
        let data_fee = async |net: &Devnet| -> U256 {
            let fee = net.sequencers[1].rpc().unwrap();
            let fee = fee.call("tapestry_dataFee", &[]).await.unwrap();
            serde_json::from_value(fee).unwrap()
        };
        let cheap = data_fee(&net).await;

        // More than a mebibyte.
        let count = 11;
        for nonce in 0..count {
            let bytes = Bytes::from(vec![nonce as u8; 100_000]);
            let to = TxKind::Call(Address::repeat_byte(0x51));
            let large =
                net.accounts[1].transaction(chain_id, nonce, to, U256::ZERO, bytes, 8_000_000, 1_000_000);
            first.send(&large).await.unwrap();
        }
        until(&mut net, "large transactions", PATIENCE, async |net| {
            let sender = net.accounts[1].address;
            for sequencer in &net.sequencers {
                if sequencer.rpc().unwrap().nonce(sender).await.unwrap() < count {
                    return false;
                }
            }
            true
        })
        .await;
        let full = height(&net, 0).await.unwrap();
        // A byte costs what Bitcoin asks, which is more than the genesis file's floor.
        assert!(data_fee(&net).await > cheap);

        // It waits, and the chain goes on without it.
        let to = Address::repeat_byte(0x52);
        let small = net.accounts[2].transfer(chain_id, 0, to, U256::from(9), 1_000_000_000);
        let small = first.send(&small).await.unwrap();
        reach(&mut net, &[0, 1, 2, 3], full + 8, PATIENCE).await;
        assert_eq!(first.receipt(small).await.unwrap(), None);

        mine_until_safe(&mut net, full).await;
        until(&mut net, "the small one", PATIENCE, async move |_| {
            first.receipt(small).await.unwrap().is_some()
        })
        .await;
        same_chain(&mut net).await;
    });
}
