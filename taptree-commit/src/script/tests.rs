//! Every operation in Bitcoin Core's engine: the right result, wrong results, garbage beneath.

use bitcoin::ScriptBuf;
use bitcoin::opcodes::all as op;
use proptest::prelude::*;

use super::testing::{number, run, word};
use super::*;

/// Foreign items beneath; a leaf must not see them.
const GARBAGE: [i64; 5] = [11, 0, 15, 3, 1];

/// Runs a leaf over `words` (the first one is read first) with garbage beneath; true if the engine accepts.
fn accepts(words: &[u32], write: impl FnOnce(&mut ScriptBuilder, Vec<Word>) -> Bool) -> bool {
    let mut s = ScriptBuilder::new().with_beneath(GARBAGE.len());
    let values = words
        .iter()
        .enumerate()
        .map(|(i, _)| s.read_unsigned(&format!("w{i}"), 8).word(0))
        .collect();
    let result = write(&mut s, values);
    let leaf = s.finish_with(result).expect("the leaf is well formed");
    let mut witness: Vec<Vec<u8>> = GARBAGE.iter().map(|g| number(*g)).collect();
    witness.extend(words.iter().rev().flat_map(|w| word(*w)));
    run(&without_garbage(leaf.script), &witness).is_ok()
}

/// The script, then dropping of the garbage beneath its one result.
fn without_garbage(script: ScriptBuf) -> ScriptBuf {
    let mut bytes = script.into_bytes();
    bytes.push(op::OP_TOALTSTACK.to_u8());
    bytes.extend(GARBAGE.map(|_| op::OP_DROP.to_u8()));
    bytes.push(op::OP_FROMALTSTACK.to_u8());
    ScriptBuf::from_bytes(bytes)
}

/// The word that `write` computes is `expected`, and no neighbour of it.
fn computes(words: &[u32], expected: u32, write: impl Fn(&mut ScriptBuilder, Vec<Word>) -> Word) {
    let check = |claimed: u32| {
        accepts(words, |s, values| {
            let result = write(s, values);
            s.eq(result, claimed)
        })
    };
    assert!(check(expected), "{words:x?} should give {expected:x}");
    for wrong in [expected ^ 1, expected ^ 0x8000_0000, expected.wrapping_add(0x10)] {
        assert!(!check(wrong), "{words:x?} must not give {wrong:x}");
    }
}

/// The truth value that `write` computes is `expected`.
fn decides(words: &[u32], expected: bool, write: impl Fn(&mut ScriptBuilder, Vec<Word>) -> Bool) {
    assert_eq!(accepts(words, &write), expected, "{words:x?}");
    let negated = accepts(words, |s, values| {
        let result = write(s, values);
        s.not(result)
    });
    assert_eq!(negated, !expected, "{words:x?} negated");
}

/// Operands at the edges of nibbles, signs and ranges.
const EDGES: [u32; 8] = [
    0,
    1,
    0xf,
    0x10,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x89ab_cdef,
];

fn edge_pairs() -> impl Iterator<Item = (u32, u32)> {
    EDGES
        .into_iter()
        .flat_map(|a| EDGES.into_iter().map(move |b| (a, b)))
}

#[test]
fn addition_and_subtraction() {
    for (a, b) in edge_pairs() {
        computes(&[a, b], a.wrapping_add(b), |s, w| s.add(&w[0], &w[1]));
        computes(&[a, b], a.wrapping_sub(b), |s, w| s.sub(&w[0], &w[1]));
        decides(&[a, b], a.checked_add(b).is_none(), |s, w| {
            s.add_carry(&w[0], &w[1]).1
        });
        decides(&[a, b], a < b, |s, w| s.sub_borrow(&w[0], &w[1]).1);
        decides(&[a, b], (a as i32).checked_add(b as i32).is_none(), |s, w| {
            s.add_overflow(&w[0], &w[1]).1
        });
        decides(&[a, b], (a as i32).checked_sub(b as i32).is_none(), |s, w| {
            s.sub_overflow(&w[0], &w[1]).1
        });
        computes(&[a], a.wrapping_add(b), |s, w| s.add(&w[0], b));
        computes(&[a], b.wrapping_sub(a), |s, w| s.sub(b, &w[0]));
    }
}

