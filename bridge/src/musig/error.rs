//! Why a signer does not sign.

use bitcoin::{OutPoint, TxOut};

use super::journal::JournalError;
use super::wire::{SessionId, WireError};
use crate::committee::Seat;
use crate::graph::{BuildError, GraphId};
use crate::terms::TermsError;
use crate::transactions::TxName;

/// Why a signing session ends without signatures.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The key is in no seat.
    #[error("the signer's key is not a member's")]
    NotAMember,
    /// The terms name other members.
    #[error("expected the signer's own committee, got another")]
    OtherCommittee,
    /// The parameters do not hold.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The parameters give another graph than the proposed one.
    #[error("expected graph {expected}, got a proposal for {got}")]
    OtherGraph {
        /// What the signer built.
        expected: GraphId,
        /// What was proposed.
        got: GraphId,
    },
    /// An outpoint does not hold what the graph spends.
    #[error("{outpoint}: expected {expected:?}, got {got:?}")]
    Outpoint {
        /// The outpoint.
        outpoint: OutPoint,
        /// What the quote says.
        expected: TxOut,
        /// What the chain says.
        got: Option<TxOut>,
    },
    /// The deposit is signed last.
    #[error("expected all signatures of graph {graph} before the deposit's")]
    GraphNotSigned {
        /// The graph that is not signed.
        graph: GraphId,
    },
    /// Shares were released for a graph that shares an outpoint with it and is not known to be dead.
    #[error("the graph meets graph {graph}: {source}")]
    Overlap {
        /// The other graph.
        graph: GraphId,
        /// The outpoint.
        source: TermsError,
    },
    /// Shares were released for another graph with the same one-time keys, or the same instance of them.
    #[error("expected new one-time keys, got those of graph {graph}")]
    OneTimeKeysUsed {
        /// The other graph.
        graph: GraphId,
    },
    /// Too late for another graph of this deposit.
    #[error("shares for the deposit of request {request} were released; no graph can follow")]
    DepositSigned {
        /// The deposit request.
        request: OutPoint,
    },
    /// No live graph of this signer.
    #[error("no shares were released for graph {graph}, or it is forgotten")]
    UnknownGraph {
        /// The graph.
        graph: GraphId,
    },
    /// The chain does not show that the graph is dead.
    #[error("graph {graph} is not known to be dead")]
    GraphAlive {
        /// The graph.
        graph: GraphId,
    },
    /// The journal said no.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A message is malformed.
    #[error(transparent)]
    Wire(WireError),
    /// A message of another session, an old one for instance.
    #[error("{seat}: expected session {expected}, got {got}")]
    OtherSession {
        /// The sender.
        seat: Seat,
        /// This session.
        expected: SessionId,
        /// The message's session.
        got: SessionId,
    },
    /// Not one item a job.
    #[error("{seat}: expected {expected} items, got {got}")]
    Items {
        /// The sender.
        seat: Seat,
        /// Jobs.
        expected: usize,
        /// Items.
        got: usize,
    },
    /// Two messages of one member.
    #[error("{seat}: expected one message, got two")]
    Doubled {
        /// The sender.
        seat: Seat,
    },
    /// A member did not take part.
    #[error("{seat}: no message")]
    Absent {
        /// The member.
        seat: Seat,
    },
    /// The batch under the signer's own seat is not its own.
    #[error("the signer's own nonces were replaced")]
    OwnNoncesReplaced,
    /// Someone sent different nonces to different members; the signed batches show who.
    #[error("{seat} saw other nonces")]
    NoncesDiffer {
        /// The member that saw others.
        seat: Seat,
    },
    /// A share that does not verify.
    #[error("{seat}: wrong share for {tx}, input {input}, leaf {leaf}")]
    WrongShare {
        /// Its sender.
        seat: Seat,
        /// The transaction.
        tx: TxName,
        /// The input's number.
        input: usize,
        /// The leaf's number.
        leaf: usize,
    },
    /// All shares verify, the aggregate does not.
    #[error("{tx}: the aggregate for input {input}, leaf {leaf} does not verify")]
    Aggregate {
        /// The transaction.
        tx: TxName,
        /// The input's number.
        input: usize,
        /// The leaf's number.
        leaf: usize,
    },
}
