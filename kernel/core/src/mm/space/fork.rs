//! fork: a copy of everything, made page by page when either side stores.
use alloc::sync::Arc;

use tollgate_abi::{Errno, Result};

use super::{AddressSpace, Gather, MapFlags, Mapping, Resident, Sizes, State};
use crate::mm::PAGE_SIZE;
use crate::mm::frame::{self, Frame};
use crate::mm::table::Flags;

impl AddressSpace {
    /// A copy-on-write copy, as fork makes it.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn fork(&self) -> Result<Arc<Self>> {
        let child = Self::new()?;
        child.limits.copy_from(&self.limits);
        let mine = self.state.lock();
        let mut theirs = child.state.lock_nested();
        theirs.mappings = mine.mappings.try_clone(|mapping| {
            frame::headroom()?;
            // Locks are not inherited.
            Ok::<_, Errno>(Mapping {
                flags: mapping.flags - (MapFlags::LOCKED | MapFlags::LOCK_ON_FAULT),
                ..mapping.clone()
            })
        })?;
        theirs.sizes = Sizes { locked: 0, ..mine.sizes };
        (theirs.mmap_top, theirs.stack_top) = (mine.mmap_top, mine.stack_top);
        (theirs.brk_start, theirs.brk) = (mine.brk_start, mine.brk);
        theirs.leave_out();
        // Where entries lose the right to store, this space's TLBs must forget it before we return.
        let mut gather = Gather::new(self);
        for (range, mapping) in mine.mappings.iter() {
            if !mapping.flags.intersects(MapFlags::DONT_FORK | MapFlags::WIPE_ON_FORK) {
                let frames = copy_entries(&mine, &mut theirs, mapping, range.start, range.end, &mut gather)?;
                child.resident.add_all(frames);
            }
        }
        drop(gather);
        drop(theirs);
        Ok(child)
    }
}

impl State {
    /// Removes the mappings that a child does not get.
    fn leave_out(&mut self) {
        loop {
            let next = self.mappings.iter().find(|(_, mapping)| mapping.flags.contains(MapFlags::DONT_FORK));
            let Some((range, _)) = next else { return };
            let bytes = range.end - range.start;
            if let Some((_, mapping)) = self.mappings.take_first(&range) {
                // Its object lives on in the parent, whose lock is held, so this cannot be the last reference.
                self.count(&mapping, bytes, false);
            }
        }
    }
}

/// Copies the entries of `[start, end)`; how many frames the child has more by it.
fn copy_entries(
    mine: &State,
    theirs: &mut State,
    mapping: &Mapping,
    start: u64,
    end: u64,
    gather: &mut Gather<'_>,
) -> Result<Resident> {
    let mut frames = Resident::default();
    mine.tables.for_each_leaf(start, end, |addr, leaf, entries| {
        let Some(first) = leaf.used(entries.clone()).next() else { return Ok(()) };
        let child = theirs.tables.make_leaf(addr)?;
        let mut lost_write = false;
        for index in leaf.used(first..entries.end) {
            let mut entry = leaf.get(index);
            if mapping.is_private() && entry.has(Flags::WRITABLE) {
                entry = entry.with_flags(entry.flags() - Flags::WRITABLE);
                leaf.change(index, entry);
                lost_write = true;
            }
            if !entry.has(Flags::ZERO) {
                // SAFETY: the entry has a share, which `ManuallyDrop` leaves there; the clone's goes to the child's.
                let frame = core::mem::ManuallyDrop::new(unsafe { Frame::from_raw(entry.phys()) });
                (*frame).clone().into_raw();
                frames.add(entry, 1);
            }
            child.set(index, entry);
        }
        if lost_write {
            gather.stale(addr, addr + (entries.len() * PAGE_SIZE) as u64);
        }
        Ok(())
    })?;
    Ok(frames)
}
