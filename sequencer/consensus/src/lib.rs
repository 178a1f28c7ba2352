//! Agreement on blocks: Tendermint (Malachite) with BIP-0340 validator keys.
//!
//! **Protocol.** One value is one block and its name is its header's hash (`docs/layer2.md` §5). A proposer streams the block
//! in parts under an announcement that it signed, and signs a proposal for its hash; validators execute the block before they
//! prevote it; precommits of more than two thirds are the block's [`Certificate`], which anyone can verify offline.
//!
//! **Use.** A node implements [`Application`] and awaits [`run`] with a [`ConsensusConfig`]; all channels, actors and codecs
//! of Malachite stay inside. Transactions travel by [`Gossip`], a network of its own: Malachite's has fixed topics.
//!
//! **Safety.** At most one of two blocks of a height gets a certificate while fewer than a third of the validators lie. An
//! honest validator signs one vote for a place, also across a crash: votes are in the write-ahead log and blocks in the
//! candidates' file, synced, before they leave. A signature names the genesis hash, so it counts on one chain. Who signs
//! two is told to the application as [`Evidence`], verified, in the form that the token slashes for.
//!
//! **Persistence.** In the `home` folder: `wal`, Malachite's log of the current height; `candidates`, blocks proposed in it.
//! Decided blocks and certificates are the application's to keep.
//!
//! **What an attacker tries**: bytes that make a decoder panic or allocate; parts without end; one hash with two bodies; votes
//! of another chain; a second proposal. Each has its test.

mod application;
mod candidates;
mod certificate;
mod codec;
mod config;
mod context;
mod engine;
mod evidence;
mod gossip;
mod parts;
mod scheme;
mod signing;
mod validator;

pub use application::{Application, Failure, Judgement, NextHeight, Standing};
pub use certificate::{Certificate, CertificateError, Precommit};
pub use config::{ConsensusConfig, Timeouts, network_key};
pub use engine::{ConsensusError, run};
pub use evidence::proves;
pub use gossip::{Gossip, GossipConfig, GossipError, MAX_MESSAGE, Received, Verdict};
pub use parts::MAX_BLOCK_BYTES;
pub use validator::{Validator, ValidatorKey, ValidatorSet, ValidatorSetError};

pub use arc_malachitebft_app_channel::app::net::{Multiaddr, PeerId};
pub use async_trait::async_trait;
pub use bitcoin::secp256k1::{self, SecretKey};
pub use l2_block::Evidence;

/// Malachite's metrics in Prometheus' text form.
#[must_use]
pub fn metrics() -> String {
    let mut text = String::new();
    arc_malachitebft_app_channel::app::metrics::export(&mut text);
    text
}
