//! rt_sigreturn(2): taking a signal frame back, whoever wrote it.
//!
//! The frame lies in user memory, so nothing in it is believed: segments must be the user's, only harmless flags are
//! taken, and the FPU state is checked before the processor sees it.
use core::mem::{offset_of, size_of};

use tollgate_abi::signal::SigStack;
use tollgate_abi::signal::frame::{
    FP_SOFTWARE_OFFSET, FP_XSTATE_MAGIC1, FP_XSTATE_MAGIC2, FXSAVE_SIZE, FpSoftware, SigFrame, UC_STRICT_RESTORE_SS,
    UContext, XSAVE_MIN_SIZE,
};
use tollgate_abi::{Errno, Result};
use zerocopy::FromBytes;

use super::frame::FRAME_FLAGS;
use super::send::force_segv;
use super::{SigSet, mask};
use crate::arch::fpu;
use crate::arch::fpu_user::{self, UserArea};
use crate::arch::user::UserContext;
use crate::mm::addr::UserAddr;
use crate::mm::user::UserPtr;
use crate::task::{Task, current};

/// rt_sigreturn(2): takes back the frame that the current task's stack pointer is just past. Returns the restored rax;
/// a frame that cannot be read, or would make the registers what a program must not have, raises SIGSEGV.
pub fn sigreturn() -> u64 {
    let task = current();
    let result = pop(task);
    // SAFETY: the current task's own registers; system calls have no other reference to them.
    let context = unsafe { task.context_mut() };
    // What is in rax now is no result of a system call, so nothing is restarted.
    context.orig_rax = u64::MAX;
    if result.is_err() {
        force_segv(false);
    }
    context.rax
}

/// Takes the frame back.
///
/// # Errors
/// `EFAULT` when the frame cannot be read or would make the registers what a program must not have; they may be
/// half restored then, and the caller raises SIGSEGV.
fn pop(task: &Task) -> Result<()> {
    // SAFETY: the current task's own registers; system calls have no other reference to them.
    let context = unsafe { task.context_mut() };
    let frame = UserAddr(context.rsp).wrapping_add(8_u64.wrapping_neg());
    let uc: UContext = UserPtr::new(frame.wrapping_add(offset_of!(SigFrame, uc) as u64)).read()?;
    mask::set_mask(SigSet(uc.mask));
    restore_registers(context, &uc)?;
    pop_fpu(UserAddr(uc.context.fpstate))?;
    // As sigaltstack(2) would; what it refuses is left as it is.
    let SigStack { sp, flags, size, .. } = uc.stack;
    let _ = task.signals.altstack.set(SigStack { sp, flags, pad: 0, size }, context.rsp);
    Ok(())
}

fn restore_registers(context: &mut UserContext, uc: &UContext) -> Result<()> {
    let from = &uc.context;
    let user = UserContext::default();
    // The processor would refuse other segments on the way out (there are none for user mode here).
    let strict_ss = uc.flags & UC_STRICT_RESTORE_SS != 0;
    if u64::from(from.cs | 3) != user.cs || (strict_ss && u64::from(from.ss | 3) != user.ss) {
        return Err(Errno::EFAULT);
    }
    let rflags = context.rflags & !FRAME_FLAGS | from.rflags & FRAME_FLAGS;
    *context = UserContext {
        r15: from.r15,
        r14: from.r14,
        r13: from.r13,
        r12: from.r12,
        rbp: from.rbp,
        rbx: from.rbx,
        r11: from.r11,
        r10: from.r10,
        r9: from.r9,
        r8: from.r8,
        rax: from.rax,
        rcx: from.rcx,
        rdx: from.rdx,
        rsi: from.rsi,
        rdi: from.rdi,
        rip: from.rip,
        rflags,
        rsp: from.rsp,
        ..user
    };
    context.sanitize();
    Ok(())
}

/// Takes the FPU state back from the frame: a whole area with the components the frame names, or, when the frame's marks
/// are not the kernel's, the FXSAVE part alone. A null pointer gives the initial state.
fn pop_fpu(from: UserAddr) -> Result<()> {
    if from.is_null() {
        fpu_user::load_initial();
        return Ok(());
    }
    let mut area = UserArea::new();
    area.read(from);
    let bytes = area.bytes();
    let marks = bytes.get(FP_SOFTWARE_OFFSET..FXSAVE_SIZE).ok_or(Errno::EFAULT)?;
    let (marks, _) = FpSoftware::read_from_prefix(marks).map_err(|_| Errno::EFAULT)?;
    let len = marks.xstate_size as usize;
    let mut whole = marks.magic1 == FP_XSTATE_MAGIC1
        && (XSAVE_MIN_SIZE..=fpu::size()).contains(&len)
        && marks.xstate_size <= marks.extended_size;
    if whole {
        let magic2 = bytes.get(len..).and_then(<[u8]>::first_chunk).ok_or(Errno::EFAULT)?;
        whole = *magic2 == FP_XSTATE_MAGIC2.to_le_bytes();
    }
    let loaded = if whole { area.load(len, marks.features) } else { area.load_legacy() };
    if loaded { Ok(()) } else { Err(Errno::EFAULT) }
}

const _: () = assert!(FXSAVE_SIZE - FP_SOFTWARE_OFFSET == size_of::<FpSoftware>());
