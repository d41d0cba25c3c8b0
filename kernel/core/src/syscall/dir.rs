//! Names: mkdir, unlink, rename, link, symlink, mknod, readlink, getdents, chdir, getcwd, chroot, umask.
use alloc::vec::Vec;
use core::ops::ControlFlow;

use tollgate_abi::fs::{AT_FDCWD, AtFlags, Dirent64, NAME_MAX, PATH_MAX, RenameFlags, mode};
use tollgate_abi::{Errno, Result};
use zerocopy::IntoBytes;

use super::args::Fd;
use super::file::file;
use super::stat::{only, path};
use crate::fs::dir::Entry;
use crate::fs::open::{make, resolve_at, walk_at};
use crate::fs::path::{Last, Walk};
use crate::fs::{Access, Follow, Inode, NewInode, Path, permission, permitted};
use crate::mm::addr::UserAddr;
use crate::mm::user::{UserPtr, write_bytes};
use crate::sync::{Mutex, Rank};
use crate::task::current;

crate::flags_argument!(RenameFlags: u32);

/// Renames come one at a time, so that the tree keeps its shape while one looks at it.
static RENAME: Mutex<()> = Mutex::new(Rank::Rename, ());

/// Walks up to the last component of a name that is to be made.
fn new_name<'p>(dirfd: Fd, name: &'p [u8], directory: bool) -> Result<Walk<'p>> {
    let mut walk = walk_at(dirfd.0, name)?;
    match walk.walk_to_last()? {
        Last::Name if walk.wants_directory() && !directory => {
            // A slash at the end of what is no directory: an error either way.
            Err(if walk.child().is_ok() { Errno::EEXIST } else { Errno::ENOENT })
        }
        Last::Name => Ok(walk),
        _ => Err(Errno::EEXIST),
    }
}

/// Makes `new` at `name`.
fn make_at(dirfd: Fd, name: &[u8], new: NewInode) -> Result<usize> {
    let directory = new.mode & mode::TYPE == mode::DIRECTORY;
    let walk = new_name(dirfd, name, directory)?;
    make(&walk.at, walk.last_name(), new).map(|_| 0)
}

/// mkdirat(2).
pub(super) fn mkdirat(dirfd: Fd, name: UserPtr<u8>, permissions: u32) -> Result<usize> {
    make_at(dirfd, &path(name)?, NewInode::of_current(mode::DIRECTORY | permissions & 0o1777))
}

/// mkdir(2).
pub(super) fn mkdir(name: UserPtr<u8>, permissions: u32) -> Result<usize> {
    mkdirat(Fd(AT_FDCWD), name, permissions)
}

/// mknodat(2).
pub(super) fn mknodat(dirfd: Fd, name: UserPtr<u8>, new_mode: u32, device: u32) -> Result<usize> {
    let kind = match new_mode & mode::TYPE {
        0 => mode::REGULAR,
        kind @ (mode::REGULAR | mode::CHARACTER | mode::BLOCK | mode::FIFO | mode::SOCKET) => kind,
        mode::DIRECTORY => return Err(Errno::EPERM),
        _ => return Err(Errno::EINVAL),
    };
    let is_device = matches!(kind, mode::CHARACTER | mode::BLOCK);
    let rdev = if is_device { u64::from(device) } else { 0 };
    if is_device && !current().creds().is_privileged() {
        return Err(Errno::EPERM);
    }
    make_at(dirfd, &path(name)?, NewInode { rdev, ..NewInode::of_current(kind | new_mode & mode::PERMISSIONS) })
}

/// mknod(2).
pub(super) fn mknod(name: UserPtr<u8>, mode: u32, device: u32) -> Result<usize> {
    mknodat(Fd(AT_FDCWD), name, mode, device)
}

