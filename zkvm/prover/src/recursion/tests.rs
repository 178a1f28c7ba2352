//! Small circuits over small tables: few queries, all else as in earnest.

use std::sync::LazyLock;

use plonky2::field::types::Field;
use plonky2::hash::hash_types::HashOut;
use zkvm_air::machine::END_ACCEPTED;
use zkvm_air::{Bus, E, F, Table, TableBuilder, TableId};
use zkvm_verifier::compressed::{CompressedError, CompressedProof, FoldKey, layout, verify_compressed};
use zkvm_verifier::key::VerifyingKey;
use zkvm_verifier::proof::ShardProof;
use zkvm_verifier::run::{
    Challenges, Statement, Status, absorb_pin, absorb_shard, cap_digest, challenges, header_hash, pin_point,
    pinned,
};
use zkvm_verifier::{Params, params, verify_shard};

use super::RecursionError;
use super::circuits::{CircuitSet, LeafCircuit, Plan};
use super::fold::Proof;
use super::reference::Committed;
use super::shape;
use super::witness::Shard;

const PARAMS: Params = Params {
    queries: 3,
    pow_bits: 4,
    grinding_bits: 0,
};
const ENTRY: u64 = 0x1_0000;
const STEPS: u64 = 77;

/// Six columns of state, of which the last counts; a look-up a row.
fn cpu(salt: u64) -> Table {
    let mut b = TableBuilder::new(TableId::Cpu, 7, 0, 12);
    for i in 0..6 {
        b.assert_first("start", b.local(i) - b.public(i));
        b.assert_last("end", b.local(i) - b.public(6 + i));
    }
    b.assert_transition("count", b.next(5) - b.local(5) - 1);
    b.assert_zero("cubic", b.local(6) - b.local(5) * b.local(5) * b.local(5) - salt);
    b.send(Bus::U16, 1u64.into(), vec![b.local(5), b.local(6)]);
    b.build()
}

/// Takes from the look-up what Cpu puts there.
fn fixed() -> Table {
    let mut b = TableBuilder::new(TableId::Static, 3, 1, 2);
    b.assert_first("before", b.local(2) - b.public(0));
    b.assert_last("after", b.local(2) - b.public(1));
    b.receive(Bus::U16, b.local(0), vec![b.fixed(0), b.local(1)]);
    b.build()
}

fn memory() -> Table {
    let mut b = TableBuilder::new(TableId::Memory, 1, 0, 2);
    b.assert_first("before", b.local(0) - b.public(0));
    b.assert_last("after", b.local(0) - b.public(1));
    b.build()
}

fn hint(id: TableId) -> Table {
    let mut b = TableBuilder::new(id, 1, 0, 0);
    b.assert_zero("bool", b.local(0).boolean());
    b.build()
}

static TABLES: LazyLock<[Table; TableId::ALL.len()]> = LazyLock::new(|| {
    let [hint, sha256] = [TableId::Hint, TableId::Sha256].map(hint);
    [cpu(0), fixed(), memory(), hint, sha256]
});

fn f(value: u64) -> F {
    F::from_canonical_u64(value)
}

type State = [u64; 5];
const START: State = [ENTRY, ENTRY + 4, 0, 1, 0];
const BETWEEN: State = [1, 2, 3, 4, 5];
const END: State = [8, 9, END_ACCEPTED, 0, STEPS - 1];

fn cpu_shard(from: State, to: State, clk: u64, log_height: usize) -> Committed<'static> {
    let n = 1 << log_height;
    let constant = |i: usize| {
        let mut column = vec![f(from[i]); n];
        column[n - 1] = f(to[i]);
        column
    };
    let mut trace: Vec<Vec<F>> = (0..5).map(constant).collect();
    trace.push((clk..).take(n).map(f).collect());
    trace.push((clk..).take(n).map(|c| f(c).cube()).collect());
    let publics = [0, n - 1]
        .into_iter()
        .flat_map(|row| trace[..6].iter().map(move |c| c[row]));
    let publics = publics.collect();
    Committed::new(&TABLES[0], vec![], trace, publics)
}

