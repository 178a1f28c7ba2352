//! The tree does what a map does, and its root depends on nothing but the map.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use alloy_primitives::{Address, B256, U256, keccak256};
use proptest::prelude::*;

use super::{Entries, Tree, key, root_of, word};
use crate::{
    Account, Checked, EMPTY_ROOT, End, NodeSource, Overlay, Recording, StateError, account_key, code_key,
    get, prove, read_account, read_blob, read_code, read_storage, storage_key, update, visit,
};

/// Keys of which many share long prefixes, and some are alike but for the last bits.
fn keys() -> impl Strategy<Value = B256> {
    prop_oneof![
        any::<[u8; 32]>().prop_map(B256::new),
        (0u8..8, 0u8..8).prop_map(|(first, last)| {
            let mut key = B256::ZERO;
            key[0] = first << 5;
            key[31] = last;
            key
        }),
        (0usize..256).prop_map(|bit| {
            let mut key = word(0xff);
            key[bit / 8] ^= 0x80 >> (bit % 8);
            key
        }),
    ]
}

/// Changes as `update` takes them, from pairs in any order.
fn sorted(changes: Vec<(B256, Option<u8>)>) -> Vec<(B256, Option<B256>)> {
    let map: alloc::collections::BTreeMap<_, _> = changes
        .into_iter()
        .map(|(key, value)| (key, value.map(|byte| word(byte + 1))))
        .collect();
    map.into_iter().collect()
}

/// A few rounds of changes to few keys, deletions among them.
fn rounds() -> impl Strategy<Value = Vec<Vec<(B256, Option<B256>)>>> {
    proptest::collection::vec(keys(), 1..24).prop_flat_map(|keys| {
        let change = (
            proptest::sample::select(keys),
            proptest::option::weighted(0.6, 0u8..4),
        );
        let round = proptest::collection::vec(change, 0..24).prop_map(sorted);
        proptest::collection::vec(round, 1..6)
    })
}

fn entries() -> impl Strategy<Value = Entries> {
    proptest::collection::btree_map(keys(), any::<[u8; 32]>().prop_map(B256::new), 0..24)
}

fn change_map(entries: &mut Entries, changes: &[(B256, Option<B256>)]) {
    for (key, value) in changes {
        match value {
            Some(value) => entries.insert(*key, *value),
            None => entries.remove(key),
        };
    }
}

/// Nodes of a tree, counted by walking it.
fn reachable(tree: &Tree) -> BTreeSet<B256> {
    let source = Recording::new(&tree.nodes);
    visit(&source, &tree.root, |_, _| ()).unwrap();
    source.into_nodes().into_keys().collect()
}

