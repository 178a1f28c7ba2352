//! Memory as a persistent tree of pages: cheap to clone, cheap to hash again after a change.
//!
//! A snapshot is a clone (one reference count); writing copies only the pages written and the branches above them. Every
//! page and branch caches its Merkle node, so the root after a change hashes only what changed since any earlier root
//! of a memory that shares it. The branches end at the levels whose nodes a step opening signs: pages are
//! subtrees of 7 levels, then 7, 6 and 6 more.
//!
//! A page that holds only zeros is absent, so equal memories have equal roots however they came about, and nobody
//! can make the tree large without writing to it.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

use crate::merkle::{DEPTH, Node, parent, zero_nodes};
use crate::step::MemoryView;

/// Bytes of a page.
pub const PAGE_BYTES: u32 = 4096;
/// Words of a page.
pub const PAGE_WORDS: usize = 1024;
/// Number of pages of the whole memory.
pub const PAGES: usize = 1 << 19;

/// The words of one page, as numbers (a leaf holds them big-endian).
pub type PageWords = [u32; PAGE_WORDS];

/// A subtree with a cached node.
trait Subtree: Send + Sync {
    /// Levels of this subtree.
    const HEIGHT: usize;
    /// The subtree's node at level `HEIGHT`.
    fn node(&self) -> Node;
    /// Whether that node is known already.
    fn is_hashed(&self) -> bool;
    /// Writes the siblings of leaf `index` (within this subtree) to `out[..HEIGHT]`.
    fn siblings(&self, index: u32, out: &mut [Node]);
}

#[derive(Debug)]
struct Page {
    words: PageWords,
    node: OnceLock<Node>,
}

impl Page {
    fn leaf(&self, leaf: usize) -> Node {
        let mut bytes = [0; 32];
        for (chunk, word) in bytes.chunks_exact_mut(4).zip(&self.words[8 * leaf..8 * leaf + 8]) {
            chunk.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }

    fn leaves(&self) -> Vec<Node> {
        (0..PAGE_WORDS / 8).map(|leaf| self.leaf(leaf)).collect()
    }
}

/// Hashes a row of nodes at `level` up until one is left.
fn fold(mut row: Vec<Node>, mut level: usize) -> Node {
    while row.len() > 1 {
        row = pair_up(&row, level);
        level += 1;
    }
    row[0]
}

fn pair_up(row: &[Node], level: usize) -> Vec<Node> {
    let zeros = zero_nodes();
    row.chunks_exact(2)
        .map(|pair| {
            if pair[0] == zeros[level] && pair[1] == zeros[level] {
                zeros[level + 1]
            } else {
                parent(&pair[0], &pair[1])
            }
        })
        .collect()
}

/// Siblings of entry `index` of a row at `level`, up to the single node above the row.
fn row_siblings(mut row: Vec<Node>, mut index: usize, level: usize, out: &mut [Node]) {
    for (height, sibling) in out.iter_mut().enumerate() {
        *sibling = row[index ^ 1];
        row = pair_up(&row, level + height);
        index >>= 1;
    }
}

impl Subtree for Page {
    const HEIGHT: usize = 7;

    fn node(&self) -> Node {
        *self.node.get_or_init(|| fold(self.leaves(), 0))
    }

    fn is_hashed(&self) -> bool {
        self.node.get().is_some()
    }

    fn siblings(&self, index: u32, out: &mut [Node]) {
        row_siblings(self.leaves(), index as usize, 0, out);
    }
}

#[derive(Debug)]
struct Branch<C, const N: usize> {
    children: [Option<Arc<C>>; N],
    node: OnceLock<Node>,
}

impl<C, const N: usize> Clone for Branch<C, N> {
    /// A copy that is about to be changed: the cached node does not come along.
    fn clone(&self) -> Self {
        Branch {
            children: self.children.clone(),
            node: OnceLock::new(),
        }
    }
}

impl<C, const N: usize> Default for Branch<C, N> {
    fn default() -> Self {
        Branch {
            children: [const { None }; N],
            node: OnceLock::new(),
        }
    }
}

impl<C, const N: usize> Branch<C, N> {
    /// The children's slots for writing; forgets the cached node.
    fn children_mut(&mut self) -> &mut [Option<Arc<C>>; N] {
        self.node = OnceLock::new();
        &mut self.children
    }
}

impl<C: Subtree, const N: usize> Branch<C, N> {
    /// The children's nodes; in parallel if there is more than one to hash.
    fn row(&self) -> Vec<Node> {
        let zero = zero_nodes()[C::HEIGHT];
        let node = |child: &Option<Arc<C>>| child.as_ref().map_or(zero, |child| child.node());
        if self
            .children
            .iter()
            .flatten()
            .filter(|child| !child.is_hashed())
            .nth(1)
            .is_some()
        {
            self.children.par_iter().map(node).collect()
        } else {
            self.children.iter().map(node).collect()
        }
    }
}

impl<C: Subtree, const N: usize> Subtree for Branch<C, N> {
    const HEIGHT: usize = C::HEIGHT + N.trailing_zeros() as usize;

