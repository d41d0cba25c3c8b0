//! The end of threads and processes.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use tollgate_abi::process::{CLD_DUMPED, CLD_EXITED, CLD_KILLED, CLOCK_TICKS, WaitStatus};
use tollgate_abi::signal::SigInfo;

use super::process::Zombie;
use super::tree::{self, Tree};
use super::usage::Usage;
use super::{Process, Task, current, current_arc, futex, sched, signal};

/// What leaves the tree under its lock and is dropped after: freeing may take long, and locks.
#[derive(Default)]
pub(super) struct Discarded {
    tasks: Vec<Arc<Task>>,
    processes: Vec<Arc<Process>>,
}

/// Ends the current process: exit_group(2), and the default action of fatal signals. When the process is ending
/// already, its first status stays; when another thread is in execve, only the current thread ends.
pub fn exit_group(status: WaitStatus) -> ! {
    let me = current();
    let status = {
        let mut threads = me.process.threads();
        let exec_by_other = threads.exec.as_ref().is_some_and(|task| !core::ptr::eq(&**task, me));
        if exec_by_other && threads.group_exit.is_none() {
            WaitStatus::exited(0)
        } else {
            let first = threads.group_exit.is_none();
            let status = me.process.begin_group_exit(&mut threads, status);
            if first {
                for other in threads.list.iter().filter(|task| !core::ptr::eq(&***task, me)) {
                    signal::kill_thread(other);
                }
            }
            status
        }
    };
    exit_thread(status)
}

/// Ends the current thread: exit(2). The process ends with its last thread.
pub fn exit_thread(status: WaitStatus) -> ! {
    let me = current_arc();
    me.exited.store(true, Ordering::Release);
    let last = me.process.thread_leaves(status);
    if last {
        assert!(me.process.pid != 1, "init ended with wait status {:#x}", status.0);
        signal::exit_process();
        let session = me.process.session();
        if session.id == me.process.pid {
            crate::tty::leader_exits(&session);
        }
    }
    settle_user_memory(&me);
    drop(sched::replace_space(None)); // From here on nothing touches user memory.
    if last {
        me.process.set_program(None);
    }
    release_vfork_parent(&me);
    let files = me.files.lock().take();
    drop(files);
    let fs = me.fs.lock().take();
    drop(fs);
    signal::exit_thread();
    let discarded = {
        let mut tree = tree::lock();
        leave(&me, status, &mut tree)
    };
    drop(discarded);
    drop(me);
    sched::exit_current()
}

/// Does what is owed to user memory before `me`, the current task, leaves its address space: marks the locks it holds,
/// clears its number.
pub(super) fn settle_user_memory(me: &Task) {
    futex::exit_robust_list(me);
    let clear = me.clear_child_tid.swap(0, Ordering::Relaxed);
    if clear != 0 {
        futex::clear_and_wake(me, clear);
    }
}

/// Lets the parent go on that waits in vfork until `me` has left its address space.
pub(super) fn release_vfork_parent(me: &Task) {
    let waiter = me.vfork.lock().take();
    if let Some(waiter) = waiter {
        waiter.complete();
    }
}

/// Takes the ending task out of its process, and the process out of its family if that was its last thread.
fn leave(me: &Arc<Task>, status: WaitStatus, tree: &mut Tree) -> Discarded {
    let mut discarded = Discarded::default();
    let process = &me.process;
    let is_leader = me.tid() == process.pid;
    let end = {
        let mut threads = process.threads();
        threads.dead_usage.add(&Usage::of_task(me));
        let left = process.remove_thread(me, &mut threads);
        if left <= 1
            && let Some(waiting) = &threads.exec
        {
            sched::wake(waiting);
        }
        (left == 0).then(|| (threads.group_exit.unwrap_or(status), threads.dead_usage))
    };
    if !is_leader {
        discarded.tasks.extend(tree.set_task(me.tid(), None));
    }
    let Some((status, usage)) = end else { return discarded };
    give_children_away(process, tree, &mut discarded);
    let group = process.family.get(tree).group.clone();
    let parent = process.family.get(tree).parent.clone();
    let parent_group = parent.as_ref().map(|parent| parent.family.get(tree).group.clone());
    if parent_group.is_some_and(|other| other.id != group.id && Arc::ptr_eq(&other.session, &group.session)) {
        group.check_newly_orphaned(Some(process), tree);
    }
    let uid = me.creds.lock().uid;
    process.family.get_mut(tree).zombie = Some(Zombie { status, uid, usage });
    if let Some(parent) = parent {
        tell_parent(&parent, process, tree, &mut discarded);
    }
    discarded
}

