//! A small assembler and ELF writer, so that tests can make programs without a MIPS toolchain.
//!
//! The encodings are written from the MIPS32 manual, volume II, and share nothing with the emulator's decoder.

use zkvm_emulator::Operation;

/// Where the code of a made program lies.
pub(crate) const CODE: u32 = 0x0040_1000;
/// Where its data lies: first what the test puts there, then the output.
pub(crate) const DATA: u32 = 0x1000_0000;

/// Most bytes printed by one system call.
const WRITE: u32 = 0x8000;

/// Scratch register of the recording code, never under test.
pub(crate) const SCRATCH: u32 = 26;
/// Points into the output, never under test.
pub(crate) const OUT: u32 = 27;

/// Fields of an instruction; those that its format lacks are ignored.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fields {
    pub(crate) rs: u32,
    pub(crate) rt: u32,
    pub(crate) rd: u32,
    /// Shift amount; lsb of EXT and INS.
    pub(crate) sa: u32,
    /// The low 16 bits.
    pub(crate) imm: u32,
}

/// How an operation's word is put together.
enum Format {
    /// SPECIAL, SPECIAL2 or SPECIAL3 with function code: all of rs, rt, rd, sa.
    Register(u32, u32),
    /// Opcode with rs, rt and imm.
    Immediate(u32),
    /// REGIMM with its selector in the rt field.
    Regimm(u32),
    /// J and JAL: the target is put in by [`Program::jump`].
    Jump(u32),
}

fn format(op: Operation) -> Format {
    use Format::{Immediate, Jump, Regimm, Register};
    use Operation::*;
    let special = |function| Register(0, function);
    match op {
        Sll => special(0),
        Srl | Rotr => special(2),
        Sra => special(3),
        Sllv => special(4),
        Srlv | Rotrv => special(6),
        Srav => special(7),
        Jr => special(8),
        Jalr => special(9),
        Movz => special(10),
        Movn => special(11),
        Syscall => special(12),
        Break => special(13),
        Sync => special(15),
        Mfhi => special(16),
        Mthi => special(17),
        Mflo => special(18),
        Mtlo => special(19),
        Mult => special(24),
        Multu => special(25),
        Div => special(26),
        Divu => special(27),
        Add => special(32),
        Addu => special(33),
        Sub => special(34),
        Subu => special(35),
        And => special(36),
        Or => special(37),
        Xor => special(38),
        Nor => special(39),
        Slt => special(42),
        Sltu => special(43),
        Tge => special(48),
        Tgeu => special(49),
        Tlt => special(50),
        Tltu => special(51),
        Teq => special(52),
        Tne => special(54),
        Bltz => Regimm(0),
        Bgez => Regimm(1),
        Bltzl => Regimm(2),
        Bgezl => Regimm(3),
        Tgei => Regimm(8),
        Tgeiu => Regimm(9),
        Tlti => Regimm(10),
        Tltiu => Regimm(11),
        Teqi => Regimm(12),
        Tnei => Regimm(14),
        Bltzal => Regimm(16),
        Bgezal => Regimm(17),
        Bltzall => Regimm(18),
        Bgezall => Regimm(19),
        Synci => Regimm(31),
        J => Jump(2),
        Jal => Jump(3),
        Beq => Immediate(4),
        Bne => Immediate(5),
        Blez => Immediate(6),
        Bgtz => Immediate(7),
        Addi => Immediate(8),
        Addiu => Immediate(9),
        Slti => Immediate(10),
        Sltiu => Immediate(11),
        Andi => Immediate(12),
        Ori => Immediate(13),
        Xori => Immediate(14),
        Lui => Immediate(15),
        Beql => Immediate(20),
        Bnel => Immediate(21),
        Blezl => Immediate(22),
        Bgtzl => Immediate(23),
        Madd => Register(28, 0),
        Maddu => Register(28, 1),
        Mul => Register(28, 2),
        Msub => Register(28, 4),
        Msubu => Register(28, 5),
        Clz => Register(28, 32),
        Clo => Register(28, 33),
        Ext => Register(31, 0),
        Ins => Register(31, 4),
        Wsbh | Seb | Seh => Register(31, 32),
        Rdhwr => Register(31, 59),
        Lb => Immediate(32),
        Lh => Immediate(33),
        Lwl => Immediate(34),
        Lw => Immediate(35),
        Lbu => Immediate(36),
        Lhu => Immediate(37),
        Lwr => Immediate(38),
        Sb => Immediate(40),
        Sh => Immediate(41),
        Swl => Immediate(42),
        Sw => Immediate(43),
        Swr => Immediate(46),
        Ll => Immediate(48),
        Pref => Immediate(51),
        Sc => Immediate(56),
    }
}

