//! Fills the table Sha256 (`zkvm_air::tables::sha256`) from the calls of `hint_sha256` that a run made.
//!
//! As for the table Hint, each distinct digest is compressed once, and calls and compressions are dealt to as few shards
//! as the greatest height allows. A run without such calls has no shard.
//!
//! What is filled here is checked by nobody but the proof itself: an error can only make a proof fail.

use plonky2::field::types::Field;
use zkvm_air::F;
use zkvm_air::tables::sha256::compression::{self as hash, BITS, LAST_ROUNDS, ROUNDS, ROWS, WORDS};
use zkvm_air::tables::sha256::{WIDTH, reads};
use zkvm_emulator::Preimages;
use zkvm_emulator::sha256::{Link, choice, majority, sha256_compress, sigma0, sigma1, sum0, sum1};

use super::counts::Counts;
use super::reads::{HintCall, HintTraceError, deal, distinct, fill, preimage_of};

/// A distinct link that was asked for.
#[derive(Clone, Copy, Debug)]
struct Compression {
    link: Link,
    /// How often each word was asked for, chaining value first.
    asked: [u64; WORDS],
}

/// Fills the shards of the table Sha256, column-major, none if there are no calls, and counts what they look up.
///
/// Heights are 2^k, `min_log_height` ≤ k ≤ `max_log_height`; `code_start` is the address of the first word of code.
///
/// # Errors
/// If a call cannot have been made by a run.
///
/// # Panics
/// If `max_log_height` is below 5, the height of one compression, or below `min_log_height`.
pub fn traces(
    calls: &[HintCall],
    preimages: &Preimages,
    code_start: u32,
    min_log_height: usize,
    max_log_height: usize,
    counts: &mut Counts,
) -> Result<Vec<Vec<Vec<F>>>, HintTraceError> {
    let known = |call: &HintCall| preimage_of(call, |digest| preimages.get_sha256(digest).copied());
    let compressions: Vec<Compression> = distinct(calls)?
        .into_iter()
        .map(|(call, asked)| {
            let link = known(call)?;
            Ok(Compression { link, asked })
        })
        .collect::<Result<_, _>>()?;
    let heights = (min_log_height, max_log_height);
    deal(
        calls,
        &compressions,
        ROWS,
        heights,
        |height, calls, compressions| {
            let mut trace = vec![vec![F::ZERO; height]; WIDTH];
            fill_compressions(&mut trace, compressions);
            for (row, call) in calls.iter().enumerate() {
                let answer = known(call)?.words()[call.index as usize];
                fill(&mut trace, reads::START, row, call, answer, code_start, counts)?;
            }
            Ok(trace)
        },
    )
}

/// What a row of a compression says beside what follows from the row before.
#[derive(Clone, Copy, Debug, Default)]
struct Words {
    a: [u32; ROUNDS],
    e: [u32; ROUNDS],
    w: [u32; ROUNDS],
}

/// Stages of later w.
const STAGES: usize = 1 + 4 * ROUNDS;
/// Rows of padding until nothing of a compression is left in the stages and the sums made of them.
const TAIL: usize = 8;
const TWO_32: u64 = 1 << 32;

/// A row, its sums' carries aside.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    /// Of 24; none on padding.
    position: Option<usize>,
    words: Words,
    d: u32,
    h: u32,
    partial: [u64; STAGES],
}

