//! A network of nodes with a toy application: blocks hold random bytes, and a chain is a list.

use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Duration,
};

use alloy_primitives::B512;
use l2_block::{Address, B256, Block, Bytes, Evidence, Header, L1Origin};
use l2_consensus::{
    Application, Certificate, ConsensusConfig, ConsensusError, Failure, Judgement, Multiaddr, NextHeight,
    Precommit, SecretKey, Standing, Timeouts, Validator, ValidatorSet, async_trait, network_key, run,
    secp256k1::{Message, Secp256k1},
};
use rand::RngCore;
use tokio::{
    sync::{Mutex as AsyncMutex, MutexGuard, oneshot},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

/// So long may anything take that must happen at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Networks run one after another: the machine may have two cores.
static ONE_AT_A_TIME: AsyncMutex<()> = AsyncMutex::const_new(());

/// What a node's disk holds.
#[derive(Default)]
pub(crate) struct Chain {
    /// Block 1 and on.
    pub(crate) blocks: Vec<(Bytes, Certificate)>,
    /// What was reported.
    pub(crate) evidence: Vec<Evidence>,
    /// How often blocks were asked for.
    pub(crate) proposals: usize,
    /// How many decided blocks were given to others with another certificate than their own.
    pub(crate) lies: usize,
}

/// How a node behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manners {
    /// Its blocks are wrong.
    pub(crate) proposes_rubbish: bool,
    /// Bytes of a block.
    pub(crate) block_bytes: usize,
    /// It says that blocks were decided a round later than they were.
    pub(crate) misstates_rounds: bool,
}

struct Toy {
    chain: Arc<Mutex<Chain>>,
    validators: ValidatorSet,
    address: Address,
    manners: Manners,
}

/// A header's state root when the block is right.
const RIGHT: B256 = B256::repeat_byte(0x11);

impl Toy {
    fn next(&self) -> NextHeight {
        NextHeight {
            height: self.chain.lock().unwrap().blocks.len() as u64 + 1,
            validators: self.validators.clone(),
        }
    }

    fn parent(&self) -> B256 {
        let chain = self.chain.lock().unwrap();
        chain
            .blocks
            .last()
            .map_or(B256::ZERO, |(bytes, _)| header(bytes).hash())
    }
}

pub(crate) fn header(bytes: &Bytes) -> Header {
    Block::decode_exact(bytes).unwrap().header
}

fn block(height: u64, parent: B256, round: u32, proposer: Address, payload: Vec<u8>) -> Block {
    let transactions = vec![Bytes::from(payload)];
    Block {
        header: Header {
            number: height,
            parent,
            timestamp_ms: height,
            origin: L1Origin {
                height: 0,
                hash: B256::ZERO,
            },
            round,
            proposer,
            base_fee: 1,
            data_fee: 1,
            gas_used: 0,
            forced: 0,
            transactions_root: Block::transactions_root(&transactions),
            receipts_root: B256::ZERO,
            state_root: RIGHT,
        },
        transactions,
    }
}

#[async_trait]
impl Application for Toy {
    async fn start_height(&mut self) -> Result<NextHeight, Failure> {
        Ok(self.next())
    }

    async fn propose(
        &mut self,
        height: u64,
        round: u32,
        deadline: Instant,
    ) -> Result<Option<Bytes>, Failure> {
        assert_eq!(height, self.next().height);
        assert!(deadline > Instant::now());
        self.chain.lock().unwrap().proposals += 1;
        // Never the same block twice: whoever is asked again after a restart would equivocate.
        let mut payload = vec![0; self.manners.block_bytes.max(16)];
        rand::thread_rng().fill_bytes(&mut payload);
        let mut block = block(height, self.parent(), round, self.address, payload);
        if self.manners.proposes_rubbish {
            block.header.state_root = B256::ZERO;
        }
        Ok(Some(block.encode().into()))
    }

    async fn check(
        &mut self,
        proposer: &Validator,
        block: &Block,
        bytes: &Bytes,
        _standing: Standing,
    ) -> Result<Judgement, Failure> {
        let next = self.next();
        assert_eq!(block.header.number, next.height);
        assert_eq!(block.header.proposer, proposer.address());
        assert_eq!(
            next.validators.proposer(block.header.number, block.header.round),
            proposer
        );
        assert_eq!(block.encode(), bytes.to_vec());
        let right = block.header.parent == self.parent() && block.header.state_root == RIGHT;
        Ok(if right {
            Judgement::Valid
        } else {
            Judgement::Invalid
        })
    }

