//! Family 5, second half: the instruction's result, one leaf per instruction (or per group with one rule).
//!
//! A leaf computes the result from the signed operands and fires if the signed value is another. It fires also when
//! the destination is `$0`: an honest operator signs the true result there as well.

use super::super::calc::word::{Bits, Digits, Halves, literal_digits};
use super::super::calc::{Calc, Var};
use super::super::contradiction::{ClassSet, Contradiction, Inputs, open};
use super::super::instruction::{Fields, Operation};
use super::super::terms::Terms;
use super::memory::{self, old_word, old_word_digits};
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

    fn require(&self, _: &Terms, c: &mut Calc, inputs: &Inputs) {
        let instr = inputs.instr();
        let mine = instr.is_any(c, self.operations());
        c.require(mine);
        if matches!(self, ResultLeaf::Extract | ResultLeaf::Insert) {
            let defined = instr.is_defined(c);
            c.require(defined);
        }
        let said = c.halves(&inputs.word(OpenField::Value));
        let due = self.compute(c, inputs);
        let differs = c.ne32(due, said);
        c.require(differs);
    }
}

impl ResultLeaf {
    /// The due result; fails the script where there is none.
    fn compute(self, c: &mut Calc, inputs: &Inputs) -> Halves {
        use OpenField as F;
        let instr = inputs.instr();
        let rs = |c: &mut Calc| c.halves(&inputs.word(F::Rs));
        let rt = |c: &mut Calc| c.halves(&inputs.word(F::Rt));
        match self {
            ResultLeaf::Add => {
                let (a, b) = (rs(c), rt(c));
                c.add32(a, b)
            }
            ResultLeaf::AddImmediate => {
                let simm = instr.simm(c);
                let (a, b) = (rs(c), c.halves(&simm));
                c.add32(a, b)
            }
            ResultLeaf::Sub => {
                let (a, b) = (rs(c), rt(c));
                c.sub32(a, b)
            }
            ResultLeaf::And => bitwise(c, &inputs.word(F::Rs), &inputs.word(F::Rt), Calc::and),
            ResultLeaf::Or => bitwise(c, &inputs.word(F::Rs), &inputs.word(F::Rt), Calc::or),
            ResultLeaf::Xor => bitwise(c, &inputs.word(F::Rs), &inputs.word(F::Rt), Calc::ne),
            ResultLeaf::Nor => {
                let or = bitwise(c, &inputs.word(F::Rs), &inputs.word(F::Rt), Calc::or);
                c.sub32(Halves::literal(u32::MAX), or)
            }
            ResultLeaf::AndImmediate => bitwise(c, &inputs.word(F::Rs), &instr.imm(), Calc::and),
            ResultLeaf::OrImmediate => bitwise(c, &inputs.word(F::Rs), &instr.imm(), Calc::or),
            ResultLeaf::XorImmediate => bitwise(c, &inputs.word(F::Rs), &instr.imm(), Calc::ne),
            ResultLeaf::LoadUpper => {
                let imm = c.halves(&instr.imm());
                Halves {
                    hi: imm.lo,
                    lo: Var::Const(0),
                }
            }
            ResultLeaf::SetLess => {
                let (a, b) = (rs(c), rt(c));
                let less = c.lt_signed(a, b);
                small(less)
            }
            ResultLeaf::SetLessUnsigned => {
                let (a, b) = (rs(c), rt(c));
                let less = c.lt_unsigned(a, b);
                small(less)
            }
            ResultLeaf::SetLessImmediate => {
                let simm = instr.simm(c);
                let (a, b) = (rs(c), c.halves(&simm));
                let less = c.lt_signed(a, b);
                small(less)
            }
            ResultLeaf::SetLessImmediateUnsigned => {
                let simm = instr.simm(c);
                let (a, b) = (rs(c), c.halves(&simm));
                let less = c.lt_unsigned(a, b);
                small(less)
            }
            ResultLeaf::ShiftLeft
            | ResultLeaf::ShiftRight
            | ResultLeaf::Rotate
            | ResultLeaf::ShiftArithmetic => {
                let by = instr.sa_bits(c);
                self.shift(c, &inputs.word(F::Rt), &by)
            }
            ResultLeaf::ShiftLeftVariable
            | ResultLeaf::ShiftRightVariable
            | ResultLeaf::RotateVariable
            | ResultLeaf::ShiftArithmeticVariable => {
                let by: [Var; 5] = {
                    let bits = c.word_bits(&inputs.word(F::Rs));
                    std::array::from_fn(|i| bits[i])
                };
                self.shift(c, &inputs.word(F::Rt), &by)
            }
            ResultLeaf::MoveFromHi => c.halves(&inputs.word(F::Word(word::HI))),
            ResultLeaf::MoveFromLo => c.halves(&inputs.word(F::Word(word::LO))),
            ResultLeaf::ThreadPointer => c.halves(&inputs.word(F::Word(word::TLS))),
            ResultLeaf::ConditionalMove => {
                let movz = instr.matches(c, Op::Movz.pattern());
                let zero = c.is_zero(&inputs.word(F::Rt));
                let moves = c.eq(movz, zero);
                c.require(moves);
                rs(c)
            }
            ResultLeaf::Link => {
                let pc = c.halves(&inputs.word(F::Word(word::PC)));
                c.add32(pc, Halves::literal(8))
            }
            ResultLeaf::Mul => {
                let product = c.multiply_add(&inputs.word(F::Rs), &inputs.word(F::Rt), &[Var::Const(0); 16]);
                let low: Digits = std::array::from_fn(|i| product[8 + i]);
                c.halves(&low)
            }
            ResultLeaf::LeadingZeros => {
                let bits = c.word_bits(&inputs.word(F::Rs));
                let count = leading(c, &bits, false);
                small(count)
            }
            ResultLeaf::LeadingOnes => {
                let bits = c.word_bits(&inputs.word(F::Rs));
                let count = leading(c, &bits, true);
                small(count)
            }
            ResultLeaf::Extract => {
                let by = instr.sa_bits(c);
                let msb = instr.rd(c);
                let bits = c.word_bits(&inputs.word(F::Rs));
                let shifted = c.shift_right(&bits, &by, Some(Var::Const(0)));
                c.halves_of_bits(|c, i| {
                    c.pick(Var::Const(i as i32));
                    c.pick(msb);
                    c.op(bitcoin::opcodes::all::OP_LESSTHANOREQUAL, -1);
                    c.pick(shifted[i]);
                    c.op(bitcoin::opcodes::all::OP_BOOLAND, -1);
                })
            }
            ResultLeaf::Insert => {
                let by = instr.sa_bits(c);
                let (lsb, msb) = (instr.sa(c), instr.rd(c));
                let bits = c.word_bits(&inputs.word(F::Rs));
                let shifted = c.shift_left(&bits, &by);
                let old = c.word_bits(&inputs.word(F::Rt));
                let result: Bits = std::array::from_fn(|i| {
                    c.scope1(|c| {
                        let place = Var::Const(i as i32);
                        let above = c.ge(place, lsb);
                        let below = c.ge(msb, place);
                        let inside = c.and(above, below);
                        c.select(inside, shifted[i], old[i])
                    })
                });
                c.halves_of(&result)
            }
            ResultLeaf::SwapBytes => {
                let w = inputs.word(F::Rt);
                c.halves(&[w[2], w[3], w[0], w[1], w[6], w[7], w[4], w[5]])
            }
            ResultLeaf::SignExtendByte => {
                let w = inputs.word(F::Rt);
                extend_byte(c, [w[6], w[7]])
            }
            ResultLeaf::SignExtendHalf => {
                let w = inputs.word(F::Rt);
                extend_half(c, [w[4], w[5], w[6], w[7]])
            }
            ResultLeaf::StoreConditional => {
                let holds = memory::link_holds(c, inputs);
                small(holds)
            }
            ResultLeaf::LoadWord => {
                let loaded = old_word_digits(c, inputs);
                c.halves(&loaded)
            }
            ResultLeaf::LoadByte => {
                let byte = memory::byte_digits(c, inputs);
                extend_byte(c, byte)
            }
            ResultLeaf::LoadByteUnsigned => {
                let byte = memory::byte_digits(c, inputs);
                small(c.number(&byte))
            }
            ResultLeaf::LoadHalf => {
                let half = memory::half_digits(c, inputs);
                extend_half(c, half)
            }
            ResultLeaf::LoadHalfUnsigned => {
                let half = memory::half_digits(c, inputs);
                small(c.number(&half))
            }
            ResultLeaf::LoadLeft | ResultLeaf::LoadRight => {
                let left = self == ResultLeaf::LoadLeft;
                let merged = memory::merge(c, inputs, |old, rt, at| {
                    // Left: the word's bytes from `at` on come to the top. Right: those up to `at` to the bottom.
                    std::array::from_fn(|byte| match left {
                        true if byte + at < 4 => old[byte + at],
                        false if byte + at >= 3 => old[byte + at - 3],
                        _ => rt[byte],
                    })
                });
                c.halves(&merged)
            }
        }
    }

