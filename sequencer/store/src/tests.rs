use std::collections::BTreeMap;
use std::path::Path;

use alloy_primitives::{Address, B256, U256};
use l2_block::{
    Account, Block, Deposit, Fees, Forced, Genesis, Header, L1Block, L1Message, L1Origin, Tokenomics,
    Validator, Windows,
};
use l2_state::{NodeSource, StateError};
use l2_stf::{Spec, StateView, Template};

use crate::{CommittedBlock, Label, Options, Store, StoreError};

const OPTIONS: Options = Options {
    cache: 8 << 20,
    sync: false,
};

fn genesis() -> Genesis {
    let address = Address::repeat_byte(0xaa);
    let supply = U256::from(10u128.pow(27));
    let allocated = supply - supply * U256::from(2) / U256::from(5);
    Genesis {
        chain_id: 9,
        timestamp_ms: 1_000_000,
        origin: L1Origin {
            height: 100,
            hash: B256::repeat_byte(100),
        },
        bridge_key: B256::repeat_byte(1),
        fees: Fees {
            gas_limit: 30_000_000,
            min_base_fee: 1_000,
            min_data_fee: 1,
            max_data_fee: 10,
        },
        windows: Windows {
            forced: 10,
            origin_lag: 100,
            max_drift_ms: 1 << 39,
            confirmations: 6,
            connector_fallback: 72,
        },
        validators: vec![Validator {
            key: B256::repeat_byte(2),
            address,
            stake: U256::from(10u128.pow(20)),
        }],
        accounts: vec![Account {
            address,
            balance: U256::from(10u128.pow(18)),
        }],
        tokenomics: Tokenomics {
            supply,
            epoch: 1_000_000,
            halving: 10,
            allocation: vec![Account {
                address,
                balance: allocated,
            }],
            unbonding: 1,
            min_stake: U256::from(1),
            equivocation_slash: 500,
            downtime_slash: 1,
            missed_allowed: 5_000,
        },
    }
}

fn open(folder: &Path) -> Store {
    Store::open(folder, &genesis(), OPTIONS).unwrap()
}

fn head(store: &Store) -> Header {
    let number = store.labels().unwrap().latest.number;
    store.block(number).unwrap().unwrap().block.header
}

/// The account that block `number` deposits to: a few of them again and again, so that nodes come back.
fn depositor(number: u64) -> Address {
    Address::with_last_byte((number % 5) as u8 + 1)
}

/// The Bitcoin block after the head's origin, with a deposit and a forced transaction that is none.
fn l1(parent: &Header, salt: u64) -> L1Block {
    let height = parent.origin.height + 1;
    let number = parent.number + 1;
    L1Block {
        origin: L1Origin {
            height,
            hash: B256::left_padding_from(&[&height.to_be_bytes()[..], &salt.to_be_bytes()].concat()),
        },
        parent: parent.origin.hash,
        time: 1_000 + height,
        messages: vec![
            L1Message::Deposit(Deposit {
                txid: B256::repeat_byte(number as u8),
                vout: 0,
                recipient: depositor(number),
                amount: 1_000 + salt,
            }),
            L1Message::Forced(Forced {
                txid: B256::repeat_byte(number as u8),
                transaction: vec![number as u8; 40].into(),
            }),
        ],
    }
}

/// Makes and commits the next block; gives it.
fn step(store: &Store, salt: u64) -> Block {
    let parent = head(store);
    let l1 = [l1(&parent, salt)];
    let template = Template {
        timestamp_ms: parent.timestamp_ms.max(l1[0].time * 1_000),
        origin: l1[0].origin,
        round: 0,
        proposer: genesis().validators[0].address,
        data_fee: parent.data_fee,
        forced: u32::MAX,
        max_bytes: 1 << 20,
    };
    let spec = Spec::from(&genesis());
    let built = l2_stf::build(&spec, &store.latest_state(), &parent, &template, &l1, []).unwrap();
    let update = l2_stf::apply(&store, &parent.state_root, &built.executed.changes).unwrap();
    let (block, executed) = built.seal(update.root);
    store
        .commit(&CommittedBlock {
            block: &block,
            certificate: b"agreed",
            receipts: &executed.receipts,
            outcomes: &executed.transactions,
            changes: &executed.changes,
            update: &update,
            l1: &l1,
        })
        .unwrap();
    block
}

