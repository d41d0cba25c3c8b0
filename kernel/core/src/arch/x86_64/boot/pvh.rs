//! The PVH road: a 32-bit entry point named by an ELF note, which `qemu -kernel` calls with paging off and the address
//! of a start-info block in EBX (Xen's public/arch-x86/hvm/start_info.h describes both).
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;

use bootloader_api::BootInfo;
use bootloader_api::info::{MemoryRegion, MemoryRegionKind, MemoryRegions};

use super::{BOOT_STACK, BOOT_STACK_SIZE};
use crate::mm::{KERNEL_BASE, PHYS_OFFSET};

// Long mode is entered on tables built here: 4 GiB mapped at 0, at PHYS_OFFSET, and its first 2 GiB at KERNEL_BASE.
core::arch::global_asm!(
    r#"
    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 8, 18          # name size, value size, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad pvh_entry - {base}

    .section .bss.boot_tables, "aw", @nobits
    .balign 4096
boot_pml4:      .skip 4096
boot_pdpt_low:  .skip 4096
boot_pdpt_high: .skip 4096
boot_pds:       .skip 4096 * 4

    .section .rodata.boot_gdt, "a"
    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9a000000ffff    # 64-bit code
    .quad 0x00cf92000000ffff    # data
boot_gdt_pointer:
    .word . - boot_gdt - 1
    .long boot_gdt - {base}

    .section .text.pvh_entry, "ax"
    .code32
    .globl pvh_entry
pvh_entry:
    cld
    movl %ebx, %ebp

    movl $(boot_pds - {base}), %edi
    movl $0x83, %eax            # present, writable, 2 MiB
    movl $2048, %ecx
1:  movl %eax, (%edi)
    addl $0x200000, %eax
    addl $8, %edi
    decl %ecx
    jnz 1b

    movl $(boot_pds - {base} + 3), %eax
    movl $(boot_pdpt_low - {base}), %edi
    movl %eax, (%edi)
    addl $4096, %eax
    movl %eax, 8(%edi)
    addl $4096, %eax
    movl %eax, 16(%edi)
    addl $4096, %eax
    movl %eax, 24(%edi)
    # entries 510 and 511 of the high table
    movl $(boot_pds - {base} + 3), %eax
    movl %eax, (boot_pdpt_high - {base} + 4080)
    addl $4096, %eax
    movl %eax, (boot_pdpt_high - {base} + 4088)
    movl $(boot_pdpt_low - {base} + 3), %eax
    movl %eax, (boot_pml4 - {base})
    movl %eax, (boot_pml4 - {base} + 2048)
    movl $(boot_pdpt_high - {base} + 3), %eax
    movl %eax, (boot_pml4 - {base} + 4088)

    movl %cr4, %eax
    orl $0x20, %eax             # PAE
    movl %eax, %cr4
    movl $(boot_pml4 - {base}), %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx      # EFER
    rdmsr
    orl $0x901, %eax            # SCE, LME, NXE
    wrmsr
    movl %cr0, %eax
    orl $0x80010001, %eax       # PG, WP, PE
    movl %eax, %cr0
    lgdt (boot_gdt_pointer - {base})
    ljmp $0x8, $(2f - {base})

    .code64
2:  movabsq $3f, %rax
    jmp *%rax
3:  xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movabsq ${stack}, %rsp
    addq ${stack_size}, %rsp
    movl %ebp, %edi
    xorl %ebp, %ebp
    call {enter}
    ud2
"#,
    base = const KERNEL_BASE,
    stack = sym BOOT_STACK,
    stack_size = const BOOT_STACK_SIZE,
    enter = sym enter,
    options(att_syntax),
);

/// The start-info block (version 1).
#[repr(C)]
struct StartInfo {
    magic: u32,
    version: u32,
    flags: u32,
    module_count: u32,
    modules: u64,
    command_line: u64,
    rsdp: u64,
    memory_map: u64,
    memory_map_entries: u32,
    reserved: u32,
}

#[repr(C)]
struct Module {
    address: u64,
    size: u64,
    command_line: u64,
    reserved: u64,
}

/// An entry of the memory map; `kind` 1 is RAM, as in ACPI's E820.
#[repr(C)]
struct MapEntry {
    address: u64,
    size: u64,
    kind: u32,
    reserved: u32,
}

