//! The table: every system call of the kernel, one row each.
use core::fmt;

use crate::mm::user::UserPtr;
use crate::trace::getunwind;

/// A row of the table, for those who print calls.
pub struct Description {
    /// Its number.
    pub number: u64,
    /// Its name.
    pub name: &'static str,
    /// Prints name and arguments.
    pub print: fn(&[u64; 6], &mut fmt::Formatter<'_>) -> fmt::Result,
}

// `NUMBER => name(arg: Type, ...) = handler;`, in blocks by family and there by number.
syscalls! {
    // ---- files (syscall/file.rs, dir.rs, poll.rs, mount.rs) ----

    // ---- memory (syscall/mm.rs) ----

    // ---- signals (syscall/signal.rs) ----

    // ---- processes (syscall/process.rs) ----

    // ---- threads, futexes, scheduling (syscall/thread.rs) ----

    // ---- time (syscall/time.rs) ----

    // ---- the system (syscall/system.rs) ----

    // ---- IA-64 numbers (trace/) ----
    1215 => getunwind(buf: UserPtr<u8>, buf_size: usize) = getunwind::getunwind;
}
