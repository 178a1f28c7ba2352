//! Random programs from their first step to their verified proof.
//!
//! Three accounts of one run must agree: the emulator's and the witness's at every instruction, and the proof's, which is
//! held against the emulator's statement. A proof says no more than how a run ends, so each program vouches for its own
//! state: code around it first sets all registers to the random state, and where the random words are left behind, saves
//! registers and memory and accepts only if they are the claim's. The claim comes from the emulator; a micro-instruction
//! that computes anything else makes the proof impossible.

use std::collections::BTreeMap;

use rayon::prelude::*;
use zkvm_emulator::assembler::{Assembler, SYSCALL, immediate, jump, register::*, special};
use zkvm_emulator::state::{HI, LINK, LO, NEXT_PC, PC, TLS};
use zkvm_emulator::step::MemoryView;
use zkvm_emulator::{
    CodeRange, Inputs, Machine, PagedMemory, Program, Silent, State, Status as RunStatus, StepClass, Stop,
    syscall,
};
use zkvm_verifier::core::verify_core;

use super::*;
use crate::witness::tests::words::{CODE_START, CODE_WORDS, DATA, random_program};
use crate::witness::tests::{class, instruction, random_inputs};

const PARAMS: Params = Params {
    queries: 6,
    pow_bits: 3,
    grinding_bits: 5,
};
/// Steps after which a random program counts as endless.
const LIMIT: u64 = 6000;
/// Claim words before those of the state: what random programs may read.
const READ: [u32; 5] = [0xdead_beef, 1, 2, 0x8000_0000, 7];
/// Where the state is saved: r1..r31, hi, lo, tls, a sum of memory.
const SAVED: u32 = 0x1004;
const SAVED_WORDS: u32 = 35;
/// Registers of the code behind the random words.
const S1: u32 = 17;
const S2: u32 = 18;

/// A program, its inputs, and what the emulator says of it.
struct Case {
    seed: u64,
    program: Program,
    inputs: Inputs,
    statement: Statement,
    /// Of the step that ends the run.
    class: StepClass,
    /// The run comes to the comparison of its state with the claim; some exit before.
    compares: bool,
}

/// The random program of `seed` between code that brings about its state and code that checks the state it leaves; also
/// where the check begins.
fn vouching(seed: u64) -> Option<(Program, u32)> {
    let (random, state) = random_program(seed);
    if state.is_ended() {
        return None;
    }
    // Its length does not depend on where it begins.
    let length = 4 * enter(0, &state).len() as u32;
    let mut words = enter(CODE_START - length, &state);
    words.extend(random.code_words());
    let behind = CODE_START + 4 * CODE_WORDS;
    let (check, leave) = leave(behind);
    words.extend(leave);

    let start = CODE_START - length;
    let mut memory = PagedMemory::new();
    random.memory().for_each_page(|page, words| {
        for (address, word) in (4096 * page as u32..).step_by(4).zip(words) {
            memory.write_bytes(address, &word.to_be_bytes());
        }
    });
    for (address, word) in (start..).step_by(4).zip(&words) {
        memory.write_bytes(address, &word.to_be_bytes());
    }
    let code = CodeRange {
        start,
        end: start + 4 * words.len() as u32,
    };
    Some((Program::assemble(memory, code, start, 0, Vec::new()), check))
}

/// Code at `start` that sets link, tls, hi, lo and registers as in `state`, then is where it is.
fn enter(start: u32, state: &State) -> Vec<u32> {
    let mut code = Assembler::new(start);
    code.li(A0, state.words[TLS])
        .li(V0, syscall::SET_THREAD_AREA)
        .word(SYSCALL);
    code.li(A0, state.words[LINK] & 0x7fff_fffc | 0x1000);
    code.word(immediate(0x30, A1, A0, 0));
    code.li(A0, state.words[HI]).word(special(0x11, 0, A0, 0));
    code.li(A0, state.words[LO]).word(special(0x13, 0, A0, 0));
    for register in 1..32 {
        code.li(register, state.reg(register));
    }
    // A jump in the delay slot of a jump: pc is the first target, next_pc the second.
    code.word(jump(state.words[PC])).word(jump(state.words[NEXT_PC]));
    code.finish()
}

