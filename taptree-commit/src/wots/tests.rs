//! The scripts against Bitcoin Core's engine, mostly with witnesses that must fail.

use bitcoin::ScriptBuf;
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::script::{check_fragment, check_value, read_fragment, read_values};
use super::*;
use crate::engine::leaves;

fn key(nibbles: usize, tag: u8) -> SecretKey {
    SecretKey::new(Zeroizing::new([tag; 32]), nibbles).unwrap()
}

fn value(nibbles: &[u8]) -> Value {
    Value::from_nibbles(nibbles).unwrap()
}

fn numbers(nibbles: &[u8]) -> Vec<Vec<u8>> {
    nibbles
        .iter()
        .map(|&n| if n == 0 { vec![] } else { vec![n] })
        .collect()
}

/// Items of an attacker beneath the value: deep enough that an escaped `PICK` would land in them.
fn garbage() -> Vec<Vec<u8>> {
    (0..20u8).map(|i| vec![i + 1; 1 + usize::from(i)]).collect()
}

/// Runs `fragment` on garbage and `items`; it must leave the garbage and `left`.
fn run(fragment: &ScriptBuf, items: &[Vec<u8>], left: &[Vec<u8>]) -> bool {
    leaves(
        fragment,
        &[garbage(), items.to_vec()].concat(),
        &[garbage(), left.to_vec()].concat(),
    )
}

/// All four fragments of one key, with whether each keeps the nibbles.
fn fragments(key: &PublicKey) -> [(ScriptBuf, bool); 4] {
    use ElementSize::{Any, Exact};
    [
        (read_values(&[key], Any), true),
        (read_values(&[key], Exact), true),
        (check_value(key, Any), false),
        (check_value(key, Exact), false),
    ]
}

/// Whether every fragment takes `items`, and the keeping ones leave `nibbles`.
fn all_accept(key: &PublicKey, items: &[Vec<u8>], nibbles: &[u8]) -> bool {
    fragments(key)
        .iter()
        .all(|(script, keep)| run(script, items, &if *keep { numbers(nibbles) } else { vec![] }))
}

/// Whether any fragment takes `items`, whatever it leaves: the keeping ones are tried with every list of nibbles
/// that `claimed` could stand for.
fn any_accepts(key: &PublicKey, items: &[Vec<u8>], claimed: &[&[u8]]) -> bool {
    fragments(key).iter().any(|(script, keep)| match keep {
        true => claimed
            .iter()
            .any(|nibbles| run(script, items, &numbers(nibbles))),
        false => run(script, items, &[]),
    })
}

/// The element of `chain` advanced by `hashes`.
fn advance(items: &mut [Vec<u8>], chain: usize, hashes: u8) {
    for _ in 0..hashes {
        items[2 * chain + 1] = step(&items[2 * chain + 1]).to_vec();
    }
}

fn set_digit(items: &mut [Vec<u8>], chain: usize, digit: u8) {
    items[2 * chain] = numbers(&[digit])[0].clone();
}

#[test]
fn every_digit_is_accepted_and_left_canonical() {
    let secret = key(1, 1);
    let public = secret.public_key();
    for digit in 0..16 {
        let items = secret.sign(&value(&[digit])).unwrap().witness();
        assert!(all_accept(&public, &items, &[digit]), "digit {digit}");
        let (keeping, _) = &fragments(&public)[0];
        assert!(
            !run(keeping, &items, &numbers(&[digit ^ 1])),
            "digit {digit} left as another"
        );
    }
}

#[test]
fn values_of_every_width_are_accepted() {
    for n in [1, 2, 8, 16, 17, 18, 64, 192, 256] {
        let secret = key(n, 2);
        let public = secret.public_key();
        for nibbles in [
            vec![0; n],
            vec![15; n],
            (0..n).map(|i| (i * 7 % 16) as u8).collect(),
        ] {
            let signature = secret.sign(&value(&nibbles)).unwrap();
            assert!(
                all_accept(&public, &signature.witness(), &nibbles),
                "{n} nibbles {nibbles:?}"
            );
            assert_eq!(public.recover(&signature.witness()), Ok(signature));
        }
    }
}

