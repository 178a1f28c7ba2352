//! A bitcoind on regtest: ours, started and stopped here, or a user's that already runs.
//!
//! Invariants: the node is on regtest and of release [`CoreRelease::REQUIRED`] or later; a node of ours runs
//! the default relay policy, so what its mempool takes a real network's mempool takes; a node of ours is gone when
//! its [`Bitcoind`] is dropped or our process dies. Callers: the scenarios, the demo and every test on a real chain.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use bitcoincore_rpc::{Auth, Client};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::datadir::DataDir;
use crate::last_words::LastWords;
use crate::launch;
use crate::login::Login;
use crate::process::Process;
use crate::rpc::{CALL_TIMEOUT, Rpc, RpcError};
use crate::{BitcoindExe, Chain, CoreRelease};

/// A fresh node preallocates 17 MiB for its first block and undo files, and refuses to start below 50 MiB.
const FREE_SPACE_TO_START: u64 = 100 << 20;
/// Bitcoin Core shuts down when less is free (its `nMinDiskSpace`).
const FREE_SPACE_TO_GO_ON: u64 = 50 << 20;
/// Bitcoin Core's code for a call that failed for reasons of its own, such as a block that it cannot write.
const RPC_INTERNAL_ERROR: i32 = -32603;
/// How often a node is started again because its port was taken between finding it free and binding it.
const PORT_ATTEMPTS: u32 = 10;
/// How long an orderly stop may take before the node is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// A node did not start, stop or answer as it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The node is not on regtest.
    #[error("the node at {url} is on chain {found:?}, expected \"regtest\"")]
    OtherChain {
        /// The node's address.
        url: String,
        /// Its chain's name, as `getblockchaininfo` has it.
        found: String,
    },
    /// The node is too old.
    #[error(
        "the node at {url} is release {found}, expected {} or later",
        CoreRelease::REQUIRED
    )]
    TooOld {
        /// The node's address.
        url: String,
        /// Its release.
        found: CoreRelease,
    },
    /// The port that was asked for is in use.
    #[error("port {0} is in use by another program")]
    PortBusy(u16),
    /// There is no room for the node's data.
    #[error("disk full: a node needs {} MiB free in {}, found {} MiB", needed >> 20, path.display(), found >> 20)]
    DiskFull {
        /// The folder.
        path: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        found: u64,
    },
    /// The program is not there or cannot be run.
    #[error("cannot run {}: {source}", path.display())]
    CannotRun {
        /// The program.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The node ended while starting.
    #[error("{} ended with {status} while starting: {reason}", path.display())]
    EndedAtStart {
        /// The program.
        path: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it wrote.
        reason: String,
    },
    /// The node did not get ready in time.
    #[error("{} was not ready after {} s: {reason}", path.display(), patience.as_secs())]
    NotReady {
        /// The program.
        path: PathBuf,
        /// How long it was given.
        patience: Duration,
        /// The end of what it wrote.
        reason: String,
    },
    /// An argument is not known to leave chain and relay policy alone.
    #[error("argument {0} is not allowed: nodes here run on regtest with the default relay policy")]
    ForbiddenArgument(String),
    /// Only a node that was started here can be restarted.
    #[error("the node at {0} was not started here, so it is not ours to restart")]
    NotOurs(String),
    /// Its data folder cannot be made or read.
    #[error("cannot use {} for a node's data: {source}", path.display())]
    DataDir {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A call failed.
    #[error(transparent)]
    Rpc(#[from] RpcError),
}

/// How to start a node of ours.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// Further arguments, such as `-blockmaxweight=400000`; only those that change neither chain nor relay policy.
    pub args: Vec<String>,
    /// The RPC port; `None` takes a free one.
    pub rpc_port: Option<u16>,
    /// Where the temporary data folder is made; by default the system's folder for temporary files.
    pub parent: PathBuf,
    /// How long the node may take to get ready.
    pub patience: Duration,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self {
            args: Vec::new(),
            rpc_port: None,
            parent: std::env::temp_dir(),
            patience: Duration::from_secs(120),
        }
    }
}

/// A node on regtest.
///
/// URL and password stay the same across [`restart`](Self::restart), so clients made from them stay valid.
#[derive(Debug)]
pub struct Bitcoind {
    // Dropped first: the process has to be gone before its folder is removed.
    ours: Option<Ours>,
    rpc: Rpc,
    release: CoreRelease,
}

