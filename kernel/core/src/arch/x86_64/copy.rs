//! Copies to and from user memory that survive any fault.
use core::sync::atomic::AtomicBool;

use crate::mm::addr::UserAddr;

/// Whether the CPU has SMAP and user memory must be opened with STAC.
pub static HAS_SMAP: AtomicBool = AtomicBool::new(false);

/// Copies `len` bytes from user memory to `to`; returns how many bytes at the end were not copied.
///
/// # Safety
/// `to` must be writable kernel memory of `len` bytes that no one else accesses.
pub unsafe fn from_user(to: *mut u8, from: UserAddr, len: usize) -> usize {
    let _ = (to, from, len);
    todo!("lead")
}

/// Copies `len` bytes from `from` to user memory; returns how many bytes at the end were not copied.
///
/// # Safety
/// `from` must be readable kernel memory of `len` bytes.
pub unsafe fn to_user(to: UserAddr, from: *const u8, len: usize) -> usize {
    let _ = (to, from, len);
    todo!("lead")
}

/// Atomically compares and exchanges a user word; `Ok(old)`, or `Err(())` when it cannot be accessed. `addr` must be
/// 4-aligned. Faults pages in.
#[expect(clippy::result_unit_err, reason = "there is one way to fail")]
pub fn cmpxchg_u32(addr: UserAddr, expected: u32, new: u32) -> Result<u32, ()> {
    let _ = (addr, expected, new);
    todo!("lead")
}

/// Loads an aligned user word atomically **without** faulting pages in, so that it may be called with a spinning lock
/// held (futex); `Err(())` when the page is not there right now.
#[expect(clippy::result_unit_err, reason = "there is one way to fail")]
pub fn load_u32_nofault(addr: UserAddr) -> Result<u32, ()> {
    let _ = addr;
    todo!("lead")
}
