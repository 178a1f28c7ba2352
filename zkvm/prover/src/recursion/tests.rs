use std::sync::LazyLock;
use std::time::Instant;

use plonky2::field::types::Field;
use plonky2::hash::hash_types::HashOut;
use plonky2::plonk::circuit_builder::CircuitBuilder;
use zkvm_air::{Bus, E, F, Logup, Table, TableBuilder, TableId};
use zkvm_verifier::proof::ShardProof;
use zkvm_verifier::run::{Cap, absorb_shard, challenges};
use zkvm_verifier::shard::verify_shard;
use zkvm_verifier::{Params, params};

use super::circuits::{CircuitSet, LeafCircuit, Plan};
use super::fold::Proof;
use super::leaf::{self, LeafShape, LeafTargets};
use super::reference::Committed;
use super::witness::Shard;
use super::{D, shape};

/// Few queries, so that circuits are small; all else as in earnest.
const PARAMS: Params = Params {
    queries: 3,
    pow_bits: 4,
    grinding_bits: 0,
};

/// State of six columns, the last counting; a look-up of column 5 a row.
fn cpu() -> Table {
    let mut b = TableBuilder::new(TableId::Cpu, 7, 0, 12);
    for i in 0..6 {
        let (x, next) = (b.local(i), b.next(i));
        b.assert_first("start", &x - b.public(i));
        b.assert_last("end", &x - b.public(6 + i));
        b.assert_transition("step", next - x - u64::from(i == 5));
    }
    b.assert_zero("cubic", b.local(6) - b.local(5) * b.local(5) * b.local(0));
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

fn hint() -> Table {
    let mut b = TableBuilder::new(TableId::Hint, 1, 0, 0);
    b.assert_zero("bool", b.local(0).boolean());
    b.build()
}

static TABLES: LazyLock<[Table; 4]> = LazyLock::new(|| [cpu(), fixed(), memory(), hint()]);

fn f(value: u64) -> F {
    F::from_canonical_u64(value)
}

fn cpu_shard(start: u64, log_height: usize) -> Committed<'static> {
    let n = 1 << log_height;
    let mut trace: Vec<Vec<F>> = [3, 4, 5, 6, 7].map(|c| vec![f(c); n]).to_vec();
    trace.push((start..).take(n).map(f).collect());
    trace.push((start..).take(n).map(|c| f(c * c * 3)).collect());
    let publics = (0..6)
        .map(|i| trace[i][0])
        .chain((0..6).map(|i| trace[i][n - 1]))
        .collect();
    Committed::new(&TABLES[0], vec![], trace, publics)
}

fn prove(committed: &Committed<'_>, logup: Logup) -> ShardProof {
    let proof = committed.prove(logup, &PARAMS);
    let cap = committed.fixed_batch.as_ref().map(|b| &b.merkle_tree.cap);
    verify_shard(committed.table, cap, &proof, logup, &PARAMS).unwrap();
    proof
}