/// Code at `start` that saves the state, then accepts if it is the claim's; also where the comparison begins.
fn leave(start: u32) -> (u32, Vec<u32>) {
    let mut code = Assembler::new(start);
    let saved = |i: u32| (SAVED + 4 * i) as i32;
    for register in 1..32 {
        code.sw(register, saved(register - 1), ZERO);
    }
    code.word(special(0x10, T0, 0, 0)).sw(T0, saved(31), ZERO);
    code.word(special(0x12, T0, 0, 0)).sw(T0, saved(32), ZERO);
    code.word(0x1f << 26 | T0 << 16 | 29 << 11 | 0x3b)
        .sw(T0, saved(33), ZERO);
    // The words around what random pointers reach, each rotated differently.
    code.li(A0, DATA - 64).li(A1, DATA + 256).li(T1, 0).label("sum");
    code.lw(T2, 0, A0)
        .word(1 << 21 | T1 << 16 | T1 << 11 | 5 << 6 | 2);
    code.word(special(0x26, T1, T1, T2)).addiu(A0, A0, 4);
    code.bne(A0, A1, "sum").nop().sw(T1, saved(34), ZERO);

    let check = code.here();
    code.li(S0, SAVED).li(S1, READ.len() as u32).label("compare");
    code.lw(S2, 0, S0)
        .mov(A0, S1)
        .li(V0, syscall::CLAIM)
        .word(SYSCALL);
    code.bne(V0, S2, "differ").addiu(S0, S0, 4);
    code.addiu(S1, S1, 1)
        .addiu(T0, S1, -(READ.len() as i32 + SAVED_WORDS as i32));
    code.bne(T0, ZERO, "compare").nop();
    code.mov(A0, ZERO).li(V0, syscall::EXIT).word(SYSCALL);
    code.label("differ").word(0x0d);
    (check, code.finish())
}

fn with_claim(saved: &[u32]) -> Inputs {
    let mut words = READ.to_vec();
    words.extend(saved);
    words.resize(READ.len() + SAVED_WORDS as usize, 0);
    Inputs {
        claim: zkvm_emulator::ClaimWords::new(words).unwrap(),
        ..random_inputs()
    }
}

/// The saved state if the run of `program` comes to `check`.
fn saved(program: &Program, inputs: &Inputs, check: u32) -> Option<Vec<u32>> {
    let mut machine = Machine::new(program.clone(), inputs.clone());
    for step in 1..LIMIT {
        match machine.run(step, &mut Silent) {
            Ok(Stop::Limit) if machine.words()[PC] == check => {
                let memory = machine.memory();
                return Some((0..SAVED_WORDS).map(|i| memory.word(SAVED + 4 * i)).collect());
            }
            Ok(Stop::Limit) => {}
            _ => return None,
        }
    }
    None
}

/// The program of `seed` with the claim that it makes true, if its run ends and lacks no preimage.
fn case(seed: u64) -> Option<Case> {
    let (program, check) = vouching(seed)?;
    let saved = saved(&program, &with_claim(&[]), check);
    let compares = saved.is_some();
    let inputs = with_claim(&saved.unwrap_or_default());
    let mut machine = Machine::new(program.clone(), inputs.clone());
    let Ok(Stop::Ended(status)) = machine.run(LIMIT, &mut Silent) else {
        return None;
    };
    let steps = machine.end().unwrap();
    let mut machine = Machine::new(program.clone(), inputs.clone());
    machine.run(steps - 1, &mut Silent).unwrap();
    let (class, _) = class(&mut machine, &inputs)?;
    let status = match status {
        RunStatus::Accepted => Status::Accepted,
        _ => Status::Rejected,
    };
    let claim = inputs.claim.words().to_vec();
    Some(Case {
        seed,
        program,
        inputs,
        statement: Statement { claim, status, steps },
        class,
        compares,
    })
}

impl Case {
    /// Emulator and witness, instruction by instruction.
    fn execute(&self, key: &ProvingKey) {
        let mut executor = Executor::new(key.program(), key.rom(), self.inputs.clone());
        let mut machine = Machine::new(self.program.clone(), self.inputs.clone());
        let mut rows = Vec::new();
        for step in 1..=self.statement.steps {
            assert_eq!(
                executor.words(),
                *machine.words(),
                "seed {} step {step}",
                self.seed
            );
            instruction(&mut executor, &mut rows).unwrap();
            machine.run(step, &mut Silent).unwrap();
        }
        assert_eq!(executor.steps(), self.statement.steps, "seed {}", self.seed);
        assert_ne!(executor.status(), RunStatus::Running, "seed {}", self.seed);
    }

