//! Choosing and replacing words by an index, and bytes within a big-endian word.

use bitcoin::opcodes::all as op;

use super::builder::ScriptBuilder;
use super::error::ScriptError;
use super::value::{Int, Item, Nibbles, Operand, Source, Value, Word};

impl ScriptBuilder {
    /// `values[index]`, all of one shape; `index` must be known to be below their number (beyond lies whatever lies there).
    ///
    /// About 7 bytes an item of the result, and 3 an item of all values where they do not lie together in order.
    ///
    /// # Panics
    /// If there is no value, which only a wrong program of the leaf's author can cause.
    pub fn choose<V: Value>(&mut self, values: &[V], index: &Int) -> V {
        let first = &values[0];
        let width = first.items().len();
        let items: Vec<Item> = values.iter().flat_map(Value::items).collect();
        if items.len() != width * values.len() {
            self.fail(ScriptError::Length {
                operation: "choose",
                left: width * values.len(),
                right: items.len(),
            });
            return first.clone();
        }
        let copied = !self.lie_together(&items);
        let items = if copied {
            items
                .into_iter()
                .map(|item| self.fetch(Source::Copy(item)))
                .collect()
        } else {
            items
        };
        // width * index, kept for all items of the result.
        let offset = self.scaled(index, width);
        let mut chosen = Vec::with_capacity(width);
        for item in &items[..width] {
            // Value i's item lies width * i above value 0's.
            let Some(depth) = self.depth(*item) else {
                return first.clone();
            };
            self.fetch(Source::Constant(depth as i64));
            self.fetch(Source::Copy(offset));
            self.transform(&[op::OP_SUB], 2, 1, 0);
            chosen.push(self.pick_relative(0));
        }
        self.drop(Int(offset));
        if copied {
            self.drop(Nibbles(items));
        }
        first.over(&mut chosen.into_iter())
    }

    /// True if the items lie on the stack without a gap, the first one deepest.
    fn lie_together(&mut self, items: &[Item]) -> bool {
        let depths: Vec<Option<usize>> = items.iter().map(|item| self.depth(*item)).collect();
        depths
            .windows(2)
            .all(|pair| matches!(pair, [Some(a), Some(b)] if *a == b + 1))
    }

    /// `factor * number` on top. 2 bytes for each bit of the factor, 2 more for each further bit that is set.
    pub(super) fn scaled(&mut self, number: &Int, factor: usize) -> Item {
        let mut result = self.fetch(Source::Copy(number.0));
        let bits = usize::BITS - factor.leading_zeros();
        for bit in (0..bits.saturating_sub(1)).rev() {
            result = self.transform(&[op::OP_DUP, op::OP_ADD], 1, 1, 1)[0];
            if factor >> bit & 1 == 1 {
                self.fetch(Source::Copy(number.0));
                result = self.transform(&[op::OP_ADD], 2, 1, 0)[0];
            }
        }
        result
    }

    /// `arm(i)` for the `i` that `index` equals, `arm(cases - 1)` for any other index. About 6 bytes a case besides the arms.
    pub fn switch<V: Value>(&mut self, index: &Int, cases: usize, arm: &dyn Fn(&mut Self, usize) -> V) -> V {
        self.switch_from(index, 0, cases, arm)
    }

    fn switch_from<V: Value>(
        &mut self,
        index: &Int,
        i: usize,
        cases: usize,
        arm: &dyn Fn(&mut Self, usize) -> V,
    ) -> V {
        if i + 1 >= cases {
            return arm(self, i);
        }
        let here = self.int_eq(index, i as i64);
        self.if_else(here, |s| arm(s, i), |s| s.switch_from(index, i + 1, cases, arm))
    }

    /// The words with the one at `index` replaced by `new`; an index past the end replaces none. About 110 bytes a word.
    pub fn substitute(&mut self, words: Vec<Word>, index: &Int, new: &Word) -> Vec<Word> {
        words
            .into_iter()
            .enumerate()
            .map(|(i, old)| {
                let here = self.int_eq(index, i as i64);
                let kept = old.clone();
                self.if_else(
                    here,
                    |s| {
                        s.drop(old);
                        s.copy(new)
                    },
                    |s| s.move_to_top(kept),
                )
            })
            .collect()
    }

    /// Copies of nibbles at the given places.
    fn view(&mut self, places: [Source; 8]) -> Word {
        let items: Vec<Item> = places.into_iter().map(|source| self.fetch(source)).collect();
        self.word_of(items)
    }

    /// Byte `index` of a word (0 the most significant, big-endian), zero-extended (MIPS `LBU`); `index` must be in 0..=3.
    /// About 45 bytes.
    pub fn byte(&mut self, word: &Word, index: &Int) -> Nibbles {
        let bytes: Vec<Nibbles> = (0..4)
            .map(|i| Nibbles(word.0[2 * i..2 * i + 2].to_vec()))
            .collect();
        self.choose(&bytes, index)
    }

