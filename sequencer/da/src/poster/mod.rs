//! The poster: a state machine that gets batches onto Bitcoin and keeps them there.
//!
//! ```text
//!           my turn                job made             quorum signed
//!   Idle ───────────► Proposing ───────────► Collecting ─────────────► posted: sent, resent, bumped, buried
//!    ▲                    │ no job               │ the place is taken      (a list beside the stage)
//!    └────────────────────┴──────────────────────┘
//! ```
//!
//! Pure: events in ([`Poster::tick`] with what the caller sees, jobs, signatures), [`Effect`]s out, in the order in which they are to be
//! carried out: what must survive a crash is persisted before it is sent. Nothing else has to: after a restart the [`Record`]
//! says which transactions are ours, Bitcoin says what became of them, and a lost collection of signatures is begun anew, which
//! harms nobody.
//!
//! **Whose turn.** The designated poster of batch i is validator i mod n. It may post `every` blocks after the batch before
//! was decided; if it is late, the next in order takes over after `takeover` blocks, and so on. Two posters at once do no
//! harm: their commits spend one connector, Bitcoin takes one, the other's coins stay its own.
//!
//! **Giving up.** A batch whose parts do not come within [`GIVE_UP`](crate::derive::GIVE_UP) blocks is given up in the same turns: the next commit spends
//! its connector, which makes it empty.
//!
//! **Fall-back.** A quorum that does not sign leaves the connector; once it is as old as `fallback`, the poster whose turn it is
//! spends it alone.
//!
//! **Reorganisations and evictions.** A posted batch is kept until it is buried; as long as its place is free or its own, what is not
//! in the mempool or a block is sent again. A validator keeps the reveals of batches it signed in the same way, without the
//! commit, so that no poster can withhold data that a quorum has seen.
//!
//! **Fees.** What waits longer than `patience` and pays less than the estimate is bumped by a child of the poster's change, up to
//! `cap`. How is up to a [`TransactionSender`].

mod record;
mod sender;

pub use record::{Posted, Record, RecordError};
pub use sender::{Bump, TransactionSender, child_pays};

use std::collections::BTreeMap;

use bitcoin::secp256k1::schnorr;
use bitcoin::{OutPoint, Transaction, Txid};
use bridge::SatPerVbyte;
use bridge::weight::MAX_MESSAGE_VBYTES;

use crate::connector::Path;
use crate::derive::{Link, Pending};
use crate::proposal::{Proposal, SigningRequest};
use crate::signing::reveal_key;

/// Numbers of a poster, in Bitcoin blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// From the batch before to the next.
    pub every: u64,
    /// After which the next poster takes over.
    pub takeover: u64,
    /// Most layer 2 blocks of a batch.
    pub max_blocks: u64,
    /// `windows.connector_fallback`.
    pub fallback: u64,
    /// `windows.confirmations`: when a batch is buried.
    pub confirmations: u64,
    /// How long a transaction may wait before it is bumped.
    pub patience: u64,
    /// Highest fee rate.
    pub cap: SatPerVbyte,
}

/// Where a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// In the mempool.
    Mempool,
    /// In the block at this height of the active chain.
    Confirmed(u64),
}

/// What the caller sees.
#[derive(Clone, Debug)]
pub struct View {
    /// Bitcoin's height.
    pub height: u64,
    /// [`crate::derive::Derivation::next_index`].
    pub index: u64,
    /// [`crate::derive::Derivation::link`].
    pub link: Link,
    /// Height since which the chain of connectors is open, where it is; the chain's first block at its beginning.
    pub open_since: u64,
    /// Number of the last block in a batch.
    pub safe: u64,
    /// Number of the last block that the validators agreed on.
    pub agreed: u64,
    /// Own place in the active set, if there.
    pub seat: Option<usize>,
    /// Size of the active set.
    pub seats: usize,
    /// What a transaction ought to pay now.
    pub rate: SatPerVbyte,
    /// Where the transactions of [`Poster::watched`] are; what is missing is in neither mempool nor chain.
    pub transactions: BTreeMap<Txid, Standing>,
}

/// What is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Index of the batch.
    pub index: u64,
    /// Its first block.
    pub first: u64,
    /// Its last block; fewer do if these are too much data for one batch.
    pub last: u64,
    /// The connector.
    pub connector: OutPoint,
    /// How it is spent.
    pub path: Path,
    /// What its transactions pay.
    pub rate: SatPerVbyte,
}

