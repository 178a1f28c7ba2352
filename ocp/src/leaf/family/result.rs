//! Family 5, second half: the instruction's result, one leaf per instruction (or per group with one rule).
//!
//! A leaf computes the result from the signed operands and fires if the signed value is another. It fires also when
//! the destination is `$0`: an honest operator signs the true result there as well.

use taptree_commit::script::{Int, Nibbles, ScriptBuilder, Word};

use super::super::contradiction::{ClassSet, Contradiction, Inputs, open};
use super::super::instruction::{Fields, Operation};
use super::super::terms::Terms;
use super::destination::moves;
use super::memory::{self, old_word};
use crate::field::{OpenField, word};
use crate::message::Published;
use crate::opening::Opening;
use crate::value::ValueId;
use Operation as Op;

/// Instructions that share one rule for their result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum ResultLeaf {
    /// ADD, ADDU.
    Add,
    /// ADDI, ADDIU.
    AddImmediate,
    /// SUB, SUBU.
    Sub,
    And,
    Or,
    Xor,
    Nor,
    AndImmediate,
    OrImmediate,
    XorImmediate,
    LoadUpper,
    SetLess,
    SetLessUnsigned,
    SetLessImmediate,
    SetLessImmediateUnsigned,
    /// SLL.
    ShiftLeft,
    ShiftRight,
    Rotate,
    ShiftArithmetic,
    /// SLLV.
    ShiftLeftVariable,
    ShiftRightVariable,
    RotateVariable,
    ShiftArithmeticVariable,
    MoveFromHi,
    MoveFromLo,
    /// MOVZ, MOVN, when they move.
    ConditionalMove,
    /// JALR, JAL and the linking branches: pc + 8.
    Link,
    Mul,
    LeadingZeros,
    LeadingOnes,
    Extract,
    Insert,
    SwapBytes,
    SignExtendByte,
    SignExtendHalf,
    /// RDHWR.
    ThreadPointer,
    /// SC: 1 if the link holds, else 0.
    StoreConditional,
    /// LW, LL.
    LoadWord,
    LoadByte,
    LoadByteUnsigned,
    LoadHalf,
    LoadHalfUnsigned,
    LoadLeft,
    LoadRight,
}

impl ResultLeaf {
    /// Every leaf of the family.
    pub const ALL: [ResultLeaf; 44] = {
        use ResultLeaf::*;
        [
            Add,
            AddImmediate,
            Sub,
            And,
            Or,
            Xor,
            Nor,
            AndImmediate,
            OrImmediate,
            XorImmediate,
            LoadUpper,
            SetLess,
            SetLessUnsigned,
            SetLessImmediate,
            SetLessImmediateUnsigned,
            ShiftLeft,
            ShiftRight,
            Rotate,
            ShiftArithmetic,
            ShiftLeftVariable,
            ShiftRightVariable,
            RotateVariable,
            ShiftArithmeticVariable,
            MoveFromHi,
            MoveFromLo,
            ConditionalMove,
            Link,
            Mul,
            LeadingZeros,
            LeadingOnes,
            Extract,
            Insert,
            SwapBytes,
            SignExtendByte,
            SignExtendHalf,
            ThreadPointer,
            StoreConditional,
            LoadWord,
            LoadByte,
            LoadByteUnsigned,
            LoadHalf,
            LoadHalfUnsigned,
            LoadLeft,
            LoadRight,
        ]
    };

