//! Wait queues: where tasks sleep until something is true.
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering, fence};

use tollgate_abi::{Errno, Result};

use super::{Rank, SpinLock};
use crate::task::{self, Task, sched};

/// What may end a sleep besides what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sleep {
    /// Any signal that would be delivered.
    Interruptible,
    /// Only a fatal signal (SIGKILL, or the process's exit).
    Killable,
    /// Nothing.
    Uninterruptible,
}

/// One registered sleeper.
pub struct Waiter {
    task: Arc<Task>,
    exclusive: bool,
}

/// A queue of sleeping tasks.
///
/// A sleeper announces its sleep, registers, then checks its condition, then sleeps: a wake at any point after that ends
/// the sleep. Whoever makes a condition true calls a `wake` after doing so.
pub struct WaitQueue {
    /// Length of the queue, read without the lock so that waking an empty queue costs one load.
    len: AtomicUsize,
    waiters: SpinLock<VecDeque<Waiter>>,
}

impl WaitQueue {
    /// An empty queue.
    pub const fn new() -> Self {
        Self { len: AtomicUsize::new(0), waiters: SpinLock::new(Rank::WaitQueue, VecDeque::new()) }
    }

    /// Sleeps until `condition` gives a value.
    ///
    /// # Errors
    /// `ERESTARTSYS` when a signal ended the sleep (the signal code turns it into EINTR or a restart),
    /// `ETIMEDOUT` when `deadline` (monotonic nanoseconds, see [`crate::arch::clock::now_ns`]) has passed.
    pub fn wait_until<R>(
        &self,
        sleep: Sleep,
        deadline: Option<u64>,
        mut condition: impl FnMut() -> Option<R>,
    ) -> Result<R> {
        if let Some(value) = condition() {
            return Ok(value);
        }
        let task = task::current_arc();
        loop {
            // In this order: who takes us off the queue finds us asleep, and so ends the sleep. The other way round, a
            // wake in between would be spent on a task that then sleeps without being queued.
            sched::prepare_sleep(sleep);
            self.register(&task, true);
            let outcome = match condition() {
                Some(value) => Some(Ok(value)),
                None if sched::sleep_interrupted(sleep) => Some(Err(Errno::ERESTARTSYS)),
                None if deadline.is_some_and(|at| crate::arch::clock::now_ns() >= at) => Some(Err(Errno::ETIMEDOUT)),
                None => None,
            };
            if let Some(outcome) = outcome {
                sched::cancel_sleep();
                if !self.unregister(&task) && outcome.is_err() {
                    // Someone woke us alone while we were giving up: the wake belongs to the next in line.
                    self.wake_one();
                }
                return outcome;
            }
            sched::sleep_prepared(deadline);
            self.unregister(&task);
        }
    }

    /// Adds `task` to the queue, at the end. `exclusive` waiters are woken one at a time by [`Self::wake_one`];
    /// others (poll) by every wake.
    pub fn register(&self, task: &Arc<Task>, exclusive: bool) {
        let mut waiters = self.waiters.lock();
        waiters.push_back(Waiter { task: task.clone(), exclusive });
        self.len.store(waiters.len(), Ordering::Relaxed);
        // Pairs with the fence in `wake`: either the waker sees us queued, or we see what it made true.
        fence(Ordering::SeqCst);
    }

    /// Takes `task` off the queue; false when a wake already did.
    pub fn unregister(&self, task: &Arc<Task>) -> bool {
        let mut waiters = self.waiters.lock();
        let Some(at) = waiters.iter().position(|w| Arc::ptr_eq(&w.task, task)) else { return false };
        let waiter = waiters.remove(at);
        self.len.store(waiters.len(), Ordering::Relaxed);
        drop(waiters);
        drop(waiter);
        true
    }

    /// Wakes every non-exclusive waiter and the first exclusive one.
    pub fn wake_one(&self) {
        self.wake(1);
    }

    /// Wakes every waiter.
    pub fn wake_all(&self) {
        self.wake(usize::MAX);
    }

    /// Wakes every non-exclusive waiter and up to `exclusive` exclusive ones, in order of arrival.
    pub fn wake(&self, mut exclusive: usize) {
        fence(Ordering::SeqCst);
        if self.len.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut at = 0;
        loop {
            let woken = {
                let mut waiters = self.waiters.lock();
                let next = (at..waiters.len()).find(|&i| !waiters[i].exclusive || exclusive > 0);
                let Some(i) = next else { return };
                at = i;
                if waiters[i].exclusive {
                    exclusive -= 1;
                }
                let woken = waiters.remove(i);
                self.len.store(waiters.len(), Ordering::Relaxed);
                woken
            };
            if let Some(waiter) = woken {
                sched::wake(&waiter.task);
            }
        }
    }
}

impl Default for WaitQueue {
    fn default() -> Self {
        Self::new()
    }
}
