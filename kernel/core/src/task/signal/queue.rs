//! What is pending: one set of signals with their siginfo, for a task or for a process.
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use tollgate_abi::process::Resource;
use tollgate_abi::signal::{SigInfo, code};
use tollgate_abi::{Errno, Result};

use super::{SigSet, Signal};
use crate::task::Process;
use crate::task::creds::User;
use crate::task::timer::posix::PosixTimer;

/// Signals that wait to be delivered.
#[derive(Default)]
pub(super) struct Pending {
    /// Which.
    pub(super) set: SigSet,
    /// siginfo in the order of sending. A signal in `set` without an entry here lost its siginfo.
    queue: VecDeque<Entry>,
}

/// One sent signal.
pub(super) struct Entry {
    info: SigInfo,
    /// Gives the sender's share of the user's queue back.
    charge: Option<Charge>,
    /// The POSIX timer that sent it: it has one signal pending at most, and counts what it would have sent.
    timer: Option<Arc<PosixTimer>>,
}

/// One queued signal counted against its receiver's user (RLIMIT_SIGPENDING).
pub struct Charge(Arc<User>);

impl Charge {
    /// Counts one signal to `process`, whose user is `user`; `None` at the limit.
    pub fn new(process: &Process, user: Arc<User>) -> Option<Self> {
        let limit = process.limits.soft(Resource::PendingSignals);
        let before = user.pending_signals.fetch_add(1, Ordering::Relaxed);
        let charge = Self(user);
        ((before as u64) < limit).then_some(charge) // Dropping it takes the count back.
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.0.pending_signals.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A signal taken off its queue; dropped by the taker once no lock is held.
pub(super) struct Taken(Entry);

impl Taken {
    /// The siginfo to deliver: a POSIX timer's says by now how often it would have been sent. Called with no lock held;
    /// periodic timers of the current process go on from here.
    pub(super) fn finish(self, process: &Process) -> SigInfo {
        let Entry { mut info, charge, timer } = self.0;
        drop(charge);
        if info.signo == i32::from(Signal::SIGALRM.number()) {
            process.timers.alarm_taken();
        }
        if let Some(timer) = timer {
            timer.delivered(&mut info);
        }
        info
    }
}

/// Whether a signal with this siginfo counts against the receiver's limit. Standard signals the kernel or kill(2) sends
/// do not: there is at most one of each.
pub(super) fn is_limited(signal: Signal, info: &SigInfo) -> bool {
    signal.is_realtime() || info.code < 0
}

impl Pending {
    /// Adds a signal. Past the limit (`charge` is `None` though the signal is limited) only its number is kept, or
    /// nothing when it is one whose sender must know.
    ///
    /// # Errors
    /// `EAGAIN` past the limit, for real-time signals that do not come from kill(2).
    pub(super) fn add(&mut self, signal: Signal, info: &SigInfo, charge: Option<Charge>) -> Result<()> {
        let keep = charge.is_some() || !is_limited(signal, info);
        if keep && self.queue.try_reserve(1).is_ok() {
            self.queue.push_back(Entry { info: *info, charge, timer: None });
        } else if signal.is_realtime() && info.code != code::SI_USER {
            return Err(Errno::EAGAIN);
        }
        self.set = self.set.with(SigSet::only(signal));
        Ok(())
    }

    /// Adds a POSIX timer's signal, which was paid for when the timer was made.
    pub(super) fn add_timer(&mut self, signal: Signal, info: &SigInfo, timer: Arc<PosixTimer>) {
        self.queue.push_back(Entry { info: *info, charge: None, timer: Some(timer) });
        self.set = self.set.with(SigSet::only(signal));
    }

    /// Takes the signal out of `allowed` that is next, if one is.
    pub(super) fn take(&mut self, allowed: SigSet) -> Option<(Signal, Taken)> {
        let signal = self.set.and(allowed).first()?;
        Some((signal, self.take_one(signal)))
    }

    fn take_one(&mut self, signal: Signal) -> Taken {
        let is_it = |entry: &Entry| entry.info.signo == i32::from(signal.number());
        let at = self.queue.iter().position(is_it);
        let entry = match at {
            Some(at) => self.queue.remove(at),
            None => None,
        };
        let more = at.is_some_and(|at| !self.queue.is_empty() && self.queue.range(at..).any(is_it));
        if !more {
            self.set = self.set.without(SigSet::only(signal));
        }
        Taken(entry.unwrap_or_else(|| Entry {
            info: SigInfo::sent(signal.number(), code::SI_USER, 0, 0),
            charge: None,
            timer: None,
        }))
    }

    /// Takes out the first signal that a fault of the task's own instructions made, if one is among `allowed`.
    pub(super) fn take_fault(&mut self, allowed: SigSet) -> Option<(Signal, Taken)> {
        let allowed = self.set.and(allowed).and(SigSet::SYNCHRONOUS);
        if allowed.is_empty() {
            return None;
        }
        let found = self.queue.iter().find_map(|entry| {
            let signal = Signal::new(entry.info.signo)?;
            (allowed.has(signal) && entry.info.code > code::SI_USER).then_some(signal)
        })?;
        Some((found, self.take_one(found)))
    }

    /// Forgets all of these.
    pub(super) fn discard(&mut self, signals: SigSet) {
        if self.set.and(signals).is_empty() {
            return;
        }
        self.set = self.set.without(signals);
        self.queue.retain(|entry| match Signal::new(entry.info.signo) {
            Some(signal) if signals.has(signal) => {
                if let Some(timer) = &entry.timer {
                    timer.discarded();
                }
                false
            }
            _ => true,
        });
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.discard(SigSet(u64::MAX));
    }
}
