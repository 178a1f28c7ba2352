//! The executor against the emulator at every instruction, and against itself where there is no proof.

use std::collections::BTreeSet;
use std::path::Path;

use zkvm_air::machine::{Flags, KEY_ALTERNATIVE, SLOT_A, SLOT_B, SLOT_D, SLOT_M};
use zkvm_emulator::step::MemoryView;
use zkvm_emulator::{
    ClaimWords, HintHash, Inputs, Instruction, Machine, Operation, Preimages, Program, Silent, State, Status,
    StepClass, StepInput, Stop, step,
};

use super::*;
use crate::rom::Rom;

#[path = "../../../emulator/tests/it/words.rs"]
pub(crate) mod words;

use words::{known_link, known_preimage, random_program};

/// Rows until the next instruction is due or the run has ended.
pub(crate) fn instruction(executor: &mut Executor, rows: &mut Vec<Row>) -> Result<(), ExecError> {
    while let Some(row) = executor.next_row()? {
        rows.push(row);
        if executor.state().entry {
            break;
        }
    }
    Ok(())
}

/// Every word of RAM that either side knows is the same.
fn assert_same_memory(executor: &Executor, machine: &mut Machine) {
    let code = machine.program().code();
    machine.memory().for_each_page(|page, words| {
        for (address, word) in (4096 * page as u32..).step_by(4).zip(words) {
            if !code.contains(address) {
                assert_eq!(executor.word(address).value, *word, "word at {address:#x}");
            }
        }
    });
    for touched in executor.touched() {
        assert!(!code.contains(touched.address));
        assert_eq!(
            machine.memory().word(touched.address),
            touched.value,
            "word at {:#x}",
            touched.address
        );
    }
}

pub(crate) fn guest(name: &str) -> Program {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../guests/elf/{name}.elf"));
    let elf = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Program::from_elf(&elf).unwrap()
}

/// A claim of rust-sha256-walk about a message of so many bytes, with this word added to the right one.
pub(crate) fn message(length: usize, index: u32, wrong: u32) -> Inputs {
    let message: Vec<u8> = (0..length).map(|i| (i as u8).wrapping_mul(37) ^ 0x5a).collect();
    let mut preimages = Preimages::new();
    let mut claim = words_of(&preimages.insert_sha256_message(&message));
    let word = words_of(&message)[index as usize];
    claim.extend([index, word.wrapping_add(wrong)]);
    Inputs::new(ClaimWords::new(claim).unwrap(), preimages)
}

fn words_of(bytes: &[u8]) -> Vec<u32> {
    bytes
        .chunks_exact(4)
        .map(|c| u32::from_be_bytes(c.try_into().unwrap()))
        .collect()
}

/// A claim of rust-blake3-walk of this depth that holds.
pub(crate) fn walk(depth: u32) -> Inputs {
    let index = 0x9c3a_55e1 & ((1u64 << depth) - 1) as u32;
    let leaf: [u8; 32] = std::array::from_fn(|i| i as u8 ^ 0x5a);
    let mut preimages = Preimages::new();
    let mut node = leaf;
    for level in 0..depth {
        let sibling = [level as u8 + 1; 32];
        let (left, right) = if index >> level & 1 == 0 {
            (node, sibling)
        } else {
            (sibling, node)
        };
        let mut message = [0; 64];
        message[..32].copy_from_slice(&left);
        message[32..].copy_from_slice(&right);
        node = preimages.insert(message);
    }
    let mut claim = words_of(&node);
    claim.extend([depth, index]);
    claim.extend(words_of(&leaf));
    Inputs::new(ClaimWords::new(claim).unwrap(), preimages)
}

pub(crate) fn claim(words: &[u32]) -> Inputs {
    Inputs::new(ClaimWords::new(words.to_vec()).unwrap(), Preimages::new())
}

