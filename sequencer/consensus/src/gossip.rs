//! Gossip for transactions: one topic of a libp2p gossipsub network of its own, since Malachite's has fixed topics.
//!
//! A message is bytes that the node makes sense of: a transaction, or better several at once. Its name is the BLAKE3 of its
//! bytes, so the same bytes travel once whoever sends them. Messages carry no author: a transaction has its own signature,
//! and where it entered is nobody's business.
//!
//! A peer is a stranger: a message is at most [`MAX_MESSAGE`] long, is passed on only after the node has judged it
//! ([`Gossip::judge`]), and who delivers what the node rejects loses score until nobody listens to it. Peers of another chain
//! speak another protocol.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use alloy_primitives::{B256, Bytes};
use libp2p::{
    Multiaddr, PeerId, Swarm, SwarmBuilder, connection_limits,
    futures::StreamExt,
    gossipsub::{
        self, IdentTopic, IdentityTransform, MessageAcceptance, MessageAuthenticity, MessageId, PublishError,
        ValidationMode, WhitelistSubscriptionFilter,
    },
    identity::Keypair,
    noise, ping,
    swarm::{NetworkBehaviour, SwarmEvent, dial_opts::DialOpts},
    tcp, yamux,
};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tracing::{debug, info, warn};

/// The longest message, in bytes: an Ethereum transaction is at most 128 KiB.
pub const MAX_MESSAGE: usize = 128 << 10;
/// What gossipsub adds around a message.
const OVERHEAD: usize = 4 << 10;
/// Messages that wait for the node, or for the network.
const QUEUE: usize = 1024;
/// Connections in all and to one peer.
const MAX_CONNECTIONS: u32 = 128;
const MAX_PER_PEER: u32 = 4;
/// How often lost peers are dialled again.
const REDIAL: Duration = Duration::from_secs(2);
/// A connection on which nothing happens is kept so long; gossipsub keeps those of its peers.
const IDLE: Duration = Duration::from_secs(120);

/// How a node gossips.
#[derive(Clone)]
pub struct GossipConfig {
    /// Hash of the genesis file: peers of other chains are not understood.
    pub genesis: B256,
    /// Seed of the node's ed25519 key in this network.
    pub network_key: [u8; 32],
    /// Where to listen.
    pub listen: Multiaddr,
    /// Peers to stay connected to.
    pub peers: Vec<Multiaddr>,
}

/// Why gossip did not start.
#[derive(Debug, thiserror::Error)]
pub enum GossipError {
    /// The key is none.
    #[error("the network's key is no ed25519 seed")]
    NetworkKey,
    /// The network cannot be set up.
    #[error("gossip cannot start: {0}")]
    Start(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// Where.
        address: Multiaddr,
        /// Why not.
        reason: String,
    },
}

/// What the node thinks of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Good: pass it on.
    Accept,
    /// Not wanted now, nobody's fault: known, too cheap, no room.
    Ignore,
    /// No honest node sends this: the peer loses score.
    Reject,
}

/// A message that waits for a [`Verdict`].
#[derive(Clone, Debug)]
pub struct Received {
    /// The peer that delivered it.
    pub from: PeerId,
    /// The message.
    pub bytes: Bytes,
    id: MessageId,
}

enum Command {
    Publish(Bytes),
    Judge(MessageId, PeerId, Verdict),
    Peer(Multiaddr),
}

/// A handle on the network, which runs until the last handle is dropped.
#[derive(Clone, Debug)]
pub struct Gossip {
    commands: mpsc::Sender<Command>,
    peer_id: PeerId,
}

