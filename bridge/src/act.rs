//! What both parties share in turning duties into transactions.

use bitcoin::Transaction;
use bitcoin::key::{Keypair, TapTweak};
use bitcoin::secp256k1::{Message as Digest, schnorr};
use ocp::message::LayoutError;
use ocp::{Message, MessageLayout, Reveal};

use crate::claim::Claim;
use crate::connectors::SECP;
use crate::transactions::{Answer, FinalizeError};

/// Why a duty has no transaction.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ActError {
    /// The message was not signed: a payload that does not fit, or the sign-once guard refused.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// Witnesses, signatures or sizes do not fit the graph.
    #[error(transparent)]
    Finalize(#[from] FinalizeError),
    /// The graph has no such transaction.
    #[error("the graph has no {what}")]
    NoSuch {
        /// What was asked for.
        what: String,
    },
    /// A duty of the other side.
    #[error("{duty} is not a duty of the {side}")]
    OtherSide {
        /// The duty.
        duty: String,
        /// Who was asked.
        side: &'static str,
    },
    /// A disprove leaf whose values were not all published.
    #[error("leaf {leaf} cannot be spent: a value that it reads was not published")]
    Leaf {
        /// Its index.
        leaf: usize,
    },
    /// The run lacks a preimage; a person has to find it before the deadline.
    #[error("{message} is due, but the run stops at step {step}: a preimage is not known here")]
    Stuck {
        /// The message that is due.
        message: Message,
        /// The step.
        step: u64,
    },
}

pub(crate) fn no_such(what: impl Into<String>) -> ActError {
    ActError::NoSuch { what: what.into() }
}

/// Signs with `key` as it is: inside leaves.
pub(crate) fn sign(key: &Keypair, sighash: [u8; 32]) -> schnorr::Signature {
    SECP.sign_schnorr_no_aux_rand(&Digest::from_digest(sighash), key)
}

/// Signs with the output key of a P2TR output that `key` alone owns (`BIP-0086`).
pub(crate) fn sign_output(key: &Keypair, sighash: [u8; 32]) -> schnorr::Signature {
    sign(&key.tap_tweak(&*SECP, None).to_keypair(), sighash)
}

/// The layout of one dispute's messages.
pub(crate) fn layout(claim: &Claim, dispute: usize) -> Result<MessageLayout<'_>, ActError> {
    let keys = claim
        .keys()
        .of(dispute)
        .ok_or_else(|| no_such(format!("dispute {dispute}")))?;
    let graph = claim.graph();
    Ok(MessageLayout::new(
        graph.blueprint().plan(),
        graph.terms().committee.key(),
        keys,
    ))
}

/// The transaction of a signed message after the challenge, or of the kickoff.
pub(crate) fn message(
    claim: &Claim,
    dispute: usize,
    layout: &MessageLayout<'_>,
    reveal: &Reveal,
) -> Result<Transaction, ActError> {
    let witnesses = layout.witnesses(reveal)?;
    let message = reveal.content.message();
    if message == Message::Kickoff {
        let words: Vec<_> = witnesses.into_iter().map(|w| w.items).collect();
        return Ok(claim.graph().kickoff().finalize(claim.signatures(), &words)?);
    }
    let tx = claim
        .graph()
        .disputes()
        .get(dispute)
        .and_then(|d| d.message(message));
    let tx = tx.ok_or_else(|| no_such(format!("{message} in dispute {dispute}")))?;
    let answers: Vec<_> = witnesses
        .into_iter()
        .map(|w| Answer {
            leaf: w.leaf,
            values: w.items,
        })
        .collect();
    Ok(tx.finalize(claim.signatures(), &answers)?)
}
