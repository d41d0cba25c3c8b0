//! Middle-sized objects: `linked_list_allocator` over arenas of consecutive frames.
use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};

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
struct Arenas {
    head: *mut Arena,
    count: usize,
    /// Arenas without any object: one at most is kept.
    empty: usize,
    /// Bytes of objects in all of them.
    used: usize,
}

// SAFETY: the arenas belong to whoever holds the lock around this.
unsafe impl Send for Arenas {}

static ARENAS: SpinLock<Arenas> = SpinLock::new(Rank::Heap, Arenas { head: null_mut(), count: 0, empty: 0, used: 0 });

/// Frames that arenas have beyond what the living objects would need if they were packed.
pub(super) fn idle_frames() -> usize {
    let arenas = ARENAS.lock();
    arenas.count * FRAMES - arenas.used.div_ceil(PAGE_SIZE)
}

/// An object; null when there is no memory.
pub(super) fn alloc(layout: Layout) -> *mut u8 {
    let mut arenas = ARENAS.lock();
    let mut arena = arenas.head;
    // SAFETY: arenas in the list are whole and ours while the lock is held.
    while let Some(this) = unsafe { arena.as_mut() } {
        if let Some(object) = arenas.take(this, layout) {
            return object.as_ptr();
        }
        arena = this.next;
    }
    // The list is free meanwhile: kernel space comes before the heap in the order of locks.
    drop(arenas);
    let arena: *mut Arena = take_frames(FRAMES, Purpose::LargeObject).cast();
    if arena.is_null() {
        return null_mut();
    }
    let header = size_of::<Arena>().next_multiple_of(64);
    let mut arenas = ARENAS.lock();
    // SAFETY: the frames are ours; the header is at their start, and the heap's part follows it.
    let this = unsafe {
        let heap = Heap::new(arena.cast::<u8>().add(header), BYTES - header);
        arena.write(Arena { next: arenas.head, heap });
        &mut *arena
    };
    arenas.head = arena;
    arenas.count += 1;
    arenas.empty += 1;
    arenas.take(this, layout).map_or(null_mut(), NonNull::as_ptr)
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
    let this = unsafe { &mut *arena };
    let before = this.heap.used();
    // SAFETY: as above; the object came from this heap with this layout.
    unsafe { this.heap.deallocate(NonNull::new_unchecked(object), layout) };
    arenas.used -= before - this.heap.used();
    if this.heap.used() > 0 {
        return;
    }
    if arenas.empty == 0 {
        arenas.empty = 1;
        return;
    }
    let next = this.next;
    arenas.count -= 1;
    let mut link = &mut arenas.head;
    while *link != arena {
        // SAFETY: the arena is in the list, so every link before it leads to one.
        link = unsafe { &mut (**link).next };
    }
    *link = next;
    drop(arenas);
    // SAFETY: nothing in the arena is in use, and it is out of the list.
    unsafe { give_frames(arena.cast(), FRAMES) };
}

impl Arenas {
    /// Takes an object from `arena`, if one fits.
    fn take(&mut self, arena: &mut Arena, layout: Layout) -> Option<NonNull<u8>> {
        let before = arena.heap.used();
        let object = arena.heap.allocate_first_fit(layout).ok()?;
        if before == 0 {
            self.empty -= 1;
        }
        self.used += arena.heap.used() - before;
        Some(object)
    }
}
