//! The two roads into the kernel: PVH (`qemu -kernel`) and the `bootloader` crate's disk image. Both end in
//! [`crate::kmain`] with a [`bootloader_api::BootInfo`], on a stack inside the kernel image.
mod disk;
mod pvh;

use core::cell::UnsafeCell;

/// The first CPU's stack until it runs its first task, and its idle stack after that.
#[repr(C, align(16))]
pub struct BootStack(UnsafeCell<[u8; BOOT_STACK_SIZE]>);

/// Bytes of the boot stack.
pub const BOOT_STACK_SIZE: usize = if cfg!(debug_assertions) { 256 * 1024 } else { 64 * 1024 };

// SAFETY: only its address is used; the memory belongs to the one CPU that runs on it.
unsafe impl Sync for BootStack {}

/// See [`BootStack`].
#[unsafe(no_mangle)]
pub static BOOT_STACK: BootStack = BootStack(UnsafeCell::new([0; BOOT_STACK_SIZE]));
