use std::sync::atomic::{AtomicU64, Ordering};

use l2_store::Options;

use super::*;
use crate::pool::Nothing;
use crate::pool::tests::genesis;
use crate::sets::Sets;

const DEPTH: u64 = 6;

/// A Bitcoin of which one node has seen so many blocks.
struct Line {
    tip: AtomicU64,
    /// What the node names itself.
    newest: Option<u64>,
}

fn origin(height: u64) -> L1Origin {
    L1Origin {
        height,
        hash: B256::repeat_byte(height as u8),
    }
}

impl L1Blocks for Line {
    fn between(&self, after: &L1Origin, until: &L1Origin) -> Option<Vec<L1Block>> {
        let known = until.height <= self.tip.load(Ordering::Relaxed) && *until == origin(until.height);
        known.then(|| {
            (after.height + 1..=until.height)
                .map(|height| L1Block {
                    origin: origin(height),
                    parent: origin(height - 1).hash,
                    time: height,
                    messages: Vec::new(),
                })
                .collect()
        })
    }

    fn newest(&self) -> Option<L1Origin> {
        self.newest.map(origin)
    }

    fn is_buried(&self, height: u64) -> bool {
        height + DEPTH <= self.tip.load(Ordering::Relaxed) + 1
    }
}

pub(crate) struct Node {
    _folder: tempfile::TempDir,
    bitcoin: Arc<Line>,
    pub(crate) chain: Arc<Chain>,
}

pub(crate) fn node(tip: u64, newest: Option<u64>) -> Node {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        cache: 8 << 20,
        sync: false,
    };
    let genesis = genesis();
    let store = Arc::new(Store::open(folder.path(), &genesis, options).unwrap());
    let bitcoin = Arc::new(Line {
        tip: AtomicU64::new(tip),
        newest,
    });
    let chain = Chain::new(store, &genesis, Arc::clone(&bitcoin) as Arc<dyn L1Blocks>).unwrap();
    let chain = Arc::new(chain);
    Node {
        _folder: folder,
        bitcoin,
        chain,
    }
}

pub(crate) fn block(node: &Node) -> Block {
    let choice = Choice {
        now_ms: 2_000_000,
        round: 0,
        proposer: Address::repeat_byte(0xaa),
        max_bytes: 1 << 20,
        data_fee: 0,
    };
    node.chain.propose(&choice, Nothing).unwrap().block.clone()
}

/// A deposit in a Bitcoin block that goes away would stay minted, so such a block is not agreed on.
#[test]
fn a_block_that_names_a_young_bitcoin_block_is_not_judged_valid_yet() {
    let liar = node(110, Some(110));
    let block = block(&liar);
    assert_eq!(block.header.origin, origin(110));
    let honest = node(110, None);
    for tip in 110..115 {
        honest.bitcoin.tip.store(tip, Ordering::Relaxed);
        let refused = honest.chain.judge(&block);
        assert!(
            matches!(refused, Err(ChainError::Origin(named)) if named == origin(110)),
            "{refused:?}"
        );
    }
    honest.bitcoin.tip.store(115, Ordering::Relaxed);
    honest.chain.judge(&block).unwrap();
    // What is agreed on is taken as it is: the others have seen more of Bitcoin.
    let late = node(110, None);
    late.chain.commit(&block, &[]).unwrap();
    assert_eq!(late.chain.head().hash(), block.header.hash());
}

/// No later look at Bitcoin makes it good, so nobody waits for one.
#[test]
fn a_block_that_names_no_later_bitcoin_block_and_not_the_parents_is_invalid() {
    let proposer = node(110, Some(104));
    let first = block(&proposer);
    let honest = node(110, None);
    honest.chain.commit(&first, &[]).unwrap();
    proposer.chain.commit(&first, &[]).unwrap();
    let mut second = block(&proposer);
    assert_eq!(second.header.origin, origin(104));
    honest.chain.judge(&second).unwrap();
    let other = L1Origin {
        height: 104,
        hash: B256::repeat_byte(0xee),
    };
    for named in [other, origin(103), origin(0)] {
        second.header.origin = named;
        let refused = honest.chain.judge(&second);
        assert!(
            refused.as_ref().is_err_and(ChainError::is_invalid),
            "{named:?}: {refused:?}"
        );
    }
}

/// Derivation begins at block 0 after each start, however long ago that state was pruned.
#[test]
fn sets_of_validators_outlive_the_states_they_are_of() {
    let node = node(110, None);
    let store = node.chain.store();
    let keys = Sets::at(store, 0).unwrap();
    assert_eq!(keys, [genesis().validators[0].key]);
    Sets::note(store, 0, &keys).unwrap();
    let other = [B256::repeat_byte(7), B256::repeat_byte(8)];
    for number in 1..=6 {
        node.chain.commit(&block(&node), &[]).unwrap();
        Sets::note(store, number, if number < 3 { &keys } else { &other }).unwrap();
    }
    store.prune(1, 100).unwrap();
    assert!(matches!(store.state_at(2), Err(StoreError::Pruned { .. })));
    assert_eq!(Sets::at(store, 0).unwrap(), keys);
    assert_eq!(Sets::at(store, 2).unwrap(), keys);
    assert_eq!(Sets::at(store, 3).unwrap(), other);
    assert_eq!(Sets::at(store, 4).unwrap(), other);
    // Where the state is there, it says who is active, not the note.
    assert_eq!(Sets::at(store, 6).unwrap(), keys);
    // A reorganisation took the change away.
    Sets::note(store, 2, &keys).unwrap();
    assert_eq!(Sets::at(store, 3).unwrap(), keys);
}
