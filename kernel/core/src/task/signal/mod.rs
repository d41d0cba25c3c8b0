//! Signals.
use alloc::sync::Arc;

use super::{Process, Task};

/// Per task: mask, private queue, alternate stack.
pub struct TaskSignals {}

/// Per process: handlers, shared queue, stop state.
pub struct ProcessSignals {}

/// A signal number, 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(u8);

/// Forces `signal` on the current task for a fault it made: unblocked and with the default action if it was blocked or
/// ignored. `code` is si_code, `address` si_addr.
pub fn force_fault(signal: Signal, code: i32, address: u64) {
    let _ = (signal, code, address);
    todo!("signal+time")
}

/// Whether a sleep must end: a deliverable signal, or with `fatal_only` one that kills.
pub fn is_pending(task: &Task, fatal_only: bool) -> bool {
    let _ = (task, fatal_only);
    todo!("signal+time")
}

/// The signal gate of the user-mode loop: delivers what is pending (pushing handler frames on the user stack), stops,
/// or does not return because the process dies. Also decides the restart of an interrupted system call.
pub fn deliver() {
    todo!("signal+time")
}

/// Tells `parent` about its child (SIGCHLD with siginfo, or the child's exit signal) and wakes its wait calls.
pub fn notify_parent(parent: &Arc<Process>, child: &Arc<Process>) {
    let _ = (parent, child);
    todo!("signal+time")
}
