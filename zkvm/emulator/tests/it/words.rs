//! Random instruction words of every operation, and random programs that have something to do.

use std::sync::LazyLock;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use zkvm_emulator::sha256::Link;
use zkvm_emulator::{CodeRange, Instruction, Operation, PagedMemory, Program, State};

pub(crate) const CODE_START: u32 = 0x2_0000;
pub(crate) const CODE_WORDS: u32 = 96;
pub(crate) const DATA: u32 = 0x5_0fe0;

/// One word for each operation, all other fields zero where that is possible.
static TEMPLATES: LazyLock<Vec<(Operation, u32)>> = LazyLock::new(|| {
    let mut templates: Vec<(Operation, u32)> = Vec::new();
    let mut add = |word| {
        if let Some(instruction) = Instruction::decode(word)
            && !templates.iter().any(|(op, _)| *op == instruction.op)
        {
            templates.push((instruction.op, word));
        }
    };
    for opcode in 0..64u32 {
        for function in 0..64u32 {
            add(opcode << 26 | function);
            add(opcode << 26 | 1 << 21 | function);
            add(opcode << 26 | 1 << 6 | function);
            add(opcode << 26 | function << 16);
            add(opcode << 26 | 29 << 11 | function);
            for low in 0..32 {
                add(opcode << 26 | low << 6 | function);
            }
        }
    }
    assert_eq!(templates.len(), Operation::ALL.len());
    templates
});

/// A random word that is `op`: every field that does not select the operation is drawn.
pub(crate) fn word_of(op: Operation, rng: &mut StdRng) -> u32 {
    let template = TEMPLATES
        .iter()
        .find(|(listed, _)| *listed == op)
        .expect("every operation is listed")
        .1;
    for _ in 0..64 {
        let word = (template & 0xfc00_003f) | (rng.r#gen::<u32>() & 0x03ff_ffc0);
        let word = if template >> 26 == 1 {
            (word & !0x001f_0000) | (template & 0x001f_0000)
        } else {
            word
        };
        let word = if matches!(op, Operation::Rdhwr) {
            word & !0xf800 | 29 << 11
        } else {
            word
        };
        let word = if matches!(op, Operation::Wsbh | Operation::Seb | Operation::Seh) {
            word & !0x7c0 | (template & 0x7c0)
        } else {
            word
        };
        let word = if template >> 26 > 1 && !matches!(template >> 26, 0x1c | 0x1f) {
            word & !0x3f | rng.r#gen::<u32>() & 0x3f
        } else {
            word
        };
        if Instruction::decode(word).is_some_and(|instruction| instruction.op == op) {
            return word;
        }
    }
    template
}

/// Any defined operation, the useful ones more often.
fn useful_word(rng: &mut StdRng) -> u32 {
    let op = Operation::ALL[rng.gen_range(0..Operation::ALL.len())];
    let word = word_of(op, rng);
    let with_rs = |word: u32, rs: u32| word & !(31 << 21) | rs << 21;
    let with_imm = |word: u32, imm: i32| word & !0xffff | (imm as u32 & 0xffff);
    if op.is_load() || op.is_store() {
        // Pointers lie in r8..r15; sometimes anything goes.
        if rng.gen_bool(0.95) {
            let align = (op.alignment() - 1) as i32;
            let imm = rng.gen_range(-64..64) & if rng.gen_bool(0.98) { !align } else { !0 };
            return with_imm(with_rs(word, rng.gen_range(8..16)), imm);
        }
    } else if matches!(op, Operation::Jr | Operation::Jalr) {
        if rng.gen_bool(0.95) {
            return with_rs(word, rng.gen_range(16..20));
        }
    } else if matches!(op, Operation::J | Operation::Jal) {
        let target = CODE_START + 4 * rng.gen_range(0..CODE_WORDS);
        return word & !0x03ff_ffff | target >> 2;
    } else if op.is_branch() && rng.gen_bool(0.98) {
        return with_imm(word, rng.gen_range(-12..12));
    } else if op == Operation::Break && rng.gen_bool(0.8) {
        return 0;
    }
    word
}

const CALLS: [u32; 16] = [
    4001, 4246, 4004, 4090, 4210, 4283, 9001, 9001, 9002, 9002, 9003, 4045, 4240, 4120, 4005, 77,
];

/// Values that arithmetic gets wrong first.
const EDGES: [u32; 12] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xffff_ffff,
];

fn value(rng: &mut StdRng) -> u32 {
    if rng.gen_bool(0.5) {
        EDGES[rng.gen_range(0..EDGES.len())]
    } else {
        rng.r#gen()
    }
}