/// Compares a guest's run for at most `limit` steps; the number of rows it took.
fn compare_guest(name: &str, inputs: Inputs, limit: u64) -> (u64, u64, Status) {
    let program = guest(name);
    let rom = Rom::new(&program);
    let mut executor = Executor::new(&program, &rom, inputs.clone());
    let mut machine = Machine::new(program, inputs);
    let mut rows = Vec::new();
    for step in 0..limit {
        assert_eq!(
            executor.words(),
            *machine.words(),
            "{name}: words after {step} steps"
        );
        instruction(&mut executor, &mut rows).unwrap_or_else(|error| panic!("{name} step {step}: {error}"));
        rows.clear();
        if executor.status() != Status::Running {
            assert_same_memory(&executor, &mut machine);
            let stop = machine.run(step + 1, &mut Silent).unwrap();
            assert_eq!(stop, Stop::Ended(executor.status()), "{name}");
            assert_eq!(machine.end(), Some(executor.steps()));
            break;
        }
        assert_eq!(machine.run(step + 1, &mut Silent).unwrap(), Stop::Limit, "{name}");
    }
    if executor.status() == Status::Running {
        assert_same_memory(&executor, &mut machine);
    }
    let made = executor.state().clk - 1;
    let counted: u64 = executor.rom_counts().iter().map(|n| u64::from(*n)).sum();
    assert_eq!(made, counted);
    println!(
        "{name}: {} steps, {made} rows, {:.3} rows a step, {} words, {} ROM rows, {:?}",
        executor.steps(),
        made as f64 / executor.steps() as f64,
        rom.code().words(),
        rom.rows().len(),
        executor.status(),
    );
    (executor.steps(), made, executor.status())
}

#[test]
fn guests_run_as_in_the_emulator() {
    const LIMIT: u64 = 2_000_000;
    let (_, _, status) = compare_guest("rust-blake3-walk", walk(20), LIMIT);
    assert_eq!(status, Status::Accepted);
    let mut wrong = walk(20).claim.words().to_vec();
    wrong[17] ^= 1;
    let wrong = Inputs {
        claim: ClaimWords::new(wrong).unwrap(),
        ..walk(20)
    };
    assert_eq!(
        compare_guest("rust-blake3-walk", wrong, LIMIT).2,
        Status::Rejected
    );
    for (wrong, expected) in [(0, Status::Accepted), (1, Status::Rejected)] {
        let (.., status) = compare_guest("rust-sha256-walk", message(200, 17, wrong), LIMIT);
        assert_eq!(status, expected);
    }
    compare_guest("rust-fibonacci", claim(&[20_000, 7]), LIMIT);
    compare_guest("c-sha256", claim(&[0, 0, 0, 0, 0, 0, 0, 0, 4000]), LIMIT);
    compare_guest("c-instructions", claim(&[]), LIMIT);
    compare_guest("go-fibonacci", claim(&[5, 5]), LIMIT);
    compare_guest("go-alloc", claim(&[]), LIMIT);
    compare_guest("go-sha256", claim(&[1, 2, 3]), LIMIT);
}

/// Executed classes and operations of random programs.
#[derive(Default)]
struct Seen {
    classes: BTreeSet<StepClass>,
    operations: BTreeSet<Operation>,
}

pub(crate) fn random_inputs() -> Inputs {
    let mut preimages = Preimages::new();
    preimages.insert(known_preimage().0);
    preimages.insert_sha256(known_link());
    Inputs::new(ClaimWords::new(vec![0xdead_beef, 1, 2]).unwrap(), preimages)
}

/// What the step from here is, by the reference.
pub(crate) fn class(machine: &mut Machine, inputs: &Inputs) -> Option<(StepClass, Option<Operation>)> {
    let before = State {
        words: *machine.words(),
        root: [0; 32],
    };
    let code = machine.program().code();
    let input = StepInput::gather(before, code, machine.memory(), &inputs.claim, &inputs.preimages).ok()?;
    let class = step::classify(&input.before, code, input.instr, &input.claim);
    Some((class, Instruction::decode(input.instr).map(|i| i.op)))
}

/// Each choice other than the honest one has no proof from here.
fn assert_refused(
    program: &Program,
    rom: &Rom,
    inputs: &Inputs,
    machine: &mut Machine,
    class: StepClass,
    op: Option<Operation>,
) {
    let run = |choice: Choice, machine: &mut Machine| {
        let mut executor = Executor::from_words(program, rom, inputs.clone(), machine.words());
        executor.ram = memory::Ram::new(machine.memory().clone());
        executor.choose(choice);
        let result = instruction(&mut executor, &mut Vec::new());
        (result, executor.status())
    };
    let access = op.is_some_and(|op| op.is_load() || op.is_store());
    let memory_trap = matches!(class, StepClass::BadAddress | StepClass::CodeStore);
    let dead = |result: Result<(), ExecError>| matches!(result, Err(ExecError::Dead { .. }));

    let (result, status) = run(Choice::Alternative, machine);
    match (class, access) {
        (StepClass::FetchFault, _) | (_, false) => {
            assert!(
                matches!(result, Err(ExecError::NoRow { .. })),
                "{class:?} {op:?}: {result:?}"
            );
        }
        _ if memory_trap => assert_eq!((result, status), (Ok(()), Status::Rejected)),
        _ => assert!(dead(result), "{class:?} {op:?}: {result:?}"),
    }
    let (result, _) = run(Choice::Normal, machine);
    if class == StepClass::FetchFault {
        assert!(matches!(result, Err(ExecError::NoRow { .. })), "{result:?}");
    } else {
        let refused = matches!(result, Err(ExecError::NoWord { .. }));
        assert_eq!(refused, memory_trap, "{class:?} {op:?}: {result:?}");
    }
    let (result, status) = run(Choice::FetchFault, machine);
    if class == StepClass::FetchFault {
        assert_eq!((result, status), (Ok(()), Status::Rejected));
    } else {
        assert!(dead(result), "{class:?} {op:?}: {result:?}");
    }
}

