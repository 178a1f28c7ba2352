//! Contracts: what the EVM sees of the layer 2, and what of them stays in the state.

use alloy_consensus::{TxEip1559, TxEip7702};
use alloy_eips::eip7702::Authorization;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use l2_stf::{
    Account, CallError, CallRequest, CallStatus, HISTORY, StateView, TOKEN, WITHDRAWALS, call, estimate_gas,
};

use crate::chain::{CHAIN_ID, Chain, Key, init, sats, transfer};
use crate::withdrawals::withdraw;

/// Answers the word that `code` leaves on the stack.
fn answering(code: &[u8]) -> Vec<u8> {
    // PUSH0 MSTORE PUSH1 32 PUSH0 RETURN.
    [code, &[0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3]].concat()
}

fn ask(chain: &Chain, to: Address, input: &[u8]) -> Bytes {
    let request = CallRequest {
        to: Some(to),
        input: Bytes::copy_from_slice(input),
        ..CallRequest::default()
    };
    let answer = call(&chain.spec, chain.view(), &chain.head, &request).unwrap();
    assert_eq!(
        answer,
        call(&chain.spec, chain.tree(), &chain.head, &request).unwrap()
    );
    assert_eq!(answer.status, CallStatus::Success);
    answer.output
}

#[test]
fn a_contract_is_deployed_called_and_logs() {
    let mut chain = Chain::new();
    let key = Key::new(1);
    let contract = key.address().create(0);
    // slot 0 += 1; LOG1 of 32 bytes with topic 0x77; answers the count.
    let code = [
        0x5f, 0x54, 0x60, 0x01, 0x01, 0x80, 0x5f, 0x55, // SLOAD 1 ADD DUP1 SSTORE
        0x80, 0x5f, 0x52, 0x60, 0x77, 0x60, 0x20, 0x5f, 0xa1, // DUP1 MSTORE, LOG1
        0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3,
    ];
    let executed = chain.block(
        &[],
        &[key.create(0, init(&code)), key.call(1, contract, 0, Bytes::new())],
    );
    assert_eq!(executed.transactions[0].contract, Some(contract));
    let [log] = &executed.receipts[1].logs[..] else {
        panic!()
    };
    assert_eq!(log.address, contract);
    assert_eq!(log.topics(), [B256::with_last_byte(0x77)]);
    assert_eq!(log.data.data[..], U256::from(1).to_be_bytes::<32>());
    assert_eq!(chain.word(contract, 0), U256::from(1));
    let account = chain.tree().account(&contract).unwrap().unwrap();
    assert_eq!(
        account,
        Account {
            nonce: 1,
            balance: U256::ZERO,
            code_hash: keccak256(code)
        }
    );
    assert_eq!(chain.tree().code(&account.code_hash).unwrap()[..], code);
    // Its code is read back in a later block.
    chain.block(
        &[],
        &[
            key.call(2, contract, 0, Bytes::new()),
            key.call(3, contract, 0, Bytes::new()),
        ],
    );
    assert_eq!(chain.word(contract, 0), U256::from(3));
    // A question changes nothing.
    assert_eq!(U256::from_be_slice(&ask(&chain, contract, &[])), U256::from(4));
    assert_eq!(U256::from_be_slice(&ask(&chain, contract, &[])), U256::from(4));
}

#[test]
fn a_word_that_is_changed_back_is_no_change() {
    let mut chain = Chain::new();
    let key = Key::new(1);
    let contract = key.address().create(0);
    // slot 0 = call data word 0.
    chain.block(&[], &[key.create(0, init(&[0x5f, 0x35, 0x5f, 0x55, 0x00]))]);
    let set =
        |nonce: u64, value: u64| key.call(nonce, contract, 0, U256::from(value).to_be_bytes_vec().into());
    let executed = chain.block(&[], &[set(1, 9), set(2, 0)]);
    assert!(!executed.changes.storage.contains_key(&(contract, U256::ZERO)));
    // A later transaction that only reads the slot does not hide an earlier change.
    let executed = chain.block(&[], &[set(3, 9), set(4, 9)]);
    assert_eq!(executed.changes.storage[&(contract, U256::ZERO)], U256::from(9));
    let executed = chain.block(&[], &[set(5, 0)]);
    assert_eq!(executed.changes.storage[&(contract, U256::ZERO)], U256::ZERO);
    assert_eq!(chain.tree().storage(&contract, &U256::ZERO).unwrap(), U256::ZERO);
}

#[test]
fn the_evm_sees_the_block() {
    let mut chain = Chain::new();
    let key = Key::new(1);
    // Slots 0.. get these opcodes' answers.
    let opcodes = [0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x48, 0x4a, 0x3a];
    let mut code = vec![];
    for (slot, opcode) in opcodes.iter().enumerate() {
        code.extend([*opcode, 0x60, u8::try_from(slot).unwrap(), 0x55]);
    }
    let contract = key.address().create(0);
    chain.block(&[], &[key.create(0, init(&code))]);
    let parent = chain.head.clone();
    chain.block(&[], &[key.call(1, contract, 0, Bytes::new())]);
    let header = &chain.head;
    let price = U256::from(header.base_fee) + U256::from(1_000_000_000);
    let expected = [
        U256::from_be_slice(header.proposer.as_slice()),
        U256::from(header.timestamp_ms / 1000),
        U256::from(2),
        U256::from_be_bytes(parent.hash().0),
        U256::from(chain.spec.fees.gas_limit),
        U256::from(CHAIN_ID),
        U256::from(header.base_fee),
        U256::from(1),
        price,
    ];
    for (slot, expected) in expected.into_iter().enumerate() {
        assert_eq!(chain.word(contract, slot as u64), expected, "slot {slot}");
    }
}

