//! SHA-256's compression function in Script (FIPS 180-4, §6.2).
//!
//! # How it is made small
//! The function rotates by numbers of bits that are no multiples of four, and joins three words at a time. So a nibble has two
//! forms: `2 v`, in which columns are summed, and its **spread** `3 (b_0 + 3 b_1 + 9 b_2 + 27 b_3)`, its bits as digits in base
//! 3. A sum of two spreads still shows for every bit how often it was there, and is small enough to be an index: one table
//! gives the exclusive or (digit 1), as a spread to which the third word is added or as a nibble, and one the conjunction
//! (digit 2). The two majority terms `a & b` and `c & (a ^ b)` and the two of the choice, `e & f` and `!e & g`, have no bit in
//! common, so they are added as numbers.
//!
//! A nibble of a rotated word is made of two neighbours, each shifted; their spreads come from tables of sixteen and are added
//! to the sum of the exclusive or as they are, for they have no bit in common either. Where a neighbour serves two rotations,
//! one table holds both shifts.
//!
//! A column is summed as it stands: `h`, the choice, the rotations, message and constant make up to 75 before any carry; from
//! there `d` makes the new `e`, the other rotations and the majority the new `a`. A table gives a column's carry, another its
//! nibble.
//!
//! Both forms carry a bias, so that the form itself is about the depth that `OP_PICK` wants; what it lacks at the height at
//! hand the builder adds. A spread's bias is half the depth of its tables, so that a sum of two has it whole.
//!
//! # Sizes
//! 132.5 kB, of which the last addition is 1 kB, and 659 elements for the tables; 968 elements at most with a kept chaining
//! value. That is three times BLAKE3's: no rotation is a renaming of nibbles, and 48 words of schedule are made besides.

mod layout;
mod rounds;
#[cfg(test)]
mod tests;

use bitcoin::opcodes::all as op;

use layout::{Layout, Part, Table};
use rounds::{Both, Rounds};

use super::builder::ScriptBuilder;
use super::error::ScriptError;
use super::value::{Item, Nibbles, Operand, Source};

/// The chaining value before a message's first block, as the bytes of eight big-endian words.
pub const INITIAL_CHAINING_VALUE: [u8; 32] = [
    0x6a, 0x09, 0xe6, 0x67, 0xbb, 0x67, 0xae, 0x85, 0x3c, 0x6e, 0xf3, 0x72, 0xa5, 0x4f, 0xf5, 0x3a, 0x51,
    0x0e, 0x52, 0x7f, 0x9b, 0x05, 0x68, 0x8c, 0x1f, 0x83, 0xd9, 0xab, 0x5b, 0xe0, 0xcd, 0x19,
];

/// K of the standard.
const ROUND_CONSTANTS: [u32; 64] = [
    0x428a_2f98,
    0x7137_4491,
    0xb5c0_fbcf,
    0xe9b5_dba5,
    0x3956_c25b,
    0x59f1_11f1,
    0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98,
    0x1283_5b01,
    0x2431_85be,
    0x550c_7dc3,
    0x72be_5d74,
    0x80de_b1fe,
    0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1,
    0xefbe_4786,
    0x0fc1_9dc6,
    0x240c_a1cc,
    0x2de9_2c6f,
    0x4a74_84aa,
    0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152,
    0xa831_c66d,
    0xb003_27c8,
    0xbf59_7fc7,
    0xc6e0_0bf3,
    0xd5a7_9147,
    0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85,
    0x2e1b_2138,
    0x4d2c_6dfc,
    0x5338_0d13,
    0x650a_7354,
    0x766a_0abb,
    0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1,
    0xa81a_664b,
    0xc24b_8b70,
    0xc76c_51a3,
    0xd192_e819,
    0xd699_0624,
    0xf40e_3585,
    0x106a_a070,
    0x19a4_c116,
    0x1e37_6c08,
    0x2748_774c,
    0x34b0_bcb5,
    0x391c_0cb3,
    0x4ed8_aa4a,
    0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee,
    0x78a5_636f,
    0x84c8_7814,
    0x8cc7_0208,
    0x90be_fffa,
    0xa450_6ceb,
    0xbef9_a3f7,
    0xc671_78f2,
];

/// A word's nibbles, least significant first.
type Lanes<T> = [T; 8];

/// Place in byte order of nibble `lane` (least significant first) of big-endian word `word`.
fn byte_order(word: usize, lane: usize) -> usize {
    8 * word + 7 - lane
}

impl ScriptBuilder {
    /// SHA-256's compression: chaining value of 64 nibbles and block of 128 to the next chaining value, all in byte order.
    ///
    /// Costs as [`ScriptBuilder::sha256_rounds`] and a copy of the chaining value, which takes 64 elements more.
    pub fn sha256_compress(
        &mut self,
        chaining: impl Operand<Nibbles>,
        block: impl Operand<Nibbles>,
    ) -> Nibbles {
        let sources = chaining.sources();
        let kept: Vec<Item> = sources.iter().map(|source| self.own(*source)).collect();
        let kept = Nibbles(kept);
        let mixed = self.sha256_rounds(&kept, block);
        if self.error().is_some() {
            return mixed;
        }
        let words: Vec<_> = kept.words().into_iter().zip(mixed.words()).collect();
        let sums: Vec<_> = words.into_iter().map(|(a, b)| self.add(a, b)).collect();
        Nibbles::from_words(&sums)
    }

