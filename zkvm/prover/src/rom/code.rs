//! The rows of every instruction.
//!
//! `zkvm_emulator::step` says what an instruction does; this says how, in rows. Rows of a normal path need not care about a
//! trap of memory: the path has no proof then, whatever it has written. A trap by condition ends the run before the
//! destination is written.

use zkvm_air::machine::{DEAD, END_REJECTED, Flags, HI, KEY_ALTERNATIVE, LINK, LO, T0, TLS, TRASH};
use zkvm_emulator::{CodeRange, Instruction, Operation};

use super::RomRow;
use super::build::Operand::{self, Imm, Reg};
use super::build::{Advice, Sequence, dest};
use super::routines;

const SLL: Flags = Flags(Flags::SHIFT.0 | Flags::LO.0);
const SRL: Flags = Flags(Flags::SHIFT.0 | Flags::HI.0);
const SRA: Flags = Flags(SRL.0 | Flags::SIGNED.0);
const ROTR: Flags = Flags(SRL.0 | Flags::LO.0);
const SLT: Flags = Flags(Flags::LT.0 | Flags::SIGNED.0);
const GE: Flags = Flags(Flags::LT.0 | Flags::INV.0);
const SGE: Flags = Flags(SLT.0 | Flags::INV.0);
const NE: Flags = Flags(Flags::EQ.0 | Flags::INV.0);

const T1: u8 = T0 + 1;
const T2: u8 = T0 + 2;
const T3: u8 = T0 + 3;
const T4: u8 = T0 + 4;
const T5: u8 = T0 + 5;
const T6: u8 = T0 + 6;
const T7: u8 = T0 + 7;

/// The whole ROM of the code `words`, which lie at `code`.
pub(super) fn rom(words: &[u32], code: CodeRange) -> Vec<RomRow> {
    let mut rom = Vec::with_capacity(2 * words.len());
    for (pc, &word) in (code.start..code.end).step_by(4).zip(words) {
        let mut s = Sequence::entry(u64::from(pc));
        match Instruction::decode(word) {
            Some(instruction) => {
                normal(&mut s, instruction, pc);
                s.finish(&mut rom);
                alternative(&mut rom, instruction, pc);
            }
            None => {
                s.goto(END_REJECTED);
                s.finish(&mut rom);
            }
        }
    }
    routines::push(&mut rom, code);
    rom
}

/// The claim that a load or store traps.
fn alternative(rom: &mut Vec<RomRow>, i: Instruction, pc: u32) {
    if i.op.is_load() || i.op.is_store() {
        let mut s = Sequence::entry(u64::from(pc) + KEY_ALTERNATIVE);
        s.op(Flags::ADD, T0, i.rs() as u8, Imm(i.simm()));
        s.goto(routines::bad_address(i.op.alignment(), i.op.is_store()));
        s.finish(rom);
    }
}

/// The operands of one instruction.
#[derive(Clone, Copy)]
struct Fields {
    rs: u8,
    rt: u8,
    /// Destination by the rd field, the rt field.
    rd: u8,
    rt_dest: u8,
    imm: u32,
    simm: u32,
    shamt: u32,
    pc: u32,
}

