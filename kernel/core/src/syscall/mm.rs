//! Memory: mmap(2) and its family.
use alloc::sync::Arc;

use tollgate_abi::mm::{
    Advice, MAP_TYPE, MapType, MlockFlags, MlockallFlags, MmapFlags, MremapFlags, MsyncFlags, Prot,
};
use tollgate_abi::{Errno, Result};

use super::args::{Fd, SyscallArg};
use crate::fs::File;
use crate::mm::PAGE_SIZE;
use crate::mm::addr::{UserAddr, page_align_up};
use crate::mm::object::SharedMemory;
use crate::mm::space::{AddressSpace, Backing, Destination, MapFlags, Placement, Protection, Request};
use crate::mm::user;
use crate::task;

crate::flags_argument!(MremapFlags: u64, MsyncFlags: i32, MlockFlags: i32, MlockallFlags: i32);

impl SyscallArg for Prot {
    fn from_raw(raw: u64) -> Result<Self> {
        Ok(Self::from_bits_retain(raw)) // mmap ignores unknown bits, mprotect does not.
    }
}

/// The flags of mmap: its type and its bits, known or not.
#[derive(Clone, Copy, Debug)]
pub struct MmapArg {
    /// `None` for types there are not.
    kind: Option<MapType>,
    flags: MmapFlags,
}

impl SyscallArg for MmapArg {
    fn from_raw(raw: u64) -> Result<Self> {
        let kind = MapType::try_from(raw & MAP_TYPE).ok();
        Ok(Self { kind, flags: MmapFlags::from_bits_retain(raw & !MAP_TYPE) })
    }
}

impl SyscallArg for Advice {
    fn from_raw(raw: u64) -> Result<Self> {
        Self::try_from(raw as i32).map_err(|_| Errno::EINVAL)
    }
}

fn space() -> Result<Arc<AddressSpace>> {
    task::current_space().ok_or(Errno::ENOMEM)
}

fn protection(prot: Prot) -> Protection {
    Protection::from_bits_truncate((prot.bits() & 7) as u8)
}

/// mmap(2).
pub fn mmap(addr: UserAddr, len: u64, prot: Prot, arg: MmapArg, fd: Fd, offset: u64) -> Result<usize> {
    let MmapArg { kind, flags } = arg;
    if !offset.is_multiple_of(PAGE_SIZE as u64) {
        return Err(Errno::EINVAL);
    }
    let file = if flags.contains(MmapFlags::ANONYMOUS) { None } else { Some(task::current().files().get(fd.0)?) };
    if len == 0 {
        return Err(Errno::EINVAL);
    }
    if flags.contains(MmapFlags::HUGETLB) {
        // No huge pages are set aside, and none can be.
        return Err(if file.is_some() { Errno::EINVAL } else { Errno::ENOMEM });
    }
    let protection = protection(prot);
    let mut map_flags = MapFlags::empty();
    for (flag, means) in [
        (MmapFlags::GROWSDOWN, MapFlags::GROWS_DOWN),
        (MmapFlags::LOCKED, MapFlags::LOCKED),
        (MmapFlags::NORESERVE, MapFlags::NO_RESERVE),
    ] {
        map_flags.set(means, flags.contains(flag));
    }
    let space = space()?;
    if flags.contains(MmapFlags::LOCKED) && space.limits().get(crate::mm::space::Limit::Locked) == 0 {
        return Err(Errno::EPERM);
    }
    let (may, backing) = match &file {
        Some(file) => of_file(file, kind, flags, protection, offset, &mut map_flags)?,
        None => of_memory(kind, len, &mut map_flags)?,
    };
    let placement = if flags.contains(MmapFlags::FIXED_NOREPLACE) {
        Placement::FixedNoReplace
    } else if flags.contains(MmapFlags::FIXED) {
        Placement::Fixed
    } else if flags.contains(MmapFlags::BITS_32) {
        Placement::Low
    } else {
        Placement::Hint
    };
    let start = space.map(Request { addr, placement, len, protection, may, flags: map_flags, backing })?;
    if flags & (MmapFlags::POPULATE | MmapFlags::NONBLOCK) == MmapFlags::POPULATE {
        space.prefault(start, len);
    }
    Ok(start.0 as usize)
}

/// What a mapping of a file may be, and what it is made from.
fn of_file(
    file: &Arc<File>,
    kind: Option<MapType>,
    flags: MmapFlags,
    protection: Protection,
    offset: u64,
    map_flags: &mut MapFlags,
) -> Result<(Protection, Option<Backing>)> {
    let mut may = Protection::all();
    match kind.ok_or(Errno::EINVAL)? {
        MapType::Private => {}
        kind => {
            if kind == MapType::SharedValidate && (!MmapFlags::all().contains(flags) || flags.contains(MmapFlags::SYNC))
            {
                return Err(Errno::ENOTSUP);
            }
            if protection.contains(Protection::WRITE) && !file.writable() {
                return Err(Errno::EACCES);
            }
            may.set(Protection::WRITE, file.writable());
            *map_flags |= MapFlags::SHARED;
        }
    }
    if !file.readable() {
        return Err(Errno::EACCES);
    }
    let object = file.memory_object()?;
    if flags.contains(MmapFlags::GROWSDOWN) {
        return Err(Errno::EINVAL);
    }
    Ok((may, Some(Backing { object, first: offset / PAGE_SIZE as u64 })))
}

