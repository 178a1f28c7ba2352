//! The builder itself in Bitcoin Core's engine: placing, branches, witness order, depth, endings, errors.

use bitcoin::hashes::{Hash, hash160};
use bitcoin::key::Keypair;
use bitcoin::opcodes::all as op;
use bitcoin::secp256k1::{Secp256k1, SecretKey};
use bitcoin::{ScriptBuf, XOnlyPublicKey};

use super::testing::{Refusal, number, run, run_signed, word};
use super::*;

fn pair(byte: u8) -> (Keypair, XOnlyPublicKey) {
    let secret = SecretKey::from_slice(&[byte; 32]).unwrap();
    let pair = Keypair::from_secret_key(&Secp256k1::new(), &secret);
    let key = pair.x_only_public_key().0;
    (pair, key)
}

/// A leaf with many values, moved about, copied, dropped and put on the altstack, still has each value right.
#[test]
fn values_survive_every_movement() {
    let mut s = ScriptBuilder::new();
    let a = s.read_unsigned("a", 8).word(0);
    let b = s.read_unsigned("b", 8).word(0);
    let c = s.read_unsigned("c", 8).word(0);
    let b2 = s.copy(&b);
    let a = s.move_to_top(a);
    s.drop(b);
    s.to_alt(&a);
    s.assert_eq(&c, 3u32);
    s.from_alt();
    s.assert_eq(&a, 1u32);
    s.assert_eq(b2, 2u32);
    let swapped = s.move_to_top((c, a));
    s.assert_eq(swapped.1, 1u32);
    s.assert_eq(swapped.0, 3u32);
    let leaf = s.finish().unwrap();
    let names: Vec<&str> = leaf.witness.iter().map(|v| v.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let witness = |words: [u32; 3]| leaf.witness_stack(&words.map(word)).unwrap();
    assert_eq!(run(&leaf.script, &witness([1, 2, 3])), Ok(()));
    for wrong in [[2, 2, 3], [1, 1, 3], [1, 2, 2], [3, 2, 1]] {
        assert!(run(&leaf.script, &witness(wrong)).is_err(), "{wrong:?}");
    }
    // The first value read is on top of the stack.
    assert_eq!(witness([1, 2, 3])[16..], word(1));
    assert_eq!(
        leaf.witness_stack(&[word(1), word(2)]),
        Err(ScriptError::Witness {
            expected: vec![8, 8, 8],
            got: vec![8, 8]
        })
    );
}

/// What the fragment of a one-time signature does, in each order that a fragment may leave.
#[test]
fn fragments_leave_named_nibbles() {
    // Consumes two items a digit; here the second of each pair is thrown away.
    let orders = [
        (
            FragmentOrder::MostSignificantDeepest,
            vec![op::OP_DROP, op::OP_TOALTSTACK, op::OP_DROP, op::OP_FROMALTSTACK],
        ),
        (
            FragmentOrder::MostSignificantOnTop,
            vec![
                op::OP_DROP,
                op::OP_TOALTSTACK,
                op::OP_DROP,
                op::OP_FROMALTSTACK,
                op::OP_SWAP,
            ],
        ),
        (
            FragmentOrder::AltMostSignificantOnTop,
            vec![op::OP_DROP, op::OP_TOALTSTACK, op::OP_DROP, op::OP_TOALTSTACK],
        ),
        (
            FragmentOrder::AltMostSignificantDeepest,
            vec![
                op::OP_DROP,
                op::OP_TOALTSTACK,
                op::OP_DROP,
                op::OP_FROMALTSTACK,
                op::OP_SWAP,
                op::OP_TOALTSTACK,
                op::OP_TOALTSTACK,
            ],
        ),
    ];
    for (order, opcodes) in orders {
        let script = ScriptBuf::from_bytes(opcodes.iter().map(|c| c.to_u8()).collect());
        let fragment = Fragment {
            script,
            consumes: 4,
            nibbles: 2,
            order,
            extra_depth: 0,
        };
        let mut s = ScriptBuilder::new();
        let first = s.push_fragment("first", &fragment);
        let second = s.push_fragment("second", &fragment);
        s.assert_eq_nibbles(first, &[0x12]);
        s.assert_eq_nibbles(second, &[0x34]);
        let leaf = s.finish().unwrap();
        assert!(leaf.witness.iter().all(|v| v.signed && v.items == 4));
        let value = |hi: i64, lo: i64| vec![number(hi), number(9), number(lo), number(9)];
        let good = leaf.witness_stack(&[value(1, 2), value(3, 4)]).unwrap();
        assert_eq!(run(&leaf.script, &good), Ok(()), "{order:?}");
        let bad = leaf.witness_stack(&[value(3, 4), value(1, 2)]).unwrap();
        assert!(run(&leaf.script, &bad).is_err(), "{order:?}");
        let bad = leaf.witness_stack(&[value(2, 1), value(3, 4)]).unwrap();
        assert!(run(&leaf.script, &bad).is_err(), "{order:?}");

        let mut s = ScriptBuilder::new();
        s.read_word("short", &fragment);
        let error = ScriptError::FragmentShape {
            name: "short".to_owned(),
            expected: 8,
            got: 2,
        };
        assert_eq!(s.finish(), Err(error));
    }
}

/// The depth that a leaf reports is the engine's: one foreign item more than fits is refused.
#[test]
fn reported_depth_is_exact() {
    let build = |beneath: usize| {
        let mut s = ScriptBuilder::new().with_beneath(beneath);
        let a = s.read_unsigned("a", 8).word(0);
        let b = s.read_unsigned("b", 8).word(0);
        let product = s.multiply_unsigned(&a, &b);
        s.drop(product);
        s.finish()
    };
    let free = MAX_STACK_ELEMENTS - build(0).unwrap().max_depth;
    for (beneath, fine) in [(free, true), (free + 1, false)] {
        let leaf = build(beneath);
        if !fine {
            let max = MAX_STACK_ELEMENTS;
            assert_eq!(leaf, Err(ScriptError::TooDeep { got: max + 1, max }));
        }
        // The foreign items are dropped at the end, so that the stack is clean.
        let mut bytes = build(0).unwrap().script.into_bytes();
        bytes.pop();
        bytes.extend(vec![op::OP_DROP.to_u8(); beneath]);
        bytes.push(op::OP_PUSHNUM_1.to_u8());
        let mut witness = vec![number(1); beneath];
        witness.extend(word(0xffff_ffff));
        witness.extend(word(0xffff_ffff));
        assert_eq!(
            run(&ScriptBuf::from_bytes(bytes), &witness).is_ok(),
            fine,
            "{beneath}"
        );
    }
}

#[test]
fn branches_choose_an_arm() {
    for (flag, a, expected) in [(1, 5u32, 6), (0, 5, 50), (1, 0xf, 0x10), (0, 1, 10)] {
        for claimed in [expected, expected + 1] {
            let mut s = ScriptBuilder::new();
            let flag_value = Bool(s.read_unsigned("flag", 1).0[0]);
            let a_value = s.read_unsigned("a", 8).word(0);
            let result = s.if_else(
                flag_value,
                |s| s.add(&a_value, 1u32),
                |s| {
                    let twice = s.shl(&a_value, 1);
                    let eight = s.shl(&a_value, 3);
                    s.add(twice, &eight)
                },
            );
            s.assert_eq(result, claimed);
            s.assert_eq(a_value, a);
            let leaf = s.finish().unwrap();
            let witness = leaf.witness_stack(&[vec![number(flag)], word(a)]).unwrap();
            assert_eq!(
                run(&leaf.script, &witness).is_ok(),
                claimed == expected,
                "{flag} {a} {claimed}"
            );
            // A condition that is neither empty nor 01 is refused by consensus.
            let other = leaf.witness_stack(&[vec![number(2)], word(a)]).unwrap();
            assert!(run(&leaf.script, &other).is_err());
        }
    }
}

/// Results that are outer values, or one value twice, become values of their own.
#[test]
fn branch_results_may_be_views() {
    for (flag, expected) in [(1, [7, 7]), (0, [9, 7])] {
        for claimed in [expected, [7, 9]] {
            let mut s = ScriptBuilder::new();
            let flag_value = Bool(s.read_unsigned("flag", 1).0[0]);
            let x = s.read_unsigned("x", 1).nibble(0);
            let y = s.read_unsigned("y", 1).nibble(0);
            let result = s.if_else(
                flag_value,
                |_| (x.clone(), x.clone()),
                |s| {
                    let copy = s.copy(&x);
                    (y.clone(), copy)
                },
            );
            s.assert_int_eq(result.0, claimed[0]);
            s.assert_int_eq(result.1, claimed[1]);
            s.assert_int_eq(x, 7);
            let leaf = s.finish().unwrap();
            let witness = leaf
                .witness_stack(&[vec![number(flag)], vec![number(7)], vec![number(9)]])
                .unwrap();
            assert_eq!(
                run(&leaf.script, &witness).is_ok(),
                claimed == expected,
                "{flag} {claimed:?}"
            );
        }
    }
    // `when` asserts in one arm only.
    for (flag, x, fine) in [(1, 7, true), (1, 8, false), (0, 8, true)] {
        let mut s = ScriptBuilder::new();
        let flag_value = Bool(s.read_unsigned("flag", 1).0[0]);
        let value = s.read_unsigned("x", 1).nibble(0);
        s.when(flag_value, |s| s.assert_int_eq(&value, 7));
        let leaf = s.finish().unwrap();
        let witness = leaf
            .witness_stack(&[vec![number(flag)], vec![number(x)]])
            .unwrap();
        assert_eq!(run(&leaf.script, &witness).is_ok(), fine, "{flag} {x}");
    }
}

#[test]
fn signatures_and_preimages() {
    let ((alice, alice_key), (mallory, _)) = (pair(1), pair(2));
    let preimage = b"a preimage of some length".to_vec();
    let hash = hash160::Hash::hash(&preimage).to_byte_array();

    let mut s = ScriptBuilder::new();
    s.read_preimage("choice", &hash);
    let x = s.read_unsigned_int("x", 2, 5);
    s.drop(x);
    let leaf = s.finish_checksig("watchtower", &alice_key).unwrap();
    assert_eq!(leaf.witness_items(), 3);
    let witness = |x: i64| vec![number(x), preimage.clone()];
    assert_eq!(run_signed(&leaf.script, &witness(2), Some(&alice)), Ok(()));
    assert!(run_signed(&leaf.script, &witness(2), Some(&mallory)).is_err());
    assert!(run_signed(&leaf.script, &witness(5), Some(&alice)).is_err());
    assert!(run_signed(&leaf.script, &witness(1), Some(&alice)).is_err());
    assert!(run_signed(&leaf.script, &[number(2), b"another".to_vec()], Some(&alice)).is_err());
    let long = run_signed(&leaf.script, &[number(2), vec![7; 81]], Some(&alice));
    assert!(matches!(long, Err(Refusal::Policy(_))));

    // A signature demanded at the start, its place on top of nothing else.
    let mut s = ScriptBuilder::new();
    s.read_signature("operator", &alice_key);
    let leaf = s.finish().unwrap();
    assert_eq!(run_signed(&leaf.script, &[], Some(&alice)), Ok(()));
    assert!(run_signed(&leaf.script, &[], Some(&mallory)).is_err());
    assert!(run(&leaf.script, &[vec![]]).is_err());
}

/// A digit in a longer encoding is the same number everywhere.
#[test]
fn other_encodings_change_nothing() {
    let padded = |n: u8| vec![n, 0];
    let words = |w: u32| nibbles_of(w).map(padded).to_vec();
    for (a, b, equal) in [
        (0x1234_5678, 0x1234_5678, true),
        (0x1234_5678, 0x1234_5679, false),
    ] {
        let mut s = ScriptBuilder::new();
        let x = s.read_unsigned("x", 8).word(0);
        let y = s.read_unsigned("y", 8).word(0);
        let same = s.eq(&x, &y);
        let less = s.lt_unsigned(&x, &y);
        let difference = s.xor(&x, &y);
        let zero = s.is_zero(&difference);
        let sum = s.add(&x, &y);
        let double = s.shl(&x, 1);
        let doubled = s.eq(sum, double);
        s.assert_not(less.clone());
        let all = s.all(vec![same, zero, doubled]);
        let leaf = s.finish_with(all).unwrap();
        let canonical = leaf.witness_stack(&[word(a), word(b)]).unwrap();
        let other = leaf.witness_stack(&[words(a), word(b)]).unwrap();
        assert_eq!(run(&leaf.script, &canonical).is_ok(), equal);
        assert_eq!(run(&leaf.script, &other).is_ok(), equal);
    }
}

#[test]
fn numbers_and_truth_values() {
    let mut s = ScriptBuilder::new();
    let word_value = s.read_unsigned("w", 8);
    let number_value = s.number_of(&word_value);
    s.assert_int_eq(&number_value, 0x7654_3210);
    let half = s.number_of(&word_value.slice(4, 8));
    s.assert_int_eq(&half, 0x3210);
    let difference = s.int_sub(&half, &number_value);
    s.assert_int_eq(difference, 0x3210 - 0x7654_3210);
    let chosen = s.choose_constant(&[10, 20, 30, 40, 50, 60, 70, 80], &word_value.nibble(5));
    s.assert_int_eq(chosen, 30);
    let none = s.any(vec![]);
    s.assert_not(none);
    let every = s.all(vec![]);
    s.assert(every);
    let low = s.int_le(0x3210, &half);
    let strict = s.int_lt(0x3210, &half);
    let differs = s.differ(low, strict);
    s.assert(differs);
    let yes = s.int_is_zero(0);
    let picked = s.select_int(yes, 1, 2);
    s.assert_int_eq(picked, 1);
    let leaf = s.finish().unwrap();
    assert_eq!(run(&leaf.script, &word(0x7654_3210)), Ok(()));
    // Bit 31 does not fit a number.
    assert!(run(&leaf.script, &word(0xf654_3210)).is_err());
    assert!(run(&leaf.script, &word(0x7654_3211)).is_err());
}

#[test]
fn mistakes_are_named() {
    let error = |write: &dyn Fn(&mut ScriptBuilder, Nibbles)| {
        let mut s = ScriptBuilder::new();
        let value = s.read_unsigned("value", 8);
        write(&mut s, value);
        s.finish().unwrap_err()
    };
    let moved = |name: &str| ScriptError::UsedAfterMove {
        name: name.to_owned(),
    };
    assert_eq!(
        error(&|s, v| {
            s.drop(v.clone());
            s.copy(&v);
        }),
        moved("value[0]")
    );
    assert_eq!(
        error(&|s, v| {
            s.add(v.word(0), 1u32);
            s.is_zero(&v.word(0));
        }),
        moved("value[0]")
    );
    assert_eq!(
        error(&|s, v| {
            s.move_to_top(v.clone());
            s.drop(v.nibble(3));
        }),
        moved("value[3]")
    );
    assert_eq!(
        error(&|s, v| {
            s.to_alt(&v);
            s.copy(&v.nibble(7));
        }),
        ScriptError::OnAltstack {
            name: "value[7]".to_owned()
        }
    );
    let shape = error(&|s, v| {
        let yes = Bool(s.constant(1).0);
        s.if_else(yes, |s| s.drop(v.nibble(0)), |_| ());
    });
    assert!(
        matches!(shape, ScriptError::BranchShape { branch: 0, .. }),
        "{shape}"
    );
    let shape = error(&|s, v| {
        let yes = Bool(s.constant(1).0);
        s.if_else(yes, |s| vec![s.copy(&v.nibble(0))], |_| vec![]);
    });
    assert!(
        matches!(shape, ScriptError::BranchShape { branch: 0, .. }),
        "{shape}"
    );
    let inside = error(&|s, _| {
        let yes = Bool(s.constant(1).0);
        s.when(yes, |s| {
            s.read_unsigned("late", 1);
        });
    });
    assert_eq!(
        inside,
        ScriptError::ReadInBranch {
            name: "late".to_owned()
        }
    );
    for code in [
        op::OP_DEPTH,
        op::OP_CODESEPARATOR,
        op::OP_RETURN,
        op::OP_CAT,
        op::OP_RESERVED,
        op::OP_VERIF,
        op::OP_PUSHBYTES_2,
        op::OP_PUSHDATA1,
        op::OP_PICK,
    ] {
        assert_eq!(
            error(&|s, _| {
                s.apply(&[code], &[], 0, 0);
            }),
            ScriptError::Opcode(code.to_u8()),
            "{code}"
        );
    }
    assert!(matches!(
        error(&|s, _| {
            s.constant(1 << 31);
        }),
        ScriptError::Argument {
            operation: "push",
            ..
        }
    ));
    assert!(matches!(
        error(&|s, v| {
            s.shl(&v.word(0), 32);
        }),
        ScriptError::Argument {
            operation: "shift",
            ..
        }
    ));
    assert!(matches!(
        error(&|s, v| {
            s.eq_nibbles(&v, &[1, 2, 3]);
        }),
        ScriptError::Length {
            operation: "eq",
            left: 8,
            right: 6
        }
    ));
    // The first mistake is the one that is told.
    assert_eq!(
        error(&|s, v| {
            s.drop(v.clone());
            s.drop(v);
            s.constant(1 << 40);
        }),
        moved("value[0]")
    );
}

/// After a mistake every operation is still callable, and the mistake is still the one that is told.
#[test]
fn nothing_panics_after_a_mistake() {
    let mut s = ScriptBuilder::new();
    let items = s.read_unsigned("gone", 64);
    let flag = Bool(s.constant(1).0);
    s.drop(items.clone());
    let error = ScriptError::UsedAfterMove {
        name: "gone[0]".to_owned(),
    };
    let (a, b, i) = (items.word(0), items.word(1), items.nibble(3));
    s.copy(&a);
    assert_eq!(s.error(), Some(&error));
    let written = s.len();
    s.add_overflow(&a, &b);
    s.xor(&a, &b);
    s.lt_signed(&a, 5u32);
    s.multiply_signed(&a, &b);
    s.is_division_signed(&a, &b, &a, &b);
    s.sar_by(&a, &i);
    s.leading_ones(&a);
    s.bits(&a, 20, 3);
    s.sign_extend(&items.slice(0, 3));
    s.choose(&items.words(), &i);
    s.substitute(items.words(), &i, &a);
    s.store_word_left(&a, &b, &i);
    s.choose_constant(&[1, 2], &i);
    s.if_else(flag, |s| s.move_to_top(a.clone()), |s| s.bring(&b));
    s.number_of(&items);
    s.blake3_node(&items, &items);
    s.read_unsigned("late", 2);
    s.to_alt(&b);
    s.from_alt();
    s.drop(b);
    assert_eq!(s.len(), written);
    assert_eq!(s.finish(), Err(error));
}

/// What nobody signed may hold anything, so its range is demanded.
#[test]
fn unsigned_nibbles_are_bounded() {
    let mut s = ScriptBuilder::new();
    let value = s.read_unsigned("value", 8);
    s.assert_nibbles(&value);
    let leaf = s.finish().unwrap();
    assert_eq!(run(&leaf.script, &word(0xfedc_ba90)), Ok(()));
    for wrong in [
        number(16),
        number(-1),
        number(300),
        vec![0, 0, 0, 0, 0],
        vec![0xff; 4],
    ] {
        for at in [0, 7] {
            let mut witness = word(0xfedc_ba90);
            witness[at] = wrong.clone();
            assert!(run(&leaf.script, &witness).is_err(), "{wrong:?}");
        }
    }
}
