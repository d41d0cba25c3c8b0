//! Who may do what to a file: the one place where it is decided.
use bitflags::bitflags;
use tollgate_abi::fs::mode;
use tollgate_abi::{Errno, Result};

use super::Attributes;
use crate::task::current;

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
/// # Errors
/// `EACCES`.
pub fn permitted(file: &Attributes, access: Access) -> Result<()> {
    let permissions = file.mode();
    // Nearly every call ends here: what owner, group and others may all do.
    if permissions & permissions >> 3 & permissions >> 6 & access.bits() == access.bits() {
        return Ok(());
    }
    let creds = current().creds();
    if creds.is_privileged() {
        // All but executing what no one may execute.
        let executable = file.is_directory() || permissions & 0o111 != 0;
        return if access.contains(Access::EXECUTE) && !executable { Err(Errno::EACCES) } else { Ok(()) };
    }
    let granted = if creds.fsuid == file.uid() {
        permissions >> 6
    } else if creds.in_group(file.gid()) {
        permissions >> 3
    } else {
        permissions
    };
    if granted & access.bits() == access.bits() { Ok(()) } else { Err(Errno::EACCES) }
}

/// Whether the current task may do what the file's owner may.
///
/// # Errors
/// `EPERM`.
pub fn owns(file: &Attributes) -> Result<()> {
    let creds = current().creds();
    if creds.fsuid == file.uid() || creds.is_privileged() { Ok(()) } else { Err(Errno::EPERM) }
}

/// Whether the current task may give the file to this owner and group.
///
/// # Errors
/// `EPERM`.
pub fn may_give(file: &Attributes, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
    let creds = current().creds();
    let to_itself = creds.fsuid == file.uid()
        && uid.is_none_or(|uid| uid == file.uid())
        && gid.is_none_or(|gid| gid == file.gid() || creds.in_group(gid));
    if to_itself || creds.is_privileged() { Ok(()) } else { Err(Errno::EPERM) }
}

/// Whether the current task, which may change names in `directory`, may remove this one: in a sticky directory only its
/// owner and the directory's may.
///
/// # Errors
/// `EPERM`.
pub fn may_remove(directory: &Attributes, file: &Attributes) -> Result<()> {
    if directory.mode() & mode::STICKY == 0 || owns(file).is_ok() { Ok(()) } else { owns(directory) }
}
