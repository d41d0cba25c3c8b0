//! System calls on signals.
use alloc::sync::Arc;

use tollgate_abi::signal::{
    SIG_BLOCK, SIG_DFL, SIG_SETMASK, SIG_UNBLOCK, SIGINFO_SIZE, SigAction, SigInfo, SigStack, code, sa,
};
use tollgate_abi::time::TimeSpec;
use tollgate_abi::{Errno, Result};
use zerocopy::IntoBytes;

use crate::arch::clock;
use crate::mm::addr::UserAddr;
use crate::mm::user::{self, UserPtr};
use crate::task::group::Group;
use crate::task::process::find_task;
use crate::task::signal::{self, SigSet, Signal};
use crate::task::{Process, Task, current, tree};

/// Every call that takes a set also takes its size, which must be this.
fn check_set_size(size: usize) -> Result<()> {
    if size == size_of::<u64>() { Ok(()) } else { Err(Errno::EINVAL) }
}

/// rt_sigaction(2).
///
/// # Errors
/// `EINVAL` for a bad set size or signal, or a new action for SIGKILL or SIGSTOP; `EFAULT`.
pub fn sigaction(number: i32, new: UserPtr<SigAction>, old: UserPtr<SigAction>, size: usize) -> Result<usize> {
    check_set_size(size)?;
    let new = new.non_null().map(UserPtr::read).transpose()?;
    let signal = Signal::new(number).ok_or(Errno::EINVAL)?;
    let before = match new {
        Some(_) if SigSet::UNBLOCKABLE.has(signal) => return Err(Errno::EINVAL),
        Some(action) => {
            let flags = action.flags & sa::KNOWN;
            let mask = SigSet(action.mask).without(SigSet::UNBLOCKABLE).0;
            signal::set_action(signal, SigAction { flags, mask, ..action })
        }
        None => signal::action(signal),
    };
    if let Some(old) = old.non_null() {
        old.write(&before)?;
    }
    Ok(0)
}

/// rt_sigprocmask(2).
///
/// # Errors
/// `EINVAL` for a bad set size or `how`, `EFAULT`.
pub fn sigprocmask(how: i32, new: UserPtr<u64>, old: UserPtr<u64>, size: usize) -> Result<usize> {
    check_set_size(size)?;
    let before = current().signals.mask();
    if let Some(new) = new.non_null() {
        let set = SigSet(new.read()?);
        signal::set_mask(match how {
            SIG_BLOCK => before.with(set),
            SIG_UNBLOCK => before.without(set),
            SIG_SETMASK => set,
            _ => return Err(Errno::EINVAL),
        });
    }
    if let Some(old) = old.non_null() {
        old.write(&before.0)?;
    }
    Ok(0)
}

/// rt_sigreturn(2). What is in rax afterwards is the interrupted program's.
///
/// # Errors
/// None; a bad frame raises SIGSEGV.
pub fn sigreturn() -> Result<usize> {
    Ok(signal::sigreturn() as usize)
}

/// rt_sigpending(2). Like Linux, takes a smaller size too, and gives that much of the set.
///
/// # Errors
/// `EINVAL` for a larger size, `EFAULT`.
pub fn sigpending(set: UserPtr<u64>, size: usize) -> Result<usize> {
    if size > size_of::<u64>() {
        return Err(Errno::EINVAL);
    }
    let pending = signal::blocked_pending();
    user::write_bytes(set.addr(), &pending.0.to_le_bytes()[..size])?;
    Ok(0)
}

/// rt_sigtimedwait(2).
///
/// # Errors
/// `EAGAIN` after the time-out, `EINTR` when another signal came, `EINVAL`, `EFAULT`.
pub fn sigtimedwait(set: UserPtr<u64>, info: UserAddr, timeout: UserPtr<TimeSpec>, size: usize) -> Result<usize> {
    check_set_size(size)?;
    let wanted = SigSet(set.read()?);
    let deadline = match timeout.non_null() {
        None => None,
        Some(timeout) => {
            let wait = timeout.read()?.to_nanos().ok_or(Errno::EINVAL)?;
            Some(clock::now_ns().saturating_add(wait as u64))
        }
    };
    let (signal, taken) = signal::wait_for(wanted, deadline)?;
    if !info.is_null() {
        write_info(info, &taken)?;
    }
    Ok(usize::from(signal.number()))
}

/// rt_sigsuspend(2).
///
/// # Errors
/// `ERESTARTNOHAND` always, unless an argument is bad: `EINVAL`, `EFAULT`.
pub fn sigsuspend(mask: UserPtr<u64>, size: usize) -> Result<usize> {
    check_set_size(size)?;
    signal::set_temporary_mask(SigSet(mask.read()?));
    signal::pause()
}

