//! A node, put together.
//!
//! | task | owns |
//! | --- | --- |
//! | consensus | Malachite; asks [`NodeApplication`] |
//! | L1 thread | [`L1View`]: what Bitcoin's active chain says |
//! | posting thread | [`Posting`]: derivation, labels, the poster |
//! | gossip tasks | transactions, requests for signatures |
//! | RPC, metrics | servers over the [`Chain`] and the [`SharedPool`] |
//!
//! The store has one writer of blocks, consensus. A node without a validator key does all of this but propose, vote, post and sign.
//!
//! A node that is asked to stop ends consensus, then its threads, and only then returns: a process that ends while one of
//! them is in the database ends with a crash.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use alloy_primitives::Bytes;
use anyhow::{Context, anyhow, bail, ensure};
use bitcoin::key::{Keypair, Secp256k1};
use l2_block::{B256, Genesis};
use l2_consensus::{ConsensusConfig, Gossip, GossipConfig, SecretKey, network_key};
use l2_da::scan::TaggedDeposits;
use l2_mempool::Limits;
use l2_store::{Options, Store};
use tokio::sync::{mpsc, watch};

use crate::app::{NodeApplication, now_ms};
use crate::backlog::{Backlog, BacklogLimits};
use crate::bitcoind::Bitcoind;
use crate::chain::{Chain, L1Blocks};
use crate::config::{NodeConfig, read_key};
use crate::evidence::Reporter;
use crate::l1::L1View;
use crate::metrics::Metrics;
use crate::pool::SharedPool;
use crate::posting::{Posting, PostingParts};
use crate::traffic;
use crate::wallet::WalletChain;

/// Messages that wait for the posting thread.
const POSTING_QUEUE: usize = 256;
/// States are pruned every so many blocks.
const PRUNE_EVERY: u64 = 64;

/// Reads and checks a genesis file.
///
/// # Errors
/// If it cannot be read, is no genesis file, or a number in it is out of range.
pub fn read_genesis(path: &Path) -> anyhow::Result<Genesis> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let genesis: Genesis =
        serde_json::from_str(&text).with_context(|| format!("{} is no genesis file", path.display()))?;
    genesis.check().with_context(|| format!("{}", path.display()))?;
    Ok(genesis)
}

/// Mebibytes that may wait for a batch where the configuration does not say and Bitcoin can take as much in time.
const BACKLOG_MIB: u64 = 64;

/// Where a running node listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listening {
    /// JSON-RPC.
    pub rpc: SocketAddr,
    /// Metrics, health, readiness.
    pub metrics: SocketAddr,
}

