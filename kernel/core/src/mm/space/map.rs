//! Making and removing mappings.
use core::ops::Range;

use alloc::sync::Arc;
use alloc::vec::Vec;

use tollgate_abi::{Errno, Result};

use super::limits::check_commit;
use super::{AddressSpace, Backing, Gather, MapFlags, Mapping, MemoryObject, Placement, Protection, State, UserAddr};
use crate::mm::addr::page_align_up;
use crate::mm::{PAGE_SIZE, USER_END, frame};

/// Most mappings of one space (vm.max_map_count).
pub const MAX_MAPPINGS: usize = 65530;

/// A mapping to be made.
pub struct Request {
    /// Where.
    pub addr: UserAddr,
    /// How strictly there.
    pub placement: Placement,
    /// Bytes; rounded up to pages.
    pub len: u64,
    /// What user mode may do.
    pub protection: Protection,
    /// What mprotect may later let it do.
    pub may: Protection,
    /// How it behaves.
    pub flags: MapFlags,
    /// Whose pages; `None` for private memory of zeros.
    pub backing: Option<Backing>,
}

/// Objects of removed mappings. They are dropped when the space's lock is free again: closing a file may take locks
/// that come before it.
#[derive(Default)]
pub(super) struct Removed(Vec<Arc<dyn MemoryObject>>);

impl Removed {
    /// How many objects a removal collects before it lets go of the lock.
    const MAX: usize = 64;

    /// Keeps what `mapping` refers to; false when no more fit.
    fn keep(&mut self, mapping: Mapping) -> bool {
        if let Some(Backing { object, .. }) = mapping.backing {
            // Pieces of one mapping follow each other, and one reference is enough to keep.
            if self.0.last().is_none_or(|last| !Arc::ptr_eq(last, &object)) {
                self.0.push(object);
            }
        }
        self.0.len() < Self::MAX
    }
}

impl AddressSpace {
    /// Makes a mapping; its address.
    ///
    /// # Errors
    /// [`State::place`]'s, `EINVAL` for no bytes, `EOVERFLOW` when the object's offset would wrap, `EAGAIN` when more
    /// would be locked than allowed, `ENOMEM` for everything there is too little of.
    pub fn map(&self, request: Request) -> Result<UserAddr> {
        frame::headroom()?;
        let Request { addr, placement, protection, may, flags, backing, .. } = request;
        if request.len == 0 {
            return Err(Errno::EINVAL);
        }
        let len = page_align_up(request.len).filter(|&len| len > 0).ok_or(Errno::ENOMEM)?;
        if backing.as_ref().is_some_and(|b| b.first.checked_add(len / PAGE_SIZE as u64).is_none()) {
            return Err(Errno::EOVERFLOW);
        }
        loop {
            let mut removed = Removed::default();
            let mut state = self.state.lock();
            if state.mappings.len() > MAX_MAPPINGS {
                return Err(Errno::ENOMEM);
            }
            let start = state.place(addr.0, len, placement)?;
            let range = start..start + len;
            let mapping = Mapping { protection, may, flags: flags | state.lock_future, backing: backing.clone() };
            self.check(&state, &mapping, &range)?;
            if placement == Placement::Fixed && !state.remove(self, range.clone(), &mut removed)? {
                continue; // Not all is gone yet: drop some objects without the lock.
            }
            let locked = mapping.flags & (MapFlags::LOCKED | MapFlags::LOCK_ON_FAULT) == MapFlags::LOCKED;
            state.count(&mapping, len, true);
            state.mappings.insert(range.clone(), mapping);
            drop(state);
            if locked {
                // As on Linux, memory that cannot be had now is missed later.
                _ = self.populate(range, false);
            }
            return Ok(UserAddr(start));
        }
    }

    /// Whether a new `mapping` at `range`, in place of what is there, keeps within all limits.
    fn check(&self, state: &State, mapping: &Mapping, range: &Range<u64>) -> Result<()> {
        let len = range.end - range.start;
        let mut sizes = state.sizes;
        for (old, _) in state.mappings.iter_from(range.start).take_while(|(old, _)| old.start < range.end) {
            sizes.total -= old.end.min(range.end) - old.start.max(range.start);
        }
        self.limits.check_more(&sizes, len, if mapping.is_data() { len } else { 0 })?;
        if mapping.flags.contains(MapFlags::LOCKED) && !self.limits.may_lock(&state.sizes, len) {
            return Err(Errno::EAGAIN);
        }
        // What is charged to memory: private memory that can be written, and shared memory that is no file's.
        let shared_memory = mapping.backing.as_ref().is_some_and(|b| b.object.is_charged());
        if mapping.is_data() || shared_memory { check_commit(len, mapping.flags) } else { Ok(()) }
    }

