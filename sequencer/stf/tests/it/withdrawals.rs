//! Withdrawals: what is burned, what is refused, and how contracts may ask.

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{SolCall, SolEvent};
use l2_block::Withdrawal;
use l2_stf::{
    CallRequest, CallStatus, MIN_WITHDRAWAL, SYSTEM, StateView, WITHDRAW_BYTE_GAS, WITHDRAW_GAS, WITHDRAWALS,
    Withdrawals, call, withdrawal_slot,
};

use crate::chain::{Chain, Key, init, sats};

pub(crate) fn withdraw(script: &[u8]) -> Bytes {
    Withdrawals::withdrawCall {
        script: Bytes::copy_from_slice(script),
    }
    .abi_encode()
    .into()
}

fn wei(amount: u64) -> u128 {
    sats(amount).to()
}

#[test]
fn a_withdrawal_burns_and_leaves_its_hash() {
    let mut chain = Chain::new();
    let key = Key::new(1);
    let script = [0x51, 0x20, 7, 7, 7];
    let coins = chain.coins();
    let transactions = [
        key.call(0, WITHDRAWALS, wei(330), withdraw(&script)),
        key.call(1, WITHDRAWALS, wei(1_000), withdraw(&[0x6a; 520])),
    ];
    let executed = chain.block(&[], &transactions);
    let expected = [
        Withdrawal {
            index: 0,
            sender: key.address(),
            amount: 330,
            script: Bytes::copy_from_slice(&script),
        },
        Withdrawal {
            index: 1,
            sender: key.address(),
            amount: 1_000,
            script: vec![0x6a; 520].into(),
        },
    ];
    assert_eq!(executed.withdrawals, expected);
    assert_eq!(chain.coins(), coins - sats(1_330));
    assert_eq!(chain.balance(WITHDRAWALS), U256::ZERO);
    assert_eq!(chain.word(WITHDRAWALS, 0), U256::from(2));
    assert_eq!(chain.word(SYSTEM, 4), U256::from(1_330));
    for (i, withdrawal) in expected.iter().enumerate() {
        let word = chain
            .view()
            .storage(&WITHDRAWALS, &withdrawal_slot(i as u64))
            .unwrap();
        assert_eq!(B256::from(word), withdrawal.hash());
        let [log] = &executed.receipts[i].logs[..] else {
            panic!()
        };
        assert_eq!(log.address, WITHDRAWALS);
        let event = Withdrawals::Withdrawal::decode_log_data(&log.data).unwrap();
        assert_eq!(event.index, withdrawal.index);
        assert_eq!(event.sender, withdrawal.sender);
        assert_eq!(event.amount, withdrawal.amount);
        assert_eq!(event.script, withdrawal.script);
        // Its gas: the intrinsic one of the call data, and what the precompile takes.
        let input = withdraw(&withdrawal.script);
        let zeros = input.iter().filter(|byte| **byte == 0).count() as u64;
        let intrinsic = 21_000 + 4 * zeros + 16 * (input.len() as u64 - zeros);
        assert_eq!(
            executed.transactions[i].gas_used,
            intrinsic + WITHDRAW_GAS + WITHDRAW_BYTE_GAS * input.len() as u64
        );
    }
}

#[test]
fn what_cannot_be_paid_reverts() {
    let mut chain = Chain::new();
    let key = Key::new(1);
    let script = [0x51];
    let good = withdraw(&script);
    let mut wrong_selector = good.to_vec();
    wrong_selector[0] ^= 1;
    // Points to a script beyond the data; a script that is longer than the data.
    let mut far = good.to_vec();
    far[4..36].fill(0xff);
    let mut long = good.to_vec();
    long[36..68].fill(0xff);
    let cases: Vec<(u128, Bytes)> = vec![
        (wei(MIN_WITHDRAWAL) - 1, good.clone()),
        (wei(MIN_WITHDRAWAL - 1), good.clone()),
        (wei(1_000) + 1, good.clone()),
        (0, good.clone()),
        (wei(1_000), withdraw(&[])),
        (wei(1_000), withdraw(&[0x51; 521])),
        (wei(1_000), Bytes::new()),
        (wei(1_000), good.slice(..4)),
        (wei(1_000), good.slice(..36)),
        (wei(1_000), good.slice(..68)),
        (wei(1_000), wrong_selector.into()),
        (wei(1_000), far.into()),
        (wei(1_000), long.into()),
    ];
    let transactions: Vec<Bytes> = cases
        .into_iter()
        .enumerate()
        .map(|(i, (value, input))| key.call(i as u64, WITHDRAWALS, value, input))
        .collect();
    let coins = chain.coins();
    let executed = chain.block(&[], &transactions);
    for (i, receipt) in executed.receipts.iter().enumerate() {
        assert!(!receipt.success, "case {i}");
        assert_eq!(receipt.logs, []);
        // It reverts and does not halt: what gas is left comes back.
        assert!(executed.transactions[i].gas_used < 200_000);
    }
    assert_eq!(executed.withdrawals, []);
    assert_eq!(chain.coins(), coins);
    assert_eq!(chain.balance(WITHDRAWALS), U256::ZERO);
    assert_eq!(chain.word(WITHDRAWALS, 0), U256::ZERO);
    assert_eq!(chain.word(SYSTEM, 4), U256::ZERO);
}

