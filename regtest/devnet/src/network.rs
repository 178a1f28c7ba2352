//! Putting a devnet up, and the wires between its sequencers.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alloy_primitives::{B256, keccak256};
use anyhow::{Context, bail};
use bitcoin::hashes::Hash;
use bitcoin::key::Secp256k1;
use bitcoin::{Amount, ScriptBuf, TxOut};
use bitcoincore_rpc::Auth;
use l2_block::{Genesis, L1Origin};
use regtest::TestNode;
use toml::{Table, Value};

use crate::DevAccount;
use crate::sequencer::Sequencer;
use crate::setup::{genesis, validator_secret};

/// How a devnet is made.
#[derive(Clone, Debug)]
pub struct DevnetOptions {
    /// The `tapestry` executable.
    pub exe: PathBuf,
    /// Where its files lie; a temporary folder if not given.
    pub folder: Option<PathBuf>,
    /// Sequencers.
    pub validators: u32,
    /// Accounts with coins.
    pub accounts: u32,
    /// Milliseconds from one block to the next.
    pub interval_ms: u64,
    /// Bitcoin blocks between two batches.
    pub post_every: u64,
    /// Mebibytes of transactions that may wait for a batch on Bitcoin, if not as many as usual.
    pub max_backlog_mib: Option<u64>,
    /// Whether the wires between sequencers can be cut; they are slower then.
    pub wires: bool,
    /// First port of JSON-RPC; any free ports if not given.
    pub rpc_port: Option<u16>,
    /// Changes the genesis file before anything starts.
    pub adjust: fn(&mut Genesis),
}

impl DevnetOptions {
    /// Four sequencers and ten accounts, run by `exe`.
    #[must_use]
    pub fn new(exe: PathBuf) -> Self {
        Self {
            exe,
            folder: None,
            validators: 4,
            accounts: 10,
            interval_ms: 500,
            post_every: 1,
            max_backlog_mib: None,
            wires: false,
            rpc_port: None,
            adjust: |_| (),
        }
    }
}

/// A running devnet. Everything of it ends when it is dropped.
#[derive(Debug)]
pub struct Devnet {
    /// The sequencers.
    pub sequencers: Vec<Sequencer>,
    /// Bitcoin.
    pub node: TestNode,
    /// The genesis file.
    pub genesis: Genesis,
    /// Accounts with coins.
    pub accounts: Vec<DevAccount>,
    exe: PathBuf,
    folder: PathBuf,
    wires: Vec<Wire>,
    _temporary: Option<tempfile::TempDir>,
}

/// Listening addresses of one sequencer.
struct Ports {
    rpc: SocketAddr,
    metrics: SocketAddr,
    consensus: SocketAddr,
    gossip: SocketAddr,
}

impl Devnet {
    /// Puts one up, and waits until all sequencers serve.
    ///
    /// # Errors
    /// If bitcoind or a sequencer does not start.
    pub async fn start(options: &DevnetOptions) -> anyhow::Result<Self> {
        let temporary = match &options.folder {
            Some(folder) => {
                std::fs::create_dir_all(folder)?;
                None
            }
            None => Some(tempfile::tempdir()?),
        };
        let folder = match (&options.folder, &temporary) {
            (Some(folder), _) => folder.clone(),
            (None, Some(temporary)) => temporary.path().to_owned(),
            (None, None) => bail!("there is no folder"),
        };
        let mut node = TestNode::start()?;
        fund_validators(&mut node, options.validators)?;
        let mut genesis = genesis(options.validators, options.accounts, origin(&node)?, now_ms()?);
        (options.adjust)(&mut genesis);
        genesis.check()?;
        let text = serde_json::to_string_pretty(&genesis)?;
        std::fs::write(folder.join("genesis.json"), text)?;
        let mut net = Self {
            sequencers: Vec::new(),
            node,
            genesis,
            accounts: (0..options.accounts).map(DevAccount::new).collect(),
            exe: options.exe.clone(),
            folder,
            wires: Vec::new(),
            _temporary: temporary,
        };
        net.write_sequencers(options)?;
        for sequencer in &mut net.sequencers {
            sequencer.start()?;
        }
        for sequencer in &mut net.sequencers {
            sequencer.wait().await?;
        }
        Ok(net)
    }

