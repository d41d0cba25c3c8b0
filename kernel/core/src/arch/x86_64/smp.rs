//! Starting the other CPUs: a page of real-mode code below 1 MiB that climbs to long mode.
use alloc::boxed::Box;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::percpu::{self, MAX_CPUS, PerCpu};
use super::{acpi, apic, clock, cpu};
use crate::mm::addr::phys_to_virt;
use crate::mm::{PHYS_OFFSET, kspace};
use crate::sync::{Rank, SpinLock};

/// Physical address of the trampoline page; the frame allocator never hands it out.
pub const TRAMPOLINE: u64 = 0x8000;

// The code is copied to TRAMPOLINE, so every address in it is computed from its start. The three words at the end are
// filled in for each CPU.
core::arch::global_asm!(
    r#"
    .section .rodata.ap_trampoline, "a"
    .balign 16
    .globl ap_trampoline
ap_trampoline:
    .code16
    cli
    xorw %ax, %ax
    movw %ax, %ds
    lgdtl ({at} + ap_gdt_pointer - ap_trampoline)
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $0x8, $({at} + 1f - ap_trampoline)
    .code32
1:  movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %ss
    movl %cr4, %eax
    orl $0x20, %eax
    movl %eax, %cr4
    movl ({at} + ap_table - ap_trampoline), %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x901, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80010001, %eax
    movl %eax, %cr0
    ljmpl $0x18, $({at} + 2f - ap_trampoline)
    .code64
2:  movq ({at} + ap_stack - ap_trampoline), %rsp
    movq ({at} + ap_block - ap_trampoline), %rdi
    xorl %ebp, %ebp
    movq ({at} + ap_entry - ap_trampoline), %rax
    callq *%rax
    ud2
    .balign 8
ap_gdt:
    .quad 0
    .quad 0x00cf9a000000ffff
    .quad 0x00cf92000000ffff
    .quad 0x00af9a000000ffff
ap_gdt_pointer:
    .word . - ap_gdt - 1
    .long {at} + ap_gdt - ap_trampoline
    .balign 8
    .globl ap_table
ap_table: .quad 0
    .globl ap_stack
ap_stack: .quad 0
    .globl ap_block
ap_block: .quad 0
    .globl ap_entry
ap_entry: .quad 0
    .globl ap_trampoline_end
ap_trampoline_end:
"#,
    at = const TRAMPOLINE,
    options(att_syntax),
);

unsafe extern "C" {
    static ap_trampoline: u8;
    static ap_trampoline_end: u8;
    static ap_table: u8;
    static ap_stack: u8;
    static ap_block: u8;
    static ap_entry: u8;
}

/// CPUs that have arrived in [`entry`].
static ARRIVED: AtomicUsize = AtomicUsize::new(1);

/// Starts every CPU that ACPI lists, one after the other.
pub(super) fn start_others(acpi: &acpi::Tables) {
    let me = percpu::this_cpu().apic_id.get();
    // SAFETY: the trampoline's symbols delimit its bytes; the page at TRAMPOLINE is reserved for it.
    unsafe {
        let len = (&raw const ap_trampoline_end).offset_from(&raw const ap_trampoline) as usize;
        core::ptr::copy_nonoverlapping(&raw const ap_trampoline, (PHYS_OFFSET + TRAMPOLINE) as *mut u8, len);
    }
    let table = trampoline_table();
    for &apic_id in acpi.cpus.iter().filter(|&&id| id != me) {
        let id = ARRIVED.load(Ordering::Acquire);
        if id == MAX_CPUS {
            log::warn!("more than {MAX_CPUS} CPUs: the rest stay off");
            break;
        }
        let block: &'static PerCpu = Box::leak(Box::new(PerCpu::new(id)));
        block.apic_id.set(apic_id);
        let idle = crate::task::sched::make_idle(block);
        let words = [
            (&raw const ap_table, table),
            (&raw const ap_stack, idle.kernel_stack.top().as_u64()),
            (&raw const ap_block, &raw const *block as u64),
            (&raw const ap_entry, entry as *const () as u64),
        ];
        for (symbol, value) in words {
            // SAFETY: each symbol is an aligned word inside the copied trampoline; no CPU runs there now.
            unsafe {
                let offset = symbol.offset_from(&raw const ap_trampoline) as u64;
                ((PHYS_OFFSET + TRAMPOLINE + offset) as *mut u64).write_volatile(value);
            }
        }
        apic::start_cpu(apic_id, (TRAMPOLINE >> 12) as u8);
        let deadline = clock::now_ns() + 1_000_000_000;
        while ARRIVED.load(Ordering::Acquire) == id {
            if clock::now_ns() > deadline {
                log::error!("CPU with APIC number {apic_id} did not start");
                return;
            }
            core::hint::spin_loop();
        }
    }
}

/// Tables for the moment a CPU turns paging on: the kernel's half, and the first 2 MiB mapped to themselves, because the
/// trampoline runs at its physical address. They lie in the kernel image, so that 32-bit code can name them.
fn trampoline_table() -> u64 {
    /// Present, writable.
    const TABLE: u64 = 3;
    /// Present, writable, 2 MiB.
    const PAGE: u64 = 0x83;
    #[repr(align(4096))]
    struct Tables([[u64; 512]; 3]);
    static TABLES: SpinLock<Tables> = SpinLock::new(Rank::Ipi, Tables([[0; 512]; 3]));

    let physical =
        |table: &[u64; 512]| crate::mm::translate(table.as_ptr() as u64).expect("the kernel image is mapped").as_u64();
    let mut guard = TABLES.lock();
    let [top, middle, bottom] = &mut guard.0;
    // SAFETY: the kernel's top-level table, read while nothing changes it: its entries are fixed since `mm::init`.
    let kernel = unsafe { &*phys_to_virt(kspace::kernel_table()).as_ptr::<[u64; 512]>() };
    top[256..].copy_from_slice(&kernel[256..]);
    top[0] = physical(middle) | TABLE;
    middle[0] = physical(bottom) | TABLE;
    bottom[0] = PAGE;
    let top = physical(top);
    assert!(top < 1 << 32, "32-bit code cannot load these tables");
    top
}

/// Where a started CPU enters Rust, on its idle task's stack.
extern "C" fn entry(block: &'static PerCpu) -> ! {
    // SAFETY: the kernel's own tables map everything the trampoline's do, but for the trampoline itself.
    unsafe { cpu::write_cr3(kspace::kernel_table().as_u64()) };
    super::init_cpu(block);
    apic::init_cpu();
    percpu::set_count(block.id() + 1);
    ARRIVED.store(block.id() + 1, Ordering::Release);
    crate::task::sched::idle_loop()
}