/// A batch ready for validators: what an [`Order`] asks for.
#[derive(Clone, Debug)]
pub struct Job {
    /// The order.
    pub order: Order,
    /// The batch.
    pub proposal: Proposal,
    /// With signed reveals.
    pub request: SigningRequest,
    /// The poster's signatures for its coins.
    pub coins: Vec<schnorr::Signature>,
}

impl Job {
    fn ask(&self) -> Effect {
        match self.order.path {
            Path::Quorum => Effect::Ask(Box::new(self.request.clone())),
            Path::Fallback => Effect::SignAlone {
                commit: self.request.commit.compute_txid(),
                sighash: self.proposal.commit().connector_sighash(),
            },
        }
    }
}

/// What the caller is to do, in order.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Make a connector ([`crate::transactions::Open`]) and send it: none is there to spend.
    OpenConnector,
    /// Make a job, and answer with [`Poster::proposed`] or [`Poster::not_proposed`].
    Propose(Order),
    /// Ask all validators, this one included, for their signatures; answers come to [`Poster::signature`].
    Ask(Box<SigningRequest>),
    /// Sign a commit that spends the connector's fall-back leaf, alone; the answer comes to [`Poster::signature`].
    SignAlone {
        /// Id of the commit.
        commit: Txid,
        /// What is signed.
        sighash: [u8; 32],
    },
    /// Write the record to disk, replacing the one before, before anything after this.
    Persist(Record),
    /// Send transactions, parents first. That they are known already, or their place is taken, is no fault.
    Send(Vec<Transaction>),
    /// Raise a transaction's fee; if that does not come about, answer with [`Poster::not_bumped`].
    Bump(Bump),
}

#[derive(Debug)]
enum Stage {
    Idle,
    /// A connector was made at this height.
    Opening(u64),
    Proposing(Order),
    Collecting {
        job: Box<Job>,
        signatures: BTreeMap<usize, schnorr::Signature>,
        asked: u64,
    },
}

/// The state machine.
#[derive(Debug)]
pub struct Poster {
    terms: Terms,
    stage: Stage,
    record: Record,
    height: u64,
    /// Per transaction: height since which it waits in the mempool, and the rate it was raised to.
    waiting: BTreeMap<Txid, (u64, SatPerVbyte)>,
}

impl Terms {
    /// Bitcoin's height from which the validator in `seat` of `seats` may post the batch of this index, whose place is free since
    /// `since`.
    #[must_use]
    pub fn due(&self, since: u64, index: u64, seat: usize, seats: usize) -> u64 {
        let seats = seats.max(1) as u64;
        let rank = (seat as u64 % seats + seats - index % seats) % seats;
        since
            .saturating_add(self.every)
            .saturating_add(rank.saturating_mul(self.takeover))
    }
}

/// Requests of one poster for one batch that a validator signs: a poster that lost its request in a restart makes another.
const MOST_SIGNED: usize = 4;

impl Poster {
    /// A poster that goes on from `record`, which is empty at first.
    #[must_use]
    pub fn new(terms: Terms, record: Record) -> Self {
        Poster {
            terms,
            stage: Stage::Idle,
            record,
            height: 0,
            waiting: BTreeMap::new(),
        }
    }

    /// Transactions whose standing [`View::transactions`] is to say.
    pub fn watched(&self) -> impl Iterator<Item = Txid> {
        self.record.posted.iter().flat_map(Posted::txids)
    }

    /// What must survive a crash.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Takes a look, after each Bitcoin block and in between.
    pub fn tick(&mut self, view: &View) -> Vec<Effect> {
        self.height = view.height;
        let mut effects = Vec::new();
        self.forget_buried(view, &mut effects);
        self.resend(view, &mut effects);
        self.bump(view, &mut effects);
        self.post(view, &mut effects);
        effects
    }

    /// The job that was ordered. Another one is ignored.
    pub fn proposed(&mut self, job: Job) -> Vec<Effect> {
        match &self.stage {
            Stage::Proposing(order) if *order == job.order => {}
            _ => return Vec::new(),
        }
        let ask = job.ask();
        self.stage = Stage::Collecting {
            job: Box::new(job),
            signatures: BTreeMap::new(),
            asked: self.height,
        };
        vec![ask]
    }

    /// There is no job for the order: no coins, no blocks. It is ordered again at the next look.
    pub fn not_proposed(&mut self, order: &Order) {
        if matches!(&self.stage, Stage::Proposing(current) if current == order) {
            self.stage = Stage::Idle;
        }
    }

