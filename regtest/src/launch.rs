//! How a node of ours is started: with what arguments, and on which port.
//!
//! Invariant: chain and relay policy are fixed here. A caller may add only arguments that are known to leave both alone, as a
//! transaction that a tuned mempool takes proves nothing about the network.

use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use rand::Rng;

use crate::NodeError;
use crate::last_words::LastWords;
use crate::login::Login;
use crate::process::Process;

/// What a caller may set: mining, logging, speed, and interfaces.
const ALLOWED: [&str; 9] = [
    "blockfilterindex",
    "blockmaxweight",
    "blockmintxfee",
    "dbcache",
    "debug",
    "debugexclude",
    "loglevel",
    "par",
    "rest",
];

/// Whether a caller may add `argument`, which is such as `-debug=mempool`.
pub(crate) fn is_allowed(argument: &str) -> bool {
    let name = argument
        .strip_prefix('-')
        .map(|a| a.strip_prefix('-').unwrap_or(a))
        .unwrap_or_default();
    ALLOWED.contains(&name.split('=').next().unwrap_or_default())
}

/// Starts `exe` on the folder `datadir`; its RPC listens on `port` soon after.
pub(crate) fn spawn(
    exe: &Path,
    args: &[String],
    datadir: &Path,
    port: u16,
    login: &Login,
) -> Result<Process, NodeError> {
    let stderr = LastWords::stderr_file(datadir);
    let stderr = File::create(&stderr).map_err(|source| NodeError::DataDir { path: stderr, source })?;
    let mut command = Command::new(exe);
    command
        .arg("-chain=regtest")
        .arg(format!("-datadir={}", datadir.display()))
        // No file of the user's changes what this node does.
        .arg("-conf=/dev/null")
        .arg("-server=1")
        .arg("-rpcbind=127.0.0.1")
        .arg("-rpcallowip=127.0.0.1")
        .arg(format!("-rpcport={port}"))
        .arg(format!("-rpcauth={}", login.rpcauth()))
        .arg("-rpcworkqueue=256")
        .arg("-rpcthreads=4")
        // Alone: no peers, no look-ups.
        .args([
            "-listen=0",
            "-connect=0",
            "-dnsseed=0",
            "-fixedseeds=0",
            "-discover=0",
        ])
        .args(["-txindex=1", "-printtoconsole=0", "-dbcache=16"])
        .args(["-acceptnonstdtxn=0", "-persistmempool=1"])
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr);
    Process::spawn(command).map_err(|source| NodeError::CannotRun {
        path: exe.into(),
        source,
    })
}

/// A port that nobody listens on, below those that systems hand out for outgoing connections (from 32768 on Linux), of which
/// each call takes one.
pub(crate) fn free_port() -> std::io::Result<u16> {
    let mut rng = rand::thread_rng();
    let mut bind = || TcpListener::bind(("127.0.0.1", rng.gen_range(15_000..32_000)));
    let mut bound = bind();
    for _ in 0..100 {
        if bound.is_ok() {
            break;
        }
        bound = bind();
    }
    Ok(bound?.local_addr()?.port())
}

/// Bytes that an ordinary user can still write where `path` lies.
pub(crate) fn free_space(path: &Path) -> std::io::Result<u64> {
    let fs = rustix::fs::statvfs(path)?;
    Ok(fs.f_bavail.saturating_mul(fs.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_change_chain_or_policy_is_refused() {
        for argument in [
            "-acceptnonstdtxn",
            "-acceptnonstdtxn=1",
            "--acceptnonstdtxn=1",
            "-testnet4",
            "-chain=main",
            "-noregtest",
            "-minrelaytxfee=0",
            "-whitelist=127.0.0.1",
            "-rpcport=1",
            "-unheard=of",
            "debug",
            "---debug",
            "-",
            "",
            "-=debug",
            "/tmp/debug",
        ] {
            assert!(!is_allowed(argument), "{argument}");
        }
        for argument in ["-blockmaxweight=400000", "-debug=mempool", "--debug", "-par=1"] {
            assert!(is_allowed(argument), "{argument}");
        }
    }

    #[test]
    fn ports_are_free_and_below_those_for_outgoing_connections() {
        let ports: Vec<u16> = (0..50).map(|_| free_port().unwrap()).collect();
        for &port in &ports {
            assert!((15_000..32_000).contains(&port));
        }
        let held = TcpListener::bind(("127.0.0.1", free_port().unwrap())).unwrap();
        let taken = held.local_addr().unwrap().port();
        assert!((0..200).all(|_| free_port().unwrap() != taken));
    }
}
