//! Blocks as people fill them: transfers of round and of exact amounts, tokens, swaps, deployments, known and new recipients.
//!
//! Signatures are random numbers, which is what they look like to a compressor; nothing here is executed.

use alloy_consensus::{EthereumTxEnvelope, Signed, TxEip1559, TxEip4844, TxLegacy};
use alloy_eips::eip2718::Encodable2718;
use alloy_eips::eip2930::AccessList;
use alloy_primitives::{Address, Bytes, Signature, TxKind, U256};
use l2_da::batch::{BlockContent, Content};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;

/// The chain of these blocks.
pub(crate) const CHAIN_ID: u64 = 7_331;
const GWEI: u128 = 1_000_000_000;

/// What people send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mix {
    /// Transfers alone, each to somebody new: the dearest.
    StrangerTransfers,
    /// Transfers alone, half of them to somebody known.
    Transfers,
    /// Tokens alone.
    Tokens,
    /// 55% transfers, 35% tokens, 9% swaps, 1% deployments.
    Everything,
}

/// Bytes that nothing makes smaller.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    ChaCha12Rng::seed_from_u64(length as u64).fill(&mut bytes[..]);
    bytes
}

struct Account {
    address: Address,
    nonce: u64,
}

/// `count` transactions in blocks of 100, one a second.
pub(crate) fn traffic(mix: Mix, count: usize, seed: u64) -> Content {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let mut accounts: Vec<Account> = (0..2_000)
        .map(|_| Account {
            address: rng.r#gen::<[u8; 20]>().into(),
            nonce: rng.gen_range(0u64..3).pow(4) * rng.gen_range(0..30),
        })
        .collect();
    let contracts: Vec<Address> = (0..8).map(|_| rng.r#gen::<[u8; 20]>().into()).collect();
    let mut blocks = Vec::new();
    let (mut time, mut origin, mut base) = (1_795_000_000_000u64, 900_000u64, 100_000_000u128);
    let mut left = count;
    while left > 0 {
        time += 1_000 + rng.gen_range(0..40);
        origin += u64::from(rng.gen_ratio(1, 600));
        base += base / 1_000 * rng.gen_range(0..20) / 10;
        let here = left.min(100);
        left -= here;
        blocks.push(BlockContent {
            timestamp_ms: time,
            origin,
            round: rng.gen_ratio(1, 200).into(),
            data_fee: 12_000_000_000 + u64::from(rng.gen_ratio(1, 20)) * 1_000,
            forced: 0,
            transactions: (0..here)
                .map(|_| transaction(mix, &mut accounts, &contracts, base, &mut rng))
                .collect(),
        });
    }
    Content { blocks }
}

/// Few are popular.
fn popular(rng: &mut ChaCha12Rng, count: usize) -> usize {
    let x: f64 = rng.r#gen();
    ((count as f64) * x * x * x) as usize
}

fn amount(rng: &mut ChaCha12Rng) -> U256 {
    let sat = U256::from(10_000_000_000u64);
    match rng.gen_range(0..10) {
        // A round amount of one to three digits.
        0..=4 => U256::from(rng.gen_range(1..1_000)) * U256::from(10).pow(U256::from(rng.gen_range(12..18))),
        // Whole satoshis.
        5..=7 => U256::from(rng.gen_range(1_000..30_000_000u64)) * sat,
        // Whatever was left after fees, to the wei.
        _ => U256::from(rng.gen_range(1u128 << 40..1 << 60)),
    }
}

fn word(value: U256) -> [u8; 32] {
    value.to_be_bytes()
}

fn transaction(
    mix: Mix,
    accounts: &mut [Account],
    contracts: &[Address],
    base: u128,
    rng: &mut ChaCha12Rng,
) -> Bytes {
    let sender = popular(rng, accounts.len());
    let nonce = accounts[sender].nonce;
    accounts[sender].nonce += 1;
    let stranger = match mix {
        Mix::StrangerTransfers => true,
        _ => rng.gen_bool(0.5),
    };
    let to: Address = if stranger {
        rng.r#gen::<[u8; 20]>().into()
    } else {
        accounts[popular(rng, accounts.len())].address
    };
    let kind = match mix {
        Mix::StrangerTransfers | Mix::Transfers => 0,
        Mix::Tokens => 60,
        Mix::Everything => rng.gen_range(0..100),
    };
    let (to, value, gas_limit, input) = match kind {
        0..=54 => (TxKind::Call(to), amount(rng), 21_000, vec![]),
        55..=89 => {
            let mut input = vec![0xa9, 0x05, 0x9c, 0xbb];
            input.extend([0; 12]);
            input.extend(to);
            input.extend(word(amount(rng)));
            let token = contracts[popular(rng, 5)];
            (
                TxKind::Call(token),
                U256::ZERO,
                *[65_000, 52_311, 60_000].choose(rng).unwrap(),
                input,
            )
        }
        90..=98 => {
            // swapExactTokensForTokens: amounts, path of two, recipient, deadline.
            let mut input = vec![0x38, 0xed, 0x17, 0x39];
            for number in [amount(rng), amount(rng), U256::from(160)] {
                input.extend(word(number));
            }
            input.extend([0; 12]);
            input.extend(accounts[sender].address);
            input.extend(word(U256::from(1_795_000_000u64 + rng.gen_range(0..10_000))));
            input.extend(word(U256::from(2)));
            for _ in 0..2 {
                input.extend([0; 12]);
                input.extend(contracts[popular(rng, 5)]);
            }
            (
                TxKind::Call(contracts[7]),
                U256::ZERO,
                rng.gen_range(140_000..220_000),
                input,
            )
        }
        _ => {
            let code: Vec<u8> = (0..rng.gen_range(500..4_000))
                .map(|_| rng.gen_range(0..120))
                .collect();
            (TxKind::Create, U256::ZERO, 2_000_000, code)
        }
    };
    let tip = *[GWEI / 1000, GWEI / 500, GWEI / 1000 * 3 / 2]
        .choose(rng)
        .unwrap();
    let signature = Signature::new(
        U256::from_be_bytes(rng.r#gen::<[u8; 32]>()),
        U256::from_be_bytes(rng.r#gen::<[u8; 32]>()) >> 1,
        rng.r#gen(),
    );
    let input = Bytes::from(input);
    let envelope: EthereumTxEnvelope<TxEip4844> = if rng.gen_ratio(1, 20) {
        EthereumTxEnvelope::Legacy(Signed::new_unhashed(
            TxLegacy {
                chain_id: Some(CHAIN_ID),
                nonce,
                gas_price: base + tip,
                gas_limit,
                to,
                value,
                input,
            },
            signature,
        ))
    } else {
        EthereumTxEnvelope::Eip1559(Signed::new_unhashed(
            TxEip1559 {
                chain_id: CHAIN_ID,
                nonce,
                gas_limit,
                max_fee_per_gas: 2 * base + tip,
                max_priority_fee_per_gas: tip,
                to,
                value,
                access_list: AccessList::default(),
                input,
            },
            signature,
        ))
    };
    envelope.encoded_2718().into()
}
