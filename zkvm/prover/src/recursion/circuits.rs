//! Built circuits, and the proofs made with them.

use core::fmt::Display;
use core::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};

use plonky2::field::types::PrimeField64;
use plonky2::gates::gate::GateRef;
use plonky2::hash::hash_types::HashOut;
use plonky2::iop::witness::{PartialWitness, WitnessWrite};
use plonky2::plonk::circuit_builder::CircuitBuilder;
use plonky2::plonk::circuit_data::CircuitData;
use zkvm_air::{F, Table, TableId};
use zkvm_verifier::Params;

use super::fold::{self, FoldTargets, LeafKeys, Proof};
use super::leaf::{self, LeafShape, LeafTargets};
use super::witness::{self, Shard};
use super::{C, D, RecursionError, shape};
use crate::plonk::CircuitProver;

/// What the circuits depend on.
#[derive(Clone, Debug)]
pub(crate) struct Plan<'a> {
    /// Tables in the order of their numbers.
    pub(crate) tables: [&'a Table; TableId::ALL.len()],
    /// Log heights of each.
    pub(crate) heights: [RangeInclusive<usize>; TableId::ALL.len()],
    /// Of shards.
    pub(crate) params: Params,
    /// log2 of the gates of every leaf circuit.
    pub(crate) leaf_degree_bits: usize,
    /// log2 of the gates of the fold circuit.
    pub(crate) fold_degree_bits: usize,
}

impl Plan<'_> {
    pub(crate) fn leaf(&self, id: TableId) -> LeafShape<'_> {
        let i = id as usize;
        LeafShape {
            table: self.tables[i],
            params: self.params,
            heights: self.heights[i].clone(),
        }
    }
}

/// The circuit of a table.
pub(crate) struct LeafCircuit {
    circuit: CircuitProver,
    targets: LeafTargets,
    table: Table,
    params: Params,
    heights: RangeInclusive<usize>,
}

impl LeafCircuit {
    /// Builds it and pads it to the common degree.
    pub(crate) fn build(
        shape: &LeafShape<'_>,
        gates: &[GateRef<F, D>],
        degree_bits: usize,
    ) -> Result<Self, RecursionError> {
        Self::build_padded(shape, gates, degree_bits, true)
    }

    /// A circuit that leaves the padding of lower heights free, to show that it must not.
    #[cfg(test)]
    pub(super) fn build_with_open_padding(
        shape: &LeafShape<'_>,
        gates: &[GateRef<F, D>],
        degree_bits: usize,
    ) -> Result<Self, RecursionError> {
        Self::build_padded(shape, gates, degree_bits, false)
    }

    fn build_padded(
        shape: &LeafShape<'_>,
        gates: &[GateRef<F, D>],
        degree_bits: usize,
        closed: bool,
    ) -> Result<Self, RecursionError> {
        shape.check()?;
        let mut builder = CircuitBuilder::<F, D>::new(shape::leaf_config());
        let targets = LeafTargets::add(&mut builder, shape);
        leaf::constrain(&mut builder, shape, &targets, closed);
        shape::pad(&mut builder, gates, degree_bits);
        Self::with(shape, targets, builder.build::<C>())
    }

    /// The circuit of `shape` whose data were built before.
    pub(crate) fn from_data(
        shape: &LeafShape<'_>,
        data: CircuitData<F, C, D>,
    ) -> Result<Self, RecursionError> {
        let mut builder = CircuitBuilder::<F, D>::new(shape::leaf_config());
        let targets = LeafTargets::add(&mut builder, shape);
        Self::with(shape, targets, data)
    }

    fn with(
        shape: &LeafShape<'_>,
        targets: LeafTargets,
        data: CircuitData<F, C, D>,
    ) -> Result<Self, RecursionError> {
        Ok(Self {
            circuit: prover(data)?,
            targets,
            table: shape.table.clone(),
            params: shape.params,
            heights: shape.heights.clone(),
        })
    }

    /// What plonky2 knows of it.
    pub(crate) fn data(&self) -> &CircuitData<F, C, D> {
        self.circuit.data()
    }

    /// Proves that the shard's proof is accepted.
    pub(crate) fn prove(&self, shard: &Shard<'_>) -> Result<Proof, RecursionError> {
        let proof = shard.proof;
        proof
            .check_shape(&self.table, &self.params)
            .map_err(unsatisfied("leaf"))?;
        if self.targets.fixed_cap.is_some() != shard.fixed_cap.is_some()
            || !self.heights.contains(&proof.log_height)
        {
            return Err(unsatisfied("leaf")(
                "fixed columns or log height are not the circuit's",
            ));
        }
        self.prove_at(proof.log_height - self.heights.start(), shard)
    }

    /// The same for a proof of the right shape, at a log height counted from the circuit's least.
    pub(super) fn prove_at(&self, height: usize, shard: &Shard<'_>) -> Result<Proof, RecursionError> {
        let mut witness = PartialWitness::new();
        witness::set_leaf(&mut witness, &self.targets, height, shard).map_err(unsatisfied("leaf"))?;
        prove(&self.circuit, witness, "leaf")
    }
}

