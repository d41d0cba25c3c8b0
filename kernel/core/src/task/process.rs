//! Processes: thread groups, their place in the family tree, and what their threads share.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicUsize, Ordering};

use tollgate_abi::process::{Resource, Rlimit, WaitStatus};
use tollgate_abi::{Errno, Result};

use super::group::{Group, Session};
use super::limits::Limits;
use super::program::Program;
use super::timer::ProcessTimers;
use super::tree::{self, Tree, TreeCell};
use super::usage::Usage;
use super::{Task, Tid, signal};
use crate::sync::{Rank, SpinGuard, SpinLock, WaitQueue};

/// A thread group.
pub struct Process {
    /// getpid().
    pub pid: Tid,
    /// Handlers, shared queue, stop state.
    pub signals: signal::ProcessSignals,
    /// Interval timers and POSIX timers.
    pub timers: ProcessTimers,
    /// Resource limits.
    pub limits: Limits,
    /// Woken when a child changes state; wait calls sleep here.
    pub child_event: WaitQueue,
    /// Monotonic nanoseconds when it was made.
    pub start_ns: u64,
    /// Persona bits (personality(2)); only ADDR_NO_RANDOMIZE means anything.
    pub personality: AtomicU32,
    /// Whether it may be inspected by its owner (prctl PR_SET_DUMPABLE): 0 or 1.
    pub dumpable: AtomicU32,
    /// Place in the tree.
    pub(super) family: TreeCell<Family>,
    threads: SpinLock<Threads>,
    live: AtomicUsize,
    group_exiting: AtomicBool,
    parent_pid: AtomicI32,
    program: SpinLock<Option<Arc<Program>>>,
}

/// A process's place in the tree.
pub(super) struct Family {
    /// Who waits for it; `None` for the first process and the kernel's own.
    pub(super) parent: Option<Arc<Process>>,
    /// The thread of the parent that made it.
    pub(super) maker: Tid,
    /// In order of their making, zombies included.
    pub(super) children: Vec<Arc<Process>>,
    /// Its process group.
    pub(super) group: Arc<Group>,
    /// How it ended, from then until it is reaped.
    pub(super) zombie: Option<Zombie>,
    /// The signal the parent gets at its end; 0 = none.
    pub(super) exit_signal: u8,
    /// Whether it has called execve (its parent may no longer move it between groups).
    pub(super) did_exec: bool,
    /// Whether it adopts the orphans among its descendants.
    pub(super) subreaper: bool,
    /// CPU time and the like of reaped children.
    pub(super) children_usage: Usage,
}

/// What is left of a process that has ended.
pub(super) struct Zombie {
    pub(super) status: WaitStatus,
    /// Its real user.
    pub(super) uid: u32,
    pub(super) usage: Usage,
}

/// What the process's lock guards.
pub(super) struct Threads {
    /// Threads that have not exited, oldest first.
    pub(super) list: Vec<Arc<Task>>,
    /// How many of them have not begun to end.
    pub(super) staying: usize,
    /// Status of the whole process, once it is ending.
    pub(super) group_exit: Option<WaitStatus>,
    /// The thread in execve that waits for all others to end, if one is.
    pub(super) exec: Option<Arc<Task>>,
    /// CPU time and the like of threads that exited.
    pub(super) dead_usage: Usage,
}

impl Process {
    /// A process without threads, not yet in the tree.
    pub(super) fn new(parts: Parts) -> Arc<Self> {
        let parent_pid = parts.family.parent.as_ref().map_or(0, |parent| parent.pid);
        Arc::new(Self {
            pid: parts.pid,
            signals: parts.signals,
            timers: ProcessTimers::new(),
            limits: parts.limits,
            child_event: WaitQueue::new(),
            start_ns: crate::arch::clock::now_ns(),
            personality: AtomicU32::new(parts.personality),
            dumpable: AtomicU32::new(1),
            family: TreeCell::new(parts.family),
            threads: SpinLock::new(
                Rank::Process,
                Threads { list: Vec::new(), staying: 0, group_exit: None, exec: None, dead_usage: Usage::default() },
            ),
            live: AtomicUsize::new(0),
            group_exiting: AtomicBool::new(false),
            parent_pid: AtomicI32::new(parent_pid),
            program: SpinLock::new(Rank::Process, parts.program),
        })
    }

    /// getppid().
    pub fn parent_pid(&self) -> Tid {
        self.parent_pid.load(Ordering::Relaxed)
    }

    /// Who waits for it; `None` for the first process.
    pub fn parent(&self) -> Option<Arc<Process>> {
        self.family.get(&tree::lock()).parent.clone()
    }

    /// Its process group.
    pub fn group(&self) -> Arc<Group> {
        self.family.get(&tree::lock()).group.clone()
    }

    /// Its process group, under the tree's lock.
    pub fn group_in<'a>(&'a self, tree: &'a Tree) -> &'a Arc<Group> {
        &self.family.get(tree).group
    }

