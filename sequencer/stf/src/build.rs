//! Making a block: what a proposer does. The run is the one that [`crate::execute`] checks with.

use alloc::vec::Vec;

use alloy_consensus::transaction::SignerRecoverable;
use alloy_primitives::{Address, B256, Bytes};
use l2_block::{Block, Header, L1Block, L1Origin};

use crate::run::{Opening, Run, Stop};
use crate::{ExecuteError, Executed, Receipt, Refused, Spec, StateView, TxError, decode, next_base_fee};

/// What a proposer chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Time in milliseconds.
    pub timestamp_ms: u64,
    /// Newest Bitcoin block that the block sees.
    pub origin: L1Origin,
    /// Round of consensus.
    pub round: u32,
    /// The proposer.
    pub proposer: Address,
    /// Wei a byte.
    pub data_fee: u64,
    /// How many forced transactions to take even if they are not due; those that are due are taken anyway.
    pub forced: u32,
    /// Most bytes of transactions.
    pub max_bytes: usize,
}

/// A block in the making.
pub struct Builder<'a, V: StateView> {
    run: Run<'a, V>,
    chain_id: u64,
    /// The header, as far as it is known.
    header: Header,
    transactions: Vec<Bytes>,
    bytes_left: usize,
}

impl<V: StateView> core::fmt::Debug for Builder<'_, V> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Builder")
            .field("header", &self.header)
            .field("transactions", &self.transactions.len())
            .finish_non_exhaustive()
    }
}

/// A block that lacks nothing but its state root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The block, with zero for the state root.
    pub block: Block,
    /// What it does.
    pub executed: Executed,
    /// Candidates that are not in it: their place among the candidates, and why.
    pub refused: Vec<(usize, Refused)>,
}

impl Built {
    /// Sets the state root: that of the tree after the changes ([`crate::apply`]).
    #[must_use]
    pub fn seal(mut self, state_root: B256) -> (Block, Executed) {
        self.block.header.state_root = state_root;
        (self.block, self.executed)
    }
}

impl<'a, V: StateView> Builder<'a, V> {
    /// Begins a block over the state after `parent`: steps of the epoch, deposits, forced transactions.
    ///
    /// # Errors
    /// If no block can be as the template says, or the state could not be read.
    pub fn new(
        spec: &'a Spec,
        view: V,
        parent: &Header,
        template: &Template,
        l1: &[L1Block],
    ) -> Result<Self, ExecuteError<V::Error>> {
        let opening = Opening {
            timestamp_ms: template.timestamp_ms,
            origin: template.origin,
            round: template.round,
            proposer: template.proposer,
            base_fee: next_base_fee(&spec.fees, parent),
            data_fee: template.data_fee,
        };
        let mut run = Run::start(spec, view, parent, &opening, l1)?;
        let forced = run.choose_forced(template.forced)?;
        Ok(Self {
            run,
            chain_id: spec.chain_id,
            header: Header {
                number: parent.number.saturating_add(1),
                parent: parent.hash(),
                timestamp_ms: template.timestamp_ms,
                origin: template.origin,
                round: template.round,
                proposer: template.proposer,
                base_fee: opening.base_fee,
                data_fee: template.data_fee,
                gas_used: 0,
                forced,
                transactions_root: B256::ZERO,
                receipts_root: B256::ZERO,
                state_root: B256::ZERO,
            },
            transactions: Vec::new(),
            bytes_left: template.max_bytes,
        })
    }

    /// Gas that the block has left.
    #[must_use]
    pub fn gas_left(&self) -> u64 {
        self.run.gas_left()
    }

    /// Bytes that the block has left.
    #[must_use]
    pub fn bytes_left(&self) -> usize {
        self.bytes_left
    }

    /// Appends a transaction, or says why it cannot be: then nothing changes. `sender` is who signed it, if the caller
    /// recovered that already.
    ///
    /// # Errors
    /// If the state could not be read; the block is lost then.
    pub fn push(&mut self, bytes: Bytes, sender: Option<Address>) -> Result<Result<(), Refused>, V::Error> {
        if bytes.len() > self.bytes_left {
            return Ok(Err(Refused::BlockBytes {
                got: bytes.len(),
                left: self.bytes_left,
            }));
        }
        let tx = match decode(&bytes, self.chain_id) {
            Ok(tx) => tx,
            Err(error) => return Ok(Err(error.into())),
        };
        let Some(sender) = sender.or_else(|| tx.recover_signer().ok()) else {
            return Ok(Err(TxError::Signature.into()));
        };
        match self.run.transact(&tx, bytes.len(), sender) {
            Ok(()) => {
                self.bytes_left -= bytes.len();
                self.transactions.push(bytes);
                Ok(Ok(()))
            }
            Err(Stop::Refused(reason)) => Ok(Err(reason)),
            Err(Stop::State(error)) => Err(error),
        }
    }

    /// Ends the block.
    #[must_use]
    pub fn finish(mut self) -> Built {
        let executed = self.run.finish();
        self.header.gas_used = executed.gas_used;
        self.header.transactions_root = Block::transactions_root(&self.transactions);
        self.header.receipts_root = Receipt::root(&executed.receipts);
        Built {
            block: Block {
                header: self.header,
                transactions: self.transactions,
            },
            executed,
            refused: Vec::new(),
        }
    }
}

/// Gas below which no transaction fits.
const LEAST_GAS: u64 = 21_000;

/// Makes a block of the candidates that can be in it, in their order.
///
/// # Errors
/// If no block can be as the template says, or the state could not be read.
pub fn build<V: StateView>(
    spec: &Spec,
    view: V,
    parent: &Header,
    template: &Template,
    l1: &[L1Block],
    candidates: impl IntoIterator<Item = (Bytes, Option<Address>)>,
) -> Result<Built, ExecuteError<V::Error>> {
    let mut builder = Builder::new(spec, view, parent, template, l1)?;
    let mut refused = Vec::new();
    for (index, (bytes, sender)) in candidates.into_iter().enumerate() {
        if builder.gas_left() < LEAST_GAS {
            break;
        }
        if let Err(reason) = builder.push(bytes, sender).map_err(ExecuteError::State)? {
            refused.push((index, reason));
        }
    }
    let mut built = builder.finish();
    built.refused = refused;
    Ok(built)
}
