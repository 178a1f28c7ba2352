//! The longest disputes: 2^32 steps, a lie that only memory's path shows.

use ocp::{Message, Plan};
use regtest::TestNode;
use zkvm_emulator::{Instruction, Operation, Preimages, Program, StepClass};

use crate::liars::FalseLeaf;
use crate::trial::Trial;

/// A message and the child that bumps it fit into one cluster of the mempool.
const MOST_VBYTES_A_MESSAGE: u64 = 99_000;

/// Plays the longest dispute of the plan with `parts` parts a round; `most_messages` and `most_vbytes` are its goals, both sides
/// together.
fn assert_within(parts: u8, most_messages: usize, most_vbytes: u64) {
    let mut node = TestNode::start().unwrap();
    let program = Program::from_elf(include_bytes!("../../../zkvm/guests/elf/c-sha256.elf")).unwrap();
    // SHA-256, 10,000 times, of 32 zero bytes does not begin with that; about 35 million steps.
    let words = [10_000, 1, 2, 3, 4, 5, 6, 7, 8];
    let trial = Trial {
        plan: Plan::uniform(32, parts, words.len() as u8).unwrap(),
        program,
        words: words.to_vec(),
        preimages: Preimages::new(),
    };
    let steps = trial.truth().trace().end().steps();
    assert!(steps > 30_000_000, "{steps}");
    let load = trial.find(steps / 2, |record| {
        let op = Instruction::decode(record.instr).map(|i| i.op);
        record.step_class() == Some(StepClass::Step) && op == Some(Operation::Lw)
    });
    let liar = FalseLeaf::new(&trial.program, &trial.inputs(), &trial.plan, load, 0);
    let verdict = trial.convict(&mut node, &format!("longest in {parts}"), liar);
    assert_eq!((verdict.step, verdict.by_path), (load, true), "{}", verdict.leaf);
    assert!(verdict.leaf.starts_with("14 path"), "{}", verdict.leaf);
    let report = &verdict.report;
    let dispute: Vec<_> = report.timeline.iter().filter(|entry| entry.in_dispute).collect();
    let mut table = String::new();
    for entry in &dispute {
        table += &format!("{:<45} {:>6} vB\n", entry.transaction, entry.vbytes);
    }
    // Every message of the plan and the leaf that ends it.
    assert_eq!(trial.plan.messages().last(), Some(&Message::Path));
    assert_eq!(report.messages, trial.plan.messages().len() + 1, "{table}");
    assert!(report.messages <= most_messages, "{table}");
    let vbytes = report.vbytes_operator + report.vbytes_watchtower;
    println!("{table}{} messages, {vbytes} vB", report.messages);
    assert_eq!(vbytes, dispute.iter().map(|entry| entry.vbytes).sum::<u64>());
    assert!(vbytes <= most_vbytes, "{vbytes}\n{table}");
    assert!(
        dispute.iter().all(|entry| entry.vbytes <= MOST_VBYTES_A_MESSAGE),
        "{table}"
    );
}

#[test]
fn of_the_cheap_plan() {
    assert_within(8, 28, 240_000);
}

#[test]
fn of_the_fast_plan() {
    assert_within(16, 22, 300_000);
}
