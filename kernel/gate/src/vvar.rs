//! The data page below the image: what the kernel tells the gate functions, so that they need not ask.
//!
//! The kernel writes the page; every process sees it read-only, [`VVAR_PAGES`] pages below the image. A sequence count
//! tells a reader that it saw the page between two states: it is odd during a change and different after one.
//!
//! Time is not stored but computed: nanoseconds since `tsc_base` are `(tsc - tsc_base) * multiplier >> shift`, in 128
//! bits, and a clock's time is that plus the clock's own start. So the page changes when a clock is set, not at ticks,
//! and a kernel that computes its system calls' answers in the same way gives exactly the same answers.

use crate::atomic::{AtomicU32, AtomicU64, Ordering, fence, spin_loop};

/// Number of pages of data, directly below the image.
pub const VVAR_PAGES: usize = 1;

/// Number of clocks the page has room for: the clock identifiers 0 to 11.
pub const CLOCKS: usize = 12;
/// Nanoseconds in a second.
pub const NANOS_PER_SEC: u64 = 1_000_000_000;

/// Seconds and nanoseconds; the latter are below [`NANOS_PER_SEC`].
#[derive(Debug, Default)]
#[repr(C)]
pub struct Start {
    /// Whole seconds.
    pub seconds: AtomicU64,
    /// The rest.
    pub nanoseconds: AtomicU64,
}

/// The data page. Its first bytes; the rest is zero.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Vvar {
    /// Odd while the other fields change.
    pub sequence: AtomicU32,
    /// The clocks that the page can tell, as a set of bits by their identifiers; of others the functions make the system
    /// call. Only if the counter counts alike on all CPUs can there be any.
    pub known: AtomicU32,
    /// The counter's value from which on times count.
    pub tsc_base: AtomicU64,
    /// Nanoseconds per count, times two to the power of `shift`.
    pub multiplier: AtomicU64,
    /// 0 to 63.
    pub shift: AtomicU32,
    /// Not 0: every CPU's TSC_AUX register holds its number in bits 0 to 11, and its node's above.
    pub cpu_known: AtomicU32,
    /// By clock identifier: the clock's time at `tsc_base`.
    pub clocks: [Start; CLOCKS],
}

impl Vvar {
    /// Makes one change, which readers see whole or not at all. `change` stores with relaxed ordering.
    ///
    /// Callers take turns (under the lock of the clocks) and let nothing interrupt them on the same CPU that reads
    /// the page: such a reader would wait for ever.
    pub fn update(&self, change: impl FnOnce(&Self)) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        change(self);
        self.sequence.store(sequence.wrapping_add(2), Ordering::Release);
    }

    /// What `__vdso_clock_gettime` does, in Rust: the time of a clock as seconds and nanoseconds, or `None` where the
    /// function makes the system call. `tsc` reads the counter.
    pub fn time(&self, clock: u32, tsc: impl Fn() -> u64) -> Option<(u64, u64)> {
        if clock as usize >= CLOCKS || self.known.load(Ordering::Relaxed) >> clock & 1 == 0 {
            return None;
        }
        let start = &self.clocks[clock as usize];
        loop {
            let sequence = self.sequence.load(Ordering::Acquire);
            if sequence & 1 != 0 {
                spin_loop();
                continue;
            }
            let counts = tsc().saturating_sub(self.tsc_base.load(Ordering::Relaxed));
            let elapsed = scale(counts, self.multiplier.load(Ordering::Relaxed), self.shift.load(Ordering::Relaxed));
            let nanoseconds = elapsed.wrapping_add(start.nanoseconds.load(Ordering::Relaxed));
            let seconds = start.seconds.load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            if self.sequence.load(Ordering::Relaxed) == sequence {
                let carry = nanoseconds / NANOS_PER_SEC;
                return Some((seconds.wrapping_add(carry), nanoseconds % NANOS_PER_SEC));
            }
        }
    }
}

/// Counts of the counter in nanoseconds, as the page's fields define it.
pub const fn scale(counts: u64, multiplier: u64, shift: u32) -> u64 {
    ((counts as u128 * multiplier as u128) >> shift) as u64
}
