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
pub mod cpio;
mod dentry;
pub mod devices;
pub mod dir;
mod file;
pub mod inode;
mod io;
pub mod mount;
pub mod open;
pub mod page_cache;
pub mod path;
pub mod permission;
pub mod pipe;
pub mod poll;
pub mod proc;
pub mod socket;
pub mod table;
pub mod tmpfs;

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

use alloc::sync::Arc;

use tollgate_abi::Result;
use tollgate_abi::fs::OpenFlags;

use crate::sync::Once;

static ROOT: Once<Path> = Once::new();

/// Makes the root file system and fills it from the initial ramdisk (a cpio archive in the newc format).
///
/// # Errors
/// Where and why the archive is broken.
pub fn init(ramdisk: &'static [u8]) -> Result<(), cpio::Broken> {
    let file_system = Arc::new(tmpfs::TmpFs::new("rootfs", 0o755));
    let mount = Mount::detached(file_system, b"rootfs");
    let root = ROOT.call_once(|| Path::root_of(&mount));
    cpio::unpack(ramdisk, &root.dentry)
}

/// The root of the tree, as the first process sees it.
pub fn root() -> &'static Path {
    ROOT.get().expect("files are used after fs::init")
}

/// The console, open for reading and writing: descriptors 0 to 2 of the first process.
///
/// # Errors
/// `ENOENT` when the initial ramdisk has no /dev/console, `ENXIO` when there is no such device.
pub fn open_console() -> Result<Arc<File>> {
    let path = path::Walk::new(root().clone(), || Ok(root().clone()), b"/dev/console")?.walk_to_end(true)?;
    open::open_path(path, OpenFlags::RDWR | OpenFlags::NOCTTY, false)
}
