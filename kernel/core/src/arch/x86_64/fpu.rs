//! FPU, SSE and AVX state by XSAVE.
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tollgate_abi::signal::frame::{FP_SOFTWARE_OFFSET, FP_XSTATE_MAGIC1, FP_XSTATE_MAGIC2, FpSoftware};
use zerocopy::IntoBytes;

use super::{cpu, percpu};
use crate::task::Task;

/// Components the kernel saves, where the CPU has them: x87, SSE, AVX and the three of AVX-512.
const WANTED: u64 = 0b1110_0111;
/// Most bytes an area with those components takes (the standard format gives each a fixed place).
pub(super) const MAXIMUM: usize = 2688;
/// Bytes of the magic number behind the area in signal frames.
pub const MAGIC2_SIZE: usize = size_of::<u32>();
/// The legacy region and the XSAVE header, which every area has.
const MINIMUM: usize = 512 + 64;

static FEATURES: AtomicU64 = AtomicU64::new(0b11);
static SIZE: AtomicUsize = AtomicUsize::new(MINIMUM);

/// Offset of MXCSR in the area.
pub(super) const MXCSR: usize = 24;
pub(super) const MXCSR_INITIAL: u32 = 0x1f80;
/// Offset of XSTATE_BV in the area, the first word of its header.
pub(super) const XSTATE_BV: usize = 512;

/// A 64-aligned piece of an XSAVE area.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// One task's extended state: an XSAVE area in the standard (not compacted) format, as signal frames carry it.
pub struct FpuState {
    area: Box<[Line]>,
}

/// Bytes of an XSAVE area on this machine (at least 576).
pub fn size() -> usize {
    SIZE.load(Ordering::Relaxed)
}

/// The state components in use (XCR0).
pub fn features() -> u64 {
    FEATURES.load(Ordering::Relaxed)
}

/// Turns the components on for this CPU; the first CPU also measures the area.
pub(super) fn init_cpu() {
    let (low, _, _, high) = cpu::cpuid(0xd, 0);
    let mut features = (u64::from(high) << 32 | u64::from(low)) & WANTED;
    if features & 0b1110_0000 != 0b1110_0000 || features & 0b100 == 0 {
        features &= 0b111; // AVX-512's components only come together, and with AVX.
    }
    // SAFETY: CPUID lists these components; OSXSAVE is on (`cpu::init_cpu`).
    unsafe {
        core::arch::asm!("xsetbv", in("ecx") 0, in("eax") features as u32, in("edx") (features >> 32) as u32, options(nostack, preserves_flags));
    }
    FEATURES.store(features, Ordering::Relaxed);
    // With XCR0 set, EBX is the size of an area with just these components.
    let size = cpu::cpuid(0xd, 0).1 as usize;
    assert!((MINIMUM..=MAXIMUM).contains(&size), "an XSAVE area of {size} bytes");
    SIZE.store(size, Ordering::Relaxed);
}

impl FpuState {
    /// The state a fresh program starts with.
    pub fn new() -> Self {
        let mut area: Vec<Line> = vec![Line([0; 64]); (size() + MAGIC2_SIZE).div_ceil(64)];
        area[0].0[0..2].copy_from_slice(&0x037f_u16.to_le_bytes());
        area[0].0[MXCSR..MXCSR + 4].copy_from_slice(&MXCSR_INITIAL.to_le_bytes());
        Self { area: area.into_boxed_slice() }
    }

    /// Stores the CPU's registers here (the current task's state lives in the CPU while it runs).
    pub fn save(&mut self) {
        // SAFETY: the area is 64-aligned and as large as the components in XCR0 need.
        unsafe {
            core::arch::asm!("xsave64 [{}]", in(reg) self.area.as_mut_ptr(), in("eax") u32::MAX, in("edx") u32::MAX, options(nostack, preserves_flags));
        }
    }

