//! A whole run to one proof with the circuits in earnest, and what it costs. Minutes and 2 GB: run by name.

use std::time::Instant;

use zkvm_verifier::Params;
use zkvm_verifier::compressed::{CompressedProof, verify_compressed};
use zkvm_verifier::core::verify_core;

use super::Circuits;
use crate::core::testing::{inputs, program};
use crate::core::{Options, prove_core};
use crate::key::ProvingKey;

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