#[test]
fn two_values_are_left_in_list_order() {
    let (a, b) = (key(3, 3), key(8, 4));
    let items = [
        a.sign(&value(&[1, 2, 3])).unwrap().witness(),
        b.sign(&Value::from_word(0xfedc_ba90)).unwrap().witness(),
    ]
    .concat();
    let script = read_values(&[&a.public_key(), &b.public_key()], ElementSize::Any);
    let left = [1, 2, 3, 15, 14, 13, 12, 11, 10, 9, 0];
    assert!(run(&script, &items, &numbers(&left)));
    let swapped = read_values(&[&b.public_key(), &a.public_key()], ElementSize::Any);
    assert!(!run(&swapped, &items, &numbers(&left)));
}

#[test]
fn every_advanced_chain_is_refused() {
    for (nibbles, tag) in [(vec![7u8], 5u8), (vec![0, 5, 14, 9, 15, 3, 8, 1], 6)] {
        let secret = key(nibbles.len(), tag);
        let public = secret.public_key();
        let honest = secret.sign(&value(&nibbles)).unwrap();
        let digits = honest.value().signed_digits();
        let checks = digits.len() - nibbles.len();
        for (chain, &digit) in digits.iter().enumerate() {
            for hashes in 1..=15 - digit {
                let mut items = honest.witness();
                advance(&mut items, chain, hashes);
                let mut forged = nibbles.clone();
                if chain >= checks {
                    forged[chain - checks] += hashes;
                }
                // With the old digit, the chain's end is missed; with the new one, the checksum.
                assert!(
                    !any_accepts(&public, &items, &[&nibbles, &forged]),
                    "chain {chain} by {hashes}, old digit"
                );
                set_digit(&mut items, chain, digit + hashes);
                assert!(
                    !any_accepts(&public, &items, &[&nibbles, &forged]),
                    "chain {chain} by {hashes}"
                );
                assert!(matches!(public.recover(&items), Err(WotsError::Checksum { .. })));
            }
        }
    }
}

#[test]
fn a_smaller_digit_is_refused_on_every_chain() {
    let nibbles = [4u8, 1, 15, 0, 9, 12, 2, 7];
    let secret = key(8, 7);
    let public = secret.public_key();
    let honest = secret.sign(&value(&nibbles)).unwrap();
    for (chain, digit) in honest.value().signed_digits().into_iter().enumerate() {
        for smaller in 0..digit {
            let mut items = honest.witness();
            set_digit(&mut items, chain, smaller);
            assert!(
                !any_accepts(&public, &items, &[&nibbles]),
                "chain {chain} as {smaller}"
            );
        }
    }
}

#[test]
fn swapped_digits_are_refused() {
    // Equal digits too: chains are tied to their places.
    let nibbles = [4u8, 4, 15, 0, 9, 4, 2, 7];
    let secret = key(8, 8);
    let public = secret.public_key();
    let honest = secret.sign(&value(&nibbles)).unwrap().witness();
    for a in 0..10 {
        for b in 0..a {
            let mut items = honest.clone();
            items.swap(2 * a, 2 * b);
            items.swap(2 * a + 1, 2 * b + 1);
            let mut swapped = nibbles;
            if b >= 2 {
                swapped.swap(a - 2, b - 2);
            }
            assert!(
                !any_accepts(&public, &items, &[&nibbles, &swapped]),
                "chains {a} and {b}"
            );
            assert!(public.recover(&items).is_err());
        }
    }
}

/// Encodings of `digit` that are not the minimal one, at most four bytes.
fn padded(digit: u8) -> Vec<Vec<u8>> {
    let mut all = vec![vec![digit, 0], vec![digit, 0, 0], vec![digit, 0, 0, 0]];
    if digit == 0 {
        all.extend([vec![0], vec![0x80], vec![0, 0x80], vec![0, 0, 0, 0x80]]);
    }
    if digit == 15 {
        // Above the largest digit: clamped, so it stands for 15.
        all.extend([
            vec![16],
            vec![17],
            vec![127],
            vec![0, 1],
            vec![255, 255, 255, 127],
        ]);
    }
    all
}

