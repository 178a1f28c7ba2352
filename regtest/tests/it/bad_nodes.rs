//! Nodes that are too old, on another chain, broken, or without room: one clear line each, and nothing left behind.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{fs, thread};

use regtest::{Auth, Bitcoind, BitcoindExe, ExeError, NodeError, NodeOptions};
use tempfile::TempDir;

use crate::exe;

/// A program that answers `--version` like a new bitcoind and otherwise does `script`.
fn fake(folder: &TempDir, script: &str) -> BitcoindExe {
    BitcoindExe::at(&script_file(
        folder,
        &format!(
            "if [ \"$1\" = --version ]; then echo Bitcoin Core daemon version v31.0.0; exit 0; fi\n{script}"
        ),
    ))
    .unwrap()
}

/// Written by another process: were it written here, a fork at that moment would hold it open, and it could not be run.
fn script_file(folder: &TempDir, script: &str) -> PathBuf {
    let path = folder.path().join("bitcoind");
    let source = folder.path().join("source");
    fs::write(&source, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&source, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(
        Command::new("cp")
            .arg(&source)
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    path
}

fn options(parent: &Path) -> NodeOptions {
    NodeOptions {
        parent: parent.into(),
        ..NodeOptions::default()
    }
}

/// Starts, expects failure, and checks that the message is one line and no data folder is left.
fn fails(exe: &BitcoindExe, change: impl FnOnce(&mut NodeOptions)) -> NodeError {
    let parent = tempfile::tempdir().unwrap();
    let mut options = options(parent.path());
    change(&mut options);
    let error = Bitcoind::start_with(exe, options).unwrap_err();
    assert!(!error.to_string().contains('\n'), "{error}");
    assert_eq!(
        fs::read_dir(parent.path()).unwrap().count(),
        0,
        "a data folder is left after: {error}"
    );
    error
}

#[test]
fn an_old_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = script_file(&folder, "echo 'Bitcoin Core version v27.1.0'");
    let error = BitcoindExe::at(&path).unwrap_err();
    assert!(matches!(error, ExeError::TooOld { .. }), "{error}");
    assert!(
        error.to_string().contains("release 27.1, expected 29.0 or later"),
        "{error}"
    );
}

#[test]
fn a_program_that_ends_at_once_is_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let error = fails(
        &fake(&folder, "echo 'Error: the stars are wrong' >&2; exit 3"),
        |_| {},
    );
    let NodeError::EndedAtStart { status, reason, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(
        (status.code(), reason.as_str()),
        (Some(3), "Error: the stars are wrong")
    );
}

#[test]
fn bitcoind_itself_says_what_is_wrong() {
    let error = fails(&exe(), |o| o.args = vec!["-blockmaxweight=5000000".into()]);
    assert!(matches!(error, NodeError::EndedAtStart { .. }), "{error}");
    assert!(
        error.to_string().contains("-blockmaxweight (5000000) exceeds"),
        "{error}"
    );
}

#[test]
fn a_program_that_never_answers_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let error = fails(&fake(&folder, "sleep 1000"), |o| {
        o.patience = Duration::from_millis(300)
    });
    assert!(matches!(error, NodeError::NotReady { .. }), "{error}");
}

#[test]
fn a_program_that_vanished_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let exe = fake(&folder, "exit 0");
    fs::remove_file(exe.bitcoind()).unwrap();
    let error = fails(&exe, |_| {});
    assert!(matches!(error, NodeError::CannotRun { .. }), "{error}");
    assert!(error.to_string().contains("No such file"), "{error}");
}

#[test]
fn a_busy_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = fails(&exe(), |o| o.rpc_port = Some(port));
    assert!(matches!(error, NodeError::PortBusy(p) if p == port), "{error}");
    assert_eq!(
        error.to_string(),
        format!("port {port} is in use by another program")
    );
    drop(taken);
    let options = NodeOptions {
        rpc_port: Some(port),
        ..NodeOptions::default()
    };
    assert_eq!(
        Bitcoind::start_with(&exe(), options).unwrap().url(),
        format!("http://127.0.0.1:{port}")
    );
}

