//! Blocks, transactions, receipts and logs as wallets read them.

use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_eips::{Typed2718, eip2718::Decodable2718};
use alloy_primitives::{Address, B64, B256, Bloom, Bytes, U64, U256, b256};
use serde_json::{Map, Value, json};

use crate::{ExecutedBlock, Included, Source, error::RpcError};

/// Type of a deposit, which has no EIP-2718 form.
const DEPOSIT_TYPE: u8 = 0x7e;
/// Type of an entry of the forced queue that was no valid transaction.
const IGNORED_TYPE: u8 = 0x7f;
/// Keccak of the RLP of no uncles.
const NO_UNCLES: B256 = b256!("1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347");

/// A signed transaction's fields; those of a deposit.
enum Body {
    Signed(TxEnvelope),
    Deposit(U256),
    Ignored,
}

fn decode(bytes: &[u8]) -> Option<TxEnvelope> {
    let mut rest = bytes;
    let transaction = TxEnvelope::decode_2718(&mut rest).ok()?;
    rest.is_empty().then_some(transaction)
}

fn body(included: &Included) -> Result<Body, RpcError> {
    match included.source {
        Source::Deposit(amount) => Ok(Body::Deposit(amount)),
        Source::Ignored => Ok(Body::Ignored),
        Source::Forced | Source::Block => decode(&included.bytes)
            .map(Body::Signed)
            .ok_or_else(|| RpcError::Internal(format!("{} in a block is no transaction", included.hash))),
    }
}

fn kind(body: &Body) -> u8 {
    match body {
        Body::Signed(transaction) => transaction.ty(),
        Body::Deposit(_) => DEPOSIT_TYPE,
        Body::Ignored => IGNORED_TYPE,
    }
}

fn ends(included: &Included, body: &Body) -> (Address, Option<Address>) {
    match body {
        Body::Signed(transaction) => (included.sender, transaction.to()),
        // Coins come from nobody here.
        Body::Deposit(_) => (Address::ZERO, Some(included.sender)),
        Body::Ignored => (included.sender, Some(Address::ZERO)),
    }
}

/// The bloom filter over events.
fn bloom<'a>(included: impl Iterator<Item = &'a Included>) -> Bloom {
    let mut bloom = Bloom::ZERO;
    for log in included.flat_map(|included| &included.logs) {
        bloom.accrue_log(log);
    }
    bloom
}

/// A block, with its transactions or their hashes.
pub(crate) fn block(block: &ExecutedBlock, gas_limit: u64, full: bool) -> Result<Value, RpcError> {
    let header = &block.header;
    let transactions = if full {
        (0..block.transactions.len())
            .map(|index| included(block, index))
            .collect::<Result<Vec<_>, _>>()?
    } else {
        block
            .transactions
            .iter()
            .map(|included| json!(included.hash))
            .collect()
    };
    Ok(json!({
        "number": U64::from(header.number),
        "hash": block.hash,
        "parentHash": header.parent,
        "nonce": B64::ZERO,
        "sha3Uncles": NO_UNCLES,
        "logsBloom": bloom(block.transactions.iter()),
        "transactionsRoot": header.transactions_root,
        "stateRoot": header.state_root,
        "receiptsRoot": header.receipts_root,
        "miner": header.proposer,
        "difficulty": U64::ZERO,
        "totalDifficulty": U64::ZERO,
        "extraData": Bytes::new(),
        // PREVRANDAO is the parent's hash.
        "mixHash": header.parent,
        "size": U64::from(block.size),
        "gasLimit": U64::from(gas_limit),
        "gasUsed": U64::from(header.gas_used),
        "timestamp": U64::from(header.timestamp()),
        "baseFeePerGas": U64::from(header.base_fee),
        "transactions": transactions,
        "uncles": [],
        // Ours.
        "timestampMs": U64::from(header.timestamp_ms),
        "l1Height": U64::from(header.origin.height),
        "l1Hash": header.origin.hash,
        "round": U64::from(header.round),
        "dataFeePerByte": U64::from(header.data_fee),
        "forced": U64::from(header.forced),
    }))
}

/// A transaction of a block.
pub(crate) fn included(block: &ExecutedBlock, index: usize) -> Result<Value, RpcError> {
    let included = block.transactions.get(index).ok_or_else(|| lost(block, index))?;
    let body = body(included)?;
    let (from, to) = ends(included, &body);
    let mut map = match &body {
        Body::Signed(transaction) => signed(transaction),
        Body::Deposit(amount) => unsigned(DEPOSIT_TYPE, *amount, Bytes::new()),
        Body::Ignored => unsigned(IGNORED_TYPE, U256::ZERO, included.bytes.clone()),
    };
    map.insert("hash".into(), json!(included.hash));
    map.insert("from".into(), json!(from));
    map.insert("to".into(), json!(to));
    map.insert("gasPrice".into(), json!(U256::from(included.effective_gas_price)));
    map.insert("blockHash".into(), json!(block.hash));
    map.insert("blockNumber".into(), json!(U64::from(block.header.number)));
    map.insert("transactionIndex".into(), json!(U64::from(index)));
    Ok(Value::Object(map))
}

