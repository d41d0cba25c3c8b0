//! Signals: numbers, sigaction, siginfo, alternate stacks. The signal frame is in [`frame`].
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub mod frame;

/// Numbers of the standard signals; 32 ([`SIGRTMIN`]) to 64 ([`SIGRTMAX`]) are the real-time signals.
#[expect(missing_docs, reason = "the names are their documentation; signal(7)")]
pub mod number {
    pub const SIGHUP: u8 = 1;
    pub const SIGINT: u8 = 2;
    pub const SIGQUIT: u8 = 3;
    pub const SIGILL: u8 = 4;
    pub const SIGTRAP: u8 = 5;
    pub const SIGABRT: u8 = 6;
    pub const SIGBUS: u8 = 7;
    pub const SIGFPE: u8 = 8;
    pub const SIGKILL: u8 = 9;
    pub const SIGUSR1: u8 = 10;
    pub const SIGSEGV: u8 = 11;
    pub const SIGUSR2: u8 = 12;
    pub const SIGPIPE: u8 = 13;
    pub const SIGALRM: u8 = 14;
    pub const SIGTERM: u8 = 15;
    pub const SIGSTKFLT: u8 = 16;
    pub const SIGCHLD: u8 = 17;
    pub const SIGCONT: u8 = 18;
    pub const SIGSTOP: u8 = 19;
    pub const SIGTSTP: u8 = 20;
    pub const SIGTTIN: u8 = 21;
    pub const SIGTTOU: u8 = 22;
    pub const SIGURG: u8 = 23;
    pub const SIGXCPU: u8 = 24;
    pub const SIGXFSZ: u8 = 25;
    pub const SIGVTALRM: u8 = 26;
    pub const SIGPROF: u8 = 27;
    pub const SIGWINCH: u8 = 28;
    pub const SIGIO: u8 = 29;
    pub const SIGPWR: u8 = 30;
    pub const SIGSYS: u8 = 31;
}

/// First real-time signal, as the kernel counts (a C library keeps some for itself).
pub const SIGRTMIN: u8 = 32;
/// Last real-time signal.
pub const SIGRTMAX: u8 = 64;

/// `sigaction::sa_flags` bits.
pub mod sa {
    /// SIGCHLD: do not tell of stopped children.
    pub const NOCLDSTOP: u64 = 0x1;
    /// SIGCHLD: children leave no zombies.
    pub const NOCLDWAIT: u64 = 0x2;
    /// The handler takes siginfo and context.
    pub const SIGINFO: u64 = 0x4;
    /// The kernel tells which flags it knows: an unknown bit is cleared in what it reports.
    pub const UNSUPPORTED: u64 = 0x400;
    /// Address tags are left in `si_addr` (there are none on x86-64).
    pub const EXPOSE_TAGBITS: u64 = 0x800;
    /// `sa_restorer` is set.
    pub const RESTORER: u64 = 0x0400_0000;
    /// Run on the alternate stack.
    pub const ONSTACK: u64 = 0x0800_0000;
    /// Restart interrupted system calls.
    pub const RESTART: u64 = 0x1000_0000;
    /// Do not block the signal while its handler runs.
    pub const NODEFER: u64 = 0x4000_0000;
    /// Back to the default action once the handler was called.
    pub const RESETHAND: u64 = 0x8000_0000;
    /// All that this kernel knows.
    pub const KNOWN: u64 =
        NOCLDSTOP | NOCLDWAIT | SIGINFO | EXPOSE_TAGBITS | RESTORER | ONSTACK | RESTART | NODEFER | RESETHAND;
}

/// `sa_handler`: the default action.
pub const SIG_DFL: u64 = 0;
/// `sa_handler`: ignore the signal.
pub const SIG_IGN: u64 = 1;

/// rt_sigprocmask: add to the mask.
pub const SIG_BLOCK: i32 = 0;
/// rt_sigprocmask: take from the mask.
pub const SIG_UNBLOCK: i32 = 1;
/// rt_sigprocmask: replace the mask.
pub const SIG_SETMASK: i32 = 2;

/// What rt_sigaction(2) takes: struct kernel_sigaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SigAction {
    /// Handler's address, [`SIG_DFL`] or [`SIG_IGN`].
    pub handler: u64,
    /// [`sa`] bits.
    pub flags: u64,
    /// Where the handler returns to.
    pub restorer: u64,
    /// Signals blocked while the handler runs; bit n-1 is signal n.
    pub mask: u64,
}

/// stack_t of sigaltstack(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SigStack {
    /// Lowest address.
    pub sp: u64,
    /// [`SS_ONSTACK`], [`SS_DISABLE`], [`SS_AUTODISARM`].
    pub flags: i32,
    /// Padding.
    pub pad: i32,
    /// Bytes.
    pub size: u64,
}

/// The task runs on its alternate stack.
pub const SS_ONSTACK: i32 = 1;
/// There is no alternate stack.
pub const SS_DISABLE: i32 = 2;
/// The alternate stack is forgotten when a handler is called on it, and set again when that returns.
pub const SS_AUTODISARM: i32 = i32::MIN;
/// Smallest alternate stack that sigaltstack(2) takes.
pub const MINSIGSTKSZ: u64 = 2048;

/// `si_code` values.
pub mod code {
    /// kill(2).
    pub const SI_USER: i32 = 0;
    /// The kernel.
    pub const SI_KERNEL: i32 = 0x80;
    /// sigqueue(3).
    pub const SI_QUEUE: i32 = -1;
    /// A POSIX timer.
    pub const SI_TIMER: i32 = -2;
    /// tkill(2), tgkill(2).
    pub const SI_TKILL: i32 = -6;

