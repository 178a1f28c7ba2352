//! The fold circuit: one leaf more onto the account of a run.
//!
//! Its proof is the accumulator of the next. The leaf's verifier data are a witness without a choice: their hash is
//! picked out of constants by the table number in the leaf's public inputs, so a leaf of a foreign circuit has no way in.
//! (The data themselves, 340 constants, would not leave the fold its 2^13 gates.) An attacker
//! tries to leave a shard out, to repeat or reorder shards, to bring one made under other challenges or pinned elsewhere,
//! to start or chain states and memory wrongly, or to pass off another circuit's accumulator as this one's; the last is
//! caught by the verifier data among the public inputs, which the final check compares.

use plonky2::field::types::Field;
use plonky2::gates::gate::GateRef;
use plonky2::hash::hash_types::{HashOut, HashOutTarget, MerkleCapTarget};
use plonky2::hash::poseidon::PoseidonHash;
use plonky2::iop::target::{BoolTarget, Target};
use plonky2::plonk::circuit_builder::CircuitBuilder;
use plonky2::plonk::circuit_data::{
    CircuitData, CommonCircuitData, VerifierCircuitTarget, VerifierOnlyCircuitData,
};
use plonky2::plonk::config::Hasher;
use plonky2::plonk::proof::{ProofWithPublicInputs, ProofWithPublicInputsTarget};
use plonky2::recursion::dummy_circuit::{dummy_circuit, dummy_proof};
use zkvm_air::{F, TableId};
use zkvm_verifier::compressed::layout as acc;
use zkvm_verifier::run::PIN_TAG;

use super::leaf::layout as leaf;
use super::{C, D, RecursionError, shape};

/// A proof of a circuit.
pub(crate) type Proof = ProofWithPublicInputs<F, C, D>;

/// Verifier data of the leaf circuits in the order of table numbers.
pub(crate) type LeafKeys = [VerifierOnlyCircuitData<C, D>; TableId::ALL.len()];

/// What the prover fills in; the first targets of the circuit.
pub(crate) struct FoldTargets {
    /// Whether there is an accumulator.
    pub(crate) continues: BoolTarget,
    /// h of the header.
    pub(crate) header: Vec<Target>,
    pub(crate) accumulator: ProofWithPublicInputsTarget<D>,
    pub(crate) leaf: ProofWithPublicInputsTarget<D>,
    /// Verifier data of the leaf's table.
    pub(crate) leaf_key: VerifierCircuitTarget,
    /// The fold's own verifier data, a public input.
    pub(crate) own: VerifierCircuitTarget,
    /// The other public inputs of the new accumulator.
    publics: Vec<Target>,
}

impl FoldTargets {
    /// Allocates what the prover fills in and registers the public inputs. Must come first in `builder`.
    pub(crate) fn add(
        builder: &mut CircuitBuilder<F, D>,
        fold: &CommonCircuitData<F, D>,
        leaf: &CommonCircuitData<F, D>,
    ) -> Self {
        let publics = builder.add_virtual_public_input_arr::<{ acc::COUNT }>().to_vec();
        let own = builder.add_verifier_data_public_inputs();
        Self {
            continues: builder.add_virtual_bool_target_unsafe(),
            header: publics[acc::HEADER].to_vec(),
            accumulator: builder.add_virtual_proof_with_pis(fold),
            leaf: builder.add_virtual_proof_with_pis(leaf),
            leaf_key: builder.add_virtual_verifier_data(leaf.config.fri_config.cap_height),
            own,
            publics,
        }
    }
}

/// Builds the fold circuit, and the proof that stands for the accumulator before the first shard. Of 2^`degree_bits` gates for leaves of the common shape `leaf_common`.
pub(crate) fn build(
    gates: &[GateRef<F, D>],
    degree_bits: usize,
    leaf_common: &CommonCircuitData<F, D>,
    keys: &LeafKeys,
) -> Result<(CircuitData<F, C, D>, Proof), RecursionError> {
    let common = common(gates, degree_bits);
    let start = dummy_circuit::<F, C, D>(&common);
    let mut builder = CircuitBuilder::<F, D>::new(shape::fold_config());
    let targets = FoldTargets::add(&mut builder, &common, leaf_common);
    constrain(
        &mut builder,
        &targets,
        &common,
        leaf_common,
        keys,
        &start.verifier_only,
    );
    tracing::debug!(gates = builder.num_gates(), "fold circuit");
    shape::pad(&mut builder, gates, degree_bits);
    let circuit = builder.build::<C>();
    shape::expect_same("fold", &common, &circuit.common)?;
    let start = dummy_proof(&start, Default::default()).map_err(|error| RecursionError::Unsatisfied {
        circuit: "start",
        reason: error.to_string(),
    })?;
    Ok((circuit, start))
}

/// The fold's common data before it is built.
pub(crate) fn common(gates: &[GateRef<F, D>], degree_bits: usize) -> CommonCircuitData<F, D> {
    let cap = shape::fold_config().fri_config.num_cap_elements();
    shape::common(shape::fold_config(), gates, degree_bits, acc::COUNT + 4 + 4 * cap)
}

