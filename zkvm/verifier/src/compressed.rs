//! The final check of a folded run (`docs/prover.md` §7).

/// Where the accumulator's public inputs stand; the fold's own verifier data follow them.
pub mod layout {
    use core::ops::Range;

    /// h of the header.
    pub const HEADER: Range<usize> = 0..4;
    /// h after the shards so far.
    pub const HASH: Range<usize> = 4..8;
    /// Number of shards so far.
    pub const SHARDS: usize = 8;
    /// beta, then gamma.
    pub const CHALLENGES: Range<usize> = 9..13;
    /// Sum of the shards' sums.
    pub const SUM: Range<usize> = 13..15;
    /// State before the first Cpu shard.
    pub const START_STATE: Range<usize> = 15..21;
    /// State after the last Cpu shard.
    pub const STATE: Range<usize> = 21..27;
    /// hash_no_pad of the cap of Static's fixed columns.
    pub const FIXED: Range<usize> = 27..31;
    /// Static's log height.
    pub const STATIC_HEIGHT: usize = 31;
    /// The last shard's table number.
    pub const LAST_TABLE: usize = 32;
    /// Greatest word address of memory that started as zero.
    pub const MEMORY: usize = 33;
    /// Rows of the shards so far.
    pub const ROWS: usize = 34;
    /// All of them.
    pub const COUNT: usize = 35;

    /// Elements of a Cpu state: pc, next_pc, fetch, entry, step, clk.
    pub const STATE_LEN: usize = 6;
    /// The public of Static and Memory that names the greatest address before.
    pub const MEMORY_BEFORE: usize = 0;
    /// The public of Static and Memory that names the greatest address after.
    pub const MEMORY_AFTER: usize = 1;
}
