//! n-of-n signing of a whole graph with MuSig2 (`BIP-0327`), in two rounds of messages.
//!
//! 1. A [`Proposal`] names graph, phase and attempt. Each [`Signer`] builds the graph for itself from the public parameters
//!    ([`Signer::review`]) and refuses any other.
//! 2. [`Signer::commit`] draws a secret nonce for every message, records the session in its [`NonceLog`] and only then
//!    hands out the public nonces.
//! 3. [`Committed::sign`] takes everyone's public nonces, records that the nonces are used and only then hands out the
//!    partial signatures. It consumes the secret nonces; they exist nowhere else and are never written to disk.
//! 4. [`Signed::finish`] takes everyone's partial signatures, aggregates, verifies each signature by BIP-340, and names
//!    the member whose share is wrong.
//!
//! The deposit is signed in a second session, which a signer joins only after [`Signer::accept`] verified every signature
//! of every graph of that deposit.
//!
//! What an attacker tries:
//! - to make a signer use one nonce for two messages (it leaks the key): a session is recorded before anything of it leaves,
//!   so neither a replayed proposal nor a restored database revives it, and a secret nonce is moved into its one use;
//! - to send different nonces to different members so that an honest share looks wrong: shares carry a hash of all
//!   nonces seen, and every message is signed by its sender;
//! - a key made from the others' (rogue key): `BIP-0327` aggregation, see [`crate::committee`];
//! - to send a wrong share: it is found by verifying shares, and its sender is named.

mod nonce_log;
mod session;
mod wire;

pub use nonce_log::{FileNonceLog, MemoryNonceLog, NonceLog, NonceLogError, Stage};
pub use session::{ChainView, Committed, ReviewedGraph, Signed, Signer, SigningError};
pub use wire::{NonceBatch, PartialBatch, Proposal, SessionId, WireError};
