//! Which instruction a word is, as the leaves see it: by masks, natively and in Script.
//!
//! Owns the list of section 4 of the protocol reference in the one form that both sides of a leaf share: a set of
//! `(mask, match)` pairs. That the pairs are disjoint and mean the same as the emulator's decoder is tested. Two
//! instructions whose pairs could both match would let an operator pick the meaning; the tests walk all of them.

use taptree_commit::script::{Bool, ScriptBuilder, Word};

/// Words whose bits under `mask` are `bits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Pattern {
    mask: u32,
    bits: u32,
}

/// An opcode field alone.
const fn major(opcode: u32) -> Pattern {
    Pattern {
        mask: 0xfc00_0000,
        bits: opcode << 26,
    }
}

/// An opcode field and the function field.
const fn function(opcode: u32, function: u32) -> Pattern {
    Pattern {
        mask: 0xfc00_003f,
        bits: opcode << 26 | function,
    }
}

const fn special(code: u32) -> Pattern {
    function(0, code)
}

const fn regimm(code: u32) -> Pattern {
    Pattern {
        mask: 0xfc1f_0000,
        bits: 1 << 26 | code << 16,
    }
}

/// A pattern with one more bit fixed.
const fn with_bit(pattern: Pattern, bit: u32, set: bool) -> Pattern {
    Pattern {
        mask: pattern.mask | 1 << bit,
        bits: pattern.bits | (set as u32) << bit,
    }
}

/// SPECIAL3's BSHFL group, whose operation stands in the shift field.
const fn bshfl(code: u32) -> Pattern {
    Pattern {
        mask: 0xfc00_07ff,
        bits: 31 << 26 | code << 6 | 0x20,
    }
}

macro_rules! operations {
    ($($name:ident = $pattern:expr, $text:literal;)*) => {
        /// A defined instruction.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs)]
        pub enum Operation { $($name),* }

        impl Operation {
            /// Every defined instruction.
            pub const ALL: &'static [Operation] = &[$(Operation::$name),*];

            pub(crate) const fn pattern(self) -> Pattern {
                match self { $(Operation::$name => $pattern),* }
            }

            /// The mnemonic.
            pub const fn mnemonic(self) -> &'static str {
                match self { $(Operation::$name => $text),* }
            }
        }
    };
}