fn normal(s: &mut Sequence, i: Instruction, pc: u32) {
    use Operation::*;
    let f = Fields {
        rs: i.rs() as u8,
        rt: i.rt() as u8,
        rd: dest(i.rd()),
        rt_dest: dest(i.rt()),
        imm: i.imm(),
        simm: i.simm(),
        shamt: i.shamt(),
        pc,
    };
    let Fields {
        rs,
        rt,
        rd,
        rt_dest,
        imm,
        simm,
        shamt,
        ..
    } = f;
    match i.op {
        Sll => s.op(SLL, rd, rt, Imm(shamt)).last(),
        Srl => s.op(SRL, rd, rt, Imm(shamt)).last(),
        Sra => s.op(SRA, rd, rt, Imm(shamt)).last(),
        Rotr => s.op(ROTR, rd, rt, Imm(shamt)).last(),
        Sllv => s.op(SLL, rd, rt, Reg(rs)).last(),
        Srlv => s.op(SRL, rd, rt, Reg(rs)).last(),
        Srav => s.op(SRA, rd, rt, Reg(rs)).last(),
        Rotrv => s.op(ROTR, rd, rt, Reg(rs)).last(),
        Addu => s.op(Flags::ADD, rd, rs, Reg(rt)).last(),
        Subu => s.op(Flags::SUB, rd, rs, Reg(rt)).last(),
        And => s.op(Flags::AND, rd, rs, Reg(rt)).last(),
        Or => s.op(Flags::OR, rd, rs, Reg(rt)).last(),
        Xor => s.op(Flags::XOR, rd, rs, Reg(rt)).last(),
        Nor => nor(s, f),
        Slt => s.op(SLT, rd, rs, Reg(rt)).last(),
        Sltu => s.op(Flags::LT, rd, rs, Reg(rt)).last(),
        Addiu => s.op(Flags::ADD, rt_dest, rs, Imm(simm)).last(),
        Slti => s.op(SLT, rt_dest, rs, Imm(simm)).last(),
        Sltiu => s.op(Flags::LT, rt_dest, rs, Imm(simm)).last(),
        Andi => s.op(Flags::AND, rt_dest, rs, Imm(imm)).last(),
        Ori => s.op(Flags::OR, rt_dest, rs, Imm(imm)).last(),
        Xori => s.op(Flags::XOR, rt_dest, rs, Imm(imm)).last(),
        Lui => s.set(rt_dest, imm << 16).last(),
        Add | Addi | Sub => overflowing(s, i.op, f),
        Movz => conditional_move(s, f, NE),
        Movn => conditional_move(s, f, Flags::EQ),
        Mfhi => s.copy(rd, HI).last(),
        Mflo => s.copy(rd, LO).last(),
        Mthi => s.copy(HI, rs).last(),
        Mtlo => s.copy(LO, rs).last(),
        Mul => s.op(Flags::LO, rd, rs, Reg(rt)).last(),
        Multu => s
            .op(Flags::LO, LO, rs, Reg(rt))
            .op(Flags::HI, HI, rs, Reg(rt))
            .last(),
        Mult => {
            signed_high(s, HI, f);
            s.op(Flags::LO, LO, rs, Reg(rt)).last()
        }
        Madd | Maddu | Msub | Msubu => accumulate(s, i.op, f),
        Div => div(s, f),
        Divu => divu(s, f),
        Clz => leading(s, rd, rs),
        Clo => {
            s.op(Flags::XOR, T1, rs, Imm(u32::MAX));
            leading(s, rd, T1)
        }
        Ext => ext(s, f, i.rd() + 1),
        Ins => ins(s, f, i.rd() + 1 - shamt),
        Wsbh => s
            .op(Flags::AND, T0, rt, Imm(0x00ff_00ff))
            .op(SLL, T0, T0, Imm(8))
            .op(SRL, T1, rt, Imm(8))
            .op(Flags::AND, T1, T1, Imm(0x00ff_00ff))
            .op(Flags::OR, rd, T0, Reg(T1))
            .last(),
        Seb => s.op(SLL, T0, rt, Imm(24)).op(SRA, rd, T0, Imm(24)).last(),
        Seh => s.op(SLL, T0, rt, Imm(16)).op(SRA, rd, T0, Imm(16)).last(),
        Rdhwr => s.copy(rt_dest, TLS).last(),

        Lb => s.load(Flags::L8 | Flags::SIGNED, rt_dest, rs, simm).last(),
        Lbu => s.load(Flags::L8, rt_dest, rs, simm).last(),
        Lh => s.load(Flags::L16 | Flags::SIGNED, rt_dest, rs, simm).last(),
        Lhu => s.load(Flags::L16, rt_dest, rs, simm).last(),
        Lw => s.load(Flags::L32, rt_dest, rs, simm).last(),
        Sb => s.store(Flags::S8, rt, rs, simm).last(),
        Sh => s.store(Flags::S16, rt, rs, simm).last(),
        Sw => s.store(Flags::S32, rt, rs, simm).last(),
        // The address of an aligned access has bit 0 clear: addr | 1 = addr + 1.
        Ll => s
            .op(Flags::ADD, LINK, rs, Imm(simm.wrapping_add(1)))
            .load(Flags::L32, rt_dest, rs, simm)
            .last(),
        Sc => store_conditional(s, f),
        Lwl | Lwr => load_part(s, i.op, f),
        Swl | Swr => store_part(s, i.op, f),

        J => jump(s, i.jump_target(pc), None),
        Jal => jump(s, i.jump_target(pc), Some(pc.wrapping_add(8))),
        Jr => s.jump(Flags::JR, rs, Imm(0), 0u64).last(),
        Jalr => jump_and_link_register(s, f),
        Beq | Bne | Blez | Bgtz | Bltz | Bgez | Beql | Bnel | Blezl | Bgtzl | Bltzl | Bgezl => {
            branch(s, i, f.rs, f.pc)
        }
        Bltzal | Bgezal | Bltzall | Bgezall => branch_and_link(s, i, f),

        Tge => trap(s, SGE, rs, Reg(rt)),
        Tgeu => trap(s, GE, rs, Reg(rt)),
        Tlt => trap(s, SLT, rs, Reg(rt)),
        Tltu => trap(s, Flags::LT, rs, Reg(rt)),
        Teq => trap(s, Flags::EQ, rs, Reg(rt)),
        Tne => trap(s, NE, rs, Reg(rt)),
        Tgei => trap(s, SGE, rs, Imm(simm)),
        Tgeiu => trap(s, GE, rs, Imm(simm)),
        Tlti => trap(s, SLT, rs, Imm(simm)),
        Tltiu => trap(s, Flags::LT, rs, Imm(simm)),
        Teqi => trap(s, Flags::EQ, rs, Imm(simm)),
        Tnei => trap(s, NE, rs, Imm(simm)),
        Break => s.goto(END_REJECTED),
        Syscall => s.goto(routines::SYSCALL),
        Sync | Synci | Pref => s.end(),
    };
}

