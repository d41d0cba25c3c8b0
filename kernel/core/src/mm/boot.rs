//! Taking the machine's memory over from the boot loader.
use core::ops::Range;
use core::sync::atomic::AtomicU32;

use bootloader_api::BootInfo;
use bootloader_api::info::MemoryRegionKind;
use tollgate_vm::buddy::Link;
use x86_64::registers::control::{Cr3, Efer, EferFlags};

use super::addr::{PhysAddr, VirtAddr, phys_to_virt};
use super::table::{Flags, TOP, Table, index, span};
use super::{KERNEL_BASE, PAGE_SIZE, PHYS_OFFSET, frame, kspace};

const PAGE: u64 = PAGE_SIZE as u64;
/// Below this the firmware and the other CPUs' first instructions live.
const LOW_MEMORY_END: u64 = 1 << 20;
/// Firmware tables may lie anywhere below, so all of it is in the direct map.
const FIRMWARE_END: u64 = 4 << 30;

unsafe extern "C" {
    static __image_start: u8;
    static __text_start: u8;
    static __text_end: u8;
    static __data_start: u8;
    static __image_end: u8;
}

/// A linker symbol's address.
macro_rules! symbol {
    ($name:ident) => {
        (&raw const $name) as u64
    };
}

/// A small set of physical ranges.
struct Ranges {
    len: usize,
    ranges: [(u64, u64); 128],
}

impl Ranges {
    const fn new() -> Self {
        Self { len: 0, ranges: [(0, 0); 128] }
    }

    fn iter(&self) -> impl Iterator<Item = Range<u64>> {
        self.ranges[..self.len].iter().map(|&(start, end)| start..end)
    }

    fn push(&mut self, range: Range<u64>) {
        if range.start >= range.end {
            return;
        }
        // UEFI hands out many small pieces side by side.
        for (start, end) in &mut self.ranges[..self.len] {
            if *end == range.start {
                *end = range.end;
                return;
            }
            if *start == range.end {
                *start = range.start;
                return;
            }
        }
        assert!(self.len < self.ranges.len(), "the firmware's memory map has too many pieces");
        self.ranges[self.len] = (range.start, range.end);
        self.len += 1;
    }

    /// Takes `hole` out of every range.
    fn subtract(&mut self, hole: Range<u64>) {
        for at in (0..self.len).rev() {
            let (start, end) = self.ranges[at];
            if hole.start < end && start < hole.end {
                self.len -= 1;
                self.ranges[at] = self.ranges[self.len];
                self.push(start..hole.start.max(start));
                self.push(hole.end.min(end)..end);
            }
        }
    }

    /// Takes `bytes` (whole pages) from a range below `limit`.
    fn carve(&mut self, bytes: u64, limit: u64) -> Option<PhysAddr> {
        let (start, _) = *self.ranges[..self.len].iter().find(|(start, end)| {
            let end = (*end).min(limit);
            *start < end && end - start >= bytes
        })?;
        self.subtract(start..start + bytes);
        Some(PhysAddr::new(start))
    }
}

/// See [`super::init`].
pub(super) fn init(boot: &BootInfo) -> &'static [u8] {
    assert!(boot.physical_memory_offset.into_option() == Some(PHYS_OFFSET), "the loader maps memory elsewhere");
    let ramdisk = boot.ramdisk_addr.into_option().filter(|_| boot.ramdisk_len > 0).map(|addr| {
        let start = translate(addr).expect("the ramdisk is mapped");
        let last = translate(addr + boot.ramdisk_len - 1).expect("the ramdisk is mapped");
        assert!(last.as_u64() - start.as_u64() == boot.ramdisk_len - 1, "the ramdisk is not in one piece");
        (start, boot.ramdisk_len)
    });

    let mut ram_end = 0;
    let mut free = Ranges::new();
    for region in boot.memory_regions.iter() {
        if matches!(region.kind, MemoryRegionKind::Usable | MemoryRegionKind::Bootloader) {
            ram_end = region.end.max(ram_end);
        }
        if region.kind == MemoryRegionKind::Usable {
            free.push(region.start.next_multiple_of(PAGE)..region.end & !(PAGE - 1));
        }
    }
    free.subtract(0..LOW_MEMORY_END);
    for page in (symbol!(__image_start)..symbol!(__image_end)).step_by(PAGE_SIZE) {
        // A boot loader need not map the gaps between the segments.
        if let Some(phys) = translate(page).map(PhysAddr::as_u64) {
            free.subtract(phys..phys + PAGE);
        }
    }
    if let Some((start, len)) = ramdisk {
        free.subtract(start.as_u64() & !(PAGE - 1)..(start.as_u64() + len).next_multiple_of(PAGE));
    }

    let end = free.iter().map(|range| range.end).max().expect("the loader found no memory");
    set_up_frames(&mut free, (end / PAGE) as usize);
    // What the loader's tables may not map is handed out only when ours are in use.
    let give = |range: Range<u64>| {
        if range.start < range.end {
            frame::add_free((range.start / PAGE) as u32, ((range.end - range.start) / PAGE) as usize);
        }
    };
    for range in free.iter() {
        give(range.start..range.end.min(FIRMWARE_END));
    }
    switch_to_own_tables(ram_end);
    for range in free.iter() {
        give(range.start.max(FIRMWARE_END)..range.end);
    }
    // SAFETY: RAM that was kept out of the allocator, shown by the direct map; nobody writes it any more.
    ramdisk
        .map_or(&[], |(start, len)| unsafe { core::slice::from_raw_parts(phys_to_virt(start).as_ptr(), len as usize) })
}