operations! {
    Sll = special(0x00), "sll";
    Srl = with_bit(special(0x02), 21, false), "srl";
    Rotr = with_bit(special(0x02), 21, true), "rotr";
    Sra = special(0x03), "sra";
    Sllv = special(0x04), "sllv";
    Srlv = with_bit(special(0x06), 6, false), "srlv";
    Rotrv = with_bit(special(0x06), 6, true), "rotrv";
    Srav = special(0x07), "srav";
    Jr = special(0x08), "jr";
    Jalr = special(0x09), "jalr";
    Movz = special(0x0a), "movz";
    Movn = special(0x0b), "movn";
    Syscall = special(0x0c), "syscall";
    Break = special(0x0d), "break";
    Sync = special(0x0f), "sync";
    Mfhi = special(0x10), "mfhi";
    Mthi = special(0x11), "mthi";
    Mflo = special(0x12), "mflo";
    Mtlo = special(0x13), "mtlo";
    Mult = special(0x18), "mult";
    Multu = special(0x19), "multu";
    Div = special(0x1a), "div";
    Divu = special(0x1b), "divu";
    Add = special(0x20), "add";
    Addu = special(0x21), "addu";
    Sub = special(0x22), "sub";
    Subu = special(0x23), "subu";
    And = special(0x24), "and";
    Or = special(0x25), "or";
    Xor = special(0x26), "xor";
    Nor = special(0x27), "nor";
    Slt = special(0x2a), "slt";
    Sltu = special(0x2b), "sltu";
    Tge = special(0x30), "tge";
    Tgeu = special(0x31), "tgeu";
    Tlt = special(0x32), "tlt";
    Tltu = special(0x33), "tltu";
    Teq = special(0x34), "teq";
    Tne = special(0x36), "tne";
    Bltz = regimm(0x00), "bltz";
    Bgez = regimm(0x01), "bgez";
    Bltzl = regimm(0x02), "bltzl";
    Bgezl = regimm(0x03), "bgezl";
    Tgei = regimm(0x08), "tgei";
    Tgeiu = regimm(0x09), "tgeiu";
    Tlti = regimm(0x0a), "tlti";
    Tltiu = regimm(0x0b), "tltiu";
    Teqi = regimm(0x0c), "teqi";
    Tnei = regimm(0x0e), "tnei";
    Bltzal = regimm(0x10), "bltzal";
    Bgezal = regimm(0x11), "bgezal";
    Bltzall = regimm(0x12), "bltzall";
    Bgezall = regimm(0x13), "bgezall";
    Synci = regimm(0x1f), "synci";
    J = major(2), "j";
    Jal = major(3), "jal";
    Beq = major(4), "beq";
    Bne = major(5), "bne";
    Blez = major(6), "blez";
    Bgtz = major(7), "bgtz";
    Addi = major(8), "addi";
    Addiu = major(9), "addiu";
    Slti = major(10), "slti";
    Sltiu = major(11), "sltiu";
    Andi = major(12), "andi";
    Ori = major(13), "ori";
    Xori = major(14), "xori";
    Lui = major(15), "lui";
    Beql = major(20), "beql";
    Bnel = major(21), "bnel";
    Blezl = major(22), "blezl";
    Bgtzl = major(23), "bgtzl";
    Madd = function(28, 0x00), "madd";
    Maddu = function(28, 0x01), "maddu";
    Mul = function(28, 0x02), "mul";
    Msub = function(28, 0x04), "msub";
    Msubu = function(28, 0x05), "msubu";
    Clz = function(28, 0x20), "clz";
    Clo = function(28, 0x21), "clo";
    Ext = function(31, 0x00), "ext";
    Ins = function(31, 0x04), "ins";
    Wsbh = bshfl(0x02), "wsbh";
    Seb = bshfl(0x10), "seb";
    Seh = bshfl(0x18), "seh";
    Rdhwr = Pattern { mask: 0xfc00_f83f, bits: 31 << 26 | 29 << 11 | 0x3b }, "rdhwr";
    Lb = major(32), "lb";
    Lh = major(33), "lh";
    Lwl = major(34), "lwl";
    Lw = major(35), "lw";
    Lbu = major(36), "lbu";
    Lhu = major(37), "lhu";
    Lwr = major(38), "lwr";
    Sb = major(40), "sb";
    Sh = major(41), "sh";
    Swl = major(42), "swl";
    Sw = major(43), "sw";
    Swr = major(46), "swr";
    Ll = major(48), "ll";
    Pref = major(51), "pref";
    Sc = major(56), "sc";
}

impl Operation {
    /// The instruction that `word` is; `None` if it is not defined.
    pub fn of(word: u32) -> Option<Operation> {
        let found = Operation::ALL
            .iter()
            .copied()
            .find(|op| op.pattern().matches(word))?;
        let Fields { rd: msb, sa: lsb, .. } = Fields::of(word);
        let defined = match found {
            Operation::Ext => lsb + msb <= 31,
            Operation::Ins => lsb <= msb,
            _ => true,
        };
        defined.then_some(found)
    }
}

impl Pattern {
    pub(crate) fn matches(self, word: u32) -> bool {
        word & self.mask == self.bits
    }

    /// A word with the fixed bits of the pattern and the others of `free`.
    #[cfg(test)]
    pub(crate) fn fill(self, free: u32) -> u32 {
        self.bits | free & !self.mask
    }
}

/// The fields of an instruction word.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields {
    pub(crate) rs: u8,
    pub(crate) rt: u8,
    pub(crate) rd: u8,
    pub(crate) sa: u8,
    /// Zero-extended immediate.
    pub(crate) imm: u32,
    /// Sign-extended immediate.
    pub(crate) simm: u32,
}

