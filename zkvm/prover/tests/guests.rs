//! Whole programs from C, Go and Rust: what the emulator says of a run is what its proof says, and a proof that is changed,
//! put together otherwise or held against something else is refused with a reason.

use std::path::Path;
use std::sync::OnceLock;

use zkvm_emulator::{ClaimWords, Inputs, Machine, Preimages, Program, Silent, Stop};
use zkvm_prover::sdk::{
    Body, EstimateError, FoldKey, Params, Proof, ProofError, Prover, SdkError, Status, Verifier, VerifyingKey,
};
use zkvm_verifier::core::{CoreError, CoreProof};

/// Enough queries that a wrong proof is refused in these tests, and fast.
const PARAMS: Params = Params {
    queries: 8,
    pow_bits: 4,
    grinding_bits: 6,
};
/// Their conjectured bits.
const BITS: u32 = 12;
/// Without a budget all columns of a run of many segments are kept.
const MEMORY: u64 = 4 << 30;

fn elf(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guests/elf");
    std::fs::read(folder.join(format!("{name}.elf"))).unwrap()
}

/// A proof with the key that it is for.
struct Proven {
    proof: Proof,
    key: VerifyingKey,
    claim: Vec<u32>,
}

/// What a program may ask for.
#[derive(Clone, Copy, Default)]
struct Known<'a> {
    blake3: &'a [[u8; 64]],
    sha256: &'a [&'a [u8]],
}

fn prove(name: &str, claim: &[u32], known: Known<'_>, segment: usize) -> Proven {
    prove_within(MEMORY, name, claim, known, segment)
}

fn prove_within(memory: u64, name: &str, claim: &[u32], known: Known<'_>, segment: usize) -> Proven {
    let elf = elf(name);
    let prover = Prover::new()
        .program(&elf)
        .claim(claim)
        .preimages(known.blake3.iter().copied())
        .sha256_messages(known.sha256)
        .params(PARAMS)
        .least_bits(BITS)
        .memory(memory)
        .segment(segment);
    Proven {
        proof: prover.prove().unwrap(),
        key: prover.key().unwrap(),
        claim: claim.to_vec(),
    }
}

impl Proven {
    /// The emulator says the same of the run, and so does the proof after its way through a file.
    fn agrees(&self, name: &str, known: Known<'_>) {
        let (status, steps) = emulated(name, &self.claim, known);
        let statement = &self.proof.statement;
        let claim = &self.claim;
        assert_eq!(
            (statement.status, statement.steps),
            (status, steps),
            "{name} on {claim:?}"
        );
        let bytes = self.proof.encode();
        let read = Proof::decode(&bytes).unwrap();
        assert!(read == self.proof);
        self.verify(&read).unwrap();
        assert_eq!(self.key.program, Program::from_elf(&elf(name)).unwrap().digest());
    }

    fn verify(&self, proof: &Proof) -> Result<(), ProofError> {
        let verifier = Verifier::new(self.key.clone()).least_bits(BITS);
        verifier.verify(&self.claim, proof).map(|_| ())
    }

    fn core(&self) -> &CoreProof {
        match &self.proof.body {
            Body::Core(core) => core,
            Body::Compressed(_) => panic!("a core proof was asked for"),
        }
    }

    /// What the verifier says of a core proof made from this one's parts.
    fn with(&self, change: impl FnOnce(&mut CoreProof)) -> Result<(), ProofError> {
        let mut core = self.core().clone();
        change(&mut core);
        assert!(core != *self.core(), "the change changes nothing");
        self.verify(&Proof {
            body: Body::Core(core),
            ..self.proof.clone()
        })
    }

    /// Number of Cpu shards, which come first.
    fn segments(&self) -> usize {
        let number = |shard: &&zkvm_verifier::ShardProof| shard.table == zkvm_air::TableId::Cpu;
        self.core().shards.iter().filter(number).count()
    }
}

/// What the emulator says of the run: status and steps.
fn emulated(name: &str, claim: &[u32], known: Known<'_>) -> (Status, u64) {
    let program = Program::from_elf(&elf(name)).unwrap();
    let mut preimages = Preimages::new();
    for message in known.blake3 {
        preimages.insert(*message);
    }
    for message in known.sha256 {
        preimages.insert_sha256_message(message);
    }
    let inputs = Inputs::new(ClaimWords::new(claim.to_vec()).unwrap(), preimages);
    let mut machine = Machine::new(program, inputs);
    let status = match machine.run(u64::MAX, &mut Silent).unwrap() {
        Stop::Ended(zkvm_emulator::Status::Accepted) => Status::Accepted,
        Stop::Ended(_) => Status::Rejected,
        Stop::Limit => panic!("{name} does not end"),
    };
    (status, machine.end().unwrap())
}

