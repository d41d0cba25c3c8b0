//! The Tollgate kernel: the only crate that touches hardware.
//!
//! Rooms, each using only those to its left: `arch` <- `mm` <- `task` <- `fs` <- `syscall` <- `trace`; `sync` is below
//! all but the lowest part of `arch`.
#![no_std]
#![no_main]

extern crate alloc;

mod arch;
mod fs;
mod mm;
mod sync;
#[macro_use]
mod syscall;
mod task;
mod trace;
mod tty;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
