//! 32-bit words in the calculator: as eight digits, as two 16-bit halves, as 32 bits.
//!
//! Digits are what a signature yields, halves are what adds and compares (every sum fits a Script number), bits are
//! what shifts. A computed word is compared with a signed one by its halves.

use super::{Calc, Var};
use bitcoin::opcodes::all as op;

/// Eight digits, most significant first.
pub(crate) type Digits = [Var; 8];

/// Thirty-two bits, least significant first.
pub(crate) type Bits = [Var; 32];

/// A word as two numbers below 65,536.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Halves {
    /// Upper 16 bits.
    pub(crate) hi: Var,
    /// Lower 16 bits.
    pub(crate) lo: Var,
}

impl Halves {
    /// A literal word.
    pub(crate) fn literal(word: u32) -> Self {
        let part = |x: u32| Var::Const(i32::try_from(x & 0xffff).expect("16 bits"));
        Halves {
            hi: part(word >> 16),
            lo: part(word),
        }
    }
}

/// A literal word as digits.
pub(crate) fn literal_digits(word: u32) -> Digits {
    std::array::from_fn(|i| Var::Const(i32::try_from(word >> (28 - 4 * i) & 15).expect("a nibble")))
}

impl Calc {
    /// `digits` in base 16, most significant first; at most seven digits, so that it stays a Script number.
    pub(crate) fn number(&mut self, digits: &[Var]) -> Var {
        assert!(
            !digits.is_empty() && digits.len() <= 7,
            "a Script number holds seven digits"
        );
        self.horner(digits.len(), 4, |c, i| c.pick(digits[i]))
    }

    /// Σ item(i) << shift·(n-1-i), the items pushed by `item`, the most significant first.
    pub(crate) fn horner(&mut self, n: usize, shift: usize, mut item: impl FnMut(&mut Calc, usize)) -> Var {
        item(self, 0);
        for i in 1..n {
            for _ in 0..shift {
                self.op(op::OP_DUP, 1);
                self.op(op::OP_ADD, -1);
            }
            item(self, i);
            self.op(op::OP_ADD, -1);
        }
        self.top()
    }

    /// The halves of a word. Made once per word and scope.
    pub(crate) fn halves(&mut self, word: &Digits) -> Halves {
        if let Some(halves) = self.halves.get(word) {
            return *halves;
        }
        let hi = self.number(&word[..4]);
        let lo = self.number(&word[4..]);
        let halves = Halves { hi, lo };
        self.halves.insert(*word, halves);
        halves
    }

    /// The bits of a word.
    pub(crate) fn word_bits(&mut self, word: &Digits) -> Bits {
        let nibbles: Vec<[Var; 4]> = word.iter().rev().map(|&d| self.bits(d)).collect();
        std::array::from_fn(|i| nibbles[i / 4][i % 4])
    }

    /// The number of a few bits, least significant first.
    pub(crate) fn bit_number(&mut self, bits: &[Var]) -> Var {
        let n = bits.len();
        self.horner(n, 1, |c, i| c.pick(bits[n - 1 - i]))
    }

    /// The halves of a word whose bit `i` is pushed by `bit`.
    pub(crate) fn halves_of_bits(&mut self, mut bit: impl FnMut(&mut Calc, usize)) -> Halves {
        let hi = self.horner(16, 1, |c, i| bit(c, 31 - i));
        let lo = self.horner(16, 1, |c, i| bit(c, 15 - i));
        Halves { hi, lo }
    }

    /// The halves of 32 given bits.
    pub(crate) fn halves_of(&mut self, bits: &Bits) -> Halves {
        self.halves_of_bits(|c, i| c.pick(bits[i]))
    }

    /// Splits the top item, below 131,072, into itself mod 65,536 and a carry; both are new items.
    fn carry(&mut self) -> (Var, Var) {
        self.op(op::OP_DUP, 1);
        self.push(65_536);
        self.op(op::OP_GREATERTHANOREQUAL, -1);
        self.fix_up(65_536, op::OP_SUB)
    }

    /// Makes the top item, above -65,537, non-negative by adding 65,536 if need be, and a borrow.
    fn borrow(&mut self) -> (Var, Var) {
        self.op(op::OP_DUP, 1);
        self.push(0);
        self.op(op::OP_LESSTHAN, -1);
        self.fix_up(65_536, op::OP_ADD)
    }

    /// `x flag → x' flag` with `x' = x ± amount` if the flag is set.
    fn fix_up(&mut self, amount: i32, with: bitcoin::opcodes::Opcode) -> (Var, Var) {
        self.op(op::OP_IF, -1);
        let base = self.height;
        self.push(amount);
        self.op(with, -1);
        self.push(1);
        self.op(op::OP_ELSE, 0);
        self.height = base;
        self.push(0);
        self.op(op::OP_ENDIF, 0);
        (Var::Item(base - 1), Var::Item(base))
    }