pub(super) fn constrain(
    builder: &mut CircuitBuilder<F, D>,
    targets: &FoldTargets,
    common: &CommonCircuitData<F, D>,
    leaf_common: &CommonCircuitData<F, D>,
    keys: &LeafKeys,
    start: &VerifierOnlyCircuitData<C, D>,
) {
    let continues = targets.continues;
    builder.assert_bool(continues);
    let shard = &targets.leaf.public_inputs;
    let before = &targets.accumulator.public_inputs;
    let after = &targets.publics;

    // The leaf, by the circuit of its table.
    let table = one_hot(builder, shard[leaf::TABLE]);
    let some_table = builder.add_many(table.iter().map(|bit| bit.target));
    builder.assert_one(some_table);
    expect_key(builder, &table, keys, &targets.leaf_key);
    builder.verify_proof::<C>(&targets.leaf, &targets.leaf_key, leaf_common);

    // Order: Cpu after Cpu, Static once after Cpu, Memory after Static or Memory, Hint after those or Hint, Sha256 after
    // all but Cpu.
    let [cpu, fixed, memory, ..] = table;
    let first = builder.not(continues);
    let not_cpu = builder.not(cpu);
    builder.assert_zero_if(first, not_cpu.target);
    let last = one_hot(builder, before[acc::LAST_TABLE]);
    let not_after_cpu = builder.not(last[0]);
    let mut one_of = |tables: &[TableId]| {
        let bits = tables.iter().map(|id| last[*id as usize].target);
        builder.add_many(bits)
    };
    let forbidden: [Target; TableId::ALL.len()] = [
        not_after_cpu.target,
        not_after_cpu.target,
        one_of(&[TableId::Cpu, TableId::Hint, TableId::Sha256]),
        one_of(&[TableId::Cpu, TableId::Sha256]),
        one_of(&[TableId::Cpu]),
    ];
    for (bit, forbidden) in table.into_iter().zip(forbidden) {
        let here = builder.and(continues, bit);
        builder.assert_zero_if(here, forbidden);
    }
    builder.connect(after[acc::LAST_TABLE], shard[leaf::TABLE]);

    // Header, running hash, and the chain of pins: both start from the header.
    for (&new, &old) in targets.header.iter().zip(&before[acc::HEADER]) {
        builder.conditional_assert_eq(continues.target, new, old);
    }
    let hash: Vec<Target> = targets
        .header
        .iter()
        .zip(&before[acc::HASH])
        .map(|(&header, &old)| builder.select(continues, old, header))
        .chain([shard[leaf::TABLE], shard[leaf::HEIGHT]])
        .chain(shard[leaf::PUBLICS_HASH].iter().copied())
        .chain(shard[leaf::TRACE].iter().copied())
        .collect();
    let hash = builder.hash_n_to_hash_no_pad::<PoseidonHash>(hash);
    connect_all(builder, &after[acc::HASH], &hash.elements);
    let tag = builder.constant(F::from_canonical_u64(PIN_TAG));
    let pins: Vec<Target> = targets
        .header
        .iter()
        .zip(&before[acc::PINS])
        .map(|(&header, &old)| builder.select(continues, old, header))
        .chain(shard[leaf::PIN].iter().copied())
        .chain([tag])
        .collect();
    let pins = builder.hash_n_to_hash_no_pad::<PoseidonHash>(pins);
    connect_all(builder, &after[acc::PINS], &pins.elements);

    // Challenges: all shards have those of the first, and the final check says whether they follow from the chains.
    for (own, account) in [
        (leaf::PIN_POINT, acc::PIN_POINT),
        (leaf::CHALLENGES, acc::CHALLENGES),
    ] {
        for (&new, &old) in shard[own.clone()].iter().zip(&before[account.clone()]) {
            builder.conditional_assert_eq(continues.target, new, old);
        }
        connect_all(builder, &after[account], &shard[own]);
    }

    // Sums: shards, rows, LogUp.
    let one = builder.one();
    let [sum_low, sum_high] = [leaf::SUM.start, leaf::SUM.start + 1].map(|i| shard[i]);
    let added = [
        (acc::SHARDS, one),
        (acc::ROWS, shard[leaf::ROWS]),
        (acc::SUM.start, sum_low),
        (acc::SUM.start + 1, sum_high),
    ];
    for (index, own) in added {
        let sum = builder.mul_add(continues.target, before[index], own);
        builder.connect(after[index], sum);
    }

    // Cpu's states.
    let states = &shard[leaf::PUBLICS];
    let (entered, left) = states[..2 * acc::STATE_LEN].split_at(acc::STATE_LEN);
    let chained = builder.and(continues, cpu);
    for i in 0..acc::STATE_LEN {
        let (start, state) = (acc::START_STATE.start + i, acc::STATE.start + i);
        let kept = builder.select(continues, before[start], entered[i]);
        builder.connect(after[start], kept);
        builder.conditional_assert_eq(chained.target, entered[i], before[state]);
        let now = builder.select(cpu, left[i], before[state]);
        builder.connect(after[state], now);
    }

    // Static's fixed columns, and the chain of memory that starts there.
    let (address_before, address_after) = (states[acc::MEMORY_BEFORE], states[acc::MEMORY_AFTER]);
    builder.assert_zero_if(fixed, address_before);
    builder.conditional_assert_eq(memory.target, address_before, before[acc::MEMORY]);
    let has_memory = builder.or(fixed, memory);
    let carried = [
        (fixed, shard[leaf::FIXED.start], acc::FIXED.start),
        (fixed, shard[leaf::FIXED.start + 1], acc::FIXED.start + 1),
        (fixed, shard[leaf::FIXED.start + 2], acc::FIXED.start + 2),
        (fixed, shard[leaf::FIXED.start + 3], acc::FIXED.start + 3),
        (fixed, shard[leaf::HEIGHT], acc::STATIC_HEIGHT),
        (has_memory, address_after, acc::MEMORY),
    ];
    for (here, new, index) in carried {
        let old = builder.mul(continues.target, before[index]);
        let value = builder.select(here, new, old);
        builder.connect(after[index], value);
    }

    // The accumulator: of this circuit under the same verifier data, or of the start circuit, which says nothing.
    let start = builder.constant_verifier_data(start);
    let chosen = select_key(builder, continues, &targets.own, &start);
    builder.verify_proof::<C>(&targets.accumulator, &chosen, common);
    for (&old, own) in before[acc::COUNT..].iter().zip(key_elements(&targets.own)) {
        builder.conditional_assert_eq(continues.target, old, own);
    }
}