    /// The instructions that the leaf is for.
    pub fn operations(self) -> &'static [Operation] {
        match self {
            ResultLeaf::Add => &[Op::Add, Op::Addu],
            ResultLeaf::AddImmediate => &[Op::Addi, Op::Addiu],
            ResultLeaf::Sub => &[Op::Sub, Op::Subu],
            ResultLeaf::And => &[Op::And],
            ResultLeaf::Or => &[Op::Or],
            ResultLeaf::Xor => &[Op::Xor],
            ResultLeaf::Nor => &[Op::Nor],
            ResultLeaf::AndImmediate => &[Op::Andi],
            ResultLeaf::OrImmediate => &[Op::Ori],
            ResultLeaf::XorImmediate => &[Op::Xori],
            ResultLeaf::LoadUpper => &[Op::Lui],
            ResultLeaf::SetLess => &[Op::Slt],
            ResultLeaf::SetLessUnsigned => &[Op::Sltu],
            ResultLeaf::SetLessImmediate => &[Op::Slti],
            ResultLeaf::SetLessImmediateUnsigned => &[Op::Sltiu],
            ResultLeaf::ShiftLeft => &[Op::Sll],
            ResultLeaf::ShiftRight => &[Op::Srl],
            ResultLeaf::Rotate => &[Op::Rotr],
            ResultLeaf::ShiftArithmetic => &[Op::Sra],
            ResultLeaf::ShiftLeftVariable => &[Op::Sllv],
            ResultLeaf::ShiftRightVariable => &[Op::Srlv],
            ResultLeaf::RotateVariable => &[Op::Rotrv],
            ResultLeaf::ShiftArithmeticVariable => &[Op::Srav],
            ResultLeaf::MoveFromHi => &[Op::Mfhi],
            ResultLeaf::MoveFromLo => &[Op::Mflo],
            ResultLeaf::ConditionalMove => &[Op::Movz, Op::Movn],
            ResultLeaf::Link => &[
                Op::Jalr,
                Op::Jal,
                Op::Bltzal,
                Op::Bgezal,
                Op::Bltzall,
                Op::Bgezall,
            ],
            ResultLeaf::Mul => &[Op::Mul],
            ResultLeaf::LeadingZeros => &[Op::Clz],
            ResultLeaf::LeadingOnes => &[Op::Clo],
            ResultLeaf::Extract => &[Op::Ext],
            ResultLeaf::Insert => &[Op::Ins],
            ResultLeaf::SwapBytes => &[Op::Wsbh],
            ResultLeaf::SignExtendByte => &[Op::Seb],
            ResultLeaf::SignExtendHalf => &[Op::Seh],
            ResultLeaf::ThreadPointer => &[Op::Rdhwr],
            ResultLeaf::StoreConditional => &[Op::Sc],
            ResultLeaf::LoadWord => &[Op::Lw, Op::Ll],
            ResultLeaf::LoadByte => &[Op::Lb],
            ResultLeaf::LoadByteUnsigned => &[Op::Lbu],
            ResultLeaf::LoadHalf => &[Op::Lh],
            ResultLeaf::LoadHalfUnsigned => &[Op::Lhu],
            ResultLeaf::LoadLeft => &[Op::Lwl],
            ResultLeaf::LoadRight => &[Op::Lwr],
        }
    }

    /// Fields read besides the instruction and the value.
    fn sources(self) -> &'static [OpenField] {
        use OpenField as F;
        match self {
            ResultLeaf::Add
            | ResultLeaf::Sub
            | ResultLeaf::And
            | ResultLeaf::Or
            | ResultLeaf::Xor
            | ResultLeaf::Nor
            | ResultLeaf::SetLess
            | ResultLeaf::SetLessUnsigned
            | ResultLeaf::ShiftLeftVariable
            | ResultLeaf::ShiftRightVariable
            | ResultLeaf::RotateVariable
            | ResultLeaf::ShiftArithmeticVariable
            | ResultLeaf::ConditionalMove
            | ResultLeaf::Mul
            | ResultLeaf::Insert => &[F::Rs, F::Rt],
            ResultLeaf::AddImmediate
            | ResultLeaf::AndImmediate
            | ResultLeaf::OrImmediate
            | ResultLeaf::XorImmediate
            | ResultLeaf::SetLessImmediate
            | ResultLeaf::SetLessImmediateUnsigned
            | ResultLeaf::LeadingZeros
            | ResultLeaf::LeadingOnes
            | ResultLeaf::Extract => &[F::Rs],
            ResultLeaf::LoadUpper => &[],
            ResultLeaf::ShiftLeft
            | ResultLeaf::ShiftRight
            | ResultLeaf::Rotate
            | ResultLeaf::ShiftArithmetic
            | ResultLeaf::SwapBytes
            | ResultLeaf::SignExtendByte
            | ResultLeaf::SignExtendHalf => &[F::Rt],
            ResultLeaf::MoveFromHi => &[F::Word(word::HI)],
            ResultLeaf::MoveFromLo => &[F::Word(word::LO)],
            ResultLeaf::Link => &[F::Word(word::PC)],
            ResultLeaf::ThreadPointer => &[F::Word(word::TLS)],
            ResultLeaf::StoreConditional => &[F::Addr, F::Word(word::LINK)],
            ResultLeaf::LoadWord
            | ResultLeaf::LoadByte
            | ResultLeaf::LoadByteUnsigned
            | ResultLeaf::LoadHalf
            | ResultLeaf::LoadHalfUnsigned => &[F::Addr, F::OldLeaf],
            ResultLeaf::LoadLeft | ResultLeaf::LoadRight => &[F::Addr, F::OldLeaf, F::Rt],
        }
    }

    /// The result that the instruction has; `None` if it has none here (a conditional move that does not move).
    fn due(self, operation: Operation, o: &Opening) -> Option<u32> {
        let (rs, rt) = (o.rs, o.rt);
        let f = Fields::of(o.instr);
        let (by, msb) = (u32::from(f.sa), u32::from(f.rd));
        let word = |i: u8| o.words[usize::from(i)];
        Some(match self {
            ResultLeaf::Add => rs.wrapping_add(rt),
            ResultLeaf::AddImmediate => rs.wrapping_add(f.simm),
            ResultLeaf::Sub => rs.wrapping_sub(rt),
            ResultLeaf::And => rs & rt,
            ResultLeaf::Or => rs | rt,
            ResultLeaf::Xor => rs ^ rt,
            ResultLeaf::Nor => !(rs | rt),
            ResultLeaf::AndImmediate => rs & f.imm,
            ResultLeaf::OrImmediate => rs | f.imm,
            ResultLeaf::XorImmediate => rs ^ f.imm,
            ResultLeaf::LoadUpper => f.imm << 16,
            ResultLeaf::SetLess => u32::from((rs as i32) < rt as i32),
            ResultLeaf::SetLessUnsigned => u32::from(rs < rt),
            ResultLeaf::SetLessImmediate => u32::from((rs as i32) < f.simm as i32),
            ResultLeaf::SetLessImmediateUnsigned => u32::from(rs < f.simm),
            ResultLeaf::ShiftLeft => rt << by,
            ResultLeaf::ShiftRight => rt >> by,
            ResultLeaf::Rotate => rt.rotate_right(by),
            ResultLeaf::ShiftArithmetic => (rt as i32 >> by) as u32,
            ResultLeaf::ShiftLeftVariable => rt << (rs & 31),
            ResultLeaf::ShiftRightVariable => rt >> (rs & 31),
            ResultLeaf::RotateVariable => rt.rotate_right(rs & 31),
            ResultLeaf::ShiftArithmeticVariable => (rt as i32 >> (rs & 31)) as u32,
            ResultLeaf::MoveFromHi => word(word::HI),
            ResultLeaf::MoveFromLo => word(word::LO),
            ResultLeaf::ConditionalMove => {
                if (operation == Op::Movz) != (rt == 0) {
                    return None;
                }
                rs
            }
            ResultLeaf::Link => word(word::PC).wrapping_add(8),
            ResultLeaf::Mul => rs.wrapping_mul(rt),
            ResultLeaf::LeadingZeros => rs.leading_zeros(),
            ResultLeaf::LeadingOnes => rs.leading_ones(),
            ResultLeaf::Extract => rs >> by & low_bits(msb + 1),
            ResultLeaf::Insert => {
                let field = low_bits(msb + 1 - by) << by;
                rt & !field | rs << by & field
            }
            ResultLeaf::SwapBytes => (rt & 0x00ff_00ff) << 8 | rt >> 8 & 0x00ff_00ff,
            ResultLeaf::SignExtendByte => rt as u8 as i8 as u32,
            ResultLeaf::SignExtendHalf => rt as u16 as i16 as u32,
            ResultLeaf::ThreadPointer => word(word::TLS),
            ResultLeaf::StoreConditional => u32::from(word(word::LINK) == o.addr | 1),
            ResultLeaf::LoadWord => old_word(o),
            ResultLeaf::LoadByte => memory::byte(o) as i8 as u32,
            ResultLeaf::LoadByteUnsigned => u32::from(memory::byte(o)),
            ResultLeaf::LoadHalf => memory::half(o) as i16 as u32,
            ResultLeaf::LoadHalfUnsigned => u32::from(memory::half(o)),
            ResultLeaf::LoadLeft => {
                let shift = 8 * (o.addr & 3);
                old_word(o) << shift | rt & low_bits(shift)
            }
            ResultLeaf::LoadRight => {
                let kept = 8 * (o.addr & 3) + 8;
                old_word(o) >> (32 - kept) | rt & !low_bits(kept)
            }
        })
    }
}