fn compare_random(seed: u64, seen: &mut Seen) {
    let (program, state) = random_program(seed);
    if state.is_ended() {
        return;
    }
    let inputs = random_inputs();
    let rom = Rom::new(&program);
    let mut executor = Executor::from_words(&program, &rom, inputs.clone(), &state.words);
    let memory = program.memory().clone();
    let mut machine = Machine::resume(program.clone(), inputs.clone(), 0, state.words, memory);
    let mut rows = Vec::new();
    for step in 0..64 {
        let at = format!("seed {seed} step {step}");
        assert_eq!(executor.words(), *machine.words(), "{at}");
        if step % 8 == 0 {
            assert_same_memory(&executor, &mut machine);
        }
        let Some((class, op)) = class(&mut machine, &inputs) else {
            let error = instruction(&mut executor, &mut rows).unwrap_err();
            assert!(
                matches!(error, ExecError::MissingPreimage { .. }),
                "{at}: {error}"
            );
            return;
        };
        let at = format!("{at}: {class:?} {op:?}");
        seen.classes.insert(class);
        seen.operations.extend(op);
        if step % 32 == 0 || !class.runs_on() {
            assert_refused(&program, &rom, &inputs, &mut machine, class, op);
        }
        rows.clear();
        instruction(&mut executor, &mut rows).unwrap_or_else(|error| panic!("{at}: {error}"));
        check_rows(&rows, &rom);
        if executor.status() != Status::Running {
            // Before the emulator forgets it.
            assert_same_memory(&executor, &mut machine);
        }
        let stop = machine.run(step + 1, &mut Silent).unwrap();
        match executor.status() {
            Status::Running => assert_eq!(stop, Stop::Limit, "{at}"),
            status => {
                assert_eq!(stop, Stop::Ended(status), "{at}");
                assert_eq!(Some(executor.steps()), machine.end(), "{at}");
                return;
            }
        }
    }
}

/// What rows promise of themselves, written from the page and not from the executor.
fn check_rows(rows: &[Row], rom: &Rom) {
    for row in rows {
        let entry = rom.rows()[row.rom as usize];
        assert_eq!(entry.key, row.fetch);
        assert_eq!(row.alt, row.fetch == row.pc + KEY_ALTERNATIVE);
        assert_eq!(row.y, u64::from(row.b) + u64::from(entry.imm));
        let stores = entry.flags.any(Flags::STORES);
        if entry.flags.any(Flags::LOADS) || stores {
            assert!(row.ram != row.from_code);
            assert!(stores || row.m_old == row.m_new);
            assert_eq!(row.m_address, row.a.wrapping_add(entry.imm));
        } else {
            assert!(!row.ram && !row.from_code);
            assert_eq!(row.y, u64::from(row.y as u32), "y is a word");
        }
        if row.m > 0 {
            assert_eq!(
                u128::from(row.a) * u128::from(row.m),
                u128::from(row.q) << 32 | u128::from(row.r)
            );
        }
        let ts = 4 * row.clk;
        assert!(row.a_ts < ts + SLOT_A && row.b_ts < ts + SLOT_B && row.d_ts < ts + SLOT_D);
        assert!(row.m_ts < ts + SLOT_M);
    }
}

