//! Trees against `bitcoin`'s own builder, BIP-0341's vectors and Bitcoin Core's engine.

use std::sync::atomic::{AtomicUsize, Ordering};

use bitcoin::hashes::Hash;
use bitcoin::script::Builder;
use bitcoin::secp256k1::XOnlyPublicKey;
use bitcoin::taproot::{TaprootBuilder, TaprootSpendInfo};
use proptest::prelude::*;

use super::*;
use crate::engine::{internal_key, spends};

/// Leaves that accept an empty witness, all different.
fn script(leaf: usize) -> ScriptBuf {
    Builder::new().push_int(leaf as i64 + 1).into_script()
}

fn tree(shape: Shape<'_>) -> TapTree {
    TapTree::new(&Secp256k1::verification_only(), internal_key(), shape, script).unwrap()
}

/// The same tree, by `bitcoin`'s builder: leaves from left to right, by the shape's merges.
fn reference(shape: Shape<'_>) -> TaprootSpendInfo {
    fn walk(
        node: u32,
        depth: u8,
        leaves: u32,
        merges: &[(u32, u32)],
        builder: TaprootBuilder,
    ) -> TaprootBuilder {
        if node < leaves {
            return builder.add_leaf(depth, script(node as usize)).unwrap();
        }
        let (left, right) = merges[(node - leaves) as usize];
        let builder = walk(left, depth + 1, leaves, merges, builder);
        walk(right, depth + 1, leaves, merges, builder)
    }
    let merges = shape.merges().unwrap();
    let leaves = shape.leaves() as u32;
    let root = leaves + merges.len() as u32 - 1;
    let builder = walk(root, 0, leaves, &merges, TaprootBuilder::new());
    builder
        .finalize(&Secp256k1::verification_only(), internal_key())
        .unwrap()
}

fn assert_equals_reference(shape: Shape<'_>) {
    let (ours, reference) = (tree(shape), reference(shape));
    assert_eq!(Some(ours.merkle_root()), reference.merkle_root());
    assert_eq!(ours.output_key(), reference.output_key());
    for leaf in 0..shape.leaves() {
        let script = script(leaf);
        let control = ours.control_block(leaf, &script).unwrap();
        // Among equal scripts the builder answers the shallowest; ours are all different.
        assert_eq!(
            Some(&control),
            reference
                .control_block(&(script, LeafVersion::TapScript))
                .as_ref()
        );
        assert_eq!(control.merkle_branch.len(), ours.depth(leaf).unwrap());
    }
}

#[test]
fn balanced_trees_equal_the_reference() {
    for leaves in 1..=40 {
        assert_equals_reference(Shape::Balanced(leaves));
    }
}

#[test]
fn no_leaf_of_a_balanced_tree_is_deeper_than_the_logarithm() {
    for leaves in 1..=1100usize {
        let tree = tree(Shape::Balanced(leaves));
        let limit = leaves.next_power_of_two().ilog2() as usize;
        let depths: Vec<usize> = (0..leaves).map(|leaf| tree.depth(leaf).unwrap()).collect();
        assert!(depths.iter().all(|&depth| depth <= limit), "{leaves} leaves");
        // Kraft's equality: the tree is complete.
        assert_eq!(
            depths.iter().map(|&depth| 1u64 << (limit - depth)).sum::<u64>(),
            1 << limit
        );
    }
}

#[test]
fn heavier_leaves_are_shallower() {
    let weights: Vec<u32> = (0..500)
        .map(|i| if i == 123 { 1_000_000 } else { 1 + i % 7 })
        .collect();
    let tree = tree(Shape::Weighted(&weights));
    assert_eq!(tree.depth(123).unwrap(), 1);
    for a in 0..500 {
        for b in 0..500 {
            let depths = (tree.depth(a).unwrap(), tree.depth(b).unwrap());
            assert!(
                weights[a] <= weights[b] || depths.0 <= depths.1,
                "leaves {a} and {b}"
            );
        }
    }
}

