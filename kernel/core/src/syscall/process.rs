//! Making, replacing, ending and awaiting processes.
use tollgate_abi::fs::AtFlags;
use tollgate_abi::process::{
    CLONE_ARGS_SIZE_VER0, CSIGNAL, CloneArgs, CloneFlags, P_ALL, P_PGID, P_PID, Rusage, WaitOptions, WaitStatus,
};
use tollgate_abi::signal::SigInfo;
use tollgate_abi::{Errno, Result};
use zerocopy::{FromZeros, IntoBytes};

use super::args::Fd;
use crate::flags_argument;
use crate::mm::addr::UserAddr;
use crate::mm::user::{self, UserPtr};
use crate::mm::{PAGE_SIZE, USER_END};
use crate::task::exec::{self, Source, Strings};
use crate::task::fork::{self, Request};
use crate::task::signal::Signal;
use crate::task::wait::{self, Who};
use crate::task::{Tid, current, exit};

flags_argument!(WaitOptions: u32);

/// Longest path (PATH_MAX).
const PATH_MAX: usize = 4096;

/// fork(2).
///
/// # Errors
/// As [`fork::clone`].
pub fn fork() -> Result<usize> {
    Ok(fork::clone(&Request::fork())? as usize)
}

/// vfork(2).
///
/// # Errors
/// As [`fork::clone`].
pub fn vfork() -> Result<usize> {
    let request = Request { flags: CloneFlags::VM | CloneFlags::VFORK, ..Request::fork() };
    Ok(fork::clone(&request)? as usize)
}

/// clone(2).
///
/// # Errors
/// As [`fork::clone`].
pub fn clone(flags: u64, stack: u64, parent_tid: UserPtr<Tid>, child_tid: UserAddr, tls: u64) -> Result<usize> {
    let request = Request {
        // Only the low half counts; all its bits above the signal mean something.
        flags: CloneFlags::from_bits_truncate(u64::from(flags as u32) & !CSIGNAL),
        exit_signal: (flags & CSIGNAL) as u8,
        stack,
        parent_tid,
        child_tid,
        tls,
        number: None,
    };
    Ok(fork::clone(&request)? as usize)
}

/// clone3(2).
///
/// # Errors
/// `E2BIG` when the structure has fields this kernel does not know and they are not zero; as [`fork::clone`].
pub fn clone3(args: UserPtr<CloneArgs>, size: usize) -> Result<usize> {
    if size > PAGE_SIZE {
        return Err(Errno::E2BIG);
    }
    if size < CLONE_ARGS_SIZE_VER0 {
        return Err(Errno::EINVAL);
    }
    let args = read_growing(args, size)?;
    let flags = CloneFlags::from_bits(args.flags).ok_or(Errno::EINVAL)?;
    let exit_signal = args.exit_signal;
    if flags.contains(CloneFlags::DETACHED)
        || exit_signal & !CSIGNAL != 0
        || exit_signal != 0 && Signal::new(exit_signal as i32).is_none()
        || flags.intersects(CloneFlags::THREAD | CloneFlags::PARENT) && exit_signal != 0
    {
        return Err(Errno::EINVAL);
    }
    let stack = match (args.stack, args.stack_size) {
        (0, 0) => 0,
        (0, _) | (_, 0) => return Err(Errno::EINVAL),
        (start, size) => start.checked_add(size).filter(|&end| end <= USER_END).ok_or(Errno::EINVAL)?,
    };
    let request = Request {
        flags,
        exit_signal: exit_signal as u8,
        stack,
        parent_tid: UserPtr::new(UserAddr(args.parent_tid)),
        child_tid: UserAddr(args.child_tid),
        tls: args.tls,
        number: wanted_number(&args)?,
    };
    Ok(fork::clone(&request)? as usize)
}

/// clone3's set_tid: one number, for there is one PID namespace.
fn wanted_number(args: &CloneArgs) -> Result<Option<Tid>> {
    match (args.set_tid, args.set_tid_size) {
        (0, 0) => Ok(None),
        (0, _) | (_, 0 | 2..) => Err(Errno::EINVAL),
        (at, 1) => {
            if !current().creds().is_privileged() {
                return Err(Errno::EPERM);
            }
            UserPtr::<Tid>::new(UserAddr(at)).read().map(Some)
        }
    }
}

/// Reads a structure that grows from version to version: what the program leaves out is zero, and what it knows beyond
/// ours must be.
fn read_growing(from: UserPtr<CloneArgs>, size: usize) -> Result<CloneArgs> {
    let mut args = CloneArgs::new_zeroed();
    let known = size.min(size_of::<CloneArgs>());
    user::read_bytes(from.addr(), &mut args.as_mut_bytes()[..known])?;
    for at in known..size {
        if UserPtr::<u8>::new(from.addr().wrapping_add(at as u64)).read()? != 0 {
            return Err(Errno::E2BIG);
        }
    }
    Ok(args)
}

