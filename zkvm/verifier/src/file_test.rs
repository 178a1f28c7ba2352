//! Files: one encoding each, and every other bytes and every mismatch named.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use plonky2::field::polynomial::PolynomialCoeffs;
use plonky2::field::types::Field;
use plonky2::fri::proof::FriProof;
use plonky2::hash::hash_types::HashOut;
use plonky2::hash::merkle_tree::MerkleCap;
use plonky2::plonk::proof::{OpeningSet, Proof as PlonkProof, ProofWithPublicInputs};
use zkvm_air::F;

use super::*;

/// A key that no program has.
fn key(seed: u64) -> VerifyingKey {
    let digest = |i: u64| HashOut {
        elements: [seed, i, 2, 3].map(F::from_canonical_u64),
    };
    VerifyingKey {
        fixed_cap: MerkleCap((0..16).map(digest).collect()),
        log_height: 18,
        entry: 0x40_0100,
        program: [7; 32],
    }
}

/// A file for `key(1)` that proves nothing.
fn empty() -> Proof {
    Proof {
        key: key(1).digest(),
        statement: Statement {
            claim: vec![10, 55],
            status: Status::Accepted,
            steps: 1000,
        },
        params: Params::STANDARD,
        body: Body::Core(CoreProof {
            claim_counts: vec![F::ONE, F::ONE, F::ZERO],
            nonce: F::from_canonical_u64(77),
            shards: Vec::new(),
        }),
    }
}

fn refused(proof: &Proof, claim: &[u32]) -> ProofError {
    Verifier::new(key(1)).verify(claim, proof).unwrap_err()
}

#[test]
fn a_file_has_one_encoding() {
    let proof = empty();
    let bytes = proof.encode();
    assert_eq!(Proof::decode(&bytes).unwrap(), proof);
    assert_eq!(proof.mode(), Mode::Core);
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(Proof::decode(&longer), Err(EncodingError::Trailing { got: 1 }));
}

#[test]
fn every_truncated_file_is_refused() {
    let bytes = empty().encode();
    for length in 0..bytes.len() {
        let error = Proof::decode(&bytes[..length]).unwrap_err();
        assert!(
            matches!(error, EncodingError::Truncated { .. }),
            "{length}: {error}"
        );
    }
}

#[test]
fn a_changed_byte_is_refused_or_changes_the_file() {
    let (proof, bytes) = (empty(), empty().encode());
    for at in 0..bytes.len() {
        for flip in [1, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            if let Ok(other) = Proof::decode(&changed) {
                assert_ne!(other, proof, "byte {at}");
                assert_eq!(other.encode(), changed, "byte {at}");
            }
        }
    }
    // Magic number, version, mode, and the status after the digest of 32 bytes.
    for at in [0, 4, 8, 41] {
        let mut changed = bytes.clone();
        changed[at] = 9;
        assert!(Proof::decode(&changed).is_err(), "byte {at}");
    }
}

#[test]
fn another_program_is_named() {
    let error = Verifier::new(key(2)).verify(&[10, 55], &empty()).unwrap_err();
    assert!(matches!(error, ProofError::Key { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(&digest_text(&key(1).digest())) && text.contains(&digest_text(&key(2).digest())));
}

#[test]
fn another_claim_is_named() {
    let proof = empty();
    for claim in [&[][..], &[10], &[10, 55, 0]] {
        let expected = claim.len();
        assert_eq!(
            refused(&proof, claim),
            ProofError::ClaimLength { expected, got: 2 }
        );
    }
    let error = refused(&proof, &[10, 56]);
    assert_eq!(
        error,
        ProofError::Claim {
            index: 1,
            expected: 56,
            got: 55
        }
    );
    assert_eq!(
        error.to_string(),
        "proof is about another claim: word 1 is 0x00000037, expected 0x00000038"
    );
}

#[test]
fn weak_and_absurd_parameters_are_refused() {
    let mut proof = empty();
    proof.params.queries = 79;
    let error = refused(&proof, &[10, 55]);
    assert_eq!(
        error,
        ProofError::Security {
            expected: 100,
            got: 99
        }
    );
    // A verifier that demands less goes on to the proof, which has no shards.
    let error = Verifier::new(key(1)).least_bits(99).verify(&[10, 55], &proof);
    assert!(
        matches!(error, Err(ProofError::Core(CoreError::Shards { .. }))),
        "{error:?}"
    );
    for (queries, pow_bits, grinding_bits) in
        [(0, 20, 16), (1 << 20, 20, 16), (80, 64, 16), (80, 20, u32::MAX)]
    {
        proof.params = Params {
            queries,
            pow_bits,
            grinding_bits,
        };
        let error = refused(&proof, &[10, 55]);
        assert!(matches!(error, ProofError::Core(CoreError::Params(_))), "{error}");
    }
}

/// A compressed proof that proves nothing.
fn empty_fold() -> CompressedProof {
    let cap = || MerkleCap(Vec::new());
    CompressedProof {
        claim_counts: vec![F::ONE, F::ONE, F::ZERO],
        nonce: F::ZERO,
        fold: ProofWithPublicInputs {
            proof: PlonkProof {
                wires_cap: cap(),
                plonk_zs_partial_products_cap: cap(),
                quotient_polys_cap: cap(),
                openings: OpeningSet {
                    constants: Vec::new(),
                    plonk_sigmas: Vec::new(),
                    wires: Vec::new(),
                    plonk_zs: Vec::new(),
                    plonk_zs_next: Vec::new(),
                    partial_products: Vec::new(),
                    quotient_polys: Vec::new(),
                    lookup_zs: Vec::new(),
                    lookup_zs_next: Vec::new(),
                },
                opening_proof: FriProof {
                    commit_phase_merkle_caps: Vec::new(),
                    query_round_proofs: Vec::new(),
                    final_poly: PolynomialCoeffs::new(Vec::new()),
                    pow_witness: F::ZERO,
                },
            },
            public_inputs: Vec::new(),
        },
    }
}

/// However strong the shards are: what folds them bounds a compressed proof.
#[test]
fn a_compressed_proof_is_no_stronger_than_its_circuits() {
    let params = Params {
        queries: 100,
        ..Params::STANDARD
    };
    assert!(params.conjectured_bits() > 100);
    let compressed = Proof {
        params,
        body: Body::Compressed(Box::new(empty_fold())),
        ..empty()
    };
    let verifier = |fold: FoldKey, bits| Verifier::new(key(1)).fold(fold).least_bits(bits);
    let fold = FoldKey {
        params,
        ..FoldKey::standard()
    };
    let verify = |fold: &FoldKey, bits, proof| verifier(fold.clone(), bits).verify(&[10, 55], proof);
    assert_eq!(
        verify(&fold, 101, &compressed),
        Err(ProofError::Security {
            expected: 101,
            got: 100
        })
    );
    // As many as it has: on to the proof itself.
    assert!(matches!(
        verify(&fold, 100, &compressed),
        Err(ProofError::Compressed(CompressedError::Length { .. }))
    ));
    // A core proof of the same parameters has no circuits.
    let core = Proof { params, ..empty() };
    assert!(matches!(
        verify(&fold, 101, &core),
        Err(ProofError::Core(CoreError::Shards { .. }))
    ));
    // Circuits with two challenges, as plonky2's standard has it, are not enough.
    let mut weak = fold;
    weak.data.common.config.num_challenges = 2;
    assert!(matches!(
        verify(&weak, 100, &compressed),
        Err(ProofError::Security { got: 0..90, .. })
    ));
}
