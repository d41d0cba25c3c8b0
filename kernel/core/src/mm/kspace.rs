//! The kernel's own address ranges: stacks with guard pages, large objects in scattered frames, device registers.
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tollgate_abi::{Errno, Result};
use tollgate_vm::ranges::{RangeTree, Region};
use x86_64::structures::paging::PhysFrame;

use super::addr::{PhysAddr, UserAddr, VirtAddr};
use super::frame::{Frame, Purpose};
use super::table::{ENTRIES, Entry, Flags, TOP, Table, index, span};
use super::{KSPACE_END, KSPACE_START, PAGE_SIZE};
use crate::arch::{page, percpu, tlb};
use crate::sync::{Rank, SpinLock};

/// Bytes of a kernel stack.
pub const STACK_SIZE: usize = if cfg!(debug_assertions) { 64 * 1024 } else { 32 * 1024 };

/// Bytes from one stack to the next; the lower half of each slot is the guard.
const SLOT: u64 = 2 * STACK_SIZE as u64;
/// Stacks are in the first quarter, large objects in the second, devices in the upper half.
const OBJECTS: u64 = KSPACE_START + (KSPACE_END - KSPACE_START) / 4;
const DEVICES: u64 = KSPACE_START + (KSPACE_END - KSPACE_START) / 2;
/// Stacks kept ready for the next task.
const IDLE_STACKS: usize = 16;
const STACK_PAGES: usize = STACK_SIZE / PAGE_SIZE;

static TABLE: AtomicU64 = AtomicU64::new(0);
static IDLE_FRAMES: AtomicUsize = AtomicUsize::new(0);
/// Kernel page tables made since boot: they stay.
static TABLES: AtomicUsize = AtomicUsize::new(0);
static RANGES: SpinLock<Ranges> = SpinLock::new(
    Rank::KernelSpace,
    Ranges { idle: [0; IDLE_STACKS], idle_len: 0, used: RangeTree::new(), next_device: DEVICES },
);

/// Who uses what of kernel space.
struct Ranges {
    /// Slots of stacks that are mapped and wait for an owner.
    idle: [u64; IDLE_STACKS],
    idle_len: usize,
    /// Stacks and large objects.
    used: RangeTree<Object>,
    /// First device address never used.
    next_device: u64,
}

/// What is at a range in use: nothing to know, and never to be joined with its neighbour.
struct Object;

impl Region for Object {
    fn split_off(&mut self, _: u64) -> Self {
        Self
    }
    fn continues(&self, _: u64, _: &Self) -> bool {
        false
    }
}

/// A kernel stack with an unmapped guard range below it. Dropping it keeps it in a small cache or frees it.
pub struct KernelStack {
    slot: u64,
}

impl KernelStack {
    /// A stack; its content is anything.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new() -> Result<Self> {
        let mut ranges = RANGES.lock();
        if let Some(last) = ranges.idle_len.checked_sub(1) {
            ranges.idle_len = last;
            IDLE_FRAMES.store(last * STACK_PAGES, Ordering::Relaxed);
            return Ok(Self { slot: ranges.idle[last] });
        }
        super::frame::headroom()?;
        let slot = ranges.used.lowest_gap(SLOT, KSPACE_START..OBJECTS).ok_or(Errno::ENOMEM)?;
        for page in Self::pages(slot) {
            let mapped = Frame::alloc().and_then(|frame| {
                // Not global: a shootdown reaches other CPUs' translations of their address space only.
                map(page, frame.phys(), Flags::WRITABLE | Flags::NO_EXECUTE, 0)?;
                frame.into_raw();
                Ok(())
            });
            if let Err(error) = mapped {
                // Nobody has touched the pages, so no CPU has them in its TLB: no shootdown is needed.
                Self::pages(slot).for_each(|page| drop(unmap_frame(page)));
                return Err(error);
            }
        }
        ranges.used.insert(slot..slot + SLOT, Object);
        Ok(Self { slot })
    }

    /// The address just past its highest byte, 16-aligned.
    pub fn top(&self) -> VirtAddr {
        VirtAddr::new(self.slot + SLOT)
    }

    fn pages(slot: u64) -> impl Iterator<Item = VirtAddr> {
        (slot + SLOT - STACK_SIZE as u64..slot + SLOT).step_by(PAGE_SIZE).map(VirtAddr::new)
    }
}