    /// A bump did not go out: there was no coin, or bitcoind did not take it. It is asked for again when its transaction has waited
    /// as long once more.
    pub fn not_bumped(&mut self, bump: &Bump) {
        let txid = bump.transaction.compute_txid();
        let mut posted = self.record.posted.iter();
        let its = posted.find(|posted| posted.txids().any(|other| other == txid));
        if let (Some((_, paid)), Some(posted)) = (self.waiting.get_mut(&txid), its) {
            *paid = posted.rate;
        }
    }

    /// A validator's signature over the commit with id `commit`. One that does not verify is ignored: whoever sent it gains nothing.
    pub fn signature(
        &mut self,
        commit: Txid,
        validator: usize,
        signature: schnorr::Signature,
    ) -> Vec<Effect> {
        let Stage::Collecting { job, signatures, .. } = &mut self.stage else {
            return Vec::new();
        };
        if job.request.commit.compute_txid() != commit
            || job.proposal.commit().verify(validator, &signature).is_err()
        {
            return Vec::new();
        }
        signatures.insert(validator, signature);
        let given = signatures
            .iter()
            .map(|(validator, signature)| (*validator, signature));
        let Ok(transaction) = job.proposal.commit().finalize(given, &job.coins) else {
            // Too few yet.
            return Vec::new();
        };
        let posted = Posted {
            index: job.order.index,
            at: self.height,
            commit,
            signed: Some(transaction),
            reveals: job.request.reveals.clone(),
            change: job.proposal.commit().change() as u32,
            rate: job.order.rate,
        };
        let package = posted.package(true, true, |_| false);
        self.stage = Stage::Idle;
        self.record.posted.push(posted);
        vec![Effect::Persist(self.record.clone()), Effect::Send(package)]
    }

    /// The numbers it goes by.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Whether this validator has signed as many requests of a poster for a batch of this index as it ever does, and not this
    /// one: each is kept on disk until the batch is decided.
    #[must_use]
    pub fn has_signed_enough(&self, index: u64, request: &SigningRequest) -> bool {
        let key = |reveals: &[Transaction]| reveals.first().and_then(|reveal| reveal_key(reveal).ok());
        let commit = request.commit.compute_txid();
        let mut its = self
            .record
            .posted
            .iter()
            .filter(|posted| posted.index == index && key(&posted.reveals) == key(&request.reveals));
        its.clone().count() >= MOST_SIGNED && !its.any(|posted| posted.commit == commit)
    }

    /// This validator signed a request of another poster, for a batch of this index ([`crate::signing::Checked::commitment`]): it
    /// keeps the reveals and publishes them if the poster does not.
    pub fn signed(&mut self, index: u64, request: &SigningRequest) -> Vec<Effect> {
        let commit = request.commit.compute_txid();
        if self.record.posted.iter().any(|posted| posted.commit == commit) {
            return Vec::new();
        }
        self.record.posted.push(Posted {
            index,
            at: self.height,
            commit,
            signed: None,
            reveals: request.reveals.clone(),
            change: 0,
            rate: SatPerVbyte::MIN,
        });
        vec![Effect::Persist(self.record.clone())]
    }

    /// A batch is kept until all of it is `confirmations` deep, or lost: decided without it.
    fn forget_buried(&mut self, view: &View, effects: &mut Vec<Effect>) {
        let count = self.record.posted.len();
        let confirmations = self.terms.confirmations;
        self.record.posted.retain(|posted| {
            let deep = |since: u64| since.saturating_add(confirmations) <= view.height.saturating_add(1);
            // Where it is cannot change any more; what is nowhere after the batch was decided is of no use.
            let settled = |txid| match view.transactions.get(&txid) {
                Some(Standing::Confirmed(at)) => deep(*at),
                Some(Standing::Mempool) => false,
                None => view.index > posted.index && deep(posted.at),
            };
            !posted.txids().all(settled)
        });
        if self.record.posted.len() != count {
            let watched: Vec<Txid> = self.watched().collect();
            self.waiting.retain(|txid, _| watched.contains(txid));
            effects.push(Effect::Persist(self.record.clone()));
        }
    }

