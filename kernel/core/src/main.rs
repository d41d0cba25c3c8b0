//! The Tollgate kernel: the only crate that touches hardware.
//!
//! Rooms, each using only those to its left: `arch` <- `mm` <- `task` <- `fs` <- `syscall` <- `trace`; `sync` is below
//! all but the lowest part of `arch`.
#![no_std]
#![no_main]

extern crate alloc;

mod arch;
mod fs;
mod log;
mod mm;
mod panic;
mod sync;
#[macro_use]
mod syscall;
mod task;
mod trace;
mod tty;

/// Where both boot roads meet: on a stack inside the kernel image, interrupts off, on the loader's page tables.
fn kmain(boot: &'static bootloader_api::BootInfo, command_line: &'static [u8]) -> ! {
    arch::init_first_cpu();
    log::init(command_line);
    ::log::info!("Tollgate {}", env!("CARGO_PKG_VERSION"));
    let rsdp = boot.rsdp_addr.into_option();
    let ramdisk = mm::init(boot);
    if let Some(symbols) = fs::cpio::find(ramdisk, b"etc/tollgate/kernel.sym") {
        panic::set_symbols(symbols);
    }
    tty::init();
    arch::init_devices(rsdp);
    mm::gate::init();
    ::log::info!("{} CPUs, {} MiB", arch::percpu::cpu_count(), mm::frame::stats().total / 256);
    if let Err(broken) = fs::init(ramdisk) {
        ::log::error!("the initial ramdisk is broken at byte {}: {}", broken.offset, broken.reason);
        arch::power::off();
    }
    task::exec::start_init();
    task::sched::idle_loop()
}
