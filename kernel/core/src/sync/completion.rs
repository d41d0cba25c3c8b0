//! Something that happens once, and those who wait for it.
use core::sync::atomic::{AtomicBool, Ordering};

use tollgate_abi::Result;

use super::{Sleep, WaitQueue};

/// An event that happens once.
#[derive(Default)]
pub struct Completion {
    done: AtomicBool,
    waiters: WaitQueue,
}

impl Completion {
    /// Not happened yet.
    pub const fn new() -> Self {
        Self { done: AtomicBool::new(false), waiters: WaitQueue::new() }
    }

    /// It happens: all who wait go on.
    pub fn complete(&self) {
        self.done.store(true, Ordering::Release);
        self.waiters.wake_all();
    }

    /// Whether it has happened.
    pub fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    /// Sleeps until it has happened.
    ///
    /// # Errors
    /// `ERESTARTSYS` when a signal ended the sleep first.
    pub fn wait(&self, sleep: Sleep) -> Result<()> {
        self.waiters.wait_until(sleep, None, || self.is_done().then_some(()))
    }
}
