//! `Open`: the operator opens the one step that is left.
//!
//! | in | out |
//! | --- | --- |
//! | connectors of the last `Select`: everything about the step, both preimages of the last choice | connector of `Demand`, with the disprove leaves |
//! | | operator's anchor |
//!
//! The watchtower answers by `Disprove` or `Demand`; if it does neither in time: `WatchtowerLate`.
//!
//! Fees, outputs and limits: see [`MessageTx`].

use core::ops::Deref;

use super::MessageTx;

/// The opened step, by the operator.
#[derive(Clone, Debug)]
pub struct Open(pub(crate) MessageTx);

impl Deref for Open {
    type Target = MessageTx;

    fn deref(&self) -> &MessageTx {
        &self.0
    }
}
