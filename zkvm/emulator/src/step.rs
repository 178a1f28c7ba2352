//! The reference step: a pure function from a state and what it touches to the state after (`docs/protocol.md` §3).
//!
//! This is the machine's definition in code. It is written for reading, not for speed; the fast emulator is tested to
//! agree with it, and the dispute's scripts are tested against its records. It owns the order of the checks:
//! the first that holds gives the class.

use std::ops::Range;

use crate::claim::{ClaimWords, HintHash, Preimages};
use crate::class::StepClass;
use crate::instruction::{Instruction, Operation};
use crate::merkle::{self, DEPTH, Node};
use crate::record::{AfterWords, Opening, Outcome, StepRecord};
use crate::state::{HEAP, HI, LINK, LO, State, Status, TLS};
use crate::syscall::{self, Call};

/// Lowest valid data address.
pub const ADDRESS_START: u32 = 4096;
/// First address above the valid ones.
pub const ADDRESS_END: u32 = 0x8000_0000;

/// Whether `addr` may be loaded from or stored to.
pub fn is_valid_address(addr: u32) -> bool {
    (ADDRESS_START..ADDRESS_END).contains(&addr)
}

/// Where code lies: `[start, end)`, both multiples of 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CodeRange {
    /// First code byte.
    pub start: u32,
    /// First byte above code.
    pub end: u32,
}

impl CodeRange {
    /// Whether the word that holds byte `addr` is code.
    pub fn contains(&self, addr: u32) -> bool {
        Range {
            start: self.start,
            end: self.end,
        }
        .contains(&addr)
    }

    /// Number of instruction words.
    pub fn words(&self) -> u32 {
        (self.end - self.start) / 4
    }
}

/// Memory as a step sees it.
pub trait MemoryView {
    /// The aligned big-endian word that holds `addr`.
    fn word(&self, addr: u32) -> u32;
    /// The leaf at `index` (below 2^26).
    fn leaf(&self, index: u32) -> Node;
    /// The siblings on the path of leaf `index`, bottom up.
    fn siblings(&self, index: u32) -> [Node; DEPTH];
}

