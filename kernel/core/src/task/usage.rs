//! What a task has used: CPU time, faults, switches (getrusage(2), times(2)).
use core::sync::atomic::Ordering;

use tollgate_abi::process::{Rusage, TimeValue};

use super::tree::Tree;
use super::{Process, Task};

/// A sum over tasks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// CPU time in user mode, nanoseconds.
    pub user_ns: u64,
    /// CPU time in the kernel, nanoseconds.
    pub kernel_ns: u64,
    /// Largest resident set, KiB.
    pub max_rss_kib: u64,
    /// Page faults served without reading a device.
    pub minor_faults: u64,
    /// Times the CPU was given up to wait.
    pub voluntary_switches: u64,
    /// Times the CPU was taken away.
    pub involuntary_switches: u64,
}

impl Usage {
    /// What one task has used so far.
    pub fn of_task(task: &Task) -> Self {
        Self {
            user_ns: task.times.user_ns.load(Ordering::Relaxed),
            kernel_ns: task.times.kernel_ns.load(Ordering::Relaxed),
            ..Self::default()
        }
    }

    /// What all threads of a process have used, the dead ones too.
    pub fn of_process(process: &Process) -> Self {
        let threads = process.threads();
        let mut sum = threads.dead_usage;
        for task in &threads.list {
            sum.add(&Self::of_task(task));
        }
        sum
    }

    /// What the reaped children of a process, and theirs, have used.
    pub fn of_children(process: &Process, tree: &Tree) -> Self {
        process.family.get(tree).children_usage
    }

    /// Adds another's use; the resident set does not add up, the larger counts.
    pub fn add(&mut self, other: &Self) {
        self.user_ns += other.user_ns;
        self.kernel_ns += other.kernel_ns;
        self.max_rss_kib = self.max_rss_kib.max(other.max_rss_kib);
        self.minor_faults += other.minor_faults;
        self.voluntary_switches += other.voluntary_switches;
        self.involuntary_switches += other.involuntary_switches;
    }

    /// As getrusage(2) reports it.
    pub fn to_rusage(self) -> Rusage {
        Rusage {
            user: TimeValue::from_ns(self.user_ns),
            system: TimeValue::from_ns(self.kernel_ns),
            max_rss_kib: self.max_rss_kib as i64,
            minor_faults: self.minor_faults as i64,
            voluntary_switches: self.voluntary_switches as i64,
            involuntary_switches: self.involuntary_switches as i64,
            ..Rusage::default()
        }
    }
}
