//! Comparison and addition of 32-bit words.
//!
//! Costs are with operands near the top, dropping of the result included; operands deeper than 16 cost a byte a nibble more,
//! deeper than 127 another. `cargo run --example script_sizes` prints them.

use bitcoin::opcodes::all as op;

use super::builder::ScriptBuilder;
use super::error::ScriptError;
use super::value::{Bool, Int, Item, Nibbles, Operand, Source, Value, Word};

impl ScriptBuilder {
    fn equal_length(&mut self, operation: &'static str, a: &[Source], b: &[Source]) -> bool {
        if a.len() != b.len() {
            self.fail(ScriptError::Length {
                operation,
                left: a.len(),
                right: b.len(),
            });
        }
        a.len() == b.len()
    }

    fn equal_items(&mut self, a: Vec<Source>, b: Vec<Source>) -> Bool {
        self.equal_length("eq", &a, &b);
        let mut result = None;
        for (a, b) in a.into_iter().zip(b) {
            self.fetch(a);
            self.fetch(b);
            let mut item = self.transform(&[op::OP_NUMEQUAL], 2, 1, 0)[0];
            if result.is_some() {
                item = self.transform(&[op::OP_BOOLAND], 2, 1, 0)[0];
            }
            result = Some(item);
        }
        Bool(result.unwrap_or_else(|| self.constant(1).0))
    }

    /// `a == b`. About 50 bytes.
    pub fn eq(&mut self, a: impl Operand<Word>, b: impl Operand<Word>) -> Bool {
        self.equal_items(a.sources(), b.sources())
    }

    /// `a != b`. About 51 bytes.
    pub fn ne(&mut self, a: impl Operand<Word>, b: impl Operand<Word>) -> Bool {
        let equal = self.eq(a, b);
        self.not(equal)
    }

    /// `a == b` of equally many nibbles. About 6 bytes a nibble.
    pub fn eq_nibbles(&mut self, a: impl Operand<Nibbles>, b: impl Operand<Nibbles>) -> Bool {
        self.equal_items(a.sources(), b.sources())
    }

    /// Demands `a == b` of equally many nibbles. About 5 bytes a nibble.
    pub fn assert_eq_nibbles(&mut self, a: impl Operand<Nibbles>, b: impl Operand<Nibbles>) {
        let (a, b) = (a.sources(), b.sources());
        self.equal_length("assert_eq", &a, &b);
        for (a, b) in a.into_iter().zip(b) {
            self.apply(&[op::OP_NUMEQUALVERIFY], &[a, b], 0, 0);
        }
    }

    /// Demands that `a` and `b` differ in some nibble. About 6 bytes a nibble.
    pub fn assert_ne_nibbles(&mut self, a: impl Operand<Nibbles>, b: impl Operand<Nibbles>) {
        let equal = self.eq_nibbles(a, b);
        self.assert_not(equal);
    }

    /// Demands `a == b`. About 40 bytes.
    pub fn assert_eq(&mut self, a: impl Operand<Word>, b: impl Operand<Word>) {
        let (a, b) = (a.sources(), b.sources());
        for (a, b) in a.into_iter().zip(b) {
            self.apply(&[op::OP_NUMEQUALVERIFY], &[a, b], 0, 0);
        }
    }

    /// Demands `a != b`. About 52 bytes.
    pub fn assert_ne(&mut self, a: impl Operand<Word>, b: impl Operand<Word>) {
        let equal = self.eq(a, b);
        self.assert_not(equal);
    }

    /// `a == 0`. About 25 bytes.
    pub fn is_zero(&mut self, a: impl Operand<Word>) -> Bool {
        self.is_zero_items(a.sources())
    }

    /// True if all nibbles are 0. About 3 bytes a nibble.
    pub fn is_zero_nibbles(&mut self, a: impl Operand<Nibbles>) -> Bool {
        self.is_zero_items(a.sources())
    }

    fn is_zero_items(&mut self, a: Vec<Source>) -> Bool {
        let mut sum: Option<Item> = None;
        for source in a {
            self.fetch(source);
            if sum.is_some() {
                self.transform(&[op::OP_ADD], 2, 1, 0);
            }
            sum = Some(self.top_items("is_zero", 1)[0]);
        }
        if sum.is_none() {
            self.constant(0);
        }
        Bool(self.transform(&[op::OP_NOT], 1, 1, 0)[0])
    }

    /// True if bit 31 is set: the word is negative as a two's complement number. 3 to 5 bytes.
    pub fn is_negative(&mut self, a: &Word) -> Bool {
        self.int_lt(7, &a.nibble(0))
    }

    /// Unsigned `a < b`. About 50 bytes.
    pub fn lt_unsigned(&mut self, a: impl Operand<Word>, b: impl Operand<Word>) -> Bool {
        let (a, b) = (a.sources(), b.sources());
        self.less_items(a, b, false)
    }

