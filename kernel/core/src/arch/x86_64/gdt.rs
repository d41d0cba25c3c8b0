//! Segments, and the stacks that interrupts switch to.
use core::mem::size_of;

/// Kernel code selector.
pub const KERNEL_CS: u16 = 0x10;
/// Kernel data selector.
pub const KERNEL_SS: u16 = 0x18;
/// User data selector, as Linux numbers it.
pub const USER_SS: u16 = 0x2b;
/// User 64-bit code selector, as Linux numbers it.
pub const USER_CS: u16 = 0x33;
/// What SYSRET adds 16 (CS) and 8 (SS) to. (0x23 itself would be 32-bit user code, which there is none of.)
pub const SYSRET_BASE: u16 = 0x23;
const TSS_SELECTOR: u16 = 0x40;

/// Bytes of each interrupt stack; a power of two and the stacks' alignment, see [`InterruptStack`].
pub const IST_SIZE: usize = 8192;

/// A stack for exceptions that may come at any moment, even with a bad stack pointer or the user's GS: its lowest word
/// holds the address of the CPU's block, so that a handler finds it from the stack pointer alone.
#[repr(C, align(8192))]
pub struct InterruptStack([u64; IST_SIZE / 8]);

/// Which interrupt stack an exception uses; the CPU numbers them from 1, 0 means none.
#[derive(Clone, Copy)]
#[repr(u8)]
pub enum Ist {
    DoubleFault = 1,
    Nmi = 2,
    MachineCheck = 3,
    Debug = 4,
}

/// The task state segment: only stack pointers, in long mode.
#[repr(C, packed(4))]
struct Tss {
    reserved0: u32,
    rsp: [u64; 3],
    reserved1: u64,
    ist: [u64; 7],
    reserved2: u64,
    reserved3: u16,
    io_map: u16,
}

/// One CPU's descriptors and interrupt stacks.
#[repr(C)]
pub struct Descriptors {
    stacks: [InterruptStack; 4],
    gdt: [u64; 10],
    tss: Tss,
}

#[repr(C, packed)]
struct TablePointer {
    limit: u16,
    base: u64,
}

impl Descriptors {
    /// Descriptors that are not loaded yet.
    pub const fn new() -> Self {
        Self {
            stacks: [const { InterruptStack([0; IST_SIZE / 8]) }; 4],
            gdt: [
                0,
                0,
                0x00af_9b00_0000_ffff, // 0x10 kernel code
                0x00cf_9300_0000_ffff, // 0x18 kernel data
                0,                     // 0x20 (32-bit user code: none)
                0x00cf_f300_0000_ffff, // 0x28 user data
                0x00af_fb00_0000_ffff, // 0x30 user code
                0,
                0, // 0x40 TSS, two entries
                0,
            ],
            tss: Tss {
                reserved0: 0,
                rsp: [0; 3],
                reserved1: 0,
                ist: [0; 7],
                reserved2: 0,
                reserved3: 0,
                io_map: size_of::<Tss>() as u16,
            },
        }
    }

    /// Fills in the addresses and loads GDT, TSS and segment registers on this CPU.
    ///
    /// # Safety
    /// `self` must stay where it is for good, and belong to this CPU, whose block is `block`.
    pub(super) unsafe fn load(&mut self, block: u64) {
        for (i, stack) in self.stacks.iter_mut().enumerate() {
            stack.0[0] = block;
            self.tss.ist[i] = &raw const *stack as u64 + IST_SIZE as u64;
        }
        let base = &raw const self.tss as u64;
        let limit = size_of::<Tss>() as u64 - 1;
        self.gdt[8] = limit | (base & 0xff_ffff) << 16 | 0x89 << 40 | (base >> 24 & 0xff) << 56;
        self.gdt[9] = base >> 32;
        let pointer = TablePointer { limit: size_of::<[u64; 10]>() as u16 - 1, base: self.gdt.as_ptr() as u64 };
        // SAFETY: the table holds the flat segments that the running code assumes, and stays for good. Loading GS
        // clears its base, which `init_first`/`init` set again after this.
        unsafe {
            core::arch::asm!(
                "lgdt [{pointer}]",
                "push {cs}",
                "lea {tmp}, [rip + 2f]",
                "push {tmp}",
                "retfq",
                "2:",
                "mov ss, {ss:e}",
                "mov ds, {zero:e}",
                "mov es, {zero:e}",
                "mov fs, {zero:e}",
                "mov gs, {zero:e}",
                "ltr {tss:x}",
                pointer = in(reg) &raw const pointer,
                cs = const KERNEL_CS,
                ss = in(reg) u32::from(KERNEL_SS),
                zero = in(reg) 0,
                tss = in(reg) TSS_SELECTOR,
                tmp = out(reg) _,
            );
        }
    }

    /// Where the CPU pushes when user mode is interrupted.
    pub(super) fn set_kernel_stack(&mut self, top: u64) {
        self.tss.rsp[0] = top;
    }
}
