//! Whole runs proven and verified, with few queries; and what a liar may try, refused.

use std::sync::OnceLock;

use plonky2::field::types::PrimeField64;
use proptest::prelude::*;
use zkvm_air::E;
use zkvm_air::tables::{cpu, memory as memory_table, static_table};
use zkvm_emulator::assembler::{Assembler, SYSCALL, register::*};
use zkvm_emulator::{RunEnd, Silent, Status as RunStatus, Trace, syscall};
use zkvm_verifier::core::{CoreError, verify_core};
use zkvm_verifier::key::VerifyingKey;

use super::testing::{guest, inputs, inputs_of, program};
use super::*;
use crate::pool::Task;

/// Enough queries that a wrong proof is refused in these tests, and fast.
pub(super) const PARAMS: Params = Params {
    queries: 6,
    pow_bits: 3,
    grinding_bits: 5,
};

pub(super) fn options() -> Options {
    Options {
        params: PARAMS,
        segment_log_height: 7,
        kept_bytes: u64::MAX,
    }
}

pub(super) fn silent(_: Progress) {}

struct Proven {
    key: ProvingKey,
    statement: Statement,
    proof: CoreProof,
}

fn prove(program: &zkvm_emulator::Program, inputs: &Inputs) -> Proven {
    let key = ProvingKey::new(program).unwrap();
    let (statement, proof) = prove_core(&key, inputs, &options(), &silent).unwrap();
    Proven {
        key,
        statement,
        proof,
    }
}

/// An honest proof of the run that accepts: several Cpu shards, Static, Hint, Sha256.
fn honest() -> &'static Proven {
    static PROVEN: OnceLock<Proven> = OnceLock::new();
    PROVEN.get_or_init(|| prove(&program(), &inputs()))
}

/// The same program on a claim that it rejects.
fn rejected() -> &'static Proven {
    static PROVEN: OnceLock<Proven> = OnceLock::new();
    PROVEN.get_or_init(|| prove(&program(), &inputs_of(&[0xdead_beef, 1])))
}

impl Proven {
    fn vk(&self) -> &VerifyingKey {
        self.key.verifying_key()
    }

    fn verify(&self, statement: &Statement, proof: &CoreProof) -> Result<(), CoreError> {
        verify_core(self.vk(), statement, proof, &PARAMS)
    }

    /// What the verifier says of the proof after a change.
    fn changed(&self, change: impl FnOnce(&mut CoreProof)) -> Result<(), CoreError> {
        let mut proof = self.proof.clone();
        change(&mut proof);
        assert_ne!(proof, self.proof, "the change changes nothing");
        self.verify(&self.statement, &proof)
    }

    /// The same for the statement.
    fn states(&self, change: impl FnOnce(&mut Statement)) -> Result<(), CoreError> {
        let mut statement = self.statement.clone();
        change(&mut statement);
        assert_ne!(statement, self.statement);
        self.verify(&statement, &self.proof)
    }

    fn first_of(&self, table: TableId) -> usize {
        let mut tables = self.proof.shards.iter().map(|shard| shard.table);
        tables.position(|other| other == table).unwrap()
    }
}

#[test]
fn an_accepting_run_is_proven() {
    let proven = honest();
    assert_eq!(proven.verify(&proven.statement, &proven.proof), Ok(()));
    let trace = Trace::run(&program(), &inputs(), 1 << 32, &mut Silent);
    assert_eq!(
        trace.end(),
        RunEnd::Ended {
            steps: proven.statement.steps,
            status: RunStatus::Accepted
        }
    );
    assert_eq!(proven.statement.status, Status::Accepted);
    assert_eq!(proven.vk().program, program().digest());
    let tables: Vec<_> = proven.proof.shards.iter().map(|shard| shard.table).collect();
    assert!(tables.starts_with(&[TableId::Cpu, TableId::Cpu]));
    assert!(tables.ends_with(&[TableId::Static, TableId::Hint, TableId::Sha256]));
}

