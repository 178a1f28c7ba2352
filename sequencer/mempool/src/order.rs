//! In which order the senders' next transactions are taken.

use core::cmp::Reverse;

use crate::Pending;

/// Ranks the senders' next transactions; the greatest goes first. Nonce order within a sender is not its business.
pub trait Order {
    /// What is compared.
    type Rank: Ord;

    /// The rank of a transaction that arrived as number `arrival`, or `None` if a block with this base fee cannot take it.
    fn rank(&self, pending: &Pending, arrival: u64, base_fee: u64) -> Option<Self::Rank>;
}

/// Greatest effective tip first, then first come, first served.
#[derive(Clone, Copy, Debug, Default)]
pub struct FeeThenArrival;

impl Order for FeeThenArrival {
    type Rank = (u128, Reverse<u64>);

    fn rank(&self, pending: &Pending, arrival: u64, base_fee: u64) -> Option<Self::Rank> {
        pending.effective_tip(base_fee).map(|tip| (tip, Reverse(arrival)))
    }
}
