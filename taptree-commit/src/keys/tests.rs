//! Keys never meet, sets have one encoding.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn keys(seed: u8, instance: u8) -> InstanceKeys {
    Seed::new(Zeroizing::new([seed; 32])).instance(InstanceId([instance; 32]))
}

fn slot(path: &str) -> SlotId {
    SlotId::new(path).unwrap()
}

fn slots() -> Vec<(SlotId, SlotKind)> {
    vec![
        (slot("search/1/2").after(3), SlotKind::Value(64)),
        (slot("class"), SlotKind::Value(1)),
        (slot("search/1/2"), SlotKind::Value(64)),
        (slot("search/1"), SlotKind::Choice(8)),
        (slot("word/12"), SlotKind::Value(8)),
    ]
}

#[test]
fn every_part_of_a_name_makes_another_key() {
    let mut ends = BTreeSet::new();
    let mut add = |key: &PublicKey| {
        key.ends()
            .iter()
            .for_each(|end| assert!(ends.insert(*end), "two chains meet"))
    };
    for (seed, instance) in [(1, 1), (1, 2), (2, 1)] {
        let keys = keys(seed, instance);
        for path in ["a", "b", "a/0", "aa"] {
            for slot in [
                slot(path),
                slot(path).after(0),
                slot(path).after(1),
                slot(path).after(256),
            ] {
                for nibbles in [1, 2, 8] {
                    add(&keys.value(&slot, nibbles).unwrap().public_key());
                }
            }
        }
    }
}

#[test]
fn every_part_of_a_name_makes_other_locks() {
    let mut locks = BTreeSet::new();
    for (seed, instance) in [(1, 1), (1, 2), (2, 1)] {
        for slot in [slot("a"), slot("b"), slot("a").after(0), slot("a").after(1)] {
            for values in [2, 8] {
                let choice = keys(seed, instance)
                    .choice(&slot, values)
                    .unwrap()
                    .locks()
                    .unwrap();
                choice
                    .as_slice()
                    .iter()
                    .for_each(|lock| assert!(locks.insert(*lock), "two locks meet"));
            }
        }
    }
}

/// The derivation of the module documentation, written out again.
#[test]
fn the_derivation_is_as_documented() {
    fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
        let mut engine = HmacEngine::<sha256::Hash>::new(key);
        engine.input(message);
        Hmac::<sha256::Hash>::from_engine(engine).to_byte_array().to_vec()
    }
    let instance = hmac(&[1; 32], &[&b"\x14Tapestry/instance/v1"[..], &[2; 32]].concat());
    let value = hmac(
        &instance,
        b"\x11Tapestry/value/v1\x03a/7\x01\x00\x00\x00\x05\x00\x01",
    );
    let mut end = hmac(&value, b"Tapestry/wots/chain/v1\x00\x01")[..20].to_vec();
    for _ in 0..15 {
        end = bitcoin::hashes::hash160::Hash::hash(&end)
            .to_byte_array()
            .to_vec();
    }
    let key = keys(1, 2).value(&slot("a/7").after(5), 1).unwrap();
    assert_eq!(key.public_key().ends()[1].to_vec(), end);

    let choice = hmac(&instance, b"\x12Tapestry/choice/v1\x03a/7\x00\x00\x04");
    let preimage = hmac(&choice, b"\x1bTapestry/choice/preimage/v1\x00\x03");
    let lock = bitcoin::hashes::hash160::Hash::hash(&preimage).to_byte_array();
    assert_eq!(
        keys(1, 2)
            .choice(&slot("a/7"), 4)
            .unwrap()
            .locks()
            .unwrap()
            .as_slice()[3],
        lock
    );
}

