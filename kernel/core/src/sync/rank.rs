//! The lock order: one table, checked in debug builds.
use core::cell::Cell;

/// A lock's place in the order. While a lock is held, only locks further down may be taken.
///
/// Sleeping locks ([`super::Mutex`]) come first, spinning locks after them: a spinning lock is always inside.
/// A path that must take two locks of one rank says how it orders them and uses `lock_nested`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Rank {
    // ---- sleeping locks: user memory may be touched under those above `AddressSpace` ----
    /// Renames of directories, one at a time.
    Rename,
    /// Position of an open file, taken around a whole read or write.
    FilePosition,
    /// Names of a directory.
    Directory,
    /// Contents and attributes of an inode.
    Inode,
    /// The mappings of one address space.
    AddressSpace,
    /// Pages of a file (page cache), below the address space because faults read it.
    PageCache,
    // ---- spinning locks ----
    /// The tree of processes: parents, children, groups, sessions.
    ProcessTree,
    /// One process: threads, exit state, limits, timers.
    Process,
    /// Signal handlers and queues of one process.
    Signals,
    /// One task's own fields.
    Task,
    /// A descriptor table; root and working directory.
    Files,
    /// The mount table.
    Mounts,
    /// Name and parent of a directory entry.
    Names,
    /// Buffers of pipes and terminals.
    Buffer,
    /// A futex hash bucket.
    Futex,
    /// Timer queues.
    Timers,
    /// Wait queues.
    WaitQueue,
    /// Scheduler run queues.
    RunQueue,
    /// Kernel virtual address ranges.
    KernelSpace,
    /// Host and domain name.
    SystemNames,
    /// What is counted per user.
    Accounts,
    /// The data page of the gate image.
    Vvar,
    /// The kernel heap.
    Heap,
    /// Physical frames.
    Frames,
    /// TLB shootdown and other interrupts between CPUs.
    Ipi,
    /// Devices.
    Device,
    /// One line of the kernel log.
    LogLine,
    /// The log's port.
    Log,
}

const _: () = assert!((Rank::Log as u8) < 64);

/// The ranks held by one task (sleeping locks) or one CPU (spinning locks), one bit each.
///
/// Only its own CPU or task touches it, so a `Cell` suffices.
#[derive(Default)]
pub struct HeldRanks(Cell<u64>);

impl HeldRanks {
    /// Nothing held.
    pub const fn new() -> Self {
        Self(Cell::new(0))
    }

    /// Notes that `rank` is being taken; panics when that breaks the order.
    pub fn acquire(&self, rank: Rank) {
        let held = self.0.get();
        assert!(held >> (rank as u8) == 0, "lock order: taking {rank:?} while holding ranks {held:#b}");
        self.0.set(held | 1 << (rank as u8));
    }

    /// Notes that `rank` was given back.
    pub fn release(&self, rank: Rank) {
        self.0.set(self.0.get() & !(1 << (rank as u8)));
    }
}

/// Panics (debug builds) when the caller may not sleep here: interrupts are off or a spinning lock is held.
#[track_caller]
pub fn might_sleep() {
    if cfg!(debug_assertions) {
        let depth = crate::arch::percpu::irq_depth();
        assert!(depth == 0, "sleeping call with {depth} spinning locks held");
    }
}
