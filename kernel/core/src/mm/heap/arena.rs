//! Middle-sized objects: `linked_list_allocator` over arenas of consecutive frames.
use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicUsize, Ordering};

use linked_list_allocator::Heap;

use super::{give_frames, take_frames};
use crate::mm::PAGE_SIZE;
use crate::mm::frame::Purpose;
use crate::sync::{Rank, SpinLock};

/// Frames of an arena, which is aligned to its size.
const FRAMES: usize = 32;
const BYTES: usize = FRAMES * PAGE_SIZE;

/// The head of an arena.
struct Arena {
    next: *mut Arena,
    heap: Heap,
}

/// Every arena; the list is short, since few objects are of this size.
struct Arenas(*mut Arena);

// SAFETY: the arenas belong to whoever holds the lock around this.
unsafe impl Send for Arenas {}

static ARENAS: SpinLock<Arenas> = SpinLock::new(Rank::Heap, Arenas(null_mut()));
static IDLE_FRAMES: AtomicUsize = AtomicUsize::new(0);

/// Frames of empty arenas.
pub(super) fn idle_frames() -> usize {
    IDLE_FRAMES.load(Ordering::Relaxed)
}

/// An object; null when there is no memory.
pub(super) fn alloc(layout: Layout) -> *mut u8 {
    let mut arenas = ARENAS.lock();
    let mut arena = arenas.0;
    // SAFETY: arenas in the list are whole and ours while the lock is held.
    while let Some(this) = unsafe { arena.as_mut() } {
        if let Some(object) = this.take(layout) {
            return object.as_ptr();
        }
        arena = this.next;
    }
    let arena: *mut Arena = take_frames(FRAMES, Purpose::LargeObject).cast();
    if arena.is_null() {
        return null_mut();
    }
    let header = size_of::<Arena>().next_multiple_of(64);
    // SAFETY: the frames are ours; the header is at their start, and the heap's part follows it.
    let this = unsafe {
        let heap = Heap::new(arena.cast::<u8>().add(header), BYTES - header);
        arena.write(Arena { next: arenas.0, heap });
        &mut *arena
    };
    arenas.0 = arena;
    IDLE_FRAMES.fetch_add(FRAMES, Ordering::Relaxed);
    this.take(layout).map_or(null_mut(), NonNull::as_ptr)
}

/// Takes an object back.
///
/// # Safety
/// It came from [`alloc`] with this layout and nobody uses it any more.
pub(super) unsafe fn free(object: *mut u8, layout: Layout) {
    let mut arenas = ARENAS.lock();
    let arena = object.wrapping_sub(object as usize % BYTES).cast::<Arena>();
    // SAFETY: the object's arena starts at the multiple of its size below, and is ours while the lock is held; the
    // object is not null, being an object.
    let this = unsafe {
        (*arena).heap.deallocate(NonNull::new_unchecked(object), layout);
        &mut *arena
    };
    if this.heap.used() > 0 {
        return;
    }
    if IDLE_FRAMES.load(Ordering::Relaxed) == 0 {
        IDLE_FRAMES.store(FRAMES, Ordering::Relaxed);
        return;
    }
    let mut link = &mut arenas.0;
    while *link != arena {
        // SAFETY: the arena is in the list, so every link before it leads to one.
        link = unsafe { &mut (**link).next };
    }
    *link = this.next;
    // SAFETY: nothing in the arena is in use, and it is out of the list.
    unsafe { give_frames(arena.cast(), FRAMES) };
}

impl Arena {
    fn take(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        let was_idle = self.heap.used() == 0;
        let object = self.heap.allocate_first_fit(layout).ok()?;
        if was_idle {
            IDLE_FRAMES.fetch_sub(FRAMES, Ordering::Relaxed);
        }
        Some(object)
    }
}
