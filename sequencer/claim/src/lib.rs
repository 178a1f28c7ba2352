//! A batch as a claim (`docs/layer2.md` §7): "after these blocks, made from that state, the state is this".
//!
//! [`check`] is what the claim means. It is one function, `no_std`, compiled natively and into the guest `l2-batch`, and it
//! reads everything, the genesis file, blocks, Bitcoin's messages, state, through a [`l2_state::NodeSource`] from
//! roots. So what a native run reads is exactly what the guest asks for: [`claim_batch`] records it and hands it to the
//! emulator.
//!
//! What an attacker tries here: a claim over another state, chain or genesis than the instance's (a [`Checkpoint`] lies in
//! the program's image, so no claimant chooses it); blocks that are invalid, or not whole (rejected); blocks that nobody
//! else has (the run is [`Verdict::Unknown`] to others, see `docs/layer2.md` §7); a batch that makes the guest run out of
//! memory or steps where a native run does not.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod check;
#[cfg(feature = "std")]
mod image;
#[cfg(feature = "std")]
mod run;
#[cfg(any(test, feature = "sample"))]
pub mod sample;
#[cfg(test)]
mod tests;
mod words;

pub use check::{CheckError, MAX_CONTENT_BYTES, MAX_GENESIS_BYTES, MAX_L1_BYTES, check};
#[cfg(feature = "std")]
pub use image::{GUEST, ImageError, SECTION, checkpoint_address, patch, read_checkpoint};
#[cfg(feature = "std")]
pub use run::{ClaimError, ClaimedBatch, Run, Verdict, claim_batch, claim_words, run};
pub use words::{BatchClaim, CLAIM_WORDS, Checkpoint};
