//! Memory as the fast emulator writes it: one flat array of words and a list of the pages written.
//!
//! The array is 2 GiB of address space, of which the operating system backs only pages that were touched (with strict
//! overcommit, `vm.overcommit_memory=2`, it may have to be there in full). Loads and
//! stores cost one check and one access; a store also marks its page. [`FlatMemory::flush`] writes marked pages back to
//! the persistent [`PagedMemory`] that the array mirrors.

use crate::memory::{PAGE_WORDS, PAGES, PageWords, PagedMemory};

const WORDS: usize = 1 << 29;

/// A mutable mirror of a [`PagedMemory`].
#[derive(Debug)]
pub(crate) struct FlatMemory {
    words: Box<[u32; WORDS]>,
    is_dirty: Box<[bool; PAGES]>,
    dirty: Vec<u32>,
    base: PagedMemory,
}

fn zeroed<T: Clone + Default, const N: usize>() -> Box<[T; N]> {
    // Large zeroed vectors come from the operating system untouched.
    match vec![T::default(); N].into_boxed_slice().try_into() {
        Ok(array) => array,
        Err(_) => unreachable!("the vector was made with this length"),
    }
}

impl FlatMemory {
    /// A mirror of `base`.
    pub(crate) fn new(base: PagedMemory) -> Self {
        let mut memory = FlatMemory {
            words: zeroed(),
            is_dirty: zeroed(),
            dirty: Vec::new(),
            base: PagedMemory::new(),
        };
        memory.reset(base);
        memory
    }

    /// Becomes a mirror of `base`, forgetting what was written and not flushed.
    pub(crate) fn reset(&mut self, base: PagedMemory) {
        for page in std::mem::take(&mut self.dirty) {
            self.is_dirty[page as usize] = false;
            let words = self.base.page(page as usize).copied();
            self.set_page(page as usize, words.as_ref());
        }
        let old = std::mem::take(&mut self.base);
        old.for_each_difference(&base, |page, words| self.set_page(page, words));
        self.base = base;
    }

    fn set_page(&mut self, page: usize, words: Option<&PageWords>) {
        let at = page * PAGE_WORDS;
        let out = &mut self.words[at..at + PAGE_WORDS];
        match words {
            Some(words) => out.copy_from_slice(words),
            None => out.fill(0),
        }
    }

    /// The aligned word at `addr` (bit 31 is dropped).
    #[inline(always)]
    pub(crate) fn word(&self, addr: u32) -> u32 {
        self.words[(addr >> 2) as usize & (WORDS - 1)]
    }

    /// Replaces the aligned word at `addr` (bit 31 is dropped).
    #[inline(always)]
    pub(crate) fn set_word(&mut self, addr: u32, word: u32) {
        self.words[(addr >> 2) as usize & (WORDS - 1)] = word;
        let page = (addr >> 12) as usize & (PAGES - 1);
        if !self.is_dirty[page] {
            self.mark(page);
        }
    }

    #[cold]
    fn mark(&mut self, page: usize) {
        self.is_dirty[page] = true;
        self.dirty.push(page as u32);
    }

    /// Number of marked pages.
    pub(crate) fn dirty_pages(&self) -> usize {
        self.dirty.len()
    }

    /// Writes marked pages back and returns the memory as it is now.
    pub(crate) fn flush(&mut self) -> &PagedMemory {
        for page in self.dirty.drain(..) {
            self.is_dirty[page as usize] = false;
            let at = page as usize * PAGE_WORDS;
            let words: &PageWords = self.words[at..at + PAGE_WORDS]
                .try_into()
                .expect("a slice of that length");
            self.base.set_page(page as usize, words);
        }
        &self.base
    }

    /// Bytes from `addr` on; bytes outside memory are left out.
    pub(crate) fn read_bytes(&self, addr: u32, len: u32) -> Vec<u8> {
        let end = (u64::from(addr) + u64::from(len)).min(1 << 31) as u32;
        (addr.min(end)..end)
            .map(|at| self.word(at).to_be_bytes()[(at & 3) as usize])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::MemoryView;

    #[test]
    fn reset_forgets_and_flush_keeps() {
        let mut base = PagedMemory::new();
        base.write_bytes(0x1000, &[1, 2, 3, 4]);
        let mut flat = FlatMemory::new(base.clone());
        assert_eq!(flat.word(0x1000), 0x0102_0304);
        flat.set_word(0x1000, 9);
        flat.set_word(0x7fff_fffc, 7);
        let kept = flat.flush().clone();
        assert_eq!((kept.word(0x1000), kept.word(0x7fff_fffc)), (9, 7));
        flat.set_word(0x1000, 10);
        flat.set_word(0x2000, 11);
        flat.reset(kept.clone());
        assert_eq!(
            (flat.word(0x1000), flat.word(0x2000), flat.word(0x7fff_fffc)),
            (9, 0, 7)
        );
        flat.reset(base.clone());
        assert_eq!((flat.word(0x1000), flat.word(0x7fff_fffc)), (0x0102_0304, 0));
        assert_eq!(flat.flush().root(), base.root());
        assert_eq!(flat.read_bytes(0x1001, 2), [2, 3]);
    }
}
