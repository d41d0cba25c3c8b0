//! The tree of processes under one lock: numbers, parents and children, groups, sessions.
//!
//! Fork, exit, wait and job control change several processes at once and must not see each other half done; one lock
//! makes that easy to believe. What it guards lives in the processes themselves, in [`TreeCell`]s, which open only to
//! someone who holds the [`Tree`].
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::cell::UnsafeCell;

use tollgate_abi::{Errno, Result};

use super::group::{Group, Session};
use super::{Process, Task, Tid};
use crate::sync::{Rank, SpinGuard, SpinLock};

/// Numbers go from 1 up to, not including, this (/proc/sys/kernel/pid_max).
pub const PID_MAX: Tid = 32768;
/// After a wrap numbers start here, so that the low ones stay with the programs started at boot.
const RESERVED: Tid = 300;

static TREE: SpinLock<Tree> = SpinLock::new(Rank::ProcessTree, Tree::new());

/// What a number stands for. The number is in use while any of these is.
#[derive(Default)]
struct Slot {
    task: Option<Arc<Task>>,
    process: Option<Arc<Process>>,
    group: Option<Arc<Group>>,
    session: Option<Arc<Session>>,
    reserved: bool,
}

impl Slot {
    fn is_free(&self) -> bool {
        !self.reserved
            && self.task.is_none()
            && self.process.is_none()
            && self.group.is_none()
            && self.session.is_none()
    }
}

/// All numbers, and the proof that the tree's lock is held: `&Tree` allows reading, `&mut Tree` changing it.
pub struct Tree {
    slots: BTreeMap<Tid, Slot>,
    last: Tid,
    tasks: usize,
    processes: usize,
}

/// The locked tree.
pub type TreeGuard = SpinGuard<'static, Tree>;

/// Locks the tree. Signals may be sent and tasks woken while it is held; nothing that sleeps.
#[track_caller]
pub fn lock() -> TreeGuard {
    TREE.lock()
}

/// A value that only the holder of the tree's lock reaches.
pub struct TreeCell<T>(UnsafeCell<T>);

// SAFETY: access needs a reference to the `Tree`, of which there is one, behind a lock; so the value is only ever sent
// from one holder of the lock to the next, or read by several while none can change it.
unsafe impl<T: Send> Sync for TreeCell<T> {}

impl<T> TreeCell<T> {
    /// A value to guard.
    pub const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Reads.
    pub fn get<'a>(&'a self, _tree: &'a Tree) -> &'a T {
        // SAFETY: a shared borrow of the only `Tree` excludes `get_mut`, which needs it whole.
        unsafe { &*self.0.get() }
    }

    /// Changes.
    pub fn get_mut<'a>(&'a self, _tree: &'a mut Tree) -> &'a mut T {
        // SAFETY: the exclusive borrow of the only `Tree` excludes every other `get` and `get_mut`.
        unsafe { &mut *self.0.get() }
    }
}

impl Tree {
    const fn new() -> Self {
        Self { slots: BTreeMap::new(), last: 0, tasks: 0, processes: 0 }
    }

    /// Threads that exist, zombie leaders included.
    pub fn task_count(&self) -> usize {
        self.tasks
    }

    /// The number given out last (/proc/loadavg).
    pub fn last_pid(&self) -> Tid {
        self.last
    }

    /// The task with this number.
    pub fn task(&self, tid: Tid) -> Option<&Arc<Task>> {
        self.slots.get(&tid)?.task.as_ref()
    }

    /// The process with this number.
    pub fn process(&self, pid: Tid) -> Option<&Arc<Process>> {
        self.slots.get(&pid)?.process.as_ref()
    }

    /// The process group with this number.
    pub fn group(&self, pgid: Tid) -> Option<&Arc<Group>> {
        self.slots.get(&pgid)?.group.as_ref()
    }

    /// Every process, by number.
    pub fn processes(&self) -> impl Iterator<Item = &Arc<Process>> {
        self.slots.values().filter_map(|slot| slot.process.as_ref())
    }

    /// The first process whose number is `pid` or more (for /proc's listing, which drops the lock between entries).
    pub fn process_from(&self, pid: Tid) -> Option<&Arc<Process>> {
        self.slots.range(pid..).find_map(|(_, slot)| slot.process.as_ref())
    }

    pub(super) fn set_task(&mut self, tid: Tid, task: Option<Arc<Task>>) -> Option<Arc<Task>> {
        if let Some(task) = &task {
            task.creds.lock().user.add_task();
            self.tasks += 1;
        }
        let old = self.change(tid, |slot| core::mem::replace(&mut slot.task, task));
        if let Some(old) = &old {
            old.creds.lock().user.remove_task();
            self.tasks -= 1;
        }
        old
    }

    pub(super) fn set_process(&mut self, pid: Tid, process: Option<Arc<Process>>) -> Option<Arc<Process>> {
        let added = process.is_some();
        let old = self.change(pid, |slot| core::mem::replace(&mut slot.process, process));
        self.processes = self.processes + usize::from(added) - usize::from(old.is_some());
        old
    }

    pub(super) fn set_group(&mut self, pgid: Tid, group: Option<Arc<Group>>) {
        self.change(pgid, |slot| slot.group = group);
    }

    pub(super) fn set_session(&mut self, sid: Tid, session: Option<Arc<Session>>) {
        self.change(sid, |slot| slot.session = session);
    }

    fn change<R>(&mut self, number: Tid, change: impl FnOnce(&mut Slot) -> R) -> R {
        use alloc::collections::btree_map::Entry;
        match self.slots.entry(number) {
            Entry::Occupied(mut entry) => {
                let result = change(entry.get_mut());
                if entry.get().is_free() {
                    entry.remove();
                }
                result
            }
            Entry::Vacant(entry) => {
                let mut slot = Slot::default();
                let result = change(&mut slot);
                if !slot.is_free() {
                    entry.insert(slot);
                }
                result
            }
        }
    }

    fn next_free(&self) -> Option<Tid> {
        let free = |&number: &Tid| !self.slots.contains_key(&number);
        (self.last + 1..PID_MAX).find(free).or_else(|| (RESERVED..self.last.min(PID_MAX - 1) + 1).find(free))
    }
}

/// A number taken for a task about to be made; given back when dropped.
pub struct Reservation {
    tid: Tid,
}

impl Reservation {
    /// Takes the next free number.
    ///
    /// # Errors
    /// `EAGAIN` when there is none.
    pub fn next() -> Result<Self> {
        let mut tree = lock();
        let tid = tree.next_free().ok_or(Errno::EAGAIN)?;
        tree.last = tid;
        tree.change(tid, |slot| slot.reserved = true);
        Ok(Self { tid })
    }

    /// Takes `tid` (clone3's set_tid).
    ///
    /// # Errors
    /// `EINVAL` when it is no possible number, `EEXIST` when it is in use.
    pub fn exactly(tid: Tid) -> Result<Self> {
        if !(1..PID_MAX).contains(&tid) {
            return Err(Errno::EINVAL);
        }
        let mut tree = lock();
        if tree.slots.contains_key(&tid) {
            return Err(Errno::EEXIST);
        }
        tree.change(tid, |slot| slot.reserved = true);
        Ok(Self { tid })
    }

    /// The number.
    pub fn tid(&self) -> Tid {
        self.tid
    }

    /// The number now belongs to what was put into the tree under it.
    pub(super) fn settle(self, tree: &mut Tree) {
        tree.change(self.tid, |slot| slot.reserved = false);
        core::mem::forget(self);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        lock().change(self.tid, |slot| slot.reserved = false);
    }
}