impl Fields {
    pub(crate) fn of(word: u32) -> Self {
        let field = |shift: u32| (word >> shift & 31) as u8;
        Fields {
            rs: field(21),
            rt: field(16),
            rd: field(11),
            sa: field(6),
            imm: word & 0xffff,
            simm: word as u16 as i16 as u32,
        }
    }
}

/// The instruction word inside a script.
#[derive(Debug, Clone)]
pub(crate) struct Instr(pub(crate) Word);

impl Instr {
    /// True if the word matches `pattern`.
    pub(crate) fn matches(&self, s: &mut ScriptBuilder, pattern: Pattern) -> Bool {
        let mut hits = Vec::new();
        for i in 0..8 {
            let lowest = 28 - 4 * i;
            let (mask, bits) = (pattern.mask >> lowest & 15, pattern.bits >> lowest & 15);
            if mask == 0 {
                continue;
            }
            // The fixed bits of a nibble lie together in every pattern.
            let (low, high) = (mask.trailing_zeros(), 31 - mask.leading_zeros());
            let nibble = self.0.nibble(i);
            hits.push(if mask == 15 {
                s.int_eq(&nibble, i64::from(bits))
            } else if high == 3 {
                s.within(&nibble, i64::from(bits), i64::from(bits + (1 << low)))
            } else {
                let part = s.bits(&self.0, lowest + high as usize, lowest + low as usize);
                s.int_eq(part, i64::from(bits >> low))
            });
        }
        s.all(hits)
    }

    /// True if the word is one of `operations` by its pattern (EXT and INS also when their fields make them undefined).
    pub(crate) fn is_any(&self, s: &mut ScriptBuilder, operations: &[Operation]) -> Bool {
        let mut any: Option<Bool> = None;
        for operation in operations {
            let one = self.matches(s, operation.pattern());
            any = Some(match any {
                None => one,
                Some(others) => s.either(others, one),
            });
        }
        any.unwrap_or_else(|| s.any(Vec::new()))
    }

    /// True if the word is a defined instruction.
    pub(crate) fn is_defined(&self, s: &mut ScriptBuilder) -> Bool {
        let listed = self.is_any(s, Operation::ALL);
        let ext = self.matches(s, Operation::Ext.pattern());
        let (lsb, msb) = (s.field_sa(&self.0), s.field_rd(&self.0));
        let sum = s.int_add(lsb, msb);
        let too_wide = s.int_lt(31, sum);
        let bad_ext = s.both(ext, too_wide);
        let ins = self.matches(s, Operation::Ins.pattern());
        let (lsb, msb) = (s.field_sa(&self.0), s.field_rd(&self.0));
        let crossed = s.int_lt(msb, lsb);
        let bad_ins = s.both(ins, crossed);
        let bad = s.either(bad_ext, bad_ins);
        let good = s.not(bad);
        s.both(listed, good)
    }

    /// The immediate, zero-extended.
    pub(crate) fn imm(&self, s: &mut ScriptBuilder) -> Word {
        let immediate = s.field_immediate(&self.0);
        s.zero_extend(&immediate)
    }

    /// The immediate, sign-extended.
    pub(crate) fn simm(&self, s: &mut ScriptBuilder) -> Word {
        let immediate = s.field_immediate(&self.0);
        s.sign_extend(&immediate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_bits_of_a_nibble_lie_together() {
        for operation in Operation::ALL {
            for shift in (0..32).step_by(4) {
                let mask = operation.pattern().mask >> shift & 15;
                let run = mask >> mask.trailing_zeros().min(3);
                assert_eq!(run & (run + 1), 0, "{operation:?}");
            }
        }
    }

    #[test]
    fn no_word_matches_two_patterns() {
        for (i, a) in Operation::ALL.iter().enumerate() {
            for b in &Operation::ALL[..i] {
                let (a, b) = (a.pattern(), b.pattern());
                assert_ne!((a.bits ^ b.bits) & a.mask & b.mask, 0, "{a:?} and {b:?} overlap");
            }
        }
    }
}