    /// Signed (two's complement) `a < b`. About 65 bytes.
    pub fn lt_signed(&mut self, a: impl Operand<Word>, b: impl Operand<Word>) -> Bool {
        let (a, b) = (a.sources(), b.sources());
        self.less_items(a, b, true)
    }

    /// Unsigned `a < b` of equally many nibbles. About 6 bytes a nibble.
    pub fn lt_nibbles(&mut self, a: impl Operand<Nibbles>, b: impl Operand<Nibbles>) -> Bool {
        let (a, b) = (a.sources(), b.sources());
        self.less_items(a, b, false)
    }

    /// From the least significant nibble up: less so far = (a_i < b_i), or the earlier answer where they are equal.
    /// That is `a_i - b_i < less_so_far`, because the difference of two nibbles is a whole number.
    fn less_items(&mut self, a: Vec<Source>, b: Vec<Source>, signed: bool) -> Bool {
        if !self.equal_length("less than", &a, &b) || a.is_empty() {
            return Bool(self.constant(0).0);
        }
        let mut less: Option<Item> = None;
        let top = a.len() - 1;
        for (i, (a, b)) in a.into_iter().zip(b).rev().enumerate() {
            let flip = signed && i == top;
            // The top nibbles' order with the sign bit flipped is the order of (n + 8) mod 16.
            if flip {
                self.fetch_sign_flipped(a);
                self.fetch_sign_flipped(b);
            } else {
                self.fetch(a);
                self.fetch(b);
            }
            less = Some(match less {
                None => self.transform(&[op::OP_LESSTHAN], 2, 1, 0)[0],
                Some(_) => self.transform(&[op::OP_SUB, op::OP_GREATERTHAN], 3, 1, 0)[0],
            });
        }
        Bool(less.unwrap_or_else(|| self.constant(0).0))
    }

    /// A nibble with its bit 3 flipped, as a number 0..=15. 11 bytes.
    fn fetch_sign_flipped(&mut self, source: Source) {
        if let Source::Constant(n) = source {
            self.fetch(Source::Constant(n ^ 8));
            return;
        }
        self.fetch(source);
        self.fetch(Source::Constant(8));
        self.transform(
            &[
                op::OP_2DUP,
                op::OP_LESSTHAN,
                op::OP_IF,
                op::OP_ADD,
                op::OP_ELSE,
                op::OP_SUB,
                op::OP_ENDIF,
            ],
            2,
            1,
            2,
        );
    }

    /// Splits the sum on top, 0..=31, into a nibble and a carry on top. 10 bytes.
    fn split_carry(&mut self) -> (Item, Item) {
        let items = self.transform(
            &[
                op::OP_DUP,
                op::OP_PUSHNUM_15,
                op::OP_GREATERTHAN,
                op::OP_IF,
                op::OP_PUSHNUM_16,
                op::OP_SUB,
                op::OP_PUSHNUM_1,
                op::OP_ELSE,
                op::OP_PUSHBYTES_0,
                op::OP_ENDIF,
            ],
            1,
            2,
            2,
        );
        (items[0], items[1])
    }

    /// Splits the difference on top, -16..=15, into a nibble and a borrow on top. 10 bytes.
    fn split_borrow(&mut self) -> (Item, Item) {
        let items = self.transform(
            &[
                op::OP_DUP,
                op::OP_PUSHBYTES_0,
                op::OP_LESSTHAN,
                op::OP_IF,
                op::OP_PUSHNUM_16,
                op::OP_ADD,
                op::OP_PUSHNUM_1,
                op::OP_ELSE,
                op::OP_PUSHBYTES_0,
                op::OP_ENDIF,
            ],
            1,
            2,
            2,
        );
        (items[0], items[1])
    }

    /// `a + b` over equally many nibbles, and the carry out of the top.
    pub(super) fn add_items(
        &mut self,
        a: Vec<Source>,
        b: Vec<Source>,
        carry_in: Option<Item>,
    ) -> (Vec<Item>, Bool) {
        self.equal_length("add", &a, &b);
        let mut carry = carry_in.map(|c| self.fetch(Source::Move(c)));
        let mut sum = Vec::new();
        for (a, b) in a.into_iter().zip(b).rev() {
            for source in [a, b] {
                if source == Source::Constant(0) && carry.is_some() {
                    continue;
                }
                self.fetch(source);
                if carry.is_some() {
                    carry = Some(self.transform(&[op::OP_ADD], 2, 1, 0)[0]);
                } else {
                    carry = Some(self.top_items("add", 1)[0]);
                }
            }
            let (nibble, next) = self.split_carry();
            sum.push(nibble);
            carry = Some(next);
        }
        sum.reverse();
        let carry = carry.unwrap_or_else(|| self.constant(0).0);
        (sum, Bool(carry))
    }

