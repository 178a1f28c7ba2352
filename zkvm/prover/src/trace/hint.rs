//! Fills the table Hint (`zkvm_air::tables::hint`) from the calls of `hint_blake3` that a run made.
//!
//! Each distinct digest is compressed once, however often its words are read. Calls and compressions are dealt to as
//! few shards as the greatest height allows; a call's compression may lie in another shard than the call, for the bus
//! Blake3 is one over the whole run. A run without calls has no shard.
//!
//! What is filled here is checked by nobody but the proof itself: an error can only make a proof fail.

use std::collections::HashMap;

use plonky2::field::types::Field;
use zkvm_air::F;
use zkvm_air::tables::hint::{WIDTH, compression as hash, reads};
use zkvm_emulator::Preimages;

use super::counts::Counts;

/// One call of `hint_blake3` that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HintCall {
    /// The Cpu row's clk, from 1.
    pub clk: u64,
    /// Where the digest lies: a multiple of 32.
    pub key: u32,
    /// The word asked for, below 16.
    pub index: u32,
    /// The digest as memory holds it: eight big-endian words from `key` on.
    pub digest_words: [u32; 8],
    /// When each word was last accessed (0: never), less than 4 clk + 2; of no meaning for words of code.
    pub old_ts: [u64; 8],
    /// Which of the words are words of code.
    pub in_code: [bool; 8],
}

/// A call that the table has no row for: it was not made by a run of the machine.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum HintTraceError {
    /// The preimage is unknown.
    #[error("call at clk {clk}: no preimage of the digest at {key:#x}")]
    NoPreimage {
        /// The call's clk.
        clk: u64,
        /// Where the digest lies.
        key: u32,
    },
    /// The key is not aligned.
    #[error("call at clk {clk}: expected a key that is a multiple of 32, got {got:#x}")]
    Key {
        /// The call's clk.
        clk: u64,
        /// The key.
        got: u32,
    },
    /// The block has no such word.
    #[error("call at clk {clk}: expected an index below 16, got {got}")]
    Index {
        /// The call's clk.
        clk: u64,
        /// The index.
        got: u32,
    },
    /// A word was last accessed after the call, or longer ago than two half words can tell.
    #[error("call at clk {clk}: expected an access before it and within 2^32 slots, got {got}")]
    OldTs {
        /// The call's clk.
        clk: u64,
        /// The old time stamp.
        got: u64,
    },
    /// A word that is said to be code is none.
    #[error("call at clk {clk}: expected a word of code, got {got:#x}")]
    Code {
        /// The call's clk.
        clk: u64,
        /// The word's address.
        got: u32,
    },
}

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
    assert!(
        max_log_height >= 4 && max_log_height >= min_log_height,
        "heights of Hint: {min_log_height}..={max_log_height}"
    );
    let compressions = compressions(calls, preimages)?;
    let height = 1usize << max_log_height;
    let mut calls = calls.chunks(height);
    let mut compressions = compressions.chunks(height / hash::ROWS);
    let mut traces = Vec::new();
    loop {
        let (calls, compressions) = (
            calls.next().unwrap_or_default(),
            compressions.next().unwrap_or_default(),
        );
        let rows = calls.len().max(compressions.len() * hash::ROWS);
        if rows == 0 {
            return Ok(traces);
        }
        let height = rows.next_power_of_two().max(1 << min_log_height);
        let mut trace = vec![vec![F::ZERO; height]; WIDTH];
        for (i, compression) in compressions.iter().enumerate() {
            fill_compression(&mut trace, hash::ROWS * i, compression, counts, &mut honest);
        }
        for (row, call) in calls.iter().enumerate() {
            fill_read(&mut trace, row, call, preimages, code_start, counts)?;
        }
        traces.push(trace);
    }
}

/// The 32 bytes of eight big-endian words.
fn digest_bytes(words: &[u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (chunk, word) in bytes.chunks_exact_mut(4).zip(words) {
        chunk.copy_from_slice(&word.to_be_bytes());
    }
    bytes
}

/// Word `index` of a block, big-endian.
fn block_word(block: &[u8; 64], index: usize) -> [u8; 4] {
    std::array::from_fn(|i| block[4 * index + i])
}

fn preimage_of(call: &HintCall, preimages: &Preimages) -> Result<[u8; 64], HintTraceError> {
    preimages
        .get(&digest_bytes(&call.digest_words))
        .copied()
        .ok_or(HintTraceError::NoPreimage {
            clk: call.clk,
            key: call.key,
        })
}

/// The distinct digests in the order of their first call.
fn compressions(calls: &[HintCall], preimages: &Preimages) -> Result<Vec<Compression>, HintTraceError> {
    let mut list: Vec<Compression> = Vec::new();
    let mut places: HashMap<[u32; 8], usize> = HashMap::new();
    for call in calls {
        let place = match places.get(&call.digest_words) {
            Some(&place) => place,
            None => {
                list.push(Compression {
                    preimage: preimage_of(call, preimages)?,
                    asked: [0; 16],
                });
                places.insert(call.digest_words, list.len() - 1);
                list.len() - 1
            }
        };
        let asked = list[place].asked.get_mut(call.index as usize);
        *asked.ok_or(HintTraceError::Index {
            clk: call.clk,
            got: call.index,
        })? += 1;
    }
    Ok(list)
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

fn fill_read(
    trace: &mut [Vec<F>],
    row: usize,
    call: &HintCall,
    preimages: &Preimages,
    code_start: u32,
    counts: &mut Counts,
) -> Result<(), HintTraceError> {
    let clk = call.clk;
    if !call.key.is_multiple_of(32) {
        return Err(HintTraceError::Key { clk, got: call.key });
    }
    let answer = block_word(&preimage_of(call, preimages)?, call.index as usize);
    let mut set = |column: usize, value: u64| trace[column][row] = F::from_canonical_u64(value);
    set(reads::READ, 1);
    set(reads::CLK, clk);
    set(reads::INDEX, u64::from(call.index));
    set(reads::ANSWER, u64::from(u32::from_be_bytes(answer)));
    let (lo, hi) = ((call.key as u16) >> 5, (call.key >> 16) as u16);
    let mut halves = vec![(reads::KEY_LO, lo), (reads::KEY_HI, hi)];
    let ts = 4 * clk + reads::SLOT;
    for j in 0..8 {
        let column = reads::WORDS + reads::WORD_WIDTH * j;
        set(column + reads::VALUE, u64::from(call.digest_words[j]));
        let mut age = 0;
        if call.in_code[j] {
            let got = call.key + 4 * j as u32;
            let place = got.checked_sub(code_start).map(|bytes| bytes as usize / 4);
            *place
                .and_then(|place| counts.code.get_mut(place))
                .ok_or(HintTraceError::Code { clk, got })? += 1;
            set(column + reads::CODE, 1);
        } else {
            let got = call.old_ts[j];
            age = ts
                .checked_sub(1)
                .and_then(|before| before.checked_sub(got))
                .and_then(|age| u32::try_from(age).ok())
                .ok_or(HintTraceError::OldTs { clk, got })?;
        }
        halves.push((column + reads::AGE_LO, age as u16));
        halves.push((column + reads::AGE_HI, (age >> 16) as u16));
    }
    for (column, half) in halves {
        counts.count_u16(half);
        set(column, u64::from(half));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
