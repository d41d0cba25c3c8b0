//! Whether a task runs or sleeps: one atomic word, so that a wake is never lost and never doubled.
//!
//! ```text
//!            announce            park
//!   Running ---------> Sleeping ------> Parked        (by the task itself)
//!      ^------------------'                |
//!      |        wake: nothing more to do   |          (by anyone)
//!      '-----------------------------------'
//!               wake: the waker queues it
//! ```
//! Between `announce` and `park` the task still runs and checks its condition, so a wake only has to say so. Once it is
//! parked, whoever moves it back to `Running` has the sole duty (and right) to put it on a run queue.
#[cfg(not(test))]
use core::sync::atomic::{AtomicU8, Ordering};
#[cfg(test)] // Compiled for `kernel/models` only.
use loom::sync::atomic::{AtomicU8, Ordering};

use crate::sync::Sleep;

const RUNNING: u8 = 0;
const SLEEPING: u8 = 0x10;
const PARKED: u8 = 0x20;
const DEAD: u8 = 0x40;
const KIND: u8 = 0x0f;

/// See the module's picture.
pub(super) struct RunState(AtomicU8);

/// What a waker found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// The task did not sleep (or not so that this may wake it).
    NotAsleep,
    /// It was about to sleep and will not.
    StillRunning,
    /// It slept: the waker must queue it.
    Parked,
}

const fn kind(sleep: Sleep) -> u8 {
    match sleep {
        Sleep::Interruptible => 1,
        Sleep::Killable => 2,
        Sleep::Uninterruptible => 3,
    }
}

impl RunState {
    #[cfg(not(test))]
    pub(super) const fn new() -> Self {
        Self(AtomicU8::new(RUNNING))
    }

    #[cfg(test)]
    pub(super) fn new() -> Self {
        Self(AtomicU8::new(RUNNING))
    }

    /// The task says that it will sleep. `SeqCst`: the check of its condition must not move before this.
    pub(super) fn announce(&self, sleep: Sleep) {
        self.0.swap(SLEEPING | kind(sleep), Ordering::SeqCst);
    }

    /// The task will not sleep after all.
    pub(super) fn cancel(&self) {
        self.0.store(RUNNING, Ordering::Relaxed);
    }

    /// The task gives up its CPU: true if it sleeps (or is dead) and must not be queued.
    pub(super) fn park(&self) -> bool {
        let state = self.0.load(Ordering::Relaxed);
        match state & !KIND {
            SLEEPING => {
                let parked = PARKED | state & KIND;
                self.0.compare_exchange(state, parked, Ordering::AcqRel, Ordering::Relaxed).is_ok()
            }
            DEAD => true,
            _ => false,
        }
    }

    /// The task will never run again.
    pub(super) fn die(&self) {
        self.0.store(DEAD, Ordering::Relaxed);
    }

    /// Ends a sleep whose kind `may_end` accepts.
    pub(super) fn wake(&self, may_end: impl Fn(Sleep) -> bool) -> Wake {
        let mut state = self.0.load(Ordering::SeqCst);
        loop {
            let found = match state & !KIND {
                SLEEPING => Wake::StillRunning,
                PARKED => Wake::Parked,
                _ => return Wake::NotAsleep,
            };
            if !may_end(sleep(state)) {
                return Wake::NotAsleep;
            }
            match self.0.compare_exchange(state, RUNNING, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return found,
                Err(now) => state = now,
            }
        }
    }

    /// Whether it sleeps or is about to: what [`Self::wake`] looks at first. `SeqCst` as there.
    pub(super) fn is_asleep(&self) -> bool {
        self.0.load(Ordering::SeqCst) & (SLEEPING | PARKED) != 0
    }

    /// How it sleeps, if it does.
    pub(super) fn sleeping(&self) -> Option<Sleep> {
        let state = self.0.load(Ordering::Relaxed);
        (state & (SLEEPING | PARKED) != 0).then(|| sleep(state))
    }
}

fn sleep(state: u8) -> Sleep {
    match state & KIND {
        1 => Sleep::Interruptible,
        2 => Sleep::Killable,
        _ => Sleep::Uninterruptible,
    }
}
