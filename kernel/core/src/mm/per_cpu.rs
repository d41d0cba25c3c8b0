//! One value per CPU, for the allocators' caches.
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

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

/// A stack of up to `N` frame numbers: the warmest frame goes out first. Changed by one CPU only.
pub(super) struct FrameStack<const N: usize> {
    len: AtomicUsize,
    frames: [AtomicU32; N],
}

impl<const N: usize> FrameStack<N> {
    /// An empty one.
    pub(super) const fn new() -> Self {
        Self { len: AtomicUsize::new(0), frames: [const { AtomicU32::new(0) }; N] }
    }

    /// How many are on it.
    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Takes the topmost.
    #[inline]
    pub(super) fn pop(&self) -> Option<u32> {
        let last = self.len().checked_sub(1)?;
        self.len.store(last, Ordering::Relaxed);
        Some(self.frames[last].load(Ordering::Relaxed))
    }

    /// Puts one more on it; `false` when it is full.
    #[inline]
    pub(super) fn push(&self, frame: u32) -> bool {
        let len = self.len();
        let Some(slot) = self.frames.get(len) else { return false };
        slot.store(frame, Ordering::Relaxed);
        self.len.store(len + 1, Ordering::Relaxed);
        true
    }
}
