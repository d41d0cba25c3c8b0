//! Resource limits of a process (getrlimit(2)).
use core::sync::atomic::{AtomicU64, Ordering};

use crate::mm::space::{self, AddressSpace};
use tollgate_abi::process::{RESOURCES, RLIM_INFINITY, Resource, Rlimit};

/// Soft and hard limit on each resource. Read without a lock; whoever changes one holds the process's lock.
pub struct Limits([[AtomicU64; 2]; RESOURCES]);

impl Limits {
    /// What the first process starts with.
    pub fn initial() -> Self {
        let limits = Self(core::array::from_fn(|_| [AtomicU64::new(RLIM_INFINITY), AtomicU64::new(RLIM_INFINITY)]));
        limits.set(Resource::Stack, Rlimit { soft: 8 << 20, hard: RLIM_INFINITY });
        limits.set(Resource::Core, Rlimit { soft: 0, hard: RLIM_INFINITY });
        limits.set(Resource::Processes, Rlimit { soft: 4096, hard: 4096 });
        limits.set(Resource::OpenFiles, Rlimit { soft: 1024, hard: 4096 });
        limits.set(Resource::LockedMemory, Rlimit { soft: 8 << 20, hard: 8 << 20 });
        limits.set(Resource::PendingSignals, Rlimit { soft: 4096, hard: 4096 });
        limits.set(Resource::MessageQueues, Rlimit { soft: 819_200, hard: 819_200 });
        limits.set(Resource::Nice, Rlimit { soft: 0, hard: 0 });
        limits.set(Resource::RealtimePriority, Rlimit { soft: 0, hard: 0 });
        limits
    }

    /// Soft and hard limit.
    pub fn get(&self, resource: Resource) -> Rlimit {
        let [soft, hard] = &self.0[resource as usize];
        Rlimit { soft: soft.load(Ordering::Relaxed), hard: hard.load(Ordering::Relaxed) }
    }

    /// The limit that is enforced.
    pub fn soft(&self, resource: Resource) -> u64 {
        self.0[resource as usize][0].load(Ordering::Relaxed)
    }

    /// Tells an address space what it may use of itself; it keeps a copy, for faults to look at.
    pub(super) fn tell_space(&self, space: &AddressSpace) {
        use space::Limit;
        let limits = space.limits();
        limits.set(Limit::Total, self.soft(Resource::AddressSpace));
        limits.set(Limit::Data, self.soft(Resource::Data));
        limits.set(Limit::Stack, self.soft(Resource::Stack));
        let locked =
            if super::current().creds().is_privileged() { u64::MAX } else { self.soft(Resource::LockedMemory) };
        limits.set(Limit::Locked, locked);
    }

    /// Changes a limit.
    pub(super) fn set(&self, resource: Resource, limit: Rlimit) {
        let [soft, hard] = &self.0[resource as usize];
        soft.store(limit.soft, Ordering::Relaxed);
        hard.store(limit.hard, Ordering::Relaxed);
    }
}

impl Clone for Limits {
    fn clone(&self) -> Self {
        let copy = |limit: &AtomicU64| AtomicU64::new(limit.load(Ordering::Relaxed));
        Self(core::array::from_fn(|i| [copy(&self.0[i][0]), copy(&self.0[i][1])]))
    }
}
