//! The public one-time keys of a claim: the operator's claim words, and for each watchtower both sides' keys.
//!
//! Everybody holds all of them, checked against the plan when they were made ([`ocp::keyset`]). They determine every
//! script tree of the graph.

use ocp::{AllKeys, ClaimKeys, DisputeKeys};

/// All public one-time keys of one claim.
#[derive(Clone, Debug)]
pub struct OneTimeKeys {
    claim: ClaimKeys,
    disputes: Vec<DisputeKeys>,
}

impl OneTimeKeys {
    /// The claim words' keys and the disputes', by watchtower.
    pub fn new(claim: ClaimKeys, disputes: Vec<DisputeKeys>) -> Self {
        OneTimeKeys { claim, disputes }
    }

    /// Number of watchtowers.
    pub fn watchtowers(&self) -> usize {
        self.disputes.len()
    }

    /// The keys that messages and leaves of one dispute read; `None` if there is no such watchtower.
    pub fn of(&self, dispute: usize) -> Option<AllKeys<'_>> {
        let dispute = self.disputes.get(dispute)?;
        Some(AllKeys {
            claim: &self.claim,
            dispute,
        })
    }
}
