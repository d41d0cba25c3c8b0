//! Descriptors: open, close, dup, fcntl, ioctl, pipe.
use alloc::sync::Arc;

use tollgate_abi::fs::{
    AT_FDCWD, CloseRangeFlags, DupFlags, MemfdFlags, NAME_MAX, OpenFlags, PATH_MAX, PipeFlags, fcntl as command, mode,
};
use tollgate_abi::process::Resource;
use tollgate_abi::tty::ioctl as tty_ioctl;
use tollgate_abi::{Errno, Result};

use super::args::{Fd, SyscallArg};
use super::file::file;
use crate::fs::{File, NewInode, open, pipe, tmpfs};
use crate::mm::addr::UserAddr;
use crate::mm::user::{UserPtr, read_string};
use crate::task::current;

crate::flags_argument!(CloseRangeFlags: u32, DupFlags: u32, MemfdFlags: u32, PipeFlags: u32);

impl SyscallArg for OpenFlags {
    fn from_raw(raw: u64) -> Result<Self> {
        Ok(Self::from_bits_truncate(raw as u32)) // open(2) never refused unknown bits.
    }
}

/// Descriptors this process may have.
fn limit() -> usize {
    current().process.limits.soft(Resource::OpenFiles) as usize
}

/// Gives `file` the lowest free descriptor.
pub(super) fn install(file: Arc<File>, cloexec: bool) -> Result<usize> {
    current().files().insert(file, cloexec, 0, limit()).map(|fd| fd as usize)
}

/// openat(2).
pub(super) fn openat(dirfd: Fd, path: UserPtr<u8>, flags: OpenFlags, permissions: u32) -> Result<usize> {
    let path = read_string(path.addr(), PATH_MAX, Errno::ENAMETOOLONG)?;
    let file = open::open_at(dirfd.0, &path, flags | OpenFlags::LARGEFILE, permissions)?;
    install(file, flags.contains(OpenFlags::CLOEXEC))
}

/// open(2).
pub(super) fn open(path: UserPtr<u8>, flags: OpenFlags, permissions: u32) -> Result<usize> {
    openat(Fd(AT_FDCWD), path, flags, permissions)
}

/// creat(2).
pub(super) fn creat(path: UserPtr<u8>, permissions: u32) -> Result<usize> {
    open(path, OpenFlags::CREAT | OpenFlags::WRONLY | OpenFlags::TRUNC, permissions)
}

/// close(2).
pub(super) fn close(fd: Fd) -> Result<usize> {
    let file = current().files().remove(fd.0)?;
    drop(file);
    Ok(0)
}

/// close_range(2).
pub(super) fn close_range(first: u32, last: u32, flags: CloseRangeFlags) -> Result<usize> {
    if first > last {
        return Err(Errno::EINVAL);
    }
    let task = current();
    if flags.contains(CloseRangeFlags::UNSHARE) {
        let own = task.files().fork()?;
        let shared = task.files.lock().replace(own);
        drop(shared);
    }
    task.files().close_range(first as usize, last as usize, flags.contains(CloseRangeFlags::CLOEXEC));
    Ok(0)
}

/// dup(2).
pub(super) fn dup(fd: Fd) -> Result<usize> {
    install(current().files().get_any(fd.0)?, false)
}

/// dup3(2).
pub(super) fn dup3(from: Fd, to: Fd, flags: DupFlags) -> Result<usize> {
    if from == to {
        return Err(Errno::EINVAL);
    }
    let files = current().files();
    let file = files.get_any(from.0)?;
    let at = usize::try_from(to.0).map_err(|_| Errno::EBADF)?;
    let replaced = files.insert_at(file, flags.contains(DupFlags::CLOEXEC), at, limit())?;
    drop(replaced);
    Ok(at)
}

/// dup2(2).
pub(super) fn dup2(from: Fd, to: Fd) -> Result<usize> {
    if from == to {
        current().files().get_any(from.0).map(|_| from.0 as usize)
    } else {
        dup3(from, to, DupFlags::empty())
    }
}

