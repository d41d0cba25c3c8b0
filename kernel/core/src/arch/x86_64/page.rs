//! Clearing and copying whole pages.
use core::arch::asm;

use crate::mm::PAGE_SIZE;

/// Fills the page at `page` with zeros.
///
/// # Safety
/// `page` is page-aligned, mapped writable, and nothing else in the kernel refers to its content.
pub unsafe fn clear(page: *mut u8) {
    // 16 bytes at a time; the register is the user program's, so it is put back. Nothing comes between: the kernel is
    // not preempted, and interrupt handlers that come here put it back too.
    let mut saved = [0u64; 2];
    // SAFETY: writes exactly the page, which the caller gives us, and `saved`; SSE is on since the CPU was set up.
    unsafe {
        asm!(
            "movups [{saved}], xmm0",
            "xorps xmm0, xmm0",
            "2:",
            "movaps [{page}], xmm0",
            "movaps [{page} + 16], xmm0",
            "movaps [{page} + 32], xmm0",
            "movaps [{page} + 48], xmm0",
            "movaps [{page} + 64], xmm0",
            "movaps [{page} + 80], xmm0",
            "movaps [{page} + 96], xmm0",
            "movaps [{page} + 112], xmm0",
            "movaps [{page} + 128], xmm0",
            "movaps [{page} + 144], xmm0",
            "movaps [{page} + 160], xmm0",
            "movaps [{page} + 176], xmm0",
            "movaps [{page} + 192], xmm0",
            "movaps [{page} + 208], xmm0",
            "movaps [{page} + 224], xmm0",
            "movaps [{page} + 240], xmm0",
            "add {page}, 256",
            "cmp {page}, {end}",
            "jb 2b",
            "movups xmm0, [{saved}]",
            saved = in(reg) saved.as_mut_ptr(),
            page = inout(reg) page => _,
            end = in(reg) page.wrapping_add(PAGE_SIZE),
            options(nostack),
        );
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
