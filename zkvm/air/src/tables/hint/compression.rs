//! BLAKE3's compression of one 64-byte block that is a whole message (BLAKE3 paper, section 2.2): chaining value =
//! IV, counter 0, length 64, flags CHUNK_START | CHUNK_END | ROOT.
//!
//! A compression takes sixteen rows, told apart by sixteen position flags of which one is 1 (none on padding):
//!
//! | row | work |
//! | --- | --- |
//! | 0..13 | half a round: four G side by side, over the columns on even rows, over the diagonals on odd rows |
//! | 14 | the digest: first half of the state xor second half |
//! | 15 | nothing |
//!
//! Each of the sixteen rows also offers one word of the block as an answer, as often as it is asked for. Between two
//! rows the state's rows b, c, d turn so that G number j always works on column j; the message moves so that G number j
//! always takes words 2 j and 2 j + 1. BLAKE3's message permutation consists of two cycles of length eight, through words
//! 0 and 1: so word 0 of the message as permuted on the even rows and word 1 on the odd rows run through all sixteen
//! words of the block, in the order [`ANSWERS`].
//!
//! Words that are xored are four bytes, least significant first, which the bus And takes in and so checks. Of a sum the
//! carry is no cell: sum - result is 0, 2^32 or 2^33. A rotation by 16 or 8 moves bytes; those by 12 and 7 cut one byte
//! in two ([`Q`], [`T`]).

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::{Bus, Expr, TableBuilder};

/// Rows of a compression.
pub const ROWS: usize = 16;
/// Rows that work half a round.
pub const HALF_ROUNDS: usize = 14;
/// The row that makes the digest.
pub const FINAL: usize = HALF_ROUNDS;

/// Sixteen position flags; no other column says whether a row is real.
pub const FLAGS: usize = 0;
/// Sixteen words of the block (little-endian words as BLAKE3 adds them), as the row's four G take them.
pub const MESSAGE: usize = FLAGS + ROWS;
/// The digest as eight big-endian words, the same on all rows of a compression.
pub const DIGEST: usize = MESSAGE + 16;
/// The answered word's four bytes in the block's order.
pub const WORD: usize = DIGEST + 8;
/// And of the answered word's bytes 0 and 1, 2 and 3: the look-ups only check that they are bytes.
pub const WORD_AND: usize = WORD + 4;
/// How often the answer is asked for.
pub const COUNT: usize = WORD_AND + 2;
/// Four G, each of [`G_WIDTH`] columns.
pub const G: usize = COUNT + 1;

/// State word a before (a word).
pub const A: usize = 0;
/// State word c before (a word).
pub const C: usize = 1;
/// State word b before (bytes).
pub const B: usize = 2;
/// State word d before (bytes).
pub const D: usize = 6;
/// a + b + x (bytes).
pub const A1: usize = 10;
/// And of d and a1 (bytes).
pub const N1: usize = 14;
/// c + d1, where d1 = (d xor a1) turned right by 16 (bytes). On row [`FINAL`] d once more.
pub const C1: usize = 18;
/// And of b and c1 (bytes).
pub const N2: usize = 22;
/// (b xor c1) turned right by 12 (bytes). On row [`FINAL`] the bytes of a.
pub const B1: usize = 26;
/// Low four bits of b1's byte 2.
pub const Q: usize = 30;
/// a1 + b1 + y (bytes).
pub const A2: usize = 31;
/// And of d1 and a2 (bytes).
pub const N3: usize = 35;
/// c1 + d2, where d2 = (d1 xor a2) turned right by 8 (bytes). On row [`FINAL`] the bytes of c.
pub const C2: usize = 39;
/// And of b1 and c2 (bytes).
pub const N4: usize = 43;
/// Low bit of b's byte 3.
pub const T: usize = 47;
/// Columns of one G.
pub const G_WIDTH: usize = 48;

/// Columns of the block.
pub const WIDTH: usize = G + 4 * G_WIDTH;

