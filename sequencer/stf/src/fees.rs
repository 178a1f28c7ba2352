//! What gas and bytes cost from block to block.

use l2_block::{Fees, Header};

/// Gas that a block uses when its base fee stays: half the limit.
const ELASTICITY: u64 = 2;
/// Greatest change of a fee from one block to the next: an eighth.
const CHANGE: u64 = 8;

/// Base fee of the block after `parent` (EIP-1559), never below the floor.
#[must_use]
pub fn next_base_fee(fees: &Fees, parent: &Header) -> u64 {
    let target = (fees.gas_limit / ELASTICITY).max(1);
    let base = parent.base_fee;
    // base × |used − target| / target / 8, and at least 1 upward: exact in 128 bits.
    let change = |distance: u64| {
        let change = u128::from(base) * u128::from(distance) / u128::from(target) / u128::from(CHANGE);
        u64::try_from(change).unwrap_or(u64::MAX)
    };
    let next = if parent.gas_used > target {
        base.saturating_add(change(parent.gas_used - target).max(1))
    } else {
        base.saturating_sub(change(target - parent.gas_used))
    };
    next.max(fees.min_base_fee)
}

/// Least and greatest data fee that the block after `parent` may have: an eighth away, at least 1, within the bounds.
#[must_use]
pub fn data_fee_range(fees: &Fees, parent: &Header) -> (u64, u64) {
    let step = (parent.data_fee / CHANGE).max(1);
    let clamp = |fee: u64| fee.clamp(fees.min_data_fee, fees.max_data_fee);
    (
        clamp(parent.data_fee.saturating_sub(step)),
        clamp(parent.data_fee.saturating_add(step)),
    )
}
