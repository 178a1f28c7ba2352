//! The allocator of long-running guests: blocks of powers of two, each size with a list of freed ones that are used again.
//!
//! A block that was handed out for the first time is zero, as the machine's memory is. What is never needed again at its
//! size stays unused, so memory is at most the sum of what each size had at its most.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::null_mut;

use crate::syscall;

/// Least amount asked of the machine at a time, in bytes.
const CHUNK: usize = 1 << 20;
/// Least size of a block, as a power of two: a list's link fits.
const LEAST: u32 = 4;
/// One more than the greatest power of two.
const SIZES: usize = 31;
/// `PROT_READ | PROT_WRITE`.
const READ_WRITE: u32 = 3;

struct Pools {
    /// Memory that was never handed out.
    next: usize,
    end: usize,
    /// The newest freed block of each size, zero if there is none; each holds the address of the one before.
    freed: [usize; SIZES],
}

struct Heap(UnsafeCell<Pools>);

// SAFETY: the machine has one thread and no interrupts.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(Pools {
    next: 0,
    end: 0,
    freed: [0; SIZES],
}));

/// The power of two that holds a layout. Blocks are aligned to their size, up to what a chunk is aligned to.
fn power(layout: &Layout) -> u32 {
    let size = layout.size().max(layout.align());
    (usize::BITS - size.saturating_sub(1).leading_zeros()).max(LEAST)
}

impl Pools {
    /// A block of 2^`power` bytes that was never handed out. `None` when the machine has no more memory.
    fn fresh(&mut self, power: u32) -> Option<usize> {
        if power as usize >= SIZES {
            return None;
        }
        let size = 1 << power;
        // Large blocks are aligned to a page only: no layout asks for more.
        let align = size.min(4096);
        let start = self.next.checked_next_multiple_of(align)?;
        if start.checked_add(size)? <= self.end {
            self.next = start + size;
            return Some(start);
        }
        let wanted = size.max(CHUNK);
        let chunk = syscall::call(syscall::MMAP, 0, u32::try_from(wanted).ok()?, READ_WRITE).ok()? as usize;
        // The machine hands out whole pages. The rest of the chunk before is lost, unless the new one continues it.
        if chunk != self.end {
            self.next = chunk;
        }
        self.end = chunk.checked_add(wanted)?;
        let start = self.next.checked_next_multiple_of(align)?;
        if start.checked_add(size)? <= self.end {
            self.next = start + size;
            return Some(start);
        }
        None
    }

    /// A block, and whether it is zero.
    fn take(&mut self, power: u32) -> Option<(usize, bool)> {
        match self.freed.get(power as usize) {
            Some(&block) if block != 0 => {
                // SAFETY: a freed block holds the address of the one freed before.
                self.freed[power as usize] = unsafe { *(block as *const usize) };
                Some((block, false))
            }
            _ => self.fresh(power).map(|block| (block, true)),
        }
    }
}

// SAFETY: blocks come from memory that the machine handed out once, never overlap while in use and are aligned as asked (to at
// most a page, which is the most that layouts here ask for; more gives null). The cell is borrowed only within a method,
// and no method calls back.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let pools = unsafe { &mut *self.0.get() };
        if layout.align() > 4096 {
            return null_mut();
        }
        pools
            .take(power(&layout))
            .map_or(null_mut(), |(block, _)| block as *mut u8)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let pools = unsafe { &mut *self.0.get() };
        if layout.align() > 4096 {
            return null_mut();
        }
        let Some((block, is_zero)) = pools.take(power(&layout)) else {
            return null_mut();
        };
        let block = block as *mut u8;
        if !is_zero {
            // SAFETY: the block has at least the layout's size.
            unsafe { core::ptr::write_bytes(block, 0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let pools = unsafe { &mut *self.0.get() };
        let power = power(&layout) as usize;
        // SAFETY: the block has at least 16 bytes, is aligned to as many, and nobody uses it any more.
        unsafe { *block.cast::<usize>() = pools.freed[power] };
        pools.freed[power] = block as usize;
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the new size is a valid one.
        let wanted = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        if power(&wanted) == power(&layout) {
            return block;
        }
        // SAFETY: both blocks have at least the size that is copied, and they are two.
        unsafe {
            let moved = self.alloc(wanted);
            if !moved.is_null() {
                core::ptr::copy_nonoverlapping(block, moved, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}
