//! How many plain transfers a core executes in a second: over memory, over the tree with its update, and with signatures.
#![allow(missing_docs)] // criterion's macros write none.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hint::black_box;

use alloy_consensus::{SignableTransaction, TxEip1559};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use k256::ecdsa::SigningKey;
use l2_block::{Account as GenesisAccount, Fees, Genesis, L1Origin, Tokenomics, Validator, Windows};
use l2_state::EMPTY_ROOT;
use l2_stf::{
    Account, Changes, Spec, StateView, Template, Transaction, TreeView, apply, build, execute, recover,
};

const ACCOUNTS: usize = 1_000;
const TRANSFERS: usize = 5_000;

/// A state in hash maps, as a node's cache would hold it.
#[derive(Default)]
struct Memory {
    accounts: HashMap<Address, Account>,
    storage: HashMap<(Address, U256), U256>,
    code: HashMap<B256, Bytes>,
}

impl Memory {
    fn take(&mut self, changes: &Changes) {
        for (address, account) in &changes.accounts {
            match account {
                Some(account) => self.accounts.insert(*address, *account),
                None => self.accounts.remove(address),
            };
        }
        self.storage
            .extend(changes.storage.iter().map(|(key, value)| (*key, *value)));
        self.code
            .extend(changes.code.iter().map(|(hash, code)| (*hash, code.clone())));
    }
}

impl StateView for Memory {
    type Error = Infallible;

    fn account(&self, address: &Address) -> Result<Option<Account>, Infallible> {
        Ok(self.accounts.get(address).copied())
    }

    fn storage(&self, address: &Address, slot: &U256) -> Result<U256, Infallible> {
        Ok(self.storage.get(&(*address, *slot)).copied().unwrap_or_default())
    }

    fn code(&self, hash: &B256) -> Result<Bytes, Infallible> {
        Ok(self.code[hash].clone())
    }

    fn blob(&self, _: &B256) -> Result<Vec<u8>, Infallible> {
        Ok(Vec::new())
    }
}

fn key(index: usize) -> SigningKey {
    SigningKey::from_slice(keccak256(index.to_be_bytes()).as_slice()).expect("a hash is a key")
}

fn address(key: &SigningKey) -> Address {
    let point = key.verifying_key().to_encoded_point(false);
    Address::from_slice(&keccak256(&point.as_bytes()[1..])[12..])
}

fn genesis(accounts: &[Address]) -> Genesis {
    let validator = Address::repeat_byte(0xaa);
    Genesis {
        chain_id: 1,
        timestamp_ms: 1_700_000_000_000,
        origin: L1Origin {
            height: 1,
            hash: B256::repeat_byte(1),
        },
        bridge_key: B256::repeat_byte(2),
        fees: Fees {
            gas_limit: 4_000_000_000,
            min_base_fee: 1,
            min_data_fee: 1,
            max_data_fee: 1_000,
        },
        windows: Windows {
            forced: 10,
            origin_lag: 20,
            max_drift_ms: 3_600_000,
            confirmations: 6,
            connector_fallback: 10,
        },
        validators: vec![Validator {
            key: B256::repeat_byte(3),
            address: validator,
            stake: U256::from(10),
        }],
        accounts: accounts
            .iter()
            .map(|address| GenesisAccount {
                address: *address,
                balance: U256::from(10u128.pow(20)),
            })
            .collect(),
        tokenomics: Tokenomics {
            supply: U256::from(100),
            epoch: 1_000,
            halving: 10,
            allocation: vec![GenesisAccount {
                address: validator,
                balance: U256::from(60),
            }],
            unbonding: 3,
            min_stake: U256::from(1),
            equivocation_slash: 500,
            downtime_slash: 100,
            missed_allowed: 5_000,
        },
    }
}

fn transfers(c: &mut Criterion) {
    let keys: Vec<SigningKey> = (0..ACCOUNTS).map(key).collect();
    let addresses: Vec<Address> = keys.iter().map(address).collect();
    let genesis = genesis(&addresses);
    let spec = Spec::from(&genesis);
    let (head, changes) = l2_stf::genesis(&genesis);
    let mut memory = Memory::default();
    memory.take(&changes);
    let nothing: HashMap<B256, [u8; 64]> = HashMap::new();
    let mut nodes: HashMap<B256, [u8; 64]> = changes.nodes().into_iter().collect();
    nodes.extend(
        apply(&nothing, &EMPTY_ROOT, &changes)
            .expect("genesis applies")
            .nodes,
    );

    let transactions: Vec<(Bytes, Option<Address>)> = (0..TRANSFERS)
        .map(|i| {
            let from = i % ACCOUNTS;
            let tx = TxEip1559 {
                chain_id: 1,
                nonce: (i / ACCOUNTS) as u64,
                gas_limit: 21_000,
                max_fee_per_gas: 1_000_000_000,
                max_priority_fee_per_gas: 1_000_000,
                to: TxKind::Call(addresses[(i * 7 + 1) % ACCOUNTS]),
                value: U256::from(i + 1),
                ..TxEip1559::default()
            };
            let signature = keys[from]
                .sign_prehash_recoverable(tx.signature_hash().as_slice())
                .expect("a key signs");
            let signed = Transaction::from(tx.into_signed(Signature::from(signature)));
            (signed.encoded_2718().into(), Some(addresses[from]))
        })
        .collect();
    let template = Template {
        timestamp_ms: head.timestamp_ms,
        origin: head.origin,
        round: 0,
        proposer: genesis.validators[0].address,
        data_fee: 1,
        forced: 0,
        max_bytes: usize::MAX,
    };
    let built = build(
        &spec,
        &memory,
        &head,
        &template,
        &[],
        transactions.iter().cloned(),
    )
    .expect("a block");
    assert_eq!(built.block.transactions.len(), TRANSFERS);
    let senders: Vec<Address> = transactions.iter().filter_map(|(_, sender)| *sender).collect();
    let block = built.block;

    let mut group = c.benchmark_group("transfers");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(TRANSFERS as u64));
    group.bench_function("memory", |bench| {
        bench.iter(|| execute(&spec, &memory, &head, black_box(&block), &[], Some(&senders)).expect("valid"));
    });
    group.bench_function("tree", |bench| {
        bench.iter(|| {
            let view = TreeView {
                source: &nodes,
                root: head.state_root,
            };
            let executed =
                execute(&spec, view, &head, black_box(&block), &[], Some(&senders)).expect("valid");
            apply(&nodes, &head.state_root, &executed.changes).expect("applies")
        });
    });
    group.bench_function("signatures", |bench| {
        bench.iter(|| {
            for bytes in black_box(&block.transactions) {
                recover(bytes, 1).expect("signed");
            }
        });
    });
    group.finish();
}

criterion_group!(benches, transfers);
criterion_main!(benches);
