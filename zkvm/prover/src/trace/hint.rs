//! Fills the table Hint (`zkvm_air::tables::hint`) from the calls of `hint_blake3` that a run made.
//!
//! Each distinct digest is compressed once, however often its words are read. Calls and compressions are dealt to as
//! few shards as the greatest height allows; a call's compression may lie in another shard than the call, for the bus
//! Blake3 is one over the whole run. A run without calls has no shard.
//!
//! What is filled here is checked by nobody but the proof itself: an error can only make a proof fail.

use plonky2::field::types::Field;
use zkvm_air::F;
use zkvm_air::tables::hint::{WIDTH, compression as hash, reads};
use zkvm_emulator::Preimages;

use super::counts::Counts;
pub use super::reads::{HintCall, HintTraceError};
use super::reads::{deal, distinct, fill, preimage_of};

/// A distinct block that was asked for.
#[derive(Clone)]
struct Compression {
    preimage: [u8; 64],
    /// How often each word was asked for.
    asked: [u64; 16],
}

/// Fills the shards of the table Hint, column-major, none if there are no calls, and counts what they look up.
///
/// Heights are 2^k, `min_log_height` ≤ k ≤ `max_log_height`; `code_start` is the address of the first word of code.
///
/// # Errors
/// If a call cannot have been made by a run.
///
/// # Panics
/// If `max_log_height` is below 4, the height of one compression, or below `min_log_height`.
pub fn traces(
    calls: &[HintCall],
    preimages: &Preimages,
    code_start: u32,
    min_log_height: usize,
    max_log_height: usize,
    counts: &mut Counts,
) -> Result<Vec<Vec<Vec<F>>>, HintTraceError> {
    let compressions = compressions(calls, preimages)?;
    let heights = (min_log_height, max_log_height);
    deal(
        calls,
        &compressions,
        hash::ROWS,
        heights,
        |height, calls, compressions| {
            let mut trace = vec![vec![F::ZERO; height]; WIDTH];
            for (i, compression) in compressions.iter().enumerate() {
                fill_compression(&mut trace, hash::ROWS * i, compression, counts, &mut honest);
            }
            for (row, call) in calls.iter().enumerate() {
                let preimage = preimage_of(call, |digest| preimages.get(digest))?;
                let answer = u32::from_be_bytes(block_word(preimage, call.index as usize));
                fill(&mut trace, reads::START, row, call, answer, code_start, counts)?;
            }
            Ok(trace)
        },
    )
}

/// Word `index` of a block, big-endian.
fn block_word(block: &[u8; 64], index: usize) -> [u8; 4] {
    std::array::from_fn(|i| block[4 * index + i])
}

/// The distinct digests in the order of their first call.
fn compressions(calls: &[HintCall], preimages: &Preimages) -> Result<Vec<Compression>, HintTraceError> {
    let asked = distinct(calls)?.into_iter();
    let compression = |(call, asked)| {
        let preimage = *preimage_of(call, |digest| preimages.get(digest))?;
        Ok(Compression { preimage, asked })
    };
    asked.map(compression).collect()
}

/// A value of a compression that the filler is about to use: tests put others in its place, to see them refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Site {
    /// The cell, or the word whose first byte is in this column.
    Column(usize),
    /// Word i of the state (rows a, b, c, d) that the row starts with.
    State(usize),
    /// Word i of the message as the row takes it.
    Message(usize),
    /// Word i of the digest.
    Digest(usize),
}

/// What an honest prover puts in a value's place.
fn honest(_position: usize, _site: Site, value: u32) -> u32 {
    value
}

/// Writes one row's columns and counts its look-ups.
struct Row<'a, V> {
    trace: &'a mut [Vec<F>],
    row: usize,
    /// Of sixteen.
    position: usize,
    counts: &'a mut Counts,
    voice: &'a mut V,
}

