//! Reads ELF64 executables for execve: checks their headers and plans which part of the file goes where in memory.
//!
//! Nothing is mapped here and no file is read: the caller brings the bytes and carries the plan out. Whatever the bytes
//! are, the outcome is a plan whose numbers are in range, or an errno.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod header;
mod plan;

pub use header::{Header, Kind, PROGRAM_HEADER_SIZE};
pub use plan::{Plan, Segment};