/// What a mapping without a file is made from.
fn of_memory(kind: Option<MapType>, len: u64, map_flags: &mut MapFlags) -> Result<(Protection, Option<Backing>)> {
    match kind {
        Some(MapType::Private) => Ok((Protection::all(), None)),
        Some(MapType::Shared) => {
            if map_flags.contains(MapFlags::GROWS_DOWN) {
                return Err(Errno::EINVAL);
            }
            *map_flags |= MapFlags::SHARED;
            let pages = page_align_up(len).ok_or(Errno::ENOMEM)? / PAGE_SIZE as u64;
            crate::mm::frame::headroom()?;
            Ok((Protection::all(), Some(Backing { object: SharedMemory::new(pages), first: 0 })))
        }
        _ => Err(Errno::EINVAL),
    }
}

/// mprotect(2).
pub fn mprotect(addr: UserAddr, len: u64, prot: Prot) -> Result<usize> {
    let growth = prot & (Prot::GROWSDOWN | Prot::GROWSUP);
    if growth == Prot::GROWSDOWN | Prot::GROWSUP {
        return Err(Errno::EINVAL);
    }
    if !addr.is_page_aligned() {
        return Err(Errno::EINVAL);
    }
    if len == 0 {
        return Ok(0);
    }
    if !Prot::all().contains(prot) || growth == Prot::GROWSUP {
        return Err(Errno::EINVAL);
    }
    space()?.protect(addr, len, protection(prot), growth == Prot::GROWSDOWN)?;
    Ok(0)
}

/// munmap(2).
pub fn munmap(addr: UserAddr, len: u64) -> Result<usize> {
    space()?.unmap(addr, len)?;
    Ok(0)
}

/// brk(2): the heap's end, moved or not.
pub fn brk(wish: UserAddr) -> Result<usize> {
    Ok(space()?.set_brk(wish).0 as usize)
}

/// mremap(2). MREMAP_DONTUNMAP is not offered.
pub fn mremap(addr: UserAddr, old_len: u64, new_len: u64, flags: MremapFlags, target: UserAddr) -> Result<usize> {
    let to = match flags {
        flags if flags.contains(MremapFlags::DONTUNMAP) => return Err(Errno::EINVAL),
        flags if flags.is_empty() => Destination::Stay,
        MremapFlags::MAYMOVE => Destination::MayMove,
        flags if flags.contains(MremapFlags::MAYMOVE) => Destination::Fixed(target),
        _ => return Err(Errno::EINVAL),
    };
    Ok(space()?.remap(addr, old_len, new_len, to)?.0 as usize)
}

/// msync(2). Every mapping of a file shows the file's own pages, so there is nothing to write back.
pub fn msync(addr: UserAddr, len: u64, flags: MsyncFlags) -> Result<usize> {
    if !addr.is_page_aligned() || flags.contains(MsyncFlags::ASYNC | MsyncFlags::SYNC) {
        return Err(Errno::EINVAL);
    }
    let end = page_align_up(len).and_then(|len| addr.0.checked_add(len)).ok_or(Errno::ENOMEM)?;
    space()?.check_sync(addr.0..end, flags.contains(MsyncFlags::INVALIDATE))?;
    Ok(0)
}

/// mincore(2).
pub fn mincore(addr: UserAddr, len: u64, vector: UserAddr) -> Result<usize> {
    if !addr.is_page_aligned() {
        return Err(Errno::EINVAL);
    }
    let end = page_align_up(len).and_then(|len| addr.0.checked_add(len)).ok_or(Errno::ENOMEM)?;
    if end > crate::mm::USER_END {
        return Err(Errno::ENOMEM);
    }
    let pages = ((end - addr.0) / PAGE_SIZE as u64) as usize;
    vector.check_range(pages)?;
    let space = space()?;
    let mut chunk = [0; 256];
    let mut done = 0;
    while done < pages {
        let part = &mut chunk[..(pages - done).min(256)];
        space.in_core(addr.wrapping_add((done * PAGE_SIZE) as u64), part)?;
        user::write_bytes(vector.wrapping_add(done as u64), part)?;
        done += part.len();
        task::sched::cond_resched();
    }
    Ok(0)
}

/// madvise(2).
pub fn madvise(addr: UserAddr, len: u64, advice: Advice) -> Result<usize> {
    space()?.advise(addr, len, advice)?;
    Ok(0)
}

/// mlock(2).
pub fn mlock(addr: UserAddr, len: u64) -> Result<usize> {
    space()?.lock(addr, len, false)?;
    Ok(0)
}

/// mlock2(2).
pub fn mlock2(addr: UserAddr, len: u64, flags: MlockFlags) -> Result<usize> {
    space()?.lock(addr, len, flags.contains(MlockFlags::ONFAULT))?;
    Ok(0)
}

/// munlock(2).
pub fn munlock(addr: UserAddr, len: u64) -> Result<usize> {
    space()?.unlock(addr, len)?;
    Ok(0)
}

/// mlockall(2).
pub fn mlockall(flags: MlockallFlags) -> Result<usize> {
    if flags.is_empty() || flags == MlockallFlags::ONFAULT {
        return Err(Errno::EINVAL);
    }
    let has = |flag| flags.contains(flag);
    space()?.lock_all(has(MlockallFlags::CURRENT), has(MlockallFlags::FUTURE), has(MlockallFlags::ONFAULT))?;
    Ok(0)
}

/// munlockall(2).
pub fn munlockall() -> Result<usize> {
    space()?.unlock_all();
    Ok(0)
}
