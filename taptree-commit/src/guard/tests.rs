//! Cutting the power at every byte, tampering, and full disks.

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::disk::StoreFile;
use super::file::Store;
use super::sim::{Cut, Shared, Sim};
use super::*;
use crate::keys::{InstanceKeys, Seed};

fn keys() -> InstanceKeys {
    Seed::new(Zeroizing::new([7; 32])).instance(InstanceId([9; 32]))
}

fn slot(path: &str) -> SlotId {
    SlotId::new(path).unwrap()
}

/// A step of a scenario: what is asked of the store.
type Ask = fn(&mut dyn SignOnce) -> Result<(), GuardError>;

/// Four entries: a word, a choice, a batch, a digest after a choice.
const SCENARIO: [Ask; 4] = [
    |guard| {
        guard
            .sign(
                &keys().value(&slot("open/word/3"), 8).unwrap(),
                &Value::from_word(0xdead_beef),
            )
            .map(drop)
    },
    |guard| {
        guard
            .reveal(&keys().choice(&slot("search/0"), 8).unwrap(), 5)
            .map(drop)
    },
    |guard| {
        let keys = [
            keys().value(&slot("open/pc"), 8).unwrap(),
            keys().value(&slot("open/hi"), 8).unwrap(),
        ];
        let values = [Value::from_word(4), Value::from_word(0)];
        guard
            .sign_all(&[(&keys[0], &values[0]), (&keys[1], &values[1])])
            .map(drop)
    },
    |guard| {
        let key = keys().value(&slot("search/1/2").after(5), 64).unwrap();
        guard.sign(&key, &Value::from_digest(&[0x5a; 32])).map(drop)
    },
];

/// The same slots, other statements.
const EQUIVOCATION: [Ask; 4] = [
    |guard| {
        guard
            .sign(
                &keys().value(&slot("open/word/3"), 8).unwrap(),
                &Value::from_word(0xdead_bee0),
            )
            .map(drop)
    },
    |guard| {
        guard
            .reveal(&keys().choice(&slot("search/0"), 8).unwrap(), 4)
            .map(drop)
    },
    |guard| {
        let keys = [
            keys().value(&slot("open/lo"), 8).unwrap(),
            keys().value(&slot("open/hi"), 8).unwrap(),
        ];
        let values = [Value::from_word(4), Value::from_word(1)];
        guard
            .sign_all(&[(&keys[0], &values[0]), (&keys[1], &values[1])])
            .map(drop)
    },
    |guard| {
        let key = keys().value(&slot("search/1/2").after(5), 64).unwrap();
        guard.sign(&key, &Value::from_digest(&[0x5b; 32])).map(drop)
    },
];

fn store_with(steps: usize) -> Store<Sim> {
    let mut store = Store::create(Sim::default()).unwrap();
    SCENARIO[..steps].iter().for_each(|ask| ask(&mut store).unwrap());
    store
}

/// Opens what a cut left, or makes the store if its creation was cut.
fn reopen(disk: Sim, released: usize) -> Store<Sim> {
    match Store::open(disk.clone()) {
        Ok(store) => store,
        Err(GuardError::Missing) => {
            assert_eq!(released, 0, "a store that signed is gone");
            Store::create(disk).unwrap()
        }
        Err(error) => panic!("after {released} entries: {error}"),
    }
}

/// Asks every step of a new store with at most `fuel`; gives the disk and how many statements were released.
fn run_until(fuel: u64) -> (Sim, usize) {
    let disk = Shared::new(Sim {
        fuel: Some(fuel),
        ..Sim::default()
    });
    let Ok(mut store) = Store::create(disk.clone()) else {
        return (disk.take(), 0);
    };
    let released = SCENARIO.iter().take_while(|ask| ask(&mut store).is_ok()).count();
    for ask in SCENARIO.iter().skip(released) {
        assert!(ask(&mut store).is_err(), "answered after a failed write");
    }
    (disk.take(), released)
}

