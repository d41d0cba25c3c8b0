//! Mounts: which file system's tree is seen where.
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use tollgate_abi::fs::{MountFlags, Statfs};
use tollgate_abi::{Errno, Result};

use super::{Dentry, Path};
use crate::sync::{Rank, SpinLock};

/// A mounted file system.
pub trait FileSystem: Send + Sync {
    /// Its type as mount(2) names it.
    fn name(&self) -> &'static str;

    /// The root of its tree.
    fn root(&self) -> Arc<Dentry>;

    /// What statfs(2) says.
    fn statfs(&self) -> Statfs;
}

/// A file system's tree at a place in another tree.
pub struct Mount {
    /// Its number, as statx and mountinfo show it.
    pub id: u64,
    /// The file system.
    pub file_system: Arc<dyn FileSystem>,
    /// What mount(2) was told is mounted.
    pub source: Box<[u8]>,
    /// What mount(2) was asked for.
    pub flags: MountFlags,
    root: Arc<Dentry>,
    /// Where it is mounted; `None` for the root and for what is in no tree (pipes).
    at: Option<Path>,
}

/// The mounts other than the root, the oldest first.
static MOUNTS: SpinLock<Vec<Arc<Mount>>> = SpinLock::new(Rank::Mounts, Vec::new());

impl Mount {
    /// A mount that is in no tree: the root's, or one for files without names.
    pub fn detached(file_system: Arc<dyn FileSystem>, source: &[u8]) -> Arc<Self> {
        let root = file_system.root();
        Arc::new(Self { id: next_id(), file_system, source: source.into(), flags: MountFlags::empty(), root, at: None })
    }

    /// The root of its tree.
    pub fn root(&self) -> &Arc<Dentry> {
        &self.root
    }

    /// Refuses changes on a read-only mount.
    ///
    /// # Errors
    /// `EROFS`.
    pub fn check_writable(&self) -> Result<()> {
        if self.flags.contains(MountFlags::RDONLY) { Err(Errno::EROFS) } else { Ok(()) }
    }

    /// What statfs(2) says.
    pub fn statfs(&self) -> Statfs {
        // The low bits are the mount flags'; this one says that they are valid.
        const ST_VALID: i64 = 0x20;
        let flags = self.flags & (MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC);
        Statfs { flags: flags.bits() as i64 | ST_VALID, ..self.file_system.statfs() }
    }

    /// The place it covers.
    pub fn at(&self) -> Option<&Path> {
        self.at.as_ref()
    }
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A device number for a file system without a device: major 0.
pub fn next_device() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Mounts `file_system` on the directory `at`.
///
/// # Errors
/// `ENOTDIR`, `EBUSY` when this file system is mounted right there already, `ENOENT` when `at` has been removed,
/// `EINVAL` when it cannot carry a mount.
pub fn mount(file_system: Arc<dyn FileSystem>, source: &[u8], flags: MountFlags, at: Path) -> Result<()> {
    let root = file_system.root();
    if !at.inode().attributes().is_directory() {
        return Err(Errno::ENOTDIR);
    }
    if at.dentry.is_removed() {
        return Err(Errno::ENOENT);
    }
    if Arc::ptr_eq(&at.dentry, &root) {
        return Err(Errno::EBUSY);
    }
    // A directory that is made up at each look (/proc/PID) cannot carry a mount.
    if let (name, Some(parent)) = at.dentry.name_and_parent()
        && !Arc::ptr_eq(&parent.inode().lookup(&parent, &name)?, &at.dentry)
    {
        return Err(Errno::EINVAL);
    }
    let dentry = at.dentry.clone();
    let mount = Arc::new(Mount { id: next_id(), file_system, source: source.into(), flags, root, at: Some(at) });
    let mut mounts = MOUNTS.lock();
    mounts.push(mount);
    dentry.add_mounts(1);
    Ok(())
}

/// Takes `mount` out of the tree.
///
/// # Errors
/// `EINVAL` when it is the root or not mounted; `EBUSY` when something is mounted inside it, or unless `lazily` when
/// something in it is in use.
pub fn unmount(mount: &Arc<Mount>, lazily: bool) -> Result<()> {
    let mut mounts = MOUNTS.lock();
    let index = mounts.iter().position(|m| Arc::ptr_eq(m, mount)).ok_or(Errno::EINVAL)?;
    if mounts.iter().any(|m| m.at().is_some_and(|at| Arc::ptr_eq(&at.mount, mount))) {
        return Err(Errno::EBUSY);
    }
    // In use by others than the table and the caller.
    if !lazily && Arc::strong_count(mount) > 2 {
        return Err(Errno::EBUSY);
    }
    let removed = mounts.remove(index);
    if let Some(at) = removed.at() {
        at.dentry.add_mounts(-1);
    }
    drop(mounts);
    drop(removed);
    Ok(())
}

/// What is mounted on `dentry` as seen through `mount`, the latest on top.
pub fn mounted_on(mount: &Arc<Mount>, dentry: &Arc<Dentry>) -> Option<Arc<Mount>> {
    let on_it =
        |m: &&Arc<Mount>| m.at().is_some_and(|at| Arc::ptr_eq(&at.mount, mount) && Arc::ptr_eq(&at.dentry, dentry));
    MOUNTS.lock().iter().rev().find(on_it).cloned()
}

/// Every mount but the root.
pub fn all() -> Vec<Arc<Mount>> {
    MOUNTS.lock().clone()
}
