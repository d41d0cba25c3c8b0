//! Memory: physical frames, the kernel's heap and address ranges, user address spaces, access to user memory.
//!
//! Layout of the virtual address space:
//! ```text
//! 0000_0000_0000_0000 .. 0000_7fff_ffff_f000   user
//! ffff_8000_0000_0000 .. ffff_c000_0000_0000   all physical memory, one to one (PHYS_OFFSET), no-execute
//! ffff_c000_0000_0000 .. ffff_c080_0000_0000   kernel stacks (with guard pages) and device registers (kspace)
//! ffff_ffff_8000_0000 ..                       the kernel image
//! ```
pub mod addr;
mod boot;
pub mod frame;
pub mod gate;
pub mod heap;
pub mod kspace;
pub mod object;
mod per_cpu;
pub mod space;
mod table;
pub mod user;

pub use boot::translate;

/// Where all physical memory is mapped.
pub const PHYS_OFFSET: u64 = 0xffff_8000_0000_0000;
/// Start of the region for kernel stacks and device registers.
pub const KSPACE_START: u64 = 0xffff_c000_0000_0000;
/// End of that region.
pub const KSPACE_END: u64 = 0xffff_c080_0000_0000;
/// Where the kernel image is linked; its physical load address is this much lower on the PVH road.
pub const KERNEL_BASE: u64 = 0xffff_ffff_8000_0000;
/// First address past user space (the last page stays unmapped, as on Linux).
pub const USER_END: u64 = 0x0000_7fff_ffff_f000;
/// Bytes in a page.
pub const PAGE_SIZE: usize = 4096;

/// Builds the kernel's own page tables, the frame allocator and the heap, and switches to them.
///
/// Called once, by the first CPU, on a stack inside the kernel image. `boot` may live in memory that only the boot
/// loader's tables map: everything needed is copied out before the switch. Returns the initial ramdisk, mapped in the
/// direct map and never freed (empty when there is none).
pub fn init(boot: &bootloader_api::BootInfo) -> &'static [u8] {
    boot::init(boot)
}
