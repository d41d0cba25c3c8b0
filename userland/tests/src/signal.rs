//! Handlers, masks, and what a faulting instruction raises.

use crate::memory::Shared;
use crate::process::{self, Status};
use crate::sys;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::SeqCst};

/// The highest signal number.
pub const LAST: i32 = 64;

/// The first real-time signal as the kernel numbers them; C libraries keep some for themselves.
pub const RT: i32 = 32;

/// Size of the kernel's signal set in bytes.
pub const SET_SIZE: usize = 8;

/// A handler installed with SA_SIGINFO.
pub type Handler = extern "C" fn(i32, *mut libc::siginfo_t, *mut Context);

/// The kernel's `struct ucontext`: what a handler gets as its third argument, and the part of the frame that
/// rt_sigreturn reads. The C library keeps some of it to itself.
#[repr(C)]
pub struct Context {
    /// UC_ flags.
    pub flags: u64,
    /// Always null.
    pub link: usize,
    /// The alternate stack at the time.
    pub stack: libc::stack_t,
    /// The general registers, by the C library's REG_ indices.
    pub registers: [u64; 23],
    /// Address of the FXSAVE or XSAVE image.
    pub fpstate: usize,
    reserved: [u64; 8],
    /// Signals that were blocked.
    pub mask: u64,
}

impl Context {
    /// One of the general registers.
    pub fn register(&self, index: i32) -> u64 {
        self.registers[index as usize]
    }

    /// Changes one of the general registers.
    pub fn set_register(&mut self, index: i32, value: u64) {
        self.registers[index as usize] = value;
    }
}

/// A signal set as the kernel has it.
pub fn set(signals: &[i32]) -> u64 {
    signals.iter().fold(0, |set, signal| set | 1 << (signal - 1))
}

/// The kernel's `struct sigaction`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Action {
    /// Handler's address, or SIG_DFL or SIG_IGN.
    pub handler: usize,
    /// SA_ flags.
    pub flags: u64,
    /// What the handler returns to, with SA_RESTORER.
    pub restorer: usize,
    /// Signals blocked while it runs.
    pub mask: u64,
}

/// SA_RESTORER: the action names the trampoline. The C library's headers keep it to themselves.
pub const SA_RESTORER: u64 = 0x0400_0000;

// The trampoline of handlers installed by `Action::new`.
std::arch::global_asm!(
    ".global tollgate_tests_restorer",
    ".balign 16",
    "nop",
    "tollgate_tests_restorer:",
    "mov $15, %rax",
    "syscall",
    options(att_syntax)
);

unsafe extern "C" {
    fn tollgate_tests_restorer();
}

impl Action {
    /// A handler with SA_SIGINFO and other flags, and nothing blocked but the signal itself.
    pub fn new(handler: Handler, flags: i32) -> Action {
        Action {
            handler: handler as usize,
            flags: (flags | libc::SA_SIGINFO) as u32 as u64 | SA_RESTORER,
            restorer: tollgate_tests_restorer as *const () as usize,
            mask: 0,
        }
    }

    /// SIG_DFL.
    pub fn default_action() -> Action {
        Action::default()
    }

    /// SIG_IGN.
    pub fn ignore() -> Action {
        Action { handler: libc::SIG_IGN, ..Action::default() }
    }

    /// Signals to block while the handler runs.
    pub fn blocking(mut self, signals: &[i32]) -> Action {
        self.mask = set(signals);
        self
    }

    /// Installs it.
    pub fn install(&self, signal: i32) -> sys::Result {
        sys!(libc::SYS_rt_sigaction, signal, self, 0, SET_SIZE)
    }

    /// What is installed for a signal.
    pub fn current(signal: i32) -> Action {
        let mut action = Action::default();
        sys!(libc::SYS_rt_sigaction, signal, 0, &mut action, SET_SIZE).expect("rt_sigaction");
        action
    }
}

