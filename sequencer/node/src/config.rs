//! The configuration file of a node: TOML, every value checked, every mistake told with its place.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use l2_consensus::{Multiaddr, SecretKey, Timeouts};
use serde::Deserialize;

use crate::bitcoind::BitcoinConfig;
use crate::posting::{MAX_BLOCKS, PostingTerms};

/// Milliseconds from one Bitcoin block to the next.
const BITCOIN_MS: u64 = 600_000;

/// A node's configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// Name in logs and metrics.
    #[serde(default = "default_name")]
    pub name: String,
    /// The genesis file.
    pub genesis: PathBuf,
    /// Folder of the database, the write-ahead log and the candidates.
    pub data: PathBuf,
    /// File with a validator's secret key in hex; only sequencers have one.
    pub validator_key: Option<PathBuf>,
    /// The node's bitcoind.
    pub bitcoin: BitcoinConfig,
    /// Peers.
    pub network: NetworkConfig,
    /// JSON-RPC for wallets.
    #[serde(default)]
    pub rpc: RpcConfig,
    /// Metrics, health and readiness.
    #[serde(default)]
    pub metrics: MetricsConfig,
    /// Blocks.
    #[serde(default)]
    pub blocks: BlocksConfig,
    /// Agreement on them.
    #[serde(default)]
    pub consensus: TimeoutsConfig,
    /// Batches.
    #[serde(default)]
    pub posting: PostingConfig,
    /// The database.
    #[serde(default)]
    pub store: StoreConfig,
}

fn default_name() -> String {
    "tapestry".to_owned()
}

/// Where a node listens and whom it dials.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// File with the secret that names this node to its peers; derived from the validator's key if there is none, or new at
    /// each start without that.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// Consensus, as `/ip4/0.0.0.0/tcp/4001`.
    pub listen: Multiaddr,
    /// Peers of consensus.
    #[serde(default)]
    pub peers: Vec<Multiaddr>,
    /// Gossip of transactions.
    pub gossip_listen: Multiaddr,
    /// Peers of gossip.
    #[serde(default)]
    pub gossip_peers: Vec<Multiaddr>,
}

/// JSON-RPC.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RpcConfig {
    /// Where to listen.
    pub listen: SocketAddr,
}

impl Default for RpcConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8545)),
        }
    }
}

/// Metrics.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {
    /// Where to listen.
    pub listen: SocketAddr,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9100)),
        }
    }
}

/// Blocks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlocksConfig {
    /// Milliseconds from one block to the next.
    pub interval_ms: u64,
    /// Most bytes of transactions in a block.
    pub max_bytes: usize,
    /// Mebibytes of transactions that may be agreed on and in no batch on Bitcoin yet; if it is not given, 64 or what the genesis
    /// file's `origin_lag` leaves the time for. From half of it on bytes get dearer; from all of it on, or when the oldest has
    /// waited too long, blocks take no transactions but those that come from Bitcoin. Validators vote for no block at a quarter
    /// and 12 MiB more than their own number, so these should be much alike.
    pub max_backlog_mib: Option<u64>,
    /// How many blocks a Bitcoin block must have on it to be named; the genesis file's `confirmations` if it is not given. A
    /// reorganisation of more than these stops the layer 2.
    pub origin_depth: Option<u64>,
}

impl Default for BlocksConfig {
    fn default() -> Self {
        Self {
            interval_ms: 500,
            max_bytes: 1 << 20,
            max_backlog_mib: None,
            origin_depth: None,
        }
    }
}

/// How long consensus waits. Validators far from each other need longer ones; they do not have to have the same.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutsConfig {
    /// Milliseconds for a proposal and its block.
    pub propose_ms: u64,
    /// Milliseconds for more prevotes, once two thirds disagree.
    pub prevote_ms: u64,
    /// Milliseconds for more precommits, once two thirds disagree.
    pub precommit_ms: u64,
    /// Milliseconds by which each grows with every round.
    pub delta_ms: u64,
}

impl Default for TimeoutsConfig {
    fn default() -> Self {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let timeouts = Timeouts::default();
        Self {
            propose_ms: ms(timeouts.propose),
            prevote_ms: ms(timeouts.prevote),
            precommit_ms: ms(timeouts.precommit),
            delta_ms: ms(timeouts.delta),
        }
    }
}

