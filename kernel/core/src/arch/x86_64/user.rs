//! User mode as a call: [`enter`] runs the user program until it crosses into the kernel and says why it did.
use core::mem::offset_of;

use super::gdt::{USER_CS, USER_SS};
use super::percpu::{self, CONTEXT_END, KERNEL_RSP, SCRATCH};
use super::{cpu, msr};

/// A user program's registers as they were at the crossing; what is written here is what it continues with.
///
/// The order is that of the pushes at entry: the CPU itself pushes `ss` to `rip`, and [`UserContext`] ends 16-aligned
/// because the CPU aligns its stack pointer first. Those are also Linux's `pt_regs`, after the first field.
#[derive(Clone, Debug)]
#[repr(C, align(16))]
pub struct UserContext {
    /// Keeps the end 16-aligned.
    pub reserved: u64,
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rax: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    /// The system call's number (rax at entry); -1 when the crossing was none. ptrace's orig_rax.
    pub orig_rax: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

const _: () = assert!(size_of::<UserContext>() == 176 && offset_of!(UserContext, ss) == 168);

/// Flags a user program may have as it likes: CF PF AF ZF SF TF DF OF NT RF AC ID.
pub const USER_FLAGS: u64 = 0x0025_4dd5;
/// Flags it always has: interrupts on, and the bit that is always one.
pub const FIXED_FLAGS: u64 = 0x202;

/// Why user mode was left.
#[derive(Clone, Copy, Debug)]
pub enum Reason {
    /// The `syscall` instruction.
    Syscall,
    /// A CPU exception.
    Exception {
        /// Vector 0 to 31.
        vector: u8,
        /// The CPU's error code, 0 where it has none.
        code: u64,
        /// For page faults: the address.
        address: u64,
    },
    /// A device or another CPU; already handled.
    Interrupt,
}

impl UserContext {
    /// All zero, at `rip` with stack pointer `rsp`: what a program starts with.
    pub fn starting_at(rip: u64, rsp: u64) -> Self {
        Self { rip, rsp, ..Self::default() }
    }

    /// The six arguments of a system call.
    pub fn syscall_args(&self) -> [u64; 6] {
        [self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9]
    }

    /// Forces what a user program must not choose: selectors and privileged flags. Called after the registers were set
    /// from outside (sigreturn, ptrace).
    pub fn sanitize(&mut self) {
        self.cs = u64::from(USER_CS);
        self.ss = u64::from(USER_SS);
        self.rflags = self.rflags & USER_FLAGS | FIXED_FLAGS;
    }
}

impl Default for UserContext {
    fn default() -> Self {
        Self {
            reserved: 0,
            r15: 0,
            r14: 0,
            r13: 0,
            r12: 0,
            rbp: 0,
            rbx: 0,
            r11: 0,
            r10: 0,
            r9: 0,
            r8: 0,
            rax: 0,
            rcx: 0,
            rdx: 0,
            rsi: 0,
            rdi: 0,
            orig_rax: u64::MAX,
            rip: 0,
            cs: u64::from(USER_CS),
            rflags: FIXED_FLAGS,
            rsp: 0,
            ss: u64::from(USER_SS),
        }
    }
}

/// What the entry stubs return in rax and rdx.
#[repr(C)]
struct Crossing {
    vector: u64,
    code: u64,
}

/// Stands for a system call in [`Crossing::vector`].
const SYSCALL: u64 = 256;
const PAGE_FAULT: u64 = 14;
/// First vector that is an interrupt, not an exception.
pub(super) const FIRST_INTERRUPT: u64 = 32;

/// Runs the current task's program until it crosses into the kernel. Interrupts are off before and after; an interrupt
/// is handled before this returns.
///
/// # Safety
/// `context` is the current task's, interrupts are off, and `context` was made by the crossings or [`UserContext`]'s
/// constructors and [`UserContext::sanitize`]: user selectors, no privileged flags.
pub unsafe fn enter(context: &mut UserContext) -> Reason {
    // A non-canonical address in rip would fault in IRET, on the kernel's account: let the program fault instead. The
    // CPU reports a jump there as a general protection fault, so say the same.
    if context.rip >= 1 << 47 {
        return Reason::Exception { vector: 13, code: 0, address: 0 };
    }
    // SAFETY: this function's contract is the stub's.
    let Crossing { vector, code } = unsafe { enter_user(context) };
    cpu::close_user_access();
    match vector {
        SYSCALL => Reason::Syscall,
        PAGE_FAULT => Reason::Exception { vector: 14, code, address: cpu::page_fault_address() },
        vector if vector < FIRST_INTERRUPT => Reason::Exception { vector: vector as u8, code, address: 0 },
        vector => {
            super::irq::dispatch(vector as u8, true);
            Reason::Interrupt
        }
    }
}

const RIP: usize = offset_of!(UserContext, rip);
const RCX: usize = offset_of!(UserContext, rcx);
const R11: usize = offset_of!(UserContext, r11);
const RFLAGS: usize = offset_of!(UserContext, rflags);
const R15: usize = offset_of!(UserContext, r15);
/// Resume flag and trap flag: SYSRET would lose the first and trap late for the second.
const NO_SYSRET_FLAGS: u32 = 1 << 16 | 1 << 8;

/// Loads the registers at `context` (in rdi) and goes to user mode; the entry stubs below come back as its return.
#[unsafe(naked)]
unsafe extern "C" fn enter_user(context: *mut UserContext) -> Crossing {
    core::arch::naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov gs:[{kernel_rsp}], rsp",
        // SYSRET takes rip from rcx and the flags from r11: usable when they agree, as after an ordinary system call.
        "mov rcx, [rdi + {rip}]",
        "mov rax, [rdi + {rflags}]",
        "cmp rcx, [rdi + {rcx}]",
        "jne 2f",
        "cmp rax, [rdi + {r11}]",
        "jne 2f",
        "test eax, {no_sysret}",
        "jnz 2f",
        "lea rsp, [rdi + {r15}]",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "pop r11",
        "pop r10",
        "pop r9",
        "pop r8",
        "pop rax",
        "pop rcx",
        "pop rdx",
        "pop rsi",
        "pop rdi",
        "mov rsp, [rsp + 32]",
        "swapgs",
        "sysretq",
        "2:",
        "lea rsp, [rdi + {r15}]",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "pop r11",
        "pop r10",
        "pop r9",
        "pop r8",
        "pop rax",
        "pop rcx",
        "pop rdx",
        "pop rsi",
        "pop rdi",
        "add rsp, 8",
        "swapgs",
        "iretq",
        kernel_rsp = const KERNEL_RSP,
        rip = const RIP,
        rcx = const RCX,
        r11 = const R11,
        r15 = const R15,
        rflags = const RFLAGS,
        no_sysret = const NO_SYSRET_FLAGS,
    )
}