#[test]
fn a_port_that_is_taken_in_between_is_tried_again() {
    // Loses the race for its port twice, then starts as usual.
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "if [ ! -e {0}/second ]; then\n\
           if [ -e {0}/first ]; then touch {0}/second; else touch {0}/first; fi\n\
           echo '[error] Unable to bind any endpoint for RPC server' >&2; exit 1\n\
         fi\n\
         exec {1} \"$@\"",
        folder.path().display(),
        exe().bitcoind().display()
    );
    let node = Bitcoind::start(&fake(&folder, &script)).unwrap();
    assert!(folder.path().join("second").exists());
    assert_eq!(node.chain().height().unwrap(), 0);
}

#[test]
fn no_data_folder_can_be_made_in_a_file_or_nowhere() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for parent in [file.path(), Path::new("/nonexistent/folder")] {
        let error = Bitcoind::start_with(&exe(), options(parent)).unwrap_err();
        assert!(matches!(error, NodeError::DataDir { .. }), "{error}");
    }
}

#[test]
fn another_chain_is_refused() {
    // A program that is told regtest and runs testnet4 all the same.
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "for a in \"$@\"; do shift; case $a in -chain=*) a=-chain=testnet4;; esac; set -- \"$@\" \"$a\"; done\n\
         exec {} \"$@\"",
        exe().bitcoind().display()
    );
    let error = fails(&fake(&folder, &script), |_| {});
    let NodeError::OtherChain { found, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(found, "testnet4");
}

/// Answers every call with what `answers` says for its method; returns the address.
fn fake_rpc(answers: &'static [(&'static str, &'static str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let mut length = 0;
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = n.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let call: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let answer = answers
                .iter()
                .find(|(name, _)| call["method"] == *name)
                .map_or("null", |(_, a)| a);
            let body = format!("{{\"result\":{answer},\"error\":null,\"id\":{}}}", call["id"]);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = reader.into_inner().write_all((head + &body).as_bytes());
        }
    });
    url
}

fn connect(url: &str) -> Result<Bitcoind, NodeError> {
    Bitcoind::connect(url, Auth::UserPass("user".into(), "password".into()))
}

#[test]
fn a_users_node_on_another_chain_is_refused() {
    let url = fake_rpc(&[("getblockchaininfo", r#"{"chain": "main"}"#)]);
    let error = connect(&url).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the node at {url} is on chain \"main\", expected \"regtest\"")
    );
}

#[test]
fn a_users_node_that_is_too_old_is_refused() {
    let url = fake_rpc(&[
        ("getblockchaininfo", r#"{"chain": "regtest"}"#),
        ("getnetworkinfo", r#"{"version": 280100}"#),
    ]);
    let error = connect(&url).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the node at {url} is release 28.1, expected 29.0 or later")
    );
}

#[test]
fn what_answers_nonsense_is_no_node() {
    for answers in [
        &[("getblockchaininfo", "null")][..],
        &[("getblockchaininfo", r#"{"chain": 7}"#)],
        &[
            ("getblockchaininfo", r#"{"chain": "regtest"}"#),
            ("getnetworkinfo", r#"{"version": -1}"#),
        ],
        &[
            ("getblockchaininfo", r#"{"chain": "regtest"}"#),
            ("getnetworkinfo", "[]"),
        ],
        &[("getblockchaininfo", "not json")],
    ] {
        let error = connect(&fake_rpc(answers)).unwrap_err();
        assert!(matches!(error, NodeError::Rpc(_)), "{error}");
    }
}

#[test]
fn nobody_there_is_said_so() {
    // A free port could be taken by another test's node meanwhile; nobody listens on port 1.
    let error = connect("http://127.0.0.1:1").unwrap_err();
    assert!(
        error.to_string().contains("no answer from the node at"),
        "{error}"
    );
    assert!(connect("no url at all").is_err());
    let error = Bitcoind::connect("http://127.0.0.1:1", Auth::CookieFile("/nonexistent".into())).unwrap_err();
    assert!(error.to_string().contains("credentials"), "{error}");
}
