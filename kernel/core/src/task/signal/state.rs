//! What tasks and processes keep of signals.
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tollgate_abi::Result;
use tollgate_abi::signal::{SIG_DFL, SIG_IGN, SIGRTMAX, SigAction};

use super::altstack::AltStack;
use super::job::Job;
use super::queue::Pending;
use super::{SigSet, Signal};
use crate::sync::{Rank, SpinGuard, SpinLock};
use crate::task::{Task, TaskFlag, current, sched};

/// How an interrupted call goes on.
pub(super) type Restart = Box<dyn FnOnce() -> Result<usize> + Send>;

/// Per task: mask, private queue, alternate stack.
pub struct TaskSignals {
    /// Blocked signals. Only the task itself writes it (or its creator), with its process's signals locked.
    mask: AtomicU64,
    /// In rt_sigtimedwait: the mask without what is waited for lifted out. Signals in it do not act while they wait.
    pub(super) held_mask: AtomicU64,
    /// The mask to return to, while `TaskFlag::RestoreMask` is set.
    pub(super) saved_mask: AtomicU64,
    /// Which signals are in `private`; read without its lock.
    private_set: AtomicU64,
    /// Sent to this task alone.
    private: SpinLock<Pending>,
    /// It must end at its next gate.
    pub(super) killed: AtomicBool,
    /// It must stop at its next gate: it is counted in [`Job::running`].
    pub(super) must_stop: AtomicBool,
    /// It sleeps in a job-control stop.
    pub(super) stopped: AtomicBool,
    /// sigaltstack(2).
    pub(super) altstack: AltStack,
    /// What restart_syscall(2) does.
    pub(super) restart: SpinLock<Option<Restart>>,
    /// The last fault, for the signal frames: vector, error code, page-fault address.
    pub(super) fault: [AtomicU64; 3],
}

impl TaskSignals {
    /// The first task's: nothing blocked, nothing pending.
    pub fn new() -> Self {
        Self::with(SigSet::EMPTY, AltStack::none())
    }

    /// What clone gives the child of the current task: its mask, no pending signals, and its alternate stack unless
    /// `share_memory` (CLONE_VM without CLONE_VFORK).
    pub fn for_clone(share_memory: bool) -> Self {
        let parent = &current().signals;
        let altstack = if share_memory { AltStack::none() } else { parent.altstack.copy() };
        Self::with(parent.mask(), altstack)
    }

    fn with(mask: SigSet, altstack: AltStack) -> Self {
        Self {
            mask: AtomicU64::new(mask.0),
            held_mask: AtomicU64::new(0),
            saved_mask: AtomicU64::new(0),
            private_set: AtomicU64::new(0),
            private: SpinLock::new(Rank::Task, Pending::default()),
            killed: AtomicBool::new(false),
            must_stop: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            altstack,
            restart: SpinLock::new(Rank::Task, None),
            fault: [const { AtomicU64::new(0) }; 3],
        }
    }

    /// Its blocked signals.
    pub fn mask(&self) -> SigSet {
        SigSet(self.mask.load(Ordering::Relaxed))
    }

    /// What no signal in it acts on now: the mask, and what rt_sigtimedwait lifted out of it.
    pub(super) fn mask_for_sender(&self) -> SigSet {
        self.mask().with(SigSet(self.held_mask.load(Ordering::Relaxed)))
    }

    /// Signals sent to this task alone that wait.
    pub fn private(&self) -> SigSet {
        SigSet(self.private_set.load(Ordering::Relaxed))
    }

    /// Changes the private queue. The process's signals are locked.
    pub(super) fn with_private<R>(&self, _state: &mut State, change: impl FnOnce(&mut Pending) -> R) -> R {
        let mut private = self.private.lock();
        let result = change(&mut private);
        self.private_set.store(private.set.0, Ordering::Relaxed);
        result
    }
}

impl Default for TaskSignals {
    fn default() -> Self {
        Self::new()
    }
}

/// Per process: handlers, shared queue, stop state.
pub struct ProcessSignals(SpinLock<State>);

/// What the lock of a process's signals guards.
pub(super) struct State {
    /// What each signal does. Shared between processes by CLONE_SIGHAND.
    pub(super) handlers: Arc<Handlers>,
    /// Sent to the process as a whole.
    pub(super) shared: Pending,
    /// Job control.
    pub(super) job: Job,
    /// A fault was forced on the first process: it may die.
    pub(super) mortal: bool,
}

impl ProcessSignals {
    /// The first process's: all default.
    pub fn new() -> Self {
        Self::with(Arc::new(Handlers::new()))
    }

