//! A false claim about a small program is convicted on a real bitcoind, whatever the step that it lies in.

use ocp::adversary::{Brazen, ForgedRoot, exit_early, flip_result};
use regtest::TestNode;
use zkvm_emulator::trace::Lie;
use zkvm_emulator::{Instruction, Operation, Status, StepClass, StepRecord, syscall};

use crate::liars::{ChangeOfHeart, FalseLeaf, break_off, go_on};
use crate::programs::{self, stumble};
use crate::trial::Trial;

/// 1 + … + 9 is 45.
fn sums() -> Trial {
    Trial::new(programs::sums(), 7, &[8, 4, 2, 2], &[9, 46])
}

fn stumbles(way: u32) -> Trial {
    Trial::new(programs::stumbles(), 5, &[8, 4], &[way])
}

fn is(op: Operation) -> impl Fn(&StepRecord) -> bool {
    move |record| {
        record.step_class() == Some(StepClass::Step)
            && Instruction::decode(record.instr).map(|i| i.op) == Some(op)
    }
}

fn is_call(number: u32) -> impl Fn(&StepRecord) -> bool {
    move |record| {
        let executes = record.step_class().is_some_and(StepClass::executes);
        executes && record.instr == 0x0c && record.before.reg(2) == number
    }
}

#[test]
fn in_a_load_a_store_a_delay_slot_and_a_branch() {
    let mut node = TestNode::start().unwrap();
    let trial = sums();
    let load = trial.find(40, is(Operation::Lw));
    trial.convict_of(&mut node, "load", flip_result(load, 3), "5 result");
    let store = trial.find(40, is(Operation::Sw));
    trial.convict_of(&mut node, "store", flip_result(store, 30), "9 store");
    let branch = trial.find(40, is(Operation::Bne));
    let truth = trial.truth();
    let after = truth.trace().record_at(branch).unwrap().outcome.after;
    assert!(after.next_pc < after.pc, "a taken branch back");
    trial.convict_of(&mut node, "delay slot", flip_result(branch + 1, 4), "5 result");
    let fall_through = Lie::new(branch, |_, _, outcome| {
        outcome.after.next_pc = outcome.after.pc + 4;
    });
    trial.convict_of(&mut node, "branch", fall_through, "7 branch");
}

#[test]
fn in_what_memory_holds() {
    let mut node = TestNode::start().unwrap();
    let trial = sums();
    let load = trial.find(40, is(Operation::Lw));
    for meets in 0..4 {
        let liar = FalseLeaf::new(&trial.program, &trial.inputs(), &trial.plan, load, meets);
        let verdict = trial.convict(&mut node, &format!("false leaf {meets}"), liar);
        assert_eq!((verdict.step, verdict.by_path), (load, true), "{verdict:?}");
        assert!(verdict.leaf.starts_with("14 path"), "{}", verdict.leaf);
    }
    let store = trial.find(40, is(Operation::Sw));
    let verdict = trial.convict(&mut node, "forged root", ForgedRoot::new(trial.truth(), store));
    assert_eq!((verdict.step, verdict.by_path), (store, true), "{verdict:?}");
    assert!(verdict.leaf.starts_with("14 path"), "{}", verdict.leaf);
    let verdict = trial.convict(&mut node, "root of a load", ForgedRoot::new(trial.truth(), load));
    assert_eq!((verdict.step, verdict.by_path), (load, false), "{verdict:?}");
    assert!(verdict.leaf.starts_with("10 root kept"), "{}", verdict.leaf);
}

#[test]
fn in_a_system_calls_answer() {
    let mut node = TestNode::start().unwrap();
    let trial = sums();
    for (name, number, family) in [
        ("claim", syscall::CLAIM, "12 claim word"),
        ("write", syscall::WRITE, "12 system call: Syscall(Write)"),
        ("mmap", syscall::MMAP, "12 system call: Syscall(Mmap)"),
    ] {
        let step = trial.find(0, is_call(number));
        trial.convict_of(&mut node, name, flip_result(step, 0), family);
    }
    let mmap = trial.find(0, is_call(syscall::MMAP));
    let heap = Lie::new(mmap, |_, _, outcome| outcome.after.heap += 4096);
    trial.convict_of(&mut node, "heap", heap, "12 system call: Syscall(Mmap)");
}

#[test]
fn in_how_the_run_ends() {
    let mut node = TestNode::start().unwrap();
    let trial = sums();
    let exit = trial.find(40, is_call(syscall::EXIT));
    let accepted = Lie::new(exit, |_, _, outcome| {
        outcome.after.status = Status::Accepted as u32
    });
    trial.convict_of(&mut node, "exit with 1", accepted, "13 outcome");
    // The end is said to come early, by an instruction that is no system call.
    trial.convict_of(
        &mut node,
        "early exit",
        exit_early(50),
        "1 class: Class(SyscallClaimed)",
    );
    // Long after the end, REJECTED turns into ACCEPTED: by an exit, or by itself.
    let late = exit + 20;
    trial.convict_of(
        &mut node,
        "second exit",
        exit_early(late),
        "1 class: Class(RunningAfterEnd)",
    );
    let verdict = trial.convict(
        &mut node,
        "change of heart",
        ChangeOfHeart::new(trial.truth(), late),
    );
    assert_eq!(verdict.step, late);
    assert!(
        verdict.leaf.starts_with("1 class: Class(EndedStateMoves)"),
        "{}",
        verdict.leaf
    );
}