#[test]
fn the_steepest_weights_stay_within_the_limit() {
    // Fibonacci weights make the deepest tree for their sum; they run out at 47 leaves of 32 bits.
    let mut weights = vec![1u32, 1];
    while let Some(next) = weights[weights.len() - 1].checked_add(weights[weights.len() - 2]) {
        weights.push(next);
    }
    let steep = tree(Shape::Weighted(&weights));
    let deepest = (0..weights.len())
        .map(|leaf| steep.depth(leaf).unwrap())
        .max()
        .unwrap();
    assert_eq!(deepest, weights.len() - 1);
    assert_equals_reference(Shape::Weighted(&weights));
    // The bound of MAX_LEAVES.
    let fibonacci = (0..83).fold((0u128, 1u128), |(a, b), _| (b, a + b)).0;
    assert!((MAX_LEAVES as u128) << 32 < fibonacci && 83 < MAX_DEPTH);
}

#[test]
fn zero_weights_count_as_one() {
    let zeros = tree(Shape::Weighted(&[0; 300]));
    assert!((0..300).all(|leaf| zeros.depth(leaf).unwrap() <= 9));
    assert_eq!(zeros, tree(Shape::Weighted(&[1; 300])));
}

#[test]
fn impossible_trees_and_leaves_are_refused() {
    let secp = Secp256k1::verification_only();
    for (shape, got) in [
        (Shape::Balanced(0), 0),
        (Shape::Weighted(&[]), 0),
        (Shape::Balanced(MAX_LEAVES + 1), MAX_LEAVES + 1),
    ] {
        let refused = TapTree::new(&secp, internal_key(), shape, |_| panic!("no leaf is asked for"));
        assert_eq!(refused, Err(TapTreeError::Leaves { got }));
    }
    let tree = tree(Shape::Balanced(5));
    let missing = TapTreeError::NoSuchLeaf { leaves: 5, got: 5 };
    assert_eq!(tree.leaf_hash(5), Err(missing.clone()));
    assert_eq!(tree.depth(5), Err(missing.clone()));
    assert_eq!(tree.spend_weight(5, 1), Err(missing.clone()));
    assert_eq!(tree.control_block(5, &script(5)), Err(missing));
    assert!(matches!(
        tree.control_block(4, &script(3)),
        Err(TapTreeError::OtherScript { leaf: 4, .. })
    ));
}

#[test]
fn every_script_is_asked_for_once_and_order_does_not_matter() {
    let asked: Vec<AtomicUsize> = (0..3000).map(|_| AtomicUsize::new(0)).collect();
    let count = |leaf: usize| {
        asked[leaf].fetch_add(1, Ordering::Relaxed);
        script(leaf)
    };
    let secp = Secp256k1::verification_only();
    let build = || TapTree::new(&secp, internal_key(), Shape::Balanced(3000), count).unwrap();
    let pool = |threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
    };
    let one = pool(1).install(build);
    assert!(asked.iter().all(|times| times.load(Ordering::Relaxed) == 1));
    assert_eq!(one, pool(4).install(build));
}

#[test]
fn bitcoin_core_spends_every_leaf_with_its_own_control_block_only() {
    let weights: Vec<u32> = (0..37).map(|i| (i * i) % 50).collect();
    for shape in [Shape::Balanced(37), Shape::Balanced(1), Shape::Weighted(&weights)] {
        let tree = tree(shape);
        let output = tree.script_pubkey();
        for leaf in 0..tree.leaves() {
            let control = tree.control_block(leaf, &script(leaf)).unwrap();
            let witness = |leaf, control: &ControlBlock| vec![script(leaf).to_bytes(), control.serialize()];
            assert!(spends(&output, &witness(leaf, &control)), "{shape:?} leaf {leaf}");
            assert!(
                !spends(&output, &witness(leaf + 1, &control)),
                "{shape:?} leaf {leaf}"
            );
            let weight = bitcoin::Witness::from_slice(&witness(leaf, &control)).size() - 1;
            assert_eq!(
                tree.spend_weight(leaf, script(leaf).len()).unwrap(),
                Weight::from_wu_usize(weight)
            );
        }
    }
}

