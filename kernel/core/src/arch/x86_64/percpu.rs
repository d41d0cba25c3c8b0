//! What each CPU knows of itself, reached through GS while in the kernel.
use core::cell::{Cell, UnsafeCell};
use core::mem::offset_of;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use super::gdt::Descriptors;
use crate::sync::HeldRanks;
use crate::task::Task;

/// Most CPUs the kernel uses; CPU masks are one `u64`.
pub const MAX_CPUS: usize = 64;

/// One CPU's block. Only its own CPU touches it (through GS), except for the atomics.
#[repr(C)]
pub struct PerCpu {
    /// Its own address, so that `gs:0` gives a plain pointer.
    this: Cell<*const PerCpu>,
    /// Where the entry stubs put the user's stack pointer for a moment.
    scratch: Cell<u64>,
    /// Just past the current task's user register block: where user-mode crossings push.
    context_end: Cell<u64>,
    /// Kernel stack pointer inside [`super::user::enter`], to come back to.
    kernel_rsp: Cell<u64>,
    /// The running task.
    current: Cell<*const Task>,
    cpu_id: Cell<usize>,
    irq_depth: Cell<usize>,
    irq_was_on: Cell<bool>,
    held: HeldRanks,
    /// GDT, TSS and interrupt stacks.
    pub(super) descriptors: UnsafeCell<Descriptors>,
    /// This CPU's local APIC number.
    pub(super) apic_id: Cell<u32>,
    /// What the scheduler keeps per CPU.
    pub sched: crate::task::sched::CpuSched,
    /// The task whose FPU registers this CPU holds.
    pub(super) fpu_owner: Cell<*const Task>,
    /// Earliest timer wish, monotonic nanoseconds; `u64::MAX` when none.
    pub(super) timer_at: Cell<u64>,
    /// TLB requests for this CPU.
    pub(super) tlb: super::tlb::Mailbox,
}

/// Offset of [`PerCpu::scratch`], for the entry stubs.
pub(super) const SCRATCH: usize = offset_of!(PerCpu, scratch);
/// Offset of [`PerCpu::context_end`], for the entry stubs.
pub(super) const CONTEXT_END: usize = offset_of!(PerCpu, context_end);
/// Offset of [`PerCpu::kernel_rsp`], for the entry stubs.
pub(super) const KERNEL_RSP: usize = offset_of!(PerCpu, kernel_rsp);
const CURRENT: usize = offset_of!(PerCpu, current);
const CPU_ID: usize = offset_of!(PerCpu, cpu_id);
const IRQ_DEPTH: usize = offset_of!(PerCpu, irq_depth);
const IRQ_WAS_ON: usize = offset_of!(PerCpu, irq_was_on);

// SAFETY: the cells are only touched by the block's own CPU; the rest is made of atomics and locks.
unsafe impl Sync for PerCpu {}

impl PerCpu {
    /// A block for CPU `cpu_id`, not yet in use.
    pub const fn new(cpu_id: usize) -> Self {
        Self {
            this: Cell::new(core::ptr::null()),
            scratch: Cell::new(0),
            context_end: Cell::new(0),
            kernel_rsp: Cell::new(0),
            current: Cell::new(core::ptr::null()),
            cpu_id: Cell::new(cpu_id),
            irq_depth: Cell::new(0),
            irq_was_on: Cell::new(false),
            held: HeldRanks::new(),
            descriptors: UnsafeCell::new(Descriptors::new()),
            apic_id: Cell::new(0),
            sched: crate::task::sched::CpuSched::new(),
            fpu_owner: Cell::new(core::ptr::null()),
            timer_at: Cell::new(u64::MAX),
            tlb: super::tlb::Mailbox::new(),
        }
    }

    /// This block's CPU number.
    pub fn id(&self) -> usize {
        self.cpu_id.get()
    }
}

static FIRST: PerCpu = PerCpu::new(0);
static BLOCKS: [AtomicPtr<PerCpu>; MAX_CPUS] = [const { AtomicPtr::new(core::ptr::null_mut()) }; MAX_CPUS];
static COUNT: AtomicUsize = AtomicUsize::new(1);

/// The first CPU's block.
pub(super) fn first() -> &'static PerCpu {
    &FIRST
}

/// Makes `block` this CPU's.
pub(super) fn init(block: &'static PerCpu) {
    block.this.set(block);
    BLOCKS[block.id()].store((&raw const *block).cast_mut(), Ordering::Release);
    super::msr::GS_BASE.write(&raw const *block as u64);
    super::msr::KERNEL_GS_BASE.write(0);
}

/// Says that CPUs 0 to `count - 1` run.
pub(super) fn set_count(count: usize) {
    COUNT.store(count, Ordering::Release);
}

