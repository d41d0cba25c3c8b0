//! Tasks (threads the kernel schedules) and processes (thread groups).
pub mod create;
pub mod creds;
pub mod exec;
pub mod exit;
pub mod flags;
pub mod fork;
pub mod futex;
pub mod group;
pub mod ids;
pub mod limits;
pub mod process;
pub mod program;
pub mod run;
pub mod sched;
pub mod signal;
pub mod spaces;
pub mod timer;
pub mod tree;
pub mod usage;
pub mod wait;

use alloc::sync::Arc;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64};

pub use creds::Creds;
pub use flags::{GateFlags, TaskFlag};
pub use process::Process;

use crate::arch::fpu::FpuState;
use crate::arch::percpu;
use crate::arch::user::UserContext;
use crate::fs::{FdTable, FsContext};
use crate::mm::kspace::KernelStack;
use crate::mm::space::AddressSpace;
use crate::sync::{Completion, HeldRanks, Rank, SpinLock};

/// A task's number (gettid); the leader's is the process's number.
pub type Tid = i32;

/// One thread.
///
/// Fields are grouped by who may touch them: atomics and locks by anyone; `own` by the task itself only.
pub struct Task {
    /// gettid(). An `AtomicI32` because exec by another thread than the leader takes over the leader's number.
    pub tid: AtomicI32,
    /// The thread group.
    pub process: Arc<Process>,
    /// Why the gates must be looked at: one word, tested once at each crossing.
    pub gates: GateFlags,
    /// What the scheduler keeps.
    pub sched: sched::SchedState,
    /// What the signal code keeps: mask, private queue, alternate stack.
    pub signals: signal::TaskSignals,
    /// Ends the task's sleeps that have an end.
    pub sleep_timer: timer::Timer,
    /// Address space; `None` once the task has exited (and for idle tasks).
    pub space: SpinLock<Option<Arc<AddressSpace>>>,
    /// Open files; `None` once the task has exited.
    pub files: SpinLock<Option<Arc<FdTable>>>,
    /// Root, working directory, umask; `None` once the task has exited.
    pub fs: SpinLock<Option<Arc<FsContext>>>,
    /// Whom it acts for. Replaced as a whole; only the task itself does so.
    pub creds: SpinLock<Arc<Creds>>,
    /// Where a zero is written, and a futex woken, when the thread exits (set_tid_address); 0 = nowhere.
    pub clear_child_tid: AtomicU64,
    /// Where its number is written when it first runs (CLONE_CHILD_SETTID); 0 = nowhere.
    pub set_child_tid: AtomicU64,
    /// Head of the robust futex list; 0 = none.
    pub robust_list: AtomicU64,
    /// The futex bucket it is queued in, plus one; 0 = none. Changes under that bucket's lock.
    pub futex_bucket: AtomicU32,
    /// The signal it gets when its parent ends (prctl PR_SET_PDEATHSIG); 0 = none.
    pub parent_death_signal: AtomicU8,
    /// Whether execve may no longer raise privileges (prctl PR_SET_NO_NEW_PRIVS).
    pub no_new_privs: AtomicBool,
    /// Whether its end has begun and nothing may be asked of it any more.
    pub exited: AtomicBool,
    /// Who waits until it no longer uses its address space (vfork).
    pub vfork: SpinLock<Option<Arc<Completion>>>,
    /// CPU time used in user mode and in the kernel, nanoseconds.
    pub times: CpuTimes,
    /// Monotonic nanoseconds when it was made.
    pub start_ns: u64,
    /// comm: the name `ps` shows, NUL-padded.
    pub name: SpinLock<[u8; 16]>,
    /// The kernel stack.
    pub kernel_stack: KernelStack,
    own: UnsafeCell<Own>,
    held: HeldRanks,
}

/// CPU time of a task, nanoseconds.
#[derive(Default)]
pub struct CpuTimes {
    pub user_ns: AtomicU64,
    pub kernel_ns: AtomicU64,
}

/// What only the task itself touches (or its creator before it first runs, or a tracer while it is stopped).
struct Own {
    context: UserContext,
    fpu: FpuState,
}

// SAFETY: `own` and `held` are only reached through `Task::context`/`fpu`/`held_ranks`, whose contracts give exclusive
// access to the task itself (or to whoever holds it still); everything else is `Sync` by itself.
unsafe impl Sync for Task {}
// SAFETY: as above.
unsafe impl Send for Task {}

