//! Runs a program on the reference step alone: no snapshots, no hashing, no fast path.

use std::collections::HashMap;

use zkvm_emulator::merkle::{self, DEPTH, Node};
use zkvm_emulator::state::{HEAP, HEAP_START, HI, LINK, LO, NEXT_PC, PC, STATUS, TLS};
use zkvm_emulator::syscall::{Call, WRITE};
use zkvm_emulator::{ClaimWords, CodeRange, State, StepClass, StepInput, step};

/// How a program ended on the reference step.
#[derive(Debug)]
pub(crate) struct ReferenceRun {
    /// Class of the last step before the ended state.
    pub(crate) class: StepClass,
    /// Whether the ended state is ACCEPTED.
    pub(crate) accepted: bool,
    /// What `write` was given.
    pub(crate) output: Vec<u8>,
    /// Steps up to and including the one that ended the run.
    pub(crate) steps: u64,
}

struct Memory(HashMap<u32, Node>);

impl Memory {
    fn leaf(&self, index: u32) -> Node {
        self.0.get(&index).copied().unwrap_or([0; 32])
    }

    fn byte(&self, addr: u32) -> u8 {
        self.leaf(merkle::leaf_index(addr))[(addr & 31) as usize]
    }

    fn word(&self, addr: u32) -> u32 {
        merkle::leaf_word(&self.leaf(merkle::leaf_index(addr)), addr)
    }
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Runs an ELF file that the test made (it is trusted to be well-formed) for at most `limit` steps.
pub(crate) fn run(elf: &[u8], limit: u64) -> ReferenceRun {
    let mut memory = Memory(HashMap::new());
    let mut code = CodeRange { start: 0, end: 0 };
    for segment in 0..usize::from(elf[45]) {
        let at = 52 + 32 * segment;
        let (offset, address) = (be32(elf, at + 4) as usize, be32(elf, at + 8));
        let file = be32(elf, at + 16) as usize;
        if be32(elf, at + 24) & 1 != 0 {
            let end = address + (file as u32 & !3);
            code = CodeRange { start: address, end };
        }
        for (i, byte) in elf[offset..offset + file].iter().enumerate() {
            let addr = address + i as u32;
            memory.0.entry(merkle::leaf_index(addr)).or_insert([0; 32])[(addr & 31) as usize] = *byte;
        }
    }
    let mut state = State::ended(zkvm_emulator::Status::Rejected);
    state.words[STATUS] = 0;
    state.words[PC] = be32(elf, 24);
    state.words[NEXT_PC] = be32(elf, 24) + 4;
    state.words[HEAP] = HEAP_START;
    state.set_reg(29, 0x7fff_f000);

    let claim = ClaimWords::default();
    let mut output = Vec::new();
    for steps in 1..=limit {
        let fetches = state.pc() & 3 == 0 && code.contains(state.pc());
        let instr = if fetches { memory.word(state.pc()) } else { 0 };
        let class = step::classify(&state, code, instr, &claim);
        let addr = step::address(&state, class, instr);
        let index = merkle::leaf_index(addr & 0x7fff_ffff);
        if class == StepClass::SyscallOk && Call::from_number(state.reg(2)) == Call::Write {
            assert_eq!(state.reg(2), WRITE);
            output.extend((0..state.reg(6)).map(|i| memory.byte(state.reg(5) + i)));
        }
        let input = StepInput {
            before: state.clone(),
            code,
            instr,
            leaf: memory.leaf(index),
            siblings: [[0; 32]; DEPTH],
            claim: claim.clone(),
            hint: None,
        };
        let outcome = step::execute(&input, class);
        if !class.runs_on() {
            return ReferenceRun {
                class,
                accepted: outcome.after.status == 1,
                output,
                steps,
            };
        }
        if addr != 0 {
            let leaf = memory.0.entry(index).or_insert([0; 32]);
            let at = (addr & 28) as usize;
            leaf[at..at + 4].copy_from_slice(&outcome.new_word.to_be_bytes());
        }
        for (word, value) in [
            (PC, outcome.after.pc),
            (NEXT_PC, outcome.after.next_pc),
            (HI, outcome.after.hi),
            (LO, outcome.after.lo),
            (HEAP, outcome.after.heap),
            (TLS, outcome.after.tls),
            (LINK, outcome.after.link),
        ] {
            state.words[word] = value;
        }
        state.set_reg(u32::from(outcome.dest), outcome.value);
        match class {
            StepClass::SyscallOk => state.set_reg(7, 0),
            StepClass::SyscallErr => state.set_reg(7, 1),
            _ => {}
        }
    }
    panic!("no end within {limit} steps");
}
