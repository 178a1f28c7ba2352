//! What a block reads: with just that it executes, and with any of it missing it is undecided, never invalid.

use alloy_primitives::{Address, Bytes};
use alloy_sol_types::SolCall;
use l2_state::{Recording, StateError};
use l2_stf::{ExecuteError, TOKEN, TreeView, WITHDRAWALS, apply, execute};
use l2_token::IToken;

use crate::chain::{Chain, Key, deposit, forced, init, sats};
use crate::withdrawals::withdraw;

#[test]
fn a_block_needs_what_it_reads_and_no_more() {
    let mut chain = Chain::new();
    let key = Key::new(1);
    let to = Address::repeat_byte(0xdd);
    // BLOCKHASH(NUMBER - 2) into slot 0.
    let contract = key.address().create(0);
    let code = init(&[0x60, 0x02, 0x43, 0x03, 0x40, 0x5f, 0x55]);
    chain.block(&[], &[key.create(0, code)]);
    // An entry that the next block takes from the queue, so its bytes are read from the state.
    chain.block(&chain.mine_many(1, vec![forced(Key::new(2).pay(0, to, 5))]), &[]);
    while chain.head.number < 9 {
        chain.block(&[], &[]);
    }
    // The last block of an epoch.
    let l1 = chain.mine_many(10, vec![deposit(to, 7)]);
    let tokens: Bytes = IToken::transferCall {
        to,
        value: alloy_primitives::U256::from(5),
    }
    .abi_encode()
    .into();
    let transactions = [
        key.call(1, contract, 0, Bytes::new()),
        key.call(2, WITHDRAWALS, sats(1_000).to(), withdraw(&[0x51])),
        key.call(3, TOKEN, 0, tokens),
        key.pay(4, Address::repeat_byte(0xde), 1),
    ];
    let (block, made) = chain.propose(&chain.template(&l1), &l1, &transactions);
    assert!(made.receipts.iter().all(|receipt| receipt.success));
    assert_eq!(made.receipts.len(), 6);

    let recording = Recording::new(&chain.nodes);
    let root = chain.head.state_root;
    let view = TreeView {
        source: &recording,
        root,
    };
    let executed = execute(&chain.spec, view, &chain.head, &block, &l1, None).unwrap();
    let update = apply(&recording, &root, &executed.changes).unwrap();
    assert_eq!(update.root, block.header.state_root);
    let witness = recording.into_nodes();
    assert!(witness.len() < chain.nodes.len());

    let run = |source: &std::collections::BTreeMap<_, _>| {
        let executed = execute(
            &chain.spec,
            TreeView { source, root },
            &chain.head,
            &block,
            &l1,
            None,
        )?;
        apply(source, &root, &executed.changes)
            .map(|update| update.root)
            .map_err(ExecuteError::State)
    };
    assert_eq!(run(&witness), Ok(block.header.state_root));
    for digest in witness.keys() {
        let mut less = witness.clone();
        less.remove(digest);
        match run(&less) {
            Err(ExecuteError::State(StateError::Missing(missing))) => assert_eq!(missing.0, *digest),
            other => panic!("{other:?}"),
        }
    }
}