/// Proves the run, compares with the emulator, and sends the proof through its file.
fn agrees(name: &str, claim: &[u32], blake3: &[[u8; 64]], segment: usize) -> Proven {
    let sha256 = &[];
    agrees_on(name, claim, Known { blake3, sha256 }, segment)
}

/// The same of a program that asks for hints of both hashes.
fn agrees_on(name: &str, claim: &[u32], known: Known<'_>, segment: usize) -> Proven {
    let proven = prove(name, claim, known, segment);
    proven.agrees(name, known);
    proven
}

/// SHA-256 of 32 zero bytes, as claim words.
const DIGEST: [u32; 8] = [
    0x6668_7aad,
    0xf862_bd77,
    0x6c8f_c18b,
    0x8e9f_8e20,
    0x0897_1485,
    0x6ee2_33b3,
    0x902a_591d,
    0x0d5f_2925,
];

/// The claim that hashing once gives [`DIGEST`].
fn sha_claim() -> Vec<u32> {
    [&[1][..], &DIGEST].concat()
}

/// C SHA-256 in several segments.
fn sha() -> &'static Proven {
    static PROVEN: OnceLock<Proven> = OnceLock::new();
    PROVEN.get_or_init(|| agrees("c-sha256", &sha_claim(), &[], 10))
}

#[test]
fn c_is_proven() {
    let proven = sha();
    assert_eq!(proven.proof.statement.status, Status::Accepted);
    assert!(proven.segments() >= 3, "{}", proven.segments());
    // A claim that does not hold is proven to be rejected.
    let mut claim = sha_claim();
    claim[8] ^= 1;
    assert_eq!(
        agrees("c-sha256", &claim, &[], 11).proof.statement.status,
        Status::Rejected
    );
    // So is one without words: the program traps.
    assert_eq!(
        agrees("c-sha256", &[], &[], 12).proof.statement.status,
        Status::Rejected
    );
}

#[test]
fn rust_is_proven() {
    let proven = agrees("rust-fibonacci", &[10, 55], &[], 12);
    assert_eq!(proven.proof.statement.status, Status::Accepted);
    assert_eq!(
        agrees("rust-fibonacci", &[10, 56], &[], 12)
            .proof
            .statement
            .status,
        Status::Rejected
    );
}

#[test]
fn hints_are_proven() {
    // A tree of depth 1: two leaves of 32 bytes.
    let mut message = [0x11u8; 64];
    message[32..].fill(0x22);
    let words = |bytes: &[u8]| -> Vec<u32> {
        bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|word| u32::from_be_bytes(*word))
            .collect()
    };
    let (left, right) = ([0x11; 32], [0x22; 32]);
    let root = zkvm_emulator::merkle::parent(&left, &right);
    let claim = [&words(&root)[..], &[1, 1], &words(&message[32..])].concat();
    let proven = agrees("rust-blake3-walk", &claim, &[message], 12);
    assert_eq!(proven.proof.statement.status, Status::Accepted);
    let last = proven.core().shards.last().unwrap();
    assert_eq!(last.table, zkvm_air::TableId::Hint);
    // Without its hints the buses do not balance.
    let error = proven.with(|core| drop(core.shards.pop())).unwrap_err();
    assert!(
        matches!(
            error,
            ProofError::Core(CoreError::Grinding { .. } | CoreError::Sum)
        ),
        "{error}"
    );

    let elf = elf("rust-blake3-walk");
    let error = Prover::new().program(&elf).claim(&claim).prove().unwrap_err();
    assert!(
        matches!(error, SdkError::Estimate(EstimateError::Preimage { .. })),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("add its 64-byte message to the preimages"),
        "{error}"
    );
}