#[test]
fn hashes_of_headers_are_in_the_state() {
    let mut chain = Chain::new();
    let key = Key::new(1);
    // BLOCKHASH(call data word 0), once kept in the slot of that number, once answered.
    let keeps = [0x5f, 0x35, 0x80, 0x40, 0x90, 0x55];
    let answers = answering(&[0x5f, 0x35, 0x40]);
    let (keeper, answerer) = (key.address().create(0), key.address().create(1));
    let mut hashes = vec![chain.head.hash()];
    chain.block(&[], &[key.create(0, init(&keeps)), key.create(1, init(&answers))]);
    for _ in 0..5 {
        hashes.push(chain.head.hash());
        chain.block(&[], &[]);
    }
    hashes.push(chain.head.hash());
    let word = |number: u64| U256::from(number).to_be_bytes::<32>();
    // From within the next block: all up to its parent, not itself.
    let number = chain.head.number + 1;
    let calls: Vec<Bytes> = (0..=number)
        .map(|i| key.call(2 + i, keeper, 0, word(i).into()))
        .collect();
    chain.block(&[], &calls);
    for (i, hash) in hashes.iter().enumerate() {
        assert_eq!(B256::from(chain.word(keeper, i as u64)), *hash, "{i}");
        // EIP-2935's contract answers everybody.
        assert_eq!(ask(&chain, HISTORY, &word(i as u64))[..], hash[..]);
        assert_eq!(ask(&chain, answerer, &word(i as u64))[..], hash[..]);
    }
    assert_eq!(chain.word(keeper, number), U256::ZERO);
    // Nobody else may write there.
    let before = chain.word(HISTORY, 3);
    chain.block(&[], &[key.call(2 + number + 1, HISTORY, 1, word(3).into())]);
    assert_eq!(chain.word(HISTORY, 3), before);
}

#[test]
fn a_contract_may_destroy_itself_and_come_back() {
    let mut chain = Chain::new();
    let key = Key::new(1);
    // A factory: CREATE2 with salt 0 of init code that stores 1 in slot 0, then destroys itself if called with value... it
    // is created and destroyed in one transaction: SSTORE(0, 1) CALLER SELFDESTRUCT.
    let child = [0x60, 0x01, 0x5f, 0x55, 0x33, 0xff];
    let mut code = vec![0x65];
    code.extend(child);
    // MSTORE(0, child) puts it at 26..32; CREATE2(callvalue, 26, 6, 0).
    code.extend([0x5f, 0x52, 0x5f, 0x60, 0x06, 0x60, 0x1a, 0x34, 0xf5, 0x00]);
    let factory = key.address().create(0);
    let address = factory.create2(B256::ZERO, keccak256(child));
    chain.block(&[], &[key.create(0, init(&code))]);
    let executed = chain.block(
        &[],
        &[
            key.call(1, factory, 5, Bytes::new()),
            key.call(2, factory, 6, Bytes::new()),
            // Coins to where it was.
            key.pay(3, address, 7),
        ],
    );
    assert!(executed.receipts.iter().all(|receipt| receipt.success));
    assert_eq!(chain.balance(factory), U256::from(11));
    assert_eq!(
        chain.tree().account(&address).unwrap(),
        Some(Account {
            balance: U256::from(7),
            ..Account::default()
        })
    );
    assert_eq!(chain.word(address, 0), U256::ZERO);
    // Once more in a later block, with coins there already.
    let executed = chain.block(&[], &[key.call(4, factory, 1, Bytes::new())]);
    assert!(executed.receipts[0].success);
    assert_eq!(chain.balance(factory), U256::from(19));
    assert_eq!(chain.tree().account(&address).unwrap(), None);
}

#[test]
fn destroying_in_favour_of_oneself_burns_nothing() {
    let mut chain = Chain::new();
    let key = Key::new(1);
    let coins = chain.coins();
    // As init code: ADDRESS SELFDESTRUCT.
    let tx = TxEip1559 {
        gas_limit: 200_000,
        to: TxKind::Create,
        input: Bytes::from_static(&[0x30, 0xff]),
        ..transfer(0, Address::ZERO, 77)
    };
    chain.block(&[], &[key.sign(tx)]);
    let address = key.address().create(0);
    assert_eq!(chain.coins(), coins);
    assert_eq!(
        chain.tree().account(&address).unwrap(),
        Some(Account {
            balance: U256::from(77),
            ..Account::default()
        })
    );
}

