//! Trees that are none, proofs that show nothing, sources that lie.

use alloc::vec::Vec;

use alloy_primitives::B256;
use proptest::prelude::*;

use super::{Nodes, Tree, key, word};
use crate::{
    Checked, EMPTY_ROOT, End, Proof, ProofError, StateError, TAG, get, prove, read_blob, update, visit,
};

fn put(nodes: &mut Nodes, left: &B256, right: &B256) -> B256 {
    let node = crate::node::both(left, right);
    let digest = l2_block::hash(&node);
    nodes.insert(digest, node);
    digest
}

fn put_leaf(nodes: &mut Nodes, key: &B256, value: &B256) -> B256 {
    let entry = put(nodes, key, value);
    put(nodes, &TAG, &entry)
}

fn is_malformed<T>(result: Result<T, StateError>) -> bool {
    matches!(result, Err(StateError::Malformed { .. }))
}

/// No operation that comes by what is wrong takes it.
fn assert_refused(nodes: &Nodes, root: &B256, key: &B256) {
    assert!(is_malformed(get(nodes, root, key)));
    assert!(is_malformed(prove(nodes, root, key)));
    assert!(is_malformed(visit(nodes, root, |_, _| ())));
    assert!(is_malformed(update(nodes, root, &[(*key, None)])));
    assert!(is_malformed(update(nodes, root, &[(*key, Some(word(9)))])));
}

#[test]
fn a_leaf_where_its_key_does_not_lead_is_no_entry() {
    let mut nodes = Nodes::new();
    let (astray, other) = (key("11"), key("10"));
    let left = put_leaf(&mut nodes, &astray, &word(1));
    let right = put_leaf(&mut nodes, &other, &word(2));
    let root = put(&mut nodes, &left, &right);
    assert_refused(&nodes, &root, &key("00"));
    // On its own key's way it is not met, so it is not there.
    assert_eq!(get(&nodes, &root, &astray), Ok(None));
}

#[test]
fn a_lone_leaf_deeper_than_it_need_be_is_refused() {
    for (bits, left) in [("0", true), ("1", false)] {
        let mut nodes = Nodes::new();
        let leaf = put_leaf(&mut nodes, &key(bits), &word(1));
        let root = if left {
            put(&mut nodes, &leaf, &EMPTY_ROOT)
        } else {
            put(&mut nodes, &EMPTY_ROOT, &leaf)
        };
        assert_refused(&nodes, &root, &key(bits));
        let proof = Proof {
            siblings: [EMPTY_ROOT].to_vec(),
            end: End::Leaf {
                key: key(bits),
                value: word(1),
            },
        };
        assert!(matches!(
            proof.verify(&root, &key(bits)),
            Err(ProofError::Malformed { .. })
        ));
    }
}

#[test]
fn an_inner_node_without_children_is_refused() {
    let mut nodes = Nodes::new();
    let root = put(&mut nodes, &EMPTY_ROOT, &EMPTY_ROOT);
    assert_refused(&nodes, &root, &key("0"));
    let proof = Proof {
        siblings: [EMPTY_ROOT].to_vec(),
        end: End::Empty,
    };
    assert!(proof.verify(&root, &key("0")).is_err());
}

/// A chain of inner nodes that leads past the last bit.
#[test]
fn a_tree_without_end_is_refused() {
    let mut nodes = Nodes::new();
    let mut root = put(&mut nodes, &word(1), &word(2));
    for _ in 0..300 {
        root = put(&mut nodes, &root, &word(3));
    }
    assert!(is_malformed(get(&nodes, &root, &B256::ZERO)));
    assert!(is_malformed(update(&nodes, &root, &[(B256::ZERO, None)])));
    assert!(is_malformed(prove(&nodes, &root, &B256::ZERO)));
}