fn nor(s: &mut Sequence, f: Fields) -> &mut Sequence {
    let inverted = match (f.rs, f.rt) {
        (r, 0) | (0, r) => r,
        (rs, rt) => {
            s.op(Flags::OR, T0, rs, Reg(rt));
            T0
        }
    };
    s.op(Flags::XOR, f.rd, inverted, Imm(u32::MAX)).last()
}

/// ADD, ADDI, SUB. A sum is below its first operand iff the second is negative, a difference above it likewise, unless it
/// overflows.
fn overflowing(s: &mut Sequence, op: Operation, f: Fields) -> &mut Sequence {
    if op == Operation::Addi {
        // The sum must be less iff the immediate is negative.
        let wrong = if f.simm as i32 >= 0 { SLT } else { SGE };
        s.op(Flags::ADD, T0, f.rs, Imm(f.simm));
        s.when(wrong, T0, Reg(f.rs), END_REJECTED);
        return s.copy(f.rt_dest, T0).last();
    }
    let (flags, (less, more)) = match op {
        Operation::Add => (Flags::ADD, (T0, f.rs)),
        _ => (Flags::SUB, (f.rs, T0)),
    };
    s.op(flags, T0, f.rs, Reg(f.rt));
    s.op(SLT, T1, less, Reg(more)).op(SLT, T2, f.rt, Imm(0));
    s.when(NE, T1, Reg(T2), END_REJECTED);
    s.copy(f.rd, T0).last()
}

/// `rd = rs` unless `rt` compares with 0 as `unless` says.
fn conditional_move(s: &mut Sequence, f: Fields, unless: Flags) -> &mut Sequence {
    let kept = s.label();
    s.when(unless, f.rt, Imm(0), kept);
    s.copy(f.rd, f.rs).last();
    s.bind(kept);
    s.end()
}

/// `d` = high word of the signed product: the unsigned one, less each factor whose other is negative.
fn signed_high(s: &mut Sequence, d: u8, f: Fields) {
    s.op(Flags::HI, d, f.rs, Reg(f.rt));
    for (factor, other) in [(f.rs, f.rt), (f.rt, f.rs)] {
        let positive = s.label();
        s.when(SGE, factor, Imm(0), positive);
        s.op(Flags::SUB, d, d, Reg(other));
        s.bind(positive);
    }
}

/// MADD, MADDU, MSUB, MSUBU.
fn accumulate(s: &mut Sequence, op: Operation, f: Fields) -> &mut Sequence {
    use Operation::*;
    if matches!(op, Madd | Msub) {
        signed_high(s, T1, f);
    } else {
        s.op(Flags::HI, T1, f.rs, Reg(f.rt));
    }
    s.op(Flags::LO, T0, f.rs, Reg(f.rt));
    let flags = if matches!(op, Madd | Maddu) {
        // A sum has carried iff it is below a summand.
        s.op(Flags::ADD, LO, LO, Reg(T0)).op(Flags::LT, T2, LO, Reg(T0));
        Flags::ADD
    } else {
        s.op(Flags::LT, T2, LO, Reg(T0)).op(Flags::SUB, LO, LO, Reg(T0));
        Flags::SUB
    };
    s.op(flags, HI, HI, Reg(T1)).op(flags, HI, HI, Reg(T2)).last()
}

/// Divides unsigned: quotient and remainder of `n` by `d`, which is not 0, neither of the four registers the same nor t0.
/// `q d` must fit a word, be at most `n`, and leave less than `d`.
fn divide(s: &mut Sequence, (q, r): (u8, u8), n: u8, d: u8) {
    s.advice(q, n, d, Advice::Quotient);
    s.op(Flags::HI, T0, q, Reg(d)).when(NE, T0, Imm(0), DEAD);
    s.op(Flags::LO, T0, q, Reg(d)).when(Flags::LT, n, Reg(T0), DEAD);
    s.op(Flags::SUB, r, n, Reg(T0)).when(GE, r, Reg(d), DEAD);
}

