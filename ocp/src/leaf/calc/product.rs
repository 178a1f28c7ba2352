//! 32 × 32 → 64-bit products from digit products, which Script has no opcode for.
//!
//! `a·b = ⌊(a+b)²/4⌋ - ⌊(a-b)²/4⌋`, so a table of 31 quarter squares multiplies two digits. Column sums stay below
//! 2,048 and are cut into a digit and a carry by comparing with seven multiples of 16.

use super::word::Digits;
use super::{Calc, Var};
use bitcoin::opcodes::all as op;

/// Largest index of the table: two digits of 15.
const LARGEST: usize = 30;

impl Calc {
    /// `a·b + addend`, all unsigned, mod 2^64: 16 digits, most significant first. `addend` has 16 digits.
    pub(crate) fn multiply_add(&mut self, a: &Digits, b: &Digits, addend: &[Var; 16]) -> [Var; 16] {
        let digits = self.scope(|c| {
            let table = c.height();
            for n in (0..=LARGEST).rev() {
                c.push(i32::try_from(n * n / 4).expect("225 at most"));
            }
            let mut carry = Var::Const(0);
            let mut out = Vec::new();
            for column in 0..16 {
                let digit = c.scope(|c| {
                    c.pick(carry);
                    c.pick(addend[15 - column]);
                    c.op(op::OP_ADD, -1);
                    for i in 0..8usize {
                        if let Some(j) = column.checked_sub(i).filter(|j| *j < 8) {
                            c.add_digit_product(a[7 - i], b[7 - j], table);
                        }
                    }
                    let (digit, carry) = c.cut_digit();
                    vec![digit, carry]
                });
                out.push(digit[0]);
                carry = digit[1];
            }
            out.reverse();
            out
        });
        digits.try_into().expect("16 columns")
    }

    /// Adds `a·b` to the top item; `table` is the height of the quarter squares, entry 0 uppermost.
    fn add_digit_product(&mut self, a: Var, b: Var, table: usize) {
        let pick_entry = |c: &mut Calc| {
            let depth = c.height() - 1 - (table + LARGEST + 1);
            c.push(i32::try_from(depth).expect("frames are below 1,000 items"));
            c.op(op::OP_ADD, -1);
            c.op(op::OP_PICK, 0);
        };
        self.pick(a);
        self.pick(b);
        self.op(op::OP_2DUP, 2);
        self.op(op::OP_ADD, -1);
        pick_entry(self);
        self.op(op::OP_ROT, 0);
        self.op(op::OP_ROT, 0);
        self.op(op::OP_SUB, -1);
        self.op(op::OP_ABS, 0);
        pick_entry(self);
        self.op(op::OP_SUB, -1);
        self.op(op::OP_ADD, -1);
    }

    /// Cuts the top item, below 2,048, into itself mod 16 and its sixteenth: `x → x mod 16, x div 16`.
    fn cut_digit(&mut self) -> (Var, Var) {
        self.push(0);
        for shift in (4..11).rev() {
            self.op(op::OP_OVER, 1);
            self.push(1 << shift);
            self.op(op::OP_GREATERTHANOREQUAL, -1);
            self.op(op::OP_IF, -1);
            self.op(op::OP_SWAP, 0);
            self.push(1 << shift);
            self.op(op::OP_SUB, -1);
            self.op(op::OP_SWAP, 0);
            self.push(1 << (shift - 4));
            self.op(op::OP_ADD, -1);
            self.op(op::OP_ENDIF, 0);
        }
        (Var::Item(self.height() - 2), self.top())
    }
}
