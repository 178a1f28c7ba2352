//! What consensus asks of the node.

use core::error::Error;

use alloy_primitives::Bytes;
use async_trait::async_trait;
use l2_block::{Block, Evidence};
use tokio::time::Instant;

use crate::{
    certificate::Certificate,
    validator::{Validator, ValidatorSet},
};

/// A failure of the node itself: a disk, a database. Consensus stops, since a node that cannot keep its word must not vote.
pub type Failure = Box<dyn Error + Send + Sync>;

/// The height to decide next and who decides it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextHeight {
    /// Number of the next block.
    pub height: u64,
    /// The active set after the block before it, in order.
    pub validators: ValidatorSet,
}

/// Why a block is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its proposer wants it to be the next one, in this round or a later one.
    Proposed,
    /// It was proposed in a round that is over, and not judged then. Others may be bound to it by their votes, so whether it was
    /// wise to propose it counts for less.
    Earlier,
    /// A quorum decided on it, and a peer sent it to us who come late.
    Decided,
}

/// What the node thinks of a proposed block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It may be the next block.
    Valid,
    /// It may not, whatever else comes to light.
    Invalid,
    /// It names something that this node has not seen and others may have, as a new Bitcoin block. It is asked about again
    /// when the next round begins; until then the block counts as not received.
    Unknown,
}

/// The node's side. Calls come one at a time. While one runs, votes are counted but no other question is asked, so all but
/// [`propose`](Self::propose) must answer in a fraction of the block interval.
#[async_trait]
pub trait Application: Send {
    /// The height after the newest committed block. Asked once, before anything else.
    async fn start_height(&mut self) -> Result<NextHeight, Failure>;

    /// Builds a block: its header names this height and round and our address, and [`check`](Self::check) of every honest
    /// node accepts it. May wait a little for transactions, but not past the deadline. `None`: nothing to propose, the round
    /// goes to the next proposer. Never asked twice for one height and round, not even across a restart, once an answer was
    /// given.
    async fn propose(&mut self, height: u64, round: u32, deadline: Instant)
    -> Result<Option<Bytes>, Failure>;

    /// Whether the next block may be this one, by executing it. `bytes` are exactly `block`; its number is that of the height,
    /// its proposer the one whose turn its round is; its transactions' root is right. `Valid` and `Invalid` must depend on the
    /// block, the chain before it and Bitcoin's alone, not on a clock: all honest nodes say the same, or one of them
    /// `Unknown`.
    async fn check(
        &mut self,
        proposer: &Validator,
        block: &Block,
        bytes: &Bytes,
        standing: Standing,
    ) -> Result<Judgement, Failure>;

    /// Makes a decided block part of the chain, with its certificate. Durable before it returns. The block was proposed here
    /// or found `Valid`, perhaps before a restart.
    async fn commit(&mut self, bytes: &Bytes, certificate: &Certificate) -> Result<NextHeight, Failure>;

    /// A committed block and its certificate, for peers that come late.
    async fn decided(&mut self, height: u64) -> Result<Option<(Bytes, Certificate)>, Failure>;

    /// The first height that [`decided`](Self::decided) still has.
    async fn min_height(&mut self) -> Result<u64, Failure>;

    /// A validator equivocated; the signatures are verified. May come again.
    async fn evidence(&mut self, evidence: Evidence) -> Result<(), Failure>;
}
