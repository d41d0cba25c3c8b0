//! Waiting for children: wait4(2), waitid(2).
use alloc::sync::Arc;

use tollgate_abi::process::{CLD_CONTINUED, CLD_STOPPED, CLOCK_TICKS, WaitOptions, WaitStatus};
use tollgate_abi::signal::SigInfo;
use tollgate_abi::{Errno, Result};

use super::exit::{Discarded, reap};
use super::signal::{self, JobEvent, Signal};
use super::tree::{self, Tree};
use super::usage::Usage;
use super::{Process, Tid, current};
use crate::sync::Sleep;

/// Which children to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// All.
    Any,
    /// The one with this number.
    Pid(Tid),
    /// Those in this process group.
    Group(Tid),
}

/// A child's change of state.
pub struct Event {
    /// The child.
    pub pid: Tid,
    /// What wait4(2) stores.
    pub status: WaitStatus,
    /// What waitid(2) stores.
    pub info: SigInfo,
    /// What the child and the children it waited for have used.
    pub usage: Usage,
}

/// Waits for a child of the current process to change state as `options` ask; `None` with NOHANG when none has.
///
/// # Errors
/// `ECHILD` when there is no such child, `ERESTARTSYS` when a signal ended the wait.
pub fn wait(who: Who, options: WaitOptions) -> Result<Option<Event>> {
    let process = &current().process;
    let mut discarded = Discarded::default();
    process.child_event.wait_until(Sleep::Interruptible, None, || {
        let mut tree = tree::lock();
        match scan(process, who, options, &mut tree, &mut discarded) {
            Ok(None) if !options.contains(WaitOptions::NOHANG) => None,
            outcome => Some(outcome),
        }
    })?
}

/// Looks at all children; an error when none could ever match.
fn scan(
    process: &Process,
    who: Who,
    options: WaitOptions,
    tree: &mut Tree,
    discarded: &mut Discarded,
) -> Result<Option<Event>> {
    let mut any = false;
    for at in 0.. {
        let Some(child) = process.family.get(tree).children.get(at) else { break };
        if !matches(child, who, options, tree) {
            continue;
        }
        any = true;
        let ended = child.is_zombie(tree) && options.contains(WaitOptions::EXITED);
        if !ended && !options.intersects(WaitOptions::STOPPED | WaitOptions::CONTINUED) {
            continue;
        }
        let child = child.clone();
        if let Some(event) = look(&child, options, tree, discarded) {
            return Ok(Some(event));
        }
    }
    if any { Ok(None) } else { Err(Errno::ECHILD) }
}

fn matches(child: &Process, who: Who, options: WaitOptions, tree: &Tree) -> bool {
    let family = child.family.get(tree);
    let chosen = match who {
        Who::Any => true,
        Who::Pid(pid) => child.pid == pid,
        Who::Group(pgid) => family.group.id == pgid,
    };
    let is_clone = family.exit_signal != Signal::SIGCHLD.number();
    chosen
        && (options.contains(WaitOptions::ALL) || is_clone == options.contains(WaitOptions::CLONE))
        && (!options.contains(WaitOptions::NOTHREAD) || family.maker == current().tid())
}

fn look(child: &Arc<Process>, options: WaitOptions, tree: &mut Tree, discarded: &mut Discarded) -> Option<Event> {
    let keep = options.contains(WaitOptions::NOWAIT);
    let family = child.family.get(tree);
    if let Some(zombie) = &family.zombie {
        if !options.contains(WaitOptions::EXITED) {
            return None;
        }
        let (status, info) = (zombie.status, zombie.info(Signal::SIGCHLD.number(), child.pid));
        let usage = if keep {
            let mut usage = zombie.usage;
            usage.add(&family.children_usage);
            usage
        } else {
            reap(child, tree, discarded)
        };
        return Some(Event { pid: child.pid, status, info, usage });
    }
    let (stopped, continued) = (options.contains(WaitOptions::STOPPED), options.contains(WaitOptions::CONTINUED));
    if !stopped && !continued {
        return None;
    }
    let (code, signal, status) = match signal::wait_event(child, stopped, continued, !keep)? {
        JobEvent::Stopped(signal) => (CLD_STOPPED, signal, WaitStatus::stopped(signal.number())),
        JobEvent::Continued => (CLD_CONTINUED, Signal::SIGCONT, WaitStatus::continued()),
    };
    let uid = child.any_thread().map_or(0, |task| task.creds.lock().uid);
    let mut usage = Usage::of_process(child);
    let ticks = |ns: u64| ns / (1_000_000_000 / CLOCK_TICKS);
    let info = SigInfo::child(
        Signal::SIGCHLD.number(),
        code,
        child.pid,
        uid,
        i32::from(signal.number()),
        ticks(usage.user_ns),
        ticks(usage.kernel_ns),
    );
    usage.add(&child.family.get(tree).children_usage);
    Some(Event { pid: child.pid, status, info, usage })
}
