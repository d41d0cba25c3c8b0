//! Locks and waiting.
//!
//! - [`SpinLock`]: short sections; interrupts are off while it is held; never sleeps.
//! - [`Mutex`]: may be held across a sleep and across access to user memory (see the ranks).
//! - [`WaitQueue`]: where tasks sleep until something is true.
//!
//! Every lock has a [`Rank`]; locks are taken in ascending rank, which debug builds check.
mod completion;
mod mutex;
mod rank;
mod spin_lock;
mod wait;

pub use completion::Completion;
pub use mutex::{Mutex, MutexGuard};
pub use rank::{HeldRanks, Rank, might_sleep};
pub use spin::Once;
pub use spin_lock::{SpinGuard, SpinLock};
pub use wait::{Sleep, WaitQueue};
