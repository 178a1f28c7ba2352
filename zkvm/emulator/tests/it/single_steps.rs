//! Single steps whose outcome the MIPS32 manual or the protocol page spells out.

use zkvm_emulator::merkle::empty_root;
use zkvm_emulator::sha256::Link;
use zkvm_emulator::state::{HEAP, HI, LINK, LO, NEXT_PC, PC, STATUS, TLS};
use zkvm_emulator::{
    ClaimWords, CodeRange, HintHash, PagedMemory, Preimages, State, StepClass, StepInput, StepRecord, step,
};

const PC0: u32 = 0x1_0000;
const DATA: u32 = 0x2_0000;

struct Setup {
    state: State,
    memory: PagedMemory,
    claim: ClaimWords,
    preimages: Preimages,
}

/// `r4` = 7, `r5` = -3 (0xfffffffd), `r8` = DATA; memory at DATA is 0x11223344 0x8899aabb.
fn setup() -> Setup {
    let mut memory = PagedMemory::new();
    memory.write_bytes(DATA, &[0x11, 0x22, 0x33, 0x44, 0x88, 0x99, 0xaa, 0xbb]);
    let mut state = State {
        words: [0; 39],
        root: [0; 32],
    };
    state.words[PC] = PC0;
    state.words[NEXT_PC] = PC0 + 4;
    state.set_reg(4, 7);
    state.set_reg(5, -3i32 as u32);
    state.set_reg(8, DATA);
    Setup {
        state,
        memory,
        claim: ClaimWords::new(vec![10, 20]).unwrap(),
        preimages: Preimages::new(),
    }
}

impl Setup {
    fn run(mut self, word: u32) -> StepRecord {
        self.memory.write_bytes(self.state.pc() & !3, &word.to_be_bytes());
        self.state.root = self.memory.root();
        let code = CodeRange {
            start: PC0,
            end: PC0 + 0x100,
        };
        let input = StepInput::gather(self.state, code, &self.memory, &self.claim, &self.preimages).unwrap();
        let record = step(&input);
        if record.step_class().unwrap().runs_on() {
            assert_eq!(record.old_path[26], record.before.root);
            self.memory
                .write_bytes(record.addr & !3, &record.outcome.new_word.to_be_bytes());
            assert_eq!(record.after.root, self.memory.root());
        }
        record
    }

    fn regs(mut self, values: &[(u32, u32)]) -> Self {
        for (register, value) in values {
            self.state.set_reg(*register, *value);
        }
        self
    }

    fn word(mut self, index: usize, value: u32) -> Self {
        self.state.words[index] = value;
        self
    }
}

fn r(function: u32, rd: u32, rs: u32, rt: u32) -> u32 {
    rs << 21 | rt << 16 | rd << 11 | function
}

fn i(opcode: u32, rt: u32, rs: u32, imm: i32) -> u32 {
    opcode << 26 | rs << 21 | rt << 16 | (imm as u32 & 0xffff)
}

/// Runs `word`; register 2 after it.
fn v0(values: &[(u32, u32)], word: u32) -> u32 {
    let record = setup().regs(values).run(word);
    assert_eq!(record.class, StepClass::Step.nibble());
    assert_eq!(
        (record.outcome.dest, record.outcome.value),
        (2, record.after.reg(2))
    );
    record.after.reg(2)
}

fn class(setup: Setup, word: u32) -> StepClass {
    let record = setup.run(word);
    let class = record.step_class().unwrap();
    if !class.runs_on() && class != StepClass::Ended {
        let status = record.after.status();
        assert_eq!(
            status,
            if class == StepClass::Exit && record.before.reg(4) == 0 {
                1
            } else {
                2
            }
        );
        let mut words = [0; 39];
        words[STATUS] = status;
        assert_eq!((record.after.words, record.after.root), (words, empty_root()));
        assert_eq!(
            (record.outcome.dest, record.outcome.value, record.outcome.new_word),
            (0, 0, 0)
        );
        assert_eq!((record.old_leaf, record.hint), ([0; 32], [0; 24]));
    }
    class
}