#[test]
fn sha256_hints_are_proven() {
    // Two blocks with their padding; word 15 ends the first.
    let message: Vec<u8> = (0..100u8).map(|i| i.wrapping_mul(37) ^ 0x5a).collect();
    let digest = Preimages::new().insert_sha256_message(&message);
    let words = |bytes: &[u8]| -> Vec<u32> {
        let words = bytes.as_chunks::<4>().0.iter();
        words.map(|word| u32::from_be_bytes(*word)).collect()
    };
    let mut claim = [&words(&digest)[..], &[15, words(&message)[15]]].concat();
    let known = Known {
        sha256: &[&message],
        ..Known::default()
    };
    let proven = agrees_on("rust-sha256-walk", &claim, known, 13);
    assert_eq!(proven.proof.statement.status, Status::Accepted);
    let tables: Vec<_> = proven.core().shards.iter().map(|shard| shard.table).collect();
    assert!(tables.ends_with(&[zkvm_air::TableId::Static, zkvm_air::TableId::Sha256]));
    // Without its hints the buses do not balance; under the other hash's number the shard is none.
    let error = proven.with(|core| drop(core.shards.pop())).unwrap_err();
    let unbalanced = |error: &ProofError| {
        matches!(
            error,
            ProofError::Core(CoreError::Grinding { .. } | CoreError::Sum)
        )
    };
    assert!(unbalanced(&error), "{error}");
    let last = tables.len() - 1;
    let error = proven
        .with(|core| core.shards[last].table = zkvm_air::TableId::Hint)
        .unwrap_err();
    assert!(unbalanced(&error), "{error}");

    claim[9] ^= 1;
    let wrong = agrees_on("rust-sha256-walk", &claim, known, 13);
    assert_eq!(wrong.proof.statement.status, Status::Rejected);

    let elf = elf("rust-sha256-walk");
    let error = Prover::new().program(&elf).claim(&claim).prove().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("add the message that it is from to the SHA-256 messages"),
        "{error}"
    );
}

#[test]
fn go_is_proven() {
    let proven = agrees("go-fibonacci", &[10, 55], &[], 18);
    assert_eq!(proven.proof.statement.status, Status::Accepted);
}

#[test]
#[ignore = "minutes; make nightly"]
fn all_guests_are_proven_in_small_segments() {
    agrees("go-fibonacci", &[10, 56], &[], 14);
    agrees("go-sha256", &[0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 7], &[], 16);
    agrees("c-instructions", &[], &[], 16);
    agrees("rust-fibonacci", &[20_000, 0], &[], 15);
}

/// 134 million steps.
#[test]
#[ignore = "an hour and 12 GB; make nightly"]
fn the_longest_guest_is_proven() {
    let known = Known::default();
    prove_within(12 << 30, "go-alloc", &[], known, 18).agrees("go-alloc", known);
}

#[test]
fn segments_cannot_be_dropped_repeated_or_swapped() {
    let proven = sha();
    let last = proven.segments() - 1;
    let chain = |result: Result<(), ProofError>| {
        let error = result.unwrap_err();
        let refused = matches!(
            error,
            ProofError::Core(CoreError::Chain { .. } | CoreError::End { .. })
        );
        assert!(refused, "{error}");
    };
    for index in 0..=last {
        chain(proven.with(|core| drop(core.shards.remove(index))));
        chain(proven.with(|core| core.shards.insert(index, core.shards[index].clone())));
    }
    for index in 0..last {
        chain(proven.with(|core| core.shards.swap(index, index + 1)));
    }
    // A table behind one that must follow it, and no Static at all.
    let error = proven.with(|core| core.shards.swap(last, last + 1)).unwrap_err();
    assert!(
        matches!(error, ProofError::Core(CoreError::Order { .. })),
        "{error}"
    );
    let error = proven
        .with(|core| drop(core.shards.remove(last + 1)))
        .unwrap_err();
    assert!(
        matches!(error, ProofError::Core(CoreError::Shards { .. })),
        "{error}"
    );
}

#[test]
fn a_segment_of_another_run_does_not_fit() {
    let mut claim = sha_claim();
    claim[8] ^= 1;
    let other = prove("c-sha256", &claim, Known::default(), 10);
    let last = sha().segments() - 1;
    for index in [0, 1, last] {
        let error = sha()
            .with(|core| core.shards[index] = other.core().shards[index].clone())
            .unwrap_err();
        assert!(matches!(error, ProofError::Core(_)), "{index}: {error}");
    }
}

#[test]
fn results_entries_and_steps_are_those_proven() {
    let proven = sha();
    let with = |change: &dyn Fn(&mut Proof)| {
        let mut proof = proven.proof.clone();
        change(&mut proof);
        proven.verify(&proof).unwrap_err()
    };
    let error = with(&|proof| proof.statement.status = Status::Rejected);
    assert!(
        matches!(error, ProofError::Core(CoreError::End { what: "fetch", .. })),
        "{error}"
    );
    for steps in [
        0,
        proven.proof.statement.steps - 1,
        proven.proof.statement.steps + 1,
        u64::MAX,
    ] {
        let error = with(&|proof| proof.statement.steps = steps);
        assert!(
            matches!(error, ProofError::Core(CoreError::End { what: "step", .. })),
            "{error}"
        );
    }
    // The same program, said to start four bytes later.
    let mut key = proven.key.clone();
    key.entry += 4;
    let mut proof = proven.proof.clone();
    proof.key = key.digest();
    let error = Verifier::new(key)
        .least_bits(BITS)
        .verify(&proven.claim, &proof)
        .unwrap_err();
    assert!(
        matches!(error, ProofError::Core(CoreError::Chain { index: 0, .. })),
        "{error}"
    );
}