fn divu(s: &mut Sequence, f: Fields) -> &mut Sequence {
    let by_zero = s.label();
    s.when(Flags::EQ, f.rt, Imm(0), by_zero);
    divide(s, (LO, HI), f.rs, f.rt);
    s.end();
    s.bind(by_zero);
    s.copy(LO, f.rs).set(HI, 0).last()
}

/// Signed division by absolute values; unsigned if neither operand is negative.
fn div(s: &mut Sequence, f: Fields) -> &mut Sequence {
    let (signed, by_zero) = (s.label(), s.label());
    s.op(Flags::OR, T1, f.rs, Reg(f.rt));
    s.when(SLT, T1, Imm(0), signed);
    s.when(Flags::EQ, f.rt, Imm(0), by_zero);
    divide(s, (LO, HI), f.rs, f.rt);
    s.end();
    s.bind(signed);
    s.when(Flags::EQ, f.rt, Imm(0), by_zero);
    // t1, t2: sign masks; t3, t4: absolute values (that of -2^31 is 2^31 as a word).
    for (mask, absolute, x) in [(T1, T3, f.rs), (T2, T4, f.rt)] {
        s.op(SRA, mask, x, Imm(31))
            .op(Flags::XOR, absolute, x, Reg(mask))
            .op(Flags::SUB, absolute, absolute, Reg(mask));
    }
    divide(s, (T5, T6), T3, T4);
    s.op(Flags::XOR, T7, T1, Reg(T2))
        .op(Flags::XOR, T5, T5, Reg(T7))
        .op(Flags::SUB, LO, T5, Reg(T7))
        .op(Flags::XOR, T6, T6, Reg(T1))
        .op(Flags::SUB, HI, T6, Reg(T1))
        .last();
    s.bind(by_zero);
    s.copy(LO, f.rs).set(HI, 0).last()
}

/// `d` = number of leading zeros of `x`: 31 less the index of the top bit, which is the `j` below 32 with `x >> j = 1`.
fn leading(s: &mut Sequence, d: u8, x: u8) -> &mut Sequence {
    let zero = s.label();
    s.when(Flags::EQ, x, Imm(0), zero);
    s.advice(T0, x, 0, Advice::TopBit);
    s.when(GE, T0, Imm(32), DEAD);
    s.op(SRL, T2, x, Reg(T0)).when(NE, T2, Imm(1), DEAD);
    s.op(Flags::XOR, d, T0, Imm(31)).last();
    s.bind(zero);
    s.set(d, 32).last()
}

fn low_bits(size: u32) -> u32 {
    u32::MAX >> (32 - size)
}

fn ext(s: &mut Sequence, f: Fields, size: u32) -> &mut Sequence {
    if f.shamt + size == 32 {
        return s.op(SRL, f.rt_dest, f.rs, Imm(f.shamt)).last();
    }
    let mut field = f.rs;
    if f.shamt > 0 {
        s.op(SRL, T0, f.rs, Imm(f.shamt));
        field = T0;
    }
    s.op(Flags::AND, f.rt_dest, field, Imm(low_bits(size))).last()
}

fn ins(s: &mut Sequence, f: Fields, size: u32) -> &mut Sequence {
    let kept = !(low_bits(size) << f.shamt);
    if f.rs == 0 {
        return s.op(Flags::AND, f.rt_dest, f.rt, Imm(kept)).last();
    }
    let mut field = f.rs;
    if f.shamt + size < 32 {
        s.op(Flags::AND, T0, field, Imm(low_bits(size)));
        field = T0;
    }
    if f.shamt > 0 {
        s.op(SLL, T0, field, Imm(f.shamt));
        field = T0;
    }
    s.op(Flags::AND, T1, f.rt, Imm(kept))
        .op(Flags::OR, f.rt_dest, T1, Reg(field))
        .last()
}

/// Stores what was there if the link does not hold, so that a trap that is due shows either way.
fn store_conditional(s: &mut Sequence, f: Fields) -> &mut Sequence {
    let (holds, done) = (s.label(), s.label());
    s.op(Flags::ADD, T0, f.rs, Imm(f.simm.wrapping_add(1)));
    s.op(Flags::EQ, T1, LINK, Reg(T0)).also(Flags::MB, holds.into());
    s.load(Flags::L32, T2, f.rs, f.simm)
        .store(Flags::S32, T2, f.rs, f.simm)
        .goto(done);
    s.bind(holds);
    s.store(Flags::S32, f.rt, f.rs, f.simm);
    s.bind(done);
    s.set(LINK, 0).copy(f.rt_dest, T1).last()
}

