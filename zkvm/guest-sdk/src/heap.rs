//! The allocator: a bump pointer over chunks that `mmap` hands out. Nothing is
//! reused except the newest block, which can grow, shrink or go; a guest runs
//! once, and 1.25 GiB of addresses are there.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::null_mut;

use crate::syscall;

/// Least amount asked of the machine at a time, in bytes.
const CHUNK: usize = 1 << 20;
/// `PROT_READ | PROT_WRITE`.
const READ_WRITE: u32 = 3;

struct Bump {
    next: usize,
    end: usize,
}

struct Heap(UnsafeCell<Bump>);

// SAFETY: the machine has one thread and no interrupts.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(Bump { next: 0, end: 0 }));

impl Bump {
    /// `None` when the machine has no more memory.
    fn allocate(&mut self, size: usize, align: usize) -> Option<usize> {
        let start = self.next.checked_next_multiple_of(align)?;
        if let Some(end) = start.checked_add(size)
            && end <= self.end
        {
            self.next = end;
            return Some(start);
        }
        // A new chunk, with room to align in it. The rest of the old one is lost
        // unless the new one continues it.
        let wanted = size.checked_add(align)?.max(CHUNK);
        let chunk = syscall::call(syscall::MMAP, 0, u32::try_from(wanted).ok()?, READ_WRITE).ok()?;
        let chunk = chunk as usize;
        if chunk != self.end {
            self.next = chunk;
        }
        self.end = chunk.checked_add(wanted)?;
        let start = self.next.checked_next_multiple_of(align)?;
        self.next = start.checked_add(size)?;
        Some(start)
    }
}

// SAFETY: blocks come from memory that the machine handed out once, never overlap
// and are aligned as asked. The cell is borrowed only within a method, and no
// method calls back.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let bump = unsafe { &mut *self.0.get() };
        match bump.allocate(layout.size(), layout.align()) {
            Some(address) => address as *mut u8,
            None => null_mut(),
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let bump = unsafe { &mut *self.0.get() };
        if block as usize + layout.size() == bump.next {
            bump.next = block as usize;
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let bump = unsafe { &mut *self.0.get() };
        let old_end = block as usize + layout.size();
        if old_end == bump.next
            && let Some(end) = (block as usize).checked_add(new_size)
            && end <= bump.end
        {
            bump.next = end;
            return block;
        }
        if new_size <= layout.size() {
            return block;
        }
        let Some(address) = bump.allocate(new_size, layout.align()) else {
            return null_mut();
        };
        let moved = address as *mut u8;
        // SAFETY: the new block is larger, and disjoint from the old one.
        unsafe { core::ptr::copy_nonoverlapping(block, moved, layout.size()) };
        moved
    }
}
