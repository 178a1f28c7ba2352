//! The choice scripts in Bitcoin Core's engine, mostly with reveals that must fail.

use proptest::prelude::*;

use super::*;
use crate::engine::leaves;

fn secrets(values: usize, tag: u8) -> Secrets {
    Secrets::new(
        (0..values)
            .map(|value| Zeroizing::new([tag ^ (value as u8 * 16); 32]))
            .collect(),
    )
    .unwrap()
}

fn garbage() -> Vec<Vec<u8>> {
    (0..24u8).map(|i| vec![i + 1; 1 + usize::from(i)]).collect()
}

fn run(fragment: &ScriptBuf, items: &[Vec<u8>], left: &[Vec<u8>]) -> bool {
    leaves(
        fragment,
        &[garbage(), items.to_vec()].concat(),
        &[garbage(), left.to_vec()].concat(),
    )
}

fn number(value: usize) -> Vec<u8> {
    if value == 0 { vec![] } else { vec![value as u8] }
}

#[test]
fn each_value_is_revealed_by_its_own_preimage_only() {
    let secrets = secrets(8, 1);
    let locks = secrets.locks().unwrap();
    for value in 0..8 {
        let script = locks.reveal_script(value).unwrap();
        assert_eq!(script.len(), 27);
        for other in 0..8 {
            let preimage = secrets.reveal(other).unwrap();
            assert_eq!(run(&script, &[preimage.to_vec()], &[]), value == other);
            assert_eq!(locks.recover(&preimage), Ok(other));
        }
        assert!(!run(&script, &[], &[]) && !run(&script, &[vec![]], &[]));
    }
    assert_eq!(
        locks.reveal_script(8),
        Err(ChoiceError::NoSuchValue { values: 8, got: 8 })
    );
    assert_eq!(
        secrets.reveal(8),
        Err(ChoiceError::NoSuchValue { values: 8, got: 8 })
    );
}

#[test]
fn any_value_may_be_read_and_is_left_canonical() {
    for values in [2, 3, 8, 15, 16] {
        let secrets = secrets(values, 2);
        let locks = secrets.locks().unwrap();
        for value in 0..values {
            let witness = locks.witness(&secrets.reveal(value).unwrap()).unwrap();
            assert!(
                run(&locks.read_script(), &witness, &[number(value)]),
                "{value} of {values}"
            );
            assert!(run(&locks.check_script(), &witness, &[]));
            for other in (0..values).filter(|&other| other != value) {
                assert!(!run(&locks.read_script(), &witness, &[number(other)]));
                let claimed = [witness[0].clone(), number(other)];
                assert!(
                    !run(&locks.read_script(), &claimed, &[number(other)]),
                    "{value} shown as {other}"
                );
                assert!(!run(&locks.read_script(), &claimed, &[number(value)]));
                assert!(!run(&locks.check_script(), &claimed, &[]));
            }
        }
    }
}

#[test]
fn other_encodings_of_the_index_do_not_change_the_value() {
    let secrets = secrets(8, 3);
    let locks = secrets.locks().unwrap();
    let preimage = |value| secrets.reveal(value).unwrap().to_vec();
    let read = |value, index: &[u8]| {
        (0..8)
            .filter(|&left| {
                run(
                    &locks.read_script(),
                    &[preimage(value), index.to_vec()],
                    &[number(left)],
                )
            })
            .collect()
    };
    let same: [(usize, &[u8]); 7] = [
        (0, &[0]),
        (0, &[0x80]),
        (0, &[0, 0x80]),
        (3, &[3, 0]),
        (7, &[8]),
        (7, &[127]),
        (7, &[0, 1]),
    ];
    for (value, index) in same {
        let left: Vec<usize> = read(value, index);
        assert_eq!(left, [value], "{index:?}");
    }
    let refused: [(usize, &[u8]); 7] = [
        (1, &[0x81]),
        (0, &[0x81]),
        (7, &[0x87]),
        (3, &[8]),
        (3, &[3, 0, 0, 0, 0]),
        (0, &[0, 0, 0, 0, 0]),
        (7, &[255, 255, 255, 255]),
    ];
    for (value, index) in refused {
        let left: Vec<usize> = read(value, index);
        assert!(left.is_empty(), "{value} as {index:?}");
        assert!(!run(
            &locks.check_script(),
            &[preimage(value), index.to_vec()],
            &[]
        ));
    }
}

#[test]
fn a_lock_planted_beneath_is_not_picked() {
    // An index beyond the locks would reach the attacker's items; let them be the hash of its own preimage.
    let locks = secrets(4, 4).locks().unwrap();
    let mine = [0x77; 32];
    for index in 0..=40u8 {
        let mut items = vec![lock(&mine).to_vec(); 40];
        items.extend([mine.to_vec(), number(usize::from(index))]);
        let beneath = vec![lock(&mine).to_vec(); 40];
        assert!(!leaves(&locks.check_script(), &items, &beneath), "index {index}");
        for left in 0..4 {
            let left = [beneath.clone(), vec![number(left)]].concat();
            assert!(!leaves(&locks.read_script(), &items, &left), "index {index}");
        }
    }
}

#[test]
fn preimages_of_another_size_are_refused() {
    // The owner can make locks of any item; only 32 bytes may open them.
    for size in [0usize, 1, 20, 31, 33, 64, 80, 81, 520] {
        let odd = vec![0x42; size];
        let mut list = secrets(4, 5).locks().unwrap().as_slice().to_vec();
        list[2] = lock(&odd);
        let locks = Locks::new(list).unwrap();
        assert!(
            !run(&locks.reveal_script(2).unwrap(), std::slice::from_ref(&odd), &[]),
            "{size} bytes"
        );
        assert!(
            !run(&locks.read_script(), &[odd.clone(), vec![2]], &[vec![2]]),
            "{size} bytes"
        );
        assert!(
            !run(&locks.check_script(), &[odd.clone(), vec![2]], &[]),
            "{size} bytes"
        );
        assert_eq!(locks.recover(&odd), Err(ChoiceError::NoLock { values: 4 }));
    }
}