/// Installs a handler with SA_SIGINFO and other flags.
pub fn handle(signal: i32, flags: i32, handler: Handler) {
    Action::new(handler, flags).install(signal).expect("rt_sigaction");
}

/// Gives a signal its default action.
pub fn set_default(signal: i32) {
    Action::default_action().install(signal).expect("rt_sigaction");
}

/// Ignores a signal.
pub fn ignore(signal: i32) {
    Action::ignore().install(signal).expect("rt_sigaction");
}

/// Gives every signal its default action and blocks none. The start of a program has set some.
pub fn reset_all() {
    for signal in (1..=LAST).filter(|signal| ![libc::SIGKILL, libc::SIGSTOP].contains(signal)) {
        set_default(signal);
    }
    set_mask(0);
}

/// Replaces the set of blocked signals; returns the old one.
pub fn set_mask(mask: u64) -> u64 {
    change_mask(libc::SIG_SETMASK, mask)
}

/// Blocks signals as well; returns the old set.
pub fn block(signals: &[i32]) -> u64 {
    change_mask(libc::SIG_BLOCK, set(signals))
}

/// Blocks these signals no longer; returns the old set.
pub fn unblock(signals: &[i32]) -> u64 {
    change_mask(libc::SIG_UNBLOCK, set(signals))
}

fn change_mask(how: i32, mask: u64) -> u64 {
    let mut old = 0u64;
    sys!(libc::SYS_rt_sigprocmask, how, &mask, &mut old, SET_SIZE).expect("rt_sigprocmask");
    old
}

/// The set of blocked signals.
pub fn mask() -> u64 {
    change_mask(libc::SIG_BLOCK, 0)
}

/// The set of signals that wait to be unblocked.
pub fn pending() -> u64 {
    let mut set = 0u64;
    sys!(libc::SYS_rt_sigpending, &mut set, SET_SIZE).expect("rt_sigpending");
    set
}

/// A handler that does nothing.
pub extern "C" fn nothing(_: i32, _: *mut libc::siginfo_t, _: *mut Context) {}

/// A signal an instruction raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its number.
    pub signal: i32,
    /// si_code.
    pub code: i32,
    /// si_addr.
    pub address: usize,
}

/// Where `fault_of`'s handler leaves what it saw: signal, code, address.
struct Seen {
    signal: AtomicI32,
    code: AtomicI32,
    address: AtomicU64,
}

static mut SEEN: *const Seen = std::ptr::null();

extern "C" fn note_fault(signal: i32, info: *mut libc::siginfo_t, _: *mut Context) {
    // SAFETY: `fault_of` set the pointer before it installed this handler; the kernel's siginfo is valid.
    unsafe {
        let seen = &*SEEN;
        seen.signal.store(signal, SeqCst);
        seen.code.store((*info).si_code, SeqCst);
        seen.address.store((*info).si_addr() as u64, SeqCst);
    }
    process::exit(0);
}

/// Runs `body` in a child process until it faults and tells the fault; `None` if it ran to its end.
pub fn fault_of(body: impl FnOnce()) -> Option<Fault> {
    let seen = Shared::new(Seen { signal: AtomicI32::new(0), code: AtomicI32::new(0), address: AtomicU64::new(0) });
    let status = process::in_child(|| {
        // SAFETY: this process has one thread; the shared memory outlives it.
        unsafe { SEEN = &raw const *seen };
        // On the alternate stack that the start of the program set up: the ordinary one may be what is at fault.
        for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP] {
            handle(signal, libc::SA_ONSTACK, note_fault);
        }
        body();
    });
    assert_eq!(status, Status::Exited(0), "the fault did not reach its handler");
    let fault = Fault {
        signal: seen.signal.load(SeqCst),
        code: seen.code.load(SeqCst),
        address: seen.address.load(SeqCst) as usize,
    };
    (fault.signal != 0).then_some(fault)
}