    fn write_sequencers(&mut self, options: &DevnetOptions) -> anyhow::Result<()> {
        let count = options.validators as usize;
        let ports: Vec<Ports> = (0..count)
            .map(|i| {
                let rpc = match options.rpc_port {
                    Some(port) => SocketAddr::from(([127, 0, 0, 1], port + i as u16)),
                    None => free_port()?,
                };
                Ok(Ports {
                    rpc,
                    metrics: free_port()?,
                    consensus: free_port()?,
                    gossip: free_port()?,
                })
            })
            .collect::<anyhow::Result<_>>()?;
        for (i, own) in ports.iter().enumerate() {
            let folder = self.folder.join(format!("sequencer-{i}"));
            std::fs::create_dir_all(&folder)?;
            let secret = validator_secret(i as u32);
            std::fs::write(
                folder.join("validator.key"),
                format!("{}\n", secret.display_secret()),
            )?;
            let (mut peers, mut gossip_peers) = (Vec::new(), Vec::new());
            for (j, other) in ports.iter().enumerate() {
                if j == i {
                    continue;
                }
                let (mut consensus, mut gossip) = (other.consensus, other.gossip);
                if options.wires {
                    for to in [&mut consensus, &mut gossip] {
                        let wire = Wire::new(i, j, *to)?;
                        *to = wire.listen;
                        self.wires.push(wire);
                    }
                }
                peers.push(multiaddr(consensus));
                gossip_peers.push(multiaddr(gossip));
            }
            let config = self.config(options, i, own, peers, gossip_peers)?;
            std::fs::write(folder.join("node.toml"), toml::to_string(&config)?)?;
            self.sequencers
                .push(Sequencer::new(&options.exe, &folder, own.rpc, own.metrics));
        }
        Ok(())
    }

    fn config(
        &self,
        options: &DevnetOptions,
        index: usize,
        own: &Ports,
        peers: Vec<String>,
        gossip_peers: Vec<String>,
    ) -> anyhow::Result<Table> {
        let text = |text: String| Value::String(text);
        let number = |number: u64| Value::Integer(number as i64);
        let list = |list: Vec<String>| Value::Array(list.into_iter().map(Value::String).collect());
        let table = |entries: Vec<(&str, Value)>| -> Table {
            entries
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect()
        };
        let mut bitcoin = table(vec![
            ("url", text(self.node.bitcoind.url().to_owned())),
            ("poll_ms", number(250)),
        ]);
        match self.node.bitcoind.auth() {
            Auth::UserPass(user, password) => {
                bitcoin.insert("user".to_owned(), text(user.clone()));
                bitcoin.insert("password".to_owned(), text(password.clone()));
            }
            Auth::CookieFile(path) => {
                bitcoin.insert("cookie".to_owned(), text(path.display().to_string()));
            }
            Auth::None => bail!("bitcoind has no login"),
        }
        Ok(table(vec![
            ("name", text(format!("sequencer-{index}"))),
            ("genesis", text("../genesis.json".to_owned())),
            ("data", text("data".to_owned())),
            ("validator_key", text("validator.key".to_owned())),
            ("bitcoin", Value::Table(bitcoin)),
            (
                "network",
                Value::Table(table(vec![
                    ("listen", text(multiaddr(own.consensus))),
                    ("peers", list(peers)),
                    ("gossip_listen", text(multiaddr(own.gossip))),
                    ("gossip_peers", list(gossip_peers)),
                ])),
            ),
            (
                "rpc",
                Value::Table(table(vec![("listen", text(own.rpc.to_string()))])),
            ),
            (
                "metrics",
                Value::Table(table(vec![("listen", text(own.metrics.to_string()))])),
            ),
            (
                "blocks",
                Value::Table({
                    let mut blocks = table(vec![("interval_ms", number(options.interval_ms))]);
                    blocks.extend(
                        options
                            .max_backlog_mib
                            .map(|mib| ("max_backlog_mib".to_owned(), number(mib))),
                    );
                    blocks
                }),
            ),
            (
                "posting",
                Value::Table(table(vec![("every", number(options.post_every))])),
            ),
            ("store", Value::Table(table(vec![("cache_mib", number(32))]))),
        ]))
    }

