//! Making pages accessible: demand paging, copy on write, stack growth.
use core::ops::Range;
use core::result::Result;

use tollgate_abi::Errno;

use super::place::GUARD_GAP;
use super::{Access, AddressSpace, Fault, Limit, MapFlags, Mapping, State, UserAddr};
use crate::mm::frame::Frame;
use crate::mm::table::{Entry, Flags};
use crate::mm::{PAGE_SIZE, USER_END};
use crate::sync::Once;

/// The page of zeros that unwritten anonymous memory reads from. Never freed; entries have no share in it.
static ZERO: Once<Frame> = Once::new();

/// Who asks for access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// The program, or the kernel on its behalf.
    User,
    /// A tracer, who may do what mprotect could allow.
    Force,
}

impl AddressSpace {
    /// Makes the access at `addr` possible, if the mappings allow it: the page-fault handler's work. May sleep.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn fault(&self, addr: UserAddr, access: Access) -> Result<(), Fault> {
        let mut state = self.state.lock();
        state.make_accessible(self, addr.0, access, Asker::User).map(drop)
    }

    /// Brings in what can be had of `[addr, addr + len)` (MAP_POPULATE): what cannot is left to faults.
    pub fn prefault(&self, addr: UserAddr, len: u64) {
        if let Some(range) = super::pages(addr, len) {
            _ = self.populate(range, false);
        }
    }

    /// Faults in all pages of `range`, for stores where those would copy (or with `write`, where they are allowed).
    ///
    /// # Errors
    /// The first page's that cannot be had.
    pub(super) fn populate(&self, range: Range<u64>, write: bool) -> Result<(), Fault> {
        let mut at = range.start;
        while at < range.end {
            let mut state = self.state.lock();
            let (found, mapping) = state.mappings.at_or_above(at).ok_or(Fault::NotMapped)?;
            if found.start > at {
                return Err(Fault::NotMapped);
            }
            let access = match mapping {
                _ if write => Access::Write,
                mapping if mapping.is_private() && mapping.allows(Access::Write) => Access::Write,
                _ => Access::Read,
            };
            // A bounded number of pages at a time, so that others get the lock.
            let stop = found.end.min(range.end).min(at + 64 * PAGE_SIZE as u64);
            while at < stop {
                state.make_accessible(self, at, access, Asker::User)?;
                at += PAGE_SIZE as u64;
            }
            drop(state);
            crate::task::sched::cond_resched();
        }
        Ok(())
    }
}

impl State {
    /// Sees to it that the page of `addr` has an entry that lets `access` be made; the entry.
    pub(super) fn make_accessible(
        &mut self,
        space: &AddressSpace,
        addr: u64,
        access: Access,
        asker: Asker,
    ) -> Result<Entry, Fault> {
        if self.mappings.get(addr).is_none() {
            self.grow_stack(space, addr)?;
        }
        let (range, mapping) = self.mappings.get(addr).ok_or(Fault::NotMapped)?;
        if !mapping.allows(access) && !(asker == Asker::Force && mapping.allows_force(access)) {
            return Err(Fault::Denied);
        }
        let page = addr & !(PAGE_SIZE as u64 - 1);
        let slot = self.tables.make_slot(page).map_err(|_| Fault::NoMemory)?;
        let old = slot.get();
        let own_copy = access == Access::Write && mapping.is_private();
        let new = if old.is_empty() {
            first_entry(mapping, page - range.start, own_copy)?
        } else if own_copy && !old.has(Flags::WRITABLE) {
            copy_on_write(mapping, old)?
        } else {
            // Another thread was faster, or this CPU remembered an older entry: what is there will do.
            return Ok(old);
        };
        slot.set(new);
        if old.is_empty() {
            space.resident.add(new);
        } else if old.phys() != new.phys() {
            // Others may still read the old page through their TLBs: it must not go before they forget it.
            space.forget(page, page + PAGE_SIZE as u64);
            space.resident.replace(old, new);
            if !old.has(Flags::ZERO) {
                // SAFETY: the entry had a share, and the entry is gone.
                drop(unsafe { Frame::from_raw(old.phys()) });
            }
        }
        Ok(new)
    }

