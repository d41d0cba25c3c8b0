//! Processes and threads: clone, wait, exec's auxiliary vector, limits, prctl, scheduling parameters (Linux x86-64).
use bitflags::bitflags;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

bitflags! {
    /// Flags of clone(2) and clone3(2), without the exit signal in the low byte.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct CloneFlags: u64 {
        /// New time namespace (clone3 only).
        const NEWTIME = 0x80;
        /// Share the address space.
        const VM = 0x100;
        /// Share root, working directory and umask.
        const FS = 0x200;
        /// Share the descriptor table.
        const FILES = 0x400;
        /// Share signal handlers.
        const SIGHAND = 0x800;
        /// Return a descriptor for the child.
        const PIDFD = 0x1000;
        /// Let a tracer of the parent trace the child.
        const PTRACE = 0x2000;
        /// The parent waits until the child has released its memory.
        const VFORK = 0x4000;
        /// The child gets its creator's parent.
        const PARENT = 0x8000;
        /// A thread of the same process.
        const THREAD = 0x1_0000;
        /// New mount namespace.
        const NEWNS = 0x2_0000;
        /// Share System V semaphore adjustments.
        const SYSVSEM = 0x4_0000;
        /// Set the child's FS base.
        const SETTLS = 0x8_0000;
        /// Store the child's number in the parent's memory.
        const PARENT_SETTID = 0x10_0000;
        /// Clear the child's number in the child's memory when it exits.
        const CHILD_CLEARTID = 0x20_0000;
        /// Unused since Linux 2.6.2.
        const DETACHED = 0x40_0000;
        /// No tracer can force PTRACE on the child.
        const UNTRACED = 0x80_0000;
        /// Store the child's number in the child's memory.
        const CHILD_SETTID = 0x100_0000;
        /// New cgroup namespace.
        const NEWCGROUP = 0x200_0000;
        /// New UTS namespace.
        const NEWUTS = 0x400_0000;
        /// New IPC namespace.
        const NEWIPC = 0x800_0000;
        /// New user namespace.
        const NEWUSER = 0x1000_0000;
        /// New PID namespace.
        const NEWPID = 0x2000_0000;
        /// New network namespace.
        const NEWNET = 0x4000_0000;
        /// Share the I/O context.
        const IO = 0x8000_0000;
        /// Reset all handlers to default in the child (clone3 only).
        const CLEAR_SIGHAND = 0x1_0000_0000;
        /// Put the child into a cgroup (clone3 only).
        const INTO_CGROUP = 0x2_0000_0000;
    }

    /// Options of wait4(2) and waitid(2).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct WaitOptions: u32 {
        /// Do not block.
        const NOHANG = 1;
        /// Report stopped children (WUNTRACED, WSTOPPED).
        const STOPPED = 2;
        /// Report children that exited (waitid; always on for wait4).
        const EXITED = 4;
        /// Report children that continued.
        const CONTINUED = 8;
        /// Leave the child as it is, to be waited for again.
        const NOWAIT = 0x0100_0000;
        /// Only children of this thread.
        const NOTHREAD = 0x2000_0000;
        /// All children, whatever their exit signal.
        const ALL = 0x4000_0000;
        /// Only children whose exit signal is not SIGCHLD.
        const CLONE = 0x8000_0000;
    }
}

/// The low byte of clone's flags: the signal the parent gets when the child exits.
pub const CSIGNAL: u64 = 0xff;

/// Argument of clone3(2); later Linux versions may append fields.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[expect(missing_docs, reason = "named and documented in clone3(2)")]
pub struct CloneArgs {
    pub flags: u64,
    pub pidfd: u64,
    pub child_tid: u64,
    pub parent_tid: u64,
    pub exit_signal: u64,
    pub stack: u64,
    pub stack_size: u64,
    pub tls: u64,
    pub set_tid: u64,
    pub set_tid_size: u64,
    pub cgroup: u64,
}

/// Size of the first version of [`CloneArgs`].
pub const CLONE_ARGS_SIZE_VER0: usize = 64;

/// A status as wait4(2) stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitStatus(pub u32);