/// The words of a compression's rows, and its digest.
fn rows_of(link: &Link) -> ([Words; ROWS], [u32; 8]) {
    // Places of the first round: four words of the chaining value stand before it.
    const OLD: usize = 4;
    let digest = sha256_compress(link.cv, link.block);
    let mut w = [0u32; ROUNDS * LAST_ROUNDS];
    w[..16].copy_from_slice(&link.words()[8..]);
    for t in 16..w.len() {
        w[t] = sigma1(w[t - 2])
            .wrapping_add(w[t - 7])
            .wrapping_add(sigma0(w[t - 15]))
            .wrapping_add(w[t - 16]);
    }
    let mut a = [0u32; OLD + ROUNDS * LAST_ROUNDS];
    let mut e = a;
    for i in 0..OLD {
        (a[i], e[i]) = (link.cv[3 - i], link.cv[7 - i]);
    }
    for (t, word) in w.iter().enumerate() {
        let new = OLD + t;
        let constant = hash::round_constant(1 + t / ROUNDS, t % ROUNDS);
        let first = e[new - 4]
            .wrapping_add(sum1(e[new - 1]))
            .wrapping_add(choice(e[new - 1], e[new - 2], e[new - 3]))
            .wrapping_add(constant)
            .wrapping_add(*word);
        e[new] = a[new - 4].wrapping_add(first);
        a[new] =
            first
                .wrapping_add(sum0(a[new - 1]))
                .wrapping_add(majority(a[new - 1], a[new - 2], a[new - 3]));
    }
    let three = |words: &[u32], first: usize| std::array::from_fn(|j| words[first + j]);
    let rows = std::array::from_fn(|row| match row {
        0 => Words {
            a: three(&a, 1),
            e: three(&e, 1),
            w: [link.cv[3], link.cv[7], 0],
        },
        hash::FINAL => Words {
            a: three(&digest, 0),
            e: three(&digest, 3),
            w: [digest[6], digest[7], 0],
        },
        _ => Words {
            a: three(&a, ROUNDS * row + 1),
            e: three(&e, ROUNDS * row + 1),
            w: three(&w, ROUNDS * (row - 1)),
        },
    });
    (rows, digest)
}

/// The stages of a row after `before`, whose own words w are `w`.
fn stages(before: &Row, w: &[u32; ROUNDS]) -> [u64; STAGES] {
    let (old, p) = (before.words.w.map(u64::from), &before.partial);
    let of = |word: u64, next: u32| word + u64::from(sigma0(next));
    let [w0, w1, w2] = before.words.w;
    [
        of(old[2], w[0]),
        p[0],
        of(w0.into(), w1),
        of(w1.into(), w2),
        p[1],
        p[2],
        p[3],
        p[4] + old[2],
        p[5],
        p[6],
        p[7],
        p[8] + old[0],
        p[9] + old[1],
    ]
}

/// The sums of a row after `before`, less the words that they make: e, a, w.
fn excess(before: &Row, row: &Row) -> [[i64; ROUNDS]; 3] {
    let sequence = |old: u32, first: &[u32; ROUNDS], second: &[u32; ROUNDS]| -> [u32; 1 + 2 * ROUNDS] {
        std::array::from_fn(|k| match k {
            0 => old,
            _ if k <= ROUNDS => first[k - 1],
            _ => second[k - 1 - ROUNDS],
        })
    };
    let a = sequence(before.d, &before.words.a, &row.words.a);
    let e = sequence(before.h, &before.words.e, &row.words.e);
    let w = sequence(0, &before.words.w, &row.words.w);
    let position = row.position.unwrap_or(0);
    let mut all = [[0; ROUNDS]; 3];
    for j in 0..ROUNDS {
        let new = ROUNDS + 1 + j;
        let terms = [
            a[j],
            e[j],
            sum1(e[new - 1]),
            choice(e[new - 1], e[new - 2], e[new - 3]),
            hash::round_constant(position, j),
            row.words.w[j],
        ];
        all[0][j] = terms.map(i64::from).iter().sum::<i64>() - i64::from(e[new]);
        let terms = [
            e[new],
            sum0(a[new - 1]),
            majority(a[new - 1], a[new - 2], a[new - 3]),
        ];
        all[1][j] = terms.map(i64::from).iter().sum::<i64>() - i64::from(a[j]) - i64::from(a[new]);
        let known = before.partial[1 + 3 * ROUNDS + j] + u64::from(sigma1(w[new - 2]));
        all[2][j] = known as i64 - i64::from(w[new]);
    }
    all
}

/// Low and high part of the carry of a sum that exceeds its word by `excess`. Where the sum does not count, low takes all.
fn carry(column: usize, excess: i64, counts: bool) -> [F; 2] {
    let minus = column == hash::A_CARRY;
    if !counts {
        let low = F::from_noncanonical_i64(excess) * F::from_canonical_u64(TWO_32).inverse();
        return [if minus { -low } else { low }, F::ZERO];
    }
    let carry = excess >> 32;
    let low = carry & 1;
    let high = if minus { (carry + low) / 2 } else { carry / 2 };
    [low, high].map(F::from_noncanonical_i64)
}

