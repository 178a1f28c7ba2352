//! A whole run to one proof with the circuits in earnest, and what it costs. Minutes and 2 GB: run by name.

use std::time::Instant;

use plonky2::hash::hash_types::HashOut;
use plonky2::hash::merkle_tree::MerkleCap;
use plonky2::plonk::circuit_builder::CircuitBuilder;
use plonky2::plonk::circuit_data::{CircuitConfig, VerifierOnlyCircuitData};
use plonky2::util::serialization::DefaultGateSerializer;
use zkvm_air::{F, TableId};
use zkvm_verifier::Params;
use zkvm_verifier::compressed::{CompressedProof, FoldKey, LEAF_BITS, circuit_bits, verify_compressed};
use zkvm_verifier::core::{table, verify_core};
use zkvm_verifier::params::log_heights;

use super::fold::{self, FoldTargets};
use super::leaf::{self, LeafShape, LeafTargets};
use super::{Circuits, D, FOLD_DEGREE_BITS, LEAF_DEGREE_BITS, shape};
use crate::core::testing::{inputs, program};
use crate::core::{Options, prove_core};
use crate::key::ProvingKey;

/// With `TAPESTRY_PIN=1` in the environment the key is written instead: after a change of circuits that is meant.
#[test]
#[ignore = "builds six circuits of 2^14 and 2^13 gates"]
fn the_pinned_key_is_what_the_circuits_give() {
    let fold = Circuits::build(Params::STANDARD).unwrap().fold_key();
    if std::env::var_os("TAPESTRY_PIN").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../verifier/src/fold.bin");
        std::fs::write(path, fold.data.to_bytes(&DefaultGateSerializer).unwrap()).unwrap();
    } else {
        assert_eq!(fold, FoldKey::standard());
    }
}

#[test]
#[ignore = "builds six circuits of 2^14 and 2^13 gates"]
fn whole_run_becomes_one_proof() {
    let time = |what: &str, since: Instant| println!("{what}: {:.2} s", since.elapsed().as_secs_f64());
    let options = Options {
        params: Params::STANDARD,
        segment_log_height: 9,
        kept_bytes: u64::MAX,
    };
    let key = ProvingKey::new(&program()).unwrap();
    let (statement, core) = prove_core(&key, &inputs(), &options, &|_| {}).unwrap();
    verify_core(key.verifying_key(), &statement, &core, &options.params).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let start = Instant::now();
    drop(Circuits::load_or_build(folder.path(), options.params).unwrap());
    time("build and store", start);
    let start = Instant::now();
    let circuits = Circuits::load_or_build(folder.path(), options.params).unwrap();
    time("load", start);

    let start = Instant::now();
    let proof = circuits
        .compress(key.verifying_key(), &statement, &core, &|n| {
            time(&format!("{n} of {}", core.shards.len()), start)
        })
        .unwrap();
    time("compress", start);
    let bytes = proof.encode();
    println!("size: {} bytes", bytes.len());
    assert!(bytes.len() <= 150_000);
    let proof = CompressedProof::decode(&bytes).unwrap();
    let fold = circuits.fold_key();
    let start = Instant::now();
    verify_compressed(&fold, key.verifying_key(), &statement, &proof).unwrap();
    time("verify", start);
    println!("fold key: {:?}", fold.digest().elements);

    let mut other = core.clone();
    let cpu = other.shards[0].clone();
    other.shards[1] = cpu;
    assert!(
        circuits
            .compress(key.verifying_key(), &statement, &other, &|_| {})
            .is_err()
    );
}

/// `margin` is more than building adds: gates of constants that have no place in others, and of the hash of public inputs.
fn fits(what: &str, builder: &CircuitBuilder<F, D>, degree_bits: usize, margin: usize) {
    let (gates, most) = (builder.num_gates(), 1 << degree_bits);
    println!("{what}: {gates} gates of {most}");
    assert!(
        gates + margin <= most,
        "{what} has {gates} gates, expected at most {most} with {margin} more"
    );
}

#[test]
fn leaves_fit_their_degree() {
    for id in TableId::ALL {
        let table = table(id);
        let shape = LeafShape {
            table: &table,
            params: Params::STANDARD,
            heights: log_heights(id),
        };
        shape.check().unwrap();
        let mut builder = CircuitBuilder::<F, D>::new(shape::leaf_config());
        let targets = LeafTargets::add(&mut builder, &shape);
        leaf::constrain(&mut builder, &shape, &targets, true);
        fits(&format!("{id:?}"), &builder, LEAF_DEGREE_BITS, 200);
    }
}

#[test]
fn the_fold_fits_its_degree() {
    let gates = shape::gates();
    let leaf = shape::common(
        shape::leaf_config(),
        &gates,
        LEAF_DEGREE_BITS,
        leaf::layout::COUNT,
    );
    let common = fold::common(&gates, FOLD_DEGREE_BITS);
    // Keys are numbers in it, whichever they are.
    let some = VerifierOnlyCircuitData {
        constants_sigmas_cap: MerkleCap(vec![HashOut::ZERO; 16]),
        circuit_digest: HashOut::ZERO,
    };
    let keys = TableId::ALL.map(|_| some.clone());
    let mut builder = CircuitBuilder::<F, D>::new(shape::fold_config());
    let targets = FoldTargets::add(&mut builder, &common, &leaf);
    fold::constrain(&mut builder, &targets, &common, &leaf, &keys, &some);
    fits("fold", &builder, FOLD_DEGREE_BITS, 30);
}

/// Bits of plonky2's permutation argument in a circuit of 2^`degree_bits` gates: each of its challenges is one of 2^64, and a
/// wrong product passes at no more of them than it has factors, one for each routed wire of a gate.
fn permutation_bits(config: &CircuitConfig, degree_bits: usize) -> f64 {
    let factors = (config.num_routed_wires as f64).log2() + degree_bits as f64;
    config.num_challenges as f64 * (64.0 - factors)
}

#[test]
fn both_circuits_are_as_strong_as_verifiers_demand() {
    for (config, degree_bits) in [
        (shape::leaf_config(), LEAF_DEGREE_BITS),
        (shape::fold_config(), FOLD_DEGREE_BITS),
    ] {
        let bits = permutation_bits(&config, degree_bits);
        assert!(bits >= 100.0, "2^{degree_bits} gates: {bits} bits");
        let two = CircuitConfig {
            num_challenges: 2,
            ..config.clone()
        };
        assert!(permutation_bits(&two, degree_bits) < 90.0);
        assert!(circuit_bits(&two, degree_bits) < 90);
        assert_eq!(circuit_bits(&config, degree_bits), 100);
    }
    assert!(LEAF_BITS <= circuit_bits(&shape::leaf_config(), LEAF_DEGREE_BITS));
}