impl WaitStatus {
    /// Ended by exit(2) with the low byte of `code`.
    pub const fn exited(code: i32) -> Self {
        Self((code as u32 & 0xff) << 8)
    }
    /// Ended by `signal`; `core` when the default action would dump core.
    pub const fn signaled(signal: u8, core: bool) -> Self {
        Self(signal as u32 & 0x7f | if core { 0x80 } else { 0 })
    }
    /// Stopped by `signal`.
    pub const fn stopped(signal: u8) -> Self {
        Self((signal as u32) << 8 | 0x7f)
    }
    /// Continued by SIGCONT.
    pub const fn continued() -> Self {
        Self(0xffff)
    }
    /// The signal that ended the process, if one did.
    pub const fn term_signal(self) -> Option<u8> {
        let signal = (self.0 & 0x7f) as u8;
        if signal == 0 || signal == 0x7f { None } else { Some(signal) }
    }
    /// Whether the end was one that dumps core.
    pub const fn core(self) -> bool {
        self.0 & 0x80 != 0
    }
    /// The exit code, when the process exited by itself.
    pub const fn exit_code(self) -> u8 {
        (self.0 >> 8) as u8
    }
}

/// waitid's idtype: any child.
pub const P_ALL: i32 = 0;
/// waitid's idtype: the child with this number.
pub const P_PID: i32 = 1;
/// waitid's idtype: any child of this process group.
pub const P_PGID: i32 = 2;
/// waitid's idtype: the child of this pidfd.
pub const P_PIDFD: i32 = 3;

/// SIGCHLD's si_code: exited.
pub const CLD_EXITED: i32 = 1;
/// SIGCHLD's si_code: killed by a signal.
pub const CLD_KILLED: i32 = 2;
/// SIGCHLD's si_code: killed by a signal that dumps core.
pub const CLD_DUMPED: i32 = 3;
/// SIGCHLD's si_code: traced child has trapped.
pub const CLD_TRAPPED: i32 = 4;
/// SIGCHLD's si_code: stopped.
pub const CLD_STOPPED: i32 = 5;
/// SIGCHLD's si_code: continued.
pub const CLD_CONTINUED: i32 = 6;

/// Seconds and microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[expect(missing_docs, reason = "named by what they count")]
pub struct TimeValue {
    pub seconds: i64,
    pub microseconds: i64,
}

impl TimeValue {
    /// From nanoseconds, rounded down.
    pub const fn from_ns(ns: u64) -> Self {
        Self { seconds: (ns / 1_000_000_000) as i64, microseconds: (ns % 1_000_000_000 / 1000) as i64 }
    }
}

/// What getrusage(2) and wait4(2) report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[expect(missing_docs, reason = "named and documented in getrusage(2)")]
pub struct Rusage {
    pub user: TimeValue,
    pub system: TimeValue,
    pub max_rss_kib: i64,
    pub unused_memory: [i64; 3],
    pub minor_faults: i64,
    pub major_faults: i64,
    pub swaps: i64,
    pub blocks_in: i64,
    pub blocks_out: i64,
    pub messages: [i64; 2],
    pub signals: i64,
    pub voluntary_switches: i64,
    pub involuntary_switches: i64,
}

/// What times(2) reports, in clock ticks of 1/100 second.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[expect(missing_docs, reason = "named by what they count")]
pub struct Tms {
    pub user: i64,
    pub system: i64,
    pub children_user: i64,
    pub children_system: i64,
}

/// Clock ticks per second in user-visible counts (AT_CLKTCK).
pub const CLOCK_TICKS: u64 = 100;

/// A limit of getrlimit(2): soft and hard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Rlimit {
    /// What is enforced.
    pub soft: u64,
    /// How far the soft limit may be raised.
    pub hard: u64,
}

/// No limit.
pub const RLIM_INFINITY: u64 = u64::MAX;

