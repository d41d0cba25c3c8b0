//! The scheduler: a run queue per CPU.
use alloc::sync::Arc;

use super::Task;
use crate::sync::Sleep;

/// What the scheduler keeps of each task.
pub struct SchedState {}

impl SchedState {
    /// Of a task that has not run yet.
    pub fn new() -> Self {
        Self {}
    }
}

/// Makes a new task runnable for the first time.
pub fn start(task: Arc<Task>) {
    let _ = task;
    todo!("lead")
}

/// Gives the CPU to the next runnable task; comes back when this one is chosen again.
pub fn yield_now() {
    todo!("lead")
}

/// Lets others run if the scheduler wants it; called in long loops in the kernel, which is not preempted otherwise.
pub fn cond_resched() {
    todo!("lead")
}

/// Ends the current task's time on any CPU, for good; its last reference is dropped by the next task to run here.
pub fn exit_current() -> ! {
    todo!("lead")
}

/// Marks the current task asleep: from now on a [`wake`] is not lost. Follow by a check of the condition, then
/// [`sleep_prepared`] or [`cancel_sleep`].
pub fn prepare_sleep(sleep: Sleep) {
    let _ = sleep;
    todo!("lead")
}

/// Takes [`prepare_sleep`] back.
pub fn cancel_sleep() {
    todo!("lead")
}

/// Sleeps until woken, or until `deadline` (monotonic nanoseconds). May return early for no reason.
pub fn sleep_prepared(deadline: Option<u64>) {
    let _ = deadline;
    todo!("lead")
}

/// Whether a signal ends a sleep of this kind right now.
pub fn sleep_interrupted(sleep: Sleep) -> bool {
    let _ = sleep;
    todo!("lead")
}

/// Makes a sleeping task runnable, whatever it sleeps for; true if it slept. It will check its condition again.
pub fn wake(task: &Arc<Task>) -> bool {
    let _ = task;
    todo!("lead")
}

/// Wakes `task` if it sleeps interruptibly (or, with `fatal`, killably); and makes it look at its gates soon if it runs
/// in user mode, by an interrupt to its CPU. Called after a signal was queued or a gate flag was set.
pub fn kick(task: &Arc<Task>, fatal: bool) {
    let _ = (task, fatal);
    todo!("lead")
}