/// Verifier data in the order in which they stand among public inputs.
fn key_elements(key: &VerifierCircuitTarget) -> impl Iterator<Item = Target> + '_ {
    let cap = key.constants_sigmas_cap.0.iter().flat_map(|hash| hash.elements);
    key.circuit_digest.elements.into_iter().chain(cap)
}

fn select_key(
    builder: &mut CircuitBuilder<F, D>,
    condition: BoolTarget,
    yes: &VerifierCircuitTarget,
    no: &VerifierCircuitTarget,
) -> VerifierCircuitTarget {
    let mut select = |yes: HashOutTarget, no: HashOutTarget| HashOutTarget {
        elements: core::array::from_fn(|i| builder.select(condition, yes.elements[i], no.elements[i])),
    };
    let circuit_digest = select(yes.circuit_digest, no.circuit_digest);
    let caps = yes.constants_sigmas_cap.0.iter().zip(&no.constants_sigmas_cap.0);
    VerifierCircuitTarget {
        constants_sigmas_cap: MerkleCapTarget(caps.map(|(&yes, &no)| select(yes, no)).collect()),
        circuit_digest,
    }
}

/// Which table a number names, all false if none.
fn one_hot(builder: &mut CircuitBuilder<F, D>, number: Target) -> [BoolTarget; TableId::ALL.len()] {
    TableId::ALL.map(|id| {
        let id = builder.constant(F::from_canonical_u64(id.number()));
        builder.is_equal(number, id)
    })
}

/// `key` is the table's, by its hash.
fn expect_key(
    builder: &mut CircuitBuilder<F, D>,
    table: &[BoolTarget; TableId::ALL.len()],
    keys: &LeafKeys,
    key: &VerifierCircuitTarget,
) {
    let digests = keys.each_ref().map(key_digest);
    let found = builder.hash_n_to_hash_no_pad::<PoseidonHash>(key_elements(key).collect());
    for (i, found) in found.elements.into_iter().enumerate() {
        let mut expected = builder.zero();
        for (bit, digest) in table.iter().zip(&digests) {
            let element = builder.constant(digest.elements[i]);
            expected = builder.mul_add(bit.target, element, expected);
        }
        builder.connect(found, expected);
    }
}

/// The hash of verifier data, in the order of [`key_elements`].
fn key_digest(key: &VerifierOnlyCircuitData<C, D>) -> HashOut<F> {
    let cap = key.constants_sigmas_cap.0.iter().flat_map(|hash| hash.elements);
    let elements: Vec<F> = key.circuit_digest.elements.into_iter().chain(cap).collect();
    PoseidonHash::hash_no_pad(&elements)
}

fn connect_all(builder: &mut CircuitBuilder<F, D>, a: &[Target], b: &[Target]) {
    for (&a, &b) in a.iter().zip(b) {
        builder.connect(a, b);
    }
}

trait AssertZeroIf {
    /// `value` = 0 if `condition`.
    fn assert_zero_if(&mut self, condition: BoolTarget, value: Target);
}

impl AssertZeroIf for CircuitBuilder<F, D> {
    fn assert_zero_if(&mut self, condition: BoolTarget, value: Target) {
        let product = self.mul(condition.target, value);
        self.assert_zero(product);
    }
}
