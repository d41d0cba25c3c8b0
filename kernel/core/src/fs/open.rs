//! Opening files, and the kernel's own ways to find them.
use alloc::sync::Arc;

use tollgate_abi::fs::{AT_FDCWD, AtFlags, OpenFlags};
use tollgate_abi::{Errno, Result};

use super::path::Walk;
use super::{Access, File, Path, permitted};
use crate::task;

/// A walk along `path` from the directory of descriptor `dirfd` (AT_FDCWD: the working directory).
///
/// # Errors
/// `EBADF`, `ENOTDIR`, `ENOENT` for the empty path, `ENAMETOOLONG`.
pub fn walk_at(dirfd: i32, path: &[u8]) -> Result<Walk<'_>> {
    let context = task::current().fs();
    Walk::new(context.root(), || if dirfd == AT_FDCWD { Ok(context.cwd()) } else { directory_of(dirfd) }, path)
}

fn directory_of(dirfd: i32) -> Result<Path> {
    let path = task::current().files().get(dirfd)?.path().clone();
    if path.inode().attributes().is_directory() { Ok(path) } else { Err(Errno::ENOTDIR) }
}

/// Finds the file `path` names.
///
/// # Errors
/// As [`walk_at`] and [`Walk::to_end`].
pub fn resolve_at(dirfd: i32, path: &[u8], follow: bool) -> Result<Path> {
    walk_at(dirfd, path)?.to_end(follow)
}

/// As [`resolve_at`], with the flags AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH.
///
/// # Errors
/// As [`resolve_at`].
pub fn resolve_with(dirfd: i32, path: &[u8], flags: AtFlags) -> Result<Path> {
    if path.is_empty() && flags.contains(AtFlags::EMPTY_PATH) {
        return if dirfd == AT_FDCWD {
            Ok(task::current().fs().cwd())
        } else {
            Ok(task::current().files().get(dirfd)?.path().clone())
        };
    }
    resolve_at(dirfd, path, !flags.contains(AtFlags::SYMLINK_NOFOLLOW))
}

/// Opens what is at `path`, which exists.
///
/// # Errors
/// `EISDIR`, `ENOTDIR`, `EACCES`, `ELOOP`, `ETXTBSY`, `ENXIO`.
pub fn open_path(path: Path, flags: OpenFlags) -> Result<Arc<File>> {
    let _ = (path, flags);
    todo!("fs")
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
    permitted(attributes, Access::EXECUTE)?;
    let file = open_path(path, OpenFlags::empty())?;
    file.start_executing()?;
    Ok(file)
}