#[test]
fn a_rejecting_run_is_proven_as_such_only() {
    let proven = rejected();
    assert_eq!(proven.statement.status, Status::Rejected);
    assert_eq!(proven.verify(&proven.statement, &proven.proof), Ok(()));
    assert!(matches!(
        proven.states(|s| s.status = Status::Accepted),
        Err(CoreError::End { what: "fetch", .. })
    ));
}

#[test]
fn a_trap_is_proven() {
    let mut code = Assembler::new(super::testing::CODE);
    code.addiu(A0, ZERO, 0x1002).lw(A1, 0, A0);
    let proven = prove(&guest(code, &[]), &Inputs::default());
    assert_eq!(
        (proven.statement.status, proven.statement.steps),
        (Status::Rejected, 2)
    );
    assert_eq!(proven.verify(&proven.statement, &proven.proof), Ok(()));
    assert!(proven.states(|s| s.status = Status::Accepted).is_err());
}

#[test]
fn memory_bounds_change_nothing_in_the_proof() {
    let proven = honest();
    for kept_bytes in [0, 800_000] {
        let options = Options {
            kept_bytes,
            ..options()
        };
        let (statement, proof) = prove_core(&proven.key, &inputs(), &options, &silent).unwrap();
        assert_eq!(
            (&statement, &proof),
            (&proven.statement, &proven.proof),
            "{kept_bytes}"
        );
    }
}

#[test]
fn memory_that_does_not_fit_in_static_gets_its_own_shards() {
    // Touches 70,000 words that start as zero.
    let mut code = Assembler::new(super::testing::CODE);
    code.li(A0, 0x3000_0000).li(A1, 70_000).label("loop");
    code.sw(A1, 0, A0).addiu(A1, A1, -1);
    code.bne(A1, ZERO, "loop").addiu(A0, A0, 8);
    code.addiu(A0, ZERO, 0).li(V0, syscall::EXIT).word(SYSCALL);
    let key = ProvingKey::new(&guest(code, &[1])).unwrap();
    let options = Options {
        segment_log_height: 18,
        ..options()
    };
    let (statement, proof) = prove_core(&key, &Inputs::default(), &options, &silent).unwrap();
    let verify = |proof: &CoreProof| verify_core(key.verifying_key(), &statement, proof, &PARAMS);
    assert_eq!(verify(&proof), Ok(()));
    assert_eq!(statement.status, Status::Accepted);
    let memory = proof.shards.len() - 1;
    assert_eq!(proof.shards[memory].table, TableId::Memory);
    let mut without = proof.clone();
    without.shards.remove(memory);
    assert!(verify(&without).is_err());
    let mut before = proof.clone();
    before.shards[memory].publics[memory_table::PUBLIC_BEFORE] = F::ZERO;
    assert!(matches!(verify(&before), Err(CoreError::Chain { .. })));
}

#[test]
fn other_statements_are_refused() {
    for proven in [honest(), rejected()] {
        let steps = proven.statement.steps;
        for steps in [
            steps - 1,
            steps + 1,
            0,
            u64::MAX,
            steps.wrapping_add(F::NEG_ONE.to_canonical_u64() + 1),
        ] {
            let result = proven.states(|s| s.steps = steps);
            assert!(
                matches!(result, Err(CoreError::End { what: "step", .. })),
                "{steps}"
            );
        }
        assert!(proven.states(|s| s.claim[0] ^= 1).is_err());
        assert!(proven.states(|s| s.claim.swap(0, 1)).is_err());
        for claim in [vec![], vec![0; 193], vec![0xdead_beef], vec![0xdead_beef, 0, 0]] {
            assert!(proven.states(|s| s.claim = claim).is_err());
        }
    }
}