/// Finds room for the frame allocator's books and starts it.
fn set_up_frames(free: &mut Ranges, frames: usize) {
    let mut array = |bytes: usize| {
        let phys = free.carve((bytes as u64).next_multiple_of(PAGE), FIRMWARE_END).expect("no room for frame books");
        phys_to_virt(phys)
    };
    let links: *mut Link = array(frames * size_of::<Link>()).as_mut_ptr();
    let meta: *mut frame::Meta = array(frames * size_of::<frame::Meta>()).as_mut_ptr();
    for i in 0..frames {
        // SAFETY: inside the memory just carved, which is mapped and nobody else's.
        unsafe {
            links.add(i).write(Link::TAKEN);
            meta.add(i).write(frame::Meta { shares: AtomicU32::new(0), entries: AtomicU32::new(0) });
        }
    }
    // SAFETY: both arrays were initialised above and are never given back.
    unsafe {
        frame::init(core::slice::from_raw_parts_mut(links, frames), core::slice::from_raw_parts_mut(meta, frames))
    }
}

/// Builds the kernel's tables and loads them.
fn switch_to_own_tables(ram_end: u64) {
    // SAFETY: all x86-64 CPUs have no-execute; it only gives meaning to a bit that our tables use.
    unsafe { Efer::update(|efer| efer.insert(EferFlags::NO_EXECUTE_ENABLE)) };
    let direct = Flags::WRITABLE | Flags::NO_EXECUTE | Flags::GLOBAL;
    let largest = if has_1g_pages() { 2 } else { 1 };
    let map_direct = |range: Range<u64>| {
        let (start, end) = (range.start & !(span(1) - 1), range.end.next_multiple_of(span(1)));
        kspace::map_at_boot(VirtAddr::new(PHYS_OFFSET + start), PhysAddr::new(start), end - start, direct, largest);
    };
    map_direct(0..FIRMWARE_END);
    map_direct(FIRMWARE_END..ram_end.max(FIRMWARE_END));
    let image = symbol!(__image_start)..symbol!(__image_end);
    for page in image.step_by(PAGE_SIZE) {
        let flags = if page >= symbol!(__data_start) {
            Flags::WRITABLE | Flags::NO_EXECUTE
        } else if page >= symbol!(__text_start) && page < symbol!(__text_end) {
            Flags::empty()
        } else {
            Flags::NO_EXECUTE
        };
        if let Some(phys) = translate(page) {
            kspace::map_at_boot(VirtAddr::new(page), phys, PAGE, flags | Flags::GLOBAL, 0);
        }
    }
    kspace::load_at_boot();
}

/// Where the tables in use map `addr`, an address of the kernel, to.
pub fn translate(addr: u64) -> Option<PhysAddr> {
    debug_assert!(addr >= PHYS_OFFSET && KERNEL_BASE > PHYS_OFFSET);
    let mut phys = Cr3::read().0.start_address();
    for level in (0..=TOP).rev() {
        // SAFETY: the walk follows present entries from CR3; the loader maps all its tables at PHYS_OFFSET.
        let entry = unsafe { Table::at(phys) }.get(index(addr, level));
        if !entry.is_present() {
            return None;
        }
        if entry.is_leaf(level) {
            let offset = addr & (span(level) - 1);
            return Some(PhysAddr::new((entry.phys().as_u64() & !(span(level) - 1)) + offset));
        }
        phys = entry.phys();
    }
    None
}

fn has_1g_pages() -> bool {
    let extended = core::arch::x86_64::__cpuid(0x8000_0000).eax;
    extended >= 0x8000_0001 && core::arch::x86_64::__cpuid(0x8000_0001).edx & 1 << 26 != 0
}
