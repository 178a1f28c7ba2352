//! A small assembler: instructions as methods, labels, absolute addresses known from the start.
//!
//! It serves the Go kernel ([`crate::go`]) and tests that need programs without a toolchain. Register operands are
//! numbers below 32; a branch's delay slot is the caller's next instruction.

use std::collections::HashMap;

/// Register numbers by their o32 names.
#[allow(missing_docs)]
pub mod register {
    pub const ZERO: u32 = 0;
    pub const AT: u32 = 1;
    pub const V0: u32 = 2;
    pub const V1: u32 = 3;
    pub const A0: u32 = 4;
    pub const A1: u32 = 5;
    pub const A2: u32 = 6;
    pub const A3: u32 = 7;
    pub const T0: u32 = 8;
    pub const T1: u32 = 9;
    pub const T2: u32 = 10;
    pub const T3: u32 = 11;
    pub const T4: u32 = 12;
    pub const T5: u32 = 13;
    pub const S0: u32 = 16;
    pub const S7: u32 = 23;
    pub const K0: u32 = 26;
    pub const GP: u32 = 28;
    pub const SP: u32 = 29;
    pub const S8: u32 = 30;
    pub const RA: u32 = 31;
}

/// Words of a three-register instruction of SPECIAL: `function rd, rs, rt`.
pub fn special(function: u32, rd: u32, rs: u32, rt: u32) -> u32 {
    rs << 21 | rt << 16 | rd << 11 | function
}

/// Words of an immediate instruction: `opcode rt, rs, imm` (the low 16 bits of `imm`).
pub fn immediate(opcode: u32, rt: u32, rs: u32, imm: i32) -> u32 {
    opcode << 26 | rs << 21 | rt << 16 | (imm as u32 & 0xffff)
}

/// `j target`; the target shares the top four bits of the address after the jump.
pub fn jump(target: u32) -> u32 {
    0x02 << 26 | target >> 2 & 0x03ff_ffff
}

/// `syscall`.
pub const SYSCALL: u32 = 0x0c;

enum Fixup {
    Branch,
    Jump,
}

/// Code under construction.
pub struct Assembler {
    base: u32,
    words: Vec<u32>,
    labels: HashMap<String, u32>,
    fixups: Vec<(usize, String, Fixup)>,
}

impl Assembler {
    /// An empty piece of code at `base`.
    pub fn new(base: u32) -> Self {
        Assembler {
            base,
            words: Vec::new(),
            labels: HashMap::new(),
            fixups: Vec::new(),
        }
    }

    /// Address of the next instruction.
    pub fn here(&self) -> u32 {
        self.base + 4 * self.words.len() as u32
    }

    /// Names the next instruction.
    pub fn label(&mut self, name: &str) -> &mut Self {
        self.labels.insert(name.to_owned(), self.here());
        self
    }

    /// Address of a label that was set.
    pub fn address(&self, name: &str) -> Option<u32> {
        self.labels.get(name).copied()
    }

    /// Appends a word.
    pub fn word(&mut self, word: u32) -> &mut Self {
        self.words.push(word);
        self
    }

    /// `nop`.
    pub fn nop(&mut self) -> &mut Self {
        self.word(0)
    }

    /// `addiu rt, rs, imm`.
    pub fn addiu(&mut self, rt: u32, rs: u32, imm: i32) -> &mut Self {
        self.word(immediate(0x09, rt, rs, imm))
    }

    /// `addu rd, rs, rt`.
    pub fn addu(&mut self, rd: u32, rs: u32, rt: u32) -> &mut Self {
        self.word(special(0x21, rd, rs, rt))
    }

    /// `subu rd, rs, rt`.
    pub fn subu(&mut self, rd: u32, rs: u32, rt: u32) -> &mut Self {
        self.word(special(0x23, rd, rs, rt))
    }

    /// `sltu rd, rs, rt`.
    pub fn sltu(&mut self, rd: u32, rs: u32, rt: u32) -> &mut Self {
        self.word(special(0x2b, rd, rs, rt))
    }

    /// `or rd, rs, zero`.
    pub fn mov(&mut self, rd: u32, rs: u32) -> &mut Self {
        self.word(special(0x25, rd, rs, 0))
    }

