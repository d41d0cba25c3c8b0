//! mremap: making a mapping longer or shorter, and moving it.
use core::ops::Range;

use tollgate_abi::{Errno, Result};

use super::limits::check_commit;
use super::map::{MAX_MAPPINGS, Removed};
use super::{AddressSpace, Gather, MapFlags, Mapping, Placement, State, UserAddr};
use crate::mm::addr::page_align_up;
use crate::mm::table::{Entry, span};
use crate::mm::{PAGE_SIZE, USER_END, frame};

/// Where a mapping may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// It stays.
    Stay,
    /// Elsewhere, if it must (MREMAP_MAYMOVE).
    MayMove,
    /// There, in place of what is there (MREMAP_FIXED).
    Fixed(UserAddr),
}

impl AddressSpace {
    /// mremap(2): makes the mapping of `[addr, addr + old_len)` be `new_len` bytes; its address then. With `old_len` 0
    /// a shared mapping is mapped a second time.
    ///
    /// # Errors
    /// `EINVAL` for odd arguments, `EFAULT` when the old range is not in one mapping, `EAGAIN` when more would be
    /// locked than allowed, `ENOMEM` when it cannot grow, or may not move, or limits are met.
    pub fn remap(&self, addr: UserAddr, old_len: u64, new_len: u64, to: Destination) -> Result<UserAddr> {
        let old_len = page_align_up(old_len).ok_or(Errno::EINVAL)?;
        let new_len = page_align_up(new_len).filter(|&len| len > 0).ok_or(Errno::EINVAL)?;
        if !addr.is_page_aligned() || addr.0 > USER_END || old_len > USER_END - addr.0 {
            return Err(Errno::EINVAL);
        }
        frame::headroom()?;
        let old = addr.0..addr.0 + old_len;
        if let Destination::Fixed(target) = to {
            if !target.is_page_aligned() || new_len > USER_END || target.0 > USER_END - new_len {
                return Err(Errno::EINVAL);
            }
            if target.0 < old.end && old.start < target.0 + new_len {
                return Err(Errno::EINVAL);
            }
            if target.0 < super::MIN_ADDRESS {
                return Err(Errno::EPERM);
            }
        }
        loop {
            let mut removed = Removed::default();
            let mut state = self.state.lock();
            if let Some(done) = state.remap(self, &old, new_len, to, &mut removed)? {
                let locked = state.mappings.get(done).is_some_and(|(_, m)| m.flags.contains(MapFlags::LOCKED));
                drop(state);
                if locked && new_len > old_len {
                    // As on Linux, memory that cannot be had now is missed later.
                    _ = self.populate(done + old_len..done + new_len, false);
                }
                return Ok(UserAddr(done));
            }
        }
    }
}

impl State {
    /// `None`: some objects must be dropped without the lock before it can go on.
    fn remap(
        &mut self,
        space: &AddressSpace,
        old: &Range<u64>,
        new_len: u64,
        to: Destination,
        removed: &mut Removed,
    ) -> Result<Option<u64>> {
        let (found, mapping) = self.mappings.get(old.start).ok_or(Errno::EFAULT)?;
        let (found, mapping) = (found, mapping.clone());
        let mut old = old.clone();
        if old.is_empty() && (mapping.is_private() || to == Destination::Stay) {
            return Err(Errno::EINVAL);
        }
        if old.end - old.start > new_len {
            if !self.remove(space, old.start + new_len..old.end, removed)? {
                return Ok(None);
            }
            old.end = old.start + new_len;
        }
        if old.end > found.end {
            return Err(Errno::EFAULT);
        }
        let old_len = old.end - old.start;
        if old_len == new_len && !matches!(to, Destination::Fixed(_)) {
            return Ok(Some(old.start));
        }
        let more = new_len - old_len;
        self.check_growth(space, &found, &mapping, &old, more)?;
        if !matches!(to, Destination::Fixed(_)) && old.end == found.end && !old.is_empty() {
            let extra = old.end..old.start + new_len;
            if extra.end <= USER_END && self.is_placeable(&extra) {
                let upper = mapping.clone().advanced(found.end - found.start);
                self.count(&upper, more, true);
                self.mappings.insert(extra, upper);
                return Ok(Some(old.start));
            }
        }
        if self.mappings.len() + 3 > MAX_MAPPINGS {
            return Err(Errno::ENOMEM);
        }
        let start = match to {
            Destination::Stay => return Err(Errno::ENOMEM),
            Destination::MayMove => self.place(0, new_len, Placement::Hint)?,
            Destination::Fixed(target) => {
                if !self.remove(space, target.0..target.0 + new_len, removed)? {
                    return Ok(None);
                }
                target.0
            }
        };
        let moved = mapping.advanced(old.start - found.start);
        self.count(&moved, new_len, true);
        self.mappings.insert(start..start + new_len, moved);
        if let Err(error) = self.move_entries(space, &old, start) {
            self.remove(space, start..start + new_len, removed)?;
            return Err(error);
        }
        if !old.is_empty() {
            self.remove(space, old, removed)?;
        }
        Ok(Some(start))
    }

    fn check_growth(
        &self,
        space: &AddressSpace,
        found: &Range<u64>,
        mapping: &Mapping,
        old: &Range<u64>,
        more: u64,
    ) -> Result<()> {
        if more == 0 {
            return Ok(());
        }
        if mapping.flags.contains(MapFlags::DONT_EXPAND) {
            return Err(Errno::EFAULT);
        }
        if let Some(backing) = &mapping.backing {
            let pages = (old.end - found.start + more) / PAGE_SIZE as u64;
            backing.first.checked_add(pages).ok_or(Errno::EINVAL)?;
        }
        if mapping.flags.contains(MapFlags::LOCKED) && !space.limits.may_lock(&self.sizes, more) {
            return Err(Errno::EAGAIN);
        }
        space.limits.check_more(&self.sizes, more, if mapping.is_data() { more } else { 0 })?;
        if mapping.is_data() { check_commit(more, mapping.flags) } else { Ok(()) }
    }

    /// Moves the entries of `old` to `start`.
    ///
    /// # Errors
    /// `ENOMEM`, with nothing moved.
    fn move_entries(&mut self, space: &AddressSpace, old: &Range<u64>, start: u64) -> Result<()> {
        // First make every table that will be needed: after that nothing can fail half-way.
        let mut at = old.start;
        while at < old.end {
            let Some(first) = self.tables.first_used(at, old.end) else { break };
            let target = first - old.start + start;
            self.tables.make_slot(target)?;
            at = first + (span(1) - target % span(1));
        }
        let mut gather = Gather::new(space);
        self.tables.for_each(old.start, old.end, |addr, slot| {
            let target = self.tables.slot(addr - old.start + start).ok_or(Errno::ENOMEM)?;
            target.set(slot.get());
            slot.set(Entry::EMPTY);
            gather.stale(addr, addr + PAGE_SIZE as u64);
            Ok(())
        })
    }
}