/// symlinkat(2).
pub(super) fn symlinkat(target: UserPtr<u8>, dirfd: Fd, name: UserPtr<u8>) -> Result<usize> {
    let target = path(target)?;
    if target.is_empty() {
        return Err(Errno::ENOENT);
    }
    let new = NewInode { target: target.into(), mode: mode::SYMLINK | 0o777, ..NewInode::of_current(0) };
    make_at(dirfd, &path(name)?, new)
}

/// symlink(2).
pub(super) fn symlink(target: UserPtr<u8>, name: UserPtr<u8>) -> Result<usize> {
    symlinkat(target, Fd(AT_FDCWD), name)
}

/// linkat(2).
pub(super) fn linkat(from_dir: Fd, from: UserPtr<u8>, to_dir: Fd, to: UserPtr<u8>, flags: AtFlags) -> Result<usize> {
    only(flags, AtFlags::SYMLINK_FOLLOW | AtFlags::EMPTY_PATH)?;
    let mut how = flags & AtFlags::EMPTY_PATH;
    how.set(AtFlags::SYMLINK_NOFOLLOW, !flags.contains(AtFlags::SYMLINK_FOLLOW));
    let found = crate::fs::open::resolve_with(from_dir.0, &path(from)?, how)?;
    let to = path(to)?;
    let walk = new_name(to_dir, &to, false)?;
    if walk.child().is_ok() {
        return Err(Errno::EEXIST);
    }
    if !alloc::sync::Arc::ptr_eq(&walk.at.mount, &found.mount) {
        return Err(Errno::EXDEV);
    }
    let attributes = found.inode().attributes();
    if attributes.is_directory() {
        return Err(Errno::EPERM);
    }
    if attributes.links() == 0 {
        return Err(Errno::ENOENT);
    }
    change_names(&walk.at)?.link(&walk.at.dentry, walk.last_name(), found.inode().clone()).map(|()| 0)
}

/// link(2).
pub(super) fn link(from: UserPtr<u8>, to: UserPtr<u8>) -> Result<usize> {
    linkat(Fd(AT_FDCWD), from, Fd(AT_FDCWD), to, AtFlags::empty())
}

/// The directory `at`, if the current task may change names in it.
fn change_names(at: &Path) -> Result<&dyn Inode> {
    at.mount.check_writable()?;
    permitted(at.inode().attributes(), Access::WRITE | Access::EXECUTE)?;
    Ok(&**at.inode())
}

fn remove(dirfd: Fd, name: &[u8], directory: bool) -> Result<usize> {
    let mut walk = walk_at(dirfd.0, name)?;
    let last = walk.walk_to_last()?;
    match (last, directory) {
        (Last::Name, _) => {}
        (_, false) => return Err(Errno::EISDIR),
        (Last::Dot, true) => return Err(Errno::EINVAL),
        (Last::DotDot, true) => return Err(Errno::ENOTEMPTY),
        (Last::Root, true) => return Err(Errno::EBUSY),
    }
    if walk.wants_directory() && !directory {
        let is_directory = walk.child()?.inode().attributes().is_directory();
        return Err(if is_directory { Errno::EISDIR } else { Errno::ENOTDIR });
    }
    let parent = change_names(&walk.at)?;
    permission::may_remove(parent.attributes(), walk.child()?.inode().attributes())?;
    parent.unlink(walk.last_name(), directory).map(|()| 0)
}

/// unlinkat(2).
pub(super) fn unlinkat(dirfd: Fd, name: UserPtr<u8>, flags: AtFlags) -> Result<usize> {
    only(flags, AtFlags::EACCESS_OR_REMOVEDIR)?;
    remove(dirfd, &path(name)?, !flags.is_empty())
}

/// unlink(2).
pub(super) fn unlink(name: UserPtr<u8>) -> Result<usize> {
    remove(Fd(AT_FDCWD), &path(name)?, false)
}

/// rmdir(2).
pub(super) fn rmdir(name: UserPtr<u8>) -> Result<usize> {
    remove(Fd(AT_FDCWD), &path(name)?, true)
}

