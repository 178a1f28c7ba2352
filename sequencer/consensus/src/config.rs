//! How a node takes part.

use std::{path::PathBuf, time::Duration};

use alloy_primitives::B256;
use arc_malachitebft_app_channel::app::{
    config::{
        self, ChannelNames, DiscoveryConfig, GossipSubConfig, NodeConfig, P2pConfig, PubSubMaxSizePerTopic,
        PubSubProtocol, ValuePayload, ValueSyncConfig,
    },
    net::Multiaddr,
    types::core::LinearTimeouts,
};
use bitcoin::secp256k1::SecretKey;
use bytesize::ByteSize;
use l2_block::tagged_hash;

use crate::parts::{CHUNK_BYTES, MAX_BLOCK_BYTES};

/// How long consensus waits. The defaults suit validators that execute and sign on one or two shared cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a proposal and its block.
    pub propose: Duration,
    /// For more prevotes, once two thirds disagree.
    pub prevote: Duration,
    /// For more precommits, once two thirds disagree.
    pub precommit: Duration,
    /// How much each grows with every round.
    pub delta: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            propose: Duration::from_millis(2_000),
            prevote: Duration::from_millis(600),
            precommit: Duration::from_millis(600),
            delta: Duration::from_millis(400),
        }
    }
}

impl Timeouts {
    /// The longest that any grows to.
    const MOST: Duration = Duration::from_secs(20);

    pub(crate) fn linear(&self) -> LinearTimeouts {
        LinearTimeouts {
            propose: self.propose,
            propose_delta: self.delta,
            prevote: self.prevote,
            prevote_delta: self.delta,
            precommit: self.precommit,
            precommit_delta: self.delta,
            rebroadcast: self.propose + self.prevote + self.precommit,
            max_timeout: Self::MOST,
        }
    }
}

/// How a node takes part.
#[derive(Clone)]
pub struct ConsensusConfig {
    /// Hash of the genesis file: names the chain in every signature and in the network's protocol names.
    pub genesis: B256,
    /// A validator's key. A node without one follows and serves blocks.
    pub secret: Option<SecretKey>,
    /// Seed of the node's ed25519 key in the network; [`network_key`] makes one of a validator's key.
    pub network_key: [u8; 32],
    /// Where to listen, as `/ip4/127.0.0.1/tcp/4001`.
    pub listen: Multiaddr,
    /// Peers to stay connected to.
    pub peers: Vec<Multiaddr>,
    /// Whether to talk to these peers only. Their addresses must name their keys then (`/p2p/…`).
    pub peers_only: bool,
    /// A name for logs and metrics.
    pub moniker: String,
    /// Folder for the write-ahead log and the candidates. A validator that loses it must not come back before the height
    /// that it voted in is decided.
    pub home: PathBuf,
    /// Timeouts.
    pub timeouts: Timeouts,
    /// From the start of one height to the start of the next, if agreement is no slower. A node without a validator's key
    /// does not wait for it.
    pub block_interval: Duration,
}

impl core::fmt::Debug for ConsensusConfig {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Neither key.
        f.debug_struct("ConsensusConfig")
            .field("genesis", &self.genesis)
            .field("validator", &self.secret.is_some())
            .field("listen", &self.listen)
            .field("peers", &self.peers)
            .field("peers_only", &self.peers_only)
            .field("moniker", &self.moniker)
            .field("home", &self.home)
            .field("timeouts", &self.timeouts)
            .field("block_interval", &self.block_interval)
            .finish_non_exhaustive()
    }
}

/// A network key for the holder of a validator's key, so that it has one secret to keep. Neither key tells the other.
#[must_use]
pub fn network_key(secret: &SecretKey) -> [u8; 32] {
    tagged_hash("tapestry/network-key", &secret.secret_bytes()).0
}

/// Malachite's configuration.
#[derive(Clone, Debug)]
pub(crate) struct EngineConfig {
    moniker: String,
    consensus: config::ConsensusConfig,
    value_sync: ValueSyncConfig,
}

/// Room for a vote's or certificate's message of [`crate::ValidatorSet::MOST`] validators at 136 bytes each.
const SMALL: u64 = 32 << 10;
/// Room for a chunk and what is around it.
const PART: u64 = CHUNK_BYTES as u64 + 512;
/// Room for two of the longest blocks with their certificates.
const RESPONSE: u64 = 2 * (MAX_BLOCK_BYTES as u64 + SMALL);

impl EngineConfig {
    pub(crate) fn new(config: &ConsensusConfig) -> Self {
        // Peers of other chains speak other protocols: they part before the first message.
        let chain = alloy_primitives::hex::encode(&config.genesis[..8]);
        let name = |what: &str| format!("/tapestry/{chain}/{what}/1");
        let p2p = P2pConfig {
            listen_addr: config.listen.clone(),
            persistent_peers: config.peers.clone(),
            persistent_peers_only: config.peers_only,
            discovery: DiscoveryConfig {
                // Whole devnets run on one address.
                max_connections_per_ip: 64,
                ip_throttle_duration: Duration::from_secs(1),
                ..DiscoveryConfig::default()
            },
            protocol: PubSubProtocol::GossipSub(GossipSubConfig::default()),
            pubsub_max_size: ByteSize::b(PART + 4096),
            pubsub_max_size_per_topic: PubSubMaxSizePerTopic {
                consensus: Some(ByteSize::b(SMALL)),
                proposal_parts: Some(ByteSize::b(PART)),
                liveness: Some(ByteSize::b(SMALL)),
            },
            rpc_max_size: ByteSize::b(RESPONSE + SMALL),
            protocol_names: config::ProtocolNames {
                consensus: name("consensus"),
                discovery_kad: name("kad"),
                discovery_regres: name("discovery"),
                sync: name("sync"),
                validator_proof: name("validator"),
            },
            channel_names: ChannelNames {
                consensus: name("votes"),
                proposal_parts: name("parts"),
                sync: name("status"),
                liveness: name("liveness"),
            },
        };
        Self {
            moniker: config.moniker.clone(),
            consensus: config::ConsensusConfig {
                enabled: true,
                p2p,
                value_payload: ValuePayload::ProposalAndParts,
                ..config::ConsensusConfig::default()
            },
            value_sync: ValueSyncConfig {
                status_update_interval: Duration::from_secs(1),
                request_timeout: Duration::from_secs(5),
                max_request_size: ByteSize::kib(1),
                max_response_size: ByteSize::b(RESPONSE),
                batch_size: 16,
                inactive_threshold: Duration::from_secs(30),
                max_inbound_requests_per_window: 200,
                ..ValueSyncConfig::default()
            },
        }
    }
}

impl NodeConfig for EngineConfig {
    fn moniker(&self) -> &str {
        &self.moniker
    }

    fn consensus(&self) -> &config::ConsensusConfig {
        &self.consensus
    }

    fn consensus_mut(&mut self) -> &mut config::ConsensusConfig {
        &mut self.consensus
    }

    fn value_sync(&self) -> &ValueSyncConfig {
        &self.value_sync
    }

    fn value_sync_mut(&mut self) -> &mut ValueSyncConfig {
        &mut self.value_sync
    }
}
