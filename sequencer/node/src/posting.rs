//! A sequencer's dealings with Bitcoin: follows batches there, moves the labels, posts when it is its turn, signs for others.
//!
//! One thread owns the derivation and the poster, both pure; this file gives them Bitcoin's blocks, the store's, and the
//! validators' messages, and does what they ask. Everything it holds can be lost: after a restart derivation begins at the
//! genesis block again, against the blocks in the store, and the poster goes on from its record there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bitcoin::key::{Keypair, TapTweak};
use bitcoin::secp256k1::{Message as SignedMessage, Secp256k1, schnorr};
use bitcoin::{OutPoint, ScriptBuf, XOnlyPublicKey};
use bridge::SatPerVbyte;
use l2_block::{B256, Block, Genesis, Header};
use l2_da::connector::BatchConnector;
use l2_da::derive::{Advanced, Derivation, DeriveError, Link, Outcome, fallback_delay};
use l2_da::poster::{Bump, Effect, Job, Order, Poster, Record, Terms, View};
use l2_da::proposal::{Plan, Proposal, SigningRequest, as_many_as_fit};
use l2_da::scan::TaggedDeposits;
use l2_da::signing::{OwnView, check_before_signing, read_request};
use l2_da::transactions::{Coin, Funding, Open};
use l2_store::{Label, Store, StoreError};

use crate::agreed::AgreedBlocks;
use crate::batches::BatchRecord;
use crate::bitcoind::{Bitcoind, BitcoindError, hash_bytes};
use crate::sets::Sets;
use crate::traffic::Speakers;
use crate::wire::{CommitSignature, Message, Said, Sealed, fragments};

mod coins;

use coins::BumpCoins;

/// Name of the poster's record in the store.
const RECORD: &str = "poster";
/// Bitcoin blocks in which a commit ought to confirm after it was signed.
pub(crate) const CONFIRM_MARGIN: u64 = 10;
/// Most blocks of a batch. The configuration makes sure that no more are made from one to the next, one take-over included.
pub(crate) const MAX_BLOCKS: u64 = 1 << 16;
/// Bytes of transactions of a batch, before compression; fewer where they do not compress.
pub(crate) const MAX_BATCH_BYTES: usize = 6 << 20;
/// Bitcoin blocks that another poster may have seen before us.
const LAG: u64 = 1;

/// What comes to the thread from other validators.
#[derive(Debug)]
pub enum Incoming {
    /// A poster asks for a signature.
    Request(Box<SigningRequest>),
    /// A validator's signature.
    Signature(CommitSignature),
}

/// Numbers of posting, from the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostingTerms {
    /// Bitcoin blocks between two batches.
    pub every: u64,
    /// Bitcoin blocks after which the next validator takes over.
    pub takeover: u64,
    /// Bitcoin blocks that a transaction may wait before it is bumped.
    pub patience: u64,
    /// Highest fee rate, satoshis a virtual byte.
    pub cap: u32,
}

/// Why the thread stops.
#[derive(Debug, thiserror::Error)]
pub enum PostingError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The genesis file cannot be used.
    #[error("genesis file: {0}")]
    Genesis(String),
    /// The record in the store is none.
    #[error("the poster's record in the database: {0}")]
    Record(String),
    /// Bitcoin went back further than derivation remembers.
    #[error(
        "bitcoin was reorganised below height {oldest}, deeper than this node follows; remove the data folder and start again"
    )]
    TooDeep {
        /// The oldest height it remembers.
        oldest: u64,
    },
}

/// What may fail in a look without ending the thread.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Bitcoind(#[from] BitcoindError),
    #[error(transparent)]
    Fatal(#[from] PostingError),
}

impl From<StoreError> for LookError {
    fn from(error: StoreError) -> Self {
        Self::Fatal(error.into())
    }
}

/// What a look leaves for others to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PostingStatus {
    /// Bitcoin's height as derived.
    pub height: u64,
    /// Batches decided.
    pub batches: u64,
    /// Number of the last block in a batch.
    pub safe: u64,
    /// Number of the last block in a buried batch.
    pub finalized: u64,
    /// Satoshis that a virtual byte costs now, if this node asked.
    pub rate: Option<u64>,
}

/// Is told where batches stand; fails if the database does.
pub type Told = Box<dyn Fn(PostingStatus) -> Result<(), StoreError> + Send>;

