//! SHA-256's compression of one block with its feed-forward (FIPS 180-4, section 6.2.2).
//!
//! The state of round t is four words a and four words e of the rounds before: round t makes a(t) and e(t) out of
//! a(t-1) … a(t-4) and e(t-1) … e(t-4). So nothing is copied: a row holds the words that three rounds make, and with the
//! row before all that they are made of but one a and one e, which are carried as words ([`D`], [`H`]). A compression
//! takes 24 rows, told apart by as many position flags of which one is 1 (none on padding):
//!
//! | row | a and e | w |
//! | --- | --- | --- |
//! | 0 | the chaining value: words 2 1 0 as a, 6 5 4 as e, 3 as D, 7 as H | words 3 and 7 |
//! | r = 1..=22 | rounds t = 3 r - 3 … 3 r - 1; 64 and 65 are made but not used | w(t) |
//! | 23 | the digest: words 0 1 2 as a, 3 4 5 as e | words 6 and 7 |
//!
//! Words a, e and w are bits, least significant first, so that rotations and the functions of three bits cost nothing;
//! and every word of chaining value, block and digest is bits on some row, which is what keeps it below 2^32.
//!
//! **Sums** hold on every row, whatever it is, since with a flag they would be of degree 4. Their carry has a part
//! (`low`) that is a bit only on rows where the sum counts; elsewhere it takes what the sum needs. The carry's other part
//! is small on every row.
//!
//! **Schedule.** w(t) = σ1(w(t-2)) + w(t-7) + σ0(w(t-15)) + w(t-16) reaches back five and six rows. What of it is known
//! is carried on in [`PARTIAL`], a stage a row: σ0(w(t-15)) + w(t-16) first, w(t-7) added on the way.
//!
//! **Answers.** Rows 1 to 6 offer the block's words, which stand there as w, three slots a row. The chaining value turns
//! by one place a row, so one more slot offers any of its words on any row.

use alloc::format;
use alloc::vec::Vec;

use crate::{Bus, Expr, TableBuilder};

/// Rows of a compression.
pub const ROWS: usize = 24;
/// Rounds that a row makes.
pub const ROUNDS: usize = 3;
/// The last row that makes rounds; the last round that counts is its first.
pub const LAST_ROUNDS: usize = 22;
/// The row that holds the digest in bits.
pub const FINAL: usize = 23;
/// Words that can be asked for: eight of chaining value, sixteen of block.
pub const WORDS: usize = 24;
/// Bits of a word.
pub const BITS: usize = 32;

/// [`ROWS`] position flags; no other column says whether a row is real.
pub const FLAGS: usize = 0;
/// Words a of the row's three rounds, in bits.
pub const A: usize = FLAGS + ROWS;
/// Words e of the row's three rounds, in bits.
pub const E: usize = A + ROUNDS * BITS;
/// Words w of the row's three rounds, in bits.
pub const W: usize = E + ROUNDS * BITS;
/// The a of the round before the row's first.
pub const D: usize = W + ROUNDS * BITS;
/// The e of the round before the row's first.
pub const H: usize = D + 1;
/// Carries of the three e: low, high each; the carry is low + 2 high, 0 to 5.
pub const E_CARRY: usize = H + 1;
/// Carries of the three a: low, high each; the carry is 2 high - low, -1 to 2.
pub const A_CARRY: usize = E_CARRY + 2 * ROUNDS;
/// Carries of the three w: low, high each; the carry is low + 2 high, 0 to 3.
pub const W_CARRY: usize = A_CARRY + 2 * ROUNDS;
/// What is known of later w: one word of a first stage, then four stages of three.
pub const PARTIAL: usize = W_CARRY + 2 * ROUNDS;
/// The chaining value's words, turned by one place a row.
pub const CV: usize = PARTIAL + 1 + 4 * ROUNDS;
/// The digest's words, the same on all rows of a compression.
pub const DIGEST: usize = CV + 8;
/// How often the row's three w are asked for as words of the block, and the first of [`CV`].
pub const COUNT: usize = DIGEST + 8;
/// Columns of the block.
pub const WIDTH: usize = COUNT + ROUNDS + 1;