/// execve(2).
///
/// # Errors
/// As [`exec::execve`].
pub fn execve(path: UserAddr, args: UserPtr<u64>, env: UserPtr<u64>) -> Result<usize> {
    execveat(Fd(tollgate_abi::fs::AT_FDCWD), path, args, env, 0)
}

/// execveat(2).
///
/// # Errors
/// As [`exec::execve`].
pub fn execveat(dirfd: Fd, path: UserAddr, args: UserPtr<u64>, env: UserPtr<u64>, flags: u32) -> Result<usize> {
    let flags = AtFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    if !(AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW).contains(flags) {
        return Err(Errno::EINVAL);
    }
    let path = user::read_string(path, PATH_MAX, Errno::ENAMETOOLONG)?;
    let (args, env) = (Strings::read(args)?, Strings::read(env)?);
    exec::execve(Source { dirfd: dirfd.0, path: &path, flags }, args, env)?;
    Ok(0)
}

/// exit(2): ends the thread.
///
/// # Errors
/// Never returns.
pub fn exit(code: i32) -> Result<usize> {
    exit::exit_thread(WaitStatus::exited(code))
}

/// exit_group(2): ends the process.
///
/// # Errors
/// Never returns.
pub fn exit_group(code: i32) -> Result<usize> {
    exit::exit_group(WaitStatus::exited(code))
}

/// wait4(2).
///
/// # Errors
/// As [`wait::wait`]; `EINVAL` for options of waitid alone, `ESRCH` for a number that no group can have, `EFAULT`.
pub fn wait4(pid: i32, status: UserPtr<u32>, options: WaitOptions, usage: UserPtr<Rusage>) -> Result<usize> {
    let allowed = WaitOptions::NOHANG
        | WaitOptions::STOPPED
        | WaitOptions::CONTINUED
        | WaitOptions::NOTHREAD
        | WaitOptions::CLONE
        | WaitOptions::ALL;
    if !allowed.contains(options) {
        return Err(Errno::EINVAL);
    }
    let who = match pid {
        -1 => Who::Any,
        0 => Who::Group(current().process.group().id),
        i32::MIN => return Err(Errno::ESRCH),
        -2147483647..=-2 => Who::Group(-pid),
        1.. => Who::Pid(pid),
    };
    let Some(event) = wait::wait(who, options | WaitOptions::EXITED)? else { return Ok(0) };
    if let Some(status) = status.non_null() {
        status.write(&event.status.0)?;
    }
    if let Some(usage) = usage.non_null() {
        usage.write(&event.usage.to_rusage())?;
    }
    Ok(event.pid as usize)
}

/// waitid(2).
///
/// # Errors
/// As [`wait::wait`]; `EINVAL` for unknown kinds of identifiers and options that ask for nothing, `EFAULT`.
pub fn waitid(
    kind: i32,
    id: i32,
    info: UserPtr<SigInfo>,
    options: WaitOptions,
    usage: UserPtr<Rusage>,
) -> Result<usize> {
    if !options.intersects(WaitOptions::EXITED | WaitOptions::STOPPED | WaitOptions::CONTINUED) {
        return Err(Errno::EINVAL);
    }
    let who = match (kind, id) {
        (P_ALL, _) => Who::Any,
        (P_PID, 1..) => Who::Pid(id),
        (P_PGID, 0) => Who::Group(current().process.group().id),
        (P_PGID, 1..) => Who::Group(id),
        _ => return Err(Errno::EINVAL),
    };
    let event = wait::wait(who, options)?;
    if let (Some(usage), Some(event)) = (usage.non_null(), &event) {
        usage.write(&event.usage.to_rusage())?;
    }
    if let Some(info) = info.non_null() {
        info.write(&event.map_or_else(SigInfo::new_zeroed, |event| event.info))?;
    }
    Ok(0)
}

/// unshare(2), of what threads and vfork share and can be had alone: descriptors and directories.
///
/// # Errors
/// `EINVAL` for namespaces and what cannot be undone, `ENOMEM`.
pub fn unshare(flags: u64) -> Result<usize> {
    let flags = CloneFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    let me = current();
    let own = CloneFlags::FILES | CloneFlags::FS | CloneFlags::SYSVSEM;
    let single = CloneFlags::THREAD | CloneFlags::SIGHAND | CloneFlags::VM;
    if !(own | single).contains(flags) || flags.intersects(single) && me.process.thread_count() > 1 {
        return Err(Errno::EINVAL);
    }
    if flags.contains(CloneFlags::FILES) {
        let own = me.files().fork()?;
        let shared = me.files.lock().replace(own);
        drop(shared);
    }
    if flags.contains(CloneFlags::FS) {
        let own = me.fs().fork();
        let shared = me.fs.lock().replace(own);
        drop(shared);
    }
    Ok(0)
}