impl<V: FnMut(usize, Site, u32) -> u32> Row<'_, V> {
    fn set(&mut self, column: usize, value: u64) {
        self.trace[column][self.row] = F::from_canonical_u64(value);
    }

    fn said(&mut self, site: Site, value: u32) -> u32 {
        (self.voice)(self.position, site, value)
    }

    /// Writes four bytes, least significant first, and returns the word.
    fn word(&mut self, column: usize, value: u32) -> u32 {
        let value = self.said(Site::Column(column), value);
        for (i, byte) in value.to_le_bytes().into_iter().enumerate() {
            self.set(column + i, u64::from(byte));
        }
        value
    }

    /// Looks up x & y, writes and returns it.
    fn and(&mut self, column: usize, x: u8, y: u8) -> u8 {
        self.counts.count_and(x, y);
        let and = self.said(Site::Column(column), u32::from(x & y));
        self.set(column, u64::from(and));
        and as u8
    }

    /// Writes the bytes of x & y; returns x xor y = x + y - 2 (x & y).
    fn xor(&mut self, column: usize, x: u32, y: u32) -> u32 {
        let (x, y) = (x.to_le_bytes(), y.to_le_bytes());
        u32::from_le_bytes(std::array::from_fn(|i| {
            let twice = self.and(column + i, x[i], y[i]).wrapping_mul(2);
            x[i].wrapping_add(y[i]).wrapping_sub(twice)
        }))
    }

    /// One G with its state [a, b, c, d]; returns b xor c1 and b1 xor c2, and the state after it.
    fn g(&mut self, j: usize, [a, b, c, d]: [u32; 4], x: u32, y: u32) -> ([u32; 2], [u32; 4]) {
        let start = hash::G + hash::G_WIDTH * j;
        let is_final = self.position == hash::FINAL;
        self.set(start + hash::A, u64::from(a));
        self.set(start + hash::C, u64::from(c));
        for (column, value) in [(start + hash::B, b), (start + hash::D, d)] {
            for (i, byte) in value.to_le_bytes().into_iter().enumerate() {
                self.set(column + i, u64::from(byte));
            }
        }
        self.and(start + hash::T, b.to_le_bytes()[3], 1);
        let a1 = self.word(start + hash::A1, a.wrapping_add(b).wrapping_add(x));
        let d1 = self.xor(start + hash::N1, d, a1).rotate_right(16);
        let c1 = self.word(start + hash::C1, if is_final { d } else { c.wrapping_add(d1) });
        let b_xor_c1 = self.xor(start + hash::N2, b, c1);
        let b1 = if is_final { a } else { b_xor_c1.rotate_right(12) };
        let b1 = self.word(start + hash::B1, b1);
        self.and(start + hash::Q, b1.to_le_bytes()[2], 15);
        let a2 = self.word(start + hash::A2, a1.wrapping_add(b1).wrapping_add(y));
        let d2 = self.xor(start + hash::N3, d1, a2).rotate_right(8);
        let c2 = self.word(start + hash::C2, if is_final { c } else { c1.wrapping_add(d2) });
        let b1_xor_c2 = self.xor(start + hash::N4, b1, c2);
        ([b_xor_c1, b1_xor_c2], [a2, b1_xor_c2.rotate_right(7), c2, d2])
    }
}

/// Fills the sixteen rows from `start` on; `voice` has the last word on each value ([`honest`]).
fn fill_compression(
    trace: &mut [Vec<F>],
    start: usize,
    compression: &Compression,
    counts: &mut Counts,
    voice: &mut impl FnMut(usize, Site, u32) -> u32,
) {
    let block = &compression.preimage;
    let mut message: [u32; 16] = std::array::from_fn(|i| u32::from_le_bytes(block_word(block, i)));
    let mut state = hash::FIRST_STATE;
    let mut digest = [0; 8];
    for position in 0..hash::ROWS {
        let mut row = Row {
            trace: &mut *trace,
            row: start + position,
            position,
            counts: &mut *counts,
            voice: &mut *voice,
        };
        row.set(hash::FLAGS + position, 1);
        for (i, word) in message.iter_mut().enumerate() {
            *word = row.said(Site::Message(i), *word);
            row.set(hash::MESSAGE + i, u64::from(*word));
        }
        for (i, word) in state.iter_mut().flatten().enumerate() {
            *word = row.said(Site::State(i), *word);
        }
        let odd = position % 2 == 1;
        let index = hash::ANSWERS[position];
        let word = row
            .word(hash::WORD, message[hash::answer_place(odd)])
            .to_le_bytes();
        row.and(hash::WORD_AND, word[0], word[1]);
        row.and(hash::WORD_AND + 1, word[2], word[3]);
        row.set(hash::COUNT, compression.asked[index]);

        let mut after = [[0; 4]; 4];
        for (j, after) in after.iter_mut().enumerate() {
            let before = std::array::from_fn(|i| state[i][j]);
            let (xors, state) = row.g(j, before, message[2 * j], message[2 * j + 1]);
            *after = state;
            if position == hash::FINAL {
                digest[j] = row.said(Site::Digest(j), xors[1].swap_bytes());
                digest[4 + j] = row.said(Site::Digest(4 + j), xors[0].swap_bytes());
            }
        }
        // After half a round row i of the state turns by i, after the other half back.
        state = std::array::from_fn(|i| {
            std::array::from_fn(|j| after[(if odd { j + 4 - i } else { j + i }) % 4][i])
        });
        if position >= hash::FINAL {
            state = [[0; 4]; 4];
        }
        message = std::array::from_fn(|i| message[hash::message_source(i, odd)]);
    }
    for (column, word) in trace[hash::DIGEST..].iter_mut().zip(digest) {
        column[start..start + hash::ROWS].fill(F::from_canonical_u32(word));
    }
}

#[cfg(test)]
mod tests;