/// renameat2(2).
pub(super) fn renameat2(
    from_dir: Fd,
    from: UserPtr<u8>,
    to_dir: Fd,
    to: UserPtr<u8>,
    flags: RenameFlags,
) -> Result<usize> {
    if flags.contains(RenameFlags::WHITEOUT)
        || flags.contains(RenameFlags::EXCHANGE) && flags.contains(RenameFlags::NOREPLACE)
    {
        return Err(Errno::EINVAL);
    }
    let (from, to) = (path(from)?, path(to)?);
    let (mut source, mut target) = (walk_at(from_dir.0, &from)?, walk_at(to_dir.0, &to)?);
    let source_last = source.walk_to_last()?;
    let target_last = target.walk_to_last()?;
    if !alloc::sync::Arc::ptr_eq(&source.at.mount, &target.at.mount) {
        return Err(Errno::EXDEV);
    }
    if source_last != Last::Name {
        return Err(Errno::EBUSY);
    }
    if target_last != Last::Name {
        return Err(if flags.contains(RenameFlags::NOREPLACE) { Errno::EEXIST } else { Errno::EBUSY });
    }
    let _one = RENAME.lock();
    let moved = source.child()?;
    let moves_directory = moved.inode().attributes().is_directory();
    if !moves_directory
        && (source.wants_directory() || target.wants_directory() && !flags.contains(RenameFlags::EXCHANGE))
    {
        return Err(Errno::ENOTDIR);
    }
    permission::may_remove(change_names(&target.at)?.attributes(), moved.inode().attributes())?;
    let directory = change_names(&source.at)?;
    permission::may_remove(directory.attributes(), moved.inode().attributes())?;
    directory.rename(&source.at.dentry, source.last_name(), &target.at.dentry, target.last_name(), flags).map(|()| 0)
}

/// renameat(2).
pub(super) fn renameat(from_dir: Fd, from: UserPtr<u8>, to_dir: Fd, to: UserPtr<u8>) -> Result<usize> {
    renameat2(from_dir, from, to_dir, to, RenameFlags::empty())
}

/// rename(2).
pub(super) fn rename(from: UserPtr<u8>, to: UserPtr<u8>) -> Result<usize> {
    renameat(Fd(AT_FDCWD), from, Fd(AT_FDCWD), to)
}

/// readlinkat(2).
pub(super) fn readlinkat(dirfd: Fd, name: UserPtr<u8>, buffer: UserAddr, size: i32) -> Result<usize> {
    if size <= 0 {
        return Err(Errno::EINVAL);
    }
    let name = path(name)?;
    let found = crate::fs::open::resolve_with(dirfd.0, &name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH)?;
    if !found.inode().attributes().is_symlink() {
        // An empty path was meant for a descriptor that is a link.
        return Err(if name.is_empty() { Errno::ENOENT } else { Errno::EINVAL });
    }
    let text = match found.inode().follow()? {
        Follow::Text(text) => text.into_vec(),
        Follow::Jump(to) => to.text(),
    };
    let len = text.len().min(size as usize);
    write_bytes(buffer, &text[..len])?;
    Ok(len)
}

/// readlink(2).
pub(super) fn readlink(name: UserPtr<u8>, buffer: UserAddr, size: i32) -> Result<usize> {
    readlinkat(Fd(AT_FDCWD), name, buffer, size)
}

