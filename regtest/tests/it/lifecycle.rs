//! A node starts, restarts with what it had, and is gone afterwards.

use std::path::Path;

use regtest::{Auth, Bitcoind, CoreRelease, NodeError, NodeOptions, TestNode};
use rustix::process::{Pid, Signal, kill_process};

use crate::{exe, node};

#[test]
fn starts_ready_and_leaves_nothing() {
    let node = Bitcoind::start(&exe()).unwrap();
    assert_eq!(node.chain().height().unwrap(), 0);
    assert!(node.release() >= CoreRelease::REQUIRED);
    let datadir = node.datadir().unwrap().to_owned();
    let process = format!("/proc/{}", node.process_id().unwrap());
    assert!(datadir.is_dir() && Path::new(&process).exists());
    drop(node);
    assert!(!datadir.exists(), "the data folder is left");
    assert!(!Path::new(&process).exists(), "the process is left");
}

#[test]
fn a_node_that_died_is_reported_and_can_be_restarted() {
    let mut node = node();
    let tip = node.chain().tip().unwrap();
    let pid = i32::try_from(node.bitcoind.process_id().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    let error = loop {
        if let Err(error) = node.chain().height() {
            break error.to_string();
        }
    };
    assert!(
        error.contains("no answer from the node at") && error.contains("its log ends: "),
        "{error}"
    );
    assert!(!error.contains('\n'), "{error}");
    // It may still be writing; what it knew must not be lost to haste.
    node.restart().unwrap();
    assert_eq!(node.chain().tip().unwrap(), tip);
}

#[test]
fn nodes_stand_side_by_side() {
    let exe = exe();
    let nodes: Vec<Bitcoind> = (0..4).map(|_| Bitcoind::start(&exe).unwrap()).collect();
    for (i, node) in nodes.iter().enumerate() {
        node.chain().mine(i as u32).unwrap();
    }
    for (i, node) in nodes.iter().enumerate() {
        assert_eq!(node.chain().height().unwrap(), i as u32);
        for other in &nodes[i + 1..] {
            assert_ne!(node.url(), other.url());
        }
    }
}

#[test]
fn a_restart_keeps_chain_mempool_and_clients() {
    let mut node = node();
    let before = (node.chain().height().unwrap(), node.chain().tip().unwrap());
    let pid = node.bitcoind.process_id();
    let payment = node
        .funds
        .signed_payment(
            node.bitcoind.chain(),
            vec![bitcoin::TxOut {
                value: bitcoin::Amount::ONE_BTC,
                script_pubkey: crate::anyone().script_pubkey(),
            }],
            bitcoin::FeeRate::from_sat_per_vb_u32(5),
        )
        .unwrap();
    let sent = node.chain().accept(&payment).unwrap();
    let (url, auth) = (node.bitcoind.url().to_owned(), node.bitcoind.auth().clone());

    node.restart().unwrap();
    assert_ne!(node.bitcoind.process_id(), pid);
    assert_eq!(
        (node.chain().height().unwrap(), node.chain().tip().unwrap()),
        before
    );
    let client = Bitcoind::connect(&url, auth).unwrap();
    assert_eq!(client.chain().mempool().unwrap(), [sent.txid]);
    client.chain().confirm(sent.txid).unwrap();
    assert_eq!(node.chain().height().unwrap(), before.0 + 1);
}

#[test]
fn a_users_node_is_used_but_not_owned() {
    let theirs = Bitcoind::start(&exe()).unwrap();
    let connected = Bitcoind::connect(theirs.url(), theirs.auth().clone()).unwrap();
    assert!(connected.datadir().is_none() && connected.process_id().is_none());
    let node = TestNode::on(connected).unwrap();
    let height = node.chain().height().unwrap();
    assert_eq!(theirs.chain().height().unwrap(), height);

    // A second scenario on the same node finds the money that is there.
    let mut again = TestNode::on(Bitcoind::connect(theirs.url(), theirs.auth().clone()).unwrap()).unwrap();
    assert_eq!(theirs.chain().height().unwrap(), height);
    assert_eq!(
        again.funds.balance(again.chain()).unwrap(),
        node.funds.balance(node.chain()).unwrap()
    );

    assert!(matches!(again.restart(), Err(NodeError::NotOurs(_))));
    drop(node);
    assert_eq!(
        theirs.chain().height().unwrap(),
        height,
        "the user's node must still run"
    );
}

#[test]
fn a_wrong_password_is_refused() {
    let node = Bitcoind::start(&exe()).unwrap();
    let error = Bitcoind::connect(node.url(), Auth::UserPass("tapestry".into(), "wrong".into())).unwrap_err();
    assert!(matches!(error, NodeError::Rpc(_)), "{error}");
    assert!(!error.to_string().contains('\n'), "{error}");
}

#[test]
fn default_policy_is_in_force() {
    let exe = exe();
    for argument in [
        "-acceptnonstdtxn=1",
        "-chain=main",
        "-minrelaytxfee=0",
        "-testnet4",
    ] {
        let options = NodeOptions {
            args: vec![argument.into()],
            ..NodeOptions::default()
        };
        let error = Bitcoind::start_with(&exe, options).unwrap_err();
        assert!(
            matches!(&error, NodeError::ForbiddenArgument(a) if a == argument),
            "{error}"
        );
    }
    let options = NodeOptions {
        args: vec!["-blockmaxweight=400000".into()],
        ..NodeOptions::default()
    };
    assert_eq!(
        Bitcoind::start_with(&exe, options)
            .unwrap()
            .chain()
            .height()
            .unwrap(),
        0
    );
}
