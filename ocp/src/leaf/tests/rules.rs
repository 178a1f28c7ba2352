//! The leaves' own view of the machine against the emulator's, and the catalogue's size.

use std::time::Instant;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use zkvm_emulator::instruction::Instruction;
use zkvm_emulator::step;

use super::world::{World, number};
use crate::boundary::{Boundary, End, boundary};
use crate::leaf::family::destination::DestinationLeaf;
use crate::leaf::family::result::ResultLeaf;
use crate::leaf::instruction::Operation;
use crate::leaf::{Catalogue, Code, Connector, Terms};
use crate::plan::Plan;

#[test]
fn words_decode_as_in_the_machine() {
    let mut rng = StdRng::seed_from_u64(40);
    let check = |word: u32| {
        let here = Operation::of(word).map(Operation::mnemonic);
        let machine = Instruction::decode(word).map(|i| i.op.to_string());
        assert_eq!(here.map(str::to_owned), machine, "{word:#010x}");
    };
    for _ in 0..200_000 {
        check(rng.r#gen());
        check(number(&mut rng));
    }
    // Every opcode, function, REGIMM code and BSHFL code, the other fields random.
    for code in 0..64u32 {
        for _ in 0..200 {
            let free: u32 = rng.r#gen();
            check(code << 26 | free & 0x03ff_ffff);
            for opcode in [0u32, 28, 31] {
                check(opcode << 26 | free & 0x03ff_ffc0 | code);
            }
            check(1 << 26 | free & 0x03e0_ffff | (code & 31) << 16);
            check(31 << 26 | free & 0x03ff_f800 | (code & 31) << 6 | 0x20);
            check(31 << 26 | free & 0x03ff_07c0 | (code & 31) << 11 | 0x3b);
        }
    }
}

#[test]
fn what_is_written_to_a_register_has_a_rule_for_its_value() {
    let writes = DestinationLeaf::ALL
        .into_iter()
        .filter(|leaf| *leaf != DestinationLeaf::None);
    let mut written: Vec<Operation> = writes.flat_map(|leaf| leaf.operations().to_vec()).collect();
    let mut computed: Vec<Operation> = ResultLeaf::ALL
        .iter()
        .flat_map(|leaf| leaf.operations().to_vec())
        .collect();
    written.sort();
    computed.sort();
    assert_eq!(written, computed);
}

#[test]
fn constants_bound_the_first_and_the_last_step() {
    let mut rng = StdRng::seed_from_u64(41);
    let world = World::new(&mut rng);
    let plan = world.plan();
    let first: Vec<u8> = vec![0; plan.rounds().len()];
    let last: Vec<u8> = plan.rounds().iter().map(|n| n - 1).collect();
    let record = step::step(&world.step(&mut rng, Some(Operation::Addiu)));
    let mut case = world.case(&mut rng, &record);
    for (choices, end) in [(first, End::Left), (last, End::Right)] {
        case.choices = choices;
        world.agree(&mut case, &record);
        assert!(!matches!(boundary(plan, end, &case.choices), Boundary::Slot(_)));
        let published = case.publish(plan);
        // This step is not the one between the constants: convicted.
        assert_eq!(world.firing(&published).len(), 1);
        // Where it is, nobody is.
        let mut terms = world.terms().clone();
        match end {
            End::Left => terms.program = record.digests.digest,
            End::Right => terms.accepted = record.digests_after.digest,
        }
        let open = Catalogue::new(terms, Connector::Open);
        assert_eq!(open.find_firing(&published), None);
    }
}

#[test]
fn a_large_program_has_few_leaves_and_an_answer_is_quick() {
    let mut rng = StdRng::seed_from_u64(42);
    let small = World::new(&mut rng);
    let words: Vec<u32> = (0..250_000).map(|_| rng.r#gen()).collect();
    for rounds in [8, 16] {
        let terms = Terms {
            plan: Plan::uniform(32, rounds, 192).unwrap(),
            code: Code::new(0x1_0000, words.clone()).unwrap(),
            ..small.terms().clone()
        };
        let open = Catalogue::new(terms, Connector::Open);
        assert!(open.len() < 20_000, "{} leaves", open.len());
        let record = step::step(&small.step(&mut rng, Some(Operation::Addiu)));
        let published = small.case(&mut rng, &record).publish(small.plan());
        let start = Instant::now();
        let fired = open.firing(&published).count();
        println!(
            "n = {rounds}: {} leaves; all predicates in {:?} ({fired} fire)",
            open.len(),
            start.elapsed()
        );
    }
}
