//! Where a new mapping goes.
use core::ops::Range;

use tollgate_abi::{Errno, Result};

use super::{MapFlags, State};
use crate::mm::{PAGE_SIZE, USER_END};

/// Nothing is mapped below this, so that a null pointer with an offset is still a fault (vm.mmap_min_addr).
pub const MIN_ADDRESS: u64 = 65536;
/// Bytes kept free below a mapping that grows downwards (Linux's stack_guard_gap).
pub(super) const GUARD_GAP: u64 = 256 * PAGE_SIZE as u64;
/// Where MAP_32BIT goes.
const LOW_RANGE: Range<u64> = 0x4000_0000..0x8000_0000;

/// What the caller wants of the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// That address if it is free, else any.
    Hint,
    /// As [`Self::Hint`], below 2 GiB (MAP_32BIT).
    Low,
    /// That address, in place of what is there (MAP_FIXED).
    Fixed,
    /// That address, or nothing (MAP_FIXED_NOREPLACE).
    FixedNoReplace,
}

impl State {
    /// The address for a mapping of `len` bytes (whole pages, not 0).
    ///
    /// # Errors
    /// `EINVAL` for a fixed address that is not a page's, `EPERM` for one below [`MIN_ADDRESS`], `EEXIST` where
    /// something is and must not be replaced, `ENOMEM` when no place is large enough.
    pub(super) fn place(&self, addr: u64, len: u64, placement: Placement) -> Result<u64> {
        if len > USER_END {
            return Err(Errno::ENOMEM);
        }
        match placement {
            Placement::Fixed | Placement::FixedNoReplace => {
                if addr > USER_END - len {
                    return Err(Errno::ENOMEM);
                }
                if !addr.is_multiple_of(PAGE_SIZE as u64) {
                    return Err(Errno::EINVAL);
                }
                if addr < MIN_ADDRESS {
                    return Err(Errno::EPERM);
                }
                if placement == Placement::FixedNoReplace && !self.mappings.is_free(&(addr..addr + len)) {
                    return Err(Errno::EEXIST);
                }
                Ok(addr)
            }
            Placement::Hint | Placement::Low => {
                if addr != 0 {
                    let hint = (addr & !(PAGE_SIZE as u64 - 1)).max(MIN_ADDRESS);
                    let end = if placement == Placement::Low { LOW_RANGE.end } else { USER_END };
                    if hint.checked_add(len).is_some_and(|e| e <= end) && self.is_placeable(&(hint..hint + len)) {
                        return Ok(hint);
                    }
                }
                self.find_free(len, PAGE_SIZE as u64, placement == Placement::Low)
            }
        }
    }

    /// A free place of `len` bytes, aligned to `align` (a power of two): the highest below the top that execve chose,
    /// else any.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn find_free(&self, len: u64, align: u64, low: bool) -> Result<u64> {
        // A place that is larger by the alignment holds an aligned one.
        let room = len.checked_add(align - PAGE_SIZE as u64).ok_or(Errno::ENOMEM)?;
        let align_up = |start: u64| start.next_multiple_of(align);
        if low {
            return self.mappings.lowest_gap(room, LOW_RANGE).map(align_up).ok_or(Errno::ENOMEM);
        }
        let mut top = self.mmap_top;
        while let Some(start) = self.mappings.highest_gap(room, MIN_ADDRESS..top) {
            if self.is_placeable(&(start..start + room)) {
                // The highest aligned start in it.
                return Ok((start + room - len) & !(align - 1));
            }
            // A stack is just above: leave it its guard gap.
            top = start + room - PAGE_SIZE as u64;
        }
        self.mappings.lowest_gap(room, self.mmap_top..USER_END).map(align_up).ok_or(Errno::ENOMEM)
    }

    /// Whether nothing is in `range`, nor a stack so close above that it could run into it.
    pub(super) fn is_placeable(&self, range: &Range<u64>) -> bool {
        self.mappings.at_or_above(range.start).is_none_or(|(next, mapping)| {
            let gap = if mapping.flags.contains(MapFlags::GROWS_DOWN) { GUARD_GAP } else { 0 };
            next.start.saturating_sub(gap) >= range.end
        })
    }
}
