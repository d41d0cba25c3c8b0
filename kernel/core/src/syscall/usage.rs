//! Limits on resources, and what was used of them.
use tollgate_abi::process::{CLOCK_TICKS, Resource, Rlimit, Rusage, Tms};
use tollgate_abi::{Errno, Result};

use crate::arch::clock;
use crate::mm::user::UserPtr;
use crate::task::usage::Usage;
use crate::task::{Process, current, ids, tree};

/// Highest limit on descriptors (/proc/sys/fs/nr_open).
const MAX_OPEN_FILES: u64 = 1 << 20;
/// getrusage's children.
const RUSAGE_CHILDREN: i32 = -1;
/// getrusage's process.
const RUSAGE_SELF: i32 = 0;
/// getrusage's thread.
const RUSAGE_THREAD: i32 = 1;

fn resource(number: u32) -> Result<Resource> {
    Resource::try_from(number).map_err(|_| Errno::EINVAL)
}

/// getrlimit(2).
///
/// # Errors
/// `EINVAL` for unknown resources, `EFAULT`.
pub fn getrlimit(number: u32, out: UserPtr<Rlimit>) -> Result<usize> {
    out.write(&current().process.limits.get(resource(number)?))?;
    Ok(0)
}

/// setrlimit(2).
///
/// # Errors
/// As [`prlimit64`].
pub fn setrlimit(number: u32, new: UserPtr<Rlimit>) -> Result<usize> {
    let resource = resource(number)?;
    set(&current().process, resource, new.read()?)?;
    Ok(0)
}

/// prlimit64(2).
///
/// # Errors
/// `EINVAL` for unknown resources and limits that contradict themselves, `ESRCH`, `EPERM`, `EFAULT`.
pub fn prlimit64(pid: i32, number: u32, new: UserPtr<Rlimit>, old: UserPtr<Rlimit>) -> Result<usize> {
    let resource = resource(number)?;
    let new = new.non_null().map(UserPtr::read).transpose()?;
    let process = ids::process_named(pid)?;
    if !core::ptr::eq(&*process, &*current().process) {
        let mine = current().creds();
        let task = process.any_thread().ok_or(Errno::ESRCH)?;
        let theirs = task.creds();
        let same = [theirs.uid, theirs.euid, theirs.suid].iter().all(|&id| id == mine.uid)
            && [theirs.gid, theirs.egid, theirs.sgid].iter().all(|&id| id == mine.gid);
        if !same && !mine.is_privileged() {
            return Err(Errno::EPERM);
        }
    }
    let before = process.limits.get(resource);
    if let Some(new) = new {
        set(&process, resource, new)?;
    }
    if let Some(old) = old.non_null() {
        old.write(&before)?;
    }
    Ok(0)
}

fn set(process: &Process, resource: Resource, new: Rlimit) -> Result<()> {
    if new.soft > new.hard {
        return Err(Errno::EINVAL);
    }
    if resource == Resource::OpenFiles && new.hard > MAX_OPEN_FILES {
        return Err(Errno::EPERM);
    }
    process.set_limit(resource, new, current().creds().is_privileged())
}

/// getrusage(2).
///
/// # Errors
/// `EINVAL` for an unknown `who`, `EFAULT`.
pub fn getrusage(who: i32, out: UserPtr<Rusage>) -> Result<usize> {
    let process = &current().process;
    let usage = match who {
        RUSAGE_SELF => Usage::of_process(process),
        RUSAGE_CHILDREN => Usage::of_children(process, &tree::lock()),
        RUSAGE_THREAD => Usage::of_task(current()),
        _ => return Err(Errno::EINVAL),
    };
    out.write(&usage.to_rusage())?;
    Ok(0)
}

/// times(2): returns clock ticks since boot.
///
/// # Errors
/// `EFAULT`.
pub fn times(out: UserPtr<Tms>) -> Result<usize> {
    let ticks = |ns: u64| (ns / (1_000_000_000 / CLOCK_TICKS)) as i64;
    if let Some(out) = out.non_null() {
        let process = &current().process;
        let own = Usage::of_process(process);
        let children = Usage::of_children(process, &tree::lock());
        out.write(&Tms {
            user: ticks(own.user_ns),
            system: ticks(own.kernel_ns),
            children_user: ticks(children.user_ns),
            children_system: ticks(children.kernel_ns),
        })?;
    }
    Ok(ticks(clock::now_ns()) as usize)
}