    /// What fork gives the current process's child: the same handlers, shared with CLONE_SIGHAND, or with
    /// CLONE_CLEAR_SIGHAND reset to default where not ignored. Nothing pending, not stopped, no timers.
    pub fn for_fork(share: bool, clear: bool) -> Self {
        let handlers = current().process.signals.lock().handlers.clone();
        Self::with(match (share, clear) {
            (true, _) => handlers,
            (false, false) => Arc::new(handlers.copy()),
            (false, true) => Arc::new(handlers.copy_ignored()),
        })
    }

    fn with(handlers: Arc<Handlers>) -> Self {
        Self(SpinLock::new(
            Rank::Signals,
            State { handlers, shared: Pending::default(), job: Job::default(), mortal: false },
        ))
    }

    pub(super) fn lock(&self) -> SpinGuard<'_, State> {
        self.0.lock()
    }
}

impl Default for ProcessSignals {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// Makes `TaskFlag::Signal` of `task` say whether it has something to deliver. Only the task itself may call this:
    /// others only ever set the flag.
    pub(super) fn recompute(&self, task: &Task) {
        let deliverable = task.signals.private().with(self.shared.set).without(task.signals.mask());
        if deliverable.is_empty() {
            if task.gates.has(TaskFlag::Signal) {
                task.gates.clear(TaskFlag::Signal);
            }
        } else {
            task.gates.set(TaskFlag::Signal);
        }
    }

    /// Sets the mask of the current task, whose process's signals these are, and recomputes its flag.
    pub(super) fn set_mask(&mut self, task: &Task, mask: SigSet) {
        task.signals.mask.store(mask.without(SigSet::UNBLOCKABLE).0, Ordering::Relaxed);
        self.recompute(task);
    }
}

impl State {
    /// `leaver` will not take those shared signals of `set` that are pending: makes other threads look at them.
    pub(super) fn retarget(&self, threads: &[Arc<Task>], leaver: &Task, set: SigSet) {
        let mut left = self.shared.set.and(set);
        for thread in threads {
            let takes = left.without(thread.signals.mask());
            if core::ptr::eq(&**thread, leaver) || thread.exited.load(Ordering::Relaxed) || takes.is_empty() {
                continue;
            }
            left = left.without(takes);
            thread.gates.set(TaskFlag::Signal);
            sched::kick(thread, false);
        }
    }
}

/// What each signal does.
pub(super) struct Handlers {
    actions: SpinLock<[SigAction; SIGRTMAX as usize]>,
    /// Signals whose handler is SIG_IGN, and those with a function; changed under the lock of `actions`, read without.
    ignored: AtomicU64,
    caught: AtomicU64,
}

impl Handlers {
    fn new() -> Self {
        Self::with([SigAction::default(); SIGRTMAX as usize], 0, 0)
    }

    fn with(actions: [SigAction; SIGRTMAX as usize], ignored: u64, caught: u64) -> Self {
        Self {
            actions: SpinLock::new(Rank::Task, actions),
            ignored: AtomicU64::new(ignored),
            caught: AtomicU64::new(caught),
        }
    }

    fn copy(&self) -> Self {
        Self::with(*self.actions.lock(), self.ignored().0, self.caught().0)
    }

    /// A copy without the handler functions: exec's.
    pub(super) fn copy_ignored(&self) -> Self {
        let mut actions = [SigAction::default(); SIGRTMAX as usize];
        let ignored = self.ignored();
        for (index, action) in actions.iter_mut().enumerate() {
            if ignored.0 >> index & 1 != 0 {
                action.handler = SIG_IGN;
            }
        }
        Self::with(actions, ignored.0, 0)
    }

    pub(super) fn ignored(&self) -> SigSet {
        SigSet(self.ignored.load(Ordering::Relaxed))
    }

    pub(super) fn caught(&self) -> SigSet {
        SigSet(self.caught.load(Ordering::Relaxed))
    }

    pub(super) fn get(&self, signal: Signal) -> SigAction {
        self.actions.lock()[signal.index()]
    }

    pub(super) fn set(&self, signal: Signal, action: SigAction) {
        self.change(signal, |old| *old = action);
    }

    /// Back to the default action.
    pub(super) fn reset(&self, signal: Signal) {
        self.change(signal, |action| action.handler = SIG_DFL);
    }

    fn change(&self, signal: Signal, change: impl FnOnce(&mut SigAction)) {
        let mut actions = self.actions.lock();
        let action = &mut actions[signal.index()];
        change(action);
        let bit = SigSet::only(signal).0;
        let note = |set: &AtomicU64, on: bool| {
            if on {
                set.fetch_or(bit, Ordering::Relaxed)
            } else {
                set.fetch_and(!bit, Ordering::Relaxed)
            };
        };
        note(&self.ignored, action.handler == SIG_IGN);
        note(&self.caught, action.handler > SIG_IGN);
    }
}
