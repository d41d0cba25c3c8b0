//! What /proc tells of an address space.
use core::ops::Range;
use core::sync::atomic::Ordering;

use super::{AddressSpace, MapFlags, MemoryObject, Protection};
use crate::mm::PAGE_SIZE;

/// One mapping, as /proc/PID/maps shows it.
pub struct Area<'a> {
    /// Its addresses.
    pub range: Range<u64>,
    /// What user mode may do.
    pub protection: Protection,
    /// How it behaves.
    pub flags: MapFlags,
    /// Whose pages.
    pub object: Option<&'a dyn MemoryObject>,
    /// Offset of its start in the object, bytes.
    pub offset: u64,
    /// `[heap]` or `[stack]`, if it is that; objects have names of their own.
    pub name: Option<&'static str>,
}

/// How much memory a space uses. Bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// All mappings (VmSize).
    pub size: u64,
    /// The most that was (VmPeak).
    pub peak_size: u64,
    /// Private writable mappings (VmData).
    pub data: u64,
    /// Stacks (VmStk).
    pub stack: u64,
    /// Locked mappings (VmLck).
    pub locked: u64,
    /// Pages in memory: anonymous (RssAnon).
    pub resident_anonymous: u64,
    /// Pages in memory: of files and shared objects (RssFile and RssShmem).
    pub resident_object: u64,
    /// The most pages there were (VmHWM).
    pub peak_resident: u64,
    /// Page tables (VmPTE).
    pub tables: u64,
    /// Where the heap starts and ends.
    pub brk: (u64, u64),
}

impl AddressSpace {
    /// Calls `f` for every mapping from the first that ends above `from` on, in order, until it returns false. The
    /// space's lock is held meanwhile: `f` may not touch user memory.
    pub fn for_each_area(&self, from: u64, mut f: impl FnMut(&Area<'_>) -> bool) {
        let state = self.state.lock();
        for (range, mapping) in state.mappings.iter_from(from) {
            let heap = range.start <= state.brk && range.end >= state.brk_start && state.brk > state.brk_start;
            let name = if mapping.backing.is_some() {
                None
            } else if heap {
                Some("[heap]")
            } else if range.start < state.stack_top && state.stack_top <= range.end {
                Some("[stack]")
            } else {
                None
            };
            let backing = mapping.backing.as_ref();
            let area = Area {
                range,
                protection: mapping.protection,
                flags: mapping.flags,
                object: backing.map(|backing| &*backing.object),
                offset: backing.map_or(0, |backing| backing.first * PAGE_SIZE as u64),
                name,
            };
            if !f(&area) {
                return;
            }
        }
    }

    /// How much memory it uses.
    pub fn usage(&self) -> Usage {
        let bytes = |frames: usize| (frames * PAGE_SIZE) as u64;
        let state = self.state.lock();
        Usage {
            size: state.sizes.total,
            peak_size: state.sizes.peak,
            data: state.sizes.data,
            stack: state.sizes.stack,
            locked: state.sizes.locked,
            resident_anonymous: bytes(self.resident.anonymous.load(Ordering::Relaxed)),
            resident_object: bytes(self.resident.object.load(Ordering::Relaxed)),
            peak_resident: bytes(self.resident.peak()),
            tables: bytes(state.tables.count()),
            brk: (state.brk_start, state.brk),
        }
    }
}
