//! A node that trusts nobody: it rebuilds the layer 2 from Bitcoin's blocks alone, executing every batch.
//!
//! The store is the derived chain: a batch's blocks are committed as they are executed, taken back if the batch turns out
//! to be empty, and taken back when Bitcoin is reorganised.

use std::sync::Arc;

use l2_block::{B256, Block, Genesis, Header, L1Block, L1Origin};
use l2_da::derive::{Advanced, Derivation, DeriveError, Draft, Execute, ExecuteError, Outcome};
use l2_da::scan::TaggedDeposits;
use l2_state::StateError;
use l2_stf::Template;
use l2_store::{CommittedBlock, Label, Store, StoreError};

use crate::batches::BatchRecord;
use crate::bitcoind::{Bitcoind, BitcoindError, hash_bytes};
use crate::chain::{Chain, ChainError, L1Blocks};

/// Why rebuilding stops.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// bitcoind cannot be asked.
    #[error(transparent)]
    Bitcoind(#[from] BitcoindError),
    /// The database or the state tree failed.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The genesis file cannot be used.
    #[error("genesis file: {0}")]
    Genesis(String),
    /// Bitcoin went back further than derivation remembers.
    #[error(
        "bitcoin was reorganised below height {oldest}, deeper than this node follows: start again with an empty data folder"
    )]
    TooDeep {
        /// The oldest height it remembers.
        oldest: u64,
    },
    /// The folder holds blocks that were not derived from this Bitcoin chain.
    #[error(
        "the data folder's head, block {head}, is not the derived chain: start with an empty data folder"
    )]
    NotDerived {
        /// Its head.
        head: u64,
    },
}

impl From<StoreError> for RebuildError {
    fn from(error: StoreError) -> Self {
        Self::Chain(error.into())
    }
}

/// Derivation brings the Bitcoin blocks itself.
#[derive(Debug)]
pub(crate) struct Derived;

impl L1Blocks for Derived {
    fn between(&self, _after: &L1Origin, _until: &L1Origin) -> Option<Vec<L1Block>> {
        None
    }

    fn newest(&self) -> Option<L1Origin> {
        None
    }

    /// Derivation decides what is in the chain; nothing is proposed.
    fn is_buried(&self, _height: u64) -> bool {
        true
    }
}

/// Rebuilds the chain.
pub struct Rebuild {
    chain: Arc<Chain>,
    derivation: Derivation,
    format: TaggedDeposits,
    execute: StoreMachine,
}

impl std::fmt::Debug for Rebuild {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rebuild")
            .field("tip", &self.derivation.tip())
            .finish_non_exhaustive()
    }
}

/// What one look brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bitcoin's height as derived.
    pub height: u64,
    /// Bitcoin's height.
    pub of: u64,
    /// Batches decided.
    pub batches: u64,
    /// Number of the newest block.
    pub head: u64,
}

impl Rebuild {
    /// Begins at block 0: the store is taken back to it, since derivation itself is not kept on disk.
    ///
    /// # Errors
    /// If the genesis file or the database is no good.
    pub fn new(store: Arc<Store>, genesis: &Genesis) -> Result<Self, RebuildError> {
        let (header, _) = l2_stf::genesis(genesis);
        let derivation =
            Derivation::new(genesis, header).map_err(|error| RebuildError::Genesis(error.to_string()))?;
        let format = TaggedDeposits::new(genesis.bridge_key)
            .map_err(|error| RebuildError::Genesis(error.to_string()))?;
        let chain = Arc::new(Chain::new(store, genesis, Arc::new(Derived))?);
        let head = chain.head().number;
        if head > 0 {
            chain.rewind(0).map_err(|_| RebuildError::NotDerived { head })?;
        }
        Ok(Self {
            execute: StoreMachine {
                chain: Arc::clone(&chain),
            },
            chain,
            derivation,
            format,
        })
    }

    /// The derived chain.
    #[must_use]
    pub fn chain(&self) -> &Arc<Chain> {
        &self.chain
    }

    /// Takes Bitcoin's next block, or goes back. `None` when there is nothing new.
    ///
    /// # Errors
    /// What ends it.
    pub fn step(&mut self, bitcoind: &Bitcoind) -> Result<Option<Progress>, RebuildError> {
        let tip = self.derivation.tip();
        if bitcoind.hash_at(tip.height)?.map(|hash| hash_bytes(&hash)) != Some(tip.hash) {
            self.go_back(bitcoind)?;
        }
        let Some(block) = bitcoind.block_at(self.derivation.tip().height + 1)? else {
            return Ok(None);
        };
        let advanced = self.derivation.advance(
            &block.block,
            block.height,
            block.median_time,
            &self.format,
            &mut self.execute,
        );
        match advanced {
            Ok(advanced) => self.derived(&advanced)?,
            // Reorganised between two calls: the next step goes back.
            Err(DeriveError::NotNext { .. }) => return Ok(None),
            Err(DeriveError::Fault(error)) => return Err(error.into()),
        }
        Ok(Some(Progress {
            height: self.derivation.tip().height,
            of: bitcoind.height()?,
            batches: self.derivation.next_index(),
            head: self.chain.head().number,
        }))
    }