#[test]
fn a_cut_at_every_byte_of_every_write_forgets_nothing_that_left() {
    let whole = store_with(4).into_disk().spent;
    let mut seen = [false; 5];
    for fuel in 0..whole {
        let (disk, released) = run_until(fuel);
        seen[released] = true;
        for cut in [Cut::Lose, Cut::Keep, Cut::Zeros, Cut::KeepBytes] {
            let mut store = reopen(disk.clone().after(cut), released);
            for ask in &EQUIVOCATION[..released] {
                let refused = matches!(ask(&mut store), Err(GuardError::Used { .. }));
                assert!(refused, "{fuel} {cut:?}: signed twice");
            }
            // Every step, done or not, can be asked again; then nothing else can.
            for ask in SCENARIO {
                ask(&mut store).unwrap_or_else(|error| panic!("{fuel} {cut:?}: {error}"));
            }
            // And the repaired store opens again.
            let mut store = reopen(store.into_disk().after(Cut::Lose), 4);
            for ask in EQUIVOCATION {
                assert!(matches!(ask(&mut store), Err(GuardError::Used { .. })));
            }
        }
    }
    assert_eq!(
        seen,
        [true, true, true, true, false],
        "the cuts reached every entry"
    );
}

#[test]
fn a_second_cut_while_recovering_forgets_nothing() {
    let mut recoveries = [0, 0];
    let whole = store_with(4).into_disk().spent;
    for fuel in (0..whole).step_by(3) {
        let (disk, released) = run_until(fuel);
        for cut in [Cut::Lose, Cut::Keep, Cut::Zeros, Cut::KeepBytes] {
            for second in 0..70 {
                // The recovery itself is cut (where it writes at all), and repeated.
                let disk = Shared::new(Sim {
                    fuel: Some(second),
                    ..disk.clone().after(cut)
                });
                let recovered = Store::open(disk.clone()).is_ok();
                let disk = disk.take();
                recoveries[usize::from(recovered)] += 1;
                let mut store = reopen(disk.after(cut), released);
                for ask in &EQUIVOCATION[..released] {
                    assert!(matches!(ask(&mut store), Err(GuardError::Used { .. })));
                }
            }
        }
    }
    assert!(recoveries.iter().all(|&count| count > 1000), "{recoveries:?}");
}

#[test]
fn a_full_disk_poisons_the_store_until_it_is_opened_again() {
    let base = store_with(1).into_disk().spent;
    for extra in 0..60 {
        let mut store = Store::create(Sim {
            fuel: Some(base + extra),
            ..Sim::default()
        })
        .unwrap();
        SCENARIO[0](&mut store).unwrap();
        assert!(matches!(SCENARIO[1](&mut store), Err(GuardError::Io { .. })));
        // Known statements are refused as well: the store no longer knows what the disk holds.
        assert!(matches!(SCENARIO[0](&mut store), Err(GuardError::Poisoned)));
        assert!(matches!(EQUIVOCATION[1](&mut store), Err(GuardError::Poisoned)));
        let mut store = reopen(store.into_disk().after(Cut::Keep), 1);
        SCENARIO[0](&mut store).unwrap();
        assert!(matches!(
            EQUIVOCATION[0](&mut store),
            Err(GuardError::Used { .. })
        ));
    }
}

#[test]
fn the_same_statement_gives_the_same_signature_and_writes_nothing() {
    let mut store = store_with(0);
    let key = keys().value(&slot("claim/0"), 8).unwrap();
    let first = store.sign(&key, &Value::from_word(1)).unwrap();
    let written = store.into_disk();
    let spent = written.spent;
    let mut store = Store::open(written).unwrap();
    assert_eq!(store.sign(&key, &Value::from_word(1)).unwrap(), first);
    assert_eq!(store.into_disk().spent, spent);
}

#[test]
fn a_value_that_does_not_fit_burns_nothing() {
    let mut guard = MemoryGuard::new();
    let key = keys().value(&slot("claim/0"), 8).unwrap();
    assert!(matches!(
        guard.sign(&key, &Value::from_digest(&[0; 32])),
        Err(GuardError::Wots(_))
    ));
    let choice = keys().choice(&slot("search/1"), 8).unwrap();
    assert!(matches!(guard.reveal(&choice, 8), Err(GuardError::Choice(_))));
    assert_eq!(guard.statement(&key.instance(), key.slot()), None);
    assert_eq!(guard.statement(&choice.instance(), choice.slot()), None);
    guard.sign(&key, &Value::from_word(3)).unwrap();
}

#[test]
fn one_batch_may_not_contradict_itself_and_is_all_or_nothing() {
    let mut guard = MemoryGuard::new();
    let (a, b) = (
        keys().value(&slot("a"), 8).unwrap(),
        keys().value(&slot("b"), 8).unwrap(),
    );
    let (one, two) = (Value::from_word(1), Value::from_word(2));
    assert!(matches!(
        guard.sign_all(&[(&a, &one), (&b, &one), (&a, &two)]),
        Err(GuardError::Used { .. })
    ));
    assert_eq!(guard.statement(&b.instance(), b.slot()), None);
    assert_eq!(guard.sign_all(&[(&a, &one), (&a, &one)]).unwrap().len(), 2);
}

