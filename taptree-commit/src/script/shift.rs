//! Shifts and rotations of words by constant and by variable amounts.

use bitcoin::opcodes::all as op;

use super::builder::ScriptBuilder;
use super::tables::Table;
use super::value::{Int, Item, Source, Word};

/// What a shift does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shift {
    Left,
    Right,
    RightSigned,
    RotateRight,
}

impl ScriptBuilder {
    /// `word << k`, k in 0..=31. Up to 115 bytes and 24 each for two tables, about 25 where 4 divides k.
    pub fn shl(&mut self, word: &Word, k: usize) -> Word {
        self.shift(Shift::Left, word, k)
    }

    /// `word >> k` unsigned, k in 0..=31. Costs as [`ScriptBuilder::shl`].
    pub fn shr(&mut self, word: &Word, k: usize) -> Word {
        self.shift(Shift::Right, word, k)
    }

    /// `word >> k` with the sign copied in, k in 0..=31. About 20 bytes more than [`ScriptBuilder::shl`].
    pub fn sar(&mut self, word: &Word, k: usize) -> Word {
        self.shift(Shift::RightSigned, word, k)
    }

    /// `word` rotated right by k in 0..=31. Costs as [`ScriptBuilder::shl`].
    pub fn rotr(&mut self, word: &Word, k: usize) -> Word {
        self.shift(Shift::RotateRight, word, k)
    }

    /// `word << amount`, amount known to be in 0..=31. About 545 bytes and 140 for tables.
    pub fn shl_by(&mut self, word: &Word, amount: &Int) -> Word {
        self.shift_by(Shift::Left, word, amount)
    }

    /// `word >> amount` unsigned, amount known to be in 0..=31. About 545 bytes and 140 for tables.
    pub fn shr_by(&mut self, word: &Word, amount: &Int) -> Word {
        self.shift_by(Shift::Right, word, amount)
    }

    /// `word >> amount` with the sign copied in, amount known to be in 0..=31. About 620 bytes and 140 for tables.
    pub fn sar_by(&mut self, word: &Word, amount: &Int) -> Word {
        self.shift_by(Shift::RightSigned, word, amount)
    }

    /// `word` rotated right by amount, known to be in 0..=31. About 560 bytes and 140 for tables.
    pub fn rotr_by(&mut self, word: &Word, amount: &Int) -> Word {
        self.shift_by(Shift::RotateRight, word, amount)
    }

    /// Five conditional shifts by 16, 8, 4, 2 and 1.
    fn shift_by(&mut self, shift: Shift, word: &Word, amount: &Int) -> Word {
        // The tables must be there before the branches, whose arms drop their own.
        for r in [1, 2, 3] {
            self.need_table(Table::ShiftLeft(r));
            self.need_table(Table::ShiftRight(r));
        }
        let mut word = self.copy(word);
        let mut rest = self.copy(amount);
        for bit in (0..5).rev() {
            let (r, set) = self.take_bit(rest, bit);
            rest = r;
            let old = word.clone();
            word = self.if_else(
                set,
                |s| {
                    let shifted = s.shift(shift, &old, 1 << bit);
                    s.drop(old.clone());
                    shifted
                },
                |s| s.move_to_top(old.clone()),
            );
        }
        self.drop(rest);
        word
    }

    fn shift(&mut self, shift: Shift, word: &Word, k: usize) -> Word {
        if !self.argument("shift", k, 0, 31) {
            return self.dangling_word();
        }
        let own = |i: usize| Source::Copy(word.0[i]);
        let (nibbles, bits) = (k / 4, k % 4);
        let zero = Source::Constant(0);
        // Nine nibbles of which a funnel shift left by `left` bits makes the eight of the result.
        let (window, left, fill): (Vec<Source>, usize, Option<Item>) = match shift {
            Shift::Left => (
                (nibbles..nibbles + 9)
                    .map(|i| if i < 8 { own(i) } else { zero })
                    .collect(),
                bits,
                None,
            ),
            Shift::Right | Shift::RightSigned | Shift::RotateRight => {
                // Right by k is left by 4 - bits after one nibble more to the right; by whole nibbles it is the window itself.
                let (start, left) = if bits == 0 {
                    (nibbles, 0)
                } else {
                    (nibbles + 1, 4 - bits)
                };
                let fill = (shift == Shift::RightSigned).then(|| self.sign_fill(word.0[0]));
                let filler = fill.map_or(zero, Source::Copy);
                let window = (0..9i32)
                    .map(|i| match i - start as i32 {
                        at if shift == Shift::RotateRight => own(at.rem_euclid(8) as usize),
                        at if at < 0 => filler,
                        at if at < 8 => own(at as usize),
                        _ => zero,
                    })
                    .collect();
                (window, left, fill)
            }
        };
        let items = self.funnel(&window, left);
        if let Some(fill) = fill {
            self.drop(Int(fill));
        }
        self.word_of(items)
    }

    /// Eight nibbles: nibble i is the low part of window i shifted up by `left` bits and the high part of window i + 1.
    fn funnel(&mut self, window: &[Source], left: usize) -> Vec<Item> {
        let left = left as u8;
        if left > 0 {
            self.need_table(Table::ShiftLeft(left));
            self.need_table(Table::ShiftRight(4 - left));
        }
        let zero = Source::Constant(0);
        let mut nibbles = Vec::with_capacity(8);
        for i in 0..8 {
            if left == 0 {
                nibbles.push(self.fetch(window[i]));
                continue;
            }
            let (high, low) = (window[i], window[i + 1]);
            let mut parts = Vec::new();
            if high != zero {
                self.fetch(high);
                parts.push(self.look_up(Table::ShiftLeft(left)));
            }
            if low != zero {
                self.fetch(low);
                parts.push(self.look_up(Table::ShiftRight(4 - left)));
            }
            nibbles.push(match parts.len() {
                0 => self.fetch(zero),
                1 => parts[0],
                _ => self.transform(&[op::OP_ADD], 2, 1, 0)[0],
            });
        }
        nibbles
    }
}
