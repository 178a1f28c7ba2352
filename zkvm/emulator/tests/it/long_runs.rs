//! Traces: any state of a run, through snapshots, equals that of a straight run; lies; runs that cannot go on.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use zkvm_emulator::assembler::{Assembler, SYSCALL, register::*};
use zkvm_emulator::explain::explain;
use zkvm_emulator::merkle::empty_root;
use zkvm_emulator::sha256::Link;
use zkvm_emulator::state::{accepted_digest, rejected_digest};
use zkvm_emulator::{
    Captured, ClaimWords, Inputs, Lie, Machine, PagedMemory, Preimages, Profile, Program, RunEnd, Schedule,
    Silent, Status, StepClass, Stop, Trace,
};

use crate::elf_file::{CODE, DATA, bytes_of, elf, load};

const BASE: u32 = 0x1_0000;
const MEMORY: u32 = 0x10_0000;

/// Writes ever new values over 1 MiB in strides of 1028 bytes, `rounds` times, says so, and exits with `code`.
fn program(rounds: u32, code: i32) -> Program {
    let mut a = Assembler::new(BASE);
    a.li(S0, MEMORY)
        .li(17, MEMORY + 0x10_0000)
        .li(18, rounds)
        .mov(19, S0);
    a.label("loop")
        .lw(T0, 0, 19)
        .addu(T0, T0, 18)
        .sw(T0, 0, 19)
        .addiu(19, 19, 1028);
    a.sltu(T1, 19, 17).bne(T1, ZERO, "inside").nop();
    a.subu(19, 19, 17).addu(19, 19, S0);
    a.label("inside").addiu(18, 18, -1).bne(18, ZERO, "loop").nop();
    a.addiu(A0, ZERO, 1)
        .li(A1, MEMORY)
        .addiu(A2, ZERO, 4)
        .addiu(V0, ZERO, 4004)
        .word(SYSCALL);
    a.addiu(A0, ZERO, code).addiu(V0, ZERO, 4001).word(SYSCALL);
    let mut memory = load(MEMORY, b"done".to_vec(), DATA);
    memory.memory_len = 0x10_0000;
    Program::from_elf(&elf(BASE, &[load(BASE, bytes_of(&a.finish()), CODE), memory])).unwrap()
}

/// Few snapshots, close together, so that thinning happens.
const TIGHT: Schedule = Schedule {
    interval: 100,
    max_snapshots: 8,
    max_pages: 1 << 18,
};

fn tight(program: &Program, lie: Option<Lie>) -> Trace {
    Trace::run_with(program, &Inputs::default(), 1 << 40, TIGHT, lie, &mut Silent)
}

#[test]
fn digests_through_snapshots_are_those_of_a_straight_run() {
    let program = program(20_000, 0);
    let trace = tight(&program, None);
    let RunEnd::Ended {
        steps,
        status: Status::Accepted,
    } = trace.end()
    else {
        panic!("ended otherwise: {:?}", trace.end());
    };
    let (snapshots, interval) = trace.density();
    assert!(
        snapshots <= 8 && interval > 10_000,
        "{snapshots} snapshots, interval {interval}"
    );
    let mut rng = StdRng::seed_from_u64(5);
    let mut at: Vec<u64> = (0..30).map(|_| rng.gen_range(0..steps)).collect();
    at.extend([0, 1, steps - 1, steps]);
    for step in &at {
        let mut machine = Machine::new(program.clone(), Inputs::default());
        machine.run(*step, &mut Silent).unwrap();
        let straight = machine.state();
        // A memory made anew from the words, so that no cached node is believed.
        let mut fresh = PagedMemory::new();
        machine.memory().for_each_page(|page, words| {
            fresh.write_bytes(page as u32 * 4096, &bytes_of(words));
        });
        assert_eq!(fresh.root(), straight.root);
        assert_eq!(trace.state_at(*step).unwrap(), straight, "step {step}");
    }
    at.sort_unstable();
    let digests = trace.digests_at(&at).unwrap();
    for (step, digest) in at.iter().zip(digests) {
        assert_eq!(trace.digest_at(*step).unwrap(), digest);
    }
    assert_eq!(trace.digest_at(0).unwrap(), program.digest());
}

