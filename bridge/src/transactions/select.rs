//! `Select`: the watchtower chooses the first part whose end it disputes.
//!
//! | in | out |
//! | --- | --- |
//! | connectors of `Search_r`: the preimage of one of n_r hash locks | connectors of `Search_{r+1}`, or of `Open` after the last round |
//! | | watchtower's anchor |
//!
//! A watchtower that shows a second preimage of the same round loses its pot (`ChoiceEquivocation`). If the operator is silent
//! afterwards: `OperatorLate`.
//!
//! Fees, outputs and limits: see [`MessageTx`].

use core::ops::Deref;

use super::MessageTx;

/// A search round's choice, by the watchtower.
#[derive(Clone, Debug)]
pub struct Select(pub(crate) MessageTx);

impl Deref for Select {
    type Target = MessageTx;

    fn deref(&self) -> &MessageTx {
        &self.0
    }
}
