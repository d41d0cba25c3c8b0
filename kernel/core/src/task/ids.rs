//! Moving between process groups and sessions: setpgid(2), setsid(2).
use alloc::sync::Arc;

use tollgate_abi::{Errno, Result};

use super::group::{Group, Session};
use super::tree::{self, Tree};
use super::{Process, Tid, current};

/// The process a caller names by number; 0 is its own.
///
/// # Errors
/// `ESRCH`.
pub fn process_named(pid: Tid) -> Result<Arc<Process>> {
    if pid == 0 {
        return Ok(current().process.clone());
    }
    super::process::find_process(pid).ok_or(Errno::ESRCH)
}

/// Moves process `pid` (0: the current one) into group `pgid` (0: one of its own).
///
/// # Errors
/// `EINVAL` for a negative group, `ESRCH` when the process is neither the current one nor a child of it, `EACCES` when
/// that child has called execve, `EPERM` when it leads a session, is in another, or the group is not in the session.
pub fn set_group(pid: Tid, pgid: Tid) -> Result<()> {
    if pgid < 0 {
        return Err(Errno::EINVAL);
    }
    let me = &current().process;
    let pid = if pid == 0 { me.pid } else { pid };
    let pgid = if pgid == 0 { pid } else { pgid };
    let mut tree = tree::lock();
    let process = tree.process(pid).ok_or(Errno::ESRCH)?.clone();
    let family = process.family.get(&tree);
    let session = family.group.session.clone();
    if family.parent.as_ref().is_some_and(|parent| Arc::ptr_eq(parent, me)) {
        if !Arc::ptr_eq(&session, &me.family.get(&tree).group.session) {
            return Err(Errno::EPERM);
        }
        if family.did_exec {
            return Err(Errno::EACCES);
        }
    } else if !Arc::ptr_eq(&process, me) {
        return Err(Errno::ESRCH);
    }
    if session.id == pid {
        return Err(Errno::EPERM);
    }
    let group = match tree.group(pgid) {
        Some(group) if Arc::ptr_eq(&group.session, &session) => group.clone(),
        None if pgid == pid => Group::new(pgid, session),
        _ => return Err(Errno::EPERM),
    };
    enter(&process, group, &mut tree);
    Ok(())
}

/// Makes the current process the leader of a new session and group; returns their number.
///
/// # Errors
/// `EPERM` when it leads a group already, or a group of its number lives on.
pub fn new_session() -> Result<Tid> {
    let me = &current().process;
    let mut tree = tree::lock();
    if tree.group(me.pid).is_some() {
        return Err(Errno::EPERM);
    }
    enter(me, Group::new(me.pid, Session::new(me.pid)), &mut tree);
    Ok(me.pid)
}

fn enter(process: &Arc<Process>, group: Arc<Group>, tree: &mut Tree) {
    let old = process.family.get(tree).group.clone();
    if Arc::ptr_eq(&old, &group) {
        return;
    }
    // Join first: the new group's session must not lose its last group in between.
    group.join(process.clone(), tree);
    old.leave(process, tree);
    process.family.get_mut(tree).group = group;
}
