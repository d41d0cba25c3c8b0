//! Directories of a tmpfs: entries by name, and in the order they were made so that reading can go on after changes.
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::any::Any;

use tollgate_abi::fs::RenameFlags;
use tollgate_abi::{Errno, Result};

use super::TmpInode;
use crate::fs::dir::{DirSink, Entry, FIRST_ENTRY};
use crate::fs::inode::Time;
use crate::fs::{Attributes, Dentry, Inode};
use crate::sync::{Mutex, MutexGuard};

/// The place of a directory's first entry: nobody makes so many, and offsets stay positive.
const LAST_PLACE: u64 = 1 << 62;

/// The entries of one directory.
#[derive(Default)]
pub(super) struct Entries {
    /// Each name's place in `order`.
    names: BTreeMap<Arc<[u8]>, u64>,
    /// The place is also the offset that reading the directory knows the entry by: it never changes. Places go down, so
    /// that the newest entry is read first, as on Linux.
    order: BTreeMap<u64, Arc<Dentry>>,
    /// Entries ever made.
    made: u64,
    /// The directory itself has been removed: nothing may be made in it.
    removed: bool,
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn into_dentries(self) -> impl Iterator<Item = Arc<Dentry>> {
        self.order.into_values()
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&Arc<Dentry>> {
        self.order.get(self.names.get(name)?)
    }

    /// Whether an entry `name` may be made.
    pub(super) fn check_new(&self, name: &[u8]) -> Result<()> {
        if self.removed {
            Err(Errno::ENOENT)
        } else if self.names.contains_key(name) {
            Err(Errno::EEXIST)
        } else {
            Ok(())
        }
    }

    pub(super) fn insert(&mut self, name: Arc<[u8]>, dentry: Arc<Dentry>) {
        let place = LAST_PLACE - self.made;
        self.made += 1;
        self.order.insert(place, dentry);
        self.names.insert(name, place);
    }

    fn take(&mut self, name: &[u8]) -> Option<Arc<Dentry>> {
        let place = self.names.remove(name)?;
        self.order.remove(&place)
    }

    /// Puts `dentry` where another of the same name is.
    fn replace(&mut self, name: &[u8], dentry: Arc<Dentry>) -> Option<Arc<Dentry>> {
        let place = *self.names.get(name)?;
        self.order.insert(place, dentry)
    }

    /// Removes the entry `name`, which is `child`: a directory, which must then be empty, if `directory`.
    pub(super) fn remove_checked(
        &mut self,
        own: &Attributes,
        name: &[u8],
        child: &Arc<Dentry>,
        directory: bool,
    ) -> Result<()> {
        match (child.inode().attributes().is_directory(), directory) {
            (true, false) => return Err(Errno::EISDIR),
            (false, true) => return Err(Errno::ENOTDIR),
            _ => {}
        }
        retire(child, own)?;
        drop(self.take(name));
        own.touch(&[Time::Modify, Time::Change]);
        Ok(())
    }

    pub(super) fn read(&self, offset: &mut u64, sink: &mut DirSink<'_>) -> Result<()> {
        if self.removed {
            return Err(Errno::ENOENT);
        }
        let from = offset.saturating_sub(FIRST_ENTRY);
        for (&place, dentry) in self.order.range(from..) {
            let attributes = dentry.inode().attributes();
            let next = place + 1 + FIRST_ENTRY;
            if !sink(Entry { name: &dentry.name(), ino: attributes.ino, kind: attributes.kind(), next }) {
                break;
            }
            *offset = next;
        }
        Ok(())
    }
}

/// Notes that `dentry` loses its name in the directory with attributes `parent`, if it may; a directory must be empty,
/// and can have no entries from then on. The parent is locked.
fn retire(dentry: &Arc<Dentry>, parent: &Attributes) -> Result<()> {
    if dentry.is_mount_point() {
        return Err(Errno::EBUSY);
    }
    let attributes = dentry.inode().attributes();
    if attributes.is_directory() {
        let inode = tmp(dentry.inode())?;
        // A parent before its child: rename keeps to that order too.
        let mut entries = inode.entries()?.lock_nested();
        if entries.len() > 0 {
            return Err(Errno::ENOTEMPTY);
        }
        entries.removed = true;
        drop(entries);
        attributes.add_links(-2);
        parent.add_links(-1);
    } else {
        attributes.add_links(-1);
    }
    dentry.set_removed();
    Ok(())
}

fn tmp(inode: &Arc<dyn Inode>) -> Result<&TmpInode> {
    (&**inode as &dyn Any).downcast_ref().ok_or(Errno::EXDEV)
}

/// The two directories of a rename, locked; `there` is `None` when they are one.
struct Pair<'a> {
    here: MutexGuard<'a, Entries>,
    there: Option<MutexGuard<'a, Entries>>,
}

