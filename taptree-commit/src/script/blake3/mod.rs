//! One BLAKE3 compression in Script.
//!
//! # How it is made small
//! A nibble `v` of the sixteen state words lies on the stack as `2 v + bias`, a message nibble as `2 v`. Every step of the
//! compression takes as many items from the state as it puts back, so the number of items above the look-up tables is the
//! same whenever a table is read, and the bias is chosen so that a sum of two such forms *is* the depth that `OP_PICK` wants:
//! no look-up adds an offset. One nibble of `a = a + b + m` and of `d = d ^ a` is
//!
//! ```text
//! pick b, roll a, ADD, pick m, ADD, ADD   a sum with the carry that lay on top, at most 47
//! DUP PICK                                its own carry, left on top
//!                                         ... and when all eight are done, for each:
//! roll the sum, PICK                      its lowest nibble, the new a
//! DUP PICK                                where the row of a in the table of XOR begins
//! roll d, ADD, PICK                       a ^ d
//! ```
//!
//! The factor 2 leaves every other place free: an index read with the sum still on the stack and one read after it was
//! consumed differ by one place, so the tables of carries and of nibbles lie in alternate places, as do rows and plain nibbles.
//! The rows of XOR overlap in two strings. Rotations by 16, 12 and 8 and the message permutation are renamings of nibbles; the
//! rotation by 7 is one by 8 and a doubling with the same tables.
//!
//! With `H` items above the tables and tables' places counted from the top: rows at `t + 2 v`, plain nibbles one further, then
//! the strings of XOR, and from `2 t + H` on the carries at `2 s`, the sums' nibbles one further.
//!
//! # Sizes
//! 45.0 kB (45.7 kB with a variable chaining value) and 352 elements for the tables: 651 elements at most with 40
//! foreign ones beneath. (The peers measured need 70,291 bytes for 64 bytes to 32.)

mod layout;
#[cfg(test)]
mod tests;

use bitcoin::opcodes::all as op;

use layout::Layout;

use super::builder::ScriptBuilder;
use super::error::ScriptError;
use super::value::{Item, Nibbles, Operand, Source};

/// The initial chaining value, the first eight words of SHA-256's, as the bytes of eight little-endian words.
pub const INITIAL_CHAINING_VALUE: [u8; 32] = {
    let mut bytes = [0; 32];
    let mut i = 0;
    while i < 32 {
        bytes[i] = IV[i / 4].to_le_bytes()[i % 4];
        i += 1;
    }
    bytes
};

/// Flag of a chunk's first block.
pub const CHUNK_START: u32 = 1;
/// Flag of a chunk's last block.
pub const CHUNK_END: u32 = 2;
/// Flag of the last compression of a hash.
pub const ROOT: u32 = 8;

/// One compression with counter 0 in Rust, the first 32 bytes of its result: what [`ScriptBuilder::blake3_compress`] computes.
pub fn compress(chaining: &[u8; 32], block: &[u8; 64], block_len: u32, flags: u32) -> [u8; 32] {
    let word = |bytes: &[u8], i: usize| {
        u32::from_le_bytes([bytes[4 * i], bytes[4 * i + 1], bytes[4 * i + 2], bytes[4 * i + 3]])
    };
    let mut message: [u32; 16] = std::array::from_fn(|i| word(block, i));
    let fixed = [IV[0], IV[1], IV[2], IV[3], 0, 0, block_len, flags];
    let mut state: [u32; 16] = std::array::from_fn(|i| if i < 8 { word(chaining, i) } else { fixed[i - 8] });
    for _ in 0..7 {
        for (i, [a, b, c, d]) in MIXINGS.into_iter().enumerate() {
            for (half, [first, second]) in [[16, 12], [8, 7]].into_iter().enumerate() {
                state[a] = state[a]
                    .wrapping_add(state[b])
                    .wrapping_add(message[2 * i + half]);
                state[d] = (state[d] ^ state[a]).rotate_right(first);
                state[c] = state[c].wrapping_add(state[d]);
                state[b] = (state[b] ^ state[c]).rotate_right(second);
            }
        }
        message = PERMUTATION.map(|from| message[from]);
    }
    std::array::from_fn(|i| (state[i / 4] ^ state[i / 4 + 8]).to_le_bytes()[i % 4])
}