    /// Loads the CPU's registers from here.
    pub fn restore(&self) {
        // SAFETY: the area was written by `save`, or checked by `set_from_user`, so that XRSTOR does not fault.
        unsafe {
            core::arch::asm!("xrstor64 [{}]", in(reg) self.area.as_ptr(), in("eax") u32::MAX, in("edx") u32::MAX, options(nostack, preserves_flags, readonly));
        }
    }

    /// The XSAVE area's bytes ([`size`] of them).
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: lines are plain bytes, and there are at least `size()` of them.
        unsafe { core::slice::from_raw_parts(self.area.as_ptr().cast(), size()) }
    }

    /// What a signal frame carries of a running task: stores the CPU's registers here, marks the area in the bytes the
    /// CPU leaves to software, and says that the legacy components are there, for programs that change them and know
    /// nothing of the header. Returns where the bytes are and how many, the magic number behind the area included.
    pub fn save_for_frame(&mut self) -> (*const u8, usize) {
        self.save();
        let size = size();
        let marks = FpSoftware {
            magic1: FP_XSTATE_MAGIC1,
            extended_size: (size + MAGIC2_SIZE) as u32,
            features: features(),
            xstate_size: size as u32,
            pad: [0; 7],
        };
        // SAFETY: plain bytes, and there is room for the magic number behind the `size()` bytes of the area.
        let bytes = unsafe { core::slice::from_raw_parts_mut(self.area.as_mut_ptr().cast::<u8>(), size + MAGIC2_SIZE) };
        bytes[FP_SOFTWARE_OFFSET..FP_SOFTWARE_OFFSET + size_of::<FpSoftware>()].copy_from_slice(marks.as_bytes());
        bytes[XSTATE_BV] |= 0b11;
        bytes[size..].copy_from_slice(&FP_XSTATE_MAGIC2.to_le_bytes());
        (bytes.as_ptr(), bytes.len())
    }
}

impl Clone for FpuState {
    fn clone(&self) -> Self {
        Self { area: self.area.clone() }
    }
}

impl Default for FpuState {
    fn default() -> Self {
        Self::new()
    }
}

/// Stores the outgoing task's registers if this CPU holds them. Interrupts are off.
///
/// # Safety
/// `task` is the one that runs on this CPU.
pub(super) unsafe fn switch_out(task: &Task) {
    if percpu::this_cpu().fpu_owner.get() == &raw const *task {
        // SAFETY: the running task's state is ours to touch.
        unsafe { task.fpu_mut() }.save();
    }
}

/// Makes the CPU hold the incoming task's registers, unless it still does. Interrupts are off.
///
/// # Safety
/// `task` is about to run on this CPU.
pub(super) unsafe fn switch_in(task: &Task) {
    let cpu = percpu::this_cpu();
    if cpu.fpu_owner.get() == &raw const *task && task.sched.ran_last_on(cpu.id()) {
        return;
    }
    // SAFETY: the task runs nowhere else.
    unsafe { task.fpu_mut() }.restore();
    cpu.fpu_owner.set(task);
}

/// Forgets that this CPU holds anybody's registers, so that the next switch loads them: for a task that goes away.
pub fn disown(task: &Task) {
    percpu::irq_disable();
    let cpu = percpu::this_cpu();
    if cpu.fpu_owner.get() == &raw const *task {
        cpu.fpu_owner.set(core::ptr::null());
    }
    percpu::irq_enable();
}

/// Stores the current task's registers into its block, where `Task::fpu_mut` shows them.
pub fn save_current() {
    percpu::irq_disable();
    let task = crate::task::current();
    // SAFETY: the running task's state is ours to touch, and interrupts are off.
    unsafe { task.fpu_mut() }.save();
    percpu::irq_enable();
}

/// Loads the current task's registers from its block, after `Task::fpu_mut` changed them.
pub fn load_current() {
    percpu::irq_disable();
    let task = crate::task::current();
    // SAFETY: the running task's state is ours to touch, and interrupts are off.
    unsafe { task.fpu_mut() }.restore();
    percpu::irq_enable();
}