    /// The proof against what the emulator says, and against what it does not.
    fn prove(&self) {
        let seed = self.seed;
        let key = ProvingKey::new(&self.program).unwrap();
        self.execute(&key);
        let options = Options {
            params: PARAMS,
            // Some in several segments.
            segment_log_height: if seed.is_multiple_of(8) { 9 } else { 18 },
            kept_bytes: u64::MAX,
        };
        let (_, proof) = prove_core(&key, &self.inputs, &options, &|_| {}).unwrap();
        let bytes = proof.encode();
        let proof = CoreProof::decode(&bytes).unwrap();
        let vk = key.verifying_key();
        assert_eq!(vk.program, self.program.digest());
        let verify = |statement: &Statement| verify_core(vk, statement, &proof, &PARAMS);
        assert_eq!(verify(&self.statement), Ok(()), "seed {seed}");
        let refused = |change: &dyn Fn(&mut Statement)| {
            let mut statement = self.statement.clone();
            change(&mut statement);
            assert!(verify(&statement).is_err(), "seed {seed}: {statement:?}");
        };
        refused(&|s| {
            s.status = match s.status {
                Status::Accepted => Status::Rejected,
                Status::Rejected => Status::Accepted,
            }
        });
        refused(&|s| s.steps += 1);
        refused(&|s| s.steps -= 1);
        let word = READ.len() + seed as usize % SAVED_WORDS as usize;
        refused(&|s| s.claim[word] ^= 1 << (seed % 32));
    }

    /// The same program on a claim that differs in one word of the state: it must end otherwise, and be proven to.
    fn contradicted(&self) -> Option<Self> {
        if !self.compares || self.statement.status != Status::Accepted {
            return None;
        }
        let mut words = self.inputs.claim.words()[READ.len()..].to_vec();
        let word = self.seed as usize % words.len();
        words[word] ^= 1 << (self.seed / 3 % 32);
        let inputs = with_claim(&words);
        let mut machine = Machine::new(self.program.clone(), inputs.clone());
        let ended = machine.run(LIMIT, &mut Silent).unwrap();
        assert_eq!(ended, Stop::Ended(RunStatus::Rejected), "seed {}", self.seed);
        Some(Case {
            seed: self.seed,
            program: self.program.clone(),
            statement: Statement {
                claim: inputs.claim.words().to_vec(),
                status: Status::Rejected,
                steps: machine.end().unwrap(),
            },
            inputs,
            class: StepClass::TrapTaken,
            compares: true,
        })
    }
}

/// The last steps of `cases`.
fn classes(cases: &[Case]) -> BTreeMap<StepClass, usize> {
    let mut classes = BTreeMap::new();
    for case in cases {
        *classes.entry(case.class).or_default() += 1;
    }
    classes
}

/// Classes in which a run can end.
fn endings() -> impl Iterator<Item = StepClass> {
    StepClass::ALL
        .into_iter()
        .filter(|class| !class.runs_on() && *class != StepClass::Ended)
}

fn accepted(cases: &[Case]) -> usize {
    let accepts = |case: &&Case| case.statement.status == Status::Accepted;
    cases.iter().filter(accepts).count()
}

/// `number` cases of seeds below `seeds`, and one of each ending that occurs among them. Some are rare: of a few hundred
/// random programs none may store into code.
fn cases(seeds: u64, number: usize) -> Vec<Case> {
    let mut all: Vec<Case> = (0..seeds).into_par_iter().filter_map(case).collect();
    let mut cases = Vec::new();
    for ending in endings() {
        if let Some(at) = all.iter().position(|case| case.class == ending) {
            cases.push(all.remove(at));
        }
    }
    assert!(cases.len() >= 6, "runs end in {} ways only", cases.len());
    // Half of the others vouch for their state.
    let (vouched, others): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|case| case.statement.status == Status::Accepted);
    let left = number - cases.len();
    let some = others.into_iter().take(left / 2);
    cases.extend(some);
    let left = number - cases.len();
    cases.extend(vouched.into_iter().take(left));
    assert_eq!(cases.len(), number, "too few seeds");
    println!(
        "{} of {number} accepted, ended by {:?}",
        accepted(&cases),
        classes(&cases)
    );
    cases
}

#[test]
fn random_programs_are_proven_as_emulated() {
    let cases = cases(400, 32);
    assert!(accepted(&cases) >= 10);
    cases.iter().for_each(Case::prove);
    let contradicted: Vec<Case> = cases.iter().filter_map(Case::contradicted).take(4).collect();
    assert_eq!(contradicted.len(), 4);
    contradicted.iter().for_each(Case::prove);
}

#[test]
#[ignore = "a quarter of an hour; make nightly"]
fn a_thousand_random_programs_are_proven_as_emulated() {
    let cases = cases(6000, 1000);
    let contradicted: Vec<Case> = cases.iter().filter_map(Case::contradicted).take(50).collect();
    assert_eq!(contradicted.len(), 50);
    cases.iter().chain(&contradicted).for_each(Case::prove);
}
