//! What the CPU can do, and its control registers.
use core::arch::x86_64::__cpuid_count;
use core::sync::atomic::{AtomicBool, Ordering};

use super::msr;

/// Interrupts are on.
pub const FLAG_IF: u64 = 1 << 9;
/// Single step.
pub const FLAG_TF: u64 = 1 << 8;

const CR0_MP: u64 = 1 << 1;
const CR0_EM: u64 = 1 << 2;
const CR0_TS: u64 = 1 << 3;
const CR0_NE: u64 = 1 << 5;
const CR0_WP: u64 = 1 << 16;
const CR4_PGE: u64 = 1 << 7;
const CR4_OSFXSR: u64 = 1 << 9;
const CR4_OSXMMEXCPT: u64 = 1 << 10;
const CR4_UMIP: u64 = 1 << 11;
const CR4_FSGSBASE: u64 = 1 << 16;
const CR4_OSXSAVE: u64 = 1 << 18;
const CR4_SMEP: u64 = 1 << 20;
const CR4_SMAP: u64 = 1 << 21;
const EFER_NXE: u64 = 1 << 11;

static SMAP: AtomicBool = AtomicBool::new(false);
static FSGSBASE: AtomicBool = AtomicBool::new(false);

/// CPUID leaf `leaf`, subleaf `subleaf`, as (eax, ebx, ecx, edx).
pub fn cpuid(leaf: u32, subleaf: u32) -> (u32, u32, u32, u32) {
    let r = __cpuid_count(leaf, subleaf);
    (r.eax, r.ebx, r.ecx, r.edx)
}

/// Whether user programs may read and write FS and GS base by instruction (AT_HWCAP2 bit 1).
pub fn has_fsgsbase() -> bool {
    FSGSBASE.load(Ordering::Relaxed)
}

/// Whether user programs can read the number of their CPU: TSC_AUX holds it.
pub fn has_tsc_aux() -> bool {
    cpuid(0x8000_0000, 0).0 >= 0x8000_0001 && cpuid(0x8000_0001, 0).3 & 1 << 27 != 0
}

/// Gives this CPU's number to user programs, in the form of getcpu(2): the node, always 0, would be in bits 12 and up.
pub(super) fn init_number(number: usize) {
    if has_tsc_aux() {
        msr::TSC_AUX.write(number as u64);
    }
}

/// Turns on what the kernel relies on: write protection, no-execute, SMEP, SMAP, UMIP, FSGSBASE, SSE and XSAVE.
pub(super) fn init_cpu() {
    let (_, _, features, _) = cpuid(1, 0);
    let (_, extended, extended_c, _) = if cpuid(0, 0).0 >= 7 { cpuid(7, 0) } else { (0, 0, 0, 0) };
    assert!(features & 1 << 26 != 0, "the CPU has no XSAVE");
    let mut cr4 = read_cr4() | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
    for (present, bit) in [
        (extended & 1 != 0, CR4_FSGSBASE),
        (extended & 1 << 7 != 0, CR4_SMEP),
        (extended & 1 << 20 != 0, CR4_SMAP),
        (extended_c & 1 << 2 != 0, CR4_UMIP),
    ] {
        if present {
            cr4 |= bit;
        }
    }
    SMAP.store(cr4 & CR4_SMAP != 0, Ordering::Relaxed);
    FSGSBASE.store(cr4 & CR4_FSGSBASE != 0, Ordering::Relaxed);
    // SAFETY: only features that CPUID reports are turned on, and the kernel is built for all of them: no user page is
    // executed by the kernel, and user memory is opened around every access.
    unsafe {
        core::arch::asm!("mov cr4, {}", in(reg) cr4, options(nostack, preserves_flags));
        let cr0 = read_cr0() & !(CR0_EM | CR0_TS) | CR0_MP | CR0_NE | CR0_WP;
        core::arch::asm!("mov cr0, {}", in(reg) cr0, options(nostack, preserves_flags));
    }
    msr::EFER.write(msr::EFER.read() | EFER_NXE);
}

fn read_cr0() -> u64 {
    let value;
    // SAFETY: reading a control register has no effect.
    unsafe { core::arch::asm!("mov {}, cr0", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Control register 4.
pub fn read_cr4() -> u64 {
    let value;
    // SAFETY: reading a control register has no effect.
    unsafe { core::arch::asm!("mov {}, cr4", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Physical address of the page tables in use.
pub fn read_cr3() -> u64 {
    let value: u64;
    // SAFETY: reading a control register has no effect.
    unsafe { core::arch::asm!("mov {}, cr3", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value & 0x000f_ffff_ffff_f000
}

/// Switches page tables.
///
/// # Safety
/// `table` is a top-level table that maps the kernel as the current one does.
pub unsafe fn write_cr3(table: u64) {
    // SAFETY: by contract the running code stays mapped.
    unsafe { core::arch::asm!("mov cr3, {}", in(reg) table, options(nostack, preserves_flags)) };
}

/// The address of the last page fault. To be read before anything else can fault.
pub(super) fn page_fault_address() -> u64 {
    let value;
    // SAFETY: reading a control register has no effect.
    unsafe { core::arch::asm!("mov {}, cr2", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Opens user memory to the kernel (SMAP).
#[inline]
pub(super) fn open_user_access() {
    if SMAP.load(Ordering::Relaxed) {
        // SAFETY: the CPU has SMAP. Not `nomem`: it must stay before the accesses it allows.
        unsafe { core::arch::asm!("stac", options(nostack)) };
    }
}

/// Closes user memory to the kernel (SMAP).
#[inline]
pub(super) fn close_user_access() {
    if SMAP.load(Ordering::Relaxed) {
        // SAFETY: the CPU has SMAP.
        unsafe { core::arch::asm!("clac", options(nostack)) };
    }
}

/// Waits for an interrupt. Called with interrupts off; they are on afterwards, and none is lost in between.
pub fn wait_for_interrupt() {
    // SAFETY: STI takes effect after the next instruction, so an interrupt that is pending ends the HLT.
    unsafe { core::arch::asm!("sti", "hlt", options(nostack)) };
}

/// Stops this CPU for good.
pub fn halt() -> ! {
    loop {
        // SAFETY: with interrupts off the CPU sleeps until an NMI, and then goes round again.
        unsafe { core::arch::asm!("cli", "hlt", options(nomem, nostack)) };
    }
}
