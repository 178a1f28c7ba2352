//! Who executes: derivation's one question to the state transition, and its answer by `l2-stf`.

use std::collections::BTreeMap;

use l2_block::{B256, Block, Bytes, Header, L1Block, L1Origin};
use l2_state::{MissingNode, NodeSource, StateError};
use l2_stf::{Spec, Template, TreeView};

/// A block as a batch gives it: what its proposer chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Time in milliseconds.
    pub timestamp_ms: u64,
    /// Newest Bitcoin block that it sees.
    pub origin: L1Origin,
    /// Round of consensus.
    pub round: u32,
    /// Wei a byte.
    pub data_fee: u64,
    /// Forced transactions that it takes.
    pub forced: u32,
    /// Its transactions.
    pub transactions: Vec<Bytes>,
}

/// Why there is no block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecuteError<F> {
    /// No valid block is like this: every node says so.
    #[error("{0}")]
    Invalid(String),
    /// It could not be executed here and now, which says nothing about the block.
    #[error("{0}")]
    Fault(F),
}

/// The state transition, as derivation uses it.
///
/// States are named by headers: after [`Self::execute`] the state after the new block is there to execute on, and so are
/// those of all blocks since the oldest height that derivation can rewind to.
pub trait Execute {
    /// Why it cannot answer: a database, a missing node. Never a fault of a block.
    type Fault;

    /// Makes the one block that is like `draft`: the whole header, as its proposer had it. `l1` are the Bitcoin blocks after the
    /// parent's origin up to the draft's.
    ///
    /// # Errors
    /// [`ExecuteError`]. The two kinds must not be mixed up: a fault taken for an invalid block makes this node alone see an
    /// empty batch.
    fn execute(
        &mut self,
        parent: &Header,
        draft: Draft,
        l1: &[L1Block],
    ) -> Result<Block, ExecuteError<Self::Fault>>;

    /// Keys of the validators that are active after `head`, in order: they spend the next connector.
    ///
    /// # Errors
    /// If the state could not be read.
    fn validators(&mut self, head: &Header) -> Result<Vec<B256>, Self::Fault>;
}

/// A store of state nodes by digest.
pub trait NodeStore: NodeSource {
    /// Adds nodes. What is there already stays; a digest has one node.
    ///
    /// # Errors
    /// If they could not be written.
    fn insert(&mut self, nodes: Vec<(B256, [u8; 64])>) -> Result<(), MissingNode>;
}

impl NodeStore for BTreeMap<B256, [u8; 64]> {
    fn insert(&mut self, nodes: Vec<(B256, [u8; 64])>) -> Result<(), MissingNode> {
        self.extend(nodes);
        Ok(())
    }
}

/// `l2-stf` over a store of nodes.
#[derive(Clone, Debug)]
pub struct Machine<S> {
    spec: Spec,
    store: S,
}

impl<S: NodeStore> Machine<S> {
    /// Executes blocks of the chain with these numbers; `store` has the nodes of its state so far.
    pub fn new(spec: Spec, store: S) -> Self {
        Machine { spec, store }
    }

    /// The nodes.
    pub fn store(&self) -> &S {
        &self.store
    }
}

impl<S: NodeStore> Execute for Machine<S> {
    type Fault = StateError;

    fn execute(
        &mut self,
        parent: &Header,
        draft: Draft,
        l1: &[L1Block],
    ) -> Result<Block, ExecuteError<StateError>> {
        let invalid = |reason: String| Err(ExecuteError::Invalid(reason));
        let view = TreeView {
            source: &self.store,
            root: parent.state_root,
        };
        let active = l2_stf::active_validators(&view).map_err(ExecuteError::Fault)?;
        let count = active.len() as u128;
        let turn = u128::from(parent.number) + 1 + u128::from(draft.round);
        // No validators, no remainder.
        let Some(proposer) = turn.checked_rem(count).and_then(|turn| active.get(turn as usize)) else {
            return invalid("expected an active validator, got none".into());
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
        let candidates = draft.transactions.into_iter().map(|bytes| (bytes, None));
        let built = match l2_stf::build(&self.spec, &view, parent, &template, l1, candidates) {
            Ok(built) => built,
            Err(l2_stf::ExecuteError::Invalid(reason)) => return invalid(reason.to_string()),
            Err(l2_stf::ExecuteError::State(fault)) => return Err(ExecuteError::Fault(fault)),
        };
        // A proposer leaves out what cannot be in a block, and takes what is due; a batch must have had it so.
        if let Some((index, reason)) = built.refused.first() {
            return invalid(format!("transaction {index}: {reason}"));
        }
        let got = built.block.transactions.len();
        if got != count {
            return invalid(format!("expected room for {count} transactions, got {got}"));
        }
        let expected = built.block.header.forced;
        if expected != draft.forced {
            let got = draft.forced;
            return invalid(format!("expected {expected} forced transactions, got {got}"));
        }
        let update = l2_stf::apply(&self.store, &parent.state_root, &built.executed.changes)
            .map_err(ExecuteError::Fault)?;
        let mut nodes = built.executed.changes.nodes();
        nodes.extend(update.nodes);
        self.store
            .insert(nodes)
            .map_err(|missing| ExecuteError::Fault(missing.into()))?;
        Ok(built.seal(update.root).0)
    }

    fn validators(&mut self, head: &Header) -> Result<Vec<B256>, StateError> {
        let view = TreeView {
            source: &self.store,
            root: head.state_root,
        };
        let active = l2_stf::active_validators(&view)?;
        Ok(active.into_iter().map(|validator| validator.key).collect())
    }
}