const IV: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Which message word the next round uses in each place.
const PERMUTATION: [usize; 16] = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];

/// The words that each of a round's eight mixings works on.
const MIXINGS: [[usize; 4]; 8] = [
    [0, 4, 8, 12],
    [1, 5, 9, 13],
    [2, 6, 10, 14],
    [3, 7, 11, 15],
    [0, 5, 10, 15],
    [1, 6, 11, 12],
    [2, 7, 8, 13],
    [3, 4, 9, 14],
];

/// The order in which a round's mixings are done: each half begins with the word `b` that the half before ended with, which
/// then lies near.
const ORDER: [usize; 8] = [0, 1, 2, 3, 6, 4, 5, 7];

/// Orders of lanes in which the results lie near when the next sums need them.
const DESCENDING: Lanes<usize> = [7, 6, 5, 4, 3, 2, 1, 0];
const MIDDLE_LAST: Lanes<usize> = [7, 6, 5, 4, 0, 1, 2, 3];

/// A word's nibbles, least significant first.
type Lanes<T> = [T; 8];

/// A nibble of the message: an item in doubled form, or a constant.
#[derive(Clone, Copy, Debug)]
enum MessageNibble {
    Item(Item),
    Constant(i64),
}

/// Place in byte order (high half of a byte first) of nibble `lane` (least significant first) of little-endian word `word`.
fn byte_order(word: usize, lane: usize) -> usize {
    2 * (4 * word + lane / 2) + 1 - lane % 2
}

impl ScriptBuilder {
    /// The digest of exactly 64 bytes, BLAKE3(left ‖ right) of a Merkle node: 128 nibbles in byte order to 64.
    /// Costs as [`ScriptBuilder::blake3_compress`].
    pub fn blake3_node(&mut self, left: impl Operand<Nibbles>, right: impl Operand<Nibbles>) -> Nibbles {
        let block: Vec<Source> = left.sources().into_iter().chain(right.sources()).collect();
        let chaining = Operand::<Nibbles>::sources(&INITIAL_CHAINING_VALUE);
        self.compress(chaining, block, 64, CHUNK_START | CHUNK_END | ROOT)
    }

    /// One compression with counter 0: chaining value of 64 nibbles and block of 128, both in byte order, to the first 32
    /// bytes of the result, 64 nibbles in byte order.
    ///
    /// `block_len` is the number of bytes of the block that count, the rest must be zero; `flags` are the domain flags.
    /// Costs about 45,400 bytes; needs 360 elements besides the message and the 128 nibbles of its state. Constant nibbles
    /// of the message are not laid out and cost less.
    pub fn blake3_compress(
        &mut self,
        chaining: impl Operand<Nibbles>,
        block: impl Operand<Nibbles>,
        block_len: u32,
        flags: u32,
    ) -> Nibbles {
        self.compress(chaining.sources(), block.sources(), block_len, flags)
    }

