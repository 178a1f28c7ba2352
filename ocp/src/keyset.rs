//! The public one-time keys of a claim and of one dispute, by [`ValueId`] and [`ChoiceId`].
//!
//! Owns which slots each side must publish: the operator's claim words (per kickoff), its values and its own choice
//! locks (per kickoff and watchtower), and the watchtower's choice locks. Key sets come from the owner's seed or as
//! bytes from the other side; either way [`ClaimKeys::new`] and [`DisputeKeys::new`] check that they hold exactly
//! the slots of the plan, so that later look-ups of the plan's names succeed.
//!
//! What an attacker tries: a key set that lacks a slot (a message that can never be sent, or a leaf that can never
//! run), one of another instance, or one made for another plan. Both sides commit to the sets by
//! [`DisputeKeys::digest`] before anything is signed.

use bitcoin::hashes::{Hash, HashEngine, sha256};
use taptree_commit::choice::Locks;
use taptree_commit::keys::{self, InstanceId, KeysError, PublicKeySet, SlotId, SlotKind};
use taptree_commit::wots::PublicKey;

use crate::plan::{Plan, Side};
use crate::value::{ChoiceId, ValueId};

/// Why key sets do not make a dispute's keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// A set lacks a slot, has one too many, or one of another size.
    #[error("{side:?}'s keys: {source}")]
    Slots {
        /// Whose set.
        side: Side,
        /// What is wrong.
        source: KeysError,
    },
    /// The two sides' sets name different instances.
    #[error("instance mismatch: operator {operator}, watchtower {watchtower}")]
    Instance {
        /// The operator's.
        operator: InstanceId,
        /// The watchtower's.
        watchtower: InstanceId,
    },
}

fn value_slots(ids: &[ValueId]) -> impl Iterator<Item = (SlotId, SlotKind)> + '_ {
    ids.iter().map(|id| (id.slot(), SlotKind::Value(id.digits())))
}

/// The slots that an operator publishes for a kickoff.
pub fn claim_slots(plan: &Plan) -> Vec<(SlotId, SlotKind)> {
    value_slots(&plan.claim_values()).collect()
}

/// The slots that `side` publishes for one dispute.
pub fn dispute_slots(plan: &Plan, side: Side) -> Vec<(SlotId, SlotKind)> {
    let choices = plan
        .choices()
        .map(|c| (c.slot(side), SlotKind::Choice(usize::from(plan.choice_values(c)))));
    match side {
        Side::Operator => value_slots(&plan.dispute_values()).chain(choices).collect(),
        Side::Watchtower => choices.collect(),
    }
}

/// The operator's public keys of the claim words of one kickoff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimKeys(PublicKeySet);

impl ClaimKeys {
    /// Takes the operator's set.
    ///
    /// # Errors
    /// [`KeySetError::Slots`] unless it holds exactly the claim words of `plan`.
    pub fn new(plan: &Plan, set: PublicKeySet) -> Result<ClaimKeys, KeySetError> {
        set.expect(&claim_slots(plan))
            .map_err(|source| KeySetError::Slots {
                side: Side::Operator,
                source,
            })?;
        Ok(ClaimKeys(set))
    }

    /// Makes the set from the operator's secret keys of the kickoff.
    ///
    /// # Errors
    /// As [`Self::new`]; does not happen for a checked plan.
    pub fn from_secret(plan: &Plan, secret: &keys::InstanceKeys) -> Result<ClaimKeys, KeySetError> {
        let set = secret.public_keys(&claim_slots(plan));
        Self::new(
            plan,
            set.map_err(|source| KeySetError::Slots {
                side: Side::Operator,
                source,
            })?,
        )
    }

    /// The key set, to be sent or stored.
    pub fn set(&self) -> &PublicKeySet {
        &self.0
    }
}

/// The public keys of one (kickoff, watchtower): both sides'.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisputeKeys {
    operator: PublicKeySet,
    watchtower: PublicKeySet,
}

impl DisputeKeys {
    /// Takes both sides' sets.
    ///
    /// # Errors
    /// [`KeySetError::Slots`] unless each holds exactly what `plan` asks of its side; [`KeySetError::Instance`]
    /// unless both are of one instance.
    pub fn new(
        plan: &Plan,
        operator: PublicKeySet,
        watchtower: PublicKeySet,
    ) -> Result<DisputeKeys, KeySetError> {
        for (side, set) in [(Side::Operator, &operator), (Side::Watchtower, &watchtower)] {
            set.expect(&dispute_slots(plan, side))
                .map_err(|source| KeySetError::Slots { side, source })?;
        }
        if operator.instance() != watchtower.instance() {
            return Err(KeySetError::Instance {
                operator: operator.instance(),
                watchtower: watchtower.instance(),
            });
        }
        Ok(DisputeKeys { operator, watchtower })
    }

    /// One side's set from its secret keys of the dispute, to be sent to the other.
    ///
    /// # Errors
    /// [`KeySetError::Slots`]; does not happen for a checked plan.
    pub fn half(plan: &Plan, side: Side, secret: &keys::InstanceKeys) -> Result<PublicKeySet, KeySetError> {
        secret
            .public_keys(&dispute_slots(plan, side))
            .map_err(|source| KeySetError::Slots { side, source })
    }