#[test]
fn at_the_first_and_at_the_last_step() {
    let mut node = TestNode::start().unwrap();
    let trial = sums();
    // Every choice is the first part: the state before is PROGRAM, which nobody signs.
    let verdict = trial.convict(&mut node, "first step", trial.liar(flip_result(0, 1)));
    assert_eq!(verdict.step, 0);
    assert!(verdict.report.search.iter().all(|round| round.choice == 0));
    assert!(verdict.leaf.starts_with("5 result"), "{}", verdict.leaf);
    // Every choice is the last part: the state after is ACCEPTED, which nobody signs.
    let last = trial.plan.steps() - 1;
    let verdict = trial.convict(&mut node, "last step", Brazen(trial.truth()));
    assert_eq!(verdict.step, last);
    assert!(
        verdict
            .report
            .search
            .iter()
            .all(|round| round.choice == round.parts - 1)
    );
    assert!(
        verdict.leaf.starts_with("15 equivocation right"),
        "{}",
        verdict.leaf
    );
    let verdict = trial.convict(&mut node, "last change", ChangeOfHeart::new(trial.truth(), last));
    assert_eq!(verdict.step, last);
    assert!(
        verdict.leaf.starts_with("1 class: Class(EndedStateMoves)"),
        "{}",
        verdict.leaf
    );
}

#[test]
fn in_a_trap_that_is_passed_over() {
    let mut node = TestNode::start().unwrap();
    for (name, way, class, family) in [
        (
            "overflow",
            stumble::OVERFLOW,
            StepClass::Overflow,
            "3 trap: Trap(Due(Overflow))",
        ),
        (
            "trap",
            stumble::TRAP,
            StepClass::TrapTaken,
            "3 trap: Trap(Due(TrapTaken))",
        ),
        (
            "misaligned",
            stumble::MISALIGNED,
            StepClass::BadAddress,
            "3 trap: Trap(Due(BadAddress))",
        ),
        (
            "code store",
            stumble::CODE_STORE,
            StepClass::CodeStore,
            "3 trap: Trap(Due(CodeStore))",
        ),
        (
            "undefined",
            stumble::UNDEFINED,
            StepClass::Undefined,
            "3 trap: Trap(Due(Undefined))",
        ),
    ] {
        let trial = stumbles(way);
        let step = trial.find(0, |record| record.step_class() == Some(class));
        trial.convict_of(&mut node, name, go_on(step), family);
    }
}

#[test]
fn in_a_fetch_fault_that_is_passed_over_and_a_claim_word_that_is_not_there() {
    let mut node = TestNode::start().unwrap();
    let trial = stumbles(stumble::FETCH);
    let step = trial.find(0, |record| record.step_class() == Some(StepClass::FetchFault));
    trial.convict_of(&mut node, "fetch", go_on(step), "2 fetch fault");
    let trial = stumbles(stumble::BAD_CLAIM);
    let step = trial.find(0, |record| record.step_class() == Some(StepClass::BadClaim));
    let answered = Lie::new(step, |memory, opening, outcome| {
        opening.class = StepClass::SyscallOk.nibble();
        opening.touch(memory, 0);
        *outcome = crate::liars::nothing(opening);
        outcome.dest = 2;
    });
    trial.convict_of(
        &mut node,
        "claim 100",
        answered,
        "12 system call: Syscall(BadClaimDue)",
    );
}

#[test]
fn in_a_trap_or_fault_that_did_not_happen() {
    let mut node = TestNode::start().unwrap();
    let trial = stumbles(stumble::NONE);
    let addition = trial.find(0, is(Operation::Add));
    for (class, family) in [
        (StepClass::Overflow, "3 trap: Trap(Claimed(Overflow))"),
        (StepClass::BadAddress, "3 trap: Trap(Claimed(BadAddress))"),
        (StepClass::FetchFault, "2 fetch fault"),
    ] {
        trial.convict_of(&mut node, family, break_off(addition, class), family);
    }
    // The program itself is misquoted.
    let other = Lie::new(addition, |_, opening, outcome| {
        // ADD becomes SUB.
        opening.instr ^= 2;
        outcome.value = opening.rs.wrapping_sub(opening.rt);
    });
    let verdict = trial.convict(&mut node, "code", trial.liar(other));
    assert!(
        verdict.leaf.starts_with("2 code") && verdict.step == addition,
        "{verdict:?}"
    );
}