/// Batches.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PostingConfig {
    /// Bitcoin blocks between two batches.
    pub every: u64,
    /// Bitcoin blocks after which the next validator takes over.
    pub takeover: u64,
    /// Bitcoin blocks that a transaction may wait before its fee is raised.
    pub patience: u64,
    /// Highest fee rate, satoshis a virtual byte.
    pub max_fee_rate: u32,
}

impl Default for PostingConfig {
    fn default() -> Self {
        Self {
            every: 1,
            takeover: 3,
            patience: 2,
            max_fee_rate: 200,
        }
    }
}

impl From<&PostingConfig> for PostingTerms {
    fn from(config: &PostingConfig) -> Self {
        Self {
            every: config.every,
            takeover: config.takeover,
            patience: config.patience,
            cap: config.max_fee_rate,
        }
    }
}

/// The database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// Mebibytes of memory for cached blocks and for writes that are not in tables yet.
    pub cache_mib: usize,
    /// States of so many blocks are kept; 0 keeps all.
    pub keep_states: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            cache_mib: 128,
            keep_states: 100_000,
        }
    }
}

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read {path}: {reason}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// It is no TOML, or has an unknown or missing field.
    #[error("{path}: {reason}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its place.
        reason: String,
    },
    /// A value is out of its range.
    #[error("{field} is {got}, expected {expected}")]
    Range {
        /// Which field.
        field: &'static str,
        /// What is there.
        got: String,
        /// What may be there.
        expected: &'static str,
    },
}

impl NodeConfig {
    /// Reads and checks a file. Paths in it are taken from its own folder.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Read {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        let mut config: Self = toml::from_str(&text).map_err(|error| ConfigError::Parse {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        for place in [&mut config.genesis, &mut config.data]
            .into_iter()
            .chain(config.validator_key.as_mut())
            .chain(config.network.key.as_mut())
            .chain(config.bitcoin.cookie.as_mut())
        {
            *place = folder.join(&*place);
        }
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let range = |field, ok: bool, got: String, expected| {
            if ok {
                Ok(())
            } else {
                Err(ConfigError::Range { field, got, expected })
            }
        };
        let interval = self.blocks.interval_ms;
        range(
            "blocks.interval_ms",
            (50..=60_000).contains(&interval),
            interval.to_string(),
            "50 to 60,000",
        )?;
        let most = l2_consensus::MAX_BLOCK_BYTES - (64 << 10);
        range(
            "blocks.max_bytes",
            (1_024..=most).contains(&self.blocks.max_bytes),
            self.blocks.max_bytes.to_string(),
            "1,024 to the longest block less 64 KiB",
        )?;
        let backlog = self.blocks.max_backlog_mib;
        range(
            "blocks.max_backlog_mib",
            backlog.is_none_or(|mib| (1..=4_096).contains(&mib)),
            format!("{backlog:?}"),
            "1 to 4,096",
        )?;
        let depth = self.blocks.origin_depth;
        range(
            "blocks.origin_depth",
            depth.is_none_or(|depth| (1..=100).contains(&depth)),
            format!("{depth:?}"),
            "1 to 100",
        )?;
        for (field, value) in [
            ("consensus.propose_ms", self.consensus.propose_ms),
            ("consensus.prevote_ms", self.consensus.prevote_ms),
            ("consensus.precommit_ms", self.consensus.precommit_ms),
            ("consensus.delta_ms", self.consensus.delta_ms),
        ] {
            range(
                field,
                (1..=20_000).contains(&value),
                value.to_string(),
                "1 to 20,000",
            )?;
        }
        for (field, value) in [
            ("posting.every", self.posting.every),
            ("posting.takeover", self.posting.takeover),
            ("posting.patience", self.posting.patience),
        ] {
            range(
                field,
                (1..=1_000).contains(&value),
                value.to_string(),
                "1 to 1,000",
            )?;
        }
        // A commit is due `every` blocks after the last one confirmed, or `takeover` later, and then takes one itself.
        let between = (self.posting.every + self.posting.takeover + 1) * BITCOIN_MS;
        range(
            "posting.every",
            interval.saturating_mul(MAX_BLOCKS) >= between,
            self.posting.every.to_string(),
            "fewer, with these blocks.interval_ms and posting.takeover: more blocks are made meanwhile than a batch can hold",
        )?;
        range(
            "posting.max_fee_rate",
            (1..=10_000).contains(&self.posting.max_fee_rate),
            self.posting.max_fee_rate.to_string(),
            "1 to 10,000",
        )?;
        range(
            "bitcoin.poll_ms",
            (10..=600_000).contains(&self.bitcoin.poll_ms),
            self.bitcoin.poll_ms.to_string(),
            "10 to 600,000",
        )?;
        range(
            "store.cache_mib",
            (8..=65_536).contains(&self.store.cache_mib),
            self.store.cache_mib.to_string(),
            "8 to 65,536",
        )
    }

    /// From the start of one block to the next.
    #[must_use]
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.blocks.interval_ms)
    }

    /// Timeouts of consensus.
    #[must_use]
    pub fn timeouts(&self) -> Timeouts {
        let ms = Duration::from_millis;
        Timeouts {
            propose: ms(self.consensus.propose_ms),
            prevote: ms(self.consensus.prevote_ms),
            precommit: ms(self.consensus.precommit_ms),
            delta: ms(self.consensus.delta_ms),
        }
    }
}

