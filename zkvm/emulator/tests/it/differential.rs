//! The reference step against the fast emulator on random programs: the same digest after every step.

use std::collections::BTreeSet;

use proptest::prelude::*;
use zkvm_emulator::step::MemoryView;
use zkvm_emulator::{
    ClaimWords, Inputs, Instruction, Machine, Operation, PagedMemory, Preimages, Silent, StepClass,
    StepInput, step,
};

use crate::words::{known_link, known_preimage, random_program};

const STEPS: u64 = 48;

fn inputs() -> Inputs {
    let mut preimages = Preimages::new();
    preimages.insert(known_preimage().0);
    preimages.insert_sha256(known_link());
    Inputs::new(ClaimWords::new(vec![0xdead_beef, 1, 2]).unwrap(), preimages)
}

/// Runs one program both ways; tells which classes and operations were executed.
fn compare(seed: u64) -> (BTreeSet<StepClass>, BTreeSet<Operation>) {
    let (program, mut state) = random_program(seed);
    let inputs = inputs();
    let mut memory = if state.is_ended() {
        PagedMemory::new()
    } else {
        program.memory().clone()
    };
    let start = (state.words, memory.clone());
    let mut machine = Machine::resume(program.clone(), inputs.clone(), 0, start.0, start.1.clone());
    let (mut classes, mut operations) = (BTreeSet::new(), BTreeSet::new());
    let mut executed = 0;
    while executed < STEPS {
        let input = StepInput::gather(
            state.clone(),
            program.code(),
            &memory,
            &inputs.claim,
            &inputs.preimages,
        );
        let outcome = machine.run(executed + 1, &mut Silent);
        let input = match input {
            Ok(input) => input,
            Err(missing) => {
                let unknown = outcome.expect_err("a missing preimage stops both");
                assert_eq!((unknown.step, unknown.missing), (executed, missing));
                break;
            }
        };
        outcome.expect("the reference had the preimage");
        let record = step(&input);
        let class = record.step_class().unwrap();
        classes.insert(class);
        if class.executes() {
            operations.extend(Instruction::decode(record.instr).map(|instruction| instruction.op));
        }
        // The reference's memory follows its own record.
        if class.runs_on() {
            memory.write_bytes(record.addr & !3, &record.outcome.new_word.to_be_bytes());
            assert_eq!(record.old_path[26], record.before.root);
        } else if class != StepClass::Ended {
            memory = PagedMemory::new();
        }
        executed += 1;
        assert_eq!(
            record.after.root,
            memory.root(),
            "seed {seed} step {executed}: {record:?}"
        );
        let fast = machine.state();
        assert_eq!(
            fast,
            record.after,
            "seed {seed} step {executed}: {:?}",
            Instruction::decode(record.instr)
        );
        assert_eq!(fast.digest(), record.digests_after.digest);
        assert_eq!(machine.step(), executed);
        state = record.after;
    }
    // The same in one go.
    let mut straight = Machine::resume(program, inputs, 0, start.0, start.1);
    straight
        .run(executed, &mut Silent)
        .expect("all of this was executed before");
    assert_eq!(straight.state(), state, "seed {seed}");
    assert_eq!(straight.memory().word(0x5_1000), memory.word(0x5_1000));
    (classes, operations)
}

#[test]
fn every_class_and_operation_is_reached_and_agrees() {
    let (mut classes, mut operations) = (BTreeSet::new(), BTreeSet::new());
    for seed in 0..6000 {
        let (c, o) = compare(seed);
        classes.extend(c);
        operations.extend(o);
    }
    let missing: Vec<_> = StepClass::ALL
        .into_iter()
        .filter(|class| !classes.contains(class))
        .collect();
    assert!(missing.is_empty(), "classes not reached: {missing:?}");
    let missing: Vec<_> = Operation::ALL
        .into_iter()
        .filter(|op| !operations.contains(op))
        .collect();
    assert!(missing.is_empty(), "operations not reached: {missing:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn fresh_random_programs_agree(seed in 1u64 << 32..u64::MAX) {
        compare(seed);
    }
}