/// Tells `parent` of the zombie `child`, which goes at once if the parent wants none.
fn tell_parent(parent: &Arc<Process>, child: &Arc<Process>, tree: &mut Tree, discarded: &mut Discarded) {
    let family = child.family.get(tree);
    let Some(zombie) = &family.zombie else { return };
    // Any byte may stand where clone wants a signal; only signals are sent.
    let signo = signal::Signal::new(i32::from(family.exit_signal)).map_or(0, signal::Signal::number);
    if signal::notify_exit(parent, zombie.info(signo, child.pid)) {
        reap(child, tree, discarded);
    }
    parent.child_event.wake_all();
}

/// Gives the children of an ending process to the nearest ancestor that adopts, or to init.
fn give_children_away(process: &Arc<Process>, tree: &mut Tree, discarded: &mut Discarded) {
    let children = core::mem::take(&mut process.family.get_mut(tree).children);
    if children.is_empty() {
        return;
    }
    let Some(adopter) = adopter(process, tree) else { return };
    for child in children {
        // Sending takes the lock that the list of threads is under.
        let wanted = |thread: &Arc<Task>| thread.parent_death_signal.load(Ordering::Relaxed);
        let wanted: Vec<u8> = child.with_threads(|threads| threads.iter().map(wanted).collect());
        for signal in wanted.into_iter().filter_map(|signal| signal::Signal::new(i32::from(signal))) {
            signal::send_kernel(&child, signal);
        }
        child.set_parent(adopter.clone(), tree);
        let family = child.family.get_mut(tree);
        family.exit_signal = signal::Signal::SIGCHLD.number();
        let group = family.group.clone();
        adopter.family.get_mut(tree).children.push(child.clone());
        if child.is_zombie(tree) {
            tell_parent(&adopter, &child, tree, discarded);
        }
        let own = process.family.get(tree).group.clone();
        if group.id != own.id && Arc::ptr_eq(&group.session, &own.session) {
            group.check_newly_orphaned(None, tree);
        }
    }
}

fn adopter(process: &Process, tree: &Tree) -> Option<Arc<Process>> {
    let mut ancestor = process.family.get(tree).parent.as_ref();
    while let Some(candidate) = ancestor {
        let family = candidate.family.get(tree);
        if family.subreaper && family.zombie.is_none() {
            return Some(candidate.clone());
        }
        ancestor = family.parent.as_ref();
    }
    tree.process(1).cloned()
}

/// Takes a zombie out of the tree for good; its use of resources goes to its parent's account. Returns that use.
pub(super) fn reap(child: &Arc<Process>, tree: &mut Tree, discarded: &mut Discarded) -> Usage {
    let family = child.family.get_mut(tree);
    let mut usage = family.zombie.take().map_or_else(Usage::default, |zombie| zombie.usage);
    usage.add(&family.children_usage);
    let (parent, group) = (family.parent.clone(), family.group.clone());
    if let Some(parent) = parent {
        let family = parent.family.get_mut(tree);
        family.children_usage.add(&usage);
        if let Some(at) = family.children.iter().position(|c| Arc::ptr_eq(c, child)) {
            family.children.remove(at);
        }
    }
    group.leave(child, tree);
    discarded.tasks.extend(tree.set_task(child.pid, None));
    discarded.processes.extend(tree.set_process(child.pid, None));
    usage
}

impl Zombie {
    /// What the parent is told: SIGCHLD's siginfo, and waitid's.
    pub(super) fn info(&self, signo: u8, pid: super::Tid) -> SigInfo {
        let (code, status) = match self.status.term_signal() {
            None => (CLD_EXITED, i32::from(self.status.exit_code())),
            Some(signal) if self.status.core() => (CLD_DUMPED, i32::from(signal)),
            Some(signal) => (CLD_KILLED, i32::from(signal)),
        };
        let ticks = |ns: u64| ns / (1_000_000_000 / CLOCK_TICKS);
        SigInfo::child(signo, code, pid, self.uid, status, ticks(self.usage.user_ns), ticks(self.usage.kernel_ns))
    }
}