#[test]
fn padded_and_clamped_numbers_are_left_canonical() {
    let nibbles: Vec<u8> = (0..16).collect();
    let secret = key(16, 9);
    let public = secret.public_key();
    let honest = secret.sign(&value(&nibbles)).unwrap();
    for (chain, digit) in honest.value().signed_digits().into_iter().enumerate() {
        for number in padded(digit) {
            let mut items = honest.witness();
            items[2 * chain] = number.clone();
            assert!(
                all_accept(&public, &items, &nibbles),
                "chain {chain} as {number:?}"
            );
            // Off chain the same value is read, whatever the number beside it.
            assert_eq!(public.recover(&items).unwrap(), honest);
        }
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    let nibbles = [0u8, 1, 7, 8, 14, 15, 3, 12];
    let secret = key(8, 10);
    let public = secret.public_key();
    let honest = secret.sign(&value(&nibbles)).unwrap();
    for (chain, digit) in honest.value().signed_digits().into_iter().enumerate() {
        let mut bad: Vec<Vec<u8>> = vec![
            vec![0x81],
            vec![0x88],
            vec![0x8f],
            vec![1, 0x80],
            vec![255, 255, 255, 255],
            vec![digit, 0, 0, 0, 0],
            vec![0, 0, 0, 0, 0],
            vec![digit; 20],
            vec![digit | 0x80, 0, 0, 0, 0, 0],
        ];
        if digit != 0 {
            bad.extend([vec![digit | 0x80], vec![]]);
        }
        if digit != 15 {
            bad.extend((15..=40).map(|d| vec![d]));
            bad.extend([vec![127], vec![0, 1], vec![255, 255, 255, 127]]);
        }
        for number in bad {
            let mut items = honest.witness();
            items[2 * chain] = number.clone();
            assert!(
                !any_accepts(&public, &items, &[&nibbles]),
                "chain {chain} as {number:?}"
            );
        }
    }
}

#[test]
fn a_chain_end_planted_beneath_is_not_picked() {
    // Were a digit above 15 allowed, PICK would reach the attacker's own items; fill them with the chain's end. The
    // checksum's chain is the last one checked, so they lie directly beneath it.
    let secret = key(1, 11);
    let public = secret.public_key();
    for (chain, end) in public.ends().iter().enumerate() {
        let beneath = vec![end.to_vec(); 40];
        for digit in 0..=40u8 {
            let mut items = secret.sign(&value(&[9])).unwrap().witness();
            items[2 * chain] = vec![digit];
            items[2 * chain + 1] = vec![7; 20];
            let items = [beneath.clone(), items].concat();
            for (script, keep) in fragments(&public) {
                for nibble in [9, 15, 16, digit] {
                    let left = if keep { numbers(&[nibble]) } else { vec![] };
                    let left = [beneath.clone(), left].concat();
                    assert!(!leaves(&script, &items, &left), "chain {chain}, digit {digit}");
                }
            }
        }
    }
}

#[test]
fn missing_and_extra_items_are_refused() {
    let nibbles = [3u8, 11];
    let secret = key(2, 12);
    let public = secret.public_key();
    let honest = secret.sign(&value(&nibbles)).unwrap().witness();
    for i in 0..honest.len() {
        let mut missing = honest.clone();
        missing.remove(i);
        assert!(!any_accepts(&public, &missing, &[&nibbles]), "without item {i}");
        assert_eq!(
            public.recover(&missing),
            Err(WotsError::WitnessItems { expected: 8, got: 7 })
        );
        for extra in [vec![], vec![1], honest[i].clone()] {
            let mut more = honest.clone();
            more.insert(i + 1, extra);
            // On top or between, it displaces what the script reads.
            assert!(!any_accepts(&public, &more, &[&nibbles]), "extra item after {i}");
        }
    }
    assert!(
        fragments(&public)
            .iter()
            .all(|(script, _)| !leaves(script, &[], &[]))
    );
}

#[test]
fn another_slot_key_or_length_is_refused() {
    let nibbles = [3u8, 11, 0, 15, 8, 8, 1, 6];
    let honest = key(8, 13).sign(&value(&nibbles)).unwrap().witness();
    let other = key(8, 14).public_key();
    assert!(!any_accepts(&other, &honest, &[&nibbles]));
    assert_eq!(other.recover(&honest), Err(WotsError::NotOnChain { chain: 0 }));
    let longer = key(9, 13).public_key();
    assert!(!any_accepts(&longer, &honest, &[&nibbles]));
    assert!(key(8, 13).sign(&value(&nibbles[1..])).is_err());
}

#[test]
fn a_long_chain_start_passes_only_where_any_size_is_allowed() {
    // The owner may start a chain with 100 bytes; then digit 0 of that chain is an item that nodes do not relay.
    let secret = key(1, 15);
    let long = vec![0xaa; 100];
    let end = (0..15).fold(long.clone(), |element, _| step(&element).to_vec());
    let mut ends = secret.public_key().ends().to_vec();
    ends[1] = end.try_into().unwrap();
    let public = PublicKey::from_ends(1, ends);
    let mut items = secret.sign(&value(&[0])).unwrap().witness();
    items[3] = long;
    assert!(run(
        &read_values(&[&public], ElementSize::Any),
        &items,
        &numbers(&[0])
    ));
    assert!(run(&check_value(&public, ElementSize::Any), &items, &[]));
    assert!(!run(
        &read_values(&[&public], ElementSize::Exact),
        &items,
        &numbers(&[0])
    ));
    assert!(!run(&check_value(&public, ElementSize::Exact), &items, &[]));
    // What Bitcoin accepted has to be readable, and quotable as it stands.
    let signature = public.recover(&items).unwrap();
    assert_eq!(signature.value(), &value(&[0]));
    assert_eq!(signature.witness(), items);
}

#[test]
fn seven_digests_fit_the_thousand_item_limit() {
    let secrets: Vec<_> = (0..7).map(|tag| key(64, 20 + tag)).collect();
    let digests: Vec<_> = (0..7u8).map(|i| Value::from_digest(&[i * 31 + 5; 32])).collect();
    let publics: Vec<_> = secrets.iter().map(SecretKey::public_key).collect();
    let items: Vec<_> = secrets
        .iter()
        .zip(&digests)
        .flat_map(|(s, d)| s.sign(d).unwrap().witness())
        .collect();
    let left: Vec<u8> = digests.iter().flat_map(|d| d.nibbles().to_vec()).collect();
    assert_eq!(items.len(), 938);
    let script = read_values(&publics.iter().collect::<Vec<_>>(), ElementSize::Exact);
    assert!(leaves(&script, &items, &numbers(&left)));
}

#[test]
fn fragments_need_exactly_the_depth_they_declare() {
    for n in [1, 2, 8, 64] {
        let secret = key(n, 41);
        let public = secret.public_key();
        let nibbles = vec![6; n];
        let items = secret.sign(&value(&nibbles)).unwrap().witness();
        for size in [ElementSize::Any, ElementSize::Exact] {
            let (read, check) = (read_fragment(&[&public], size), check_fragment(&public, size));
            assert_eq!((read.consumes, read.nibbles), (items.len(), n));
            assert_eq!((check.consumes, check.nibbles), (items.len(), 0));
            for (fragment, left) in [(read, numbers(&nibbles)), (check, vec![])] {
                let fits = 1000 - fragment.extra_depth - items.len();
                for (beneath, expected) in [(fits, true), (fits + 1, false)] {
                    let beneath = vec![vec![9]; beneath];
                    let [items, left] = [&items, &left].map(|top| [beneath.clone(), top.clone()].concat());
                    assert_eq!(leaves(&fragment.script, &items, &left), expected, "{n} nibbles");
                }
            }
        }
    }
}

#[test]
fn a_leaf_author_reads_values_through_the_builder() {
    use crate::script::{ScriptBuilder, testing};
    let secrets = [key(8, 42), key(8, 43), key(1, 44)];
    let publics: Vec<_> = secrets.iter().map(SecretKey::public_key).collect();
    // A leaf that shows class = 3 and a + 1 != b; a and class in one fragment, b in another.
    let mut s = ScriptBuilder::new();
    let first = s.push_fragment(
        "a, class",
        &read_fragment(&[&publics[0], &publics[2]], ElementSize::Any),
    );
    let b = s.read_word("b", &read_fragment(&[&publics[1]], ElementSize::Any));
    let (a, class) = (first.word(0), first.nibble(8));
    let is_three = s.int_eq(&class, 3i64);
    s.assert(is_three);
    let next = s.add(a, 1u32);
    let wrong = s.ne(next, b);
    s.assert(wrong);
    let leaf = s.finish().unwrap();
    let spend = |a: u32, b: u32, class: u8| {
        let signed = |i: usize, value: Value| secrets[i].sign(&value).unwrap().witness();
        let (a, b) = (signed(0, Value::from_word(a)), signed(1, Value::from_word(b)));
        testing::run(&leaf.script, &[b, a, signed(2, value(&[class]))].concat())
    };
    assert_eq!(spend(0x0fff_ffff, 7, 3), Ok(()));
    assert_eq!(spend(u32::MAX, 1, 3), Ok(()));
    assert!(spend(0x0fff_ffff, 0x1000_0000, 3).is_err());
    assert!(spend(u32::MAX, 0, 3).is_err());
    assert!(spend(0x0fff_ffff, 7, 2).is_err());
}

/// Script and witness bytes of the values that the protocol signs; the table in `docs/costs.md`.
#[test]
fn costs_are_as_documented() {
    let mut rows = Vec::new();
    for n in [1usize, 2, 8, 64, 128, 192] {
        let secret = key(n, 40);
        let public = secret.public_key();
        // The longest witness has no zero digit, in the checksum neither.
        let witness = (1..15u8).map(|nibble| {
            let mut nibbles = vec![nibble; n];
            nibbles[0] += 1;
            secret.sign(&value(&nibbles)).unwrap().witness_bytes()
        });
        let witness = witness.max().unwrap();
        let sizes = [
            check_value(&public, ElementSize::Any).len(),
            check_value(&public, ElementSize::Exact).len(),
            read_values(&[&public], ElementSize::Any).len(),
            read_values(&[&public], ElementSize::Exact).len(),
        ];
        let cells = sizes.map(|size| size.to_string()).join(" | ");
        rows.push(format!(
            "| {n} | {} | {cells} | {} |",
            public.ends().len(),
            witness
        ));
    }
    let table = rows.join("\n");
    let docs = include_str!("../../../docs/costs.md");
    assert!(
        docs.contains(&table),
        "docs/costs.md is out of date; measured:\n{table}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_values_are_accepted_and_read_back(nibbles in prop::collection::vec(0u8..16, 1..24), tag: u8) {
        let secret = key(nibbles.len(), tag);
        let public = secret.public_key();
        let signature = secret.sign(&value(&nibbles)).unwrap();
        prop_assert!(all_accept(&public, &signature.witness(), &nibbles));
        prop_assert_eq!(public.recover(&signature.witness()).unwrap(), signature);
    }

    #[test]
    fn script_and_reader_agree_on_tampered_witnesses(
        nibbles in prop::collection::vec(0u8..16, 1..6),
        hits in prop::collection::vec((any::<u8>(), 0u8..4, any::<u8>()), 1..4),
    ) {
        let secret = key(nibbles.len(), 77);
        let public = secret.public_key();
        let mut items = secret.sign(&value(&nibbles)).unwrap().witness();
        for (place, kind, arg) in hits {
            let place = usize::from(place) % items.len();
            match kind {
                0 => items[place] = vec![arg & 31],
                1 => items[place | 1] = step(&items[place | 1]).to_vec(),
                2 => { items[place].push(arg); }
                _ => { items[place].pop(); }
            }
        }
        // Whatever a script accepts, the reader reads as that very value.
        let read = public.recover(&items);
        for (script, keep) in fragments(&public) {
            match &read {
                Ok(signature) if keep => {
                    if run(&script, &items, &numbers(&nibbles)) {
                        prop_assert_eq!(signature.value().nibbles(), nibbles.as_slice());
                    }
                }
                Ok(_) => {}
                Err(_) if keep => prop_assert!(!run(&script, &items, &numbers(&nibbles))),
                Err(_) => prop_assert!(!run(&script, &items, &[])),
            }
        }
    }

    #[test]
    fn arbitrary_witnesses_never_panic(items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..90), 0..24)) {
        let public = key(8, 3).public_key();
        prop_assert!(public.recover(&items).is_err());
    }

    #[test]
    fn keys_round_trip_and_bad_bytes_never_panic(n in 1usize..70, tag: u8, cut: usize, noise: Vec<u8>) {
        let public = key(n, tag).public_key();
        let mut bytes = Vec::new();
        public.write(&mut bytes);
        prop_assert_eq!(bytes.len(), PublicKey::serialized_len(n));
        let cut = cut % bytes.len();
        prop_assert!(PublicKey::read(&bytes[..cut]).is_err());
        bytes.extend(&noise);
        prop_assert_eq!(PublicKey::read(&bytes), Ok((public, noise.as_slice())));
        let _ = PublicKey::read(&noise);
    }
}