/// BLAKE3's initial chaining value.
pub const IV: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];
/// The last four words of the first state: counter (two words), length of the block, flags.
pub const LAST_WORDS: [u32; 4] = [0, 0, 64, 1 | 2 | 8];
/// Word i of the next round's message is word `PERMUTATION[i]` of this round's.
pub const PERMUTATION: [usize; 16] = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];

/// The word of the block that each of the sixteen rows answers.
pub const ANSWERS: [usize; ROWS] = {
    let mut answers = [0; ROWS];
    answers[1] = 1;
    let mut row = 2;
    while row < ROWS {
        answers[row] = PERMUTATION[answers[row - 2]];
        row += 1;
    }
    answers
};

/// The first state: rows a, b, c, d of four words each.
pub const FIRST_STATE: [[u32; 4]; 4] = [
    [IV[0], IV[1], IV[2], IV[3]],
    [IV[4], IV[5], IV[6], IV[7]],
    [IV[0], IV[1], IV[2], IV[3]],
    LAST_WORDS,
];

/// The place in [`MESSAGE`] of the word that is taken to place `i` of the next row, from an even or an odd row.
#[must_use]
pub const fn message_source(i: usize, odd: bool) -> usize {
    let half_over = if odd { PERMUTATION[i] } else { i };
    (half_over + 8) % 16
}

/// The place in [`MESSAGE`] of the answered word: word 1 lies behind on odd rows, whose halves are exchanged.
#[must_use]
pub const fn answer_place(odd: bool) -> usize {
    if odd { 9 } else { 0 }
}

const TWO_32: u64 = 1 << 32;

/// One G's expressions.
struct Half {
    a: Expr,
    b: Vec<Expr>,
    c: Expr,
    d: Vec<Expr>,
    a1: Vec<Expr>,
    n1: Vec<Expr>,
    c1: Vec<Expr>,
    n2: Vec<Expr>,
    b1: Vec<Expr>,
    q: Expr,
    a2: Vec<Expr>,
    n3: Vec<Expr>,
    c2: Vec<Expr>,
    n4: Vec<Expr>,
    t: Expr,
}

impl Half {
    fn new(j: usize, cell: impl Fn(usize) -> Expr) -> Self {
        let one = |offset| cell(G + G_WIDTH * j + offset);
        let bytes = |offset: usize| (offset..offset + 4).map(one).collect::<Vec<_>>();
        Self {
            a: one(A),
            b: bytes(B),
            c: one(C),
            d: bytes(D),
            a1: bytes(A1),
            n1: bytes(N1),
            c1: bytes(C1),
            n2: bytes(N2),
            b1: bytes(B1),
            q: one(Q),
            a2: bytes(A2),
            n3: bytes(N3),
            c2: bytes(C2),
            n4: bytes(N4),
            t: one(T),
        }
    }

    /// d1's bytes.
    fn d1(&self) -> Vec<Expr> {
        turned(&xor(&self.d, &self.a1, &self.n1), 2)
    }

    /// d2's bytes.
    fn d2(&self) -> Vec<Expr> {
        turned(&xor(&self.d1(), &self.a2, &self.n3), 1)
    }

    /// b xor c1, bytes.
    fn b_xor_c1(&self) -> Vec<Expr> {
        xor(&self.b, &self.c1, &self.n2)
    }

    /// b1 xor c2, bytes.
    fn b1_xor_c2(&self) -> Vec<Expr> {
        xor(&self.b1, &self.c2, &self.n4)
    }

    /// Twice the word that, turned right by 7, is b: b's low 25 bits are the word's high ones.
    fn twice_before_turn_by_7(&self) -> Expr {
        let high = Expr::limbs([&self.b[0], &self.b[1], &self.b[2], &self.t], 8);
        high * 256 + &self.b[3] - &self.t
    }

    /// Sixteen times the word that, turned right by 12, is b1: b1's low 20 bits are the word's high ones.
    fn sixteen_times_before_turn_by_12(&self) -> Expr {
        let high = Expr::limbs([&self.b1[0], &self.b1[1], &self.q], 8);
        high * 65536 + &self.b1[3] * 256 + &self.b1[2] - &self.q
    }
}

