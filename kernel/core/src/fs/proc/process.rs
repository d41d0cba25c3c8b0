//! Processes and threads in /proc: the numbered directories.
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use tollgate_abi::fs::mode;
use tollgate_abi::{Errno, Result};

use super::{Directory, Kind, Node, fds, memory, status, system};
use crate::fs::{Follow, Path};
use crate::task::{Process, Task, Tid, tree};

/// /proc itself: the system's files, then a directory for each process.
pub(super) struct Root;

/// Where numbered entries begin in the listing.
const NUMBERED: u64 = 1 << 32;

/// A decimal number without leading zeros, as the names of processes, threads and descriptors are.
pub(super) fn number(name: &[u8]) -> Option<i32> {
    if name.first() == Some(&b'0') && name.len() > 1 || name.iter().any(|b| !b.is_ascii_digit()) {
        return None;
    }
    core::str::from_utf8(name).ok()?.parse().ok()
}

impl Directory for Root {
    fn lookup(&self, name: &[u8]) -> Result<Node> {
        let Some(tid) = number(name) else { return system::ROOT.lookup(name) };
        // A thread's number finds its process's directory here, though only processes are listed.
        let found = {
            let tree = tree::lock();
            match (tree.process(tid), tree.task(tid)) {
                (Some(process), _) => Subject::process(process),
                (None, Some(task)) => Subject::thread(task),
                (None, None) => return Err(Errno::ENOENT),
            }
        };
        Ok(found.node(Kind::Directory(Box::new(OfTask { subject: found.clone(), whole: true })), 0o555))
    }

    fn list(&self, from: u64, take: &mut dyn FnMut(&[u8], u32, u64) -> bool) {
        if from < NUMBERED {
            let mut full = false;
            system::ROOT.list(from, &mut |name, kind, next| {
                full = !take(name, kind, next);
                !full
            });
            if full {
                return;
            }
        }
        let mut pid = from.saturating_sub(NUMBERED) as Tid;
        while let Some(next) = tree::lock().process_from(pid).map(|process| process.pid) {
            if !take(format!("{next}").as_bytes(), mode::DIRECTORY, NUMBERED + next as u64 + 1) {
                break;
            }
            pid = next + 1;
        }
    }
}

/// A process, or one thread of one.
#[derive(Clone)]
pub(super) struct Subject {
    process: Weak<Process>,
    /// `None`: the process as a whole.
    thread: Option<Weak<Task>>,
}

impl Subject {
    fn process(process: &Arc<Process>) -> Self {
        Self { process: Arc::downgrade(process), thread: None }
    }

    fn thread(task: &Arc<Task>) -> Self {
        Self { process: Arc::downgrade(&task.process), thread: Some(Arc::downgrade(task)) }
    }

    /// The process, zombie or not.
    ///
    /// # Errors
    /// `ESRCH` when it is gone.
    pub(super) fn get(&self) -> Result<Arc<Process>> {
        let process = self.process.upgrade().ok_or(Errno::ESRCH)?;
        let here = tree::lock().process(process.pid).is_some_and(|here| Arc::ptr_eq(here, &process));
        if here { Ok(process) } else { Err(Errno::ESRCH) }
    }

    /// The thread meant, or one that stands for the process: its leader, even as a zombie.
    ///
    /// # Errors
    /// `ESRCH` when it is gone.
    pub(super) fn task(&self) -> Result<Arc<Task>> {
        match &self.thread {
            Some(thread) => thread
                .upgrade()
                .filter(|task| !task.exited.load(core::sync::atomic::Ordering::Acquire))
                .ok_or(Errno::ESRCH),
            None => {
                let process = self.get()?;
                let leader = tree::lock().task(process.pid).cloned();
                leader.or_else(|| process.any_thread()).ok_or(Errno::ESRCH)
            }
        }
    }

    /// A thread that still runs, whose files and memory are the process's.
    ///
    /// # Errors
    /// `ESRCH` when there is none.
    pub(super) fn live_task(&self) -> Result<Arc<Task>> {
        match &self.thread {
            Some(_) => self.task(),
            None => self.get()?.any_thread().ok_or(Errno::ESRCH),
        }
    }

    /// Whether the process as a whole is meant.
    pub(super) fn is_process(&self) -> bool {
        self.thread.is_none()
    }

    /// A node that belongs to whom the task acts for.
    fn node(&self, kind: Kind, permissions: u32) -> Node {
        let (uid, gid) = self.task().map_or((0, 0), |task| {
            let creds = task.creds();
            (creds.euid, creds.egid)
        });
        Node { permissions, uid, gid, kind }
    }
}

