//! Programs that execute every defined instruction on edge and random operands and print what happened.
//!
//! What MIPS32 leaves open and qemu decides in another way than `docs/protocol.md` is left out, each with its reason at
//! the place: search for "Left out".

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use zkvm_emulator::Operation::{self, *};

use crate::assembler::{CODE, DATA, Fields, OUT, Program, SCRATCH};

/// Values at which something changes: signs, carries, bytes and halves, shift amounts.
const EDGES: [u32; 16] = [
    0,
    1,
    2,
    31,
    32,
    0x7f,
    0x80,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_fffe,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xffff_fffe,
    0xffff_ffff,
];

const IMMEDIATES: [u32; 8] = [0, 1, 31, 0x7ffe, 0x7fff, 0x8000, 0x8001, 0xffff];

/// A random value, often an edge, a value near one, or one with few significant bits.
fn value(rng: &mut StdRng) -> u32 {
    let edge = EDGES[rng.gen_range(0..EDGES.len())];
    match rng.gen_range(0..5) {
        0 => edge,
        1 => edge.wrapping_add(rng.gen_range(0..7)).wrapping_sub(3),
        2 => rng.r#gen::<u32>() >> rng.gen_range(0..32),
        _ => rng.r#gen(),
    }
}

/// All pairs of edges, then `random` other pairs.
fn pairs(rng: &mut StdRng, random: usize) -> Vec<(u32, u32)> {
    let mut pairs: Vec<_> = EDGES
        .iter()
        .flat_map(|a| EDGES.iter().map(|b| (*a, *b)))
        .collect();
    pairs.extend((0..random).map(|_| (value(rng), value(rng))));
    pairs
}

/// A register that may be under test; 0 included.
fn register(rng: &mut StdRng) -> u32 {
    loop {
        let r = rng.gen_range(0..32);
        if r != SCRATCH && r != OUT {
            return r;
        }
    }
}

/// Fields with random registers; sometimes two of them are the same.
fn registers(rng: &mut StdRng) -> Fields {
    let (rs, rt, rd) = (register(rng), register(rng), register(rng));
    let (rs, rt, rd) = match rng.gen_range(0..8) {
        0 => (rs, rs, rd),
        1 => (rs, rt, rs),
        2 => (rs, rt, rt),
        3 => (rs, rs, rs),
        _ => (rs, rt, rd),
    };
    Fields {
        rs,
        rt,
        rd,
        ..Fields::default()
    }
}

/// The program under construction with its randomness.
struct Maker {
    program: Program,
    rng: StdRng,
    cases: usize,
}

impl Maker {
    fn new(seed: u64, data: &[u8]) -> Self {
        let mut maker = Maker {
            program: Program::new(data),
            rng: StdRng::seed_from_u64(seed),
            cases: 0,
        };
        for register in (1..32).filter(|r| ![SCRATCH, OUT].contains(r)) {
            let value = maker.rng.r#gen();
            maker.program.li(register, value);
        }
        maker
    }

    /// Records the registers that an instruction names, hi and lo; now and then all registers.
    fn record(&mut self, f: Fields) {
        for register in [f.rd, f.rt, f.rs] {
            self.program.record(register);
        }
        self.program.record_hi_lo();
        self.cases += 1;
        if self.cases.is_multiple_of(16) {
            self.program.record_all();
        }
    }

    /// One instruction on operands `rs`, `rt`.
    fn instruction(&mut self, op: Operation, f: Fields, rs: u32, rt: u32) {
        self.program.case(format!("{op} rs={rs:#x} rt={rt:#x} {f:?}"));
        self.program.li(f.rs, rs);
        self.program.li(f.rt, rt);
        self.program.test(op, f);
        self.record(f);
    }
}

/// Whether the instruction ends the run on these operands; the rejections are tested one by one elsewhere.
fn ends(op: Operation, rs: u32, rt: u32, imm: u32) -> bool {
    let (a, b, simm) = (rs as i32, rt as i32, imm as u16 as i16 as i32);
    match op {
        Add => a.checked_add(b).is_none(),
        Sub => a.checked_sub(b).is_none(),
        Addi => a.checked_add(simm).is_none(),
        Tge => a >= b,
        Tgeu => rs >= rt,
        Tlt => a < b,
        Tltu => rs < rt,
        Teq => rs == rt,
        Tne => rs != rt,
        Tgei => a >= simm,
        Tgeiu => rs >= simm as u32,
        Tlti => a < simm,
        Tltiu => rs < simm as u32,
        Teqi => a == simm,
        Tnei => a != simm,
        _ => false,
    }
}