    fn compress(&mut self, chaining: Vec<Source>, block: Vec<Source>, block_len: u32, flags: u32) -> Nibbles {
        for (what, got, expected) in [
            ("chaining value", chaining.len(), 64),
            ("block", block.len(), 128),
        ] {
            if got != expected {
                self.fail(ScriptError::Length {
                    operation: what,
                    left: expected,
                    right: got,
                });
            }
        }
        if self.error().is_some() {
            return Nibbles((0..64).map(|_| self.new_item()).collect());
        }
        let message_items = block
            .iter()
            .filter(|source| !matches!(source, Source::Constant(_)))
            .count();
        let layout = Layout::new(message_items);

        // Inputs go to the altstack in their forms, the nearest ones first; message last, so that it comes back beneath the state.
        let state_order = self.set_aside(&chaining, Some(layout.bias()));
        let message_order = self.set_aside(&block, None);
        let bottom = self.lay_tables(&layout);

        let mut message_items: Vec<Option<Item>> = vec![None; 128];
        for at in message_order.into_iter().rev() {
            self.alt_to_top();
            message_items[at] = self.top_items("compress", 1).first().copied();
        }
        let mut state_items: Vec<Option<Item>> = vec![None; 64];
        for at in state_order.into_iter().rev() {
            self.alt_to_top();
            state_items[at] = self.top_items("compress", 1).first().copied();
        }
        let message: [Lanes<MessageNibble>; 16] = std::array::from_fn(|word| {
            std::array::from_fn(|lane| {
                let at = byte_order(word, lane);
                match (message_items[at], block[at]) {
                    (Some(item), _) => MessageNibble::Item(item),
                    (None, Source::Constant(nibble)) => MessageNibble::Constant(2 * nibble),
                    // Every other source was set aside above.
                    (None, Source::Copy(item) | Source::Move(item)) => MessageNibble::Item(item),
                }
            })
        });
        let fixed = [IV[0], IV[1], IV[2], IV[3], 0, 0, block_len, flags];
        let state: Vec<Lanes<Item>> = (0..16)
            .map(|word| {
                std::array::from_fn(|lane| {
                    let nibble = match word {
                        0..8 => match (
                            state_items[byte_order(word, lane)],
                            chaining[byte_order(word, lane)],
                        ) {
                            (Some(item), _) => return item,
                            (None, Source::Constant(nibble)) => nibble,
                            (None, Source::Copy(item) | Source::Move(item)) => return item,
                        },
                        _ => i64::from(fixed[word - 8] >> (4 * lane) & 15),
                    };
                    self.fetch(Source::Constant(layout.form(nibble)))
                })
            })
            .collect();

        let mut mixer = Mixer {
            script: self,
            message,
            state,
        };
        for round in 0..7 {
            mixer.round();
            if round < 6 {
                mixer.permute();
            }
        }
        let digest = mixer.result();
        self.clear_tables(bottom, digest)
    }

    /// Puts every source that is not a constant on the altstack as `2 v + bias`; answers the order in which they went there.
    fn set_aside(&mut self, sources: &[Source], bias: Option<i64>) -> Vec<usize> {
        let mut order: Vec<(usize, usize)> = Vec::new();
        for (at, source) in sources.iter().enumerate() {
            if let Source::Copy(item) | Source::Move(item) = source {
                order.push((self.depth(*item).unwrap_or(usize::MAX), at));
            }
        }
        order.sort();
        for (_, at) in &order {
            self.fetch(sources[*at]);
            self.transform(&[op::OP_DUP, op::OP_ADD], 1, 1, 1);
            if let Some(bias) = bias {
                self.fetch(Source::Constant(bias));
                self.transform(&[op::OP_ADD], 2, 1, 0);
            }
            self.top_to_alt();
        }
        order.into_iter().map(|(_, at)| at).collect()
    }

    /// Pushes the tables, the last place first, and answers the height of the stack before.
    fn lay_tables(&mut self, layout: &Layout) -> usize {
        let bottom = self.height();
        for entry in layout.tables().into_iter().rev() {
            self.fetch(Source::Constant(entry));
        }
        bottom
    }

    /// Keeps the 64 nibbles that lie above one spent item each on top of the stack, and drops everything else above `bottom`.
    fn clear_tables(&mut self, bottom: usize, digest: Vec<(usize, Item)>) -> Nibbles {
        for _ in &digest {
            self.top_to_alt();
            self.transform(&[op::OP_DROP], 1, 0, 0);
        }
        while self.height() > bottom + 1 {
            self.transform(&[op::OP_2DROP], 2, 0, 0);
        }
        if self.height() > bottom {
            self.transform(&[op::OP_DROP], 1, 0, 0);
        }
        let mut nibbles: Vec<Option<Item>> = vec![None; 64];
        for (at, item) in &digest {
            self.alt_to_top();
            nibbles[*at] = Some(*item);
        }
        Nibbles(nibbles.into_iter().flatten().collect())
    }
}

/// The seven rounds.
struct Mixer<'a> {
    script: &'a mut ScriptBuilder,
    message: [Lanes<MessageNibble>; 16],
    state: Vec<Lanes<Item>>,
}

