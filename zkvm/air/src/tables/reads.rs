//! One call of a hint a row, whatever the hash: eight words of memory, a word of the preimage, and the answer to the Cpu.
//!
//! The eight words lie at key, key + 4, … key + 28. A word of RAM is accessed like any other (`docs/prover.md` §2): the old
//! entry is taken from the bus Memory and put back with the call's time stamp 4 clk + 2, the slot M that the Cpu's own
//! row of a call leaves unused. A word of code is looked up on the bus Code. Whether a word is one or the other is the
//! prover's to say: only one of the two can be found.
//!
//! A call that traps (`BadHint`) has no row here: a key that is no multiple of 32 cannot be written as
//! 32 lo + 2^16 hi, an index beyond the preimage has no answer, and an address outside memory no entry.
//!
//! Columns are counted from the block's first.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::machine::SLOT_M;
use crate::{Bus, Expr, TableBuilder};

/// 1 if the row is a call.
pub const READ: usize = 0;
/// The Cpu row's clk.
pub const CLK: usize = 1;
/// key = 32 lo + 2^16 hi, lo below 2^11 in an honest trace; U16 checks both.
pub const KEY_LO: usize = 2;
/// See [`KEY_LO`].
pub const KEY_HI: usize = 3;
/// Which word of the preimage.
pub const INDEX: usize = 4;
/// That word, big-endian.
pub const ANSWER: usize = 5;
/// Eight words of memory, [`WORD_WIDTH`] columns each.
pub const WORDS: usize = 6;

/// The word (big-endian, as memory holds it).
pub const VALUE: usize = 0;
/// ts - old ts - 1 = lo + 2^16 hi.
pub const AGE_LO: usize = 1;
/// See [`AGE_LO`].
pub const AGE_HI: usize = 2;
/// 1 if it is a word of code.
pub const CODE: usize = 3;
/// Columns of one word.
pub const WORD_WIDTH: usize = 4;

/// Columns of the block.
pub const WIDTH: usize = 6 + 8 * WORD_WIDTH;

/// Slot of the time stamp of all eight reads.
pub const SLOT: u64 = SLOT_M;

/// Adds the block's constraints and bus terms. Words of preimages come by `preimages` as (digest as 8 words, index, word)
/// and go to the Cpu under the index and `first_index`, which tells the hashes apart.
pub(super) fn constrain(t: &mut TableBuilder, start: usize, preimages: Bus, first_index: u32) {
    let own = |t: &TableBuilder, column: usize| t.local(start + column);
    let read = own(t, READ);
    let clk = own(t, CLK);
    let (lo, hi) = (own(t, KEY_LO), own(t, KEY_HI));
    let key = &lo * 32 + &hi * 65536;
    let ts = &clk * 4 + SLOT;

    t.assert_bool("a call or none", &read);
    t.receive(Bus::U16, read.clone(), vec![lo]);
    t.receive(Bus::U16, read.clone(), vec![hi]);

    let mut digest = Vec::new();
    for j in 0..8 {
        let cell = |offset| own(t, WORDS + WORD_WIDTH * j + offset);
        let (value, code) = (cell(VALUE), cell(CODE));
        let (age_lo, age_hi) = (cell(AGE_LO), cell(AGE_HI));
        t.assert_zero(format!("word {j} code or not"), &code * (&read - &code));
        let address = &key + 4 * j as u64;
        let old_ts = &ts - 1 - &age_lo - &age_hi * 65536;
        let in_memory = &read - &code;
        let entry = |ts: Expr| vec![Expr::zero(), address.clone(), value.clone(), ts];
        t.receive(Bus::Memory, in_memory.clone(), entry(old_ts));
        t.send(Bus::Memory, in_memory, entry(ts.clone()));
        t.receive(Bus::Code, code, vec![address.clone(), value.clone()]);
        t.receive(Bus::U16, read.clone(), vec![age_lo]);
        t.receive(Bus::U16, read.clone(), vec![age_hi]);
        digest.push(value);
    }

    let (index, answer) = (own(t, INDEX), own(t, ANSWER));
    let mut asked = digest;
    asked.extend([index.clone(), answer.clone()]);
    t.receive(preimages, read.clone(), asked);
    t.send(
        Bus::Hint,
        read,
        vec![clk, key, index + u64::from(first_index), answer],
    );
}
