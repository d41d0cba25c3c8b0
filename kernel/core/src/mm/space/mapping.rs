//! One mapping: what is at a range of addresses, and what may be done with it.
use alloc::sync::Arc;

use bitflags::bitflags;
use tollgate_vm::ranges::Region;

use super::{Access, MemoryObject, Protection};
use crate::mm::PAGE_SIZE;
use crate::mm::table::Flags;

bitflags! {
    /// How a mapping behaves.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct MapFlags: u16 {
        /// Stores are seen by all who map the object (MAP_SHARED).
        const SHARED = 1 << 0;
        /// Grows downwards by faults (MAP_GROWSDOWN, the stack).
        const GROWS_DOWN = 1 << 1;
        /// Its pages count as locked (mlock).
        const LOCKED = 1 << 2;
        /// With [`Self::LOCKED`]: pages are not brought in before they are used (MLOCK_ONFAULT).
        const LOCK_ON_FAULT = 1 << 10;
        /// Not checked against the machine's memory (MAP_NORESERVE).
        const NO_RESERVE = 1 << 3;
        /// fork leaves it out (MADV_DONTFORK).
        const DONT_FORK = 1 << 4;
        /// fork gives the child zeros (MADV_WIPEONFORK).
        const WIPE_ON_FORK = 1 << 5;
        /// Left out of core dumps (MADV_DONTDUMP).
        const DONT_DUMP = 1 << 6;
        /// mremap may not make it longer.
        const DONT_EXPAND = 1 << 7;
        /// Hint: read ahead (MADV_SEQUENTIAL).
        const SEQUENTIAL = 1 << 8;
        /// Hint: no read ahead (MADV_RANDOM).
        const RANDOM = 1 << 9;
    }
}

/// What the pages of a mapping are made from.
#[derive(Clone)]
pub struct Backing {
    /// Whose pages.
    pub object: Arc<dyn MemoryObject>,
    /// Index of the page at the mapping's start.
    pub first: u64,
}

/// What is at a range of addresses.
#[derive(Clone)]
pub(super) struct Mapping {
    /// What user mode may do now.
    pub(super) protection: Protection,
    /// What mprotect may allow it to do.
    pub(super) may: Protection,
    pub(super) flags: MapFlags,
    /// `None` for private memory of zeros.
    pub(super) backing: Option<Backing>,
}

impl Mapping {
    /// Whether stores make copies of its own.
    pub(super) fn is_private(&self) -> bool {
        !self.flags.contains(MapFlags::SHARED)
    }

    /// Whether user mode may do `access`. On x86-64 whatever can be accessed at all can be read.
    pub(super) fn allows(&self, access: Access) -> bool {
        match access {
            Access::Read => !self.protection.is_empty(),
            Access::Write => self.protection.contains(Protection::WRITE),
            Access::Execute => self.protection.contains(Protection::EXEC),
        }
    }

    /// Whether a tracer may do `access` though user mode may not: what mprotect could allow, and never a store to what
    /// others share.
    pub(super) fn allows_force(&self, access: Access) -> bool {
        match access {
            Access::Read => self.may.contains(Protection::READ),
            Access::Write => self.may.contains(Protection::WRITE) && self.is_private(),
            Access::Execute => self.may.contains(Protection::EXEC),
        }
    }

    /// The flags of an entry for a page of this mapping, which user mode may store to (when the protection lets it)
    /// if `own`.
    pub(super) fn entry_flags(&self, own: bool) -> Flags {
        // Accessed and dirty from the start, which spares the CPU telling us.
        let mut flags = Flags::USER | Flags::ACCESSED;
        if !self.protection.is_empty() {
            flags |= Flags::PRESENT;
        }
        if own && self.protection.contains(Protection::WRITE) {
            flags |= Flags::WRITABLE | Flags::DIRTY;
        }
        if !self.protection.contains(Protection::EXEC) {
            flags |= Flags::NO_EXECUTE;
        }
        flags
    }

    /// The same mapping, beginning `offset` bytes further on.
    pub(super) fn advanced(mut self, offset: u64) -> Self {
        if let Some(backing) = &mut self.backing {
            backing.first += offset / PAGE_SIZE as u64;
        }
        self
    }

    /// Private, writable and not a stack: what RLIMIT_DATA limits.
    pub(super) fn is_data(&self) -> bool {
        self.is_private() && self.protection.contains(Protection::WRITE) && !self.flags.contains(MapFlags::GROWS_DOWN)
    }
}

impl Region for Mapping {
    fn split_off(&mut self, offset: u64) -> Self {
        self.clone().advanced(offset)
    }

    fn continues(&self, len: u64, next: &Self) -> bool {
        self.protection == next.protection
            && self.may == next.may
            && self.flags == next.flags
            && match (&self.backing, &next.backing) {
                (None, None) => true,
                (Some(a), Some(b)) => Arc::ptr_eq(&a.object, &b.object) && a.first + len / PAGE_SIZE as u64 == b.first,
                _ => false,
            }
    }
}