#[test]
fn slots_of_other_instances_and_preceding_choices_are_free() {
    let mut guard = MemoryGuard::new();
    let other = Seed::new(Zeroizing::new([7; 32])).instance(InstanceId([8; 32]));
    for (i, key) in [
        keys().value(&slot("s"), 8).unwrap(),
        keys().value(&slot("s").after(0), 8).unwrap(),
        keys().value(&slot("s").after(1), 8).unwrap(),
        other.value(&slot("s"), 8).unwrap(),
    ]
    .iter()
    .enumerate()
    {
        guard.sign(key, &Value::from_word(i as u32)).unwrap();
        assert!(guard.sign(key, &Value::from_word(99)).is_err());
    }
}

#[test]
fn a_restored_older_log_is_refused() {
    let newest = store_with(4).into_disk();
    for older in 0..4 {
        let mut disk = newest.clone();
        *disk.bytes(StoreFile::Log) = store_with(older).into_disk().bytes(StoreFile::Log).clone();
        let expected = older as u64;
        assert!(
            matches!(Store::open(disk), Err(GuardError::WentBackwards { counter: 4, log }) if log == expected),
            "log of {older} entries"
        );
    }
}

#[test]
fn a_restored_older_counter_is_refused_beyond_one_entry() {
    let newest = store_with(4).into_disk();
    for older in 0..3 {
        let mut disk = newest.clone();
        *disk.bytes(StoreFile::Counter) = store_with(older).into_disk().bytes(StoreFile::Counter).clone();
        assert!(
            matches!(Store::open(disk), Err(GuardError::WentBackwards { .. })),
            "counter of {older} entries"
        );
    }
    // One entry behind is what a cut between the two writes leaves: nothing is forgotten.
    let mut disk = newest;
    *disk.bytes(StoreFile::Counter) = store_with(3).into_disk().bytes(StoreFile::Counter).clone();
    let mut store = Store::open(disk).unwrap();
    assert!(EQUIVOCATION.iter().all(|ask| ask(&mut store).is_err()));
}

#[test]
fn missing_files_are_never_taken_for_a_new_store() {
    assert!(matches!(Store::open(Sim::default()), Err(GuardError::Missing)));
    for gone in [StoreFile::Log, StoreFile::Counter] {
        let mut disk = store_with(2).into_disk();
        disk.files.remove(&gone);
        assert!(
            matches!(Store::open(disk.clone()), Err(GuardError::Damaged { .. })),
            "without {gone:?}"
        );
        assert!(
            matches!(Store::create(disk), Err(GuardError::Exists)),
            "without {gone:?}"
        );
    }
    assert!(matches!(
        Store::create(store_with(0).into_disk()),
        Err(GuardError::Exists)
    ));
}

#[test]
fn every_flipped_bit_and_every_cut_of_counted_bytes_is_refused() {
    let disk = store_with(4).into_disk();
    for file in [StoreFile::Log, StoreFile::Counter] {
        let length = disk.clone().bytes(file).len();
        for bit in 0..8 * length {
            let mut damaged = disk.clone();
            damaged.bytes(file)[bit / 8] ^= 1 << (bit % 8);
            assert!(Store::open(damaged).is_err(), "{file:?} bit {bit}");
        }
        for cut in 0..length {
            let mut damaged = disk.clone();
            damaged.bytes(file).truncate(cut);
            assert!(Store::open(damaged).is_err(), "{file:?} cut to {cut}");
        }
    }
}

/// The entries of a log, header apart.
fn entries(log: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = &log[5..];
    let mut all = Vec::new();
    while !rest.is_empty() {
        let length = 36 + u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        all.push(rest[..length].to_vec());
        rest = &rest[length..];
    }
    all
}