#[test]
fn random_programs_run_as_in_the_emulator() {
    let mut seen = Seen::default();
    for seed in 0..1200 {
        compare_random(seed, &mut seen);
    }
    let missing: Vec<_> = Operation::ALL
        .into_iter()
        .filter(|op| !seen.operations.contains(op))
        .collect();
    assert!(missing.is_empty(), "never executed: {missing:?}");
    // All but Ended, which no row is of.
    let honest = (0..16)
        .filter_map(StepClass::from_nibble)
        .filter(|class| *class != StepClass::Ended);
    for class in honest {
        assert!(seen.classes.contains(&class), "{class:?} never happened");
    }
}

/// Rows of two segments in a row are those of one.
#[test]
fn segments_join() {
    let program = guest("rust-blake3-walk");
    let rom = Rom::new(&program);
    let mut whole = Executor::new(&program, &rom, walk(5));
    let mut parts = Executor::new(&program, &rom, walk(5));
    let all = whole.segment(usize::MAX).unwrap();
    assert_eq!((whole.status(), all.end.entry), (Status::Accepted, false));
    let mut rows = Vec::new();
    let mut end = all.start;
    while parts.status() == Status::Running {
        let part = parts.segment(997).unwrap();
        assert_eq!(part.start, end);
        assert!(!part.rows.is_empty() && part.rows.len() <= 997);
        end = part.end;
        rows.extend(part.rows);
    }
    assert_eq!((rows, end), (all.rows, all.end));
    assert!(parts.segment(5).unwrap().rows.is_empty());
}

/// Every access finds what the access before left, and the last ones are what the executor says it ends with.
#[test]
fn accesses_form_chains() {
    let program = guest("rust-blake3-walk");
    let rom = Rom::new(&program);
    let mut executor = Executor::new(&program, &rom, walk(8));
    let rows = executor.segment(usize::MAX).unwrap().rows;
    let mut last: std::collections::HashMap<(u64, u32), (u32, u64)> = std::collections::HashMap::new();
    let mut hints = executor.hints().iter();
    let mut access = |space: u64, address: u32, old: u32, old_ts: u64, new: u32, ts: u64| {
        let initial = match space {
            0 => (executor.word(address).initial, 0),
            _ => (executor.initial_registers[address as usize], 0),
        };
        let before = last.insert((space, address), (new, ts)).unwrap_or(initial);
        assert_eq!(
            before,
            (old, old_ts),
            "space {space} address {address:#x} at {ts}"
        );
        assert!(old_ts < ts);
    };
    let mut claims = 0;
    for row in &rows {
        let entry = rom.rows()[row.rom as usize];
        let ts = 4 * row.clk;
        access(1, entry.a.into(), row.a, row.a_ts, row.a, ts + SLOT_A);
        access(1, entry.b.into(), row.b, row.b_ts, row.b, ts + SLOT_B);
        if row.ram {
            access(0, row.m_address & !3, row.m_old, row.m_ts, row.m_new, ts + SLOT_M);
        }
        if entry.flags.any(Flags::HINT) {
            let hint = hints.next().unwrap();
            assert_eq!(
                (hint.clk, hint.key, hint.index, hint.word),
                (row.clk, row.a, row.y as u32, row.c)
            );
            let mut digest = Vec::new();
            for (i, read) in (0..).zip(hint.digest) {
                assert!(!read.from_code);
                access(0, hint.key + 4 * i, read.word, read.ts, read.word, ts + SLOT_M);
                digest.extend(read.word.to_be_bytes());
            }
            let block: Vec<u8> = hint.preimage[8..]
                .iter()
                .flat_map(|word| word.to_be_bytes())
                .collect();
            assert_eq!(hint.hash, HintHash::Blake3);
            assert_eq!(blake3::hash(&block).as_bytes().as_slice(), digest);
        }
        claims += u32::from(entry.flags.any(Flags::CLAIM));
        access(1, entry.d.into(), row.d_old, row.d_ts, row.c, ts + SLOT_D);
    }
    assert!(hints.next().is_none() && executor.hints().len() == 8 * 16);
    let (words, count) = executor.claim_counts();
    assert_eq!(words.iter().sum::<u32>() + count, claims);
    for (finals, space) in [(executor.registers(), 1), (executor.touched().collect(), 0)] {
        for f in finals {
            let expected = last.remove(&(space, f.address)).unwrap_or((f.initial, 0));
            assert_eq!((f.value, f.ts), expected);
        }
    }
    assert!(last.is_empty());
}

