//! Scheduling: giving way, affinity, policies, priorities.
use alloc::sync::Arc;
use alloc::vec::Vec;

use tollgate_abi::process::membarrier;
use tollgate_abi::process::sched::*;
use tollgate_abi::time::TimeSpec;
use tollgate_abi::{Errno, Result};

use crate::arch::{percpu, tlb};
use crate::mm::addr::UserAddr;
use crate::mm::user::{self, UserPtr};
use crate::task::{Task, current, current_arc, process, sched, tree};

/// getpriority's and setpriority's kinds of identifiers.
const PRIO_PROCESS: i32 = 0;
const PRIO_PGRP: i32 = 1;
const PRIO_USER: i32 = 2;
/// Bytes of the kernel's CPU masks.
const MASK_SIZE: usize = size_of::<u64>();

/// sched_yield(2).
///
/// # Errors
/// None.
pub fn sched_yield() -> Result<usize> {
    sched::yield_now();
    Ok(0)
}

/// The task a caller names by number; 0 is itself.
fn task_named(tid: i32) -> Result<Arc<Task>> {
    match tid {
        ..0 => Err(Errno::EINVAL),
        0 => Ok(current_arc()),
        _ => process::find_task(tid).ok_or(Errno::ESRCH),
    }
}

/// Whether the current task may change how `task` is scheduled.
fn may_schedule(task: &Task) -> Result<()> {
    let (mine, theirs) = (current().creds(), task.creds());
    let allowed = mine.is_privileged() || mine.euid == theirs.uid || mine.euid == theirs.euid;
    if allowed { Ok(()) } else { Err(Errno::EPERM) }
}

fn online() -> u64 {
    u64::MAX >> (64 - percpu::cpu_count())
}

/// sched_setaffinity(2).
///
/// # Errors
/// `EINVAL` when no CPU of the mask runs, `ESRCH`, `EPERM`, `EFAULT`.
pub fn sched_setaffinity(tid: i32, len: usize, mask: UserAddr) -> Result<usize> {
    let mut bytes = [0; MASK_SIZE];
    user::read_bytes(mask, &mut bytes[..len.min(MASK_SIZE)])?;
    let task = if tid < 0 { return Err(Errno::ESRCH) } else { task_named(tid)? };
    may_schedule(&task)?;
    let mask = u64::from_le_bytes(bytes) & online();
    if mask == 0 {
        return Err(Errno::EINVAL);
    }
    sched::set_affinity(&task, mask);
    Ok(0)
}

/// sched_getaffinity(2): returns the bytes written.
///
/// # Errors
/// `EINVAL` when `len` is no whole number of words or too small, `ESRCH`, `EFAULT`.
pub fn sched_getaffinity(tid: i32, len: usize, mask: UserAddr) -> Result<usize> {
    if len.saturating_mul(8) < percpu::cpu_count() || !len.is_multiple_of(size_of::<u64>()) {
        return Err(Errno::EINVAL);
    }
    let task = if tid < 0 { return Err(Errno::ESRCH) } else { task_named(tid)? };
    user::write_bytes(mask, &(task.sched.affinity() & online()).to_le_bytes())?;
    Ok(MASK_SIZE)
}

/// sched_getscheduler(2).
///
/// # Errors
/// `EINVAL`, `ESRCH`.
pub fn sched_getscheduler(tid: i32) -> Result<usize> {
    task_named(tid)?;
    Ok(SCHED_OTHER as usize)
}

/// sched_setscheduler(2): there is one policy, SCHED_OTHER.
///
/// # Errors
/// `EINVAL` for policies there are not and priorities they do not have, `EPERM` for those that Linux has besides,
/// `ESRCH`, `EFAULT`.
pub fn sched_setscheduler(tid: i32, policy: i32, parameters: UserPtr<i32>) -> Result<usize> {
    if policy < 0 || parameters.is_null() || tid < 0 {
        return Err(Errno::EINVAL);
    }
    let priority = parameters.read()?;
    let task = task_named(tid)?;
    let policy = policy & !SCHED_RESET_ON_FORK;
    let (least, most) = priorities(policy).ok_or(Errno::EINVAL)?;
    if policy == SCHED_DEADLINE || !(least..=most).contains(&priority) {
        return Err(Errno::EINVAL);
    }
    may_schedule(&task)?;
    if policy == SCHED_OTHER { Ok(0) } else { Err(Errno::EPERM) }
}

/// sched_setparam(2).
///
/// # Errors
/// As [`sched_setscheduler`].
pub fn sched_setparam(tid: i32, parameters: UserPtr<i32>) -> Result<usize> {
    sched_setscheduler(tid, SCHED_OTHER, parameters)
}

/// sched_getparam(2).
///
/// # Errors
/// `EINVAL`, `ESRCH`, `EFAULT`.
pub fn sched_getparam(tid: i32, parameters: UserPtr<i32>) -> Result<usize> {
    if parameters.is_null() {
        return Err(Errno::EINVAL);
    }
    task_named(tid)?;
    parameters.write(&0)?;
    Ok(0)
}

