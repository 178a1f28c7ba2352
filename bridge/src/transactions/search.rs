//! `Search`: the operator signs the digests that cut this round's interval.
//!
//! | in | out |
//! | --- | --- |
//! | connectors of `Challenge_w` (round 0) or `Select_{r-1}`: digests, and from round 1 on both preimages of choice r-1 | connectors of `Select_r` |
//! | | operator's anchor |
//!
//! The leaf on input 0 names the choice that is answered: the operator's keys differ with it, so digests signed for one choice
//! say nothing about another. If the watchtower is silent afterwards: `WatchtowerLate`.
//!
//! Fees, outputs and limits: see [`MessageTx`].

use core::ops::Deref;

use super::MessageTx;

/// A search round's digests, by the operator.
#[derive(Clone, Debug)]
pub struct Search(pub(crate) MessageTx);

impl Deref for Search {
    type Target = MessageTx;

    fn deref(&self) -> &MessageTx {
        &self.0
    }
}