fn logup(seed: u64) -> Logup {
    challenges(HashOut::from_partial(&[f(seed)]), F::ZERO)
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

static LEAF: LazyLock<LeafCircuit> =
    LazyLock::new(|| LeafCircuit::build(&plan().leaf(TableId::Cpu), &shape::gates(), 11).unwrap());

#[test]
fn leaf_takes_every_height() {
    let t = Instant::now();
    println!("built {:?} {}", t.elapsed(), LEAF.data.common.degree_bits());
    for log_height in [7, 8, 9, 10, 11] {
        let proof = prove(&cpu_shard(1, log_height), logup(1));
        let shard = Shard {
            proof: &proof,
            fixed_cap: None,
            challenges: logup(1),
        };
        let t = Instant::now();
        LEAF.prove(&shard).unwrap();
        println!("{log_height}: {:?}", t.elapsed());
    }
}

#[test]
#[ignore = "minutes"]
fn measure_real() {
    let tables = [
        zkvm_air::tables::cpu::table(),
        zkvm_air::tables::static_table::table(),
        zkvm_air::tables::memory::table(),
        zkvm_air::tables::hint::table(),
    ];
    for table in &tables {
        let shape = LeafShape {
            table,
            params: Params::STANDARD,
            heights: params::log_heights(table.id),
        };
        let mut b = CircuitBuilder::<F, D>::new(shape::leaf_config());
        let targets = LeafTargets::add(&mut b, &shape);
        leaf::constrain(&mut b, &shape, &targets);
        println!(
            "{:?} width {} fixed {} aux {} gates {}",
            table.id,
            table.width,
            table.fixed_width,
            table.aux_width(),
            b.num_gates()
        );
    }
}

fn static_shard(cpu: &[Committed<'_>], log_height: usize) -> Committed<'static> {
    let n = 1 << log_height;
    let mut rows: Vec<(F, F)> = cpu
        .iter()
        .flat_map(|c| c.trace[5].iter().copied().zip(c.trace[6].iter().copied()))
        .collect();
    let used = rows.len();
    rows.resize(n, (F::ZERO, F::ZERO));
    let (values, cubes): (Vec<F>, Vec<F>) = rows.into_iter().unzip();
    let counts = (0..n).map(|i| F::from_bool(i < used)).collect();
    let address = (0..n as u64).map(f).collect();
    Committed::new(
        &TABLES[1],
        vec![values],
        vec![counts, cubes, address],
        vec![F::ZERO, f(n as u64 - 1)],
    )
}

fn memory_shard(before: u64, after: u64) -> Committed<'static> {
    let mut column = vec![f(before); 128];
    column[127] = f(after);
    Committed::new(&TABLES[2], vec![], vec![column], vec![f(before), f(after)])
}

fn hint_shard() -> Committed<'static> {
    Committed::new(&TABLES[3], vec![], vec![vec![F::ONE; 128]], vec![])
}

struct Run {
    header: HashOut<F>,
    logup: Logup,
    hash: HashOut<F>,
    proofs: Vec<ShardProof>,
    fixed_cap: Cap,
}

fn run() -> Run {
    let cpu = [cpu_shard(1, 7), cpu_shard(128, 8)];
    let fixed = static_shard(&cpu, 9);
    let fixed_cap = fixed.fixed_batch.as_ref().unwrap().merkle_tree.cap.clone();
    let mut shards = Vec::from(cpu);
    shards.extend([
        fixed,
        memory_shard(511, 600),
        memory_shard(600, 700),
        hint_shard(),
    ]);
    let header = HashOut::from_partial(&[f(99)]);
    let hash = shards.iter().fold(header, |h, c| {
        absorb_shard(
            h,
            c.table.id,
            c.log_height(),
            &c.publics,
            &c.trace_batch.merkle_tree.cap,
        )
    });
    let logup = challenges(hash, F::ZERO);
    Run {
        header,
        logup,
        hash,
        proofs: shards.iter().map(|c| prove(c, logup)).collect(),
        fixed_cap,
    }
}

#[test]
fn folds() {
    let t = Instant::now();
    let set = CircuitSet::build(&plan()).unwrap();
    println!("built {:?}", t.elapsed());
    let run = run();
    let leaves: Vec<Proof> = run
        .proofs
        .iter()
        .map(|p| {
            let fixed_cap = (p.table == TableId::Static).then_some(&run.fixed_cap);
            set.leaves[p.table as usize]
                .prove(&Shard {
                    proof: p,
                    fixed_cap,
                    challenges: run.logup,
                })
                .unwrap()
        })
        .collect();
    println!("leaves {:?}", t.elapsed());
    let mut acc = None;
    for leaf in &leaves {
        let t = Instant::now();
        acc = Some(set.fold.prove(run.header, acc.as_ref(), leaf).unwrap());
        println!("fold {:?}", t.elapsed());
    }
    let acc = acc.unwrap();
    println!(
        "size {} {:?}",
        acc.to_bytes().len(),
        acc.public_inputs.iter().take(35).collect::<Vec<_>>()
    );
    assert_eq!(acc.public_inputs[4..8], run.hash.elements);
    let _ = E::ZERO;
}
