//! One value per CPU, for the allocators' caches.
use crate::arch::percpu::{self, MAX_CPUS};

/// One `T` per CPU, each on cache lines of its own.
///
/// `T` is made of atomics, so reading another CPU's is sound at any time; that only its own CPU changes it, with
/// interrupts off, is what lets plain (relaxed) loads and stores suffice.
pub(super) struct PerCpu<T>(pub(super) [Slot<T>; MAX_CPUS]);

/// One CPU's value.
#[repr(align(64))]
pub(super) struct Slot<T>(pub(super) T);

impl<T: Sync> PerCpu<T> {
    /// Runs `f` on this CPU's value with interrupts off. `f` must not come back here: it would find the value
    /// half-changed.
    #[inline]
    pub(super) fn with<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        percpu::irq_disable();
        let result = f(&self.0[percpu::cpu_id()].0);
        percpu::irq_enable();
        result
    }

    /// Every CPU's value, to read.
    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|slot| &slot.0)
    }
}