    /// Half `index` of a word (0 the more significant), four nibbles; `index` must be 0 or 1. About 40 bytes.
    pub fn half(&mut self, word: &Word, index: &Int) -> Nibbles {
        let halves: Vec<Nibbles> = (0..2)
            .map(|i| Nibbles(word.0[4 * i..4 * i + 4].to_vec()))
            .collect();
        self.choose(&halves, index)
    }

    /// MIPS `LB`: byte `index` sign-extended. About 50 bytes.
    pub fn load_byte_signed(&mut self, word: &Word, index: &Int) -> Word {
        let byte = self.byte(word, index);
        let extended = self.sign_extend(&byte);
        self.drop(byte);
        extended
    }

    /// MIPS `LBU`: byte `index` zero-extended. About 45 bytes.
    pub fn load_byte(&mut self, word: &Word, index: &Int) -> Word {
        let byte = self.byte(word, index);
        let extended = self.zero_extend(&byte);
        self.drop(byte);
        extended
    }

    /// MIPS `LH`: half `index` (0 or 1) sign-extended. About 65 bytes.
    pub fn load_half_signed(&mut self, word: &Word, index: &Int) -> Word {
        let half = self.half(word, index);
        let extended = self.sign_extend(&half);
        self.drop(half);
        extended
    }

    /// MIPS `LHU`: half `index` (0 or 1) zero-extended. About 60 bytes.
    pub fn load_half(&mut self, word: &Word, index: &Int) -> Word {
        let half = self.half(word, index);
        let extended = self.zero_extend(&half);
        self.drop(half);
        extended
    }

    /// A word of bytes taken from two words for each byte index 0..=3 (anything above counts as 3). About 100 bytes.
    ///
    /// `place(index, j)` says where byte `j` comes from: `(false, k)` is byte `k` of `memory`, `(true, k)` of `register`.
    fn merge(
        &mut self,
        memory: &Word,
        register: &Word,
        index: &Int,
        place: fn(usize, usize) -> (bool, usize),
    ) -> Word {
        self.switch(index, 4, &|s, b| {
            let sources = std::array::from_fn(|nibble| {
                let (from_register, byte) = place(b, nibble / 2);
                let word = if from_register { register } else { memory };
                Source::Copy(word.0[2 * byte + nibble % 2])
            });
            s.view(sources)
        })
    }

    /// MIPS `LWL` (big-endian): the memory word from byte `index` to its end, above the register's remaining low bytes.
    pub fn load_word_left(&mut self, memory: &Word, register: &Word, index: &Int) -> Word {
        self.merge(memory, register, index, |b, j| {
            if b + j < 4 { (false, b + j) } else { (true, j) }
        })
    }

    /// MIPS `LWR` (big-endian): the memory word from its start to byte `index`, beneath the register's remaining high bytes.
    pub fn load_word_right(&mut self, memory: &Word, register: &Word, index: &Int) -> Word {
        self.merge(memory, register, index, |b, j| {
            if j + b < 3 { (true, j) } else { (false, j + b - 3) }
        })
    }

    /// MIPS `SWL` (big-endian): the memory word with the register's high bytes from byte `index` to its end.
    pub fn store_word_left(&mut self, memory: &Word, register: &Word, index: &Int) -> Word {
        self.merge(memory, register, index, |b, j| {
            if j < b { (false, j) } else { (true, j - b) }
        })
    }

    /// MIPS `SWR` (big-endian): the memory word with the register's low bytes from its start to byte `index`.
    pub fn store_word_right(&mut self, memory: &Word, register: &Word, index: &Int) -> Word {
        self.merge(memory, register, index, |b, j| {
            if j <= b { (true, j + 3 - b) } else { (false, j) }
        })
    }

    /// MIPS `SB`: the memory word with byte `index` replaced by the register's lowest byte.
    pub fn store_byte(&mut self, memory: &Word, register: &Word, index: &Int) -> Word {
        self.merge(memory, register, index, |b, j| {
            if j == b { (true, 3) } else { (false, j) }
        })
    }

    /// MIPS `SH`: the memory word with half `index` (0 the more significant, any other the less) replaced by the register's
    /// low half. About 50 bytes.
    pub fn store_half(&mut self, memory: &Word, register: &Word, index: &Int) -> Word {
        self.switch(index, 2, &|s, half| {
            let sources = std::array::from_fn(|nibble| {
                Source::Copy(if nibble / 4 == half {
                    register.0[4 + nibble % 4]
                } else {
                    memory.0[nibble]
                })
            });
            s.view(sources)
        })
    }

    /// `new` where the condition holds, else `old` (MIPS `MOVN`, `MOVZ`). About 50 bytes.
    pub fn select_word(&mut self, condition: impl Operand<super::Bool>, new: &Word, old: &Word) -> Word {
        self.select(condition, new, old)
    }
}