impl<'a> Pair<'a> {
    /// Locks an ancestor before what lies below it, as [`retire`] does; unrelated ones by address. Nothing moves in the
    /// tree meanwhile, because renames come one at a time.
    fn lock(here: &'a Mutex<Entries>, from: &Arc<Dentry>, there: &'a Mutex<Entries>, to: &Arc<Dentry>) -> Self {
        if core::ptr::eq(here, there) {
            return Self { here: here.lock(), there: None };
        }
        let by_address = core::ptr::from_ref(here) < core::ptr::from_ref(there);
        if to.is_below(from) || by_address && !from.is_below(to) {
            let here = here.lock();
            Self { here, there: Some(there.lock_nested()) }
        } else {
            let there = there.lock();
            Self { here: here.lock_nested(), there: Some(there) }
        }
    }

    fn there(&mut self) -> &mut Entries {
        self.there.as_deref_mut().unwrap_or(&mut self.here)
    }
}

impl TmpInode {
    /// Renames; the caller holds the lock on renames.
    pub(super) fn rename_entry(
        &self,
        from: &Arc<Dentry>,
        name: &[u8],
        to: &Arc<Dentry>,
        to_name: &[u8],
        how: RenameFlags,
    ) -> Result<()> {
        let target = tmp(to.inode())?;
        let (own, theirs) = (self.attributes(), target.attributes());
        let mut pair = Pair::lock(self.entries()?, from, target.entries()?, to);
        let moved = pair.here.get(name).ok_or(Errno::ENOENT)?.clone();
        let replaced = pair.there().get(to_name).cloned();
        if pair.there().removed {
            return Err(Errno::ENOENT);
        }
        if !check(&moved, replaced.as_ref(), to, from, how)? {
            return Ok(());
        }
        let moved_directory = i32::from(moved.inode().attributes().is_directory());
        match &replaced {
            Some(other) if how.contains(RenameFlags::EXCHANGE) => {
                pair.here.replace(name, other.clone());
                pair.there().replace(to_name, moved.clone());
                other.set_link(from, name.into());
                moved.set_link(to, to_name.into());
                let other_directory = i32::from(other.inode().attributes().is_directory());
                own.add_links(other_directory - moved_directory);
                theirs.add_links(moved_directory - other_directory);
            }
            _ => {
                if let Some(other) = &replaced {
                    retire(other, theirs)?;
                    drop(pair.there().take(to_name));
                }
                drop(pair.here.take(name));
                let name: Arc<[u8]> = to_name.into();
                moved.set_link(to, name.clone());
                pair.there().insert(name, moved.clone());
                own.add_links(-moved_directory);
                theirs.add_links(moved_directory);
            }
        }
        own.touch(&[Time::Modify, Time::Change]);
        theirs.touch(&[Time::Modify, Time::Change]);
        moved.inode().attributes().touch(&[Time::Change]);
        // What was replaced may be freed now: not with the directories locked.
        drop(pair);
        drop(replaced);
        Ok(())
    }
}

/// Whether `moved` of `from` may come to `to` in the place of `replaced`; `Ok(false)` when there is nothing to do.
fn check(
    moved: &Arc<Dentry>,
    replaced: Option<&Arc<Dentry>>,
    to: &Arc<Dentry>,
    from: &Arc<Dentry>,
    how: RenameFlags,
) -> Result<bool> {
    let exchange = how.contains(RenameFlags::EXCHANGE);
    if moved.is_mount_point() || replaced.is_some_and(|r| r.is_mount_point()) {
        return Err(Errno::EBUSY);
    }
    let is_directory = moved.inode().attributes().is_directory();
    if is_directory && to.is_below(moved) {
        return Err(Errno::EINVAL);
    }
    let Some(replaced) = replaced else {
        return if exchange { Err(Errno::ENOENT) } else { Ok(true) };
    };
    if how.contains(RenameFlags::NOREPLACE) {
        return Err(Errno::EEXIST);
    }
    let replaces_directory = replaced.inode().attributes().is_directory();
    if replaces_directory && from.is_below(replaced) {
        return Err(if exchange { Errno::EINVAL } else { Errno::ENOTEMPTY });
    }
    if Arc::ptr_eq(moved.inode(), replaced.inode()) {
        return Ok(false);
    }
    match (is_directory, replaces_directory) {
        _ if exchange => Ok(true),
        (true, false) => Err(Errno::ENOTDIR),
        (false, true) => Err(Errno::EISDIR),
        _ => Ok(true),
    }
}
