//! What watches user programs: the hook points of the user-mode loop, and the gate page's glue.
//!
//! Each hook is reached only with its gate flag set; nothing sets [`crate::task::TaskFlag::SyscallTrace`] or
//! [`crate::task::TaskFlag::Probe`] yet.
pub mod getunwind;

use crate::task::{Task, TaskFlag};

/// A traced task is about to make the system call in its registers.
pub fn syscall_entry(_task: &Task) {}

/// A traced task has made a system call; the result is in its registers.
pub fn syscall_exit(_task: &Task) {}

/// A probe asked to look at the task before it goes on.
pub fn probe_work(task: &Task) {
    task.gates.clear(TaskFlag::Probe);
}