impl Drop for KernelStack {
    fn drop(&mut self) {
        let mut ranges = RANGES.lock();
        let len = ranges.idle_len;
        if len < IDLE_STACKS {
            ranges.idle[len] = self.slot;
            ranges.idle_len = len + 1;
            IDLE_FRAMES.store((len + 1) * STACK_PAGES, Ordering::Relaxed);
            return;
        }
        let mut pages = Self::pages(self.slot);
        let frames: [_; STACK_PAGES] = core::array::from_fn(|_| pages.next().and_then(unmap_frame));
        forget(self.slot + SLOT - STACK_SIZE as u64, STACK_PAGES);
        drop(frames);
        ranges.used.take(self.slot..self.slot + SLOT, |_, Object| ());
    }
}

/// Frames anywhere, mapped one after the other, at a multiple of the power of two that `count` is rounded up to.
pub(super) fn map_frames(count: usize, purpose: Purpose) -> Option<VirtAddr> {
    let mut ranges = RANGES.lock();
    let (bytes, align) = ((count * PAGE_SIZE) as u64, (count.next_power_of_two() * PAGE_SIZE) as u64);
    let start = ranges.used.lowest_gap(bytes + align - PAGE_SIZE as u64, OBJECTS..DEVICES)?.next_multiple_of(align);
    let pages = || (start..start + bytes).step_by(PAGE_SIZE).map(VirtAddr::new);
    for page in pages() {
        let mapped = Frame::alloc_for(purpose).is_some_and(|frame| {
            // Not global, as stacks are not.
            let done = map(page, frame.phys(), Flags::WRITABLE | Flags::NO_EXECUTE, 0);
            done.inspect(|()| _ = frame.into_raw()).is_ok()
        });
        if !mapped {
            // Nobody has touched the pages, so no CPU has them in its TLB.
            pages().for_each(|page| drop(unmap_frame(page)));
            return None;
        }
    }
    ranges.used.insert(start..start + bytes, Object);
    Some(VirtAddr::new(start))
}

/// Unmaps and frees what [`map_frames`] made.
///
/// # Safety
/// Nothing refers to it any more.
pub(super) unsafe fn unmap_frames(start: VirtAddr, count: usize) {
    let (start, bytes) = (start.as_u64(), (count * PAGE_SIZE) as u64);
    // In steps, so that the frames can be kept aside until the TLBs have forgotten them.
    for step in (start..start + bytes).step_by(STACK_SIZE) {
        let end = (start + bytes).min(step + STACK_SIZE as u64);
        let mut pages = (step..end).step_by(PAGE_SIZE).map(VirtAddr::new);
        let frames: [_; STACK_PAGES] = core::array::from_fn(|_| pages.next().and_then(unmap_frame));
        forget(step, STACK_PAGES);
        drop(frames);
    }
    RANGES.lock().used.take(start..start + bytes, |_, Object| ());
}

/// Frames of stacks that are kept ready but nobody uses, and of the tables that stay when stacks go.
pub(super) fn idle_frames() -> usize {
    IDLE_FRAMES.load(Ordering::Relaxed) + TABLES.load(Ordering::Relaxed)
}

/// Maps device registers, uncached, read-write, for good. `phys` needs no alignment.
pub fn map_device(phys: PhysAddr, len: usize) -> VirtAddr {
    let start = phys.as_u64() & !(PAGE_SIZE as u64 - 1);
    let bytes = (phys.as_u64() + len as u64).next_multiple_of(PAGE_SIZE as u64) - start;
    let mut ranges = RANGES.lock();
    let virt = ranges.next_device;
    assert!(bytes <= KSPACE_END - virt, "no address space is left for devices");
    ranges.next_device += bytes;
    let flags = Flags::WRITABLE | Flags::NO_EXECUTE | Flags::GLOBAL | Flags::NO_CACHE | Flags::WRITE_THROUGH;
    for offset in (0..bytes).step_by(PAGE_SIZE) {
        map(VirtAddr::new(virt + offset), PhysAddr::new(start + offset), flags, 0).expect("no memory to map a device");
    }
    VirtAddr::new(virt + (phys.as_u64() - start))
}

/// Whether `addr` lies in the guard range of a kernel stack (for the double-fault message).
pub fn is_stack_guard(addr: VirtAddr) -> bool {
    let addr = addr.as_u64();
    (KSPACE_START..OBJECTS).contains(&addr) && addr % SLOT < SLOT - STACK_SIZE as u64
}

/// The kernel's top-level page table, for CPUs that run no user program.
pub fn kernel_table() -> PhysAddr {
    PhysAddr::new(TABLE.load(Ordering::Relaxed))
}

/// Copies the kernel's half of the address space into a fresh top-level table.
///
/// # Safety
/// `top` is a frame for page tables that nobody else uses.
pub(super) unsafe fn share_kernel_half(top: &Frame) {
    // SAFETY: the caller's frame; and the kernel's table, which lives for ever.
    let (own, kernel) = unsafe { (Table::at(top.phys()), Table::at(kernel_table())) };
    for i in ENTRIES / 2..ENTRIES {
        own.set(i, kernel.get(i));
    }
}

