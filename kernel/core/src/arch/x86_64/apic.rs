//! The local APIC: timer, interrupts between CPUs, end of interrupt; and the I/O APIC that routes the UARTs here.
use core::sync::atomic::{AtomicU64, Ordering};

use volatile::VolatilePtr;

use super::{clock, msr, percpu, port};
use crate::mm::addr::PhysAddr;
use crate::mm::kspace;
use crate::sync::{Rank, SpinLock};

/// Vectors the kernel gives out.
pub mod vector {
    /// First of the 16 ISA interrupts; ISA line n is `ISA + n`.
    pub const ISA: u8 = 0x20;
    /// The local timer.
    pub const TIMER: u8 = 0xef;
    /// "Look at your run queue."
    pub const RESCHEDULE: u8 = 0xf0;
    /// "Look at your TLB mailbox."
    pub const TLB: u8 = 0xf1;
    /// What the APIC delivers when an interrupt vanished.
    pub const SPURIOUS: u8 = 0xff;
}

const REG_ID: usize = 0x20;
const REG_EOI: usize = 0xb0;
const REG_SPURIOUS: usize = 0xf0;
const REG_ICR_LOW: usize = 0x300;
const REG_ICR_HIGH: usize = 0x310;
const REG_LVT_TIMER: usize = 0x320;
const REG_LVT_LINT0: usize = 0x350;
const REG_LVT_LINT1: usize = 0x360;
const REG_TIMER_INITIAL: usize = 0x380;
const REG_TIMER_CURRENT: usize = 0x390;
const REG_TIMER_DIVIDE: usize = 0x3e0;
const DIVIDE_BY_1: u32 = 0b1011;
const MASKED: u32 = 1 << 16;
const ICR_PENDING: u32 = 1 << 12;
const DELIVER_NMI: u32 = 4 << 8;
const DELIVER_INIT: u32 = 5 << 8;
const DELIVER_STARTUP: u32 = 6 << 8;
const LEVEL_ASSERT: u32 = 1 << 14;

/// Where the local APIC's registers are mapped (the same for every CPU, each sees its own).
static REGISTERS: AtomicU64 = AtomicU64::new(0);
/// Timer ticks per second.
static TIMER_HZ: AtomicU64 = AtomicU64::new(0);

fn register(offset: usize) -> VolatilePtr<'static, u32> {
    let base = REGISTERS.load(Ordering::Relaxed);
    debug_assert!(base != 0);
    // SAFETY: the page at `base` is the APIC's registers, mapped for good; offsets are those of the architecture.
    unsafe { VolatilePtr::new(core::ptr::NonNull::new_unchecked((base as usize + offset) as *mut u32)) }
}

/// Maps the registers, silences the old interrupt controllers, and sets this (the first) CPU's APIC up.
pub(super) fn init(acpi: &super::acpi::Tables) {
    // SAFETY: the two 8259s' ports; everything masked, so that only the APICs deliver.
    unsafe {
        port::write(0x21, 0xff);
        port::write(0xa1, 0xff);
    }
    REGISTERS.store(kspace::map_device(PhysAddr::new(acpi.local_apic), 4096).as_u64(), Ordering::Relaxed);
    init_cpu();
    if let Some(io_apic) = acpi.io_apic {
        IO_APIC.lock().base = kspace::map_device(PhysAddr::new(io_apic), 4096).as_u64();
    }
}

/// Turns this CPU's APIC on.
pub(super) fn init_cpu() {
    msr::APIC_BASE.write(msr::APIC_BASE.read() | 1 << 11);
    register(REG_SPURIOUS).write(0x100 | u32::from(vector::SPURIOUS));
    register(REG_LVT_LINT0).write(MASKED);
    register(REG_LVT_LINT1).write(DELIVER_NMI);
    register(REG_TIMER_DIVIDE).write(DIVIDE_BY_1);
    register(REG_LVT_TIMER).write(u32::from(vector::TIMER));
    percpu::this_cpu().apic_id.set(register(REG_ID).read() >> 24);
}

