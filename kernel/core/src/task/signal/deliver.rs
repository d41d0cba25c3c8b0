//! The signal gate: what a thread does about its signals before it goes on in user mode.
use core::sync::atomic::Ordering;

use tollgate_abi::Errno;
use tollgate_abi::process::WaitStatus;
use tollgate_abi::signal::{SIG_IGN, SigAction, SigInfo, sa};

use super::send::{force_segv, is_immortal};
use super::{DefaultAction, SigSet, Signal, frame, job, mask};
use crate::arch::user::UserContext;
use crate::task::exit::exit_group;
use crate::task::{Task, TaskFlag, current};

/// The signal gate of the user-mode loop: delivers what is pending (pushing handler frames on the user stack), stops,
/// or does not return because the process dies. Also decides the restart of an interrupted system call: it must be
/// called whenever one returned a restart error, whatever the gate flags say.
///
/// Several handlers may be set up in one pass; the last one runs first, as on Linux.
pub fn deliver() {
    let task = current();
    let mut handled = false;
    loop {
        // Cleared before looking, so that what comes while we look is seen on the next round.
        if task.gates.has(TaskFlag::Notify) {
            task.gates.clear(TaskFlag::Notify);
            die_if_killed(task);
            job::gate(task);
            die_if_killed(task);
        }
        if !task.gates.has(TaskFlag::Signal) {
            break;
        }
        match next(task) {
            Step::Nothing => break,
            Step::Dropped => {}
            Step::Handle(call) => {
                handled = true;
                handle(task, &call);
            }
            Step::Stop(signal, continues) => {
                job::begin_stop(task, signal, continues);
            }
            Step::Die(signal, core) => exit_group(WaitStatus::signaled(signal.number(), core)),
        }
    }
    if !handled {
        // SAFETY: the current task's own registers; nobody else refers to them in its gate.
        restart(unsafe { task.context_mut() });
        if task.gates.has(TaskFlag::RestoreMask) {
            mask::restore_mask();
        }
    }
}

fn die_if_killed(task: &Task) {
    if task.signals.killed.load(Ordering::Acquire) {
        // What the process as a whole ends with was fixed by whoever killed the thread.
        exit_group(WaitStatus::signaled(Signal::SIGKILL.number(), false));
    }
}

/// What to do about the next signal.
enum Step {
    /// There is none.
    Nothing,
    /// It was ignored.
    Dropped,
    /// Call its handler.
    Handle(HandlerCall),
    /// Stop the process, unless it was continued more often than this.
    Stop(Signal, u32),
    /// End it; with core status or not.
    Die(Signal, bool),
}

/// A handler to call.
pub(super) struct HandlerCall {
    pub(super) signal: Signal,
    pub(super) info: SigInfo,
    pub(super) action: SigAction,
    /// The mask while it runs is set; this is the one before.
    pub(super) interrupted_mask: SigSet,
    /// The mask that returning from it sets.
    pub(super) restored_mask: SigSet,
}

/// Takes the next signal off the queues and decides.
fn next(task: &Task) -> Step {
    let mut state = task.process.signals.lock();
    let mask = task.signals.mask();
    let allowed = SigSet(!mask.0);
    let from_private = !task.signals.private().and(allowed).is_empty();
    let found = if from_private {
        task.signals.with_private(&mut state, |p| p.take_fault(allowed).or_else(|| p.take(allowed)))
    } else {
        state.shared.take(allowed)
    };
    let Some((signal, taken)) = found else {
        state.recompute(task);
        return Step::Nothing;
    };
    let action = state.handlers.get(signal);
    if action.handler > SIG_IGN {
        if action.flags & sa::RESETHAND != 0 {
            state.handlers.reset(signal);
        }
        let itself = if action.flags & sa::NODEFER != 0 { SigSet::EMPTY } else { SigSet::only(signal) };
        state.set_mask(task, mask.with(SigSet(action.mask)).with(itself));
        drop(state);
        let restored_mask = if task.gates.has(TaskFlag::RestoreMask) {
            SigSet(task.signals.saved_mask.load(Ordering::Relaxed))
        } else {
            mask
        };
        return Step::Handle(HandlerCall {
            signal,
            info: taken.finish(&task.process),
            action,
            interrupted_mask: mask,
            restored_mask,
        });
    }
    let immortal = is_immortal(&task.process, &state);
    let continues = state.job.continues();
    state.recompute(task);
    drop(state);
    taken.finish(&task.process);
    match signal.default_action() {
        _ if action.handler == SIG_IGN => Step::Dropped,
        DefaultAction::Ignore | DefaultAction::Continue => Step::Dropped,
        _ if immortal => Step::Dropped,
        DefaultAction::Stop => Step::Stop(signal, continues),
        DefaultAction::Terminate => Step::Die(signal, false),
        DefaultAction::Core => Step::Die(signal, true),
    }
}

/// Has the handler run next, on a frame on the user stack.
fn handle(task: &Task, call: &HandlerCall) {
    // SAFETY: the current task's own registers; nobody else refers to them in its gate.
    let context = unsafe { task.context_mut() };
    match interruption(context) {
        Some(Errno::ERESTARTSYS) if call.action.flags & sa::RESTART != 0 => repeat(context, context.orig_rax),
        Some(Errno::ERESTARTNOINTR) => repeat(context, context.orig_rax),
        Some(_) => context.rax = fail(Errno::EINTR),
        None => {}
    }
    if frame::push(task, context, call).is_ok() {
        task.gates.clear(TaskFlag::RestoreMask);
    } else {
        task.process.signals.lock().set_mask(task, call.interrupted_mask);
        force_segv(call.signal == Signal::SIGSEGV);
    }
}

/// Number of restart_syscall(2).
const RESTART_SYSCALL: u64 = 219;

/// Repeats an interrupted call when no handler ran.
fn restart(context: &mut UserContext) {
    match interruption(context) {
        Some(Errno::ERESTARTBLOCK) => repeat(context, RESTART_SYSCALL),
        Some(_) => repeat(context, context.orig_rax),
        None => {}
    }
}

/// The restart error that a system call returned just now, if one did.
fn interruption(context: &UserContext) -> Option<Errno> {
    if context.orig_rax == u64::MAX {
        return None;
    }
    use Errno::{ERESTARTBLOCK, ERESTARTNOHAND, ERESTARTNOINTR, ERESTARTSYS};
    [ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTARTBLOCK].into_iter().find(|&e| context.rax == fail(e))
}

/// Length of the `syscall` instruction.
const SYSCALL_LEN: u64 = 2;

/// Sets the registers so that the next instruction is the system call again, as `number`.
fn repeat(context: &mut UserContext, number: u64) {
    context.rip = context.rip.wrapping_sub(SYSCALL_LEN);
    context.rax = number;
}

fn fail(errno: Errno) -> u64 {
    (errno as i32 as i64).wrapping_neg() as u64
}
