//! The token as the state transition wires it in: calls, reverts, turns, epochs.

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::SolCall;
use l2_stf::{CallRequest, CallStatus, Invalid, TOKEN, active_validators, call};
use l2_token::IToken;

use crate::chain::{Chain, Key, init, validator};

fn transfer(to: Address, amount: u64) -> Bytes {
    IToken::transferCall {
        to,
        value: U256::from(amount),
    }
    .abi_encode()
    .into()
}

fn tokens(chain: &Chain, owner: Address) -> U256 {
    let request = CallRequest {
        to: Some(TOKEN),
        input: IToken::balanceOfCall { owner }.abi_encode().into(),
        ..CallRequest::default()
    };
    let answer = call(&chain.spec, chain.tree(), &chain.head, &request).unwrap();
    assert_eq!(answer.status, CallStatus::Success);
    IToken::balanceOfCall::abi_decode_returns(&answer.output).unwrap()
}

const TO: Address = Address::repeat_byte(0xdd);

#[test]
fn tokens_move_by_a_call_and_its_event_is_logged() {
    let mut chain = Chain::new();
    let key = Key::new(1);
    assert_eq!(tokens(&chain, key.address()), U256::from(300));
    let input = transfer(TO, 70);
    let executed = chain.block(&[], &[key.call(0, TOKEN, 0, input.clone())]);
    assert!(executed.receipts[0].success);
    let [log] = &executed.receipts[0].logs[..] else {
        panic!()
    };
    assert_eq!(log.address, TOKEN);
    assert_eq!(log.data.data[..], U256::from(70).to_be_bytes::<32>());
    assert_eq!(tokens(&chain, TO), U256::from(70));
    assert_eq!(tokens(&chain, key.address()), U256::from(230));
    let zeros = input.iter().filter(|byte| **byte == 0).count() as u64;
    let intrinsic = 21_000 + 4 * zeros + 16 * (input.len() as u64 - zeros);
    assert_eq!(executed.gas_used, intrinsic + l2_token::gas(&input));
}

#[test]
fn what_the_token_refuses_moves_nothing() {
    let mut chain = Chain::new();
    let key = Key::new(1);
    let calls = [
        (0, transfer(TO, 301)),
        // Coins with it.
        (1, transfer(TO, 1)),
        (0, Bytes::from_static(&[1, 2, 3, 4])),
        (0, Bytes::new()),
        (0, transfer(TO, 1).slice(..67)),
    ];
    let coins = chain.coins();
    let transactions: Vec<Bytes> = calls
        .into_iter()
        .enumerate()
        .map(|(i, (value, input))| key.call(i as u64, TOKEN, value, input))
        .collect();
    let executed = chain.block(&[], &transactions);
    for receipt in &executed.receipts {
        assert!(!receipt.success);
        assert_eq!(receipt.logs, []);
    }
    assert_eq!(tokens(&chain, TO), U256::ZERO);
    assert_eq!(chain.coins(), coins);
    assert_eq!(chain.balance(TOKEN), U256::ZERO);
}

#[test]
fn too_little_gas_moves_nothing() {
    let chain = Chain::new();
    let ask = |gas: u64| {
        let request = CallRequest {
            from: Key::new(1).address(),
            to: Some(TOKEN),
            input: transfer(TO, 1),
            gas: Some(gas),
            ..CallRequest::default()
        };
        call(&chain.spec, chain.view(), &chain.head, &request).unwrap()
    };
    let enough = ask(1_000_000);
    assert_eq!(enough.status, CallStatus::Success);
    assert_eq!(ask(enough.gas_used).status, CallStatus::Success);
    assert!(matches!(ask(enough.gas_used - 1).status, CallStatus::Halt(_)));
}

/// A contract that passes its call data on to the token with this opcode and ends with `end`; success of the call is on the
/// stack.
fn passes_on(opcode: u8, end: &[u8]) -> Vec<u8> {
    let mut code = vec![0x36, 0x5f, 0x5f, 0x37, 0x5f, 0x5f, 0x36, 0x5f];
    if matches!(opcode, 0xf1 | 0xf2) {
        code.push(0x5f);
    }
    code.extend([0x61, 0x7a, 0x03, 0x5a, opcode]);
    code.extend(end);
    code
}

/// Answers the word on the stack.
const ANSWER: [u8; 6] = [0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3];