/// A random program with its data, and a state somewhere in it.
pub(crate) fn random_program(seed: u64) -> (Program, State) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut words = Vec::new();
    while words.len() < CODE_WORDS as usize {
        match rng.gen_range(0..100) {
            // Rarely a word that may not be defined.
            0 => words.push(rng.r#gen()),
            // A system call with its number and sensible arguments.
            1..=4 => {
                let number = CALLS[rng.gen_range(0..CALLS.len())];
                let a1 = rng.gen_range(0..18);
                words.extend([0x2402_0000 | number, 0x2405_0000 | a1, 0x0c]);
            }
            // r9 is aligned to a leaf: a hint's key.
            5 => words.extend([
                0x2402_0000 | 9002,
                0x0120_2025,
                0x2405_0000 | rng.gen_range(0..17),
                0x0c,
            ]),
            8 => words.extend([
                0x2402_0000 | 9003,
                0x0120_2025,
                0x2405_0000 | rng.gen_range(0..25),
                0x0c,
            ]),
            6 => words.extend([0x2402_0000 | 9001, 0x2404_0000 | rng.gen_range(0..5), 0x0c]),
            7 => words.extend([0x2402_0000 | 4090, rng.gen_range(0..2) * 0x0000_2025, 0x0c]),
            _ => words.push(useful_word(&mut rng)),
        }
    }
    words.truncate(CODE_WORDS as usize);
    let mut memory = PagedMemory::new();
    for (i, word) in words.iter().enumerate() {
        memory.write_bytes(CODE_START + 4 * i as u32, &word.to_be_bytes());
    }
    let mut data = [0u8; 128];
    rng.fill(&mut data[..]);
    memory.write_bytes(DATA, &data);
    let digests = [known_preimage().1, known_link().digest()];
    memory.write_bytes(0x5_1000, &digests[rng.gen_range(0..2)]);
    let code = CodeRange {
        start: CODE_START,
        end: CODE_START + 4 * CODE_WORDS,
    };
    let program = Program::assemble(memory, code, CODE_START, 0, Vec::new());
    let mut state = program.initial_state();
    for word in &mut state.words {
        *word = value(&mut rng);
    }
    for r in 8..16 {
        state.set_reg(r, DATA + 4 * rng.gen_range(0..16));
    }
    state.set_reg(9, 0x5_1000);
    for r in 16..20 {
        state.set_reg(r, CODE_START + 4 * rng.gen_range(0..CODE_WORDS));
    }
    match rng.gen_range(0..50) {
        // Pointers at the edges of memory and of code.
        0 => state.set_reg(8, 0x1000),
        1 => state.set_reg(8, 0x7fff_fff0),
        2 => state.set_reg(8, 0xffff_fff0),
        3 => state.set_reg(8, CODE_START + 4 * CODE_WORDS),
        _ => {}
    }
    state.words[zkvm_emulator::state::PC] = CODE_START + 4 * rng.gen_range(0..CODE_WORDS);
    state.words[zkvm_emulator::state::NEXT_PC] = if rng.gen_bool(0.9) {
        state.words[zkvm_emulator::state::PC] + 4
    } else {
        CODE_START + 4 * rng.gen_range(0..CODE_WORDS)
    };
    state.words[zkvm_emulator::state::STATUS] = if rng.gen_bool(0.02) {
        1 + rng.gen_range(0..2)
    } else {
        0
    };
    state.words[zkvm_emulator::state::HEAP] = if rng.gen_bool(0.8) {
        0x2000_0000
    } else {
        0x7000_0000
    };
    if state.words[zkvm_emulator::state::LINK] & 1 == 0 {
        state.words[zkvm_emulator::state::LINK] = DATA | 1;
    }
    if state.is_ended() {
        let accepted = state.status() == 1;
        state = if accepted {
            State::accepted()
        } else {
            State::rejected()
        };
    }
    (program, state)
}

/// A preimage and its digest, which random programs hold at 0x51000.
pub(crate) fn known_preimage() -> ([u8; 64], [u8; 32]) {
    let preimage: [u8; 64] = std::array::from_fn(|i| (i as u8).wrapping_mul(73) ^ 0xc5);
    (preimage, *blake3::hash(&preimage).as_bytes())
}

/// What SHA-256's compression maps to the other digest that random programs may hold at 0x51000.
pub(crate) fn known_link() -> Link {
    Link::from_bytes(&std::array::from_fn(|i| (i as u8).wrapping_mul(41) ^ 0x3a))
}
