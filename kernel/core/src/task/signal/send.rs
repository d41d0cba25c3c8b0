//! Sending: a signal becomes pending and a thread is chosen to look at it.
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use tollgate_abi::process::WaitStatus;
use tollgate_abi::signal::{SigInfo, code};
use tollgate_abi::{Errno, Result};

use super::queue::{Charge, Pending, is_limited};
use super::state::State;
use super::{DefaultAction, SigSet, Signal, job};
use crate::task::process::Threads;
use crate::task::timer::posix::PosixTimer;
use crate::task::{Process, Task, TaskFlag, current, current_arc, sched};

/// Sends `info` to a process: to whichever of its threads wants it first. May be called from interrupts and with the
/// tree locked.
///
/// # Errors
/// `EAGAIN` when a queued signal exceeds RLIMIT_SIGPENDING.
pub fn send_process(process: &Process, signal: Signal, info: SigInfo) -> Result<()> {
    send(process, None, signal, &info, None).map(drop)
}

/// Sends `info` to one thread. As [`send_process`] otherwise.
///
/// # Errors
/// `EAGAIN` when a queued signal exceeds RLIMIT_SIGPENDING.
pub fn send_task(task: &Arc<Task>, signal: Signal, info: SigInfo) -> Result<()> {
    send(&task.process, Some(task), signal, &info, None).map(drop)
}

/// Sends a process a signal from the kernel (terminal, orphaned job).
pub fn send_kernel(process: &Process, signal: Signal) {
    let sent = send_process(process, signal, SigInfo::kernel(signal.number()));
    debug_assert!(sent.is_ok(), "standard signals from the kernel are not limited");
}

/// Sends the current thread a signal on its own account, as a broken pipe does.
pub fn send_self(signal: Signal) {
    let info = sent_by_current(signal, code::SI_USER);
    let sent = send_task(&current_arc(), signal, info);
    debug_assert!(sent.is_ok(), "standard signals of kill's kind are not limited");
}

/// siginfo that names the current process as the sender.
pub fn sent_by_current(signal: Signal, code: i32) -> SigInfo {
    let task = current();
    let uid = task.creds.lock().uid;
    SigInfo::sent(signal.number(), code, task.process.pid, uid)
}

/// Sends a POSIX timer's signal, to `thread` or the process. False when it is ignored, so that nobody will take it.
pub(in crate::task) fn send_timer(
    process: &Process,
    thread: Option<&Arc<Task>>,
    signal: Signal,
    info: SigInfo,
    timer: Arc<PosixTimer>,
) -> bool {
    send(process, thread, signal, &info, Some(timer)) == Ok(true)
}

/// Makes `task` end at its next gate, and ends its sleeps and stops that a SIGKILL ends. The process's threads may be
/// locked. For the end of a whole process and for execve's siblings.
pub fn kill_thread(task: &Arc<Task>) {
    task.signals.killed.store(true, Ordering::Release);
    task.gates.set(TaskFlag::Notify);
    sched::kick(task, true);
}

/// Sends a signal to `to` or the process; `timer` sent it if one is given. `Ok(true)` when the signal is pending now (or
/// was), `Ok(false)` when it came to nothing.
fn send(
    process: &Process,
    to: Option<&Arc<Task>>,
    signal: Signal,
    info: &SigInfo,
    timer: Option<Arc<PosixTimer>>,
) -> Result<bool> {
    let threads = process.threads();
    let Some(main) = to.or_else(|| threads.list.first()) else { return Ok(false) };
    if threads.group_exit.is_some() || to.is_some_and(|task| task.exited.load(Ordering::Relaxed)) {
        return Ok(false); // What is dying takes no more signals.
    }
    let mut state = process.signals.lock();
    prepare(&threads, &mut state, signal);
    if is_ignored(process, &state, main, signal, false) {
        return Ok(false);
    }
    let charge = match timer {
        None if is_limited(signal, info) => Charge::new(process, main.creds.lock().user.clone()),
        _ => None,
    };
    let kill = signal == Signal::SIGKILL && is_fatal(process, &state, main, signal);
    if !kill {
        let add = |pending: &mut Pending| match timer {
            Some(timer) => {
                pending.add_timer(signal, info, timer);
                Ok(())
            }
            // One of each standard signal, with the first one's siginfo.
            None if !signal.is_realtime() && pending.set.has(signal) => Ok(()),
            None => pending.add(signal, info, charge),
        };
        match to {
            Some(task) => task.signals.with_private(&mut state, add)?,
            None => add(&mut state.shared)?,
        }
    }
    choose(process, threads, state, to, signal);
    Ok(true)
}