impl Task {
    /// Its number.
    pub fn tid(&self) -> Tid {
        self.tid.load(core::sync::atomic::Ordering::Relaxed)
    }

    /// The address space, if it still has one.
    pub fn space(&self) -> Option<Arc<AddressSpace>> {
        self.space.lock().clone()
    }

    /// Whom it acts for.
    pub fn creds(&self) -> Arc<Creds> {
        self.creds.lock().clone()
    }

    /// The open files.
    ///
    /// # Panics
    /// After the task has exited; only the task itself calls this.
    pub fn files(&self) -> Arc<FdTable> {
        self.files.lock().clone().expect("a running task has files")
    }

    /// Root, working directory, umask.
    ///
    /// # Panics
    /// After the task has exited; only the task itself calls this.
    pub fn fs(&self) -> Arc<FsContext> {
        self.fs.lock().clone().expect("a running task has a file system context")
    }

    /// The user registers.
    ///
    /// # Safety
    /// The caller is the task itself, or it created the task and has not started it, or it holds the task stopped; and
    /// no other reference from here is alive.
    #[expect(clippy::mut_from_ref, reason = "exclusive by the contract above")]
    pub unsafe fn context_mut(&self) -> &mut UserContext {
        // SAFETY: exclusive by this function's contract.
        unsafe { &mut (*self.own.get()).context }
    }

    /// Where the user registers are kept, for those who only compute with the address.
    pub fn context_ptr(&self) -> *mut UserContext {
        // SAFETY: only an address is computed.
        unsafe { &raw mut (*self.own.get()).context }
    }

    /// Whether it has a user side: idle tasks and tasks that have exited have none.
    pub fn is_user(&self) -> bool {
        !self.sched.active_space().is_null()
    }

    /// The saved FPU state (of a task that is not running; the running task's is in the CPU).
    ///
    /// # Safety
    /// As [`Self::context_mut`].
    #[expect(clippy::mut_from_ref, reason = "exclusive by the contract above")]
    pub unsafe fn fpu_mut(&self) -> &mut FpuState {
        // SAFETY: exclusive by this function's contract.
        unsafe { &mut (*self.own.get()).fpu }
    }
}

/// The running task. Cheap: one load from the per-CPU block. Not to be called from interrupt handlers.
///
/// # Panics
/// In debug builds, before tasks run.
pub fn current() -> &'static Task {
    let task = percpu::current_task();
    debug_assert!(!task.is_null());
    // SAFETY: the CPU holds a share in the task it runs, and this reference is used by that task only, which does not
    // outlive itself.
    unsafe { &*task }
}

/// Calls `f` with the running task's open files: without lock and share, for the way through every read and write.
///
/// # Panics
/// After the task has exited.
#[inline]
pub fn with_files<R>(f: impl FnOnce(&FdTable) -> R) -> R {
    let slot = current().files.as_ptr();
    // SAFETY: only the task itself replaces its table (execve, unshare, exit), with the lock held against readers in
    // other tasks; `f` knows nothing but the table and cannot do that.
    let files = unsafe { (*slot).as_deref() }.expect("a running task has files");
    f(files)
}

/// The running task, shared.
pub fn current_arc() -> Arc<Task> {
    let task: *const Task = current();
    // SAFETY: the pointer came from `Arc::into_raw` (see `sched`), and the CPU's share keeps it alive meanwhile.
    unsafe {
        Arc::increment_strong_count(task);
        Arc::from_raw(task)
    }
}

/// The running task's address space; `None` before tasks run, and for tasks without a user side.
pub fn current_space() -> Option<Arc<AddressSpace>> {
    // SAFETY: as in `current`.
    unsafe { percpu::current_task().as_ref() }?.space()
}

/// Gives the running task's held sleeping locks to `f` (nothing before tasks run).
pub fn held_ranks(f: impl FnOnce(&HeldRanks)) {
    // SAFETY: as in `current`.
    if let Some(task) = unsafe { percpu::current_task().as_ref() } {
        f(&task.held);
    }
}

/// The running process's memory demand cannot be met: it is killed, and the log says so.
pub fn out_of_memory() {
    let task = current();
    let name = *task.name.lock();
    let name = name.split(|&b| b == 0).next().unwrap_or_default();
    ::log::warn!("out of memory: killing process {} ({})", task.process.pid, name.escape_ascii());
    signal::send_kernel(&task.process, signal::Signal::SIGKILL);
}

const _: Rank = Rank::Task;
