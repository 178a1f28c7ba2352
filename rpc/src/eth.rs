//! `eth_*`, `net_*` and `web3_*`, but for fees and logs.

use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, U64, U256};
use jsonrpsee::{RpcModule, core::RegisterMethodError, types::Params};
use serde_json::{Value, json};

use crate::{
    CallRequest, answer,
    error::RpcError,
    params::{BlockParam, CallParam, no_overrides},
    server::{Answer, Node},
};

pub(crate) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    module.register_async_method("web3_clientVersion", |_, node, _| async move {
        Answer::Ok(node.chain.info().client_version.clone())
    })?;
    module.register_async_method("net_version", |_, node, _| async move {
        Answer::Ok(node.chain.info().chain_id.to_string())
    })?;
    module.register_async_method("net_listening", |_, _, _| async move { Answer::Ok(true) })?;
    // A node keeps no keys.
    module.register_async_method("eth_accounts", |_, _, _| async move {
        Answer::Ok(Vec::<Address>::new())
    })?;
    module.register_async_method("eth_chainId", |_, node, _| async move {
        Answer::Ok(U64::from(node.chain.info().chain_id))
    })?;
    module.register_async_method("eth_syncing", |_, node, _| async move { syncing(&node).await })?;
    module.register_async_method("eth_blockNumber", |_, node, _| async move {
        let labels = node.labels().await?;
        Answer::Ok(U64::from(labels.latest))
    })?;
    module.register_async_method("eth_getBalance", |params, node, _| async move {
        let (address, at) = account(&params, &node).await?;
        let account = node.chain.account(at, address).await.map_err(RpcError::from)?;
        Answer::Ok(account.balance)
    })?;
    module.register_async_method("eth_getCode", |params, node, _| async move {
        let (address, at) = account(&params, &node).await?;
        Answer::Ok(node.chain.code(at, address).await.map_err(RpcError::from)?)
    })?;
    module.register_async_method("eth_getTransactionCount", |params, node, _| async move {
        nonce(&params, &node).await
    })?;
    module.register_async_method("eth_getStorageAt", |params, node, _| async move {
        let mut params = params.sequence();
        let address: Address = params.next()?;
        let slot: U256 = params.next()?;
        let at = node.number(params.optional_next()?).await?;
        let word = node
            .chain
            .storage(at, address, slot)
            .await
            .map_err(RpcError::from)?;
        Answer::Ok(B256::from(word))
    })?;
    module.register_async_method("eth_call", |params, node, _| async move {
        let (request, at) = call(&params, &node).await?;
        let _place = node.place().await?;
        let output = node.chain.call(at, request).await.map_err(RpcError::from)?;
        Answer::Ok(output)
    })?;
    module.register_async_method("eth_estimateGas", |params, node, _| async move {
        let (request, at) = call(&params, &node).await?;
        let _place = node.place().await?;
        let gas = node
            .chain
            .estimate_gas(at, request)
            .await
            .map_err(RpcError::from)?;
        Answer::Ok(U64::from(gas))
    })?;
    module.register_async_method("eth_sendRawTransaction", |params, node, _| async move {
        let mut params = params.sequence();
        let bytes: Bytes = params.next()?;
        let hash = node.chain.submit(bytes).await.map_err(RpcError::from)?;
        Answer::Ok(hash)
    })?;
    blocks(module)
}

fn blocks(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    module.register_async_method("eth_getBlockByNumber", |params, node, _| async move {
        let mut params = params.sequence();
        let at: BlockParam = params.next()?;
        let full = params.optional_next()?.unwrap_or(false);
        block(&node, at, full).await
    })?;
    module.register_async_method("eth_getBlockByHash", |params, node, _| async move {
        let mut params = params.sequence();
        let hash: B256 = params.next()?;
        let full = params.optional_next()?.unwrap_or(false);
        block(&node, BlockParam::Hash(hash), full).await
    })?;
    module.register_async_method("eth_getBlockReceipts", |params, node, _| async move {
        let mut params = params.sequence();
        let at: BlockParam = params.next()?;
        let Some(block) = node.block(at).await? else {
            return Answer::Ok(Value::Null);
        };
        let receipts: Result<Vec<Value>, RpcError> = (0..block.transactions.len())
            .map(|index| answer::receipt(&block, index))
            .collect();
        Answer::Ok(json!(receipts?))
    })?;
    module.register_async_method("eth_getTransactionByHash", |params, node, _| async move {
        let hash: B256 = params.sequence().next()?;
        transaction(&node, hash).await
    })?;
    module.register_async_method("eth_getTransactionReceipt", |params, node, _| async move {
        let hash: B256 = params.sequence().next()?;
        let Some(place) = node.chain.place_of(hash).await.map_err(RpcError::from)? else {
            return Answer::Ok(Value::Null);
        };
        let block = node.block_at(place.number).await?;
        Answer::Ok(answer::receipt(&block, place.index as usize)?)
    })?;
    Ok(())
}

/// An address and the block after which it is asked about.
async fn account(params: &Params<'_>, node: &Node) -> Answer<(Address, u64)> {
    let mut params = params.sequence();
    let address = params.next()?;
    let at = node.number(params.optional_next()?).await?;
    Ok((address, at))
}

async fn nonce(params: &Params<'_>, node: &Arc<Node>) -> Answer<U64> {
    let mut params = params.sequence();
    let address: Address = params.next()?;
    let at: Option<BlockParam> = params.optional_next()?;
    let nonce = if at == Some(BlockParam::Pending) {
        node.chain.pending_nonce(address).await
    } else {
        let at = node.number(at).await?;
        node.chain.account(at, address).await.map(|account| account.nonce)
    };
    Ok(U64::from(nonce.map_err(RpcError::from)?))
}

/// A call and the block after which it is made.
async fn call(params: &Params<'_>, node: &Node) -> Answer<(CallRequest, u64)> {
    let mut params = params.sequence();
    let call: CallParam = params.next()?;
    let at: Option<BlockParam> = params.optional_next()?;
    no_overrides(params.optional_next()?)?;
    no_overrides(params.optional_next()?)?;
    let request = call.request(node.chain.info().chain_id)?;
    Ok((request, node.number(at).await?))
}

async fn block(node: &Node, at: BlockParam, full: bool) -> Answer<Value> {
    let gas_limit = node.chain.info().gas_limit;
    Ok(match node.block(at).await? {
        Some(block) => answer::block(&block, gas_limit, full)?,
        None => Value::Null,
    })
}

async fn transaction(node: &Node, hash: B256) -> Answer<Value> {
    if let Some(place) = node.chain.place_of(hash).await.map_err(RpcError::from)? {
        let block = node.block_at(place.number).await?;
        return Ok(answer::included(&block, place.index as usize)?);
    }
    let pending = node
        .chain
        .pending_transaction(hash)
        .await
        .map_err(RpcError::from)?;
    Ok(match pending {
        Some(pending) => answer::pending(&pending.bytes, pending.sender)?,
        None => Value::Null,
    })
}

/// `false`, or where the node is. How far it has to go nobody knows before it is there.
async fn syncing(node: &Node) -> Answer<Value> {
    let status = node.chain.status().await.map_err(RpcError::from)?;
    if !status.syncing {
        return Ok(json!(false));
    }
    let latest = U64::from(status.latest.number);
    Ok(json!({ "startingBlock": U64::ZERO, "currentBlock": latest, "highestBlock": latest }))
}
