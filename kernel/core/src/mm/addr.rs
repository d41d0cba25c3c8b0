//! Addresses and pages of user space, as types that cannot be dereferenced by accident.
use core::fmt;

use tollgate_abi::{Errno, Result};

use super::{PAGE_SIZE, PHYS_OFFSET, USER_END};
pub use x86_64::{PhysAddr, VirtAddr};

/// An address a user program named. Nothing is known of it: not that it is mapped, nor that it is in user space.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UserAddr(pub u64);

impl UserAddr {
    /// The null address.
    pub const NULL: Self = Self(0);

    /// Whether this is the null address.
    pub const fn is_null(self) -> bool {
        self.0 == 0
    }

    /// The address `bytes` further; wraps, because nothing is known of it anyway.
    pub const fn wrapping_add(self, bytes: u64) -> Self {
        Self(self.0.wrapping_add(bytes))
    }

    /// Rounded down to its page.
    pub const fn page(self) -> Self {
        Self(self.0 & !(PAGE_SIZE as u64 - 1))
    }

    /// Offset inside its page.
    pub const fn page_offset(self) -> usize {
        (self.0 & (PAGE_SIZE as u64 - 1)) as usize
    }

    /// Whether it is the start of a page.
    pub const fn is_page_aligned(self) -> bool {
        self.page_offset() == 0
    }

    /// Checks that `[self, self + len)` lies in user space; says nothing of mappings.
    ///
    /// # Errors
    /// `EFAULT` when any byte lies outside.
    pub const fn check_range(self, len: usize) -> Result<()> {
        match self.0.checked_add(len as u64) {
            Some(end) if end <= USER_END => Ok(()),
            _ => Err(Errno::EFAULT),
        }
    }
}

impl fmt::Debug for UserAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_null() { f.write_str("NULL") } else { write!(f, "{:#x}", self.0) }
    }
}

/// Where the direct map shows physical address `phys`.
pub fn phys_to_virt(phys: PhysAddr) -> VirtAddr {
    VirtAddr::new(PHYS_OFFSET + phys.as_u64())
}

/// Bytes rounded up to whole pages; `None` on overflow.
pub const fn page_align_up(bytes: u64) -> Option<u64> {
    match bytes.checked_add(PAGE_SIZE as u64 - 1) {
        Some(sum) => Some(sum & !(PAGE_SIZE as u64 - 1)),
        None => None,
    }
}
