//! Bit fields of instruction words, extension and leading bits.

use bitcoin::opcodes::Opcode;
use bitcoin::opcodes::all as op;

use super::builder::ScriptBuilder;
use super::tables::Table;
use super::value::{Bool, Int, Item, Nibbles, Source, Word};

/// `OP_1` to `OP_16`, or `OP_0`.
pub(super) fn small(n: u8) -> Opcode {
    match n {
        0 => op::OP_PUSHBYTES_0,
        _ => Opcode::from(op::OP_PUSHNUM_1.to_u8() + n - 1),
    }
}

impl ScriptBuilder {
    /// Bits `high ..= low` of a word (31 the most significant) as a number; at most 31 bits. About 10 bytes a nibble touched,
    /// and 24 bytes for each table of shifted nibbles that the leaf has not used yet.
    pub fn bits(&mut self, word: &Word, high: usize, low: usize) -> Int {
        if !self.argument("bits", high, low, 31.min(low + 30)) {
            return self.constant(0);
        }
        let mut sum: Option<Item> = None;
        // Nibble k holds the bits 31 - 4k down to 28 - 4k.
        for k in (31 - high) / 4..=(31 - low) / 4 {
            let base = 28 - 4 * k;
            let top = high.min(base + 3) - base;
            let bottom = low.max(base) - base;
            if bottom > 0 && top != bottom {
                self.need_table(Table::ShiftRight(bottom as u8));
            }
            if let Some(so_far) = sum {
                // Make room for this nibble's bits beneath the ones so far.
                sum = Some(self.int_double(Int(so_far), top - bottom + 1).0);
            }
            self.fetch(Source::Copy(word.0[k]));
            self.nibble_bits(top as u8, bottom as u8);
            sum = Some(match sum {
                Some(_) => self.transform(&[op::OP_ADD], 2, 1, 0)[0],
                None => self.top_items("bits", 1)[0],
            });
        }
        Int(sum.unwrap_or_else(|| self.constant(0).0))
    }

    /// Replaces the nibble on top by its bits `top ..= bottom` (3 the most significant).
    fn nibble_bits(&mut self, top: u8, bottom: u8) {
        for bit in (top + 1..4).rev() {
            self.clear_if_set(bit);
        }
        if bottom == top && bottom > 0 {
            self.transform(&[small((1 << bottom) - 1), op::OP_GREATERTHAN], 1, 1, 1);
        } else if bottom > 0 {
            self.look_up(Table::ShiftRight(bottom));
        }
    }

    /// Subtracts `2^bit` from the nibble on top if it has the bit, higher bits being clear. 7 bytes.
    fn clear_if_set(&mut self, bit: u8) {
        let opcodes = [
            op::OP_DUP,
            small((1 << bit) - 1),
            op::OP_GREATERTHAN,
            op::OP_IF,
            small(1 << bit),
            op::OP_SUB,
            op::OP_ENDIF,
        ];
        self.transform(&opcodes, 1, 1, 2);
    }

    /// One bit of a word (31 the most significant). 5 to 20 bytes.
    pub fn bit(&mut self, word: &Word, bit: usize) -> Bool {
        Bool(self.bits(word, bit, bit).0)
    }

    /// Major opcode of a MIPS instruction, bits 31..26.
    pub fn field_opcode(&mut self, instruction: &Word) -> Int {
        self.bits(instruction, 31, 26)
    }

    /// Field `rs` of a MIPS instruction, bits 25..21.
    pub fn field_rs(&mut self, instruction: &Word) -> Int {
        self.bits(instruction, 25, 21)
    }

    /// Field `rt` of a MIPS instruction, bits 20..16.
    pub fn field_rt(&mut self, instruction: &Word) -> Int {
        self.bits(instruction, 20, 16)
    }

    /// Field `rd` of a MIPS instruction, bits 15..11.
    pub fn field_rd(&mut self, instruction: &Word) -> Int {
        self.bits(instruction, 15, 11)
    }

    /// Field `sa` of a MIPS instruction, bits 10..6.
    pub fn field_sa(&mut self, instruction: &Word) -> Int {
        self.bits(instruction, 10, 6)
    }

    /// Field `funct` of a MIPS instruction, bits 5..0.
    pub fn field_funct(&mut self, instruction: &Word) -> Int {
        self.bits(instruction, 5, 0)
    }

    /// The immediate of a MIPS instruction, bits 15..0, as views of its four nibbles. Free.
    pub fn field_immediate(&mut self, instruction: &Word) -> Nibbles {
        Nibbles(instruction.0[4..].to_vec())
    }

    /// The jump target of a MIPS `J` or `JAL`: bits 25..0 shifted left by 2 beneath the top four bits of `pc_plus_4`.
    /// About 110 bytes and the tables.
    pub fn jump_target(&mut self, instruction: &Word, pc_plus_4: &Word) -> Word {
        let mut target = self.shl(instruction, 2);
        let top = self.copy(&pc_plus_4.nibble(0));
        let old = std::mem::replace(&mut target.0[0], top.0);
        self.drop(Int(old));
        target
    }

