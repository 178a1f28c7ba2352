//! Native and guest say the same of every batch, true and false.

mod images;
mod lies;
mod truths;

use alloc::vec::Vec;

use alloy_primitives::{Address, B256, Bytes, U256};

use crate::sample::{Batch, Chain, Key, deposit, forced, genesis};
use crate::{ClaimedBatch, claim_batch};

/// More than any run here takes.
pub(crate) const MAX_STEPS: u64 = 1 << 34;

pub(crate) fn claim(batch: &Batch) -> ClaimedBatch {
    claim_batch(
        &batch.genesis,
        &batch.parent,
        &batch.blocks,
        &batch.l1,
        &batch.nodes,
        MAX_STEPS,
    )
    .unwrap()
}

/// Init code that deploys `runtime`.
pub(crate) fn init(runtime: &[u8]) -> Bytes {
    // PUSH1 length, DUP1, PUSH1 9, PUSH0, CODECOPY, PUSH0, RETURN: 9 bytes.
    let length = u8::try_from(runtime.len()).unwrap();
    [&[0x60, length, 0x80, 0x60, 9, 0x5f, 0x39, 0x5f, 0xf3], runtime]
        .concat()
        .into()
}

/// A contract that adds 1 to its word 0, logs it, and gives it back.
pub(crate) const COUNTER: [u8; 17] = [
    0x5f, 0x54, // SLOAD(0)
    0x60, 1, 0x01, // + 1
    0x80, 0x5f, 0x55, // SSTORE(0)
    0x5f, 0x52, // MSTORE(0)
    0x60, 32, 0x5f, 0xa0, // LOG0(0, 32)
    0x60, 32, 0x5f, // (RETURN follows in `counter`)
];

pub(crate) fn counter() -> Vec<u8> {
    [&COUNTER[..], &[0xf3]].concat()
}

/// `selector ‖ word ‖ word …`
pub(crate) fn abi(selector: [u8; 4], words: &[U256]) -> Bytes {
    let mut bytes = selector.to_vec();
    for word in words {
        bytes.extend_from_slice(&word.to_be_bytes::<32>());
    }
    bytes.into()
}

/// First bytes of keccak of a signature.
pub(crate) fn selector(signature: &str) -> [u8; 4] {
    let hash: B256 = alloy_primitives::keccak256(signature);
    [hash[0], hash[1], hash[2], hash[3]]
}

/// One block of everything that the state transition does.
pub(crate) fn everything() -> Vec<Batch> {
    let mut chain = Chain::new(genesis(50));
    let [a, b, c] = [1, 2, 3].map(Key::new);
    let mut batches = Vec::new();
    let mut push = |chain: &mut Chain, l1, taken, transactions: &[Bytes]| {
        chain.push(l1, taken, transactions);
        batches.push(chain.take_batch());
    };
    push(&mut chain, Vec::new(), 0, &[]);
    let transfers = [
        a.pay(0, b.address(), 1_000),
        b.pay(0, Address::repeat_byte(0x77), 5),
    ];
    push(&mut chain, Vec::new(), 0, &transfers);
    push(&mut chain, Vec::new(), 0, &[a.create(1, init(&counter()))]);
    let contract = a.address().create(1);
    let calls = [
        a.call(2, contract, 0, Bytes::new()),
        b.call(1, contract, 0, Bytes::new()),
    ];
    push(&mut chain, Vec::new(), 0, &calls);
    let messages = [
        deposit(Address::repeat_byte(0x55), 70_000),
        forced(c.pay(0, a.address(), 9)),
        forced(Bytes::from_static(b"no transaction")),
    ];
    push(&mut chain, [messages.to_vec(), Vec::new()].to_vec(), 0, &[]);
    push(&mut chain, Vec::new(), 2, &[]);
    let script = Bytes::from_static(&[0x51, 0x20, 7, 7, 7]);
    let mut withdraw = abi(
        selector("withdraw(bytes)"),
        &[U256::from(32), U256::from(script.len())],
    )
    .to_vec();
    withdraw.extend_from_slice(&script);
    withdraw.resize(4 + 96, 0);
    let burn = a.call(
        3,
        l2_stf::WITHDRAWALS,
        1_000 * u128::from(l2_block::WEI_PER_SAT),
        withdraw.into(),
    );
    push(&mut chain, Vec::new(), 0, &[burn]);
    let word = |address: Address| U256::from_be_slice(address.as_slice());
    let give = abi(
        selector("transfer(address,uint256)"),
        &[word(b.address()), U256::from(50)],
    );
    let stake = abi(
        selector("stake(address,uint256)"),
        &[word(Address::repeat_byte(0xa1)), U256::from(20)],
    );
    push(
        &mut chain,
        Vec::new(),
        0,
        &[
            a.call(4, l2_stf::TOKEN, 0, give),
            a.call(5, l2_stf::TOKEN, 0, stake),
        ],
    );
    batches
}