    /// Its session.
    pub fn session(&self) -> Arc<Session> {
        self.family.get(&tree::lock()).group.session.clone()
    }

    /// Whether all its threads have ended and nobody has waited for it yet.
    pub fn is_zombie(&self, tree: &Tree) -> bool {
        self.family.get(tree).zombie.is_some()
    }

    /// Its threads that have not exited, oldest first. Nothing that sleeps may be done meanwhile, nor signals sent.
    pub fn with_threads<R>(&self, look: impl FnOnce(&[Arc<Task>]) -> R) -> R {
        look(&self.threads.lock().list)
    }

    /// Its first thread that has not exited.
    pub fn any_thread(&self) -> Option<Arc<Task>> {
        self.threads.lock().list.first().cloned()
    }

    /// Number of threads that have not exited.
    pub fn thread_count(&self) -> usize {
        self.live.load(Ordering::Acquire)
    }

    /// The program it runs: file, arguments' place, auxiliary vector. `None` for the kernel's own.
    pub fn program(&self) -> Option<Arc<Program>> {
        self.program.lock().clone()
    }

    /// Sets the program it runs; none when it ends.
    pub(super) fn set_program(&self, program: Option<Arc<Program>>) {
        let old = core::mem::replace(&mut *self.program.lock(), program);
        drop(old); // Outside the lock: it may close a file.
    }

    /// Whether it adopts the orphans among its descendants.
    pub fn is_subreaper(&self, tree: &Tree) -> bool {
        self.family.get(tree).subreaper
    }

    /// Makes it adopt the orphans among its descendants, or not.
    pub fn set_subreaper(&self, adopts: bool) {
        self.family.get_mut(&mut tree::lock()).subreaper = adopts;
    }

    /// Changes a limit. Raising the hard one takes privileges.
    ///
    /// # Errors
    /// `EPERM`.
    pub fn set_limit(&self, resource: Resource, new: Rlimit, privileged: bool) -> Result<()> {
        let threads = self.threads.lock();
        if new.hard > self.limits.get(resource).hard && !privileged {
            return Err(Errno::EPERM);
        }
        self.limits.set(resource, new);
        let space = threads.list.first().and_then(|task| task.space.lock().clone());
        drop(threads);
        if let Some(space) = space {
            self.limits.tell_space(&space);
        }
        Ok(())
    }

    pub(super) fn threads(&self) -> SpinGuard<'_, Threads> {
        self.threads.lock()
    }

    /// Adds a thread; refused (`false`) when the process is ending or a thread waits in execve for the others' end.
    pub(super) fn add_thread(&self, task: Arc<Task>) -> bool {
        let mut threads = self.threads.lock();
        if threads.group_exit.is_some() || threads.exec.is_some() {
            return false;
        }
        signal::thread_added(&task);
        threads.list.push(task);
        self.live.store(threads.list.len(), Ordering::Release);
        threads.staying += 1;
        true
    }

    /// Notes that a thread begins to end, with `status`; true when no thread is left that does not. The process ends
    /// then, with this status if none was set before.
    pub(super) fn thread_leaves(&self, status: WaitStatus) -> bool {
        let mut threads = self.threads.lock();
        threads.staying -= 1;
        if threads.staying > 0 {
            return false;
        }
        self.begin_group_exit(&mut threads, status);
        true
    }

    /// Takes a thread off the list; how many are left.
    pub(super) fn remove_thread(&self, task: &Task, threads: &mut Threads) -> usize {
        if let Some(at) = threads.list.iter().position(|t| core::ptr::eq(&**t, task)) {
            threads.list.remove(at);
        }
        self.live.store(threads.list.len(), Ordering::Release);
        threads.list.len()
    }

    /// Begins the end of the whole process, unless it has begun; the status that holds.
    pub(super) fn begin_group_exit(&self, threads: &mut Threads, status: WaitStatus) -> WaitStatus {
        let status = *threads.group_exit.get_or_insert(status);
        self.group_exiting.store(true, Ordering::Release);
        status
    }

    /// Gives it another parent, in its own fields only.
    pub(super) fn set_parent(&self, parent: Arc<Process>, tree: &mut Tree) {
        self.parent_pid.store(parent.pid, Ordering::Relaxed);
        self.family.get_mut(tree).parent = Some(parent);
    }
}

/// What [`Process::new`] needs to know.
pub(super) struct Parts {
    pub(super) pid: Tid,
    pub(super) family: Family,
    pub(super) signals: signal::ProcessSignals,
    pub(super) limits: Limits,
    pub(super) personality: u32,
    pub(super) program: Option<Arc<Program>>,
}

/// The task with this number, if it exists (zombie leaders included).
pub fn find_task(tid: Tid) -> Option<Arc<Task>> {
    tree::lock().task(tid).cloned()
}

/// The process with this number, zombies included until they are reaped.
pub fn find_process(pid: Tid) -> Option<Arc<Process>> {
    tree::lock().process(pid).cloned()
}