/// Bytes of x xor y, given those of x & y.
fn xor(x: &[Expr], y: &[Expr], and: &[Expr]) -> Vec<Expr> {
    (0..4).map(|i| &x[i] + &y[i] - &and[i] * 2).collect()
}

/// Bytes turned right by so many bytes.
fn turned(bytes: &[Expr], by: usize) -> Vec<Expr> {
    (0..4).map(|i| bytes[(i + by) % 4].clone()).collect()
}

/// The word of four bytes, least significant first.
fn word(bytes: &[Expr]) -> Expr {
    Expr::limbs(bytes, 8)
}

/// The word of four bytes, most significant first.
fn big_endian(bytes: &[Expr]) -> Expr {
    Expr::limbs(bytes.iter().rev(), 8)
}

/// Adds the block's constraints and bus terms.
pub(super) fn constrain(t: &mut TableBuilder) {
    let cells = |start: usize, count: usize| (start..start + count).collect::<Vec<_>>();
    let local = |t: &TableBuilder, columns: Vec<usize>| -> Vec<Expr> {
        columns.into_iter().map(|column| t.local(column)).collect()
    };
    let flags = local(t, cells(FLAGS, ROWS));
    let message = local(t, cells(MESSAGE, 16));
    let digest = local(t, cells(DIGEST, 8));
    let halves: Vec<Half> = (0..4).map(|j| Half::new(j, |column| t.local(column))).collect();
    let halves_next: Vec<Half> = (0..4).map(|j| Half::new(j, |column| t.next(column))).collect();

    let sum_of = |rows: &mut dyn Iterator<Item = usize>| rows.map(|i| flags[i].clone()).sum::<Expr>();
    let active = sum_of(&mut (0..ROWS));
    let not_last = sum_of(&mut (0..ROWS - 1));
    let half_round = sum_of(&mut (0..HALF_ROUNDS));
    let even_half_round = sum_of(&mut (0..HALF_ROUNDS).step_by(2));
    let odd_half_round = sum_of(&mut (1..HALF_ROUNDS).step_by(2));
    let even = sum_of(&mut (0..ROWS).step_by(2));
    let odd = sum_of(&mut (1..ROWS).step_by(2));
    let last = &flags[FINAL];

    // Position. The flags move on by one place a row; a block begins on no row of another, and ends.
    t.assert_bool("a compression begins or not", &flags[0]);
    t.assert_bool("one position", &active);
    for i in 1..ROWS {
        t.assert_first(format!("position {i} is not first"), flags[i].clone());
        t.assert_transition(format!("position {i} follows"), t.next(FLAGS + i) - &flags[i - 1]);
        t.assert_last(format!("position {} is not last", i - 1), flags[i - 1].clone());
    }

    // The message and the answers.
    for i in 0..16 {
        let next = t.next(MESSAGE + i);
        t.assert_transition(
            format!("message word {i}"),
            &even * (&next - &message[message_source(i, false)])
                + &odd_half_round * (&next - &message[message_source(i, true)]),
        );
    }
    let bytes = local(t, cells(WORD, 4));
    let word_le = word(&bytes);
    t.assert_zero(
        "the answered word",
        &even * (&message[answer_place(false)] - &word_le) + &odd * (&message[answer_place(true)] - &word_le),
    );
    t.assert_zero("padding answers nothing", t.local(COUNT) * active.not());
    let index = Expr::sum((0..ROWS).map(|row| &flags[row] * ANSWERS[row] as u64));
    let mut answer = digest.clone();
    answer.extend([index, big_endian(&bytes)]);
    t.send(Bus::Blake3, t.local(COUNT), answer);
    for (pair, and) in bytes.chunks(2).zip(local(t, cells(WORD_AND, 2))) {
        t.receive(
            Bus::And,
            active.clone(),
            vec![pair[0].clone(), pair[1].clone(), and],
        );
    }
    for (i, value) in digest.iter().enumerate() {
        t.assert_transition(
            format!("digest word {i} stays"),
            &not_last * (t.next(DIGEST + i) - value),
        );
    }

    for (j, g) in halves.iter().enumerate() {
        // The first state.
        let first = [g.a.clone(), word(&g.b), g.c.clone(), word(&g.d)];
        for (row, value) in first.into_iter().enumerate() {
            t.assert_zero(
                format!("first state {}", 4 * row + j),
                &flags[0] * (value - u64::from(FIRST_STATE[row][j])),
            );
        }

        // Sums. Those of a hold on every row: they harm none.
        let carry3 = |sum: Expr| &sum * (&sum - TWO_32) * (&sum - 2 * TWO_32);
        let carry2 = |sum: Expr| &sum * (&sum - TWO_32);
        t.assert_zero(
            format!("g{j} a1"),
            carry3(&g.a + word(&g.b) + &message[2 * j] - word(&g.a1)),
        );
        t.assert_zero(
            format!("g{j} c1"),
            &half_round * carry2(&g.c + word(&g.d1()) - word(&g.c1)),
        );
        t.assert_zero(
            format!("g{j} a2"),
            carry3(word(&g.a1) + word(&g.b1) + &message[2 * j + 1] - word(&g.a2)),
        );
        t.assert_zero(
            format!("g{j} c2"),
            &half_round * carry2(word(&g.c1) + word(&g.d2()) - word(&g.c2)),
        );
        t.assert_zero(
            format!("g{j} b1"),
            &half_round * (word(&g.b_xor_c1()) * 16 - g.sixteen_times_before_turn_by_12()),
        );

        // Bytes and xors.
        for (x, y, and) in [
            (&g.d, &g.a1, &g.n1),
            (&g.b, &g.c1, &g.n2),
            (&g.d1(), &g.a2, &g.n3),
            (&g.b1, &g.c2, &g.n4),
        ] {
            for i in 0..4 {
                t.receive(
                    Bus::And,
                    active.clone(),
                    vec![x[i].clone(), y[i].clone(), and[i].clone()],
                );
            }
        }
        t.receive(
            Bus::And,
            active.clone(),
            vec![g.b1[2].clone(), 15.into(), g.q.clone()],
        );
        t.receive(
            Bus::And,
            active.clone(),
            vec![g.b[3].clone(), 1.into(), g.t.clone()],
        );

        // To the next row: G number j goes on with column j of the state as turned.
        let (behind, ahead) = (&halves[(j + 3) % 4], &halves[(j + 1) % 4]);
        let next = &halves_next[j];
        t.assert_transition(format!("g{j} next a"), &half_round * (&next.a - word(&g.a2)));
        let b = next.twice_before_turn_by_7();
        t.assert_transition(
            format!("g{j} next b"),
            &even_half_round * (word(&ahead.b1_xor_c2()) * 2 - &b)
                + &odd_half_round * (word(&behind.b1_xor_c2()) * 2 - &b),
        );
        t.assert_transition(
            format!("g{j} next c"),
            &half_round * (&next.c - word(&halves[(j + 2) % 4].c2)),
        );
        let d = word(&next.d);
        t.assert_transition(
            format!("g{j} next d"),
            &even_half_round * (word(&behind.d2()) - &d) + &odd_half_round * (word(&ahead.d2()) - &d),
        );

        // The digest: two of the four xors take d and b, c and a.
        t.assert_zero(format!("g{j} final d"), last * (word(&g.c1) - word(&g.d)));
        t.assert_zero(format!("g{j} final a"), last * (word(&g.b1) - &g.a));
        t.assert_zero(format!("g{j} final c"), last * (word(&g.c2) - &g.c));
        t.assert_zero(
            format!("digest word {j}"),
            last * (&digest[j] - big_endian(&g.b1_xor_c2())),
        );
        t.assert_zero(
            format!("digest word {}", 4 + j),
            last * (&digest[4 + j] - big_endian(&g.b_xor_c1())),
        );
    }
}