/// t0 = the address, t1 = that of its word, t2 = the word, t3 = how far to shift for LWL, SWL (`left`) or LWR, SWR, modulo
/// 32: 8 times the byte's place in the word, from its start or its end.
fn part(s: &mut Sequence, f: Fields, left: bool) {
    s.op(Flags::ADD, T0, f.rs, Imm(f.simm))
        .op(Flags::AND, T1, T0, Imm(!3))
        .load(Flags::L32, T2, T1, 0);
    if !left {
        s.op(Flags::XOR, T0, T0, Imm(3));
    }
    s.op(SLL, T3, T0, Imm(3));
}

/// t4 = the bits of `x` that shifting it by t3 there (`out`) and back loses.
fn lost(s: &mut Sequence, x: u8, out: Flags, back: Flags) {
    s.op(out, T4, x, Reg(T3))
        .op(back, T4, T4, Reg(T3))
        .op(Flags::SUB, T4, x, Reg(T4));
}

fn load_part(s: &mut Sequence, op: Operation, f: Fields) -> &mut Sequence {
    let left = op == Operation::Lwl;
    let (shift, other) = if left { (SLL, SRL) } else { (SRL, SLL) };
    part(s, f, left);
    s.op(shift, T2, T2, Reg(T3));
    lost(s, f.rt, other, shift);
    s.op(Flags::ADD, f.rt_dest, T2, Reg(T4)).last()
}

fn store_part(s: &mut Sequence, op: Operation, f: Fields) -> &mut Sequence {
    let left = op == Operation::Swl;
    let (shift, other) = if left { (SRL, SLL) } else { (SLL, SRL) };
    part(s, f, left);
    lost(s, T2, other, shift);
    s.op(shift, T5, f.rt, Reg(T3))
        .op(Flags::ADD, T4, T4, Reg(T5))
        .store(Flags::S32, T4, T1, 0)
        .last()
}

/// J and JAL; also any branch that is always taken.
fn jump(s: &mut Sequence, target: u32, link: Option<u32>) -> &mut Sequence {
    match link {
        Some(link) => s.set(31, link),
        None => s.set(TRASH, 0),
    };
    s.also(Flags::J, u64::from(target)).last()
}

fn jump_and_link_register(s: &mut Sequence, f: Fields) -> &mut Sequence {
    let mut target = f.rs;
    if f.rd == f.rs {
        s.copy(T0, f.rs);
        target = T0;
    }
    s.set(f.rd, f.pc.wrapping_add(8));
    s.jump(Flags::JR, target, Imm(0), 0u64).last()
}

/// The comparison of a branch with its operands.
fn comparison(i: Instruction, rs: u8) -> (Flags, u8, Operand) {
    use Operation::*;
    let rt = Reg(i.rt() as u8);
    match i.op {
        Beq | Beql => (Flags::EQ, rs, rt),
        Bne | Bnel => (NE, rs, rt),
        // rs <= 0 iff not 0 < rs.
        Blez | Blezl => (SGE, 0, Reg(rs)),
        Bgtz | Bgtzl => (SLT, 0, Reg(rs)),
        Bltz | Bltzl | Bltzal | Bltzall => (SLT, rs, Imm(0)),
        _ => (SGE, rs, Imm(0)),
    }
}

fn branch(s: &mut Sequence, i: Instruction, rs: u8, pc: u32) -> &mut Sequence {
    let likely = if i.op.is_likely() { Flags::LK } else { Flags::NONE };
    let (flags, a, y) = comparison(i, rs);
    s.jump(flags | Flags::BR | likely, a, y, u64::from(i.branch_target(pc)))
        .last()
}

fn branch_and_link(s: &mut Sequence, i: Instruction, f: Fields) -> &mut Sequence {
    let link = f.pc.wrapping_add(8);
    if f.rs == 0 && matches!(i.op, Operation::Bgezal | Operation::Bgezall) {
        return jump(s, i.branch_target(f.pc), Some(link));
    }
    let mut rs = f.rs;
    if rs == 31 {
        s.copy(T0, rs);
        rs = T0;
    }
    s.set(31, link);
    branch(s, i, rs, f.pc)
}

fn trap(s: &mut Sequence, flags: Flags, a: u8, y: Operand) -> &mut Sequence {
    s.when(flags, a, y, END_REJECTED).end()
}
