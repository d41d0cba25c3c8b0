//! Timers: things to do at a time.
//!
//! - [`queue`]: each CPU's timers in order of time, driven by the clock interrupt. A timer lives inside its owner, so
//!   arming one allocates nothing (but for a queue's growth).
//! - [`arm_wake`] and [`cancel_wake`]: the timer every task has, for sleeps with an end.
pub mod clock;
pub mod posix;
pub mod process;
mod queue;

use alloc::sync::Arc;

pub use process::{ProcessTimers, cpu_tick};
pub use queue::{Timer, arm, cancel, expire};

use super::{Task, sched};

/// What happens when a timer fires.
pub trait Expire: Send + Sync {
    /// The owner's timer: always the same one.
    fn timer(&self) -> &Timer;

    /// The time has come. Runs in the clock interrupt with interrupts off and no lock held: it may wake tasks and queue
    /// signals, nothing that sleeps. Returns when to fire again (monotonic nanoseconds, after `now`), if ever; that is
    /// forgotten when someone cancelled or armed the timer in the meantime.
    fn expire(self: Arc<Self>, now: u64) -> Option<u64>;
}

impl Expire for Task {
    fn timer(&self) -> &Timer {
        &self.sleep_timer
    }

    fn expire(self: Arc<Self>, _now: u64) -> Option<u64> {
        sched::wake(&self);
        None
    }
}

/// Wakes `task` at `at` (monotonic nanoseconds; at the next clock interrupt if that has passed). The task itself calls
/// this between `prepare_sleep` and giving up the CPU, and [`cancel_wake`] when it is back.
pub fn arm_wake(task: &Arc<Task>, at: u64) {
    arm(task, at);
}

/// Takes [`arm_wake`] back. A wake already under way may still come; sleepers check their condition anyway.
pub fn cancel_wake(task: &Task) {
    queue::cancel(task);
}