/// The hints of a guest that walks a message: in order, each answered out of the digest that memory holds.
#[test]
fn sha256_hints_are_those_of_the_message() {
    let program = guest("rust-sha256-walk");
    let rom = Rom::new(&program);
    let inputs = message(200, 17, 0);
    let mut executor = Executor::new(&program, &rom, inputs.clone());
    let rows = executor.segment(usize::MAX).unwrap().rows;
    assert_eq!(executor.status(), Status::Accepted);
    // Four blocks with their padding.
    assert_eq!(executor.hints().len(), 4 * 24);
    let asked = rows
        .iter()
        .filter(|row| rom.rows()[row.rom as usize].flags.any(Flags::HINT));
    for (row, hint) in asked.zip(executor.hints()) {
        assert_eq!(hint.hash, HintHash::Sha256);
        assert_eq!((hint.clk, hint.key, hint.word), (row.clk, row.a, row.c));
        assert_eq!(u64::from(hint.index) + 32, row.y);
        assert_eq!(hint.word, hint.preimage[hint.index as usize]);
        let digest: Vec<u8> = hint
            .digest
            .iter()
            .flat_map(|read| read.word.to_be_bytes())
            .collect();
        let link = inputs.preimages.get_sha256(&digest.try_into().unwrap()).unwrap();
        assert_eq!(hint.preimage, link.words());
    }
}

/// What is no hint of its hash: word 24, a key between leaves, a key outside memory; and what is no hint at all.
#[test]
fn bad_sha256_hints_end_as_the_emulator_says() {
    let code = [0x2402_232b, 0x0000_000c, 0x0000_000d]; // li v0, 9003; syscall; break
    let leaf = 0x5_0000;
    for (key, index) in [
        (leaf, 24),
        (leaf, u32::MAX - 31),
        (leaf, u32::MAX),
        (leaf + 4, 0),
        (leaf + 31, 23),
        (0, 0),
        (4064, 0),
        (0x8000_0000, 0),
        (0xffff_ffe0, 0),
    ] {
        let (result, executor) = run_words(&code, key, index, random_inputs());
        assert_eq!((result, executor.steps()), (Ok(()), 2), "{key:#x} {index}");
        assert_eq!(executor.status(), Status::Rejected);
        assert!(executor.hints().is_empty());
    }
    // A leaf whose preimage is known of the other hash only: nobody knows this step.
    for key in [0x1000, leaf] {
        let (result, _) = run_words(&code, key, 23, random_inputs());
        let (hash, clk) = (HintHash::Sha256, 9);
        assert_eq!(result, Err(ExecError::MissingPreimage { hash, clk, key }));
    }
}

/// A program of these words at 0x20000 with r4 = `a0`, r5 = `a1`.
fn run_words(code: &[u32], a0: u32, a1: u32, inputs: Inputs) -> (Result<(), ExecError>, Executor) {
    let mut executor = prepare_words(code, a0, a1, inputs);
    let result = executor.segment(1 << 12).map(|_| ());
    (result, executor)
}

fn prepare_words(code: &[u32], a0: u32, a1: u32, inputs: Inputs) -> Executor {
    let mut memory = zkvm_emulator::PagedMemory::new();
    for (i, word) in code.iter().enumerate() {
        memory.write_bytes(0x2_0000 + 4 * i as u32, &word.to_be_bytes());
    }
    let range = zkvm_emulator::CodeRange {
        start: 0x2_0000,
        end: 0x2_0000 + 4 * code.len() as u32,
    };
    let program = Program::assemble(memory, range, 0x2_0000, 0, Vec::new());
    let mut state = program.initial_state();
    state.set_reg(4, a0);
    state.set_reg(5, a1);
    let rom = Rom::new(&program);
    Executor::from_words(&program, &rom, inputs, &state.words)
}

const EDGES: [u32; 10] = [
    0,
    1,
    2,
    3,
    7,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xffff_fffe,
    0xffff_ffff,
];