    /// Loads a constant in two instructions (`lui`, `ori`).
    pub fn li(&mut self, rt: u32, value: u32) -> &mut Self {
        self.word(immediate(0x0f, rt, 0, (value >> 16) as i32))
            .word(immediate(0x0d, rt, rt, value as i32))
    }

    /// `lw rt, offset(base)`.
    pub fn lw(&mut self, rt: u32, offset: i32, base: u32) -> &mut Self {
        self.word(immediate(0x23, rt, base, offset))
    }

    /// `sw rt, offset(base)`.
    pub fn sw(&mut self, rt: u32, offset: i32, base: u32) -> &mut Self {
        self.word(immediate(0x2b, rt, base, offset))
    }

    /// `beq rs, rt, label`.
    pub fn beq(&mut self, rs: u32, rt: u32, label: &str) -> &mut Self {
        self.fixups
            .push((self.words.len(), label.to_owned(), Fixup::Branch));
        self.word(immediate(0x04, rt, rs, 0))
    }

    /// `bne rs, rt, label`.
    pub fn bne(&mut self, rs: u32, rt: u32, label: &str) -> &mut Self {
        self.fixups
            .push((self.words.len(), label.to_owned(), Fixup::Branch));
        self.word(immediate(0x05, rt, rs, 0))
    }

    /// `blez rs, label`.
    pub fn blez(&mut self, rs: u32, label: &str) -> &mut Self {
        self.fixups
            .push((self.words.len(), label.to_owned(), Fixup::Branch));
        self.word(immediate(0x06, 0, rs, 0))
    }

    /// `j label`.
    pub fn j(&mut self, label: &str) -> &mut Self {
        self.fixups
            .push((self.words.len(), label.to_owned(), Fixup::Jump));
        self.word(jump(0))
    }

    /// `jr rs`.
    pub fn jr(&mut self, rs: u32) -> &mut Self {
        self.word(special(0x08, 0, rs, 0))
    }

    /// The finished words.
    ///
    /// # Panics
    /// If a label that is used was never set, or lies further than a branch reaches.
    pub fn finish(self) -> Vec<u32> {
        let Assembler {
            base,
            mut words,
            labels,
            fixups,
        } = self;
        for (at, label, fixup) in fixups {
            let target = *labels
                .get(&label)
                .unwrap_or_else(|| panic!("label {label} was never set"));
            match fixup {
                Fixup::Jump => words[at] |= target >> 2 & 0x03ff_ffff,
                Fixup::Branch => {
                    let distance = (target.wrapping_sub(base + 4 * at as u32 + 4) as i32) >> 2;
                    assert!(i16::try_from(distance).is_ok(), "label {label} is out of reach");
                    words[at] |= distance as u32 & 0xffff;
                }
            }
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::register::*;
    use super::*;
    use crate::instruction::Instruction;

    #[test]
    fn text_comes_back() {
        let mut a = Assembler::new(0x1000);
        a.label("top")
            .li(T0, 0x1234_5678)
            .lw(A0, -4, SP)
            .sw(A0, 8, SP)
            .addiu(SP, SP, -16);
        a.addu(V0, A0, A1).subu(V0, A0, A1).sltu(V0, A0, A1).mov(V0, A0);
        a.bne(T0, ZERO, "top")
            .nop()
            .beq(T0, T1, "end")
            .nop()
            .blez(T0, "end")
            .nop()
            .j("top")
            .nop()
            .jr(RA)
            .nop();
        a.label("end").word(SYSCALL);
        let text: Vec<String> = a
            .finish()
            .iter()
            .enumerate()
            .map(|(i, word)| {
                Instruction::decode(*word)
                    .unwrap()
                    .disassemble(0x1000 + 4 * i as u32)
            })
            .filter(|text| text != "nop")
            .collect();
        assert_eq!(
            text,
            [
                "lui t0,0x1234",
                "ori t0,t0,0x5678",
                "lw a0,-4(sp)",
                "sw a0,8(sp)",
                "addiu sp,sp,-16",
                "addu v0,a0,a1",
                "subu v0,a0,a1",
                "sltu v0,a0,a1",
                "or v0,a0,zero",
                "bne t0,zero,0x1000",
                "beq t0,t1,0x104c",
                "blez t0,0x104c",
                "j 0x1000",
                "jr ra",
                "syscall",
            ]
        );
    }
}