    /// A number of up to seven nibbles, zero-extended to a word. 1 byte for each missing nibble and copies of the rest.
    pub fn zero_extend(&mut self, nibbles: &Nibbles) -> Word {
        self.extend(nibbles, Source::Constant(0))
    }

    /// A two's complement number of up to eight nibbles, sign-extended to a word. About 10 bytes more than copies.
    pub fn sign_extend(&mut self, nibbles: &Nibbles) -> Word {
        let Some(first) = nibbles.0.first() else {
            return self.constant_word(0);
        };
        let fill = self.sign_fill(*first);
        let word = self.extend(nibbles, Source::Copy(fill));
        self.drop(Int(fill));
        word
    }

    /// 15 if the nibble has its bit 3 set, else 0. About 9 bytes.
    pub(super) fn sign_fill(&mut self, nibble: Item) -> Item {
        self.fetch(Source::Copy(nibble));
        let opcodes = [
            op::OP_PUSHNUM_7,
            op::OP_GREATERTHAN,
            op::OP_IF,
            op::OP_PUSHNUM_15,
            op::OP_ELSE,
            op::OP_PUSHBYTES_0,
            op::OP_ENDIF,
        ];
        self.transform(&opcodes, 1, 1, 1)[0]
    }

    fn extend(&mut self, nibbles: &Nibbles, fill: Source) -> Word {
        let len = nibbles.len();
        if !self.argument("extend", len, 0, 8) {
            return self.dangling_word();
        }
        let mut items: Vec<Item> = (len..8).map(|_| self.fetch(fill)).collect();
        for item in &nibbles.0 {
            items.push(self.fetch(Source::Copy(*item)));
        }
        self.word_of(items)
    }

    /// Leading zero bits of a word, 0..=32 (MIPS `CLZ`). About 110 bytes and a table of 16.
    pub fn leading_zeros(&mut self, word: &Word) -> Int {
        self.need_table(Table::LeadingZeros);
        // From the least significant nibble up: a nibble that is 0 adds 4 to what is beneath, any other decides alone.
        let mut count = self.fetch_leading_zeros(word.0[7]);
        for item in word.0[..7].iter().rev() {
            let zero = self.int_is_zero(&Int(*item));
            let so_far = Int(count);
            count = self
                .if_else(
                    zero,
                    |s| s.int_add(so_far.clone(), 4),
                    |s| {
                        s.drop(so_far.clone());
                        Int(s.fetch_leading_zeros(*item))
                    },
                )
                .0;
        }
        Int(count)
    }

    fn fetch_leading_zeros(&mut self, nibble: Item) -> Item {
        self.fetch(Source::Copy(nibble));
        self.look_up(Table::LeadingZeros)
    }

    /// Leading one bits of a word, 0..=32 (MIPS `CLO`). About 50 bytes more than [`ScriptBuilder::leading_zeros`].
    pub fn leading_ones(&mut self, word: &Word) -> Int {
        let flipped = self.not_bits(word);
        let count = self.leading_zeros(&flipped);
        self.drop(flipped);
        count
    }

    /// A number 0..=255 as a word. About 12 bytes for each power of two above 8.
    pub fn word_of_small(&mut self, number: Int) -> Word {
        // High nibble: 2^k for k = 7..4 taken off and counted.
        let mut rest = number;
        let mut high: Option<Int> = None;
        for bit in (4..8).rev() {
            let (r, b) = self.take_bit(rest, bit);
            rest = r;
            high = Some(match high {
                None => b.as_int(),
                Some(h) => {
                    let doubled = self.int_double(h, 1);
                    self.int_add(doubled, b.as_int())
                }
            });
        }
        let mut items: Vec<Item> = (0..6).map(|_| self.fetch(Source::Constant(0))).collect();
        items.extend(high.map(|h| h.0));
        items.push(rest.0);
        self.word_of(items)
    }

    /// Splits a number below `2^(bit + 1)` into the rest below `2^bit` and its bit `bit`. 10 to 14 bytes.
    pub fn take_bit(&mut self, number: Int, bit: usize) -> (Int, Bool) {
        self.argument("take_bit", bit, 0, 29);
        self.fetch(Source::Move(number.0));
        self.fetch(Source::Constant(1 << bit));
        // n 2^k -> n - 2^k, 1 where n >= 2^k, else n, 0
        let opcodes = [
            op::OP_2DUP,
            op::OP_LESSTHAN,
            op::OP_IF,
            op::OP_DROP,
            op::OP_PUSHBYTES_0,
            op::OP_ELSE,
            op::OP_SUB,
            op::OP_PUSHNUM_1,
            op::OP_ENDIF,
        ];
        let items = self.transform(&opcodes, 2, 2, 2);
        (Int(items[0]), Bool(items[1]))
    }
}
