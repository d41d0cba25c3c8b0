//! tmpfs: a file system whose files are pages in memory and whose names are dentries. The root is one, /dev is one.
mod dir;
mod inode;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicU64, Ordering};

pub use inode::TmpInode;
use tollgate_abi::fs::{NAME_MAX, Statfs, mode};

use super::{Dentry, FileSystem, Mount, NewInode, Path};
use crate::mm::{PAGE_SIZE, frame};
use crate::sync::Once;

/// A tmpfs.
pub struct TmpFs {
    name: &'static str,
    root: Arc<Dentry>,
}

/// What the inodes of one tmpfs share.
struct Shared {
    device: u64,
    next_ino: AtomicU64,
}

impl Shared {
    fn next_ino(&self) -> u64 {
        self.next_ino.fetch_add(1, Ordering::Relaxed)
    }
}

impl TmpFs {
    /// An empty one, shown as of type `name`, whose root has these permissions.
    pub fn new(name: &'static str, permissions: u32) -> Self {
        let shared = Arc::new(Shared { device: super::mount::next_device(), next_ino: AtomicU64::new(1) });
        let inode = TmpInode::new(&shared, NewInode::new(mode::DIRECTORY | permissions));
        Self { name, root: Dentry::root(inode, b"") }
    }
}

/// A file without a name, shown as `name` (memfd_create).
pub fn nameless(name: &[u8], new: NewInode) -> Path {
    static HOME: Once<Arc<Mount>> = Once::new();
    let home = HOME.call_once(|| Mount::detached(Arc::new(TmpFs::new("tmpfs", 0o700)), b"tmpfs"));
    let root: &dyn Any = &**home.root().inode();
    let inode = TmpInode::nameless(root.downcast_ref().expect("a tmpfs has such a root"), new);
    let dentry = Dentry::root(inode, name);
    dentry.set_removed();
    Path { mount: home.clone(), dentry }
}

impl FileSystem for TmpFs {
    fn name(&self) -> &'static str {
        self.name
    }

    fn root(&self) -> Arc<Dentry> {
        self.root.clone()
    }

    fn statfs(&self) -> Statfs {
        const TMPFS_MAGIC: i64 = 0x0102_1994;
        let frames = frame::stats();
        let free = (frames.total - frames.used) as u64;
        Statfs {
            kind: TMPFS_MAGIC,
            bsize: PAGE_SIZE as i64,
            blocks: frames.total as u64,
            bfree: free,
            bavail: free,
            files: frames.total as u64,
            ffree: free,
            namelen: NAME_MAX as i64,
            frsize: PAGE_SIZE as i64,
            ..Statfs::default()
        }
    }
}

impl Drop for TmpFs {
    /// Takes the tree apart: directories hold their entries, and these their directories.
    fn drop(&mut self) {
        let mut directories: Vec<Arc<Dentry>> = Vec::from([self.root.clone()]);
        while let Some(directory) = directories.pop() {
            if let Some(inode) = (&**directory.inode() as &dyn Any).downcast_ref::<TmpInode>() {
                directories.extend(inode.disband());
            }
        }
    }
}
