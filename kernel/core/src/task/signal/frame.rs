//! Signal frames: what a handler finds on its stack. [`super::sigreturn`] takes them back.
//!
//! ```text
//! interrupted rsp
//!   - 128            the red zone stays untouched (or: top of the alternate stack)
//!   XSAVE area       64-aligned, followed by FP_XSTATE_MAGIC2
//!   rt_sigframe      return address, ucontext, siginfo; 16-aligned plus 8, as after a call
//! handler's rsp
//! ```
use core::mem::{offset_of, size_of};
use core::sync::atomic::Ordering;

use tollgate_abi::signal::frame::{
    RED_ZONE, SigContext, SigFrame, UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS, UContext,
};
use tollgate_abi::signal::{SigInfo, sa};
use tollgate_abi::{Errno, Result};
use zerocopy::IntoBytes;

use super::SigSet;
use super::deliver::HandlerCall;
use crate::arch::fpu::{self, MAGIC2_SIZE};
use crate::arch::user::UserContext;
use crate::arch::{copy, fpu_user};
use crate::mm::addr::UserAddr;
use crate::mm::gate;
use crate::mm::user;
use crate::task::Task;

const FLAG_CF: u64 = 1;
const FLAG_PF: u64 = 1 << 2;
const FLAG_AF: u64 = 1 << 4;
const FLAG_ZF: u64 = 1 << 6;
const FLAG_SF: u64 = 1 << 7;
const FLAG_TF: u64 = 1 << 8;
const FLAG_DF: u64 = 1 << 10;
const FLAG_OF: u64 = 1 << 11;
const FLAG_RF: u64 = 1 << 16;
const FLAG_AC: u64 = 1 << 18;
/// The flags that sigreturn takes from the frame; it leaves the others as they are.
pub(super) const FRAME_FLAGS: u64 =
    FLAG_AC | FLAG_OF | FLAG_DF | FLAG_TF | FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF | FLAG_CF | FLAG_RF;

/// Most stack that a signal frame takes, alignment included (AT_MINSIGSTKSZ).
pub fn max_size() -> usize {
    (size_of::<SigFrame>() + 24 + fpu::size() + MAGIC2_SIZE + 64).next_multiple_of(16)
}

/// Pushes a frame for the handler and points the registers at it.
///
/// # Errors
/// `EFAULT` when the stack cannot take it, or there is nowhere for the handler to return to.
pub(super) fn push(task: &Task, context: &mut UserContext, call: &HandlerCall) -> Result<()> {
    let flags = call.action.flags;
    let return_address = if flags & sa::RESTORER != 0 { call.action.restorer } else { trampoline(task)? };
    let altstack = &task.signals.altstack;
    let mut sp = context.rsp.wrapping_sub(RED_ZONE);
    let entered = if flags & sa::ONSTACK != 0 { altstack.top_for(sp) } else { None };
    sp = entered.unwrap_or(sp);
    let on_altstack = entered.is_some() || altstack.is_in_use(context.rsp);

    let fp_state = sp.wrapping_sub((fpu::size() + MAGIC2_SIZE) as u64) & !63;
    sp = (fp_state.wrapping_sub(size_of::<SigFrame>() as u64) & !15).wrapping_sub(8);
    if on_altstack && !altstack.contains(sp) {
        return Err(Errno::EFAULT); // It would run over the end of the alternate stack.
    }

    let wants_info = flags & sa::SIGINFO != 0;
    let frame = SigFrame {
        pretcode: return_address,
        uc: UContext {
            flags: UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
            link: 0,
            stack: altstack.report(context.rsp),
            context: save_registers(task, context, call.restored_mask, fp_state),
            mask: call.restored_mask.0,
        },
        info: call.info,
        info_rest: [0; 10],
    };
    let len = if wants_info { size_of::<SigFrame>() } else { offset_of!(SigFrame, info) };
    user::write_bytes(UserAddr(sp), &frame.as_bytes()[..len])?;
    push_fpu(task, UserAddr(fp_state))?;
    altstack.disarm_for_handler();

    context.rdi = u64::from(call.signal.number());
    context.rsi = sp.wrapping_add(offset_of!(SigFrame, info) as u64);
    context.rdx = sp.wrapping_add(offset_of!(SigFrame, uc) as u64);
    context.rax = 0;
    context.rsp = sp;
    context.rip = call.action.handler;
    context.rflags &= !(FLAG_DF | FLAG_RF | FLAG_TF);
    Ok(())
}

/// Where handlers without SA_RESTORER return to: code of the gate page.
fn trampoline(task: &Task) -> Result<u64> {
    let program = task.process.program().ok_or(Errno::EFAULT)?;
    Ok(gate::sigreturn(program.gate).0)
}

/// The registers as the frame holds them.
fn save_registers(task: &Task, context: &UserContext, mask: SigSet, fpstate: u64) -> SigContext {
    let [trapno, err, cr2] = [0, 1, 2].map(|i: usize| task.signals.fault[i].load(Ordering::Relaxed));
    SigContext {
        r8: context.r8,
        r9: context.r9,
        r10: context.r10,
        r11: context.r11,
        r12: context.r12,
        r13: context.r13,
        r14: context.r14,
        r15: context.r15,
        rdi: context.rdi,
        rsi: context.rsi,
        rbp: context.rbp,
        rbx: context.rbx,
        rdx: context.rdx,
        rax: context.rax,
        rcx: context.rcx,
        rsp: context.rsp,
        rip: context.rip,
        rflags: context.rflags,
        cs: context.cs as u16,
        gs: 0,
        fs: 0,
        ss: context.ss as u16,
        err,
        trapno,
        oldmask: mask.0,
        cr2,
        fpstate,
        reserved: [0; 8],
    }
}

/// Writes the FPU state into the frame and gives the handler a fresh one.
fn push_fpu(task: &Task, to: UserAddr) -> Result<()> {
    // SAFETY: the current task's own state; nobody else refers to it.
    let (bytes, len) = unsafe { task.fpu_mut() }.save_for_frame();
    // SAFETY: `len` bytes that live as long as the task. They are no reference's: should the copy sleep, the switch
    // stores the same registers there again.
    if unsafe { copy::to_user(to, bytes, len) } != 0 {
        return Err(Errno::EFAULT);
    }
    fpu_user::load_initial();
    Ok(())
}

const _: () = assert!(offset_of!(SigFrame, info) == 312 && size_of::<SigInfo>() == 48);
