//! State to execute over: the head's, flat, and older ones by their tree.

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use l2_state::{Account, MissingNode, NodeSource};
use l2_stf::{StateView, TreeView};

use crate::columns::{self, BLOBS, CODE, FLAT, NODES};
use crate::commit::split_node;
use crate::error::{StoreError, corrupt};
use crate::open::Store;

/// The state after the head, one look-up a value.
#[derive(Clone, Copy, Debug)]
pub struct LatestState<'a>(pub(crate) &'a Store);

/// The state after some block, by its tree.
pub type StateAt<'a> = TreeView<&'a Store>;

impl Store {
    /// The state after the head. It moves with the head: whoever reads while another commits sees both.
    #[must_use]
    pub fn latest_state(&self) -> LatestState<'_> {
        LatestState(self)
    }

    /// The state after block `number`.
    ///
    /// # Errors
    /// If there is no such block, or its state is pruned.
    pub fn state_at(&self, number: u64) -> Result<StateAt<'_>, StoreError> {
        let oldest = self.oldest_state()?;
        if number < oldest {
            return Err(StoreError::Pruned { number, oldest });
        }
        let Some(block) = self.block(number)? else {
            let head = self.head_record()?.number;
            return Err(StoreError::NoBlock { number, head });
        };
        Ok(TreeView {
            source: self,
            root: block.block.header.state_root,
        })
    }
}

impl NodeSource for Store {
    fn node(&self, digest: &B256) -> Result<[u8; 64], MissingNode> {
        // An error of the disk is no node either: the caller cannot go on, and the next write tells the error.
        match self.get(NODES, digest.as_slice()) {
            Ok(Some(value)) => split_node(digest, &value)
                .map(|(node, _)| node)
                .map_err(|_| MissingNode(*digest)),
            Ok(None) => Err(MissingNode(*digest)),
            Err(error) => {
                tracing::error!(%digest, %error, "a node could not be read");
                Err(MissingNode(*digest))
            }
        }
    }
}

impl StateView for LatestState<'_> {
    type Error = StoreError;

    fn account(&self, address: &Address) -> Result<Option<Account>, StoreError> {
        let Some(bytes) = self.0.get(FLAT, &columns::account(address))? else {
            return Ok(None);
        };
        let bytes = bytes
            .try_into()
            .map_err(|_| corrupt(format!("account {address}")))?;
        Ok(Some(Account::decode(&bytes)))
    }

    fn storage(&self, address: &Address, slot: &U256) -> Result<U256, StoreError> {
        let Some(bytes) = self.0.get(FLAT, &columns::storage(address, slot))? else {
            return Ok(U256::ZERO);
        };
        let bytes: [u8; 32] = bytes
            .try_into()
            .map_err(|_| corrupt(format!("storage of {address}")))?;
        Ok(U256::from_be_bytes(bytes))
    }

    fn code(&self, hash: &B256) -> Result<Bytes, StoreError> {
        if *hash == KECCAK256_EMPTY {
            return Ok(Bytes::new());
        }
        self.0
            .get(CODE, hash.as_slice())?
            .map(Bytes::from)
            .ok_or_else(|| corrupt(format!("code {hash} is not there")))
    }

    fn blob(&self, root: &B256) -> Result<Vec<u8>, StoreError> {
        self.0
            .get(BLOBS, root.as_slice())?
            .ok_or_else(|| corrupt(format!("blob {root} is not there")))
    }
}
