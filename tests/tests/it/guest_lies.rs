//! False claims about guests as their compilers made them: Go, C and Rust, some hundred thousand steps each.

use ocp::Plan;
use ocp::adversary::{Brazen, flip_result};
use regtest::TestNode;
use scenarios::play::{Scene, knowing, play};
use scenarios::report::{Narrowing, Outcome};
use scenarios::stage::Nobody;
use zkvm_emulator::trace::Lie;
use zkvm_emulator::{Instruction, Operation, Preimages, Program, StepClass, StepRecord, syscall};

use crate::liars::{ChangeOfHeart, FalseLeaf};
use crate::money;
use crate::trial::{self, Trial};

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
    let exit = trial.find(steps - 3, |r| r.step_class() == Some(StepClass::Exit));
    trial.convict_of(&mut node, "go exit", flip_result(exit, 0), "13 outcome");
    let ended = steps + 1_000;
    let verdict = trial.convict(&mut node, "go ended", ChangeOfHeart::new(trial.truth(), ended));
    assert_eq!(verdict.step, ended);
    assert!(
        verdict.leaf.starts_with("1 class: Class(EndedStateMoves)"),
        "{}",
        verdict.leaf
    );
    let verdict = trial.convict(&mut node, "go first step", trial.liar(flip_result(0, 1)));
    assert!(verdict.step == 0 && verdict.report.search.iter().all(|round| round.choice == 0));
    let verdict = trial.convict(&mut node, "go last step", Brazen(trial.truth()));
    assert_eq!(verdict.step, trial.plan.steps() - 1);
    let all_last = |round: &Narrowing| round.choice == round.parts - 1;
    assert!(verdict.report.search.iter().all(all_last));
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

fn digest(bytes: &[u8; 32]) -> Vec<u32> {
    let words = bytes.chunks_exact(4);
    words.map(|c| u32::from_be_bytes(c.try_into().unwrap())).collect()
}

/// The leaves of a tree, the preimages of its nodes, and its root.
fn tree() -> ([[u8; 32]; 4], Preimages, [u8; 32]) {
    let leaves: [[u8; 32]; 4] = core::array::from_fn(|i| [i as u8 + 1; 32]);
    let mut preimages = Preimages::new();
    let mut node_of =
        |left: &[u8; 32], right: &[u8; 32]| preimages.insert([&left[..], right].concat().try_into().unwrap());
    let (left, right) = (node_of(&leaves[0], &leaves[1]), node_of(&leaves[2], &leaves[3]));
    let root = node_of(&left, &right);
    (leaves, preimages, root)
}

/// A claim that the tree has `leaf` at index 3.
fn walk(root: &[u8; 32], leaf: &[u8; 32], preimages: Preimages) -> Trial {
    let words = [digest(root), vec![2, 3], digest(leaf)].concat();
    guest(elf!("rust-blake3-walk"), &words, preimages)
}

/// The first word of the last node's second child: what a liar says that it is need not have children itself.
fn last_child(trial: &Trial) -> u64 {
    let eighth = |r: &StepRecord| is_call(syscall::HINT_BLAKE3)(r) && r.before.reg(5) == 8;
    trial.find(trial.find(0, eighth) + 1, eighth)
}

#[test]
fn of_rust() {
    let mut node = TestNode::start().unwrap();
    let (leaves, preimages, root) = tree();
    let trial = walk(&root, &leaves[0], preimages);
    let hint = last_child(&trial);
    trial.convict_of(
        &mut node,
        "hint",
        flip_result(hint, 12),
        "12 system call: Syscall(HintWord)",
    );
    let forged = forged_preimage(hint);
    trial.convict_of(&mut node, "preimage", forged, "12 system call: Syscall(HintHash)");
    let byte = trial.find(hint, is(Operation::Sb));
    trial.convict_of(&mut node, "rust byte", flip_result(byte, 0), "9 store");
}

/// The hint's answer and the preimage that it is read from, both changed.
fn forged_preimage(hint: u64) -> Lie {
    Lie::new(hint, |_, opening, outcome| {
        opening.hint[8 + 8] ^= 1;
        outcome.value ^= 1;
    })
}

/// Of all preimages only that of the root.
fn only_the_root(preimages: &Preimages, root: &[u8; 32]) -> Preimages {
    let mut few = Preimages::new();
    few.insert(*preimages.get(root).unwrap());
    few
}

/// The first word of the second node: the first step that whoever knows only the root's preimage does not know.
fn first_unknown(trial: &Trial) -> u64 {
    let first_word = |r: &StepRecord| is_call(syscall::HINT_BLAKE3)(r) && r.before.reg(5) == 0;
    trial.find(trial.find(0, first_word) + 1, first_word)
}

