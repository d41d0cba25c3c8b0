//! Files: one tree of names over several file systems, and what programs hold open of it.
//!
//! ```text
//! descriptor --FdTable--> File (open file description: flags, position) --FileOps--> tmpfs file, pipe end, device ...
//!                           `-> Path = Mount + Dentry (a name in the tree) --> Inode (attributes, directory operations)
//! ```
//! - [`Inode`]: a file as such: attributes, and for directories the operations on names.
//! - [`Dentry`]: a name of an inode: where it hangs in the tree, so that paths can be told (getcwd, /proc/PID/maps).
//! - [`Mount`]: a file system's tree at a place in another.
//! - [`File`]: what open(2) makes. [`FileOps`] is what can be done with it.
//! - [`FdTable`], [`FsContext`]: what a process has of these.
mod context;
mod dentry;
pub mod dir;
mod file;
pub mod inode;
mod io;
pub mod mount;
pub mod open;
pub mod path;
mod permission;
pub mod pipe;
pub mod poll;
mod table;

pub use context::FsContext;
pub use dentry::Dentry;
pub use file::{File, FileOps, Opening};
pub use inode::{Attributes, Follow, Inode, NewInode};
pub use io::{Sink, Source};
pub use mount::{FileSystem, Mount};
pub use open::{open_exec, open_exec_at};
pub use path::Path;
pub use permission::{Access, permitted};
pub use poll::PollTable;
pub use table::FdTable;

use tollgate_abi::Result;

/// Makes the root file system and fills it from the initial ramdisk (a cpio archive in the newc format).
///
/// # Errors
/// Why the archive is broken.
pub fn init(ramdisk: &'static [u8]) -> Result<(), &'static str> {
    let _ = ramdisk;
    todo!("fs")
}

/// The root of the tree, as the first process sees it.
pub fn root() -> &'static Path {
    todo!("fs")
}

/// The console, open for reading and writing: descriptors 0 to 2 of the first process.
///
/// # Errors
/// `ENXIO` when there is none.
pub fn open_console() -> Result<alloc::sync::Arc<File>> {
    todo!("fs")
}