fn key(hex: &str) -> XOnlyPublicKey {
    hex.parse().unwrap()
}

/// Trees of BIP-0341's wallet vectors whose leaves are all tapscripts: internal key, scripts, Merkle root, output
/// script, control blocks.
#[test]
fn bip_0341_vectors() {
    type Vector<'a> = (&'a str, &'a [&'a str], &'a str, &'a str, &'a [&'a str]);
    let vectors: [Vector<'_>; 4] = [
        (
            "187791b6f712a8ea41c8ecdd0ee77fab3e85263b37e1ec18a3651926b3a6cf27",
            &["20d85a959b0290bf19bb89ed43c916be835475d013da4b362117393e25a48229b8ac"],
            "5b75adecf53548f3ec6ad7d78383bf84cc57b55a3127c72b9a2481752dd88b21",
            "5120147c9c57132f6e7ecddba9800bb0c4449251c92a1e60371ee77557b6620f3ea3",
            &["c1187791b6f712a8ea41c8ecdd0ee77fab3e85263b37e1ec18a3651926b3a6cf27"],
        ),
        (
            "93478e9488f956df2396be2ce6c5cced75f900dfa18e7dabd2428aae78451820",
            &["20b617298552a72ade070667e86ca63b8f5789a9fe8731ef91202a91c9f3459007ac"],
            "c525714a7f49c28aedbbba78c005931a81c234b2f6c99a73e4d06082adc8bf2b",
            "5120e4d810fd50586274face62b8a807eb9719cef49c04177cc6b76a9a4251d5450e",
            &["c093478e9488f956df2396be2ce6c5cced75f900dfa18e7dabd2428aae78451820"],
        ),
        (
            "f9f400803e683727b14f463836e1e78e1c64417638aa066919291a225f0e8dd8",
            &[
                "2044b178d64c32c4a05cc4f4d1407268f764c940d20ce97abfd44db5c3592b72fdac",
                "07546170726f6f74",
            ],
            "ab179431c28d3b68fb798957faf5497d69c883c6fb1e1cd9f81483d87bac90cc",
            "512077e30a5522dd9f894c3f8b8bd4c4b2cf82ca7da8a3ea6a239655c39c050ab220",
            &[
                "c1f9f400803e683727b14f463836e1e78e1c64417638aa066919291a225f0e8dd8\
                 2cb2b90daa543b544161530c925f285b06196940d6085ca9474d41dc3822c5cb",
                "c1f9f400803e683727b14f463836e1e78e1c64417638aa066919291a225f0e8dd8\
                 64512fecdb5afa04f98839b50e6f0cb7b1e539bf6f205f67934083cdcc3c8d89",
            ],
        ),
        (
            "55adf4e8967fbd2e29f20ac896e60c3b0f1d5b0efa9d34941b5958c7b0a0312d",
            &[
                "2071981521ad9fc9036687364118fb6ccd2035b96a423c59c5430e98310a11abe2ac",
                "20d5094d2dbe9b76e2c245a2b89b6006888952e2faa6a149ae318d69e520617748ac",
                "20c440b462ad48c7a77f94cd4532d8f2119dcebbd7c9764557e62726419b08ad4cac",
            ],
            "2f6b2c5397b6d68ca18e09a3f05161668ffe93a988582d55c6f07bd5b3329def",
            "512075169f4001aa68f15bbed28b218df1d0a62cbbcf1188c6665110c293c907b831",
            &[
                "c155adf4e8967fbd2e29f20ac896e60c3b0f1d5b0efa9d34941b5958c7b0a0312d\
                 3cd369a528b326bc9d2133cbd2ac21451acb31681a410434672c8e34fe757e91",
                "c155adf4e8967fbd2e29f20ac896e60c3b0f1d5b0efa9d34941b5958c7b0a0312d\
                 d7485025fceb78b9ed667db36ed8b8dc7b1f0b307ac167fa516fe4352b9f4ef7\
                 f154e8e8e17c31d3462d7132589ed29353c6fafdb884c5a6e04ea938834f0d9d",
                "c155adf4e8967fbd2e29f20ac896e60c3b0f1d5b0efa9d34941b5958c7b0a0312d\
                 737ed1fe30bc42b8022d717b44f0d93516617af64a64753b7a06bf16b26cd711\
                 f154e8e8e17c31d3462d7132589ed29353c6fafdb884c5a6e04ea938834f0d9d",
            ],
        ),
    ];
    let secp = Secp256k1::verification_only();
    for (internal, scripts, root, output, controls) in vectors {
        let scripts: Vec<ScriptBuf> = scripts
            .iter()
            .map(|hex| ScriptBuf::from_hex(hex).unwrap())
            .collect();
        // The vectors' trees of three leaves have the first one at depth 1.
        let weights: Vec<u32> = (0..scripts.len())
            .map(|leaf| if leaf == 0 { 3 } else { 1 })
            .collect();
        let script = |leaf: usize| scripts[leaf].clone();
        let tree = TapTree::new(&secp, key(internal), Shape::Weighted(&weights), script).unwrap();
        assert_eq!(tree.merkle_root().to_string(), root);
        assert_eq!(tree.script_pubkey().to_hex_string(), output);
        for (leaf, control) in controls.iter().enumerate() {
            let ours = tree.control_block(leaf, &scripts[leaf]).unwrap().serialize();
            assert_eq!(ours, ControlBlock::decode(&hex(control)).unwrap().serialize());
        }
    }
}