    fn node(&self) -> Node {
        if let Some(node) = self.node.get() {
            return *node;
        }
        // Not inside `get_or_init`: the row is hashed by other threads, which may come back here for another memory
        // that shares this branch.
        let node = fold(self.row(), C::HEIGHT);
        *self.node.get_or_init(|| node)
    }

    fn is_hashed(&self) -> bool {
        self.node.get().is_some()
    }

    fn siblings(&self, index: u32, out: &mut [Node]) {
        let child = (index >> C::HEIGHT) as usize;
        let (low, high) = out.split_at_mut(C::HEIGHT);
        match &self.children[child] {
            Some(subtree) => subtree.siblings(index & ((1 << C::HEIGHT) - 1), low),
            None => low.copy_from_slice(&zero_nodes()[..C::HEIGHT]),
        }
        row_siblings(self.row(), child, C::HEIGHT, high);
    }
}

type Region = Branch<Page, 128>;
type Zone = Branch<Region, 64>;
type Top = Branch<Zone, 64>;

/// Memory of 2^31 bytes; a clone shares everything until one of the two is written.
#[derive(Clone, Debug, Default)]
pub struct PagedMemory {
    top: Arc<Top>,
}

fn split(page: usize) -> (usize, usize, usize) {
    (page >> 13, page >> 7 & 63, page & 127)
}

impl PagedMemory {
    /// Empty memory.
    pub fn new() -> Self {
        Self::default()
    }

    fn page_at(&self, page: usize) -> Option<&Arc<Page>> {
        let (zone, region, page) = split(page);
        self.top.children[zone].as_ref()?.children[region]
            .as_ref()?
            .children[page]
            .as_ref()
    }

    /// The words of a page; `None` if they are all zero.
    ///
    /// # Panics
    /// If `page` is not below [`PAGES`].
    pub fn page(&self, page: usize) -> Option<&PageWords> {
        self.page_at(page).map(|page| &page.words)
    }

    /// Replaces a page. Nothing changes (and no cached node is lost) if it holds these words already.
    ///
    /// # Panics
    /// If `page` is not below [`PAGES`].
    pub fn set_page(&mut self, page: usize, words: &PageWords) {
        const ZERO: PageWords = [0; PAGE_WORDS];
        let old = self.page(page).unwrap_or(&ZERO);
        if old == words {
            return;
        }
        let new = (*words != ZERO).then(|| {
            Arc::new(Page {
                words: *words,
                node: OnceLock::new(),
            })
        });
        let (zone, region, page) = split(page);
        let zone = Arc::make_mut(Arc::make_mut(&mut self.top).children_mut()[zone].get_or_insert_default());
        let region = Arc::make_mut(zone.children_mut()[region].get_or_insert_default());
        region.children_mut()[page] = new;
    }

    /// Writes bytes from `addr` on; a host's operation, used to build initial memory.
    ///
    /// # Panics
    /// If the range leaves the 2^31 bytes of memory.
    pub fn write_bytes(&mut self, addr: u32, bytes: &[u8]) {
        let mut at = addr;
        let mut rest = bytes;
        while !rest.is_empty() {
            let page = (at / PAGE_BYTES) as usize;
            let offset = (at % PAGE_BYTES) as usize;
            let take = rest.len().min(PAGE_BYTES as usize - offset);
            let mut words = *self.page(page).unwrap_or(&[0; PAGE_WORDS]);
            for (i, byte) in rest[..take].iter().enumerate() {
                let byte_at = offset + i;
                let shift = 24 - 8 * (byte_at & 3);
                let word = &mut words[byte_at / 4];
                *word = *word & !(0xff << shift) | u32::from(*byte) << shift;
            }
            self.set_page(page, &words);
            at += take as u32;
            rest = &rest[take..];
        }
    }

