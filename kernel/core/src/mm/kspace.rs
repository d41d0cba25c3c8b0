//! The kernel's own address ranges: stacks with guard pages, device registers.
use tollgate_abi::Result;

use super::addr::{PhysAddr, VirtAddr};

/// Bytes of a kernel stack.
pub const STACK_SIZE: usize = 32 * 1024;

/// A kernel stack with an unmapped guard page below it. Dropping it frees it (or keeps it in a small cache).
pub struct KernelStack {
    top: VirtAddr,
}

impl KernelStack {
    /// A fresh stack.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new() -> Result<Self> {
        todo!("mm")
    }

    /// The address just past its highest byte, 16-aligned.
    pub fn top(&self) -> VirtAddr {
        self.top
    }
}

/// Maps device registers, uncached, read-write, for good. `phys` needs no alignment.
pub fn map_device(phys: PhysAddr, len: usize) -> VirtAddr {
    let _ = (phys, len);
    todo!("mm")
}

/// Whether `addr` lies in the guard page of a kernel stack (for the double-fault message).
pub fn is_stack_guard(addr: VirtAddr) -> bool {
    let _ = addr;
    todo!("mm")
}

/// The kernel's top-level page table, for CPUs that run no user program.
pub fn kernel_table() -> PhysAddr {
    todo!("mm")
}