/// What a limit is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, num_enum::TryFromPrimitive)]
#[repr(u32)]
pub enum Resource {
    /// CPU time, seconds.
    Cpu = 0,
    /// File size, bytes.
    FileSize = 1,
    /// Data segment, bytes.
    Data = 2,
    /// Stack, bytes.
    Stack = 3,
    /// Core file, bytes.
    Core = 4,
    /// Resident set (not enforced, as on Linux).
    Rss = 5,
    /// Tasks of one user.
    Processes = 6,
    /// One more than the highest descriptor.
    OpenFiles = 7,
    /// Locked memory, bytes.
    LockedMemory = 8,
    /// Address space, bytes.
    AddressSpace = 9,
    /// File locks.
    Locks = 10,
    /// Queued signals of one user.
    PendingSignals = 11,
    /// POSIX message queues, bytes.
    MessageQueues = 12,
    /// Highest nice value, as 20 - nice.
    Nice = 13,
    /// Highest real-time priority.
    RealtimePriority = 14,
    /// Real-time CPU time without a sleep, microseconds.
    RealtimeTime = 15,
}

/// Number of [`Resource`]s.
pub const RESOURCES: usize = 16;

/// What uname(2) reports.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[expect(missing_docs, reason = "named and documented in uname(2)")]
pub struct UtsName {
    pub sysname: [u8; 65],
    pub nodename: [u8; 65],
    pub release: [u8; 65],
    pub version: [u8; 65],
    pub machine: [u8; 65],
    pub domainname: [u8; 65],
}

/// What sysinfo(2) reports.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[expect(missing_docs, reason = "named and documented in sysinfo(2)")]
pub struct SysInfo {
    pub uptime: i64,
    pub loads: [u64; 3],
    pub total_ram: u64,
    pub free_ram: u64,
    pub shared_ram: u64,
    pub buffer_ram: u64,
    pub total_swap: u64,
    pub free_swap: u64,
    pub processes: u16,
    pub pad: [u8; 6],
    pub total_high: u64,
    pub free_high: u64,
    pub unit: u32,
    pub tail: [u8; 4],
}

/// Keys of the auxiliary vector (getauxval(3)).
#[expect(missing_docs, reason = "named and documented in getauxval(3)")]
pub mod auxv {
    pub const AT_NULL: u64 = 0;
    pub const AT_PHDR: u64 = 3;
    pub const AT_PHENT: u64 = 4;
    pub const AT_PHNUM: u64 = 5;
    pub const AT_PAGESZ: u64 = 6;
    pub const AT_BASE: u64 = 7;
    pub const AT_FLAGS: u64 = 8;
    pub const AT_ENTRY: u64 = 9;
    pub const AT_UID: u64 = 11;
    pub const AT_EUID: u64 = 12;
    pub const AT_GID: u64 = 13;
    pub const AT_EGID: u64 = 14;
    pub const AT_PLATFORM: u64 = 15;
    pub const AT_HWCAP: u64 = 16;
    pub const AT_CLKTCK: u64 = 17;
    pub const AT_SECURE: u64 = 23;
    pub const AT_RANDOM: u64 = 25;
    pub const AT_HWCAP2: u64 = 26;
    pub const AT_EXECFN: u64 = 31;
    pub const AT_SYSINFO_EHDR: u64 = 33;
    pub const AT_MINSIGSTKSZ: u64 = 51;
}

/// Operations and flags of futex(2).
#[expect(missing_docs, reason = "named and documented in futex(2)")]
pub mod futex {
    pub const FUTEX_WAIT: u32 = 0;
    pub const FUTEX_WAKE: u32 = 1;
    pub const FUTEX_REQUEUE: u32 = 3;
    pub const FUTEX_CMP_REQUEUE: u32 = 4;
    pub const FUTEX_WAKE_OP: u32 = 5;
    pub const FUTEX_WAIT_BITSET: u32 = 9;
    pub const FUTEX_WAKE_BITSET: u32 = 10;
    pub const FUTEX_PRIVATE_FLAG: u32 = 128;
    pub const FUTEX_CLOCK_REALTIME: u32 = 256;
    pub const FUTEX_BITSET_MATCH_ANY: u32 = u32::MAX;
    /// Some thread waits for the (robust, PI) lock.
    pub const FUTEX_WAITERS: u32 = 0x8000_0000;
    /// The owner died holding the lock.
    pub const FUTEX_OWNER_DIED: u32 = 0x4000_0000;
    /// The owner's number in a robust or PI lock word.
    pub const FUTEX_TID_MASK: u32 = 0x3fff_ffff;
    /// Most locks of a robust list that are looked at.
    pub const ROBUST_LIST_LIMIT: usize = 2048;
}

