//! Numbers and truth values of one item each.
//!
//! Costs are given without fetching the operands: 1 byte an item near the top, 2 up to depth 16, 3 up to 127, 4 beyond.

use bitcoin::opcodes::{Opcode, all as op};

use super::builder::ScriptBuilder;
use super::value::{Bool, Int, Nibbles, Operand, Source, Value};

impl ScriptBuilder {
    fn numbers(&mut self, opcodes: &[Opcode], operands: &[Vec<Source>]) -> Int {
        let flat: Vec<Source> = operands.iter().flatten().copied().collect();
        for source in &flat {
            self.fetch(*source);
        }
        let items = self.transform(opcodes, flat.len(), 1, 2);
        Int(items[0])
    }

    /// `a + b`; the result must stay within 31 bits. 1 byte.
    pub fn int_add(&mut self, a: impl Operand<Int>, b: impl Operand<Int>) -> Int {
        self.numbers(&[op::OP_ADD], &[a.sources(), b.sources()])
    }

    /// `a - b`. 1 byte.
    pub fn int_sub(&mut self, a: impl Operand<Int>, b: impl Operand<Int>) -> Int {
        self.numbers(&[op::OP_SUB], &[a.sources(), b.sources()])
    }

    /// `2^k a`; the result must stay within 31 bits. 2 k bytes.
    pub fn int_double(&mut self, a: impl Operand<Int>, k: usize) -> Int {
        let opcodes: Vec<Opcode> = (0..k).flat_map(|_| [op::OP_DUP, op::OP_ADD]).collect();
        self.numbers(&opcodes, &[a.sources()])
    }

    /// `a == b` as numbers. 1 byte.
    pub fn int_eq(&mut self, a: impl Operand<Int>, b: impl Operand<Int>) -> Bool {
        Bool(self.numbers(&[op::OP_NUMEQUAL], &[a.sources(), b.sources()]).0)
    }

    /// `a != b` as numbers. 1 byte.
    pub fn int_ne(&mut self, a: impl Operand<Int>, b: impl Operand<Int>) -> Bool {
        Bool(self.numbers(&[op::OP_NUMNOTEQUAL], &[a.sources(), b.sources()]).0)
    }

    /// `a < b`. 1 byte.
    pub fn int_lt(&mut self, a: impl Operand<Int>, b: impl Operand<Int>) -> Bool {
        Bool(self.numbers(&[op::OP_LESSTHAN], &[a.sources(), b.sources()]).0)
    }

    /// `a <= b`. 1 byte.
    pub fn int_le(&mut self, a: impl Operand<Int>, b: impl Operand<Int>) -> Bool {
        Bool(
            self.numbers(&[op::OP_LESSTHANOREQUAL], &[a.sources(), b.sources()])
                .0,
        )
    }

    /// `min <= a < end`. 3 bytes and more where the limits exceed 16.
    pub fn within(&mut self, a: impl Operand<Int>, min: i64, end: i64) -> Bool {
        let limits = vec![Source::Constant(min), Source::Constant(end)];
        Bool(self.numbers(&[op::OP_WITHIN], &[a.sources(), limits]).0)
    }

    /// `a == 0`. 1 byte.
    pub fn int_is_zero(&mut self, a: impl Operand<Int>) -> Bool {
        Bool(self.numbers(&[op::OP_NOT], &[a.sources()]).0)
    }

    /// `!a`. 1 byte.
    pub fn not(&mut self, a: impl Operand<Bool>) -> Bool {
        Bool(self.numbers(&[op::OP_NOT], &[a.sources()]).0)
    }

    /// `a && b`. 1 byte.
    pub fn both(&mut self, a: impl Operand<Bool>, b: impl Operand<Bool>) -> Bool {
        Bool(self.numbers(&[op::OP_BOOLAND], &[a.sources(), b.sources()]).0)
    }