    /// `a + b` mod 2^32.
    pub(crate) fn add32(&mut self, a: Halves, b: Halves) -> Halves {
        self.pick(a.lo);
        self.pick(b.lo);
        self.op(op::OP_ADD, -1);
        let (lo, carry) = self.carry();
        self.pick(a.hi);
        self.pick(b.hi);
        self.op(op::OP_ADD, -1);
        self.pick(carry);
        self.op(op::OP_ADD, -1);
        let (hi, _) = self.carry();
        Halves { hi, lo }
    }

    /// `a - b` mod 2^32.
    pub(crate) fn sub32(&mut self, a: Halves, b: Halves) -> Halves {
        self.pick(a.lo);
        self.pick(b.lo);
        self.op(op::OP_SUB, -1);
        let (lo, borrow) = self.borrow();
        self.pick(a.hi);
        self.pick(b.hi);
        self.op(op::OP_SUB, -1);
        self.pick(borrow);
        self.op(op::OP_SUB, -1);
        let (hi, _) = self.borrow();
        Halves { hi, lo }
    }

    /// 1 if the words are equal.
    pub(crate) fn eq32(&mut self, a: Halves, b: Halves) -> Var {
        let hi = self.eq(a.hi, b.hi);
        let lo = self.eq(a.lo, b.lo);
        self.and(hi, lo)
    }

    /// 1 if the words differ.
    pub(crate) fn ne32(&mut self, a: Halves, b: Halves) -> Var {
        let hi = self.ne(a.hi, b.hi);
        let lo = self.ne(a.lo, b.lo);
        self.or(hi, lo)
    }

    /// 1 if `a < b` as unsigned words.
    pub(crate) fn lt_unsigned(&mut self, a: Halves, b: Halves) -> Var {
        let above = self.lt(a.hi, b.hi);
        let same = self.eq(a.hi, b.hi);
        let below = self.lt(a.lo, b.lo);
        let both = self.and(same, below);
        self.or(above, both)
    }

    /// 1 if `a < b` as signed words.
    pub(crate) fn lt_signed(&mut self, a: Halves, b: Halves) -> Var {
        let a = Halves {
            hi: self.signed_half(a.hi),
            lo: a.lo,
        };
        let b = Halves {
            hi: self.signed_half(b.hi),
            lo: b.lo,
        };
        self.lt_unsigned(a, b)
    }

    /// The upper half as a signed number.
    pub(crate) fn signed_half(&mut self, hi: Var) -> Var {
        if let Var::Const(x) = hi {
            return Var::Const(if x >= 32_768 { x - 65_536 } else { x });
        }
        let negative = self.ge(hi, Var::Const(32_768));
        let less = self.sub(hi, Var::Const(65_536));
        self.select(negative, less, hi)
    }

    /// The sign bit of a word's digits.
    pub(crate) fn sign(&mut self, word: &Digits) -> Var {
        self.ge(word[0], Var::Const(8))
    }

    /// `bits` shifted towards bit 0 by `amount` (bits, least significant first), vacated places taken from `fill`:
    /// the bit to put there, or `None` to rotate.
    pub(crate) fn shift_right(&mut self, bits: &Bits, amount: &[Var], fill: Option<Var>) -> Bits {
        let mut now = *bits;
        for (stage, &by) in amount.iter().enumerate() {
            let step = 1usize << stage;
            let shifted: Bits = std::array::from_fn(|i| match (i + step < 32, fill) {
                (true, _) => now[i + step],
                (false, Some(bit)) => bit,
                (false, None) => now[(i + step) % 32],
            });
            let next = self.select_all(by, &shifted, &now);
            now = next.try_into().expect("32 selected bits");
        }
        now
    }

    /// `bits` shifted towards bit 31 by `amount`, zeros coming in.
    pub(crate) fn shift_left(&mut self, bits: &Bits, amount: &[Var]) -> Bits {
        let mut mirrored = *bits;
        mirrored.reverse();
        let mut out = self.shift_right(&mirrored, amount, Some(Var::Const(0)));
        out.reverse();
        out
    }

    /// `-word` if `condition`, else `word`, mod 2^32, digit by digit.
    pub(crate) fn negate_if(&mut self, condition: Var, word: &Digits) -> Digits {
        let mut carry = condition;
        let mut out = *word;
        for i in (0..8).rev() {
            let complement = self.sub(Var::Const(15), word[i]);
            let digit = self.select(condition, complement, word[i]);
            let sum = self.add(digit, carry);
            carry = self.eq(sum, Var::Const(16));
            out[i] = self.select(carry, Var::Const(0), sum);
        }
        out
    }

    /// 1 if all digits are zero.
    pub(crate) fn is_zero(&mut self, digits: &[Var]) -> Var {
        let any = self.any(digits);
        self.not(any)
    }

    /// 1 if the digit strings differ anywhere.
    pub(crate) fn differ(&mut self, a: &[Var], b: &[Var]) -> Var {
        assert_eq!(a.len(), b.len(), "values of one width are compared");
        self.pick(Var::Const(0));
        for (&x, &y) in a.iter().zip(b) {
            self.pick(x);
            self.pick(y);
            self.op(op::OP_NUMNOTEQUAL, -1);
            self.op(op::OP_BOOLOR, -1);
        }
        self.top()
    }
}