fn fill_compressions(trace: &mut [Vec<F>], compressions: &[Compression]) {
    let height = trace[0].len();
    let mut before: Option<Row> = None;
    for (i, compression) in compressions.iter().enumerate() {
        let (rows, digest) = rows_of(&compression.link);
        for (position, words) in rows.into_iter().enumerate() {
            let row = follow(before.as_ref(), Some(position), words, &compression.link.cv);
            let at = ROWS * i + position;
            write(trace, at, before.as_ref(), &row);
            write_ends(trace, at, position, compression, &digest);
            before = Some(row);
        }
    }
    let start = ROWS * compressions.len();
    for at in start..height.min(start + TAIL) {
        let row = follow(before.as_ref(), None, Words::default(), &[0; 8]);
        write(trace, at, before.as_ref(), &row);
        before = Some(row);
    }
}

/// The row of `words` after `before`; `cv` counts on a compression's first row.
fn follow(before: Option<&Row>, position: Option<usize>, words: Words, cv: &[u32; 8]) -> Row {
    let (d, h) = match (position, before) {
        (Some(0), _) => (cv[3], cv[7]),
        (_, Some(before)) => (before.words.a[ROUNDS - 1], before.words.e[ROUNDS - 1]),
        (_, None) => (0, 0),
    };
    Row {
        position,
        words,
        d,
        h,
        partial: before.map_or([0; STAGES], |before| stages(before, &words.w)),
    }
}

fn write(trace: &mut [Vec<F>], at: usize, before: Option<&Row>, row: &Row) {
    let mut set = |column: usize, value: F| trace[column][at] = value;
    let Words { a, e, w } = row.words;
    for (first, words) in [(hash::A, a), (hash::E, e), (hash::W, w)] {
        for (j, word) in words.into_iter().enumerate() {
            for i in 0..BITS {
                set(first + BITS * j + i, F::from_bool(word >> i & 1 == 1));
            }
        }
    }
    set(hash::D, F::from_canonical_u32(row.d));
    set(hash::H, F::from_canonical_u32(row.h));
    for (i, word) in row.partial.into_iter().enumerate() {
        set(hash::PARTIAL + i, F::from_canonical_u64(word));
    }
    let Some(before) = before else { return };
    let makes_rounds = row
        .position
        .is_some_and(|position| (1..=LAST_ROUNDS).contains(&position));
    let carries = [hash::E_CARRY, hash::A_CARRY, hash::W_CARRY];
    for (first, excess) in carries.into_iter().zip(excess(before, row)) {
        for (j, excess) in excess.into_iter().enumerate() {
            let counts = match (first, row.position) {
                (hash::W_CARRY, position) => position.is_some_and(|row| hash::is_scheduled(row, j)),
                _ => makes_rounds,
            };
            let [low, high] = carry(first, excess, counts);
            set(first + 2 * j, low);
            set(first + 2 * j + 1, high);
        }
    }
}

/// Position, chaining value, digest and counts.
fn write_ends(
    trace: &mut [Vec<F>],
    at: usize,
    position: usize,
    compression: &Compression,
    digest: &[u32; 8],
) {
    let mut set = |column: usize, value: F| trace[column][at] = value;
    set(hash::FLAGS + position, F::ONE);
    for (i, (cv, digest)) in compression.link.cv.iter().zip(digest).enumerate() {
        set(hash::CV + hash::cv_place(position, i), F::from_canonical_u32(*cv));
        set(hash::DIGEST + i, F::from_canonical_u32(*digest));
    }
    for slot in 0..=ROUNDS {
        // Words of the chaining value are offered on three rows: the first of them answers for all.
        let first = slot < ROUNDS || position < 8;
        if let Some(index) = hash::answer(position, slot).filter(|_| first) {
            set(
                hash::COUNT + slot,
                F::from_canonical_u64(compression.asked[index]),
            );
        }
    }
}

#[cfg(test)]
mod tests;
