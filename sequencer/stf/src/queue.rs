//! The forced queue: transactions that users wrote to Bitcoin, in the order in which Bitcoin has them.
//!
//! What an attacker tries here: a sequencer leaves an entry for ever, or makes it fail by taking it when there is no gas for
//! it; a user writes entries that no block can take, so that the queue stands still, or more than a block can execute. So an
//! entry needs gas before it is taken (its gas limit, or what it costs to read it), never more than a whole block has, and
//! a block must take what is due as long as it has the gas.

use alloc::vec::Vec;

use alloy_consensus::Transaction as _;
use alloy_primitives::B256;
use revm::primitives::eip7825::TX_GAS_LIMIT_CAP;

use crate::database::Fault;
use crate::machine::MachineContext;
use crate::precompiles::Storage;
use crate::system::{SYSTEM, hash_of, slot, word};
use crate::{Spec, StateView, Transaction, decode};

/// Longest forced transaction; what is longer is no message.
pub const MAX_FORCED_BYTES: usize = 128 * 1024;
/// Gas of a block that an entry uses which does nothing, without its bytes; nobody pays it.
pub const IGNORED_GAS: u64 = 21_000;
/// Gas of a block that a byte of such an entry uses.
pub const FORCED_BYTE_GAS: u64 = 16;

/// An entry of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) index: u64,
    /// The Bitcoin block that holds it.
    pub(crate) height: u64,
    /// Root of its bytes as a blob.
    pub(crate) root: B256,
}

/// The queue in the journal.
pub(crate) struct Queue<'a, V: StateView>(Storage<'a, V>);

impl<'a, V: StateView> Queue<'a, V> {
    pub(crate) fn of(context: &'a mut MachineContext<V>) -> Result<Self, Fault> {
        Ok(Self(Storage::of(context, SYSTEM)?))
    }

    /// The oldest entry.
    pub(crate) fn head(&mut self) -> Result<Option<Entry>, Fault> {
        let index = self.0.load_u64(slot::HEAD)?;
        if index >= self.0.load_u64(slot::TAIL)? {
            return Ok(None);
        }
        Ok(Some(Entry {
            index,
            height: self.0.load_u64(slot::height(index))?,
            root: hash_of(self.0.load(slot::root(index))?),
        }))
    }

    pub(crate) fn push(&mut self, height: u64, root: B256) -> Result<(), Fault> {
        let index = self.0.load_u64(slot::TAIL)?;
        self.0
            .store(slot::height(index), alloy_primitives::U256::from(height))?;
        self.0.store(slot::root(index), word(root))?;
        self.0.add(slot::TAIL, 1)
    }

    /// Takes the head; its words are freed.
    pub(crate) fn pop(&mut self, head: &Entry) -> Result<(), Fault> {
        self.0
            .store(slot::height(head.index), alloy_primitives::U256::ZERO)?;
        self.0
            .store(slot::root(head.index), alloy_primitives::U256::ZERO)?;
        self.0.add(slot::HEAD, 1)
    }
}

/// An entry's bytes, and what they are.
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    /// The transaction, if it could run in a block that holds nothing else.
    pub(crate) tx: Option<Transaction>,
    /// Gas that a block uses for it if it does nothing.
    pub(crate) ignored: u64,
    /// Gas that a block must have left to take it: never more than a block's limit.
    pub(crate) needed: u64,
}

impl Content {
    pub(crate) fn read(spec: &Spec, bytes: Vec<u8>) -> Self {
        let limit = spec.fees.gas_limit;
        let tx = decode(&bytes, spec.chain_id)
            .ok()
            .filter(|tx| tx.gas_limit() <= limit.min(TX_GAS_LIMIT_CAP));
        let ignored = (bytes.len() as u64)
            .saturating_mul(FORCED_BYTE_GAS)
            .saturating_add(IGNORED_GAS)
            .min(limit);
        let needed = tx.as_ref().map_or(0, |tx| tx.gas_limit()).max(ignored);
        Self {
            bytes,
            tx,
            ignored,
            needed,
        }
    }
}