#[test]
fn a_delegation_to_a_precompile_is_none() {
    for precompile in [WITHDRAWALS, TOKEN] {
        let mut chain = Chain::new();
        let (key, authority) = (Key::new(1), Key::new(2));
        let authorization = Authorization {
            chain_id: U256::from(CHAIN_ID),
            address: precompile,
            nonce: 0,
        };
        let signature = authority.signature(authorization.signature_hash());
        let coins = chain.coins();
        let tx = TxEip7702 {
            chain_id: CHAIN_ID,
            nonce: 0,
            gas_limit: 500_000,
            max_fee_per_gas: 3_000_000_000,
            to: authority.address(),
            value: sats(1_000),
            input: withdraw(&[0x51]),
            authorization_list: vec![authorization.into_signed(signature)],
            ..TxEip7702::default()
        };
        let executed = chain.block(&[], &[key.sign(tx)]);
        // It runs into the code that the precompile's account has.
        assert!(!executed.receipts[0].success);
        assert_eq!(executed.withdrawals, []);
        assert_eq!(chain.coins(), coins);
    }
}

#[test]
fn accounts_of_the_system_have_code_and_take_no_coins() {
    let mut chain = Chain::new();
    let key = Key::new(1);
    let transactions: Vec<Bytes> = [WITHDRAWALS, l2_stf::SYSTEM, TOKEN]
        .into_iter()
        .enumerate()
        .map(|(i, address)| key.call(i as u64, address, 1_000, Bytes::new()))
        .collect();
    let executed = chain.block(&[], &transactions);
    for receipt in &executed.receipts {
        assert!(!receipt.success);
    }
    // EXTCODESIZE, which compilers ask before a call.
    let sizes = answering(&[0x5f, 0x35, 0x3b]);
    chain.block(&[], &[key.create(3, init(&sizes))]);
    let asker = key.address().create(3);
    for address in [WITHDRAWALS, l2_stf::SYSTEM, TOKEN] {
        assert_eq!(
            U256::from_be_slice(&ask(&chain, asker, address.into_word().as_slice())),
            U256::from(1)
        );
    }
}

#[test]
fn questions_need_no_key_but_coins() {
    let mut chain = Chain::new();
    let key = Key::new(1);
    let contract = key.address().create(0);
    // Answers CALLER.
    chain.block(&[], &[key.create(0, init(&answering(&[0x33])))]);
    let question = |from: Address, value: u64| {
        let request = CallRequest {
            from,
            to: Some(contract),
            value: U256::from(value),
            ..CallRequest::default()
        };
        call(&chain.spec, chain.view(), &chain.head, &request)
    };
    // A contract asks itself.
    for from in [Address::ZERO, contract, key.address()] {
        assert_eq!(question(from, 0).unwrap().output[12..], from[..]);
    }
    question(key.address(), 5).unwrap();
    let poor = question(Address::ZERO, 5).unwrap_err();
    assert_eq!(
        poor.to_string(),
        "insufficient funds for gas * price + value: balance 0, cost 5"
    );
    let request = CallRequest {
        to: Some(contract),
        gas: Some(20_000),
        ..CallRequest::default()
    };
    assert!(matches!(
        call(&chain.spec, chain.view(), &chain.head, &request),
        Err(CallError::Refused(_))
    ));
    // An endless loop ends with the gas.
    let request = CallRequest {
        to: None,
        input: Bytes::from_static(&[0x5b, 0x5f, 0x56]),
        gas: Some(u64::MAX),
        ..CallRequest::default()
    };
    let answer = call(&chain.spec, chain.view(), &chain.head, &request).unwrap();
    assert!(matches!(answer.status, CallStatus::Halt(_)));
    assert_eq!(answer.gas_used, 1 << 24);
}

#[test]
fn an_estimate_is_enough_and_one_less_is_not() {
    let chain = Chain::new();
    let key = Key::new(1);
    let requests = [
        CallRequest {
            from: key.address(),
            to: Some(Address::repeat_byte(0xdd)),
            value: U256::from(1),
            ..CallRequest::default()
        },
        CallRequest {
            from: key.address(),
            to: Some(WITHDRAWALS),
            value: sats(1_000),
            input: withdraw(&[0x51]),
            ..CallRequest::default()
        },
        CallRequest {
            from: key.address(),
            to: None,
            input: init(&[0x00; 100]),
            ..CallRequest::default()
        },
    ];
    for request in requests {
        let gas = estimate_gas(&chain.spec, chain.view(), &chain.head, &request).unwrap();
        let ask = |gas: u64| {
            let request = CallRequest {
                gas: Some(gas),
                ..request.clone()
            };
            call(&chain.spec, chain.view(), &chain.head, &request)
        };
        assert_eq!(ask(gas).unwrap().status, CallStatus::Success);
        assert!(!ask(gas - 1).is_ok_and(|answer| answer.status == CallStatus::Success));
    }
    let fails = CallRequest {
        from: key.address(),
        to: Some(WITHDRAWALS),
        ..CallRequest::default()
    };
    assert!(matches!(
        estimate_gas(&chain.spec, chain.view(), &chain.head, &fails),
        Err(CallError::Fails { .. })
    ));
}
