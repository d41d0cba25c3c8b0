//! What exec, exit and the end of children mean for signals, and what sigaction changes.
use alloc::sync::Arc;

use tollgate_abi::signal::{SIG_DFL, SIG_IGN, SigAction, SigInfo, sa};

use super::{SigSet, Signal, job, send_process};
use crate::task::{Process, Task, current};

/// exec's part: handlers become default (no longer shared) where not ignored, the alternate stack and POSIX timers go.
/// The current process has one thread now.
pub fn exec() {
    let task = current();
    task.signals.altstack.reset();
    let old_restart = task.signals.restart.lock().take();
    let old_handlers = {
        let mut state = task.process.signals.lock();
        let fresh = Arc::new(state.handlers.copy_ignored());
        core::mem::replace(&mut state.handlers, fresh)
    };
    drop((old_restart, old_handlers)); // With no lock held.
    task.process.timers.exec();
}

/// The current thread ends (its `exited` is set): what it was to take of the process's signals goes to other threads,
/// its own are dropped. It is on the process's list of threads still.
pub fn exit_thread() {
    let task = current();
    job::thread_gone(task);
    task.process.with_threads(|threads| {
        let mut state = task.process.signals.lock();
        task.signals.with_private(&mut state, |pending| pending.clear());
        let unblocked = SigSet(u64::MAX).without(task.signals.mask());
        state.retarget(threads, task, unblocked);
    });
}

/// The current process's last thread ends: its timers go.
pub fn exit_process() {
    let process = &current().process;
    process.timers.exit();
    process.signals.lock().shared.clear();
}

/// Tells `parent` of its child's end: `info` made by [`SigInfo::child`] with the child's exit signal as its number
/// (0 = none is sent). True when the parent wants no zombie (SIGCHLD ignored, or SA_NOCLDWAIT). The tree may be locked;
/// the caller wakes the parent's wait calls.
pub fn notify_exit(parent: &Process, info: SigInfo) -> bool {
    let Some(signal) = Signal::new(info.signo) else { return false };
    let (ignored, flags) = if signal == Signal::SIGCHLD {
        let handlers = parent.signals.lock().handlers.clone();
        (handlers.ignored().has(signal), handlers.get(signal).flags)
    } else {
        (false, 0)
    };
    if !ignored {
        // Past the limit a real-time exit signal is lost, as on Linux.
        let _ = send_process(parent, signal, info);
    }
    ignored || flags & sa::NOCLDWAIT != 0
}

/// What `signal` does in the current process: rt_sigaction(2)'s old action.
pub fn action(signal: Signal) -> SigAction {
    current().process.signals.lock().handlers.get(signal)
}

/// Sets what `signal` does in the current process; returns what it did. Pending signals that are ignored from now on
/// are dropped.
pub fn set_action(signal: Signal, new: SigAction) -> SigAction {
    let process = &current().process;
    let default_ignores = new.handler == SIG_DFL && SigSet::IGNORE.has(signal);
    if new.handler == SIG_IGN || default_ignores {
        let dropped = SigSet::only(signal);
        return process.with_threads(|threads| {
            let mut state = process.signals.lock();
            let old = state.handlers.get(signal);
            state.handlers.set(signal, new);
            state.shared.discard(dropped);
            for thread in threads {
                if thread.signals.private().has(signal) {
                    thread.signals.with_private(&mut state, |pending| pending.discard(dropped));
                }
            }
            old
        });
    }
    let state = process.signals.lock();
    let old = state.handlers.get(signal);
    state.handlers.set(signal, new);
    old
}

/// What a task's signals look like from outside: /proc/PID/status.
#[derive(Clone, Copy, Debug)]
pub struct Sets {
    /// Pending for the task alone.
    pub private: SigSet,
    /// Pending for its process.
    pub shared: SigSet,
    /// Blocked by the task.
    pub blocked: SigSet,
    /// Ignored by the process.
    pub ignored: SigSet,
    /// With a handler.
    pub caught: SigSet,
}

/// See [`Sets`].
pub fn sets(task: &Task) -> Sets {
    let state = task.process.signals.lock();
    Sets {
        private: task.signals.private(),
        shared: state.shared.set,
        blocked: task.signals.mask(),
        ignored: state.handlers.ignored(),
        caught: state.handlers.caught(),
    }
}
