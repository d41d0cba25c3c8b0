//! A spinning lock that keeps interrupts off while held.
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};

use super::Rank;
use crate::arch::{percpu, tlb};

/// Mutual exclusion for short sections; usable from interrupt handlers.
pub struct SpinLock<T: ?Sized> {
    rank: Rank,
    inner: spin::mutex::SpinMutex<T>,
}

impl<T> SpinLock<T> {
    /// A free lock at `rank` of the lock order.
    pub const fn new(rank: Rank, value: T) -> Self {
        Self { rank, inner: spin::mutex::SpinMutex::new(value) }
    }

    /// Where the value is, for an owner whose reads need no lock because it is the only one to write.
    pub fn as_ptr(&self) -> *mut T {
        self.inner.as_mut_ptr()
    }
}

impl<T: ?Sized> SpinLock<T> {
    /// Takes the lock. Debug builds panic when a lock of this rank or a later one is held.
    #[track_caller]
    pub fn lock(&self) -> SpinGuard<'_, T> {
        percpu::irq_disable();
        if cfg!(debug_assertions) {
            percpu::held_ranks().acquire(self.rank);
        }
        self.spin(cfg!(debug_assertions))
    }

    /// Takes a second lock of a rank already held; the caller orders the two (by address, say).
    pub fn lock_nested(&self) -> SpinGuard<'_, T> {
        percpu::irq_disable();
        self.spin(false)
    }

    /// Takes the lock if it is free.
    pub fn try_lock(&self) -> Option<SpinGuard<'_, T>> {
        percpu::irq_disable();
        match self.inner.try_lock() {
            Some(inner) => Some(SpinGuard { inner: ManuallyDrop::new(inner), rank: self.rank, ranked: false }),
            None => {
                percpu::irq_enable();
                None
            }
        }
    }

    /// The value, when `&mut` proves that nobody else has it.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }

    fn spin(&self, ranked: bool) -> SpinGuard<'_, T> {
        let inner = loop {
            if let Some(inner) = self.inner.try_lock() {
                break inner;
            }
            // The holder may be waiting for this CPU to flush its TLB, and interrupts are off here.
            tlb::poll();
            core::hint::spin_loop();
        };
        SpinGuard { inner: ManuallyDrop::new(inner), rank: self.rank, ranked }
    }
}

/// Proof that a [`SpinLock`] is held; dropping it frees the lock and restores interrupts.
pub struct SpinGuard<'a, T: ?Sized> {
    /// Dropped first, and only by our own drop.
    inner: ManuallyDrop<spin::mutex::SpinMutexGuard<'a, T>>,
    rank: Rank,
    ranked: bool,
}

impl<T: ?Sized> Deref for SpinGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for SpinGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: ?Sized> Drop for SpinGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: this is the guard's end: nothing uses `inner` after it, nor drops it again.
        unsafe { ManuallyDrop::drop(&mut self.inner) };
        if cfg!(debug_assertions) && self.ranked {
            percpu::held_ranks().release(self.rank);
        }
        percpu::irq_enable();
    }
}