    /// Reads `len` bytes from `addr` on; bytes outside memory are left out.
    pub fn read_bytes(&self, addr: u32, len: u32) -> Vec<u8> {
        let end = (u64::from(addr) + u64::from(len)).min(1 << 31) as u32;
        (addr.min(end)..end)
            .map(|at| self.word(at).to_be_bytes()[(at & 3) as usize])
            .collect()
    }

    /// The memory root.
    pub fn root(&self) -> Node {
        self.top.node()
    }

    /// Calls `visit` for each page that is not all zero, in order.
    pub fn for_each_page(&self, mut visit: impl FnMut(usize, &PageWords)) {
        PagedMemory::new().for_each_difference(self, |page, words| {
            if let Some(words) = words {
                visit(page, words);
            }
        });
    }

    /// Calls `visit` for each page of `other` that this memory does not share, with its words there (`None`: all zero).
    pub fn for_each_difference(&self, other: &PagedMemory, mut visit: impl FnMut(usize, Option<&PageWords>)) {
        each_difference(Some(&self.top), Some(&other.top), &mut |zone, old, new| {
            each_difference(old, new, &mut |region, old, new| {
                each_difference(old, new, &mut |page, _, new| {
                    visit(zone << 13 | region << 7 | page, new.map(|page| &page.words));
                });
            });
        });
    }

    /// Pages reachable from any of `memories`, shared ones counted once: what the snapshots cost together.
    pub fn count_distinct_pages<'a>(memories: impl Iterator<Item = &'a PagedMemory>) -> usize {
        let mut count = 0;
        let mut seen = HashSet::new();
        for memory in memories {
            for zone in memory.top.children.iter().flatten() {
                if !seen.insert(Arc::as_ptr(zone).cast::<u8>()) {
                    continue;
                }
                for region in zone.children.iter().flatten() {
                    if !seen.insert(Arc::as_ptr(region).cast::<u8>()) {
                        continue;
                    }
                    for page in region.children.iter().flatten() {
                        count += usize::from(seen.insert(Arc::as_ptr(page).cast::<u8>()));
                    }
                }
            }
        }
        count
    }
}

type Child<C> = Option<Arc<C>>;

/// Calls `visit` with every pair of children that are not one shared child.
fn each_difference<C, const N: usize>(
    old: Option<&Arc<Branch<C, N>>>,
    new: Option<&Arc<Branch<C, N>>>,
    visit: &mut impl FnMut(usize, Option<&Arc<C>>, Option<&Arc<C>>),
) {
    let child = |branch: Option<&'_ Arc<Branch<C, N>>>, i: usize| -> Child<C> { branch?.children[i].clone() };
    for i in 0..N {
        let (old, new) = (child(old, i), child(new, i));
        let same = match (&old, &new) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            (None, None) => true,
            _ => false,
        };
        if !same {
            visit(i, old.as_ref(), new.as_ref());
        }
    }
}

impl MemoryView for PagedMemory {
    fn word(&self, addr: u32) -> u32 {
        let page = (addr & 0x7fff_ffff) / PAGE_BYTES;
        self.page(page as usize)
            .map_or(0, |words| words[(addr % PAGE_BYTES / 4) as usize])
    }

    fn leaf(&self, index: u32) -> Node {
        let index = index as usize & ((1 << DEPTH) - 1);
        self.page_at(index >> 7)
            .map_or([0; 32], |page| page.leaf(index & 127))
    }