/// Everything under a root, by walking its tree.
fn entries(store: &Store, root: &B256) -> Result<BTreeMap<B256, B256>, StateError> {
    let mut all = BTreeMap::new();
    l2_state::visit(store, root, |key, value| {
        all.insert(key, value);
    })?;
    Ok(all)
}

/// The flat state and the tree say the same of the accounts that blocks touch.
fn agree(store: &Store) {
    let root = head(store).state_root;
    for number in 0..5 {
        let address = depositor(number);
        let flat = store.latest_state().account(&address).unwrap();
        let tree = l2_state::read_account(store, &root, &address).unwrap();
        assert_eq!(flat, tree);
    }
}

fn nodes(store: &Store) -> usize {
    store
        .db
        .iterator_cf(store.column("nodes"), rocksdb::IteratorMode::Start)
        .count()
}

#[test]
fn blocks_are_found_by_number_hash_and_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let block = step(&store, 0);
    let stored = store.block(1).unwrap().unwrap();
    assert_eq!(stored.block, block);
    assert_eq!(&stored.certificate[..], b"agreed");
    assert_eq!(stored.receipts.len(), stored.outcomes.len());
    assert_eq!(stored.receipts.len(), 2);
    assert_eq!(store.number_of(&block.header.hash()).unwrap(), Some(1));
    for (index, outcome) in stored.outcomes.iter().enumerate() {
        let place = store.transaction(&outcome.hash).unwrap().unwrap();
        assert_eq!((place.number, place.index as usize), (1, index));
    }
    assert_eq!(store.l1_block(101).unwrap().unwrap().messages.len(), 2);
    assert_eq!(store.block(2).unwrap(), None);
    assert_eq!(store.number_of(&B256::ZERO).unwrap(), None);
    agree(&store);
}

#[test]
fn a_block_that_does_not_follow_is_refused_and_nothing_changes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let first = step(&store, 0);
    let update = l2_state::Update {
        root: first.header.state_root,
        nodes: Vec::new(),
        stale: Vec::new(),
    };
    let commit = |block: &Block, update: &l2_state::Update| {
        store.commit(&CommittedBlock {
            block,
            certificate: &[],
            receipts: &[],
            outcomes: &[],
            changes: &l2_stf::Changes::default(),
            update,
            l1: &[],
        })
    };
    assert!(matches!(commit(&first, &update), Err(StoreError::NotNext { .. })));
    let mut next = first.clone();
    next.header.number = 2;
    assert!(matches!(commit(&next, &update), Err(StoreError::NotNext { .. })));
    next.header.parent = first.header.hash();
    let other = l2_state::Update {
        root: B256::repeat_byte(7),
        ..update.clone()
    };
    assert!(matches!(commit(&next, &other), Err(StoreError::StateRoot { .. })));
    assert_eq!(head(&store), first.header);
    commit(&next, &update).unwrap();
}

