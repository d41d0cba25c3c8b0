//! The gate word: why a task must look up at a crossing.
use core::sync::atomic::{AtomicU32, Ordering};

/// One reason to leave the fast path between user mode and the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum TaskFlag {
    /// The scheduler wants this task to give way.
    Reschedule = 1 << 0,
    /// A signal may be deliverable (recomputed by the signal code).
    Signal = 1 << 1,
    /// The task must stop or report for another reason than a signal: job control, process exit, exec by a sibling.
    Notify = 1 << 2,
    /// The signal mask saved by sigsuspend, ppoll or pselect is to be restored.
    RestoreMask = 1 << 3,
    /// Something watches system calls' entry or exit (engines, /proc stop masks).
    SyscallTrace = 1 << 8,
    /// A uprobe has work pending for this task.
    Probe = 1 << 9,
}

/// A set of [`TaskFlag`]s.
#[derive(Default)]
pub struct GateFlags(AtomicU32);

impl GateFlags {
    /// None set.
    pub const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// All of them at once; zero on the fast path.
    #[inline]
    pub fn bits(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Whether `flag` is set.
    pub fn has(&self, flag: TaskFlag) -> bool {
        self.0.load(Ordering::Acquire) & flag as u32 != 0
    }

    /// Sets `flag`; true if it was not set before.
    pub fn set(&self, flag: TaskFlag) -> bool {
        self.0.fetch_or(flag as u32, Ordering::AcqRel) & flag as u32 == 0
    }

    /// Clears `flag`; true if it was set.
    pub fn clear(&self, flag: TaskFlag) -> bool {
        self.0.fetch_and(!(flag as u32), Ordering::AcqRel) & flag as u32 != 0
    }
}
