//! Attributes: the stat family, access, chmod, chown, times, truncate.
use alloc::vec::Vec;

use tollgate_abi::fs::{
    AT_FDCWD, AccessMode, AtFlags, PATH_MAX, STATX_ATTR_MOUNT_ROOT, STATX_BASIC_STATS, STATX_BTIME, STATX_MNT_ID,
    STATX_RESERVED, Stat, Statfs, Statx, StatxTime, UTIME_NOW, UTIME_OMIT, major, minor, mode,
};
use tollgate_abi::time::{NANOS, TimeSpec};
use tollgate_abi::{Errno, Result};

use super::args::Fd;
use super::file::file;
use crate::fs::inode::{Time, stat as stat_of};
use crate::fs::open::{resolve_at, resolve_with};
use crate::fs::{Access, Path, permission, permitted};
use crate::mm::user::{UserPtr, read_string};
use crate::task::current;

crate::flags_argument!(AtFlags: u32, AccessMode: u32);

/// Copies a path in.
pub(super) fn path(path: UserPtr<u8>) -> Result<Vec<u8>> {
    read_string(path.addr(), PATH_MAX, Errno::ENAMETOOLONG)
}

/// Refuses flags that a call does not take.
pub(super) fn only(flags: AtFlags, known: AtFlags) -> Result<()> {
    if known.contains(flags) { Ok(()) } else { Err(Errno::EINVAL) }
}

/// The place of descriptor `fd`, which may only name it.
fn place(fd: Fd) -> Result<Path> {
    Ok(current().files().get_any(fd.0)?.path().clone())
}

/// stat(2).
pub(super) fn stat(name: UserPtr<u8>, to: UserPtr<Stat>) -> Result<usize> {
    let found = resolve_at(AT_FDCWD, &path(name)?, true)?;
    to.write(&stat_of(&**found.inode())).map(|()| 0)
}

/// lstat(2).
pub(super) fn lstat(name: UserPtr<u8>, to: UserPtr<Stat>) -> Result<usize> {
    let found = resolve_at(AT_FDCWD, &path(name)?, false)?;
    to.write(&stat_of(&**found.inode())).map(|()| 0)
}

/// fstat(2).
pub(super) fn fstat(fd: Fd, to: UserPtr<Stat>) -> Result<usize> {
    let file = current().files().get_any(fd.0)?;
    to.write(&stat_of(&**file.path().inode())).map(|()| 0)
}

/// newfstatat(2).
pub(super) fn newfstatat(dirfd: Fd, name: UserPtr<u8>, to: UserPtr<Stat>, flags: AtFlags) -> Result<usize> {
    only(flags, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | AtFlags::EMPTY_PATH)?;
    let found = resolve_with(dirfd.0, &path(name)?, flags)?;
    to.write(&stat_of(&**found.inode())).map(|()| 0)
}

/// statx(2). All that is known is told, whatever the mask asks for.
pub(super) fn statx(dirfd: Fd, name: UserPtr<u8>, flags: AtFlags, mask: u32, to: UserPtr<Statx>) -> Result<usize> {
    let syncs = AtFlags::STATX_FORCE_SYNC | AtFlags::STATX_DONT_SYNC;
    only(flags, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | AtFlags::EMPTY_PATH | syncs)?;
    if flags.contains(syncs) || mask & STATX_RESERVED != 0 {
        return Err(Errno::EINVAL);
    }
    let found = resolve_with(dirfd.0, &path(name)?, flags)?;
    let (inode, attributes) = (found.inode(), found.inode().attributes());
    let time = |ns| {
        let TimeSpec { sec, nsec } = TimeSpec::from_nanos(ns);
        StatxTime { sec, nsec: nsec as u32, pad: 0 }
    };
    let is_mount_root = alloc::sync::Arc::ptr_eq(&found.dentry, found.mount.root());
    to.write(&Statx {
        mask: STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID,
        blksize: crate::mm::PAGE_SIZE as u32,
        attributes: if is_mount_root { STATX_ATTR_MOUNT_ROOT } else { 0 },
        nlink: attributes.links(),
        uid: attributes.uid(),
        gid: attributes.gid(),
        mode: attributes.mode() as u16,
        ino: attributes.ino,
        size: inode.size(),
        blocks: inode.blocks(),
        attributes_mask: STATX_ATTR_MOUNT_ROOT,
        atime: time(attributes.time(Time::Access)),
        btime: time(attributes.born()),
        ctime: time(attributes.time(Time::Change)),
        mtime: time(attributes.time(Time::Modify)),
        rdev_major: major(attributes.rdev),
        rdev_minor: minor(attributes.rdev),
        dev_major: major(attributes.device),
        dev_minor: minor(attributes.device),
        mnt_id: found.mount.id,
        ..Statx::default()
    })?;
    Ok(0)
}