/// Runs a node until `stop` says true. `up` is told once it serves.
///
/// # Errors
/// Whatever ends it before that.
pub async fn run(
    config: NodeConfig,
    stop: watch::Receiver<bool>,
    up: impl FnOnce(Listening) + Send,
) -> anyhow::Result<()> {
    let genesis = read_genesis(&config.genesis)?;
    let secret = config.validator_key.as_deref().map(read_key).transpose()?;
    std::fs::create_dir_all(&config.data)
        .with_context(|| format!("cannot make {}", config.data.display()))?;
    let options = Options {
        cache: config.store.cache_mib << 20,
        ..Options::default()
    };
    let store = Arc::new(Store::open(&config.data.join("chain"), &genesis, options)?);
    let depth = config
        .blocks
        .origin_depth
        .unwrap_or(genesis.windows.confirmations);
    let l1 = Arc::new(L1View::new(&genesis, depth));
    let bitcoind = Bitcoind::new(&config.bitcoin)?;
    let format = TaggedDeposits::new(genesis.bridge_key)?;
    let poll = Duration::from_millis(config.bitcoin.poll_ms);
    let mut threads = Threads::default();
    // A node without Bitcoin's chain could judge no block: the first look is part of the start.
    let looked = {
        let view = Arc::clone(&l1);
        tokio::task::spawn_blocking(move || {
            view.look(&bitcoind, &format, 0)?;
            Ok::<_, crate::bitcoind::BitcoindError>((bitcoind, format))
        })
    };
    let (bitcoind, format) = looked.await??;
    let (view, blocks) = (Arc::clone(&l1), Arc::clone(&store));
    threads.start("bitcoin", move |stopping| {
        while !stopping.load(Ordering::Relaxed) {
            if let Err(error) = view.look(&bitcoind, &format, named(&blocks)) {
                tracing::warn!(%error, "bitcoind is asked again");
            }
            std::thread::sleep(poll);
        }
    })?;

    let metrics = Arc::new(Metrics::default());
    let chain = Arc::new(Chain::new(
        Arc::clone(&store),
        &genesis,
        Arc::clone(&l1) as Arc<dyn L1Blocks>,
    )?);
    let limits = Limits::for_blocks(genesis.fees.gas_limit, genesis.fees.min_base_fee);
    let pool = Arc::new(SharedPool::new(Arc::clone(&chain), limits));

    let most = BacklogLimits::greatest(&genesis.windows, depth, config.posting.every) >> 20;
    let bound = config.blocks.max_backlog_mib.unwrap_or(most.min(BACKLOG_MIB));
    ensure!(
        bound <= most,
        "blocks.max_backlog_mib is {bound}, at most {most} with the genesis file's windows.origin_lag: bitcoin would not take more in time"
    );
    let limits = BacklogLimits::new(bound << 20, &genesis.windows, depth);
    ensure!(
        depth + config.posting.every + config.posting.takeover < limits.age,
        "posting.every and posting.takeover: blocks would wait for a batch longer than the {} bitcoin blocks after which, by the genesis file's windows.origin_lag, they have waited too long",
        limits.age
    );
    let backlog = Arc::new(Backlog::new(limits, &store)?);

    let (to_peers, from_wallets) = mpsc::channel::<Bytes>(traffic::OUTGOING);
    let (to_validators, messages) = mpsc::unbounded_channel();
    let network = match (&config.network.key, &secret) {
        (Some(path), _) => network_key(&read_key(path)?),
        (None, Some(secret)) => network_key(secret),
        (None, None) => random_key()?,
    };
    let (gossip, received) = Gossip::start(GossipConfig {
        genesis: genesis.hash(),
        network_key: network,
        listen: config.network.gossip_listen.clone(),
        peers: config.network.gossip_peers.clone(),
    })
    .await?;
    let (to_posting, incoming) = std::sync::mpsc::sync_channel(POSTING_QUEUE);
    let speakers = traffic::Speakers::default();
    tokio::spawn(traffic::tell(gossip.clone(), from_wallets, messages));
    tokio::spawn(traffic::listen(
        gossip,
        received,
        Arc::clone(&pool),
        to_posting,
        genesis.hash(),
        Arc::clone(&speakers),
    ));

    let posting = Posting::new(PostingParts {
        genesis: genesis.clone(),
        store: Arc::clone(&store),
        bitcoind: Bitcoind::new(&config.bitcoin)?,
        terms: (&config.posting).into(),
        key: secret.map(|secret| Keypair::from_secret_key(&Secp256k1::new(), &secret)),
        send: Box::new(move |message| {
            // The other end is gone when the node stops.
            let _ = to_validators.send(message);
        }),
        told: {
            let (metrics, backlog) = (Arc::clone(&metrics), Arc::clone(&backlog));
            let store = Arc::clone(&store);
            Box::new(move |status| {
                metrics.posted(status);
                backlog.posted(&status, &store)?;
                metrics.waits(backlog.waiting());
                Ok(())
            })
        },
        speakers,
    })?;
    let (posting_ended, mut posting_end) = mpsc::channel(1);
    threads.start("posting", move |stopping| {
        let ended = posting.run(&incoming, poll, stopping);
        // Nobody waits for it when the node stops.
        let _ = posting_ended.blocking_send(ended);
    })?;

    let health = crate::health::serve(
        config.metrics.listen,
        Arc::clone(&chain),
        Arc::clone(&metrics),
        Arc::clone(&backlog),
        stopped(stop.clone()),
    )
    .await
    .with_context(|| format!("metrics.listen: {}", config.metrics.listen))?;
    let wallets = WalletChain::new(
        Arc::clone(&chain),
        Arc::clone(&pool),
        to_peers.clone(),
        Arc::clone(&metrics),
        Arc::clone(&backlog),
        &genesis,
    );
    let rpc = crate::wallet::serve(config.rpc.listen, wallets, stopped(stop.clone()))
        .await
        .with_context(|| format!("rpc.listen: {}", config.rpc.listen))?;
    tracing::info!(%rpc, metrics = %health, height = chain.head().number, "the node is up");
    up(Listening { rpc, metrics: health });

    let reporter = secret
        .map(|secret| Reporter::new(secret, Arc::clone(&chain), Arc::clone(&pool), to_peers))
        .transpose()?
        .map(Arc::new);
    let application = NodeApplication {
        chain: Arc::clone(&chain),
        pool,
        key: secret.as_ref().map(own_key),
        max_bytes: config.blocks.max_bytes,
        backlog: Arc::clone(&backlog),
        metrics: Arc::clone(&metrics),
        clock: now_ms,
        on_block: Arc::new({
            let prune = pruning(Arc::clone(&store), config.store.keep_states);
            let reporter = reporter.clone();
            Box::new(move |candidate: &crate::chain::Candidate| {
                prune(candidate);
                if let Some(reporter) = &reporter {
                    reporter.on_block(candidate.block.header.number);
                }
            })
        }),
        on_evidence: Arc::new(Box::new(move |evidence| {
            metrics.equivocations.inc();
            tracing::warn!(?evidence, "a validator signed two things");
            if let Some(reporter) = &reporter {
                reporter.report(evidence);
            }
        })),
    };
    let consensus = l2_consensus::run(
        ConsensusConfig {
            genesis: genesis.hash(),
            secret,
            network_key: network,
            listen: config.network.listen.clone(),
            peers: config.network.peers.clone(),
            peers_only: false,
            moniker: config.name.clone(),
            home: config.data.join("consensus"),
            timeouts: config.timeouts(),
            block_interval: config.interval(),
        },
        application,
        stopped(stop),
    );
    let result = tokio::select! {
        ended = consensus => ended.map_err(Into::into),
        ended = posting_end.recv() => match ended {
            Some(Err(error)) => Err(error.into()),
            _ => Err(anyhow!("the posting thread ended")),
        },
    };
    tracing::info!(height = chain.head().number, "the node stops");
    result
}