    async fn commit(&mut self, bytes: &Bytes, certificate: &Certificate) -> Result<NextHeight, Failure> {
        let header = header(bytes);
        assert_eq!(header.number, self.next().height);
        assert_eq!(header.parent, self.parent());
        assert_eq!(
            (certificate.height, certificate.block),
            (header.number, header.hash())
        );
        self.chain
            .lock()
            .unwrap()
            .blocks
            .push((bytes.clone(), certificate.clone()));
        Ok(self.next())
    }

    async fn decided(&mut self, height: u64) -> Result<Option<(Bytes, Certificate)>, Failure> {
        let mut chain = self.chain.lock().unwrap();
        let index = height.checked_sub(1).map(|index| index as usize);
        let mut found = index.and_then(|index| chain.blocks.get(index).cloned());
        if let Some((_, certificate)) = &mut found
            && self.manners.misstates_rounds
        {
            certificate.round += 1;
            chain.lies += 1;
        }
        Ok(found)
    }

    async fn min_height(&mut self) -> Result<u64, Failure> {
        Ok(1)
    }

    async fn evidence(&mut self, evidence: Evidence) -> Result<(), Failure> {
        self.chain.lock().unwrap().evidence.push(evidence);
        Ok(())
    }
}

struct Running {
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), ConsensusError>>,
}

/// A node: its disk outlives its runs.
pub(crate) struct Node {
    pub(crate) chain: Arc<Mutex<Chain>>,
    pub(crate) config: ConsensusConfig,
    pub(crate) address: Address,
    pub(crate) manners: Manners,
    running: Option<Running>,
}

/// The network.
pub(crate) struct Devnet {
    pub(crate) genesis: B256,
    pub(crate) validators: ValidatorSet,
    pub(crate) nodes: Vec<Node>,
    folder: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

pub(crate) fn secret(i: usize) -> SecretKey {
    SecretKey::from_slice(&[i as u8 + 1; 32]).unwrap()
}

fn address(i: usize) -> Address {
    Address::repeat_byte(i as u8 + 1)
}

pub(crate) fn free_address() -> Multiaddr {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap()
}

fn key(secret: &SecretKey) -> B256 {
    let secp = l2_consensus::secp256k1::Secp256k1::new();
    B256::new(secret.x_only_public_key(&secp).0.serialize())
}

impl Devnet {
    /// `count` validators that do not run yet.
    pub(crate) async fn new(count: usize) -> Self {
        let alone = ONE_AT_A_TIME.lock().await;
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        let validators = (0..count)
            .map(|i| Validator::new(key(&secret(i)), address(i)).unwrap())
            .collect();
        let mut devnet = Self {
            genesis: B256::repeat_byte(0x77),
            validators: ValidatorSet::new(validators).unwrap(),
            nodes: Vec::new(),
            folder: tempfile::tempdir().unwrap(),
            _alone: alone,
        };
        for i in 0..count {
            devnet.add(Some(i), network_key(&secret(i)));
        }
        // Everybody knows everybody.
        let listen: Vec<_> = devnet
            .nodes
            .iter()
            .map(|node| node.config.listen.clone())
            .collect();
        for (i, node) in devnet.nodes.iter_mut().enumerate() {
            node.config.peers = listen.clone();
            node.config.peers.remove(i);
        }
        devnet
    }

    /// One more node, with a validator's key or none, that knows all before it. Gives its place.
    pub(crate) fn add(&mut self, validator: Option<usize>, network_key: [u8; 32]) -> usize {
        let place = self.nodes.len();
        let moniker = format!("node-{place}-{}", rand::random::<u32>());
        self.nodes.push(Node {
            chain: Arc::default(),
            config: ConsensusConfig {
                genesis: self.genesis,
                secret: validator.map(secret),
                network_key,
                listen: free_address(),
                peers: self.nodes.iter().map(|node| node.config.listen.clone()).collect(),
                peers_only: false,
                home: self.folder.path().join(&moniker),
                moniker,
                timeouts: Timeouts::default(),
                block_interval: Duration::from_millis(50),
            },
            address: validator.map_or(Address::ZERO, address),
            manners: Manners::default(),
            running: None,
        });
        place
    }

