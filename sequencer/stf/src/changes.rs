//! What a block changes.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use alloy_primitives::{Address, B256, Bytes, U256};
use l2_block::{blob_root, hash};
use l2_state::{Account, NodeSource, StateError, Update, account_key, code_key, storage_key};

/// What a block, or a run of blocks, changes. Maps are ordered, so nothing here depends on how they were filled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Accounts as they are after; `None` = gone.
    pub accounts: BTreeMap<Address, Option<Account>>,
    /// Storage words as they are after; zero = gone.
    pub storage: BTreeMap<(Address, U256), U256>,
    /// Code that accounts were given, by its Keccak hash. Code never goes.
    pub code: BTreeMap<B256, Bytes>,
    /// Blobs that the state came to name, by their root.
    pub blobs: BTreeMap<B256, Vec<u8>>,
}

impl Changes {
    /// Entries of the state tree that change, sorted by key as [`l2_state::update`] takes them.
    #[must_use]
    pub fn entries(&self) -> Vec<(B256, Option<B256>)> {
        let accounts = self.accounts.iter().map(|(address, account)| {
            let value = account.map(|account| hash(&account.encode()));
            (account_key(address), value)
        });
        let storage = self.storage.iter().map(|((address, slot), value)| {
            let value = (!value.is_zero()).then(|| B256::from(*value));
            (storage_key(address, slot), value)
        });
        let code = self
            .code
            .iter()
            .map(|(hash, code)| (code_key(hash), Some(blob_root(code, |_, _| ()))));
        let mut entries: Vec<_> = accounts.chain(storage).chain(code).collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        entries
    }

    /// Nodes that values of the entries are digests of: accounts, code and blobs, by digest.
    #[must_use]
    pub fn nodes(&self) -> Vec<(B256, [u8; 64])> {
        let mut nodes = Vec::new();
        for account in self.accounts.values().flatten() {
            let node = account.encode();
            nodes.push((hash(&node), node));
        }
        for code in self.code.values() {
            blob_root(code, |digest, node| nodes.push((digest, node)));
        }
        for blob in self.blobs.values() {
            blob_root(blob, |digest, node| nodes.push((digest, node)));
        }
        nodes
    }

    /// Adds what a later block changed: the later word counts.
    pub fn extend(&mut self, later: Self) {
        self.accounts.extend(later.accounts);
        self.storage.extend(later.storage);
        self.code.extend(later.code);
        self.blobs.extend(later.blobs);
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.storage.is_empty() && self.code.is_empty() && self.blobs.is_empty()
    }
}

/// The state tree after changes: its root and the nodes made for it. Nodes of values ([`Changes::nodes`]) are not among them.
///
/// # Errors
/// If the tree before could not be read.
pub fn apply<S: NodeSource>(source: &S, root: &B256, changes: &Changes) -> Result<Update, StateError> {
    l2_state::update(source, root, &changes.entries())
}
