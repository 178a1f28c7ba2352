//! Bounds of a pool.

/// Bounds of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Transactions in all.
    pub count: usize,
    /// Bytes of all transactions.
    pub bytes: usize,
    /// Of these, transactions with a nonce gap before them.
    pub gap_count: usize,
    /// Bytes of those.
    pub gap_bytes: usize,
    /// Transactions of one sender; also how far ahead of the state a nonce may be.
    pub per_sender: usize,
    /// Bytes of one transaction.
    pub transaction_bytes: usize,
    /// Gas of one transaction: a block's limit.
    pub gas: u64,
    /// Least base fee that a block can have.
    pub base_fee_floor: u64,
    /// By how many percent both fee caps of a replacement must be higher.
    pub replacement_percent: u32,
}

impl Limits {
    /// Limits that suit a block of so much gas.
    #[must_use]
    pub fn for_blocks(gas: u64, base_fee_floor: u64) -> Self {
        let (count, bytes) = (100_000, 256 << 20);
        Self {
            count,
            bytes,
            // Nobody may ever mine them. An eighth is room for what gossip brings out of order.
            gap_count: count / 8,
            gap_bytes: bytes / 8,
            per_sender: 1_024,
            transaction_bytes: 128 << 10,
            gas,
            base_fee_floor,
            replacement_percent: 10,
        }
    }
}
