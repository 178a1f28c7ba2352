//! n-of-n signing of a whole graph with MuSig2 (`BIP-0327`), in two rounds of messages.
//!
//! 1. A [`Proposal`] names graph, phase and attempt. Each [`Signer`] builds the graph for itself from the public parameters
//!    ([`Signer::review`]) and refuses any other.
//! 2. [`Signer::commit`] draws a secret nonce for every message, records the session in its [`Journal`] and only then
//!    hands out the public nonces.
//! 3. [`Committed::sign`] takes everyone's public nonces, records the graph and that the nonces are used, and only then
//!    hands out the partial signatures. It consumes the secret nonces; they exist nowhere else and are never written to
//!    disk.
//! 4. [`Signed::finish`] takes everyone's partial signatures, aggregates, verifies each signature by BIP-340, and names
//!    the member whose share is wrong.
//!
//! The deposit is signed in a second session, which a signer joins only after [`Signer::accept`] verified every signature
//! of every graph of that deposit request for which it ever released shares.
//!
//! # A graph that failed
//!
//! Shares that left cannot be called back: whoever got those of all others can complete the graph alone, at any time. So a
//! graph whose session failed is not dropped, it is live until the chain shows that it is dead ([`Signer::forget`]), and its
//! deposit is not signed before its signatures are complete. The members may sign the same graph again (another attempt).
//! If they cannot, because one of them withholds its shares, the deposit request is lost to the committee: the user takes
//! its money back by the refund and makes a new request, for which the honest form a committee without the culprit, or sign
//! graphs without the operator. The watchtowers' bonds are free when the refund is buried.
//!
//! What an attacker tries:
//! - to make a signer use one nonce for two messages (it leaks the key): a session is recorded before anything of it leaves,
//!   so neither a replayed proposal nor a restored database revives it, and a secret nonce is moved into its one use;
//! - to keep the signatures of a first graph for itself and have the deposit signed after a second one, or to have a second
//!   graph signed after the deposit: the deposit waits for all graphs of its request, and nothing of it follows the deposit;
//! - to nominate one bond for two claims, or bring one-time keys that served: a live graph's outpoints and any graph's keys
//!   are refused;
//! - to do so between a signer's two rounds, or after it crashed: all is asked again before shares leave, and comes back
//!   from the journal (which must not be replaced by an older copy, see [`Journal`]'s module);
//! - to send different nonces to different members so that an honest share looks wrong: shares carry a hash of all
//!   nonces seen, and every message is signed by its sender;
//! - a key made from the others' (rogue key): `BIP-0327` aggregation, see [`crate::committee`];
//! - to send a wrong share: it is found by verifying shares, and its sender is named.

mod entry;
mod error;
mod journal;
mod released;
mod session;
mod wire;

pub use entry::{Entry, ReleasedGraph, Stage};
pub use error::SigningError;
pub use journal::{FileJournal, Journal, JournalError, MemoryJournal};
pub use session::{ChainView, Committed, ReviewedGraph, Signed, Signer};
pub use wire::{NonceBatch, PartialBatch, Proposal, SessionId, WireError};