/// statfs(2).
pub(super) fn statfs(name: UserPtr<u8>, to: UserPtr<Statfs>) -> Result<usize> {
    let found = resolve_at(AT_FDCWD, &path(name)?, true)?;
    to.write(&found.mount.statfs()).map(|()| 0)
}

/// fstatfs(2).
pub(super) fn fstatfs(fd: Fd, to: UserPtr<Statfs>) -> Result<usize> {
    to.write(&place(fd)?.mount.statfs()).map(|()| 0)
}

/// faccessat2(2).
pub(super) fn faccessat2(dirfd: Fd, name: UserPtr<u8>, wanted: AccessMode, flags: AtFlags) -> Result<usize> {
    only(flags, AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH | AtFlags::EACCESS_OR_REMOVEDIR)?;
    let found = resolve_with(dirfd.0, &path(name)?, flags)?;
    permitted(found.inode().attributes(), Access::from_bits_retain(wanted.bits()))?;
    if wanted.contains(AccessMode::WRITE) && !found.inode().attributes().is_device() {
        found.mount.check_writable()?;
    }
    Ok(0)
}

/// faccessat(2).
pub(super) fn faccessat(dirfd: Fd, name: UserPtr<u8>, wanted: AccessMode) -> Result<usize> {
    faccessat2(dirfd, name, wanted, AtFlags::empty())
}

/// access(2).
pub(super) fn access(name: UserPtr<u8>, wanted: AccessMode) -> Result<usize> {
    faccessat(Fd(AT_FDCWD), name, wanted)
}

fn set_permissions(at: &Path, permissions: u32) -> Result<usize> {
    at.mount.check_writable()?;
    let attributes = at.inode().attributes();
    if attributes.is_symlink() {
        return Err(Errno::ENOTSUP);
    }
    permission::owns(attributes)?;
    attributes.set_permissions(permissions & mode::PERMISSIONS);
    Ok(0)
}

/// fchmodat2(2).
pub(super) fn fchmodat2(dirfd: Fd, name: UserPtr<u8>, permissions: u32, flags: AtFlags) -> Result<usize> {
    only(flags, AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH)?;
    set_permissions(&resolve_with(dirfd.0, &path(name)?, flags)?, permissions)
}

/// fchmodat(2): the system call has no flags.
pub(super) fn fchmodat(dirfd: Fd, name: UserPtr<u8>, permissions: u32) -> Result<usize> {
    fchmodat2(dirfd, name, permissions, AtFlags::empty())
}

/// chmod(2).
pub(super) fn chmod(name: UserPtr<u8>, permissions: u32) -> Result<usize> {
    fchmodat(Fd(AT_FDCWD), name, permissions)
}

/// fchmod(2).
pub(super) fn fchmod(fd: Fd, permissions: u32) -> Result<usize> {
    set_permissions(file(fd)?.path(), permissions)
}

fn set_owner(at: &Path, uid: u32, gid: u32) -> Result<usize> {
    at.mount.check_writable()?;
    let given = |id: u32| (id != u32::MAX).then_some(id);
    let attributes = at.inode().attributes();
    permission::may_give(attributes, given(uid), given(gid))?;
    attributes.set_owner(given(uid), given(gid));
    // A program that ran as its owner or group must not do so for the new one.
    if attributes.is_regular() && attributes.mode() & (mode::SETUID | mode::SETGID) != 0 {
        attributes.set_permissions(attributes.mode() & !(mode::SETUID | mode::SETGID));
    }
    Ok(0)
}

/// fchownat(2).
pub(super) fn fchownat(dirfd: Fd, name: UserPtr<u8>, uid: u32, gid: u32, flags: AtFlags) -> Result<usize> {
    only(flags, AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH)?;
    set_owner(&resolve_with(dirfd.0, &path(name)?, flags)?, uid, gid)
}

/// chown(2).
pub(super) fn chown(name: UserPtr<u8>, uid: u32, gid: u32) -> Result<usize> {
    fchownat(Fd(AT_FDCWD), name, uid, gid, AtFlags::empty())
}

