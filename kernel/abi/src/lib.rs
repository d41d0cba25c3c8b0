//! What user space sees of Tollgate: error numbers, constants and structure layouts of Linux x86-64.
//!
//! No behaviour lives here, so that the kernel and the programs that test it can share one truth.
#![no_std]
#![forbid(unsafe_code)]

pub mod errno;
pub mod fs;
pub mod mm;
pub mod process;
pub mod signal;
pub mod socket;
pub mod time;
pub mod tty;

pub use errno::{Errno, Result};