/// A word whose lowest `n` bits are set, `n` up to 32.
pub(crate) fn low_bits(n: u32) -> u32 {
    1u32.checked_shl(n).map_or(u32::MAX, |power| power - 1)
}

impl Contradiction for ResultLeaf {
    fn classes(&self) -> ClassSet {
        ClassSet::STEP
    }

    fn reads(&self, _: &Terms) -> Vec<ValueId> {
        let mut fields = vec![OpenField::Instr, OpenField::Value];
        fields.extend(self.sources());
        open(&fields)
    }

    fn holds(&self, _: &Terms, published: &Published) -> Option<bool> {
        let o = published.opening()?;
        let Some(operation) = Operation::of(o.instr).filter(|op| self.operations().contains(op)) else {
            return Some(false);
        };
        Some(self.due(operation, o).is_some_and(|due| due != o.value))
    }

    fn require(&self, _: &Terms, s: &mut ScriptBuilder, inputs: &Inputs) {
        let instr = inputs.instr();
        let mine = instr.is_any(s, self.operations());
        s.assert(mine);
        match self {
            ResultLeaf::Extract | ResultLeaf::Insert => {
                let defined = instr.is_defined(s);
                s.assert(defined);
            }
            ResultLeaf::ConditionalMove => {
                let moves = moves(s, inputs);
                s.assert(moves);
            }
            _ => {}
        }
        let due = self.compute(s, inputs);
        s.assert_ne(&inputs.word(OpenField::Value), due);
    }
}

