//! `tapestry_*`: where the node stands, batches on Bitcoin, proofs of withdrawals.

use jsonrpsee::{RpcModule, core::RegisterMethodError};

use crate::{
    error::RpcError,
    params::{BlockParam, Count},
    server::{Answer, Node},
};

pub(crate) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    module.register_async_method("tapestry_status", |_, node, _| async move {
        Answer::Ok(node.chain.status().await.map_err(RpcError::from)?)
    })?;
    // Of the next block: what a byte of a transaction costs, beside its gas.
    module.register_async_method("tapestry_dataFee", |_, node, _| async move {
        let fees = node.chain.next_fees().await.map_err(RpcError::from)?;
        Answer::Ok(alloy_primitives::U64::from(fees.data_fee))
    })?;
    module.register_async_method("tapestry_getBatch", |params, node, _| async move {
        let index: Count = params.sequence().next()?;
        Answer::Ok(node.chain.batch(index.0).await.map_err(RpcError::from)?)
    })?;
    module.register_async_method("tapestry_getWithdrawalProof", |params, node, _| async move {
        let mut params = params.sequence();
        let index: Count = params.next()?;
        let at: Option<BlockParam> = params.optional_next()?;
        let at = node.number(at).await?;
        let _place = node.place().await?;
        let proof = node
            .chain
            .withdrawal_proof(at, index.0)
            .await
            .map_err(RpcError::from)?;
        Answer::Ok(proof)
    })?;
    Ok(())
}