/// No other word than the due one passes for a quotient or a number of zeros.
#[test]
fn false_advice_is_dead() {
    let mut refused = 0;
    for word in [
        0x0085_001a, // div a0, a1
        0x0085_001b, // divu a0, a1
        0x7082_1020, // clz v0, a0
        0x7082_1021, // clo v0, a0
    ] {
        for a in EDGES {
            for b in EDGES {
                let code = [word, 0x0000_000d];
                let rows = prepare_words(&code, a, b, Inputs::default())
                    .segment(1 << 12)
                    .unwrap()
                    .rows;
                let program = prepare_words(&code, a, b, Inputs::default());
                let advised = rows.iter().find(|row| program.takes_advice(row.rom));
                let Some(honest) = advised.map(|row| row.c) else {
                    continue;
                };
                let near = [1, 32, 64, 1 << 31, u32::MAX].map(|by| honest.wrapping_add(by));
                for lie in EDGES.into_iter().chain(near).filter(|lie| *lie != honest) {
                    let mut executor = prepare_words(&code, a, b, Inputs::default());
                    executor.advise(lie);
                    let result = executor.segment(1 << 12);
                    assert!(
                        matches!(result, Err(ExecError::Dead { .. })),
                        "{word:#x} {a:#x} {b:#x}: {lie:#x} for {honest:#x}"
                    );
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 1000);
}

#[test]
fn division_is_that_of_the_reference_on_all_edges() {
    for word in [
        0x0085_001a, // div
        0x0085_001b, // divu
        0x0085_0018, // mult
        0x0085_0019, // multu
        0x7085_0000, // madd
        0x7085_0001, // maddu
        0x7085_0004, // msub
        0x7085_0005, // msubu
    ] {
        let op = Instruction::decode(word).unwrap().op;
        for a in EDGES {
            for b in EDGES {
                // hi = a, lo = b before.
                let code = [0x0080_0011, 0x00a0_0013, word, 0x0000_000d];
                let (result, executor) = run_words(&code, a, b, Inputs::default());
                assert_eq!((result, executor.status()), (Ok(()), Status::Rejected));
                let words = executor.words();
                let got = (words[zkvm_emulator::state::HI], words[zkvm_emulator::state::LO]);
                assert_eq!(got, step::hi_lo(op, a, b, a, b), "{op} {a:#x} {b:#x}");
            }
        }
    }
}

#[test]
fn the_number_of_claim_words_is_no_claim_word() {
    let code = [0x2402_2329, 0x0000_000c, 0x0000_000d]; // li v0, 9001; syscall; break
    for (index, steps) in [(0, 3), (2, 3), (3, 2), (191, 2), (u32::MAX, 2), (0x8000_0000, 2)] {
        let (result, executor) = run_words(&code, index, 0, random_inputs());
        assert_eq!((result, executor.steps()), (Ok(()), steps), "index {index:#x}");
        assert_eq!(executor.claim_counts().1, 1);
    }
    // Without any word every index is bad.
    let (result, executor) = run_words(&code, 0, 0, Inputs::default());
    assert_eq!((result, executor.steps()), (Ok(()), 2));
}

/// Rows of every operation, trap and call hold in the CPU table, whose constraints know nothing of the executor.
#[test]
fn random_programs_hold_in_the_cpu_table() {
    use crate::trace::{counts::Counts, cpu};

    let table = zkvm_air::tables::cpu::table();
    let mut used = BTreeSet::new();
    for seed in 0..250 {
        let (program, state) = random_program(seed);
        if state.is_ended() {
            continue;
        }
        let rom = Rom::new(&program);
        let mut executor = Executor::from_words(&program, &rom, random_inputs(), &state.words);
        let start = executor.state();
        // A hint without a preimage ends a segment early: its rows are made again without it.
        let mut rows = Vec::new();
        while rows.len() < 500 {
            match executor.next_row() {
                Ok(Some(row)) => rows.push(row),
                Ok(None) | Err(_) => break,
            }
        }
        let mut executor = Executor::from_words(&program, &rom, random_inputs(), &state.words);
        let segment = executor.segment(rows.len()).unwrap();
        assert_eq!((&segment.rows, segment.start), (&rows, start));
        used.extend(rows.iter().map(|row| rom.rows()[row.rom as usize].flags.0));
        let mut counts = Counts::new(rom.rows().len(), rom.code().words() as usize, 0, 3);
        let height = cpu::log_height(rows.len()).max(7);
        let columns = cpu::fill(&segment, rom.rows(), rom.code().start, height, &mut counts);
        let result = zkvm_air::check_trace(&table, &[], &columns, &cpu::publics(&segment));
        assert_eq!(result, Ok(()), "seed {seed}");
        let own: Vec<u64> = executor.rom_counts().iter().map(|n| u64::from(*n)).collect();
        let theirs: Vec<u64> = counts.rom.to_vec();
        assert_eq!(own, theirs, "seed {seed}");
    }
    for flag in 0..zkvm_air::machine::FLAGS {
        assert!(
            used.iter().any(|flags| flags >> flag & 1 == 1),
            "flag {flag} was never used"
        );
    }
}