/// The constants of the rounds, FIPS 180-4, section 4.2.2.
pub const K: [u32; 64] = [
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

/// The constant of round `j` of row `row`: 0 on rows that make none, and for the rounds beyond the last.
#[must_use]
pub const fn round_constant(row: usize, j: usize) -> u32 {
    match row {
        1..=LAST_ROUNDS if ROUNDS * (row - 1) + j < K.len() => K[ROUNDS * (row - 1) + j],
        _ => 0,
    }
}

/// Whether the w at place `j` of row `row` follows from those before.
#[must_use]
pub const fn is_scheduled(row: usize, j: usize) -> bool {
    row >= 1 && row <= LAST_ROUNDS && ROUNDS * (row - 1) + j >= 16
}

/// Which word a slot (three of w, then that of the chaining value) offers on a row, if any.
#[must_use]
pub const fn answer(row: usize, slot: usize) -> Option<usize> {
    if slot == ROUNDS {
        return Some(row % 8);
    }
    if row < 1 || row > LAST_ROUNDS || is_scheduled(row, slot) {
        return None;
    }
    Some(8 + ROUNDS * (row - 1) + slot)
}

/// Where on a row word `i` of the chaining value stands in [`CV`].
#[must_use]
pub const fn cv_place(row: usize, i: usize) -> usize {
    (i + 8 - row % 8) % 8
}

const TWO_32: u64 = 1 << 32;

/// Rotations of Σ0, Σ1, and rotations and shift of σ0, σ1.
const SUM_0: [usize; 3] = [2, 13, 22];
const SUM_1: [usize; 3] = [6, 11, 25];
const SIGMA_0: ([usize; 2], usize) = ([7, 18], 3);
const SIGMA_1: ([usize; 2], usize) = ([17, 19], 10);

/// The bits of a word.
type Bits = Vec<Expr>;

fn word(bits: &[Expr]) -> Expr {
    Expr::limbs(bits, 1)
}

fn xor(x: &Expr, y: &Expr) -> Expr {
    x + y - x * y * 2
}

fn rotated(x: &[Expr], i: usize, by: usize) -> &Expr {
    &x[(i + by) % BITS]
}

/// Σ: the word of three rotations.
fn sum(x: &[Expr], by: [usize; 3]) -> Expr {
    let bit = |i| {
        let [a, b, c] = by.map(|by| rotated(x, i, by));
        xor(&xor(a, b), c)
    };
    word(&(0..BITS).map(bit).collect::<Bits>())
}

/// σ: the word of two rotations and a shift.
fn sigma(x: &[Expr], (by, shift): ([usize; 2], usize)) -> Expr {
    let bit = |i: usize| {
        let [a, b] = by.map(|by| rotated(x, i, by));
        match x.get(i + shift) {
            Some(c) => xor(&xor(a, b), c),
            None => xor(a, b),
        }
    };
    word(&(0..BITS).map(bit).collect::<Bits>())
}

/// The word that takes y's bits where x is 1 and z's where it is 0.
fn choice(x: &[Expr], y: &[Expr], z: &[Expr]) -> Expr {
    let bit = |i: usize| &z[i] + &x[i] * (&y[i] - &z[i]);
    word(&(0..BITS).map(bit).collect::<Bits>())
}

/// The word of bits that two of three have.
fn majority(x: &[Expr], y: &[Expr], z: &[Expr]) -> Expr {
    let bit = |i: usize| {
        let both = &x[i] * &y[i];
        &both + &z[i] * (&x[i] + &y[i] - &both * 2)
    };
    word(&(0..BITS).map(bit).collect::<Bits>())
}

/// The block's columns on one row.
struct Row(Vec<Expr>);

impl Row {
    fn flag(&self, row: usize) -> &Expr {
        &self.0[FLAGS + row]
    }

    /// Whether the row is one of these.
    fn is(&self, rows: impl IntoIterator<Item = usize>) -> Expr {
        Expr::sum(rows.into_iter().map(|row| self.flag(row)))
    }

    /// Three words of bits from column `first` on.
    fn words(&self, first: usize) -> [Bits; ROUNDS] {
        core::array::from_fn(|j| self.0[first + BITS * j..][..BITS].to_vec())
    }

    /// What is known of the w at place `j`, at a stage: the first has place 0 only.
    fn partial(&self, stage: usize, j: usize) -> &Expr {
        match stage {
            0 => &self.0[PARTIAL],
            _ => &self.0[PARTIAL + 1 + ROUNDS * (stage - 1) + j],
        }
    }

    /// The low and high part of a carry.
    fn carry(&self, first: usize, j: usize) -> [&Expr; 2] {
        [&self.0[first + 2 * j], &self.0[first + 2 * j + 1]]
    }
}

/// Adds the block's constraints and bus terms.
pub(super) fn constrain(t: &mut TableBuilder) {
    let local = Row((0..WIDTH).map(|column| t.local(column)).collect());
    let next = Row((0..WIDTH).map(|column| t.next(column)).collect());
    positions(t, &local, &next);
    ranges(t, &local);
    rounds(t, &local, &next);
    schedule(t, &local, &next);
    ends(t, &local, &next);
    answers(t, &local);
}

/// The flags move on by one place a row; a compression begins on no row of another, and ends.
fn positions(t: &mut TableBuilder, local: &Row, next: &Row) {
    t.assert_bool("a compression begins or not", local.flag(0));
    t.assert_bool("one position", &local.is(0..ROWS));
    for i in 1..ROWS {
        t.assert_first(format!("position {i} is not first"), local.flag(i).clone());
        t.assert_transition(format!("position {i} follows"), next.flag(i) - local.flag(i - 1));
    }
    // All flags are bits by now, and one at most is 1: so is their sum.
    t.assert_last("the last position is last", local.is(0..FINAL));
}

/// Bits and carries.
fn ranges(t: &mut TableBuilder, local: &Row) {
    for (name, first) in [("a", A), ("e", E), ("w", W)] {
        for (j, bits) in local.words(first).iter().enumerate() {
            for (i, bit) in bits.iter().enumerate() {
                t.assert_bool(format!("{name}{j} bit {i}"), bit);
            }
        }
    }
    let makes_rounds = local.is(1..=LAST_ROUNDS);
    for j in 0..ROUNDS {
        let scheduled = local.is((0..ROWS).filter(|&row| is_scheduled(row, j)));
        for (name, first, counts) in [
            ("e", E_CARRY, &makes_rounds),
            ("a", A_CARRY, &makes_rounds),
            ("w", W_CARRY, &scheduled),
        ] {
            let [low, high] = local.carry(first, j);
            t.assert_zero(format!("low carry of {name}{j}"), counts * low.boolean());
            let range = match first {
                E_CARRY => high.boolean() * (high - 2),
                _ => high.boolean(),
            };
            t.assert_zero(format!("high carry of {name}{j}"), range);
        }
    }
}

/// Three rounds, made of the row before and of each other.
fn rounds(t: &mut TableBuilder, local: &Row, next: &Row) {
    // Place k holds the word of round number k - 4, counted from the next row's first.
    let sequence = |first| [local.words(first), next.words(first)].concat();
    let (a, e, w) = (sequence(A), sequence(E), next.words(W));
    let before = |words: &[Bits], oldest: usize, place: usize| match place {
        0 => local.0[oldest].clone(),
        _ => word(&words[place - 1]),
    };
    for (j, word_j) in w.iter().take(ROUNDS).enumerate() {
        // In `a` and `e` the word of round j stands at ROUNDS + j.
        let new = ROUNDS + j;
        let constant =
            Expr::sum((1..=LAST_ROUNDS).map(|row| next.flag(row) * u64::from(round_constant(row, j))));
        let old_a = before(&a, D, j);
        let first = before(&e, H, j)
            + sum(&e[new - 1], SUM_1)
            + choice(&e[new - 1], &e[new - 2], &e[new - 3])
            + constant
            + word(word_j);
        let [low, high] = next.carry(E_CARRY, j);
        t.assert_transition(
            format!("e{j}"),
            &old_a + first - word(&e[new]) - (low + high * 2) * TWO_32,
        );
        let [low, high] = next.carry(A_CARRY, j);
        let second = sum(&a[new - 1], SUM_0) + majority(&a[new - 1], &a[new - 2], &a[new - 3]);
        t.assert_transition(
            format!("a{j}"),
            word(&e[new]) - &old_a + second - word(&a[new]) - (high * 2 - low) * TWO_32,
        );
    }
    for (name, column, words) in [("d", D, &a), ("h", H, &e)] {
        t.assert_transition(
            format!("{name} is the last one before"),
            next.flag(0).not() * (&next.0[column] - word(&words[ROUNDS - 1])),
        );
    }
}

/// The message schedule, in stages.
fn schedule(t: &mut TableBuilder, local: &Row, next: &Row) {
    let (w, w_next) = (local.words(W), next.words(W));
    let both = [w.clone(), w_next.clone()].concat();
    let mut stage = |stage: usize, j: usize, value: Expr| {
        let label = format!("stage {stage} of w{j}");
        t.assert_transition(label, next.partial(stage, j) - value);
    };
    stage(0, 0, word(&w[2]) + sigma(&w_next[0], SIGMA_0));
    stage(1, 0, local.partial(0, 0).clone());
    stage(1, 1, word(&w[0]) + sigma(&w[1], SIGMA_0));
    stage(1, 2, word(&w[1]) + sigma(&w[2], SIGMA_0));
    for j in 0..ROUNDS {
        stage(2, j, local.partial(1, j).clone());
    }
    stage(3, 0, local.partial(2, 0) + word(&w[2]));
    stage(3, 1, local.partial(2, 1).clone());
    stage(3, 2, local.partial(2, 2).clone());
    stage(4, 0, local.partial(3, 0).clone());
    stage(4, 1, local.partial(3, 1) + word(&w[0]));
    stage(4, 2, local.partial(3, 2) + word(&w[1]));
    for j in 0..ROUNDS {
        let [low, high] = next.carry(W_CARRY, j);
        t.assert_transition(
            format!("w{j}"),
            local.partial(4, j) + sigma(&both[j + 1], SIGMA_1) - word(&w_next[j]) - (low + high * 2) * TWO_32,
        );
    }
}

/// The chaining value and the digest.
fn ends(t: &mut TableBuilder, local: &Row, next: &Row) {
    let [a, e, w] = [A, E, W].map(|first| local.words(first));
    let cv = |row: usize, i: usize| &local.0[CV + cv_place(row, i)];
    let digest = |i: usize| &local.0[DIGEST + i];
    let not_last = local.is(0..FINAL);
    for i in 0..8 {
        t.assert_transition(
            format!("chaining value {i} turns"),
            &not_last * (&next.0[CV + i] - &local.0[CV + (i + 1) % 8]),
        );
        t.assert_transition(
            format!("digest {i} stays"),
            &not_last * (&next.0[DIGEST + i] - digest(i)),
        );
    }
    for (what, i, value) in [
        ("a", 0, word(&a[2])),
        ("a", 1, word(&a[1])),
        ("a", 2, word(&a[0])),
        ("d", 3, local.0[D].clone()),
        ("e", 4, word(&e[2])),
        ("e", 5, word(&e[1])),
        ("e", 6, word(&e[0])),
        ("h", 7, local.0[H].clone()),
        ("w", 3, word(&w[0])),
        ("w", 7, word(&w[1])),
    ] {
        t.assert_zero(
            format!("chaining value {i} as {what}"),
            local.flag(0) * (value - cv(0, i)),
        );
    }

    // The last four rounds: three on the row before the last of rounds, one on that.
    let [a_next, e_next] = [A, E].map(|first| next.words(first));
    let row = LAST_ROUNDS - 1;
    for (i, value) in [&a_next[0], &a[2], &a[1], &a[0], &e_next[0], &e[2], &e[1], &e[0]]
        .into_iter()
        .enumerate()
    {
        let over = cv(row, i) + word(value) - digest(i);
        t.assert_transition(format!("digest {i}"), local.flag(row) * &over * (&over - TWO_32));
    }
    for (i, bits) in a.iter().chain(&e).chain(&w[..2]).enumerate() {
        t.assert_zero(
            format!("digest {i} in bits"),
            local.flag(FINAL) * (digest(i) - word(bits)),
        );
    }
}

/// The bus Sha256.
fn answers(t: &mut TableBuilder, local: &Row) {
    let w = local.words(W);
    for slot in 0..=ROUNDS {
        let rows = || (0..ROWS).filter_map(|row| Some((row, answer(row, slot)?)));
        let count = local.0[COUNT + slot].clone();
        let answers = local.is(rows().map(|(row, _)| row));
        t.assert_zero(format!("slot {slot} answers"), &count * answers.not());
        let index = Expr::sum(rows().map(|(row, index)| local.flag(row) * index as u64));
        let value = match w.get(slot) {
            Some(bits) => word(bits),
            None => local.0[CV].clone(),
        };
        let mut tuple = local.0[DIGEST..DIGEST + 8].to_vec();
        tuple.extend([index, value]);
        t.send(Bus::Sha256, count, tuple);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_offered_once_but_the_chaining_value_s() {
        let mut offered = [0; WORDS];
        for row in 0..ROWS {
            for slot in 0..=ROUNDS {
                if let Some(word) = answer(row, slot) {
                    offered[word] += 1;
                }
            }
        }
        assert_eq!(offered[..8], [3; 8]);
        assert_eq!(offered[8..], [1; 16]);
    }

    #[test]
    fn rounds_lie_where_the_module_says() {
        let constants = (0..ROWS).flat_map(|row| (0..ROUNDS).map(move |j| round_constant(row, j)));
        let mut constants = constants.skip(ROUNDS);
        assert!(K.iter().all(|k| constants.next() == Some(*k)));
        assert!(constants.all(|k| k == 0));
        assert!(!is_scheduled(6, 0) && is_scheduled(6, 1) && is_scheduled(LAST_ROUNDS, 2));
        assert!(!is_scheduled(0, 2) && !is_scheduled(FINAL, 0));
        assert_eq!((cv_place(0, 3), cv_place(21, 0), cv_place(21, 5)), (3, 3, 0));
    }

    /// The constants are the first 32 bits of the fractional parts of cube roots of primes.
    #[test]
    fn constants_are_cube_roots() {
        let primes = (2u64..).filter(|n| (2..*n).all(|d| n % d != 0));
        for (k, prime) in K.into_iter().zip(primes) {
            let whole = (1u64..)
                .find(|n| (n + 1).pow(3) > prime)
                .expect("a root is there");
            let root = u128::from(whole) << 32 | u128::from(k);
            // root^3 <= prime 2^96 < (root + 1)^3, in 128 bits since root < 2^35.
            let prime = u128::from(prime) << 96;
            assert!(root.pow(3) <= prime && prime < (root + 1).pow(3), "{k:#x}");
        }
    }
}