#[test]
fn other_keys_are_refused() {
    let proven = honest();
    let mut code = Assembler::new(super::testing::CODE);
    code.addiu(A0, ZERO, 0).li(V0, syscall::EXIT).word(SYSCALL);
    let other = ProvingKey::new(&guest(code, &[])).unwrap();
    let refused = |key: &VerifyingKey| {
        assert_ne!(key.digest(), proven.vk().digest());
        verify_core(key, &proven.statement, &proven.proof, &PARAMS).is_err()
    };
    assert!(refused(other.verifying_key()));
    let changes: [fn(&mut VerifyingKey); 4] = [
        |key| key.entry += 4,
        |key| key.log_height += 1,
        |key| key.program[31] ^= 1,
        |key| key.fixed_cap.0[15].elements[3] += F::ONE,
    ];
    for change in changes {
        let mut key = proven.vk().clone();
        change(&mut key);
        assert!(refused(&key));
    }
    let mut key = proven.vk().clone();
    key.fixed_cap.0.pop();
    assert!(refused(&key));
}

#[test]
fn shards_dropped_repeated_or_moved_are_refused() {
    let proven = honest();
    let count = proven.proof.shards.len();
    for i in 0..count {
        assert!(
            proven.changed(|p| drop(p.shards.remove(i))).is_err(),
            "without {i}"
        );
        let twice = proven.changed(|p| p.shards.insert(i, p.shards[i].clone()));
        assert!(twice.is_err(), "twice {i}");
        for j in i + 1..count {
            assert!(proven.changed(|p| p.shards.swap(i, j)).is_err(), "{i} and {j}");
        }
    }
    assert!(matches!(
        proven.changed(|p| p.shards.clear()),
        Err(CoreError::Shards { .. })
    ));
}

#[test]
fn a_changed_part_of_any_shard_is_refused() {
    let proven = honest();
    for i in 0..proven.proof.shards.len() {
        for public in 0..proven.proof.shards[i].publics.len() {
            let result = proven.changed(|p| p.shards[i].publics[public] += F::ONE);
            assert!(result.is_err(), "shard {i}, public {public}");
        }
        type Change = fn(&mut ShardProof);
        let changes: [(&str, Change); 16] = [
            ("pin", |s| s.pin += E::ONE),
            ("blend", |s| s.openings.blend[0] += E::ONE),
            ("blend at z0", |s| s.openings.pinned[1] += E::ONE),
            ("pin and blend at z0", |s| {
                s.pin += E::ONE;
                s.openings.pinned[0] += E::ONE;
            }),
            ("sum", |s| s.sum += E::ONE),
            ("height", |s| s.log_height += 1),
            ("height of 2^64", |s| s.log_height = 64),
            ("a public more", |s| s.publics.push(F::ZERO)),
            ("trace cap", |s| s.trace_cap.0[0].elements[0] += F::ONE),
            ("aux cap", |s| s.aux_cap.0[5].elements[1] += F::ONE),
            ("quotient cap", |s| s.quotient_cap.0[15].elements[3] += F::ONE),
            ("opening", |s| s.openings.trace[0] += E::ONE),
            ("next opening", |s| s.openings.aux_next[1] += E::ONE),
            ("final polynomial", |s| s.fri.final_poly.coeffs[0] += E::ONE),
            ("work", |s| s.fri.pow_witness += F::ONE),
            ("queries", |s| drop(s.fri.query_round_proofs.pop())),
        ];
        for (what, change) in changes {
            assert!(
                proven.changed(|p| change(&mut p.shards[i])).is_err(),
                "shard {i}, {what}"
            );
        }
    }
}

#[test]
fn sums_that_cancel_are_refused_by_the_shards() {
    let proven = honest();
    let result = proven.changed(|p| {
        p.shards[0].sum += E::ONE;
        p.shards[1].sum -= E::ONE;
    });
    assert!(matches!(result, Err(CoreError::Shard { index: 0, .. })));
}

