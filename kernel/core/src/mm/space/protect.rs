//! Changing what may be done with mapped pages.
use tollgate_abi::{Errno, Result};

use super::map::MAX_MAPPINGS;
use super::{AddressSpace, Gather, MapFlags, Mapping, Protection, State, UserAddr};
use crate::mm::frame::Frame;
use crate::mm::table::{Entry, Flags};
use crate::mm::{PAGE_SIZE, frame};

impl AddressSpace {
    /// mprotect: gives the pages of `[addr, addr + len)` another protection. With `down`, from the start of the stack
    /// that holds `addr` (PROT_GROWSDOWN).
    ///
    /// # Errors
    /// `EINVAL` for an odd address or no stack with `down`, `ENOMEM` where nothing is mapped or limits are met,
    /// `EACCES` for what the mapping may never be. Earlier mappings have changed by then, as on Linux.
    pub fn protect(&self, addr: UserAddr, len: u64, protection: Protection, down: bool) -> Result<()> {
        if !addr.is_page_aligned() {
            return Err(Errno::EINVAL);
        }
        if len == 0 {
            return Ok(());
        }
        let mut range = super::pages(addr, len).ok_or(Errno::ENOMEM)?;
        frame::headroom()?;
        let mut state = self.state.lock();
        if down {
            let (stack, mapping) = state.mappings.at_or_above(range.start).ok_or(Errno::ENOMEM)?;
            if stack.start >= range.end {
                return Err(Errno::ENOMEM);
            }
            if !mapping.flags.contains(MapFlags::GROWS_DOWN) {
                return Err(Errno::EINVAL);
            }
            range.start = stack.start;
        }
        let mut gather = Gather::new(self);
        let mut at = range.start;
        while at < range.end {
            let (found, mapping) = state.mappings.get(at).ok_or(Errno::ENOMEM)?;
            let piece = at..found.end.min(range.end);
            at = piece.end;
            if mapping.protection == protection {
                continue;
            }
            if !mapping.may.contains(protection) {
                return Err(Errno::EACCES);
            }
            if state.mappings.len() + state.mappings.cuts(&piece) > MAX_MAPPINGS {
                return Err(Errno::ENOMEM);
            }
            let old = mapping.clone();
            let new = Mapping { protection, ..old.clone() };
            let bytes = piece.end - piece.start;
            if new.is_data() && !old.is_data() {
                self.limits.check_more(&state.sizes, 0, bytes)?;
            }
            state.count(&old, bytes, false);
            state.count(&new, bytes, true);
            state.set_entries(&new, piece.start, piece.end, &mut gather);
            state.mappings.update(piece, |_, mapping| mapping.protection = protection);
        }
        Ok(())
    }
}

impl State {
    /// Brings the entries of `[start, end)` in line with `mapping`.
    fn set_entries(&self, mapping: &Mapping, start: u64, end: u64, gather: &mut Gather<'_>) {
        let each = self.tables.for_each(start, end, |addr, slot| {
            let old = slot.get();
            let new = entry_for(mapping, old);
            if new != old {
                slot.set(new);
                // More rights need no flush: an older translation costs one fault, which finds the entry good.
                let lost = (old.flags() - new.flags()) & (Flags::PRESENT | Flags::WRITABLE);
                if !lost.is_empty() || new.has(Flags::NO_EXECUTE) && !old.has(Flags::NO_EXECUTE) {
                    gather.stale(addr, addr + PAGE_SIZE as u64);
                }
            }
            Ok::<_, core::convert::Infallible>(())
        });
        match each {
            Ok(()) => {}
            Err(never) => match never {},
        }
    }
}

/// The entry `old` as `mapping` wants it now.
fn entry_for(mapping: &Mapping, old: Entry) -> Entry {
    let own = if mapping.is_private() {
        // SAFETY: the entry has a share, which `ManuallyDrop` leaves there.
        let frame = || core::mem::ManuallyDrop::new(unsafe { Frame::from_raw(old.phys()) });
        old.has(Flags::ANONYMOUS) && frame().is_sole()
    } else {
        true
    };
    old.with_flags(mapping.entry_flags(own) | (old.flags() & (Flags::ANONYMOUS | Flags::ZERO)))
}
