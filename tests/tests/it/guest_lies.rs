//! False claims about guests as their compilers made them: Go, C and Rust, some hundred thousand steps each.

use ocp::Plan;
use ocp::adversary::flip_result;
use regtest::TestNode;
use zkvm_emulator::trace::Lie;
use zkvm_emulator::{Instruction, Operation, Preimages, Program, StepClass, StepRecord, syscall};

use crate::liars::FalseLeaf;
use crate::trial::Trial;

fn guest(elf: &[u8], words: &[u32], preimages: Preimages) -> Trial {
    let program = Program::from_elf(elf).unwrap();
    let mut trial = Trial {
        plan: Plan::uniform(40, 8, words.len() as u8).unwrap(),
        program,
        words: words.to_vec(),
        preimages,
    };
    let steps = trial.truth().trace().end().steps();
    let log2_steps = (64 - steps.leading_zeros()) as u8;
    trial.plan = Plan::uniform(log2_steps, 8, words.len() as u8).unwrap();
    trial
}

macro_rules! elf {
    ($name:literal) => {
        include_bytes!(concat!("../../../zkvm/guests/elf/", $name, ".elf"))
    };
}

fn operation(record: &StepRecord) -> Option<Operation> {
    let executes = record.step_class().is_some_and(StepClass::executes);
    executes
        .then(|| Instruction::decode(record.instr))
        .flatten()
        .map(|i| i.op)
}

fn is(op: Operation) -> impl Fn(&StepRecord) -> bool {
    move |record| operation(record) == Some(op)
}

fn is_call(number: u32) -> impl Fn(&StepRecord) -> bool {
    move |record| operation(record) == Some(Operation::Syscall) && record.before.reg(2) == number
}

/// Whether the record is of an instruction that writes a register, in the delay slot of a taken branch.
fn is_busy_delay_slot(record: &StepRecord) -> bool {
    let before = &record.before;
    before.next_pc() != before.pc().wrapping_add(4) && record.outcome.dest != 0
}

#[test]
fn of_go() {
    let mut node = TestNode::start().unwrap();
    let trial = guest(elf!("go-fibonacci"), &[10, 56], Preimages::new());
    let steps = trial.truth().trace().end().steps();
    let middle = steps / 2;
    let load = trial.find(middle, is(Operation::Lw));
    trial.convict_of(&mut node, "go load", flip_result(load, 2), "5 result");
    let store = trial.find(middle, is(Operation::Sw));
    trial.convict_of(&mut node, "go store", flip_result(store, 7), "9 store");
    let slot = trial.find(middle, is_busy_delay_slot);
    trial.convict_of(&mut node, "go delay slot", flip_result(slot, 5), "5 result");
    let mmap = trial.find(0, is_call(4090));
    trial.convict_of(
        &mut node,
        "go mmap",
        flip_result(mmap, 13),
        "12 system call: Syscall(Mmap)",
    );
    let liar = FalseLeaf::new(&trial.program, &trial.inputs(), &trial.plan, load, 2);
    let verdict = trial.convict(&mut node, "go false leaf", liar);
    assert_eq!((verdict.step, verdict.by_path), (load, true));
    assert!(verdict.leaf.starts_with("14 path"), "{}", verdict.leaf);
}

#[test]
fn of_c() {
    let mut node = TestNode::start().unwrap();
    // SHA-256, thrice, of 32 zero bytes does not begin with that.
    let words = [3, 1, 2, 3, 4, 5, 6, 7, 8];
    let trial = guest(elf!("c-sha256"), &words, Preimages::new());
    let claim = trial.find(0, is_call(syscall::CLAIM));
    trial.convict_of(&mut node, "c claim", flip_result(claim, 0), "12 claim word");
    let byte = trial.find(0, is(Operation::Sw));
    trial.convict_of(&mut node, "c store", flip_result(byte, 31), "9 store");
    let exit = trial.find(trial.truth().trace().end().steps() - 3, |r| {
        r.step_class() == Some(StepClass::Exit)
    });
    trial.convict_of(&mut node, "c exit", flip_result(exit, 0), "13 outcome");
}

#[test]
fn of_rust() {
    let mut node = TestNode::start().unwrap();
    // A tree of four leaves; the claim names a wrong one.
    let mut preimages = Preimages::new();
    let leaves: [[u8; 32]; 4] = core::array::from_fn(|i| [i as u8 + 1; 32]);
    let mut node_of =
        |left: &[u8; 32], right: &[u8; 32]| preimages.insert([&left[..], right].concat().try_into().unwrap());
    let (left, right) = (node_of(&leaves[0], &leaves[1]), node_of(&leaves[2], &leaves[3]));
    let root = node_of(&left, &right);
    let digest = |bytes: &[u8; 32]| -> Vec<u32> {
        let words = bytes.chunks_exact(4);
        words.map(|c| u32::from_be_bytes(c.try_into().unwrap())).collect()
    };
    let words = [digest(&root), vec![2, 3], digest(&leaves[0])].concat();
    let trial = guest(elf!("rust-blake3-walk"), &words, preimages);
    // The last node's second child; what the liar says it is need not have children itself.
    let eighth = |r: &StepRecord| is_call(syscall::HINT_BLAKE3)(r) && r.before.reg(5) == 8;
    let hint = trial.find(trial.find(0, eighth) + 1, eighth);
    trial.convict_of(
        &mut node,
        "hint",
        flip_result(hint, 12),
        "12 system call: Syscall(HintWord)",
    );
    let forged = Lie::new(hint, |_, opening, outcome| {
        opening.hint[8 + 8] ^= 1;
        outcome.value ^= 1;
    });
    trial.convict_of(&mut node, "preimage", forged, "12 system call: Syscall(HintHash)");
    let byte = trial.find(hint, is(Operation::Sb));
    trial.convict_of(&mut node, "rust byte", flip_result(byte, 0), "9 store");
}
