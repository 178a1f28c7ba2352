//! Instructions as a person reads them, in the notation of GNU objdump without pseudo-instructions.

use std::fmt;

use crate::instruction::{Instruction, Operation};

/// The o32 names of the registers.
pub const REGISTER_NAMES: [&str; 32] = [
    "zero", "at", "v0", "v1", "a0", "a1", "a2", "a3", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "s0",
    "s1", "s2", "s3", "s4", "s5", "s6", "s7", "t8", "t9", "k0", "k1", "gp", "sp", "s8", "ra",
];

fn name(register: u32) -> &'static str {
    REGISTER_NAMES[(register & 31) as usize]
}

impl Instruction {
    /// Text of the instruction at `pc` (branch and jump targets are absolute).
    pub fn disassemble(self, pc: u32) -> String {
        use Operation::*;
        let m = self.op.mnemonic();
        let (rs, rt, rd) = (name(self.rs()), name(self.rt()), name(self.rd()));
        let simm = self.simm() as i32;
        match self.op {
            Sll if self.word == 0 => "nop".to_owned(),
            Sll | Srl | Rotr | Sra => format!("{m} {rd},{rt},{:#x}", self.shamt()),
            Sllv | Srlv | Rotrv | Srav => format!("{m} {rd},{rt},{rs}"),
            Jr | Mthi | Mtlo => format!("{m} {rs}"),
            Jalr => format!("{m} {rd},{rs}"),
            Movz | Movn | Add | Addu | Sub | Subu | And | Or | Xor | Nor | Slt | Sltu | Mul => {
                format!("{m} {rd},{rs},{rt}")
            }
            Syscall | Break | Sync => m,
            Mfhi | Mflo => format!("{m} {rd}"),
            Mult | Multu | Div | Divu | Tge | Tgeu | Tlt | Tltu | Teq | Tne | Madd | Maddu | Msub | Msubu => {
                format!("{m} {rs},{rt}")
            }
            Bltz | Bgez | Bltzl | Bgezl | Bltzal | Bgezal | Bltzall | Bgezall | Blez | Bgtz | Blezl
            | Bgtzl => {
                format!("{m} {rs},{:#x}", self.branch_target(pc))
            }
            Beq | Bne | Beql | Bnel => format!("{m} {rs},{rt},{:#x}", self.branch_target(pc)),
            J | Jal => format!("{m} {:#x}", self.jump_target(pc)),
            Tgei | Tgeiu | Tlti | Tltiu | Teqi | Tnei => format!("{m} {rs},{simm}"),
            Addi | Addiu | Slti | Sltiu => format!("{m} {rt},{rs},{simm}"),
            Andi | Ori | Xori => format!("{m} {rt},{rs},{:#x}", self.imm()),
            Lui => format!("{m} {rt},{:#x}", self.imm()),
            Clz | Clo => format!("{m} {rd},{rs}"),
            Ext => format!("{m} {rt},{rs},{:#x},{:#x}", self.shamt(), self.rd() + 1),
            Ins => format!(
                "{m} {rt},{rs},{:#x},{:#x}",
                self.shamt(),
                self.rd() - self.shamt() + 1
            ),
            Wsbh | Seb | Seh => format!("{m} {rd},{rt}"),
            Rdhwr => format!("{m} {rt},$29"),
            Lb | Lh | Lwl | Lw | Lbu | Lhu | Lwr | Sb | Sh | Swl | Sw | Swr | Ll | Sc => {
                format!("{m} {rt},{simm}({rs})")
            }
            Pref => format!("{m} {:#x},{simm}({rs})", self.rt()),
            Synci => format!("{m} {simm}({rs})"),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.mnemonic())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(word: u32, pc: u32) -> String {
        Instruction::decode(word).unwrap().disassemble(pc)
    }

    // Words and texts as `mips-linux-gnu-objdump -M no-aliases` shows them.
    #[test]
    fn reads_like_objdump() {
        assert_eq!(text(0, 0), "nop");
        assert_eq!(text(0x27bd_ffe8, 0), "addiu sp,sp,-24");
        assert_eq!(text(0xafbf_0014, 0), "sw ra,20(sp)");
        assert_eq!(text(0x1440_fffc, 0x40_0010), "bne v0,zero,0x400004");
        assert_eq!(text(0x0c10_0000, 0x40_0000), "jal 0x400000");
        assert_eq!(text(0x03e0_0008, 0), "jr ra");
        assert_eq!(text(0x3c04_0041, 0), "lui a0,0x41");
        assert_eq!(text(0x7c85_2104, 0), "ins a1,a0,0x4,0x1");
        assert_eq!(text(0x7c85_3900, 0), "ext a1,a0,0x4,0x8");
        assert_eq!(text(0x7c03_e83b, 0), "rdhwr v1,$29");
        assert_eq!(text(0x0025_1202, 0), "rotr v0,a1,0x8");
    }

    #[test]
    fn every_defined_word_has_text() {
        for opcode in 0..64u32 {
            for low in 0..=0xffffu32 {
                let word = opcode << 26 | (low & 31) << 16 | 0x0145_0000 | low;
                if let Some(instruction) = Instruction::decode(word) {
                    assert!(!instruction.disassemble(0xffff_fffc).is_empty());
                }
            }
        }
    }
}