/// Lowest and highest static priority of a policy.
fn priorities(policy: i32) -> Option<(i32, i32)> {
    match policy {
        SCHED_FIFO | SCHED_RR => Some((1, 99)),
        SCHED_OTHER | SCHED_BATCH | SCHED_IDLE | SCHED_DEADLINE => Some((0, 0)),
        _ => None,
    }
}

/// sched_get_priority_max(2).
///
/// # Errors
/// `EINVAL`.
pub fn sched_get_priority_max(policy: i32) -> Result<usize> {
    priorities(policy).map(|(_, most)| most as usize).ok_or(Errno::EINVAL)
}

/// sched_get_priority_min(2).
///
/// # Errors
/// `EINVAL`.
pub fn sched_get_priority_min(policy: i32) -> Result<usize> {
    priorities(policy).map(|(least, _)| least as usize).ok_or(Errno::EINVAL)
}

/// sched_rr_get_interval(2).
///
/// # Errors
/// `EINVAL`, `ESRCH`, `EFAULT`.
pub fn sched_rr_get_interval(tid: i32, out: UserPtr<TimeSpec>) -> Result<usize> {
    task_named(tid)?;
    out.write(&TimeSpec::from_nanos(sched::SLICE_NS as i64))?;
    Ok(0)
}

/// getcpu(2).
///
/// # Errors
/// `EFAULT`.
pub fn getcpu(cpu: UserPtr<u32>, node: UserPtr<u32>) -> Result<usize> {
    if let Some(cpu) = cpu.non_null() {
        cpu.write(&(percpu::cpu_id() as u32))?;
    }
    if let Some(node) = node.non_null() {
        node.write(&0)?;
    }
    Ok(0)
}

/// The tasks that getpriority and setpriority mean.
fn tasks_of(which: i32, who: i32) -> Result<Vec<Arc<Task>>> {
    let tree = tree::lock();
    let mut tasks = Vec::new();
    match which {
        PRIO_PROCESS => tasks.extend(if who == 0 { Some(current_arc()) } else { tree.task(who).cloned() }),
        PRIO_PGRP => {
            let own = current().process.group_in(&tree).id;
            let group = tree.group(if who == 0 { own } else { who });
            for member in group.iter().flat_map(|group| group.members(&tree)) {
                member.with_threads(|threads| tasks.extend_from_slice(threads));
            }
        }
        PRIO_USER => {
            let uid = if who == 0 { current().creds().uid } else { who as u32 };
            for process in tree.processes() {
                process.with_threads(|threads| {
                    tasks.extend(threads.iter().filter(|task| task.creds.lock().uid == uid).cloned());
                });
            }
        }
        _ => return Err(Errno::EINVAL),
    }
    if tasks.is_empty() { Err(Errno::ESRCH) } else { Ok(tasks) }
}

/// getpriority(2): the highest priority of those named, as 20 - nice.
///
/// # Errors
/// `EINVAL`, `ESRCH`.
pub fn getpriority(which: i32, who: i32) -> Result<usize> {
    let tasks = tasks_of(which, who)?;
    let lowest = tasks.iter().map(|task| task.sched.nice()).min().ok_or(Errno::ESRCH)?;
    Ok((20 - lowest) as usize)
}

/// setpriority(2).
///
/// # Errors
/// `EINVAL`, `ESRCH`, `EPERM` for another user's task, `EACCES` when the priority may not be raised so far.
pub fn setpriority(which: i32, who: i32, nice: i32) -> Result<usize> {
    let nice = nice.clamp(-20, 19);
    let mut result = Err(Errno::ESRCH);
    for task in tasks_of(which, who)? {
        let outcome = may_schedule(&task).and_then(|()| {
            let floor = 20 - task.process.limits.soft(tollgate_abi::process::Resource::Nice).min(40) as i32;
            let allowed = nice >= task.sched.nice() || nice >= floor || current().creds().is_privileged();
            if !allowed {
                return Err(Errno::EACCES);
            }
            task.sched.set_nice(nice);
            Ok(0)
        });
        if result.is_ok() || result == Err(Errno::ESRCH) {
            result = outcome;
        }
    }
    result
}

/// membarrier(2): every running thread passes a full memory barrier before this returns.
///
/// # Errors
/// `EINVAL` for unknown commands and flags.
pub fn membarrier(command: i32, flags: u32, _cpu: i32) -> Result<usize> {
    use membarrier::*;
    const SUPPORTED: i32 = GLOBAL | PRIVATE_EXPEDITED | REGISTER_PRIVATE_EXPEDITED;
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    match command {
        QUERY => return Ok(SUPPORTED as usize),
        // An interrupt that the others serve before we go on is a barrier on both sides.
        GLOBAL | PRIVATE_EXPEDITED => tlb::shootdown(online(), tlb::Flush::Range { start: UserAddr::NULL, pages: 0 }),
        REGISTER_PRIVATE_EXPEDITED => {}
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}