    fn siblings(&self, index: u32) -> [Node; DEPTH] {
        let mut out = [[0; 32]; DEPTH];
        self.top.siblings(index & ((1 << DEPTH) - 1), &mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{empty_root, path};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// The root of sparse leaves, level by level, with no cache and no pages.
    fn naive_root(leaves: &BTreeMap<u32, Node>) -> Node {
        let mut row = leaves.clone();
        for zero in &zero_nodes()[..DEPTH] {
            let mut above = BTreeMap::new();
            for index in row.keys().map(|index| index >> 1) {
                let child = |i: u32| row.get(&i).unwrap_or(zero);
                above.insert(index, parent(child(2 * index), child(2 * index + 1)));
            }
            row = above;
        }
        row.get(&0).copied().unwrap_or_else(empty_root)
    }

    fn writes() -> impl Strategy<Value = Vec<(u32, u32)>> {
        let near = prop_oneof![
            0x1000..0x3000u32,
            0x7fff_e000..0x8000_0000u32,
            0x1000..0x8000_0000u32
        ];
        proptest::collection::vec((near, prop_oneof![Just(0u32), any::<u32>()]), 1..24)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn roots_and_paths_match_the_naive_tree(first in writes(), second in writes()) {
            let mut memory = PagedMemory::new();
            let mut leaves = BTreeMap::new();
            let mut snapshots = Vec::new();
            for batch in [&first, &second] {
                for (addr, word) in batch {
                    let addr = addr & !3;
                    memory.write_bytes(addr, &word.to_be_bytes());
                    let leaf = leaves.entry(addr >> 5).or_insert([0; 32]);
                    *leaf = crate::merkle::replace_word(leaf, addr, *word);
                    prop_assert_eq!(memory.word(addr), *word);
                }
                prop_assert_eq!(memory.root(), naive_root(&leaves));
                snapshots.push((memory.clone(), leaves.clone()));
                for (addr, _) in batch {
                    for index in [addr >> 5, addr >> 5 ^ 1, addr >> 5 ^ 0x80, addr >> 5 ^ 0x1000] {
                        let leaf = memory.leaf(index);
                        prop_assert_eq!(leaf, leaves.get(&index).copied().unwrap_or([0; 32]));
                        prop_assert_eq!(path(&leaf, index, &memory.siblings(index))[DEPTH], memory.root());
                    }
                }
            }
            // Writing after a clone leaves the clone alone, and a fresh memory with the same words has the same root.
            for (memory, leaves) in snapshots {
                prop_assert_eq!(memory.root(), naive_root(&leaves));
                let mut fresh = PagedMemory::new();
                for (index, leaf) in &leaves {
                    fresh.write_bytes(index << 5, leaf);
                }
                prop_assert_eq!(fresh.root(), memory.root());
            }
        }
    }

    #[test]
    fn empty_memory_has_the_empty_root_also_after_zeros_are_written() {
        let mut memory = PagedMemory::new();
        assert_eq!(memory.root(), empty_root());
        memory.write_bytes(0x5000, &[1, 2, 3]);
        assert_ne!(memory.root(), empty_root());
        memory.write_bytes(0x5000, &[0, 0, 0]);
        assert_eq!(memory.root(), empty_root());
        assert_eq!(PagedMemory::count_distinct_pages([&memory].into_iter()), 0);
    }

    #[test]
    fn bytes_cross_pages_and_stop_at_the_end_of_memory() {
        let mut memory = PagedMemory::new();
        memory.write_bytes(0x1ffd, b"tapestry");
        assert_eq!(memory.read_bytes(0x1ffd, 8), b"tapestry");
        assert_eq!(memory.word(0x2000), u32::from_be_bytes(*b"estr"));
        memory.write_bytes(0x7fff_fffe, &[7, 8]);
        assert_eq!(memory.read_bytes(0x7fff_fffe, 100), [7, 8]);
        assert_eq!(memory.read_bytes(0xffff_fff0, 100), []);
    }

    #[test]
    fn differences_are_the_pages_not_shared() {
        let mut old = PagedMemory::new();
        old.write_bytes(0x1000, &[1]);
        old.write_bytes(0x4000_0000, &[1]);
        let mut new = old.clone();
        new.write_bytes(0x1000, &[0]);
        new.write_bytes(0x7fff_f000, &[9]);
        let mut seen = Vec::new();
        old.for_each_difference(&new, |page, words| seen.push((page, words.map(|words| words[0]))));
        assert_eq!(seen, [(1, None), (0x7_ffff, Some(0x0900_0000))]);
        assert_eq!(PagedMemory::count_distinct_pages([&old, &new].into_iter()), 3);
    }
}
