//! The user-mode loop: a thread's whole life, with every gate in order.
//!
//! ```text
//!   .-> gates before user mode: reschedule, probe work, signals and stops
//!   |   user mode
//!   '-- system call: entry gate, the call, exit gate   |   exception   |   interrupt (already handled)
//! ```
//! Untraced, the way through costs one load and one branch on the task's gate word at each crossing.
use tollgate_abi::Errno;

use super::{Task, TaskFlag, current, sched, signal};
use crate::arch::percpu;
use crate::arch::user::{self, Reason};
use crate::mm::USER_END;
use crate::mm::addr::UserAddr;
use crate::mm::space::{Access, Fault};
use crate::syscall::table;
use crate::trace;

/// Gates looked at on the way to user mode: all but those of system calls.
const EXIT_GATES: u32 = !(TaskFlag::SyscallTrace as u32);

/// Runs the current task's program until it ends. Never returns: a task that ends does so at a gate.
pub fn run() -> ! {
    let task = current();
    super::fork::begin();
    loop {
        percpu::cli();
        while task.gates.bits() & EXIT_GATES != 0 {
            percpu::sti();
            pass_gates(task);
            percpu::cli();
        }
        // SAFETY: the task itself, and the reference ends with the call. Interrupts are off; the context holds what
        // crossings, `UserContext`'s constructors or `sanitize` left.
        let reason = unsafe { user::enter(task.context_mut()) };
        match reason {
            Reason::Interrupt => {}
            Reason::Syscall => {
                percpu::sti();
                system_call(task);
            }
            Reason::Exception { vector, code, address } => {
                percpu::sti();
                exception(task, vector, code, address);
            }
        }
    }
}

/// The gates on the way to user mode, in order.
fn pass_gates(task: &Task) {
    if task.gates.has(TaskFlag::Reschedule) {
        sched::yield_now();
    }
    if task.gates.has(TaskFlag::Probe) {
        trace::probe_work(task);
    }
    if task.gates.bits() & (TaskFlag::Signal as u32 | TaskFlag::Notify as u32 | TaskFlag::RestoreMask as u32) != 0 {
        signal::deliver();
    }
}

/// A system call: entry gate, the call, exit gate.
fn system_call(task: &Task) {
    if task.gates.has(TaskFlag::SyscallTrace) {
        trace::syscall_entry(task);
    }
    // SAFETY: the task itself; the reference ends with this statement.
    let (number, args) = unsafe {
        let context = task.context_mut();
        (context.orig_rax, context.syscall_args())
    };
    // Only the low half of the number counts, as on Linux.
    let number = u64::from(number as u32);
    let result = table::dispatch(number, args);
    if log::log_enabled!(log::Level::Trace) {
        print_call(task, number, &args, result);
    }
    let restart = matches!(result, Err(error) if error.is_restart());
    let value = match result {
        Ok(value) => value as u64,
        Err(error) => -i64::from(i32::from(error)) as u64,
    };
    // SAFETY: as above.
    unsafe { task.context_mut() }.rax = value;
    if task.gates.has(TaskFlag::SyscallTrace) {
        trace::syscall_exit(task);
    }
    if restart {
        signal::deliver();
    }
}

/// The kernel's own trace (`log=trace`): a line for each system call.
#[cold]
fn print_call(task: &Task, number: u64, args: &[u64; 6], result: Result<usize, Errno>) {
    let tid = task.tid();
    match table::describe(number) {
        Some(call) => log::trace!("{tid}: {} = {result:?}", call.with(args)),
        None => log::trace!("{tid}: system call {number} {args:x?} = {result:?}"),
    }
}

/// An exception in user mode: a page to bring in, or a signal.
fn exception(task: &Task, vector: u8, code: u64, address: u64) {
    const PAGE_FAULT: u8 = 14;
    const NMI: u8 = 2;
    const MACHINE_CHECK: u8 = 18;
    match vector {
        PAGE_FAULT => match page_fault(task, code, address) {
            Ok(()) => {}
            Err(Fault::NoMemory) => super::out_of_memory(),
            Err(fault) => signal::raise_exception(vector, code, address, Some(fault)),
        },
        NMI => crate::panic::nmi(),
        MACHINE_CHECK => panic!("machine check"),
        _ => signal::raise_exception(vector, code, address, None),
    }
}

fn page_fault(task: &Task, code: u64, address: u64) -> Result<(), Fault> {
    const RESERVED_BIT: u64 = 1 << 3;
    assert!(code & RESERVED_BIT == 0, "reserved bit set in a page table, at {address:#x}");
    if address >= USER_END {
        return Err(Fault::NotMapped);
    }
    let access = match code {
        code if code & 1 << 4 != 0 => Access::Execute,
        code if code & 1 << 1 != 0 => Access::Write,
        _ => Access::Read,
    };
    let space = task.space().expect("a task in user mode has an address space");
    space.fault(UserAddr(address), access)
}