    fn shift(self, c: &mut Calc, word: &Digits, by: &[Var; 5]) -> Halves {
        let bits = c.word_bits(word);
        let shifted = match self {
            ResultLeaf::ShiftLeft | ResultLeaf::ShiftLeftVariable => c.shift_left(&bits, by),
            ResultLeaf::Rotate | ResultLeaf::RotateVariable => c.shift_right(&bits, by, None),
            ResultLeaf::ShiftArithmetic | ResultLeaf::ShiftArithmeticVariable => {
                c.shift_right(&bits, by, Some(bits[31]))
            }
            _ => c.shift_right(&bits, by, Some(Var::Const(0))),
        };
        c.halves_of(&shifted)
    }
}

/// A number below 65,536 as a word.
fn small(number: Var) -> Halves {
    Halves {
        hi: Var::Const(0),
        lo: number,
    }
}

fn bitwise(c: &mut Calc, a: &Digits, b: &Digits, with: fn(&mut Calc, Var, Var) -> Var) -> Halves {
    let (a, b) = (c.word_bits(a), c.word_bits(b));
    let bits: Bits = std::array::from_fn(|i| with(c, a[i], b[i]));
    c.halves_of(&bits)
}

/// How many of the uppermost bits equal `one`, without a gap.
fn leading(c: &mut Calc, bits: &Bits, one: bool) -> Var {
    use bitcoin::opcodes::all as op;
    c.scope1(|c| {
        c.push(0);
        c.push(1);
        for i in (0..32).rev() {
            // count run → count + run', run' with run' = run and bit.
            c.pick(bits[i]);
            if !one {
                c.op(op::OP_NOT, 0);
            }
            c.op(op::OP_BOOLAND, -1);
            c.op(op::OP_TUCK, 1);
            c.op(op::OP_ADD, -1);
            c.op(op::OP_SWAP, 0);
        }
        Var::Item(c.height() - 2)
    })
}

fn extend_byte(c: &mut Calc, byte: [Var; 2]) -> Halves {
    let negative = c.ge(byte[0], Var::Const(8));
    let fill = c.select(negative, Var::Const(15), Var::Const(0));
    c.halves(&[fill, fill, fill, fill, fill, fill, byte[0], byte[1]])
}

fn extend_half(c: &mut Calc, half: [Var; 4]) -> Halves {
    let negative = c.ge(half[0], Var::Const(8));
    let hi = c.select(negative, Var::Const(0xffff), Var::Const(0));
    Halves {
        hi,
        lo: c.number(&half),
    }
}

/// Digits of 0, for families that need a literal word.
pub(crate) fn zero_digits() -> Digits {
    literal_digits(0)
}