/// What an entry of a task's directory is made by.
enum Make {
    Text(fn(&Subject) -> Result<Vec<u8>>),
    Link(fn(&Task) -> Result<Path>),
    Directory(fn(Subject) -> Box<dyn Directory>),
}

/// The entries of /proc/PID and /proc/PID/task/TID.
const ENTRIES: &[(&str, u32, Make)] = &[
    ("auxv", 0o400, Make::Text(memory::auxv)),
    ("cmdline", 0o444, Make::Text(memory::cmdline)),
    ("comm", 0o444, Make::Text(status::comm)),
    ("cwd", 0o777, Make::Link(|task| context(task).map(|fs| fs.cwd()))),
    ("environ", 0o400, Make::Text(memory::environ)),
    ("exe", 0o777, Make::Link(executable)),
    ("fd", 0o500, Make::Directory(|subject| Box::new(fds::Descriptors { subject, details: false }))),
    ("fdinfo", 0o555, Make::Directory(|subject| Box::new(fds::Descriptors { subject, details: true }))),
    ("limits", 0o444, Make::Text(status::limits)),
    ("maps", 0o444, Make::Text(memory::maps)),
    ("mounts", 0o444, Make::Text(fds::mounts)),
    ("root", 0o777, Make::Link(|task| context(task).map(|fs| fs.root()))),
    ("stat", 0o444, Make::Text(status::stat)),
    ("statm", 0o444, Make::Text(memory::statm)),
    ("status", 0o444, Make::Text(status::status)),
    ("task", 0o555, Make::Directory(|subject| Box::new(Threads(subject)))),
];

fn context(task: &Task) -> Result<Arc<crate::fs::FsContext>> {
    task.fs.lock().clone().ok_or(Errno::ENOENT)
}

/// The file the process runs.
fn executable(task: &Task) -> Result<Path> {
    task.process.program().map(|program| program.file.path().clone()).ok_or(Errno::ENOENT)
}

/// The directory of a process or thread.
struct OfTask {
    subject: Subject,
    /// Whether it has `task`: that of a process.
    whole: bool,
}

impl OfTask {
    fn entries(&self) -> impl Iterator<Item = &'static (&'static str, u32, Make)> {
        ENTRIES.iter().take(if self.whole { ENTRIES.len() } else { ENTRIES.len() - 1 })
    }
}

impl Directory for OfTask {
    fn lookup(&self, name: &[u8]) -> Result<Node> {
        let found = self.entries().find(|(own, ..)| own.as_bytes() == name);
        let (_, permissions, make) = found.ok_or(Errno::ENOENT)?;
        if self.subject.is_process() {
            drop(self.subject.get().map_err(|_| Errno::ENOENT)?)
        }
        let subject = self.subject.clone();
        let kind = match *make {
            Make::Text(make) => Kind::Text(Box::new(move || make(&subject))),
            Make::Link(find) => Kind::Link(Box::new(move || {
                let task = subject.live_task().map_err(|_| Errno::ENOENT)?;
                find(&task).map(Follow::Jump)
            })),
            Make::Directory(make) => Kind::Directory(make(subject)),
        };
        Ok(self.subject.node(kind, *permissions))
    }

    fn list(&self, from: u64, take: &mut dyn FnMut(&[u8], u32, u64) -> bool) {
        for (place, (name, _, make)) in (0..).zip(self.entries()).skip(from as usize) {
            let kind = match make {
                Make::Text(_) => mode::REGULAR,
                Make::Link(_) => mode::SYMLINK,
                Make::Directory(_) => mode::DIRECTORY,
            };
            if !take(name.as_bytes(), kind, place + 1) {
                break;
            }
        }
    }
}

/// /proc/PID/task: the process's threads.
struct Threads(Subject);

impl Directory for Threads {
    fn lookup(&self, name: &[u8]) -> Result<Node> {
        let tid = number(name).ok_or(Errno::ENOENT)?;
        let process = self.0.get().map_err(|_| Errno::ENOENT)?;
        let task = tree::lock().task(tid).cloned().filter(|task| Arc::ptr_eq(&task.process, &process));
        let subject = Subject::thread(&task.ok_or(Errno::ENOENT)?);
        Ok(subject.node(Kind::Directory(Box::new(OfTask { subject: subject.clone(), whole: false })), 0o555))
    }

    fn list(&self, from: u64, take: &mut dyn FnMut(&[u8], u32, u64) -> bool) {
        let Ok(process) = self.0.get() else { return };
        let mut tids: Vec<Tid> = process.with_threads(|threads| threads.iter().map(|task| task.tid()).collect());
        tids.sort_unstable();
        for tid in tids.into_iter().filter(|&tid| tid as u64 >= from) {
            if !take(format!("{tid}").as_bytes(), mode::DIRECTORY, tid as u64 + 1) {
                break;
            }
        }
    }
}
