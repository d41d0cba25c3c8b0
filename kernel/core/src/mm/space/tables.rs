//! A user address space's page tables.
//!
//! Every table counts its used entries, so that it can go the moment it falls empty. An empty table is all zeros:
//! a few of them are kept per CPU, ready for the next fork, and need no clearing.
use core::sync::atomic::Ordering;

use tollgate_abi::Result;

use super::gather::Gather;
use crate::arch::page;
use crate::arch::percpu::MAX_CPUS;
use crate::mm::PAGE_SIZE;
use crate::mm::addr::PhysAddr;
use crate::mm::frame::{Frame, Meta, meta};
use crate::mm::kspace;
use crate::mm::per_cpu::{FrameStack, PerCpu, Slot as CpuSlot};
use crate::mm::table::{Entry, Flags, TOP, Table, index, span};

/// Tables kept per CPU: what a small program uses.
type Clean = FrameStack<24>;
/// Top-level tables kept per CPU, the kernel's half filled in.
type CleanTops = FrameStack<4>;

static CLEAN: PerCpu<(Clean, CleanTops)> = PerCpu([const { CpuSlot((Clean::new(), CleanTops::new())) }; MAX_CPUS]);

/// Entries above level 0.
const LINK: Flags = Flags::PRESENT.union(Flags::WRITABLE).union(Flags::USER).union(Flags::ACCESSED);

/// Frames of tables that are kept ready though no space uses them.
pub(in crate::mm) fn idle_frames() -> usize {
    CLEAN.all().map(|(tables, tops)| tables.len() + tops.len()).sum()
}

fn number(phys: PhysAddr) -> u32 {
    (phys.as_u64() / PAGE_SIZE as u64) as u32
}

/// A table of zeros.
fn take_table() -> Result<PhysAddr> {
    match CLEAN.with(|(tables, _)| tables.pop()) {
        Some(number) => Ok(PhysAddr::new(u64::from(number) * PAGE_SIZE as u64)),
        None => Ok(Frame::alloc_zeroed()?.into_raw()),
    }
}

/// Gives back a table without entries.
///
/// # Safety
/// It came from [`take_table`], is empty, and no CPU walks it any more.
pub(super) unsafe fn give_table(table: PhysAddr) {
    if !CLEAN.with(|(tables, _)| tables.push(number(table))) {
        // SAFETY: `take_table` made it from a frame, whose share comes back here.
        drop(unsafe { Frame::from_raw(table) });
    }
}

/// The tables of one space. Whoever has `&mut` holds the space's lock.
pub(super) struct Tables {
    top: PhysAddr,
    /// Tables in use, the top one included.
    count: usize,
}

/// The place of one page's entry.
pub(super) struct Slot<'a> {
    table: &'a Table,
    meta: &'static Meta,
    index: usize,
}

impl Slot<'_> {
    /// The entry.
    #[inline]
    pub(super) fn get(&self) -> Entry {
        self.table.get(self.index)
    }

    /// Replaces the entry.
    #[inline]
    pub(super) fn set(&self, entry: Entry) {
        let before = self.get();
        if before.is_empty() != entry.is_empty() {
            let entries = self.meta.entries.load(Ordering::Relaxed);
            let entries = if before.is_empty() { entries + 1 } else { entries - 1 };
            self.meta.entries.store(entries, Ordering::Relaxed);
        }
        self.table.set(self.index, entry);
    }
}

