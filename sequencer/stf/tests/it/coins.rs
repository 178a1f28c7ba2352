//! Coins: whatever a block does, there are as many as genesis and deposits made less what withdrawals burned.

use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, Bytes, TxKind, U256};
use l2_stf::WITHDRAWALS;
use proptest::prelude::*;

use crate::chain::{Chain, Key, deposit, forced, init, sats, transfer};
use crate::withdrawals::withdraw;

/// What somebody does.
#[derive(Clone, Debug)]
enum Act {
    /// Sends coins to one of a few accounts.
    Pay { to: u8, value: u64 },
    /// Calls one of the contracts with coins.
    Contract { which: usize, value: u64 },
    /// Creates a contract from these bytes, which mostly fails.
    Create { code: Vec<u8>, value: u64 },
    /// Withdraws, or tries to.
    Withdraw { sats: u64, dust: bool, script: usize },
    /// Runs out of gas.
    Loop { gas: u64 },
}

/// Small enough that nobody runs out of coins.
fn value() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 0..10_000_000_000_000_000u64]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (any::<u8>(), value()).prop_map(|(to, value)| Act::Pay { to, value }),
        (0..CONTRACTS.len(), value()).prop_map(|(which, value)| Act::Contract { which, value }),
        (proptest::collection::vec(any::<u8>(), 0..20), value())
            .prop_map(|(code, value)| Act::Create { code, value }),
        (0..2_000u64, any::<bool>(), 0..3usize).prop_map(|(sats, dust, script)| Act::Withdraw {
            sats,
            dust,
            script: [0, 22, 521][script]
        }),
        (60_000..200_000u64).prop_map(|gas| Act::Loop { gas }),
    ]
}

/// Contracts that every chain begins with.
const CONTRACTS: [&[u8]; 6] = [
    // Keeps what it gets.
    &[0x00],
    // Reverts.
    &[0x5f, 0x5f, 0xfd],
    // INVALID.
    &[0xfe],
    // SELFDESTRUCT to its caller, which sends back what it holds: CALLER SELFDESTRUCT.
    &[0x33, 0xff],
    // Creates a contract with its value that destroys itself in favour of itself, which burnt coins on Ethereum:
    // MSTORE8(0, ADDRESS), MSTORE8(1, SELFDESTRUCT), CREATE(value, 0, 2).
    &[
        0x60, 0x30, 0x5f, 0x53, 0x60, 0xff, 0x60, 0x01, 0x53, 0x60, 0x02, 0x5f, 0x34, 0xf0, 0x00,
    ],
    // The same, then sends one more wei to the destroyed one: SELFBALANCE is 0, so it sends what it was funded with before.
    // MSTORE8.., CREATE(1, 0, 2), then CALL(gas, that, 1, 0, 0, 0, 0).
    &[
        0x60, 0x30, 0x5f, 0x53, 0x60, 0xff, 0x60, 0x01, 0x53, 0x60, 0x02, 0x5f, 0x60, 0x01,
        0xf0, // created
        0x5f, 0x5f, 0x5f, 0x5f, 0x60, 0x01, // out, in, value 1
        0x85, 0x5a, 0xf1, 0x00, // DUP6 GAS CALL STOP
    ],
];

fn transaction(nonce: u64, act: &Act) -> TxEip1559 {
    let contracts = Key::new(4).address();
    let base = TxEip1559 {
        gas_limit: 300_000,
        ..transfer(nonce, Address::ZERO, 0)
    };
    match act {
        Act::Pay { to, value } => {
            let to = match to % 8 {
                0 => WITHDRAWALS,
                1 => l2_stf::TOKEN,
                2 => l2_stf::SYSTEM,
                3 => Address::with_last_byte(1),
                to => Key::new(to - 3).address(),
            };
            TxEip1559 {
                to: TxKind::Call(to),
                value: U256::from(*value),
                ..base
            }
        }
        Act::Contract { which, value } => TxEip1559 {
            to: TxKind::Call(contracts.create(*which as u64)),
            value: U256::from(*value),
            ..base
        },
        Act::Create { code, value } => TxEip1559 {
            to: TxKind::Create,
            value: U256::from(*value),
            input: Bytes::copy_from_slice(code),
            ..base
        },
        Act::Withdraw {
            sats: amount,
            dust,
            script,
        } => TxEip1559 {
            to: TxKind::Call(WITHDRAWALS),
            value: sats(*amount) + U256::from(u8::from(*dust)),
            input: withdraw(&vec![0x51; *script]),
            ..base
        },
        Act::Loop { gas } => TxEip1559 {
            gas_limit: *gas,
            to: TxKind::Create,
            value: U256::from(1),
            input: Bytes::from_static(&[0x5b, 0x5f, 0x56]),
            ..base
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_coin_comes_from_nothing_or_goes(
        blocks in proptest::collection::vec(
            proptest::collection::vec((1..4u8, act(), any::<bool>()), 0..12),
            1..4,
        ),
        deposits in proptest::collection::vec((any::<u8>(), 0..1_000_000u64), 0..4),
    ) {
        let mut chain = Chain::new();
        let creator = Key::new(4);
        let deployments: Vec<Bytes> = CONTRACTS
            .iter()
            .enumerate()
            .map(|(i, code)| creator.create(i as u64, init(code)))
            .collect();
        let begun = chain.coins();
        let executed = chain.block(&[], &deployments);
        prop_assert!(executed.receipts.iter().all(|receipt| receipt.success));
        prop_assert_eq!(chain.coins(), begun);

        let mut expected = begun;
        for acts in &blocks {
            let mut nonces = [1u8, 1, 2, 3].map(|seed| chain.nonce(Key::new(seed).address()));
            let mut messages = vec![];
            for (to, amount) in &deposits {
                messages.push(deposit(Address::repeat_byte(*to), *amount));
                expected += sats(*amount);
            }
            // Forced ones come first in the block, so they get the first nonces.
            let mut own = vec![];
            for from_bitcoin in [true, false] {
                for (who, act, is_forced) in acts.iter().filter(|(_, _, forced)| *forced == from_bitcoin) {
                    let key = Key::new(*who);
                    let nonce = &mut nonces[usize::from(*who)];
                    let bytes = key.sign(transaction(*nonce, act));
                    *nonce += 1;
                    if *is_forced {
                        messages.push(forced(bytes));
                    } else {
                        own.push(bytes);
                    }
                }
            }
            let l1 = chain.mine_many(11, messages);
            let executed = chain.block(&l1, &own);
            for withdrawal in &executed.withdrawals {
                expected -= sats(withdrawal.amount);
            }
            prop_assert_eq!(chain.coins(), expected);
            prop_assert_eq!(executed.receipts.len(), executed.transactions.len());
        }
    }
}