#[test]
fn gas_is_taken_before_the_work() {
    let chain = Chain::new();
    let key = Key::new(1);
    let ask = |gas: u64| {
        let request = CallRequest {
            from: key.address(),
            to: Some(WITHDRAWALS),
            value: sats(1_000),
            input: withdraw(&[0x51]),
            gas: Some(gas),
            ..CallRequest::default()
        };
        call(&chain.spec, chain.view(), &chain.head, &request).unwrap()
    };
    let enough = ask(1_000_000);
    assert_eq!(enough.status, CallStatus::Success);
    assert_eq!(
        Withdrawals::withdrawCall::abi_decode_returns(&enough.output).unwrap(),
        0
    );
    assert_eq!(ask(enough.gas_used).status, CallStatus::Success);
    let short = ask(enough.gas_used - 1);
    assert!(matches!(short.status, CallStatus::Halt(_)), "{short:?}");
    assert_eq!(short.gas_used, enough.gas_used - 1);
}

/// A contract that passes its call data and value on to the withdrawals with this opcode, and answers 1 if that succeeded
/// and 0 if not.
fn passes_on(opcode: u8) -> Vec<u8> {
    let mut code = vec![
        0x36, 0x5f, 0x5f, 0x37, // CALLDATASIZE PUSH0 PUSH0 CALLDATACOPY
        0x5f, 0x5f, 0x36, 0x5f, // PUSH0 PUSH0 CALLDATASIZE PUSH0
    ];
    if matches!(opcode, 0xf1 | 0xf2) {
        code.push(0x34); // CALLVALUE
    }
    code.extend([0x61, 0x7a, 0x01, 0x5a, opcode]); // PUSH2 address GAS call
    code.extend([0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3]); // PUSH0 MSTORE PUSH1 32 PUSH0 RETURN
    code
}

#[test]
fn only_a_plain_call_withdraws() {
    const CALL: u8 = 0xf1;
    const CALLCODE: u8 = 0xf2;
    const DELEGATECALL: u8 = 0xf4;
    const STATICCALL: u8 = 0xfa;
    for opcode in [CALL, CALLCODE, DELEGATECALL, STATICCALL] {
        let mut chain = Chain::new();
        let key = Key::new(1);
        let contract = key.address().create(0);
        chain.block(&[], &[key.create(0, init(&passes_on(opcode)))]);
        let coins = chain.coins();
        let request = CallRequest {
            from: key.address(),
            to: Some(contract),
            value: sats(500),
            input: withdraw(&[0x51]),
            ..CallRequest::default()
        };
        let answer = call(&chain.spec, chain.view(), &chain.head, &request).unwrap();
        let executed = chain.block(&[], &[key.call(1, contract, wei(500), withdraw(&[0x51]))]);
        assert!(executed.receipts[0].success);
        if opcode == CALL {
            assert_eq!(U256::from_be_slice(&answer.output), U256::from(1));
            // In the name of the contract, which is who called.
            assert_eq!(executed.withdrawals.len(), 1);
            assert_eq!(executed.withdrawals[0].sender, contract);
            assert_eq!(chain.coins(), coins - sats(500));
        } else {
            assert_eq!(U256::from_be_slice(&answer.output), U256::ZERO);
            assert_eq!(executed.withdrawals, []);
            assert_eq!(chain.coins(), coins);
            assert_eq!(chain.balance(contract), sats(500));
            assert_eq!(chain.word(WITHDRAWALS, 0), U256::ZERO);
            assert_eq!(chain.word(contract, 0), U256::ZERO);
        }
    }
}

#[test]
fn a_contract_that_withdraws_and_reverts_leaves_nothing() {
    let mut chain = Chain::new();
    let key = Key::new(1);
    let contract = key.address().create(0);
    // As above, but ends with PUSH0 PUSH0 REVERT.
    let mut code = passes_on(0xf1);
    code.truncate(code.len() - 6);
    code.extend([0x5f, 0x5f, 0xfd]);
    chain.block(&[], &[key.create(0, init(&code))]);
    let coins = chain.coins();
    let transactions = [
        key.call(1, contract, wei(500), withdraw(&[0x51])),
        key.call(2, WITHDRAWALS, wei(400), withdraw(&[0x52])),
    ];
    let executed = chain.block(&[], &transactions);
    assert!(!executed.receipts[0].success);
    assert!(executed.receipts[1].success);
    // The one that stays is the first of all.
    assert_eq!(executed.withdrawals.len(), 1);
    assert_eq!(
        (executed.withdrawals[0].index, executed.withdrawals[0].amount),
        (0, 400)
    );
    assert_eq!(chain.coins(), coins - sats(400));
    assert_eq!(chain.word(SYSTEM, 4), U256::from(400));
}

#[test]
fn coins_forced_upon_the_account_are_no_withdrawal() {
    let mut chain = Chain::new();
    let key = Key::new(1);
    // PUSH2 7a01 SELFDESTRUCT as init code: its value goes to the withdrawals' account without a call.
    let tx = alloy_consensus::TxEip1559 {
        gas_limit: 200_000,
        to: alloy_primitives::TxKind::Create,
        input: Bytes::from_static(&[0x61, 0x7a, 0x01, 0xff]),
        ..crate::chain::transfer(0, Address::ZERO, wei(777))
    };
    let coins = chain.coins();
    let transactions = [
        key.sign(tx),
        key.call(1, WITHDRAWALS, wei(400), withdraw(&[0x52])),
    ];
    chain.block(&[], &transactions);
    assert_eq!(chain.coins(), coins - sats(400));
    // They lie there for ever; nobody can withdraw more than they send.
    assert_eq!(chain.balance(WITHDRAWALS), sats(777));
    let executed = chain.block(&[], &[key.call(2, WITHDRAWALS, 0, withdraw(&[0x52]))]);
    assert!(!executed.receipts[0].success);
    assert_eq!(chain.balance(WITHDRAWALS), sats(777));
}
