//! Where a node that restarts goes on deriving, instead of at genesis.
//!
//! A checkpoint is a state of derivation that is buried and has no batch half seen: the Bitcoin block, the head, the index, the
//! connector, and the messages that no batch has seen yet. It is written by the node for itself and believed as its database is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use alloy_rlp::{Decodable, Encodable, RlpDecodable, RlpEncodable};
use bitcoin::hashes::Hash;
use bitcoin::{OutPoint, Txid};
use l2_block::{B256, Genesis, Header, L1Block, L1Origin};

use super::link::Link;
use super::{Derivation, FallbackError, State};

/// An outpoint as RLP has it.
#[derive(Clone, Copy, Debug, RlpEncodable, RlpDecodable)]
struct Place {
    txid: B256,
    vout: u32,
}

impl From<&OutPoint> for Place {
    fn from(outpoint: &OutPoint) -> Self {
        Place {
            txid: B256::new(outpoint.txid.to_byte_array()),
            vout: outpoint.vout,
        }
    }
}

impl From<&Place> for OutPoint {
    fn from(place: &Place) -> Self {
        OutPoint {
            txid: Txid::from_byte_array(place.txid.0),
            vout: place.vout,
        }
    }
}

#[derive(Debug, RlpEncodable, RlpDecodable)]
struct Checkpoint {
    /// [`Genesis::hash`], so that no other chain goes on from it.
    genesis: B256,
    tip: L1Origin,
    head: Header,
    index: u64,
    /// Height of the commit that made the one connector, or 0: the chain is open.
    since: u64,
    connectors: Vec<Place>,
    l1: Vec<L1Block>,
}

/// Why bytes are no checkpoint of this chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// No RLP of a checkpoint.
    #[error("checkpoint: {0}")]
    Rlp(alloy_rlp::Error),
    /// Of another chain.
    #[error("expected a checkpoint of chain {expected}, got {got}")]
    Chain {
        /// Hash of this chain's genesis file.
        expected: B256,
        /// What it names.
        got: B256,
    },
    /// Its Bitcoin blocks are not those between head and tip, or its connector is not one.
    #[error("checkpoint contradicts itself")]
    Torn,
    /// A genesis file that derivation cannot use.
    #[error(transparent)]
    Fallback(#[from] FallbackError),
}

impl Derivation {
    /// The newest state at least `confirmations` below the tip that has no batch half seen; none if there is none yet.
    #[must_use]
    pub fn checkpoint(&self, genesis: &Genesis) -> Option<Vec<u8>> {
        let deep = self.state.tip.height.checked_sub(self.confirmations)?;
        let buried = |state: &&State| state.tip.height <= deep && !matches!(state.link, Link::Pending(_));
        let state = self.before.iter().rev().find(buried)?;
        let (since, connectors) = match &state.link {
            Link::Held { outpoint, height } => (*height, vec![Place::from(outpoint)]),
            Link::Open { held } => (0, held.iter().map(Place::from).collect()),
            Link::Pending(_) => return None,
        };
        let seen = state.head.origin.height.saturating_add(1)..=state.tip.height;
        let l1 = if seen.is_empty() {
            Vec::new()
        } else {
            self.l1
                .range(seen)
                .map(|(_, block)| L1Block::clone(block))
                .collect()
        };
        let checkpoint = Checkpoint {
            genesis: genesis.hash(),
            tip: state.tip,
            head: Header::clone(&state.head),
            index: state.index,
            since,
            connectors,
            l1,
        };
        let mut bytes = Vec::new();
        checkpoint.encode(&mut bytes);
        Some(bytes)
    }

    /// Goes on from a checkpoint. Nothing before it can be rewound to.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn resume(genesis: &Genesis, mut bytes: &[u8]) -> Result<Self, CheckpointError> {
        let checkpoint = Checkpoint::decode(&mut bytes).map_err(CheckpointError::Rlp)?;
        let (expected, got) = (genesis.hash(), checkpoint.genesis);
        if expected != got {
            return Err(CheckpointError::Chain { expected, got });
        }
        let mut origin = checkpoint.head.origin;
        let mut l1 = BTreeMap::new();
        for block in checkpoint.l1 {
            if origin.height.checked_add(1) != Some(block.origin.height) || origin.hash != block.parent {
                return Err(CheckpointError::Torn);
            }
            origin = block.origin;
            l1.insert(origin.height, Arc::new(block));
        }
        let link = match (checkpoint.since, checkpoint.connectors.as_slice()) {
            (0, held) => Link::Open {
                held: Arc::new(held.iter().map(OutPoint::from).collect::<BTreeSet<_>>()),
            },
            (height, [held]) => Link::Held {
                outpoint: held.into(),
                height,
            },
            _ => return Err(CheckpointError::Torn),
        };
        if !bytes.is_empty() || origin != checkpoint.tip {
            return Err(CheckpointError::Torn);
        }
        let mut derivation = Derivation::new(genesis, checkpoint.head)?;
        derivation.state.tip = checkpoint.tip;
        derivation.state.index = checkpoint.index;
        derivation.state.link = link;
        derivation.l1 = l1;
        derivation.before = VecDeque::new();
        Ok(derivation)
    }
}