#[test]
fn it_comes_back_as_it_was_and_refuses_other_chains_and_layouts() {
    let folder = tempfile::tempdir().unwrap();
    let last = {
        let store = open(folder.path());
        step(&store, 0);
        store.set_label(Label::Safe, 1).unwrap();
        store.set_record("poster", b"abc").unwrap();
        store.set_batch(3, b"batch").unwrap();
        step(&store, 0)
    };
    let store = open(folder.path());
    assert_eq!(head(&store), last.header);
    let labels = store.labels().unwrap();
    assert_eq!((labels.latest.number, labels.safe, labels.finalized), (2, 1, 0));
    assert_eq!(store.record("poster").unwrap().unwrap(), b"abc");
    assert_eq!(store.last_batch().unwrap().unwrap(), (3, b"batch".to_vec()));
    assert!(matches!(
        store.set_label(Label::Safe, 3),
        Err(StoreError::NoBlock { number: 3, head: 2 })
    ));
    agree(&store);
    drop(store);
    let mut other = genesis();
    other.chain_id += 1;
    assert!(matches!(
        Store::open(folder.path(), &other, OPTIONS),
        Err(StoreError::OtherChain { .. })
    ));
    let store = open(folder.path());
    store
        .db
        .put_cf(store.column("meta"), b"schema", alloy_rlp::encode(99u64))
        .unwrap();
    drop(store);
    assert!(matches!(
        Store::open(folder.path(), &genesis(), OPTIONS),
        Err(StoreError::Schema { got: 99, .. })
    ));
}

#[test]
fn rewinding_and_going_another_way_gives_the_same_as_never_having_been_there() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (wandering, straight) = (open(folders[0].path()), open(folders[1].path()));
    for _ in 0..3 {
        step(&wandering, 0);
        step(&straight, 0);
    }
    for salt in 1..6 {
        step(&wandering, salt);
    }
    wandering.set_label(Label::Safe, 7).unwrap();
    wandering.rewind(3).unwrap();
    assert_eq!(wandering.labels().unwrap().safe, 3);
    assert_eq!(head(&wandering), head(&straight));
    assert_eq!(nodes(&wandering), nodes(&straight));
    assert_eq!(wandering.block(4).unwrap(), None);
    for salt in 10..14 {
        assert_eq!(step(&wandering, salt), step(&straight, salt));
    }
    assert_eq!(nodes(&wandering), nodes(&straight));
    agree(&wandering);
    assert!(matches!(wandering.rewind(99), Err(StoreError::NoBlock { .. })));
}

#[test]
fn old_states_are_read_until_they_are_pruned_and_newer_ones_stay_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut roots = vec![head(&store).state_root];
    for _ in 0..20 {
        roots.push(step(&store, 0).header.state_root);
    }
    let all: Vec<_> = roots.iter().map(|root| entries(&store, root).unwrap()).collect();
    let balance = |number: u64| {
        let state = store.state_at(number).unwrap();
        state
            .account(&depositor(1))
            .unwrap()
            .map(|account| account.balance)
    };
    assert_eq!(balance(0), None);
    assert!(balance(1) < balance(6));

    let before = nodes(&store);
    assert_eq!(store.prune(5, 4).unwrap(), 4);
    assert_eq!(store.prune(5, 100).unwrap(), 11);
    assert_eq!(store.prune(5, 100).unwrap(), 0);
    assert!(nodes(&store) < before);
    assert_eq!(store.oldest_state().unwrap(), 15);
    assert!(matches!(
        store.state_at(14),
        Err(StoreError::Pruned {
            number: 14,
            oldest: 15
        })
    ));
    assert!(matches!(store.state_at(21), Err(StoreError::NoBlock { .. })));
    for number in 15..=20usize {
        assert_eq!(
            entries(&store, &roots[number]).unwrap(),
            all[number],
            "block {number}"
        );
    }
    // Back to the edge, but not over it; and on from there.
    store.rewind(15).unwrap();
    assert!(matches!(store.rewind(14), Err(StoreError::Pruned { .. })));
    assert_eq!(entries(&store, &roots[15]).unwrap(), all[15]);
    for root in &roots[16..=20] {
        assert_eq!(step(&store, 0).header.state_root, *root);
    }
    // When only the head's state is kept, no node is left that it does not need.
    store.prune(0, 100).unwrap();
    let root = head(&store).state_root;
    assert_eq!(entries(&store, &root).unwrap(), all[20]);
}

