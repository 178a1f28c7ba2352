//! Fills a leaf's targets with a shard's proof.
//!
//! Lengths are the caller's to check ([`ShardProof::check_shape`]); all else is for the constraints. The pin is not filled
//! in: the circuit makes it of the openings at z0.

use plonky2::fri::witness_util::set_fri_proof_target;
use plonky2::iop::witness::{PartialWitness, WitnessWrite};
use zkvm_air::F;
use zkvm_verifier::ShardProof;
use zkvm_verifier::run::{Cap, Challenges};

use super::leaf::LeafTargets;

/// A shard's proof and what it is to be verified against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shard<'a> {
    /// The proof.
    pub(crate) proof: &'a ShardProof,
    /// The key's cap if the table has fixed columns.
    pub(crate) fixed_cap: Option<&'a Cap>,
    /// The challenges of the run.
    pub(crate) challenges: Challenges,
}

/// Sets all of `targets` from a proof of the right shape; `height` counts from the least log height of the circuit.
pub(crate) fn set_leaf(
    witness: &mut PartialWitness<F>,
    targets: &LeafTargets,
    height: usize,
    shard: &Shard<'_>,
) -> anyhow::Result<()> {
    let proof = shard.proof;
    for (i, &bit) in targets.heights.iter().enumerate() {
        witness.set_bool_target(bit, i == height)?;
    }
    witness.set_target_arr(&targets.publics, &proof.publics)?;
    let fixed = targets.fixed_cap.iter().zip(shard.fixed_cap);
    let own = [
        (&targets.trace_cap, &proof.trace_cap),
        (&targets.aux_cap, &proof.aux_cap),
        (&targets.quotient_cap, &proof.quotient_cap),
    ];
    for (target, cap) in fixed.chain(own) {
        witness.set_cap_target(target, cap)?;
    }
    let (to, from) = (&targets.openings, &proof.openings);
    let lists = [
        (&to.fixed, &from.fixed),
        (&to.trace, &from.trace),
        (&to.trace_next, &from.trace_next),
        (&to.aux, &from.aux),
        (&to.aux_next, &from.aux_next),
        (&to.blend, &from.blend),
        (&to.quotient, &from.quotient),
        (&to.pinned, &from.pinned),
    ];
    for (targets, values) in lists {
        witness.set_extension_targets(targets, values)?;
    }
    let Challenges { pin, logup } = shard.challenges;
    let challenges = [
        (targets.z0, pin.z0),
        (targets.lambda, pin.lambda),
        (targets.beta, logup.beta),
        (targets.gamma, logup.gamma),
    ];
    for (target, value) in challenges {
        witness.set_extension_target(target, value)?;
    }
    witness.set_extension_target(targets.sum, proof.sum)?;
    set_fri_proof_target(witness, &targets.fri, &proof.fri)
}
