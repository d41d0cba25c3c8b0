//! Physical frames: who has them, how many shares each has, how many are free.
//!
//! Free frames are in the buddy allocator ([`tollgate_vm::buddy`], one lock) or in a small cache per CPU (no lock).
//! Frames in use have a count of shares: one for each page-table entry, page-cache slot or [`Frame`] that refers to it.
mod pool;

use core::sync::atomic::Ordering;
use core::sync::atomic::fence;

use tollgate_abi::{Errno, Result};

use super::PAGE_SIZE;
use super::addr::PhysAddr;
use crate::arch::page;

pub(super) use pool::{Meta, add_free, free_one, free_run, init, meta, take_one, take_run};
pub use pool::{Purpose, headroom, stats, total};

/// A share in one physical frame of 4 KiB; the frame is free again when its last share is dropped.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame(PhysAddr);

/// How many frames there are.
#[derive(Clone, Copy, Debug)]
pub struct Stats {
    /// Frames of RAM the allocator manages.
    pub total: usize,
    /// Frames in use, by anything; what the allocators merely keep at hand is not in use.
    pub used: usize,
}

impl Frame {
    /// A frame with any content, for a user program's sake (its memory, its files, its page tables).
    ///
    /// # Errors
    /// `ENOMEM` when only the kernel's reserve is left.
    pub fn alloc() -> Result<Self> {
        Self::alloc_for(Purpose::User).ok_or(Errno::ENOMEM)
    }

    /// A frame of zeros.
    ///
    /// # Errors
    /// As [`Self::alloc`].
    pub fn alloc_zeroed() -> Result<Self> {
        let frame = Self::alloc()?;
        // SAFETY: the frame is ours alone, and the direct map shows it.
        unsafe { page::clear(frame.as_ptr()) };
        Ok(frame)
    }

    /// A frame with any content; `purpose` says whether the reserve may be touched. `None`: no memory.
    pub fn alloc_for(purpose: Purpose) -> Option<Self> {
        let number = pool::take(purpose)?;
        meta(number).shares.store(1, Ordering::Relaxed);
        Some(Self(PhysAddr::new(u64::from(number) * PAGE_SIZE as u64)))
    }

    /// A copy of this frame's content in a frame of its own.
    ///
    /// # Errors
    /// As [`Self::alloc`].
    pub fn duplicate(&self) -> Result<Self> {
        let copy = Self::alloc()?;
        // SAFETY: the copy is ours alone; both are in the direct map.
        unsafe { page::copy(copy.as_ptr(), self.as_ptr()) };
        Ok(copy)
    }

    /// Its physical address.
    pub fn phys(&self) -> PhysAddr {
        self.0
    }

    /// Its bytes in the direct map. Raw, because user space may map and change the frame at any time.
    pub fn as_ptr(&self) -> *mut u8 {
        super::addr::phys_to_virt(self.0).as_mut_ptr()
    }

    /// Copies bytes out of the frame, from `offset` on.
    ///
    /// # Panics
    /// When they do not all lie in the frame.
    pub fn read(&self, offset: usize, out: &mut [u8]) {
        assert!(offset.checked_add(out.len()).is_some_and(|end| end <= PAGE_SIZE));
        // SAFETY: inside the frame, which our share keeps alive; `out` is kernel memory outside it.
        unsafe { core::ptr::copy_nonoverlapping(self.as_ptr().add(offset), out.as_mut_ptr(), out.len()) };
    }

    /// Copies `bytes` into the frame, from `offset` on.
    ///
    /// # Panics
    /// When they do not all fit in the frame.
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        assert!(offset.checked_add(bytes.len()).is_some_and(|end| end <= PAGE_SIZE));
        // SAFETY: inside the frame, which our share keeps alive; `bytes` is kernel memory outside it. Others who see
        // the frame (user mappings) know that it may change under them.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), self.as_ptr().add(offset), bytes.len()) };
    }

    /// Whether this is the only share. Others can only come from this one, so `true` stays true while it is held and
    /// not cloned.
    pub fn is_sole(&self) -> bool {
        self.meta().shares.load(Ordering::Acquire) == 1
    }

    /// Gives the share to whoever keeps the address (a page-table entry), to come back by [`Self::from_raw`].
    pub fn into_raw(self) -> PhysAddr {
        let phys = self.0;
        core::mem::forget(self);
        phys
    }

    /// Takes back a share given to [`Self::into_raw`].
    ///
    /// # Safety
    /// `phys` came from `into_raw`, once for each call of this.
    pub unsafe fn from_raw(phys: PhysAddr) -> Self {
        Self(phys)
    }

    fn number(&self) -> u32 {
        (self.0.as_u64() / PAGE_SIZE as u64) as u32
    }

    fn meta(&self) -> &'static Meta {
        meta(self.number())
    }
}

impl Clone for Frame {
    fn clone(&self) -> Self {
        let before = self.meta().shares.fetch_add(1, Ordering::Relaxed);
        assert!(before < u32::MAX / 2, "too many shares of one frame");
        Self(self.0)
    }
}

impl Drop for Frame {
    #[inline]
    fn drop(&mut self) {
        let shares = &self.meta().shares;
        // The only share cannot be cloned while it is being dropped, so the locked instruction can be spared.
        if shares.load(Ordering::Acquire) != 1 {
            if shares.fetch_sub(1, Ordering::Release) != 1 {
                return;
            }
            fence(Ordering::Acquire);
        } else {
            shares.store(0, Ordering::Relaxed);
        }
        pool::give(self.number());
    }
}
