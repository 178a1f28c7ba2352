//! Instructions: the operation and the fields of a word (`docs/protocol.md` §4; MIPS32 release 2, volume II).
//!
//! An instruction keeps its word: fields that the operation does not use are ignored, as the protocol says, so two words
//! may be the same instruction and yet different program bytes.

use crate::decode;

/// A defined operation.
///
/// The names are the mnemonics of the MIPS32 manual.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Operation {
    Sll,
    Srl,
    Rotr,
    Sra,
    Sllv,
    Srlv,
    Rotrv,
    Srav,
    Jr,
    Jalr,
    Movz,
    Movn,
    Syscall,
    Break,
    Sync,
    Mfhi,
    Mthi,
    Mflo,
    Mtlo,
    Mult,
    Multu,
    Div,
    Divu,
    Add,
    Addu,
    Sub,
    Subu,
    And,
    Or,
    Xor,
    Nor,
    Slt,
    Sltu,
    Tge,
    Tgeu,
    Tlt,
    Tltu,
    Teq,
    Tne,
    Bltz,
    Bgez,
    Bltzl,
    Bgezl,
    Tgei,
    Tgeiu,
    Tlti,
    Tltiu,
    Teqi,
    Tnei,
    Bltzal,
    Bgezal,
    Bltzall,
    Bgezall,
    Synci,
    J,
    Jal,
    Beq,
    Bne,
    Blez,
    Bgtz,
    Beql,
    Bnel,
    Blezl,
    Bgtzl,
    Addi,
    Addiu,
    Slti,
    Sltiu,
    Andi,
    Ori,
    Xori,
    Lui,
    Madd,
    Maddu,
    Mul,
    Msub,
    Msubu,
    Clz,
    Clo,
    Ext,
    Ins,
    Wsbh,
    Seb,
    Seh,
    Rdhwr,
    Lb,
    Lh,
    Lwl,
    Lw,
    Lbu,
    Lhu,
    Lwr,
    Sb,
    Sh,
    Swl,
    Sw,
    Swr,
    Ll,
    Sc,
    Pref,
}

impl Operation {
    /// Every defined operation, in order of declaration.
    pub const ALL: [Operation; 100] = {
        use Operation::*;
        [
            Sll, Srl, Rotr, Sra, Sllv, Srlv, Rotrv, Srav, Jr, Jalr, Movz, Movn, Syscall, Break, Sync, Mfhi,
            Mthi, Mflo, Mtlo, Mult, Multu, Div, Divu, Add, Addu, Sub, Subu, And, Or, Xor, Nor, Slt, Sltu,
            Tge, Tgeu, Tlt, Tltu, Teq, Tne, Bltz, Bgez, Bltzl, Bgezl, Tgei, Tgeiu, Tlti, Tltiu, Teqi, Tnei,
            Bltzal, Bgezal, Bltzall, Bgezall, Synci, J, Jal, Beq, Bne, Blez, Bgtz, Beql, Bnel, Blezl, Bgtzl,
            Addi, Addiu, Slti, Sltiu, Andi, Ori, Xori, Lui, Madd, Maddu, Mul, Msub, Msubu, Clz, Clo, Ext,
            Ins, Wsbh, Seb, Seh, Rdhwr, Lb, Lh, Lwl, Lw, Lbu, Lhu, Lwr, Sb, Sh, Swl, Sw, Swr, Ll, Sc, Pref,
        ]
    };

    /// Whether the operation reads memory into a register (LL included, SC not).
    pub fn is_load(self) -> bool {
        use Operation::*;
        matches!(self, Lb | Lh | Lwl | Lw | Lbu | Lhu | Lwr | Ll)
    }

    /// Whether the operation writes memory (SC included).
    pub fn is_store(self) -> bool {
        use Operation::*;
        matches!(self, Sb | Sh | Swl | Sw | Swr | Sc)
    }

    /// Alignment in bytes that a load or store demands; 1 for the unaligned ones and for everything else.
    pub fn alignment(self) -> u32 {
        use Operation::*;
        match self {
            Lh | Lhu | Sh => 2,
            Lw | Sw | Ll | Sc => 4,
            _ => 1,
        }
    }

    /// Whether the operation is a branch or jump, that is, may change `next_pc'`.
    pub fn is_branch(self) -> bool {
        use Operation::*;
        matches!(
            self,
            Jr | Jalr
                | Bltz
                | Bgez
                | Bltzl
                | Bgezl
                | Bltzal
                | Bgezal
                | Bltzall
                | Bgezall
                | J
                | Jal
                | Beq
                | Bne
                | Blez
                | Bgtz
                | Beql
                | Bnel
                | Blezl
                | Bgtzl
        )
    }

    /// Whether the operation is a branch-likely, which skips its delay slot when not taken.
    pub fn is_likely(self) -> bool {
        use Operation::*;
        matches!(
            self,
            Bltzl | Bgezl | Bltzall | Bgezall | Beql | Bnel | Blezl | Bgtzl
        )
    }

    /// The mnemonic in lower case.
    pub fn mnemonic(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// A defined instruction: its operation and its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instruction {
    /// What it does.
    pub op: Operation,
    /// The whole word.
    pub word: u32,
}

impl Instruction {
    /// Decodes a word; `None` if the machine does not define it.
    pub fn decode(word: u32) -> Option<Self> {
        decode::operation(word).map(|op| Instruction { op, word })
    }

    /// Register field in bits 25..21.
    pub fn rs(self) -> u32 {
        self.word >> 21 & 31
    }

    /// Register field in bits 20..16.
    pub fn rt(self) -> u32 {
        self.word >> 16 & 31
    }

    /// Register field in bits 15..11 (also the msb of INS and the size - 1 of EXT).
    pub fn rd(self) -> u32 {
        self.word >> 11 & 31
    }

    /// Shift amount in bits 10..6 (also the lsb of INS and EXT).
    pub fn shamt(self) -> u32 {
        self.word >> 6 & 31
    }

    /// The low 16 bits, zero-extended.
    pub fn imm(self) -> u32 {
        self.word & 0xffff
    }

    /// The low 16 bits, sign-extended.
    pub fn simm(self) -> u32 {
        self.word as u16 as i16 as i32 as u32
    }

    /// Target of a branch at `pc`.
    pub fn branch_target(self, pc: u32) -> u32 {
        pc.wrapping_add(4).wrapping_add(self.simm() << 2)
    }

    /// Target of J or JAL at `pc`.
    pub fn jump_target(self, pc: u32) -> u32 {
        (pc.wrapping_add(4) & 0xf000_0000) | (self.word & 0x03ff_ffff) << 2
    }

    /// The register that the operation may write, 0 if none. System calls and conditional moves are not looked at
    /// closer here: this is the field, not what a step does with it.
    pub fn dest_field(self) -> u32 {
        use Operation::*;
        match self.op {
            Sll | Srl | Rotr | Sra | Sllv | Srlv | Rotrv | Srav | Jalr | Movz | Movn | Mfhi | Mflo | Add
            | Addu | Sub | Subu | And | Or | Xor | Nor | Slt | Sltu | Mul | Clz | Clo | Wsbh | Seb | Seh => {
                self.rd()
            }
            Addi | Addiu | Slti | Sltiu | Andi | Ori | Xori | Lui | Ext | Ins | Rdhwr | Lb | Lh | Lwl
            | Lw | Lbu | Lhu | Lwr | Ll | Sc => self.rt(),
            Jal | Bltzal | Bgezal | Bltzall | Bgezall => 31,
            _ => 0,
        }
    }
}
