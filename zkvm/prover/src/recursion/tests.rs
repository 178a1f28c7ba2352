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

use super::circuits::{CircuitSet, LeafCircuit, Plan, Proof};
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