/// The operands that an instruction sees: `rt` wins if both are one register, and register 0 is 0.
fn seen(f: Fields, rs: u32, rt: u32) -> (u32, u32) {
    let see = |r, v| if r == 0 { 0 } else { v };
    (see(f.rs, if f.rs == f.rt { rt } else { rs }), see(f.rt, rt))
}

/// Instructions on two registers, traps that do not fire among them.
pub(crate) fn two_registers(seed: u64) -> Program {
    let mut m = Maker::new(seed, &[]);
    for op in [
        Sllv, Srlv, Rotrv, Srav, Movz, Movn, Add, Addu, Sub, Subu, And, Or, Xor, Nor, Slt, Sltu, Mul, Tge,
        Tgeu, Tlt, Tltu, Teq, Tne,
    ] {
        for (rs, rt) in pairs(&mut m.rng, 60) {
            let mut f = registers(&mut m.rng);
            if matches!(op, Tge | Tgeu | Tlt | Tltu | Teq | Tne) {
                f.rd = 0;
            }
            let (a, b) = seen(f, rs, rt);
            if !ends(op, a, b, 0) {
                m.instruction(op, f, rs, rt);
            }
        }
    }
    m.program
}

/// Instructions on one register: rotations and shifts by a constant, counts, sign extension, bit fields.
pub(crate) fn one_register(seed: u64) -> Program {
    let mut m = Maker::new(seed, &[]);
    for op in [Sll, Srl, Rotr, Sra] {
        for sa in 0..32 {
            for _ in 0..6 {
                let (rs, rt) = (value(&mut m.rng), value(&mut m.rng));
                let f = Fields {
                    sa,
                    rs: 0,
                    ..registers(&mut m.rng)
                };
                m.instruction(op, f, rs, rt);
            }
        }
    }
    for op in [Clz, Clo, Wsbh, Seb, Seh] {
        for i in 0..120 {
            let rt = EDGES.get(i).copied().unwrap_or_else(|| value(&mut m.rng));
            let mut f = registers(&mut m.rng);
            if matches!(op, Clz | Clo) {
                // The manual wants rt = rd here.
                f.rt = f.rd;
                m.instruction(op, Fields { rs: f.rs, ..f }, rt, !rt);
            } else {
                f.rs = 0;
                m.instruction(op, f, 0, rt);
            }
        }
    }
    for lsb in 0..32 {
        for msb in lsb..32 {
            for (op, rd) in [(Ext, msb - lsb), (Ins, msb)] {
                let f = Fields {
                    rd,
                    sa: lsb,
                    ..registers(&mut m.rng)
                };
                let (rs, rt) = (value(&mut m.rng), value(&mut m.rng));
                m.program.case(format!("{op} rs={rs:#x} rt={rt:#x} {f:?}"));
                m.program.li(f.rt, rt);
                m.program.li(f.rs, rs);
                m.program.test(op, f);
                // rd is no register here.
                m.record(Fields { rd: f.rt, ..f });
            }
        }
    }
    m.program
}

/// Instructions on a register and an immediate.
pub(crate) fn immediates(seed: u64) -> Program {
    let mut m = Maker::new(seed, &[]);
    for op in [
        Addi, Addiu, Slti, Sltiu, Andi, Ori, Xori, Lui, Tgei, Tgeiu, Tlti, Tltiu, Teqi, Tnei,
    ] {
        let mut operands: Vec<_> = EDGES
            .iter()
            .flat_map(|a| IMMEDIATES.iter().map(|b| (*a, *b)))
            .collect();
        operands.extend((0..60).map(|_| (value(&mut m.rng), m.rng.gen_range(0..0x1_0000))));
        // Equal operands, which TNEI lets pass.
        operands.extend((0..80).map(|_| {
            let imm: u32 = m.rng.gen_range(0..0x1_0000);
            (imm as u16 as i16 as u32, imm)
        }));
        for (rs, imm) in operands {
            let mut f = Fields {
                imm,
                ..registers(&mut m.rng)
            };
            f.rd = f.rt;
            if op == Lui {
                f.rs = 0;
            }
            let rt = value(&mut m.rng);
            let (a, b) = seen(f, rs, rt);
            if !ends(op, a, b, imm) {
                m.instruction(op, f, rs, rt);
            }
        }
    }
    m.program
}

