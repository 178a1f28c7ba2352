//! Proofs of plonky2's circuits with this crate's kernels; plonky2's own prover hashes one row at a time.
//!
//! Invariant: for the same witness the proof is plonky2's, but for the nonce of the proof of work, which here is the
//! least; so plonky2's verifier, natively and in a circuit, is the one for these proofs. Gates are evaluated by their own
//! code in plonky2. A witness that does not satisfy the circuit gives a proof that is refused.

mod opening;
mod permutation;
mod quotient;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use anyhow::{Result, ensure};
use plonky2::fri::structure::{FriOpeningBatch, FriOpenings};
use plonky2::hash::hash_types::HashOut;
use plonky2::hash::poseidon::PoseidonHash;
use plonky2::iop::challenger::Challenger;
use plonky2::iop::generator::generate_partial_witness;
use plonky2::iop::witness::{PartialWitness, PartitionWitness, Witness};
use plonky2::plonk::circuit_data::{CircuitData, CommonCircuitData};
use plonky2::plonk::config::{Hasher, PoseidonGoldilocksConfig};
use plonky2::plonk::proof::{OpeningSet, Proof, ProofWithPublicInputs};
use rayon::prelude::*;
use zkvm_air::{E, F};
use zkvm_verifier::params::CAP_HEIGHT;
use zkvm_verifier::proof::D;

use crate::stark::{Commitment, Domain};

type C = PoseidonGoldilocksConfig;

/// A circuit and what proving it needs besides.
pub(crate) struct CircuitProver {
    data: CircuitData<F, C, D>,
    domain: Domain,
    /// Constants and sigmas, as columns; made when first needed.
    fixed: OnceLock<Commitment>,
}

/// Challenges of the permutation argument and the weight of constraints, as many of each as the circuit's configuration says.
struct Challenges {
    betas: Vec<F>,
    gammas: Vec<F>,
    alphas: Vec<F>,
}

/// What a circuit commits to, in plonky2's order.
#[derive(Clone, Copy)]
struct Oracles<'a> {
    fixed: &'a Commitment,
    wires: &'a Commitment,
    /// The Z of each challenge, then the partial products of each.
    products: &'a Commitment,
}

impl CircuitProver {
    /// For a circuit without look-up tables and blinding, whose constraints have at most the degree that its rate allows.
    ///
    /// # Errors
    /// If it is none of these.
    pub(crate) fn new(data: CircuitData<F, C, D>) -> Result<Self> {
        let common = &data.common;
        let fri = &common.config.fri_config;
        ensure!(
            common.luts.is_empty(),
            "circuits with look-up tables are not proven here"
        );
        ensure!(
            !common.config.zero_knowledge,
            "circuits with blinding are not proven here"
        );
        ensure!(
            fri.cap_height == CAP_HEIGHT,
            "caps of height {}, expected {CAP_HEIGHT}",
            fri.cap_height
        );
        ensure!(
            common.quotient_degree_factor == 1 << fri.rate_bits,
            "quotients of degree {}, expected {}",
            common.quotient_degree_factor,
            1 << fri.rate_bits
        );
        let (expected, got) = (
            common.selectors_info.num_selectors(),
            quotient::groups(common).len(),
        );
        ensure!(expected == got, "{got} groups of gates, expected {expected}");
        let domain = Domain::with_rate(common.degree_bits(), fri.rate_bits);
        Ok(Self {
            data,
            domain,
            fixed: OnceLock::new(),
        })
    }

    /// The circuit.
    pub(crate) fn data(&self) -> &CircuitData<F, C, D> {
        &self.data
    }

    /// Proves it for the witness that follows from `inputs`.
    ///
    /// # Errors
    /// If there is no witness, or a challenge is one that happens once in 2^64 proofs.
    pub(crate) fn prove(&self, inputs: PartialWitness<F>) -> Result<ProofWithPublicInputs<F, C, D>> {
        let CircuitData {
            prover_only, common, ..
        } = &self.data;
        self.prove_witness(generate_partial_witness(inputs, prover_only, common)?)
    }

