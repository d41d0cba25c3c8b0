//! CPU exceptions as signals.
use core::sync::atomic::Ordering;

use tollgate_abi::signal::code::{
    BUS_ADRALN, BUS_ADRERR, FPE_FLTDIV, FPE_FLTINV, FPE_FLTOVF, FPE_FLTRES, FPE_FLTUND, FPE_INTDIV, ILL_ILLOPN,
    SEGV_ACCERR, SEGV_MAPERR, SI_KERNEL, TRAP_TRACE,
};

use super::{Signal, force_fault};
use crate::arch::fpu;
use crate::mm::USER_END;
use crate::mm::space::Fault;
use crate::task::{Task, current};

/// The signal for a fault.
struct Cause {
    signal: Signal,
    code: i32,
    /// si_addr.
    address: u64,
}

/// Turns a CPU exception of user mode into its signal for the current task: si_code, si_addr, and what the signal frame
/// says of it. `memory` is what the address space said to a page fault.
pub fn raise_exception(vector: u8, code: u64, address: u64, memory: Option<Fault>) {
    let task = current();
    let frame_code = match vector {
        // Whether a kernel address is mapped is no business of the program's.
        PAGE_FAULT if address >= USER_END => code | PAGE_PRESENT,
        _ => code,
    };
    for (slot, value) in task.signals.fault.iter().zip([u64::from(vector), frame_code, address]) {
        // cr2 keeps the last page fault's address, as the register does.
        if vector == PAGE_FAULT || !core::ptr::eq(slot, &task.signals.fault[2]) {
            slot.store(value, Ordering::Relaxed);
        }
    }
    if let Some(Cause { signal, code, address }) = cause(task, vector, address, memory) {
        force_fault(signal, code, address);
    }
}

const PAGE_FAULT: u8 = 14;
/// Page-fault error code: the page is there.
const PAGE_PRESENT: u64 = 1;

/// The table. `None` when there is nothing to tell: a floating-point fault whose cause is gone already.
fn cause(task: &Task, vector: u8, address: u64, memory: Option<Fault>) -> Option<Cause> {
    // SAFETY: the current task reads its own registers at its gate.
    let rip = unsafe { task.context_mut() }.rip;
    let (signal, code, address) = match vector {
        0 => (Signal::SIGFPE, FPE_INTDIV, rip),
        // Hardware breakpoints are for a tracer to set; what remains are single steps.
        1 => (Signal::SIGTRAP, TRAP_TRACE, rip),
        3 => (Signal::SIGTRAP, SI_KERNEL, 0),
        6 => (Signal::SIGILL, ILL_ILLOPN, rip),
        // Segment not present, stack segment: non-canonical stack addresses end here.
        11 | 12 => (Signal::SIGBUS, SI_KERNEL, 0),
        PAGE_FAULT => match memory {
            Some(Fault::NotMapped) | None => (Signal::SIGSEGV, SEGV_MAPERR, address),
            Some(Fault::Denied) => (Signal::SIGSEGV, SEGV_ACCERR, address),
            Some(Fault::PastEnd) => (Signal::SIGBUS, BUS_ADRERR, address),
            Some(Fault::NoMemory) => {
                log::warn!("out of memory: killing process {}", task.process.pid);
                (Signal::SIGKILL, SI_KERNEL, 0)
            }
        },
        16 | 19 => (Signal::SIGFPE, floating_point_code(task, vector == 16)?, rip),
        17 => (Signal::SIGBUS, BUS_ADRALN, 0),
        // Overflow, bound, invalid TSS, general protection and whatever a later processor adds.
        _ => (Signal::SIGSEGV, SI_KERNEL, 0),
    };
    Some(Cause { signal, code, address })
}

/// Why the FPU (`x87`) or SSE faulted: the first unmasked exception of its status word.
fn floating_point_code(task: &Task, x87: bool) -> Option<i32> {
    fpu::save_current();
    // SAFETY: the current task's own state, just saved; nobody else refers to it.
    let state = unsafe { task.fpu_mut() }.as_bytes();
    let word = |at: usize| u32::from(u16::from_le_bytes([state[at], state[at + 1]]));
    // FXSAVE layout: control word, status word, ..., MXCSR (flags in bits 0 to 5, their masks in 7 to 12).
    let raised = if x87 { word(2) & !word(0) } else { word(24) & !(word(24) >> 7) };
    let invalid = 1 << 0;
    let denormal = 1 << 1;
    let zero_divide = 1 << 2;
    let overflow = 1 << 3;
    let underflow = 1 << 4;
    let inexact = 1 << 5;
    [
        (invalid, FPE_FLTINV),
        (zero_divide, FPE_FLTDIV),
        (overflow, FPE_FLTOVF),
        (underflow | denormal, FPE_FLTUND),
        (inexact, FPE_FLTRES),
    ]
    .into_iter()
    .find_map(|(bits, code)| (raised & bits != 0).then_some(code))
}