    fn resend(&self, view: &View, effects: &mut Vec<Effect>) {
        for posted in &self.record.posted {
            let standing = |txid: &Txid| view.transactions.get(txid);
            let commit = standing(&posted.commit);
            // While the place is taken by another batch there is nothing to send.
            let sends_commit = commit.is_none() && posted.fits(view);
            let confirmed = matches!(commit, Some(Standing::Confirmed(_)));
            let decided = view.index > posted.index;
            if decided || commit.is_none() && !sends_commit {
                continue;
            }
            // Who only signed leaves the poster some time.
            if posted.signed.is_none() {
                let late = match commit {
                    Some(Standing::Confirmed(at)) => at.saturating_add(self.terms.patience) <= view.height,
                    _ => false,
                };
                if !late {
                    continue;
                }
            }
            let package = posted.package(sends_commit, !confirmed, |txid| standing(txid).is_some());
            if !package.is_empty() {
                effects.push(Effect::Send(package));
            }
        }
    }

    fn bump(&mut self, view: &View, effects: &mut Vec<Effect>) {
        let rate = view.rate.min(self.terms.cap);
        for posted in self.record.posted.iter().filter(|posted| posted.signed.is_some()) {
            for (transaction, handle) in posted.handles() {
                let txid = transaction.compute_txid();
                if view.transactions.get(&txid) != Some(&Standing::Mempool) {
                    self.waiting.remove(&txid);
                    continue;
                }
                let (since, paid) = self.waiting.entry(txid).or_insert((view.height, posted.rate));
                if since.saturating_add(self.terms.patience) <= view.height && *paid < rate {
                    (*since, *paid) = (view.height, rate);
                    effects.push(Effect::Bump(Bump {
                        transaction: transaction.clone(),
                        handle,
                        paid: posted.rate.fee(transaction.weight()),
                        rate,
                    }));
                }
            }
        }
    }

    fn post(&mut self, view: &View, effects: &mut Vec<Effect>) {
        let order = self.order(view);
        match (&mut self.stage, order) {
            // The place is taken, or not ours any more.
            (stage, None) => *stage = Stage::Idle,
            // One is on its way, unless it was lost.
            (Stage::Opening(at), Some(Wanted::Connector))
                if view.height < at.saturating_add(self.terms.takeover) => {}
            (stage, Some(Wanted::Connector)) => {
                *stage = Stage::Opening(view.height);
                effects.push(Effect::OpenConnector);
            }
            (Stage::Proposing(current), Some(Wanted::Batch(order))) if current.same_place(&order) => {}
            (Stage::Collecting { job, asked, .. }, Some(Wanted::Batch(order)))
                if job.order.same_place(&order) =>
            {
                if *asked < view.height {
                    *asked = view.height;
                    effects.push(job.ask());
                }
            }
            (stage, Some(Wanted::Batch(order))) => {
                *stage = Stage::Proposing(order);
                effects.push(Effect::Propose(order));
            }
        }
    }

    /// What is to be posted now, if anything and by this poster.
    fn order(&self, view: &View) -> Option<Wanted> {
        let seat = view.seat?;
        if view.agreed <= view.safe || self.record.posted.iter().any(|posted| posted.fits(view)) {
            return None;
        }
        // Where the next batch goes, and since when that is so.
        let since = view.link.free_since(view.open_since);
        let (index, connector) = match &view.link {
            // It is given up: empty, so the next one begins where it did.
            Link::Pending(pending) => (view.index.checked_add(1)?, Some(pending.connector())),
            Link::Held { outpoint, .. } => (view.index, Some(*outpoint)),
            Link::Open { held } => (view.index, held.first().copied()),
        };
        if view.height < self.terms.due(since, index, seat, view.seats) {
            return None;
        }
        let Some(connector) = connector else {
            return Some(Wanted::Connector);
        };
        let alone = match &view.link {
            Link::Held { height, .. } | Link::Pending(Pending { height, .. }) => {
                view.height >= height.saturating_add(self.terms.fallback)
            }
            // Whoever made it may have made it at any time.
            Link::Open { .. } => false,
        };
        Some(Wanted::Batch(Order {
            index,
            first: view.safe.saturating_add(1),
            last: view
                .agreed
                .min(view.safe.saturating_add(self.terms.max_blocks.max(1))),
            connector,
            path: if alone { Path::Fallback } else { Path::Quorum },
            rate: view.rate.min(self.terms.cap),
        }))
    }
}

enum Wanted {
    Connector,
    Batch(Order),
}

impl Order {
    /// Whether two orders are for one place: newer blocks and rates are no reason to begin anew.
    fn same_place(&self, other: &Order) -> bool {
        (self.index, self.first, self.connector, self.path)
            == (other.index, other.first, other.connector, other.path)
    }
}

/// Most virtual bytes that are sent while the commit is unconfirmed: the rest of a cluster is for a bump child.
const CLUSTER: u64 = MAX_MESSAGE_VBYTES;
