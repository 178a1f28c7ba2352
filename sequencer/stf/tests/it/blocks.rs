//! What a block says of itself: each rule with a block that breaks it.

use alloy_primitives::{Address, B256, U256};
use l2_block::{Block, L1Block, L1Origin};
use l2_stf::{
    DEPOSIT_KIND, Invalid, SYSTEM, Source, check_state_root, data_fee_range, execute, next_base_fee,
};

use crate::chain::{Chain, Key, deposit, sample_genesis, sats};

const TO: Address = Address::repeat_byte(0xdd);

/// A valid block with a transfer, then changed.
fn changed(chain: &Chain, l1: &[L1Block], change: impl FnOnce(&mut Block)) -> Invalid {
    let (mut block, _) = chain.propose(&chain.template(l1), l1, &[Key::new(1).pay(0, TO, 5)]);
    chain.judge(&block, l1).unwrap();
    change(&mut block);
    chain.judge(&block, l1).unwrap_err()
}

#[test]
fn every_word_of_a_header_is_checked() {
    let chain = Chain::new();
    let l1 = chain.mine_many(2, vec![]);
    let check = |change: fn(&mut Block)| changed(&chain, &l1, change);
    assert!(matches!(
        check(|block| block.header.number += 1),
        Invalid::Number { got: 2, expected: 1 }
    ));
    assert!(matches!(
        check(|block| block.header.number = 0),
        Invalid::Number { .. }
    ));
    assert!(matches!(
        check(|block| block.header.parent = B256::ZERO),
        Invalid::Parent { .. }
    ));
    assert!(matches!(
        check(|block| block.header.origin.height -= 1),
        Invalid::Origin { .. }
    ));
    assert!(matches!(
        check(|block| block.header.origin.hash = B256::ZERO),
        Invalid::Origin { .. }
    ));
    assert!(matches!(
        check(|block| block.header.base_fee += 1),
        Invalid::BaseFee { .. }
    ));
    assert!(matches!(
        check(|block| block.header.base_fee -= 1),
        Invalid::BaseFee { .. }
    ));
    assert!(matches!(
        check(|block| block.header.proposer = TO),
        Invalid::Proposer { .. }
    ));
    assert!(matches!(
        check(|block| block.header.gas_used += 1),
        Invalid::GasUsed { .. }
    ));
    assert!(matches!(
        check(|block| block.header.transactions_root = B256::ZERO),
        Invalid::TransactionsRoot { .. }
    ));
    assert!(matches!(
        check(|block| block.header.receipts_root = B256::ZERO),
        Invalid::ReceiptsRoot { .. }
    ));
    assert!(matches!(
        check(|block| {
            block.transactions.clear();
        }),
        Invalid::GasUsed { expected: 0, .. }
    ));
    let (block, _) = chain.propose(&chain.template(&l1), &l1, &[]);
    assert!(check_state_root(&block.header, &block.header.state_root).is_ok());
    assert!(matches!(
        check_state_root(&block.header, &B256::ZERO),
        Err(Invalid::StateRoot { .. })
    ));
}

#[test]
fn time_stays_in_its_window() {
    let mut chain = Chain::new();
    let drift = chain.spec.windows.max_drift_ms;
    let start = chain.head.timestamp_ms;
    // The origin's time is the genesis's until a Bitcoin block is later.
    let origin = start;
    for (time, valid) in [
        (start - 1, false),
        (start, true),
        (origin + drift, true),
        (origin + drift + 1, false),
        (0, false),
        (u64::MAX, false),
    ] {
        let (mut block, _) = chain.propose(&chain.template(&[]), &[], &[]);
        block.header.timestamp_ms = time;
        let judged = chain.judge(&block, &[]);
        assert_eq!(judged.is_ok(), valid, "{time}");
        if let Err(invalid) = judged {
            assert_eq!(
                invalid,
                Invalid::Time {
                    got: time,
                    least: start,
                    most: origin + drift
                }
            );
        }
    }
    // With a later Bitcoin block the window moves on, and stays where it is afterwards.
    let l1 = chain.mine_many(1, vec![]);
    let least = l1[0].time * 1000;
    chain.block(&l1, &[]);
    let (mut block, _) = chain.propose(&chain.template(&[]), &[], &[]);
    block.header.timestamp_ms = least + drift;
    chain.judge(&block, &[]).unwrap();
    block.header.timestamp_ms = least + drift + 1;
    assert!(matches!(chain.judge(&block, &[]), Err(Invalid::Time { .. })));
    block.header.timestamp_ms = least;
    // Not before its parent, which is a second later.
    assert!(matches!(chain.judge(&block, &[]), Err(Invalid::Time { .. })));
}

