//! Every operation against native arithmetic in Bitcoin Core's engine, with foreign items beneath.

use bitcoin::ScriptBuf;
use bitcoin::opcodes::all::{OP_2DROP, OP_DROP, OP_PUSHNUM_1};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use taptree_commit::script::testing;

use super::word::{Bits, Digits, Halves};
use super::{Calc, Var, push_number};

/// Runs `work` on `inputs` over three foreign items; true if its results are `expected`.
fn gives(inputs: &[u32], expected: &[i32], work: &dyn Fn(&mut Calc, &[Var]) -> Vec<Var>) -> bool {
    let (mut calc, items) = Calc::with_items(inputs.len());
    let results = work(&mut calc, &items);
    assert_eq!(results.len(), expected.len());
    for (&result, &due) in results.iter().zip(expected) {
        let same = calc.eq(result, Var::Const(due));
        calc.require(same);
    }
    assert!(calc.highest() >= calc.height());
    let mut script = ScriptBuf::from_bytes(calc.finish());
    for opcode in [OP_2DROP, OP_DROP, OP_PUSHNUM_1] {
        script.push_opcode(opcode);
    }
    let foreign = [vec![0x55; 20], vec![], vec![7]];
    let numbers = inputs.iter().map(|&n| testing::number(i64::from(n)));
    testing::run(&script, &foreign.into_iter().chain(numbers).collect::<Vec<_>>()).is_ok()
}

/// The results are `expected`, and they are not when one of them is another.
fn check(inputs: &[u32], expected: &[i32], work: &dyn Fn(&mut Calc, &[Var]) -> Vec<Var>) {
    assert!(
        gives(inputs, expected, work),
        "{inputs:x?} does not give {expected:x?}"
    );
    for i in 0..expected.len().min(3) {
        let mut wrong = expected.to_vec();
        wrong[i] += 1;
        assert!(!gives(inputs, &wrong, work), "{inputs:x?} also gives {wrong:x?}");
    }
}

fn digits(word: u32) -> Vec<u32> {
    (0..8).map(|i| word >> (28 - 4 * i) & 15).collect()
}

fn halves(word: u32) -> [i32; 2] {
    [(word >> 16) as i32, (word & 0xffff) as i32]
}

fn words(vars: &[Var]) -> Vec<Digits> {
    vars.chunks(8).map(|chunk| chunk.try_into().unwrap()).collect()
}

fn both(h: Halves) -> Vec<Var> {
    vec![h.hi, h.lo]
}

const EDGES: [u32; 10] = [
    0,
    1,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xffff_0000,
    0xffff_fffe,
    0xffff_ffff,
];

