//! Who may do what to a file: the one place where it is decided.
use bitflags::bitflags;
use tollgate_abi::fs::mode;
use tollgate_abi::{Errno, Result};

use super::Attributes;

bitflags! {
    /// What is to be done.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Access: u32 {
        /// Execute a file, search a directory.
        const EXECUTE = 1;
        /// Write; in a directory: make and remove names.
        const WRITE = 2;
        /// Read.
        const READ = 4;
    }
}

/// Whether the current task may do all of `access` to the file.
///
/// Every process is root's so far, to whom all is allowed but executing what no one may execute.
///
/// # Errors
/// `EACCES`.
pub fn permitted(file: &Attributes, access: Access) -> Result<()> {
    let executable = file.is_directory() || file.mode() & 0o111 != 0;
    if access.contains(Access::EXECUTE) && !executable { Err(Errno::EACCES) } else { Ok(()) }
}

/// User and group that own what the current task makes.
pub fn current_ids() -> (u32, u32) {
    (0, 0)
}

/// Permission bits of `mode` that a new file gets under `umask`.
pub fn masked(mode: u32, umask: u32) -> u32 {
    mode & mode::PERMISSIONS & !umask
}
