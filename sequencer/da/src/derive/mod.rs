//! Derivation: the layer 2 from Bitcoin's blocks alone.
//!
//! Blocks of Bitcoin come in, in order; out come batches, each the next blocks of the chain or empty. Derivation is total: every chain of
//! Bitcoin blocks has one result, and whatever was written there, by whom and why, makes a batch empty at worst. It is pure: the
//! one thing that it asks is [`Execute`], whose faults (a disk) stop derivation where it stands and never count as the
//! batch's.
//!
//! Per block of Bitcoin: its messages are kept until a layer 2 block has seen them; then, in the order of its transactions,
//! parts of the pending batch are gathered, the batch is judged when it is decided, and the next commit is looked for
//! ([`Link`]). A batch is the next blocks of the chain iff all of this holds (the first that does not names the reason):
//!
//! 1. its parts were seen before the next commit and within `origin_lag / 2` blocks, and begin with a commitment;
//! 2. the commitment has the batch's index, begins after the chain's last block, and names its state as pre-root;
//! 3. the data has the data root and is the content of as many blocks as committed;
//! 4. each block's origin lies at or after its parent's, at most `origin_lag` before the commit's height and below it;
//! 5. the state transition accepts each block;
//! 6. post-root, hash of the last header and content root are as committed, and the RLP list of the blocks has at most 32 MiB,
//!    so that a guest can read it.
//!
//! A reorganisation is [`Derivation::rewind`] to the last common height and going on from there. States of derivation are kept for
//! the last [`HISTORY`] heights; what is older does not change any more.
//!
//! What a thief tries: other people's spends, copies of inscriptions in other transactions, replayed commitments, parts
//! swapped, doubled or withheld, blocks from before or after their time, a content that is not what the roots say. None of
//! these changes the state. One validator with the fall-back can at worst waste the connector's delay.

mod batch;
mod checkpoint;
mod execute;
mod link;
mod outcome;

pub use checkpoint::CheckpointError;
pub use execute::{Draft, Execute, ExecuteError, Machine, NodeStore};
pub use link::{Link, Pending};
pub use outcome::{DerivedBatch, Empty, Outcome};

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bitcoin::hashes::Hash;
use bitcoin::{OutPoint, ScriptBuf, Transaction};
use bridge::Blocks;
use l2_block::{B256, BlockId, Genesis, Header, L1Block, L1Origin};

use crate::connector::BatchConnector;
use crate::scan::{DepositFormat, scan};

/// Bitcoin blocks after which a quorum gives up a batch whose parts do not come: the next commit spends its connector. Reveals
/// were signed before the commit, so they come within some blocks or not at all.
pub const GIVE_UP: u64 = 12;
/// Heights that derivation can rewind by, unless a batch is half seen for as long: two days, and more than `windows.confirmations` may be.
pub const HISTORY: usize = 288;
/// Of these, the newest that keep the bytes of a batch that is half seen: some megabytes each, and nobody goes back further but
/// for once in a decade. Who does begins before that batch.
pub const WHOLE: usize = 12;

/// Derivation after a Bitcoin block. Cheap to copy.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    /// The Bitcoin block.
    tip: L1Origin,
    /// Header of the last block of the last batch.
    head: Arc<Header>,
    /// Batches decided so far, and the index of the next.
    index: u64,
    link: Link,
    /// Whether it has all that was seen of a pending batch.
    whole: bool,
}

impl State {
    /// Lets go of what is large.
    fn thin(&mut self) {
        if let Link::Pending(pending) = &mut self.link {
            pending.forget();
            self.whole = false;
        }
    }
}

/// The chain as far as Bitcoin tells it.
#[derive(Clone, Debug)]
pub struct Derivation {
    chain_id: u64,
    origin_lag: u64,
    confirmations: u64,
    fallback: Blocks,
    state: State,
    /// States after the blocks before, the newest last; at most [`HISTORY`].
    before: VecDeque<State>,
    /// Bitcoin blocks that the oldest state has not seen, by height, up to the tip.
    l1: BTreeMap<u64, Arc<L1Block>>,
    /// The connector's script of the set that is active after a head.
    script: Option<(B256, Option<ScriptBuf>)>,
}

/// What a Bitcoin block brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advanced {
    /// The block's messages.
    pub l1: Arc<L1Block>,
    /// Batches that it decided, in order.
    pub batches: Vec<DerivedBatch>,
}

/// Why a Bitcoin block was not taken. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeriveError<F> {
    /// It does not follow the last one.
    #[error("expected a block on {expected:?}, got height {got} on {parent}")]
    NotNext {
        /// The last block.
        expected: L1Origin,
        /// The height given.
        got: u64,
        /// The parent that the block names.
        parent: B256,
    },
    /// Execution could not answer.
    #[error("{0}")]
    Fault(F),
}