const MAGIC: u32 = 0x336e_c578;
const MAX_REGIONS: usize = 64;

/// Storage for the regions and the `BootInfo`, which the rest of the kernel sees by `&'static mut`.
static REGIONS: Once<[MemoryRegion; MAX_REGIONS]> = Once(UnsafeCell::new([MemoryRegion::empty(); MAX_REGIONS]));
static BOOT_INFO: Once<MaybeUninit<BootInfo>> = Once(UnsafeCell::new(MaybeUninit::uninit()));

/// A static that one CPU touches once.
struct Once<T>(UnsafeCell<T>);

// SAFETY: only `enter` touches these, which runs once, on the first CPU.
unsafe impl<T> Sync for Once<T> {}

/// A reference to boot data at physical address `phys`.
///
/// # Safety
/// A `T` must be there, below 4 GiB, untouched while the reference lives.
unsafe fn at<T>(phys: u64) -> &'static T {
    // SAFETY: the boot tables map the first 4 GiB at PHYS_OFFSET; the rest is the caller's promise.
    unsafe { &*((phys + PHYS_OFFSET) as *const T) }
}

extern "C" fn enter(start_info: u32) -> ! {
    // SAFETY: the PVH protocol passes a valid start-info block and valid pointers in it; the frame allocator, which
    // could overwrite them, does not run yet. The statics are touched by this one CPU, once.
    unsafe {
        let info: &StartInfo = at(u64::from(start_info));
        assert!(info.magic == MAGIC, "not started by the PVH protocol");
        let ramdisk = (info.module_count > 0).then(|| at::<Module>(info.modules));
        let ramdisk_range = ramdisk.map_or(0..0, |m| m.address..m.address + m.size);

        let regions: &'static mut [MemoryRegion; MAX_REGIONS] = &mut *REGIONS.0.get();
        let mut count = 0;
        let mut add = |start: u64, end: u64, kind| {
            if start < end {
                assert!(count < MAX_REGIONS, "the memory map has more than {MAX_REGIONS} parts");
                regions[count] = MemoryRegion { start, end, kind };
                count += 1;
            }
        };
        let taken = [(kernel_range(), MemoryRegionKind::Bootloader), (ramdisk_range, MemoryRegionKind::Bootloader)];
        for i in 0..u64::from(info.memory_map_entries) {
            let entry: &MapEntry = at(info.memory_map + i * size_of::<MapEntry>() as u64);
            let (mut start, end) = (entry.address, entry.address + entry.size);
            if entry.kind != 1 {
                add(start, end, MemoryRegionKind::UnknownBios(entry.kind));
                continue;
            }
            // Cut the kernel and the ramdisk out of RAM; `taken` is ascending because loaders put ramdisks above.
            for (range, kind) in &taken {
                if range.start < end && range.end > start && range.start < range.end {
                    add(start, range.start.max(start), MemoryRegionKind::Usable);
                    add(range.start.max(start), range.end.min(end), *kind);
                    start = range.end.min(end);
                }
            }
            add(start, end, MemoryRegionKind::Usable);
        }

        let boot = (*BOOT_INFO.0.get()).write(BootInfo::new(MemoryRegions::from(&mut regions[..count])));
        boot.physical_memory_offset = Some(PHYS_OFFSET).into();
        boot.rsdp_addr = (info.rsdp != 0).then_some(info.rsdp).into();
        boot.kernel_addr = kernel_range().start;
        boot.kernel_len = kernel_range().end - kernel_range().start;
        if let Some(ramdisk) = ramdisk {
            boot.ramdisk_addr = Some(ramdisk.address + PHYS_OFFSET).into();
            boot.ramdisk_len = ramdisk.size;
        }
        let command_line = match info.command_line {
            0 => b"",
            phys => core::ffi::CStr::from_ptr((phys + PHYS_OFFSET) as *const core::ffi::c_char).to_bytes(),
        };
        crate::kmain(boot, command_line)
    }
}

/// Physical addresses of the kernel image on this road.
fn kernel_range() -> core::ops::Range<u64> {
    unsafe extern "C" {
        static __image_start: u8;
        static __image_end: u8;
    }
    (&raw const __image_start as u64 - KERNEL_BASE)..(&raw const __image_end as u64 - KERNEL_BASE)
}