/// fcntl(2).
pub(super) fn fcntl(fd: Fd, command: i32, argument: u64) -> Result<usize> {
    let files = current().files();
    let file = files.get_any(fd.0)?;
    match command {
        command::F_DUPFD | command::F_DUPFD_CLOEXEC => {
            let from = usize::try_from(argument as i32).ok().filter(|&from| from < limit()).ok_or(Errno::EINVAL)?;
            files.insert(file, command == command::F_DUPFD_CLOEXEC, from, limit()).map(|fd| fd as usize)
        }
        command::F_GETFD => Ok(if files.cloexec(fd.0)? { command::FD_CLOEXEC as usize } else { 0 }),
        command::F_SETFD => files.set_cloexec(fd.0, argument & command::FD_CLOEXEC != 0).map(|()| 0),
        command::F_GETFL => Ok(file.flags().bits() as usize),
        _ if file.is_path_only() => Err(Errno::EBADF),
        command::F_SETFL => {
            file.set_flags(OpenFlags::from_bits_truncate(argument as u32));
            Ok(0)
        }
        command::F_GETPIPE_SZ => Ok(file.ops().pipe().ok_or(Errno::EBADF)?.capacity()),
        command::F_SETPIPE_SZ => file.ops().pipe().ok_or(Errno::EBADF)?.resize(argument as u32 as usize),
        _ => Err(Errno::EINVAL),
    }
}

/// ioctl(2).
pub(super) fn ioctl(fd: Fd, command: u32, argument: u64) -> Result<usize> {
    let file = file(fd)?;
    match command {
        tty_ioctl::FIOCLEX => current().files().set_cloexec(fd.0, true).map(|()| 0),
        tty_ioctl::FIONCLEX => current().files().set_cloexec(fd.0, false).map(|()| 0),
        tty_ioctl::FIONBIO => {
            let on: i32 = UserPtr::new(UserAddr(argument)).read()?;
            let mut flags = file.flags();
            flags.set(OpenFlags::NONBLOCK, on != 0);
            file.set_flags(flags);
            Ok(0)
        }
        tty_ioctl::FIONREAD if file.path().inode().attributes().is_regular() => {
            let left = file.size().saturating_sub(file.position()).min(i32::MAX as u64) as i32;
            UserPtr::new(UserAddr(argument)).write(&left).map(|()| 0)
        }
        _ => file.ops().ioctl(&file, command, argument),
    }
}

/// pipe2(2).
pub(super) fn pipe2(fds: UserPtr<[i32; 2]>, flags: PipeFlags) -> Result<usize> {
    let ends = pipe::create(OpenFlags::from_bits_truncate(flags.bits()))?;
    install_pair(ends, flags.contains(PipeFlags::CLOEXEC), fds)
}

/// Gives two files descriptors and tells the program; all or nothing.
pub(super) fn install_pair(pair: [Arc<File>; 2], cloexec: bool, fds: UserPtr<[i32; 2]>) -> Result<usize> {
    let files = current().files();
    let [first, second] = pair;
    let first = files.insert(first, cloexec, 0, limit())?;
    let second = files.insert(second, cloexec, 0, limit());
    let told = second.and_then(|second| fds.write(&[first, second]).inspect_err(|_| drop(files.remove(second))));
    told.inspect_err(|_| drop(files.remove(first))).map(|()| 0)
}

/// pipe(2).
pub(super) fn pipe(fds: UserPtr<[i32; 2]>) -> Result<usize> {
    pipe2(fds, PipeFlags::empty())
}

/// memfd_create(2): a file in memory that only the descriptor names.
pub(super) fn memfd_create(name: UserPtr<u8>, flags: MemfdFlags) -> Result<usize> {
    const PREFIX: &[u8] = b"memfd:";
    let name = read_string(name.addr(), NAME_MAX - PREFIX.len() + 1, Errno::EINVAL)?;
    let path = tmpfs::nameless(
        &[b"/", PREFIX, &name].concat(),
        NewInode { mode: mode::REGULAR | 0o777, ..NewInode::of_current(0) },
    );
    let file = open::open_path(path, OpenFlags::RDWR | OpenFlags::LARGEFILE, true)?;
    install(file, flags.contains(MemfdFlags::CLOEXEC))
}
