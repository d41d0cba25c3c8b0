//! The signal mask, and waiting for signals.
use core::sync::atomic::Ordering;

use tollgate_abi::signal::SigInfo;
use tollgate_abi::{Errno, Result};

use super::{SigSet, Signal};
use crate::sync::Sleep;
use crate::task::{Task, TaskFlag, current, sched};

/// Sets the current task's mask. Signals that were its to take and are blocked now go to other threads.
pub fn set_mask(mask: SigSet) {
    let task = current();
    let old = task.signals.mask();
    let newly_blocked = mask.without(old);
    if !newly_blocked.is_empty() && task.gates.has(TaskFlag::Signal) && task.process.thread_count() > 1 {
        task.process.with_threads(|threads| {
            let mut state = task.process.signals.lock();
            state.set_mask(task, mask);
            state.retarget(threads, task, newly_blocked);
        });
    } else {
        task.process.signals.lock().set_mask(task, mask);
    }
}

/// Whether a sleep must end: a deliverable signal (or a stop to take part in), or with `fatal_only` one that kills.
pub fn is_pending(task: &Task, fatal_only: bool) -> bool {
    if fatal_only {
        return task.signals.killed.load(Ordering::Acquire);
    }
    task.gates.has(TaskFlag::Signal) || task.gates.has(TaskFlag::Notify)
}

/// Replaces the current task's mask until the system call is over: ppoll, pselect6, epoll_pwait, sigsuspend. A call
/// that succeeds ends with [`restore_mask`]; one that fails with EINTR or a restart error just returns, and the gate
/// restores the mask after it has delivered what the temporary mask let through.
pub fn set_temporary_mask(mask: SigSet) {
    let task = current();
    task.signals.saved_mask.store(task.signals.mask().0, Ordering::Relaxed);
    task.gates.set(TaskFlag::RestoreMask);
    set_mask(mask);
}

/// Ends what [`set_temporary_mask`] began.
pub fn restore_mask() {
    let task = current();
    if task.gates.clear(TaskFlag::RestoreMask) {
        set_mask(SigSet(task.signals.saved_mask.load(Ordering::Relaxed)));
    }
}

/// The signals pending for the current task that it blocks: rt_sigpending(2).
pub fn blocked_pending() -> SigSet {
    let task = current();
    let state = task.process.signals.lock();
    state.shared.set.with(task.signals.private()).and(task.signals.mask())
}

/// Sleeps until a signal comes: pause(2).
///
/// # Errors
/// Always `ERESTARTNOHAND`.
pub fn pause() -> Result<usize> {
    let task = current();
    loop {
        sched::prepare_sleep(Sleep::Interruptible);
        if is_pending(task, false) {
            sched::cancel_sleep();
            return Err(Errno::ERESTARTNOHAND);
        }
        sched::sleep_prepared(None);
    }
}

/// Takes one of `wanted` off the current task's queues, waiting for one until `deadline` (monotonic nanoseconds; `None`
/// = for ever): rt_sigtimedwait(2).
///
/// # Errors
/// `EAGAIN` when none came in time, `EINTR` when another signal did.
pub fn wait_for(wanted: SigSet, deadline: Option<u64>) -> Result<(Signal, SigInfo)> {
    let task = current();
    let wanted = wanted.without(SigSet::UNBLOCKABLE);
    if let Some(taken) = take(task, wanted) {
        return Ok(taken);
    }
    if deadline.is_some_and(|at| at <= crate::arch::clock::now_ns()) {
        return Err(Errno::EAGAIN);
    }
    // While it sleeps these signals are as if unblocked, so that senders wake it; but blocked for all else.
    let mask = task.signals.mask();
    task.signals.held_mask.store(mask.0, Ordering::Relaxed);
    set_mask(mask.without(wanted));
    let timed_out = loop {
        sched::prepare_sleep(Sleep::Interruptible);
        if is_pending(task, false) {
            break false;
        }
        if deadline.is_some_and(|at| at <= crate::arch::clock::now_ns()) {
            break true;
        }
        sched::sleep_prepared(deadline);
    };
    sched::cancel_sleep();
    let mut state = task.process.signals.lock();
    task.signals.held_mask.store(0, Ordering::Relaxed);
    state.set_mask(task, mask);
    drop(state);
    take(task, wanted).ok_or(if timed_out { Errno::EAGAIN } else { Errno::EINTR })
}

/// Takes one of `wanted` off the queues, the task's own first.
fn take(task: &Task, wanted: SigSet) -> Option<(Signal, SigInfo)> {
    let mut state = task.process.signals.lock();
    let (signal, taken) = match task.signals.private().and(wanted).is_empty() {
        true => None,
        false => task.signals.with_private(&mut state, |pending| pending.take(wanted)),
    }
    .or_else(|| state.shared.take(wanted))?;
    state.recompute(task);
    drop(state);
    Some((signal, taken.finish(&task.process)))
}

/// Whether `signal` would come to nothing for the current task now: blocked or ignored (background writes to a terminal
/// then go through).
pub fn is_blocked_or_ignored(signal: Signal) -> bool {
    let task = current();
    task.signals.mask().has(signal) || task.process.signals.lock().handlers.ignored().has(signal)
}