/// The fold circuit.
pub(crate) struct FoldCircuit {
    circuit: CircuitProver,
    /// Stands for the accumulator before the first shard.
    pub(crate) start: Proof,
    keys: LeafKeys,
    targets: FoldTargets,
}

impl FoldCircuit {
    /// Builds it for `leaves` in the order of table numbers.
    pub(crate) fn build(
        gates: &[GateRef<F, D>],
        degree_bits: usize,
        leaves: &[LeafCircuit; TableId::ALL.len()],
    ) -> Result<Self, RecursionError> {
        let leaf = &leaves[0].data().common;
        for other in &leaves[1..] {
            shape::expect_same("leaf", leaf, &other.data().common)?;
        }
        let keys = leaves.each_ref().map(|leaf| leaf.data().verifier_only.clone());
        let (data, start) = fold::build(gates, degree_bits, leaf, &keys)?;
        Self::from_data(leaves, data, start)
    }

    /// The circuit over `leaves` whose data were built before.
    pub(crate) fn from_data(
        leaves: &[LeafCircuit; TableId::ALL.len()],
        data: CircuitData<F, C, D>,
        start: Proof,
    ) -> Result<Self, RecursionError> {
        let mut builder = CircuitBuilder::<F, D>::new(shape::fold_config());
        let targets = FoldTargets::add(&mut builder, &data.common, &leaves[0].data().common);
        let keys = leaves.each_ref().map(|leaf| leaf.data().verifier_only.clone());
        Ok(Self {
            circuit: prover(data)?,
            start,
            keys,
            targets,
        })
    }

    /// What plonky2 knows of it.
    pub(crate) fn data(&self) -> &CircuitData<F, C, D> {
        self.circuit.data()
    }

    /// Folds `leaf` onto `accumulator`, or starts with it under the header hash `header`.
    pub(crate) fn prove(
        &self,
        header: HashOut<F>,
        accumulator: Option<&Proof>,
        leaf: &Proof,
    ) -> Result<Proof, RecursionError> {
        let mut witness = PartialWitness::new();
        self.set(&mut witness, header, accumulator, leaf)
            .map_err(unsatisfied("fold"))?;
        prove(&self.circuit, witness, "fold")
    }

    fn set(
        &self,
        witness: &mut PartialWitness<F>,
        header: HashOut<F>,
        accumulator: Option<&Proof>,
        leaf: &Proof,
    ) -> anyhow::Result<()> {
        let targets = &self.targets;
        witness.set_bool_target(targets.continues, accumulator.is_some())?;
        witness.set_target_arr(&targets.header, &header.elements)?;
        witness.set_verifier_data_target(&targets.own, &self.data().verifier_only)?;
        witness.set_proof_with_pis_target(&targets.leaf, leaf)?;
        // Of a table that is none any key will do: the circuit is not satisfied.
        let table = leaf.public_inputs[leaf::layout::TABLE].to_canonical_u64();
        let key = usize::try_from(table).ok().and_then(|table| self.keys.get(table));
        witness.set_verifier_data_target(&targets.leaf_key, key.unwrap_or(&self.keys[0]))?;
        let accumulator = accumulator.unwrap_or(&self.start);
        witness.set_proof_with_pis_target(&targets.accumulator, accumulator)
    }
}

/// Leaves and fold.
pub(crate) struct CircuitSet {
    pub(crate) leaves: [LeafCircuit; TableId::ALL.len()],
    pub(crate) fold: FoldCircuit,
}

impl CircuitSet {
    /// Builds all of them; takes the better part of a minute.
    pub(crate) fn build(plan: &Plan<'_>) -> Result<Self, RecursionError> {
        let gates = shape::gates();
        let mut leaves = Vec::with_capacity(TableId::ALL.len());
        for id in TableId::ALL {
            leaves.push(LeafCircuit::build(&plan.leaf(id), &gates, plan.leaf_degree_bits)?);
        }
        let Ok(leaves) = <[LeafCircuit; TableId::ALL.len()]>::try_from(leaves) else {
            unreachable!("one leaf a table was pushed");
        };
        let fold = FoldCircuit::build(&gates, plan.fold_degree_bits, &leaves)?;
        Ok(Self { leaves, fold })
    }
}

fn prover(data: CircuitData<F, C, D>) -> Result<CircuitProver, RecursionError> {
    CircuitProver::new(data).map_err(|error| RecursionError::Shape {
        reason: error.to_string(),
    })
}

fn prove(
    circuit: &CircuitProver,
    witness: PartialWitness<F>,
    name: &'static str,
) -> Result<Proof, RecursionError> {
    // Some of plonky2's witness generators assert what the constraints demand as well. What is shared with the closure is
    // the circuit, which proving completes by its own columns or leaves as it is.
    let proved = catch_unwind(AssertUnwindSafe(|| circuit.prove(witness)));
    let Ok(proof) = proved else {
        return Err(unsatisfied(name)("there is no witness"));
    };
    let proof = proof.map_err(unsatisfied(name))?;
    circuit.data().verify(proof.clone()).map_err(unsatisfied(name))?;
    Ok(proof)
}

fn unsatisfied<T: Display>(circuit: &'static str) -> impl Fn(T) -> RecursionError {
    move |error| RecursionError::Unsatisfied {
        circuit,
        reason: error.to_string(),
    }
}
