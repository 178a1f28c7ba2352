use std::time::Instant;

use plonky2::fri::FriConfig;
use plonky2::fri::reduction_strategies::FriReductionStrategy;
use plonky2::plonk::circuit_builder::CircuitBuilder;
use zkvm_air::{Bus, F, Table, TableBuilder, TableId};

use super::leaf::{self, LeafShape, LeafTargets};
use super::{C, D, shape};

fn wide() -> Table {
    let mut b = TableBuilder::new(TableId::Cpu, 78, 0, 12);
    for i in 0..60 {
        let (x, y) = (b.local(i), b.next(i + 1));
        b.assert_zero("x", (&x - 1) * &x);
        b.assert_transition("y", (&x - &y) * b.local(70) * b.local(i + 2));
    }
    for i in 0..30 {
        b.send(
            Bus::U16,
            b.local(i),
            vec![b.local(i + 1), b.local(i + 2), b.local(i + 3)],
        );
    }
    b.build()
}

#[test]
fn measure() {
    let t = Instant::now();
    let gates = shape::gates();
    for g in &gates {
        println!("{}", g.0.id());
    }
    println!("gates {:?}", t.elapsed());
    let table = wide();
    for heights in [7..=18, 10..=18, 18..=18, 7..=22] {
        let shape = LeafShape {
            table: &table,
            config: FriConfig {
                rate_bits: 1,
                cap_height: 4,
                proof_of_work_bits: 20,
                reduction_strategy: FriReductionStrategy::ConstantArityBits(4, 5),
                num_query_rounds: 80,
            },
            heights: heights.clone(),
        };
        shape.check().unwrap();
        let t = Instant::now();
        let mut b = CircuitBuilder::<F, D>::new(shape::config());
        let targets = LeafTargets::add(&mut b, &shape);
        leaf::constrain(&mut b, &shape, &targets);
        println!("{heights:?} gates {} {:?}", b.num_gates(), t.elapsed());
        shape::pad(&mut b, &gates, 14);
        let c = b.build::<C>();
        println!(
            "built {:?} degree {} gates {}",
            t.elapsed(),
            c.common.degree_bits(),
            c.common.gates.len()
        );
        for g in &c.common.gates {
            if !gates.contains(g) {
                println!("extra {}", g.0.id());
            }
        }
    }
}
