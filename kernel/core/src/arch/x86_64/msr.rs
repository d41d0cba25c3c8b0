//! Model-specific registers the kernel uses.

/// One register.
#[derive(Clone, Copy)]
pub struct Msr(u32);

/// Local APIC base.
pub const APIC_BASE: Msr = Msr(0x1b);
/// Extended features.
pub const EFER: Msr = Msr(0xc000_0080);
/// Selectors of SYSCALL and SYSRET.
pub const STAR: Msr = Msr(0xc000_0081);
/// Where SYSCALL goes.
pub const LSTAR: Msr = Msr(0xc000_0082);
/// Flags that SYSCALL clears.
pub const FMASK: Msr = Msr(0xc000_0084);
/// FS base.
pub const FS_BASE: Msr = Msr(0xc000_0100);
/// GS base in use.
pub const GS_BASE: Msr = Msr(0xc000_0101);
/// The GS base that SWAPGS brings in: in the kernel, the user's.
pub const KERNEL_GS_BASE: Msr = Msr(0xc000_0102);

/// What RDTSCP and RDPID give besides the time.
pub const TSC_AUX: Msr = Msr(0xc000_0103);

impl Msr {
    /// Reads it.
    pub fn read(self) -> u64 {
        let (low, high): (u32, u32);
        // SAFETY: the constants above are registers that every x86-64 CPU has (TSC_AUX: that has RDTSCP, which its user
        // asks first); reading has no effect.
        unsafe {
            core::arch::asm!("rdmsr", in("ecx") self.0, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags));
        }
        u64::from(high) << 32 | u64::from(low)
    }

    /// Writes it. Private to `arch`, whose callers keep the machine's promises (GS base, entry points).
    pub(super) fn write(self, value: u64) {
        // SAFETY: as above; what the value does is the business of this directory, which writes only canonical
        // addresses and defined bits.
        unsafe {
            core::arch::asm!("wrmsr", in("ecx") self.0, in("eax") value as u32, in("edx") (value >> 32) as u32, options(nostack, preserves_flags));
        }
    }
}