/// Instructions that use hi and lo, division by zero and of the smallest number by -1 among them.
pub(crate) fn hi_lo(seed: u64) -> Program {
    let mut m = Maker::new(seed, &[]);
    for op in [Mult, Multu, Div, Divu, Madd, Maddu, Msub, Msubu, Mthi, Mtlo] {
        for (rs, rt) in pairs(&mut m.rng, 100) {
            let mut f = Fields {
                rd: 0,
                ..registers(&mut m.rng)
            };
            if matches!(op, Mthi | Mtlo) {
                f.rt = 0;
            }
            for set in [Mthi, Mtlo] {
                let before = value(&mut m.rng);
                m.program.li(SCRATCH, before);
                let from_scratch = Fields {
                    rs: SCRATCH,
                    ..Fields::default()
                };
                m.program.op(set, from_scratch);
            }
            m.instruction(op, f, rs, rt);
            for (get, rd) in [(Mfhi, register(&mut m.rng)), (Mflo, register(&mut m.rng))] {
                let fields = Fields {
                    rd,
                    ..Fields::default()
                };
                m.program.test(get, fields);
                m.program.record(rd);
            }
        }
    }
    m.program
}

/// Loads and stores at every offset that their alignment allows, with positive, negative and zero displacement. The data
/// itself is printed too. PREF and SYNCI, which must change nothing, are mixed in.
pub(crate) fn memory(seed: u64) -> Program {
    const CELLS: u32 = 512;
    let mut filler = StdRng::seed_from_u64(seed);
    let data: Vec<u8> = (0..CELLS).map(|_| filler.r#gen()).collect();
    let mut m = Maker::new(seed, &data);
    for op in [
        Lb, Lbu, Lh, Lhu, Lw, Lwl, Lwr, Ll, Sb, Sh, Sw, Swl, Swr, Pref, Synci,
    ] {
        for i in 0..200 {
            let step = op.alignment();
            let addr = DATA + 8 + m.rng.gen_range(0..(CELLS - 16) / step) * step;
            // Every residue early on, with the plain displacement 0.
            let addr = if i < 8 { DATA + 64 + i / step * step } else { addr };
            let imm = match m.rng.gen_range(0..4) {
                _ if i < 8 => 0,
                0 => 0,
                1 => EDGES[m.rng.gen_range(0..EDGES.len())] & 0xffff,
                _ => m.rng.gen_range(0..0x1_0000),
            };
            let mut f = Fields {
                imm,
                ..registers(&mut m.rng)
            };
            while f.rs == 0 {
                f.rs = register(&mut m.rng);
            }
            f.rd = 0;
            let base = addr.wrapping_sub(imm as u16 as i16 as i32 as u32);
            let stored = value(&mut m.rng);
            m.program
                .case(format!("{op} addr={addr:#x} rt={stored:#x} {f:?}"));
            m.program.li(f.rt, stored);
            m.program.li(f.rs, base);
            m.program.test(op, f);
            m.record(f);
            for offset in [0xfffc, 0, 4] {
                m.program.li(SCRATCH, addr & !3);
                let fields = Fields {
                    rs: SCRATCH,
                    rt: SCRATCH,
                    imm: offset,
                    ..Fields::default()
                };
                m.program.op(Lw, fields);
                m.program.record(SCRATCH);
            }
        }
    }
    m.program
}

/// LL and SC: the pair that succeeds, an SC elsewhere, an SC without LL.
///
/// Left out: an SC after a plain store to the linked word, and an SC to the word whose link an SC has used with the value
/// that the LL saw. MIPS32 leaves both open ("unpredictable" and "may fail"); qemu compares memory with the value that the
/// LL read, the protocol only looks at `link`.
pub(crate) fn linked(seed: u64) -> Program {
    let mut m = Maker::new(seed, &[0x5a; 256]);
    let cell = |m: &mut Maker| DATA + 16 + 4 * m.rng.gen_range(0..32u32);
    let at = |rs, rt| Fields {
        rs,
        rt,
        ..Fields::default()
    };
    for i in 0..300u32 {
        let (addr, stored) = (cell(&mut m), value(&mut m.rng) ^ i);
        let elsewhere = if addr > DATA + 64 { addr - 4 } else { addr + 4 };
        m.program.li(8, addr);
        m.program.li(9, elsewhere);
        m.program.li(11, stored);
        m.program
            .case(format!("ll/sc round {i} addr={addr:#x} value={stored:#x}"));
        match i % 4 {
            // Success; then an SC whose link is used up: the cell no longer holds what the LL saw.
            0 => {
                m.program.test(Ll, at(8, 10));
                m.program.op(
                    Addu,
                    Fields {
                        rs: 10,
                        rt: 11,
                        rd: 12,
                        ..Fields::default()
                    },
                );
                m.program.addiu(12, 12, 1);
                m.program.li(13, 0x4000_0000);
                m.program.op(
                    Xor,
                    Fields {
                        rs: 10,
                        rt: 13,
                        rd: 12,
                        ..Fields::default()
                    },
                );
                m.program.test(Sc, at(8, 12));
                m.program.test(Sc, at(8, 11));
            }
            // The SC goes elsewhere; a later one at the right place comes too late, for its link is gone.
            1 => {
                m.program.test(Ll, at(8, 10));
                m.program.test(Sc, at(9, 11));
            }
            // Two LLs: the second counts.
            2 => {
                m.program.test(Ll, at(9, 10));
                m.program.test(Ll, at(8, 13));
                m.program.test(Sc, at(8, 11));
                m.program.record(13);
            }
            // Into register 0, and with the base as destination.
            _ => {
                m.program.test(Ll, at(8, 0));
                m.program.test(Sc, at(8, 8));
                m.program.record(8);
                m.program.li(8, addr);
            }
        }
        for register in [10, 11, 12] {
            m.program.record(register);
        }
        for base in [8, 9] {
            m.program.op(Lw, at(base, SCRATCH));
            m.program.record(SCRATCH);
        }
    }
    m.program
}

/// Conditional branches, taken and not, forward and backward, plain, likely and linking, with delay slots that change the
/// branch's own operand.
///
/// Left out: a branch in a delay slot and a linking branch whose operand is register 31 (the manual calls both
/// unpredictable; the protocol defines them, qemu stops at the first).
pub(crate) fn branches(seed: u64) -> Program {
    let mut m = Maker::new(seed, &[]);
    for op in [
        Beq, Bne, Blez, Bgtz, Beql, Bnel, Blezl, Bgtzl, Bltz, Bgez, Bltzl, Bgezl, Bltzal, Bgezal, Bltzall,
        Bgezall,
    ] {
        for i in 0..160 {
            let (rs, rt) = match i {
                0..16 => (EDGES[i], EDGES[i]),
                16..32 => (EDGES[i - 16], EDGES[(i + 1) % 16]),
                _ => {
                    let a = value(&mut m.rng);
                    (a, if m.rng.r#gen() { a } else { value(&mut m.rng) })
                }
            };
            let mut f = registers(&mut m.rng);
            while matches!(op, Bltzal | Bgezal | Bltzall | Bgezall) && f.rs == 31 {
                f.rs = register(&mut m.rng);
            }
            if !matches!(op, Beq | Bne | Beql | Bnel) {
                f.rt = 0;
            }
            let backward = m.rng.r#gen();
            m.program
                .case(format!("{op} rs={rs:#x} rt={rt:#x} backward={backward} {f:?}"));
            m.program.li(f.rs, rs);
            m.program.li(f.rt, rt);
            m.program.addiu(SCRATCH, 0, 0);
            // The delay slot marks that it ran, or changes the operand, which comes too late.
            let slot = if m.rng.r#gen() {
                (SCRATCH, SCRATCH, 1)
            } else {
                (f.rs, f.rs, 0x7fff)
            };
            if backward {
                // b over; nop; target: scratch += 4; b done; nop; over: branch target; slot; scratch += 2; done:
                branch(&mut m.program, 4);
                m.program.nop();
                m.program.addiu(SCRATCH, SCRATCH, 4);
                branch(&mut m.program, 4);
                m.program.nop();
                f.imm = -4i32 as u32;
            } else {
                // branch done; slot; scratch += 2; done:
                f.imm = 2;
            }
            m.program.test(op, f);
            m.program.addiu(slot.0, slot.1, slot.2);
            m.program.addiu(SCRATCH, SCRATCH, 2);
            m.program.record(SCRATCH);
            m.program.record(31);
            m.record(f);
        }
    }
    m.program
}

/// An always taken branch over `words` words after its delay slot's start.
fn branch(program: &mut Program, words: u32) {
    let fields = Fields {
        imm: words,
        ..Fields::default()
    };
    program.op(Beq, fields);
}

/// J, JAL, JR and JALR.
///
/// Left out: JALR with rs = rd (unpredictable in the manual).
pub(crate) fn jumps(seed: u64) -> Program {
    let mut m = Maker::new(seed, &[]);
    for op in [J, Jal, Jr, Jalr] {
        for i in 0..120 {
            let mut f = registers(&mut m.rng);
            while f.rs == 0 || (op == Jalr && f.rs == f.rd) {
                f.rs = register(&mut m.rng);
            }
            if op == Jalr && i % 3 == 0 && f.rs != 31 {
                f.rd = 31;
            }
            f.rt = 0;
            m.program.case(format!("{op} {f:?}"));
            m.program.addiu(SCRATCH, 0, 0);
            // [li rs, target]; jump; slot; scratch += 2; target:
            let target = m.program.here() + 8 + 12;
            m.program.li(f.rs, target);
            match op {
                J | Jal => m.program.jump(op, target),
                Jr => m.program.test(op, Fields { rd: 0, ..f }),
                _ => m.program.test(op, f),
            }
            m.program.addiu(SCRATCH, SCRATCH, 1);
            m.program.addiu(SCRATCH, SCRATCH, 2);
            m.program.record(SCRATCH);
            m.program.record(31);
            m.record(f);
        }
    }
    assert!(m.program.here() - CODE < 1 << 28);
    m.program
}

/// SYNC, RDHWR of the thread pointer, and system calls that both machines answer alike.
pub(crate) fn system(seed: u64) -> Program {
    let mut m = Maker::new(seed, &[]);
    for i in 0..40 {
        let tls = value(&mut m.rng);
        let rt = register(&mut m.rng);
        m.program
            .case(format!("set_thread_area({tls:#x}), rdhwr to {rt}"));
        m.program.syscall(4283, &[tls]);
        m.program.record(2);
        m.program.record(7);
        m.program.test(
            Rdhwr,
            Fields {
                rt,
                ..Fields::default()
            },
        );
        m.program.record(rt);
        m.program.test(Sync, Fields::default());
        m.program.record_all();
        if i % 4 == 0 {
            // A number that neither Linux nor the machine knows; then a write of nothing.
            for (number, arguments) in [(4990, &[1, 2, 3][..]), (4004, &[1, DATA, 0])] {
                m.program.case(format!("system call {number}"));
                for (register, value) in (4..8).zip(arguments) {
                    m.program.li(register, *value);
                }
                m.program.li(2, number);
                m.program.test(Syscall, Fields::default());
                m.program.record(2);
                m.program.record(7);
            }
        }
    }
    m.program
}

/// Long straight runs of random arithmetic over all registers, each result the operand of later ones.
pub(crate) fn straight(seed: u64) -> Program {
    const OPS: [Operation; 41] = [
        Sll, Srl, Rotr, Sra, Sllv, Srlv, Rotrv, Srav, Movz, Movn, Mfhi, Mthi, Mflo, Mtlo, Mult, Multu, Div,
        Divu, Addu, Subu, And, Or, Xor, Nor, Slt, Sltu, Addiu, Slti, Sltiu, Andi, Ori, Xori, Lui, Madd,
        Maddu, Mul, Msub, Msubu, Ext, Ins, Seb,
    ];
    let mut m = Maker::new(seed, &[]);
    for block in 0..400 {
        m.program.case(format!("straight run, block {block}"));
        for _ in 0..25 {
            let op = OPS[m.rng.gen_range(0..OPS.len())];
            let mut f = registers(&mut m.rng);
            f.sa = m.rng.gen_range(0..32);
            f.imm = m.rng.gen_range(0..0x1_0000);
            match op {
                Sll | Srl | Rotr | Sra | Seb => f.rs = 0,
                Ext => f.rd = m.rng.gen_range(0..32 - f.sa),
                Ins => f.rd = m.rng.gen_range(f.sa..32),
                Mfhi | Mflo => (f.rs, f.rt, f.sa) = (0, 0, 0),
                Mthi | Mtlo => (f.rt, f.rd, f.sa) = (0, 0, 0),
                Mult | Multu | Div | Divu | Madd | Maddu | Msub | Msubu => (f.rd, f.sa) = (0, 0),
                Lui => f.rs = 0,
                _ => f.sa = 0,
            }
            m.program.test(op, f);
        }
        m.program.record_all();
        // Keep the values from dying out.
        let (register, fresh) = (register(&mut m.rng), m.rng.r#gen());
        m.program.li(register, fresh);
    }
    m.program
}

/// All programs by name.
pub(crate) fn all(seed: u64) -> Vec<(&'static str, Program)> {
    vec![
        ("two registers", two_registers(seed)),
        ("one register", one_register(seed)),
        ("immediates", immediates(seed)),
        ("hi and lo", hi_lo(seed)),
        ("memory", memory(seed)),
        ("linked", linked(seed)),
        ("branches", branches(seed)),
        ("jumps", jumps(seed)),
        ("system", system(seed)),
        ("straight", straight(seed)),
    ]
}
