//! System accounts: where they are, what their storage holds, what their code is.
//!
//! Each has nonce 1 and code, so that it is never an empty account (EIP-0161) and no contract can be created in its place. The
//! code of our own is one `INVALID`: whoever reaches it in another way than by a call, which a precompile answers, runs into it.
//! Nobody has a key of these addresses, so their storage changes only as the state transition says.

use alloy_primitives::{Address, B256, Bytes, U256, address, bytes};

/// Withdrawals: a call burns coins for a Bitcoin script.
pub const WITHDRAWALS: Address = address!("0000000000000000000000000000000000007a01");
/// The forced queue and what else the state transition remembers.
pub const SYSTEM: Address = address!("0000000000000000000000000000000000007a02");
/// The token.
pub const TOKEN: Address = address!("0000000000000000000000000000000000007a03");
/// Hashes of headers: EIP-2935's contract, at its own address.
pub const HISTORY: Address = address!("0000f90827f1c53a10cb7a02335b175320002935");

/// Headers of which [`HISTORY`] holds the hash: that of block n lies in slot n mod this (EIP-2935).
pub const HISTORY_BLOCKS: u64 = 8191;

/// Code of our own accounts: `INVALID`.
pub(crate) const INVALID_CODE: Bytes = bytes!("fe");
/// Code of [`HISTORY`], as EIP-2935 gives it: `get` for everyone, `set` for an address without a key.
pub(crate) const HISTORY_CODE: Bytes = bytes!(
    "3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500"
);

/// Slots of [`SYSTEM`].
pub(crate) mod slot {
    use alloy_primitives::U256;

    /// Index of the first entry of the queue that is not taken.
    pub(crate) const HEAD: U256 = U256::ZERO;
    /// Index that the next entry gets.
    pub(crate) const TAIL: U256 = U256::from_limbs([1, 0, 0, 0]);
    /// How many deposits were minted.
    pub(crate) const DEPOSITS: U256 = U256::from_limbs([2, 0, 0, 0]);
    /// Satoshis minted by deposits.
    pub(crate) const MINTED: U256 = U256::from_limbs([3, 0, 0, 0]);
    /// Satoshis burned by withdrawals.
    pub(crate) const BURNED: U256 = U256::from_limbs([4, 0, 0, 0]);
    /// Median time of the origin in seconds, or what it last was if that is more.
    pub(crate) const ORIGIN_TIME: U256 = U256::from_limbs([5, 0, 0, 0]);
    /// Hash of the genesis file, so that a state root is of one chain only.
    pub(crate) const GENESIS: U256 = U256::from_limbs([6, 0, 0, 0]);

    /// Height of the Bitcoin block of the queue's entry `index`.
    pub(crate) const fn height(index: u64) -> U256 {
        entry(index, 0)
    }

    /// Blob root of the queue's entry `index`.
    pub(crate) const fn root(index: u64) -> U256 {
        entry(index, 1)
    }

    /// 2^64 + 2 `index` + `word`.
    const fn entry(index: u64, word: u64) -> U256 {
        U256::from_limbs([index << 1 | word, 1 + (index >> 63), 0, 0])
    }
}

/// Slot of [`WITHDRAWALS`] that counts them.
pub(crate) const WITHDRAWAL_COUNT: U256 = U256::ZERO;

/// Slot of [`WITHDRAWALS`] with the hash of withdrawal `index`: 2^64 + `index`.
#[must_use]
pub const fn withdrawal_slot(index: u64) -> U256 {
    U256::from_limbs([index, 1, 0, 0])
}

/// Slot of [`HISTORY`] with the hash of header `number`.
#[must_use]
pub const fn history_slot(number: u64) -> U256 {
    U256::from_limbs([number % HISTORY_BLOCKS, 0, 0, 0])
}

pub(crate) fn word(hash: B256) -> U256 {
    U256::from_be_bytes(hash.0)
}

pub(crate) fn hash_of(word: U256) -> B256 {
    B256::from(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_where_the_spec_says() {
        let base = U256::from(1) << 64;
        for index in [0, 1, 77, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX] {
            let entry = base + U256::from(2) * U256::from(index);
            assert_eq!(slot::height(index), entry);
            assert_eq!(slot::root(index), entry + U256::from(1));
            assert_eq!(withdrawal_slot(index), base + U256::from(index));
            assert_eq!(history_slot(index), U256::from(index % 8191));
        }
    }

    #[test]
    fn history_code_is_the_one_of_the_eip() {
        assert_eq!(HISTORY_CODE, alloy_eips::eip2935::HISTORY_STORAGE_CODE);
        assert_eq!(HISTORY, alloy_eips::eip2935::HISTORY_STORAGE_ADDRESS);
        assert_eq!(HISTORY_BLOCKS as usize, alloy_eips::eip2935::HISTORY_SERVE_WINDOW);
    }
}
