//! The alternate signal stack.
use core::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use tollgate_abi::signal::{MINSIGSTKSZ, SS_AUTODISARM, SS_DISABLE, SS_ONSTACK, SigStack};
use tollgate_abi::{Errno, Result};

use crate::task::current;

/// sigaltstack(2)'s state; written by the task itself alone.
pub(super) struct AltStack {
    sp: AtomicU64,
    size: AtomicU64,
    flags: AtomicI32,
}

impl AltStack {
    /// None is set.
    pub(super) const fn none() -> Self {
        Self { sp: AtomicU64::new(0), size: AtomicU64::new(0), flags: AtomicI32::new(SS_DISABLE) }
    }

    /// The same stack for a new task.
    pub(super) fn copy(&self) -> Self {
        Self {
            sp: AtomicU64::new(self.sp()),
            size: AtomicU64::new(self.size()),
            flags: AtomicI32::new(self.flags.load(Ordering::Relaxed)),
        }
    }

    /// Forgets it.
    pub(super) fn reset(&self) {
        self.store(0, 0, SS_DISABLE);
    }

    fn sp(&self) -> u64 {
        self.sp.load(Ordering::Relaxed)
    }

    fn size(&self) -> u64 {
        self.size.load(Ordering::Relaxed)
    }

    fn store(&self, sp: u64, size: u64, flags: i32) {
        self.sp.store(sp, Ordering::Relaxed);
        self.size.store(size, Ordering::Relaxed);
        self.flags.store(flags, Ordering::Relaxed);
    }

    /// Whether stack pointer `sp` lies in the alternate stack's memory. Stacks grow down: the top address is in, the
    /// lowest is not.
    pub(super) fn contains(&self, sp: u64) -> bool {
        sp > self.sp() && sp - self.sp() <= self.size()
    }

    /// Whether a task with stack pointer `sp` runs on it: one that is disarmed while in use never counts.
    pub(super) fn is_in_use(&self, sp: u64) -> bool {
        self.flags.load(Ordering::Relaxed) & SS_AUTODISARM == 0 && self.contains(sp)
    }

    /// Where a handler with SA_ONSTACK starts, if the interrupted stack pointer `sp` is not on it already.
    pub(super) fn top_for(&self, sp: u64) -> Option<u64> {
        (self.size() != 0 && !self.is_in_use(sp)).then(|| self.sp().wrapping_add(self.size()))
    }

    /// Forgets it if a handler's start does that.
    pub(super) fn disarm_for_handler(&self) {
        if self.flags.load(Ordering::Relaxed) & SS_AUTODISARM != 0 {
            self.reset();
        }
    }

    /// As sigaltstack(2) reports it to a task with stack pointer `sp`.
    pub(super) fn report(&self, sp: u64) -> SigStack {
        let state = match self.size() {
            0 => SS_DISABLE,
            _ if self.is_in_use(sp) => SS_ONSTACK,
            _ => 0,
        };
        let flags = state | self.flags.load(Ordering::Relaxed) & SS_AUTODISARM;
        SigStack { sp: self.sp(), flags, pad: 0, size: self.size() }
    }

    /// Sets it as sigaltstack(2) does for a task with stack pointer `sp`.
    ///
    /// # Errors
    /// `EPERM` while it is in use, `EINVAL` for unknown flags, `ENOMEM` when it is too small.
    pub(super) fn set(&self, new: SigStack, sp: u64) -> Result<()> {
        if self.is_in_use(sp) {
            return Err(Errno::EPERM);
        }
        match new.flags & !SS_AUTODISARM {
            SS_DISABLE => self.store(0, 0, new.flags),
            0 | SS_ONSTACK if new.size < MINSIGSTKSZ => return Err(Errno::ENOMEM),
            0 | SS_ONSTACK => self.store(new.sp, new.size, new.flags),
            _ => return Err(Errno::EINVAL),
        }
        Ok(())
    }
}

/// sigaltstack(2) for the current task: sets `new` if given, and returns what was before.
///
/// # Errors
/// See [`AltStack::set`].
pub fn altstack(new: Option<SigStack>) -> Result<SigStack> {
    let task = current();
    // SAFETY: the current task reads its own registers; system calls have no other reference to them.
    let sp = unsafe { task.context_mut() }.rsp;
    let before = task.signals.altstack.report(sp);
    if let Some(new) = new {
        task.signals.altstack.set(new, sp)?;
    }
    Ok(before)
}