#[test]
fn division() {
    let divide = |function, a: u32, b: u32| {
        let record = setup().regs(&[(4, a), (5, b)]).run(r(function, 0, 4, 5));
        (record.after.words[LO], record.after.words[HI])
    };
    let (min, minus) = (0x8000_0000, 0xffff_ffff);
    assert_eq!(divide(0x1a, 7, -2i32 as u32), (-3i32 as u32, 1));
    assert_eq!(divide(0x1a, -7i32 as u32, 2), (-3i32 as u32, -1i32 as u32));
    assert_eq!(divide(0x1a, min, minus), (min, 0));
    assert_eq!(divide(0x1a, min, 0), (min, 0));
    assert_eq!(divide(0x1a, 5, minus), (-5i32 as u32, 0));
    assert_eq!(divide(0x1b, min, minus), (0, min));
    assert_eq!(divide(0x1b, 9, 0), (9, 0));
}

#[test]
fn multiplication_and_accumulation() {
    let hi_lo = |word, hi, lo| {
        let record = setup().word(HI, hi).word(LO, lo).run(word);
        (record.after.words[HI], record.after.words[LO])
    };
    // 7 * -3 signed and unsigned.
    assert_eq!(hi_lo(r(0x18, 0, 4, 5), 9, 9), (u32::MAX, -21i32 as u32));
    assert_eq!(hi_lo(r(0x19, 0, 4, 5), 9, 9), (6, -21i32 as u32));
    let special2 = 0x1c << 26;
    assert_eq!(hi_lo(special2 | r(0, 0, 4, 5), 0, 21), (0, 0));
    assert_eq!(hi_lo(special2 | r(1, 0, 4, 5), 0, 21), (7, 0));
    assert_eq!(hi_lo(special2 | r(4, 0, 4, 5), 0, 0), (0, 21));
    assert_eq!(hi_lo(special2 | r(5, 0, 4, 5), 6, -21i32 as u32), (0, 0));
    // MUL leaves hi and lo.
    assert_eq!(hi_lo(special2 | r(2, 2, 4, 5), 5, 6), (5, 6));
    assert_eq!(v0(&[], special2 | r(2, 2, 4, 5)), -21i32 as u32);
    assert_eq!(hi_lo(r(0x11, 0, 4, 0), 5, 6), (7, 6));
    assert_eq!(hi_lo(r(0x13, 0, 4, 0), 5, 6), (5, 7));
}

#[test]
fn bit_fields() {
    let special3 = 0x1f << 26;
    let field = |function, lsb: u32, high: u32| special3 | r(function, high, 4, 2) | lsb << 6;
    assert_eq!(v0(&[(4, 0xabcd_1234)], field(0x00, 4, 7)), 0x23);
    assert_eq!(v0(&[(4, 0xabcd_1234)], field(0x00, 0, 31)), 0xabcd_1234);
    assert_eq!(
        v0(&[(4, 0xff), (2, 0x1111_1111)], field(0x04, 8, 15)),
        0x1111_ff11
    );
    assert_eq!(v0(&[(4, 0xff), (2, 0x1111_1111)], field(0x04, 0, 31)), 0xff);
    assert_eq!(
        v0(&[(4, 0xff), (2, 0x1111_1111)], field(0x04, 31, 31)),
        0x9111_1111
    );
    let shuffle = |function: u32| special3 | r(0x20, 2, 0, 4) | function << 6;
    assert_eq!(v0(&[(4, 0x1122_3344)], shuffle(0x02)), 0x2211_4433);
    assert_eq!(v0(&[(4, 0x1122_3384)], shuffle(0x10)), 0xffff_ff84);
    assert_eq!(v0(&[(4, 0x1122_8344)], shuffle(0x18)), 0xffff_8344);
    assert_eq!(v0(&[(4, 0)], 0x1c << 26 | r(0x20, 2, 4, 2)), 32);
    assert_eq!(v0(&[(4, 0)], 0x1c << 26 | r(0x21, 2, 4, 2)), 0);
    assert_eq!(v0(&[(4, 0xf000_0000)], 0x1c << 26 | r(0x21, 2, 4, 2)), 4);
    let rdhwr = setup().word(TLS, 0x77).run(special3 | r(0x3b, 29, 0, 2));
    assert_eq!(rdhwr.after.reg(2), 0x77);
}

#[test]
fn conditional_moves() {
    for (function, rt, moves) in [
        (0x0a, 0, true),
        (0x0a, 5, false),
        (0x0b, 0, false),
        (0x0b, 5, true),
    ] {
        let record = setup().regs(&[(2, 99)]).run(r(function, 2, 4, rt));
        assert_eq!(record.outcome.dest, if moves { 2 } else { 0 });
        assert_eq!(record.outcome.value, 7);
        assert_eq!(record.after.reg(2), if moves { 7 } else { 99 });
    }
}

