//! Opening files, and the kernel's own ways to find them.
use alloc::sync::Arc;

use tollgate_abi::fs::{AT_FDCWD, AtFlags, MountFlags, OpenFlags, mode};
use tollgate_abi::{Errno, Result};

use super::path::{Last, Walk};
use super::tmpfs::TmpInode;
use super::{Access, Dentry, File, FileOps, NewInode, Opening, Path, permitted};
use crate::task;

/// Flags that only matter to the opening itself.
const ONCE: OpenFlags =
    OpenFlags::CREAT.union(OpenFlags::EXCL).union(OpenFlags::NOCTTY).union(OpenFlags::TRUNC).union(OpenFlags::CLOEXEC);
/// Flags that mean something with O_PATH.
const WITH_PATH: OpenFlags =
    OpenFlags::PATH.union(OpenFlags::DIRECTORY).union(OpenFlags::NOFOLLOW).union(OpenFlags::CLOEXEC);

/// A walk along `path` from the directory of descriptor `dirfd` (AT_FDCWD: the working directory).
///
/// # Errors
/// `EBADF`, `ENOTDIR`, `ENOENT` for the empty path, `ENAMETOOLONG`.
pub fn walk_at(dirfd: i32, path: &[u8]) -> Result<Walk<'_>> {
    let context = task::current().fs();
    Walk::new(context.root(), || if dirfd == AT_FDCWD { Ok(context.cwd()) } else { directory_of(dirfd) }, path)
}

fn directory_of(dirfd: i32) -> Result<Path> {
    let path = task::current().files().get_any(dirfd)?.path().clone();
    if path.inode().attributes().is_directory() { Ok(path) } else { Err(Errno::ENOTDIR) }
}

/// Finds the file `path` names.
///
/// # Errors
/// As [`walk_at`] and [`Walk::walk_to_end`].
pub fn resolve_at(dirfd: i32, path: &[u8], follow: bool) -> Result<Path> {
    walk_at(dirfd, path)?.walk_to_end(follow)
}

/// As [`resolve_at`], with the flags AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH.
///
/// # Errors
/// As [`resolve_at`].
pub fn resolve_with(dirfd: i32, path: &[u8], flags: AtFlags) -> Result<Path> {
    if !path.is_empty() || !flags.contains(AtFlags::EMPTY_PATH) {
        return resolve_at(dirfd, path, !flags.contains(AtFlags::SYMLINK_NOFOLLOW));
    }
    let task = task::current();
    if dirfd == AT_FDCWD { Ok(task.fs().cwd()) } else { Ok(task.files().get_any(dirfd)?.path().clone()) }
}

/// Opens (and with O_CREAT makes, with these permissions) the file `path` names: open(2).
///
/// # Errors
/// open(2)'s.
pub fn open_at(dirfd: i32, path: &[u8], mut flags: OpenFlags, permissions: u32) -> Result<Arc<File>> {
    if flags.contains(OpenFlags::PATH) {
        flags &= WITH_PATH;
    } else if flags.contains(OpenFlags::TMPFILE_ONLY) {
        return open_nameless(dirfd, path, flags, permissions);
    }
    let follow = !flags.contains(OpenFlags::NOFOLLOW);
    if !flags.contains(OpenFlags::CREAT) {
        return open_path(resolve_at(dirfd, path, follow)?, flags, false);
    }
    if flags.contains(OpenFlags::DIRECTORY) {
        return Err(Errno::EINVAL);
    }
    let mut walk = walk_at(dirfd, path)?;
    loop {
        if walk.walk_to_last()? != Last::Name || walk.wants_directory() {
            return Err(Errno::EISDIR);
        }
        let child = match walk.child() {
            Err(Errno::ENOENT) => {
                let new = NewInode::of_current(mode::REGULAR | permissions & mode::PERMISSIONS);
                match make(&walk.at, walk.last_name(), new) {
                    // Another was faster: open what it made, unless that must not be.
                    Err(Errno::EEXIST) if !flags.contains(OpenFlags::EXCL) => walk.child()?,
                    Err(errno) => return Err(errno),
                    Ok(dentry) => {
                        return open_path(Path { mount: walk.at.mount.clone(), dentry }, flags, true);
                    }
                }
            }
            child => child?,
        };
        if flags.contains(OpenFlags::EXCL) {
            return Err(Errno::EEXIST);
        }
        if !walk.enter(child, follow)? {
            return open_path(walk.at, flags, false);
        }
    }
}