#[test]
fn of_rust_about_a_hint_that_the_watchtower_does_not_know() {
    let mut node = TestNode::start().unwrap();
    let (leaves, preimages, root) = tree();
    let few = only_the_root(&preimages, &root);
    let trial = walk(&root, &leaves[0], preimages);
    let hint = first_unknown(&trial);
    let verdict = trial.convict_by(&mut node, "unknown hint", trial.liar(flip_result(hint, 12)), &few);
    assert_eq!(verdict.step, hint);
    assert!(
        verdict.leaf.starts_with("12 system call: Syscall(HintWord)"),
        "{}",
        verdict.leaf
    );
}

#[test]
fn a_watchtower_that_does_not_know_a_hint_loses_to_a_true_claim() {
    let mut node = TestNode::start().unwrap();
    let (leaves, preimages, root) = tree();
    let few = only_the_root(&preimages, &root);
    let trial = walk(&root, &leaves[3], preimages);
    let mut stage = trial::stage(&mut node, &trial.program, &trial.plan, 1, "unknown truth");
    let scene = Scene {
        guards: None,
        name: "unknown truth",
        title: "",
        words: trial.words.clone(),
        program: &trial.program,
        steps: 0,
        run: Box::new(trial.truth()),
        policies: vec![knowing(&stage, 0, &trial.program, &few)],
        silent_from: None,
        expected: Outcome::WatchtowerSlashed,
    };
    let report = play(&mut stage, scene, &mut Nobody).unwrap();
    assert_eq!(report.disputed_step, Some(first_unknown(&trial)));
    money::assert_bond_lost(
        &stage,
        money::entry(&report.timeline, "WatchtowerLate after Open"),
    );
    money::assert_deposit_taken(&stage, money::entry(&report.timeline, "TakeContested"));
}

/// A message of two blocks, one of which is not full, what is known of it, and its SHA-256.
fn message() -> (Vec<u8>, Preimages, [u8; 32]) {
    let message: Vec<u8> = (0..88u8).map(|i| i.wrapping_mul(29) ^ 0x40).collect();
    let mut preimages = Preimages::new();
    let digest = preimages.insert_sha256_message(&message);
    (message, preimages, digest)
}

/// A claim that the message with that SHA-256 has `word` as its fourth word.
fn sha256_walk(sha256: &[u8; 32], word: u32, preimages: Preimages) -> Trial {
    let words = [digest(sha256), vec![3, word]].concat();
    guest(elf!("rust-sha256-walk"), &words, preimages)
}

/// The step that reads word `index` of the `nth` hint, counted from 0.
fn sha256_hint(trial: &Trial, nth: usize, index: u32) -> u64 {
    let reads = |r: &StepRecord| is_call(syscall::HINT_SHA256)(r) && r.before.reg(5) == index;
    (0..nth).fold(trial.find(0, reads), |step, _| trial.find(step + 1, reads))
}

/// The claimed word is not the message's. It is word 3 of the first block, which is read last.
#[test]
fn of_rust_about_sha256() {
    let mut node = TestNode::start().unwrap();
    let (message, preimages, digest) = message();
    let truth = u32::from_be_bytes(message[12..16].try_into().unwrap());
    let trial = sha256_walk(&digest, truth ^ 1, preimages.clone());
    let word = sha256_hint(&trial, 1, 8 + 3);
    trial.convict_of(
        &mut node,
        "sha256 hint",
        flip_result(word, 0),
        "12 system call: Syscall(Sha256Word)",
    );
    // The word's preimage says so, too: then it is no preimage.
    let forged = Lie::new(word, |_, opening, outcome| {
        opening.hint[8 + 3] ^= 1;
        outcome.value ^= 1;
    });
    trial.convict_of(
        &mut node,
        "sha256 block",
        forged,
        "12 system call: Syscall(Sha256Hash)",
    );
    // A chaining value that nobody is asked for: the second block's, its answer as it is.
    let chaining = sha256_hint(&trial, 0, 8 + 15);
    let forged = Lie::new(chaining, |_, opening, outcome| {
        opening.hint[7] ^= 0x8000_0000;
        opening.hint[8 + 15] ^= 8;
        outcome.value ^= 8;
    });
    trial.convict_of(
        &mut node,
        "sha256 chaining value",
        forged,
        "12 system call: Syscall(Sha256Hash)",
    );
    // Whoever does not know the first block disputes it as what is not known.
    let mut few = Preimages::new();
    few.insert_sha256(*preimages.get_sha256(&digest).unwrap());
    let first = sha256_hint(&trial, 1, 0);
    let liar = trial.liar(flip_result(first, 30));
    let verdict = trial.convict_by(&mut node, "unknown sha256 hint", liar, &few);
    assert_eq!(verdict.step, first);
    assert!(
        verdict.leaf.starts_with("12 system call: Syscall(Sha256Word)"),
        "{}",
        verdict.leaf
    );
}
