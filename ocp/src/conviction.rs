//! What players, trees and transactions need of disprove leaves, whatever the leaves check.
//!
//! Owns [`DisproveLeaves`], the boundary between the dispute and its disprove leaves: one set for the leaves on
//! `Open`'s first connector, another for those on `Path`'s. A leaf is named by its index, the same for both sides.
//!
//! A leaf's script takes, from the top of the stack, the operator's own choice preimages, then quoted values, and last
//! the watchtower's signature. It never reads what the watchtower shows, or a hostile one could re-choose to frame
//! an honest operator.

use bitcoin::ScriptBuf;

use crate::message::Published;

/// An upper bound of what a leaf takes from the witness: the watchtower's signature, script and control block not
/// counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeafItems {
    /// Stack items.
    pub items: usize,
    /// Their serialised bytes, each with its length.
    pub bytes: usize,
}

/// The disprove leaves of one connector.
pub trait DisproveLeaves: Sync {
    /// Number of leaves.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tapscript of leaf `index`, below [`Self::len`]. A pure function: trees call it from several threads.
    fn script(&self, index: usize) -> ScriptBuf;

    /// What leaf `index` takes from the witness at most.
    fn items(&self, index: usize) -> LeafItems;

    /// The first leaf that convicts on what has been published; `None` if none does.
    fn convicting(&self, published: &Published) -> Option<usize>;

    /// The items for leaf `index` above the watchtower's signature, bottom of the stack first; `None` if a value that
    /// the leaf reads was not published with its signature.
    fn witness(&self, index: usize, published: &Published) -> Option<Vec<Vec<u8>>>;
}
