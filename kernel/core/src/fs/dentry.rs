//! Names in the tree.
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::Inode;
use crate::sync::{Rank, SpinLock};

/// A name of an inode at a place in the tree of its file system.
///
/// A child holds its parent, so that a path can always be told, even of what has been removed. A directory that keeps
/// its entries (tmpfs) holds its children too, until they are removed; one that makes them up (/proc) does not.
pub struct Dentry {
    inode: Arc<dyn Inode>,
    link: SpinLock<Link>,
    /// Mounts on top of it. The walk looks into the mount table only when there are some.
    mounts: AtomicU32,
    removed: AtomicBool,
}

struct Link {
    parent: Option<Arc<Dentry>>,
    name: Arc<[u8]>,
}

impl Dentry {
    /// The root of a file system's tree, or something outside any tree (a pipe), whose name is then shown as it is.
    pub fn root(inode: Arc<dyn Inode>, name: &[u8]) -> Arc<Self> {
        Self::with_link(inode, Link { parent: None, name: name.into() })
    }

    /// The entry `name` of `parent`.
    pub fn new(inode: Arc<dyn Inode>, parent: &Arc<Dentry>, name: Arc<[u8]>) -> Arc<Self> {
        Self::with_link(inode, Link { parent: Some(parent.clone()), name })
    }

    fn with_link(inode: Arc<dyn Inode>, link: Link) -> Arc<Self> {
        Arc::new(Self {
            inode,
            link: SpinLock::new(Rank::Names, link),
            mounts: AtomicU32::new(0),
            removed: AtomicBool::new(false),
        })
    }

    /// The file it names.
    pub fn inode(&self) -> &Arc<dyn Inode> {
        &self.inode
    }

    /// The directory it is in; `None` for a root.
    pub fn parent(&self) -> Option<Arc<Dentry>> {
        self.link.lock().parent.clone()
    }

    /// Its name; a root's is empty.
    pub fn name(&self) -> Arc<[u8]> {
        self.link.lock().name.clone()
    }

    /// Name and parent at one moment.
    pub fn name_and_parent(&self) -> (Arc<[u8]>, Option<Arc<Dentry>>) {
        let link = self.link.lock();
        (link.name.clone(), link.parent.clone())
    }

    /// Notes that it moved (rename).
    pub fn set_link(&self, parent: &Arc<Dentry>, name: Arc<[u8]>) {
        let new = Link { parent: Some(parent.clone()), name };
        let old = core::mem::replace(&mut *self.link.lock(), new);
        drop(old);
    }

    /// Notes that the name is gone.
    pub fn set_removed(&self) {
        self.removed.store(true, Ordering::Relaxed);
    }

    /// Whether the name is gone.
    pub fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Relaxed)
    }

    /// Whether something is mounted on it.
    pub fn is_mount_point(&self) -> bool {
        self.mounts.load(Ordering::Relaxed) != 0
    }

    /// Counts mounts in or out.
    pub fn add_mounts(&self, change: i32) {
        self.mounts.fetch_add(change as u32, Ordering::Relaxed);
    }

    /// Whether `self` is `other` or lies below it.
    pub fn is_below(self: &Arc<Self>, other: &Arc<Dentry>) -> bool {
        let mut at = Some(self.clone());
        while let Some(here) = at {
            if Arc::ptr_eq(&here, other) {
                return true;
            }
            at = here.parent();
        }
        false
    }
}

impl Drop for Dentry {
    /// Lets go of the parents in a loop: a program can make chains of removed directories far longer than the stack.
    fn drop(&mut self) {
        let mut next = self.link.get_mut().parent.take();
        while let Some(parent) = next {
            next = Arc::into_inner(parent).and_then(|mut last| last.link.get_mut().parent.take());
        }
    }
}
