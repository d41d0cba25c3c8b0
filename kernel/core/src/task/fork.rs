//! Making tasks from the current one: fork, vfork, clone, clone3.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use tollgate_abi::process::{CloneFlags, Resource};
use tollgate_abi::{Errno, Result};

use super::create::TaskParts;
use super::process::{Family, Parts};
use super::signal::{self, Signal};
use super::tree::{self, Reservation};
use super::usage::Usage;
use super::{Process, Task, TaskFlag, Tid, current, exec, sched};
use crate::arch::{fpu, user};
use crate::mm::addr::UserAddr;
use crate::mm::frame;
use crate::mm::user::UserPtr;
use crate::sync::{Completion, Sleep};

/// What clone3(2) asks for; the other calls are cases of it.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// What is shared and what else is wanted.
    pub flags: CloneFlags,
    /// The signal the parent gets at the end; any byte, only signals are sent.
    pub exit_signal: u8,
    /// The child's stack pointer; 0 = the parent's.
    pub stack: u64,
    /// Where PARENT_SETTID writes.
    pub parent_tid: UserPtr<i32>,
    /// Where CHILD_SETTID writes and CHILD_CLEARTID clears.
    pub child_tid: UserAddr,
    /// The FS base of SETTLS.
    pub tls: u64,
    /// The number the child shall have (clone3's set_tid).
    pub number: Option<Tid>,
}

impl Request {
    /// fork(2).
    pub const fn fork() -> Self {
        Self {
            flags: CloneFlags::empty(),
            exit_signal: Signal::SIGCHLD.number(),
            stack: 0,
            parent_tid: UserPtr::new(UserAddr::NULL),
            child_tid: UserAddr::NULL,
            tls: 0,
            number: None,
        }
    }
}

const NAMESPACES: CloneFlags = CloneFlags::NEWTIME
    .union(CloneFlags::NEWNS)
    .union(CloneFlags::NEWCGROUP)
    .union(CloneFlags::NEWUTS)
    .union(CloneFlags::NEWIPC)
    .union(CloneFlags::NEWUSER)
    .union(CloneFlags::NEWPID)
    .union(CloneFlags::NEWNET);

/// Flags this kernel has nothing for.
const UNSUPPORTED: CloneFlags = NAMESPACES.union(CloneFlags::PIDFD).union(CloneFlags::INTO_CGROUP);

fn check(request: &Request) -> Result<()> {
    let flags = request.flags;
    let needs = |flag, needed| flags.contains(flag) && !flags.contains(needed);
    if needs(CloneFlags::THREAD, CloneFlags::SIGHAND)
        || needs(CloneFlags::SIGHAND, CloneFlags::VM)
        || flags.contains(CloneFlags::SIGHAND | CloneFlags::CLEAR_SIGHAND)
        || flags.intersects(UNSUPPORTED)
    {
        return Err(Errno::EINVAL);
    }
    // Init's siblings would have nobody to reap them.
    if flags.contains(CloneFlags::PARENT) && current().process.pid == 1 {
        return Err(Errno::EINVAL);
    }
    if flags.contains(CloneFlags::SETTLS) && request.tls >= crate::mm::USER_END {
        return Err(Errno::EPERM);
    }
    Ok(())
}

/// Makes a child of the current task, or a thread beside it, and lets it run; returns its number. With VFORK the
/// current task waits until the child no longer uses its address space.
///
/// # Errors
/// `EINVAL` for flags that make no sense together or that this kernel has nothing for, `EPERM` for a bad FS base,
/// `EAGAIN` when a limit on tasks is reached, `ENOMEM`, `EEXIST` when the wanted number is taken; `ERESTARTNOINTR` when
/// a signal must be seen to first.
pub fn clone(request: &Request) -> Result<Tid> {
    check(request)?;
    frame::headroom()?;
    let me = current();
    let creds = me.creds();
    if creds.user.tasks() as u64 >= me.process.limits.soft(Resource::Processes) && !creds.is_privileged() {
        return Err(Errno::EAGAIN);
    }
    let number = match request.number {
        Some(tid) => Reservation::exactly(tid)?,
        None => Reservation::next()?,
    };
    let tid = number.tid();
    let child = copy(me, request, &number)?;
    let mut bases = (user::fs_base(), user::gs_base());
    if request.flags.contains(CloneFlags::SETTLS) {
        bases.0 = request.tls;
    }
    let vfork = request.flags.contains(CloneFlags::VFORK).then(|| Arc::new(Completion::new()));
    child.vfork.lock().clone_from(&vfork);
    publish(me, &child, number, request)?;
    if request.flags.contains(CloneFlags::PARENT_SETTID) {
        // As on Linux: the child exists by now, so a bad address goes unnoticed.
        let _ = request.parent_tid.write(&tid);
    }
    sched::start(child, bases);
    if let Some(released) = vfork {
        // Only a fatal signal ends this wait early; the caller is about to die then.
        let _ = released.wait(Sleep::Killable);
    }
    Ok(tid)
}

