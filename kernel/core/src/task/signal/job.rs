//! Job control: stopping and continuing whole processes.
//!
//! A stop begins when some thread takes a stop signal off its queue. It asks every thread ([`TaskSignals::must_stop`]);
//! each goes to sleep at its next gate, and the last one tells the parent. SIGCONT ends the stop when it is *sent*,
//! whatever becomes of the signal itself; a woken thread tells the parent.
//!
//! [`TaskSignals::must_stop`]: super::TaskSignals
use core::sync::atomic::Ordering;

use tollgate_abi::process::CLOCK_TICKS;
use tollgate_abi::signal::{SigInfo, code, sa};

use super::state::State;
use super::{SigSet, Signal, send_process};
use crate::sync::Sleep;
use crate::task::usage::Usage;
use crate::task::{Process, Task, TaskFlag, process::Threads, sched};

/// A change of state that wait calls tell of and SIGCHLD announces, the end apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobEvent {
    /// All threads stopped, because of this signal.
    Stopped(Signal),
    /// SIGCONT ended a stop.
    Continued,
}

/// A process's job-control state.
#[derive(Default)]
pub(super) struct Job {
    /// The signal of the stop that is under way or complete.
    stop: Option<Signal>,
    /// Threads that were asked to stop and have not yet.
    running: usize,
    /// What a wait would report.
    event: Option<JobEvent>,
    /// What the parent is still to be told, by the next thread at its gate.
    news: Option<JobEvent>,
    /// SIGCONTs sent: a stop signal taken before one does nothing after it.
    continues: u32,
}

impl Job {
    /// How often the process was continued; see [`begin_stop`].
    pub(super) fn continues(&self) -> u32 {
        self.continues
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_some() && self.running == 0
    }

    /// One thread fewer has to stop; the news if it was the last.
    fn one_less(&mut self) -> Option<JobEvent> {
        self.running -= 1;
        if self.running > 0 {
            return None;
        }
        let event = JobEvent::Stopped(self.stop?);
        self.event = Some(event);
        Some(event)
    }
}

/// Whether all of the process's threads are stopped by job control.
pub fn is_stopped(process: &Process) -> bool {
    process.signals.lock().job.is_stopped()
}

/// The state change that a wait for `stopped` or `continued` children finds now; `consume` makes it not be found again
/// (waitid without WNOWAIT).
pub fn wait_event(process: &Process, stopped: bool, continued: bool, consume: bool) -> Option<JobEvent> {
    let event = &mut process.signals.lock().job.event;
    let wanted = match (*event)? {
        JobEvent::Stopped(_) => stopped,
        JobEvent::Continued => continued,
    };
    match wanted {
        true if consume => event.take(),
        true => *event,
        false => None,
    }
}

/// Stops the current process because of `signal`, which the current thread took off a queue when the process had been
/// continued `continues` times. The thread itself stops at [`gate`].
pub(super) fn begin_stop(task: &Task, signal: Signal, continues: u32) {
    let process = &task.process;
    // Nobody could continue an orphaned group; but SIGSTOP is meant.
    if signal != Signal::SIGSTOP && process.group().is_orphan() {
        return;
    }
    let threads = process.threads();
    let mut state = process.signals.lock();
    if state.job.continues != continues || threads.group_exit.is_some() || threads.exec.is_some() {
        return;
    }
    if state.job.stop.is_none() {
        state.job.stop = Some(signal);
        state.job.event = None;
    }
    for thread in &threads.list {
        ask_to_stop(thread, &mut state);
        if !core::ptr::eq(&**thread, task) {
            sched::kick(thread, false);
        }
    }
}

fn ask_to_stop(thread: &Task, state: &mut State) {
    let signals = &thread.signals;
    if thread.exited.load(Ordering::Relaxed)
        || signals.stopped.load(Ordering::Relaxed)
        || signals.must_stop.swap(true, Ordering::Relaxed)
    {
        return;
    }
    state.job.running += 1;
    thread.gates.set(TaskFlag::Notify);
}

/// A thread was added to its process: it takes part in a stop that is under way. The process's threads are locked.
pub fn thread_added(task: &Task) {
    let mut state = task.process.signals.lock();
    if state.job.stop.is_some() {
        ask_to_stop(task, &mut state);
    }
}

