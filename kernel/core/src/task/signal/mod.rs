//! Signals.
//!
//! A signal is *sent* to a task or a process (it becomes pending there, some thread is chosen and its gate flag set)
//! and *delivered* by that thread at its signal gate (handler, stop, end). Locks: a process's threads
//! ([`crate::sync::Rank::Process`]), then its signals ([`crate::sync::Rank::Signals`]); senders may hold the tree.
//!
//! [`TaskFlag::Signal`](super::TaskFlag) is exact: it is set when a signal is pending for the task that it does not
//! block, and cleared by the task itself when none is left. Everything that waits looks at it and at nothing else.
mod altstack;
mod deliver;
mod fault;
mod frame;
mod job;
mod life;
mod mask;
mod queue;
mod restart;
mod send;
mod set;
mod sigreturn;
mod state;

pub use altstack::altstack;
pub use deliver::deliver;
pub use fault::raise_exception;
pub use frame::max_size as min_stack_size;
pub use job::{JobEvent, is_stopped, thread_added, wait_event};
pub use life::{action, exec, exit_process, exit_thread, notify_exit, set_action, sets};
pub use mask::{
    blocked_pending, is_blocked_or_ignored, is_pending, pause, restore_mask, set_mask, set_temporary_mask, wait_for,
};
pub use queue::Charge;
pub use restart::{restart, restart_with};
pub(in crate::task) use send::send_timer;
pub use send::{force_fault, kill_thread, send_kernel, send_process, send_self, send_task, sent_by_current};
pub use set::{DefaultAction, SigSet, Signal};
pub use sigreturn::sigreturn;
pub use state::{ProcessSignals, TaskSignals};
