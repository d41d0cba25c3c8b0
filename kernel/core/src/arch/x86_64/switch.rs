//! Switching a CPU from one task to another.
use super::{fpu, msr, percpu};
use crate::mm::kspace;
use crate::mm::space::AddressSpace;
use crate::task::Task;

/// What a task leaves behind while it does not run: the stack pointer, under which the callee-saved registers lie, and
/// the segment bases, which no memory holds while it runs.
pub struct Parked {
    rsp: core::cell::Cell<u64>,
    fs_base: core::cell::Cell<u64>,
    gs_base: core::cell::Cell<u64>,
}

impl Parked {
    /// A task that never ran; [`prepare`] gives it something to return to.
    pub const fn new() -> Self {
        use core::cell::Cell;
        Self { rsp: Cell::new(0), fs_base: Cell::new(0), gs_base: Cell::new(0) }
    }

    /// Segment bases to start with (fork, CLONE_SETTLS), or of a stopped task.
    pub fn set_bases(&self, fs_base: u64, gs_base: u64) {
        self.fs_base.set(fs_base);
        self.gs_base.set(gs_base);
    }
}

/// Makes `task`, which never ran, start in `entry` when it is first switched to.
///
/// # Safety
/// Nobody else has the task yet.
pub unsafe fn prepare(task: &Task, entry: extern "C" fn() -> !) {
    // Below the top: a zero return address that ends backtraces, `entry`, then six registers for `switch_stacks`.
    let top = task.kernel_stack.top().as_u64() - 16;
    let frame = [0u64, 0, 0, 0, 0, 0, entry as *const () as u64, 0];
    let rsp = top - size_of_val(&frame) as u64 + 8;
    // SAFETY: inside the task's own, unused stack. After `ret` into `entry`, rsp is 8 below a multiple of 16, as the
    // ABI has it at a function's first instruction.
    unsafe { (rsp as *mut [u64; 8]).write(frame) };
    task.sched.parked.rsp.set(rsp);
}

/// Switches from `prev` to `next`; returns when something switches back to `prev`.
///
/// # Safety
/// `prev` is the current task, interrupts are off, `next` is parked or prepared and nobody else runs it.
pub unsafe fn switch(prev: &Task, next: &Task) {
    // SAFETY: by contract `prev` runs here and `next` is about to.
    unsafe {
        fpu::switch_out(prev);
        change_space(prev.sched.active_space(), next.sched.active_space());
    }
    if prev.is_user() {
        prev.sched.parked.set_bases(fs_base(), msr::KERNEL_GS_BASE.read());
    }
    // SAFETY: one past the context, inside the task.
    let context_end = unsafe { next.context_ptr().add(1) } as u64;
    percpu::set_current(next, context_end);
    if next.is_user() {
        set_fs_base(next.sched.parked.fs_base.get());
        msr::KERNEL_GS_BASE.write(next.sched.parked.gs_base.get());
        // SAFETY: `next` runs here from now on.
        unsafe { fpu::switch_in(next) };
    }
    // SAFETY: both stack pointers are those of parked tasks, by contract.
    unsafe { switch_stacks(prev.sched.parked.rsp.as_ptr(), next.sched.parked.rsp.get()) };
}

/// Makes this CPU use the page tables of `to` instead of `from`'s; null stands for the kernel's own.
///
/// # Safety
/// Both spaces live; `from` is what this CPU uses; interrupts are off.
pub unsafe fn change_space(from: *const AddressSpace, to: *const AddressSpace) {
    if core::ptr::eq(from, to) {
        return;
    }
    let cpu = percpu::cpu_id();
    // SAFETY: by contract; every space's tables map the kernel.
    unsafe {
        match to.as_ref() {
            Some(space) => {
                space.enter_cpu(cpu);
                super::cpu::write_cr3(space.table().as_u64());
            }
            None => super::cpu::write_cr3(kspace::kernel_table().as_u64()),
        }
        if let Some(space) = from.as_ref() {
            space.leave_cpu(cpu);
        }
    }
}

fn fs_base() -> u64 {
    if super::cpu::has_fsgsbase() {
        let base;
        // SAFETY: CR4.FSGSBASE is on.
        unsafe { core::arch::asm!("rdfsbase {}", out(reg) base, options(nomem, nostack, preserves_flags)) };
        base
    } else {
        msr::FS_BASE.read()
    }
}

fn set_fs_base(base: u64) {
    if super::cpu::has_fsgsbase() {
        // SAFETY: CR4.FSGSBASE is on; the base was checked to be canonical, or read from the register.
        unsafe { core::arch::asm!("wrfsbase {}", in(reg) base, options(nostack, preserves_flags)) };
    } else {
        msr::FS_BASE.write(base);
    }
}

/// Saves the callee-saved registers and the stack pointer, and takes those of another task.
#[unsafe(naked)]
unsafe extern "C" fn switch_stacks(save: *mut u64, load: u64) {
    core::arch::naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rdi], rsp",
        "mov rsp, rsi",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
    )
}