    fn prove_witness(&self, witness: PartitionWitness<'_, F>) -> Result<ProofWithPublicInputs<F, C, D>> {
        let CircuitData {
            prover_only, common, ..
        } = &self.data;
        let public_inputs = witness.get_targets(&prover_only.public_inputs);
        let publics_hash = PoseidonHash::hash_no_pad(&public_inputs);
        let wire_values = columns(witness, common);
        let wires = Commitment::new(&self.domain, &wire_values);

        let mut challenger = Challenger::<F, PoseidonHash>::new();
        common.fri_params.observe(&mut challenger);
        challenger.observe_hash::<PoseidonHash>(prover_only.circuit_digest);
        challenger.observe_hash::<PoseidonHash>(publics_hash);
        challenger.observe_cap::<PoseidonHash>(&wires.cap());
        let count = common.config.num_challenges;
        let betas = challenger.get_n_challenges(count);
        let gammas = challenger.get_n_challenges(count);

        let product_values = permutation::columns(&self.data, &wire_values, &betas, &gammas);
        drop(wire_values);
        let products = Commitment::new(&self.domain, &product_values);
        drop(product_values);
        challenger.observe_cap::<PoseidonHash>(&products.cap());
        let challenges = Challenges {
            betas,
            gammas,
            alphas: challenger.get_n_challenges(count),
        };

        let oracles = Oracles {
            fixed: self.fixed()?,
            wires: &wires,
            products: &products,
        };
        let quotient = self.quotient(oracles, &challenges, publics_hash);
        challenger.observe_cap::<PoseidonHash>(&quotient.cap());

        let (openings, opening_proof) = opening::open(common, oracles, &quotient, &mut challenger)?;
        Ok(ProofWithPublicInputs {
            proof: Proof {
                wires_cap: wires.cap(),
                plonk_zs_partial_products_cap: products.cap(),
                quotient_polys_cap: quotient.cap(),
                openings,
                opening_proof,
            },
            public_inputs,
        })
    }

    fn quotient(
        &self,
        oracles: Oracles<'_>,
        challenges: &Challenges,
        publics_hash: HashOut<F>,
    ) -> Commitment {
        let parts = quotient::quotient(&self.data.common, &self.domain, oracles, challenges, publics_hash);
        Commitment::from_parts(&self.domain, parts)
    }

    /// The commitment to the circuit itself, as plonky2 has made it.
    fn fixed(&self) -> Result<&Commitment> {
        if let Some(fixed) = self.fixed.get() {
            return Ok(fixed);
        }
        let batch = &self.data.prover_only.constants_sigmas_commitment;
        let fixed = Commitment::from_tree(&self.domain, &batch.merkle_tree);
        ensure!(
            fixed.cap() == self.data.verifier_only.constants_sigmas_cap,
            "the circuit's polynomials are not the ones of its key"
        );
        Ok(self.fixed.get_or_init(|| fixed))
    }
}

/// The columns of a whole witness; wires without a value are 0.
fn columns(witness: PartitionWitness<'_, F>, common: &CommonCircuitData<F, D>) -> Vec<Vec<F>> {
    let witness = witness.full_witness();
    (0..common.config.num_wires)
        .into_par_iter()
        .map(|wire| {
            (0..common.degree())
                .map(|row| witness.get_wire(row, wire))
                .collect()
        })
        .collect()
}

/// Openings as FRI's verifier takes them: all at zeta, then the Z at g zeta.
fn to_fri(openings: &OpeningSet<F, D>) -> FriOpenings<F, D> {
    let at_zeta: [&[E]; 6] = [
        &openings.constants,
        &openings.plonk_sigmas,
        &openings.wires,
        &openings.plonk_zs,
        &openings.partial_products,
        &openings.quotient_polys,
    ];
    FriOpenings {
        batches: vec![
            FriOpeningBatch {
                values: at_zeta.concat(),
            },
            FriOpeningBatch {
                values: openings.plonk_zs_next.clone(),
            },
        ],
    }
}
