//! Many tasks at once.

use crate::futex::{lock, unlock, wait, wake};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use tollgate_tests::memory::Shared;
use tollgate_tests::process::fork;

/// A counter that only a mutex protects.
struct Guarded {
    mutex: AtomicU32,
    value: UnsafeCell<u64>,
}

// SAFETY: the value is touched only with the mutex held; whether that excludes others is the test.
unsafe impl Sync for Guarded {}

impl Guarded {
    fn new() -> Guarded {
        Guarded { mutex: AtomicU32::new(0), value: UnsafeCell::new(0) }
    }

    /// Adds one in two steps, so that another one in between shows.
    fn increment(&self) {
        lock(&self.mutex);
        // SAFETY: the mutex is ours.
        unsafe {
            let value = self.value.get().read_volatile();
            std::hint::spin_loop();
            self.value.get().write_volatile(value + 1);
        }
        unlock(&self.mutex);
    }

    fn value(&self) -> u64 {
        // SAFETY: all others have ended.
        unsafe { self.value.get().read_volatile() }
    }
}

/// Increments of each task.
const ROUNDS: u64 = 10_000;

pub(crate) fn threads_exclude_each_other() {
    let counter = Guarded::new();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| (0..ROUNDS).for_each(|_| counter.increment()));
        }
    });
    assert_eq!(counter.value(), 6 * ROUNDS);
}

pub(crate) fn processes_exclude_each_other() {
    let counter = Shared::new(Guarded::new());
    let count = |_| {
        fork(|| {
            (0..ROUNDS).for_each(|_| counter.increment());
            0
        })
    };
    let children: Vec<_> = (0..6).map(count).collect();
    children.into_iter().for_each(|child| child.succeed());
    assert_eq!(counter.value(), 6 * ROUNDS);
}

/// Two threads that take turns: one lost wake-up and both sleep until the limit.
pub(crate) fn no_wake_up_is_lost() {
    const ROUNDS: u32 = 5000;
    let turn = AtomicU32::new(0);
    let play = |own: u32| {
        for round in 0..ROUNDS {
            let expected = 2 * round + own;
            loop {
                let now = turn.load(SeqCst);
                if now == expected {
                    break;
                }
                assert_ne!(wait(&turn, now), Err(tollgate_tests::Errno::ETIMEDOUT), "a wake-up was lost");
            }
            turn.store(expected + 1, SeqCst);
            wake(&turn, 1).expect("wake");
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| play(1));
        play(0);
    });
    assert_eq!(turn.load(SeqCst), 2 * ROUNDS);
}