impl Gossip {
    /// Starts listening and dialling. Messages come from the receiver; while nobody takes them, new ones are lost.
    ///
    /// # Errors
    /// If the key, the network or the address is no good.
    pub async fn start(config: GossipConfig) -> Result<(Self, mpsc::Receiver<Received>), GossipError> {
        let (mut swarm, topic) = swarm(&config)?;
        let listen_error = |reason: String| GossipError::Listen {
            address: config.listen.clone(),
            reason,
        };
        swarm
            .listen_on(config.listen.clone())
            .map_err(|error| listen_error(error.to_string()))?;
        // The address is in use or not only when the transport has tried.
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::NewListenAddr { address, .. } => {
                    info!(%address, "gossip listens");
                    break;
                }
                SwarmEvent::ListenerError { error, .. } => return Err(listen_error(error.to_string())),
                SwarmEvent::ListenerClosed { reason, .. } => {
                    return Err(listen_error(format!("{reason:?}")));
                }
                _ => {}
            }
        }
        let (commands, commands_in) = mpsc::channel(QUEUE);
        let (received, received_out) = mpsc::channel(QUEUE);
        let peer_id = *swarm.local_peer_id();
        let network = Network {
            swarm,
            topic,
            received,
            peers: config.peers,
            connected: HashMap::new(),
        };
        tokio::spawn(network.run(commands_in));
        Ok((Self { commands, peer_id }, received_out))
    }

    /// Its name in the network.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Sends a message to everybody. Gives false if it is too long or the network is gone.
    pub async fn publish(&self, bytes: Bytes) -> bool {
        bytes.len() <= MAX_MESSAGE && self.commands.send(Command::Publish(bytes)).await.is_ok()
    }

    /// Judges a message: every one that was received must be, or it goes no further.
    pub async fn judge(&self, message: &Received, verdict: Verdict) {
        let command = Command::Judge(message.id.clone(), message.from, verdict);
        // The network is gone only with the process.
        let _ = self.commands.send(command).await;
    }

    /// Stays connected to one more peer.
    pub async fn add_peer(&self, peer: Multiaddr) {
        let _ = self.commands.send(Command::Peer(peer)).await;
    }
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    limits: connection_limits::Behaviour,
    ping: ping::Behaviour,
    gossip: gossipsub::Behaviour<IdentityTransform, WhitelistSubscriptionFilter>,
}

fn swarm(config: &GossipConfig) -> Result<(Swarm<Behaviour>, IdentTopic), GossipError> {
    let start = |error: &dyn core::fmt::Display| GossipError::Start(error.to_string());
    let key = Keypair::ed25519_from_bytes(config.network_key).map_err(|_| GossipError::NetworkKey)?;
    let chain = alloy_primitives::hex::encode(&config.genesis[..8]);
    let topic = IdentTopic::new(format!("/tapestry/{chain}/transactions/1"));
    let settings = gossipsub::ConfigBuilder::default()
        .protocol_id_prefix(format!("/tapestry/{chain}/gossip"))
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message| MessageId::new(l2_block::hash(&message.data).as_slice()))
        .max_transmit_size(MAX_MESSAGE + OVERHEAD)
        .heartbeat_interval(Duration::from_millis(700))
        .build()
        .map_err(|error| start(&error))?;
    // Nobody's subscriptions to other topics are kept.
    let only_ours = WhitelistSubscriptionFilter(HashSet::from([topic.hash()]));
    let mut gossip = gossipsub::Behaviour::new_with_subscription_filter(
        MessageAuthenticity::Anonymous,
        settings,
        only_ours,
    )
    .map_err(|error| start(&error))?;
    let (score, thresholds) = scoring(&topic);
    gossip
        .with_peer_score(score, thresholds)
        .map_err(|error| start(&error))?;
    gossip.subscribe(&topic).map_err(|error| start(&error))?;
    let limits = connection_limits::ConnectionLimits::default()
        .with_max_established(Some(MAX_CONNECTIONS))
        .with_max_pending_incoming(Some(MAX_CONNECTIONS / 4))
        .with_max_established_per_peer(Some(MAX_PER_PEER));
    let swarm = SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(
            tcp::Config::new().nodelay(true),
            noise::Config::new,
            yamux::Config::default,
        )
        .map_err(|error| start(&error))?
        .with_dns()
        .map_err(|error| start(&error))?
        .with_behaviour(|_| Behaviour {
            limits: connection_limits::Behaviour::new(limits),
            ping: ping::Behaviour::default(),
            gossip,
        })
        .map_err(|error| start(&error))?
        .with_swarm_config(|swarm| swarm.with_idle_connection_timeout(IDLE))
        .build();
    Ok((swarm, topic))
}