#[test]
fn comparisons() {
    for (a, b) in edge_pairs() {
        decides(&[a, b], a == b, |s, w| s.eq(&w[0], &w[1]));
        decides(&[a, b], a != b, |s, w| s.ne(&w[0], &w[1]));
        decides(&[a, b], a < b, |s, w| s.lt_unsigned(&w[0], &w[1]));
        decides(&[a, b], (a as i32) < (b as i32), |s, w| s.lt_signed(&w[0], &w[1]));
        decides(&[a], (a as i32) < (b as i32), |s, w| s.lt_signed(&w[0], b));
        decides(&[a], a == 0, |s, w| s.is_zero(&w[0]));
        decides(&[a], (a as i32) < 0, |s, w| s.is_negative(&w[0]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn arithmetic_on_random_words(a: u32, b: u32) {
        computes(&[a, b], a.wrapping_add(b), |s, w| s.add(&w[0], &w[1]));
        computes(&[a, b], a.wrapping_sub(b), |s, w| s.sub(&w[0], &w[1]));
        decides(&[a, b], a < b, |s, w| s.lt_unsigned(&w[0], &w[1]));
        decides(&[a, b], (a as i32) < (b as i32), |s, w| s.lt_signed(&w[0], &w[1]));
        computes(&[a], !a, |s, w| s.not_bits(&w[0]));
        computes(&[a], a.wrapping_neg(), |s, w| s.negate(&w[0]));
    }
}

/// Reads the lowest five bits of word `w` as a number.
fn amount(s: &mut ScriptBuilder, w: &Word) -> Int {
    s.bits(w, 4, 0)
}

#[test]
fn bitwise_operations() {
    for (a, b) in edge_pairs() {
        computes(&[a, b], a & b, |s, w| s.and(&w[0], &w[1]));
        computes(&[a, b], a | b, |s, w| s.or(&w[0], &w[1]));
        computes(&[a, b], a ^ b, |s, w| s.xor(&w[0], &w[1]));
        computes(&[a, b], !(a | b), |s, w| s.nor(&w[0], &w[1]));
        computes(&[a], a & b, |s, w| s.and(&w[0], b));
    }
    // Every pair of nibbles.
    for shift in 0..16u32 {
        let a = 0x0123_4567u32;
        let b = (0..8).fold(0, |word, i| word << 4 | ((i + shift) & 15));
        for a in [a, a | 0x8888_8888] {
            computes(&[a, b], a ^ b, |s, w| s.xor(&w[0], &w[1]));
            computes(&[a, b], a & b, |s, w| s.and(&w[0], &w[1]));
        }
    }
}

#[test]
fn bit_fields() {
    for word in [0u32, 0xffff_ffff, 0x8c43_fffc, 0x0c10_0abc, 0x1234_5678] {
        for (high, low) in [
            (31, 26),
            (25, 21),
            (20, 16),
            (15, 11),
            (10, 6),
            (5, 0),
            (4, 0),
            (1, 0),
            (30, 0),
            (31, 1),
            (17, 17),
            (8, 8),
            (29, 3),
        ] {
            let expected = i64::from(word >> low) & ((1i64 << (high - low + 1)) - 1);
            decides(&[word], true, |s, w| {
                let field = s.bits(&w[0], high, low);
                s.int_eq(field, expected)
            });
            decides(&[word], false, |s, w| {
                let field = s.bits(&w[0], high, low);
                s.int_eq(field, expected ^ 1)
            });
        }
        computes(&[word], word as u16 as i16 as i32 as u32, |s, w| {
            let immediate = s.field_immediate(&w[0]);
            s.sign_extend(&immediate)
        });
        computes(&[word], word as u16 as u32, |s, w| {
            let immediate = s.field_immediate(&w[0]);
            s.zero_extend(&immediate)
        });
        computes(
            &[word, 0x7654_3210],
            0x7000_0000 | (word << 2 & 0x0fff_ffff),
            |s, w| s.jump_target(&w[0], &w[1]),
        );
        computes(&[word], word >> 20 & 0xff, |s, w| {
            let small = s.bits(&w[0], 27, 20);
            s.word_of_small(small)
        });
    }
    let mut s = ScriptBuilder::new();
    let w = s.read_unsigned("w", 8).word(0);
    s.bits(&w, 3, 4);
    assert!(matches!(
        s.finish(),
        Err(ScriptError::Argument {
            operation: "bits",
            ..
        })
    ));
}

#[test]
fn leading_bits() {
    for word in (0..32)
        .map(|k| 1u32 << k)
        .chain([0, 0xffff_ffff, 0x7fff_ffff, 0x00f0_0001, 0xfff0_0000])
    {
        for (ones, expected) in [(false, word.leading_zeros()), (true, word.leading_ones())] {
            for claimed in [expected, expected ^ 1, expected + 4] {
                decides(&[word], claimed == expected, |s, w| {
                    let count = if ones {
                        s.leading_ones(&w[0])
                    } else {
                        s.leading_zeros(&w[0])
                    };
                    s.int_eq(count, i64::from(claimed))
                });
            }
        }
    }
}

#[test]
fn shifts_by_constants() {
    for word in [0x89ab_cdefu32, 0x7654_3210, 0xffff_ffff, 1] {
        for k in 0..32usize {
            computes(&[word], word << k, |s, w| s.shl(&w[0], k));
            computes(&[word], word >> k, |s, w| s.shr(&w[0], k));
            computes(&[word], ((word as i32) >> k) as u32, |s, w| s.sar(&w[0], k));
            computes(&[word], word.rotate_right(k as u32), |s, w| s.rotr(&w[0], k));
        }
    }
}

#[test]
fn shifts_by_variables() {
    for word in [0x89ab_cdefu32, 0x7654_3210] {
        for k in 0..32u32 {
            computes(&[word, k | 0xabc0], word << k, |s, w| {
                let k = amount(s, &w[1]);
                s.shl_by(&w[0], &k)
            });
            computes(&[word, k | 0xffe0], word >> k, |s, w| {
                let k = amount(s, &w[1]);
                s.shr_by(&w[0], &k)
            });
            computes(&[word, k], ((word as i32) >> k) as u32, |s, w| {
                let k = amount(s, &w[1]);
                s.sar_by(&w[0], &k)
            });
            computes(&[word, k], word.rotate_right(k), |s, w| {
                let k = amount(s, &w[1]);
                s.rotr_by(&w[0], &k)
            });
        }
    }
}

#[test]
fn bytes_within_a_word() {
    let (memory, register) = (0x8123_45f7u32, 0xa9bc_de6fu32);
    let m = memory.to_be_bytes();
    for (b, byte) in m.into_iter().enumerate() {
        let words = [memory, register, b as u32];
        let index = |s: &mut ScriptBuilder, w: &Word| s.bits(w, 1, 0);
        let left_shift = 8 * b as u32;
        let right_shift = 8 * (3 - b as u32);
        let low_mask = |bits: u32| if bits == 0 { 0 } else { u32::MAX >> (32 - bits) };
        computes(&words, i32::from(byte as i8) as u32, |s, w| {
            let i = index(s, &w[2]);
            s.load_byte_signed(&w[0], &i)
        });
        computes(&words, byte.into(), |s, w| {
            let i = index(s, &w[2]);
            s.load_byte(&w[0], &i)
        });
        computes(
            &words,
            memory << left_shift | register & low_mask(left_shift),
            |s, w| {
                let i = index(s, &w[2]);
                s.load_word_left(&w[0], &w[1], &i)
            },
        );
        computes(
            &words,
            memory >> right_shift | register & !(u32::MAX >> right_shift),
            |s, w| {
                let i = index(s, &w[2]);
                s.load_word_right(&w[0], &w[1], &i)
            },
        );
        computes(
            &words,
            register >> left_shift | memory & !(u32::MAX >> left_shift),
            |s, w| {
                let i = index(s, &w[2]);
                s.store_word_left(&w[0], &w[1], &i)
            },
        );
        computes(
            &words,
            register << right_shift | memory & low_mask(right_shift),
            |s, w| {
                let i = index(s, &w[2]);
                s.store_word_right(&w[0], &w[1], &i)
            },
        );
        computes(
            &words,
            memory & !(0xff << right_shift) | (register & 0xff) << right_shift,
            |s, w| {
                let i = index(s, &w[2]);
                s.store_byte(&w[0], &w[1], &i)
            },
        );
    }
    for half in 0..2u32 {
        let words = [memory, register, half];
        let shift = 16 * (1 - half);
        let value = memory >> shift & 0xffff;
        computes(&words, value as i16 as i32 as u32, |s, w| {
            s.load_half_signed(&w[0], &w[2].nibble(7))
        });
        computes(&words, value, |s, w| s.load_half(&w[0], &w[2].nibble(7)));
        computes(
            &words,
            memory & !(0xffff << shift) | (register & 0xffff) << shift,
            |s, w| s.store_half(&w[0], &w[1], &w[2].nibble(7)),
        );
    }
}

#[test]
fn choosing_and_replacing() {
    let words: Vec<u32> = (0..8).map(|i| 0x1111_1111 * i + 0x0102_0304).collect();
    for i in 0..8u32 {
        let mut inputs = words.clone();
        inputs.push(i);
        inputs.push(0xdead_beef);
        computes(&inputs, words[i as usize], |s, w| {
            let index = w[8].nibble(7);
            s.choose(&w[..8], &index)
        });
        for at in 0..8 {
            let expected = if at == i { 0xdead_beef } else { words[at as usize] };
            computes(&inputs, expected, |s, w| {
                let index = w[8].nibble(7);
                let new = w[9].clone();
                s.substitute(w[..8].to_vec(), &index, &new)[at as usize].clone()
            });
        }
        computes(
            &inputs,
            if i < 3 { words[i as usize] } else { words[3] },
            |s, w| s.switch(&w[8].nibble(7), 4, &|s, k| s.copy(&w[k])),
        );
        computes(&inputs, if i % 2 == 1 { words[0] } else { words[1] }, |s, w| {
            let odd = s.bit(&w[8], 0);
            s.select_word(odd, &w[0], &w[1])
        });
    }
    // Words that lie together are not copied first.
    let mut s = ScriptBuilder::new();
    let leaf = s.read_unsigned("leaf", 64);
    let index = s.read_unsigned_int("index", 0, 8);
    let before = s.len();
    s.choose(&leaf.words(), &index);
    assert!(s.len() - before < 130, "{}", s.len() - before);
}

/// Runs `write` on the words and compares 64 bits of result.
fn computes64(words: &[u32], expected: u64, write: impl Fn(&mut ScriptBuilder, Vec<Word>) -> Nibbles) {
    for (claimed, right) in [
        (expected, true),
        (expected ^ 1, false),
        (expected ^ 1 << 63, false),
        (expected ^ 1 << 32, false),
    ] {
        decides(words, right, |s, w| {
            let result = write(s, w);
            s.eq_nibbles(result, &claimed.to_be_bytes())
        });
    }
}

fn check_products(a: u32, b: u32) {
    let signed = i64::from(a as i32) * i64::from(b as i32);
    computes64(&[a, b], u64::from(a) * u64::from(b), |s, w| {
        s.multiply_unsigned(&w[0], &w[1])
    });
    computes64(&[a, b], signed as u64, |s, w| s.multiply_signed(&w[0], &w[1]));
    computes(&[a, b], a.wrapping_mul(b), |s, w| s.multiply_low(&w[0], &w[1]));
}

fn check_division(n: u32, d: u32) {
    if d == 0 {
        decides(&[n, d, 0, n], false, |s, w| {
            s.is_division_unsigned(&w[0], &w[1], &w[2], &w[3])
        });
        decides(&[n, d, 0, n], false, |s, w| {
            s.is_division_signed(&w[0], &w[1], &w[2], &w[3])
        });
        return;
    }
    let (q, r) = (n / d, n % d);
    let (sq, sr) = (
        (n as i32).wrapping_div(d as i32) as u32,
        (n as i32).wrapping_rem(d as i32) as u32,
    );
    decides(&[n, d, q, r], true, |s, w| {
        s.is_division_unsigned(&w[0], &w[1], &w[2], &w[3])
    });
    decides(&[n, d, sq, sr], true, |s, w| {
        s.is_division_signed(&w[0], &w[1], &w[2], &w[3])
    });
    // q d + r still n modulo 2^32, but r too large; and plain lies.
    for (q1, r1) in [
        (q.wrapping_sub(1), r.wrapping_add(d)),
        (q, r ^ 1),
        (q ^ 1, r),
        (q ^ 1 << 31, r),
    ] {
        decides(&[n, d, q1, r1], false, |s, w| {
            s.is_division_unsigned(&w[0], &w[1], &w[2], &w[3])
        });
    }
    for (q1, r1) in [
        (sq.wrapping_sub(1), sr.wrapping_add(d)),
        (sq.wrapping_add(1), sr.wrapping_sub(d)),
        (sq, sr ^ 1),
        (sq ^ 1, sr),
        (sq ^ 1 << 31, sr),
    ] {
        decides(&[n, d, q1, r1], false, |s, w| {
            s.is_division_signed(&w[0], &w[1], &w[2], &w[3])
        });
    }
}

#[test]
fn products_at_the_edges() {
    for (a, b) in edge_pairs() {
        check_products(a, b);
    }
}

#[test]
fn divisions_at_the_edges() {
    for (n, d) in edge_pairs() {
        check_division(n, d);
    }
    check_division(0x8000_0000, 3);
    check_division(7, 0xffff_fffe);
}

#[test]
fn wide_sums() {
    for (a, b) in edge_pairs() {
        let (x, y) = (
            u64::from(a) << 32 | u64::from(b),
            u64::from(b) << 32 | u64::from(!a),
        );
        let words = [a, b, b, !a];
        let pair = |w: &[Word], i: usize| Nibbles::from_words(&[w[i].clone(), w[i + 1].clone()]);
        computes64(&words, x.wrapping_add(y), |s, w| {
            s.add64(&pair(&w, 0), &pair(&w, 2))
        });
        computes64(&words, x.wrapping_sub(y), |s, w| {
            s.sub64(&pair(&w, 0), &pair(&w, 2))
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn products_and_divisions_of_random_words(a: u32, b: u32, shift in 0u32..32) {
        check_products(a, b);
        check_division(a, b >> shift);
        check_division(a >> shift, b);
        computes(&[a, shift], a.rotate_right(shift), |s, w| { let k = amount(s, &w[1]); s.rotr_by(&w[0], &k) });
        computes(&[a, b], a ^ b, |s, w| s.xor(&w[0], &w[1]));
    }
}
