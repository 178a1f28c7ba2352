//! Bitwise operations on words, by a table of 136 entries that a leaf pushes once.
//!
//! The first use of a leaf costs about 235 bytes for the tables, dropping included; each operation then costs what is written.

use bitcoin::opcodes::all as op;

use super::builder::ScriptBuilder;
use super::error::ScriptError;
use super::tables::Table;
use super::value::{Item, Operand, Source, Word};

/// The bitwise operations of two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Logic {
    And,
    Or,
    Xor,
    Nor,
}

impl ScriptBuilder {
    /// `a & b`. About 180 bytes and the tables.
    pub fn and(&mut self, a: impl Operand<Word>, b: impl Operand<Word>) -> Word {
        self.logic(Logic::And, a.sources(), b.sources())
    }

    /// `a | b`. About 230 bytes and the tables.
    pub fn or(&mut self, a: impl Operand<Word>, b: impl Operand<Word>) -> Word {
        self.logic(Logic::Or, a.sources(), b.sources())
    }

    /// `a ^ b`. About 245 bytes and the tables.
    pub fn xor(&mut self, a: impl Operand<Word>, b: impl Operand<Word>) -> Word {
        self.logic(Logic::Xor, a.sources(), b.sources())
    }

    /// `!(a | b)`. About 250 bytes and the tables.
    pub fn nor(&mut self, a: impl Operand<Word>, b: impl Operand<Word>) -> Word {
        self.logic(Logic::Nor, a.sources(), b.sources())
    }

    fn logic(&mut self, logic: Logic, a: Vec<Source>, b: Vec<Source>) -> Word {
        self.need_table(Table::Triangle);
        self.need_table(Table::And);
        let nibbles: Vec<Item> = a
            .into_iter()
            .zip(b)
            .map(|(a, b)| self.logic_nibble(logic, a, b))
            .collect();
        self.word_of(nibbles)
    }

    /// With `s = a + b` and `c = a & b`: `a | b = s - c` and `a ^ b = s - 2 c`.
    fn logic_nibble(&mut self, logic: Logic, a: Source, b: Source) -> Item {
        self.fetch(a);
        self.fetch(b);
        if logic != Logic::And {
            self.transform(&[op::OP_2DUP, op::OP_ADD], 2, 3, 0);
            self.top_to_alt();
        }
        self.transform(&[op::OP_2DUP, op::OP_MAX], 2, 3, 0);
        self.look_up(Table::Triangle);
        self.transform(&[op::OP_ROT, op::OP_ROT, op::OP_MIN, op::OP_ADD], 3, 1, 0);
        let mut result = self.look_up(Table::And);
        if logic == Logic::And {
            return result;
        }
        if logic == Logic::Xor {
            self.transform(&[op::OP_DUP, op::OP_ADD], 1, 1, 1);
        }
        self.alt_to_top();
        result = self.transform(&[op::OP_SWAP, op::OP_SUB], 2, 1, 0)[0];
        if logic == Logic::Nor {
            result = self.transform(&[op::OP_PUSHNUM_15, op::OP_SWAP, op::OP_SUB], 1, 1, 1)[0];
        }
        result
    }

    /// Recorded error where a constant argument is out of range.
    pub(super) fn argument(&mut self, operation: &'static str, got: usize, min: usize, max: usize) -> bool {
        let fine = (min..=max).contains(&got);
        if !fine {
            self.fail(ScriptError::Argument {
                operation,
                got: got as i64,
                min: min as i64,
                max: max as i64,
            });
        }
        fine
    }
}