#[test]
fn claims_cannot_be_exchanged() {
    let proven = sha();
    for index in 0..proven.claim.len() {
        let mut claim = proven.claim.clone();
        claim[index] ^= 1;
        let verifier = Verifier::new(proven.key.clone()).least_bits(BITS);
        let error = verifier.verify(&claim, &proven.proof).unwrap_err();
        assert!(
            matches!(error, ProofError::Claim { index: at, .. } if at == index),
            "{error}"
        );
        // Nor in the file: the challenges were drawn from the claim that was proven.
        let mut proof = proven.proof.clone();
        proof.statement.claim.clone_from(&claim);
        let error = verifier.verify(&claim, &proof).unwrap_err();
        assert!(matches!(error, ProofError::Core(_)), "{error}");
    }
}

#[test]
fn another_program_is_refused() {
    let proven = sha();
    let other = elf("rust-fibonacci");
    let key = Prover::new().program(&other).key().unwrap();
    let verifier = Verifier::new(key.clone()).least_bits(BITS);
    let error = verifier.verify(&proven.claim, &proven.proof).unwrap_err();
    assert!(matches!(error, ProofError::Key { .. }), "{error}");
    // Under the other's name it is no better.
    let mut proof = proven.proof.clone();
    proof.key = key.digest();
    let error = verifier.verify(&proven.claim, &proof).unwrap_err();
    assert!(matches!(error, ProofError::Core(_)), "{error}");
}

#[test]
fn damaged_files_never_panic_and_never_hold() {
    let proven = sha();
    let bytes = proven.proof.encode();
    let step = bytes.len() / 97;
    for at in (0..bytes.len()).step_by(step) {
        assert!(Proof::decode(&bytes[..at]).is_err(), "truncated at {at}");
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        if let Ok(proof) = Proof::decode(&changed) {
            assert!(proven.verify(&proof).is_err(), "byte {at}");
        }
    }
    assert!(Proof::decode(&[bytes.clone(), vec![0]].concat()).is_err());
}

#[test]
fn a_verifier_that_demands_100_bits_refuses_test_proofs() {
    let error = Verifier::new(sha().key.clone())
        .verify(&sha().claim, &sha().proof)
        .unwrap_err();
    let expected = ProofError::Security {
        expected: 100,
        got: BITS,
    };
    assert_eq!(error, expected);
}

#[test]
fn bad_orders_are_refused_with_what_to_do() {
    let sha = elf("c-sha256");
    let told = |prover: Prover<'_>, part: &str| {
        let error = prover.prove().unwrap_err().to_string();
        assert!(error.contains(part), "{error:?} does not say {part:?}");
    };
    told(Prover::new(), "no program is given");
    told(
        Prover::new().program(b"#!/bin/sh"),
        "expected a static big-endian MIPS32r2",
    );
    told(
        Prover::new().program(&sha).claim(&[0; 193]),
        "193 words, expected at most 192",
    );
    told(
        Prover::new().program(&sha).memory(1 << 20),
        "is too small, expected at least ",
    );
    told(
        Prover::new().program(&sha).params(PARAMS),
        "raise the number of queries",
    );
    let least = match Prover::new().program(&sha).memory(1 << 20).estimate() {
        Err(SdkError::Estimate(EstimateError::Memory { least, .. })) => least,
        other => panic!("{other:?}"),
    };
    Prover::new().program(&sha).memory(least).estimate().unwrap();
}

#[test]
#[ignore = "minutes; make nightly"]
fn compressed_proofs_say_the_same() {
    let elf = elf("c-sha256");
    let folder = tempfile::tempdir().unwrap();
    let prover = Prover::new()
        .program(&elf)
        .claim(&sha_claim())
        .mode(zkvm_prover::sdk::Mode::Compressed)
        .circuits(folder.path())
        .segment(12);
    let proof = prover.prove().unwrap();
    assert_eq!(proof.statement, sha().proof.statement);
    let fold = FoldKey::standard();
    let verifier = Verifier::new(sha().key.clone());
    let error = verifier.verify(&sha_claim(), &proof).unwrap_err();
    assert!(matches!(error, ProofError::Fold { .. }), "{error}");
    let verifier = verifier.fold(fold);
    let read = Proof::decode(&proof.encode()).unwrap();
    verifier.verify(&sha_claim(), &read).unwrap();
    let mut other = read.clone();
    other.statement.status = Status::Rejected;
    assert!(verifier.verify(&sha_claim(), &other).is_err());
    let mut other = read;
    other.statement.steps += 1;
    assert!(verifier.verify(&sha_claim(), &other).is_err());
}