/// The current thread ends: nobody waits for it to stop any more.
pub(super) fn thread_gone(task: &Task) {
    let mut state = task.process.signals.lock();
    let asked = task.signals.must_stop.swap(false, Ordering::Relaxed);
    let news = if asked { state.job.one_less() } else { None };
    drop(state);
    if let Some(event) = news {
        tell_parent(&task.process, event);
    }
}

/// SIGCONT: ends a stop, complete or not. The threads that wake, or were on their way to stop, tell the parent.
pub(super) fn end_stop(threads: &Threads, state: &mut State) {
    state.job.continues = state.job.continues.wrapping_add(1);
    let Some(signal) = state.job.stop.take() else { return };
    if state.job.running == 0 {
        state.job.event = Some(JobEvent::Continued);
        state.job.news = Some(JobEvent::Continued);
    } else {
        // It never stopped as a whole, but the parent is told as if it had, so that no stop signal goes unseen.
        state.job.running = 0;
        state.job.news = Some(JobEvent::Stopped(signal));
    }
    for thread in &threads.list {
        thread.signals.must_stop.store(false, Ordering::Relaxed);
        if thread.signals.stopped.swap(false, Ordering::Relaxed) {
            sched::wake(thread);
        }
    }
}

/// The process is about to die: no stop is of interest any more. The caller kills the threads.
pub(super) fn abandon(threads: &Threads, state: &mut State) {
    for thread in &threads.list {
        thread.signals.must_stop.store(false, Ordering::Relaxed);
    }
    state.job = Job { continues: state.job.continues.wrapping_add(1), ..Job::default() };
}

/// Stops the current thread if it is to stop, until it may go on; and tells the parent what it is to be told. Part of
/// the gate.
pub(super) fn gate(task: &Task) {
    let process = &task.process;
    loop {
        let mut state = process.signals.lock();
        let asked = task.signals.must_stop.swap(false, Ordering::Relaxed);
        let mut news = state.job.news.take();
        if asked {
            task.signals.stopped.store(true, Ordering::Relaxed);
            news = news.or(state.job.one_less());
        }
        drop(state);
        if let Some(event) = news {
            tell_parent(process, event);
        }
        if !asked {
            return;
        }
        sleep_stopped(task);
        // What was sent meanwhile chose nobody.
        process.signals.lock().recompute(task);
    }
}

/// Sleeps until SIGCONT clears `stopped`, or SIGKILL.
fn sleep_stopped(task: &Task) {
    let signals = &task.signals;
    loop {
        sched::prepare_sleep(Sleep::Killable);
        if !signals.stopped.load(Ordering::Acquire) {
            break;
        }
        if signals.killed.load(Ordering::Acquire) {
            signals.stopped.store(false, Ordering::Relaxed);
            break;
        }
        sched::sleep_prepared(None);
    }
    sched::cancel_sleep();
}

/// SIGCHLD for a stop or its end, and a wake for the parent's wait calls.
fn tell_parent(process: &Process, event: JobEvent) {
    let Some(parent) = process.parent() else { return };
    let usage = Usage::of_process(process);
    let ticks = |ns: u64| ns / (1_000_000_000 / CLOCK_TICKS);
    let (code, status) = match event {
        JobEvent::Stopped(signal) => (code::CLD_STOPPED, signal),
        JobEvent::Continued => (code::CLD_CONTINUED, Signal::SIGCONT),
    };
    let uid = process.any_thread().map_or(0, |thread| thread.creds().uid);
    let info = SigInfo::child(
        Signal::SIGCHLD.number(),
        code,
        process.pid,
        uid,
        i32::from(status.number()),
        ticks(usage.user_ns),
        ticks(usage.kernel_ns),
    );
    let wanted = {
        let handlers = parent.signals.lock().handlers.clone();
        !handlers.ignored().has(Signal::SIGCHLD) && handlers.get(Signal::SIGCHLD).flags & sa::NOCLDSTOP == 0
    };
    if wanted {
        let sent = send_process(&parent, Signal::SIGCHLD, info);
        debug_assert!(sent.is_ok(), "standard signals from the kernel are not limited");
    }
    parent.child_event.wake_all();
}

/// What of `pending` a stop signal or SIGCONT cancels when it is sent.
pub(super) fn cancelled_by(signal: Signal) -> SigSet {
    if signal == Signal::SIGCONT {
        SigSet::STOP
    } else if SigSet::STOP.has(signal) {
        SigSet::CONT
    } else {
        SigSet::EMPTY
    }
}