/// A hint was asked for whose preimage nobody gave: the step has no known outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no preimage is known for {hash} digest {}", hex(.digest))]
pub struct UnknownPreimage {
    /// What was asked for.
    pub hash: HintHash,
    /// The digest in memory at the hint's key.
    pub digest: [u8; 32],
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All that one step depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepInput {
    /// The state before.
    pub before: State,
    /// Where code lies.
    pub code: CodeRange,
    /// The word at `pc`; 0 if there is none.
    pub instr: u32,
    /// The leaf of the address that the step touches (leaf 0 if none).
    pub leaf: Node,
    /// The siblings of that leaf.
    pub siblings: [Node; DEPTH],
    /// The claim words.
    pub claim: ClaimWords,
    /// The preimage of `leaf` as [`Preimages::hint`] gives it, if the step reads a hint.
    pub hint: Option<[u32; 24]>,
}

impl StepInput {
    /// Collects what the step from `before` touches.
    ///
    /// # Errors
    /// If the step reads a hint whose preimage is not in `preimages`.
    pub fn gather(
        before: State,
        code: CodeRange,
        memory: &impl MemoryView,
        claim: &ClaimWords,
        preimages: &Preimages,
    ) -> Result<StepInput, UnknownPreimage> {
        let fetches = !before.is_ended() && before.pc() & 3 == 0 && code.contains(before.pc());
        let instr = if fetches { memory.word(before.pc()) } else { 0 };
        let class = classify(&before, code, instr, claim);
        let mut input = StepInput {
            before,
            code,
            instr,
            leaf: [0; 32],
            siblings: [[0; 32]; DEPTH],
            claim: claim.clone(),
            hint: None,
        };
        if class.runs_on() {
            let index = merkle::leaf_index(address(&input.before, class, instr));
            input.leaf = memory.leaf(index);
            input.siblings = memory.siblings(index);
        }
        if let Some(hash) = hint_read(&input.before, class) {
            let digest = input.leaf;
            let hint = preimages.hint(hash, &digest);
            input.hint = Some(hint.ok_or(UnknownPreimage { hash, digest })?);
        }
        Ok(input)
    }
}

/// Whether the condition of a branch or trap with operands `rs`, `rt` holds. Jumps are always taken; operations without a
/// condition answer false.
pub fn condition(instruction: Instruction, rs: u32, rt: u32) -> bool {
    use Operation::*;
    let (signed_rs, signed_rt) = (rs as i32, rt as i32);
    let simm = instruction.simm();
    match instruction.op {
        Jr | Jalr | J | Jal | Break => true,
        Beq | Beql | Teq => rs == rt,
        Bne | Bnel | Tne => rs != rt,
        Blez | Blezl => signed_rs <= 0,
        Bgtz | Bgtzl => signed_rs > 0,
        Bltz | Bltzl | Bltzal | Bltzall => signed_rs < 0,
        Bgez | Bgezl | Bgezal | Bgezall => signed_rs >= 0,
        Tge => signed_rs >= signed_rt,
        Tgeu => rs >= rt,
        Tlt => signed_rs < signed_rt,
        Tltu => rs < rt,
        Tgei => signed_rs >= simm as i32,
        Tgeiu => rs >= simm,
        Tlti => signed_rs < simm as i32,
        Tltiu => rs < simm,
        Teqi => rs == simm,
        Tnei => rs != simm,
        _ => false,
    }
}

fn is_trap(op: Operation) -> bool {
    use Operation::*;
    matches!(
        op,
        Break | Tge | Tgeu | Tlt | Tltu | Teq | Tne | Tgei | Tgeiu | Tlti | Tltiu | Teqi | Tnei
    )
}

fn overflows(instruction: Instruction, rs: u32, rt: u32) -> bool {
    match instruction.op {
        Operation::Add => (rs as i32).checked_add(rt as i32).is_none(),
        Operation::Addi => (rs as i32).checked_add(instruction.simm() as i32).is_none(),
        Operation::Sub => (rs as i32).checked_sub(rt as i32).is_none(),
        _ => false,
    }
}

/// The class of the step from `before` whose instruction word is `instr` (not looked at when the fetch faults).
pub fn classify(before: &State, code: CodeRange, instr: u32, claim: &ClaimWords) -> StepClass {
    if before.is_ended() {
        return StepClass::Ended;
    }
    if before.pc() & 3 != 0 || !code.contains(before.pc()) {
        return StepClass::FetchFault;
    }
    let Some(instruction) = Instruction::decode(instr) else {
        return StepClass::Undefined;
    };
    let (rs, rt) = (before.reg(instruction.rs()), before.reg(instruction.rt()));
    let op = instruction.op;
    if overflows(instruction, rs, rt) {
        return StepClass::Overflow;
    }
    if is_trap(op) && condition(instruction, rs, rt) {
        return StepClass::TrapTaken;
    }
    if op.is_load() || op.is_store() {
        let addr = rs.wrapping_add(instruction.simm());
        if !is_valid_address(addr) || addr & (op.alignment() - 1) != 0 {
            return StepClass::BadAddress;
        }
        if op.is_store() && code.contains(addr) {
            return StepClass::CodeStore;
        }
    }
    if op == Operation::Syscall {
        return classify_call(before, claim);
    }
    StepClass::Step
}

fn classify_call(before: &State, claim: &ClaimWords) -> StepClass {
    let (a0, a1) = (before.reg(4), before.reg(5));
    let call = Call::from_number(before.reg(2));
    if let Some((_, words)) = call.hint() {
        return if a1 >= words || a0 & 31 != 0 || !is_valid_address(a0) {
            StepClass::BadHint
        } else {
            StepClass::SyscallOk
        };
    }
    match call {
        Call::Exit => StepClass::Exit,
        Call::Claim if a0 as usize >= claim.words().len() => StepClass::BadClaim,
        Call::Write | Call::SetThreadArea | Call::Claim | Call::HintBlake3 | Call::HintSha256 => {
            StepClass::SyscallOk
        }
        Call::Mmap if syscall::mmap(a0, a1, before.words[HEAP]).is_ok() => StepClass::SyscallOk,
        Call::Constant(answer) if answer.ok => StepClass::SyscallOk,
        Call::Mmap | Call::Constant(_) | Call::Unknown => StepClass::SyscallErr,
    }
}

/// The hash whose preimage the step reads, if it reads one.
pub fn hint_read(before: &State, class: StepClass) -> Option<HintHash> {
    let (hash, _) = Call::from_number(before.reg(2)).hint()?;
    (class == StepClass::SyscallOk).then_some(hash)
}

/// The address that is signed: that of a load or store, the key of a hint (also in class BadHint), else 0.
pub fn address(before: &State, class: StepClass, instr: u32) -> u32 {
    if !class.executes() {
        return 0;
    }
    match Instruction::decode(instr) {
        Some(i) if i.op.is_load() || i.op.is_store() => before.reg(i.rs()).wrapping_add(i.simm()),
        Some(i) if i.op == Operation::Syscall && Call::from_number(before.reg(2)).hint().is_some() => {
            before.reg(4)
        }
        _ => 0,
    }
}

/// What a load puts in its register: `word` is the aligned word at `addr`, `rt` the register's old value.
///
/// # Panics
/// If `op` is no load.
pub fn load_value(op: Operation, addr: u32, word: u32, rt: u32) -> u32 {
    use Operation::*;
    let bit = 8 * (addr & 3);
    let byte = word >> (24 - bit) & 0xff;
    let half = word >> (16 - (bit & 16)) & 0xffff;
    match op {
        Lb => byte as u8 as i8 as i32 as u32,
        Lbu => byte,
        Lh => half as u16 as i16 as i32 as u32,
        Lhu => half,
        Lw | Ll => word,
        // From addr to the end of the word, into the register's high end.
        Lwl => word << bit | (rt & !(u32::MAX << bit)),
        // From the start of the word to addr, into the register's low end.
        Lwr => word >> (24 - bit) | (rt & !(u32::MAX >> (24 - bit))),
        _ => panic!("{op} is not a load"),
    }
}

/// The word that a store leaves: `word` is the aligned word at `addr` before. SC is taken to succeed.
///
/// # Panics
/// If `op` is no store.
pub fn store_word(op: Operation, addr: u32, word: u32, rt: u32) -> u32 {
    use Operation::*;
    let bit = 8 * (addr & 3);
    match op {
        Sb => word & !(0xff << (24 - bit)) | (rt & 0xff) << (24 - bit),
        Sh => word & !(0xffff << (16 - (bit & 16))) | (rt & 0xffff) << (16 - (bit & 16)),
        Sw | Sc => rt,
        Swl => rt >> bit | (word & !(u32::MAX >> bit)),
        Swr => rt << (24 - bit) | (word & !(u32::MAX << (24 - bit))),
        _ => panic!("{op} is not a store"),
    }
}

/// `(hi', lo')` of a multiplication, division or move to hi or lo; the words before for every other operation.
pub fn hi_lo(op: Operation, rs: u32, rt: u32, hi: u32, lo: u32) -> (u32, u32) {
    use Operation::*;
    let signed = i64::from(rs as i32).wrapping_mul(i64::from(rt as i32)) as u64;
    let unsigned = u64::from(rs) * u64::from(rt);
    let before = u64::from(hi) << 32 | u64::from(lo);
    let after = match op {
        Mult => signed,
        Multu => unsigned,
        Madd => before.wrapping_add(signed),
        Maddu => before.wrapping_add(unsigned),
        Msub => before.wrapping_sub(signed),
        Msubu => before.wrapping_sub(unsigned),
        Div => {
            // A zero divisor counts as 1; the one quotient that does not fit wraps.
            let (dividend, divisor) = (rs as i32, if rt == 0 { 1 } else { rt as i32 });
            return (
                dividend.wrapping_rem(divisor) as u32,
                dividend.wrapping_div(divisor) as u32,
            );
        }
        Divu => return (rs % rt.max(1), rs / rt.max(1)),
        Mthi => return (rs, lo),
        Mtlo => return (hi, rs),
        _ => before,
    };
    ((after >> 32) as u32, after as u32)
}

/// The result of an instruction that touches neither memory nor the system; 0 if it has none. `word` is the instruction,
/// `pc` its address. MOVZ and MOVN give `rs` whether or not they move.
pub fn result(instruction: Instruction, before: &State) -> u32 {
    use Operation::*;
    let (rs, rt) = (before.reg(instruction.rs()), before.reg(instruction.rt()));
    let (imm, simm, shamt) = (instruction.imm(), instruction.simm(), instruction.shamt());
    match instruction.op {
        Sll => rt << shamt,
        Srl => rt >> shamt,
        Rotr => rt.rotate_right(shamt),
        Sra => (rt as i32 >> shamt) as u32,
        Sllv => rt << (rs & 31),
        Srlv => rt >> (rs & 31),
        Rotrv => rt.rotate_right(rs & 31),
        Srav => (rt as i32 >> (rs & 31)) as u32,
        Jal | Jalr | Bltzal | Bgezal | Bltzall | Bgezall => before.pc().wrapping_add(8),
        Movz | Movn => rs,
        Mfhi => before.words[HI],
        Mflo => before.words[LO],
        Add | Addu => rs.wrapping_add(rt),
        Sub | Subu => rs.wrapping_sub(rt),
        And => rs & rt,
        Or => rs | rt,
        Xor => rs ^ rt,
        Nor => !(rs | rt),
        Slt => u32::from((rs as i32) < (rt as i32)),
        Sltu => u32::from(rs < rt),
        Addi | Addiu => rs.wrapping_add(simm),
        Slti => u32::from((rs as i32) < (simm as i32)),
        Sltiu => u32::from(rs < simm),
        Andi => rs & imm,
        Ori => rs | imm,
        Xori => rs ^ imm,
        Lui => imm << 16,
        Mul => rs.wrapping_mul(rt),
        Clz => rs.leading_zeros(),
        Clo => rs.leading_ones(),
        Ext => rs >> shamt & mask(instruction.rd() + 1),
        Ins => {
            // lsb <= msb in a defined INS.
            let field = mask(instruction.rd() - shamt + 1) << shamt;
            rt & !field | (rs << shamt) & field
        }
        Wsbh => (rt & 0x00ff_00ff) << 8 | (rt >> 8 & 0x00ff_00ff),
        Seb => rt as u8 as i8 as i32 as u32,
        Seh => rt as u16 as i16 as i32 as u32,
        Rdhwr => before.words[TLS],
        _ => 0,
    }
}

/// The low `bits` bits set, for 1..=32.
fn mask(bits: u32) -> u32 {
    u32::MAX >> (32 - bits)
}

/// Stage 2: what the step computes, for an honest class.
///
/// # Panics
/// If a hint is read and `input.hint` is `None`.
pub fn execute(input: &StepInput, class: StepClass) -> Outcome {
    let before = &input.before;
    let status = match class {
        StepClass::Ended => before.status(),
        StepClass::Exit if before.reg(4) == 0 => Status::Accepted as u32,
        _ if class.runs_on() => 0,
        _ => Status::Rejected as u32,
    };
    let instruction = match Instruction::decode(input.instr) {
        Some(instruction) if class.runs_on() => instruction,
        _ => {
            return Outcome {
                after: AfterWords {
                    status,
                    ..AfterWords::default()
                },
                ..Outcome::default()
            };
        }
    };
    let op = instruction.op;
    let (rs, rt) = (before.reg(instruction.rs()), before.reg(instruction.rt()));
    let addr = address(before, class, input.instr);
    let old_word = merkle::leaf_word(&input.leaf, addr);

    let (hi, lo) = hi_lo(op, rs, rt, before.words[HI], before.words[LO]);
    let mut after = AfterWords {
        pc: before.next_pc(),
        next_pc: before.next_pc().wrapping_add(4),
        hi,
        lo,
        status,
        heap: before.words[HEAP],
        tls: before.words[TLS],
        link: before.words[LINK],
    };
    let mut dest = instruction.dest_field();
    let mut value = result(instruction, before);
    let mut new_word = old_word;

    if op.is_branch() {
        if condition(instruction, rs, rt) {
            after.next_pc = match op {
                Operation::Jr | Operation::Jalr => rs,
                Operation::J | Operation::Jal => instruction.jump_target(before.pc()),
                _ => instruction.branch_target(before.pc()),
            };
        } else if op.is_likely() {
            after.pc = before.next_pc().wrapping_add(4);
            after.next_pc = before.next_pc().wrapping_add(8);
        }
    }
    if (op == Operation::Movz && rt != 0) || (op == Operation::Movn && rt == 0) {
        dest = 0;
    }
    if op.is_load() {
        value = load_value(op, addr, old_word, rt);
        if op == Operation::Ll {
            after.link = addr | 1;
        }
    } else if op == Operation::Sc {
        let succeeds = before.words[LINK] == addr | 1;
        value = u32::from(succeeds);
        new_word = if succeeds { rt } else { old_word };
        after.link = 0;
    } else if op.is_store() {
        new_word = store_word(op, addr, old_word, rt);
    } else if op == Operation::Syscall {
        dest = 2;
        value = answer(input, &mut after);
    }
    Outcome {
        dest: dest as u8,
        value,
        new_word,
        after,
    }
}

/// `$v0` after a system call that runs on; sets its own word of `after`.
fn answer(input: &StepInput, after: &mut AfterWords) -> u32 {
    let before = &input.before;
    let (a0, a1, a2) = (before.reg(4), before.reg(5), before.reg(6));
    match Call::from_number(before.reg(2)) {
        Call::Write => a2,
        Call::Mmap => match syscall::mmap(a0, a1, after.heap) {
            Ok((address, heap)) => {
                after.heap = heap;
                address
            }
            Err(errno) => errno,
        },
        Call::SetThreadArea => {
            after.tls = a0;
            0
        }
        // A class that runs on has checked the index.
        Call::Claim => input.claim.words().get(a0 as usize).copied().unwrap_or(0),
        call @ (Call::HintBlake3 | Call::HintSha256) => {
            let hint = input
                .hint
                .as_ref()
                .expect("a step that reads a hint is given its preimage");
            // The block's words are the last sixteen; a class that runs on has checked the index.
            let first = if call == Call::HintBlake3 { 8 } else { 0 };
            hint.get(first + a1 as usize).copied().unwrap_or(0)
        }
        Call::Constant(answer) => answer.value,
        Call::Unknown | Call::Exit => syscall::ENOSYS,
    }
}

/// Stage 1: class, operands, address and what lies there.
pub fn open(input: &StepInput) -> Opening {
    let before = input.before.clone();
    let class = classify(&before, input.code, input.instr, &input.claim);
    let instr = if class.executes() { input.instr } else { 0 };
    let operand = |shift: u32| {
        if class.executes() {
            before.reg(instr >> shift & 31)
        } else {
            0
        }
    };
    let (rs, rt) = (operand(21), operand(16));
    let addr = address(&before, class, instr);
    let hint = hint_read(&before, class).and(input.hint).unwrap_or_default();
    let (old_leaf, siblings) = if class.runs_on() {
        (input.leaf, input.siblings)
    } else {
        ([0; 32], [[0; 32]; DEPTH])
    };
    Opening {
        before,
        class: class.nibble(),
        instr,
        rs,
        rt,
        addr,
        old_leaf,
        siblings,
        hint,
    }
}

/// The honest record of one step: [`open`], [`execute`], [`StepRecord::assemble`].
///
/// # Panics
/// If a hint is read and `input.hint` is `None`; [`StepInput::gather`] never gives such an input.
pub fn step(input: &StepInput) -> StepRecord {
    let class = classify(&input.before, input.code, input.instr, &input.claim);
    StepRecord::assemble(open(input), execute(input, class))
}
