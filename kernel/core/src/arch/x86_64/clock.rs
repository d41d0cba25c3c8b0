//! The machine's clock: the time stamp counter, calibrated, and the timer interrupt.
use core::arch::x86_64::_rdtsc;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::{apic, percpu, port};

/// Ticks per second of the ACPI PM timer.
const PM_TIMER_HZ: u64 = 3_579_545;
/// Calibration window, PM timer ticks (about 2 ms).
const WINDOW: u64 = 7_159;

static TSC_HZ: AtomicU64 = AtomicU64::new(1_000_000_000);
/// ns = (tsc - base) * MULTIPLIER >> SHIFT
static MULTIPLIER: AtomicU32 = AtomicU32::new(0);
static BASE: AtomicU64 = AtomicU64::new(0);
static BOOT_UNIX_NS: AtomicU64 = AtomicU64::new(0);
const SHIFT: u32 = 22;

fn tsc() -> u64 {
    // SAFETY: every x86-64 CPU has RDTSC.
    unsafe { _rdtsc() }
}

/// Measures the time stamp counter, and reads the wall clock. The first CPU calls this once.
pub(super) fn init(acpi: &super::acpi::Tables) {
    let hz = from_cpuid().unwrap_or_else(|| measure(acpi.pm_timer));
    TSC_HZ.store(hz, Ordering::Relaxed);
    MULTIPLIER.store(((1_000_000_000u128 << SHIFT) / u128::from(hz)) as u32, Ordering::Relaxed);
    BASE.store(tsc(), Ordering::Relaxed);
    BOOT_UNIX_NS.store(super::rtc::unix_seconds() * 1_000_000_000, Ordering::Relaxed);
}

/// What CPUID says of the counter: leaf 15h, or a hypervisor's leaf 4000_0010h (kHz).
fn from_cpuid() -> Option<u64> {
    use super::cpu::cpuid;
    if cpuid(0, 0).0 >= 0x15 {
        let (denominator, numerator, crystal_hz, _) = cpuid(0x15, 0);
        if denominator != 0 && numerator != 0 && crystal_hz != 0 {
            return Some(u64::from(crystal_hz) * u64::from(numerator) / u64::from(denominator));
        }
    }
    let hypervisor = cpuid(1, 0).2 & 1 << 31 != 0;
    if hypervisor && cpuid(0x4000_0000, 0).0 >= 0x4000_0010 {
        let khz = u64::from(cpuid(0x4000_0010, 0).0);
        if khz != 0 {
            return Some(khz * 1000);
        }
    }
    None
}

/// Counts TSC ticks while the PM timer (or, without one, the PIT) counts `WINDOW`.
fn measure(pm_timer: Option<u16>) -> u64 {
    let Some(pm_timer) = pm_timer else { return measure_by_pit() };
    // SAFETY: the FADT names this port; reading it has no effect.
    let now = || u64::from(unsafe { port::read_long(pm_timer) } & 0xff_ffff);
    let start = now();
    let from = tsc();
    let mut ticks = 0;
    while ticks < WINDOW {
        ticks = now().wrapping_sub(start) & 0xff_ffff;
    }
    (tsc() - from) * PM_TIMER_HZ / ticks
}

/// Channel 2 of the PIT, counting down about 5 ms once, its output polled through port 61h.
fn measure_by_pit() -> u64 {
    const COUNT: u64 = 5_966;
    const PIT_HZ: u64 = 1_193_182;
    // SAFETY: the PIT's and the speaker gate's ports, as every PC has them; channel 2 drives nothing but the speaker.
    unsafe {
        port::write(0x61, port::read(0x61) & !2 | 1);
        port::write(0x43, 0xb0);
        port::write(0x42, COUNT as u8);
        port::write(0x42, (COUNT >> 8) as u8);
        let from = tsc();
        while port::read(0x61) & 0x20 == 0 {}
        (tsc() - from) * PIT_HZ / COUNT
    }
}

/// Nanoseconds since boot, monotonic across CPUs.
#[inline]
pub fn now_ns() -> u64 {
    let ticks = tsc().saturating_sub(BASE.load(Ordering::Relaxed));
    let multiplier = u64::from(MULTIPLIER.load(Ordering::Relaxed));
    // Two halves, so that the product cannot overflow for centuries.
    (((ticks >> SHIFT) * multiplier) + (((ticks & ((1 << SHIFT) - 1)) * multiplier) >> SHIFT)).max(1)
}

/// Wall-clock time at boot, nanoseconds since 1970 (from the CMOS clock).
pub fn boot_unix_ns() -> u64 {
    BOOT_UNIX_NS.load(Ordering::Relaxed)
}

/// Time stamp counter ticks per second.
pub fn tsc_hz() -> u64 {
    TSC_HZ.load(Ordering::Relaxed)
}

/// How the counter becomes nanoseconds: (base, multiplier, shift), for the vDSO's data page.
pub fn tsc_scale() -> (u64, u32, u32) {
    (BASE.load(Ordering::Relaxed), MULTIPLIER.load(Ordering::Relaxed), SHIFT)
}

/// Waits, busily.
pub(super) fn spin_ns(ns: u64) {
    let end = now_ns() + ns;
    while now_ns() < end {
        core::hint::spin_loop();
    }
}

/// Asks for a timer interrupt on this CPU at `at` (monotonic nanoseconds) or soon after; the earliest wish wins until
/// the interrupt, which calls [`crate::task::timer::expire`] and the scheduler's tick.
pub fn wake_at(at: u64) {
    percpu::irq_disable();
    let cpu = percpu::this_cpu();
    if at < cpu.timer_at.get() {
        cpu.timer_at.set(at);
        apic::set_timer(at.saturating_sub(now_ns()));
    }
    percpu::irq_enable();
}

/// The timer interrupt. Those it calls ask again for what they still want.
pub(super) fn interrupt(from_user: bool) {
    percpu::this_cpu().timer_at.set(u64::MAX);
    let now = now_ns();
    crate::task::timer::expire(now);
    crate::task::sched::tick(now, from_user);
}