/// lchown(2).
pub(super) fn lchown(name: UserPtr<u8>, uid: u32, gid: u32) -> Result<usize> {
    fchownat(Fd(AT_FDCWD), name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
}

/// fchown(2).
pub(super) fn fchown(fd: Fd, uid: u32, gid: u32) -> Result<usize> {
    set_owner(file(fd)?.path(), uid, gid)
}

/// Sets access and modification time; `None` is the present.
fn set_times(at: &Path, times: Option<[TimeSpec; 2]>) -> Result<usize> {
    at.mount.check_writable()?;
    let attributes = at.inode().attributes();
    if permission::owns(attributes).is_err() {
        let now = |time: &TimeSpec| time.nsec == UTIME_NOW;
        if times.is_some_and(|times| !times.iter().all(now)) {
            return Err(Errno::EPERM);
        }
        permitted(attributes, Access::WRITE)?;
    }
    let Some(times) = times else {
        attributes.touch(&[Time::Access, Time::Modify, Time::Change]);
        return Ok(0);
    };
    for TimeSpec { nsec, .. } in times {
        if !(0..NANOS).contains(&nsec) && nsec != UTIME_NOW && nsec != UTIME_OMIT {
            return Err(Errno::EINVAL);
        }
    }
    for (which, TimeSpec { sec, nsec }) in [Time::Access, Time::Modify].into_iter().zip(times) {
        match nsec {
            UTIME_NOW => attributes.touch(&[which]),
            UTIME_OMIT => {}
            _ => attributes.set_time(which, sec.saturating_mul(NANOS).saturating_add(nsec)),
        }
    }
    if times.iter().any(|time| time.nsec != UTIME_OMIT) {
        attributes.touch(&[Time::Change]);
    }
    Ok(0)
}

/// utimensat(2): without a path the descriptor's own file.
pub(super) fn utimensat(dirfd: Fd, name: UserPtr<u8>, times: UserPtr<[TimeSpec; 2]>, flags: AtFlags) -> Result<usize> {
    let times = times.non_null().map(|times| times.read()).transpose()?;
    if name.is_null() {
        only(flags, AtFlags::empty())?;
        return set_times(file(dirfd)?.path(), times);
    }
    only(flags, AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH)?;
    set_times(&resolve_with(dirfd.0, &path(name)?, flags)?, times)
}

/// Seconds and microseconds as seconds and nanoseconds.
fn from_microseconds([seconds, microseconds]: [i64; 2]) -> Result<TimeSpec> {
    if !(0..1_000_000).contains(&microseconds) {
        return Err(Errno::EINVAL);
    }
    Ok(TimeSpec { sec: seconds, nsec: microseconds * 1000 })
}

/// futimesat(2).
pub(super) fn futimesat(dirfd: Fd, name: UserPtr<u8>, times: UserPtr<[[i64; 2]; 2]>) -> Result<usize> {
    let times = match times.non_null().map(|times| times.read()).transpose()? {
        Some([access, modify]) => Some([from_microseconds(access)?, from_microseconds(modify)?]),
        None => None,
    };
    set_times(&resolve_at(dirfd.0, &path(name)?, true)?, times)
}

/// utimes(2).
pub(super) fn utimes(name: UserPtr<u8>, times: UserPtr<[[i64; 2]; 2]>) -> Result<usize> {
    futimesat(Fd(AT_FDCWD), name, times)
}

/// utime(2).
pub(super) fn utime(name: UserPtr<u8>, times: UserPtr<[i64; 2]>) -> Result<usize> {
    let times = times.non_null().map(|times| times.read()).transpose()?;
    let times = times.map(|seconds| seconds.map(|sec| TimeSpec { sec, nsec: 0 }));
    set_times(&resolve_at(AT_FDCWD, &path(name)?, true)?, times)
}

fn truncate_place(at: &Path, len: i64) -> Result<usize> {
    let len = u64::try_from(len).map_err(|_| Errno::EINVAL)?;
    at.mount.check_writable()?;
    at.inode().truncate(len).map(|()| 0)
}

/// truncate(2).
pub(super) fn truncate(name: UserPtr<u8>, len: i64) -> Result<usize> {
    if len < 0 {
        return Err(Errno::EINVAL);
    }
    let found = resolve_at(AT_FDCWD, &path(name)?, true)?;
    let attributes = found.inode().attributes();
    permitted(attributes, Access::WRITE)?;
    // What a running program comes from must not change under it.
    attributes.writers.start_writing()?;
    let truncated = truncate_place(&found, len);
    attributes.writers.stop_writing();
    truncated
}

/// ftruncate(2).
pub(super) fn ftruncate(fd: Fd, len: i64) -> Result<usize> {
    let file = file(fd)?;
    if !file.writable() || !file.path().inode().attributes().is_regular() {
        return Err(Errno::EINVAL);
    }
    truncate_place(file.path(), len)
}
