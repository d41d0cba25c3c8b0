//! A user address space's page tables.
//!
//! Every table counts its used entries, so that it can go the moment it falls empty. An empty table is all zeros:
//! a few of them are kept per CPU, ready for the next fork, and need no clearing.
use core::ops::Range;
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

/// A table of level 0.
#[derive(Clone, Copy)]
pub(super) struct Leaf<'a> {
    table: &'a Table,
    meta: &'static Meta,
}

/// The place of one page's entry.
pub(super) struct Slot<'a> {
    leaf: Leaf<'a>,
    index: usize,
}

impl<'a> Leaf<'a> {
    /// The table at `phys`.
    ///
    /// # Safety
    /// It is a table of a space whose lock is held for `'a`.
    unsafe fn at(phys: PhysAddr) -> Self {
        // SAFETY: tables that are linked stay while the space's lock is held.
        Self { table: unsafe { Table::at(phys) }, meta: meta(number(phys)) }
    }

    /// Entry `index`.
    #[inline]
    pub(super) fn get(&self, index: usize) -> Entry {
        self.table.get(index)
    }

    /// The indices in `range` of entries in use.
    #[inline]
    pub(super) fn used(self, range: Range<usize>) -> impl Iterator<Item = usize> + use<'a> {
        let mut from = range.start;
        core::iter::from_fn(move || {
            let found = self.table.next_used(from, range.end)?;
            from = found + 1;
            Some(found)
        })
    }

    /// Replaces entry `index`.
    #[inline]
    pub(super) fn set(&self, index: usize, entry: Entry) {
        let before = self.get(index);
        if before.is_empty() != entry.is_empty() {
            let entries = self.meta.entries.load(Ordering::Relaxed);
            let entries = if before.is_empty() { entries + 1 } else { entries - 1 };
            self.meta.entries.store(entries, Ordering::Relaxed);
        }
        self.table.set(index, entry);
    }

    /// Replaces entry `index` by another that is in use as it is.
    #[inline]
    pub(super) fn change(&self, index: usize, entry: Entry) {
        debug_assert!(!self.get(index).is_empty() && !entry.is_empty());
        self.table.set(index, entry);
    }
}

impl Slot<'_> {
    /// The entry.
    #[inline]
    pub(super) fn get(&self) -> Entry {
        self.leaf.get(self.index)
    }

    /// Replaces the entry.
    #[inline]
    pub(super) fn set(&self, entry: Entry) {
        self.leaf.set(self.index, entry);
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
        Some(Slot { leaf: unsafe { Leaf::at(phys) }, index: index(addr, 0) })
    }

    /// Where the entry for `addr` is; makes the tables on the way.
    ///
    /// # Errors
    /// `ENOMEM`.
    #[inline]
    pub(super) fn make_slot(&mut self, addr: u64) -> Result<Slot<'_>> {
        Ok(Slot { leaf: self.make_leaf(addr)?, index: index(addr, 0) })
    }

    /// The table that has the entry for `addr`; makes it and those on the way.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn make_leaf(&mut self, addr: u64) -> Result<Leaf<'_>> {
        let mut phys = self.top;
        for level in (1..=TOP).rev() {
            // SAFETY: tables that are linked stay while the space's lock is held.
            let mut entry = unsafe { Table::at(phys) }.get(index(addr, level));
            if entry.is_empty() {
                let table = take_table()?;
                meta(number(table)).entries.store(0, Ordering::Relaxed);
                self.count += 1;
                entry = Entry::new(table, LINK);
                // SAFETY: as above.
                unsafe { Leaf::at(phys) }.set(index(addr, level), entry);
            }
            phys = entry.phys();
        }
        // SAFETY: as above.
        Ok(unsafe { Leaf::at(phys) })
    }

    /// Calls `f` for every table of level 0 that has entries for `[start, end)`, in order: the address and the index of
    /// the first entry concerned, and the index past the last.
    ///
    /// # Errors
    /// The first that `f` returns.
    pub(super) fn for_each_leaf<E>(
        &self,
        start: u64,
        end: u64,
        mut f: impl FnMut(u64, Leaf<'_>, Range<usize>) -> Result<(), E>,
    ) -> Result<(), E> {
        for_each_leaf(self.top, TOP, start, end, &mut f)
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
        self.for_each_leaf(start, end, |addr, leaf, entries| {
            let first = entries.start;
            for index in leaf.used(entries) {
                f(addr + ((index - first) * PAGE_SIZE) as u64, Slot { leaf, index })?;
            }
            Ok(())
        })
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

fn for_each_leaf<E>(
    phys: PhysAddr,
    level: usize,
    start: u64,
    end: u64,
    f: &mut impl FnMut(u64, Leaf<'_>, Range<usize>) -> Result<(), E>,
) -> Result<(), E> {
    if level == 0 {
        // SAFETY: tables that are linked stay while the space's lock is held.
        return f(start, unsafe { Leaf::at(phys) }, indices(start, end));
    }
    // SAFETY: as above.
    let table: &Table = unsafe { Table::at(phys) };
    let mut at = start;
    while at < end {
        let next = next_entry(at, level).min(end);
        let entry = table.get(index(at, level));
        if !entry.is_empty() {
            for_each_leaf(entry.phys(), level - 1, at, next, f)?;
        }
        at = next;
    }
    Ok(())
}

/// The indices of the pages of `[start, end)`, which lie in one table of level 0.
fn indices(start: u64, end: u64) -> Range<usize> {
    let first = index(start, 0);
    first..first + ((end - start) / PAGE_SIZE as u64) as usize
}

/// True when the table has fallen empty.
fn clear(phys: PhysAddr, level: usize, start: u64, end: u64, count: &mut usize, gather: &mut Gather<'_>) -> bool {
    // SAFETY: tables that are linked stay while the space's lock is held.
    let table: &Table = unsafe { Table::at(phys) };
    let meta = meta(number(phys));
    let mut entries = meta.entries.load(Ordering::Relaxed);
    if level == 0 {
        let indices = indices(start, end);
        let address = |index: usize| start + ((index - indices.start) * PAGE_SIZE) as u64;
        for index in (Leaf { table, meta }).used(indices.clone()) {
            gather.page(address(index), table.get(index));
            table.set(index, Entry::EMPTY);
            entries -= 1;
            if entries == 0 {
                break;
            }
        }
    } else {
        let mut at = start;
        while at < end && entries > 0 {
            let next = next_entry(at, level).min(end);
            let entry = table.get(index(at, level));
            if !entry.is_empty() && clear(entry.phys(), level - 1, at, next, count, gather) {
                table.set(index(at, level), Entry::EMPTY);
                entries -= 1;
                *count -= 1;
                gather.table(at, entry.phys());
            }
            at = next;
        }
    }
    meta.entries.store(entries, Ordering::Relaxed);
    entries == 0
}
