//! The machine. Only x86-64 exists; the rest of the kernel names it `arch`.
mod x86_64;

pub use x86_64::*;