impl Tables {
    /// Tables that map nothing but the kernel.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn new() -> Result<Self> {
        let top = match CLEAN.with(|(_, tops)| tops.pop()) {
            Some(number) => PhysAddr::new(u64::from(number) * PAGE_SIZE as u64),
            None => {
                let frame = Frame::alloc()?;
                // SAFETY: the frame is ours alone.
                unsafe {
                    page::clear(frame.as_ptr());
                    kspace::share_kernel_half(&frame);
                }
                frame.into_raw()
            }
        };
        meta(number(top)).entries.store(0, Ordering::Relaxed);
        Ok(Self { top, count: 1 })
    }

    /// The top-level table.
    pub(super) fn top(&self) -> PhysAddr {
        self.top
    }

    /// Tables in use.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Where the entry for `addr` is, if its table exists.
    pub(super) fn slot(&self, addr: u64) -> Option<Slot<'_>> {
        let mut phys = self.top;
        for level in (1..=TOP).rev() {
            // SAFETY: tables that are linked stay while the space's lock is held.
            let entry = unsafe { Table::at(phys) }.get(index(addr, level));
            if entry.is_empty() {
                return None;
            }
            phys = entry.phys();
        }
        // SAFETY: as above.
        Some(Slot { table: unsafe { Table::at(phys) }, meta: meta(number(phys)), index: index(addr, 0) })
    }

    /// Where the entry for `addr` is; makes the tables on the way.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn make_slot(&mut self, addr: u64) -> Result<Slot<'_>> {
        let mut phys = self.top;
        for level in (1..=TOP).rev() {
            // SAFETY: tables that are linked stay while the space's lock is held.
            let slot = Slot { table: unsafe { Table::at(phys) }, meta: meta(number(phys)), index: index(addr, level) };
            let mut entry = slot.get();
            if entry.is_empty() {
                let table = take_table()?;
                meta(number(table)).entries.store(0, Ordering::Relaxed);
                self.count += 1;
                entry = Entry::new(table, LINK);
                slot.set(entry);
            }
            phys = entry.phys();
        }
        // SAFETY: as above.
        Ok(Slot { table: unsafe { Table::at(phys) }, meta: meta(number(phys)), index: index(addr, 0) })
    }

    /// Calls `f` for every entry in use in `[start, end)`, in order.
    ///
    /// # Errors
    /// The first that `f` returns.
    pub(super) fn for_each<E>(
        &self,
        start: u64,
        end: u64,
        mut f: impl FnMut(u64, Slot<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for_each(self.top, TOP, start, end, &mut f)
    }

    /// The address of the first entry in use in `[start, end)`.
    pub(super) fn first_used(&self, start: u64, end: u64) -> Option<u64> {
        self.for_each(start, end, |addr, _| Err(addr)).err()
    }

    /// Empties every entry in `[start, end)` and unlinks the tables that fall empty; `gather` gets what they led to.
    pub(super) fn clear(&mut self, start: u64, end: u64, gather: &mut Gather<'_>) {
        clear(self.top, TOP, start, end, &mut self.count, gather);
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        assert!(self.count == 1, "{} page tables are left in an address space that goes away", self.count);
        if !CLEAN.with(|(_, tops)| tops.push(number(self.top))) {
            // SAFETY: `new` made it from a frame, whose share comes back here; the space is gone, so no CPU walks it.
            drop(unsafe { Frame::from_raw(self.top) });
        }
    }
}

/// The first address past `at` whose entry in a table of `level` is another.
fn next_entry(at: u64, level: usize) -> u64 {
    (at | (span(level) - 1)) + 1
}

fn for_each<E>(
    phys: PhysAddr,
    level: usize,
    start: u64,
    end: u64,
    f: &mut impl FnMut(u64, Slot<'_>) -> Result<(), E>,
) -> Result<(), E> {
    // SAFETY: tables that are linked stay while the space's lock is held.
    let table: &Table = unsafe { Table::at(phys) };
    let mut at = start;
    while at < end {
        let next = next_entry(at, level).min(end);
        let entry = table.get(index(at, level));
        if !entry.is_empty() {
            if level == 0 {
                f(at, Slot { table, meta: meta(number(phys)), index: index(at, 0) })?;
            } else {
                for_each(entry.phys(), level - 1, at, next, f)?;
            }
        }
        at = next;
    }
    Ok(())
}

/// True when the table has fallen empty.
fn clear(phys: PhysAddr, level: usize, start: u64, end: u64, count: &mut usize, gather: &mut Gather<'_>) -> bool {
    // SAFETY: tables that are linked stay while the space's lock is held.
    let table: &Table = unsafe { Table::at(phys) };
    let meta = meta(number(phys));
    let mut entries = meta.entries.load(Ordering::Relaxed);
    let mut at = start;
    while at < end && entries > 0 {
        let next = next_entry(at, level).min(end);
        let entry = table.get(index(at, level));
        if !entry.is_empty() {
            if level == 0 {
                table.set(index(at, 0), Entry::EMPTY);
                entries -= 1;
                gather.page(at, entry);
            } else if clear(entry.phys(), level - 1, at, next, count, gather) {
                table.set(index(at, level), Entry::EMPTY);
                entries -= 1;
                *count -= 1;
                gather.table(at, entry.phys());
            }
        }
        at = next;
    }
    meta.entries.store(entries, Ordering::Relaxed);
    entries == 0
}