#[test]
fn only_a_plain_call_moves_tokens_and_a_static_one_reads() {
    const CALL: u8 = 0xf1;
    const CALLCODE: u8 = 0xf2;
    const DELEGATECALL: u8 = 0xf4;
    const STATICCALL: u8 = 0xfa;
    let read: Bytes = IToken::totalSupplyCall {}.abi_encode().into();
    for (opcode, moves, reads) in [
        (CALL, true, true),
        (CALLCODE, false, false),
        (DELEGATECALL, false, false),
        (STATICCALL, false, true),
    ] {
        let mut chain = Chain::new();
        let key = Key::new(1);
        let contract = key.address().create(0);
        let transactions = [
            key.create(0, init(&passes_on(opcode, &ANSWER))),
            key.call(1, TOKEN, 0, transfer(contract, 50)),
        ];
        chain.block(&[], &transactions);
        let ask = |input: Bytes| {
            let request = CallRequest {
                to: Some(contract),
                input,
                ..CallRequest::default()
            };
            let answer = call(&chain.spec, chain.view(), &chain.head, &request).unwrap();
            !U256::from_be_slice(&answer.output).is_zero()
        };
        assert_eq!(ask(transfer(TO, 20)), moves, "{opcode:x}");
        assert_eq!(ask(read.clone()), reads, "{opcode:x}");
        chain.block(&[], &[key.call(2, contract, 0, transfer(TO, 20))]);
        assert_eq!(tokens(&chain, TO), U256::from(if moves { 20 } else { 0 }));
        assert_eq!(
            tokens(&chain, contract) + tokens(&chain, TO) + tokens(&chain, key.address()),
            U256::from(300)
        );
    }
}

#[test]
fn a_contract_that_moves_tokens_and_reverts_moved_none() {
    let mut chain = Chain::new();
    let key = Key::new(1);
    let contract = key.address().create(0);
    chain.block(
        &[],
        &[
            key.create(0, init(&passes_on(0xf1, &[0x5f, 0x5f, 0xfd]))),
            key.call(1, TOKEN, 0, transfer(contract, 50)),
        ],
    );
    let executed = chain.block(&[], &[key.call(2, contract, 0, transfer(TO, 20))]);
    assert!(!executed.receipts[0].success);
    assert_eq!(tokens(&chain, TO), U256::ZERO);
    assert_eq!(tokens(&chain, contract), U256::from(50));
}

#[test]
fn turns_go_round_and_skip_who_is_absent() {
    let mut chain = Chain::new();
    assert_eq!(
        active_validators(chain.tree()).unwrap(),
        [1, 2, 3].map(validator).to_vec()
    );
    // Block 1: the second validator, then the third, then the first.
    for (round, expected) in [(0, 2), (1, 3), (2, 1), (3, 2), (u32::MAX, 2)] {
        let mut template = chain.template(&[]);
        template.round = round;
        template.proposer = validator(expected).address;
        let (block, _) = chain.propose(&template, &[], &[]);
        chain.judge(&block, &[]).unwrap();
        let mut stolen = block;
        stolen.header.proposer = validator(expected % 3 + 1).address;
        assert_eq!(
            chain.judge(&stolen, &[]),
            Err(Invalid::Proposer {
                got: stolen.header.proposer,
                expected: validator(expected).address,
                round
            })
        );
    }
    let mut template = chain.template(&[]);
    template.round = 1;
    template.proposer = chain.proposer(1);
    let (block, _) = chain.propose(&template, &[], &[]);
    chain.take(&block, &[]);
    assert_eq!(chain.head.proposer, validator(3).address);
}

#[test]
fn an_epoch_pays_whoever_had_turns() {
    let mut chain = Chain::new();
    let supply = |chain: &Chain| {
        let request = CallRequest {
            to: Some(TOKEN),
            input: IToken::totalSupplyCall {}.abi_encode().into(),
            ..CallRequest::default()
        };
        let answer = call(&chain.spec, chain.view(), &chain.head, &request).unwrap();
        IToken::totalSupplyCall::abi_decode_returns(&answer.output).unwrap()
    };
    for _ in 0..9 {
        chain.block(&[], &[]);
    }
    assert_eq!(supply(&chain), U256::from(600));
    chain.block(&[], &[]);
    let emitted = l2_token::emission(&chain.spec.tokenomics, 0);
    assert!(!emitted.is_zero());
    assert_eq!(supply(&chain), U256::from(600) + emitted);
    let earned: U256 = (1..=3).map(|i| tokens(&chain, validator(i).address)).sum();
    assert_eq!(earned, l2_token::budgets(emitted).sequencers);
    // The last block of the epoch was still judged by the set from before.
    assert_eq!(chain.head.number, 10);
}