/// Reads a validator's secret key: 64 hex digits.
///
/// # Errors
/// If the file cannot be read or holds no key.
pub fn read_key(path: &Path) -> Result<SecretKey, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Read {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    // The text itself is a secret: it is not repeated.
    text.trim().parse().map_err(|_| ConfigError::Parse {
        path: path.to_owned(),
        reason: "expected a secret key of 64 hex digits".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        genesis = "genesis.json"
        data = "data"
        [bitcoin]
        url = "http://127.0.0.1:18443"
        cookie = "cookie"
        [network]
        listen = "/ip4/127.0.0.1/tcp/4001"
        gossip_listen = "/ip4/127.0.0.1/tcp/4002"
    "#;

    fn read(text: &str) -> Result<NodeConfig, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.toml");
        std::fs::write(&path, text).unwrap();
        NodeConfig::read(&path)
    }

    #[test]
    fn paths_are_of_the_files_folder_and_the_rest_has_defaults() {
        let config = read(GOOD).unwrap();
        assert!(config.genesis.is_absolute() && config.genesis.ends_with("genesis.json"));
        assert_eq!(config.blocks.interval_ms, 500);
        assert_eq!(config.timeouts(), Timeouts::default());
        assert!(config.bitcoin.cookie.unwrap().is_absolute());
        assert!(config.validator_key.is_none());
    }

    #[test]
    fn mistakes_are_told_by_name() {
        for (add, name) in [
            ("[blocks]\ninterval_ms = 1", "blocks.interval_ms"),
            ("[blocks]\nmax_bytes = 1", "blocks.max_bytes"),
            ("[blocks]\nmax_backlog_mib = 0", "blocks.max_backlog_mib"),
            ("[blocks]\norigin_depth = 0", "blocks.origin_depth"),
            ("[consensus]\npropose_ms = 0", "consensus.propose_ms"),
            ("[consensus]\ndelta_ms = 20001", "consensus.delta_ms"),
            ("[posting]\nevery = 0", "posting.every"),
            ("[posting]\nevery = 60", "posting.every"),
            ("[posting]\nmax_fee_rate = 0", "posting.max_fee_rate"),
            ("[store]\ncache_mib = 0", "store.cache_mib"),
            ("[blocks]\ninterval = 1", "interval"),
            ("nonsense", "nonsense"),
        ] {
            let error = read(&format!("{GOOD}\n{add}")).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
        assert!(read("").unwrap_err().to_string().contains("genesis"));
        let error = NodeConfig::read(Path::new("/nowhere/node.toml"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("/nowhere/node.toml"), "{error}");
    }

    #[test]
    fn a_bad_key_is_not_repeated_in_its_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "00secret00").unwrap();
        let error = read_key(&path).unwrap_err().to_string();
        assert!(!error.contains("secret00"), "{error}");
        std::fs::write(&path, format!("{}\n", "01".repeat(32))).unwrap();
        assert!(read_key(&path).is_ok());
    }
}
