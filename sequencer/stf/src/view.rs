//! Where state is read: a tree, or what blocks changed over one.

use alloc::vec::Vec;

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use l2_state::{Account, NodeSource, StateError};

use crate::Changes;

/// A state to read from.
pub trait StateView {
    /// Why it could not be read. No state answers "absent" for what it does not know.
    type Error;

    /// An account, if there is one.
    ///
    /// # Errors
    /// If the state could not be read.
    fn account(&self, address: &Address) -> Result<Option<Account>, Self::Error>;

    /// A storage word; zero if there is none.
    ///
    /// # Errors
    /// If the state could not be read.
    fn storage(&self, address: &Address, slot: &U256) -> Result<U256, Self::Error>;

    /// Code by its Keccak hash, which some account of this state has.
    ///
    /// # Errors
    /// If the state could not be read.
    fn code(&self, hash: &B256) -> Result<Bytes, Self::Error>;

    /// A blob by its root, which this state names.
    ///
    /// # Errors
    /// If the state could not be read.
    fn blob(&self, root: &B256) -> Result<Vec<u8>, Self::Error>;
}

impl<V: StateView + ?Sized> StateView for &V {
    type Error = V::Error;

    fn account(&self, address: &Address) -> Result<Option<Account>, Self::Error> {
        (**self).account(address)
    }

    fn storage(&self, address: &Address, slot: &U256) -> Result<U256, Self::Error> {
        (**self).storage(address, slot)
    }

    fn code(&self, hash: &B256) -> Result<Bytes, Self::Error> {
        (**self).code(hash)
    }

    fn blob(&self, root: &B256) -> Result<Vec<u8>, Self::Error> {
        (**self).blob(root)
    }
}

/// The state under a root, read node by node.
#[derive(Clone, Copy, Debug)]
pub struct TreeView<S> {
    /// Where nodes come from.
    pub source: S,
    /// Root of the state.
    pub root: B256,
}

/// Longest blob that a state names: a forced transaction, which [`crate::MAX_FORCED_BYTES`] bounds.
const MAX_BLOB_BYTES: usize = crate::MAX_FORCED_BYTES;

impl<S: NodeSource> StateView for TreeView<S> {
    type Error = StateError;

    fn account(&self, address: &Address) -> Result<Option<Account>, StateError> {
        l2_state::read_account(&self.source, &self.root, address)
    }

    fn storage(&self, address: &Address, slot: &U256) -> Result<U256, StateError> {
        l2_state::read_storage(&self.source, &self.root, address, slot)
    }

    fn code(&self, hash: &B256) -> Result<Bytes, StateError> {
        if *hash == KECCAK256_EMPTY {
            return Ok(Bytes::new());
        }
        l2_state::read_code(&self.source, &self.root, hash)?.ok_or(StateError::Malformed {
            digest: *hash,
            reason: "code that an account has is not in the tree",
        })
    }

    fn blob(&self, root: &B256) -> Result<Vec<u8>, StateError> {
        l2_state::read_blob(&self.source, root, MAX_BLOB_BYTES)
    }
}

/// What blocks changed, over the state before them.
#[derive(Clone, Copy, Debug)]
pub struct Overlay<'a, V> {
    /// What changed.
    pub changes: &'a Changes,
    /// The state before.
    pub view: V,
}

impl<V: StateView> StateView for Overlay<'_, V> {
    type Error = V::Error;

    fn account(&self, address: &Address) -> Result<Option<Account>, V::Error> {
        match self.changes.accounts.get(address) {
            Some(account) => Ok(*account),
            None => self.view.account(address),
        }
    }

    fn storage(&self, address: &Address, slot: &U256) -> Result<U256, V::Error> {
        match self.changes.storage.get(&(*address, *slot)) {
            Some(value) => Ok(*value),
            None => self.view.storage(address, slot),
        }
    }

    fn code(&self, hash: &B256) -> Result<Bytes, V::Error> {
        match self.changes.code.get(hash) {
            Some(code) => Ok(code.clone()),
            None => self.view.code(hash),
        }
    }

    fn blob(&self, root: &B256) -> Result<Vec<u8>, V::Error> {
        match self.changes.blobs.get(root) {
            Some(blob) => Ok(blob.clone()),
            None => self.view.blob(root),
        }
    }
}
