//! From an instruction word to its operation.
//!
//! The table is the protocol's list and nothing else: an attacker gains from any word that two parties read differently, so
//! a word is defined here, in the reference, or nowhere. Fields that the manual wants to be zero are ignored.

use crate::instruction::Operation;

/// The operation of `word`; `None` if the machine does not define it.
pub(crate) fn operation(word: u32) -> Option<Operation> {
    use Operation::*;
    Some(match word >> 26 {
        0x00 => return special(word),
        0x01 => return regimm(word),
        0x02 => J,
        0x03 => Jal,
        0x04 => Beq,
        0x05 => Bne,
        0x06 => Blez,
        0x07 => Bgtz,
        0x08 => Addi,
        0x09 => Addiu,
        0x0a => Slti,
        0x0b => Sltiu,
        0x0c => Andi,
        0x0d => Ori,
        0x0e => Xori,
        0x0f => Lui,
        0x14 => Beql,
        0x15 => Bnel,
        0x16 => Blezl,
        0x17 => Bgtzl,
        0x1c => return special2(word),
        0x1f => return special3(word),
        0x20 => Lb,
        0x21 => Lh,
        0x22 => Lwl,
        0x23 => Lw,
        0x24 => Lbu,
        0x25 => Lhu,
        0x26 => Lwr,
        0x28 => Sb,
        0x29 => Sh,
        0x2a => Swl,
        0x2b => Sw,
        0x2e => Swr,
        0x30 => Ll,
        0x33 => Pref,
        0x38 => Sc,
        _ => return None,
    })
}

fn special(word: u32) -> Option<Operation> {
    use Operation::*;
    Some(match word & 0x3f {
        0x00 => Sll,
        0x02 if word >> 21 & 1 == 1 => Rotr,
        0x02 => Srl,
        0x03 => Sra,
        0x04 => Sllv,
        0x06 if word >> 6 & 1 == 1 => Rotrv,
        0x06 => Srlv,
        0x07 => Srav,
        0x08 => Jr,
        0x09 => Jalr,
        0x0a => Movz,
        0x0b => Movn,
        0x0c => Syscall,
        0x0d => Break,
        0x0f => Sync,
        0x10 => Mfhi,
        0x11 => Mthi,
        0x12 => Mflo,
        0x13 => Mtlo,
        0x18 => Mult,
        0x19 => Multu,
        0x1a => Div,
        0x1b => Divu,
        0x20 => Add,
        0x21 => Addu,
        0x22 => Sub,
        0x23 => Subu,
        0x24 => And,
        0x25 => Or,
        0x26 => Xor,
        0x27 => Nor,
        0x2a => Slt,
        0x2b => Sltu,
        0x30 => Tge,
        0x31 => Tgeu,
        0x32 => Tlt,
        0x33 => Tltu,
        0x34 => Teq,
        0x36 => Tne,
        _ => return None,
    })
}

fn regimm(word: u32) -> Option<Operation> {
    use Operation::*;
    Some(match word >> 16 & 31 {
        0x00 => Bltz,
        0x01 => Bgez,
        0x02 => Bltzl,
        0x03 => Bgezl,
        0x08 => Tgei,
        0x09 => Tgeiu,
        0x0a => Tlti,
        0x0b => Tltiu,
        0x0c => Teqi,
        0x0e => Tnei,
        0x10 => Bltzal,
        0x11 => Bgezal,
        0x12 => Bltzall,
        0x13 => Bgezall,
        0x1f => Synci,
        _ => return None,
    })
}

fn special2(word: u32) -> Option<Operation> {
    use Operation::*;
    Some(match word & 0x3f {
        0x00 => Madd,
        0x01 => Maddu,
        0x02 => Mul,
        0x04 => Msub,
        0x05 => Msubu,
        0x20 => Clz,
        0x21 => Clo,
        _ => return None,
    })
}

fn special3(word: u32) -> Option<Operation> {
    use Operation::*;
    let high = word >> 11 & 31;
    let low = word >> 6 & 31;
    Some(match word & 0x3f {
        0x00 if low + high <= 31 => Ext,
        0x04 if low <= high => Ins,
        0x20 => match low {
            0x02 => Wsbh,
            0x10 => Seb,
            0x18 => Seh,
            _ => return None,
        },
        0x3b if high == 29 => Rdhwr,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn all_lists_every_operation_once_and_decode_reaches_each() {
        let listed: BTreeSet<_> = Operation::ALL.into_iter().collect();
        assert_eq!(listed.len(), Operation::ALL.len());
        assert_eq!(Operation::ALL.last(), Some(&Operation::Pref));
        assert_eq!(Operation::Pref as usize + 1, Operation::ALL.len());
        // All opcodes, function codes, `rt` fields, and the field combinations that select an operation.
        let mut reached = BTreeSet::new();
        for opcode in 0..64u32 {
            for function in 0..64 {
                for rt in 0..32 {
                    for extra in 0..1 << 11 {
                        let word = opcode << 26
                            | (extra & 1) << 21
                            | rt << 16
                            | (extra >> 1 & 31) << 11
                            | (extra >> 6) << 6
                            | function;
                        reached.extend(operation(word));
                        if !(matches!(opcode, 0 | 0x1f)) && extra > 0 {
                            break;
                        }
                    }
                }
            }
        }
        assert_eq!(reached, listed);
    }

    #[test]
    fn undefined_words_are_refused() {
        let words = [
            0x0000_0001, // MOVF
            0x0000_0005,
            0x0000_000e,
            0x0000_0014,
            0x0000_0035,
            0x0000_0037,
            0x0404_0000, // REGIMM 4
            0x041e_0000,
            0x4000_0000, // COP0
            0x4400_0000, // COP1
            0x4c00_0000,
            0x6000_0000,
            0x7000_0003,
            0x7000_003f,                     // SDBBP
            0x7c00_0000 | 1 << 11 | 31 << 6, // EXT with lsb + msbd = 32
            0x7c00_0004 | 4 << 11 | 5 << 6,  // INS with lsb > msb
            0x7c00_0020,                     // BSHFL 0
            0x7c00_003b | 28 << 11,          // RDHWR 28
            0x7c00_003b,                     // RDHWR 0
            0xb000_0000,                     // opcode 0x2c
            0xbc00_0000,                     // CACHE
            0xc400_0000,                     // LWC1
            0xe400_0000,                     // SWC1
            0xfc00_0000,
        ];
        for word in words {
            assert_eq!(operation(word), None, "{word:#010x}");
        }
    }

    #[test]
    fn ignored_fields_are_ignored() {
        assert_eq!(operation(0x03ff_ffc0 & !0x3f), Some(Operation::Sll));
        // SRL: of the rs field only bit 21 counts.
        assert_eq!(operation(0b11110 << 21 | 0x02), Some(Operation::Srl));
        assert_eq!(operation(0b00001 << 21 | 0x02), Some(Operation::Rotr));
        // SRLV: of the shamt field only bit 6 counts.
        assert_eq!(operation(0b11110 << 6 | 0x06), Some(Operation::Srlv));
        assert_eq!(operation(0b11111 << 6 | 0x06), Some(Operation::Rotrv));
    }
}