    /// `a - b` over equally many nibbles, and the borrow out of the top.
    pub(super) fn sub_items(&mut self, a: Vec<Source>, b: Vec<Source>) -> (Vec<Item>, Bool) {
        self.equal_length("sub", &a, &b);
        let mut borrow: Option<Item> = None;
        let mut difference = Vec::new();
        for (a, b) in a.into_iter().zip(b).rev() {
            // a - (b + borrow): the borrow lies on top already.
            if borrow.is_some() {
                self.fetch(b);
                self.transform(&[op::OP_ADD], 2, 1, 0);
                self.fetch(a);
                self.transform(&[op::OP_SWAP, op::OP_SUB], 2, 1, 0);
            } else {
                self.fetch(a);
                self.fetch(b);
                self.transform(&[op::OP_SUB], 2, 1, 0);
            }
            let (nibble, next) = self.split_borrow();
            difference.push(nibble);
            borrow = Some(next);
        }
        difference.reverse();
        let borrow = borrow.unwrap_or_else(|| self.constant(0).0);
        (difference, Bool(borrow))
    }

    /// `a + b` modulo 2^32. About 145 bytes.
    pub fn add(&mut self, a: impl Operand<Word>, b: impl Operand<Word>) -> Word {
        let (sum, carry) = self.add_carry(a, b);
        self.drop(carry);
        sum
    }

    /// `a + b` modulo 2^32 and whether it reached 2^32. About 144 bytes.
    pub fn add_carry(&mut self, a: impl Operand<Word>, b: impl Operand<Word>) -> (Word, Bool) {
        let (sum, carry) = self.add_items(a.sources(), b.sources(), None);
        (self.word_of(sum), carry)
    }

    /// `a - b` modulo 2^32. About 155 bytes.
    pub fn sub(&mut self, a: impl Operand<Word>, b: impl Operand<Word>) -> Word {
        let (difference, borrow) = self.sub_borrow(a, b);
        self.drop(borrow);
        difference
    }

    /// `a - b` modulo 2^32 and whether `a < b` unsigned. About 154 bytes.
    pub fn sub_borrow(&mut self, a: impl Operand<Word>, b: impl Operand<Word>) -> (Word, Bool) {
        let (difference, borrow) = self.sub_items(a.sources(), b.sources());
        (self.word_of(difference), borrow)
    }

    /// `a + b` modulo 2^32 and whether it overflows as two's complement numbers (MIPS `ADD`). About 165 bytes.
    pub fn add_overflow(&mut self, a: &Word, b: &Word) -> (Word, Bool) {
        let sum = self.add(a, b);
        // Overflow: both operands have one sign and the sum has the other.
        let overflow = self.sign_overflow(a, b, &sum, false);
        (sum, overflow)
    }

    /// `a - b` modulo 2^32 and whether it overflows as two's complement numbers (MIPS `SUB`). About 170 bytes.
    pub fn sub_overflow(&mut self, a: &Word, b: &Word) -> (Word, Bool) {
        let difference = self.sub(a, b);
        let overflow = self.sign_overflow(a, b, &difference, true);
        (difference, overflow)
    }

    fn sign_overflow(&mut self, a: &Word, b: &Word, result: &Word, subtract: bool) -> Bool {
        let sign_a = self.is_negative(a);
        let sign_b = self.is_negative(b);
        let operands = if subtract {
            self.differ(&sign_a, sign_b)
        } else {
            let differ = self.differ(&sign_a, sign_b);
            self.not(differ)
        };
        let sign_result = self.is_negative(result);
        let flipped = self.differ(sign_a, sign_result);
        self.both(operands, flipped)
    }

    /// `a + b` modulo 2^64 of 16 nibbles each (MIPS `MADD` adds to HI:LO). About 290 bytes.
    pub fn add64(&mut self, a: impl Operand<Nibbles>, b: impl Operand<Nibbles>) -> Nibbles {
        let (sum, carry) = self.add_items(a.sources(), b.sources(), None);
        self.drop(carry);
        Nibbles(sum)
    }

    /// `a - b` modulo 2^64 of 16 nibbles each (MIPS `MSUB`). About 310 bytes.
    pub fn sub64(&mut self, a: impl Operand<Nibbles>, b: impl Operand<Nibbles>) -> Nibbles {
        let (difference, borrow) = self.sub_items(a.sources(), b.sources());
        self.drop(borrow);
        Nibbles(difference)
    }

    /// `-a` modulo 2^32. About 150 bytes.
    pub fn negate(&mut self, a: impl Operand<Word>) -> Word {
        self.sub(0u32, a)
    }

    /// Every bit flipped. About 6 bytes a nibble.
    pub fn not_bits<V: Value>(&mut self, a: &V) -> V {
        let items: Vec<Item> = a
            .items()
            .into_iter()
            .map(|item| self.apply(&[op::OP_SUB], &[Source::Constant(15), Source::Copy(item)], 1, 0))
            .filter_map(|out| out.first().map(|Int(item)| *item))
            .collect();
        a.over(&mut items.into_iter())
    }
}
