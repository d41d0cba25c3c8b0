//! Copies to and from user memory that survive any fault.
//!
//! Each instruction that touches user memory has a row in the exception table: when it faults for good, execution goes
//! on at the row's landing address, which reports how much is left.
use crate::arch::cpu;
use crate::mm::USER_END;
use crate::mm::addr::UserAddr;

use super::trap::KernelFrame;

/// A row of the exception table.
#[repr(C)]
struct Row {
    instruction: u64,
    landing: u64,
}

unsafe extern "C" {
    static __extable_start: Row;
    static __extable_end: Row;
}

fn rows() -> &'static [Row] {
    // SAFETY: the linker script puts whole rows, and nothing else, between the two symbols.
    unsafe {
        let start = &raw const __extable_start;
        core::slice::from_raw_parts(start, (&raw const __extable_end).offset_from(start) as usize)
    }
}

/// Whether the instruction at `rip` may fault.
pub(super) fn may_fault(rip: u64) -> bool {
    rows().iter().any(|row| row.instruction == rip)
}

/// Sends execution to the landing address of the faulting instruction; false when it has none.
pub(super) fn fix_up(frame: &mut KernelFrame) -> bool {
    match rows().iter().find(|row| row.instruction == frame.rip) {
        Some(row) => {
            frame.rip = row.landing;
            true
        }
        None => false,
    }
}

/// Copies `len` bytes; returns how many at the end could not be copied. Eight bytes at a time, and after a fault byte
/// by byte, so that the count is exact.
#[unsafe(naked)]
unsafe extern "C" fn copy_raw(to: *mut u8, from: *const u8, len: usize) -> usize {
    core::arch::naked_asm!(
        "mov rcx, rdx",
        "shr rcx, 3",
        "and edx, 7",
        "2: rep movsq",
        "mov ecx, edx",
        "3: rep movsb",
        "4: mov rax, rcx",
        "ret",
        "5: lea rcx, [rcx * 8 + rdx]",
        "jmp 3b",
        ".pushsection .extable, \"a\"",
        ".quad 2b, 5b",
        ".quad 3b, 4b",
        ".popsection",
    )
}

/// See [`cmpxchg_u32`]; bit 32 of the result says that the access failed.
#[unsafe(naked)]
unsafe extern "C" fn cmpxchg_raw(addr: u64, expected: u32, new: u32) -> u64 {
    core::arch::naked_asm!(
        "mov eax, esi",
        "2: lock cmpxchg dword ptr [rdi], edx",
        "mov eax, eax",
        "ret",
        "3: mov eax, 1",
        "shl rax, 32",
        "ret",
        ".pushsection .extable, \"a\"",
        ".quad 2b, 3b",
        ".popsection",
    )
}

/// See [`load_u32_nofault`]; bit 32 of the result says that the access failed.
#[unsafe(naked)]
unsafe extern "C" fn load_raw(addr: u64) -> u64 {
    core::arch::naked_asm!(
        "2: mov eax, dword ptr [rdi]",
        "ret",
        "3: mov eax, 1",
        "shl rax, 32",
        "ret",
        ".pushsection .extable, \"a\"",
        ".quad 2b, 3b",
        ".popsection",
    )
}

/// Copies `len` bytes from user memory to `to`; returns how many bytes at the end were not copied.
///
/// # Safety
/// `to` must be writable kernel memory of `len` bytes that no one else accesses.
pub unsafe fn from_user(to: *mut u8, from: UserAddr, len: usize) -> usize {
    let inside = reachable(from, len);
    cpu::open_user_access();
    // SAFETY: `to` by contract; the user side is inside user space and its faults are caught.
    let left = unsafe { copy_raw(to, from.0 as *const u8, inside) };
    cpu::close_user_access();
    left + (len - inside)
}

/// Copies `len` bytes from `from` to user memory; returns how many bytes at the end were not copied.
///
/// # Safety
/// `from` must be readable kernel memory of `len` bytes.
pub unsafe fn to_user(to: UserAddr, from: *const u8, len: usize) -> usize {
    let inside = reachable(to, len);
    cpu::open_user_access();
    // SAFETY: `from` by contract; the user side is inside user space and its faults are caught.
    let left = unsafe { copy_raw(to.0 as *mut u8, from, inside) };
    cpu::close_user_access();
    left + (len - inside)
}

/// How many of the `len` bytes at `addr` lie below the end of user space.
fn reachable(addr: UserAddr, len: usize) -> usize {
    (USER_END.saturating_sub(addr.0) as usize).min(len)
}

/// Atomically compares and exchanges a user word; `Ok(old)`, or `Err(())` when it cannot be accessed. `addr` must be
/// 4-aligned. Faults pages in.
pub fn cmpxchg_u32(addr: UserAddr, expected: u32, new: u32) -> Result<u32, ()> {
    if reachable(addr, 4) < 4 {
        return Err(());
    }
    cpu::open_user_access();
    // SAFETY: the word is inside user space and its faults are caught.
    let value = unsafe { cmpxchg_raw(addr.0, expected, new) };
    cpu::close_user_access();
    if value >> 32 == 0 { Ok(value as u32) } else { Err(()) }
}

/// Loads an aligned user word atomically **without** faulting pages in when a spinning lock is held, as futex calls it;
/// `Err(())` when the page is not there right now.
pub fn load_u32_nofault(addr: UserAddr) -> Result<u32, ()> {
    if reachable(addr, 4) < 4 {
        return Err(());
    }
    super::percpu::irq_disable(); // Tells the fault handler not to sleep.
    cpu::open_user_access();
    // SAFETY: the word is inside user space and its faults are caught.
    let value = unsafe { load_raw(addr.0) };
    cpu::close_user_access();
    super::percpu::irq_enable();
    if value >> 32 == 0 { Ok(value as u32) } else { Err(()) }
}
