use plonky2::field::types::{Field, Sample};
use plonky2::hash::hashing::hash_n_to_hash_no_pad;
use plonky2::hash::poseidon::{PoseidonHash, PoseidonPermutation};
use plonky2::iop::generator::generate_partial_witness;
use plonky2::iop::witness::{PartialWitness, PartitionWitness, WitnessWrite};
use plonky2::plonk::circuit_builder::CircuitBuilder;
use plonky2::plonk::circuit_data::{CircuitConfig, CircuitData};
use plonky2::plonk::proof::ProofWithPublicInputs;
use plonky2::plonk::prover::prove_with_partition_witness;
use plonky2::util::timing::TimingTree;
use zkvm_air::F;

use super::permutation::{Columns, Factors};
use super::{C, CircuitProver, D};
use crate::kernel::available;

fn config(challenges: usize) -> CircuitConfig {
    let mut config = CircuitConfig::standard_recursion_config();
    config.num_challenges = challenges;
    config.security_bits = 9;
    config.fri_config.proof_of_work_bits = 3;
    config.fri_config.num_query_rounds = 5;
    config
}

/// A circuit whose public inputs are a secret's hash and an inverse, and inputs for it.
fn hashing(challenges: usize, rounds: usize) -> (CircuitData<F, C, D>, PartialWitness<F>) {
    let mut builder = CircuitBuilder::<F, D>::new(config(challenges));
    let secret = builder.add_virtual_targets(5);
    let mut hash = builder.hash_n_to_hash_no_pad::<PoseidonHash>(secret.clone());
    for _ in 0..rounds {
        hash = builder.hash_n_to_hash_no_pad::<PoseidonHash>(hash.elements.to_vec());
    }
    let inverse = builder.inverse(secret[0]);
    let bits = builder.split_le(secret[1], 64);
    let power = builder.exp_from_bits(inverse, bits[..9].iter());
    builder.register_public_inputs(&hash.elements);
    builder.register_public_inputs(&[inverse, power]);
    let values = [3, 1 << 40, 5, 0, 9].map(F::from_canonical_u64);
    let mut inputs = PartialWitness::new();
    inputs.set_target_arr(&secret, &values).expect("fresh targets");
    (builder.build::<C>(), inputs)
}

/// Equal in everything that does not depend on the nonce.
fn assert_same(ours: &ProofWithPublicInputs<F, C, D>, theirs: &ProofWithPublicInputs<F, C, D>) {
    assert_eq!(ours.public_inputs, theirs.public_inputs);
    let (ours, theirs) = (&ours.proof, &theirs.proof);
    assert_eq!(ours.wires_cap, theirs.wires_cap);
    assert_eq!(
        ours.plonk_zs_partial_products_cap,
        theirs.plonk_zs_partial_products_cap
    );
    assert_eq!(ours.quotient_polys_cap, theirs.quotient_polys_cap);
    assert_eq!(ours.openings, theirs.openings);
    let (ours, theirs) = (&ours.opening_proof, &theirs.opening_proof);
    assert_eq!(ours.commit_phase_merkle_caps, theirs.commit_phase_merkle_caps);
    assert_eq!(ours.final_poly, theirs.final_poly);
}

/// Proves the same witness here and by plonky2 (whose wires without a value are random where they might tell something).
fn both(data: CircuitData<F, C, D>, inputs: PartialWitness<F>) -> ProofWithPublicInputs<F, C, D> {
    let prover = CircuitProver::new(data).expect("a plain circuit");
    let CircuitData {
        prover_only, common, ..
    } = prover.data();
    let witness = generate_partial_witness(inputs, prover_only, common).expect("a witness");
    let same = PartitionWitness {
        values: witness.values.clone(),
        ..witness
    };
    let theirs = prove_with_partition_witness(prover_only, common, same, &mut TimingTree::default());
    let ours = prover.prove_witness(witness).expect("a proof");
    assert_same(&ours, &theirs.expect("a proof"));
    prover.data().verify(ours.clone()).expect("a true proof");
    ours
}

#[test]
fn proofs_are_those_of_plonky2() {
    for (challenges, rounds) in [(1, 20), (2, 200), (3, 1), (3, 600)] {
        let (data, inputs) = hashing(challenges, rounds);
        let verifier = data.verifier_data();
        let mut proof = both(data, inputs);
        assert_eq!(proof.public_inputs.len(), 6);
        proof.public_inputs[0] += F::ONE;
        assert!(verifier.verify(proof).is_err());
    }
}