/// sigaltstack(2).
///
/// # Errors
/// `EPERM` while the stack is in use, `ENOMEM` when the new one is too small, `EINVAL`, `EFAULT`.
pub fn sigaltstack(new: UserPtr<SigStack>, old: UserPtr<SigStack>) -> Result<usize> {
    let new = new.non_null().map(UserPtr::read).transpose()?;
    let before = signal::altstack(new)?;
    if let Some(old) = old.non_null() {
        old.write(&before)?;
    }
    Ok(0)
}

/// The lowest code whose siginfo has a known layout.
const SI_DETHREAD: i32 = -7;

/// siginfo_t as user space sees it: what the kernel keeps, then zeros.
fn write_info(to: UserAddr, info: &SigInfo) -> Result<()> {
    user::write_bytes(to, info.as_bytes())?;
    let rest = SIGINFO_SIZE - size_of::<SigInfo>();
    let written = user::zero_some(to.wrapping_add(size_of::<SigInfo>() as u64), rest);
    if written == rest { Ok(()) } else { Err(Errno::EFAULT) }
}

/// siginfo_t as sigqueue(3) gives it. Where the code does not say what it holds, what the kernel would not keep must be
/// zero.
fn read_info(from: UserAddr, signal: Option<Signal>) -> Result<SigInfo> {
    let mut info: SigInfo = UserPtr::new(from).read()?;
    let known = matches!(info.code, SI_DETHREAD..=code::SI_USER | code::SI_KERNEL);
    if !known {
        let mut rest = [0; SIGINFO_SIZE - size_of::<SigInfo>()];
        user::read_bytes(from.wrapping_add(size_of::<SigInfo>() as u64), &mut rest)?;
        if rest.iter().any(|&byte| byte != 0) {
            return Err(Errno::E2BIG);
        }
    }
    info.signo = signal.map_or(0, |signal| i32::from(signal.number()));
    Ok(info)
}

/// A signal argument; `None` for 0, which only asks whether a signal could be sent.
fn signal_or_probe(number: i32) -> Result<Option<Signal>> {
    match number {
        0 => Ok(None),
        _ => Signal::new(number).map(Some).ok_or(Errno::EINVAL),
    }
}

/// Whether the current task may send `signal` to `target`: its own process always, its own user's, and SIGCONT within
/// the session.
fn check_permission(target: &Task, signal: Option<Signal>, tree: Option<&tree::Tree>) -> Result<()> {
    let me = current();
    if Arc::ptr_eq(&me.process, &target.process) || me.creds().may_signal(&target.creds()) {
        return Ok(());
    }
    let same_session = || {
        let locked;
        let tree = match tree {
            Some(tree) => tree,
            None => {
                locked = tree::lock();
                &*locked
            }
        };
        let session = |process: &Process| process.group_in(tree).session.id;
        session(&me.process) == session(&target.process)
    };
    if signal == Some(Signal::SIGCONT) && same_session() { Ok(()) } else { Err(Errno::EPERM) }
}

/// kill(2).
///
/// # Errors
/// `ESRCH` when there is nobody, `EPERM` when none of them may be sent to, `EINVAL` for a bad signal.
pub fn kill(pid: i32, number: i32) -> Result<usize> {
    let me = &current().process;
    // A bad number is found only once there is someone to send it to, as on Linux; but whom it is for decides nothing.
    let signal = signal_or_probe(number);
    if pid == me.pid {
        if let Some(signal) = signal? {
            signal::send_process(me, signal, signal::sent_by_current(signal, code::SI_USER))?;
        }
        return Ok(0);
    }
    if pid > 0 {
        let target = find_task(pid).ok_or(Errno::ESRCH)?;
        return kill_one(&target, signal?, None);
    }
    let tree = tree::lock();
    let not_me_nor_init = |p: &&Arc<Process>| p.pid != 1 && !Arc::ptr_eq(p, me);
    match pid {
        i32::MIN => Err(Errno::ESRCH),
        -1 => kill_all(tree.processes().filter(not_me_nor_init), signal, &tree, true),
        0 => kill_all(me.group_in(&tree).members(&tree).iter(), signal, &tree, false),
        _ => kill_all(group_members(-pid, &tree)?.iter(), signal, &tree, false),
    }
}

fn group_members(pgid: i32, tree: &tree::Tree) -> Result<&[Arc<Process>]> {
    let group: &Arc<Group> = tree.group(pgid).ok_or(Errno::ESRCH)?;
    Ok(group.members(tree))
}

