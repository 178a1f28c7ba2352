//! Products of words, and the check of a division.

use bitcoin::opcodes::all as op;

use super::builder::ScriptBuilder;
use super::value::{Bool, Item, Nibbles, Source, Value, Word};

impl ScriptBuilder {
    /// Unsigned 32 x 32 -> 64 bits (MIPS `MULTU`): 16 nibbles, so its word 0 is HI and its word 1 is LO. About 2,950 bytes.
    ///
    /// For each nibble of `b` its 16 multiples are laid out; a column then adds one multiple for each nibble of `a`.
    pub fn multiply_unsigned(&mut self, a: &Word, b: &Word) -> Nibbles {
        // multiples[j][k] = k * b_j, entry 0 the shallowest.
        let mut multiples: Vec<Vec<Item>> = Vec::with_capacity(8);
        for j in 0..8 {
            multiples.push(self.multiples_of(b.0[j]));
        }
        let mut columns: Vec<Item> = Vec::with_capacity(16);
        let mut carry: Option<Item> = None;
        let mut carry_max = 0u32;
        // Column c counts from the least significant nibble; nibble i of a word is its column 7 - i.
        for column in 0..15usize {
            let mut sum = carry.take();
            let mut max = carry_max;
            for i in column.saturating_sub(7)..=column.min(7) {
                let table = &multiples[7 - (column - i)];
                self.fetch(Source::Copy(a.0[7 - i]));
                let Some(depth) = self.depth(table[0]) else {
                    return Nibbles(a.items().repeat(2));
                };
                let product = self.pick_relative(depth - 1);
                max += 225;
                sum = Some(match sum {
                    Some(_) => self.transform(&[op::OP_ADD], 2, 1, 0)[0],
                    None => product,
                });
            }
            let (nibble, next) = self.split_column(max);
            columns.push(nibble);
            carry_max = max / 16;
            carry = Some(next);
        }
        // What is left is the top nibble: the product is below 2^64.
        columns.extend(carry);
        columns.reverse();
        for table in multiples.into_iter().rev() {
            self.drop(Nibbles(table));
        }
        Nibbles(columns)
    }

    /// Lays out `k * nibble` for k = 15 down to 0, so that entry 0 is the shallowest. About 60 bytes.
    fn multiples_of(&mut self, nibble: Item) -> Vec<Item> {
        // 15 n = 16 n - n; every further entry is the one before minus n.
        self.fetch(Source::Copy(nibble));
        self.transform(&[op::OP_DUP, op::OP_ADD].repeat(4), 1, 1, 1);
        let mut entries = Vec::with_capacity(16);
        for k in 0..15 {
            if k > 0 {
                let last = self.top_items("multiples", 1)[0];
                self.fetch(Source::Copy(last));
            }
            self.fetch(Source::Copy(nibble));
            entries.push(self.transform(&[op::OP_SUB], 2, 1, 0)[0]);
        }
        entries.push(self.fetch(Source::Constant(0)));
        entries.reverse();
        entries
    }

    /// Splits the number on top, at most `max`, into its lowest nibble and the rest divided by 16, which ends on top.
    fn split_column(&mut self, max: u32) -> (Item, Item) {
        // rest quotient: take off 2^k for every k from the top down to 4.
        self.fetch(Source::Constant(0));
        let bits = 32 - max.leading_zeros();
        for bit in (4..bits).rev() {
            // n q -> n q n 2^k
            self.transform(&[op::OP_OVER], 2, 3, 0);
            self.fetch(Source::Constant(1 << bit));
            self.transform(&[op::OP_GREATERTHANOREQUAL, op::OP_IF, op::OP_SWAP], 4, 2, 0);
            self.fetch(Source::Constant(1 << bit));
            self.transform(&[op::OP_SUB, op::OP_SWAP], 3, 2, 0);
            self.fetch(Source::Constant(1 << (bit - 4)));
            self.transform(&[op::OP_ADD, op::OP_ENDIF], 3, 2, 0);
        }
        let items = self.top_items("split_column", 2);
        (items[0], items[1])
    }

    /// Signed 32 x 32 -> 64 bits (MIPS `MULT`): 16 nibbles, word 0 is HI and word 1 is LO. About 3,280 bytes.
    ///
    /// As two's complement numbers `a = A - 2^32 [a < 0]`, so the product is that of `A` and `B` with `B` taken off HI where
    /// `a < 0` and `A` where `b < 0`.
    pub fn multiply_signed(&mut self, a: &Word, b: &Word) -> Nibbles {
        let product = self.multiply_unsigned(a, b);
        let (mut high, low) = (product.word(0), product.word(1));
        for (sign, other) in [(a, b), (b, a)] {
            let negative = self.is_negative(sign);
            let old = high.clone();
            high = self.if_else(
                negative,
                |s| s.sub(old.clone(), other),
                |s| s.move_to_top(old.clone()),
            );
        }
        Nibbles::from_words(&[high, low])
    }

    /// The low 32 bits of a product (MIPS `MUL`), the same for signed and unsigned. About 2,950 bytes.
    pub fn multiply_low(&mut self, a: &Word, b: &Word) -> Word {
        let product = self.multiply_unsigned(a, b);
        self.drop(product.word(0));
        product.word(1)
    }

    /// True if unsigned `dividend = quotient * divisor + remainder` with `remainder < divisor`; false for divisor 0.
    /// About 3,200 bytes.
    pub fn is_division_unsigned(
        &mut self,
        dividend: &Word,
        divisor: &Word,
        quotient: &Word,
        remainder: &Word,
    ) -> Bool {
        let product = self.multiply_unsigned(quotient, divisor);
        let (low, carry) = self.add_carry(product.word(1), remainder);
        let right = self.eq(low, dividend);
        // No carry and HI = 0: the sum is below 2^32.
        let high_zero = self.is_zero(product.word(0));
        let no_carry = self.not(carry);
        let small = self.lt_unsigned(remainder, divisor);
        self.all(vec![right, high_zero, no_carry, small])
    }

    /// True if `quotient` and `remainder` are those of the signed division that truncates towards zero (MIPS `DIV`), with
    /// -2^31 / -1 = -2^31 remainder 0; false for divisor 0. About 4,000 bytes.
    ///
    /// The quotient is negated where the operands' signs differ, the remainder where the dividend is negative; the magnitudes
    /// then obey the unsigned rule, and only one pair does.
    pub fn is_division_signed(
        &mut self,
        dividend: &Word,
        divisor: &Word,
        quotient: &Word,
        remainder: &Word,
    ) -> Bool {
        let dividend_negative = self.is_negative(dividend);
        let divisor_negative = self.is_negative(divisor);
        let differ = self.differ(&dividend_negative, &divisor_negative);
        let n = self.negate_if(&dividend_negative, dividend);
        let d = self.negate_if(&divisor_negative, divisor);
        let q = self.negate_if(&differ, quotient);
        let r = self.negate_if(&dividend_negative, remainder);
        let result = self.is_division_unsigned(&n, &d, &q, &r);
        self.drop((dividend_negative, divisor_negative, differ));
        self.drop([n, d, q, r]);
        result
    }

    /// `-word` where the condition holds, else `word`. About 190 bytes.
    pub fn negate_if(&mut self, condition: &Bool, word: &Word) -> Word {
        self.if_else(condition, |s| s.negate(word), |s| s.copy(word))
    }

    /// `|word|` as an unsigned word; -2^31 gives 2^31. About 195 bytes.
    pub fn absolute(&mut self, word: &Word) -> Word {
        let negative = self.is_negative(word);
        self.if_else(negative, |s| s.negate(word), |s| s.copy(word))
    }
}