/// Score for rejected messages and bad behaviour only. Whether a peer delivers first or often says nothing: an honest node
/// may have no transactions.
fn scoring(topic: &IdentTopic) -> (gossipsub::PeerScoreParams, gossipsub::PeerScoreThresholds) {
    let topic_score = gossipsub::TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: 0.0,
        first_message_deliveries_weight: 0.0,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        // The square of the count: one mistake costs 1, ten 100. Half is forgotten in about a minute.
        invalid_message_deliveries_weight: -1.0,
        invalid_message_deliveries_decay: 0.99,
        ..gossipsub::TopicScoreParams::default()
    };
    let mut score = gossipsub::PeerScoreParams {
        // Whole devnets run on one address.
        ip_colocation_factor_threshold: 64.0,
        decay_interval: Duration::from_secs(1),
        ..gossipsub::PeerScoreParams::default()
    };
    score.topics.insert(topic.hash(), topic_score);
    let thresholds = gossipsub::PeerScoreThresholds {
        gossip_threshold: -20.0,
        publish_threshold: -40.0,
        // Nine rejected messages in a minute: not listened to any more.
        graylist_threshold: -80.0,
        accept_px_threshold: 10.0,
        opportunistic_graft_threshold: 0.0,
    };
    (score, thresholds)
}

struct Network {
    swarm: Swarm<Behaviour>,
    topic: IdentTopic,
    received: mpsc::Sender<Received>,
    peers: Vec<Multiaddr>,
    /// Addresses of ours with a connection, by what lies behind them.
    connected: HashMap<PeerId, Multiaddr>,
}

impl Network {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut redial = interval(REDIAL);
        redial.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.event(event),
                command = commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => return,
                },
                _ = redial.tick() => self.dial(),
            }
        }
    }

    fn dial(&mut self) {
        for peer in &self.peers {
            if self.connected.values().any(|address| address == peer) {
                continue;
            }
            // A dial in progress to an address whose peer is unknown may be repeated; the second connection is refused or
            // closed by the limit per peer.
            let options = DialOpts::unknown_peer_id().address(peer.clone()).build();
            if let Err(error) = self.swarm.dial(options) {
                debug!(%peer, %error, "gossip cannot dial");
            }
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Publish(bytes) => {
                let topic = self.topic.hash();
                match self.swarm.behaviour_mut().gossip.publish(topic, bytes.0) {
                    Ok(_) | Err(PublishError::Duplicate | PublishError::NoPeersSubscribedToTopic) => {}
                    Err(error) => warn!(%error, "a message is not gossiped"),
                }
            }
            Command::Judge(id, from, verdict) => {
                let acceptance = match verdict {
                    Verdict::Accept => MessageAcceptance::Accept,
                    Verdict::Ignore => MessageAcceptance::Ignore,
                    Verdict::Reject => MessageAcceptance::Reject,
                };
                let gossip = &mut self.swarm.behaviour_mut().gossip;
                gossip.report_message_validation_result(&id, &from, acceptance);
            }
            Command::Peer(peer) => {
                if !self.peers.contains(&peer) {
                    self.peers.push(peer);
                }
                self.dial();
            }
        }
    }

    fn event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Gossip(gossipsub::Event::Message {
                propagation_source: from,
                message_id: id,
                message,
            })) => {
                let received = Received {
                    from,
                    bytes: message.data.into(),
                    id,
                };
                if let Err(mpsc::error::TrySendError::Full(lost) | mpsc::error::TrySendError::Closed(lost)) =
                    self.received.try_send(received)
                {
                    // Somebody else may have room for it, but only if it is asked for again: it goes no further here.
                    let gossip = &mut self.swarm.behaviour_mut().gossip;
                    gossip.report_message_validation_result(&lost.id, &from, MessageAcceptance::Ignore);
                }
            }
            SwarmEvent::ConnectionEstablished {
                peer_id, endpoint, ..
            } => {
                if endpoint.is_dialer() {
                    let address = endpoint.get_remote_address();
                    if let Some(peer) = self.peers.iter().find(|peer| same_place(peer, address)) {
                        self.connected.insert(peer_id, peer.clone());
                    }
                }
                debug!(peer = %peer_id, "gossip is connected");
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                num_established: 0,
                ..
            } => {
                self.connected.remove(&peer_id);
                debug!(peer = %peer_id, "gossip lost a peer");
            }
            _ => {}
        }
    }
}

/// Whether two addresses are the same but for the name of the peer at their end.
fn same_place(one: &Multiaddr, other: &Multiaddr) -> bool {
    let place = |address: &Multiaddr| {
        address
            .iter()
            .filter(|part| !matches!(part, libp2p::multiaddr::Protocol::P2p(_)))
            .collect::<Multiaddr>()
    };
    place(one) == place(other)
}
