//! The table of open files of a process.
use alloc::sync::Arc;
use alloc::vec::Vec;

use tollgate_abi::{Errno, Result};

use super::File;
use crate::sync::{Rank, SpinLock};

/// Most descriptors any table can have.
pub const MAX_DESCRIPTORS: usize = 1 << 20;

/// One descriptor.
#[derive(Clone)]
struct Slot {
    file: Arc<File>,
    cloexec: bool,
}

#[derive(Default, Clone)]
struct Slots {
    slots: Vec<Option<Slot>>,
    /// No slot below this one is free.
    first_free: usize,
}

/// A table of open files: descriptor to open file description.
pub struct FdTable {
    slots: SpinLock<Slots>,
}

impl FdTable {
    /// An empty table.
    pub const fn new() -> Self {
        Self { slots: SpinLock::new(Rank::Files, Slots { slots: Vec::new(), first_free: 0 }) }
    }

    /// A table of its own with the same files, as fork makes it.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn fork(&self) -> Result<Arc<Self>> {
        crate::mm::frame::headroom()?;
        let slots = self.slots.lock().clone();
        Ok(Arc::new(Self { slots: SpinLock::new(Rank::Files, slots) }))
    }

    /// Closes what is marked close-on-exec.
    pub fn close_on_exec(&self) {
        self.close_if(|_, slot| slot.cloexec);
    }

    /// The open file of descriptor `fd`, for doing something with the file.
    ///
    /// # Errors
    /// `EBADF` when it is not open, or only names a file (O_PATH).
    #[inline]
    pub fn get(&self, fd: i32) -> Result<Arc<File>> {
        let file = self.get_any(fd)?;
        if file.is_path_only() { Err(Errno::EBADF) } else { Ok(file) }
    }

    /// The open file of descriptor `fd`, also when it only names a file.
    ///
    /// # Errors
    /// `EBADF` when it is not open.
    #[inline]
    pub fn get_any(&self, fd: i32) -> Result<Arc<File>> {
        self.slots.lock().get(fd).map(|slot| slot.file.clone())
    }

    /// Puts `file` at the lowest free descriptor that is at least `from` and below `limit`.
    ///
    /// # Errors
    /// `EMFILE` when there is none, `ENOMEM`.
    pub fn insert(&self, file: Arc<File>, cloexec: bool, from: usize, limit: usize) -> Result<i32> {
        let mut table = self.slots.lock();
        let at = table.free_from(from.max(table.first_free));
        if at >= limit.min(MAX_DESCRIPTORS) {
            return Err(Errno::EMFILE);
        }
        table.put(at, Slot { file, cloexec })?;
        if from <= table.first_free {
            table.first_free = at + 1;
        }
        Ok(at as i32)
    }

    /// Puts `file` at descriptor `at`; gives back the file that was there, for the caller to drop.
    ///
    /// # Errors
    /// `EBADF` when `at` is not below `limit`, `ENOMEM`.
    pub fn insert_at(&self, file: Arc<File>, cloexec: bool, at: usize, limit: usize) -> Result<Option<Arc<File>>> {
        if at >= limit.min(MAX_DESCRIPTORS) {
            return Err(Errno::EBADF);
        }
        Ok(self.slots.lock().put(at, Slot { file, cloexec })?.map(|slot| slot.file))
    }

    /// Takes descriptor `fd` out of the table.
    ///
    /// # Errors
    /// `EBADF` when it is not open.
    pub fn remove(&self, fd: i32) -> Result<Arc<File>> {
        let mut table = self.slots.lock();
        table.get(fd)?;
        table.take(fd as usize).map(|slot| slot.file).ok_or(Errno::EBADF)
    }

    /// Whether `fd` is close-on-exec.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn cloexec(&self, fd: i32) -> Result<bool> {
        self.slots.lock().get(fd).map(|slot| slot.cloexec)
    }

    /// Marks or unmarks `fd` as close-on-exec.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn set_cloexec(&self, fd: i32, cloexec: bool) -> Result<()> {
        let mut table = self.slots.lock();
        let slot = usize::try_from(fd).ok().and_then(|at| table.slots.get_mut(at)).and_then(Option::as_mut);
        slot.ok_or(Errno::EBADF)?.cloexec = cloexec;
        Ok(())
    }

    /// Closes descriptors `first` to `last`, or marks them close-on-exec.
    pub fn close_range(&self, first: usize, last: usize, only_mark: bool) {
        if only_mark {
            let mut table = self.slots.lock();
            let end = table.slots.len().min(last.saturating_add(1));
            for slot in table.slots.get_mut(first..end).into_iter().flatten().flatten() {
                slot.cloexec = true;
            }
        } else {
            self.close_if(|at, _| (first..=last).contains(&at));
        }
    }

    /// The lowest open descriptor that is at least `from`, with its file: for walking the table without holding it.
    pub fn next_open(&self, from: usize) -> Option<(usize, Arc<File>)> {
        let table = self.slots.lock();
        (from..table.slots.len()).find_map(|at| Some((at, table.slots[at].as_ref()?.file.clone())))
    }

    /// Slots the table has room for (FDSize in /proc/PID/status).
    pub fn capacity(&self) -> usize {
        self.slots.lock().slots.len().next_multiple_of(64).max(64)
    }

    /// Closes one after the other, never with the table locked: closing may sleep.
    fn close_if(&self, unwanted: impl Fn(usize, &Slot) -> bool) {
        let mut at = 0;
        loop {
            let closed = {
                let mut table = self.slots.lock();
                let found = (at..table.slots.len()).find(|&i| table.slots[i].as_ref().is_some_and(|s| unwanted(i, s)));
                let Some(found) = found else { return };
                at = found + 1;
                table.take(found)
            };
            drop(closed);
        }
    }
}

impl Default for FdTable {
    fn default() -> Self {
        Self::new()
    }
}

impl Slots {
    fn get(&self, fd: i32) -> Result<&Slot> {
        // A negative number becomes one past any table.
        self.slots.get(fd as u32 as usize).and_then(Option::as_ref).ok_or(Errno::EBADF)
    }

    fn free_from(&self, from: usize) -> usize {
        (from..self.slots.len()).find(|&at| self.slots[at].is_none()).unwrap_or(from.max(self.slots.len()))
    }

    fn put(&mut self, at: usize, slot: Slot) -> Result<Option<Slot>> {
        if at >= self.slots.len() {
            let more = at + 1 - self.slots.len();
            self.slots.try_reserve(more).map_err(|_| Errno::ENOMEM)?;
            self.slots.resize(at + 1, None);
        }
        Ok(self.slots[at].replace(slot))
    }

    fn take(&mut self, at: usize) -> Option<Slot> {
        self.first_free = self.first_free.min(at);
        self.slots[at].take()
    }
}