#[test]
fn register_zero_stays_zero_but_its_value_is_computed() {
    let record = setup().run(r(0x21, 0, 4, 4));
    assert_eq!((record.outcome.dest, record.outcome.value), (0, 14));
    assert_eq!(record.after.words[8..], record.before.words[8..]);
    let load = setup().run(i(0x23, 0, 8, 0));
    assert_eq!(
        (load.outcome.dest, load.outcome.value, load.addr),
        (0, 0x1122_3344, DATA)
    );
    assert_eq!(class(setup(), i(0x23, 0, 8, 1)), StepClass::BadAddress);
}

#[test]
fn loads() {
    for (opcode, offset, expected) in [
        (0x20, 4, 0xffff_ff88), // LB
        (0x24, 5, 0x99),
        (0x21, 6, 0xffff_aabb), // LH
        (0x25, 2, 0x3344),
        (0x23, 4, 0x8899_aabb),
        (0x22, 0, 0x1122_3344), // LWL
        (0x22, 1, 0x2233_4488),
        (0x22, 3, 0x4466_7788),
        (0x26, 0, 0x5566_7711), // LWR
        (0x26, 2, 0x5511_2233),
        (0x26, 3, 0x1122_3344),
    ] {
        assert_eq!(
            v0(&[(2, 0x5566_7788)], i(opcode, 2, 8, offset)),
            expected,
            "{opcode:#x} {offset}"
        );
    }
    let linked = setup().run(i(0x30, 2, 8, 4));
    assert_eq!(
        (linked.after.words[LINK], linked.after.reg(2)),
        ((DATA + 4) | 1, 0x8899_aabb)
    );
}

#[test]
fn stores() {
    for (opcode, offset, expected) in [
        (0x28, 0, 0xdd22_3344u32),
        (0x28, 3, 0x1122_33dd),
        (0x29, 0, 0xccdd_3344),
        (0x29, 2, 0x1122_ccdd),
        (0x2b, 0, 0xaabb_ccdd),
        (0x2a, 0, 0xaabb_ccdd), // SWL
        (0x2a, 1, 0x11aa_bbcc),
        (0x2a, 3, 0x1122_33aa),
        (0x2e, 0, 0xdd22_3344), // SWR
        (0x2e, 2, 0xbbcc_dd44),
        (0x2e, 3, 0xaabb_ccdd),
    ] {
        let record = setup().regs(&[(2, 0xaabb_ccdd)]).run(i(opcode, 2, 8, offset));
        assert_eq!(record.outcome.new_word, expected, "{opcode:#x} {offset}");
        assert_eq!((record.outcome.dest, record.outcome.value), (0, 0));
        assert_eq!(record.new_path[0][..4], expected.to_be_bytes());
        assert_eq!(record.new_path[0][4..], record.old_leaf[4..]);
        assert_ne!(record.after.root, record.before.root);
    }
}

#[test]
fn store_conditional() {
    let sc = i(0x38, 4, 8, 0);
    let stored = setup().word(LINK, DATA | 1).run(sc);
    assert_eq!(
        (
            stored.outcome.new_word,
            stored.after.reg(4),
            stored.after.words[LINK]
        ),
        (7, 1, 0)
    );
    for link in [0, DATA, (DATA + 4) | 1, 1] {
        let failed = setup().word(LINK, link).run(sc);
        assert_eq!((failed.outcome.new_word, failed.after.reg(4)), (0x1122_3344, 0));
        assert_eq!((failed.outcome.dest, failed.after.words[LINK]), (4, 0));
        assert_eq!(failed.after.root, failed.before.root);
    }
    // Also a failing SC may not aim at code.
    let code = setup().regs(&[(8, PC0 + 0x40)]);
    assert_eq!(class(code, sc), StepClass::CodeStore);
}