/// Where SYSCALL lands: saves the registers in the task's block and returns from [`enter_user`].
#[unsafe(naked)]
unsafe extern "C" fn syscall_entry() -> ! {
    core::arch::naked_asm!(
        "swapgs",
        "mov gs:[{scratch}], rsp",
        "mov rsp, gs:[{context_end}]",
        "push {user_ss}",
        "push qword ptr gs:[{scratch}]",
        "push r11",
        "push {user_cs}",
        "push rcx",
        "push rax",
        "push rdi",
        "push rsi",
        "push rdx",
        "push rcx",
        "push rax",
        "push r8",
        "push r9",
        "push r10",
        "push r11",
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov rsp, gs:[{kernel_rsp}]",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "mov eax, {syscall}",
        "ret",
        scratch = const SCRATCH,
        context_end = const CONTEXT_END,
        kernel_rsp = const KERNEL_RSP,
        user_ss = const USER_SS,
        user_cs = const USER_CS,
        syscall = const SYSCALL,
    )
}

/// Flags that SYSCALL clears: interrupts, direction, trap, alignment check, nested task, I/O privilege, resume.
const SYSCALL_MASK: u64 = 0x0005_7700;

/// Tells this CPU where SYSCALL goes.
pub(super) fn init_cpu() {
    msr::EFER.write(msr::EFER.read() | 1);
    msr::STAR.write(u64::from(super::gdt::SYSRET_BASE) << 48 | u64::from(super::gdt::KERNEL_CS) << 32);
    msr::LSTAR.write(syscall_entry as *const () as u64);
    msr::FMASK.write(SYSCALL_MASK);
}

/// FS base of the current task.
pub fn fs_base() -> u64 {
    msr::FS_BASE.read()
}

/// Sets the current task's FS base; the caller checked that it is canonical.
pub fn set_fs_base(base: u64) {
    msr::FS_BASE.write(base);
}

/// The current task's user GS base.
pub fn gs_base() -> u64 {
    percpu::irq_disable(); // The registers must be this CPU's from read to use.
    let base = msr::KERNEL_GS_BASE.read();
    percpu::irq_enable();
    base
}

/// Sets the current task's user GS base; the caller checked that it is canonical.
pub fn set_gs_base(base: u64) {
    msr::KERNEL_GS_BASE.write(base);
}
