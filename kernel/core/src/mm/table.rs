//! The page-table format: entries, and tables seen through the direct map.
use core::sync::atomic::{AtomicU64, Ordering};

use bitflags::bitflags;

use super::addr::{PhysAddr, phys_to_virt};

/// Levels of tables: 0 holds the entries of 4 KiB pages, 3 is the top.
pub(super) const TOP: usize = 3;
/// Entries of a table.
pub(super) const ENTRIES: usize = 512;

bitflags! {
    /// The bits of an entry besides its address (Intel SDM volume 3, 4.5).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct Flags: u64 {
        /// The entry means something.
        const PRESENT = 1 << 0;
        /// Stores are allowed.
        const WRITABLE = 1 << 1;
        /// User mode may use it.
        const USER = 1 << 2;
        /// Write-through; with [`Self::NO_CACHE`]: strongly uncached.
        const WRITE_THROUGH = 1 << 3;
        /// Uncached.
        const NO_CACHE = 1 << 4;
        /// Set by the CPU when it uses the entry.
        const ACCESSED = 1 << 5;
        /// Set by the CPU when it stores through the entry.
        const DIRTY = 1 << 6;
        /// Above level 0: this is a large page, not a table.
        const LARGE = 1 << 7;
        /// The translation survives a change of address space.
        const GLOBAL = 1 << 8;
        /// Ours, for user pages: the frame is anonymous memory of this space, not a page of an object.
        const ANONYMOUS = 1 << 9;
        /// Ours, for user pages: the shared page of zeros, in which the entry has no share.
        const ZERO = 1 << 10;
        /// No instruction fetches.
        const NO_EXECUTE = 1 << 63;
    }
}

/// Bytes one entry of `level` spans.
pub(super) const fn span(level: usize) -> u64 {
    4096 << (9 * level)
}

/// Where in a table of `level` the entry for `addr` is.
pub(super) const fn index(addr: u64, level: usize) -> usize {
    (addr >> (12 + 9 * level)) as usize % ENTRIES
}

/// One entry's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry(pub(super) u64);

impl Entry {
    /// Nothing.
    pub(super) const EMPTY: Self = Self(0);
    const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

    /// An entry for `phys` (page-aligned).
    pub(super) fn new(phys: PhysAddr, flags: Flags) -> Self {
        Self(phys.as_u64() | flags.bits())
    }

    /// The frame or table it leads to.
    pub(super) fn phys(self) -> PhysAddr {
        PhysAddr::new(self.0 & Self::ADDRESS)
    }

    /// Its flag bits.
    pub(super) fn flags(self) -> Flags {
        Flags::from_bits_truncate(self.0)
    }

    /// Whether all of `flags` are set.
    pub(super) fn has(self, flags: Flags) -> bool {
        self.0 & flags.bits() == flags.bits()
    }

    /// Whether there is nothing at all: user entries without access (PROT_NONE) are not present, yet keep their frame.
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The same entry with `flags` instead of its own.
    pub(super) fn with_flags(self, flags: Flags) -> Self {
        Self(self.0 & Self::ADDRESS | flags.bits())
    }

    /// Whether the CPU follows it.
    pub(super) fn is_present(self) -> bool {
        self.has(Flags::PRESENT)
    }

    /// Whether it is a page rather than a table, at `level`.
    pub(super) fn is_leaf(self, level: usize) -> bool {
        level == 0 || self.has(Flags::LARGE)
    }
}

/// A page table in the direct map. Atomics, because the CPUs' page walkers read (and mark) it at any time.
#[repr(C, align(4096))]
pub(super) struct Table([AtomicU64; ENTRIES]);

impl Table {
    /// The table at `phys`.
    ///
    /// # Safety
    /// `phys` is a page table, in the direct map, and stays one for `'a`.
    pub(super) unsafe fn at<'a>(phys: PhysAddr) -> &'a Self {
        // SAFETY: the caller's promise; tables are only ever reached as atomics.
        unsafe { &*phys_to_virt(phys).as_ptr::<Self>() }
    }

    /// Entry `index`.
    #[inline]
    pub(super) fn get(&self, index: usize) -> Entry {
        Entry(self.0[index % ENTRIES].load(Ordering::Relaxed))
    }

    /// The first entry in `[from, end)` that is not empty. Tables are mostly empty, so it looks at eight at a time.
    #[inline]
    pub(super) fn next_used(&self, from: usize, end: usize) -> Option<usize> {
        const STEP: usize = 8;
        let mut at = from;
        while at < end {
            if at.is_multiple_of(STEP) && end - at >= STEP {
                let step = (0..STEP).fold(0, |all, i| all | self.get(at + i).0);
                if step == 0 {
                    at += STEP;
                    continue;
                }
            }
            if !self.get(at).is_empty() {
                return Some(at);
            }
            at += 1;
        }
        None
    }

    /// Replaces entry `index`.
    #[inline]
    pub(super) fn set(&self, index: usize, entry: Entry) {
        self.0[index % ENTRIES].store(entry.0, Ordering::Release);
    }
}
