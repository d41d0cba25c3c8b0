//! The gate page: kernel code mapped into user space, and one description of its frames.
//!
//! The kernel maps [`image()`] into every process. Whoever walks a stack through that code needs to know its frames,
//! and can ask in two languages: getunwind(2) hands out [`unwind_data`], an IA-64 unwind table, and the image itself
//! is an ELF object with DWARF call frame information. Neither is written by hand. Each function's [`frame`]s are
//! stated once, as data, and both tables are made from that.
//!
//! The crate has no behaviour at run time beyond adding a base address: images and tables are constants.
#![no_std]
#![forbid(unsafe_code)]

mod atomic;
pub mod frame;
pub mod ia64;
pub mod image;
pub mod unwind;
pub mod vvar;

pub use image::{GATE_PAGES, image, sigreturn_offset, uretprobe_offset, uretprobe_return_offset};
pub use unwind::{UNWIND_SIZE, unwind_data, unwind_size};
