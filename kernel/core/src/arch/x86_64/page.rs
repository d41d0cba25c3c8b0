//! Clearing and copying whole pages.
use core::arch::asm;

use crate::mm::PAGE_SIZE;

/// Fills the page at `page` with zeros.
///
/// # Safety
/// `page` is page-aligned, mapped writable, and nothing else in the kernel refers to its content.
pub unsafe fn clear(page: *mut u8) {
    // SAFETY: writes exactly the page, which the caller gives us; DF is clear in the kernel.
    unsafe {
        asm!("rep stosq", inout("rcx") PAGE_SIZE / 8 => _, inout("rdi") page => _, in("rax") 0u64,
             options(nostack, preserves_flags));
    }
}

/// Copies the page at `from` over the page at `to`.
///
/// # Safety
/// As [`clear`] for `to`; `from` is page-aligned and mapped. User space may be writing `from` at the same time.
pub unsafe fn copy(to: *mut u8, from: *const u8) {
    // SAFETY: reads and writes exactly the two pages; DF is clear in the kernel.
    unsafe {
        asm!("rep movsq", inout("rcx") PAGE_SIZE / 8 => _, inout("rdi") to => _, inout("rsi") from => _,
             options(nostack, preserves_flags));
    }
}