    /// The instance.
    pub fn instance(&self) -> InstanceId {
        self.operator.instance()
    }

    /// One side's set.
    pub fn set(&self, side: Side) -> &PublicKeySet {
        match side {
            Side::Operator => &self.operator,
            Side::Watchtower => &self.watchtower,
        }
    }

    /// The key of a value of the dispute.
    ///
    /// # Errors
    /// [`KeysError::Missing`] for a name that the plan does not have.
    pub fn value(&self, id: ValueId) -> Result<&PublicKey, KeysError> {
        self.operator.value(&id.slot())
    }

    /// `side`'s locks of a choice.
    ///
    /// # Errors
    /// [`KeysError::Missing`] for a name that the plan does not have.
    pub fn locks(&self, side: Side, choice: ChoiceId) -> Result<&Locks, KeysError> {
        self.set(side).choice(&choice.slot(side))
    }

    /// What both sides commit to before anything is signed: SHA-256 of both sets' digests.
    pub fn digest(&self) -> [u8; 32] {
        let mut engine = sha256::HashEngine::default();
        engine.input(b"Tapestry/dispute-keys/v1");
        engine.input(&self.operator.digest());
        engine.input(&self.watchtower.digest());
        sha256::Hash::from_engine(engine).to_byte_array()
    }
}

/// Every public key that a message or leaf of one dispute may read: claim words and dispute.
#[derive(Debug, Clone, Copy)]
pub struct AllKeys<'a> {
    /// Of the kickoff.
    pub claim: &'a ClaimKeys,
    /// Of the dispute.
    pub dispute: &'a DisputeKeys,
}

impl<'a> AllKeys<'a> {
    /// The key of any value.
    ///
    /// # Errors
    /// [`KeysError::Missing`] for a name that the plan does not have.
    pub fn value(&self, id: ValueId) -> Result<&'a PublicKey, KeysError> {
        match id {
            ValueId::Claim(_) => self.claim.0.value(&id.slot()),
            _ => self.dispute.value(id),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use taptree_commit::keys::Seed;
    use zeroize::Zeroizing;

    /// Secret keys of one side, by a test seed.
    pub(crate) fn secret(seed: u8, instance: u8) -> keys::InstanceKeys {
        Seed::new(Zeroizing::new([seed; 32])).instance(InstanceId([instance; 32]))
    }

    fn plan() -> Plan {
        Plan::new(2, vec![2, 2], 2).unwrap()
    }

    #[test]
    fn both_sides_compute_the_same_keys_from_bytes() {
        let plan = plan();
        let operator = DisputeKeys::half(&plan, Side::Operator, &secret(1, 9)).unwrap();
        let watchtower = DisputeKeys::half(&plan, Side::Watchtower, &secret(2, 9)).unwrap();
        let here = DisputeKeys::new(&plan, operator.clone(), watchtower.clone()).unwrap();
        let sent = PublicKeySet::from_bytes(&operator.to_bytes()).unwrap();
        let there = DisputeKeys::new(&plan, sent, watchtower).unwrap();
        assert_eq!(here.digest(), there.digest());
        for id in plan.dispute_values() {
            assert_eq!(here.value(id).unwrap().nibbles(), id.digits());
        }
        for choice in plan.choices() {
            for side in [Side::Operator, Side::Watchtower] {
                assert_eq!(
                    here.locks(side, choice).unwrap().values(),
                    usize::from(plan.choice_values(choice))
                );
            }
            assert_ne!(
                here.locks(Side::Operator, choice),
                here.locks(Side::Watchtower, choice)
            );
        }
    }

    #[test]
    fn sets_of_another_plan_side_or_instance_are_refused() {
        let plan = plan();
        let other = Plan::new(2, vec![4], 2).unwrap();
        let operator = DisputeKeys::half(&plan, Side::Operator, &secret(1, 9)).unwrap();
        let watchtower = DisputeKeys::half(&plan, Side::Watchtower, &secret(2, 9)).unwrap();
        let slots = |r: Result<DisputeKeys, KeySetError>| match r.unwrap_err() {
            KeySetError::Slots { side, .. } => side,
            other => panic!("{other}"),
        };
        let new = DisputeKeys::new;
        assert_eq!(
            slots(new(&other, operator.clone(), watchtower.clone())),
            Side::Operator
        );
        assert_eq!(
            slots(new(&plan, watchtower.clone(), watchtower.clone())),
            Side::Operator
        );
        assert_eq!(
            slots(new(&plan, operator.clone(), operator.clone())),
            Side::Watchtower
        );
        let elsewhere = DisputeKeys::half(&plan, Side::Watchtower, &secret(2, 8)).unwrap();
        assert!(matches!(
            new(&plan, operator, elsewhere),
            Err(KeySetError::Instance { .. })
        ));
        let claim = secret(1, 7)
            .public_keys(&claim_slots(&Plan::new(2, vec![4], 3).unwrap()))
            .unwrap();
        assert!(matches!(
            ClaimKeys::new(&plan, claim),
            Err(KeySetError::Slots { .. })
        ));
    }
}