fn static_shard(cpu: &[Committed<'_>], log_height: usize) -> Committed<'static> {
    let n = 1 << log_height;
    let pairs = |c: &Committed<'_>| {
        c.trace[5]
            .iter()
            .copied()
            .zip(c.trace[6].iter().copied())
            .collect::<Vec<_>>()
    };
    let mut rows: Vec<(F, F)> = cpu.iter().flat_map(pairs).collect();
    let used = rows.len();
    rows.resize(n, (F::ZERO, F::ZERO));
    let (values, cubes): (Vec<F>, Vec<F>) = rows.into_iter().unzip();
    let counts = (0..n).map(|i| F::from_bool(i < used)).collect();
    let address = (0..n as u64).map(f).collect();
    let publics = vec![F::ZERO, f(n as u64 - 1)];
    Committed::new(&TABLES[1], vec![values], vec![counts, cubes, address], publics)
}

fn memory_shard(before: u64, after: u64) -> Committed<'static> {
    let mut column = vec![f(before); 128];
    column[127] = f(after);
    Committed::new(&TABLES[2], vec![], vec![column], vec![f(before), f(after)])
}

fn hint_shard(id: TableId) -> Committed<'static> {
    Committed::new(&TABLES[id as usize], vec![], vec![vec![F::ONE; 128]], vec![])
}

fn prove(committed: &Committed<'_>, challenges: Challenges) -> ShardProof {
    let proof = committed.prove(challenges, &PARAMS);
    let cap = committed.fixed_batch.as_ref().map(|b| &b.merkle_tree.cap);
    verify_shard(committed.table, cap, &proof, challenges, &PARAMS).unwrap();
    proof
}

fn drawn(seed: u64) -> Challenges {
    let h = HashOut::from_partial(&[f(seed)]);
    Challenges {
        pin: pin_point(h),
        logup: challenges(h, F::ZERO),
    }
}

fn plan() -> Plan<'static> {
    Plan {
        tables: TABLES.each_ref(),
        heights: TableId::ALL.map(params::log_heights),
        params: PARAMS,
        leaf_degree_bits: 11,
        fold_degree_bits: 13,
    }
}

static SET: LazyLock<CircuitSet> = LazyLock::new(|| CircuitSet::build(&plan()).unwrap());

/// A run of six shards, its leaves, and the accumulator after each.
struct Run {
    header: HashOut<F>,
    challenges: Challenges,
    key: VerifyingKey,
    statement: Statement,
    leaves: Vec<Proof>,
    accumulators: Vec<Proof>,
}

static RUN: LazyLock<Run> = LazyLock::new(|| {
    let cpu = [cpu_shard(START, BETWEEN, 1, 7), cpu_shard(BETWEEN, END, 128, 8)];
    let fixed = static_shard(&cpu, 9);
    let key = VerifyingKey {
        fixed_cap: fixed.fixed_batch.as_ref().unwrap().merkle_tree.cap.clone(),
        log_height: 9,
        entry: ENTRY as u32,
        program: [7; 32],
    };
    let statement = Statement {
        claim: vec![1, 2],
        status: Status::Accepted,
        steps: STEPS,
    };
    let hints = [TableId::Hint, TableId::Sha256].map(hint_shard);
    let shards = Vec::from(cpu)
        .into_iter()
        .chain([fixed, memory_shard(511, 600)])
        .chain(hints);
    let shards: Vec<Committed<'_>> = shards.collect();
    let header = header_hash(key.digest(), &statement, &[F::ZERO; 3], shards.len());
    let hash = shards.iter().fold(header, |h, c| {
        absorb_shard(
            h,
            c.table.id,
            c.log_height(),
            &c.publics,
            &c.trace_batch.merkle_tree.cap,
        )
    });
    let pin = pin_point(hash);
    let pins = shards.iter().fold(header, |pins, c| absorb_pin(pins, c.pin(pin)));
    let challenges = Challenges {
        pin,
        logup: challenges(pinned(hash, pins), F::ZERO),
    };
    let leaves: Vec<Proof> = shards.iter().map(|c| leaf(c, challenges)).collect();
    let mut accumulators: Vec<Proof> = Vec::new();
    for leaf in &leaves {
        accumulators.push(SET.fold.prove(header, accumulators.last(), leaf).unwrap());
    }
    Run {
        header,
        challenges,
        key,
        statement,
        leaves,
        accumulators,
    }
});