#[test]
fn branches() {
    let next = |setup: Setup, word| {
        let record = setup.run(word);
        (record.after.pc(), record.after.next_pc(), record.after.reg(31))
    };
    let bne = |imm| i(0x05, 5, 4, imm);
    assert_eq!(next(setup(), bne(8)), (PC0 + 4, PC0 + 4 + 32, 0));
    assert_eq!(next(setup(), bne(-1)), (PC0 + 4, PC0, 0));
    assert_eq!(next(setup().regs(&[(5, 7)]), bne(8)), (PC0 + 4, PC0 + 8, 0));
    // BNEL: taken like BNE, else the delay slot is skipped.
    let bnel = i(0x15, 5, 4, 8);
    assert_eq!(next(setup(), bnel), (PC0 + 4, PC0 + 36, 0));
    assert_eq!(next(setup().regs(&[(5, 7)]), bnel), (PC0 + 8, PC0 + 12, 0));
    // A branch in a delay slot counts from its own address and keeps the pending target as the next instruction.
    assert_eq!(
        next(setup().word(NEXT_PC, PC0 + 0x80), bne(8)),
        (PC0 + 0x80, PC0 + 36, 0)
    );
    assert_eq!(
        next(setup().word(NEXT_PC, PC0 + 0x80).regs(&[(5, 7)]), bnel),
        (PC0 + 0x84, PC0 + 0x88, 0)
    );
    // BLTZAL links also when not taken; so does its likely form.
    assert_eq!(
        next(setup(), 0x01 << 26 | 4 << 21 | 0x10 << 16 | 8),
        (PC0 + 4, PC0 + 8, PC0 + 8)
    );
    assert_eq!(
        next(setup(), 0x01 << 26 | 4 << 21 | 0x12 << 16 | 8),
        (PC0 + 8, PC0 + 12, PC0 + 8)
    );
    assert_eq!(
        next(setup(), 0x01 << 26 | 5 << 21 | 0x10 << 16 | 8),
        (PC0 + 4, PC0 + 36, PC0 + 8)
    );
    // JAL keeps the top four bits of the delay slot's address; JALR reads its target before it links.
    assert_eq!(next(setup(), 0x03 << 26 | 0x100), (PC0 + 4, 0x400, PC0 + 8));
    let jalr = setup().regs(&[(31, 0x1234_5678)]).run(r(0x09, 31, 31, 0));
    assert_eq!((jalr.after.next_pc(), jalr.after.reg(31)), (0x1234_5678, PC0 + 8));
    // A misaligned target is found when it is fetched.
    assert_eq!(next(setup().regs(&[(6, 0x1_0002)]), r(0x08, 0, 6, 0)).1, 0x1_0002);
    assert_eq!(class(setup().word(PC, 0x1_0002), 0), StepClass::FetchFault);
}

#[test]
fn traps_and_faults() {
    let overflow = setup().regs(&[(4, 0x7fff_ffff), (5, 1)]);
    assert_eq!(class(overflow, r(0x20, 2, 4, 5)), StepClass::Overflow);
    let overflow = setup().regs(&[(4, 0x8000_0000)]);
    assert_eq!(class(overflow, i(0x08, 2, 4, -1)), StepClass::Overflow);
    let overflow = setup().regs(&[(4, 0x8000_0000), (5, 1)]);
    assert_eq!(class(overflow, r(0x22, 2, 4, 5)), StepClass::Overflow);
    // Overflow is due also when the result would go to register 0, and never for the unsigned forms.
    let overflow = setup().regs(&[(4, 0x7fff_ffff), (5, 1)]);
    assert_eq!(class(overflow, r(0x20, 0, 4, 5)), StepClass::Overflow);
    assert_eq!(v0(&[(4, 0x7fff_ffff), (5, 1)], r(0x21, 2, 4, 5)), 0x8000_0000);

    assert_eq!(class(setup(), r(0x0d, 0, 0, 0)), StepClass::TrapTaken);
    assert_eq!(class(setup(), r(0x34, 0, 4, 4)), StepClass::TrapTaken);
    assert_eq!(class(setup(), r(0x34, 0, 4, 5)), StepClass::Step);
    assert_eq!(class(setup(), r(0x31, 0, 5, 4)), StepClass::TrapTaken);
    assert_eq!(class(setup(), r(0x30, 0, 5, 4)), StepClass::Step);
    // TGEIU compares with the sign-extended immediate as unsigned.
    assert_eq!(
        class(setup(), 0x01 << 26 | 5 << 21 | 0x09 << 16 | 0xfffd),
        StepClass::TrapTaken
    );
    assert_eq!(
        class(setup(), 0x01 << 26 | 4 << 21 | 0x09 << 16 | 0xfffd),
        StepClass::Step
    );

    assert_eq!(class(setup(), 0x4000_0000), StepClass::Undefined);
    for pc in [PC0 - 4, PC0 + 0x100, 0, 0xffff_fffc] {
        let mut fault = setup().word(PC, pc);
        fault.state.root = fault.memory.root();
        let code = CodeRange {
            start: PC0,
            end: PC0 + 0x100,
        };
        let input =
            StepInput::gather(fault.state, code, &fault.memory, &fault.claim, &fault.preimages).unwrap();
        let record = step(&input);
        assert_eq!(record.class, StepClass::FetchFault.nibble());
        assert_eq!((record.instr, record.rs, record.rt, record.addr), (0, 0, 0, 0));
    }
    for (base, opcode, offset) in [
        (0x1000, 0x23, -4),
        (0, 0x24, 0),
        (0x7fff_fffc, 0x23, 4),
        (DATA, 0x23, 2),
        (DATA, 0x21, 1),
        (DATA, 0x29, 1),
    ] {
        let record = setup().regs(&[(8, base)]).run(i(opcode, 2, 8, offset));
        assert_eq!(record.class, StepClass::BadAddress.nibble());
        assert_eq!(record.addr, base.wrapping_add(offset as u32));
    }
    assert_eq!(
        class(setup().regs(&[(8, 0x1000)]), i(0x23, 2, 8, 0)),
        StepClass::Step
    );
    assert_eq!(
        class(setup().regs(&[(8, 0x7fff_fffc)]), i(0x2b, 2, 8, 0)),
        StepClass::Step
    );
    for opcode in [0x28, 0x29, 0x2a, 0x2b, 0x2e] {
        assert_eq!(
            class(setup().regs(&[(8, PC0 + 0xfc)]), i(opcode, 2, 8, 0)),
            StepClass::CodeStore
        );
        assert_eq!(
            class(setup().regs(&[(8, PC0 + 0x100)]), i(opcode, 2, 8, 0)),
            StepClass::Step
        );
    }
    // A bad address comes before code.
    assert_eq!(
        class(setup().regs(&[(8, PC0 + 0x11)]), i(0x2b, 2, 8, 0)),
        StepClass::BadAddress
    );
}

