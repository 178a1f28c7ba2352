//! The public one-time keys of a claim: the operator's claim words, and for each watchtower both sides' keys.
//!
//! Everybody holds all of them, checked against the plan when they were made ([`ocp::keyset`]). They determine every
//! script tree of the graph.
//!
//! Invariant: no chain end and no lock occurs twice in a claim, within a side or between sides. Across claims,
//! [`crate::musig`]'s signers refuse a second graph with any [`OneTimeId`] of a first.
//!
//! What an attacker tries: to publish the other side's lock or chain as its own, so that one reveal counts as two; to
//! bring keys that served before, under their old instance or under a new name, so that an honest party must reveal a
//! second value or be late.

use bitcoin::hashes::{Hash, HashEngine, sha256};
use ocp::{AllKeys, ClaimKeys, DisputeKeys, Side};
use taptree_commit::keys::{InstanceId, KeysError, PublicKeySet, SlotPublic};

/// What must never occur in two graphs: an instance of one-time keys, or the keys of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OneTimeId(pub [u8; 32]);

impl OneTimeId {
    fn of_instance(instance: InstanceId) -> Self {
        let mut engine = sha256::Hash::engine();
        engine.input(b"tapestry/one-time-instance/1");
        engine.input(&instance.0);
        OneTimeId(sha256::Hash::from_engine(engine).to_byte_array())
    }

    /// Of the keys alone, so that another instance's name does not make them new.
    fn of_keys(set: &PublicKeySet) -> Self {
        let mut engine = sha256::Hash::engine();
        engine.input(b"tapestry/one-time-keys/1");
        for (_, key) in set.slots() {
            let hashes = match key {
                SlotPublic::Value(key) => key.ends(),
                SlotPublic::Choice(locks) => locks.as_slice(),
            };
            engine.input(&(hashes.len() as u64).to_be_bytes());
            hashes.iter().for_each(|hash| engine.input(hash));
        }
        OneTimeId(sha256::Hash::from_engine(engine).to_byte_array())
    }
}

/// All public one-time keys of one claim.
#[derive(Clone, Debug)]
pub struct OneTimeKeys {
    claim: ClaimKeys,
    disputes: Vec<DisputeKeys>,
}

impl OneTimeKeys {
    /// The claim words' keys and the disputes', by watchtower.
    ///
    /// # Errors
    ///
    /// [`KeysError::Shared`] if a chain end or a lock occurs twice, within a set or between any two.
    pub fn new(claim: ClaimKeys, disputes: Vec<DisputeKeys>) -> Result<Self, KeysError> {
        let keys = OneTimeKeys { claim, disputes };
        PublicKeySet::check_distinct(&keys.sets().collect::<Vec<_>>())?;
        Ok(keys)
    }

    fn sets(&self) -> impl Iterator<Item = &PublicKeySet> {
        let disputes = self
            .disputes
            .iter()
            .flat_map(|dispute| [dispute.set(Side::Operator), dispute.set(Side::Watchtower)]);
        core::iter::once(self.claim.set()).chain(disputes)
    }

    /// The instances and key sets that no other graph may use: of the claim and of every dispute.
    pub fn ids(&self) -> Vec<OneTimeId> {
        let instances: std::collections::BTreeSet<_> = self
            .sets()
            .map(|set| OneTimeId::of_instance(set.instance()))
            .collect();
        instances
            .into_iter()
            .chain(self.sets().map(OneTimeId::of_keys))
            .collect()
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
