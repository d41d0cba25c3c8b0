//! A sleeping lock.
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, Ordering};

use super::{Rank, Sleep, WaitQueue, might_sleep};
use crate::task;

/// Mutual exclusion whose waiters sleep. The holder may sleep, and may touch user memory if the rank says so.
pub struct Mutex<T: ?Sized> {
    rank: Rank,
    locked: AtomicBool,
    waiters: WaitQueue,
    value: UnsafeCell<T>,
}

// SAFETY: `locked` admits one holder at a time, so sharing the lock only ever sends the value from task to task.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: as above: `&Mutex<T>` gives `&mut T` to one holder at a time.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    /// A free lock at `rank` of the lock order.
    pub const fn new(rank: Rank, value: T) -> Self {
        Self { rank, locked: AtomicBool::new(false), waiters: WaitQueue::new(), value: UnsafeCell::new(value) }
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Takes the lock, sleeping (uninterruptibly) while another task has it.
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        if cfg!(debug_assertions) {
            task::held_ranks(|held| held.acquire(self.rank));
        }
        self.acquire(cfg!(debug_assertions))
    }

    /// Takes a second lock of a rank already held; the caller orders the two.
    #[track_caller]
    pub fn lock_nested(&self) -> MutexGuard<'_, T> {
        self.acquire(false)
    }

    fn try_acquire(&self) -> bool {
        self.locked.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[track_caller]
    fn acquire(&self, ranked: bool) -> MutexGuard<'_, T> {
        might_sleep();
        if !self.try_acquire() {
            self.waiters
                .wait_until(Sleep::Uninterruptible, None, || self.try_acquire().then_some(()))
                .expect("an uninterruptible wait without a deadline ends in success only");
        }
        MutexGuard { lock: self, ranked }
    }
}

/// Proof that a [`Mutex`] is held.
pub struct MutexGuard<'a, T: ?Sized> {
    lock: &'a Mutex<T>,
    ranked: bool,
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the guard exists only while `locked` is ours, so no one else reaches the value.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard exists only while `locked` is ours, so no one else reaches the value.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        if self.ranked {
            task::held_ranks(|held| held.release(self.lock.rank));
        }
        self.lock.locked.store(false, Ordering::Release);
        self.lock.waiters.wake_one();
    }
}
