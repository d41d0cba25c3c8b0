//! mlock and its family. There is no swap, so nothing is ever paged out: to lock is to bring in, and to be counted.
use tollgate_abi::{Errno, Result};

use super::map::MAX_MAPPINGS;
use super::{AddressSpace, Fault, Limit, MapFlags, UserAddr};
use crate::mm::{PAGE_SIZE, frame};

const LOCKS: MapFlags = MapFlags::LOCKED.union(MapFlags::LOCK_ON_FAULT);

impl AddressSpace {
    /// mlock(2), mlock2(2): locks the pages that `[addr, addr + len)` touches and, unless `on_fault`, brings them in.
    ///
    /// # Errors
    /// `EPERM` when nothing may be locked at all, `EINVAL` when the range wraps, `ENOMEM` beyond the limit or where
    /// nothing is mapped, `EAGAIN` without memory.
    pub fn lock(&self, addr: UserAddr, len: u64, on_fault: bool) -> Result<()> {
        if self.limits().get(Limit::Locked) == 0 {
            return Err(Errno::EPERM);
        }
        let flags = if on_fault { LOCKS } else { MapFlags::LOCKED };
        let range = self.set_locks(addr, len, flags)?;
        if on_fault {
            return Ok(());
        }
        self.populate(range, false).map_err(|fault| match fault {
            Fault::NoMemory => Errno::EAGAIN,
            _ => Errno::ENOMEM,
        })
    }

    /// munlock(2).
    ///
    /// # Errors
    /// `EINVAL` when the range wraps, `ENOMEM` where nothing is mapped.
    pub fn unlock(&self, addr: UserAddr, len: u64) -> Result<()> {
        self.set_locks(addr, len, MapFlags::empty()).map(drop)
    }

    /// mlockall(2): locks what is mapped (`current`), what will be mapped (`future`), or both.
    ///
    /// # Errors
    /// `EPERM` when nothing may be locked at all, `ENOMEM` beyond the limit.
    pub fn lock_all(&self, current: bool, future: bool, on_fault: bool) -> Result<()> {
        let limit = self.limits().get(Limit::Locked);
        if limit == 0 {
            return Err(Errno::EPERM);
        }
        let flags = if on_fault { LOCKS } else { MapFlags::LOCKED };
        let mut state = self.state.lock();
        if current && state.sizes.total > limit {
            return Err(Errno::ENOMEM);
        }
        state.lock_future = if future { flags } else { MapFlags::empty() };
        drop(state);
        if !current {
            return Ok(());
        }
        self.for_all_pieces(|range| {
            // Mappings that cannot be brought in (PROT_NONE, past a file's end) are passed over, as on Linux.
            if self.set_locks(UserAddr(range.start), range.end - range.start, flags).is_ok() && !on_fault {
                _ = self.populate(range, false);
            }
        });
        Ok(())
    }

    /// munlockall(2).
    pub fn unlock_all(&self) {
        self.state.lock().lock_future = MapFlags::empty();
        self.for_all_pieces(|range| {
            _ = self.set_locks(UserAddr(range.start), range.end - range.start, MapFlags::empty());
        });
    }

    /// Calls `f` for every mapping, without the lock.
    fn for_all_pieces(&self, mut f: impl FnMut(core::ops::Range<u64>)) {
        let mut at = 0;
        loop {
            let next = self.state.lock().mappings.at_or_above(at).map(|(range, _)| range);
            let Some(range) = next else { return };
            at = range.end;
            f(range);
        }
    }

    /// Gives the mappings of the pages that `[addr, addr + len)` touches other lock flags; the pages.
    fn set_locks(&self, addr: UserAddr, len: u64, flags: MapFlags) -> Result<core::ops::Range<u64>> {
        if addr.0.checked_add(len).is_none_or(|end| end.checked_next_multiple_of(PAGE_SIZE as u64).is_none()) {
            return Err(Errno::EINVAL);
        }
        let range = super::pages(addr, len).ok_or(Errno::ENOMEM)?;
        if flags.contains(MapFlags::LOCKED) {
            frame::headroom()?;
        }
        let mut state = self.state.lock();
        if flags.contains(MapFlags::LOCKED) {
            let already: u64 = state
                .mappings
                .iter_from(range.start)
                .take_while(|(found, _)| found.start < range.end)
                .filter(|(_, mapping)| mapping.flags.contains(MapFlags::LOCKED))
                .map(|(found, _)| found.end.min(range.end) - found.start.max(range.start))
                .sum();
            if !self.limits().may_lock(&state.sizes, range.end - range.start - already) {
                return Err(Errno::ENOMEM);
            }
        }
        let mut at = range.start;
        while at < range.end {
            let (found, mapping) = state.mappings.get(at).ok_or(Errno::ENOMEM)?;
            let piece = at..found.end.min(range.end);
            at = piece.end;
            if mapping.flags & LOCKS == flags {
                continue;
            }
            if state.mappings.len() + state.mappings.cuts(&piece) > MAX_MAPPINGS {
                return Err(Errno::ENOMEM);
            }
            let bytes = piece.end - piece.start;
            match (mapping.flags.contains(MapFlags::LOCKED), flags.contains(MapFlags::LOCKED)) {
                (false, true) => state.sizes.locked += bytes,
                (true, false) => state.sizes.locked -= bytes,
                _ => {}
            }
            state.mappings.update(piece, |_, mapping| mapping.flags = mapping.flags.difference(LOCKS) | flags);
        }
        Ok(range)
    }
}