#[test]
fn a_snapshot_gives_the_same_state_and_a_changed_one_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("one"));
    for _ in 0..7 {
        step(&store, 0);
    }
    let file = folder.path().join("snapshot");
    let summary = store.export(&file).unwrap();
    assert_eq!(summary.head.number, 7);
    assert!(summary.accounts >= 5 && summary.words > 0);
    let copy = Store::import(&folder.path().join("two"), &genesis(), OPTIONS, &file).unwrap();
    assert_eq!(head(&copy), head(&store));
    let root = head(&store).state_root;
    assert_eq!(entries(&copy, &root).unwrap(), entries(&store, &root).unwrap());
    // It goes on like the other: blobs of the queue and code are there, too.
    assert_eq!(step(&copy, 5), step(&store, 5));
    agree(&copy);
    assert!(matches!(copy.state_at(3), Err(StoreError::Pruned { .. })));
    drop(copy);
    assert_eq!(head(&open(&folder.path().join("two"))).number, 8);

    let refused = |name: &str, bytes: &[u8], genesis: &Genesis| {
        let changed = folder.path().join("changed");
        std::fs::write(&changed, bytes).unwrap();
        let target = folder.path().join(name);
        let error = Store::import(&target, genesis, OPTIONS, &changed)
            .map(|_| ())
            .unwrap_err();
        // What was begun is no database: the folder can be used for a good file.
        let _ = std::fs::remove_dir_all(&target);
        error
    };
    let good = std::fs::read(&file).unwrap();
    for place in [0, 9, good.len() / 2, good.len() - 1] {
        let mut bytes = good.clone();
        bytes[place] ^= 1;
        let error = refused("flipped", &bytes, &genesis());
        assert!(matches!(error, StoreError::Snapshot(_)), "{error}");
    }
    assert!(matches!(
        refused("short", &good[..good.len() - 40], &genesis()),
        StoreError::Snapshot(_)
    ));
    assert!(matches!(
        refused("empty", b"", &genesis()),
        StoreError::Snapshot(_)
    ));
    let mut other = genesis();
    other.chain_id += 1;
    assert!(matches!(refused("other", &good, &other), StoreError::Snapshot(_)));
    // A folder with a database is not written over.
    assert!(matches!(
        Store::import(&folder.path().join("two"), &genesis(), OPTIONS, &file),
        Err(StoreError::Snapshot(_))
    ));
}

#[test]
fn a_snapshot_that_hashes_right_but_lies_about_the_state_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("one"));
    step(&store, 0);
    // A liar's node: its flat state says that somebody is rich.
    let rich = l2_state::Account {
        balance: U256::from(u64::MAX),
        ..Default::default()
    };
    let address = depositor(1);
    store
        .db
        .put_cf(
            store.column("flat"),
            crate::columns::account(&address),
            rich.encode(),
        )
        .unwrap();
    let file = folder.path().join("snapshot");
    store.export(&file).unwrap();
    let error = Store::import(&folder.path().join("two"), &genesis(), OPTIONS, &file)
        .map(|_| ())
        .unwrap_err();
    assert!(matches!(error, StoreError::StateRoot { .. }), "{error}");
}

/// A snapshot's records, as kind and bytes.
fn records(file: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let stream = zstd::decode_all(&file[8..file.len() - 32]).unwrap();
    let (mut rest, mut records) = (stream.as_slice(), Vec::new());
    while let [kind, a, b, c, d, after @ ..] = rest {
        let (bytes, next) = after.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize);
        records.push((*kind, bytes.to_vec()));
        rest = next;
    }
    records
}

/// A snapshot of these records that hashes right.
fn sealed(records: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut stream = Vec::new();
    for (kind, bytes) in records {
        stream.push(*kind);
        stream.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        stream.extend_from_slice(bytes);
    }
    let mut file = b"TAPSNAP1".to_vec();
    file.extend(zstd::encode_all(stream.as_slice(), 3).unwrap());
    let hash = blake3::hash(&file);
    file.extend_from_slice(hash.as_bytes());
    file
}