/// A transaction that waits.
pub(crate) fn pending(bytes: &[u8], sender: Address) -> Result<Value, RpcError> {
    let transaction =
        decode(bytes).ok_or_else(|| RpcError::Internal("a transaction that waits is none".into()))?;
    let mut map = signed(&transaction);
    map.insert("hash".into(), json!(transaction.tx_hash()));
    map.insert("from".into(), json!(sender));
    map.insert("to".into(), json!(transaction.to()));
    map.insert(
        "gasPrice".into(),
        json!(U256::from(transaction.max_fee_per_gas())),
    );
    for field in ["blockHash", "blockNumber", "transactionIndex"] {
        map.insert(field.into(), Value::Null);
    }
    Ok(Value::Object(map))
}

/// What a signature covers, and the signature.
fn signed(transaction: &TxEnvelope) -> Map<String, Value> {
    let mut map = Map::new();
    let mut set = |name: &str, value: Value| {
        map.insert(name.into(), value);
    };
    set("type", json!(U64::from(transaction.ty())));
    set("nonce", json!(U64::from(transaction.nonce())));
    set("gas", json!(U64::from(transaction.gas_limit())));
    set("value", json!(transaction.value()));
    set("input", json!(transaction.input()));
    if let Some(chain_id) = transaction.chain_id() {
        set("chainId", json!(U64::from(chain_id)));
    }
    if transaction.is_dynamic_fee() {
        set("maxFeePerGas", json!(U256::from(transaction.max_fee_per_gas())));
        let tip = transaction.max_priority_fee_per_gas().unwrap_or_default();
        set("maxPriorityFeePerGas", json!(U256::from(tip)));
    }
    if let Some(list) = transaction.access_list() {
        set("accessList", json!(list));
    }
    if let Some(list) = transaction.authorization_list() {
        set("authorizationList", json!(list));
    }
    let signature = transaction.signature();
    set("r", json!(signature.r()));
    set("s", json!(signature.s()));
    let parity = u64::from(signature.v());
    if transaction.is_legacy() {
        // EIP-155.
        let v = transaction.chain_id().map_or(27 + u128::from(parity), |id| {
            u128::from(id) * 2 + 35 + u128::from(parity)
        });
        set("v", json!(U256::from(v)));
    } else {
        set("v", json!(U64::from(parity)));
        set("yParity", json!(U64::from(parity)));
    }
    map
}

fn unsigned(kind: u8, value: U256, input: Bytes) -> Map<String, Value> {
    let mut map = Map::new();
    for (name, value) in [
        ("type", json!(U64::from(kind))),
        ("nonce", json!(U64::ZERO)),
        ("gas", json!(U64::ZERO)),
        ("value", json!(value)),
        ("input", json!(input)),
        ("v", json!(U64::ZERO)),
        ("r", json!(U64::ZERO)),
        ("s", json!(U64::ZERO)),
    ] {
        map.insert(name.into(), value);
    }
    map
}

/// A receipt.
pub(crate) fn receipt(block: &ExecutedBlock, index: usize) -> Result<Value, RpcError> {
    let included = block.transactions.get(index).ok_or_else(|| lost(block, index))?;
    let body = body(included)?;
    let (from, to) = ends(included, &body);
    Ok(json!({
        "type": U64::from(kind(&body)),
        "status": U64::from(included.success),
        "transactionHash": included.hash,
        "transactionIndex": U64::from(index),
        "blockHash": block.hash,
        "blockNumber": U64::from(block.header.number),
        "from": from,
        "to": to,
        "contractAddress": included.contract,
        "cumulativeGasUsed": U64::from(included.cumulative_gas),
        "gasUsed": U64::from(included.gas_used),
        "effectiveGasPrice": U256::from(included.effective_gas_price),
        "logsBloom": bloom(std::iter::once(included)),
        "logs": logs(block, |at, _| at == index),
        // Ours: what it paid for its bytes, beside its gas.
        "dataFee": included.data_fee,
    }))
}

/// The logs of a block that are asked for, by transaction and log.
pub(crate) fn logs(
    block: &ExecutedBlock,
    mut wanted: impl FnMut(usize, &alloy_primitives::Log) -> bool,
) -> Vec<Value> {
    let mut logs = Vec::new();
    let mut number = 0u64;
    for (index, included) in block.transactions.iter().enumerate() {
        for log in &included.logs {
            if wanted(index, log) {
                logs.push(json!({
                    "address": log.address,
                    "topics": log.data.topics(),
                    "data": log.data.data,
                    "blockHash": block.hash,
                    "blockNumber": U64::from(block.header.number),
                    "blockTimestamp": U64::from(block.header.timestamp()),
                    "transactionHash": included.hash,
                    "transactionIndex": U64::from(index),
                    "logIndex": U64::from(number),
                    "removed": false,
                }));
            }
            number += 1;
        }
    }
    logs
}

fn lost(block: &ExecutedBlock, index: usize) -> RpcError {
    RpcError::Internal(format!(
        "block {} has no transaction {index}",
        block.header.number
    ))
}