/// The word of `op` with `f`. Fields that select the operation (ROTR's bit 21, WSBH's sa, RDHWR's rd, …) are set here.
pub(crate) fn encode(op: Operation, mut f: Fields) -> u32 {
    use Operation::*;
    match op {
        Rotr => f.rs = 1,
        Rotrv => f.sa = 1,
        Wsbh => f.sa = 2,
        Seb => f.sa = 16,
        Seh => f.sa = 24,
        Rdhwr => f.rd = 29,
        _ => {}
    }
    match format(op) {
        Format::Register(opcode, function) => {
            opcode << 26 | f.rs << 21 | f.rt << 16 | f.rd << 11 | f.sa << 6 | function
        }
        Format::Immediate(opcode) => opcode << 26 | f.rs << 21 | f.rt << 16 | f.imm & 0xffff,
        Format::Regimm(selector) => 1 << 26 | f.rs << 21 | selector << 16 | f.imm & 0xffff,
        Format::Jump(opcode) => opcode << 26,
    }
}

/// A program under construction: code, data, and what its output means.
pub(crate) struct Program {
    code: Vec<u32>,
    data: Vec<u8>,
    /// Bytes recorded so far.
    recorded: u32,
    /// Bytes recorded beyond what `OUT` points at.
    pending: u32,
    /// Which output offset starts which case.
    cases: Vec<(u32, String)>,
    /// Operations under test.
    tested: Vec<Operation>,
}

impl Program {
    /// A program whose data starts with `data`.
    pub(crate) fn new(data: &[u8]) -> Self {
        let mut data = data.to_vec();
        data.resize(data.len().next_multiple_of(32), 0);
        let mut program = Program {
            code: Vec::new(),
            data,
            recorded: 0,
            pending: 0,
            cases: Vec::new(),
            tested: Vec::new(),
        };
        program.li(OUT, program.output_start());
        program
    }

    fn output_start(&self) -> u32 {
        DATA + self.data.len() as u32
    }

    /// Address of the next instruction.
    pub(crate) fn here(&self) -> u32 {
        CODE + 4 * self.code.len() as u32
    }

    /// Appends a raw word.
    pub(crate) fn word(&mut self, word: u32) {
        self.code.push(word);
    }

    /// Appends an instruction that only serves the test.
    pub(crate) fn op(&mut self, op: Operation, fields: Fields) {
        self.word(encode(op, fields));
    }

    /// Appends an instruction under test.
    pub(crate) fn test(&mut self, op: Operation, fields: Fields) {
        self.tested.push(op);
        self.op(op, fields);
    }

    /// Appends J or JAL under test to `target`, in the same 256 MiB.
    pub(crate) fn jump(&mut self, op: Operation, target: u32) {
        self.tested.push(op);
        self.word(encode(op, Fields::default()) | target >> 2 & 0x03ff_ffff);
    }

    /// Loads a constant with LUI and ORI.
    pub(crate) fn li(&mut self, register: u32, value: u32) {
        let high = Fields {
            rt: register,
            imm: value >> 16,
            ..Fields::default()
        };
        self.op(Operation::Lui, high);
        let low = Fields {
            rs: register,
            rt: register,
            imm: value & 0xffff,
            ..Fields::default()
        };
        self.op(Operation::Ori, low);
    }

    /// Appends `addiu rt, rs, imm`.
    pub(crate) fn addiu(&mut self, rt: u32, rs: u32, imm: u32) {
        let fields = Fields {
            rs,
            rt,
            imm,
            ..Fields::default()
        };
        self.op(Operation::Addiu, fields);
    }

    /// Appends a NOP.
    pub(crate) fn nop(&mut self) {
        self.word(0);
    }

    /// Names what is recorded from here on.
    pub(crate) fn case(&mut self, name: impl Into<String>) {
        self.cases.push((self.recorded, name.into()));
    }