    /// `a || b`. 1 byte.
    pub fn either(&mut self, a: impl Operand<Bool>, b: impl Operand<Bool>) -> Bool {
        Bool(self.numbers(&[op::OP_BOOLOR], &[a.sources(), b.sources()]).0)
    }

    /// `a != b` of truth values. 1 byte.
    pub fn differ(&mut self, a: impl Operand<Bool>, b: impl Operand<Bool>) -> Bool {
        Bool(self.numbers(&[op::OP_NUMNOTEQUAL], &[a.sources(), b.sources()]).0)
    }

    /// True if all are (of none: true). 1 byte each.
    pub fn all(&mut self, conditions: Vec<Bool>) -> Bool {
        self.fold(conditions, op::OP_BOOLAND, 1)
    }

    /// True if any is (of none: false). 1 byte each.
    pub fn any(&mut self, conditions: Vec<Bool>) -> Bool {
        self.fold(conditions, op::OP_BOOLOR, 0)
    }

    fn fold(&mut self, conditions: Vec<Bool>, opcode: Opcode, neutral: i64) -> Bool {
        let mut sources = conditions.iter().map(|c| Source::Move(c.0));
        let Some(first) = sources.next() else {
            return Bool(self.constant(neutral).0);
        };
        let mut result = self.fetch(first);
        for source in sources {
            self.fetch(source);
            result = self.transform(&[opcode], 2, 1, 0)[0];
        }
        Bool(result)
    }

    /// Demands a truth value; the script fails without it. 1 byte.
    pub fn assert(&mut self, condition: impl Operand<Bool>) {
        for source in condition.sources() {
            self.fetch(source);
        }
        self.transform(&[op::OP_VERIFY], 1, 0, 0);
    }

    /// Demands that a truth value is false. 2 bytes.
    pub fn assert_not(&mut self, condition: impl Operand<Bool>) {
        let negated = self.not(condition);
        self.assert(negated);
    }

    /// Demands `a == b` as numbers. 1 byte.
    pub fn assert_int_eq(&mut self, a: impl Operand<Int>, b: impl Operand<Int>) {
        let sources: Vec<Source> = a.sources().into_iter().chain(b.sources()).collect();
        self.apply(&[op::OP_NUMEQUALVERIFY], &sources, 0, 0);
    }

    /// One of two values of the same shape. About 4 bytes and two copies of the value.
    pub fn select<V: Value>(&mut self, condition: impl Operand<Bool>, if_true: &V, if_false: &V) -> V {
        self.if_else(condition, |s| s.copy(if_true), |s| s.copy(if_false))
    }

    /// One of two numbers. About 4 bytes and two fetches.
    pub fn select_int(&mut self, condition: impl Operand<Bool>, if_true: i64, if_false: i64) -> Int {
        self.if_else(condition, |s| s.constant(if_true), |s| s.constant(if_false))
    }

    /// `sum of nibbles * 16^i` as a number: at most seven nibbles, or eight whose first is below 8.
    ///
    /// More than seven nibbles are checked to be below 2^31 by a failing script, not by a flag. 9 bytes a nibble.
    pub fn number_of(&mut self, nibbles: &Nibbles) -> Int {
        let count = nibbles.len();
        if count > 8 {
            self.fail(super::ScriptError::Argument {
                operation: "number_of",
                got: count as i64,
                min: 0,
                max: 8,
            });
        }
        if count == 8 {
            let fits = self.within(&nibbles.nibble(0), 0, 8);
            self.assert(fits);
        }
        let mut items = nibbles.0.iter();
        let Some(first) = items.next() else {
            return self.constant(0);
        };
        let mut sum = self.fetch(Source::Copy(*first));
        for item in items {
            self.transform(&[op::OP_DUP, op::OP_ADD].repeat(4), 1, 1, 1);
            self.fetch(Source::Copy(*item));
            sum = self.transform(&[op::OP_ADD], 2, 1, 0)[0];
        }
        Int(sum)
    }
}
