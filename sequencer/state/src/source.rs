//! Where nodes come from.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::cell::RefCell;

use alloy_primitives::B256;

/// A source does not have a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("node {0} is missing")]
pub struct MissingNode(
    /// Its digest.
    pub B256,
);

/// Gives the 64 bytes with a BLAKE3 digest. Readers trust the answer: a source that could give other bytes goes behind
/// [`Checked`].
pub trait NodeSource {
    /// The bytes whose digest this is.
    ///
    /// # Errors
    /// If the source does not have them.
    fn node(&self, digest: &B256) -> Result<[u8; 64], MissingNode>;
}

impl<S: NodeSource + ?Sized> NodeSource for &S {
    fn node(&self, digest: &B256) -> Result<[u8; 64], MissingNode> {
        (**self).node(digest)
    }
}

impl<S: NodeSource + ?Sized> NodeSource for Arc<S> {
    fn node(&self, digest: &B256) -> Result<[u8; 64], MissingNode> {
        (**self).node(digest)
    }
}

impl NodeSource for BTreeMap<B256, [u8; 64]> {
    fn node(&self, digest: &B256) -> Result<[u8; 64], MissingNode> {
        self.get(digest).copied().ok_or(MissingNode(*digest))
    }
}

#[cfg(feature = "std")]
impl<H: std::hash::BuildHasher> NodeSource for std::collections::HashMap<B256, [u8; 64], H> {
    fn node(&self, digest: &B256) -> Result<[u8; 64], MissingNode> {
        self.get(digest).copied().ok_or(MissingNode(*digest))
    }
}

/// A source whose answers are hashed: other bytes than the digest's count as missing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Checked<S>(
    /// The source that may be wrong.
    pub S,
);

impl<S: NodeSource> NodeSource for Checked<S> {
    fn node(&self, digest: &B256) -> Result<[u8; 64], MissingNode> {
        let node = self.0.node(digest)?;
        if l2_block::hash(&node) == *digest {
            Ok(node)
        } else {
            Err(MissingNode(*digest))
        }
    }
}

/// New nodes over a source that does not have them yet.
#[derive(Clone, Debug, Default)]
pub struct Overlay<S> {
    /// The new nodes.
    pub nodes: BTreeMap<B256, [u8; 64]>,
    /// The source below.
    pub base: S,
}

impl<S> Overlay<S> {
    /// No new nodes yet.
    pub fn new(base: S) -> Self {
        Self {
            nodes: BTreeMap::new(),
            base,
        }
    }
}

impl<S: NodeSource> NodeSource for Overlay<S> {
    fn node(&self, digest: &B256) -> Result<[u8; 64], MissingNode> {
        match self.nodes.get(digest) {
            Some(node) => Ok(*node),
            None => self.base.node(digest),
        }
    }
}

/// A source that remembers what was asked of it: the witness of whoever reads through it.
#[derive(Debug, Default)]
pub struct Recording<S> {
    base: S,
    seen: RefCell<BTreeMap<B256, [u8; 64]>>,
}

impl<S> Recording<S> {
    /// Nothing asked yet.
    pub fn new(base: S) -> Self {
        Self {
            base,
            seen: RefCell::default(),
        }
    }

    /// The nodes that were asked for and found.
    pub fn into_nodes(self) -> BTreeMap<B256, [u8; 64]> {
        self.seen.into_inner()
    }
}

impl<S: NodeSource> NodeSource for Recording<S> {
    fn node(&self, digest: &B256) -> Result<[u8; 64], MissingNode> {
        // Not borrowed while the base answers: it may itself read through here.
        let node = self.base.node(digest)?;
        self.seen.borrow_mut().insert(*digest, node);
        Ok(node)
    }
}