proptest! {
    #[test]
    fn a_tree_is_a_map(rounds in rounds()) {
        let (mut tree, mut map) = (Tree::default(), Entries::new());
        for changes in rounds {
            tree.change(&changes);
            change_map(&mut map, &changes);
            prop_assert_eq!(tree.root, root_of(&map));
            for (key, _) in &changes {
                prop_assert_eq!(get(&tree.nodes, &tree.root, key).unwrap(), map.get(key).copied());
            }
            let mut seen = Vec::new();
            visit(&tree.nodes, &tree.root, |key, value| seen.push((key, value))).unwrap();
            prop_assert_eq!(seen, map.iter().map(|(k, v)| (*k, *v)).collect::<Vec<_>>());
            // Nothing that is stale stays, nothing that is needed goes.
            prop_assert_eq!(reachable(&tree), tree.nodes.keys().copied().collect());
        }
    }

    #[test]
    fn the_root_does_not_depend_on_order(map in entries(), seed in any::<u64>()) {
        let mut order: Vec<_> = map.iter().map(|(k, v)| (*k, *v)).collect();
        order.sort_by_key(|(key, _)| keccak256([key.as_slice(), &seed.to_be_bytes()].concat()));
        prop_assert_eq!(Tree::of(&order).root, root_of(&map));
    }

    #[test]
    fn what_is_inserted_and_deleted_was_never_there(map in entries(), others in entries()) {
        let mut tree = Tree::of(&map.iter().map(|(k, v)| (*k, *v)).collect::<Vec<_>>());
        let before = (tree.root, tree.nodes.clone());
        let fresh: Vec<_> = others.iter().filter(|(key, _)| !map.contains_key(*key)).collect();
        tree.change(&fresh.iter().map(|(k, v)| (**k, Some(**v))).collect::<Vec<_>>());
        tree.change(&fresh.iter().map(|(k, _)| (**k, None)).collect::<Vec<_>>());
        prop_assert_eq!((tree.root, tree.nodes), before);
    }

    #[test]
    fn what_is_there_already_makes_nothing(map in entries(), others in entries()) {
        let tree = Tree::of(&map.iter().map(|(k, v)| (*k, *v)).collect::<Vec<_>>());
        let mut changes: Vec<_> = map.iter().map(|(k, v)| (*k, Some(*v))).collect();
        changes.extend(others.keys().filter(|key| !map.contains_key(*key)).map(|key| (*key, None)));
        changes.sort_unstable();
        let update = update(&tree.nodes, &tree.root, &changes).unwrap();
        prop_assert_eq!(update.root, tree.root);
        prop_assert!(update.nodes.is_empty() && update.stale.is_empty());
    }

    /// The witness that one run records is all that another needs, and no node more than it takes.
    #[test]
    fn a_recorded_witness_is_enough(map in entries(), changes in rounds()) {
        let tree = Tree::of(&map.iter().map(|(k, v)| (*k, *v)).collect::<Vec<_>>());
        let source = Recording::new(&tree.nodes);
        let update_of_all = update(&source, &tree.root, &changes[0]).unwrap();
        let witness = source.into_nodes();
        prop_assert_eq!(&update(&witness, &tree.root, &changes[0]).unwrap(), &update_of_all);
        for digest in witness.keys() {
            let mut less = witness.clone();
            less.remove(digest);
            let missing = update(&less, &tree.root, &changes[0]);
            prop_assert!(matches!(missing, Err(StateError::Missing(node)) if node.0 == *digest));
        }
    }

    #[test]
    fn every_key_has_a_proof(map in entries(), others in entries()) {
        let tree = Tree::of(&map.iter().map(|(k, v)| (*k, *v)).collect::<Vec<_>>());
        for key in map.keys().chain(others.keys()) {
            let proof = prove(&tree.nodes, &tree.root, key).unwrap();
            prop_assert_eq!(proof.verify(&tree.root, key), Ok(map.get(key).copied()));
            prop_assert_eq!(&crate::Proof::decode_exact(&proof.encode()).unwrap(), &proof);
        }
    }
}

#[test]
fn a_lone_leaf_is_the_root_and_moves_up_and_down() {
    let (a, b) = (key("0000000011"), key("0000000010"));
    let mut tree = Tree::of(&[(a, word(1))]);
    let alone = tree.root;
    assert_eq!(tree.nodes.len(), 2);
    tree.change(&[(b, Some(word(2)))]);
    // Ten inner nodes, two leaves, two entries.
    assert_eq!(tree.nodes.len(), 14);
    assert_eq!(prove(&tree.nodes, &tree.root, &a).unwrap().siblings.len(), 10);
    tree.change(&[(b, None)]);
    assert_eq!((tree.root, tree.nodes.len()), (alone, 2));
    tree.change(&[(a, None)]);
    assert_eq!((tree.root, tree.nodes.len()), (EMPTY_ROOT, 0));
}

#[test]
fn keys_that_differ_in_the_last_bit_lie_at_full_depth() {
    let mut last = B256::ZERO;
    last[31] = 1;
    let mut tree = Tree::of(&[(B256::ZERO, word(1)), (last, word(2))]);
    let proof = prove(&tree.nodes, &tree.root, &last).unwrap();
    assert_eq!(proof.siblings.len(), 256);
    assert_eq!(proof.verify(&tree.root, &last), Ok(Some(word(2))));
    tree.change(&[(B256::ZERO, None)]);
    assert_eq!(tree.nodes.len(), 2);
}