/// A pin is bound to its shard and its place: beta and gamma follow from all of them.
#[test]
fn pins_of_other_shards_are_refused() {
    let proven = honest();
    let count = proven.proof.shards.len();
    for i in 0..count {
        let j = (i + 1) % count;
        let other = proven.changed(|p| p.shards[i].pin = p.shards[j].pin);
        assert!(other.is_err(), "pin of {j} for {i}");
        let swapped = proven.changed(|p| {
            let pin = p.shards[i].pin;
            p.shards[i].pin = p.shards[j].pin;
            p.shards[j].pin = pin;
        });
        assert!(swapped.is_err(), "pins of {i} and {j} swapped");
    }
    // No work asked for: what refuses is the balance, under other beta and gamma.
    let weak = Params {
        grinding_bits: 0,
        ..PARAMS
    };
    let mut proof = proven.proof.clone();
    proof.shards[0].pin += E::ONE;
    assert_eq!(
        verify_core(proven.vk(), &proven.statement, &proof, &weak),
        Err(CoreError::Sum)
    );
}

/// Every table's shard opens the blend of its columns, at z0 to its pin.
#[test]
fn pins_are_those_of_the_traces() {
    let proven = honest();
    let (_, challenges) = proven.proof.transcript(proven.vk(), &proven.statement);
    for shard in &proven.proof.shards {
        let [low, high] = [shard.openings.pinned[0], shard.openings.pinned[1]];
        let root =
            <E as plonky2::field::extension::FieldExtension<2>>::from_basefield_array([F::ZERO, F::ONE]);
        assert_eq!(shard.pin, low + root * high);
        let [low, high] = [shard.openings.blend[0], shard.openings.blend[1]];
        assert_eq!(challenges.pin.weigh(&shard.openings.trace), low + root * high);
    }
}

#[test]
fn other_counts_and_nonces_are_refused() {
    let proven = honest();
    for i in 0..proven.proof.claim_counts.len() {
        assert!(proven.changed(|p| p.claim_counts[i] += F::ONE).is_err());
    }
    assert!(proven.changed(|p| p.claim_counts.truncate(1)).is_err());
    // Another nonce either shows no work, or gives challenges that the shards were not made for.
    for delta in 1..50 {
        let result = proven.changed(|p| p.nonce += F::from_canonical_u64(delta));
        assert!(matches!(result, Err(CoreError::Grinding { .. } | CoreError::Sum)));
    }
}

#[test]
fn shards_of_another_run_are_refused() {
    let (one, two) = (honest(), rejected());
    assert_eq!(one.proof.shards.len(), two.proof.shards.len());
    for i in 0..one.proof.shards.len() {
        let other = two.proof.shards[i].clone();
        assert!(one.changed(|p| p.shards[i] = other).is_err(), "shard {i}");
    }
    assert!(one.verify(&two.statement, &one.proof).is_err());
}

#[test]
fn more_rows_than_time_counts_are_refused() {
    let proven = honest();
    let mut memory = ShardProof {
        table: TableId::Memory,
        log_height: 18,
        publics: vec![proven.proof.shards[proven.first_of(TableId::Static)].publics[1]; 2],
        ..proven.proof.shards[0].clone()
    };
    memory.fri.query_round_proofs.clear();
    let at = proven.first_of(TableId::Static) + 1;
    let result = proven.changed(|p| {
        p.shards.splice(at..at, std::iter::repeat_n(memory, 1 << 12));
    });
    assert!(matches!(result, Err(CoreError::Rows { .. })), "{result:?}");
}

#[test]
fn other_parameters_are_refused() {
    let proven = honest();
    for params in [
        Params { queries: 7, ..PARAMS },
        Params { queries: 5, ..PARAMS },
        Params { queries: 0, ..PARAMS },
        Params {
            pow_bits: 40,
            ..PARAMS
        },
        Params {
            grinding_bits: 40,
            ..PARAMS
        },
        Params {
            grinding_bits: 64,
            ..PARAMS
        },
        Params::STANDARD,
    ] {
        let result = verify_core(proven.vk(), &proven.statement, &proven.proof, &params);
        assert!(result.is_err(), "{params:?}");
    }
}