/// Maps `[virt, virt + len)` to `phys` with pages up to level `largest`, while the tables are being built.
pub(super) fn map_at_boot(virt: VirtAddr, phys: PhysAddr, len: u64, flags: Flags, largest: usize) {
    if TABLE.load(Ordering::Relaxed) == 0 {
        TABLE.store(new_table().expect("no memory at boot").as_u64(), Ordering::Relaxed);
    }
    let mut done = 0;
    while done < len {
        let (v, p) = (virt.as_u64() + done, phys.as_u64() + done);
        let fits = |level: &usize| (v | p).is_multiple_of(span(*level)) && len - done >= span(*level);
        let level = (0..=largest).rev().find(fits).expect("whole pages");
        map(VirtAddr::new(v), PhysAddr::new(p), flags, level).expect("no memory at boot");
        done += span(level);
    }
}

/// Finishes the kernel's tables and loads them.
pub(super) fn load_at_boot() {
    // SAFETY: our own table.
    let top = unsafe { Table::at(kernel_table()) };
    // The rest of kernel space gets its second-level table now, because user tables copy the top level once.
    let slot = index(KSPACE_START, TOP);
    top.set(slot, Entry::new(new_table().expect("no memory at boot"), Flags::PRESENT | Flags::WRITABLE));
    let frame = PhysFrame::containing_address(kernel_table());
    // SAFETY: the table maps the kernel image, this stack (part of it) and the direct map where they are now.
    unsafe { x86_64::registers::control::Cr3::write(frame, x86_64::registers::control::Cr3Flags::empty()) };
}

/// A fresh, empty table.
fn new_table() -> Result<PhysAddr> {
    let frame = Frame::alloc_for(Purpose::Kernel).ok_or(Errno::ENOMEM)?;
    // SAFETY: the frame is ours alone.
    unsafe { page::clear(frame.as_ptr()) };
    TABLES.fetch_add(1, Ordering::Relaxed);
    Ok(frame.into_raw())
}

/// Sets the kernel's entry for `virt` at `level`. The entry was empty.
fn map(virt: VirtAddr, phys: PhysAddr, flags: Flags, level: usize) -> Result<()> {
    // SAFETY: the kernel's table lives for ever.
    let mut table: &Table = unsafe { Table::at(kernel_table()) };
    for upper in (level + 1..=TOP).rev() {
        let at = index(virt.as_u64(), upper);
        let mut entry = table.get(at);
        if !entry.is_present() {
            entry = Entry::new(new_table()?, Flags::PRESENT | Flags::WRITABLE);
            table.set(at, entry);
        }
        assert!(!entry.is_leaf(upper), "{virt:?} is mapped by a large page");
        // SAFETY: kernel tables, once linked, live for ever.
        table = unsafe { Table::at(entry.phys()) };
    }
    let large = if level > 0 { Flags::LARGE } else { Flags::empty() };
    let at = index(virt.as_u64(), level);
    assert!(!table.get(at).is_present(), "{virt:?} is mapped already");
    table.set(at, Entry::new(phys, flags | large | Flags::PRESENT));
    Ok(())
}

/// Empties the kernel's entry for the page at `virt`; what it led to.
fn unmap(virt: VirtAddr) -> Option<PhysAddr> {
    // SAFETY: kernel tables live for ever.
    let mut table: &Table = unsafe { Table::at(kernel_table()) };
    for level in (1..=TOP).rev() {
        let entry = table.get(index(virt.as_u64(), level));
        if !entry.is_present() {
            return None;
        }
        // SAFETY: as above; stacks are never mapped by large pages.
        table = unsafe { Table::at(entry.phys()) };
    }
    let at = index(virt.as_u64(), 0);
    let entry = table.get(at);
    table.set(at, Entry::EMPTY);
    entry.is_present().then(|| entry.phys())
}

/// Unmaps a page that holds a share of its frame; the share, to be dropped when no TLB has the page any more.
fn unmap_frame(page: VirtAddr) -> Option<Frame> {
    let phys = unmap(page)?;
    // SAFETY: stacks and objects give their entries the share, and the entry is gone.
    Some(unsafe { Frame::from_raw(phys) })
}

/// Makes every CPU forget its translations of `pages` pages from `start` on.
fn forget(start: u64, pages: usize) {
    let everyone = u64::MAX >> (64 - percpu::cpu_count().clamp(1, 64));
    tlb::shootdown(everyone, tlb::Flush::Range { start: UserAddr(start), pages });
}
