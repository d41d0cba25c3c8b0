//! madvise and mincore.
use core::ops::Range;

use tollgate_abi::mm::Advice;
use tollgate_abi::{Errno, Result};

use super::map::MAX_MAPPINGS;
use super::{AddressSpace, Fault, Gather, MapFlags, Mapping, State, UserAddr};
use crate::mm::{PAGE_SIZE, USER_END, frame};

impl AddressSpace {
    /// madvise(2) on the pages of `[addr, addr + len)`.
    ///
    /// # Errors
    /// `EINVAL` for an odd address or advice that does not suit a mapping, `ENOMEM` where nothing is mapped (the rest
    /// is advised all the same) or memory is short, `EFAULT` for pages that cannot be populated.
    pub fn advise(&self, addr: UserAddr, len: u64, advice: Advice) -> Result<()> {
        if !addr.is_page_aligned() {
            return Err(Errno::EINVAL);
        }
        let end = crate::mm::addr::page_align_up(len).and_then(|len| addr.0.checked_add(len)).ok_or(Errno::EINVAL)?;
        if end == addr.0 {
            return Ok(());
        }
        let range = addr.0..end.min(USER_END);
        let beyond = if end > USER_END { Err(Errno::ENOMEM) } else { Ok(()) };
        match advice {
            Advice::PopulateRead | Advice::PopulateWrite => {
                let write = advice == Advice::PopulateWrite;
                let outcome = self.populate(range, write).map_err(|fault| match fault {
                    Fault::NotMapped | Fault::NoMemory => Errno::ENOMEM,
                    Fault::Denied | Fault::PastEnd => Errno::EFAULT,
                });
                outcome.and(beyond)
            }
            _ => self.advise_each(range, advice).and(beyond),
        }
    }

    fn advise_each(&self, range: Range<u64>, advice: Advice) -> Result<()> {
        frame::headroom().or_else(|error| if frees(advice) { Ok(()) } else { Err(error) })?;
        let mut state = self.state.lock();
        let mut gather = Gather::new(self);
        let (mut at, mut outcome) = (range.start, Ok(()));
        while at < range.end {
            let Some((found, mapping)) = state.mappings.at_or_above(at).filter(|(found, _)| found.start < range.end)
            else {
                return Err(Errno::ENOMEM);
            };
            if found.start > at {
                outcome = Err(Errno::ENOMEM);
            }
            let piece = found.start.max(at)..found.end.min(range.end);
            at = piece.end;
            match effect(mapping, advice)? {
                Effect::None => {}
                Effect::Drop => state.tables.clear(piece.start, piece.end, &mut gather),
                Effect::Flags(flags) => state.set_flags(piece, flags)?,
            }
        }
        outcome
    }

    /// mincore(2): one byte per page from `addr` on, 1 where it is in memory.
    ///
    /// # Errors
    /// `ENOMEM` where nothing is mapped.
    pub fn in_core(&self, addr: UserAddr, out: &mut [u8]) -> Result<()> {
        let state = self.state.lock();
        for (i, byte) in out.iter_mut().enumerate() {
            let page = addr.0 + (i * PAGE_SIZE) as u64;
            let (range, mapping) = state.mappings.get(page).ok_or(Errno::ENOMEM)?;
            let mapped = state.tables.slot(page).is_some_and(|slot| !slot.get().is_empty());
            let at_hand = || {
                mapping.backing.as_ref().is_some_and(|backing| {
                    let index = backing.first + (page - range.start) / PAGE_SIZE as u64;
                    backing.object.page_at_hand(index).is_some()
                })
            };
            *byte = u8::from(mapped || at_hand());
        }
        Ok(())
    }

    /// msync(2) on `range`, as far as there is anything to do: all of it must be mapped.
    ///
    /// # Errors
    /// `EBUSY` for locked memory with `invalidate`, `ENOMEM` where nothing is mapped.
    pub fn check_sync(&self, range: Range<u64>, invalidate: bool) -> Result<()> {
        let state = self.state.lock();
        let pieces = state.mappings.iter_from(range.start).take_while(|(found, _)| found.start < range.end);
        if invalidate && pieces.into_iter().any(|(_, mapping)| mapping.flags.contains(MapFlags::LOCKED)) {
            return Err(Errno::EBUSY);
        }
        if range.is_empty() || state.mappings.covers(&range) { Ok(()) } else { Err(Errno::ENOMEM) }
    }
}

impl State {
    /// Gives the mappings of `range`, which lies in one, other flags.
    fn set_flags(&mut self, range: Range<u64>, flags: MapFlags) -> Result<()> {
        if self.mappings.get(range.start).is_some_and(|(_, mapping)| mapping.flags == flags) {
            return Ok(());
        }
        if self.mappings.len() + self.mappings.cuts(&range) > MAX_MAPPINGS {
            return Err(Errno::ENOMEM);
        }
        self.mappings.update(range, |_, mapping| mapping.flags = flags);
        Ok(())
    }
}

/// What a piece of advice does to a mapping.
enum Effect {
    None,
    /// Its pages go; the next access finds zeros, or the object's pages.
    Drop,
    /// It has these flags from now on.
    Flags(MapFlags),
}

/// Whether advice gives memory back, and must work when there is none.
fn frees(advice: Advice) -> bool {
    matches!(advice, Advice::DontNeed | Advice::DontNeedLocked | Advice::Free)
}

fn effect(mapping: &Mapping, advice: Advice) -> Result<Effect> {
    let plain = mapping.is_private() && mapping.backing.is_none();
    let locked = mapping.flags.contains(MapFlags::LOCKED);
    let access = MapFlags::SEQUENTIAL | MapFlags::RANDOM;
    Ok(match advice {
        Advice::Normal => Effect::Flags(mapping.flags - access),
        Advice::Random => Effect::Flags(mapping.flags.difference(access) | MapFlags::RANDOM),
        Advice::Sequential => Effect::Flags(mapping.flags.difference(access) | MapFlags::SEQUENTIAL),
        Advice::DontFork => Effect::Flags(mapping.flags | MapFlags::DONT_FORK),
        Advice::DoFork => Effect::Flags(mapping.flags - MapFlags::DONT_FORK),
        Advice::DontDump => Effect::Flags(mapping.flags | MapFlags::DONT_DUMP),
        Advice::DoDump => Effect::Flags(mapping.flags - MapFlags::DONT_DUMP),
        Advice::WipeOnFork if plain => Effect::Flags(mapping.flags | MapFlags::WIPE_ON_FORK),
        Advice::KeepOnFork => Effect::Flags(mapping.flags - MapFlags::WIPE_ON_FORK),
        Advice::DontNeed if !locked => Effect::Drop,
        Advice::DontNeedLocked => Effect::Drop,
        // The program allows us to take the pages at any time: that can be now.
        Advice::Free if plain => Effect::Drop,
        Advice::Cold | Advice::PageOut if !locked => Effect::None,
        Advice::WillNeed | Advice::HugePage | Advice::NoHugePage | Advice::Mergeable | Advice::Unmergeable => {
            Effect::None
        }
        _ => return Err(Errno::EINVAL),
    })
}