/// A pool that checks nothing.
pub(super) struct Credulous;

impl ProofPool for Credulous {
    fn run<T: Task>(
        &self,
        task: &T,
        jobs: &[T::Job],
        _: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<T::Output>, PoolError> {
        Ok(jobs.iter().map(|job| task.work(job).unwrap()).collect())
    }
}

/// A pool whose first attempt at every shard fails after the work, and whose second is of the shard before.
struct Clumsy;

impl ProofPool for Clumsy {
    fn run<T: Task>(
        &self,
        task: &T,
        jobs: &[T::Job],
        done: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<T::Output>, PoolError> {
        for pair in jobs.windows(2) {
            let other = task.work(&pair[0]).unwrap();
            assert!(task.check(&pair[0], &other).is_ok());
            assert!(task.check(&pair[1], &other).is_err());
        }
        LocalPool::new(2, 1).run(task, jobs, done)
    }
}

#[test]
fn a_pool_may_fail_and_retry() {
    let proven = honest();
    let options = Options {
        kept_bytes: 1_000_000,
        ..options()
    };
    let (statement, proof) = prove_core_in(&Clumsy, &proven.key, &inputs(), &options, &silent).unwrap();
    assert_eq!((&statement, &proof), (&proven.statement, &proven.proof));
}

/// Proves a run honestly but for what `lie` does to the committed shards.
fn lying(lie: impl Fn(&mut Vec<Committed>, &mut Statement)) -> Result<(), CoreError> {
    let proven = honest();
    let (inputs, options) = (inputs(), options());
    let mut prover = Prover {
        key: &proven.key,
        inputs: &inputs,
        options: &options,
        progress: &silent,
        domains: Domains::default(),
        shards: Vec::new(),
    };
    let (mut statement, claim_counts) = prover.commit().unwrap();
    lie(&mut prover.shards, &mut statement);
    let proof = prover.finish(&Credulous, &statement, claim_counts).unwrap();
    verify_core(proven.vk(), &statement, &proof, &PARAMS)
}

#[test]
fn a_liar_who_commits_to_another_run_is_refused() {
    assert_eq!(lying(|_, _| {}), Ok(()));
    let cell = |shards: &mut Vec<Committed>, shard: usize, column: usize, row: usize, value: u64| {
        let old = &shards[shard];
        let mut columns = old.kept().columns.clone().unwrap().to_vec();
        columns[column][row] = F::from_canonical_u64(value);
        let commitment = Commitment::new(&Domain::new(old.log_height), &columns);
        let (table, log_height, publics) = (old.table, old.log_height, old.publics.clone());
        shards[shard] = Committed::new(table, log_height, publics, commitment, Some(columns));
    };
    let static_shard = honest().first_of(TableId::Static);
    let image = honest().key.sections();
    let sp = image
        .image_row(crate::trace::static_table::Space::Registers, 29)
        .unwrap();
    // A result of an instruction, a real row made padding, a final value.
    assert!(lying(|s, _| cell(s, 0, cpu::C, 3, 77)).is_err());
    assert!(lying(|s, _| cell(s, 1, cpu::REAL, 0, 0)).is_err());
    assert!(lying(|s, _| cell(s, static_shard, static_table::column::IMAGE_VALUE, sp, 5)).is_err());
    // Another end, with the publics to match.
    assert!(
        lying(|shards, statement| {
            let last = shards.iter().rposition(|s| s.table == TableId::Cpu).unwrap();
            shards[last].publics[8] = F::from_canonical_u64(Status::Rejected.end_key());
            statement.status = Status::Rejected;
        })
        .is_err()
    );
    // A run that ends early, or counts a step more.
    assert!(
        lying(|shards, statement| {
            let last = shards.iter().rposition(|s| s.table == TableId::Cpu).unwrap();
            shards[last].publics[10] += F::ONE;
            statement.steps += 1;
        })
        .is_err()
    );
    // Other claim words for the same run.
    assert!(lying(|_, statement| statement.claim[0] = 1).is_err());
}

#[test]
fn encodings_come_back_and_others_are_refused() {
    let proven = honest();
    let bytes = proven.proof.encode();
    assert_eq!(CoreProof::decode(&bytes).as_ref(), Ok(&proven.proof));
    for length in (0..bytes.len())
        .step_by(997)
        .chain(bytes.len() - 9..bytes.len())
        .chain(0..64)
    {
        assert!(CoreProof::decode(&bytes[..length]).is_err(), "{length} bytes");
    }
    assert!(CoreProof::decode(&[&bytes[..], &[0]].concat()).is_err());
    // Every byte means something: a changed one is no encoding, or of a proof that is refused.
    let mut decoded = 0;
    for at in (0..bytes.len()).step_by(bytes.len() / 150).chain(0..40) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1 << (at % 8);
        if let Ok(proof) = CoreProof::decode(&bytes) {
            decoded += 1;
            assert_ne!(proof, proven.proof, "byte {at}");
            assert_eq!(proof.encode(), bytes);
            assert!(proven.verify(&proven.statement, &proof).is_err(), "byte {at}");
        }
    }
    assert!(decoded > 50);
    // An element that is not below p.
    let mut bytes = bytes;
    let nonce = 8 + 4 + 8 * proven.proof.claim_counts.len();
    bytes[nonce..nonce + 8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(CoreProof::decode(&bytes).is_err());
}

#[test]
fn keys_come_back_and_others_are_refused() {
    let key = honest().vk();
    let bytes = key.encode();
    assert_eq!(VerifyingKey::decode(&bytes).as_ref(), Ok(key));
    for length in 0..bytes.len() {
        assert!(VerifyingKey::decode(&bytes[..length]).is_err());
    }
    assert!(VerifyingKey::decode(&[&bytes[..], &[0]].concat()).is_err());
    for at in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x80;
        if let Ok(other) = VerifyingKey::decode(&bytes) {
            assert_ne!(other.digest(), key.digest(), "byte {at}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Garbage is refused, whatever it starts with.
    #[test]
    fn garbage_is_no_proof_and_no_key(header in 0..4u8, bytes in proptest::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..400)) {
        let proven = honest();
        let start = match header {
            0 => Vec::new(),
            1 => proven.vk().encode()[..8].to_vec(),
            2 => proven.proof.encode()[..8].to_vec(),
            _ => proven.proof.shards[0].encode()[..8].to_vec(),
        };
        let bytes = [start, bytes].concat();
        prop_assert!(VerifyingKey::decode(&bytes).is_err());
        prop_assert!(ShardProof::decode(&bytes).is_err());
        // An empty list of shards is an encoding, though of no proof.
        if let Ok(proof) = CoreProof::decode(&bytes) {
            prop_assert_eq!(proof.encode(), bytes);
            prop_assert!(proven.verify(&proven.statement, &proof).is_err());
        }
    }
}

#[test]
fn options_fit_their_memory() {
    for bytes in [0, 1 << 20, 1 << 30, 8 << 30] {
        let options = Options::for_memory(bytes);
        let working = WORKING_BYTES_PER_ROW << options.segment_log_height;
        assert!(working + options.kept_bytes <= bytes.max(working));
        assert!(
            (LEAST_SEGMENT_LOG_HEIGHT..=GREATEST_SEGMENT_LOG_HEIGHT).contains(&options.segment_log_height)
        );
    }
    assert_eq!(
        Options::for_memory(8 << 30).segment_log_height,
        GREATEST_SEGMENT_LOG_HEIGHT
    );
}