impl ResultLeaf {
    /// The due result.
    fn compute(self, s: &mut ScriptBuilder, inputs: &Inputs) -> Word {
        use OpenField as F;
        use ResultLeaf::*;
        let instr = inputs.instr();
        let rs = || inputs.word(F::Rs);
        let rt = || inputs.word(F::Rt);
        match self {
            Add => s.add(&rs(), &rt()),
            Sub => s.sub(&rs(), &rt()),
            And => s.and(&rs(), &rt()),
            Or => s.or(&rs(), &rt()),
            Xor => s.xor(&rs(), &rt()),
            Nor => s.nor(&rs(), &rt()),
            AddImmediate => {
                let simm = instr.simm(s);
                s.add(&rs(), simm)
            }
            AndImmediate => {
                let imm = instr.imm(s);
                s.and(&rs(), imm)
            }
            OrImmediate => {
                let imm = instr.imm(s);
                s.or(&rs(), imm)
            }
            XorImmediate => {
                let imm = instr.imm(s);
                s.xor(&rs(), imm)
            }
            LoadUpper => {
                let imm = instr.imm(s);
                s.shl(&imm, 16)
            }
            SetLess => {
                let less = s.lt_signed(&rs(), &rt());
                s.word_of_small(less.as_int())
            }
            SetLessUnsigned => {
                let less = s.lt_unsigned(&rs(), &rt());
                s.word_of_small(less.as_int())
            }
            SetLessImmediate => {
                let simm = instr.simm(s);
                let less = s.lt_signed(&rs(), simm);
                s.word_of_small(less.as_int())
            }
            SetLessImmediateUnsigned => {
                let simm = instr.simm(s);
                let less = s.lt_unsigned(&rs(), simm);
                s.word_of_small(less.as_int())
            }
            ShiftLeft | ShiftRight | Rotate | ShiftArithmetic => {
                let by = s.field_sa(&instr.0);
                self.shift(s, &rt(), &by)
            }
            ShiftLeftVariable | ShiftRightVariable | RotateVariable | ShiftArithmeticVariable => {
                let by = s.bits(&rs(), 4, 0);
                self.shift(s, &rt(), &by)
            }
            MoveFromHi => s.copy(&inputs.word(F::Word(word::HI))),
            MoveFromLo => s.copy(&inputs.word(F::Word(word::LO))),
            ThreadPointer => s.copy(&inputs.word(F::Word(word::TLS))),
            ConditionalMove => s.copy(&rs()),
            Link => s.add(&inputs.word(F::Word(word::PC)), 8),
            Mul => s.multiply_low(&rs(), &rt()),
            LeadingZeros => {
                let count = s.leading_zeros(&rs());
                s.word_of_small(count)
            }
            LeadingOnes => {
                let count = s.leading_ones(&rs());
                s.word_of_small(count)
            }
            Extract => {
                // The field's upper end goes to bit 31 and what is above it out; then down to bit 0.
                let (lsb, size) = (s.field_sa(&instr.0), s.field_rd(&instr.0));
                let unused = s.int_sub(31, size);
                let up = s.int_sub(&unused, lsb);
                let upper = s.shl_by(&rs(), &up);
                s.shr_by(&upper, &unused)
            }
            Insert => {
                let (lsb, msb) = (s.field_sa(&instr.0), s.field_rd(&instr.0));
                // Ones from lsb to msb.
                let size = s.int_sub(msb, &lsb);
                let unused = s.int_sub(31, size);
                let ones = s.constant_word(u32::MAX);
                let low = s.shr_by(&ones, &unused);
                let mask = s.shl_by(&low, &lsb);
                let moved = s.shl_by(&rs(), &lsb);
                let field = s.and(moved, &mask);
                let outside = s.not_bits(&mask);
                let kept = s.and(&rt(), outside);
                s.or(field, kept)
            }
            SwapBytes => {
                let w = rt();
                let swapped = Word::from_nibbles([2, 3, 0, 1, 6, 7, 4, 5].map(|i| w.nibble(i)));
                s.copy(&swapped)
            }
            SignExtendByte => s.sign_extend(&Nibbles::from_words(&[rt()]).slice(6, 8)),
            SignExtendHalf => s.sign_extend(&Nibbles::from_words(&[rt()]).slice(4, 8)),
            StoreConditional => {
                let holds = memory::link_holds(s, inputs);
                s.word_of_small(holds.as_int())
            }
            LoadWord => memory::loaded_word(s, inputs),
            LoadByte | LoadByteUnsigned | LoadLeft | LoadRight => {
                let loaded = memory::loaded_word(s, inputs);
                let at = memory::byte_place(s, inputs);
                match self {
                    LoadByte => s.load_byte_signed(&loaded, &at),
                    LoadByteUnsigned => s.load_byte(&loaded, &at),
                    LoadLeft => s.load_word_left(&loaded, &rt(), &at),
                    _ => s.load_word_right(&loaded, &rt(), &at),
                }
            }
            LoadHalf | LoadHalfUnsigned => {
                let loaded = memory::loaded_word(s, inputs);
                let at = memory::half_place(s, inputs);
                match self {
                    LoadHalf => s.load_half_signed(&loaded, &at),
                    _ => s.load_half(&loaded, &at),
                }
            }
        }
    }

    fn shift(self, s: &mut ScriptBuilder, word: &Word, by: &Int) -> Word {
        match self {
            ResultLeaf::ShiftLeft | ResultLeaf::ShiftLeftVariable => s.shl_by(word, by),
            ResultLeaf::Rotate | ResultLeaf::RotateVariable => s.rotr_by(word, by),
            ResultLeaf::ShiftArithmetic | ResultLeaf::ShiftArithmeticVariable => s.sar_by(word, by),
            _ => s.shr_by(word, by),
        }
    }
}
