//! Malachite's engine between the network and an [`Application`].
//!
//! One task owns everything here and answers the engine's questions one after another. Its invariants:
//!
//! - a block is on disk ([`Candidates`]) before consensus hears of it;
//! - a block is known by its header's hash, and what is handed on under that hash are the only bytes that belong to it: the
//!   encoding is unique and the transactions' root is checked here. So a proposer cannot have one hash judged valid by some
//!   and invalid by others;
//! - whether a block is valid depends on the block and its parent: its header's round, not the round in which somebody
//!   proposes it again, says whose turn it was, and only that proposer's announcement brings it in;
//! - a block is committed, durably, before the next height is named.

use core::future::Future;
use std::{collections::BTreeSet, io, path::PathBuf, time::Duration};

use alloy_primitives::{B256, B512, Bytes};
use arc_malachitebft_app_channel::{
    AppMsg, Channels, ConsensusContext, EngineHandle, NetworkContext, NetworkIdentity, NetworkMsg,
    RequestContext, SyncContext, WalContext,
    app::{
        engine::host::{Next, SyncedValueOutcome},
        types::{
            Keypair, LocallyProposedValue, PeerId, ProposedValue,
            codec::Codec,
            core::{HeightParams, Round, Validity},
            streaming::{StreamId, StreamMessage},
            sync::RawDecidedValue,
        },
    },
    start_engine,
};
use arc_malachitebft_signing::Signer;
use l2_block::Block;
use rand::Rng;
use tokio::{
    sync::mpsc::Sender,
    time::{Instant, sleep, timeout},
};
use tracing::{debug, error, info, warn};

use crate::{
    application::{Application, Failure, Judgement, NextHeight, Standing},
    candidates::{Candidate, Candidates},
    certificate::{Certificate, from_malachite, to_malachite},
    codec::Rlp,
    config::{ConsensusConfig, EngineConfig},
    context::{Announcement, Height, ProposalPart, Tapestry, Value},
    evidence::{conflicts, proves},
    parts::{Assembler, MAX_BLOCK_BYTES, split},
    signing::{ChainVerifier, Domain, ValidatorSigner, verify},
    validator::{Validator, ValidatorKey},
};