#[test]
fn bad_paths_and_sizes_are_refused() {
    for path in ["", "A", "a b", "a\n", "ä", "a:b", &"x".repeat(65)] {
        assert!(
            matches!(SlotId::new(path), Err(KeysError::Path { .. })),
            "{path:?}"
        );
    }
    assert!(SlotId::new("x".repeat(64)).is_ok());
    let keys = keys(1, 1);
    for nibbles in [0, 257, 65_536 + 8, usize::MAX] {
        assert!(matches!(
            keys.value(&slot("a"), nibbles),
            Err(KeysError::Wots { .. })
        ));
    }
    for values in [0, 1, 17, 65_536 + 8, usize::MAX] {
        assert!(matches!(
            keys.choice(&slot("a"), values),
            Err(KeysError::Choice { .. })
        ));
    }
}

#[test]
fn nothing_secret_is_printed() {
    let seed = Seed::new(Zeroizing::new([0xab; 32]));
    let keys = seed.instance(InstanceId([1; 32]));
    let value = keys.value(&slot("a"), 1).unwrap();
    let choice = keys.choice(&slot("a"), 2).unwrap();
    let printed = format!("{seed:?} {keys:?} {value:?} {choice:?}");
    let secrets: [&[u8]; 2] = [&[0xab; 32], &*keys.key];
    for secret in secrets {
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let list = format!("{secret:?}");
        assert!(
            !printed.contains(&hex) && !printed.contains(list.trim_matches(['[', ']'])),
            "{printed}"
        );
    }
    assert_eq!(
        printed,
        format!(
            "Seed(..) InstanceKeys {{ instance: {id:?}, .. }} \
             ValueKey {{ instance: {id:?}, slot: {slot:?}, secret: SecretKey {{ nibbles: 1, .. }} }} \
             ChoiceKey {{ instance: {id:?}, slot: {slot:?}, secrets: Secrets {{ values: 2, .. }} }}",
            id = InstanceId([1; 32]),
            slot = slot("a")
        )
    );
}

#[test]
fn sets_hold_what_single_keys_say_and_refuse_doubles() {
    let keys = keys(3, 4);
    let set = keys.public_keys(&slots()).unwrap();
    assert_eq!(set.slots().len(), 5);
    set.expect(&slots()).unwrap();
    let word = slot("word/12");
    assert_eq!(
        set.value(&word).unwrap(),
        &keys.value(&word, 8).unwrap().public_key()
    );
    let search = slot("search/1");
    assert_eq!(
        set.choice(&search).unwrap(),
        &keys.choice(&search, 8).unwrap().locks().unwrap()
    );
    assert!(matches!(
        set.value(&search),
        Err(KeysError::Missing { kind: "value", .. })
    ));
    assert!(matches!(
        set.choice(&word),
        Err(KeysError::Missing { kind: "choice", .. })
    ));
    assert!(set.value(&slot("word/12").after(0)).is_err());

    let mut twice = slots();
    twice.push((slot("class"), SlotKind::Value(2)));
    assert!(matches!(keys.public_keys(&twice), Err(KeysError::Duplicate { slot }) if slot.path() == "class"));
    // What the other side sends has to be all that was agreed on, and no more.
    assert!(set.expect(&slots()[1..]).is_err());
    assert!(set.expect(&twice).is_err());
    let mut other = slots();
    other[4].1 = SlotKind::Value(9);
    assert!(set.expect(&other).is_err());
    other[4].1 = SlotKind::Choice(8);
    assert!(set.expect(&other).is_err());
}

