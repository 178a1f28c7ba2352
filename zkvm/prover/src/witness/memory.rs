//! RAM with the timestamp of each word's last access.
//!
//! Pages are made when first touched: most of the 2^31 bytes never are.

use zkvm_emulator::PagedMemory;

/// Words of a page.
const PAGE_WORDS: usize = 1024;
/// Pages of the 2^31 bytes.
const PAGES: usize = 1 << 19;

/// A word and the timestamp of its last access.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cell {
    pub(super) ts: u64,
    pub(super) value: u32,
}

/// Memory below 2^31.
#[derive(Debug)]
pub(super) struct Ram {
    initial: PagedMemory,
    pages: Vec<Option<Box<[Cell; PAGE_WORDS]>>>,
}

impl Ram {
    pub(super) fn new(initial: PagedMemory) -> Self {
        let mut pages = Vec::new();
        pages.resize_with(PAGES, || None);
        Ram { initial, pages }
    }

    /// The cell of the aligned word at `address`, which is below 2^31.
    #[inline]
    pub(super) fn cell(&mut self, address: u32) -> &mut Cell {
        let word = address as usize / 4;
        let page = &mut self.pages[word / PAGE_WORDS];
        let cells = match page {
            Some(cells) => cells,
            None => page.insert(load(&self.initial, address)),
        };
        &mut cells[word % PAGE_WORDS]
    }

    /// The cell as it is, without making its page.
    pub(super) fn peek(&self, address: u32) -> Cell {
        let word = address as usize / 4;
        match &self.pages[word / PAGE_WORDS] {
            Some(cells) => cells[word % PAGE_WORDS],
            None => Cell {
                ts: 0,
                value: self.initial(address),
            },
        }
    }

    /// The word at `address` before the run.
    pub(super) fn initial(&self, address: u32) -> u32 {
        word(&self.initial, address)
    }

    /// Every cell that was accessed, with its address, in order of address.
    pub(super) fn touched(&self) -> impl Iterator<Item = (u32, Cell)> + '_ {
        (0..).zip(&self.pages).flat_map(|(page, cells)| {
            let cells = cells.as_deref().map_or(&[][..], |cells| &cells[..]);
            (0..)
                .zip(cells)
                .filter(|(_, cell)| cell.ts > 0)
                .map(move |(at, cell)| (4 * (page * PAGE_WORDS as u32 + at), *cell))
        })
    }
}

fn word(memory: &PagedMemory, address: u32) -> u32 {
    use zkvm_emulator::step::MemoryView;
    memory.word(address)
}

#[cold]
fn load(initial: &PagedMemory, address: u32) -> Box<[Cell; PAGE_WORDS]> {
    let start = address & !(4 * PAGE_WORDS as u32 - 1);
    let mut cells = Box::new([Cell::default(); PAGE_WORDS]);
    for (at, cell) in (start..).step_by(4).zip(cells.iter_mut()) {
        cell.value = word(initial, at);
    }
    cells
}