/// What sending does at once, whatever becomes of the signal: SIGCONT ends stops, and stop signals and SIGCONT cancel
/// each other.
fn prepare(threads: &Threads, state: &mut State, signal: Signal) {
    let cancelled = job::cancelled_by(signal);
    if cancelled.is_empty() {
        return;
    }
    state.shared.discard(cancelled);
    for thread in &threads.list {
        if !thread.signals.private().and(cancelled).is_empty() {
            thread.signals.with_private(state, |pending| pending.discard(cancelled));
        }
    }
    if signal == Signal::SIGCONT {
        job::end_stop(threads, state);
    }
}

/// Whether the signal comes to nothing: ignored, and not blocked (a blocked one waits, since that may change).
/// `forced` signals also kill the first process.
fn is_ignored(process: &Process, state: &State, task: &Task, signal: Signal, forced: bool) -> bool {
    if task.signals.mask_for_sender().has(signal) {
        return false;
    }
    let handlers = &state.handlers;
    if handlers.caught().has(signal) {
        return false;
    }
    handlers.ignored().has(signal) || SigSet::IGNORE.has(signal) || (is_immortal(process, state) && !forced)
}

/// Whether default actions do not touch the process: the first one's end would be the system's.
pub(super) fn is_immortal(process: &Process, state: &State) -> bool {
    process.pid == 1 && !state.mortal
}

/// Whether the signal will end the process for certain and without a core status, so that the end may begin now.
fn is_fatal(process: &Process, state: &State, task: &Task, signal: Signal) -> bool {
    let handlers = &state.handlers;
    signal.default_action() == DefaultAction::Terminate
        && !handlers.caught().has(signal)
        && !handlers.ignored().has(signal)
        && !is_immortal(process, state)
        && !task.signals.mask_for_sender().has(signal)
}

/// Chooses the thread that shall take the signal and makes it look; or begins the process's end.
fn choose(
    process: &Process,
    mut threads: impl core::ops::DerefMut<Target = Threads>,
    mut state: impl core::ops::DerefMut<Target = State>,
    to: Option<&Arc<Task>>,
    signal: Signal,
) {
    let takes = |task: &&Arc<Task>| {
        let signals = &task.signals;
        !signals.mask().has(signal)
            // A stopped process dies of SIGKILL alone; all else waits until it goes on.
            && (signal == Signal::SIGKILL || !signals.stopped.load(Ordering::Relaxed))
            && !signals.killed.load(Ordering::Relaxed)
            && !task.exited.load(Ordering::Relaxed)
    };
    let is_idle = |task: &&Arc<Task>| takes(task) && !task.gates.has(TaskFlag::Signal);
    let chosen = match to {
        Some(task) => Some(task).filter(takes),
        // One that has nothing else to do; failing that all who could take it are busy, and find it when they go on.
        None => threads.list.iter().find(is_idle).or_else(|| threads.list.iter().find(takes)),
    };
    let Some(chosen) = chosen else { return };
    if is_fatal(process, &state, chosen, signal) {
        job::abandon(&threads, &mut state);
        process.begin_group_exit(&mut threads, WaitStatus::signaled(signal.number(), false));
        threads.list.iter().for_each(kill_thread);
        return;
    }
    chosen.gates.set(TaskFlag::Signal);
    sched::kick(chosen, false);
}

/// Forces `signal` on the current task for a fault it made: unblocked and with the default action if it was blocked or
/// ignored. `code` is si_code, `address` si_addr.
pub fn force_fault(signal: Signal, code: i32, address: u64) {
    force(signal, SigInfo::fault(signal.number(), code, address), false);
}

/// Forces SIGSEGV on the current task for a signal frame that could not be written or taken back; with `fatal` (it was
/// SIGSEGV's own) without asking its handler.
pub(super) fn force_segv(fatal: bool) {
    force(Signal::SIGSEGV, SigInfo::kernel(Signal::SIGSEGV.number()), fatal);
}

/// Forces a signal on the current task; with `fatal` its handler is not asked.
fn force(signal: Signal, info: SigInfo, fatal: bool) {
    let task = current();
    let mut state = task.process.signals.lock();
    let blocked = task.signals.mask().has(signal);
    if blocked || fatal || state.handlers.ignored().has(signal) {
        state.handlers.reset(signal);
    }
    if !state.handlers.caught().has(signal) {
        state.mortal = true;
    }
    if blocked {
        let mask = task.signals.mask().without(SigSet::only(signal));
        state.set_mask(task, mask);
    }
    let added = task.signals.with_private(&mut state, |pending| {
        if pending.set.has(signal) { Ok(()) } else { pending.add(signal, &info, None) }
    });
    debug_assert!(!matches!(added, Err(Errno::EAGAIN)), "standard signals from the kernel are not limited");
    task.gates.set(TaskFlag::Signal);
}