/// Head of a robust futex list (get_robust_list(2)).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RobustListHead {
    /// First entry; the list is circular through the head.
    pub next: u64,
    /// Distance from an entry to its lock word, bytes.
    pub futex_offset: i64,
    /// The lock being taken or released right now.
    pub pending: u64,
}

/// Operations of prctl(2).
#[expect(missing_docs, reason = "named and documented in prctl(2)")]
pub mod prctl {
    pub const PR_SET_PDEATHSIG: i32 = 1;
    pub const PR_GET_PDEATHSIG: i32 = 2;
    pub const PR_GET_DUMPABLE: i32 = 3;
    pub const PR_SET_DUMPABLE: i32 = 4;
    pub const PR_GET_KEEPCAPS: i32 = 7;
    pub const PR_SET_KEEPCAPS: i32 = 8;
    pub const PR_GET_TIMING: i32 = 13;
    pub const PR_SET_TIMING: i32 = 14;
    pub const PR_SET_NAME: i32 = 15;
    pub const PR_GET_NAME: i32 = 16;
    pub const PR_CAPBSET_READ: i32 = 23;
    pub const PR_SET_TIMERSLACK: i32 = 29;
    pub const PR_GET_TIMERSLACK: i32 = 30;
    pub const PR_SET_CHILD_SUBREAPER: i32 = 36;
    pub const PR_GET_CHILD_SUBREAPER: i32 = 37;
    pub const PR_SET_NO_NEW_PRIVS: i32 = 38;
    pub const PR_GET_NO_NEW_PRIVS: i32 = 39;
    pub const PR_GET_TID_ADDRESS: i32 = 40;
    pub const PR_SET_THP_DISABLE: i32 = 41;
    pub const PR_GET_THP_DISABLE: i32 = 42;
}

/// Operations of arch_prctl(2).
#[expect(missing_docs, reason = "named and documented in arch_prctl(2)")]
pub mod arch_prctl {
    pub const ARCH_SET_GS: i32 = 0x1001;
    pub const ARCH_SET_FS: i32 = 0x1002;
    pub const ARCH_GET_FS: i32 = 0x1003;
    pub const ARCH_GET_GS: i32 = 0x1004;
}

/// Scheduling policies of sched_setscheduler(2).
#[expect(missing_docs, reason = "named and documented in sched(7)")]
pub mod sched {
    pub const SCHED_OTHER: i32 = 0;
    pub const SCHED_FIFO: i32 = 1;
    pub const SCHED_RR: i32 = 2;
    pub const SCHED_BATCH: i32 = 3;
    pub const SCHED_IDLE: i32 = 5;
    pub const SCHED_DEADLINE: i32 = 6;
    pub const SCHED_RESET_ON_FORK: i32 = 0x4000_0000;
}

/// Magic numbers and commands of reboot(2).
#[expect(missing_docs, reason = "named and documented in reboot(2)")]
pub mod reboot {
    pub const MAGIC1: u32 = 0xfee1_dead;
    pub const MAGIC2: [u32; 4] = [672_274_793, 85_072_278, 369_367_448, 537_993_216];
    pub const RESTART: u32 = 0x0123_4567;
    pub const HALT: u32 = 0xcdef_0123;
    pub const CAD_ON: u32 = 0x89ab_cdef;
    pub const CAD_OFF: u32 = 0;
    pub const POWER_OFF: u32 = 0x4321_fedc;
}

/// Commands of membarrier(2).
#[expect(missing_docs, reason = "named and documented in membarrier(2)")]
pub mod membarrier {
    pub const QUERY: i32 = 0;
    pub const GLOBAL: i32 = 1;
    pub const PRIVATE_EXPEDITED: i32 = 1 << 3;
    pub const REGISTER_PRIVATE_EXPEDITED: i32 = 1 << 4;
}

/// Persona bit of personality(2): no address randomisation.
pub const ADDR_NO_RANDOMIZE: u32 = 0x004_0000;