/// Why consensus ended.
#[derive(Debug, thiserror::Error)]
pub enum ConsensusError {
    /// The application failed.
    #[error("the application failed to {what}")]
    Application {
        /// What it was asked to do.
        what: &'static str,
        /// Why it did not.
        source: Failure,
    },
    /// A file of ours cannot be read or written.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The network's key is none.
    #[error("the network's key is no ed25519 seed")]
    NetworkKey,
    /// The validator's key could not sign.
    #[error("the validator's key did not sign")]
    Signature,
    /// The engine did not start.
    #[error("the engine did not start: {0}")]
    Start(eyre::Report),
    /// The engine stopped by itself; its log says why.
    #[error("the engine stopped by itself")]
    Stopped,
    /// Consensus decided on a block that is not on this disk: the candidates' file was lost or damaged.
    #[error("block {block} of height {height} is decided but its bytes are lost")]
    Lost {
        /// Height.
        height: u64,
        /// Hash of the header.
        block: B256,
    },
    /// The application built what nobody would accept.
    #[error("the application proposed a block for height {height} that {what}")]
    Proposed {
        /// Height.
        height: u64,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Blocks of one height and round that are looked at. An honest proposer makes one; the second proves that it is not honest.
const MAX_PER_ROUND: usize = 2;
/// How many rounds ahead a block is looked at: a proposer has its turn in many.
const MAX_ROUNDS_AHEAD: u32 = 4;
/// How far ahead a block is kept until its turn comes.
const MAX_AHEAD: u64 = 4;
/// How many blocks are kept ahead, and how many of one proposer.
const MAX_WAITING: usize = 8;
const MAX_WAITING_OF_ONE: usize = 2;
/// Bytes of blocks in one answer to a peer that syncs; the engine cuts to the exact limit.
const MAX_ANSWER: usize = 2 * MAX_BLOCK_BYTES;
/// How long the engine may take to stop.
const STOP: Duration = Duration::from_secs(5);

/// Takes part in consensus until `shutdown` is ready.
///
/// # Errors
/// Whatever ends it before that. The node should stop then: going on without consensus is no use, and restarting it in the
/// same process would hide a broken disk.
pub async fn run<A: Application>(
    config: ConsensusConfig,
    mut app: A,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ConsensusError> {
    let file_error = |path: &PathBuf| {
        let path = path.clone();
        move |source| ConsensusError::File { path, source }
    };
    let start = app.start_height().await.map_err(failed("name its height"))?;
    std::fs::create_dir_all(&config.home).map_err(file_error(&config.home))?;
    let path = config.home.join("candidates");
    let candidates = Candidates::open(&path, start.height).map_err(file_error(&path))?;
    let wal = config.home.join("wal");
    let (channels, handle, signer) = start_malachite(&config, wal.clone()).await?;
    let mut driver = Driver {
        domain: Domain {
            genesis: config.genesis,
        },
        app,
        signer,
        network: channels.network.clone(),
        candidates,
        candidates_path: path,
        assembler: Assembler::default(),
        waiting: Vec::new(),
        next: start,
        round: 0,
        config,
    };
    driver.assembler.advance(driver.next.height);
    let ended = driver.serve(channels, shutdown).await;
    // Its channels are closed, so no actor waits for an answer of ours.
    stop(handle, wal).await;
    ended
}

fn failed(what: &'static str) -> impl FnOnce(Failure) -> ConsensusError {
    move |source| ConsensusError::Application { what, source }
}

async fn start_malachite(
    config: &ConsensusConfig,
    wal: PathBuf,
) -> Result<(Channels<Tapestry>, EngineHandle, Option<ValidatorSigner>), ConsensusError> {
    let network_key =
        Keypair::ed25519_from_bytes(config.network_key).map_err(|_| ConsensusError::NetworkKey)?;
    let signer = config
        .secret
        .as_ref()
        .map(|secret| ValidatorSigner::new(config.genesis, secret));
    let verifier = Box::new(ChainVerifier(Domain {
        genesis: config.genesis,
    }));
    let (identity, context) = match &signer {
        Some(signer) => {
            let peer = network_key.public().to_peer_id().to_bytes();
            let proof = signer
                .sign_validator_proof(signer.key().0.to_vec(), peer)
                .await
                .map_err(|_| ConsensusError::Signature)?;
            let proof = Rlp.encode(&proof).map_err(|_| ConsensusError::Signature)?;
            let address = signer.key().to_string();
            (
                NetworkIdentity::new_validator(config.moniker.clone(), network_key, address, proof),
                ConsensusContext::new_validator(signer.key(), verifier, Box::new(signer.clone())),
            )
        }
        None => (
            NetworkIdentity::new(config.moniker.clone(), network_key, None),
            // Nobody's key: zero is no x coordinate.
            ConsensusContext::new_full_node(ValidatorKey(B256::ZERO), verifier),
        ),
    };
    let (channels, handle) = start_engine(
        Tapestry,
        EngineConfig::new(config),
        WalContext::new(wal, Rlp),
        NetworkContext::new(identity, Rlp),
        context,
        SyncContext::new(Rlp),
        RequestContext::new(16),
    )
    .await
    .map_err(ConsensusError::Start)?;
    Ok((channels, handle, signer))
}

async fn stop(handle: EngineHandle, wal: PathBuf) {
    let node = handle.actor.get_cell();
    node.stop_children_and_wait(None, Some(STOP)).await;
    node.stop(None);
    if timeout(STOP, handle.handle).await.is_err() {
        warn!("consensus' engine did not stop in time");
        node.kill();
    }
    // The log's thread ends by itself and holds the file until then; the next run in this process needs it.
    let released = async {
        while !std::fs::File::open(&wal).is_ok_and(|file| file.try_lock().is_ok()) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    if timeout(STOP, released).await.is_err() {
        warn!("consensus' write-ahead log is still in use");
    }
}

struct Driver<A> {
    domain: Domain,
    app: A,
    signer: Option<ValidatorSigner>,
    network: Sender<NetworkMsg<Tapestry>>,
    candidates: Candidates,
    candidates_path: PathBuf,
    assembler: Assembler,
    /// Blocks of later heights, and those that cannot be judged yet.
    waiting: Vec<(Announcement, Bytes)>,
    /// The height that is not committed yet.
    next: NextHeight,
    /// Its newest round.
    round: u32,
    config: ConsensusConfig,
}

impl<A: Application> Driver<A> {
    async fn serve(
        &mut self,
        mut channels: Channels<Tapestry>,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), ConsensusError> {
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => return Ok(()),
                message = channels.consensus.recv() => {
                    // An answer that nobody waits for any more is no error: the engine has moved on.
                    self.answer(message.ok_or(ConsensusError::Stopped)?).await?;
                }
            }
        }
    }

    async fn answer(&mut self, message: AppMsg<Tapestry>) -> Result<(), ConsensusError> {
        match message {
            AppMsg::ConsensusReady { reply } => {
                info!(height = self.next.height, "consensus starts");
                let _ = reply.send((Height(self.next.height), self.params()));
            }
            AppMsg::StartedRound {
                height,
                round,
                reply_value,
                ..
            } => {
                let known = self.known(height.0, round).await?;
                let _ = reply_value.send(known);
            }
            AppMsg::GetValue {
                height,
                round,
                timeout,
                reply,
            } => {
                // Without an answer the round goes to the next proposer.
                if let Some(value) = self.propose(height.0, round, timeout).await? {
                    let _ = reply.send(LocallyProposedValue::new(height, round, Value(value.block)));
                    publish(&self.network, &value).await;
                }
            }
            // No height has vote extensions.
            AppMsg::ExtendVote { reply, .. } => {
                let _ = reply.send(None);
            }
            AppMsg::VerifyVoteExtensions { reply, .. } => {
                let _ = reply.send(Vec::new());
            }
            AppMsg::RestreamProposal { height, value_id, .. } => {
                if let Some(candidate) = self.candidates.get(height.0, &value_id) {
                    publish(&self.network, candidate).await;
                }
            }
            AppMsg::GetHistoryMinHeight { reply } => {
                let least = self
                    .app
                    .min_height()
                    .await
                    .map_err(failed("name its first height"))?;
                let _ = reply.send(Height(least));
            }
            AppMsg::ReceivedProposalPart {
                from,
                published_by,
                part,
                reply,
            } => {
                let value = self.received(published_by.unwrap_or(from), part).await?;
                let _ = reply.send(value);
            }
            AppMsg::Decided {
                certificate, reply, ..
            } => {
                let Some(certificate) = from_malachite(&certificate) else {
                    return Ok(());
                };
                self.commit(certificate).await?;
                let _ = reply.send(());
            }
            AppMsg::Finalized { evidence, reply, .. } => {
                for evidence in conflicts(&evidence) {
                    self.report(evidence).await?;
                }
                let _ = reply.send(Next::Start(Height(self.next.height), self.params()));
            }
            AppMsg::GetDecidedValues { range, reply } => {
                let values = self.decided(range.start().0, range.end().0).await?;
                let _ = reply.send(values);
            }
            AppMsg::ProcessSyncedValue {
                height,
                round,
                proposer,
                value_bytes,
                reply,
            } => {
                let outcome = self.synced(height.0, value_bytes.into()).await?;
                // The engine looks for the certificate under this round: that of the decision, which may be later than the
                // round in which the block was made.
                let outcome = match outcome {
                    SyncedValueOutcome::Verdict(value) => SyncedValueOutcome::Verdict(ProposedValue {
                        round,
                        proposer,
                        ..value
                    }),
                    other => other,
                };
                let _ = reply.send(outcome);
            }
        }
        Ok(())
    }

    fn params(&self) -> HeightParams<Tapestry> {
        // Who only follows has no block to hold back: resting after each, it would never make up for a delay.
        let rest = self.signer.is_some().then_some(self.config.block_interval);
        HeightParams::new(self.next.validators.clone(), self.config.timeouts.linear(), rest)
    }

    /// What is known of a height when a round begins: the candidates of that round, and blocks that came early.
    async fn known(
        &mut self,
        height: u64,
        round: Round,
    ) -> Result<Vec<ProposedValue<Tapestry>>, ConsensusError> {
        let mut known: BTreeSet<B256> = self
            .candidates
            .of_height(height)
            .filter(|candidate| Round::new(candidate.round) == round)
            .map(|candidate| candidate.block)
            .collect();
        if height == self.next.height {
            self.round = round.as_u32().unwrap_or(0);
            let waiting = core::mem::take(&mut self.waiting);
            let (now, later) = waiting
                .into_iter()
                .partition(|(announcement, _)| announcement.height <= height);
            self.waiting = later;
            for (announcement, bytes) in now {
                // Judged again: the set of validators may be another one.
                if self.admits(&announcement)
                    && let Some(value) = self.judge(&announcement, bytes).await?
                {
                    known.insert(value.value.0);
                }
            }
        }
        Ok(known
            .iter()
            .filter_map(|block| self.candidates.get(height, block))
            .map(proposed)
            .collect())
    }

    async fn propose(
        &mut self,
        height: u64,
        round: Round,
        timeout: Duration,
    ) -> Result<Option<Candidate>, ConsensusError> {
        let (Some(signer), Some(round)) = (self.signer.clone(), round.as_u32()) else {
            return Ok(None);
        };
        if height != self.next.height {
            return Ok(None);
        }
        // After a restart: the same block again, or we equivocate.
        let ours = signer.key().0;
        let before = |candidate: &&Candidate| candidate.round == round && candidate.proposer == ours;
        if let Some(candidate) = self.candidates.of_height(height).find(before) {
            return Ok(Some(candidate.clone()));
        }
        // The other half is for the network and for the others to execute it.
        let deadline = Instant::now() + timeout / 2;
        let Some(bytes) = self
            .app
            .propose(height, round, deadline)
            .await
            .map_err(failed("propose a block"))?
        else {
            return Ok(None);
        };
        let wrong = |what| ConsensusError::Proposed { height, what };
        let block = decode(&bytes).ok_or(wrong("is no block"))?;
        let proposer = self.next.validators.proposer(height, round);
        if block.header.number != height || block.header.round != round {
            return Err(wrong("has another number or round"));
        }
        if proposer.key() != signer.key() || proposer.address() != block.header.proposer {
            return Err(wrong("has another proposer"));
        }
        let hash = block.header.hash();
        let announcement = signer.announce(height, round, hash, bytes.len() as u32);
        let candidate = Candidate {
            height,
            round,
            block: hash,
            proposer: ours,
            signature: announcement.signature,
            valid: true,
            bytes,
        };
        self.keep(candidate.clone()).await?;
        Ok(Some(candidate))
    }

    async fn received(
        &mut self,
        publisher: PeerId,
        part: StreamMessage<ProposalPart>,
    ) -> Result<Option<ProposedValue<Tapestry>>, ConsensusError> {
        let mut assembler = core::mem::take(&mut self.assembler);
        let complete = assembler.add(&publisher.to_bytes(), part, |announcement| {
            self.admits(announcement)
        });
        self.assembler = assembler;
        let Some((announcement, bytes)) = complete else {
            return Ok(None);
        };
        if announcement.height > self.next.height {
            if self.has_room(announcement.height, announcement.round) {
                self.wait(announcement, bytes);
            }
            return Ok(None);
        }
        self.judge(&announcement, bytes).await
    }

    fn wait(&mut self, announcement: Announcement, bytes: Bytes) {
        let proposer = |of: &Announcement| self.next.validators.proposer(of.height, of.round).key().0;
        let its = proposer(&announcement);
        let of_it = self.waiting.iter().filter(|(other, _)| proposer(other) == its);
        if self.waiting.len() < MAX_WAITING && of_it.count() < MAX_WAITING_OF_ONE {
            self.waiting.push((announcement, bytes));
        }
    }

    /// Whether a further block of this height and round is looked at. Streams that were admitted side by side may come to
    /// their ends one after another, so it is asked at both.
    fn has_room(&self, height: u64, round: u32) -> bool {
        let known = self.candidates.of_height(height);
        let known = known.filter(|candidate| candidate.round == round).count();
        let waiting = self.waiting.iter();
        let waiting = waiting.filter(|(other, _)| (other.height, other.round) == (height, round));
        known + waiting.count() < MAX_PER_ROUND
    }

    /// Whether a block is wanted: of this height or soon, not known, from the proposer whose turn it is, who has not made too
    /// many. For later heights the set of validators of now is taken.
    fn admits(&self, announcement: &Announcement) -> bool {
        let Announcement {
            height,
            round,
            block,
            signature,
            ..
        } = announcement;
        let soon = self.next.height..=self.next.height.saturating_add(MAX_AHEAD);
        let reached = if *height == self.next.height {
            self.round
        } else {
            0
        };
        let wanted = soon.contains(height)
            && *round <= reached.saturating_add(MAX_ROUNDS_AHEAD)
            && self.candidates.get(*height, block).is_none()
            && !self
                .waiting
                .iter()
                .any(|(other, _)| (other.height, other.block) == (*height, *block))
            && self.has_room(*height, *round);
        wanted
            && verify(
                &self.domain.announcement(announcement),
                signature,
                self.next.validators.proposer(*height, *round).public(),
            )
    }

    /// Executes an announced block of the height that is being decided.
    async fn judge(
        &mut self,
        announcement: &Announcement,
        bytes: Bytes,
    ) -> Result<Option<ProposedValue<Tapestry>>, ConsensusError> {
        if announcement.height != self.next.height
            || self
                .candidates
                .get(announcement.height, &announcement.block)
                .is_some()
            || !self.has_room(announcement.height, announcement.round)
        {
            return Ok(None);
        }
        let proposer = self
            .next
            .validators
            .proposer(announcement.height, announcement.round)
            .clone();
        // Not the announced block: nothing can be said of that one.
        let Some(block) = decode(&bytes).filter(|block| {
            block.header.hash() == announcement.block
                && block.header.round == announcement.round
                && fits(block, announcement.height, &proposer)
        }) else {
            warn!(
                height = announcement.height,
                round = announcement.round,
                proposer = %proposer.key(),
                "a stream did not hold the block it announced"
            );
            return Ok(None);
        };
        let standing = if announcement.round < self.round {
            Standing::Earlier
        } else {
            Standing::Proposed
        };
        let checked = self.check(&proposer, &block, &bytes, standing).await?;
        let Some(valid) = checked else {
            self.wait(announcement.clone(), bytes);
            return Ok(None);
        };
        let candidate = Candidate {
            height: announcement.height,
            round: announcement.round,
            block: announcement.block,
            proposer: proposer.key().0,
            signature: announcement.signature,
            valid,
            bytes,
        };
        let value = proposed(&candidate);
        self.keep(candidate).await?;
        Ok(Some(value))
    }

    async fn check(
        &mut self,
        proposer: &Validator,
        block: &Block,
        bytes: &Bytes,
        standing: Standing,
    ) -> Result<Option<bool>, ConsensusError> {
        let judgement = self
            .app
            .check(proposer, block, bytes, standing)
            .await
            .map_err(failed("check a block"))?;
        if judgement != Judgement::Valid {
            let (height, round) = (block.header.number, block.header.round);
            warn!(height, round, proposer = %proposer.key(), ?judgement, "a proposed block is not accepted");
        }
        Ok(match judgement {
            Judgement::Valid => Some(true),
            Judgement::Invalid => Some(false),
            Judgement::Unknown => None,
        })
    }

    async fn keep(&mut self, candidate: Candidate) -> Result<(), ConsensusError> {
        self.candidates
            .add(candidate)
            .await
            .map_err(|source| ConsensusError::File {
                path: self.candidates_path.clone(),
                source,
            })
    }

    /// A decided block that a peer sent; its certificate is verified.
    async fn synced(
        &mut self,
        height: u64,
        bytes: Bytes,
    ) -> Result<SyncedValueOutcome<Tapestry>, ConsensusError> {
        if height != self.next.height {
            return Ok(SyncedValueOutcome::LocalTransientError);
        }
        let Some(block) = decode(&bytes) else {
            return Ok(SyncedValueOutcome::PeerFault);
        };
        let hash = block.header.hash();
        if let Some(candidate) = self.candidates.get(height, &hash) {
            return Ok(SyncedValueOutcome::Verdict(proposed(candidate)));
        }
        let proposer = self.next.validators.proposer(height, block.header.round).clone();
        if !fits(&block, height, &proposer) {
            return Ok(SyncedValueOutcome::PeerFault);
        }
        let checked = self.check(&proposer, &block, &bytes, Standing::Decided).await?;
        let Some(valid) = checked else {
            return Ok(SyncedValueOutcome::LocalTransientError);
        };
        let candidate = Candidate {
            height,
            round: block.header.round,
            block: hash,
            proposer: proposer.key().0,
            signature: B512::ZERO,
            valid,
            bytes,
        };
        let value = proposed(&candidate);
        self.keep(candidate).await?;
        Ok(SyncedValueOutcome::Verdict(value))
    }

    async fn commit(&mut self, certificate: Certificate) -> Result<(), ConsensusError> {
        let (height, block) = (certificate.height, certificate.block);
        if height != self.next.height {
            return Ok(());
        }
        let lost = ConsensusError::Lost { height, block };
        let bytes = self.candidates.get(height, &block).ok_or(lost)?.bytes.clone();
        self.next = self
            .app
            .commit(&bytes, &certificate)
            .await
            .map_err(failed("commit a block"))?;
        info!(
            height,
            round = certificate.round,
            %block,
            signatures = certificate.precommits.len(),
            "committed a block"
        );
        self.round = 0;
        self.assembler.advance(self.next.height);
        self.candidates
            .advance(self.next.height)
            .map_err(|source| ConsensusError::File {
                path: self.candidates_path.clone(),
                source,
            })
    }

    async fn report(&mut self, evidence: l2_block::Evidence) -> Result<(), ConsensusError> {
        let (height, round) = evidence.place();
        if !proves(&evidence, &self.domain.genesis) {
            error!(height, round, "evidence of the engine proves nothing");
            return Ok(());
        }
        warn!(height, round, validator = %evidence.key, "a validator equivocated");
        self.app.evidence(evidence).await.map_err(failed("take evidence"))
    }

    async fn decided(
        &mut self,
        first: u64,
        last: u64,
    ) -> Result<Vec<RawDecidedValue<Tapestry>>, ConsensusError> {
        let mut values = Vec::new();
        let mut size = 0;
        for height in first..=last.min(self.next.height.saturating_sub(1)) {
            let Some((bytes, certificate)) = self
                .app
                .decided(height)
                .await
                .map_err(failed("read a decided block"))?
            else {
                break;
            };
            size += bytes.len();
            if size > MAX_ANSWER && !values.is_empty() {
                break;
            }
            values.push(RawDecidedValue::new(bytes.0, to_malachite(&certificate)));
        }
        Ok(values)
    }
}

/// Streams a block to the peers.
async fn publish(network: &Sender<NetworkMsg<Tapestry>>, candidate: &Candidate) {
    let Some(announcement) = candidate.announcement() else {
        // It came by block sync, so whoever needs it can get it there.
        return;
    };
    let name: [u8; 16] = rand::thread_rng().r#gen();
    let stream = StreamId::new(name.to_vec().into());
    for part in split(&stream, &announcement, &candidate.bytes) {
        if network.send(NetworkMsg::PublishProposalPart(part)).await.is_err() {
            error!("the network is gone");
            return;
        }
    }
    debug!(
        height = candidate.height,
        round = candidate.round,
        block = %candidate.block,
        bytes = candidate.bytes.len(),
        "published a block"
    );
}

/// A block whose transactions are those that its header names, so that the header's hash stands for all of its bytes.
fn decode(bytes: &Bytes) -> Option<Block> {
    if bytes.len() > MAX_BLOCK_BYTES {
        return None;
    }
    Block::decode_exact(bytes)
        .ok()
        .filter(|block| block.header.transactions_root == Block::transactions_root(&block.transactions))
}

/// Whether a block is of this height and names the address of the proposer of its round.
fn fits(block: &Block, height: u64, proposer: &Validator) -> bool {
    block.header.number == height && block.header.proposer == proposer.address()
}

fn proposed(candidate: &Candidate) -> ProposedValue<Tapestry> {
    ProposedValue {
        height: Height(candidate.height),
        round: Round::new(candidate.round),
        valid_round: Round::Nil,
        proposer: ValidatorKey(candidate.proposer),
        value: Value(candidate.block),
        validity: Validity::from_bool(candidate.valid),
    }
}

#[cfg(test)]
mod tests;