fn leaf(committed: &Committed<'_>, challenges: Challenges) -> Proof {
    let proof = prove(committed, challenges);
    let shard = Shard {
        proof: &proof,
        fixed_cap: committed.fixed_batch.as_ref().map(|b| &b.merkle_tree.cap),
        challenges,
    };
    SET.leaves[committed.table.id as usize].prove(&shard).unwrap()
}

impl Run {
    fn fold_key(&self) -> FoldKey {
        FoldKey {
            data: SET.fold.data().verifier_data(),
            params: PARAMS,
        }
    }

    fn compressed(&self, fold: &Proof) -> CompressedProof {
        CompressedProof {
            claim_counts: vec![F::ZERO; 3],
            nonce: F::ZERO,
            fold: fold.clone(),
        }
    }

    fn proof(&self) -> CompressedProof {
        self.compressed(self.accumulators.last().unwrap())
    }

    fn verify(&self, proof: &CompressedProof) -> Result<(), CompressedError> {
        verify_compressed(&self.fold_key(), &self.key, &self.statement, proof)
    }

    /// Whether a leaf can follow the first `shards` shards.
    fn follows(&self, shards: usize, leaf: &Proof) -> bool {
        let accumulator = shards.checked_sub(1).map(|i| &self.accumulators[i]);
        is_satisfied(SET.fold.prove(self.header, accumulator, leaf))
    }
}