    /// Removes what is mapped in the pages of `[addr, addr + len)`.
    ///
    /// # Errors
    /// `EINVAL` for a range that is empty, does not start at a page or leaves user space, `ENOMEM` when too many
    /// mappings would be left.
    pub fn unmap(&self, addr: UserAddr, len: u64) -> Result<()> {
        if !addr.is_page_aligned() || addr.0 > USER_END || len > USER_END - addr.0 {
            return Err(Errno::EINVAL);
        }
        let range = super::pages(addr, len).filter(|range| !range.is_empty()).ok_or(Errno::EINVAL)?;
        loop {
            let mut removed = Removed::default();
            let mut state = self.state.lock();
            let done = state.remove(self, range.clone(), &mut removed)?;
            drop(state);
            if done {
                return Ok(());
            }
        }
    }

    /// Unmaps an object's pages from index `first` on, and the copies that were made of them: it has got shorter. The
    /// mappings stay, and find nothing there.
    pub fn unmap_object(&self, identity: usize, first: u64) {
        let mut state = self.state.lock();
        let State { mappings, tables, .. } = &mut *state;
        let mut gather = Gather::new(self);
        for (range, mapping) in mappings.iter() {
            let Some(backing) = mapping.backing.as_ref().filter(|backing| backing.object.identity() == identity) else {
                continue;
            };
            let skipped = first.saturating_sub(backing.first).saturating_mul(PAGE_SIZE as u64);
            tables.clear(range.start.saturating_add(skipped).min(range.end), range.end, &mut gather);
        }
    }

    /// Makes a private mapping of whole pages at exactly `start`, in place of whatever is there: a segment of a program
    /// for execve. `file` is what to map and from which offset (a multiple of the page size); `None` maps zeros.
    ///
    /// # Errors
    /// `EINVAL` for odd bounds, `ENOMEM` outside user space or without memory, `EPERM` below [`super::MIN_ADDRESS`].
    pub fn map_segment(
        &self,
        start: UserAddr,
        len: u64,
        protection: Protection,
        file: Option<(Arc<dyn MemoryObject>, u64)>,
    ) -> Result<()> {
        if file.is_none() {
            // Whatever its protection, the program means to fill it.
            check_commit(len, MapFlags::empty())?;
        }
        let backing = file.map(|(object, offset)| Backing { object, first: offset / PAGE_SIZE as u64 });
        let request = Request {
            addr: start,
            placement: Placement::Fixed,
            len,
            protection,
            may: Protection::all(),
            flags: MapFlags::empty(),
            backing,
        };
        self.map(request).map(drop)
    }

    /// Makes the stack: it ends at `top` and grows down by faults, as far as the stack limit of the process allows.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn map_stack(&self, top: UserAddr, protection: Protection) -> Result<()> {
        /// What the arguments of most programs need; the rest comes by faults.
        const INITIAL: u64 = 33 * PAGE_SIZE as u64;
        let request = Request {
            addr: UserAddr(top.0.checked_sub(INITIAL).ok_or(Errno::ENOMEM)?),
            placement: Placement::FixedNoReplace,
            len: INITIAL,
            protection,
            may: Protection::all(),
            flags: MapFlags::GROWS_DOWN,
            backing: None,
        };
        self.map(request)?;
        self.state.lock().stack_top = top.0;
        Ok(())
    }

    /// Where mappings without a wish go: below `mmap_top`, downwards; and where the heap (brk) starts. For execve.
    pub fn set_layout(&self, mmap_top: UserAddr, brk: UserAddr) {
        let mut state = self.state.lock();
        state.mmap_top = mmap_top.page().0.min(USER_END);
        (state.brk_start, state.brk) = (brk.0, brk.0);
    }

    /// A free range of `len` bytes, aligned to `align` (a power of two, at least a page), where mmap would choose one.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn find_free(&self, len: u64, align: u64) -> Result<UserAddr> {
        let len = page_align_up(len).ok_or(Errno::ENOMEM)?;
        self.state.lock().find_free(len, align.max(PAGE_SIZE as u64), false).map(UserAddr)
    }
}

impl State {
    /// Removes what is mapped in `range`. `false`: `removed` is full, and there may be more to remove.
    ///
    /// # Errors
    /// `ENOMEM` when cutting would make too many mappings.
    pub(super) fn remove(&mut self, space: &AddressSpace, range: Range<u64>, removed: &mut Removed) -> Result<bool> {
        // One mapping can only become two by a hole in its middle.
        let hole = self.mappings.get(range.start).is_some_and(|(m, _)| m.start < range.start && m.end > range.end);
        if hole && self.mappings.len() >= MAX_MAPPINGS {
            return Err(Errno::ENOMEM);
        }
        let mut gather = Gather::new(space);
        while let Some((piece, mapping)) = self.mappings.take_first(&range) {
            self.tables.clear(piece.start, piece.end, &mut gather);
            self.count(&mapping, piece.end - piece.start, false);
            if !removed.keep(mapping) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