/// What only a node that was started here has.
#[derive(Debug)]
struct Ours {
    process: Process,
    exe: PathBuf,
    args: Vec<String>,
    login: Login,
    port: u16,
    patience: Duration,
    datadir: DataDir,
}

impl Bitcoind {
    /// Starts a node with an empty chain in a fresh temporary folder and waits until it answers.
    ///
    /// # Errors
    ///
    /// See [`start_with`](Self::start_with).
    pub fn start(exe: &BitcoindExe) -> Result<Self, NodeError> {
        Self::start_with(exe, NodeOptions::default())
    }

    /// Starts a node as `options` say and waits until it answers.
    ///
    /// # Errors
    ///
    /// Every variant of [`NodeError`] but `NotOurs`; nothing is left running or on disk.
    pub fn start_with(exe: &BitcoindExe, options: NodeOptions) -> Result<Self, NodeError> {
        if let Some(argument) = options.args.iter().find(|a| !launch::is_allowed(a)) {
            return Err(NodeError::ForbiddenArgument(argument.clone()));
        }
        let datadir_error = |source| NodeError::DataDir {
            path: options.parent.clone(),
            source,
        };
        let found = launch::free_space(&options.parent).map_err(datadir_error)?;
        if found < FREE_SPACE_TO_START {
            return Err(NodeError::DiskFull {
                path: options.parent,
                needed: FREE_SPACE_TO_START,
                found,
            });
        }
        let mut attempt = 1;
        loop {
            let port = match options.rpc_port {
                Some(port) => port,
                None => launch::free_port().map_err(datadir_error)?,
            };
            let datadir = DataDir::create(&options.parent).map_err(datadir_error)?;
            let login = Login::random();
            let process = launch::spawn(exe.bitcoind(), &options.args, datadir.path(), port, &login)?;
            let mut ours = Ours {
                process,
                exe: exe.bitcoind().into(),
                args: options.args.clone(),
                login,
                port,
                patience: options.patience,
                datadir,
            };
            match ours.wait_until_ready() {
                Ok((rpc, release)) => {
                    return Ok(Self {
                        ours: Some(ours),
                        rpc,
                        release,
                    });
                }
                Err(NodeError::PortBusy(_)) if options.rpc_port.is_none() && attempt < PORT_ATTEMPTS => {
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Connects to a node that a user runs.
    ///
    /// `url` is such as `http://127.0.0.1:18443`.
    ///
    /// # Errors
    ///
    /// [`NodeError::OtherChain`], [`NodeError::TooOld`], and [`NodeError::Rpc`] if it does not answer.
    pub fn connect(url: &str, auth: Auth) -> Result<Self, NodeError> {
        let rpc = Rpc::new(url, auth, CALL_TIMEOUT)?;
        let release = check_node(&rpc)?;
        Ok(Self {
            ours: None,
            rpc,
            release,
        })
    }

    /// The client for calls that this crate does not wrap.
    pub fn client(&self) -> &Client {
        self.rpc.client()
    }

    /// The address of the node's JSON-RPC.
    pub fn url(&self) -> &str {
        self.rpc.url()
    }

    /// How to log in to the node's JSON-RPC.
    pub fn auth(&self) -> &Auth {
        self.rpc.auth()
    }

    /// The node's release.
    pub fn release(&self) -> CoreRelease {
        self.release
    }

    /// The data folder, if the node was started here.
    pub fn datadir(&self) -> Option<&Path> {
        self.ours.as_ref().map(|o| o.datadir.path())
    }

    /// The process id, if the node was started here.
    pub fn process_id(&self) -> Option<u32> {
        self.ours.as_ref().map(|o| o.process.id())
    }

    /// The chain that the node follows, to mine it and to send transactions to it.
    pub fn chain(&self) -> Chain<'_> {
        Chain::new(self)
    }

    /// Makes a call; an error says so if the node, being ours, has no room left on disk.
    pub(crate) fn call<T: DeserializeOwned>(&self, call: &str, params: &[Value]) -> Result<T, RpcError> {
        self.rpc.call(call, params).map_err(|error| match &self.ours {
            Some(ours) => ours.with_last_words(call, error),
            None => error,
        })
    }

    /// Stops the node in an orderly way and starts it again on the same data folder and port. Its mempool is as before.
    ///
    /// # Errors
    ///
    /// As for [`start_with`](Self::start_with), and [`NodeError::NotOurs`]. After any other error the node is down.
    pub fn restart(&mut self) -> Result<(), NodeError> {
        let Some(ours) = &mut self.ours else {
            return Err(NodeError::NotOurs(self.rpc.url().into()));
        };
        ours.stop();
        ours.process = launch::spawn(&ours.exe, &ours.args, ours.datadir.path(), ours.port, &ours.login)?;
        (self.rpc, self.release) = ours.wait_until_ready()?;
        Ok(())
    }
}

impl Ours {
    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn wait_until_ready(&mut self) -> Result<(Rpc, CoreRelease), NodeError> {
        let start = Instant::now();
        // Short, as it may be another program that listens there and says nothing.
        let probe = Rpc::new(&self.url(), self.login.auth(), Duration::from_secs(1))?;
        loop {
            let io = |source| NodeError::CannotRun {
                path: self.exe.clone(),
                source,
            };
            if let Some(status) = self.process.exited().map_err(io)? {
                return Err(self.why_ended(status));
            }
            // Calls are answered from when the chain is loaded; the mempool is read after that.
            if probe
                .call::<MempoolInfo>("getmempoolinfo", &[])
                .is_ok_and(|info| info.loaded)
            {
                break;
            }
            if start.elapsed() > self.patience {
                let reason = self.last_words().to_string();
                return Err(NodeError::NotReady {
                    path: self.exe.clone(),
                    patience: self.patience,
                    reason,
                });
            }
            thread::sleep(Duration::from_millis(10));
        }
        let rpc = Rpc::new(&self.url(), self.login.auth(), CALL_TIMEOUT)?;
        let release = check_node(&rpc)?;
        tracing::debug!(url = rpc.url(), %release, "bitcoind is ready");
        Ok((rpc, release))
    }

    fn last_words(&self) -> LastWords {
        LastWords::read(self.datadir.path())
    }

    /// A node that runs out of disk fails the call at hand and shuts down. Its log would say why, had it room to.
    fn with_last_words(&self, call: &str, error: RpcError) -> RpcError {
        let out_of_order = match error {
            RpcError::Unreachable { .. } => true,
            RpcError::Refused { code, .. } => code == RPC_INTERNAL_ERROR,
            _ => false,
        };
        let path = self.datadir.path();
        let words = self.last_words();
        let no_room = || launch::free_space(path).is_ok_and(|free| free < FREE_SPACE_TO_GO_ON);
        match error {
            _ if out_of_order && (words.is_disk_full() || no_room()) => RpcError::DiskFull {
                call: call.into(),
                path: path.into(),
            },
            RpcError::Unreachable { call, url, reason } => RpcError::Unreachable {
                call,
                url,
                reason: format!("{reason}; its log ends: {words}"),
            },
            other => other,
        }
    }

    fn why_ended(&self, status: ExitStatus) -> NodeError {
        let words = self.last_words();
        if words.is_busy_port() {
            return NodeError::PortBusy(self.port);
        }
        if words.is_disk_full() {
            let path = self.datadir.path().to_owned();
            return NodeError::DiskFull {
                found: launch::free_space(&path).unwrap_or(0),
                path,
                needed: FREE_SPACE_TO_START,
            };
        }
        NodeError::EndedAtStart {
            path: self.exe.clone(),
            status,
            reason: words.to_string(),
        }
    }

    /// Asks the node to stop, then makes sure that it has. A signal is as orderly as the call `stop`, and it works also while
    /// the node starts, stops already, or does not answer.
    fn stop(&mut self) {
        if !self.process.stop(STOP_PATIENCE) {
            tracing::warn!(url = self.url(), "bitcoind did not stop in time and was killed");
        }
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        self.stop();
    }
}

#[derive(Deserialize)]
struct MempoolInfo {
    loaded: bool,
}

#[derive(Deserialize)]
struct BlockchainInfo {
    chain: String,
}

#[derive(Deserialize)]
struct NetworkInfo {
    version: u32,
}

fn check_node(rpc: &Rpc) -> Result<CoreRelease, NodeError> {
    let BlockchainInfo { chain } = rpc.call("getblockchaininfo", &[])?;
    if chain != "regtest" {
        return Err(NodeError::OtherChain {
            url: rpc.url().into(),
            found: chain,
        });
    }
    let NetworkInfo { version } = rpc.call("getnetworkinfo", &[])?;
    let found = CoreRelease::from_network_info(version);
    if found < CoreRelease::REQUIRED {
        return Err(NodeError::TooOld {
            url: rpc.url().into(),
            found,
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_can_be_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Bitcoind>();
        shared::<Chain<'_>>();
    }
}
