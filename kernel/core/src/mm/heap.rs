//! The kernel heap: size classes over `linked_list_allocator`.
use core::alloc::{GlobalAlloc, Layout};

struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

// SAFETY: a placeholder that never hands out memory.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
