//! System calls: one table, typed arguments, one file per family.
pub mod args;
#[macro_use]
mod macros;
mod dir;
mod fd;
mod file;
mod futex;
mod ids;
mod mm;
mod mount;
mod poll;
mod process;
mod sched;
mod signal;
mod socket;
mod stat;
pub mod system;
pub mod table;
mod thread;
mod time;
mod timer;
mod usage;
