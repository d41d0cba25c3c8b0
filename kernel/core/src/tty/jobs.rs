//! Job control: which session a terminal controls, and which of its process groups is in the foreground.
use alloc::sync::Arc;

use tollgate_abi::{Errno, Result};

use super::Terminal;
use crate::task::group::{Group, Session};
use crate::task::signal::{self, Signal};
use crate::task::{self, Process, Tid, tree};

/// The session a terminal controls, and its foreground group.
#[derive(Default)]
pub(super) struct Control {
    session: Option<Arc<Session>>,
    foreground: Option<Arc<Group>>,
}

/// The terminal that controls `session`.
pub(super) fn controlling(session: &Arc<Session>) -> Option<Arc<Terminal>> {
    super::all().find(|terminal| terminal.controls(session)).cloned()
}

/// The leader of `session` ends: its terminal becomes free, and its foreground group is told by SIGHUP and SIGCONT.
pub fn leader_exits(session: &Arc<Session>) {
    if let Some(terminal) = controlling(session) {
        terminal.release();
    }
}

fn send_group(group: &Group, signals: &[Signal]) {
    let tree = tree::lock();
    for member in group.members(&tree) {
        for &signal in signals {
            signal::send_kernel(member, signal);
        }
    }
}

impl Terminal {
    /// Whether it is `session`'s controlling terminal.
    fn controls(&self, session: &Arc<Session>) -> bool {
        self.control.lock().session.as_ref().is_some_and(|own| Arc::ptr_eq(own, session))
    }

    fn foreground(&self) -> Option<Arc<Group>> {
        self.control.lock().foreground.clone()
    }

    /// Number of the foreground group; -1 without one.
    pub fn foreground_id(&self) -> Tid {
        self.foreground().map_or(-1, |group| group.id)
    }

    /// Sends `signal` to the foreground group.
    pub(super) fn signal_foreground(&self, signal: Signal) {
        if let Some(group) = self.foreground() {
            send_group(&group, &[signal]);
        }
    }

    /// Makes it the controlling terminal of the current process's session, taking it from another if `steal`.
    ///
    /// # Errors
    /// `EPERM` unless the process leads a session that has no terminal, and this one is free.
    pub(super) fn acquire(&self, steal: bool) -> Result<()> {
        let process = &task::current().process;
        let (session, group) = (process.session(), process.group());
        if self.controls(&session) && session.id == process.pid {
            return Ok(());
        }
        if session.id != process.pid || controlling(&session).is_some() {
            return Err(Errno::EPERM);
        }
        let mut control = self.control.lock();
        if control.session.is_some() && !steal {
            return Err(Errno::EPERM);
        }
        let old = core::mem::replace(&mut *control, Control { session: Some(session), foreground: Some(group) });
        drop(control);
        drop(old);
        Ok(())
    }

    /// Gives it up: it controls no session any more.
    pub(super) fn release(&self) {
        let old = core::mem::take(&mut *self.control.lock());
        if let Some(group) = &old.foreground {
            send_group(group, &[Signal::SIGHUP, Signal::SIGCONT]);
        }
    }

    /// The session it controls, if that is the current process's.
    ///
    /// # Errors
    /// `ENOTTY`.
    fn own_session(&self) -> Result<Arc<Session>> {
        let session = task::current().process.session();
        if self.controls(&session) { Ok(session) } else { Err(Errno::ENOTTY) }
    }

    /// TIOCGSID.
    ///
    /// # Errors
    /// `ENOTTY` unless it is the current process's controlling terminal.
    pub(super) fn session_id(&self) -> Result<Tid> {
        self.own_session().map(|session| session.id)
    }

    /// TIOCGPGRP.
    ///
    /// # Errors
    /// `ENOTTY` unless it is the current process's controlling terminal.
    pub(super) fn foreground_for_user(&self) -> Result<Tid> {
        self.own_session()?;
        Ok(self.foreground().map_or(0, |group| group.id))
    }

    /// TIOCSPGRP: puts a group of the session into the foreground.
    ///
    /// # Errors
    /// `ENOTTY` unless it is the current process's controlling terminal, `EINVAL`, `ESRCH` when there is no such group,
    /// `EPERM` when it is of another session.
    pub(super) fn set_foreground(&self, pgid: Tid) -> Result<()> {
        self.check_background_change()?;
        let session = self.own_session()?;
        if pgid < 0 {
            return Err(Errno::EINVAL);
        }
        let group = Group::find(pgid).ok_or(Errno::ESRCH)?;
        if !Arc::ptr_eq(&group.session, &session) {
            return Err(Errno::EPERM);
        }
        let old = self.control.lock().foreground.replace(group);
        drop(old);
        Ok(())
    }

    /// TIOCNOTTY: the leader of a session gives its terminal up.
    ///
    /// # Errors
    /// `ENOTTY` unless it is its controlling terminal.
    pub(super) fn disown(&self) -> Result<()> {
        let session = self.own_session()?;
        if session.id == task::current().process.pid {
            self.release()
        } else {
            return Err(Errno::ENOTTY);
        }
        Ok(())
    }

    /// The current process's group, if this is its terminal but another group is in the foreground.
    fn background_group(&self, process: &Process) -> Option<Arc<Group>> {
        let control = self.control.lock();
        let (session, foreground) = (control.session.clone()?, control.foreground.clone()?);
        drop(control);
        let group = process.group();
        (Arc::ptr_eq(&group.session, &session) && !Arc::ptr_eq(&group, &foreground)).then_some(group)
    }

    /// Stops a background group that wants to read, with SIGTTIN.
    ///
    /// # Errors
    /// `ERESTARTSYS` with the signal under way; `EIO` when it would not stop the process.
    pub(super) fn check_background_read(&self) -> Result<()> {
        let Some(group) = self.background_group(&task::current().process) else { return Ok(()) };
        if signal::is_blocked_or_ignored(Signal::SIGTTIN) || group.is_orphan() {
            return Err(Errno::EIO);
        }
        send_group(&group, &[Signal::SIGTTIN]);
        Err(Errno::ERESTARTSYS)
    }

    /// Stops a background group that wants to write (with TOSTOP) or to change settings, with SIGTTOU.
    ///
    /// # Errors
    /// `ERESTARTSYS` with the signal under way; `EIO` when nobody could continue the group.
    pub(super) fn check_background_change(&self) -> Result<()> {
        let Some(group) = self.background_group(&task::current().process) else { return Ok(()) };
        if signal::is_blocked_or_ignored(Signal::SIGTTOU) {
            return Ok(());
        }
        if group.is_orphan() {
            return Err(Errno::EIO);
        }
        send_group(&group, &[Signal::SIGTTOU]);
        Err(Errno::ERESTARTSYS)
    }
}