#[test]
fn reordered_repeated_and_removed_entries_are_refused() {
    let disk = store_with(4).into_disk();
    let parts = entries(&disk.clone().bytes(StoreFile::Log).clone());
    assert_eq!(parts.len(), 4);
    let orders: [&[usize]; 7] = [
        &[1, 0, 2, 3],
        &[0, 2, 1, 3],
        &[0, 1, 3, 2],
        &[0, 0, 2, 3],
        &[0, 1, 1, 3],
        &[0, 1, 2],
        &[0, 1, 2, 3, 3],
    ];
    for order in orders {
        let mut damaged = disk.clone();
        let mut log = b"TPSO\x01".to_vec();
        order.iter().for_each(|&i| log.extend(&parts[i]));
        *damaged.bytes(StoreFile::Log) = log;
        if order.len() == 5 {
            // The repeated entry does not follow the last: it is cut off like a torn one, nothing is lost.
            let mut store = Store::open(damaged).unwrap();
            assert!(EQUIVOCATION.iter().all(|ask| ask(&mut store).is_err()));
        } else {
            assert!(Store::open(damaged).is_err(), "{order:?}");
        }
    }
    // A log and counter of different stores.
    let mut mixed = disk.clone();
    let mut other = Store::create(Sim::default()).unwrap();
    for i in 0..4u32 {
        other
            .sign(
                &keys().value(&slot("x"), 8 + i as usize).unwrap(),
                &Value::from_nibbles(vec![1; 8 + i as usize]).unwrap(),
            )
            .ok();
        other
            .reveal(&keys().choice(&slot(&format!("c{i}")), 2).unwrap(), 0)
            .unwrap();
    }
    *mixed.bytes(StoreFile::Log) = other.into_disk().bytes(StoreFile::Log).clone();
    assert!(Store::open(mixed).is_err());
}

#[test]
fn files_on_disk_are_locked_found_again_and_never_overwritten() {
    let (logs, counters) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (logs, counters) = (logs.path(), counters.path());
    assert!(matches!(
        FileGuard::open(logs, counters),
        Err(GuardError::Missing)
    ));
    let mut guard = FileGuard::create(logs, counters).unwrap();
    SCENARIO.iter().for_each(|ask| ask(&mut guard).unwrap());
    assert!(matches!(FileGuard::open(logs, counters), Err(GuardError::Locked)));
    drop(guard);
    assert!(matches!(
        FileGuard::create(logs, counters),
        Err(GuardError::Exists)
    ));
    for _ in 0..2 {
        let mut guard = FileGuard::open(logs, counters).unwrap();
        SCENARIO.iter().for_each(|ask| ask(&mut guard).unwrap());
        assert!(
            EQUIVOCATION
                .iter()
                .all(|ask| matches!(ask(&mut guard), Err(GuardError::Used { .. })))
        );
    }
    // A torn entry at the end of the real file.
    let log = logs.join("sign-once.log");
    let mut bytes = std::fs::read(&log).unwrap();
    bytes.extend([0, 0, 0, 90, 1, 2, 3]);
    std::fs::write(&log, &bytes).unwrap();
    drop(FileGuard::open(logs, counters).unwrap());
    assert_eq!(std::fs::read(&log).unwrap().len(), bytes.len() - 7);
    // An older copy of it.
    std::fs::write(&log, &bytes[..bytes.len() / 2]).unwrap();
    assert!(matches!(
        FileGuard::open(logs, counters),
        Err(GuardError::Damaged { .. })
    ));
    assert!(matches!(
        FileGuard::open(&logs.join("none"), counters),
        Err(GuardError::Io { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn noise_in_either_file_never_panics_nor_opens(noise: Vec<u8>, keep in 0usize..400) {
        let disk = store_with(4).into_disk();
        for file in [StoreFile::Log, StoreFile::Counter] {
            let mut damaged = disk.clone();
            let whole = damaged.bytes(file).clone();
            let kept = keep % whole.len();
            let bytes = [&whole[..kept], &noise].concat();
            prop_assume!(!bytes.starts_with(&whole));
            *damaged.bytes(file) = bytes;
            prop_assert!(Store::open(damaged).is_err());
        }
    }

    #[test]
    fn noise_after_the_log_is_cut_off_or_refused(noise in prop::collection::vec(any::<u8>(), 0..80)) {
        let mut disk = store_with(4).into_disk();
        disk.bytes(StoreFile::Log).extend(&noise);
        if let Ok(mut store) = Store::open(disk) {
            for ask in EQUIVOCATION {
                let refused = matches!(ask(&mut store), Err(GuardError::Used { .. }));
                prop_assert!(refused);
            }
            for ask in SCENARIO {
                prop_assert!(ask(&mut store).is_ok());
            }
        }
    }
}
