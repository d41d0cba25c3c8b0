//! Processes: thread groups, their place in the family tree, and what their threads share.
use alloc::sync::Arc;

use super::{Task, Tid, signal};

/// A thread group.
pub struct Process {
    /// getpid().
    pub pid: Tid,
    /// Handlers, shared queue, stop state.
    pub signals: signal::ProcessSignals,
}

/// The task with this number, if it exists (zombie leaders included).
pub fn find_task(tid: Tid) -> Option<Arc<Task>> {
    let _ = tid;
    todo!("task")
}

/// The process with this number, zombies included until they are reaped.
pub fn find_process(pid: Tid) -> Option<Arc<Process>> {
    let _ = pid;
    todo!("task")
}
