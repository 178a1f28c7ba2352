//! The forced queue: nobody can be left out for ever, and nobody can stop it.

use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, Bytes, U256};
use l2_block::{Block, L1Block};
use l2_stf::{FORCED_BYTE_GAS, IGNORED_GAS, IGNORED_KIND, Invalid, MAX_FORCED_BYTES, SYSTEM, Source};

use crate::chain::{Chain, Key, forced, sample_genesis, transfer};

const TO: Address = Address::repeat_byte(0xdd);

/// The queue's head and tail.
fn queue(chain: &Chain) -> (U256, U256) {
    (chain.word(SYSTEM, 0), chain.word(SYSTEM, 1))
}

fn ends(head: u64, tail: u64) -> (U256, U256) {
    (U256::from(head), U256::from(tail))
}

#[test]
fn a_forced_transaction_comes_first_and_pays_no_surcharge() {
    let mut chain = Chain::new();
    let key = Key::new(1);
    let l1 = [chain.mine(None, vec![forced(key.pay(0, TO, 5))])];
    let mut template = chain.template(&l1);
    template.forced = 1;
    // The block's own transaction has the next nonce: it is valid only after the forced one.
    let (block, _) = chain.propose(&template, &l1, &[key.pay(1, TO, 6)]);
    assert_eq!(block.header.forced, 1);
    let executed = chain.take(&block, &l1);
    let [first, second] = &executed.transactions[..] else {
        panic!()
    };
    assert_eq!((first.source, first.data_fee), (Source::Forced, U256::ZERO));
    assert_eq!(second.source, Source::Block);
    assert!(second.data_fee > U256::ZERO);
    assert_eq!(executed.receipts[0].kind, 2);
    assert_eq!(chain.balance(TO), U256::from(11));
    assert_eq!(queue(&chain), ends(1, 1));
    // Its words are free again.
    let slot = U256::from(1) << 64;
    assert!(
        chain
            .memory
            .storage
            .get(&(SYSTEM, slot))
            .is_none_or(|word| word.is_zero())
    );
}

/// The block without its forced transactions, which is what a sequencer would make that leaves somebody out.
fn censored(chain: &Chain, l1: &[L1Block]) -> Block {
    let (mut block, _) = chain.propose(&chain.template(l1), l1, &[]);
    block.header.forced = 0;
    block
}

#[test]
fn what_is_due_must_be_taken() {
    let mut chain = Chain::new();
    let key = Key::new(1);
    let window = usize::try_from(chain.spec.windows.forced).unwrap();
    // Queued with Bitcoin block 101; due when the origin is 111, ten blocks later.
    chain.block(&chain.mine_many(1, vec![forced(key.pay(0, TO, 5))]), &[]);
    assert_eq!(queue(&chain), ends(0, 1));
    chain.block(&chain.mine_many(window - 1, vec![]), &[]);
    assert_eq!(chain.balance(TO), U256::ZERO);
    let l1 = chain.mine_many(1, vec![]);
    assert_eq!(
        chain.judge(&censored(&chain, &l1), &l1),
        Err(Invalid::ForcedDue {
            index: 0,
            height: 101
        })
    );
    // A block that sees no new Bitcoin block is not late.
    let mut idle = chain;
    idle.block(&[], &[]);
    let executed = idle.block(&l1, &[]);
    assert_eq!(executed.transactions[0].source, Source::Forced);
    assert_eq!(idle.balance(TO), U256::from(5));
    assert_eq!(queue(&idle), ends(1, 1));
}

#[test]
fn a_jump_over_the_deadline_takes_it_at_once() {
    let mut chain = Chain::new();
    let l1 = chain.mine_many(11, vec![forced(Key::new(1).pay(0, TO, 5))]);
    assert!(matches!(
        chain.judge(&censored(&chain, &l1), &l1),
        Err(Invalid::ForcedDue {
            index: 0,
            height: 101
        })
    ));
    chain.block(&l1, &[]);
    assert_eq!(chain.balance(TO), U256::from(5));
}

#[test]
fn more_than_there_are_cannot_be_taken() {
    let chain = Chain::new();
    let l1 = chain.mine_many(1, vec![forced(Key::new(1).pay(0, TO, 5))]);
    let mut template = chain.template(&l1);
    template.forced = 1;
    let (mut block, _) = chain.propose(&template, &l1, &[]);
    block.header.forced = 2;
    assert_eq!(
        chain.judge(&block, &l1),
        Err(Invalid::ForcedTaken { got: 2, expected: 1 })
    );
    block.header.forced = u32::MAX;
    assert!(matches!(
        chain.judge(&block, &l1),
        Err(Invalid::ForcedTaken { .. })
    ));
    block.header.forced = 0;
    assert!(matches!(chain.judge(&block, &l1), Err(Invalid::GasUsed { .. })));
}