#[test]
fn records_link_the_digests() {
    let program = program(200, 0);
    let trace = tight(&program, None);
    let steps = trace.end().steps();
    for step in (0..steps).step_by(37).chain(steps - 4..steps + 3) {
        let record = trace.record_at(step).unwrap();
        assert_eq!(record.digests.digest, trace.digest_at(step).unwrap());
        assert_eq!(record.digests_after.digest, trace.digest_at(step + 1).unwrap());
    }
    assert_eq!(
        trace.record_at(steps - 1).unwrap().class,
        StepClass::Exit.nibble()
    );
}

#[test]
fn ended_runs_repeat_for_ever() {
    for (code, digest) in [(0, accepted_digest()), (9, rejected_digest())] {
        let trace = tight(&program(50, code), None);
        let steps = trace.end().steps();
        assert_ne!(trace.digest_at(steps - 1).unwrap(), digest);
        for step in [steps, steps + 1, steps + 1_000_000, 1 << 32, u64::MAX - 1] {
            assert_eq!(trace.digest_at(step).unwrap(), digest);
            let record = trace.record_at(step).unwrap();
            assert_eq!(
                (record.class, record.after.root),
                (StepClass::Ended.nibble(), empty_root())
            );
            assert_eq!(record.digests, record.digests_after);
        }
    }
}

#[test]
fn a_limit_is_no_end() {
    let trace = Trace::run(&program(1000, 0), &Inputs::default(), 500, &mut Silent);
    assert_eq!(trace.end(), RunEnd::Limit { steps: 500 });
    // States beyond it are still those of the program.
    let whole = tight(&program(1000, 0), None);
    assert_eq!(trace.digest_at(5000).unwrap(), whole.digest_at(5000).unwrap());
}

#[test]
fn pages_are_bounded() {
    let schedule = Schedule {
        max_pages: 600,
        ..TIGHT
    };
    let trace = Trace::run_with(
        &program(20_000, 0),
        &Inputs::default(),
        1 << 40,
        schedule,
        None,
        &mut Silent,
    );
    let (loose, _) = tight(&program(20_000, 0), None).density();
    let (snapshots, _) = trace.density();
    assert!(snapshots < loose, "{snapshots} of {loose} snapshots");
    let straight = tight(&program(20_000, 0), None);
    assert_eq!(
        trace.digest_at(100_000).unwrap(),
        straight.digest_at(100_000).unwrap()
    );
}

#[test]
fn output_profile_and_explanation() {
    let program = program(100, 0);
    let mut machine = Machine::new(program.clone(), Inputs::default());
    let mut output = Captured::default();
    let mut profile = Profile::new(&program, &mut output);
    machine.run_observed(1 << 30, &mut profile).unwrap();
    assert_eq!(profile.counts().iter().sum::<u64>(), machine.end().unwrap());
    assert_eq!(profile.by_symbol(&program)[0].name, "0x10000..");
    assert_eq!(output.bytes.len(), 4);
    let trace = Trace::run(&program, &Inputs::default(), 1 << 30, &mut Silent);
    let text = explain(&program, &trace.record_at(9).unwrap());
    assert!(
        text.contains("sw t0,0(s3)") && text.contains("memory   "),
        "{text}"
    );
    let text = explain(&program, &trace.record_at(trace.end().steps() - 1).unwrap());
    assert!(
        text.contains("Exit") && text.contains("status   0x00000000 -> 0x00000001"),
        "{text}"
    );
}