#[test]
fn an_older_bitcoin_time_does_not_close_the_window() {
    let mut chain = Chain::new();
    let mut l1 = chain.mine_many(1, vec![]);
    l1[0].time = 5;
    let mut template = chain.template(&[]);
    template.origin = l1[0].origin;
    let (block, _) = chain.propose(&template, &l1, &[]);
    chain.take(&block, &l1);
    assert_eq!(chain.word(SYSTEM, 5), U256::from(1_700_000_000));
}

#[test]
fn bitcoin_blocks_follow_one_another() {
    let chain = Chain::new();
    let l1 = chain.mine_many(3, vec![]);
    let (block, _) = chain.propose(&chain.template(&l1), &l1, &[]);
    assert!(matches!(
        chain.judge(&block, &l1[..2]),
        Err(Invalid::Origin { .. })
    ));
    assert!(matches!(chain.judge(&block, &[]), Err(Invalid::Origin { .. })));
    assert!(matches!(
        chain.judge(&block, &l1[1..]),
        Err(Invalid::L1Chain { index: 0, .. })
    ));
    let without = [l1[0].clone(), l1[2].clone()];
    assert!(matches!(
        chain.judge(&block, &without),
        Err(Invalid::L1Chain { index: 1, .. })
    ));
    let mut other_parent = l1.clone();
    other_parent[1].parent = B256::ZERO;
    assert!(matches!(
        chain.judge(&block, &other_parent),
        Err(Invalid::L1Chain { index: 1, .. })
    ));
    let mut other_height = l1.clone();
    other_height[1].origin.height += 1;
    assert!(matches!(
        chain.judge(&block, &other_height),
        Err(Invalid::L1Chain { index: 1, .. })
    ));
    let mut same_again = block;
    same_again.header.origin = chain.l1;
    assert!(matches!(
        chain.judge(&same_again, &l1),
        Err(Invalid::Origin { .. })
    ));
}

#[test]
fn senders_are_one_for_each_transaction() {
    let chain = Chain::new();
    let key = Key::new(1);
    let (block, made) = chain.propose(&chain.template(&[]), &[], &[key.pay(0, TO, 5)]);
    let run =
        |senders: &[Address]| execute(&chain.spec, chain.view(), &chain.head, &block, &[], Some(senders));
    assert_eq!(run(&[key.address()]).unwrap(), made);
    assert!(run(&[]).is_err());
    assert!(run(&[key.address(), key.address()]).is_err());
}

#[test]
fn the_base_fee_follows_the_gas_used() {
    let genesis = sample_genesis();
    let (mut parent, _) = l2_stf::genesis(&genesis);
    let fees = &genesis.fees;
    let mut next = |base_fee: u64, gas_used: u64| {
        parent.base_fee = base_fee;
        parent.gas_used = gas_used;
        next_base_fee(fees, &parent)
    };
    let base = 8_000_000_000;
    assert_eq!(next(base, 15_000_000), base);
    assert_eq!(next(base, 30_000_000), base + base / 8);
    assert_eq!(next(base, 0), base - base / 8);
    assert_eq!(next(base, 22_500_000), base + base / 16);
    assert_eq!(next(base, 7_500_000), base - base / 16);
    // Ethereum's own example of one gas too much: at least 1 wei up.
    assert_eq!(next(1_000_000, 15_000_001), 1_000_001);
    // Never below the floor; no overflow at the top.
    assert_eq!(next(fees.min_base_fee, 0), fees.min_base_fee);
    assert_eq!(next(fees.min_base_fee + 1, 0), fees.min_base_fee);
    assert_eq!(next(u64::MAX, 30_000_000), u64::MAX);
    assert_eq!(next(u64::MAX, 0), u64::MAX - u64::MAX / 8);
}

