//! What gas costs: the next base fee is known, tips are read from the newest blocks.

use alloy_primitives::{U64, U256};
use jsonrpsee::{RpcModule, core::RegisterMethodError};
use serde_json::{Value, json};

use crate::{
    ExecutedBlock, Source,
    error::RpcError,
    params::{BlockParam, Count},
    server::{Answer, Node},
};

/// Blocks whose tips say what a tip is now.
const TIP_BLOCKS: u64 = 8;
/// Percentiles that a fee history may ask for.
const PERCENTILES: usize = 100;

pub(crate) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    module.register_async_method("eth_gasPrice", |_, node, _| async move {
        let fees = node.chain.next_fees().await.map_err(RpcError::from)?;
        Answer::Ok(U256::from(fees.base_fee) + U256::from(tip(&node).await?))
    })?;
    module.register_async_method("eth_maxPriorityFeePerGas", |_, node, _| async move {
        Answer::Ok(U256::from(tip(&node).await?))
    })?;
    module.register_async_method("eth_feeHistory", |params, node, _| async move {
        let mut params = params.sequence();
        let count: Count = params.next()?;
        let newest: BlockParam = params.next()?;
        let percentiles: Option<Vec<f64>> = params.optional_next()?;
        let _place = node.place().await?;
        Answer::Ok(history(&node, count.0, newest, percentiles.as_deref()).await?)
    })?;
    Ok(())
}

/// Tip and gas of a block's transactions that paid for gas, by tip.
fn tips(block: &ExecutedBlock) -> Vec<(u128, u64)> {
    let base = u128::from(block.header.base_fee);
    let mut tips: Vec<(u128, u64)> = block
        .transactions
        .iter()
        .filter(|included| matches!(included.source, Source::Block | Source::Forced))
        .map(|included| {
            (
                included.effective_gas_price.saturating_sub(base),
                included.gas_used,
            )
        })
        .collect();
    tips.sort_unstable();
    tips
}

/// The tip in the middle of the newest blocks' transactions; nothing where nobody had to tip.
async fn tip(node: &Node) -> Result<u128, RpcError> {
    let latest = node.labels().await?.latest;
    let mut all = Vec::new();
    for number in latest.saturating_sub(TIP_BLOCKS - 1)..=latest {
        let block = node.block_at(number).await?;
        all.extend(tips(&block).into_iter().map(|(tip, _)| tip));
    }
    all.sort_unstable();
    Ok(all.get(all.len() / 2).copied().unwrap_or_default())
}

async fn history(
    node: &Node,
    count: u64,
    newest: BlockParam,
    percentiles: Option<&[f64]>,
) -> Result<Value, RpcError> {
    if let Some(percentiles) = percentiles {
        check(percentiles)?;
    }
    let labels = node.labels().await?;
    let newest = node
        .find(newest)
        .await?
        .ok_or_else(|| RpcError::Server("request beyond head block".into()))?;
    // As geth does, more than there may be is less than was asked for.
    let count = count.min(node.limits.fee_blocks).min(newest.saturating_add(1));
    if count == 0 {
        return Ok(json!({ "oldestBlock": U64::ZERO, "gasUsedRatio": [] }));
    }
    let oldest = newest + 1 - count;
    let gas_limit = node.chain.info().gas_limit;
    let (mut base_fees, mut ratios, mut rewards) = (Vec::new(), Vec::new(), Vec::new());
    for number in oldest..=newest {
        let block = node.block_at(number).await?;
        base_fees.push(U256::from(block.header.base_fee));
        ratios.push(block.header.gas_used as f64 / gas_limit as f64);
        if let Some(percentiles) = percentiles {
            rewards.push(reward(&tips(&block), percentiles));
        }
    }
    base_fees.push(U256::from(if newest < labels.latest {
        node.block_at(newest + 1).await?.header.base_fee
    } else {
        node.chain.next_fees().await?.base_fee
    }));
    let mut answer = json!({
        "oldestBlock": U64::from(oldest),
        "baseFeePerGas": base_fees,
        "gasUsedRatio": ratios,
    });
    if percentiles.is_some() {
        answer["reward"] = json!(rewards);
    }
    Ok(answer)
}

fn check(percentiles: &[f64]) -> Result<(), RpcError> {
    if percentiles.len() > PERCENTILES {
        return Err(RpcError::params(format!(
            "{} percentiles, at most {PERCENTILES}",
            percentiles.len()
        )));
    }
    let sorted = percentiles.is_sorted();
    if !sorted
        || percentiles
            .iter()
            .any(|percentile| !(0.0..=100.0).contains(percentile))
    {
        return Err(RpcError::params("invalid reward percentile"));
    }
    Ok(())
}

/// The tips below which so many percent of a block's gas were used.
fn reward(tips: &[(u128, u64)], percentiles: &[f64]) -> Vec<U256> {
    let all: u64 = tips.iter().map(|(_, gas)| gas).sum();
    percentiles
        .iter()
        .map(|percentile| {
            let wanted = (all as f64 * percentile / 100.0) as u64;
            let mut used = 0;
            let tip = tips.iter().find(|(_, gas)| {
                used += gas;
                used >= wanted
            });
            U256::from(tip.or(tips.last()).map_or(0, |(tip, _)| *tip))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewards_are_weighted_by_gas() {
        let tips = [(1, 10), (5, 80), (9, 10)];
        let numbers = |percentiles: &[f64]| -> Vec<u64> {
            reward(&tips, percentiles)
                .into_iter()
                .map(|tip| tip.to())
                .collect()
        };
        assert_eq!(
            numbers(&[0.0, 10.0, 11.0, 50.0, 90.0, 91.0, 100.0]),
            [1, 1, 5, 5, 5, 9, 9]
        );
        assert_eq!(reward(&[], &[50.0]), [U256::ZERO]);
        assert!(reward(&tips, &[]).is_empty());
    }

    #[test]
    fn percentiles_are_numbers_in_order() {
        assert!(check(&[0.0, 50.0, 50.0, 100.0]).is_ok());
        for bad in [
            &[-1.0][..],
            &[100.1],
            &[f64::NAN],
            &[f64::INFINITY],
            &[50.0, 10.0],
            &[0.0; 101],
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }
}