/// A circuit that verifies another uses the gates of verifiers.
#[test]
fn a_proof_about_a_proof_is_that_of_plonky2() {
    let (inner, inputs) = hashing(2, 3);
    let (common, key) = (inner.common.clone(), inner.verifier_only.clone());
    let proof = both(inner, inputs);
    let mut builder = CircuitBuilder::<F, D>::new(config(3));
    let target = builder.add_virtual_proof_with_pis(&common);
    let key = builder.constant_verifier_data(&key);
    builder.verify_proof::<C>(&target, &key, &common);
    builder.register_public_inputs(&target.public_inputs);
    let mut witness = PartialWitness::new();
    witness
        .set_proof_with_pis_target(&target, &proof)
        .expect("fresh targets");
    both(builder.build::<C>(), witness);
}

#[test]
fn a_witness_that_does_not_satisfy_gives_no_proof() {
    let mut builder = CircuitBuilder::<F, D>::new(config(2));
    let [a, b] = [(); 2].map(|()| builder.add_virtual_target());
    let product = builder.mul(a, b);
    let seven = builder.constant(F::from_canonical_u64(7));
    let difference = builder.sub(product, seven);
    let hash = builder.hash_n_to_hash_no_pad::<PoseidonHash>(vec![a, b, difference]);
    builder.register_public_inputs(&hash.elements);
    // A boolean constraint has no generator that would object.
    builder.assert_bool(plonky2::iop::target::BoolTarget::new_unsafe(difference));
    let prover = CircuitProver::new(builder.build::<C>()).expect("a plain circuit");
    let inputs = |x: u64, y: u64| {
        let mut inputs = PartialWitness::new();
        inputs
            .set_target(a, F::from_canonical_u64(x))
            .expect("a fresh target");
        inputs
            .set_target(b, F::from_canonical_u64(y))
            .expect("a fresh target");
        inputs
    };
    for (x, y, right) in [
        (7, 1, true),
        (4, 2, true),
        (3, 3, false),
        (F::rand().0 >> 1, 9, false),
    ] {
        let proof = prover.prove(inputs(x, y));
        let accepted = proof.is_ok_and(|proof| prover.data().verify(proof).is_ok());
        assert_eq!(accepted, right, "{x} {y}");
    }
    let expected = hash_n_to_hash_no_pad::<F, PoseidonPermutation<F>>(&[7, 1, 0].map(F::from_canonical_u64));
    let proof = prover.prove(inputs(7, 1)).expect("a proof");
    assert_eq!(proof.public_inputs, expected.elements);
}

#[test]
fn other_circuits_are_refused() {
    let mut hiding = config(2);
    hiding.zero_knowledge = true;
    let mut flat = config(2);
    flat.fri_config.cap_height = 2;
    let mut long = config(2);
    long.fri_config.rate_bits = 4;
    for (config, word) in [
        (hiding, "blinding"),
        (flat, "caps of height 2"),
        (long, "quotients of degree"),
    ] {
        let mut builder = CircuitBuilder::<F, D>::new(config);
        let x = builder.add_virtual_public_input();
        builder.assert_bool(plonky2::iop::target::BoolTarget::new_unsafe(x));
        let error = CircuitProver::new(builder.build::<C>())
            .err()
            .expect("no plain circuit");
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn products_are_the_same_on_every_instruction_set() {
    let (data, _) = hashing(1, 1);
    let common = &data.common;
    let (beta, gamma) = (F::rand(), F::rand());
    let factors = Factors::new(common, beta, gamma);
    // Fewer rows than a vector has lanes, and some that are left over.
    for rows in [1, 7, 8, 29] {
        let routed = common.config.num_routed_wires;
        let [xs, wires, sigmas] = [1, common.config.num_wires, routed]
            .map(|width| (0..width).map(|_| F::rand_vec(rows)).collect::<Vec<_>>());
        let factor = |row: usize, wire: usize, by: F| wires[wire][row] + beta * by + gamma;
        let expected = |by: &dyn Fn(usize, usize) -> F| -> Vec<F> {
            let chunk = |c: usize| 8 * c..routed.min(8 * c + 8);
            (0..factors.products() * rows)
                .map(|at| (at / rows, at % rows))
                .map(|(c, row)| chunk(c).map(|wire| factor(row, wire, by(row, wire))).product())
                .collect()
        };
        let numerators = expected(&|row, wire| common.k_is[wire] * xs[0][row]);
        let denominators = expected(&|row, wire| sigmas[wire][row]);
        let wires: Vec<&[F]> = wires.iter().map(|c| &c[..]).collect();
        let sigmas: Vec<&[F]> = sigmas.iter().map(|c| &c[..]).collect();
        for set in available() {
            let got = factors.evaluate_on(
                set,
                Columns {
                    xs: &xs[0],
                    wires: &wires,
                    sigmas: &sigmas,
                },
            );
            assert_eq!(
                got,
                [numerators.clone(), denominators.clone()],
                "{set:?}, {rows} rows"
            );
        }
    }
}
