//! Device files: which driver a device number leads to.
mod kmsg;
mod memory;
pub mod random;

use alloc::sync::Arc;

use tollgate_abi::fs::{make_device, mode};
use tollgate_abi::{Errno, Result};

use super::mount::FileSystem;
use super::tmpfs::TmpFs;
use super::{FileOps, NewInode, Opening};
use crate::sync::Once;
use crate::tty;

/// A device file of /dev.
struct Node {
    name: &'static [u8],
    device: u64,
    permissions: u32,
    open: fn(&Opening) -> Result<Arc<dyn FileOps>>,
}

const fn node(
    name: &'static [u8],
    major: u32,
    minor: u32,
    permissions: u32,
    open: fn(&Opening) -> Result<Arc<dyn FileOps>>,
) -> Node {
    Node { name, device: make_device(major, minor), permissions, open }
}

/// All character devices.
static NODES: [Node; 9] = [
    node(b"null", 1, 3, 0o666, |_| Ok(Arc::new(memory::Null))),
    node(b"zero", 1, 5, 0o666, |_| Ok(Arc::new(memory::Zero))),
    node(b"full", 1, 7, 0o666, |_| Ok(Arc::new(memory::Full))),
    node(b"random", 1, 8, 0o666, |_| Ok(Arc::new(random::Random))),
    node(b"urandom", 1, 9, 0o666, |_| Ok(Arc::new(random::Random))),
    node(b"kmsg", 1, 11, 0o644, |_| Ok(Arc::new(kmsg::Kmsg))),
    node(b"ttyS0", 4, 64, 0o620, tty::open_serial),
    node(b"tty", 5, 0, 0o666, tty::open_controlling),
    node(b"console", 5, 1, 0o600, tty::open_console),
];

/// Symbolic links of /dev.
const LINKS: [(&[u8], &[u8]); 4] = [
    (b"fd", b"/proc/self/fd"),
    (b"stdin", b"/proc/self/fd/0"),
    (b"stdout", b"/proc/self/fd/1"),
    (b"stderr", b"/proc/self/fd/2"),
];

/// What can be done with the device of this type and number.
///
/// # Errors
/// `ENXIO` when there is none; the driver's own.
pub fn open(kind: u32, device: u64, opening: &Opening) -> Result<Arc<dyn FileOps>> {
    let node = NODES.iter().find(|node| node.device == device).filter(|_| kind == mode::CHARACTER);
    (node.ok_or(Errno::ENXIO)?.open)(opening)
}

/// The one devtmpfs, whoever mounts it: a tmpfs with every device in it.
///
/// # Errors
/// `ENOMEM`.
pub fn file_system() -> Result<Arc<dyn FileSystem>> {
    static DEVTMPFS: Once<Arc<TmpFs>> = Once::new();
    DEVTMPFS
        .try_call_once(|| {
            let devtmpfs = Arc::new(TmpFs::new("devtmpfs", 0o755));
            let root = devtmpfs.root();
            let make = |name: &[u8], new: NewInode| root.inode().create(&root, name, new).map(drop);
            for node in &NODES {
                make(node.name, NewInode { rdev: node.device, ..NewInode::new(mode::CHARACTER | node.permissions) })?;
            }
            for (name, target) in LINKS {
                make(name, NewInode { target: target.into(), ..NewInode::new(mode::SYMLINK | 0o777) })?;
            }
            for name in [b"pts".as_slice(), b"shm"] {
                make(name, NewInode::new(mode::DIRECTORY | 0o755))?;
            }
            Ok(devtmpfs)
        })
        .map(|devtmpfs| devtmpfs.clone() as Arc<dyn FileSystem>)
}