const SYSCALL: u32 = 0x0c;

fn call(number: u32, arguments: &[u32]) -> Setup {
    let mut setup = setup().regs(&[(2, number), (7, 0x55)]);
    for (i, argument) in arguments.iter().enumerate() {
        setup.state.set_reg(4 + i as u32, *argument);
    }
    setup
}

#[test]
fn system_calls() {
    let answer = |setup: Setup| {
        let record = setup.run(SYSCALL);
        assert!(record.step_class().unwrap().runs_on());
        assert_eq!(record.outcome.dest, 2);
        assert_eq!(record.after.root, record.before.root);
        assert_eq!(
            record.after.reg(7),
            u32::from(record.class == StepClass::SyscallErr.nibble())
        );
        (record.after.reg(2), record.after.reg(7), record)
    };
    let (value, error, _) = answer(call(4004, &[1, 0xffff_fff0, 77]));
    assert_eq!((value, error), (77, 0));
    let (value, error, _) = answer(call(4321, &[]));
    assert_eq!((value, error), (89, 1));
    let (value, error, _) = answer(call(9004, &[DATA, 99]));
    assert_eq!((value, error), (89, 1));
    let (value, error, record) = answer(call(4283, &[0x1234]));
    assert_eq!((value, error, record.after.words[TLS]), (0, 0, 0x1234));
    let (value, error, record) = answer(call(4090, &[0, 5000]).word(HEAP, 0x2000_0000));
    assert_eq!(
        (value, error, record.after.words[HEAP]),
        (0x2000_0000, 0, 0x2000_2000)
    );
    let (value, error, record) = answer(call(4090, &[0, 5000]).word(HEAP, 0x6fff_f000));
    assert_eq!((value, error, record.after.words[HEAP]), (12, 1, 0x6fff_f000));
    let (value, error, record) = answer(call(4210, &[0x5000, 0]).word(HEAP, 0x3000));
    assert_eq!((value, error, record.after.words[HEAP]), (0x5000, 0, 0x3000));
    let (value, error, _) = answer(call(9001, &[1]));
    assert_eq!((value, error), (20, 0));

    assert_eq!(class(call(9001, &[2]), SYSCALL), StepClass::BadClaim);
    assert_eq!(class(call(9001, &[u32::MAX]), SYSCALL), StepClass::BadClaim);
    assert_eq!(class(call(4001, &[0]), SYSCALL), StepClass::Exit);
    assert_eq!(class(call(4246, &[1]), SYSCALL), StepClass::Exit);
    for (key, index) in [
        (DATA, 16),
        (DATA + 4, 0),
        (0xfe0, 0),
        (0x8000_0000, 0),
        (DATA, u32::MAX),
    ] {
        let record = call(9002, &[key, index]).run(SYSCALL);
        assert_eq!((record.class, record.addr), (StepClass::BadHint.nibble(), key));
        assert_eq!(record.hint, [0; 24]);
    }
    for (key, index) in [
        (DATA, 24),
        (DATA + 31, 23),
        (0xfe0, 23),
        (0x8000_0000, 0),
        (DATA, u32::MAX),
    ] {
        let record = call(9003, &[key, index]).run(SYSCALL);
        assert_eq!((record.class, record.addr), (StepClass::BadHint.nibble(), key));
        assert_eq!(record.hint, [0; 24]);
    }
}