#[test]
fn an_absent_key_is_shown_by_an_empty_place_or_by_another_leaf() {
    let tree = Tree::of(&[(key("000"), word(1)), (key("001"), word(2)), (key("11"), word(3))]);
    let empty = prove(&tree.nodes, &tree.root, &key("01")).unwrap();
    assert_eq!(empty.end, End::Empty);
    assert_eq!(empty.verify(&tree.root, &key("01")), Ok(None));
    let other = prove(&tree.nodes, &tree.root, &key("10")).unwrap();
    assert_eq!(
        other.end,
        End::Leaf {
            key: key("11"),
            value: word(3)
        }
    );
    assert_eq!(other.verify(&tree.root, &key("10")), Ok(None));
}

#[test]
fn accounts_words_and_code_are_read_back() {
    let address = Address::repeat_byte(7);
    let account = Account {
        nonce: 3,
        balance: U256::from(1_000_000),
        code_hash: keccak256([1, 2, 3]),
    };
    let mut nodes = Overlay::new(super::Nodes::new());
    let body = account.encode();
    nodes.nodes.insert(l2_block::hash(&body), body);
    let blob = l2_block::blob_root(&[1, 2, 3], |digest, node| {
        nodes.nodes.insert(digest, node);
    });
    let slot = U256::from(9);
    let mut changes = alloc::vec![
        (account_key(&address), Some(l2_block::hash(&body))),
        (storage_key(&address, &slot), Some(B256::from(U256::from(77)))),
        (code_key(&account.code_hash), Some(blob)),
    ];
    changes.sort_unstable();
    let update = update(&nodes, &EMPTY_ROOT, &changes).unwrap();
    nodes.nodes.extend(update.nodes);
    let (nodes, root) = (Checked(nodes), update.root);
    assert_eq!(read_account(&nodes, &root, &address), Ok(Some(account)));
    assert_eq!(read_account(&nodes, &root, &Address::ZERO), Ok(None));
    assert_eq!(read_storage(&nodes, &root, &address, &slot), Ok(U256::from(77)));
    assert_eq!(read_storage(&nodes, &root, &address, &U256::ZERO), Ok(U256::ZERO));
    assert_eq!(
        read_code(&nodes, &root, &account.code_hash),
        Ok(Some([1, 2, 3].into()))
    );
    assert_eq!(read_code(&nodes, &root, &B256::ZERO), Ok(None));
}

#[test]
fn blobs_are_read_back() {
    for length in [0, 1, 31, 32, 33, 1000] {
        let bytes: Vec<u8> = (0..length).map(|i| i as u8 | 1).collect();
        let mut nodes = super::Nodes::new();
        let root = l2_block::blob_root(&bytes, |digest, node| {
            nodes.insert(digest, node);
        });
        assert_eq!(read_blob(&nodes, &root, length).unwrap(), bytes);
        if length > 0 {
            assert!(matches!(
                read_blob(&nodes, &root, length - 1),
                Err(StateError::Malformed { .. })
            ));
        }
        for digest in nodes.keys() {
            let mut less = nodes.clone();
            less.remove(digest);
            assert!(matches!(
                read_blob(&less, &root, length),
                Err(StateError::Missing(_))
            ));
        }
    }
}

#[test]
fn sources_answer_through_each_other() {
    let (old, new) = ([1; 64], [2; 64]);
    let (old_digest, new_digest) = (l2_block::hash(&old), l2_block::hash(&new));
    let base = super::Nodes::from([(old_digest, old)]);
    let mut overlay = Overlay::new(&base);
    overlay.nodes.insert(new_digest, new);
    let recording = Recording::new(alloc::sync::Arc::new(overlay));
    assert_eq!(recording.node(&old_digest), Ok(old));
    assert_eq!(recording.node(&new_digest), Ok(new));
    assert!(recording.node(&word(9)).is_err());
    assert_eq!(recording.into_nodes().len(), 2);
}