/// Without [`Checked`] a map may even be a circle; every walk still ends.
#[test]
fn a_circle_ends() {
    let circle = Nodes::from([(word(1), crate::node::both(&word(1), &word(1)))]);
    let (root, zero) = (word(1), B256::ZERO);
    assert!(is_malformed(get(&circle, &root, &zero)));
    assert!(is_malformed(update(&circle, &root, &[(zero, Some(word(2)))])));
    assert!(matches!(
        get(&Checked(&circle), &root, &zero),
        Err(StateError::Missing(_))
    ));
    let list = Nodes::from([
        (word(1), {
            let mut node = crate::node::both(&B256::ZERO, &word(2));
            node[28..32].fill(0xff);
            node
        }),
        (word(2), crate::node::both(&word(7), &word(2))),
    ]);
    assert!(is_malformed(read_blob(&list, &word(1), 1000)));
}

/// A leaf's node read as an inner one would have the tag on the left and its entry's digest on the right.
#[test]
fn a_leaf_is_no_inner_node() {
    // Of a tree with the single entry (k, v), a proof for another key with k ‖ v as a node on its way.
    let (k, v) = (key("1"), word(5));
    let tree = Tree::of(&[(k, v)]);
    for end in [
        End::Empty,
        End::Leaf {
            key: key("11"),
            value: word(1),
        },
    ] {
        let proof = Proof {
            siblings: [TAG].to_vec(),
            end,
        };
        assert!(matches!(
            proof.verify(&tree.root, &key("11")),
            Err(ProofError::Malformed { .. })
        ));
    }
    // Nor is an entry a leaf or an inner node: its digest is no child of one.
    let entry = l2_block::hash_pair(&k, &v);
    let proof = Proof {
        siblings: [TAG, k].to_vec(),
        end: End::Leaf { key: k, value: v },
    };
    assert!(proof.verify(&entry, &k).is_err());
}

/// An attacker's storage word is the digest of a node that he made: nothing takes the word for a subtree.
#[test]
fn a_value_is_no_subtree() {
    let mut nodes = Nodes::new();
    let forged = put_leaf(&mut nodes, &key("01"), &word(1));
    let mut tree = Tree::of(&[(key("0"), forged), (key("1"), word(2))]);
    tree.nodes.extend(nodes);
    assert_eq!(get(&tree.nodes, &tree.root, &key("01")), Ok(None));
    assert_eq!(get(&tree.nodes, &tree.root, &key("0")), Ok(Some(forged)));
}

#[test]
fn changes_out_of_order_are_refused() {
    let nodes = Nodes::new();
    for changes in [
        [(key("1"), None), (key("0"), None)],
        [(key("1"), Some(word(1))), (key("1"), Some(word(2)))],
    ] {
        let refused = update(&nodes, &EMPTY_ROOT, &changes);
        assert!(matches!(refused, Err(StateError::Unsorted { index: 1, .. })));
    }
}

#[test]
fn a_source_that_lies_is_caught() {
    let tree = Tree::of(&[(key("0"), word(1)), (key("1"), word(2))]);
    for digest in tree.nodes.keys() {
        for bit in [0, 100, 300, 511] {
            let mut lying = tree.nodes.clone();
            lying.get_mut(digest).unwrap()[bit / 8] ^= 0x80 >> (bit % 8);
            let source = Checked(&lying);
            let found = visit(&source, &tree.root, |_, _| ());
            assert!(matches!(found, Err(StateError::Missing(node)) if node.0 == *digest));
        }
    }
}

#[test]
fn blobs_that_are_none_are_refused() {
    let mut nodes = Nodes::new();
    let length = |first: u8, last: u8| {
        let mut word = B256::ZERO;
        word[0] = first;
        word[31] = last;
        word
    };
    let (one, two, wide, huge) = (length(0, 1), length(0, 33), length(1, 1), length(0, 200));
    let end = put(&mut nodes, &length(7, 0), &B256::ZERO);
    let padded = put(&mut nodes, &word(7), &B256::ZERO);
    let long = put(&mut nodes, &length(7, 0), &end);
    for (length, list) in [
        (one, padded),
        (one, long),
        (two, end),
        (wide, end),
        (huge, end),
        (one, B256::ZERO),
        (B256::ZERO, end),
    ] {
        let root = put(&mut nodes, &length, &list);
        assert!(is_malformed(read_blob(&nodes, &root, 100)), "{length} {list}");
    }
    let root = put(&mut nodes, &one, &end);
    assert_eq!(read_blob(&nodes, &root, 100), Ok([7].to_vec()));
}

