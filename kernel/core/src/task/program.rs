//! What /proc and the auxiliary vector tell of the program a process runs.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use crate::fs::File;
use crate::mm::addr::UserAddr;

/// The program a process runs, as execve left it; shared with forked children until they exec.
pub struct Program {
    /// Where the gate image is mapped (AT_SYSINFO_EHDR; see [`crate::mm::gate`]).
    pub gate: UserAddr,
    /// The executable, kept from being written while it runs (/proc/PID/exe).
    pub file: Arc<File>,
    /// Where the argument strings lie (/proc/PID/cmdline).
    pub arguments: Range<UserAddr>,
    /// Where the environment strings lie (/proc/PID/environ).
    pub environment: Range<UserAddr>,
    /// The auxiliary vector's words, in memory order (/proc/PID/auxv).
    pub auxv: Vec<u64>,
    /// Stack pointer at the start (/proc/PID/stat's startstack).
    pub stack_start: UserAddr,
    /// Bounds of the first executable segment (startcode, endcode).
    pub code: Range<UserAddr>,
}