    /// The 64 rounds of SHA-256's compression, without the addition of the chaining value at their end: the digest less the
    /// chaining value, word by word. Chaining value of 64 nibbles and block of 128 to 64 nibbles, all in byte order.
    ///
    /// Costs about 131,500 bytes; needs 659 elements for the tables and 250 for message and state, which the operands become.
    pub fn sha256_rounds(
        &mut self,
        chaining: impl Operand<Nibbles>,
        block: impl Operand<Nibbles>,
    ) -> Nibbles {
        let (chaining, block) = (chaining.sources(), block.sources());
        for (operation, got, expected) in [
            ("chaining value", chaining.len(), 64),
            ("block", block.len(), 128),
        ] {
            if got != expected {
                self.fail(ScriptError::Length {
                    operation,
                    left: expected,
                    right: got,
                });
            }
        }
        if self.error().is_some() {
            return Nibbles((0..64).map(|_| self.new_item()).collect());
        }
        let layout = Layout::new();
        // Operands go to the altstack in form; the block last, so that it comes back beneath the state.
        let chaining_order = self.sha256_set_aside(&layout, &chaining);
        let block_order = self.sha256_set_aside(&layout, &block);
        let bottom = self.height();
        for entry in layout.tables().into_iter().rev() {
            self.fetch(Source::Constant(entry));
        }
        let tables_top = self.height();
        let block = self.sha256_bring_back(128, &block_order);
        let chaining = self.sha256_bring_back(64, &chaining_order);

        let word =
            |nibbles: &[Item], word: usize| std::array::from_fn(|lane| nibbles[byte_order(word, lane)]);
        let mut rounds = Rounds {
            script: self,
            schedule: (0..16).map(|i| word(&block, i)).collect(),
            state: std::array::from_fn(|i| Both {
                nibbles: word(&chaining, i),
                spreads: word(&chaining, i),
            }),
            layout,
            tables_top,
        };
        rounds.spread_state();
        let result = rounds.run();
        let digest = rounds.plain(result);
        self.sha256_clear(bottom, digest)
    }

    /// Puts every source on the altstack in form; answers the order in which they went there.
    fn sha256_set_aside(&mut self, layout: &Layout, sources: &[Source]) -> Vec<usize> {
        let mut order: Vec<(usize, usize)> = Vec::with_capacity(sources.len());
        for (at, source) in sources.iter().enumerate() {
            order.push(match source {
                Source::Constant(_) => (0, at),
                Source::Copy(item) | Source::Move(item) => (self.depth(*item).unwrap_or(usize::MAX), at),
            });
        }
        // The nearest first; what was moved is out of the way then.
        order.sort();
        for (_, at) in &order {
            if let Source::Constant(nibble) = sources[*at] {
                self.fetch(Source::Constant(layout.form(nibble)));
            } else {
                self.fetch(sources[*at]);
                self.transform(&[op::OP_DUP, op::OP_ADD], 1, 1, 1);
                self.fetch(Source::Constant(layout.form(0)));
                self.transform(&[op::OP_ADD], 2, 1, 0);
            }
            self.top_to_alt();
        }
        order.into_iter().map(|(_, at)| at).collect()
    }

    /// Brings back what was set aside last: `count` items in the order of their sources.
    fn sha256_bring_back(&mut self, count: usize, order: &[usize]) -> Vec<Item> {
        let mut items = vec![None; count];
        for at in order.iter().rev() {
            self.alt_to_top();
            items[*at] = self.top_items("sha256", 1).first().copied();
        }
        items.into_iter().flatten().collect()
    }

    /// Keeps the nibbles on top, the last one topmost, and drops everything else above `bottom`.
    fn sha256_clear(&mut self, bottom: usize, digest: Vec<(usize, Item)>) -> Nibbles {
        for _ in &digest {
            self.top_to_alt();
        }
        while self.height() > bottom + 1 {
            self.transform(&[op::OP_2DROP], 2, 0, 0);
        }
        if self.height() > bottom {
            self.transform(&[op::OP_DROP], 1, 0, 0);
        }
        let mut nibbles: Vec<Option<Item>> = vec![None; 64];
        for (at, item) in digest {
            self.alt_to_top();
            nibbles[at] = Some(item);
        }
        Nibbles(nibbles.into_iter().flatten().collect())
    }
}

impl Rounds<'_> {
    /// Makes the spreads of the words that have them when a round begins.
    fn spread_state(&mut self) {
        for word in [0, 1, 2, 4, 5, 6] {
            for lane in 0..8 {
                self.fetch(Source::Copy(self.state[word].nibbles[lane]));
                self.state[word].spreads[lane] = self.look_up(Table::Spread(Part::All), self.layout.nibble);
            }
        }
    }

    /// The words as plain nibbles on top, with their places in byte order.
    fn plain(&mut self, words: [Lanes<Item>; 8]) -> Vec<(usize, Item)> {
        let mut digest = Vec::with_capacity(64);
        for (i, word) in words.into_iter().enumerate() {
            for (lane, nibble) in word.into_iter().enumerate() {
                self.fetch(Source::Move(nibble));
                digest.push((
                    byte_order(i, lane),
                    self.look_up(Table::Plain, self.layout.nibble),
                ));
            }
        }
        digest
    }
}