/// The height lies outside of what derivation remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a height in {oldest}..={tip}, got {got}")]
pub struct RewindError {
    /// The oldest.
    pub oldest: u64,
    /// The newest.
    pub tip: u64,
    /// The height given.
    pub got: u64,
}

/// A genesis file that derivation cannot use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a connector fall-back of 1 to 65,535 blocks, got {got}")]
pub struct FallbackError {
    /// `windows.connector_fallback`.
    pub got: u64,
}

/// `windows.connector_fallback` as a lock.
///
/// # Errors
/// [`FallbackError`], for a genesis file that was not checked.
pub fn fallback_delay(genesis: &Genesis) -> Result<Blocks, FallbackError> {
    let got = genesis.windows.connector_fallback;
    u16::try_from(got)
        .ok()
        .and_then(Blocks::new)
        .ok_or(FallbackError { got })
}

impl Derivation {
    /// The chain at its beginning: `header` is that of block 0.
    ///
    /// # Errors
    /// [`FallbackError`].
    pub fn new(genesis: &Genesis, header: Header) -> Result<Self, FallbackError> {
        Ok(Derivation {
            chain_id: genesis.chain_id,
            origin_lag: genesis.windows.origin_lag,
            confirmations: genesis.windows.confirmations,
            fallback: fallback_delay(genesis)?,
            state: State {
                tip: genesis.origin,
                head: Arc::new(header),
                index: 0,
                link: Link::open(),
                whole: true,
            },
            before: VecDeque::new(),
            l1: BTreeMap::new(),
            script: None,
        })
    }

    /// The last Bitcoin block taken.
    #[must_use]
    pub fn tip(&self) -> L1Origin {
        self.state.tip
    }

    /// The Bitcoin block at a height that derivation remembers, for finding where two chains part.
    #[must_use]
    pub fn at(&self, height: u64) -> Option<L1Origin> {
        let states = self.before.iter().chain([&self.state]);
        states.map(|state| state.tip).find(|tip| tip.height == height)
    }

    /// Header of the last block in a batch: what is before it is `safe`.
    #[must_use]
    pub fn safe(&self) -> &Header {
        &self.state.head
    }

    /// The last block in a batch that was decided `windows.confirmations` deep, the block that decided it counted.
    #[must_use]
    pub fn finalized(&self) -> BlockId {
        let deep = (self.state.tip.height + 1).saturating_sub(self.confirmations);
        let states = self.before.iter().chain([&self.state]);
        // The oldest state is older than any that is asked for, or is the chain's beginning.
        let buried = states.take_while(|state| state.tip.height <= deep).last();
        let head = &buried.or(self.before.front()).unwrap_or(&self.state).head;
        BlockId {
            number: head.number,
            hash: head.hash(),
        }
    }

    /// Index of the next batch to be decided.
    #[must_use]
    pub fn next_index(&self) -> u64 {
        self.state.index
    }

    /// Where the chain of connectors stands.
    #[must_use]
    pub fn link(&self) -> &Link {
        &self.state.link
    }

    /// Index of the batch whose commit may spend `outpoint` in the next block, as an honest validator sees it: the connector; one
    /// of those that an open chain has; that of a batch which is given up after [`GIVE_UP`] blocks. That batch is empty then, so
    /// the next one begins at [`Self::safe`] too.
    #[must_use]
    pub fn place_of(&self, outpoint: &OutPoint) -> Option<u64> {
        self.state
            .link
            .place_of(outpoint, self.state.index, self.state.tip.height)
    }

    /// Messages of the Bitcoin blocks after `height` that no batch has seen, up to the tip.
    pub fn l1_after(&self, height: u64) -> impl Iterator<Item = &Arc<L1Block>> {
        self.l1.range(height.saturating_add(1)..).map(|(_, block)| block)
    }

