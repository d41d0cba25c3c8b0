//! brk: the heap behind a program's data.
use super::limits::check_commit;
use super::map::{MAX_MAPPINGS, Removed};
use super::{AddressSpace, Limit, MapFlags, Mapping, Protection, State, UserAddr};
use crate::mm::addr::page_align_up;
use crate::mm::{PAGE_SIZE, USER_END, frame};

impl AddressSpace {
    /// Moves the end of the heap to `wish` if that can be done; where it is then.
    pub fn set_brk(&self, wish: UserAddr) -> UserAddr {
        let mut removed = Removed::default();
        let mut state = self.state.lock();
        let moved = state.move_brk(self, wish.0, &mut removed);
        if moved.is_some() {
            state.brk = wish.0;
        }
        let (end, populate) = (state.brk, moved.filter(|_| state.lock_future.contains(MapFlags::LOCKED)));
        drop(state);
        if let Some(range) = populate {
            // As on Linux, memory that cannot be had now is missed later.
            _ = self.populate(range, false);
        }
        UserAddr(end)
    }
}

impl State {
    /// Maps or unmaps pages for a heap that ends at `wish`; the pages that are new. `None`: it cannot end there.
    fn move_brk(&mut self, space: &AddressSpace, wish: u64, removed: &mut Removed) -> Option<core::ops::Range<u64>> {
        if wish < self.brk_start || wish > USER_END {
            return None;
        }
        let (old, new) = (page_align_up(self.brk)?, page_align_up(wish)?);
        if new <= old {
            if new < old {
                // The heap is memory of zeros, unless the program mapped something over it; then what was removed
                // first is dropped first.
                self.remove(space, new..old, removed).ok().filter(|&done| done)?;
            }
            return Some(old..old);
        }
        if wish - self.brk_start > space.limits.get(Limit::Data) || self.mappings.len() > MAX_MAPPINGS {
            return None;
        }
        let range = old..new;
        // One page stays free above, as on Linux.
        if !self.is_placeable(&(old..new + PAGE_SIZE as u64)) {
            return None;
        }
        let mapping = Mapping {
            protection: Protection::READ | Protection::WRITE,
            may: Protection::all(),
            flags: self.lock_future,
            backing: None,
        };
        let bytes = new - old;
        frame::headroom().ok()?;
        space.limits.check_more(&self.sizes, bytes, bytes).ok()?;
        check_commit(bytes, mapping.flags).ok()?;
        if mapping.flags.contains(MapFlags::LOCKED) && !space.limits.may_lock(&self.sizes, bytes) {
            return None;
        }
        self.count(&mapping, bytes, true);
        self.mappings.insert(range.clone(), mapping);
        Some(range)
    }
}