#[test]
fn sha256_hints() {
    let link = Link::from_bytes(&std::array::from_fn(|i| i as u8));
    for (index, word) in [
        (0, 0x0001_0203),
        (7, 0x1c1d_1e1f),
        (8, 0x2021_2223),
        (23, 0x5c5d_5e5f),
    ] {
        let mut setup = call(9003, &[DATA + 0x40, index]);
        let digest = setup.preimages.insert_sha256(link);
        setup.memory.write_bytes(DATA + 0x40, &digest);
        let record = setup.run(SYSCALL);
        assert_eq!(record.class, StepClass::SyscallOk.nibble());
        assert_eq!(
            (
                record.after.reg(2),
                record.after.reg(7),
                record.addr,
                record.old_leaf
            ),
            (word, 0, DATA + 0x40, digest)
        );
        assert_eq!(record.hint, link.words());
    }
}

/// A digest whose preimage is known under the other hash has none.
#[test]
fn hints_do_not_cross_hashes() {
    let code = CodeRange {
        start: PC0,
        end: PC0 + 4,
    };
    for (number, other) in [(9002, HintHash::Blake3), (9003, HintHash::Sha256)] {
        let mut setup = call(number, &[DATA, 0]);
        let link = Link::from_bytes(&[5; 96]);
        let digest = match other {
            HintHash::Blake3 => setup.preimages.insert_sha256(link),
            HintHash::Sha256 => setup.preimages.insert(link.block),
        };
        setup.memory.write_bytes(DATA, &digest);
        setup.memory.write_bytes(PC0, &SYSCALL.to_be_bytes());
        let missing =
            StepInput::gather(setup.state, code, &setup.memory, &setup.claim, &setup.preimages).unwrap_err();
        assert_eq!((missing.hash, missing.digest), (other, digest));
    }
}

#[test]
fn hints() {
    let preimage: [u8; 64] = std::array::from_fn(|i| i as u8);
    let mut setup = call(9002, &[DATA + 0x40, 15]);
    let digest = setup.preimages.insert(preimage);
    setup.memory.write_bytes(DATA + 0x40, &digest);
    let record = setup.run(SYSCALL);
    assert_eq!(record.class, StepClass::SyscallOk.nibble());
    assert_eq!(
        (record.after.reg(2), record.addr, record.old_leaf),
        (0x3c3d_3e3f, DATA + 0x40, digest)
    );
    assert_eq!(record.hint[..8], [0; 8]);
    assert_eq!((record.hint[8], record.hint[23]), (0x0001_0203, 0x3c3d_3e3f));

    let mut unknown = call(9002, &[DATA, 0]);
    unknown.memory.write_bytes(PC0, &SYSCALL.to_be_bytes());
    let code = CodeRange {
        start: PC0,
        end: PC0 + 4,
    };
    let leaf: [u8; 32] = unknown.memory.read_bytes(DATA, 32).try_into().unwrap();
    let missing = StepInput::gather(
        unknown.state,
        code,
        &unknown.memory,
        &unknown.claim,
        &unknown.preimages,
    )
    .unwrap_err();
    assert_eq!((missing.hash, missing.digest), (HintHash::Blake3, leaf));
}

#[test]
fn ended_states_repeat() {
    for state in [State::accepted(), State::rejected()] {
        let mut ended = setup();
        ended.state = state.clone();
        ended.memory = PagedMemory::new();
        let code = CodeRange {
            start: PC0,
            end: PC0 + 4,
        };
        let input =
            StepInput::gather(ended.state, code, &ended.memory, &ended.claim, &ended.preimages).unwrap();
        let record = step(&input);
        assert_eq!(record.class, StepClass::Ended.nibble());
        assert_eq!(record.after, state);
        assert_eq!(record.outcome.after.status, state.status());
        assert_eq!(record.digests, record.digests_after);
    }
}