#[test]
fn two_values_of_one_choice_are_an_equivocation() {
    for values in [2, 3, 8, 16] {
        let secrets = secrets(values, 6);
        let locks = secrets.locks().unwrap();
        let script = locks.equivocation_script();
        assert!(script.len() <= 25 * values + 4);
        for a in 0..values {
            for b in 0..values {
                let (one, other) = (secrets.reveal(a).unwrap(), secrets.reveal(b).unwrap());
                let witness = locks.equivocation_witness(&one, &other);
                assert_eq!(witness.is_some(), a != b);
                if let Some(witness) = witness {
                    assert!(run(&script, &witness, &[]), "{a} and {b} of {values}");
                }
            }
        }
    }
}

#[test]
fn one_preimage_is_no_equivocation_wherever_it_is_put() {
    let secrets = secrets(8, 7);
    let locks = secrets.locks().unwrap();
    let script = locks.equivocation_script();
    for value in 0..8 {
        let preimage = secrets.reveal(value).unwrap().to_vec();
        assert!(
            !run(&script, &vec![preimage.clone(); 8], &[]),
            "{value} everywhere"
        );
        let mut once = vec![vec![]; 8];
        once[value] = preimage.clone();
        assert!(!run(&script, &once, &[]));
        // Another preimage at a wrong place does not count.
        let mut wrong = once;
        wrong[(value + 1) % 8] = secrets.reveal((value + 2) % 8).unwrap().to_vec();
        assert!(!run(&script, &wrong, &[]));
    }
    // Two preimages, but an item missing or too many.
    let good = locks
        .equivocation_witness(&secrets.reveal(1).unwrap(), &secrets.reveal(6).unwrap())
        .unwrap();
    assert!(run(&script, &good, &[]));
    assert!(!run(&script, &good[1..], &[]));
    assert!(!run(&script, &[good.clone(), vec![vec![]]].concat(), &[]));
    // A stranger's preimages.
    let other = self::secrets(8, 8);
    assert_eq!(
        locks.equivocation_witness(&other.reveal(0).unwrap(), &other.reveal(1).unwrap()),
        None
    );
    assert_eq!(
        locks.equivocation_witness(&secrets.reveal(0).unwrap(), &other.reveal(1).unwrap()),
        None
    );
}

#[test]
fn bad_locks_are_refused() {
    let one = |byte: u8| [byte; 20];
    assert_eq!(Locks::new(vec![]), Err(ChoiceError::Values { got: 0 }));
    assert_eq!(Locks::new(vec![one(1)]), Err(ChoiceError::Values { got: 1 }));
    assert_eq!(
        Locks::new((0..17).map(one).collect()),
        Err(ChoiceError::Values { got: 17 })
    );
    let twice = vec![one(1), one(2), one(3), one(2)];
    assert_eq!(
        Locks::new(twice.clone()),
        Err(ChoiceError::EqualLocks { first: 1, second: 3 })
    );
    let mut bytes = vec![4];
    bytes.extend(twice.iter().flatten());
    assert_eq!(
        Locks::read(&bytes),
        Err(ChoiceError::EqualLocks { first: 1, second: 3 })
    );
    assert_eq!(Locks::read(&[]), Err(ChoiceError::Bytes { expected: 1, got: 0 }));
    assert_eq!(Locks::read(&[1]), Err(ChoiceError::Values { got: 1 }));
    assert_eq!(
        Locks::read(&[2, 0]),
        Err(ChoiceError::Bytes { expected: 41, got: 2 })
    );
    assert!(Secrets::new(vec![]).is_err());
}

/// Script and witness bytes; the table in `docs/costs.md`.
#[test]
fn costs_are_as_documented() {
    let size = |items: &[Vec<u8>]| items.iter().map(|item| 1 + item.len()).sum::<usize>();
    let rows: Vec<String> = [4usize, 8, 16]
        .map(|values| {
            let secrets = secrets(values, 9);
            let locks = secrets.locks().unwrap();
            let (one, last) = (secrets.reveal(1).unwrap(), secrets.reveal(values - 1).unwrap());
            let scripts = [
                (locks.reveal_script(1).unwrap(), vec![one.to_vec()]),
                (locks.check_script(), locks.witness(&one).unwrap()),
                (locks.read_script(), locks.witness(&one).unwrap()),
                (
                    locks.equivocation_script(),
                    locks.equivocation_witness(&one, &last).unwrap(),
                ),
            ];
            let cells = scripts.map(|(script, items)| format!("{} + {}", script.len(), size(&items)));
            format!("| {values} | {} |", cells.join(" | "))
        })
        .into();
    let table = rows.join("\n");
    assert!(
        include_str!("../../../docs/costs.md").contains(&table),
        "docs/costs.md is out of date; measured:\n{table}"
    );
}

proptest! {
    #[test]
    fn locks_round_trip_and_bad_bytes_never_panic(values in 2usize..17, tag: u8, noise: Vec<u8>, cut: usize) {
        let locks = secrets(values, tag).locks().unwrap();
        let mut bytes = Vec::new();
        locks.write(&mut bytes);
        prop_assert!(Locks::read(&bytes[..cut % bytes.len()]).is_err());
        bytes.extend(&noise);
        prop_assert_eq!(Locks::read(&bytes), Ok((locks.clone(), noise.as_slice())));
        let _ = Locks::read(&noise);
        prop_assert!(locks.recover(&noise).is_err());
    }
}
