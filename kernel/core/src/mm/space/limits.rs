//! What a process may use of its address space. The process's resource limits are copied here when they change, so that
//! faults need not know of processes.
use core::sync::atomic::{AtomicU64, Ordering};

use tollgate_abi::{Errno, Result};

use super::{MapFlags, Sizes};
use crate::mm::{PAGE_SIZE, frame};

/// Which limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Bytes of all mappings (RLIMIT_AS).
    Total,
    /// Bytes of private writable memory (RLIMIT_DATA).
    Data,
    /// Bytes of a stack (RLIMIT_STACK).
    Stack,
    /// Bytes that may be locked (RLIMIT_MEMLOCK); `u64::MAX` for those who may lock any amount.
    Locked,
}

/// The limits, bytes; `u64::MAX` is none.
#[derive(Debug)]
pub struct Limits([AtomicU64; 4]);

impl Default for Limits {
    fn default() -> Self {
        let limits = Self([const { AtomicU64::new(u64::MAX) }; 4]);
        limits.set(Limit::Stack, 8 << 20);
        limits
    }
}

impl Limits {
    /// Changes a limit.
    pub fn set(&self, limit: Limit, bytes: u64) {
        self.0[limit as usize].store(bytes, Ordering::Relaxed);
    }

    /// A limit as it is.
    pub fn get(&self, limit: Limit) -> u64 {
        self.0[limit as usize].load(Ordering::Relaxed)
    }

    /// The same limits, for a fork.
    pub(super) fn copy_from(&self, other: &Self) {
        for (mine, theirs) in self.0.iter().zip(&other.0) {
            mine.store(theirs.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// Whether `more` bytes may be mapped, `data` of them private and writable, beside what is mapped.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn check_more(&self, sizes: &Sizes, more: u64, data: u64) -> Result<()> {
        let over = |limit, used: u64, more: u64| more > 0 && used.saturating_add(more) > self.get(limit);
        if over(Limit::Total, sizes.total, more) || over(Limit::Data, sizes.data, data) {
            return Err(Errno::ENOMEM);
        }
        Ok(())
    }

    /// Whether `more` bytes may be locked beside what is locked.
    pub(super) fn may_lock(&self, sizes: &Sizes, more: u64) -> bool {
        sizes.locked.saturating_add(more) <= self.get(Limit::Locked)
    }
}

/// Refuses what could never be used: one writable mapping larger than the machine's memory. Anything less is promised
/// without looking, as Linux does by default (vm.overcommit_memory = 0).
///
/// # Errors
/// `ENOMEM`.
pub(super) fn check_commit(bytes: u64, flags: MapFlags) -> Result<()> {
    let machine = frame::total() as u64 * PAGE_SIZE as u64;
    if bytes > machine && !flags.contains(MapFlags::NO_RESERVE) { Err(Errno::ENOMEM) } else { Ok(()) }
}