fn is_satisfied(result: Result<Proof, RecursionError>) -> bool {
    match result {
        Ok(_) => true,
        Err(RecursionError::Unsatisfied { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn leaf_takes_heights_of_each_number_of_folds() {
    for log_height in [7, 10, 11] {
        let committed = cpu_shard(START, BETWEEN, 1, log_height);
        let proof = leaf(&committed, drawn(1));
        assert_eq!(proof.public_inputs[1], f(log_height as u64));
        assert_eq!(proof.public_inputs[super::leaf::layout::ROWS], f(1 << log_height));
        assert_eq!(
            proof.public_inputs[26..30],
            cap_digest(&committed.trace_batch.merkle_tree.cap).elements
        );
    }
}

#[test]
fn leaf_refuses_what_the_native_verifier_refuses() {
    let committed = cpu_shard(START, BETWEEN, 1, 7);
    let honest = prove(&committed, drawn(1));
    type Change = fn(&mut ShardProof);
    let changes: [(&str, Change); 17] = [
        ("trace opening", |p| p.openings.trace[3] += E::ONE),
        ("next trace opening", |p| p.openings.trace_next[0] += E::ONE),
        ("auxiliary opening", |p| p.openings.aux[0] += E::ONE),
        ("next auxiliary opening", |p| p.openings.aux_next[1] += E::ONE),
        ("quotient opening", |p| p.openings.quotient[0] += E::ONE),
        ("blend's opening", |p| p.openings.blend[0] += E::ONE),
        ("blend's opening at z0", |p| p.openings.pinned[1] += E::ONE),
        ("pin", |p| {
            p.pin += E::ONE;
            p.openings.pinned[0] += E::ONE;
        }),
        ("public", |p| p.publics[2] += F::ONE),
        ("sum", |p| p.sum += E::ONE),
        ("trace cap", |p| p.trace_cap.0[0].elements[0] += F::ONE),
        ("aux cap", |p| p.aux_cap.0[5].elements[0] += F::ONE),
        ("final polynomial", |p| p.fri.final_poly.coeffs[0] += E::ONE),
        ("fold's cap", |p| {
            p.fri.commit_phase_merkle_caps[0].0[0].elements[0] += F::ONE
        }),
        ("work", |p| p.fri.pow_witness += F::ONE),
        ("leaf", |p| {
            p.fri.query_round_proofs[0].initial_trees_proof.evals_proofs[0].0[0] += F::ONE
        }),
        ("log height", |p| p.log_height = 8),
    ];
    for (what, change) in changes {
        let mut proof = honest.clone();
        change(&mut proof);
        assert!(
            verify_shard(&TABLES[0], None, &proof, drawn(1), &PARAMS).is_err(),
            "{what}"
        );
        let shard = Shard {
            proof: &proof,
            fixed_cap: None,
            challenges: drawn(1),
        };
        assert!(!is_satisfied(SET.leaves[0].prove(&shard)), "{what}");
    }
    let shard = |challenges, leaf: usize| {
        let shard = Shard {
            proof: &honest,
            fixed_cap: None,
            challenges,
        };
        is_satisfied(SET.leaves[leaf].prove(&shard))
    };
    assert!(shard(drawn(1), 0));
    assert!(!shard(drawn(2), 0), "other challenges");
    let changes: [fn(&mut Challenges) -> &mut E; 4] = [
        |c| &mut c.pin.z0,
        |c| &mut c.pin.lambda,
        |c| &mut c.logup.beta,
        |c| &mut c.logup.gamma,
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut challenges = drawn(1);
        *change(&mut challenges) += E::ONE;
        assert!(!shard(challenges, 0), "challenge {i}");
    }
    assert!(!shard(drawn(1), 2), "other table");
}

#[test]
fn leaf_itself_refuses_another_height() {
    // Past the check of shapes: the circuit is told that 2^7 rows are 2^8.
    let honest = prove(&cpu_shard(START, BETWEEN, 1, 7), drawn(1));
    let shard = Shard {
        proof: &honest,
        fixed_cap: None,
        challenges: drawn(1),
    };
    assert!(is_satisfied(SET.leaves[0].prove_at(0, &shard)));
    assert!(!is_satisfied(SET.leaves[0].prove_at(1, &shard)));
}

#[test]
fn leaf_closes_the_padding_of_final_polynomials() {
    // A trace of noise: every constraint is broken.
    let mut committed = cpu_shard(START, BETWEEN, 1, 7);
    let noise = |i: u64| f(i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 3);
    let trace = (0..7)
        .map(|c| (0..128).map(|i| noise(c * 1000 + i)).collect())
        .collect();
    committed = Committed::new(&TABLES[0], vec![], trace, committed.publics);
    let proof = super::padding_test::forge(&committed, drawn(1), &PARAMS);
    let shard = Shard {
        proof: &proof,
        fixed_cap: None,
        challenges: drawn(1),
    };
    assert!(!is_satisfied(SET.leaves[0].prove_at(0, &shard)));
    // Without that one condition the circuit takes it, so nothing else stands in its way.
    let open = LeafCircuit::build_with_open_padding(&plan().leaf(TableId::Cpu), &shape::gates(), 11).unwrap();
    assert!(is_satisfied(open.prove_at(0, &shard)));
}

#[test]
fn account_agrees_with_the_native_one() {
    let account = &RUN.accumulators[5].public_inputs;
    assert_eq!(account[layout::SHARDS], f(6));
    assert_eq!(account[layout::ROWS], f(128 + 256 + 512 + 128 + 128 + 128));
    assert_eq!(account[layout::MEMORY], f(600));
    assert_eq!(account[layout::LAST_TABLE], f(4));
    RUN.verify(&RUN.proof()).unwrap();
    let bytes = RUN.proof().encode();
    assert_eq!(CompressedProof::decode(&bytes).unwrap(), RUN.proof());
    assert!(bytes.len() <= 150_000, "{}", bytes.len());
    for end in [0, 4, 8, 100, 5000, bytes.len() - 1] {
        assert!(CompressedProof::decode(&bytes[..end]).is_err());
    }
}

#[test]
fn fold_refuses_shards_out_of_order() {
    let [first, second, fixed, memory, hint, sha256] = &RUN.leaves[..] else {
        unreachable!("six shards")
    };
    for (what, shards, leaf) in [
        ("Static first", 0, fixed),
        ("Memory first", 0, memory),
        ("Hint first", 0, hint),
        ("Sha256 first", 0, sha256),
        ("Cpu repeated", 1, first),
        ("Memory after Cpu", 2, memory),
        ("Hint after Cpu", 2, hint),
        ("Sha256 after Cpu", 2, sha256),
        ("Cpu after Static", 3, second),
        ("Static twice", 3, fixed),
        ("Memory repeated", 4, memory),
        ("Static after Memory", 4, fixed),
        ("Memory after Hint", 5, memory),
        ("Cpu after Hint", 5, second),
        ("Static after Hint", 5, fixed),
        ("Hint after Sha256", 6, hint),
        ("Memory after Sha256", 6, memory),
        ("Static after Sha256", 6, fixed),
        ("Cpu after Sha256", 6, second),
    ] {
        assert!(!RUN.follows(shards, leaf), "{what}");
    }
    // What may follow although it did not here; a verifier refuses it for another h.
    for (what, shards, leaf) in [
        ("Hint after Static", 3, hint),
        ("Sha256 after Static", 3, sha256),
        ("Sha256 after Memory", 4, sha256),
        ("Hint after Hint", 5, hint),
        ("Sha256 after Sha256", 6, sha256),
    ] {
        assert!(RUN.follows(shards, leaf), "{what}");
    }
}

#[test]
fn fold_refuses_foreign_leaves() {
    let changes: [fn(&mut Challenges) -> &mut E; 4] = [
        |c| &mut c.pin.z0,
        |c| &mut c.pin.lambda,
        |c| &mut c.logup.beta,
        |c| &mut c.logup.gamma,
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut challenges = RUN.challenges;
        *change(&mut challenges) += E::ONE;
        let other = leaf(&cpu_shard(BETWEEN, END, 128, 8), challenges);
        assert!(!RUN.follows(1, &other), "challenge {i}");
    }

    let table = cpu(1);
    let shape = super::leaf::LeafShape {
        table: &table,
        ..plan().leaf(TableId::Cpu)
    };
    let circuit = LeafCircuit::build(&shape, &shape::gates(), 11).unwrap();
    assert_eq!(
        circuit.data().common,
        SET.leaves[0].data().common,
        "shapes agree, so only the key can tell"
    );
    let mut committed = cpu_shard(BETWEEN, END, 128, 8);
    committed.table = &table;
    let column = committed.trace[5].iter().map(|c| c.cube() + F::ONE).collect();
    let mut trace = committed.trace.clone();
    trace[6] = column;
    let committed = Committed::new(&table, vec![], trace, committed.publics);
    let proof = prove(&committed, RUN.challenges);
    let shard = Shard {
        proof: &proof,
        fixed_cap: None,
        challenges: RUN.challenges,
    };
    let foreign = circuit.prove(&shard).unwrap();
    assert!(!RUN.follows(1, &foreign), "another circuit's leaf");

    let mut relabelled = RUN.leaves[3].clone();
    relabelled.public_inputs[0] = F::ZERO;
    assert!(!RUN.follows(1, &relabelled), "another table's leaf");
    let mut changed = RUN.leaves[1].clone();
    changed.public_inputs[super::leaf::layout::SUM.start] += F::ONE;
    assert!(!RUN.follows(1, &changed), "another sum");
    let mut changed = RUN.leaves[1].clone();
    changed.public_inputs[super::leaf::layout::PIN.start] += F::ONE;
    assert!(!RUN.follows(1, &changed), "another pin");
}

#[test]
fn fold_refuses_foreign_accumulators() {
    let mut other_key = RUN.accumulators[0].clone();
    other_key.public_inputs[layout::COUNT] += F::ONE;
    let mut other_sum = RUN.accumulators[0].clone();
    other_sum.public_inputs[layout::SUM.start] += F::ONE;
    for accumulator in [&other_key, &other_sum, &SET.fold.start] {
        assert!(!is_satisfied(SET.fold.prove(
            RUN.header,
            Some(accumulator),
            &RUN.leaves[1]
        )));
    }
    let header = HashOut::from_partial(&[f(1)]);
    assert!(
        !is_satisfied(SET.fold.prove(header, Some(&RUN.accumulators[0]), &RUN.leaves[1])),
        "header"
    );
}

#[test]
fn final_check_refuses_runs_cut_short() {
    for accumulator in &RUN.accumulators[..5] {
        assert!(RUN.verify(&RUN.compressed(accumulator)).is_err());
    }
    // A shard left out: the fold goes along, but h and so beta and gamma are others.
    let without = SET
        .fold
        .prove(RUN.header, Some(&RUN.accumulators[2]), &RUN.leaves[4])
        .unwrap();
    assert!(matches!(
        RUN.verify(&RUN.compressed(&without)),
        Err(CompressedError::Account { .. })
    ));
    // The start circuit's proof is no account.
    assert!(RUN.verify(&RUN.compressed(&SET.fold.start)).is_err());
}

#[test]
fn final_check_refuses_other_statements() {
    let proof = RUN.proof();
    let statement = |change: fn(&mut Statement)| {
        let mut statement = RUN.statement.clone();
        change(&mut statement);
        assert!(verify_compressed(&RUN.fold_key(), &RUN.key, &statement, &proof).is_err());
    };
    statement(|s| s.status = Status::Rejected);
    statement(|s| s.steps += 1);
    statement(|s| s.steps = u64::MAX);
    statement(|s| s.steps = 0);
    statement(|s| s.claim[0] = 5);
    statement(|s| s.claim = vec![1]);
    statement(|s| s.claim = vec![0; 1000]);
    let key = |change: fn(&mut VerifyingKey)| {
        let mut key = RUN.key.clone();
        change(&mut key);
        assert!(verify_compressed(&RUN.fold_key(), &key, &RUN.statement, &proof).is_err());
    };
    key(|k| k.entry += 4);
    key(|k| k.log_height += 1);
    key(|k| k.program[0] ^= 1);
    key(|k| k.fixed_cap.0[0].elements[0] += F::ONE);
}

#[test]
fn final_check_refuses_changed_proofs() {
    let changed = |change: &dyn Fn(&mut CompressedProof)| {
        let mut proof = RUN.proof();
        change(&mut proof);
        assert!(RUN.verify(&proof).is_err());
    };
    changed(&|p| p.nonce = F::ONE);
    changed(&|p| p.claim_counts[0] = F::ONE);
    changed(&|p| p.claim_counts.clear());
    for i in 0..layout::COUNT + 68 {
        changed(&|p| p.fold.public_inputs[i] += F::ONE);
    }
    // Where pins enter: the point follows from the first chain, beta and gamma from both.
    let account = |at: core::ops::Range<usize>, expected: &str| {
        for i in at {
            let mut proof = RUN.proof();
            proof.fold.public_inputs[i] += F::ONE;
            let error = RUN.verify(&proof);
            assert!(
                matches!(error, Err(CompressedError::Account { what, .. }) if what == expected),
                "public input {i}: {error:?}"
            );
        }
    };
    account(layout::PIN_POINT, "z0 and lambda");
    account(layout::HASH, "z0 and lambda");
    account(layout::PINS, "beta and gamma");
    account(layout::CHALLENGES, "beta and gamma");
    changed(&|p| p.fold.public_inputs.clear());
    changed(&|p| p.fold.proof.wires_cap.0.truncate(3));
    changed(&|p| p.fold.proof.opening_proof.commit_phase_merkle_caps[0].0.clear());
    changed(&|p| p.fold.proof.openings.wires.clear());
    changed(&|p| p.fold.proof.openings.wires[0] += E::ONE);
    changed(&|p| p.fold.proof.opening_proof.query_round_proofs.clear());
    changed(&|p| p.fold.proof.opening_proof.final_poly.coeffs.clear());

    let mut other = RUN.fold_key();
    other.data.verifier_only.circuit_digest.elements[0] += F::ONE;
    assert_eq!(
        verify_compressed(&other, &RUN.key, &RUN.statement, &RUN.proof()),
        Err(CompressedError::Circuit)
    );
    assert_ne!(other.digest(), RUN.fold_key().digest());
}

#[test]
fn broken_cache_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan();
    let cache = super::cache::Cache::new(folder.path(), &plan);
    assert!(cache.load(&plan).is_none());
    cache.store(&SET).unwrap();
    let loaded = cache.load(&plan).unwrap();
    assert_eq!(loaded.fold.data().verifier_only, SET.fold.data().verifier_only);
    let again = loaded.fold.prove(RUN.header, None, &RUN.leaves[0]).unwrap();
    assert_eq!(again.public_inputs, RUN.accumulators[0].public_inputs);
    let other = Plan {
        params: Params { queries: 4, ..PARAMS },
        ..plan.clone()
    };
    assert!(
        super::cache::Cache::new(folder.path(), &other)
            .load(&other)
            .is_none()
    );
    let largest = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|e| e.unwrap().path());
    let file = largest
        .max_by_key(|p| std::fs::metadata(p).unwrap().len())
        .unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    assert!(cache.load(&plan).is_none());
}
