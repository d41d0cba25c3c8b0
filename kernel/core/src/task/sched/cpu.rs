//! What the scheduler keeps per CPU: its run queue and the task it falls back to.
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::cell::Cell;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

use crate::arch::percpu;
use crate::sync::{Rank, SpinLock};
use crate::task::Task;

/// One CPU's part of the scheduler. The cells are its own; the rest is for everyone.
pub struct CpuSched {
    queue: SpinLock<VecDeque<Arc<Task>>>,
    /// Length of the queue, read without the lock.
    len: AtomicUsize,
    /// Whether the CPU has nothing to run.
    idling: AtomicBool,
    idle: AtomicPtr<Task>,
    /// The task being switched away from, until the next one has taken over.
    pub(super) leaving: Cell<Option<Leaving>>,
    /// When the running task has had its share, monotonic nanoseconds.
    pub(super) slice_end: Cell<u64>,
    /// Up to when CPU time has been accounted.
    pub(super) accounted: Cell<u64>,
    pub(super) ticking: Cell<bool>,
}

/// What becomes of the task a CPU switches away from.
pub(super) enum Leaving {
    /// It sleeps or is dead: the CPU's share in it goes.
    Drop(Arc<Task>),
    /// It stays runnable, but not on this CPU.
    Migrate(Arc<Task>),
    /// It is in this CPU's queue, or idle.
    Stay(*const Task),
}

impl CpuSched {
    /// A CPU without tasks.
    pub const fn new() -> Self {
        Self {
            queue: SpinLock::new(Rank::RunQueue, VecDeque::new()),
            len: AtomicUsize::new(0),
            idling: AtomicBool::new(false),
            idle: AtomicPtr::new(core::ptr::null_mut()),
            leaving: Cell::new(None),
            slice_end: Cell::new(0),
            accounted: Cell::new(0),
            ticking: Cell::new(false),
        }
    }

    /// Gives the CPU the task it runs when there is nothing else, for good.
    pub(super) fn set_idle(&self, idle: Arc<Task>) {
        self.idle.store(Arc::into_raw(idle).cast_mut(), Ordering::Release);
    }

    /// The idle task.
    pub(super) fn idle(&self) -> *const Task {
        self.idle.load(Ordering::Acquire)
    }

    /// Runnable tasks that wait here.
    pub(super) fn waiting(&self) -> usize {
        self.len.load(Ordering::SeqCst)
    }

    pub(super) fn is_idling(&self) -> bool {
        self.idling.load(Ordering::SeqCst)
    }

    pub(super) fn set_idling(&self, idling: bool) {
        self.idling.store(idling, Ordering::SeqCst);
    }

    /// Adds a runnable task at the end.
    pub(super) fn push(&self, task: Arc<Task>) {
        let mut queue = self.queue.lock();
        queue.push_back(task);
        self.len.store(queue.len(), Ordering::SeqCst);
    }

    /// Takes the first task.
    pub(super) fn pop(&self) -> Option<Arc<Task>> {
        if self.waiting() == 0 {
            return None;
        }
        let mut queue = self.queue.lock();
        let task = queue.pop_front();
        self.len.store(queue.len(), Ordering::SeqCst);
        task
    }

    /// Takes the last task that may run on CPU `thief`, and is not just being switched away from.
    fn give_to(&self, thief: usize) -> Option<Arc<Task>> {
        let mut queue = self.queue.try_lock()?;
        let at = queue.iter().rposition(|t| t.sched.may_run_on(thief) && !t.sched.is_on_cpu())?;
        let task = queue.remove(at);
        self.len.store(queue.len(), Ordering::SeqCst);
        task
    }
}

/// Takes a task from the longest queue of another CPU for CPU `thief`.
pub(super) fn steal(thief: usize) -> Option<Arc<Task>> {
    let others = (0..percpu::cpu_count()).filter(|&c| c != thief);
    let longest = others.filter_map(percpu::of_cpu).max_by_key(|c| c.sched.waiting())?;
    if longest.sched.waiting() == 0 { None } else { longest.sched.give_to(thief) }
}