#[test]
fn what_is_no_transaction_is_taken_and_does_nothing() {
    let mut chain = Chain::new();
    let (key, poor) = (Key::new(1), Key::new(60));
    let mut other_chain = transfer(0, TO, 5);
    other_chain.chain_id += 1;
    let mut cheap = transfer(0, TO, 5);
    cheap.max_fee_per_gas = 1;
    cheap.max_priority_fee_per_gas = 0;
    let entries: Vec<Bytes> = vec![
        Bytes::new(),
        Bytes::from_static(&[0xde, 0xad]),
        vec![0x02; 1_000].into(),
        key.sign(other_chain),
        key.pay(7, TO, 5),
        poor.pay(0, TO, 5),
        key.sign(cheap),
        // More gas than a block, or a transaction, may have.
        key.sign(TxEip1559 {
            gas_limit: u64::MAX,
            max_fee_per_gas: 1,
            max_priority_fee_per_gas: 0,
            ..transfer(0, TO, 5)
        }),
        key.sign(TxEip1559 {
            gas_limit: (1 << 24) + 1,
            ..transfer(0, TO, 5)
        }),
    ];
    let l1 = chain.mine_many(11, entries.iter().cloned().map(forced).collect());
    let coins = chain.coins();
    let executed = chain.block(&l1, &[key.pay(0, TO, 1)]);
    let mut gas = 0;
    for (entry, receipt) in entries.iter().zip(&executed.receipts) {
        gas += IGNORED_GAS + FORCED_BYTE_GAS * entry.len() as u64;
        assert_eq!((receipt.kind, receipt.success), (IGNORED_KIND, false));
        assert_eq!((receipt.paid, receipt.cumulative_gas), (U256::ZERO, gas));
    }
    assert_eq!(executed.receipts.len(), entries.len() + 1);
    assert_eq!(chain.coins(), coins);
    assert_eq!(chain.balance(TO), U256::from(1));
    assert_eq!(queue(&chain), ends(9, 9));
}

#[test]
fn the_longest_message_is_taken_and_a_longer_one_is_none() {
    let mut genesis = sample_genesis();
    genesis.fees.gas_limit = 1_000_000;
    let mut chain = Chain::from(&genesis);
    // Reading it would be 2.1 million gas: a whole block is enough.
    let messages = vec![
        forced(vec![0xee; MAX_FORCED_BYTES]),
        forced(vec![0xee; MAX_FORCED_BYTES + 1]),
    ];
    chain.block(&chain.mine_many(1, messages), &[]);
    assert_eq!(queue(&chain), ends(0, 1));
    let executed = chain.block(&chain.mine_many(10, vec![]), &[]);
    assert_eq!(executed.gas_used, 1_000_000);
    assert_eq!(queue(&chain), ends(1, 1));
}

#[test]
fn a_block_takes_what_fits_and_the_next_one_the_rest() {
    let mut chain = Chain::new();
    let key = Key::new(1);
    // Each may use 16 million gas; a block has 30.
    let heavy = |nonce: u64| {
        forced(key.sign(TxEip1559 {
            gas_limit: 16_000_000,
            to: alloy_primitives::TxKind::Create,
            // An endless loop: JUMPDEST PUSH0 JUMP.
            input: Bytes::from_static(&[0x5b, 0x5f, 0x56]),
            ..transfer(nonce, TO, 0)
        }))
    };
    let l1 = chain.mine_many(11, vec![heavy(0), heavy(1), heavy(2)]);
    let (block, _) = chain.propose(&chain.template(&l1), &l1, &[]);
    assert_eq!((block.header.forced, block.header.gas_used), (1, 16_000_000));
    // Taking another for which there is no gas would burn it unused.
    let mut greedy = block.clone();
    greedy.header.forced = 2;
    assert_eq!(
        chain.judge(&greedy, &l1),
        Err(Invalid::ForcedGas {
            index: 1,
            needed: 16_000_000,
            left: 14_000_000
        })
    );
    chain.take(&block, &l1);
    assert_eq!(queue(&chain), ends(1, 3));
    // The next block may not go on without them.
    assert!(matches!(
        chain.judge(&censored(&chain, &[]), &[]),
        Err(Invalid::ForcedDue { index: 1, .. })
    ));
    chain.block(&[], &[]);
    chain.block(&[], &[]);
    assert_eq!(queue(&chain), ends(3, 3));
    assert_eq!(chain.nonce(key.address()), 3);
}

#[test]
fn the_same_bytes_twice_are_two_entries() {
    let mut chain = Chain::new();
    let key = Key::new(1);
    let bytes = key.pay(0, TO, 5);
    chain.block(
        &chain.mine_many(1, vec![forced(bytes.clone()), forced(bytes)]),
        &[],
    );
    let mut template = chain.template(&[]);
    template.forced = 1;
    let (block, _) = chain.propose(&template, &[], &[]);
    assert!(chain.take(&block, &[]).receipts[0].success);
    let executed = chain.block(&chain.mine_many(10, vec![]), &[]);
    assert_eq!(executed.receipts[0].kind, IGNORED_KIND);
    assert_eq!(chain.balance(TO), U256::from(5));
}
