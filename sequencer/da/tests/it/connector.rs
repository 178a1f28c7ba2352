//! The connector against Miniscript, which reads its leaves and builds the same output.

use std::sync::Arc;

use bridge::Blocks;
use l2_block::B256;
use l2_da::connector::{BatchConnector, ConnectorError, nobodys_key, quorum};
use miniscript::descriptor::{TapTree, Tr};
use miniscript::{Miniscript, Tap};

use crate::keys::{key, public};

type Leaf = Miniscript<bitcoin::XOnlyPublicKey, Tap>;

#[test]
fn miniscript_builds_the_same_output() {
    for n in [2usize, 3, 4, 10, 99] {
        for delay in [1u16, 16, 17, 144, 65_535] {
            let list: Vec<String> = (0..n).map(|number| public(number).to_string()).collect();
            let list = list.join(",");
            let leaf = |text: String| {
                let leaf: Leaf = text.parse().unwrap();
                leaf.sanity_check().unwrap();
                TapTree::leaf(Arc::new(leaf))
            };
            let tree = TapTree::combine(
                leaf(format!("multi_a({},{list})", quorum(n))),
                leaf(format!("and_v(v:multi_a(1,{list}),older({delay}))")),
            )
            .unwrap();
            let descriptor = Tr::new(nobodys_key(), Some(tree)).unwrap();
            let keys: Vec<B256> = (0..n).map(key).collect();
            let connector = BatchConnector::new(&keys, Blocks::new(delay).unwrap()).unwrap();
            assert_eq!(connector.script_pubkey(), descriptor.script_pubkey());
        }
    }
}

#[test]
fn sets_that_are_none_are_refused() {
    let delay = Blocks::new(144).unwrap();
    for got in [0, 101] {
        let keys = vec![key(0); got];
        assert_eq!(
            BatchConnector::new(&keys, delay).unwrap_err(),
            ConnectorError::Validators { got }
        );
    }
}

#[test]
fn every_part_of_a_set_is_in_the_output() {
    let script = |keys: &[B256], delay| {
        BatchConnector::new(keys, Blocks::new(delay).unwrap())
            .unwrap()
            .script_pubkey()
    };
    let one = script(&[key(0), key(1), key(2)], 144);
    assert_ne!(one, script(&[key(0), key(2), key(1)], 144));
    assert_ne!(one, script(&[key(0), key(1)], 144));
    assert_ne!(one, script(&[key(0), key(1), key(3)], 144));
    assert_ne!(one, script(&[key(0), key(1), key(2)], 145));
    // A key off the curve signs nothing, and is no reason to have no connector.
    let off = B256::repeat_byte(0xff);
    let connector = BatchConnector::new(&[key(0), off], Blocks::new(144).unwrap()).unwrap();
    let signature = crate::keys::sign(1, [3; 32]);
    assert_eq!(
        connector.verify(1, [3; 32], &signature),
        Err(ConnectorError::BadSignature { validator: 1 })
    );
}