#[test]
fn copied_locks_and_chains_are_found() {
    let (ours, theirs) = (
        keys(5, 6).public_keys(&slots()).unwrap(),
        keys(6, 6).public_keys(&slots()).unwrap(),
    );
    PublicKeySet::check_distinct(&[&ours, &theirs]).unwrap();
    assert!(PublicKeySet::check_distinct(&[&ours, &ours]).is_err());
    let with = |copied: (SlotId, SlotPublic)| {
        let own = theirs
            .slots()
            .filter(|(slot, _)| **slot != copied.0)
            .map(|(s, k)| (s.clone(), k.clone()));
        PublicKeySet::new(theirs.instance(), own.chain([copied.clone()])).unwrap()
    };
    let (choice, word) = (slot("search/1"), slot("word/12"));
    let mut locks = theirs.choice(&choice).unwrap().as_slice().to_vec();
    locks[5] = ours.choice(&choice).unwrap().as_slice()[2];
    let copy = with((choice.clone(), SlotPublic::Choice(Locks::new(locks).unwrap())));
    assert_eq!(
        PublicKeySet::check_distinct(&[&ours, &copy]),
        Err(KeysError::Shared { slot: choice })
    );
    let copy = with((
        word.clone(),
        SlotPublic::Value(ours.value(&word).unwrap().clone()),
    ));
    assert_eq!(
        PublicKeySet::check_distinct(&[&ours, &copy]),
        Err(KeysError::Shared { slot: word.clone() })
    );
    // One chain for two places of one side.
    let copy = with((
        slot("word/13"),
        SlotPublic::Value(theirs.value(&word).unwrap().clone()),
    ));
    assert!(PublicKeySet::check_distinct(&[&copy]).is_err());
}

#[test]
fn a_set_has_one_encoding() {
    let set = keys(5, 6).public_keys(&slots()).unwrap();
    let bytes = set.to_bytes();
    assert_eq!(PublicKeySet::from_bytes(&bytes), Ok(set.clone()));
    for cut in 0..bytes.len() {
        assert!(PublicKeySet::from_bytes(&bytes[..cut]).is_err(), "cut to {cut}");
    }
    let extended = [bytes.clone(), vec![0]].concat();
    assert!(matches!(
        PublicKeySet::from_bytes(&extended),
        Err(KeysError::Malformed { .. })
    ));
    let mut version = bytes.clone();
    version[4] = 2;
    assert_eq!(
        PublicKeySet::from_bytes(&version),
        Err(KeysError::Version { got: 2 })
    );
    // Whatever bit is flipped: refused, or another set with these very bytes.
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(read) = PublicKeySet::from_bytes(&flipped) {
            assert_ne!(read, set);
            assert_eq!(read.to_bytes(), flipped);
            assert_ne!(read.digest(), set.digest());
        }
    }
}

#[test]
fn slots_out_of_order_or_twice_in_a_set_are_refused() {
    let key = keys(5, 6).value(&slot("a"), 1).unwrap().public_key();
    let encode = |paths: &[&str]| {
        let mut bytes = [&b"TPKS\x01"[..], &[6; 32], &(paths.len() as u32).to_be_bytes()].concat();
        for path in paths {
            slot(path).write(&mut bytes);
            bytes.push(0);
            key.write(&mut bytes);
        }
        bytes
    };
    assert!(PublicKeySet::from_bytes(&encode(&["a", "b"])).is_ok());
    for paths in [["b", "a"], ["a", "a"]] {
        assert!(matches!(
            PublicKeySet::from_bytes(&encode(&paths)),
            Err(KeysError::Malformed { .. })
        ));
    }
    let mut many = encode(&["a"]);
    many[37..41].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(PublicKeySet::from_bytes(&many).is_err());
}

proptest! {
    #[test]
    fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = SlotId::read(&noise);
        prop_assert!(PublicKeySet::from_bytes(&noise).is_err());
        let framed = [&b"TPKS\x01"[..], &[0; 32], &[0, 0, 0, 1], &noise].concat();
        let _ = PublicKeySet::from_bytes(&framed);
    }

    #[test]
    fn slots_round_trip(path in "[a-z0-9/_.-]{1,64}", choice: Option<u32>, tail: Vec<u8>) {
        let slot = SlotId::new(path).unwrap();
        let slot = match choice { Some(choice) => slot.after(choice), None => slot };
        let mut bytes = Vec::new();
        slot.write(&mut bytes);
        bytes.extend(&tail);
        prop_assert_eq!(SlotId::read(&bytes), Some((slot, tail.as_slice())));
    }
}
