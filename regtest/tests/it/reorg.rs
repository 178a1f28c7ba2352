//! Blocks that leave the chain and come back.

use bitcoin::Amount;
use regtest::ChainError;

use crate::{node, open_script};

#[test]
fn a_reorganisation_puts_transactions_back_into_the_mempool() {
    let mut node = node();
    let funded = node.fund(open_script(), Amount::ONE_BTC).unwrap();
    let chain = node.bitcoind.chain();
    chain.mine(2).unwrap();
    let height = chain.height().unwrap();
    let reorg = chain.reorg(3).unwrap();
    assert_eq!((reorg.disconnected.len(), reorg.connected.len()), (3, 4));
    assert_eq!(chain.height().unwrap(), height + 1);
    assert_eq!(chain.tip().unwrap(), reorg.connected[3]);
    assert_eq!(chain.unspent(funded.outpoint).unwrap(), None);
    assert_eq!(chain.mempool().unwrap(), [funded.outpoint.txid]);

    // The wallet learns of it by a scan and goes on.
    node.funds.rescan(chain).unwrap();
    chain.confirm(funded.outpoint.txid).unwrap();
    node.funds.rescan(chain).unwrap();
    node.fund(open_script(), Amount::ONE_BTC).unwrap();
}

#[test]
fn the_longer_branch_wins_when_both_are_valid() {
    let node = node();
    let chain = node.chain();
    let old = chain.mine(2).unwrap();
    chain.invalidate(old[0]).unwrap();
    // At once and at the same height: were the blocks alike, the node would refuse the new ones.
    let new = chain.mine(3).unwrap();
    chain.reconsider(old[0]).unwrap();
    assert_eq!(chain.tip().unwrap(), new[2]);
    chain.invalidate(new[0]).unwrap();
    assert_eq!(chain.tip().unwrap(), old[1]);
    chain.reconsider(new[0]).unwrap();
    assert_eq!(chain.tip().unwrap(), new[2]);
}

#[test]
fn no_deeper_than_the_chain() {
    let node = node();
    let tip = node.chain().height().unwrap();
    let error = node.chain().reorg(tip + 1).unwrap_err();
    assert!(matches!(error, ChainError::TooDeep { .. }), "{error}");
    assert_eq!(node.chain().height().unwrap(), tip);
    let unknown = "11".repeat(32).parse().unwrap();
    assert!(node.chain().invalidate(unknown).is_err());
    assert_eq!(node.chain().reorg(0).unwrap().disconnected, []);
}
