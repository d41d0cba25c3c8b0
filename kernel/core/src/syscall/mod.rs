//! System calls: one table, typed arguments, one file per family.
pub mod args;
#[macro_use]
mod macros;
mod futex;
mod ids;
mod mm;
mod process;
mod sched;
mod signal;
pub mod system;
pub mod table;
mod thread;
mod time;
mod timer;
mod usage;