#[test]
fn the_data_fee_moves_by_an_eighth() {
    let genesis = sample_genesis();
    let (mut parent, _) = l2_stf::genesis(&genesis);
    let mut range = |data_fee: u64| {
        parent.data_fee = data_fee;
        data_fee_range(&genesis.fees, &parent)
    };
    assert_eq!(range(800), (700, 900));
    assert_eq!(range(801), (701, 901));
    assert_eq!(range(100), (100, 112));
    assert_eq!(range(1_000_000), (875_000, 1_000_000));
    let mut free = genesis.clone();
    free.fees.min_data_fee = 0;
    parent.data_fee = 0;
    // From nothing there is a way up.
    assert_eq!(data_fee_range(&free.fees, &parent), (0, 1));

    let chain = Chain::new();
    for (data_fee, valid) in [
        (99, false),
        (100, true),
        (112, true),
        (113, false),
        (u64::MAX, false),
    ] {
        let (mut block, _) = chain.propose(&chain.template(&[]), &[], &[]);
        block.header.data_fee = data_fee;
        let judged = chain.judge(&block, &[]);
        assert_eq!(judged.is_ok(), valid);
        if let Err(invalid) = judged {
            assert_eq!(
                invalid,
                Invalid::DataFee {
                    got: data_fee,
                    least: 100,
                    most: 112
                }
            );
        }
    }
}

#[test]
fn deposits_are_minted_in_order_and_once() {
    let mut chain = Chain::new();
    let new = Address::repeat_byte(0xee);
    let coins = chain.coins();
    let l1 = chain.mine_many(2, vec![deposit(new, 50_000), deposit(TO, 7), deposit(new, 1)]);
    let executed = chain.block(&l1, &[]);
    assert_eq!(chain.balance(new), sats(50_001));
    assert_eq!(chain.balance(TO), sats(7));
    assert_eq!(chain.coins(), coins + sats(50_008));
    assert_eq!(chain.word(SYSTEM, 2), U256::from(3));
    assert_eq!(chain.word(SYSTEM, 3), U256::from(50_008));
    assert_eq!(executed.receipts.len(), 3);
    for (receipt, outcome) in executed.receipts.iter().zip(&executed.transactions) {
        assert_eq!((receipt.kind, receipt.success), (DEPOSIT_KIND, true));
        assert_eq!((receipt.cumulative_gas, receipt.paid), (0, U256::ZERO));
        assert_eq!(outcome.source, Source::Deposit);
    }
    assert_eq!(executed.transactions[1].sender, TO);
    // The next block sees no new Bitcoin block: nothing again.
    chain.block(&[], &[]);
    assert_eq!(chain.coins(), coins + sats(50_008));
    // What was deposited can be spent in the same block.
    let key = Key::new(60);
    let l1 = chain.mine_many(1, vec![deposit(key.address(), 100_000_000)]);
    let executed = chain.block(&l1, &[key.pay(0, TO, 5)]);
    assert!(executed.receipts[1].success);
}

#[test]
fn a_deposit_of_nothing_makes_no_account() {
    let mut chain = Chain::new();
    chain.block(
        &chain.mine_many(1, vec![deposit(Address::repeat_byte(0xee), 0)]),
        &[],
    );
    assert!(!chain.memory.accounts.contains_key(&Address::repeat_byte(0xee)));
}

#[test]
fn genesis_binds_the_state_to_its_file() {
    let genesis = sample_genesis();
    let (header, changes) = l2_stf::genesis(&genesis);
    assert_eq!(
        changes.storage[&(SYSTEM, U256::from(6))],
        U256::from_be_bytes(genesis.hash().0)
    );
    let mut other = genesis.clone();
    other.windows.confirmations += 1;
    assert_ne!(l2_stf::genesis(&other).0.state_root, header.state_root);
    assert_eq!(l2_stf::genesis(&genesis).0, header);
    assert_eq!(
        header.origin,
        L1Origin {
            height: 100,
            hash: B256::repeat_byte(100)
        }
    );
    for address in [
        l2_stf::WITHDRAWALS,
        l2_stf::SYSTEM,
        l2_stf::TOKEN,
        l2_stf::HISTORY,
    ] {
        assert_eq!(changes.accounts[&address].unwrap().nonce, 1);
    }
}
