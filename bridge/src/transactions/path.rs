//! `Path`: the operator shows the demanded segment.
//!
//! | in | out |
//! | --- | --- |
//! | connectors of `Demand`: siblings and nodes of the segment, both preimages of the segment | the connector of the disprove leaves |
//! | | operator's anchor |
//!
//! The last message of a dispute: the watchtower disproves it or is late.
//!
//! Fees, outputs and limits: see [`MessageTx`].

use core::ops::Deref;

use super::MessageTx;

/// A segment of the Merkle path, by the operator.
#[derive(Clone, Debug)]
pub struct Path(pub(crate) MessageTx);

impl Deref for Path {
    type Target = MessageTx;

    fn deref(&self) -> &MessageTx {
        &self.0
    }
}