fn hex(text: &str) -> Vec<u8> {
    bitcoin::hex::FromHex::from_hex(text).unwrap()
}

#[test]
fn twenty_thousand_leaves() {
    // Like a dispute's: about 1.7 kB, differing in a few bytes. The tree keeps 40 bytes a node, not 34 MB.
    let big = |leaf: usize| {
        let filler = [0x51u8; 75];
        let builder = (0..23).fold(Builder::new().push_int(leaf as i64), |b, _| b.push_slice(filler));
        builder.into_script()
    };
    let secp = Secp256k1::verification_only();
    let tree = TapTree::new(&secp, internal_key(), Shape::Balanced(20_000), big).unwrap();
    assert_eq!((tree.leaves(), tree.nodes.len()), (20_000, 39_999));
    assert!(core::mem::size_of::<Node>() <= 40);
    for leaf in [0, 1, 9_999, 16_384, 19_999] {
        let control = tree.control_block(leaf, &big(leaf)).unwrap();
        assert!(control.verify_taproot_commitment(
            &secp,
            tree.output_key().to_x_only_public_key(),
            &big(leaf)
        ));
        assert!(!control.verify_taproot_commitment(
            &secp,
            tree.output_key().to_x_only_public_key(),
            &big(leaf + 1)
        ));
        assert!(control.merkle_branch.len() <= 15);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn weighted_trees_equal_the_reference_and_are_optimal(weights in prop::collection::vec(0u32..100, 1..30)) {
        assert_equals_reference(Shape::Weighted(&weights));
        // No exchange of two leaves' places makes the sum of weight times depth smaller.
        let tree = tree(Shape::Weighted(&weights));
        for a in 0..weights.len() {
            for b in 0..weights.len() {
                if weights[a].max(1) > weights[b].max(1) {
                    prop_assert!(tree.depth(a).unwrap() <= tree.depth(b).unwrap());
                }
            }
        }
    }
}

#[test]
fn leaf_hashes_are_those_of_the_scripts() {
    let tree = tree(Shape::Balanced(3));
    for leaf in 0..3 {
        let expected = TapLeafHash::from_script(&script(leaf), LeafVersion::TapScript);
        assert_eq!(
            tree.leaf_hash(leaf).unwrap().to_byte_array(),
            expected.to_byte_array()
        );
    }
}