    /// SIGILL: illegal operand.
    pub const ILL_ILLOPN: i32 = 2;
    /// SIGFPE: integer division by zero.
    pub const FPE_INTDIV: i32 = 1;
    /// SIGFPE: integer overflow.
    pub const FPE_INTOVF: i32 = 2;
    /// SIGFPE: floating-point division by zero.
    pub const FPE_FLTDIV: i32 = 3;
    /// SIGFPE: floating-point overflow.
    pub const FPE_FLTOVF: i32 = 4;
    /// SIGFPE: floating-point underflow.
    pub const FPE_FLTUND: i32 = 5;
    /// SIGFPE: inexact result.
    pub const FPE_FLTRES: i32 = 6;
    /// SIGFPE: invalid operation.
    pub const FPE_FLTINV: i32 = 7;
    /// SIGSEGV: nothing is mapped there.
    pub const SEGV_MAPERR: i32 = 1;
    /// SIGSEGV: the mapping does not allow it.
    pub const SEGV_ACCERR: i32 = 2;
    /// SIGBUS: bad alignment.
    pub const BUS_ADRALN: i32 = 1;
    /// SIGBUS: past the end of the mapped file.
    pub const BUS_ADRERR: i32 = 2;
    /// SIGTRAP: a breakpoint.
    pub const TRAP_BRKPT: i32 = 1;
    /// SIGTRAP: a single step.
    pub const TRAP_TRACE: i32 = 2;
    /// SIGTRAP: a debug register.
    pub const TRAP_HWBKPT: i32 = 4;

    /// SIGCHLD: exited.
    pub const CLD_EXITED: i32 = 1;
    /// SIGCHLD: killed.
    pub const CLD_KILLED: i32 = 2;
    /// SIGCHLD: killed, core status.
    pub const CLD_DUMPED: i32 = 3;
    /// SIGCHLD: a tracer's stop.
    pub const CLD_TRAPPED: i32 = 4;
    /// SIGCHLD: stopped.
    pub const CLD_STOPPED: i32 = 5;
    /// SIGCHLD: continued.
    pub const CLD_CONTINUED: i32 = 6;
}

/// siginfo_t's part that carries anything; user space sees it followed by zeros up to [`SIGINFO_SIZE`].
///
/// `fields` is the union: its layout depends on `signo` and `code`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SigInfo {
    /// Signal number.
    pub signo: i32,
    /// Always 0 here.
    pub errno: i32,
    /// Where it comes from: [`code`].
    pub code: i32,
    /// Padding.
    pub pad: i32,
    /// The union.
    pub fields: [u64; 4],
}

/// Bytes of siginfo_t in user space.
pub const SIGINFO_SIZE: usize = 128;

const fn pair(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

impl SigInfo {
    /// Sent by the kernel, with nothing more to say.
    pub const fn kernel(signo: u8) -> Self {
        Self { signo: signo as i32, errno: 0, code: code::SI_KERNEL, pad: 0, fields: [0; 4] }
    }

    /// A fault at `address`.
    pub const fn fault(signo: u8, code: i32, address: u64) -> Self {
        Self { signo: signo as i32, errno: 0, code, pad: 0, fields: [address, 0, 0, 0] }
    }

    /// Sent by a process: kill(2), tgkill(2).
    pub const fn sent(signo: u8, code: i32, pid: i32, uid: u32) -> Self {
        Self { signo: signo as i32, errno: 0, code, pad: 0, fields: [pair(pid as u32, uid), 0, 0, 0] }
    }

    /// About a child: `status` is the exit status or the signal; times in clock ticks of 1/100 s.
    pub const fn child(signo: u8, code: i32, pid: i32, uid: u32, status: i32, utime: u64, stime: u64) -> Self {
        let fields = [pair(pid as u32, uid), status as u32 as u64, utime, stime];
        Self { signo: signo as i32, errno: 0, code, pad: 0, fields }
    }

    /// From a POSIX timer with `value` (sigev_value).
    pub const fn timer(signo: u8, id: i32, overrun: i32, value: u64) -> Self {
        let fields = [pair(id as u32, overrun as u32), value, 0, 0];
        Self { signo: signo as i32, errno: 0, code: code::SI_TIMER, pad: 0, fields }
    }

    /// si_pid, where the sender is a process.
    pub const fn pid(&self) -> i32 {
        self.fields[0] as u32 as i32
    }
}

/// sigevent of timer_create(2).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SigEvent {
    /// sigev_value.
    pub value: u64,
    /// sigev_signo.
    pub signo: i32,
    /// How to notify: [`SIGEV_SIGNAL`] and so on.
    pub notify: i32,
    /// With [`SIGEV_THREAD_ID`]: the thread.
    pub tid: i32,
    /// The rest of the union.
    pub pad: [i32; 11],
}

/// A signal to the process.
pub const SIGEV_SIGNAL: i32 = 0;
/// Nothing.
pub const SIGEV_NONE: i32 = 1;
/// A callback (the C library's business).
pub const SIGEV_THREAD: i32 = 2;
/// A signal to one thread; may be combined with [`SIGEV_SIGNAL`].
pub const SIGEV_THREAD_ID: i32 = 4;

const _: () = assert!(size_of::<SigInfo>() == 48 && size_of::<SigEvent>() == 64);
const _: () = assert!(size_of::<SigAction>() == 32 && size_of::<SigStack>() == 24);
