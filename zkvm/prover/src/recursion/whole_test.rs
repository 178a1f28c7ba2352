//! A whole run to one proof with the circuits in earnest, and what it costs. Minutes and 2 GB: run by name.

use std::time::Instant;

use plonky2::plonk::circuit_builder::CircuitBuilder;
use plonky2::util::serialization::DefaultGateSerializer;
use zkvm_air::{F, TableId};
use zkvm_verifier::Params;
use zkvm_verifier::compressed::{CompressedProof, FoldKey, verify_compressed};
use zkvm_verifier::core::{table, verify_core};
use zkvm_verifier::params::log_heights;

use super::leaf::{self, LeafShape, LeafTargets};
use super::{Circuits, D, LEAF_DEGREE_BITS, shape};
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

/// What is added when a circuit is built (gates of constants, of the hash of public inputs) takes less than the margin.
#[test]
fn leaves_fit_their_degree() {
    const MARGIN: usize = 200;
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
        let (gates, most) = (builder.num_gates() + MARGIN, 1 << LEAF_DEGREE_BITS);
        assert!(
            gates <= most,
            "{id:?} has {gates} gates with the margin, expected at most {most}"
        );
    }
}