fn tree_and_keys() -> impl Strategy<Value = (Tree, Vec<B256>)> {
    proptest::collection::btree_map(any::<[u8; 2]>(), any::<u8>(), 1..20).prop_map(|map| {
        let spread = |bytes: &[u8; 2]| {
            let mut key = B256::ZERO;
            key[..2].copy_from_slice(bytes);
            key
        };
        let entries: Vec<_> = map.iter().map(|(k, v)| (spread(k), word(*v))).collect();
        let keys = entries.iter().map(|(key, _)| *key).collect();
        (Tree::of(&entries), keys)
    })
}

proptest! {
    #[test]
    fn a_changed_proof_shows_nothing_else(
        (tree, keys) in tree_and_keys(),
        at in any::<proptest::sample::Index>(),
        absent in any::<[u8; 32]>(),
        byte in any::<proptest::sample::Index>(),
        bit in 0u8..8,
    ) {
        for key in [*at.get(&keys), B256::new(absent)] {
            let truth = get(&tree.nodes, &tree.root, &key).unwrap();
            let proof = prove(&tree.nodes, &tree.root, &key).unwrap();
            let mut bytes = proof.encode();
            let byte = byte.index(bytes.len());
            bytes[byte] ^= 1 << bit;
            if let Ok(changed) = Proof::decode_exact(&bytes) {
                prop_assert_eq!(changed.encode(), bytes);
                prop_assert!(changed.verify(&tree.root, &key).is_err());
            }
            // Longer, shorter, the other verdict, another key's way.
            for forged in [
                Proof { siblings: [&proof.siblings[..], &[word(1)]].concat(), ..proof.clone() },
                Proof { siblings: [&proof.siblings[..], &[EMPTY_ROOT]].concat(), ..proof.clone() },
                Proof { siblings: proof.siblings.iter().skip(1).copied().collect(), ..proof.clone() },
                Proof { end: End::Leaf { key, value: word(0xee) }, ..proof.clone() },
            ] {
                if forged != proof {
                    prop_assert!(forged.verify(&tree.root, &key).is_err());
                }
            }
            if truth.is_some() {
                let absent = Proof { end: End::Empty, ..proof.clone() };
                prop_assert!(absent.verify(&tree.root, &key).is_err());
            }
            for other in &keys {
                if let Ok(shown) = proof.verify(&tree.root, other) {
                    prop_assert_eq!(shown, get(&tree.nodes, &tree.root, other).unwrap());
                }
            }
            prop_assert!(proof.verify(&word(1), &key).is_err());
        }
    }

    #[test]
    fn garbage_is_no_proof(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(proof) = Proof::decode_exact(&bytes) {
            prop_assert_eq!(proof.encode(), bytes);
        }
    }
}

#[test]
fn a_proof_is_bounded() {
    let long = Proof {
        siblings: (0..257).map(|_| word(1)).collect(),
        end: End::Empty,
    };
    assert_eq!(
        long.verify(&word(1), &word(2)),
        Err(ProofError::TooLong { got: 257 })
    );
    assert!(Proof::decode_exact(&long.encode()).is_err());
    let mut longer = Proof {
        siblings: Vec::new(),
        end: End::Empty,
    }
    .encode();
    assert_eq!(longer, [0xc2, 0xc0, 0xc0]);
    longer.push(0);
    assert!(Proof::decode_exact(&longer).is_err());
    assert!(Proof::decode_exact(&[0xc3, 0xc0, 0xc0, 0x80]).is_err());
    assert!(Proof::decode_exact(&[0xc3, 0xc0, 0xc1, 0x80]).is_err());
}
