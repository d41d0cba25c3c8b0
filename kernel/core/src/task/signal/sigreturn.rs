//! rt_sigreturn(2): taking a signal frame back, whoever wrote it.
//!
//! The frame lies in user memory, so nothing in it is believed: segments must be the user's, only harmless flags are
//! taken, and the FPU state is checked before the processor sees it.
use core::mem::{MaybeUninit, offset_of, size_of};

use tollgate_abi::signal::SigStack;
use tollgate_abi::signal::frame::{
    FP_SOFTWARE_OFFSET, FP_XSTATE_MAGIC1, FP_XSTATE_MAGIC2, FXSAVE_SIZE, FpSoftware, SigFrame, UC_STRICT_RESTORE_SS,
    UContext, XSAVE_MIN_SIZE, XSTATE_BV_OFFSET,
};
use tollgate_abi::{Errno, Result};
use zerocopy::FromBytes;

use super::frame::{FRAME_FLAGS, MAGIC2_SIZE};
use super::send::force_segv;
use super::{SigSet, mask};
use crate::arch::user::UserContext;
use crate::arch::{copy, fpu};
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
    pop_fpu(task, UserAddr(uc.context.fpstate))?;
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

/// Room for the XSAVE areas of all but the most unusual processors, and the magic number behind.
const USUAL_ROOM: usize = 2752;

/// Takes the FPU state back from the frame; a null pointer gives the initial state.
fn pop_fpu(task: &Task, from: UserAddr) -> Result<()> {
    if from.is_null() {
        return load_fpu(task, |state| {
            state.reset();
            true
        });
    }
    let len = fpu::size() + MAGIC2_SIZE;
    let mut usual = [const { MaybeUninit::uninit() }; USUAL_ROOM];
    let mut large;
    let room = if len <= USUAL_ROOM {
        &mut usual[..len]
    } else {
        large = alloc::vec![MaybeUninit::uninit(); len];
        &mut large[..]
    };
    let len = read_area(from, room)?;
    // SAFETY: `read_area` wrote this many bytes.
    let area = unsafe { room[..len].assume_init_ref() };
    load_fpu(task, |state| state.set_from_user(area))
}

/// Reads the frame's FPU state into `room`: a whole area with the components the frame names, or, when the frame's
/// marks are not the kernel's, the FXSAVE part alone. Returns its length.
fn read_area(from: UserAddr, room: &mut [MaybeUninit<u8>]) -> Result<usize> {
    // In one go what frames of the kernel's making have; a smaller one may end before unmapped memory.
    let got = read_into(from, room);
    if got.len() < FXSAVE_SIZE {
        return Err(Errno::EFAULT);
    }
    let marks = &got[FP_SOFTWARE_OFFSET..FP_SOFTWARE_OFFSET + size_of::<FpSoftware>()];
    let marks = FpSoftware::read_from_bytes(marks).expect("the slice has its size");
    let len = marks.xstate_size as usize;
    let marked = marks.magic1 == FP_XSTATE_MAGIC1
        && (XSAVE_MIN_SIZE..=fpu::size()).contains(&len)
        && marks.xstate_size <= marks.extended_size;
    if !marked {
        return Ok(FXSAVE_SIZE);
    }
    let magic2 = got.get(len..).and_then(<[u8]>::first_chunk).ok_or(Errno::EFAULT)?;
    if *magic2 != FP_XSTATE_MAGIC2.to_le_bytes() {
        return Ok(FXSAVE_SIZE);
    }
    // Components the program did not name in its marks come back in their initial state.
    let present: &mut [u8; 8] = got[XSTATE_BV_OFFSET..].first_chunk_mut().expect("len was checked");
    let bits = u64::from_le_bytes(*present);
    if bits & !fpu::features() != 0 {
        return Err(Errno::EFAULT);
    }
    *present = (bits & marks.features).to_le_bytes();
    let size = fpu::size();
    room[len..size].fill(MaybeUninit::new(0));
    Ok(size)
}

/// Copies user bytes into `room` until one cannot be read; returns those that could.
fn read_into(from: UserAddr, room: &mut [MaybeUninit<u8>]) -> &mut [u8] {
    // SAFETY: `room` is ours and writable for its length.
    let left = unsafe { copy::from_user(room.as_mut_ptr().cast(), from, room.len()) };
    let got = room.len() - left;
    // SAFETY: this many bytes were written.
    unsafe { room[..got].assume_init_mut() }
}

/// Changes the current task's FPU state, in one go: nothing here sleeps, or a task switch would undo it.
fn load_fpu(task: &Task, change: impl FnOnce(&mut fpu::FpuState) -> bool) -> Result<()> {
    // SAFETY: the current task's own state; nobody else refers to it.
    if !change(unsafe { task.fpu_mut() }) {
        return Err(Errno::EFAULT);
    }
    fpu::load_current();
    Ok(())
}