    /// Lets the mapping above `addr` grow down to it, if it is of that kind and room is left.
    fn grow_stack(&mut self, space: &AddressSpace, addr: u64) -> Result<(), Fault> {
        if addr >= USER_END {
            return Err(Fault::NotMapped);
        }
        let (range, mapping) = self.mappings.at_or_above(addr).ok_or(Fault::NotMapped)?;
        if !mapping.flags.contains(MapFlags::GROWS_DOWN) {
            return Err(Fault::NotMapped);
        }
        let start = addr & !(PAGE_SIZE as u64 - 1);
        let more = range.start - start;
        // Another mapping below keeps its distance, unless it is a stack too or cannot be accessed anyway.
        let crowded = self.mappings.below(range.start).is_some_and(|(below, other)| {
            !other.flags.contains(MapFlags::GROWS_DOWN)
                && !other.protection.is_empty()
                && start < below.end.saturating_add(GUARD_GAP)
        });
        let too_large = range.end - start > space.limits.get(Limit::Stack)
            || space.limits.check_more(&self.sizes, more, 0).is_err()
            || (mapping.flags.contains(MapFlags::LOCKED) && !space.limits.may_lock(&self.sizes, more))
            || start < super::MIN_ADDRESS;
        if crowded || too_large {
            return Err(Fault::NotMapped);
        }
        let grown = mapping.clone();
        self.mappings.resize(range.start, start..range.end);
        self.count(&grown, more, true);
        Ok(())
    }
}

/// The entry for a page that has none, `offset` bytes into its mapping.
fn first_entry(mapping: &Mapping, offset: u64, own_copy: bool) -> Result<Entry, Fault> {
    let Some(backing) = &mapping.backing else {
        if own_copy {
            let frame = Frame::alloc_zeroed().map_err(|_| Fault::NoMemory)?;
            return Ok(Entry::new(frame.into_raw(), mapping.entry_flags(true) | Flags::ANONYMOUS));
        }
        return Ok(Entry::new(zero_page()?.phys(), mapping.entry_flags(false) | Flags::ZERO));
    };
    let frame = backing.object.page(backing.first + offset / PAGE_SIZE as u64).map_err(|error| match error {
        Errno::ENOMEM => Fault::NoMemory,
        _ => Fault::PastEnd,
    })?;
    if own_copy {
        let copy = frame.duplicate().map_err(|_| Fault::NoMemory)?;
        return Ok(Entry::new(copy.into_raw(), mapping.entry_flags(true) | Flags::ANONYMOUS));
    }
    Ok(Entry::new(frame.into_raw(), mapping.entry_flags(!mapping.is_private())))
}

/// The entry that lets a page be stored to whose entry `old` does not: a copy, unless nobody else has the frame.
fn copy_on_write(mapping: &Mapping, old: Entry) -> Result<Entry, Fault> {
    let flags = mapping.entry_flags(true) | Flags::ANONYMOUS;
    if old.has(Flags::ZERO) {
        let frame = Frame::alloc_zeroed().map_err(|_| Fault::NoMemory)?;
        return Ok(Entry::new(frame.into_raw(), flags));
    }
    // SAFETY: the entry has a share; `ManuallyDrop` leaves it there.
    let frame = core::mem::ManuallyDrop::new(unsafe { Frame::from_raw(old.phys()) });
    if old.has(Flags::ANONYMOUS) && frame.is_sole() {
        return Ok(old.with_flags(flags));
    }
    let copy = frame.duplicate().map_err(|_| Fault::NoMemory)?;
    Ok(Entry::new(copy.into_raw(), flags))
}

fn zero_page() -> Result<&'static Frame, Fault> {
    match ZERO.get() {
        Some(frame) => Ok(frame),
        None => {
            let frame = Frame::alloc_zeroed().map_err(|_| Fault::NoMemory)?;
            Ok(ZERO.call_once(|| frame))
        }
    }
}