    /// Folder of all its files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A second process with the key of a sequencer, which knows nothing of the first: whoever restores a backup beside a running
    /// node signs two things. It waits for nobody's proposal, so it votes for none where the first votes for a block: two that
    /// behave alike are seen to differ only by chance. Not started yet.
    ///
    /// # Errors
    /// If its files cannot be written.
    pub fn twin(&self, index: usize) -> anyhow::Result<Sequencer> {
        let first = self.folder.join(format!("sequencer-{index}"));
        let folder = self.folder.join(format!("sequencer-{index}-twin"));
        std::fs::create_dir_all(&folder)?;
        std::fs::copy(first.join("validator.key"), folder.join("validator.key"))?;
        let mut config: Table = toml::from_str(&std::fs::read_to_string(first.join("node.toml"))?)?;
        // Of one name, the second would be taken for the first by its peers.
        let name = keccak256(format!("tapestry/devnet/twin/{index}"));
        std::fs::write(folder.join("network.key"), format!("{}\n", hex::encode(name)))?;
        let (rpc, metrics) = (free_port()?, free_port()?);
        for (table, key, value) in [
            ("network", "key", "network.key".to_owned()),
            ("network", "listen", multiaddr(free_port()?)),
            ("network", "gossip_listen", multiaddr(free_port()?)),
            ("rpc", "listen", rpc.to_string()),
            ("metrics", "listen", metrics.to_string()),
        ] {
            let table = config
                .get_mut(table)
                .and_then(Value::as_table_mut)
                .with_context(|| format!("no [{table}] in the configuration"))?;
            table.insert(key.to_owned(), Value::String(value));
        }
        let hasty = Table::from_iter([("propose_ms".to_owned(), Value::Integer(1))]);
        config.insert("consensus".to_owned(), Value::Table(hasty));
        std::fs::write(folder.join("node.toml"), toml::to_string(&config)?)?;
        Ok(Sequencer::new(&self.exe, &folder, rpc, metrics))
    }

    /// Cuts or mends all wires between two groups: those in `group` on one side, all others on the other.
    ///
    /// # Panics
    /// If the devnet was made without wires.
    pub fn partition(&self, group: &[usize], cut: bool) {
        assert!(!self.wires.is_empty(), "this devnet has no wires to cut");
        for wire in &self.wires {
            if group.contains(&wire.from) != group.contains(&wire.to) {
                wire.set(cut);
            }
        }
    }
}

fn now_ms() -> anyhow::Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64)
}

/// The tip: the block on which the chain begins.
fn origin(node: &TestNode) -> anyhow::Result<L1Origin> {
    let chain = node.chain();
    Ok(L1Origin {
        height: chain.height()?.into(),
        hash: B256::new(chain.tip()?.to_byte_array()),
    })
}

/// Coins to post with.
fn fund_validators(node: &mut TestNode, validators: u32) -> anyhow::Result<()> {
    let secp = Secp256k1::new();
    let coin = |index: u32| {
        let (key, _) = validator_secret(index).x_only_public_key(&secp);
        TxOut {
            value: Amount::from_sat(500_000_000),
            script_pubkey: ScriptBuf::new_p2tr(&secp, key, None),
        }
    };
    let outputs: Vec<TxOut> = (0..validators)
        .flat_map(|index| [coin(index), coin(index)])
        .collect();
    node.funds
        .fund_many(node.bitcoind.chain(), outputs)
        .context("funding the validators")?;
    Ok(())
}

/// A port that nobody listens on. Not one of those that the system gives to outgoing connections: another process could get it
/// before the sequencer asks for it.
fn free_port() -> anyhow::Result<SocketAddr> {
    const FIRST: u16 = 12_000;
    const COUNT: u16 = 20_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Devnets of several processes begin at different places.
    let start = std::process::id().wrapping_mul(61) as u16;
    for _ in 0..COUNT {
        let place = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let address = SocketAddr::from(([127, 0, 0, 1], FIRST + place % COUNT));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port from {FIRST} to {} is free", FIRST + COUNT - 1)
}

fn multiaddr(address: SocketAddr) -> String {
    format!("/ip4/{}/tcp/{}", address.ip(), address.port())
}

/// A wire from one sequencer to another: a forwarder on this machine that can be cut.
#[derive(Debug)]
struct Wire {
    from: usize,
    to: usize,
    listen: SocketAddr,
    cut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Wire {
    fn new(from: usize, to: usize, target: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let wire = Self {
            from,
            to,
            listen: listener.local_addr()?,
            cut: Arc::default(),
            open: Arc::default(),
        };
        let (cut, open) = (Arc::clone(&wire.cut), Arc::clone(&wire.open));
        // Ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if cut.load(Ordering::Relaxed) {
                    continue;
                }
                let Ok(other) = TcpStream::connect_timeout(&target, Duration::from_secs(1)) else {
                    continue;
                };
                let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
                for (a, b) in [(&stream, &other), (&other, &stream)] {
                    if let (Ok(a), Ok(b), Ok(kept)) = (a.try_clone(), b.try_clone(), a.try_clone()) {
                        open.push(kept);
                        std::thread::spawn(move || forward(a, b));
                    }
                }
            }
        });
        Ok(wire)
    }

    fn set(&self, cut: bool) {
        self.cut.store(cut, Ordering::Relaxed);
        if cut {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            for stream in open.drain(..) {
                // It may be closed already.
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => {
                if to.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
