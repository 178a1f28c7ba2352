//! Accounts and the keys of what the tree holds.

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, keccak256};

/// An account as the tree holds it; its storage lies under keys of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Transactions sent, or contracts created.
    pub nonce: u64,
    /// Wei, less than 2^192. All coins there will ever be are less than 2^81 wei.
    pub balance: U256,
    /// keccak256 of the code.
    pub code_hash: B256,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            nonce: 0,
            balance: U256::ZERO,
            code_hash: KECCAK256_EMPTY,
        }
    }
}

impl Account {
    /// Whether it is empty as EIP-0161 says; such an account is never stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nonce == 0 && self.balance.is_zero() && self.code_hash == KECCAK256_EMPTY
    }

    /// nonce (8 bytes big-endian) ‖ balance (24) ‖ code hash (32).
    ///
    /// # Panics
    /// If the balance is 2^192 or more.
    #[must_use]
    pub fn encode(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        let balance: [u8; 32] = self.balance.to_be_bytes();
        assert!(
            balance[..8] == [0; 8],
            "balance is {}, expected less than 2^192",
            self.balance
        );
        bytes[..8].copy_from_slice(&self.nonce.to_be_bytes());
        bytes[8..32].copy_from_slice(&balance[8..]);
        bytes[32..].copy_from_slice(self.code_hash.as_slice());
        bytes
    }

    /// Reads the encoding; every 64 bytes are one account.
    #[must_use]
    pub fn decode(bytes: &[u8; 64]) -> Self {
        let mut nonce = [0; 8];
        nonce.copy_from_slice(&bytes[..8]);
        Self {
            nonce: u64::from_be_bytes(nonce),
            balance: U256::from_be_slice(&bytes[8..32]),
            code_hash: B256::from_slice(&bytes[32..]),
        }
    }
}

/// Key of an account: its value is BLAKE3 of [`Account::encode`].
#[must_use]
pub fn account_key(address: &Address) -> B256 {
    keccak256(address)
}

/// Key of a storage word: its value is the word; zero is no entry.
#[must_use]
pub fn storage_key(address: &Address, slot: &U256) -> B256 {
    let mut bytes = [0; 52];
    bytes[..20].copy_from_slice(address.as_slice());
    bytes[20..].copy_from_slice(&slot.to_be_bytes::<32>());
    keccak256(bytes)
}

/// Key of code: its value is the root of the code as a blob ([`l2_block::blob_root`]).
#[must_use]
pub fn code_key(code_hash: &B256) -> B256 {
    let mut bytes = [0; 36];
    bytes[..4].copy_from_slice(b"code");
    bytes[4..].copy_from_slice(code_hash.as_slice());
    keccak256(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_one_encoding() {
        let account = Account {
            nonce: 0x0102,
            balance: (U256::from(1) << 191) + U256::from(7),
            code_hash: B256::repeat_byte(9),
        };
        let bytes = account.encode();
        assert_eq!(bytes[6..9], [1, 2, 0x80]);
        assert_eq!(Account::decode(&bytes), account);
        for i in 0..64 {
            let mut other = bytes;
            other[i] ^= 0x10;
            assert_ne!(Account::decode(&other), account);
            assert_eq!(Account::decode(&other).encode(), other);
        }
    }

    #[test]
    #[should_panic(expected = "expected less than 2^192")]
    fn a_balance_that_does_not_fit_is_not_cut() {
        let balance = U256::from(1) << 192;
        let _ = Account {
            balance,
            ..Account::default()
        }
        .encode();
    }

    #[test]
    fn keys_of_different_things_differ() {
        let address = Address::repeat_byte(1);
        let keys = [
            account_key(&address),
            account_key(&Address::repeat_byte(2)),
            storage_key(&address, &U256::ZERO),
            storage_key(&address, &U256::from(1)),
            storage_key(&Address::repeat_byte(2), &U256::ZERO),
            code_key(&B256::ZERO),
            code_key(&KECCAK256_EMPTY),
        ];
        for (i, key) in keys.iter().enumerate() {
            assert!(!keys[i + 1..].contains(key));
        }
    }
}