/// Measures the timer against the clock, which must run already.
pub(super) fn calibrate_timer() {
    const WINDOW_NS: u64 = 2_000_000;
    register(REG_LVT_TIMER).write(MASKED);
    register(REG_TIMER_INITIAL).write(u32::MAX);
    let start = clock::now_ns();
    while clock::now_ns() - start < WINDOW_NS {
        core::hint::spin_loop();
    }
    let ticks = u64::from(u32::MAX - register(REG_TIMER_CURRENT).read());
    let elapsed = clock::now_ns() - start;
    TIMER_HZ.store((ticks * 1_000_000_000 / elapsed).max(1), Ordering::Relaxed);
    register(REG_TIMER_INITIAL).write(0);
    register(REG_LVT_TIMER).write(u32::from(vector::TIMER));
}

/// Arms the timer to fire once, `ns` from now (at least one tick; far times are cut, and asked for again).
pub(super) fn set_timer(ns: u64) {
    let ticks = u128::from(ns) * u128::from(TIMER_HZ.load(Ordering::Relaxed)) / 1_000_000_000;
    register(REG_TIMER_INITIAL).write((ticks as u64).clamp(1, u64::from(u32::MAX)) as u32);
}

/// Tells the APIC that the interrupt in service is done.
pub(super) fn end_of_interrupt() {
    register(REG_EOI).write(0);
}

fn send(apic_id: u32, command: u32) {
    percpu::irq_disable();
    register(REG_ICR_HIGH).write(apic_id << 24);
    register(REG_ICR_LOW).write(command);
    while register(REG_ICR_LOW).read() & ICR_PENDING != 0 {
        core::hint::spin_loop();
    }
    percpu::irq_enable();
}

/// Interrupts CPU `cpu` with `vector`.
pub fn send_ipi(cpu: usize, vector: u8) {
    if let Some(block) = percpu::of_cpu(cpu) {
        send(block.apic_id.get(), u32::from(vector) | LEVEL_ASSERT);
    }
}

/// Interrupts CPU `cpu` even where interrupts are off: the panic path's.
pub fn send_nmi(cpu: usize) {
    if let Some(block) = percpu::of_cpu(cpu) {
        send(block.apic_id.get(), DELIVER_NMI | LEVEL_ASSERT);
    }
}

/// Starts the CPU with this APIC number at physical address `page * 4096`, in real mode.
pub(super) fn start_cpu(apic_id: u32, page: u8) {
    send(apic_id, DELIVER_INIT | LEVEL_ASSERT);
    clock::spin_ns(100_000);
    for _ in 0..2 {
        send(apic_id, DELIVER_STARTUP | LEVEL_ASSERT | u32::from(page));
        clock::spin_ns(100_000);
    }
}

/// The I/O APIC's window: an index and a data register.
struct IoApic {
    base: u64,
}

static IO_APIC: SpinLock<IoApic> = SpinLock::new(Rank::Device, IoApic { base: 0 });

impl IoApic {
    fn write(&mut self, index: u32, value: u32) {
        // SAFETY: the two registers of the mapped I/O APIC.
        unsafe {
            (self.base as *mut u32).write_volatile(index);
            ((self.base + 0x10) as *mut u32).write_volatile(value);
        }
    }
}

/// Routes ISA line `line` to the first CPU as vector `ISA + line`.
pub(super) fn route_isa(acpi: &super::acpi::Tables, line: u8) {
    let mut io_apic = IO_APIC.lock();
    if io_apic.base == 0 {
        return;
    }
    let (pin, flags) = acpi.isa_override(line);
    // Polarity (bits 0-1: 3 = active low) and trigger (bits 2-3: 3 = level) of the ACPI override.
    let polarity = if flags & 3 == 3 { 1 << 13 } else { 0 };
    let trigger = if flags >> 2 & 3 == 3 { 1 << 15 } else { 0 };
    io_apic.write(0x10 + 2 * pin + 1, percpu::this_cpu().apic_id.get() << 24);
    io_apic.write(0x10 + 2 * pin, u32::from(vector::ISA + line) | polarity | trigger);
}
