//! Rows of calls of hints (`zkvm_air::tables::reads`), for both tables that have them.
//!
//! What is filled here is checked by nobody but the proof itself: an error can only make a proof fail.

use std::collections::HashMap;

use plonky2::field::types::Field;
use zkvm_air::F;
use zkvm_air::tables::reads as column;

use super::counts::Counts;

#[cfg(test)]
pub(super) mod attacks;

/// One call of a hint that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HintCall {
    /// The Cpu row's clk, from 1.
    pub clk: u64,
    /// Where the digest lies: a multiple of 32.
    pub key: u32,
    /// The word asked for, from 0.
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
    /// The preimage has no such word.
    #[error("call at clk {clk}: expected an index below {words}, got {got}")]
    Index {
        /// The call's clk.
        clk: u64,
        /// Words of a preimage.
        words: usize,
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

/// The 32 bytes of eight big-endian words.
pub(super) fn digest_bytes(words: &[u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (chunk, word) in bytes.chunks_exact_mut(4).zip(words) {
        chunk.copy_from_slice(&word.to_be_bytes());
    }
    bytes
}

/// The known preimage of the digest that a call reads.
pub(super) fn preimage_of<P>(
    call: &HintCall,
    known: impl Fn(&[u8; 32]) -> Option<P>,
) -> Result<P, HintTraceError> {
    known(&digest_bytes(&call.digest_words)).ok_or(HintTraceError::NoPreimage {
        clk: call.clk,
        key: call.key,
    })
}

/// The distinct digests in the order of their first call: a call that reads each, and how often each word is asked for.
pub(super) fn distinct<const WORDS: usize>(
    calls: &[HintCall],
) -> Result<Vec<(&HintCall, [u64; WORDS])>, HintTraceError> {
    let mut list: Vec<(&HintCall, [u64; WORDS])> = Vec::new();
    let mut places: HashMap<[u32; 8], usize> = HashMap::new();
    for call in calls {
        let place = *places.entry(call.digest_words).or_insert_with(|| {
            list.push((call, [0; WORDS]));
            list.len() - 1
        });
        let asked = list[place].1.get_mut(call.index as usize);
        *asked.ok_or(HintTraceError::Index {
            clk: call.clk,
            words: WORDS,
            got: call.index,
        })? += 1;
    }
    Ok(list)
}

/// Deals calls and compressions of `rows` rows each to as few shards as the greatest height allows; a call's compression
/// may lie in another shard than the call. No calls, no shard.
///
/// # Panics
/// If `heights` are not of a compression at least and in order.
pub(super) fn deal<C>(
    calls: &[HintCall],
    compressions: &[C],
    rows: usize,
    (min_log_height, max_log_height): (usize, usize),
    mut fill: impl FnMut(usize, &[HintCall], &[C]) -> Result<Vec<Vec<F>>, HintTraceError>,
) -> Result<Vec<Vec<Vec<F>>>, HintTraceError> {
    let height = 1usize << max_log_height;
    assert!(
        height >= rows && max_log_height >= min_log_height,
        "log heights {min_log_height}..={max_log_height} for compressions of {rows} rows"
    );
    let mut calls = calls.chunks(height);
    let mut compressions = compressions.chunks(height / rows);
    let mut traces = Vec::new();
    loop {
        let (calls, compressions) = (
            calls.next().unwrap_or_default(),
            compressions.next().unwrap_or_default(),
        );
        let used = calls.len().max(compressions.len() * rows);
        if used == 0 {
            return Ok(traces);
        }
        let height = used.next_power_of_two().max(1 << min_log_height);
        traces.push(fill(height, calls, compressions)?);
    }
}

/// Fills the row of a call that is answered `answer`, in the columns from `start` on, and counts its look-ups.
/// `code_start` is the address of the first word of code.
pub(super) fn fill(
    trace: &mut [Vec<F>],
    start: usize,
    row: usize,
    call: &HintCall,
    answer: u32,
    code_start: u32,
    counts: &mut Counts,
) -> Result<(), HintTraceError> {
    let clk = call.clk;
    if !call.key.is_multiple_of(32) {
        return Err(HintTraceError::Key { clk, got: call.key });
    }
    let mut set = |column: usize, value: u64| trace[start + column][row] = F::from_canonical_u64(value);
    set(column::READ, 1);
    set(column::CLK, clk);
    set(column::INDEX, u64::from(call.index));
    set(column::ANSWER, u64::from(answer));
    let (lo, hi) = ((call.key as u16) >> 5, (call.key >> 16) as u16);
    let mut halves = vec![(column::KEY_LO, lo), (column::KEY_HI, hi)];
    let ts = 4 * clk + column::SLOT;
    for j in 0..8 {
        let word = column::WORDS + column::WORD_WIDTH * j;
        set(word + column::VALUE, u64::from(call.digest_words[j]));
        let mut age = 0;
        if call.in_code[j] {
            let got = call.key + 4 * j as u32;
            let place = got.checked_sub(code_start).map(|bytes| bytes as usize / 4);
            *place
                .and_then(|place| counts.code.get_mut(place))
                .ok_or(HintTraceError::Code { clk, got })? += 1;
            set(word + column::CODE, 1);
        } else {
            let got = call.old_ts[j];
            age = ts
                .checked_sub(1)
                .and_then(|before| before.checked_sub(got))
                .and_then(|age| u32::try_from(age).ok())
                .ok_or(HintTraceError::OldTs { clk, got })?;
        }
        halves.push((word + column::AGE_LO, age as u16));
        halves.push((word + column::AGE_HI, (age >> 16) as u16));
    }
    for (column, half) in halves {
        counts.count_u16(half);
        set(column, u64::from(half));
    }
    Ok(())
}