/// Commits a block whose forced entries stay in the queue; gives their bytes.
fn step_with_queue(store: &Store) -> Vec<Vec<u8>> {
    let parent = head(store);
    let mut l1 = [l1(&parent, 0)];
    let entries: Vec<Vec<u8>> = (0..3u8).map(|byte| vec![0xf0 + byte; 1_000]).collect();
    l1[0].messages = entries
        .iter()
        .map(|bytes| {
            L1Message::Forced(Forced {
                txid: B256::ZERO,
                transaction: bytes.clone().into(),
            })
        })
        .collect();
    let template = Template {
        timestamp_ms: parent.timestamp_ms.max(l1[0].time * 1_000),
        origin: l1[0].origin,
        round: 0,
        proposer: genesis().validators[0].address,
        data_fee: parent.data_fee,
        forced: 0,
        max_bytes: 1 << 20,
    };
    let spec = Spec::from(&genesis());
    let built = l2_stf::build(&spec, &store.latest_state(), &parent, &template, &l1, []).unwrap();
    let update = l2_stf::apply(&store, &parent.state_root, &built.executed.changes).unwrap();
    let (block, executed) = built.seal(update.root);
    assert_eq!(block.header.forced, 0);
    store
        .commit(&CommittedBlock {
            block: &block,
            certificate: b"agreed",
            receipts: &executed.receipts,
            outcomes: &executed.transactions,
            changes: &executed.changes,
            update: &update,
            l1: &l1,
        })
        .unwrap();
    entries
}

#[test]
fn a_snapshot_without_a_blob_of_the_queue_is_refused() {
    const BLOB: u8 = 5;
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("one"));
    // Entries that were taken leave blobs in the database, which the snapshot does not need.
    step(&store, 0);
    let entries = step_with_queue(&store);
    let file = folder.path().join("snapshot");
    store.export(&file).unwrap();
    let whole = records(&std::fs::read(&file).unwrap());
    let blobs: Vec<Vec<u8>> = whole
        .iter()
        .filter(|(kind, _)| *kind == BLOB)
        .map(|(_, bytes)| bytes.clone())
        .collect();
    assert_eq!(blobs, entries);
    // As it was written it is taken, and goes on like the other.
    let changed = folder.path().join("changed");
    let import = |name: &str, records: &[(u8, Vec<u8>)]| {
        std::fs::write(&changed, sealed(records)).unwrap();
        Store::import(&folder.path().join(name), &genesis(), OPTIONS, &changed)
    };
    let copy = import("two", &whole).unwrap();
    for missing in &entries {
        let mut without = whole.clone();
        without.retain(|(_, bytes)| bytes != missing);
        assert_eq!(without.len(), whole.len() - 1);
        let error = import(&format!("without-{}", missing[0]), &without)
            .map(|_| ())
            .unwrap_err();
        let root = l2_block::blob_root(missing, |_, _| ());
        assert!(
            matches!(&error, StoreError::Snapshot(text) if text.contains(&root.to_string())),
            "{error}"
        );
    }
    // Nor does the node that lost one write a snapshot.
    let root = l2_block::blob_root(&entries[1], |_, _| ());
    let gone = open(&folder.path().join("three"));
    step(&gone, 0);
    step_with_queue(&gone);
    gone.db.delete_cf(gone.column("blobs"), root).unwrap();
    assert!(gone.export(&folder.path().join("none")).is_err());
    assert_eq!(step(&copy, 0), step(&store, 0));
}