/// This CPU's block. The reference must not be kept across a sleep: the task may wake on another CPU.
#[inline]
pub fn this_cpu() -> &'static PerCpu {
    let this: *const PerCpu;
    // SAFETY: in the kernel GS points at this CPU's block, whose first word is its own address; blocks live forever.
    unsafe {
        core::arch::asm!("mov {}, gs:[0]", out(reg) this, options(nostack, preserves_flags, readonly));
        &*this
    }
}

/// CPU `id`'s block, if that CPU runs.
pub fn of_cpu(id: usize) -> Option<&'static PerCpu> {
    // SAFETY: a non-null entry is a block that lives forever.
    unsafe { BLOCKS.get(id)?.load(Ordering::Acquire).as_ref() }
}

/// This CPU's number, 0 for the first.
#[inline]
pub fn cpu_id() -> usize {
    let id: usize;
    // SAFETY: reads a field of this CPU's block, which GS points at.
    unsafe {
        core::arch::asm!("mov {}, gs:[{}]", out(reg) id, const CPU_ID, options(nostack, preserves_flags, readonly));
    }
    id
}

/// Number of CPUs that run.
pub fn cpu_count() -> usize {
    COUNT.load(Ordering::Acquire)
}

/// The running task; null before tasks run. One load, so it cannot tear when the task moves to another CPU.
#[inline]
pub fn current_task() -> *const Task {
    let task: *const Task;
    // SAFETY: reads a field of this CPU's block, which GS points at.
    unsafe {
        core::arch::asm!("mov {}, gs:[{}]", out(reg) task, const CURRENT, options(nostack, preserves_flags, readonly));
    }
    task
}

/// Notes which task runs, and where its user registers end. Interrupts are off.
pub fn set_current(task: *const Task, context_end: u64) {
    let cpu = this_cpu();
    cpu.current.set(task);
    cpu.context_end.set(context_end);
    // SAFETY: interrupts are off and no other reference to the descriptors is alive; only this CPU touches them.
    unsafe { (*cpu.descriptors.get()).set_kernel_stack(context_end) };
}

/// Turns interrupts off; nests.
#[inline]
pub fn irq_disable() {
    // SAFETY: touches this CPU's own counters, with interrupts off. Not `nomem`: it orders accesses like a lock.
    unsafe {
        core::arch::asm!(
            "pushfq",
            "cli",
            "pop {flags}",
            "cmp qword ptr gs:[{depth}], 0",
            "jne 2f",
            "bt {flags:e}, 9", // The interrupt flag.
            "setc byte ptr gs:[{was_on}]",
            "2: inc qword ptr gs:[{depth}]",
            flags = out(reg) _,
            depth = const IRQ_DEPTH,
            was_on = const IRQ_WAS_ON,
        );
    }
}

/// Undoes one [`irq_disable`]; the outermost turns interrupts back on if they were.
#[inline]
pub fn irq_enable() {
    debug_assert!(irq_depth() > 0);
    // SAFETY: touches this CPU's own counters, with interrupts off until the end. Not `nomem`, as above.
    unsafe {
        core::arch::asm!(
            "dec qword ptr gs:[{depth}]",
            "jnz 2f",
            "cmp byte ptr gs:[{was_on}], 0",
            "je 2f",
            "sti",
            "2:",
            depth = const IRQ_DEPTH,
            was_on = const IRQ_WAS_ON,
        );
    }
}

/// How many [`irq_disable`] are open on this CPU.
#[inline]
pub fn irq_depth() -> usize {
    let depth: usize;
    // SAFETY: reads a field of this CPU's block, which GS points at.
    unsafe {
        core::arch::asm!("mov {}, gs:[{}]", out(reg) depth, const IRQ_DEPTH, options(nostack, preserves_flags, readonly));
    }
    depth
}

/// Sets what the outermost [`irq_enable`] does, at a depth of exactly one: a task that is switched to restores its own.
pub fn swap_irq_was_on(on: bool) -> bool {
    this_cpu().irq_was_on.replace(on)
}

/// Spinning locks this CPU holds. Interrupts are off.
pub fn held_ranks() -> &'static HeldRanks {
    &this_cpu().held
}

/// Turns interrupts off, without nesting: for the trap paths.
#[inline]
pub fn cli() {
    // SAFETY: turning interrupts off breaks no promise. Not `nomem`: it orders accesses like a lock.
    unsafe { core::arch::asm!("cli", options(nostack)) };
}

/// Turns interrupts on, without nesting: for the trap paths.
#[inline]
pub fn sti() {
    // SAFETY: handlers are in place since boot; callers are where interrupts may come. Not `nomem`, as above.
    unsafe { core::arch::asm!("sti", options(nostack)) };
}