impl Mixer<'_> {
    fn round(&mut self) {
        for i in ORDER {
            let [a, b, c, d] = MIXINGS[i];
            self.add_and_xor([a, b, d], Some(2 * i), 4, MIDDLE_LAST);
            self.add_and_xor([c, d, b], None, 3, MIDDLE_LAST);
            self.add_and_xor([a, b, d], Some(2 * i + 1), 2, DESCENDING);
            self.add_and_xor([c, d, b], None, 2, DESCENDING);
            self.rotate_left_by_one(b);
        }
    }

    fn permute(&mut self) {
        self.message = PERMUTATION.map(|from| self.message[from]);
    }

    /// `sum = sum + addend (+ message)`, then `target = (target ^ sum)` rotated right by `rotation` nibbles.
    ///
    /// The sums come first, all lanes, then the exclusive ors in the given order of lanes.
    fn add_and_xor(
        &mut self,
        [sum, addend, target]: [usize; 3],
        message: Option<usize>,
        rotation: usize,
        order: Lanes<usize>,
    ) {
        let s = &mut *self.script;
        for lane in 0..8 {
            s.fetch(Source::Copy(self.state[addend][lane]));
            s.fetch(Source::Move(self.state[sum][lane]));
            s.transform(&[op::OP_ADD], 2, 1, 0);
            match message.map(|word| self.message[word][lane]) {
                None | Some(MessageNibble::Constant(0)) => {}
                Some(nibble) => {
                    s.fetch(match nibble {
                        MessageNibble::Item(item) => Source::Copy(item),
                        MessageNibble::Constant(n) => Source::Constant(n),
                    });
                    s.transform(&[op::OP_ADD], 2, 1, 0);
                }
            }
            self.state[sum][lane] = s.carry_over(lane > 0, lane < 7);
        }
        let mut mixed = self.state[target];
        for lane in order {
            s.fetch(Source::Move(self.state[sum][lane]));
            let kept = s.pick_relative(0);
            self.state[sum][lane] = kept;
            s.fetch(Source::Copy(kept));
            s.pick_relative(0);
            s.fetch(Source::Move(self.state[target][lane]));
            s.transform(&[op::OP_ADD], 2, 1, 0);
            mixed[lane] = s.pick_relative(0);
        }
        self.state[target] = std::array::from_fn(|lane| mixed[(lane + rotation) % 8]);
    }

    /// Every nibble doubled, with the bit that falls out of one added to the next; the first gets the last one's bit at the end.
    fn rotate_left_by_one(&mut self, word: usize) {
        let s = &mut *self.script;
        let mut lanes = self.state[word];
        let order: Lanes<usize> = std::array::from_fn(|i| (i + 6) % 8);
        for (i, lane) in order.into_iter().enumerate() {
            s.fetch(Source::Move(lanes[lane]));
            s.transform(&[op::OP_DUP, op::OP_ADD], 1, 1, 1);
            lanes[lane] = s.carry_over(i > 0, true);
        }
        s.fetch(Source::Move(lanes[order[0]]));
        lanes[order[0]] = s.transform(&[op::OP_ADD], 2, 1, 0)[0];
        for i in [0, 7, 6, 5, 4, 3, 2, 1] {
            s.fetch(Source::Move(lanes[order[i]]));
            lanes[order[i]] = s.pick_relative(0);
        }
        self.state[word] = lanes;
    }

    /// The words `v_i ^ v_(i + 8)` as plain nibbles: place in byte order and item, each above one spent item, last one on top.
    fn result(&mut self) -> Vec<(usize, Item)> {
        let mut digest = Vec::with_capacity(64);
        for word in 0..8 {
            for lane in 0..8 {
                let s = &mut *self.script;
                let kept = s.fetch(Source::Move(self.state[word][lane]));
                s.fetch(Source::Copy(kept));
                s.pick_relative(0);
                s.fetch(Source::Move(self.state[word + 8][lane]));
                s.transform(&[op::OP_ADD], 2, 1, 0);
                s.pick_relative(0);
                // The plain nibble, one place behind the row, read with one item less above.
                digest.push((byte_order(word, lane), s.pick_relative(0)));
            }
        }
        digest.reverse();
        digest
    }
}

impl ScriptBuilder {
    /// Adds the carry beneath the sum on top, if there is one, and leaves the sum's own carry above it, if it is wanted.
    fn carry_over(&mut self, carry_in: bool, carry_out: bool) -> Item {
        if carry_in {
            self.transform(&[op::OP_ADD], 2, 1, 0);
        }
        let sum = self.top_items("carry_over", 1)[0];
        if carry_out {
            self.fetch(Source::Copy(sum));
            self.pick_relative(0);
        }
        sum
    }
}
