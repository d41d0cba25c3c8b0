//! Signals.
//!
//! A signal is *sent* to a task or a process (it becomes pending there, some thread is chosen and its gate flag set)
//! and *delivered* by that thread at its signal gate (handler, stop, end). Locks: a process's threads
//! ([`crate::sync::Rank::Process`]), then its signals ([`crate::sync::Rank::Signals`]); senders may hold the tree.
//!
//! [`TaskFlag::Signal`](super::TaskFlag) is exact: it is set when a signal is pending for the task that it does not
//! block, and cleared by the task itself when none is left. Everything that waits looks at it and at nothing else.
mod set;

use alloc::sync::Arc;

use tollgate_abi::signal::SigInfo;
use tollgate_abi::{Errno, Result};

pub use set::{DefaultAction, SigSet, Signal};

use super::{Process, Task};
use crate::mm::space::Fault;

/// Per task: mask, private queue, alternate stack.
pub struct TaskSignals {}

impl TaskSignals {
    /// The first task's: nothing blocked, nothing pending.
    pub fn new() -> Self {
        todo!("signal+time")
    }

    /// What clone gives the child of the current task: its mask, no pending signals, and its alternate stack unless
    /// `share_memory` (CLONE_VM without CLONE_VFORK).
    pub fn for_clone(share_memory: bool) -> Self {
        let _ = share_memory;
        todo!("signal+time")
    }
}

/// Per process: handlers, shared queue, stop state.
pub struct ProcessSignals {}

impl ProcessSignals {
    /// The first process's: all default.
    pub fn new() -> Self {
        todo!("signal+time")
    }

    /// What fork gives the current process's child: the same handlers, shared with CLONE_SIGHAND, or with
    /// CLONE_CLEAR_SIGHAND reset to default where not ignored. Nothing pending, not stopped, no timers.
    pub fn for_fork(share: bool, clear: bool) -> Self {
        let _ = (share, clear);
        todo!("signal+time")
    }
}

/// A change of state that wait calls tell of and SIGCHLD announces, the end apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobEvent {
    /// All threads stopped, because of this signal.
    Stopped(Signal),
    /// SIGCONT ended a stop.
    Continued,
}

// ---- for those who send ----

/// Sends `info` to a process: to whichever of its threads wants it first. May be called from interrupts and with the
/// tree locked.
///
/// # Errors
/// `EAGAIN` when a queued signal exceeds RLIMIT_SIGPENDING.
pub fn send_process(process: &Process, signal: Signal, info: SigInfo) -> Result<()> {
    let _ = (process, signal, info);
    todo!("signal+time")
}

/// Sends `info` to one thread. As [`send_process`] otherwise.
///
/// # Errors
/// `EAGAIN` when a queued signal exceeds RLIMIT_SIGPENDING.
pub fn send_task(task: &Arc<Task>, signal: Signal, info: SigInfo) -> Result<()> {
    let _ = (task, signal, info);
    todo!("signal+time")
}

/// Sends a process a signal from the kernel (terminal, broken pipe, orphaned job).
pub fn send_kernel(process: &Process, signal: Signal) {
    let _ = (process, signal);
    todo!("signal+time")
}

/// Makes `task` end at its next gate, and ends its sleeps and stops that a SIGKILL ends. The process's threads may be
/// locked. For the end of a whole process and for execve's siblings.
pub fn kill_thread(task: &Arc<Task>) {
    let _ = task;
    todo!("signal+time")
}

/// Forces `signal` on the current task for a fault it made: unblocked and with the default action if it was blocked or
/// ignored. `code` is si_code, `address` si_addr.
pub fn force_fault(signal: Signal, code: i32, address: u64) {
    let _ = (signal, code, address);
    todo!("signal+time")
}

/// Turns a CPU exception of user mode into its signal for the current task: si_code, si_addr, and what the signal frame
/// says of it. `memory` is what the address space said to a page fault.
pub fn raise_exception(vector: u8, code: u64, address: u64, memory: Option<Fault>) {
    let _ = (vector, code, address, memory);
    todo!("signal+time")
}

// ---- for those who wait ----

/// Whether a sleep must end: a deliverable signal, or with `fatal_only` one that kills.
pub fn is_pending(task: &Task, fatal_only: bool) -> bool {
    let _ = (task, fatal_only);
    todo!("signal+time")
}

/// Whether `signal` would come to nothing for the current task now: blocked or ignored (background writes to a terminal
/// look at this).
pub fn is_blocked_or_ignored(signal: Signal) -> bool {
    let _ = signal;
    todo!("signal+time")
}

/// Makes the current call restart through `restart` if no handler runs (and fail with EINTR if one does): returns the
/// error for the call to return. `restart` may call this again.
pub fn restart_with(restart: impl FnOnce() -> Result<usize> + Send + 'static) -> Errno {
    let _ = restart;
    todo!("signal+time")
}

/// Replaces the current task's mask until the system call is over: ppoll, pselect6, epoll_pwait, sigsuspend. If the
/// call returns without a signal being delivered call [`restore_mask`]; if it fails with EINTR or a restart error, just
/// return, the gate restores it.
pub fn set_temporary_mask(mask: SigSet) {
    let _ = mask;
    todo!("signal+time")
}

/// Ends what [`set_temporary_mask`] began.
pub fn restore_mask() {
    todo!("signal+time")
}

// ---- for the user-mode loop ----

/// The signal gate of the user-mode loop: delivers what is pending (pushing handler frames on the user stack), stops,
/// or does not return because the process dies. Also decides the restart of an interrupted system call: it must be
/// called whenever one returned a restart error, whatever the gate flags say.
pub fn deliver() {
    todo!("signal+time")
}

// ---- for exec, exit and wait ----

/// exec's part: handlers become default (no longer shared), the alternate stack and POSIX timers go. The current
/// process has one thread now.
pub fn exec() {
    todo!("signal+time")
}

/// The current thread ends: what it was to take of the process's signals goes to other threads, its own are dropped. It
/// is on the process's list of threads still.
pub fn exit_thread() {
    todo!("signal+time")
}

/// The current process's last thread ends: its timers go.
pub fn exit_process() {
    todo!("signal+time")
}

/// Tells `parent` of its child's end: `info` made by [`SigInfo::child`] with the child's exit signal as its number
/// (0 = none is sent). True when the parent wants no zombie (SIGCHLD ignored, or SA_NOCLDWAIT). The tree may be locked;
/// the caller wakes the parent's wait calls.
pub fn notify_exit(parent: &Process, info: SigInfo) -> bool {
    let _ = (parent, info);
    todo!("signal+time")
}

/// Whether all of the process's threads are stopped by job control.
pub fn is_stopped(process: &Process) -> bool {
    let _ = process;
    todo!("signal+time")
}

/// The state change that a wait for `stopped` or `continued` children finds now; `consume` makes it not be found again
/// (waitid without WNOWAIT).
pub fn wait_event(process: &Process, stopped: bool, continued: bool, consume: bool) -> Option<JobEvent> {
    let _ = (process, stopped, continued, consume);
    todo!("signal+time")
}