fn pairs() -> Vec<(u32, u32)> {
    let mut rng = StdRng::seed_from_u64(50);
    let edges = EDGES.iter().flat_map(|&a| EDGES.iter().map(move |&b| (a, b)));
    let mut all: Vec<_> = edges.collect();
    all.extend((0..20).map(|_| (rng.r#gen(), rng.r#gen())));
    all
}

#[test]
fn words_add_subtract_and_compare() {
    for (a, b) in pairs() {
        let inputs = [digits(a), digits(b)].concat();
        let mut expected = halves(a.wrapping_add(b)).to_vec();
        expected.extend(halves(a.wrapping_sub(b)));
        expected.extend([a == b, a != b, a < b, (a as i32) < b as i32].map(i32::from));
        check(&inputs, &expected, &|c, vars| {
            let w = words(vars);
            let (a, b) = (c.halves(&w[0]), c.halves(&w[1]));
            let mut out = both(c.add32(a, b));
            out.extend(both(c.sub32(a, b)));
            out.extend([c.eq32(a, b), c.ne32(a, b), c.lt_unsigned(a, b), c.lt_signed(a, b)]);
            out
        });
    }
}

#[test]
fn words_multiply_and_add() {
    for (a, b) in pairs() {
        let addend = u64::from(b) << 32 | u64::from(a);
        let due = (u64::from(a) * u64::from(b)).wrapping_add(addend);
        let expected: Vec<i32> = (0..16).map(|i| (due >> (60 - 4 * i) & 15) as i32).collect();
        check(&[digits(a), digits(b)].concat(), &expected, &|c, vars| {
            let w = words(vars);
            let addend = [w[1], w[0]].concat().try_into().unwrap();
            c.multiply_add(&w[0], &w[1], &addend).to_vec()
        });
    }
}

#[test]
fn words_are_negated_on_condition_and_shifted_by_bits() {
    for (a, b) in pairs().into_iter().step_by(3) {
        let amount: Vec<u32> = (0..5).map(|i| b >> i & 1).collect();
        for condition in [0, 1u32] {
            let due = if condition == 1 { a.wrapping_neg() } else { a };
            let expected: Vec<i32> = digits(due).into_iter().map(|d| d as i32).collect();
            check(&[digits(a), vec![condition]].concat(), &expected, &|c, vars| {
                let word = words(&vars[..8])[0];
                c.negate_if(vars[8], &word).to_vec()
            });
        }
        let by = b & 31;
        let shifts = [a >> by, (a as i32 >> by) as u32, a.rotate_right(by), a << by];
        let expected: Vec<i32> = shifts.into_iter().flat_map(halves).collect();
        check(&[digits(a), amount].concat(), &expected, &|c, vars| {
            let word = words(&vars[..8])[0];
            let bits: Bits = c.word_bits(&word);
            let mut out = Vec::new();
            for fill in [Some(Var::Const(0)), Some(bits[31]), None] {
                let result = c.scope(|c| {
                    let shifted = c.shift_right(&bits, &vars[8..], fill);
                    both(c.halves_of(&shifted))
                });
                out.extend(result);
            }
            let left = c.scope(|c| {
                let shifted = c.shift_left(&bits, &vars[8..]);
                both(c.halves_of(&shifted))
            });
            out.extend(left);
            out
        });
    }
}

#[test]
fn digits_have_bits_and_scopes_keep_their_results_only() {
    for n in 0..16u32 {
        let expected: Vec<i32> = (0..4).map(|i| (n >> i & 1) as i32).collect();
        check(&[n], &expected, &|c, vars| {
            let before = c.height();
            let kept = c.scope(|c| {
                let bits = c.bits(vars[0]);
                c.push(5);
                bits.to_vec()
            });
            assert_eq!(c.height(), before + 4);
            // The bits made inside are gone with the scope; they are made anew.
            let again = c.bits(vars[0]);
            assert_ne!(again.to_vec(), kept);
            assert_eq!(c.bits(vars[0]), again);
            kept
        });
    }
}

#[test]
fn selections_take_one_side_whole() {
    for condition in [0, 1u32] {
        let expected = if condition == 1 { [3, 4, 9] } else { [5, 6, 10] };
        check(&[3, 4, 5, 6, condition], &expected, &|c, v| {
            let mut out = c.select_all(v[4], &v[..2], &v[2..4]);
            out.push(c.select(v[4], Var::Const(9), Var::Const(10)));
            out
        });
    }
}

#[test]
fn a_reduced_frame_holds_what_was_asked_for_in_order() {
    let (mut calc, items) = Calc::with_items(4);
    calc.reduce(&[items[2], items[0], items[2]]);
    assert_eq!(calc.height(), 3);
    for (height, due) in [(0, 12), (1, 10), (2, 12)] {
        let same = calc.eq(Var::Item(height), Var::Const(due));
        calc.require(same);
    }
    let mut script = ScriptBuf::from_bytes(calc.finish());
    script.push_opcode(OP_PUSHNUM_1);
    let run = |items: [i64; 4]| testing::run(&script, &items.map(testing::number)).is_ok();
    assert!(run([10, 11, 12, 13]));
    assert!(!run([12, 11, 10, 13]));
}

#[test]
#[should_panic(expected = "outside its scope")]
fn a_temporary_does_not_outlive_its_scope() {
    let (mut calc, items) = Calc::with_items(1);
    let mut escaped = None;
    calc.scope(|c| {
        escaped = Some(c.add(items[0], items[0]));
        Vec::new()
    });
    calc.pick(escaped.unwrap());
}

#[test]
fn literals_are_minimal() {
    for n in [
        -65_537,
        -128,
        -1,
        0,
        1,
        16,
        17,
        127,
        128,
        255,
        256,
        32_767,
        32_768,
        65_535,
        65_536,
        i32::MAX,
    ] {
        let mut script = Vec::new();
        push_number(&mut script, n);
        let mut expected = ScriptBuf::new();
        expected = bitcoin::script::Builder::from(expected.into_bytes())
            .push_int(i64::from(n))
            .into_script();
        assert_eq!(script, expected.to_bytes(), "{n}");
    }
}