/// The thread's state.
pub struct Posting {
    genesis: Genesis,
    store: Arc<Store>,
    bitcoind: Bitcoind,
    format: TaggedDeposits,
    derivation: Derivation,
    poster: Poster,
    terms: PostingTerms,
    /// Whose batches these are; none for a node that only follows.
    key: Option<Keypair>,
    send: Box<dyn Fn(Message) + Send>,
    told: Told,
    /// Height since which the chain of connectors is open.
    open_since: u64,
    /// Coins that pay for bumps.
    bumps: BumpCoins,
    /// Hash of the genesis file.
    chain: B256,
    /// Who is listened to.
    speakers: Speakers,
}

impl std::fmt::Debug for Posting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Posting")
            .field("tip", &self.derivation.tip())
            .finish_non_exhaustive()
    }
}

/// What [`Posting`] is made of.
pub struct PostingParts {
    /// The chain's numbers.
    pub genesis: Genesis,
    /// The database.
    pub store: Arc<Store>,
    /// The node's bitcoind.
    pub bitcoind: Bitcoind,
    /// Numbers of posting.
    pub terms: PostingTerms,
    /// The validator's key; none for a node that only follows.
    pub key: Option<Keypair>,
    /// Sends a message to all validators.
    pub send: Box<dyn Fn(Message) + Send>,
    /// Is told where batches stand.
    pub told: Told,
    /// Is told who is listened to.
    pub speakers: Speakers,
}

impl Posting {
    /// Begins at the genesis block, or goes on from the record in the store.
    ///
    /// # Errors
    /// If the record or the genesis file is no good, or the database fails.
    pub fn new(parts: PostingParts) -> Result<Self, PostingError> {
        let genesis = parts.genesis;
        let error = |reason: String| PostingError::Genesis(reason);
        let (header, _) = l2_stf::genesis(&genesis);
        let derivation = Derivation::new(&genesis, header).map_err(|e| error(e.to_string()))?;
        let format = TaggedDeposits::new(genesis.bridge_key).map_err(|e| error(e.to_string()))?;
        let record = match parts.store.record(RECORD)? {
            Some(bytes) => Record::decode(&bytes).map_err(|e| PostingError::Record(e.to_string()))?,
            None => Record::default(),
        };
        let terms = Terms {
            every: parts.terms.every,
            takeover: parts.terms.takeover,
            max_blocks: MAX_BLOCKS,
            fallback: genesis.windows.connector_fallback,
            confirmations: genesis.windows.confirmations,
            patience: parts.terms.patience,
            cap: SatPerVbyte::new(parts.terms.cap).unwrap_or(SatPerVbyte::MIN),
        };
        Ok(Self {
            open_since: genesis.origin.height,
            chain: genesis.hash(),
            speakers: parts.speakers,
            genesis,
            store: parts.store,
            bitcoind: parts.bitcoind,
            format,
            derivation,
            poster: Poster::new(terms, record),
            terms: parts.terms,
            key: parts.key,
            send: parts.send,
            told: parts.told,
            bumps: BumpCoins::default(),
        })
    }

