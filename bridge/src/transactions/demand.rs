//! `Demand`: the watchtower asks for one segment of the Merkle path.
//!
//! | in | out |
//! | --- | --- |
//! | connectors of `Open`: the preimage of one of four segments | connectors of `Path` |
//! | | watchtower's anchor |
//!
//! Always allowed after `Open`; if the operator is silent afterwards: `OperatorLate`.
//!
//! Fees, outputs and limits: see [`MessageTx`].

use core::ops::Deref;

use super::MessageTx;

/// A demand for a path segment, by the watchtower.
#[derive(Clone, Debug)]
pub struct Demand(pub(crate) MessageTx);

impl Deref for Demand {
    type Target = MessageTx;

    fn deref(&self) -> &MessageTx {
        &self.0
    }
}
