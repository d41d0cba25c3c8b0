//! User mode as a call: [`enter`] runs the user program until it crosses into the kernel and says why it did.

/// A user program's registers as they were at the crossing; what is written here is what it continues with.
#[derive(Clone, Debug, Default)]
#[repr(C, align(16))]
#[expect(missing_docs, reason = "the registers of x86-64")]
pub struct UserContext {
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
    /// The six arguments of a system call.
    pub fn syscall_args(&self) -> [u64; 6] {
        [self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9]
    }
}

/// FS base of the current task (arch_prctl, CLONE_SETTLS).
pub fn fs_base() -> u64 {
    todo!("lead")
}
/// Sets the current task's FS base; the caller checked that it is canonical.
pub fn set_fs_base(base: u64) {
    let _ = base;
    todo!("lead")
}
/// The current task's user GS base.
pub fn gs_base() -> u64 {
    todo!("lead")
}
/// Sets the current task's user GS base; the caller checked that it is canonical.
pub fn set_gs_base(base: u64) {
    let _ = base;
    todo!("lead")
}