    fn go_back(&mut self, bitcoind: &Bitcoind) -> Result<(), RebuildError> {
        let mut height = self.derivation.tip().height;
        loop {
            let Some(known) = self.derivation.at(height) else {
                return Err(RebuildError::TooDeep { oldest: height + 1 });
            };
            if bitcoind.hash_at(height)?.map(|hash| hash_bytes(&hash)) == Some(known.hash) {
                break;
            }
            height = height.checked_sub(1).ok_or(RebuildError::TooDeep { oldest: 0 })?;
        }
        tracing::warn!(to = height, "bitcoin was reorganised");
        self.derivation
            .rewind(height)
            .map_err(|error| RebuildError::TooDeep { oldest: error.oldest })?;
        self.settle()
    }

    /// The store's head is the derivation's.
    fn settle(&self) -> Result<(), RebuildError> {
        let safe = self.derivation.safe().number;
        if self.chain.head().number > safe {
            self.chain.rewind(safe)?;
        }
        self.chain.store().set_label(Label::Safe, safe)?;
        self.chain
            .store()
            .set_label(Label::Finalized, self.derivation.finalized().number)?;
        Ok(())
    }

    fn derived(&self, advanced: &Advanced) -> Result<(), RebuildError> {
        self.settle()?;
        for batch in &advanced.batches {
            if let Outcome::Empty(reason) = &batch.outcome {
                tracing::warn!(index = batch.index, commit = %batch.commit, %reason, "a batch is empty");
            }
            let record = BatchRecord::of(batch);
            self.chain
                .store()
                .set_batch(batch.index, &alloy_rlp::encode(&record))?;
        }
        Ok(())
    }
}

/// Execution over the store, block by block.
struct StoreMachine {
    chain: Arc<Chain>,
}

impl StoreMachine {
    fn fault(error: impl Into<ChainError>) -> ExecuteError<ChainError> {
        ExecuteError::Fault(error.into())
    }

    /// The store's head is `parent`: what an empty batch left is taken back.
    fn stand_on(&self, parent: &Header) -> Result<(), ChainError> {
        let head = self.chain.head();
        if *head == *parent {
            return Ok(());
        }
        if head.number > parent.number {
            self.chain.rewind(parent.number)?;
        }
        let head = self.chain.head();
        if *head == *parent {
            Ok(())
        } else {
            Err(ChainError::Store(StoreError::NotNext {
                got: parent.number + 1,
                got_parent: parent.hash(),
                head: head.number,
                head_hash: head.hash(),
            }))
        }
    }
}

impl Execute for StoreMachine {
    type Fault = ChainError;

    fn execute(
        &mut self,
        parent: &Header,
        draft: Draft,
        l1: &[L1Block],
    ) -> Result<Block, ExecuteError<ChainError>> {
        let invalid = |reason: String| Err(ExecuteError::Invalid(reason));
        self.stand_on(parent).map_err(Self::fault)?;
        let validators = self.chain.validators().map_err(Self::fault)?;
        let turn = u128::from(parent.number) + 1 + u128::from(draft.round);
        let Some(proposer) = turn
            .checked_rem(validators.len() as u128)
            .and_then(|turn| validators.get(turn as usize))
        else {
            return invalid("expected an active validator, got none".to_owned());
        };
        let template = Template {
            timestamp_ms: draft.timestamp_ms,
            origin: draft.origin,
            round: draft.round,
            proposer: proposer.address,
            data_fee: draft.data_fee,
            forced: draft.forced,
            max_bytes: usize::MAX,
        };
        let count = draft.transactions.len();
        let store = self.chain.store();
        let state = store.latest_state();
        let candidates = draft.transactions.into_iter().map(|bytes| (bytes, None));
        let built = match l2_stf::build(self.chain.spec(), &state, parent, &template, l1, candidates) {
            Ok(built) => built,
            Err(l2_stf::ExecuteError::Invalid(reason)) => return invalid(reason.to_string()),
            Err(l2_stf::ExecuteError::State(error)) => return Err(Self::fault(error)),
        };
        if let Some((index, reason)) = built.refused.first() {
            return invalid(format!("transaction {index}: {reason}"));
        }
        let got = built.block.transactions.len();
        if got != count {
            return invalid(format!("expected room for {count} transactions, got {got}"));
        }
        let expected = built.block.header.forced;
        if expected != draft.forced {
            return invalid(format!(
                "expected {expected} forced transactions, got {}",
                draft.forced
            ));
        }
        let update = l2_stf::apply(&store, &parent.state_root, &built.executed.changes)
            .map_err(|error: StateError| Self::fault(error))?;
        let (block, executed) = built.seal(update.root);
        store
            .commit(&CommittedBlock {
                block: &block,
                certificate: &[],
                receipts: &executed.receipts,
                outcomes: &executed.transactions,
                changes: &executed.changes,
                update: &update,
                l1,
            })
            .map_err(Self::fault)?;
        self.chain.moved().map_err(Self::fault)?;
        Ok(block)
    }

    fn validators(&mut self, head: &Header) -> Result<Vec<B256>, ChainError> {
        let state = self.chain.store().state_at(head.number)?;
        let validators = l2_stf::active_validators(&state)?;
        Ok(validators.into_iter().map(|validator| validator.key).collect())
    }
}