#[test]
fn one_call_cannot_flood_the_host() {
    let mut a = Assembler::new(BASE);
    a.addiu(A0, ZERO, 1)
        .li(A1, MEMORY)
        .li(A2, 0xffff_ffff)
        .addiu(V0, ZERO, 4004)
        .word(SYSCALL);
    a.li(A1, 0xffff_fff0).addiu(V0, ZERO, 4004).word(SYSCALL);
    a.addiu(T0, ZERO, -1).bne(V0, T0, "end").mov(A0, V0).mov(A0, ZERO);
    a.label("end").addiu(V0, ZERO, 4001).word(SYSCALL);
    let program = Program::from_elf(&elf(BASE, &[load(BASE, bytes_of(&a.finish()), CODE)])).unwrap();
    let mut output = Captured::default();
    let stop = Machine::new(program, Inputs::default()).run(100, &mut output);
    assert_eq!(stop, Ok(Stop::Ended(Status::Accepted)));
    assert_eq!(output.bytes.len(), zkvm_emulator::machine::MAX_OUTPUT as usize);
}

/// A lie in the middle: a register's value, in a step that writes one.
fn value_lie(trace: &Trace, from: u64) -> Lie {
    let step = (from..)
        .find(|step| trace.record_at(*step).unwrap().outcome.dest != 0)
        .unwrap();
    Lie::new(step, |_, _, outcome| outcome.value ^= 4)
}

#[test]
fn a_lie_is_honest_before_and_consistent_after() {
    let program = program(3000, 0);
    let honest = tight(&program, None);
    let lie = value_lie(&honest, 12_345);
    let at = lie.step;
    let liar = tight(&program, Some(lie));
    for step in [0, 1, 5000, at - 1, at] {
        assert_eq!(liar.digest_at(step).unwrap(), honest.digest_at(step).unwrap());
    }
    for step in [at + 1, at + 2, at + 1000] {
        assert_ne!(liar.digest_at(step).unwrap(), honest.digest_at(step).unwrap());
    }
    for step in [at - 1, at, at + 1, at + 777] {
        let record = liar.record_at(step).unwrap();
        assert_eq!(record.digests.digest, liar.digest_at(step).unwrap());
        assert_eq!(record.digests_after.digest, liar.digest_at(step + 1).unwrap());
    }
    let (told, true_one) = (liar.record_at(at).unwrap(), honest.record_at(at).unwrap());
    assert_eq!(told.outcome.value ^ 4, true_one.outcome.value);
    assert_eq!(told.before, true_one.before);
}

#[test]
fn a_lie_about_a_store_reaches_memory_and_its_root() {
    let program = program(3000, 0);
    let honest = tight(&program, None);
    let at = (20_000..)
        .find(|step| honest.record_at(*step).unwrap().instr >> 26 == 0x2b)
        .unwrap();
    let liar = tight(
        &program,
        Some(Lie::new(at, |_, _, outcome| outcome.new_word ^= 1 << 31)),
    );
    assert_ne!(liar.digest_at(at + 1).unwrap(), honest.digest_at(at + 1).unwrap());
    let record = liar.record_at(at).unwrap();
    assert_eq!(record.digests_after.digest, liar.digest_at(at + 1).unwrap());
    assert_eq!(record.after.words, honest.record_at(at).unwrap().after.words);
}

#[test]
fn lies_about_the_end() {
    let honest = tight(&program(50, 1), None);
    let steps = honest.end().steps();
    // The exit step answers ACCEPTED.
    let exit = Lie::new(steps - 1, |_, _, outcome| outcome.after.status = 1);
    let liar = tight(&program(50, 1), Some(exit));
    assert_eq!(
        liar.end(),
        RunEnd::Ended {
            steps,
            status: Status::Accepted
        }
    );
    assert_eq!(liar.digest_at(1 << 32).unwrap(), accepted_digest());
    // Long after the end the state changes.
    let later = Lie::new(steps + 5000, |_, opening, outcome| {
        opening.class = StepClass::Exit.nibble();
        outcome.after.status = 1;
    });
    let liar = tight(&program(50, 1), Some(later));
    assert_eq!(liar.digest_at(steps + 5000).unwrap(), rejected_digest());
    assert_eq!(liar.digest_at(steps + 5001).unwrap(), accepted_digest());
    assert_eq!(liar.digest_at(1 << 32).unwrap(), accepted_digest());
    let record = liar.record_at(steps + 5000).unwrap();
    assert_eq!(record.digests_after.digest, accepted_digest());
}