    /// Takes the next Bitcoin block. `time` is its median time past.
    ///
    /// # Errors
    /// [`DeriveError`]; derivation is as before then, and the block can be given again.
    pub fn advance<E: Execute>(
        &mut self,
        block: &bitcoin::Block,
        height: u64,
        time: u64,
        format: &impl DepositFormat,
        execute: &mut E,
    ) -> Result<Advanced, DeriveError<E::Fault>> {
        let tip = self.state.tip;
        let parent = B256::new(block.header.prev_blockhash.to_byte_array());
        if parent != tip.hash || tip.height.checked_add(1) != Some(height) {
            return Err(DeriveError::NotNext {
                expected: tip,
                got: height,
                parent,
            });
        }
        let l1 = Arc::new(scan(block, height, time, format));
        let mut state = self.state.clone();
        state.tip = l1.origin;
        let mut batches = Vec::new();
        self.walk(&mut state, block, height, execute, &mut batches)
            .map_err(DeriveError::Fault)?;
        self.l1.insert(height, Arc::clone(&l1));
        let before = core::mem::replace(&mut self.state, state);
        self.before.push_back(before);
        if self.before.len() > HISTORY {
            self.before.pop_front();
        }
        let old = self.before.len().checked_sub(WHOLE + 1);
        if let Some(state) = old.and_then(|old| self.before.get_mut(old)) {
            state.thin();
        }
        if let Some(oldest) = self.before.front() {
            let seen = oldest.head.origin.height;
            self.l1 = self.l1.split_off(&(seen.saturating_add(1)));
        }
        Ok(Advanced { l1, batches })
    }

    fn walk<E: Execute>(
        &mut self,
        state: &mut State,
        block: &bitcoin::Block,
        height: u64,
        execute: &mut E,
        batches: &mut Vec<DerivedBatch>,
    ) -> Result<(), E::Fault> {
        if let Link::Pending(pending) = &state.link
            && height > pending.height.saturating_add(self.origin_lag / 2)
        {
            let pending = pending.clone();
            batches.push(self.decide(state, &pending, execute)?);
        }
        for transaction in &block.txdata {
            self.transaction(state, transaction, height, execute, batches)?;
        }
        Ok(())
    }

    fn transaction<E: Execute>(
        &mut self,
        state: &mut State,
        transaction: &Transaction,
        height: u64,
        execute: &mut E,
        batches: &mut Vec<DerivedBatch>,
    ) -> Result<(), E::Fault> {
        if let Link::Pending(pending) = &mut state.link {
            let ends = pending.note(transaction);
            if ends || pending.complete() {
                let pending = pending.clone();
                batches.push(self.decide(state, &pending, execute)?);
            }
        }
        let script = match &state.link {
            Link::Open { .. } => self.connector_script(&state.head, execute)?,
            _ => None,
        };
        state.link.commit(transaction, height, script.as_ref());
        Ok(())
    }

    /// Judges the pending batch, and says where the chain of connectors stands after it.
    fn decide<E: Execute>(
        &mut self,
        state: &mut State,
        pending: &Pending,
        execute: &mut E,
    ) -> Result<DerivedBatch, E::Fault> {
        let context = batch::Context {
            index: state.index,
            height: pending.height,
            head: &state.head,
            l1: &self.l1,
            chain_id: self.chain_id,
            origin_lag: self.origin_lag,
        };
        let outcome = batch::judge(&context, pending.gathered(), execute)?;
        if let Outcome::Blocks { blocks, .. } = &outcome
            && let Some(last) = blocks.last()
        {
            state.head = Arc::new(last.header.clone());
        }
        let script = self.connector_script(&state.head, execute)?;
        state.link = pending.after(script.as_ref());
        let index = state.index;
        state.index += 1;
        Ok(DerivedBatch {
            index,
            commit: pending.commit,
            height: pending.height,
            outcome,
        })
    }

    /// The script of the connector of the set that is active after `head`; none if there is no such set.
    fn connector_script<E: Execute>(
        &mut self,
        head: &Header,
        execute: &mut E,
    ) -> Result<Option<ScriptBuf>, E::Fault> {
        let hash = head.hash();
        if let Some((of, script)) = &self.script
            && *of == hash
        {
            return Ok(script.clone());
        }
        let keys = execute.validators(head)?;
        let connector = BatchConnector::new(&keys, self.fallback).ok();
        let script = connector.map(|connector| connector.script_pubkey());
        self.script = Some((hash, script.clone()));
        Ok(script)
    }

    /// Goes back to the state after the Bitcoin block at `height`, or, more than [`WHOLE`] blocks deep, after an earlier one, if a
    /// batch was half seen then: [`Self::tip`] says where.
    ///
    /// # Errors
    /// [`RewindError`] if derivation does not remember it; nothing changes then.
    pub fn rewind(&mut self, height: u64) -> Result<(), RewindError> {
        let tip = self.state.tip.height;
        let oldest = self.before.iter().find(|state| state.whole);
        let oldest = oldest.map_or(tip, |state| state.tip.height);
        if !(oldest..=tip).contains(&height) {
            let got = height;
            return Err(RewindError { oldest, tip, got });
        }
        while self.state.tip.height > height || !self.state.whole {
            match self.before.pop_back() {
                Some(state) => self.state = state,
                None => break,
            }
        }
        self.l1.split_off(&self.state.tip.height.saturating_add(1));
        Ok(())
    }
}
