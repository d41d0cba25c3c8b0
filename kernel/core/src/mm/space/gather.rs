//! What was unmapped, until no CPU can reach it any more: the TLB shootdown comes before the frames are free.
use core::mem::MaybeUninit;
use core::sync::atomic::{Ordering, fence};

use super::tables::give_table;
use super::{AddressSpace, Resident};
use crate::arch::tlb;
use crate::mm::PAGE_SIZE;
use crate::mm::addr::{PhysAddr, UserAddr};
use crate::mm::frame::Frame;
use crate::mm::table::{Entry, Flags};

/// Frames collected before a shootdown is due.
const BATCH: usize = 128;
/// In a collected address: it is a page table.
const TABLE: u64 = 1;

/// Frames and page tables that have been unlinked from one space. Dropping it makes every CPU forget the pages, then
/// frees them.
pub(super) struct Gather<'a> {
    space: &'a AddressSpace,
    /// The pages concerned, as one range.
    start: u64,
    end: u64,
    /// Raw shares of frames, and tables marked by [`TABLE`].
    held: [MaybeUninit<u64>; BATCH],
    len: usize,
    resident: Resident,
}

impl<'a> Gather<'a> {
    /// Nothing yet, of `space`.
    pub(super) fn new(space: &'a AddressSpace) -> Self {
        // Not zeroed: that would be the larger part of a small munmap.
        let held = [const { MaybeUninit::uninit() }; BATCH];
        Self { space, start: u64::MAX, end: 0, held, len: 0, resident: Resident::default() }
    }

    /// Adds the entry that was at `addr` and has been taken out.
    #[inline]
    pub(super) fn page(&mut self, addr: u64, entry: Entry) {
        self.stale(addr, addr + PAGE_SIZE as u64);
        if entry.has(Flags::ZERO) {
            return;
        }
        self.resident.add(entry, 1);
        self.hold(entry.phys().as_u64());
    }

    /// Adds a table that covered `addr`, is empty and has been unlinked.
    pub(super) fn table(&mut self, addr: u64, table: PhysAddr) {
        // One page suffices: the CPU forgets all it keeps of upper levels with any page.
        self.stale(addr, addr + 1);
        self.hold(table.as_u64() | TABLE);
    }

    /// Notes that translations of `[start, end)` have changed.
    pub(super) fn stale(&mut self, start: u64, end: u64) {
        self.start = self.start.min(start);
        self.end = self.end.max(end);
    }

    #[inline]
    fn hold(&mut self, raw: u64) {
        if self.len == BATCH {
            self.flush();
        }
        self.held[self.len].write(raw);
        self.len += 1;
    }

    /// Makes the CPUs forget, and frees what was held.
    #[inline(never)]
    fn flush(&mut self) {
        if self.start < self.end {
            self.space.forget(self.start, self.end);
        }
        for raw in &self.held[..self.len] {
            // SAFETY: `hold` wrote all up to `len`; each was handed over once with its share, and no CPU has it in its
            // TLB any more.
            unsafe {
                let raw = raw.assume_init();
                let phys = PhysAddr::new(raw & !TABLE);
                if raw & TABLE != 0 {
                    give_table(phys);
                } else {
                    drop(Frame::from_raw(phys));
                }
            }
        }
        (self.start, self.end, self.len) = (u64::MAX, 0, 0);
        self.space.resident.subtract(core::mem::take(&mut self.resident));
    }
}

impl Drop for Gather<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}

impl AddressSpace {
    /// Makes every CPU that uses this space forget its translations of `[start, end)`.
    pub(super) fn forget(&self, start: u64, end: u64) {
        // Pairs with the same in `enter_cpu`: either the CPU is seen here, or it sees the tables as they are now.
        fence(Ordering::SeqCst);
        let cpus = self.cpus.load(Ordering::Relaxed);
        if cpus != 0 {
            let start = UserAddr(start).page();
            let pages = ((end - start.0) as usize).div_ceil(PAGE_SIZE);
            tlb::shootdown(cpus, tlb::Flush::Range { start, pages });
        }
    }
}
