//! Root directory, working directory and umask of a process.
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};

use super::Path;
use crate::sync::{Rank, SpinLock};

/// Root directory, working directory and umask.
pub struct FsContext {
    places: SpinLock<Places>,
    umask: AtomicU32,
}

#[derive(Clone)]
struct Places {
    root: Path,
    cwd: Path,
}

impl FsContext {
    /// The first process's: both directories are `root`, umask 022.
    pub fn new(root: Path) -> Self {
        let places = Places { cwd: root.clone(), root };
        Self { places: SpinLock::new(Rank::Files, places), umask: AtomicU32::new(0o022) }
    }

    /// One of its own with the same content, as fork makes it.
    pub fn fork(&self) -> Arc<Self> {
        let places = self.places.lock().clone();
        Arc::new(Self { places: SpinLock::new(Rank::Files, places), umask: AtomicU32::new(self.umask()) })
    }

    /// The root directory.
    pub fn root(&self) -> Path {
        self.places.lock().root.clone()
    }

    /// The working directory.
    pub fn cwd(&self) -> Path {
        self.places.lock().cwd.clone()
    }

    /// Changes the root directory.
    pub fn set_root(&self, root: Path) {
        let old = core::mem::replace(&mut self.places.lock().root, root);
        drop(old);
    }

    /// Changes the working directory.
    pub fn set_cwd(&self, cwd: Path) {
        let old = core::mem::replace(&mut self.places.lock().cwd, cwd);
        drop(old);
    }

    /// The permission bits new files don't get.
    pub fn umask(&self) -> u32 {
        self.umask.load(Ordering::Relaxed)
    }

    /// Sets them; returns the old ones.
    pub fn set_umask(&self, mask: u32) -> u32 {
        self.umask.swap(mask & 0o777, Ordering::Relaxed)
    }
}