    /// A chain that three validators agreed on long ago: for each block the round in which it was made, and that in which it was
    /// decided.
    pub(crate) fn decided(&self, rounds: &[(u32, u32)]) -> Vec<(Bytes, Certificate)> {
        let secp = Secp256k1::new();
        let mut parent = B256::ZERO;
        let mut chain = Vec::new();
        for (height, (made, decided)) in (1..).zip(rounds) {
            let proposer = self.validators.proposer(height, *made).address();
            let block = block(height, parent, *made, proposer, vec![height as u8; 16]);
            parent = block.header.hash();
            let mut certificate = Certificate {
                height,
                round: *decided,
                block: parent,
                precommits: vec![],
            };
            let message = Message::from_digest(certificate.vote().sign_bytes(&self.genesis).0);
            certificate.precommits = (0..3)
                .map(|i| Precommit {
                    key: key(&secret(i)),
                    signature: B512::new(
                        secp.sign_schnorr_no_aux_rand(&message, &secret(i).keypair(&secp))
                            .serialize(),
                    ),
                })
                .collect();
            chain.push((block.encode().into(), certificate));
        }
        chain
    }

    pub(crate) fn start(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        assert!(node.running.is_none());
        let toy = Toy {
            chain: node.chain.clone(),
            validators: self.validators.clone(),
            address: node.address,
            manners: node.manners,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::spawn(run(node.config.clone(), toy, async {
            let _ = stopped.await;
        }));
        node.running = Some(Running { stop, ended });
    }

    pub(crate) fn start_all(&mut self) {
        for place in 0..self.nodes.len() {
            self.start(place);
        }
    }

    pub(crate) async fn stop(&mut self, place: usize) {
        let running = self.nodes[place].running.take().unwrap();
        // If it ended by itself, the second line tells why.
        let _ = running.stop.send(());
        timeout(PATIENCE, running.ended).await.unwrap().unwrap().unwrap();
    }

    pub(crate) fn height(&self, place: usize) -> usize {
        self.nodes[place].chain.lock().unwrap().blocks.len()
    }

    /// Waits until a node has so many blocks.
    pub(crate) async fn reach(&self, place: usize, height: usize) {
        self.until(&format!("node {place} reaches {height}"), || {
            self.height(place) >= height
        })
        .await;
    }

    pub(crate) async fn until(&self, what: &str, happened: impl Fn() -> bool) {
        let start = Instant::now();
        while !happened() {
            let heights: Vec<_> = (0..self.nodes.len()).map(|i| self.height(i)).collect();
            assert!(start.elapsed() < PATIENCE, "{what}: heights {heights:?}");
            for (place, node) in self.nodes.iter().enumerate() {
                let ended = node
                    .running
                    .as_ref()
                    .is_some_and(|running| running.ended.is_finished());
                assert!(!ended, "node {place} ended while {what}");
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops all that run, and checks that all chains are one chain of valid certificates. Gives it.
    pub(crate) async fn finish(&mut self) -> Vec<(Bytes, Certificate)> {
        for place in 0..self.nodes.len() {
            if self.nodes[place].running.is_some() {
                self.stop(place).await;
            }
        }
        let mut longest = Vec::new();
        for node in &self.nodes {
            let chain = node.chain.lock().unwrap();
            let mut parent = B256::ZERO;
            for (i, (bytes, certificate)) in chain.blocks.iter().enumerate() {
                let header = header(bytes);
                assert_eq!(header.number, i as u64 + 1);
                assert_eq!(header.parent, parent);
                assert_eq!(certificate.height, header.number);
                assert_eq!(certificate.block, header.hash());
                certificate.verify(&self.genesis, &self.validators).unwrap();
                let turn = self.validators.proposer(header.number, header.round);
                assert_eq!(header.proposer, turn.address());
                parent = header.hash();
            }
            for ((one, _), (other, _)) in chain.blocks.iter().zip(&longest) {
                assert_eq!(one, other, "two chains");
            }
            if chain.blocks.len() > longest.len() {
                longest = chain.blocks.clone();
            }
        }
        longest
    }

    pub(crate) fn evidence(&self, place: usize) -> Vec<Evidence> {
        self.nodes[place].chain.lock().unwrap().evidence.clone()
    }
}
