//! Family 14: the Merkle path of the opened leaf, level by level, before and after the step.
//!
//! Old side: the opened leaf leads to the old root. New side: the leaf with one word replaced leads to the new root. Both
//! use the *same* sibling keys, so a store changes that word and nothing else: siblings that open the old root are
//! the true ones. Nodes at levels 7, 14 and 20 are signed in `Open`; the others of a segment in `Path`.

use taptree_commit::script::{Nibbles, ScriptBuilder};

use super::super::contradiction::{ClassSet, Contradiction, Inputs, open};
use super::super::terms::Terms;
use super::compression::require_other_digest;
use crate::field::{MID_LEVELS, OpenField, SEGMENT_LEVELS};
use crate::message::Published;
use crate::opening::Hash32;
use crate::value::{PathKind, ValueId};
use zkvm_emulator::hash;

/// Levels of the memory tree; level 26 is the root.
pub const LEVELS: u8 = 26;

/// Which of the two paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PathSide {
    /// Before the step.
    Old,
    /// After the step.
    New,
}

/// The node above level `level` is not the hash of the node there and its sibling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathLeaf {
    /// Which path.
    pub side: PathSide,
    /// Level of the lower node, `0..26`.
    pub level: u8,
}

fn segment(level: u8) -> u8 {
    let at = SEGMENT_LEVELS.iter().position(|(_, top)| level < *top);
    at.expect("levels are below 26") as u8
}

impl PathLeaf {
    /// Every leaf of the family: 52.
    pub fn all() -> impl Iterator<Item = PathLeaf> {
        [PathSide::Old, PathSide::New]
            .into_iter()
            .flat_map(|side| (0..LEVELS).map(move |level| PathLeaf { side, level }))
    }

    /// The segment whose `Path` the leaf needs.
    pub fn segment(self) -> u8 {
        segment(self.level)
    }

    /// The signed node of this side at `level`; at level 0 the old leaf, whose word the new side replaces.
    fn node(self, level: u8) -> ValueId {
        let open = |old, new| ValueId::Open(if self.side == PathSide::Old { old } else { new });
        if level == 0 {
            return ValueId::Open(OpenField::OldLeaf);
        }
        if level == LEVELS {
            return open(OpenField::Root, OpenField::RootNext);
        }
        if let Some(i) = MID_LEVELS.iter().position(|&mid| mid == level) {
            return open(OpenField::OldMid(i as u8), OpenField::NewMid(i as u8));
        }
        let kind = if self.side == PathSide::Old {
            PathKind::Old
        } else {
            PathKind::New
        };
        ValueId::Path {
            segment: segment(level),
            level,
            kind,
        }
    }

    fn sibling(self) -> ValueId {
        ValueId::Path {
            segment: self.segment(),
            level: self.level,
            kind: PathKind::Sibling,
        }
    }

    fn replaces(self) -> bool {
        self.side == PathSide::New && self.level == 0
    }

    /// The address bit that tells whether the node is the right child.
    fn address_bit(self) -> u8 {
        5 + self.level
    }
}

impl Contradiction for PathLeaf {
    fn classes(&self) -> ClassSet {
        ClassSet::RUNS_ON
    }

    fn reads(&self, _: &Terms) -> Vec<ValueId> {
        let mut ids = open(&[OpenField::Addr]);
        if self.replaces() {
            ids.extend(open(&[OpenField::NewWord]));
        }
        ids.extend([self.node(self.level), self.sibling(), self.node(self.level + 1)]);
        ids
    }

    fn holds(&self, _: &Terms, published: &Published) -> Option<bool> {
        let o = published.opening()?;
        let mut node: Hash32 = published.hash(self.node(self.level))?;
        if self.replaces() {
            let at = (o.addr & 28) as usize;
            node[at..at + 4].copy_from_slice(&o.new_word.to_be_bytes());
        }
        let sibling = published.hash(self.sibling())?;
        let (left, right) = match o.addr >> self.address_bit() & 1 {
            0 => (node, sibling),
            _ => (sibling, node),
        };
        let mut both = [0; 64];
        both[..32].copy_from_slice(&left);
        both[32..].copy_from_slice(&right);
        let parent = published.hash(self.node(self.level + 1))?;
        Some(*blake3::hash(&both).as_bytes() != parent)
    }

    fn require(&self, _: &Terms, s: &mut ScriptBuilder, inputs: &Inputs) {
        let addr = inputs.word(OpenField::Addr);
        let mut node = inputs.nibbles(self.node(self.level)).clone();
        if self.replaces() {
            let place = s.bits(&addr, 4, 2);
            let words = s.substitute(node.words(), &place, &inputs.word(OpenField::NewWord));
            node = Nibbles::from_words(&words);
        }
        let sibling = inputs.nibbles(self.sibling()).clone();
        let right = s.bit(&addr, usize::from(self.address_bit()));
        let (node_first, sibling_first) = (node.concat(&sibling), sibling.concat(&node));
        let children = s.select(right, &sibling_first, &node_first);
        s.drop(node_first);
        let flags = hash::CHUNK_START | hash::CHUNK_END | hash::ROOT;
        require_other_digest(
            s,
            inputs.nibbles(self.node(self.level + 1)),
            None,
            children,
            flags,
        );
    }
}
