//! Physical frames.
use tollgate_abi::Result;

use super::addr::PhysAddr;

/// A share in one physical frame of 4 KiB; the frame is free again when its last share is dropped.
pub struct Frame(PhysAddr);

/// How many frames there are.
#[derive(Clone, Copy, Debug)]
pub struct Stats {
    /// Frames of RAM the allocator manages.
    pub total: usize,
    /// Frames in use, by anything.
    pub used: usize,
}

impl Frame {
    /// A frame with any content.
    ///
    /// # Errors
    /// `ENOMEM` when only the kernel's reserve is left.
    pub fn alloc() -> Result<Self> {
        todo!("mm")
    }

    /// A frame of zeros.
    ///
    /// # Errors
    /// As [`Self::alloc`].
    pub fn alloc_zeroed() -> Result<Self> {
        todo!("mm")
    }

    /// Its physical address.
    pub fn phys(&self) -> PhysAddr {
        self.0
    }

    /// Its bytes in the direct map. Raw, because user space may map and change the frame at any time.
    pub fn as_ptr(&self) -> *mut u8 {
        super::addr::phys_to_virt(self.0).as_mut_ptr()
    }
}

impl Clone for Frame {
    fn clone(&self) -> Self {
        todo!("mm")
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        todo!("mm")
    }
}

/// Exact counts, for /proc/meminfo and the leak checks.
pub fn stats() -> Stats {
    todo!("mm")
}

/// Called by system calls before they make kernel objects (fork, open, mmap ...).
///
/// # Errors
/// `ENOMEM` when free memory is down to the reserve that keeps small kernel allocations from ever failing.
pub fn headroom() -> Result<()> {
    todo!("mm")
}