#[test]
fn records_are_no_longer_than_they_can_honestly_be() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("one"));
    step(&store, 0);
    let file = folder.path().join("snapshot");
    store.export(&file).unwrap();
    let whole = records(&std::fs::read(&file).unwrap());
    let changed = folder.path().join("changed");
    for (kind, length) in [
        (0, 33),
        (1, (64 << 20) + 1),
        (2, 85),
        (3, 85),
        (4, 24_577),
        (5, (128 << 10) + 1),
        (6, 1),
        (7, 0),
    ] {
        let mut bomb = whole.clone();
        bomb.insert(1, (kind, vec![0; length]));
        std::fs::write(&changed, sealed(&bomb)).unwrap();
        let error = Store::import(
            &folder.path().join(format!("kind-{kind}")),
            &genesis(),
            OPTIONS,
            &changed,
        )
        .map(|_| ())
        .unwrap_err();
        assert!(
            matches!(&error, StoreError::Snapshot(text) if text.contains("a record of kind")),
            "{kind}: {error}"
        );
    }
}

#[test]
fn many_blobs_are_written_out_as_they_come() {
    const BLOB: u8 = 5;
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("one"));
    step(&store, 0);
    let file = folder.path().join("snapshot");
    store.export(&file).unwrap();
    let mut padded = records(&std::fs::read(&file).unwrap());
    let end = padded.len() - 1;
    // Some megabytes of blobs that nobody needs, before the end: several times what is held at a time.
    for byte in 0..60u8 {
        padded.insert(end, (BLOB, vec![byte; 128 << 10]));
    }
    std::fs::write(&file, sealed(&padded)).unwrap();
    let copy = Store::import(&folder.path().join("two"), &genesis(), OPTIONS, &file).unwrap();
    assert_eq!(step(&copy, 0), step(&store, 0));
}

#[test]
fn a_log_that_is_cut_off_anywhere_gives_some_whole_block() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("one");
    let hashes: Vec<B256> = {
        let store = open(&data);
        let mut hashes = vec![head(&store).hash()];
        for _ in 0..6 {
            hashes.push(step(&store, 0).header.hash());
        }
        hashes
    };
    // The newest log has what was not flushed into tables.
    let log = std::fs::read_dir(&data)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .max_by_key(|path| std::fs::metadata(path).unwrap().len())
        .unwrap();
    let bytes = std::fs::read(&log).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for part in 1..12 {
        let copy = folder.path().join(format!("cut-{part}"));
        std::fs::create_dir(&copy).unwrap();
        for entry in std::fs::read_dir(&data).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
        }
        let cut = bytes.len() * part / 12;
        std::fs::write(copy.join(log.file_name().unwrap()), &bytes[..cut]).unwrap();
        let store = open(&copy);
        let header = head(&store);
        assert_eq!(header.hash(), hashes[header.number as usize]);
        seen.insert(header.number);
        entries(&store, &header.state_root).unwrap();
        agree(&store);
        // It goes on from there as the others did.
        while head(&store).number < 6 {
            let number = head(&store).number + 1;
            assert_eq!(step(&store, 0).header.hash(), hashes[number as usize]);
        }
    }
    assert!(seen.len() > 2, "cuts gave only {seen:?}");
}

#[test]
fn damage_is_told_and_never_taken_for_absence() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    step(&store, 0);
    let root = head(&store).state_root;
    let (db, column) = (&store.db, |name| store.column(name));
    db.put_cf(column("flat"), crate::columns::account(&depositor(1)), b"short")
        .unwrap();
    assert!(matches!(
        store.latest_state().account(&depositor(1)),
        Err(StoreError::Corrupt { .. })
    ));
    db.put_cf(column("blocks"), 1u64.to_be_bytes(), b"garbage")
        .unwrap();
    assert!(matches!(store.block(1), Err(StoreError::Corrupt { .. })));
    db.delete_cf(column("nodes"), root).unwrap();
    assert!(store.node(&root).is_err());
    assert!(matches!(
        store.latest_state().code(&B256::repeat_byte(1)),
        Err(StoreError::Corrupt { .. })
    ));
    drop(store);
    assert!(matches!(
        Store::open(folder.path(), &genesis(), OPTIONS),
        Err(StoreError::Corrupt { .. })
    ));
}