    /// Stores a register to the output.
    pub(crate) fn record(&mut self, register: u32) {
        if self.pending >= 0x7f00 {
            self.addiu(OUT, OUT, self.pending);
            self.pending = 0;
        }
        let fields = Fields {
            rs: OUT,
            rt: register,
            imm: self.pending,
            ..Fields::default()
        };
        self.op(Operation::Sw, fields);
        self.pending += 4;
        self.recorded += 4;
    }

    /// Stores hi and lo to the output.
    pub(crate) fn record_hi_lo(&mut self) {
        for op in [Operation::Mfhi, Operation::Mflo] {
            let fields = Fields {
                rd: SCRATCH,
                ..Fields::default()
            };
            self.op(op, fields);
            self.record(SCRATCH);
        }
    }

    /// Stores all registers but the two of the recording code, and hi and lo.
    pub(crate) fn record_all(&mut self) {
        for register in (0..32).filter(|r| ![SCRATCH, OUT].contains(r)) {
            self.record(register);
        }
        self.record_hi_lo();
    }

    /// Appends a system call with constant arguments.
    pub(crate) fn syscall(&mut self, number: u32, arguments: &[u32]) {
        for (register, value) in (4..8).zip(arguments) {
            self.li(register, *value);
        }
        self.li(2, number);
        self.op(Operation::Syscall, Fields::default());
    }

    /// Operations under test so far.
    pub(crate) fn tested(&self) -> &[Operation] {
        &self.tested
    }

    /// The case that output byte `offset` belongs to.
    pub(crate) fn case_at(&self, offset: usize) -> &str {
        let at = self.cases.partition_point(|(start, _)| *start as usize <= offset);
        at.checked_sub(1)
            .map_or("before the first case", |at| &self.cases[at].1)
    }

    /// Ends the program: prints the data and the output, then `exit(0)`. Returns the ELF file.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let end = DATA + self.data.len() as u32 + self.recorded;
        for start in (DATA..end).step_by(WRITE as usize) {
            self.syscall(4004, &[1, start, WRITE.min(end - start)]);
        }
        self.syscall(4246, &[0]);
        self.elf()
    }

    /// Bytes of data before the output.
    pub(crate) fn data_len(&self) -> usize {
        self.data.len()
    }

    /// The ELF file of what is there.
    pub(crate) fn elf(&self) -> Vec<u8> {
        let code: Vec<u8> = self.code.iter().flat_map(|word| word.to_be_bytes()).collect();
        let code_offset = 0x1000;
        let data_offset = (code_offset + code.len()).next_multiple_of(0x1000);
        let memory = self.data.len() as u32 + self.recorded + 64;
        let mut elf = header(2, CODE);
        elf.extend(program_header(
            code_offset as u32,
            CODE,
            code.len() as u32,
            code.len() as u32,
            5,
        ));
        elf.extend(program_header(
            data_offset as u32,
            DATA,
            self.data.len() as u32,
            memory,
            6,
        ));
        elf.resize(code_offset, 0);
        elf.extend(code);
        elf.resize(data_offset, 0);
        elf.extend(&self.data);
        elf
    }
}

/// ELF header of a static big-endian MIPS32r2 o32 executable without sections.
pub(crate) fn header(segments: u16, entry: u32) -> Vec<u8> {
    let mut h = vec![0x7f, b'E', b'L', b'F', 1, 2, 1];
    h.resize(16, 0);
    h.extend(2u16.to_be_bytes()); // ET_EXEC
    h.extend(8u16.to_be_bytes()); // EM_MIPS
    h.extend(1u32.to_be_bytes());
    h.extend(entry.to_be_bytes());
    h.extend(52u32.to_be_bytes()); // program headers follow
    h.extend(0u32.to_be_bytes());
    h.extend(0x7000_1001u32.to_be_bytes()); // mips32r2, o32, noreorder
    h.extend(52u16.to_be_bytes());
    h.extend(32u16.to_be_bytes());
    h.extend(segments.to_be_bytes());
    h.extend([0, 40, 0, 0, 0, 0]);
    h
}

/// One PT_LOAD header. `flags`: 4 readable, 2 writable, 1 executable.
pub(crate) fn program_header(offset: u32, address: u32, file: u32, memory: u32, flags: u32) -> Vec<u8> {
    [1, offset, address, address, file, memory, flags, 0x1000]
        .into_iter()
        .flat_map(u32::to_be_bytes)
        .collect()
}
