//! The kernel heap, by size of the request:
//!
//! | bytes | from |
//! |---|---|
//! | to 1536 | slabs of equal objects ([`slab`]), with a small stock per CPU |
//! | to 4096 | one frame |
//! | to 32 KiB | `linked_list_allocator` over arenas of 128 KiB ([`arena`]) |
//! | more | consecutive frames |
//!
//! Consecutive frames come from the direct map or, when memory is in pieces, from a range of kernel space that makes any
//! frames consecutive. Everything goes back to the frame allocator when it falls empty. Usable with interrupts off and
//! from interrupt handlers. A null result is fatal to callers without `try_`: system calls ask
//! [`super::frame::headroom`] before they make objects, and the frames' reserve covers the rest.
mod arena;
mod slab;

use core::alloc::{GlobalAlloc, Layout};

use super::PAGE_SIZE;
use super::addr::{PhysAddr, VirtAddr, phys_to_virt};
use super::frame::{self, Purpose};
use super::kspace;

/// Largest request that arenas serve; larger ones get frames of their own.
const ARENA_MAX: usize = 32 * 1024;

struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

/// Who serves a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Slab(usize),
    Arena,
    /// So many consecutive frames.
    Run(usize),
}

impl Kind {
    #[inline]
    fn of(layout: &Layout) -> Self {
        if let Some(class) = slab::class_for(layout.size(), layout.align()) {
            Self::Slab(class)
        } else if layout.size() > PAGE_SIZE && layout.size() <= ARENA_MAX && layout.align() <= PAGE_SIZE {
            Self::Arena
        } else {
            // A run is aligned to the power of two its length is rounded up to.
            Self::Run(layout.size().max(layout.align()).div_ceil(PAGE_SIZE))
        }
    }
}

// SAFETY: each kind hands out memory that is mapped, unshared, as large and as aligned as asked, and takes back what it
// handed out: the kind follows from the layout alone, which is the same both times.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match Kind::of(&layout) {
            Kind::Slab(class) => slab::alloc(class),
            Kind::Arena => arena::alloc(layout),
            Kind::Run(frames) => {
                let purpose = if frames == 1 { Purpose::Kernel } else { Purpose::LargeObject };
                take_frames(frames, purpose)
            }
        }
    }

    unsafe fn dealloc(&self, object: *mut u8, layout: Layout) {
        // SAFETY: `object` came from `alloc` with this layout, so from the same branch, and nobody uses it any more.
        unsafe {
            match Kind::of(&layout) {
                Kind::Slab(class) => slab::free(class, object),
                Kind::Arena => arena::free(object, layout),
                Kind::Run(frames) => give_frames(object, frames),
            }
        }
    }

    unsafe fn realloc(&self, object: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller of `realloc` vouches for size and alignment.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        let kind = Kind::of(&layout);
        if kind == Kind::of(&new_layout) && kind != Kind::Arena {
            return object; // It has room for the whole class already.
        }
        // SAFETY: `new_layout` has a size above zero, as `realloc` demands; the two objects are apart.
        unsafe {
            let new = self.alloc(new_layout);
            if !new.is_null() {
                core::ptr::copy_nonoverlapping(object, new, layout.size().min(new_size));
                self.dealloc(object, layout);
            }
            new
        }
    }
}

/// Frames in slabs and arenas that are kept though nothing is in them.
pub(super) fn idle_frames() -> usize {
    slab::idle_frames() + arena::idle_frames()
}

/// Consecutive frames, aligned to the power of two that their number is rounded up to; null when there are none.
/// For more than one, no lock from [`crate::sync::Rank::KernelSpace`] on may be held.
fn take_frames(frames: usize, purpose: Purpose) -> *mut u8 {
    let start = match frames {
        1 => frame::take_one(purpose).map(phys_to_virt),
        _ => frame::take_run(frames, purpose).map(phys_to_virt).or_else(|| kspace::map_frames(frames, purpose)),
    };
    start.map_or(core::ptr::null_mut(), |start| start.as_mut_ptr())
}

/// Gives back frames of [`take_frames`].
///
/// # Safety
/// Nothing refers to them any more.
unsafe fn give_frames(start: *mut u8, frames: usize) {
    if start.addr() as u64 >= super::KSPACE_START {
        // SAFETY: the caller's promise.
        return unsafe { kspace::unmap_frames(VirtAddr::from_ptr(start), frames) };
    }
    let phys = PhysAddr::new(start.addr() as u64 - super::PHYS_OFFSET);
    // SAFETY: the caller's promise.
    unsafe {
        match frames {
            1 => frame::free_one(phys),
            _ => frame::free_run(phys, frames),
        }
    }
}
