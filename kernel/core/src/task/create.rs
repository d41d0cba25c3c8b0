//! Making tasks: putting the parts together. Who shares what is decided in [`super::fork`] and [`super::exec`].
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64};

use tollgate_abi::Result;

use super::creds::Creds;
use super::group::{Group, Session};
use super::limits::Limits;
use super::process::{Family, Parts};
use super::tree::{self, Reservation};
use super::usage::Usage;
use super::{CpuTimes, GateFlags, Own, Process, Task, Tid, sched, signal, timer};
use crate::arch::fpu::FpuState;
use crate::arch::user::UserContext;
use crate::fs::{self, FdTable, FsContext};
use crate::mm::kspace::KernelStack;
use crate::mm::space::AddressSpace;
use crate::sync::{HeldRanks, Once, Rank, SpinLock};

/// What distinguishes one new task from another.
pub(super) struct TaskParts {
    pub(super) tid: Tid,
    pub(super) process: Arc<Process>,
    pub(super) signals: signal::TaskSignals,
    pub(super) sched: sched::SchedState,
    pub(super) space: Option<Arc<AddressSpace>>,
    pub(super) files: Option<Arc<FdTable>>,
    pub(super) fs: Option<Arc<FsContext>>,
    pub(super) creds: Arc<Creds>,
    pub(super) name: [u8; 16],
    pub(super) context: UserContext,
    pub(super) fpu: FpuState,
}

impl TaskParts {
    /// The task, on a kernel stack of its own; not in any list yet.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn assemble(self) -> Result<Arc<Task>> {
        let kernel_stack = KernelStack::new()?;
        Ok(Arc::new(Task {
            tid: AtomicI32::new(self.tid),
            process: self.process,
            gates: GateFlags::new(),
            sched: self.sched,
            signals: self.signals,
            sleep_timer: timer::Timer::new(),
            space: SpinLock::new(Rank::Task, self.space),
            files: SpinLock::new(Rank::Task, self.files),
            fs: SpinLock::new(Rank::Task, self.fs),
            creds: SpinLock::new(Rank::Task, self.creds),
            clear_child_tid: AtomicU64::new(0),
            set_child_tid: AtomicU64::new(0),
            robust_list: AtomicU64::new(0),
            futex_bucket: AtomicU32::new(0),
            parent_death_signal: AtomicU8::new(0),
            no_new_privs: AtomicBool::new(false),
            exited: AtomicBool::new(false),
            vfork: SpinLock::new(Rank::Task, None),
            times: CpuTimes::default(),
            start_ns: crate::arch::clock::now_ns(),
            name: SpinLock::new(Rank::Task, self.name),
            kernel_stack,
            own: UnsafeCell::new(Own { context: self.context, fpu: self.fpu }),
            held: HeldRanks::new(),
        }))
    }
}

/// Makes the idle task of CPU `cpu`: number 0, no user side, in no list.
///
/// # Errors
/// `ENOMEM`.
pub fn idle_task(cpu: usize) -> Result<Arc<Task>> {
    let mut name = [0; 16];
    name[..4].copy_from_slice(b"idle");
    name[4] = b'0' + (cpu / 10) as u8;
    name[5] = b'0' + (cpu % 10) as u8;
    TaskParts {
        tid: 0,
        process: kernel_process().clone(),
        signals: signal::TaskSignals::new(),
        sched: sched::SchedState::new(),
        space: None,
        files: None,
        fs: None,
        creds: Creds::root(),
        name,
        context: UserContext::default(),
        fpu: FpuState::new(),
    }
    .assemble()
}

/// The process that idle tasks belong to: number 0, not in the tree.
pub fn kernel_process() -> &'static Arc<Process> {
    static KERNEL: Once<Arc<Process>> = Once::new();
    KERNEL.call_once(|| {
        Process::new(Parts {
            pid: 0,
            family: first_family(0),
            signals: signal::ProcessSignals::new(),
            limits: Limits::initial(),
            personality: 0,
            program: None,
        })
    })
}

/// Makes the first process, number 1: a task that will run `/init`. It starts in [`super::exec::first_program`].
///
/// # Errors
/// `ENOMEM`.
pub(super) fn first_task() -> Result<Arc<Task>> {
    let number = Reservation::exactly(1)?;
    let process = Process::new(Parts {
        pid: 1,
        // As on Linux, the first process is in group and session 0, where it can make a session of its own.
        family: first_family(0),
        signals: signal::ProcessSignals::new(),
        limits: Limits::initial(),
        personality: 0,
        program: None,
    });
    let mut name = [0; 16];
    name[..4].copy_from_slice(b"init");
    let task = TaskParts {
        tid: 1,
        process: process.clone(),
        signals: signal::TaskSignals::new(),
        sched: sched::SchedState::new(),
        space: None,
        files: Some(Arc::new(FdTable::new())),
        fs: Some(Arc::new(FsContext::new(fs::root().clone()))),
        creds: Creds::root(),
        name,
        context: UserContext::default(),
        fpu: FpuState::new(),
    }
    .assemble()?;
    process.add_thread(task.clone());
    let mut tree = tree::lock();
    tree.set_task(1, Some(task.clone()));
    tree.set_process(1, Some(process.clone()));
    let group = process.family.get(&tree).group.clone();
    group.join(process, &mut tree);
    number.settle(&mut tree);
    Ok(task)
}

/// The place of a process without parent, in a new group and session with number `id`.
fn first_family(id: Tid) -> Family {
    Family {
        parent: None,
        maker: 0,
        children: Vec::new(),
        group: Group::new(id, Session::new(id)),
        zombie: None,
        exit_signal: 0,
        did_exec: false,
        subreaper: false,
        children_usage: Usage::default(),
    }
}
