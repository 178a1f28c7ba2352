//! The names of the buses over which tables speak (`docs/prover.md` §2).

/// A bus: the set of tuples that its senders and receivers must agree on. Its number enters every term, so that tuples
/// of one bus never cancel those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Bus {
    /// (space, address, value, ts): words of RAM and registers.
    Memory = 1,
    /// (key, a, b, d, imm, tgt, flags): a row of ROM.
    Rom = 2,
    /// (address, word): a word of code.
    Code = 3,
    /// (x, y, x & y), all bytes.
    And = 4,
    /// (v), v < 2^16.
    U16 = 5,
    /// (byte s, right, power of two).
    Pow = 6,
    /// (byte, its bit 7).
    Msb = 7,
    /// (index, word): a word of the claim.
    Claim = 8,
    /// (clk, key, index, word): a word of a preimage; SHA-256's indices start at 32.
    Hint = 9,
    /// (low, high): word addresses that start as zero, both ends included.
    Gap = 10,
    /// (digest as 8 words, index, word): a compression's result and one word of its block.
    Blake3 = 11,
    /// (digest as 8 words, index, word): a compression's result and one word of its chaining value and block.
    Sha256 = 12,
}

impl Bus {
    /// The number that enters a term's denominator.
    pub const fn number(self) -> u64 {
        self as u64
    }
}