/// The child with all its parts, known to nobody yet.
fn copy(me: &Task, request: &Request, number: &Reservation) -> Result<Arc<Task>> {
    let flags = request.flags;
    let space = me.space().ok_or(Errno::EINVAL)?;
    let space = if flags.contains(CloneFlags::VM) { space } else { space.fork()? };
    let files = if flags.contains(CloneFlags::FILES) { me.files() } else { me.files().fork()? };
    let fs = if flags.contains(CloneFlags::FS) { me.fs() } else { me.fs().fork() };
    let process =
        if flags.contains(CloneFlags::THREAD) { me.process.clone() } else { copy_process(me, request, number.tid()) };
    fpu::save_current();
    // SAFETY: these are the current task's own registers, and the references end here.
    let (mut context, fpu) = unsafe { (me.context_mut().clone(), me.fpu_mut().clone()) };
    context.rax = 0;
    if request.stack != 0 {
        context.rsp = request.stack;
    }
    let share_memory = flags.contains(CloneFlags::VM) && !flags.contains(CloneFlags::VFORK);
    let child = TaskParts {
        tid: number.tid(),
        process,
        signals: signal::TaskSignals::for_clone(share_memory),
        sched: sched::SchedState::for_child(),
        space: Some(space),
        files: Some(files),
        fs: Some(fs),
        creds: me.creds(),
        name: *me.name.lock(),
        context,
        fpu,
    }
    .assemble()?;
    child.no_new_privs.store(me.no_new_privs.load(Ordering::Relaxed), Ordering::Relaxed);
    if flags.contains(CloneFlags::CHILD_SETTID) {
        child.set_child_tid.store(request.child_tid.0, Ordering::Relaxed);
    }
    if flags.contains(CloneFlags::CHILD_CLEARTID) {
        child.clear_child_tid.store(request.child_tid.0, Ordering::Relaxed);
    }
    Ok(child)
}

fn copy_process(me: &Task, request: &Request, pid: Tid) -> Arc<Process> {
    let flags = request.flags;
    let parent = &me.process;
    let (group, grandparent) = {
        let tree = tree::lock();
        let family = parent.family.get(&tree);
        (family.group.clone(), family.parent.clone())
    };
    let sibling = flags.contains(CloneFlags::PARENT);
    Process::new(Parts {
        pid,
        family: Family {
            parent: if sibling { grandparent } else { Some(parent.clone()) },
            maker: me.tid(),
            children: Vec::new(),
            group,
            zombie: None,
            exit_signal: request.exit_signal,
            did_exec: false,
            subreaper: false,
            children_usage: Usage::default(),
        },
        signals: signal::ProcessSignals::for_fork(
            flags.contains(CloneFlags::SIGHAND),
            flags.contains(CloneFlags::CLEAR_SIGHAND),
        ),
        limits: parent.limits.clone(),
        personality: parent.personality.load(Ordering::Relaxed),
        program: parent.program(),
    })
}

/// Makes the child known: from here on it gets signals, and its end is waited for.
fn publish(me: &Task, child: &Arc<Task>, number: Reservation, request: &Request) -> Result<()> {
    let mut tree = tree::lock();
    // A signal sent to our process or group so far would miss the child: take it first, then fork again. From here on
    // the tree is locked, and senders to groups will find the child.
    if me.gates.has(TaskFlag::Signal) {
        drop(tree);
        return Err(Errno::ERESTARTNOINTR);
    }
    if !child.process.add_thread(child.clone()) {
        drop(tree);
        return Err(Errno::EAGAIN);
    }
    tree.set_task(child.tid(), Some(child.clone()));
    if !request.flags.contains(CloneFlags::THREAD) {
        enter_family(me, &child.process, request.flags.contains(CloneFlags::PARENT), &mut tree);
    }
    number.settle(&mut tree);
    Ok(())
}

/// Puts a new process under its parent and into its parent's group, as they are now.
fn enter_family(me: &Task, process: &Arc<Process>, sibling: bool, tree: &mut tree::Tree) {
    let mine = me.process.family.get(tree);
    let group = mine.group.clone();
    let (parent, exit_signal) = match &mine.parent {
        Some(parent) if sibling => (parent.clone(), Some(mine.exit_signal)),
        _ => (me.process.clone(), None),
    };
    process.set_parent(parent.clone(), tree);
    let family = process.family.get_mut(tree);
    family.group = group.clone();
    if let Some(signal) = exit_signal {
        family.exit_signal = signal;
    }
    parent.family.get_mut(tree).children.push(process.clone());
    group.join(process.clone(), tree);
    tree.set_process(process.pid, Some(process.clone()));
}

/// The first thing a new task does, before it enters user mode for the first time.
pub fn begin() {
    let me = current();
    if !me.is_user() {
        exec::first_program();
    }
    // As on Linux, a bad address is the program's own problem.
    let addr = me.set_child_tid.load(Ordering::Relaxed);
    if addr != 0 {
        let _ = UserPtr::<Tid>::new(UserAddr(addr)).write(&me.tid());
    }
}