/// Makes a file in the directory `at`.
///
/// # Errors
/// `EACCES`, `ENOENT` when the directory has been removed, and the file system's.
pub fn make(at: &Path, name: &[u8], new: NewInode) -> Result<Arc<Dentry>> {
    at.mount.check_writable()?;
    permitted(at.inode().attributes(), Access::WRITE | Access::EXECUTE)?;
    at.inode().create(&at.dentry, name, new)
}

/// Opens what is at `path`; `made` says that the caller just made it, so that permissions don't matter.
///
/// # Errors
/// `EISDIR`, `ENOTDIR`, `EACCES`, `ELOOP`, `ETXTBSY`, `ENXIO`.
pub fn open_path(path: Path, flags: OpenFlags, made: bool) -> Result<Arc<File>> {
    crate::mm::frame::headroom()?;
    let inode = path.inode().clone();
    let attributes = inode.attributes();
    if flags.contains(OpenFlags::DIRECTORY) && !attributes.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    if flags.contains(OpenFlags::PATH) {
        return Ok(File::new(Arc::new(NameOnly), path, flags - ONCE));
    }
    if attributes.is_symlink() {
        return Err(Errno::ELOOP);
    }
    let modifies = flags.writes() || flags.intersects(OpenFlags::TRUNC | OpenFlags::CREAT) && !made;
    if attributes.is_directory() && modifies {
        return Err(Errno::EISDIR);
    }
    if attributes.is_device() && path.mount.flags.contains(MountFlags::NODEV) {
        return Err(Errno::EACCES);
    }
    if attributes.is_regular() && modifies {
        path.mount.check_writable()?;
    }
    if !made {
        let mut access = Access::empty();
        access.set(Access::READ, flags.reads());
        access.set(Access::WRITE, flags.writes() || flags.contains(OpenFlags::TRUNC));
        permitted(attributes, access)?;
    }
    let ops = inode.clone().open(&Opening { flags })?;
    let file = File::new(ops, path, flags - ONCE);
    if attributes.is_regular() {
        if flags.writes() {
            file.start_writing()?;
        }
        if flags.contains(OpenFlags::TRUNC) && !made {
            inode.truncate(0)?;
        }
    }
    Ok(file)
}

/// O_TMPFILE: a regular file without a name, on the file system of the directory `path`.
fn open_nameless(dirfd: i32, path: &[u8], flags: OpenFlags, permissions: u32) -> Result<Arc<File>> {
    if !flags.contains(OpenFlags::DIRECTORY) || !flags.writes() || flags.contains(OpenFlags::CREAT) {
        return Err(Errno::EINVAL);
    }
    let at = resolve_at(dirfd, path, !flags.contains(OpenFlags::NOFOLLOW))?;
    if !at.inode().attributes().is_directory() {
        return Err(Errno::ENOTDIR);
    }
    let inode: &dyn core::any::Any = &**at.inode();
    let directory = inode.downcast_ref::<TmpInode>().ok_or(Errno::ENOTSUP)?;
    at.mount.check_writable()?;
    let inode = TmpInode::nameless(directory, NewInode::of_current(mode::REGULAR | permissions & mode::PERMISSIONS));
    let name = alloc::format!("#{}", super::Inode::attributes(&*inode).ino);
    let dentry = Dentry::new(inode, &at.dentry, name.into_bytes().into());
    dentry.set_removed();
    let flags = flags - (OpenFlags::TMPFILE | OpenFlags::TRUNC);
    open_path(Path { mount: at.mount, dentry }, flags, true)
}

/// Opens the program `path` for exec: a regular file that may be executed, which none writes from now on.
///
/// # Errors
/// `EACCES` when it may not be executed or is not regular, `ETXTBSY`, and [`resolve_at`]'s.
pub fn open_exec(path: &[u8]) -> Result<Arc<File>> {
    open_exec_at(AT_FDCWD, path, AtFlags::empty())
}

/// As [`open_exec`], the way execveat(2) names the file.
///
/// # Errors
/// As [`open_exec`]; `ELOOP` for a link with AT_SYMLINK_NOFOLLOW.
pub fn open_exec_at(dirfd: i32, path: &[u8], flags: AtFlags) -> Result<Arc<File>> {
    let path = resolve_with(dirfd, path, flags)?;
    let attributes = path.inode().attributes();
    if attributes.is_symlink() {
        return Err(Errno::ELOOP);
    }
    if !attributes.is_regular() {
        return Err(Errno::EACCES);
    }
    if path.mount.flags.contains(MountFlags::NOEXEC) {
        return Err(Errno::EACCES);
    }
    permitted(attributes, Access::EXECUTE)?;
    let file = open_path(path, OpenFlags::empty(), true)?;
    file.start_executing()?;
    Ok(file)
}

/// What an O_PATH descriptor can do: nothing.
struct NameOnly;

impl FileOps for NameOnly {}