    /// Works until `stopping` says so, or the other ends of `incoming` are gone.
    ///
    /// # Errors
    /// What ends it before that.
    pub fn run(
        mut self,
        incoming: &Receiver<Incoming>,
        poll: Duration,
        stopping: &AtomicBool,
    ) -> Result<(), PostingError> {
        let mut next = Instant::now();
        while !stopping.load(Ordering::Relaxed) {
            // However much comes from others: Bitcoin is followed first.
            if Instant::now() >= next {
                self.settle(Self::look)?;
                next = Instant::now() + poll;
            }
            match incoming.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(message) => self.settle(|posting| posting.message(message))?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        Ok(())
    }

    /// A bitcoind that is away is waited for; a database is not.
    fn settle(&mut self, act: impl FnOnce(&mut Self) -> Result<(), LookError>) -> Result<(), PostingError> {
        match act(self) {
            Ok(()) => Ok(()),
            Err(LookError::Fatal(error)) => Err(error),
            Err(LookError::Bitcoind(error)) => {
                tracing::warn!(%error, "bitcoind is asked again");
                Ok(())
            }
        }
    }

    fn look(&mut self) -> Result<(), LookError> {
        self.follow()?;
        let labels = self.store.labels()?;
        let safe = self.derivation.safe().number;
        let finalized = self.derivation.finalized().number;
        if labels.safe != safe && safe <= labels.latest.number {
            self.store.set_label(Label::Safe, safe)?;
        }
        if labels.finalized != finalized && finalized <= labels.latest.number {
            self.store.set_label(Label::Finalized, finalized)?;
        }
        let cap = self.terms.cap.into();
        let rate = self.key.map(|_| Ok(self.bitcoind.fee_rate()?.min(cap)));
        (self.told)(PostingStatus {
            height: self.derivation.tip().height,
            batches: self.derivation.next_index(),
            safe,
            finalized,
            // Whatever bitcoind says to that: where batches stand is known.
            rate: rate
                .as_ref()
                .and_then(|rate: &Result<_, BitcoindError>| rate.as_ref().ok())
                .copied(),
        })?;
        self.listen_to(labels.latest.number)?;
        let Some(rate) = rate else {
            return Ok(());
        };
        let view = self.view(labels.latest.number, rate?)?;
        let effects = self.poster.tick(&view);
        self.bumps.retain(&self.poster.watched().collect());
        self.perform(effects)
    }

    /// Those who post and sign now, and those who will.
    fn listen_to(&self, latest: u64) -> Result<(), LookError> {
        let mut keys = self.keys(self.derivation.safe())?;
        keys.extend(Sets::at(&self.store, latest)?);
        keys.sort_unstable();
        keys.dedup();
        let mut speakers = self.speakers.write().unwrap_or_else(PoisonError::into_inner);
        if *speakers != keys {
            *speakers = keys;
        }
        Ok(())
    }

    /// Derivation up to Bitcoin's tip, or to a batch whose blocks are not here yet.
    fn follow(&mut self) -> Result<(), LookError> {
        let tip = self.derivation.tip();
        let mut height = tip.height;
        loop {
            let known = self
                .derivation
                .at(height)
                .ok_or(PostingError::TooDeep { oldest: height + 1 })?;
            if self.bitcoind.hash_at(height)?.map(|hash| hash_bytes(&hash)) == Some(known.hash) {
                break;
            }
            height = height.checked_sub(1).ok_or(PostingError::TooDeep { oldest: 0 })?;
        }
        if height < tip.height {
            tracing::warn!(
                from = tip.height,
                to = height,
                "bitcoin was reorganised: batches are derived again"
            );
            self.derivation
                .rewind(height)
                .map_err(|error| PostingError::TooDeep { oldest: error.oldest })?;
        }
        while let Some(block) = self.bitcoind.block_at(self.derivation.tip().height + 1)? {
            let mut execute = AgreedBlocks::new(&self.store);
            let was_open = matches!(self.derivation.link(), Link::Open { .. });
            match self.derivation.advance(
                &block.block,
                block.height,
                block.median_time,
                &self.format,
                &mut execute,
            ) {
                Ok(advanced) => self.derived(&advanced)?,
                Err(DeriveError::NotNext { .. }) => break,
                Err(DeriveError::Fault(fault)) => match fault.store {
                    Some(error) => return Err(error.into()),
                    None => {
                        tracing::debug!(height = block.height, "a batch is ahead of this node");
                        break;
                    }
                },
            }
            if !was_open && matches!(self.derivation.link(), Link::Open { .. }) {
                self.open_since = block.height;
            }
        }
        Ok(())
    }

    fn derived(&mut self, advanced: &Advanced) -> Result<(), LookError> {
        for batch in &advanced.batches {
            match &batch.outcome {
                Outcome::Blocks { commitment, .. } => tracing::info!(
                    index = batch.index,
                    first = commitment.first,
                    last = commitment.last,
                    commit = %batch.commit,
                    "a batch is on bitcoin"
                ),
                Outcome::Empty(reason) => {
                    tracing::warn!(index = batch.index, commit = %batch.commit, %reason, "a batch is empty");
                }
            }
            let record = BatchRecord::of(batch);
            self.store.set_batch(batch.index, &alloy_rlp::encode(&record))?;
        }
        Ok(())
    }

    fn keys(&self, head: &Header) -> Result<Vec<B256>, LookError> {
        Ok(Sets::at(&self.store, head.number)?)
    }

    fn connector(&self, head: &Header) -> Result<Option<BatchConnector>, LookError> {
        let delay =
            fallback_delay(&self.genesis).map_err(|error| PostingError::Genesis(error.to_string()))?;
        Ok(BatchConnector::new(&self.keys(head)?, delay).ok())
    }

    fn own_key(&self) -> Option<B256> {
        let key = self.key?;
        Some(B256::new(key.x_only_public_key().0.serialize()))
    }

    fn seat(&self) -> Result<(Option<usize>, usize), LookError> {
        let keys = self.keys(self.derivation.safe())?;
        let own = self.own_key();
        Ok((keys.iter().position(|key| Some(*key) == own), keys.len()))
    }

    fn view(&self, agreed: u64, rate: u64) -> Result<View, LookError> {
        let (seat, seats) = self.seat()?;
        let watched: Vec<_> = self.poster.watched().collect();
        let since = self.poster.record().posted.iter().map(|posted| posted.at).min();
        Ok(View {
            height: self.derivation.tip().height,
            index: self.derivation.next_index(),
            link: self.derivation.link().clone(),
            open_since: self.open_since,
            safe: self.derivation.safe().number,
            agreed,
            seat,
            seats,
            rate: SatPerVbyte::new(u32::try_from(rate).unwrap_or(u32::MAX)).unwrap_or(SatPerVbyte::MIN),
            transactions: self.bitcoind.standing(&watched, since.unwrap_or(u64::MAX))?,
        })
    }

    fn perform(&mut self, effects: Vec<Effect>) -> Result<(), LookError> {
        let mut queue: std::collections::VecDeque<Effect> = effects.into();
        while let Some(effect) = queue.pop_front() {
            match effect {
                Effect::OpenConnector => self.open_connector()?,
                Effect::Propose(order) => match self.job(&order)? {
                    Some(job) => queue.extend(self.poster.proposed(job)),
                    None => self.poster.not_proposed(&order),
                },
                Effect::Ask(request) => {
                    match fragments(&request) {
                        Some(fragments) => {
                            for fragment in fragments {
                                self.say(&Said::Fragment(fragment));
                            }
                        }
                        None => tracing::error!("a batch is too long to be signed"),
                    }
                    if let Some((signature, seat)) = self.sign_request(&request)? {
                        queue.extend(
                            self.poster
                                .signature(request.commit.compute_txid(), seat, signature),
                        );
                    }
                }
                Effect::SignAlone { commit, sighash } => {
                    if let (Some(signature), (Some(seat), _)) = (self.sign(sighash), self.seat()?) {
                        queue.extend(self.poster.signature(commit, seat, signature));
                    }
                }
                Effect::Persist(record) => self.store.set_record(RECORD, &record.encode())?,
                Effect::Send(transactions) => {
                    for transaction in &transactions {
                        tracing::info!(txid = %transaction.compute_txid(), vbytes = transaction.vsize(), "sent to bitcoin");
                    }
                    // A place that is taken is no fault: derivation says who won it.
                    if let Err(error) = self.bitcoind.send(&transactions) {
                        tracing::warn!(%error, "bitcoin did not take a transaction");
                    }
                }
                Effect::Bump(bump) => {
                    if !self.bump(&bump) {
                        self.poster.not_bumped(&bump);
                    }
                }
            }
        }
        Ok(())
    }

    /// Tells all validators.
    fn say(&self, said: &Said) {
        if let Some(key) = &self.key {
            (self.send)(Message::Sealed(Sealed::new(said, key, &self.chain)));
        }
    }

    fn message(&mut self, message: Incoming) -> Result<(), LookError> {
        if self.key.is_none() {
            return Ok(());
        }
        match message {
            Incoming::Request(request) => {
                let spent = request.commit.input.first().map(|input| input.previous_output);
                let Some(index) = spent.and_then(|spent| self.derivation.place_of(&spent)) else {
                    return Ok(());
                };
                if self.poster.has_signed_enough(index, &request) {
                    tracing::warn!(index, "a poster asks again and again for one batch");
                    return Ok(());
                }
                let Some((signature, seat)) = self.sign_request(&request)? else {
                    return Ok(());
                };
                let commit = request.commit.compute_txid();
                self.say(&Said::Signature(CommitSignature::new(commit, seat, &signature)));
                let effects = self.poster.signed(index, &request);
                self.perform(effects)
            }
            Incoming::Signature(signature) => {
                let Some((commit, seat, signature)) = signature.parts() else {
                    return Ok(());
                };
                let effects = self.poster.signature(commit, seat, signature);
                self.perform(effects)
            }
        }
    }

    /// The connector that the next batch spends, if it is confirmed and unspent.
    fn held(&self, outpoint: OutPoint) -> Result<Option<Coin>, LookError> {
        let txout = self.bitcoind.output(&outpoint)?;
        Ok(txout.map(|txout| Coin { outpoint, txout }))
    }

    fn blocks(&self, first: u64, last: u64) -> Result<Vec<Block>, LookError> {
        let mut blocks = Vec::new();
        let mut bytes = 0;
        for number in first..=last.min(first.saturating_add(MAX_BLOCKS - 1)) {
            let Some(stored) = self.store.block(number)? else {
                break;
            };
            bytes += stored.block.transactions.iter().map(|tx| tx.len()).sum::<usize>();
            if bytes > MAX_BATCH_BYTES && !blocks.is_empty() {
                break;
            }
            blocks.push(stored.block);
        }
        Ok(blocks)
    }

    fn sign(&self, sighash: [u8; 32]) -> Option<schnorr::Signature> {
        let key = self.key?;
        Some(Secp256k1::new().sign_schnorr_no_aux_rand(&SignedMessage::from_digest(sighash), &key))
    }

    /// Keys of the validators whose turn it is to spend what is at `index`, as far as it is known here.
    fn posters(&self, index: u64, keys: &[B256]) -> Vec<XOnlyPublicKey> {
        let since = self.derivation.link().free_since(self.open_since);
        let height = self.derivation.tip().height.saturating_add(LAG);
        let terms = self.poster.terms();
        let due = keys
            .iter()
            .enumerate()
            .filter(|(seat, _)| terms.due(since, index, *seat, keys.len()) <= height);
        due.filter_map(|(_, key)| XOnlyPublicKey::from_slice(key.as_slice()).ok())
            .collect()
    }

    /// The signature for a request that is as it should be. What costs a look at blocks or at bitcoind comes after what shows
    /// that it is from one whose turn it is.
    fn sign_request(
        &self,
        request: &SigningRequest,
    ) -> Result<Option<(schnorr::Signature, usize)>, LookError> {
        // The connector, one of an open chain, or that of a batch which is given up.
        let spent = request.commit.input.first().map(|input| input.previous_output);
        let place = spent.and_then(|spent| Some((spent, self.derivation.place_of(&spent)?)));
        let (Some((outpoint, index)), (Some(seat), _)) = (place, self.seat()?) else {
            return Ok(None);
        };
        let head = self.derivation.safe().clone();
        let posters = self.posters(index, &self.keys(&head)?);
        let read = match read_request(request, &posters) {
            Ok(read) => read,
            Err(refusal) => {
                tracing::warn!(commit = %request.commit.compute_txid(), %refusal, "a batch is not signed");
                return Ok(None);
            }
        };
        let (Some(connector), Some(held)) = (self.connector(&head)?, self.held(outpoint)?) else {
            return Ok(None);
        };
        // One block more than it names would do no harm, thousands would cost time.
        let latest = self.store.labels()?.latest.number.min(read.commitment.last);
        let blocks = self.blocks(head.number.saturating_add(1), latest)?;
        let own = OwnView {
            chain_id: self.genesis.chain_id,
            index,
            head: &head,
            blocks: &blocks,
            connector: &connector,
            held: &held,
            height: self.derivation.tip().height,
            origin_lag: self.genesis.windows.origin_lag.saturating_sub(CONFIRM_MARGIN),
            posters: &posters,
        };
        let next = |last: &Header| self.connector(last).ok().flatten();
        match check_before_signing(request, &own, next) {
            Ok(checked) => Ok(self.sign(checked.sighash).map(|signature| (signature, seat))),
            Err(refusal) => {
                tracing::warn!(commit = %request.commit.compute_txid(), %refusal, "a batch is not signed");
                Ok(None)
            }
        }
    }

    /// The poster's script: its key, no other path.
    fn script(&self) -> Option<ScriptBuf> {
        let (key, _) = self.key?.x_only_public_key();
        Some(ScriptBuf::new_p2tr(&Secp256k1::verification_only(), key, None))
    }

    fn sign_coins(&self, sighashes: &[[u8; 32]]) -> Option<Vec<schnorr::Signature>> {
        let secp = Secp256k1::new();
        let key = self.key?.tap_tweak(&secp, None).to_keypair();
        let sign =
            |sighash: &[u8; 32]| secp.sign_schnorr_no_aux_rand(&SignedMessage::from_digest(*sighash), &key);
        Some(sighashes.iter().map(sign).collect())
    }

    fn funding(&self, rate: SatPerVbyte) -> Result<Option<Funding>, LookError> {
        let Some(change) = self.script() else {
            return Ok(None);
        };
        let coins = self.bumps.funding(confirmed(&self.bitcoind, &change)?, rate);
        if coins.is_empty() {
            let address = bitcoin::Address::from_script(&change, bitcoin::Network::Regtest)
                .map_or_else(|_| change.to_hex_string(), |address| address.to_string());
            tracing::warn!(%address, "no confirmed coins to post with: send some to the validator's script");
            return Ok(None);
        }
        Ok(Some(Funding { coins, change, rate }))
    }

    fn open_connector(&mut self) -> Result<(), LookError> {
        let head = self.derivation.safe().clone();
        let (Some(connector), Some(funding)) = (self.connector(&head)?, self.funding(SatPerVbyte::MIN)?)
        else {
            return Ok(());
        };
        let open = match Open::new(&connector, &funding) {
            Ok(open) => open,
            Err(error) => {
                tracing::warn!(%error, "no connector can be made");
                return Ok(());
            }
        };
        let Some(signatures) = self.sign_coins(&open.sighashes()) else {
            return Ok(());
        };
        if let Ok(transaction) = open.finalize(&signatures) {
            self.perform(vec![Effect::Send(vec![transaction])])?;
        }
        Ok(())
    }

    fn job(&self, order: &Order) -> Result<Option<Job>, LookError> {
        let (Some(key), Some(funding), Some(held)) =
            (self.key, self.funding(order.rate)?, self.held(order.connector)?)
        else {
            return Ok(None);
        };
        let head = self.derivation.safe().clone();
        let blocks = self.blocks(order.first, order.last)?;
        let Some(connector) = self.connector(&head)? else {
            return Ok(None);
        };
        let made = as_many_as_fit(&blocks, |blocks| {
            let last = blocks.last().map(|block| self.connector(&block.header));
            let Some(next) = last.transpose()?.flatten() else {
                return Ok::<_, LookError>(Ok(None));
            };
            let plan = Plan {
                chain_id: self.genesis.chain_id,
                index: order.index,
                pre_root: head.state_root,
                blocks,
                connector: &connector,
                held: &held,
                path: order.path,
                next: &next,
                key: key.x_only_public_key().0,
                funding: &funding,
            };
            Ok(Proposal::new(&plan).map(Some))
        })?;
        let proposal = match made {
            Ok(Some(proposal)) => proposal,
            Ok(None) => return Ok(None),
            Err(error) => {
                tracing::warn!(%error, "no batch can be made");
                return Ok(None);
            }
        };
        let reveals: Option<Vec<_>> = proposal
            .reveal_sighashes()
            .into_iter()
            .map(|sighash| self.sign(sighash))
            .collect();
        let coins = self.sign_coins(&proposal.commit().funding_sighashes());
        let (Some(reveals), Some(coins)) = (reveals, coins) else {
            return Ok(None);
        };
        match proposal.request(&reveals) {
            Ok(request) => Ok(Some(Job {
                order: *order,
                proposal,
                request,
                coins,
            })),
            Err(error) => {
                tracing::error!(%error, "a batch cannot be signed");
                Ok(None)
            }
        }
    }

    /// A child of the transaction's change and one confirmed coin. Gives whether bitcoind has it.
    fn bump(&mut self, bump: &Bump) -> bool {
        let Some(change) = self.script() else {
            return false;
        };
        let txid = bump.transaction.compute_txid();
        let posted = &self.poster.record().posted;
        let coins = || confirmed(&self.bitcoind, &change);
        let child = match self.bumps.child(bump, &change, posted, coins) {
            Ok(Some(child)) => child,
            Ok(None) => {
                tracing::warn!(%txid, rate = %bump.rate, "no confirmed coin is left that can raise a fee: send one to the validator's script");
                return false;
            }
            Err(error) => {
                tracing::warn!(%error, %txid, "a fee is not raised yet");
                return false;
            }
        };
        let [parent, funding] = child.sighashes();
        let signatures = self
            .sign_coins(&[parent, funding])
            .and_then(|list| list.try_into().ok());
        let Some(signatures): Option<[schnorr::Signature; 2]> = signatures else {
            return false;
        };
        let sent = self.bitcoind.send(&[child.finalize(signatures)]);
        if let Err(error) = &sent {
            tracing::warn!(%error, %txid, "bitcoin did not take a bump");
        }
        sent.is_ok()
    }
}

/// Confirmed coins of a script that can be spent.
fn confirmed(bitcoind: &Bitcoind, script: &ScriptBuf) -> Result<Vec<Coin>, BitcoindError> {
    let unspent = bitcoind.unspent(script)?.into_iter();
    Ok(unspent
        .filter(|coin| !coin.immature)
        .map(|coin| Coin {
            outpoint: coin.outpoint,
            txout: coin.txout,
        })
        .collect())
}

#[cfg(test)]
mod tests;