/// Sends to a process by any of its threads; `signal` 0 only checks.
fn kill_one(target: &Arc<Task>, signal: Option<Signal>, tree: Option<&tree::Tree>) -> Result<usize> {
    check_permission(target, signal, tree)?;
    if let Some(signal) = signal {
        signal::send_process(&target.process, signal, signal::sent_by_current(signal, code::SI_USER))?;
    }
    Ok(0)
}

/// Sends to several processes: good if it went well for one (or, for `everyone`, if only permission was missing).
fn kill_all<'a>(
    targets: impl Iterator<Item = &'a Arc<Process>>,
    signal: Result<Option<Signal>>,
    tree: &tree::Tree,
    everyone: bool,
) -> Result<usize> {
    let mut failure = Err(Errno::ESRCH);
    let mut success = false;
    for process in targets {
        // A zombie's leader is still there to be asked for permission; nothing is sent to it.
        let Some(task) = tree.task(process.pid) else { continue };
        match signal.and_then(|signal| kill_one(task, signal, Some(tree))) {
            Ok(_) => success = true,
            Err(Errno::EPERM) if everyone => success = true,
            Err(error) => failure = Err(error),
        }
    }
    if success { Ok(0) } else { failure }
}

/// The thread `tid`, which must be of process `pid` if that is given.
fn find_thread(pid: Option<i32>, tid: i32) -> Result<Arc<Task>> {
    if tid <= 0 || pid.is_some_and(|pid| pid <= 0) {
        return Err(Errno::EINVAL);
    }
    let task = find_task(tid).ok_or(Errno::ESRCH)?;
    if pid.is_some_and(|pid| pid != task.process.pid) {
        return Err(Errno::ESRCH);
    }
    Ok(task)
}

fn kill_thread(pid: Option<i32>, tid: i32, number: i32) -> Result<usize> {
    let task = find_thread(pid, tid)?;
    let signal = signal_or_probe(number)?;
    check_permission(&task, signal, None)?;
    if let Some(signal) = signal {
        signal::send_task(&task, signal, signal::sent_by_current(signal, code::SI_TKILL))?;
    }
    Ok(0)
}

/// tkill(2).
///
/// # Errors
/// `ESRCH`, `EPERM`, `EINVAL`; `EAGAIN` when the receiver's queue is full.
pub fn tkill(tid: i32, number: i32) -> Result<usize> {
    kill_thread(None, tid, number)
}

/// tgkill(2).
///
/// # Errors
/// As [`tkill`]; also `ESRCH` when the thread is not of that process.
pub fn tgkill(pid: i32, tid: i32, number: i32) -> Result<usize> {
    kill_thread(Some(pid), tid, number)
}

/// Nobody may pretend to another process that a signal came from the kernel or from kill(2).
fn check_origin(info: &SigInfo, target: &Process) -> Result<()> {
    let forged = info.code >= 0 || info.code == code::SI_TKILL;
    if forged && target.pid != current().process.pid { Err(Errno::EPERM) } else { Ok(()) }
}

/// Permission is asked only of signals that say they come from a process.
fn check_queue_permission(task: &Task, signal: Option<Signal>, info: &SigInfo) -> Result<()> {
    if info.code > 0 { Ok(()) } else { check_permission(task, signal, None) }
}

/// rt_sigqueueinfo(2).
///
/// # Errors
/// `EAGAIN` when the receiver's queue is full, `EPERM`, also for siginfo that pretends to come from the kernel or kill(2);
/// `ESRCH`, `EINVAL`, `EFAULT`, `E2BIG`.
pub fn sigqueueinfo(pid: i32, number: i32, info: UserAddr) -> Result<usize> {
    let signal = signal_or_probe(number);
    let info = read_info(info, signal.unwrap_or(None))?;
    if (info.code >= 0 || info.code == code::SI_TKILL) && pid != current().process.pid {
        return Err(Errno::EPERM);
    }
    let target = find_task(pid).ok_or(Errno::ESRCH)?;
    let signal = signal?;
    check_queue_permission(&target, signal, &info)?;
    if let Some(signal) = signal {
        signal::send_process(&target.process, signal, info)?;
    }
    Ok(0)
}

/// rt_tgsigqueueinfo(2).
///
/// # Errors
/// As [`sigqueueinfo`].
pub fn tgsigqueueinfo(pid: i32, tid: i32, number: i32, info: UserAddr) -> Result<usize> {
    let signal = signal_or_probe(number);
    let info = read_info(info, signal.unwrap_or(None))?;
    let target = find_thread(Some(pid), tid)?;
    check_origin(&info, &target.process)?;
    let signal = signal?;
    check_queue_permission(&target, signal, &info)?;
    if let Some(signal) = signal {
        signal::send_task(&target, signal, info)?;
    }
    Ok(0)
}

const _: () = assert!(SIG_DFL == 0, "`SigAction::default()` is the default action");
