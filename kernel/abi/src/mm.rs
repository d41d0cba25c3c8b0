//! Memory: mmap, mprotect, mremap and madvise constants (linux/mman.h, asm-generic/mman-common.h).
use bitflags::bitflags;

bitflags! {
    /// Protection of pages (mmap, mprotect).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Prot: u64 {
        /// May be read.
        const READ = 0x1;
        /// May be written.
        const WRITE = 0x2;
        /// May be executed.
        const EXEC = 0x4;
        /// May be used for atomic operations: no different here.
        const SEM = 0x8;
        /// mprotect: from the start of the growing mapping.
        const GROWSDOWN = 0x0100_0000;
        /// mprotect: to the end of an upwards growing mapping, which x86-64 does not have.
        const GROWSUP = 0x0200_0000;
    }
}

bitflags! {
    /// Flags of mmap, besides the type in the lowest four bits ([`MapType`]).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct MmapFlags: u64 {
        /// Exactly at the address, in place of what is there.
        const FIXED = 0x10;
        /// Memory of zeros instead of a file.
        const ANONYMOUS = 0x20;
        /// Below 2 GiB.
        const BITS_32 = 0x40;
        /// Grows downwards.
        const GROWSDOWN = 0x100;
        /// Ignored (once: no writing to the file).
        const DENYWRITE = 0x800;
        /// Ignored.
        const EXECUTABLE = 0x1000;
        /// Locked as by mlock.
        const LOCKED = 0x2000;
        /// Not checked against the machine's memory.
        const NORESERVE = 0x4000;
        /// Brought in at once.
        const POPULATE = 0x8000;
        /// With POPULATE: only what is in memory.
        const NONBLOCK = 0x1_0000;
        /// A hint that it will be a stack.
        const STACK = 0x2_0000;
        /// Of huge pages.
        const HUGETLB = 0x4_0000;
        /// Synchronous page faults (persistent memory).
        const SYNC = 0x8_0000;
        /// Exactly at the address, or not at all.
        const FIXED_NOREPLACE = 0x10_0000;
        /// Need not be zeros (no-MMU kernels).
        const UNINITIALIZED = 0x400_0000;
    }
}

/// Bits of the mmap flags that hold the type.
pub const MAP_TYPE: u64 = 0xf;

/// Type of a mapping: the lowest four bits of the mmap flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, num_enum::TryFromPrimitive)]
#[repr(u64)]
pub enum MapType {
    /// Stores go to the object.
    Shared = 1,
    /// Stores go to a copy.
    Private = 2,
    /// Shared, and unknown flags are refused.
    SharedValidate = 3,
}

bitflags! {
    /// Flags of mremap.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct MremapFlags: u64 {
        /// It may move.
        const MAYMOVE = 1;
        /// It moves to the address given.
        const FIXED = 2;
        /// The old range stays mapped, empty.
        const DONTUNMAP = 4;
    }

    /// Flags of msync.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct MsyncFlags: i32 {
        /// Start writing.
        const ASYNC = 1;
        /// Other mappings shall see it.
        const INVALIDATE = 2;
        /// Write now.
        const SYNC = 4;
    }

    /// Flags of mlock2.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct MlockFlags: i32 {
        /// Do not bring pages in.
        const ONFAULT = 1;
    }

    /// Flags of mlockall.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct MlockallFlags: i32 {
        /// What is mapped.
        const CURRENT = 1;
        /// What will be mapped.
        const FUTURE = 2;
        /// Do not bring pages in.
        const ONFAULT = 4;
    }
}

/// Advice to madvise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, num_enum::TryFromPrimitive)]
#[repr(i32)]
#[expect(missing_docs, reason = "the names are madvise(2)'s, and explained there")]
pub enum Advice {
    Normal = 0,
    Random = 1,
    Sequential = 2,
    WillNeed = 3,
    DontNeed = 4,
    Free = 8,
    Remove = 9,
    DontFork = 10,
    DoFork = 11,
    Mergeable = 12,
    Unmergeable = 13,
    HugePage = 14,
    NoHugePage = 15,
    DontDump = 16,
    DoDump = 17,
    WipeOnFork = 18,
    KeepOnFork = 19,
    Cold = 20,
    PageOut = 21,
    PopulateRead = 22,
    PopulateWrite = 23,
    DontNeedLocked = 24,
    Collapse = 25,
}