/// Threads that end with the node, however that ends. A call to a bitcoind that does not answer gives up by itself.
#[derive(Default)]
struct Threads {
    stopping: Arc<AtomicBool>,
    running: Vec<JoinHandle<()>>,
}

impl Threads {
    /// Starts one; it is to look at the flag.
    fn start(&mut self, name: &str, work: impl FnOnce(&AtomicBool) + Send + 'static) -> std::io::Result<()> {
        let stopping = Arc::clone(&self.stopping);
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(&stopping))?;
        self.running.push(thread);
        Ok(())
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        for thread in self.running.drain(..) {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// Height of the Bitcoin block that the newest block names; 0 if that cannot be said.
fn named(store: &Store) -> u64 {
    let newest = store
        .labels()
        .and_then(|labels| store.block(labels.latest.number));
    let header = newest.ok().flatten().map(|stored| stored.block.header);
    header.map_or(0, |header| header.origin.height)
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // The sender gone is a stop, too.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The x-only key that the state knows a validator by.
fn own_key(secret: &SecretKey) -> B256 {
    let (key, _) = secret.x_only_public_key(&Secp256k1::new());
    B256::new(key.serialize())
}

fn random_key() -> anyhow::Result<[u8; 32]> {
    let (secret, _) = Secp256k1::new().generate_keypair(&mut bitcoin::secp256k1::rand::thread_rng());
    if secret.secret_bytes() == [0; 32] {
        bail!("the system's random numbers are zeros");
    }
    Ok(network_key(&secret))
}

fn pruning(store: Arc<Store>, keep: u64) -> crate::app::OnBlock {
    Box::new(move |candidate| {
        if keep > 0
            && candidate.block.header.number % PRUNE_EVERY == 0
            && let Err(error) = store.prune(keep, 2 * PRUNE_EVERY)
        {
            tracing::error!(%error, "old states are not pruned");
        }
    })
}