#[test]
fn a_lie_may_go_on_where_the_program_ends_or_store_elsewhere() {
    let program = program(50, 1);
    let honest = tight(&program, None);
    let steps = honest.end().steps();
    // The exit is taken for an instruction without effect; the run then leaves its code.
    let lie = Lie::new(steps - 1, |memory, opening, outcome| {
        opening.class = StepClass::Step.nibble();
        opening.touch(memory, 0);
        let words = &opening.before.words;
        (outcome.after.pc, outcome.after.next_pc, outcome.after.status) = (words[1], words[1] + 4, 0);
    });
    let liar = tight(&program, Some(lie));
    let record = liar.record_at(steps - 1).unwrap();
    assert_eq!(record.old_path[26], record.before.root);
    assert_eq!(record.digests_after.digest, liar.digest_at(steps).unwrap());
    assert_eq!(
        liar.record_at(steps).unwrap().class,
        StepClass::FetchFault.nibble()
    );

    let store = (0..)
        .find(|step| honest.record_at(*step).unwrap().instr >> 26 == 0x2b)
        .unwrap();
    let lie = Lie::new(store, |memory, opening, _| {
        opening.touch(memory, opening.addr + 0x2000)
    });
    let liar = tight(&program, Some(lie));
    let record = liar.record_at(store).unwrap();
    assert_eq!(record.old_path[26], record.before.root);
    assert_eq!(record.digests_after.digest, liar.digest_at(store + 1).unwrap());
    assert_ne!(
        record.digests_after,
        honest.record_at(store).unwrap().digests_after
    );
}

/// Reads word 3 of the preimage of the digest at MEMORY by call `number` and exits with it.
fn hint_program(number: i32, digest: [u8; 32]) -> Program {
    let mut a = Assembler::new(BASE);
    a.li(A0, MEMORY)
        .addiu(A1, ZERO, 3)
        .addiu(V0, ZERO, number)
        .word(SYSCALL);
    a.mov(A0, V0).addiu(V0, ZERO, 4001).word(SYSCALL);
    let code = load(BASE, bytes_of(&a.finish()), CODE);
    Program::from_elf(&elf(BASE, &[code, load(MEMORY, digest.to_vec(), DATA)])).unwrap()
}

#[test]
fn a_missing_preimage_is_unknown_and_never_rejected() {
    let mut preimages = Preimages::new();
    let digest = preimages.insert([0; 64]);
    is_unknown_without(9002, digest, preimages);

    let mut preimages = Preimages::new();
    let digest = preimages.insert_sha256(Link {
        cv: [0; 8],
        block: [1; 64],
    });
    is_unknown_without(9003, digest, preimages);
}

fn is_unknown_without(number: i32, digest: [u8; 32], preimages: Preimages) {
    let program = hint_program(number, digest);
    let known = Trace::run(
        &program,
        &Inputs::new(ClaimWords::default(), preimages),
        1 << 32,
        &mut Silent,
    );
    assert_eq!(
        known.end(),
        RunEnd::Ended {
            steps: 8,
            status: Status::Accepted
        }
    );

    let trace = Trace::run(&program, &Inputs::default(), 1 << 32, &mut Silent);
    let RunEnd::Unknown(unknown) = trace.end() else {
        panic!("{:?}", trace.end())
    };
    assert_eq!((unknown.step, unknown.missing.digest), (4, digest));
    for step in 0..=4 {
        assert_eq!(trace.digest_at(step).unwrap(), known.digest_at(step).unwrap());
    }
    for step in [5, 6, 8, 1 << 32] {
        assert_eq!(trace.digest_at(step), Err(unknown));
    }
    assert!(trace.record_at(3).is_ok());
    assert_eq!(trace.record_at(4), Err(unknown));
    // And again after the failure.
    assert!(trace.digest_at(2).is_ok());
}