/// Gives the directory's entries to `place`, which puts one at the given address with the room left there and gives its
/// length (`None`: no room).
fn read_entries(
    fd: Fd,
    buffer: UserAddr,
    size: u32,
    place: impl Fn(&Entry<'_>, UserAddr, usize) -> Result<Option<usize>>,
) -> Result<usize> {
    let file = file(fd)?;
    let size = size as usize;
    let mut done = 0;
    let mut stopped = ControlFlow::Continue(());
    file.readdir(&mut |entry| {
        match place(&entry, buffer.wrapping_add(done as u64), size - done) {
            Ok(Some(len)) => done += len,
            Ok(None) => stopped = ControlFlow::Break(Errno::EINVAL),
            Err(errno) => stopped = ControlFlow::Break(errno),
        }
        stopped.is_continue()
    })?;
    match stopped {
        ControlFlow::Break(errno) if done == 0 => Err(errno),
        _ => Ok(done),
    }
}

/// getdents64(2).
pub(super) fn getdents64(fd: Fd, buffer: UserAddr, size: u32) -> Result<usize> {
    const HEADER: usize = size_of::<Dirent64>();
    read_entries(fd, buffer, size, |entry, at, room| {
        let used = HEADER + entry.name.len();
        let len = (used + 1).next_multiple_of(8);
        if len > room {
            return Ok(None);
        }
        let header = Dirent64 { ino: entry.ino, off: entry.next as i64, reclen: len as u16, kind: entry.dirent_type() };
        let mut record = [0; (HEADER + NAME_MAX + 1).next_multiple_of(8)];
        record[..HEADER].copy_from_slice(header.as_bytes());
        record[HEADER..used].copy_from_slice(entry.name);
        write_bytes(at, &record[..len]).map(|()| Some(len))
    })
}

/// getdents(2): the type comes last, after the name's NUL.
pub(super) fn getdents(fd: Fd, buffer: UserAddr, size: u32) -> Result<usize> {
    const HEADER: usize = 18;
    read_entries(fd, buffer, size, |entry, at, room| {
        let used = HEADER + entry.name.len();
        let len = (used + 2).next_multiple_of(8);
        if len > room {
            return Ok(None);
        }
        let mut record = [0; (HEADER + NAME_MAX + 2).next_multiple_of(8)];
        record[..8].copy_from_slice(&entry.ino.to_le_bytes());
        record[8..16].copy_from_slice(&entry.next.to_le_bytes());
        record[16..18].copy_from_slice(&(len as u16).to_le_bytes());
        record[HEADER..used].copy_from_slice(entry.name);
        record[len - 1] = entry.dirent_type();
        write_bytes(at, &record[..len]).map(|()| Some(len))
    })
}

/// A directory that the current task may search.
fn searchable(found: Path) -> Result<Path> {
    let attributes = found.inode().attributes();
    if !attributes.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    permitted(attributes, Access::EXECUTE)?;
    Ok(found)
}

/// chdir(2).
pub(super) fn chdir(name: UserPtr<u8>) -> Result<usize> {
    let found = searchable(resolve_at(AT_FDCWD, &path(name)?, true)?)?;
    current().fs().set_cwd(found);
    Ok(0)
}

/// fchdir(2).
pub(super) fn fchdir(fd: Fd) -> Result<usize> {
    let found = searchable(current().files().get_any(fd.0)?.path().clone())?;
    current().fs().set_cwd(found);
    Ok(0)
}

/// chroot(2).
pub(super) fn chroot(name: UserPtr<u8>) -> Result<usize> {
    let found = searchable(resolve_at(AT_FDCWD, &path(name)?, true)?)?;
    if !current().creds().is_privileged() {
        return Err(Errno::EPERM);
    }
    current().fs().set_root(found);
    Ok(0)
}

/// getcwd(2): the length with the NUL.
pub(super) fn getcwd(buffer: UserAddr, size: usize) -> Result<usize> {
    let context = current().fs();
    let cwd = context.cwd();
    if cwd.dentry.is_removed() {
        return Err(Errno::ENOENT);
    }
    let (path, reachable) = cwd.text_from(&context.root());
    let mut text = if reachable { Vec::new() } else { b"(unreachable)".to_vec() };
    text.extend_from_slice(&path);
    text.push(0);
    if text.len() > PATH_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    if text.len() > size {
        return Err(Errno::ERANGE);
    }
    write_bytes(buffer, &text)?;
    Ok(text.len())
}

/// umask(2).
pub(super) fn umask(mask: u32) -> Result<usize> {
    Ok(current().fs().set_umask(mask) as usize)
}
