//! The road through the `bootloader` crate: BIOS or UEFI, from a disk image.
use bootloader_api::config::{BootloaderConfig, Mapping};
use bootloader_api::{BootInfo, entry_point};

use super::{BOOT_STACK, BOOT_STACK_SIZE};
use crate::mm::PHYS_OFFSET;

static CONFIG: BootloaderConfig = {
    let mut config = BootloaderConfig::new_default();
    config.mappings.physical_memory = Some(Mapping::FixedAddress(PHYS_OFFSET));
    // What else the boot loader maps stays clear of the regions that `mm` lays out.
    config.mappings.dynamic_range_start = Some(0xffff_f000_0000_0000);
    config.mappings.dynamic_range_end = Some(0xffff_f7ff_ffff_f000);
    config.kernel_stack_size = 64 * 1024;
    config
};

entry_point!(start, config = &CONFIG);

fn start(boot: &'static mut BootInfo) -> ! {
    let top = BOOT_STACK.0.get() as u64 + BOOT_STACK_SIZE as u64;
    // SAFETY: the boot stack is unused so far; nothing on the old stack is needed again (`boot` lives elsewhere, and
    // `enter` never returns).
    unsafe {
        core::arch::asm!(
            "mov rsp, {top}",
            "xor ebp, ebp",
            "call {enter}",
            "ud2",
            top = in(reg) top,
            in("rdi") boot,
            enter = sym enter,
            options(noreturn),
        )
    }
}

extern "C" fn enter(boot: &'static mut BootInfo) -> ! {
    crate::kmain(boot, b"")
}
